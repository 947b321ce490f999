/* What the programs of the benchmark have in common: the arguments, what is read of a page, the report. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *base_url, *ca_file, *api_key;
    int page_size;
    int pages;    /* how many to ask for, one after the other */
    int distinct; /* how many there are; after the last one comes the first again */
    int threads;
    int prefetch;
    int walk;  /* one walk over all pages in place of single pages; the C peers know no difference */
    int keep;  /* keep every page to the end */
    int print; /* print the rows */
    int64_t started_ns; /* CLOCK_MONOTONIC when the program was started */
} arguments;

/* Text, or NULL: absent. */
typedef struct {
    const char *at;
    size_t len;
} text;

/* No such time, count or answer. */
#define NO_TIME INT64_MIN
#define UNKNOWN (-1)

/* All that a page says of a conversation. */
typedef struct {
    text id, created_at, preview, last_message_at, ended_at, end_reason, name, brand_id;
    int64_t created_at_ms, last_message_at_ms, unread;
    int ended, in_assistant_mode;
} row;

/* What was read, in one number: the same for every program, whatever the order of the pages. */
typedef struct {
    uint64_t sum;
    uint64_t rows;
    int print;
} tally;

void take_row(tally *t, const row *r);
void take_page(tally *t, int64_t total, int64_t next); /* -1: none */
_Noreturn void fail(const char *what, const char *why);
int64_t epoch_ms(text timestamp); /* for those whose library does not parse it */

/* Each program has these. A client has fetched the settings and the tracking token when it is opened. */
typedef struct client client;
client *client_open(const arguments *a);
client *client_for_thread(client *c); /* the same where threads may share it; else one more with the same token */
void client_close(client *c);
void client_page(client *c, int page, tally *t);
void client_walk(client *c, int from, int pages, tally *t);

#endif

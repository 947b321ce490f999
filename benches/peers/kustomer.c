/* libkustomer, through its C ABI. */
#include "harness.h"
#include <kustomer.h>
#include <stdlib.h>

struct client {
    kustomer_client *client;
    const arguments *arguments;
    kustomer_response **kept;
    size_t count;
};

typedef struct {
    client *client;
    tally *tally;
} reading;

#define TEXT(row, field) text_of(kustomer_conversation_##field, row)

static text text_of(const char *(*field)(const kustomer_conversation *, size_t *), const kustomer_conversation *row)
{
    text t;
    t.at = field(row, &t.len);
    return t;
}

static int32_t on_page(const kustomer_response *page, const kustomer_error *error, void *user_data)
{
    reading *r = user_data;
    if (error != NULL)
        fail("libkustomer", kustomer_error_message(error, NULL));
    size_t count = kustomer_response_conversation_count(page);
    for (size_t i = 0; i < count; i++) {
        const kustomer_conversation *c = kustomer_response_conversation(page, i);
        const row row = {
            .id = TEXT(c, id),
            .created_at = TEXT(c, created_at),
            .preview = TEXT(c, preview),
            .last_message_at = TEXT(c, last_message_at),
            .ended_at = TEXT(c, ended_at),
            .end_reason = TEXT(c, end_reason),
            .name = TEXT(c, name),
            .brand_id = TEXT(c, brand_id),
            .created_at_ms = kustomer_conversation_created_at_ms(c),
            .last_message_at_ms = kustomer_conversation_last_message_at_ms(c),
            .unread = kustomer_conversation_unread_count(c),
            .ended = kustomer_conversation_ended(c),
            .in_assistant_mode = kustomer_conversation_is_in_assistant_mode(c),
        };
        take_row(r->tally, &row);
    }
    take_page(r->tally, kustomer_response_total(page), kustomer_response_pages(page)->next);
    if (r->client->kept != NULL)
        r->client->kept[r->client->count++] = kustomer_response_clone(page);
    return 0;
}

client *client_open(const arguments *a)
{
    kustomer_init_options options = KUSTOMER_INIT_OPTIONS_INIT;
    options.api_key = a->api_key;
    options.base_url = a->base_url;
    options.ca_file = a->ca_file;
    options.proxy = "";
    options.max_retries = -1;
    client *c = calloc(1, sizeof *c);
    kustomer_error *error;
    if (kustomer_init(&options, &c->client, &error) != KUSTOMER_OK)
        fail("kustomer_init", kustomer_error_message(error, NULL));
    c->arguments = a;
    if (a->keep)
        c->kept = calloc((size_t)a->pages, sizeof *c->kept);
    return c;
}

client *client_for_thread(client *c)
{
    return c;
}

void client_close(client *c)
{
    for (size_t i = 0; i < c->count; i++)
        kustomer_response_free(c->kept[i]);
    free(c->kept);
    kustomer_client_free(c->client);
    free(c);
}

static void get(client *c, const kustomer_get_conversations_options *options, tally *t)
{
    reading r = {c, t};
    if (kustomer_get_conversations(c->client, options, on_page, &r) != KUSTOMER_OK)
        fail("kustomer_get_conversations", "it ended early");
}

void client_page(client *c, int page, tally *t)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.page = page;
    options.page_size = c->arguments->page_size;
    get(c, &options, t);
}

void client_walk(client *c, int from, int pages, tally *t)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.page = from;
    options.page_size = c->arguments->page_size;
    options.all_pages = 1;
    options.max_pages = pages;
    options.prefetch = (uint32_t)c->arguments->prefetch;
    get(c, &options, t);
}

/* Opens a client, asks for pages, reads every field, and reports what it cost. */
#define _GNU_SOURCE
#include "harness.h"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The most memory this program ever had: of this image alone, where getrusage counts whatever it was forked from. */
static long peak_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return kib;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

/* Eight bytes at a time, so that reading costs little beside what is measured. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (hash ^= len; len > 0; ) {
        uint64_t word = 0;
        size_t n = len < 8 ? len : 8;
        memcpy(&word, at, n);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        at += n;
        len -= n;
    }
    return hash;
}

static uint64_t mix_text(uint64_t hash, text t)
{
    return t.at == NULL ? hash * 31 + 7 : mix(hash, t.at, t.len);
}

static void print_text(text t)
{
    for (size_t i = 0; i < t.len && t.at != NULL; i++)
        fputs(t.at[i] == '\n' ? "\\n" : (char[]){t.at[i], 0}, stdout);
    fputs(t.at == NULL ? "-\t" : "\t", stdout);
}

static void print_number(int64_t n, int64_t none, char end)
{
    n == none ? printf("-%c", end) : printf("%lld%c", (long long)n, end);
}

/* As `line` in fixtures.py has it. */
static void print_row(const row *r)
{
    print_text(r->id);
    print_text(r->created_at);
    print_text(r->preview);
    print_number(r->in_assistant_mode, UNKNOWN, '\t');
    print_text(r->last_message_at);
    print_number(r->ended, UNKNOWN, '\t');
    print_text(r->ended_at);
    print_text(r->end_reason);
    print_text(r->name);
    print_text(r->brand_id);
    print_number(r->unread, -1, '\t');
    print_number(r->created_at_ms, NO_TIME, '\t');
    print_number(r->last_message_at_ms, NO_TIME, '\n');
}

void take_row(tally *t, const row *r)
{
    const int64_t numbers[] = {r->created_at_ms, r->last_message_at_ms, r->unread, r->ended, r->in_assistant_mode};
    const text texts[] = {r->id, r->created_at, r->preview, r->last_message_at, r->ended_at, r->end_reason, r->name, r->brand_id};
    uint64_t hash = mix(0, numbers, sizeof numbers);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash = mix_text(hash, texts[i]);
    t->sum += hash;
    t->rows++;
    if (t->print)
        print_row(r);
}

void take_page(tally *t, int64_t total, int64_t next)
{
    const int64_t numbers[] = {total, next};
    t->sum += mix(0, numbers, sizeof numbers);
}

static int64_t number(const char *digits, int count)
{
    int64_t n = 0;
    for (; count > 0; count--, digits++)
        n = n * 10 + (*digits - '0');
    return n;
}

/* yyyy-MM-ddTHH:mm:ss.SSSZ and nothing else, by hand: strptime and timegm would take ten times as long. */
int64_t epoch_ms(text t)
{
    const char *s = t.at;
    if (s == NULL || t.len != 24 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != '.'
        || s[23] != 'Z')
        return NO_TIME;
    for (int i = 0; i < 23; i++)
        if (i != 4 && i != 7 && i != 10 && i != 13 && i != 16 && i != 19 && (s[i] < '0' || s[i] > '9'))
            return NO_TIME;
    int64_t year = number(s, 4), month = number(s + 5, 2), day = number(s + 8, 2);
    year -= month <= 2;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * ((month + 9) % 12) + 2) / 5 + day - 719469;
    int64_t minutes = (days * 24 + number(s + 11, 2)) * 60 + number(s + 14, 2);
    return (minutes * 60 + number(s + 17, 2)) * 1000 + number(s + 20, 3);
}

static arguments parse(int argc, char **argv)
{
    arguments a = {.page_size = 100, .pages = 1, .distinct = 1, .threads = 1};
    const struct { const char *name; const char **value; } texts[] = {
        {"base_url=", &a.base_url}, {"ca_file=", &a.ca_file}, {"api_key=", &a.api_key}};
    const struct { const char *name; int *value; } numbers[] = {
        {"page_size=", &a.page_size}, {"pages=", &a.pages}, {"distinct=", &a.distinct}, {"threads=", &a.threads},
        {"prefetch=", &a.prefetch}, {"walk=", &a.walk}, {"keep=", &a.keep}, {"print=", &a.print}};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (strncmp(argv[i], texts[k].name, strlen(texts[k].name)) == 0)
                *texts[k].value = argv[i] + strlen(texts[k].name);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (strncmp(argv[i], numbers[k].name, strlen(numbers[k].name)) == 0)
                *numbers[k].value = atoi(argv[i] + strlen(numbers[k].name));
        if (strncmp(argv[i], "started_ns=", 11) == 0)
            a.started_ns = atoll(argv[i] + 11);
    }
    if (a.base_url == NULL || a.ca_file == NULL || a.api_key == NULL)
        fail("arguments", "base_url=, ca_file= and api_key= are needed");
    return a;
}

typedef struct {
    const arguments *arguments;
    client *client;
    tally tally;
    pthread_t thread;
} worker;

/* All pages but the first, which was there before. */
static void *work(void *argument)
{
    worker *w = argument;
    const arguments *a = w->arguments;
    client *c = a->threads > 1 ? client_for_thread(w->client) : w->client;
    if (a->walk && a->pages > 1)
        client_walk(c, 2, a->pages - 1, &w->tally);
    for (int page = 2; !a->walk && page <= a->pages; page++)
        client_page(c, (page - 1) % a->distinct + 1, &w->tally);
    if (c != w->client)
        client_close(c);
    return NULL;
}

int main(int argc, char **argv)
{
    arguments a = parse(argc, argv);
    tally all = {.print = a.print};
    client *c = client_open(&a);
    client_page(c, 1, &all);
    int64_t first_ns = now_ns(CLOCK_MONOTONIC), cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    long first_kib = peak_kib();
    int64_t from_ns = now_ns(CLOCK_MONOTONIC);

    worker *workers = calloc((size_t)a.threads, sizeof *workers);
    for (int i = 0; i < a.threads; i++)
        workers[i] = (worker){.arguments = &a, .client = c, .tally.print = a.print};
    for (int i = 1; i < a.threads; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("threads", "one could not be started");
    work(&workers[0]);
    for (int i = 0; i < a.threads; i++) {
        if (i > 0)
            pthread_join(workers[i].thread, NULL);
        all.sum += workers[i].tally.sum;
        all.rows += workers[i].tally.rows;
    }
    free(workers);
    int64_t wall_ns = now_ns(CLOCK_MONOTONIC) - from_ns;
    cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
    printf("report sum=%016llx rows=%llu first_ns=%lld cpu_ns=%lld wall_ns=%lld heap_bytes=%zu first_kib=%ld peak_kib=%ld\n",
           (unsigned long long)all.sum, (unsigned long long)all.rows, (long long)(first_ns - a.started_ns), (long long)cpu_ns,
           (long long)wall_ns, heap_bytes(), first_kib, peak_kib());
    client_close(c);
    return 0;
}

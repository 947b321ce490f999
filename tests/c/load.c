/* Load and soak: many calls and long walks against the server of tests/it/load.rs, what was delivered compared with what that
 * server holds. What the process has grown by is printed, for the driver to judge.
 *
 *     load calls THREADS CALLS     one client, single pages
 *     load walk PAGES              one walk
 */
#include "check.h"
#include <dirent.h>

enum { PAGES = 50, PAGE_SIZE = 20, CODES = KUSTOMER_ERROR_INTERNAL + 1 };

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    REQUIRE(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* The server's page, as tests/it/load.rs makes it. */
static void check_page(const kustomer_response *response, int page, int rows)
{
    CHECK(kustomer_response_pages(response)->current == page && kustomer_response_pages(response)->next == page + 1);
    CHECK(kustomer_response_skipped_count(response) == 0);
    if (!CHECK(kustomer_response_conversation_count(response) == (size_t)rows)) {
        return;
    }
    for (int row = 0; row < rows; row++) {
        const kustomer_conversation *c = kustomer_response_conversation(response, (size_t)row);
        char id[40], preview[80];
        snprintf(id, sizeof id, "%d-%d", page, row);
        snprintf(preview, sizeof preview, "row %d of page %d: \"\xc3\xbc\xf0\x9f\x98\x80\"", row, page);
        const int64_t created = INT64_C(1767225600000) + (page * 31 + row) % 1000;
        CHECK(same_text(kustomer_conversation_id(c, NULL), id) && same_text(kustomer_conversation_preview(c, NULL), preview));
        CHECK(kustomer_conversation_created_at_ms(c) == created && kustomer_conversation_ended(c) == row % 2);
    }
}

static kustomer_client *load_client(void)
{
    kustomer_init_options options = bare_options(test_env("KUSTOMER_BASE_URL"));
    options.auth = KUSTOMER_AUTH_API_KEY;
    options.api_key = "load-server-key";
    options.ca_file = getenv("KUSTOMER_CA_FILE");
    options.max_retries = 0; /* the default */
    return client_or_die(&options);
}

static kustomer_get_conversations_options load_options(void)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.customer_id = "somebody";
    return options;
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static struct {
    kustomer_client *client;
    pthread_barrier_t warm;
    int calls; /* per thread */
    int begun;
    int codes[CODES];
} load;

static void get_some(int calls)
{
    kustomer_get_conversations_options options = load_options();
    options.page_size = PAGE_SIZE;
    for (int i = 0; i < calls; i++) {
        kustomer_response *response = POISON(kustomer_response);
        options.page = 1 + __atomic_fetch_add(&load.begun, 1, __ATOMIC_RELAXED) % PAGES;
        const kustomer_code code = kustomer_get_conversations_page(load.client, &options, &response, NULL);
        REQUIRE(code >= 0 && code < CODES);
        __atomic_fetch_add(&load.codes[code], 1, __ATOMIC_RELAXED);
        CHECK((code == KUSTOMER_OK) == (response != NULL));
        if (response != NULL) {
            check_page(response, options.page, PAGE_SIZE);
        }
        kustomer_response_free(response);
    }
}

static void *work(void *argument)
{
    const int warm_up = load.calls / 5;
    get_some(warm_up);
    pthread_barrier_wait(&load.warm); /* once to say so, */
    pthread_barrier_wait(&load.warm); /* and once to be let on */
    get_some(load.calls - warm_up);
    return argument;
}

static void many_calls(int threads, int calls)
{
    pthread_t *workers = (pthread_t *)calloc((size_t)threads, sizeof *workers);
    const int before = descriptors();
    load.client = load_client();
    load.calls = calls / threads;
    REQUIRE(workers != NULL && pthread_barrier_init(&load.warm, NULL, (unsigned)threads + 1) == 0);
    for (int i = 0; i < threads; i++) {
        REQUIRE(pthread_create(&workers[i], NULL, work, NULL) == 0);
    }
    pthread_barrier_wait(&load.warm);
    const long warm = resident_kib();
    pthread_barrier_wait(&load.warm);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i], NULL);
    }
    printf("grown KiB %ld\n", resident_kib() - warm);
    kustomer_client_free(load.client);
    printf("leaked descriptors %d\n", descriptors() - before);
    for (int code = 0; code < CODES; code++) {
        printf("%s %d\n", kustomer_code_name(code), load.codes[code]);
    }
    pthread_barrier_destroy(&load.warm);
    free(workers);
}

/* --- a walk ----------------------------------------------------------------------------------------------------------- */

struct walk {
    int pages;
    int delivered;
    long warm_kib;
};

static int32_t on_page(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct walk *walk = (struct walk *)user_data;
    if (!CHECK(error == NULL)) {
        fprintf(stderr, "page %d: %s\n", walk->delivered + 1, kustomer_error_message(error, NULL));
        return 1;
    }
    check_page(response, ++walk->delivered, PAGE_ROWS);
    if (walk->delivered == walk->pages / 10) {
        walk->warm_kib = resident_kib();
    }
    return 0;
}

static void one_walk(int pages)
{
    struct walk walk = {pages, 0, 0};
    const int before = descriptors();
    kustomer_client *client = load_client();
    kustomer_get_conversations_options options = load_options();
    options.all_pages = 1;
    options.max_pages = pages;
    CHECK_CODE(kustomer_get_conversations(client, &options, on_page, &walk), KUSTOMER_OK);
    CHECK(walk.delivered == pages);
    printf("grown KiB %ld\n", resident_kib() - walk.warm_kib);
    kustomer_client_free(client);
    printf("leaked descriptors %d\n", descriptors() - before);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "calls") == 0) {
        many_calls(atoi(argv[2]), atoi(argv[3]));
    } else if (argc == 3 && strcmp(argv[1], "walk") == 0) {
        one_walk(atoi(argv[2]));
    } else {
        fprintf(stderr, "usage: load calls THREADS CALLS | load walk PAGES\n");
        return 2;
    }
    return check_report();
}

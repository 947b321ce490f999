/* Pages fetched ahead: the same listing, callbacks on this thread, and no thread left behind. */
#include "check.h"
#include <dirent.h>
#include <sched.h>

static pthread_t caller;

/* The library's threads for pages ahead, by their name. */
static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        if (comm != NULL) {
            count += fgets(name, sizeof name, comm) != NULL && strcmp(name, "kustomer-ahead\n") == 0;
            fclose(comm);
        }
    }
    closedir(tasks);
    return count;
}

/* The system lists a thread for a moment after it was joined, and not under its name at once. */
static int threads_are(int expected)
{
    for (const int64_t end = now_ms() + scaled_ms(5000); threads() != expected;) {
        if (now_ms() > end) {
            return 0;
        }
        sched_yield();
    }
    return 1;
}

static kustomer_get_conversations_options ahead(uint32_t prefetch)
{
    kustomer_get_conversations_options options = all_pages();
    options.page_size = 10;
    options.prefetch = prefetch;
    return options;
}

static int32_t on_this_thread(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    CHECK(pthread_equal(caller, pthread_self()));
    return listing_callback(response, error, user_data);
}

static void log_on_this_thread(int32_t level, const char *message, void *user_data)
{
    (void)level;
    (void)message;
    ++*(int *)user_data;
    CHECK(pthread_equal(caller, pthread_self()));
}

static void a_walk_is_the_same_with_and_without(void)
{
    int lines = 0;
    kustomer_init_options init = test_options();
    init.log = log_on_this_thread;
    init.log_level = KUSTOMER_LOG_DEBUG;
    init.user_data = &lines;
    kustomer_client *client = client_or_die(&init);
    const kustomer_get_conversations_options none = ahead(0);
    const struct listing plain = list(client, &none);
    const uint32_t some[] = {1, 4, 16};
    CHECK(plain.rows == ALL_ROWS && plain.pages == ALL_ROWS / 10);
    for (size_t i = 0; i < COUNT(some); i++) {
        const kustomer_get_conversations_options options = ahead(some[i]);
        const int before = lines;
        struct listing listing = {0, 0, 0, 0};
        CHECK_CODE(kustomer_get_conversations(client, &options, on_this_thread, &listing), KUSTOMER_OK);
        CHECK(same_listing(listing, plain));
        CHECK(threads_are(0));
        CHECK(lines - before == ALL_ROWS / 10);
    }
    kustomer_client_free(client);
}

static void a_pagers_threads_are_gone_when_it_is(void)
{
    kustomer_client *client = test_client();
    const kustomer_get_conversations_options options = ahead(4);
    kustomer_pager *pager = NULL;
    kustomer_response *page = NULL;
    CHECK_CODE(kustomer_pager_new(client, &options, &pager, NULL), KUSTOMER_OK);
    CHECK(threads_are(0)); /* nothing is sent, and nobody started, before the first page is asked for */
    CHECK_CODE(kustomer_pager_next(pager, &page, NULL), KUSTOMER_OK);
    CHECK(threads_are(4));
    kustomer_response_free(page);
    kustomer_pager_free(pager);
    CHECK(threads_are(0));

    CHECK_CODE(kustomer_pager_new(client, &options, &pager, NULL), KUSTOMER_OK); /* and when it is at its end */
    size_t rows = 0;
    do {
        CHECK_CODE(kustomer_pager_next(pager, &page, NULL), KUSTOMER_OK);
        rows += kustomer_response_conversation_count(page);
        kustomer_response_free(page);
    } while (page != NULL);
    CHECK(rows == ALL_ROWS);
    CHECK(threads_are(0));
    kustomer_pager_free(pager);
    kustomer_client_free(client);
}

static int descriptors(void)
{
    int count = 0;
    DIR *open = opendir("/proc/self/fd");
    while (readdir(open) != NULL) {
        count++;
    }
    closedir(open);
    return count;
}

static void pagers_leave_no_descriptors_behind(void)
{
    kustomer_client *client = test_client();
    const kustomer_get_conversations_options options = ahead(4);
    int before = 0;
    for (int i = 0; i < 20; i++) {
        kustomer_pager *pager = NULL;
        kustomer_response *page = NULL;
        CHECK_CODE(kustomer_pager_new(client, &options, &pager, NULL), KUSTOMER_OK);
        CHECK_CODE(kustomer_pager_next(pager, &page, NULL), KUSTOMER_OK);
        kustomer_response_free(page);
        kustomer_pager_free(pager);
        before = i == 0 ? descriptors() : before;
    }
    CHECK(descriptors() <= before + 5); /* a connection for each thread and one for this may be kept */
    kustomer_client_free(client);
}

static void a_pager_whose_client_is_freed_asks_for_nothing_more(void)
{
    kustomer_client *client = test_client();
    const kustomer_get_conversations_options options = ahead(4);
    kustomer_pager *pager = NULL;
    kustomer_response *page = NULL;
    kustomer_error *error = NULL;
    CHECK_CODE(kustomer_pager_new(client, &options, &pager, NULL), KUSTOMER_OK);
    CHECK_CODE(kustomer_pager_next(pager, &page, NULL), KUSTOMER_OK);
    kustomer_response_free(page);
    kustomer_client_free(client);
    CHECK_FAILS(kustomer_pager_next(pager, &page, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, NULL);
    CHECK(page == NULL);
    kustomer_pager_free(pager);
}

static int32_t free_the_client(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    (void)response;
    CHECK(error == NULL);
    kustomer_client_free((kustomer_client *)user_data);
    return 0;
}

static void a_client_may_be_freed_in_the_callback(void)
{
    const kustomer_get_conversations_options options = ahead(4);
    kustomer_client *client = test_client();
    CHECK_CODE(kustomer_get_conversations(client, &options, free_the_client, client), KUSTOMER_ERROR_STOPPED);
    CHECK(threads_are(0));
}

static void it_is_for_walks_only_and_has_a_range(void)
{
    kustomer_client *client = test_client();
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_response *response = NULL;
    kustomer_error *error = NULL;
    options.prefetch = 1;
    CHECK_FAILS(kustomer_get_conversations_page(client, &options, &response, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`prefetch`");
    options.all_pages = 1;
    options.prefetch = 17;
    kustomer_pager *pager = NULL;
    CHECK_FAILS(kustomer_pager_new(client, &options, &pager, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`prefetch`");
    kustomer_client_free(client);
}

int main(void)
{
    caller = pthread_self();
    a_walk_is_the_same_with_and_without();
    a_pagers_threads_are_gone_when_it_is();
    pagers_leave_no_descriptors_behind();
    a_pager_whose_client_is_freed_asks_for_nothing_more();
    a_client_may_be_freed_in_the_callback();
    it_is_for_walks_only_and_has_a_range();
    return check_report();
}

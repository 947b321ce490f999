/* A client may be used from any number of threads at once; two clients know nothing of each other. */
#include "check.h"

enum { THREADS = 8 };

static int rounds(void)
{
    return time_factor() > 1 ? 3 : 20;
}

struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    kustomer_client *client;
    const char *customer_id; /* for a client with a server key */
    struct listing expected;
    int by_pager;
};

static kustomer_get_conversations_options worker_options(const struct worker *worker)
{
    kustomer_get_conversations_options options = all_pages();
    options.customer_id = worker->customer_id;
    return options;
}

static struct listing list_by_pager(kustomer_client *client, const kustomer_get_conversations_options *options)
{
    struct listing listing = {0, 0, 0, 0};
    kustomer_pager *pager = NULL;
    kustomer_response *response = NULL;
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_new(client, options, &pager, &error), &error);
    do {
        error = POISON(kustomer_error);
        CHECK_OK(kustomer_pager_next(pager, &response, &error), &error);
        if (response != NULL) {
            listing_add(&listing, response);
            kustomer_response_free(response);
        }
    } while (response != NULL);
    kustomer_pager_free(pager);
    return listing;
}

static void *work(void *argument)
{
    const struct worker *worker = (const struct worker *)argument;
    const kustomer_get_conversations_options options = worker_options(worker);
    pthread_barrier_wait(worker->start);
    for (int i = 0; i < rounds(); i++) {
        const struct listing seen = worker->by_pager ? list_by_pager(worker->client, &options) : list(worker->client, &options);
        CHECK(same_listing(seen, worker->expected));
    }
    return NULL;
}

static void run(struct worker *workers)
{
    pthread_barrier_t start;
    REQUIRE(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i].start = &start;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&start);
}

static struct worker worker_for(kustomer_client *client, const char *customer_id)
{
    struct worker worker;
    memset(&worker, 0, sizeof worker);
    worker.client = client;
    worker.customer_id = customer_id;
    const kustomer_get_conversations_options options = worker_options(&worker);
    worker.expected = list(client, &options);
    CHECK(worker.expected.rows > 0);
    return worker;
}

static void threads_on_one_client_all_see_the_same_rows(void)
{
    struct worker workers[THREADS];
    kustomer_client *client = test_client();
    const struct worker visitor = worker_for(client, NULL);
    CHECK(visitor.expected.rows == ALL_ROWS);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = visitor;
    }
    run(workers);
    kustomer_client_free(client);
}

static void each_thread_may_have_its_own_pager(void)
{
    struct worker workers[THREADS];
    kustomer_client *client = test_client();
    const struct worker visitor = worker_for(client, NULL);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = visitor;
        workers[i].by_pager = i % 2 == 0; /* beside walks with callbacks */
    }
    run(workers);
    kustomer_client_free(client);
}

static void two_clients_do_not_disturb_each_other(void)
{
    struct worker workers[THREADS];
    const kustomer_init_options options = server_key_options();
    kustomer_client *chat = test_client(), *server = client_or_die(&options);
    const struct worker visitor = worker_for(chat, NULL);
    const struct worker customer = worker_for(server, test_env("KUSTOMER_SANDBOX_CUSTOMER_ID"));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = i % 2 == 0 ? visitor : customer;
        workers[i].by_pager = i % 4 < 2;
    }
    run(workers);
    kustomer_client_free(chat);
    kustomer_client_free(server);
}

static void count_visitor(const kustomer_visitor *visitor, void *user_data)
{
    CHECK(kustomer_visitor_tracking_token(visitor, NULL) != NULL);
    __atomic_fetch_add((int *)user_data, 1, __ATOMIC_RELAXED);
}

/* Two fetches would be two visitors. */
static void threads_that_call_a_lazy_client_first_become_one_visitor(void)
{
    struct worker workers[THREADS];
    kustomer_init_options options = test_options();
    int visitors = 0;
    options.tracking_token = NULL;
    options.lazy_init = 1;
    options.on_visitor = count_visitor;
    options.user_data = &visitors;
    kustomer_client *client = client_or_die(&options);
    struct worker nobody;
    memset(&nobody, 0, sizeof nobody);
    nobody.client = client;
    nobody.expected.pages = 1; /* an empty one */
    for (int i = 0; i < THREADS; i++) {
        workers[i] = nobody;
    }
    run(workers);
    CHECK(visitors == 1);
    kustomer_client_free(client);
}

int main(void)
{
    threads_on_one_client_all_see_the_same_rows();
    each_thread_may_have_its_own_pager();
    two_clients_do_not_disturb_each_other();
    threads_that_call_a_lazy_client_first_become_one_visitor();
    return check_report();
}

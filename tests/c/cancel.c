/* A token ends calls from another thread, at once and for ever; a timeout ends them too. The local server gives what is
 * needed for that: silence. */
#include "check.h"

enum { CALLS = 4 };

/* Generous: the figures are read off elsewhere, here nobody may hang. */
static int64_t soon_ms(void)
{
    return scaled_ms(2000);
}

static void a_blocked_call_is_cancelled_from_another_thread(void)
{
    struct local_server server;
    struct local_call call;
    server_start(&server, SERVER_SILENT);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new();
    local_call_start(&call, client, token);
    server_wait_requests(&server, 1);
    const int64_t start = now_ms();
    kustomer_cancel_trigger(token);
    CHECK_CODE(local_call_join(&call), KUSTOMER_ERROR_CANCELLED);
    CHECK(now_ms() - start <= soon_ms());

    const int connections = server_connections(&server);
    for (int i = 0; i < 3; i++) { /* for ever, and nothing is sent */
        CHECK_CODE(local_get(client, token), KUSTOMER_ERROR_CANCELLED);
    }
    CHECK(server_connections(&server) == connections && server_requests(&server) == 1);

    kustomer_cancel *other = kustomer_cancel_new(); /* the client is as good as before */
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_get(client, other), KUSTOMER_OK);
    CHECK_CODE(local_get(client, NULL), KUSTOMER_OK);
    kustomer_cancel_free(other);
    kustomer_cancel_free(token);
    kustomer_client_free(client);
    server_stop(&server);
}

static void a_token_ends_all_of_its_calls_and_no_other(void)
{
    struct local_server server;
    struct local_call calls[CALLS], other_call, free_call;
    server_start(&server, SERVER_SILENT);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new(), *other = kustomer_cancel_new();
    local_call_start(&other_call, client, other);
    local_call_start(&free_call, client, NULL);
    for (int i = 0; i < CALLS; i++) {
        local_call_start(&calls[i], client, token);
    }
    server_wait_requests(&server, CALLS + 2);
    kustomer_cancel_trigger(token);
    for (int i = 0; i < CALLS; i++) {
        CHECK_CODE(local_call_join(&calls[i]), KUSTOMER_ERROR_CANCELLED);
    }
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_call_join(&other_call), KUSTOMER_OK);
    CHECK_CODE(local_call_join(&free_call), KUSTOMER_OK);
    kustomer_cancel_free(token);
    kustomer_cancel_free(other);
    kustomer_client_free(client);
    server_stop(&server);
}

static void a_kept_alive_connection_survives_the_cancel_of_another_call(void)
{
    struct local_server server;
    struct local_call call;
    server_start(&server, SERVER_ANSWERS);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new();
    struct local_call both[2];
    server_set_mode(&server, SERVER_SILENT); /* two at once: two connections */
    local_call_start(&both[0], client, NULL);
    local_call_start(&both[1], client, NULL);
    server_wait_requests(&server, 2);
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_call_join(&both[0]), KUSTOMER_OK);
    CHECK_CODE(local_call_join(&both[1]), KUSTOMER_OK);
    const int connections = server_connections(&server);
    CHECK(connections == 2);
    server_set_mode(&server, SERVER_SILENT);
    local_call_start(&call, client, token);
    server_wait_requests(&server, 3);
    kustomer_cancel_trigger(token);
    CHECK_CODE(local_call_join(&call), KUSTOMER_ERROR_CANCELLED);
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_get(client, NULL), KUSTOMER_OK);
    CHECK(server_connections(&server) == connections);
    kustomer_cancel_free(token);
    kustomer_client_free(client);
    server_stop(&server);
}

static kustomer_init_options chat_options(const struct local_server *server, kustomer_cancel *token)
{
    kustomer_init_options options = bare_options(server->url);
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.cancel = token;
    return options;
}

static void a_triggered_token_ends_init_before_it_sends(void)
{
    struct local_server server;
    server_start(&server, SERVER_SILENT);
    kustomer_cancel *token = kustomer_cancel_new();
    kustomer_init_options options = chat_options(&server, token);
    kustomer_cancel_trigger(token);
    for (options.lazy_init = 0; options.lazy_init <= 1; options.lazy_init++) {
        kustomer_client *client = POISON(kustomer_client);
        kustomer_error *error = POISON(kustomer_error);
        CHECK_FAILS(kustomer_init(&options, &client, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
        CHECK(client == NULL);
    }
    CHECK(server_connections(&server) == 0);
    options.lazy_init = 0;
    options.log_level = 5; /* arguments come before the token */
    kustomer_client *client = POISON(kustomer_client);
    CHECK_CODE(kustomer_init(&options, &client, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(client == NULL);
    kustomer_cancel_free(token);
    server_stop(&server);
}

static void *init_run(void *argument)
{
    kustomer_client *client = POISON(kustomer_client);
    kustomer_error *error = POISON(kustomer_error);
    CHECK_FAILS(kustomer_init((const kustomer_init_options *)argument, &client, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    CHECK(client == NULL);
    return NULL;
}

static void a_blocked_init_is_cancelled_from_another_thread(void)
{
    struct local_server server;
    pthread_t thread;
    server_start(&server, SERVER_SILENT);
    kustomer_cancel *token = kustomer_cancel_new();
    kustomer_init_options options = chat_options(&server, token);
    REQUIRE(pthread_create(&thread, NULL, init_run, &options) == 0);
    server_wait_requests(&server, 1);
    const int64_t start = now_ms();
    kustomer_cancel_trigger(token);
    pthread_join(thread, NULL);
    CHECK(now_ms() - start <= soon_ms());
    kustomer_cancel_free(token);
    server_stop(&server);
}

static void *trigger_often(void *token)
{
    for (int i = 0; i < 1000; i++) {
        kustomer_cancel_trigger((kustomer_cancel *)token);
    }
    kustomer_cancel_free((kustomer_cancel *)token); /* each thread has a clone of its own */
    return NULL;
}

static void a_token_is_triggered_by_many_threads_many_times(void)
{
    struct local_server server;
    struct local_call call;
    pthread_t threads[8];
    server_start(&server, SERVER_SILENT);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new();
    local_call_start(&call, client, token);
    server_wait_requests(&server, 1);
    for (size_t i = 0; i < COUNT(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, trigger_often, kustomer_cancel_clone(token)) == 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_CODE(local_call_join(&call), KUSTOMER_ERROR_CANCELLED);
    CHECK_CODE(local_get(client, token), KUSTOMER_ERROR_CANCELLED);
    kustomer_cancel_free(token);
    kustomer_client_free(client);
    server_stop(&server);
}

struct walk {
    kustomer_cancel *token;
    int cancel_at; /* the page in whose callback the token is triggered */
    int pages;
    int errors;
    kustomer_code code;
};

static int32_t walk_callback(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct walk *walk = (struct walk *)user_data;
    if (error != NULL) {
        walk->errors++;
        walk->code = kustomer_error_code(error);
    } else if (kustomer_response_pages(response)->current == walk->cancel_at) {
        kustomer_cancel_trigger(walk->token);
    }
    walk->pages += response != NULL;
    return 0;
}

static void the_token_is_looked_at_between_pages_but_not_after_the_last(void)
{
    kustomer_client *client = test_client();
    for (int page = 1; page <= ALL_PAGES; page++) {
        struct walk walk = {kustomer_cancel_new(), page, 0, 0, KUSTOMER_OK};
        kustomer_get_conversations_options options = all_pages();
        const kustomer_code expected = page < ALL_PAGES ? KUSTOMER_ERROR_CANCELLED : KUSTOMER_OK;
        options.cancel = walk.token;
        CHECK_CODE(kustomer_get_conversations(client, &options, walk_callback, &walk), expected);
        CHECK(walk.pages == page);
        CHECK(walk.errors == (page < ALL_PAGES));
        CHECK_CODE(walk.code, expected);
        kustomer_cancel_free(walk.token);
    }
    kustomer_client_free(client);
}

static void a_pager_at_its_end_still_looks_at_its_token(void)
{
    kustomer_client *client = test_client();
    kustomer_cancel *token = kustomer_cancel_new();
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_pager *pager = NULL;
    kustomer_response *response = NULL;
    kustomer_error *error = POISON(kustomer_error);
    int pages = 0;
    options.cancel = token;
    CHECK_OK(kustomer_pager_new(client, &options, &pager, &error), &error);
    for (int i = 0; i < ALL_PAGES + 2; i++) {
        CHECK_OK(kustomer_pager_next(pager, &response, &error), &error);
        pages += response != NULL;
        kustomer_response_free(response);
    }
    CHECK(pages == ALL_PAGES);
    kustomer_cancel_trigger(token);
    response = POISON(kustomer_response);
    CHECK_FAILS(kustomer_pager_next(pager, &response, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    CHECK(response == NULL);
    kustomer_pager_free(pager);
    kustomer_cancel_free(token);
    kustomer_client_free(client);
}

/* One call against silence; whether it ended in TIMEOUT, and in time. */
static int times_out(kustomer_client *client, uint32_t call_timeout_ms, uint32_t expected_ms)
{
    kustomer_get_conversations_options options = local_options(NULL);
    kustomer_response *response = POISON(kustomer_response);
    kustomer_error *error = NULL;
    options.timeout_ms = call_timeout_ms;
    const int64_t start = now_ms();
    CHECK_CODE(kustomer_get_conversations_page(client, &options, &response, &error), KUSTOMER_ERROR_TIMEOUT);
    const int64_t elapsed = now_ms() - start;
    CHECK(response == NULL);
    CHECK(kustomer_error_retryable(error) == 1 && kustomer_error_http_status(error) == 0);
    CHECK_TEXT(kustomer_error_message, error);
    kustomer_error_free(error);
    CHECK(elapsed >= (int64_t)expected_ms - 1);
    return elapsed <= (int64_t)expected_ms + scaled_ms(300);
}

static void a_silent_server_times_out(void)
{
    struct local_server server;
    server_start(&server, SERVER_SILENT);
    kustomer_init_options options = bare_options(server.url);
    options.auth = KUSTOMER_AUTH_API_KEY;
    options.api_key = "local-server-key";
    options.timeout_ms = scaled_ms(300);
    kustomer_client *client = client_or_die(&options);
    const uint32_t of_the_call = scaled_ms(150);
    CHECK(times_out(client, 0, options.timeout_ms) || times_out(client, 0, options.timeout_ms)); /* a second chance on a busy machine */
    CHECK(times_out(client, of_the_call, of_the_call) || times_out(client, of_the_call, of_the_call));
    server_set_mode(&server, SERVER_ANSWERS);
    kustomer_get_conversations_options patient = local_options(NULL);
    patient.timeout_ms = scaled_ms(30000);
    kustomer_response_free(page_or_die(client, &patient));
    kustomer_client_free(client);
    server_stop(&server);
}

static void a_silent_server_times_out_init(void)
{
    struct local_server server;
    kustomer_client *client = POISON(kustomer_client);
    kustomer_error *error = POISON(kustomer_error);
    server_start(&server, SERVER_SILENT);
    kustomer_init_options options = chat_options(&server, NULL);
    options.timeout_ms = scaled_ms(150);
    CHECK_FAILS(kustomer_init(&options, &client, &error), &error, KUSTOMER_ERROR_TIMEOUT, NULL);
    CHECK(client == NULL);
    server_stop(&server);
}

int main(void)
{
    a_blocked_call_is_cancelled_from_another_thread();
    a_token_ends_all_of_its_calls_and_no_other();
    a_kept_alive_connection_survives_the_cancel_of_another_call();
    a_triggered_token_ends_init_before_it_sends();
    a_blocked_init_is_cancelled_from_another_thread();
    a_token_is_triggered_by_many_threads_many_times();
    the_token_is_looked_at_between_pages_but_not_after_the_last();
    a_pager_at_its_end_still_looks_at_its_token();
    a_silent_server_times_out();
    a_silent_server_times_out_init();
    return check_report();
}

/* Who owns what, for how long, and in which order things may be freed. */
#include "check.h"

static void count_free(void *user_data)
{
    ++*(int *)user_data;
}

static kustomer_init_options counted_options(int *freed)
{
    kustomer_init_options options = test_options();
    options.user_data = freed;
    options.user_data_free = count_free;
    return options;
}

static int32_t keep_a_clone(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    CHECK(error == NULL);
    *(kustomer_response **)user_data = kustomer_response_clone(response);
    return 0;
}

static void a_clone_outlives_its_callback_and_its_client(void)
{
    kustomer_client *client = test_client();
    kustomer_response *kept = NULL;
    struct listing before = {0, 0, 0, 0}, after = {0, 0, 0, 0};
    CHECK_CODE(kustomer_get_conversations(client, NULL, keep_a_clone, &kept), KUSTOMER_OK);
    listing_add(&before, kept);
    kustomer_client_free(client);
    listing_add(&after, kept);
    CHECK(before.rows == PAGE_ROWS && same_listing(before, after));
    CHECK(kustomer_response_pages(kept)->current == 1 && kustomer_response_total(kept) == ALL_ROWS);
    kustomer_response_free(kept);
}

static void a_conversation_lives_as_long_as_any_clone_of_its_response(void)
{
    kustomer_client *client = test_client();
    kustomer_response *response = page_or_die(client, NULL);
    kustomer_response *clone = kustomer_response_clone(response);
    kustomer_response *clone_of_clone = kustomer_response_clone(clone);
    const kustomer_conversation *last = kustomer_response_conversation(response, PAGE_ROWS - 1);
    const kustomer_pages *pages = kustomer_response_pages(response);
    const uint64_t digest = conversation_digest(last);
    kustomer_response_free(response);
    CHECK(conversation_digest(last) == digest);
    kustomer_client_free(client);
    kustomer_response_free(clone);
    CHECK(conversation_digest(last) == digest && pages->current == 1);
    kustomer_response_free(clone_of_clone);
}

static void a_clone_of_an_error_is_the_same_error(void)
{
    const kustomer_init_options options = server_key_options();
    kustomer_init_options wrong = options;
    wrong.api_key = "no-such-key";
    kustomer_client *client = client_or_die(&wrong);
    kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_response *response = NULL;
    kustomer_error *error = NULL;
    get.customer_id = test_env("KUSTOMER_SANDBOX_CUSTOMER_ID");
    CHECK_CODE(kustomer_get_conversations_page(client, &get, &response, &error), KUSTOMER_ERROR_UNAUTHORIZED);
    kustomer_error *clone = kustomer_error_clone(error);
    const int32_t status = kustomer_error_http_status(error);
    const size_t details = kustomer_error_detail_count(error);
    char *message = strdup(kustomer_error_message(error, NULL));
    kustomer_error_free(error);
    kustomer_client_free(client);
    CHECK_CODE(kustomer_error_code(clone), KUSTOMER_ERROR_UNAUTHORIZED);
    CHECK(kustomer_error_http_status(clone) == status && kustomer_error_detail_count(clone) == details);
    CHECK(same_text(kustomer_error_message(clone, NULL), message));
    free(message);
    kustomer_error_free(clone);
}

static int32_t keep_the_error(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    CHECK(response == NULL);
    *(kustomer_error **)user_data = kustomer_error_clone(error);
    return 0;
}

static void a_cloned_error_outlives_its_callback(void)
{
    kustomer_error *kept = NULL;
    CHECK_CODE(kustomer_get_conversations(NULL, NULL, keep_the_error, &kept), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK_CODE(kustomer_error_code(kept), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK_TEXT(kustomer_error_message, kept);
    kustomer_error_free(kept);
}

struct suicide {
    kustomer_client *client;
    int calls;
    size_t rows;
};

static int32_t free_the_client(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct suicide *suicide = (struct suicide *)user_data;
    struct listing listing = {0, 0, 0, 0};
    CHECK(error == NULL);
    suicide->calls++;
    kustomer_client_free(suicide->client);
    listing_add(&listing, response); /* the response has a life of its own */
    suicide->rows += listing.rows;
    return 0;
}

static void a_client_may_be_freed_in_its_own_callback(void)
{
    for (uint32_t walk = 0; walk <= 1; walk++) {
        int freed = 0;
        const kustomer_init_options options = counted_options(&freed);
        kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
        struct suicide suicide = {client_or_die(&options), 0, 0};
        get.all_pages = walk;
        CHECK_CODE(kustomer_get_conversations(suicide.client, &get, free_the_client, &suicide), KUSTOMER_ERROR_STOPPED);
        CHECK(freed == 1);
        CHECK(suicide.calls == 1 && suicide.rows == PAGE_ROWS);
    }
}

static int32_t free_the_client_on_error(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct suicide *suicide = (struct suicide *)user_data;
    CHECK(response == NULL);
    suicide->calls++;
    kustomer_client_free(suicide->client);
    CHECK_CODE(kustomer_error_code(error), KUSTOMER_ERROR_INVALID_ARGUMENT);
    return 0;
}

static void a_client_may_be_freed_while_it_reports_an_error(void)
{
    int freed = 0;
    const kustomer_init_options options = counted_options(&freed);
    kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    struct suicide suicide = {client_or_die(&options), 0, 0};
    get.page = -1;
    CHECK_CODE(kustomer_get_conversations(suicide.client, &get, free_the_client_on_error, &suicide), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(freed == 1 && suicide.calls == 1);
}

static void user_data_is_freed_once_and_before_free_returns(void)
{
    int freed = 0;
    kustomer_init_options options = counted_options(&freed);
    kustomer_client *client = client_or_die(&options);
    list_all(client);
    CHECK(freed == 0);
    kustomer_client_free(client);
    CHECK(freed == 1);
    options.lazy_init = 1;
    client = client_or_die(&options);
    kustomer_client_free(client); /* one that never made a call */
    CHECK(freed == 2);
    options.user_data_free = NULL;
    kustomer_client_free(client_or_die(&options));
    CHECK(freed == 2);
}

static void hook_that_must_not_run(const kustomer_visitor *visitor, void *user_data)
{
    (void)visitor;
    (void)user_data;
    CHECK(!"a hook ran for a client that never was");
}

static void after_a_failed_init_user_data_is_still_the_callers(void)
{
    struct local_server server;
    int freed = 0;
    kustomer_init_options options = counted_options(&freed);
    kustomer_client *client = POISON(kustomer_client);
    kustomer_error *error = POISON(kustomer_error);
    options.on_visitor = hook_that_must_not_run;
    options.reserved = 1; /* refused before anything is sent */
    CHECK_FAILS(kustomer_init(&options, &client, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, NULL);
    CHECK(client == NULL && freed == 0);
    server_start(&server, SERVER_RESETS);
    options.reserved = 0;
    options.base_url = server.url; /* fails on the way */
    client = POISON(kustomer_client);
    CHECK_FAILS(kustomer_init(&options, &client, &error), &error, KUSTOMER_ERROR_NETWORK, NULL);
    CHECK(client == NULL && freed == 0);
    CHECK(server_connections(&server) > 0);
    server_stop(&server);
}

static kustomer_pager *pager_of(kustomer_client *client)
{
    kustomer_pager *pager = NULL;
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_new(client, NULL, &pager, &error), &error);
    return pager;
}

static size_t next_rows(kustomer_pager *pager)
{
    kustomer_response *response = POISON(kustomer_response);
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_next(pager, &response, &error), &error);
    const size_t rows = kustomer_response_conversation_count(response);
    kustomer_response_free(response);
    return rows;
}

static void check_client_is_gone(kustomer_pager *pager)
{
    for (int i = 0; i < 2; i++) {
        kustomer_response *response = POISON(kustomer_response);
        kustomer_error *error = POISON(kustomer_error);
        CHECK_FAILS(kustomer_pager_next(pager, &response, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, NULL);
        CHECK(response == NULL);
        CHECK_CODE(kustomer_pager_next(pager, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED); /* looked at before the out-pointers */
    }
}

static void a_pager_and_its_client_are_freed_in_either_order(void)
{
    kustomer_client *client = test_client();
    kustomer_pager *begun = pager_of(client), *fresh = pager_of(client), *done = pager_of(client);
    CHECK(next_rows(begun) == PAGE_ROWS);
    while (next_rows(done) > 0) {
    }
    kustomer_pager_free(pager_of(client)); /* the pager first */
    kustomer_client_free(client);          /* the client first */
    check_client_is_gone(begun);
    check_client_is_gone(fresh);
    check_client_is_gone(done);
    kustomer_pager_free(begun);
    kustomer_pager_free(fresh);
    kustomer_pager_free(done);
}

static void settings_and_visitor_outlive_their_client(void)
{
    kustomer_client *client = test_client();
    kustomer_settings *settings = kustomer_client_settings(client);
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    REQUIRE(settings != NULL && visitor != NULL);
    kustomer_client_free(client);
    CHECK_TEXT(kustomer_settings_json, settings);
    CHECK_TEXT(kustomer_settings_team_name, settings);
    CHECK_TEXT(kustomer_settings_greeting, settings);
    CHECK_TEXT(kustomer_visitor_tracking_token, visitor);
    CHECK_TEXT(kustomer_visitor_tracking_id, visitor);
    kustomer_settings_free(settings);
    kustomer_visitor_free(visitor);
}

struct handles {
    kustomer_client *client;
    kustomer_pager *pager;
    kustomer_response *response;
    kustomer_error *error;
    kustomer_settings *settings;
    kustomer_visitor *visitor;
    kustomer_cancel *cancel;
};

static void *free_everything(void *argument)
{
    struct handles *h = (struct handles *)argument;
    struct listing listing = {0, 0, 0, 0};
    listing_add(&listing, h->response);
    CHECK(listing.rows == PAGE_ROWS);
    kustomer_client_free(h->client);
    kustomer_pager_free(h->pager);
    kustomer_response_free(h->response);
    kustomer_error_free(h->error);
    kustomer_settings_free(h->settings);
    kustomer_visitor_free(h->visitor);
    kustomer_cancel_free(h->cancel);
    return NULL;
}

static void everything_may_be_freed_on_another_thread(void)
{
    int freed = 0;
    const kustomer_init_options options = counted_options(&freed);
    struct handles h;
    pthread_t thread;
    h.client = client_or_die(&options);
    h.pager = pager_of(h.client);
    next_rows(h.pager);
    h.response = page_or_die(h.client, NULL);
    kustomer_get_conversations_page(NULL, NULL, NULL, &h.error);
    h.settings = kustomer_client_settings(h.client);
    h.visitor = kustomer_client_visitor(h.client);
    h.cancel = kustomer_cancel_new();
    REQUIRE(pthread_create(&thread, NULL, free_everything, &h) == 0);
    pthread_join(thread, NULL);
    CHECK(freed == 1);
}

static void a_cancel_token_may_be_freed_while_a_call_uses_it(void)
{
    struct local_server server;
    struct local_call call;
    server_start(&server, SERVER_SILENT);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new();
    kustomer_cancel *clone = kustomer_cancel_clone(token);
    local_call_start(&call, client, token);
    server_wait_requests(&server, 1);
    kustomer_cancel_free(token);
    kustomer_cancel_trigger(clone);
    CHECK_CODE(local_call_join(&call), KUSTOMER_ERROR_CANCELLED);
    kustomer_cancel_free(clone);

    token = kustomer_cancel_new(); /* the last reference but the call's own */
    local_call_start(&call, client, token);
    server_wait_requests(&server, 2);
    kustomer_cancel_free(token);
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_call_join(&call), KUSTOMER_OK);
    kustomer_client_free(client);
    server_stop(&server);
}

static void a_pager_keeps_its_own_reference_to_its_token(void)
{
    struct local_server server;
    server_start(&server, SERVER_ANSWERS);
    kustomer_client *client = local_client(&server);
    kustomer_cancel *token = kustomer_cancel_new();
    kustomer_cancel *clone = kustomer_cancel_clone(token);
    const kustomer_get_conversations_options options = local_options(token);
    kustomer_pager *pager = NULL;
    kustomer_response *response = POISON(kustomer_response);
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_new(client, &options, &pager, &error), &error);
    kustomer_cancel_free(token);
    CHECK(next_rows(pager) == 1);
    kustomer_cancel_trigger(clone);
    CHECK_FAILS(kustomer_pager_next(pager, &response, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    CHECK(response == NULL);
    kustomer_cancel_free(clone);
    kustomer_pager_free(pager);
    kustomer_client_free(client);
    server_stop(&server);
}

int main(void)
{
    a_clone_outlives_its_callback_and_its_client();
    a_conversation_lives_as_long_as_any_clone_of_its_response();
    a_clone_of_an_error_is_the_same_error();
    a_cloned_error_outlives_its_callback();
    a_client_may_be_freed_in_its_own_callback();
    a_client_may_be_freed_while_it_reports_an_error();
    user_data_is_freed_once_and_before_free_returns();
    after_a_failed_init_user_data_is_still_the_callers();
    a_pager_and_its_client_are_freed_in_either_order();
    settings_and_visitor_outlive_their_client();
    everything_may_be_freed_on_another_thread();
    a_cancel_token_may_be_freed_while_a_call_uses_it();
    a_pager_keeps_its_own_reference_to_its_token();
    return check_report();
}

/* Every function with every pointer argument NULL: an answer that says "absent", or a code, and never a crash. */
#include "check.h"
#include "contract.h"

static struct local_server listener;

static kustomer_init_options lazy_options(void)
{
    kustomer_init_options options = bare_options(listener.url);
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.lazy_init = 1;
    return options;
}

static void freeing_nothing_does_nothing(void)
{
    kustomer_client_free(NULL);
    kustomer_pager_free(NULL);
    kustomer_response_free(NULL);
    kustomer_error_free(NULL);
    kustomer_settings_free(NULL);
    kustomer_visitor_free(NULL);
    kustomer_cancel_free(NULL);
    kustomer_cancel_trigger(NULL);
    CHECK(kustomer_response_clone(NULL) == NULL);
    CHECK(kustomer_error_clone(NULL) == NULL);
    CHECK(kustomer_cancel_clone(NULL) == NULL);
}

#define ABSENT(get) CHECK_ABSENT_((len = SIZE_MAX, get(NULL, &len)), get(NULL, NULL))
#define ABSENT_DETAIL(get, e, i) CHECK_ABSENT_((len = SIZE_MAX, get(e, i, &len)), get(e, i, NULL))
#define CHECK_ABSENT_(with_len, without_len)     \
    do {                                         \
        size_t len;                              \
        CHECK((with_len) == NULL && len == 0);   \
        CHECK((without_len) == NULL);            \
    } while (0)
#define EMPTY(get)                                             \
    do {                                                       \
        size_t len = SIZE_MAX;                                 \
        CHECK(same_text(get(NULL, &len), "") && len == 0);     \
        CHECK(same_text(get(NULL, NULL), ""));                 \
    } while (0)

static void no_object_has_no_text(void)
{
    ABSENT(kustomer_conversation_id);
    ABSENT(kustomer_conversation_created_at);
    ABSENT(kustomer_conversation_last_message_at);
    ABSENT(kustomer_conversation_ended_at);
    ABSENT(kustomer_conversation_end_reason);
    ABSENT(kustomer_conversation_name);
    ABSENT(kustomer_conversation_brand_id);
    ABSENT(kustomer_conversation_json);
    ABSENT(kustomer_settings_json);
    ABSENT(kustomer_settings_team_name);
    ABSENT(kustomer_settings_greeting);
    ABSENT(kustomer_visitor_tracking_token);
    ABSENT(kustomer_visitor_tracking_id);
    EMPTY(kustomer_conversation_preview);
    EMPTY(kustomer_error_message);
    const size_t indices[] = {0, 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT(indices); i++) {
        ABSENT_DETAIL(kustomer_error_detail_code, NULL, indices[i]);
        ABSENT_DETAIL(kustomer_error_detail_title, NULL, indices[i]);
        ABSENT_DETAIL(kustomer_error_detail_message, NULL, indices[i]);
        ABSENT_DETAIL(kustomer_error_detail_source, NULL, indices[i]);
        CHECK(kustomer_response_conversation(NULL, indices[i]) == NULL);
    }
}

static void no_object_has_no_numbers(void)
{
    CHECK(kustomer_response_conversation_count(NULL) == 0);
    CHECK(kustomer_response_total(NULL) == -1);
    CHECK(kustomer_response_skipped_count(NULL) == 0);
    const kustomer_pages *pages = kustomer_response_pages(NULL);
    REQUIRE(pages != NULL);
    CHECK(pages->current == KUSTOMER_NO_PAGE && pages->first == KUSTOMER_NO_PAGE);
    CHECK(pages->next == KUSTOMER_NO_PAGE && pages->previous == KUSTOMER_NO_PAGE);
    CHECK(kustomer_conversation_created_at_ms(NULL) == KUSTOMER_NO_TIME);
    CHECK(kustomer_conversation_last_message_at_ms(NULL) == KUSTOMER_NO_TIME);
    CHECK(kustomer_conversation_is_in_assistant_mode(NULL) == KUSTOMER_UNKNOWN);
    CHECK(kustomer_conversation_ended(NULL) == KUSTOMER_UNKNOWN);
    CHECK(kustomer_conversation_unread_count(NULL) == -1);
    CHECK_CODE(kustomer_error_code(NULL), KUSTOMER_OK);
    CHECK(kustomer_error_http_status(NULL) == 0);
    CHECK(kustomer_error_retry_after_ms(NULL) == -1);
    CHECK(kustomer_error_retryable(NULL) == 0);
    CHECK(kustomer_error_detail_count(NULL) == 0);
    CHECK(kustomer_settings_enabled(NULL) == KUSTOMER_UNKNOWN);
    CHECK(kustomer_settings_no_history(NULL) == KUSTOMER_UNKNOWN);
    CHECK(kustomer_visitor_verified(NULL) == KUSTOMER_UNKNOWN);
    CHECK(kustomer_client_settings(NULL) == NULL);
    CHECK(kustomer_client_visitor(NULL) == NULL);
}

static void every_code_has_a_name(void)
{
    static const struct {
        kustomer_code code;
        const char *name;
    } codes[] = {
#define NAMED(name, number) {name, #name},
        CONTRACT_CODES(NAMED)
    };
    static const kustomer_code unknown[] = {-1, 16, 255, 256, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT(codes); i++) {
        CHECK(same_text(kustomer_code_name(codes[i].code), codes[i].name));
    }
    for (size_t i = 0; i < COUNT(unknown); i++) {
        const char *name = kustomer_code_name(unknown[i]);
        CHECK(name != NULL && *name != '\0');
        for (size_t j = 0; j < COUNT(codes); j++) {
            CHECK(!same_text(name, codes[j].name));
        }
    }
}

static void init_without_somewhere_to_put_the_client_is_refused(void)
{
    const kustomer_init_options options = lazy_options();
    kustomer_error *error = POISON(kustomer_error);
    kustomer_client *client = POISON(kustomer_client);
    CHECK_FAILS(kustomer_init(&options, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_client");
    CHECK_FAILS(kustomer_init(NULL, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_client");
    CHECK_CODE(kustomer_init(&options, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK_CODE(kustomer_init(NULL, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK_FAILS(kustomer_init(NULL, &client, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "api_key");
    CHECK(client == NULL);
    client = POISON(kustomer_client);
    CHECK_CODE(kustomer_init(NULL, &client, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(client == NULL);
}

static void the_error_need_not_be_asked_for(void)
{
    const kustomer_init_options options = lazy_options();
    kustomer_client *client = NULL;
    CHECK_CODE(kustomer_init(&options, &client, NULL), KUSTOMER_OK);
    CHECK(client != NULL);
    kustomer_client_free(client);
}

struct refusal {
    int calls;
    kustomer_code code;
    int says_init;
};

static int32_t note_refusal(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct refusal *refusal = (struct refusal *)user_data;
    CHECK(response == NULL);
    refusal->calls++;
    refusal->code = kustomer_error_code(error);
    refusal->says_init = strstr(kustomer_error_message(error, NULL), "kustomer_init") != NULL;
    return 0;
}

static void without_a_client_every_call_says_to_call_init_first(void)
{
    kustomer_get_conversations_options bad = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    kustomer_response *response = POISON(kustomer_response);
    kustomer_pager *pager = POISON(kustomer_pager);
    struct refusal refusal = {0, KUSTOMER_OK, 0};
    const char *const first = "kustomer_init";
    bad.page = -1; /* the client is looked at first */

    CHECK_CODE(kustomer_get_conversations(NULL, &bad, note_refusal, &refusal), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK(refusal.calls == 1 && refusal.code == KUSTOMER_ERROR_NOT_INITIALIZED && refusal.says_init);
    CHECK_CODE(kustomer_get_conversations(NULL, NULL, note_refusal, &refusal), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK(refusal.calls == 2);
    CHECK_CODE(kustomer_get_conversations(NULL, NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);

    CHECK_FAILS(kustomer_get_conversations_page(NULL, &bad, &response, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK(response == NULL);
    CHECK_FAILS(kustomer_get_conversations_page(NULL, NULL, NULL, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK_CODE(kustomer_get_conversations_page(NULL, NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);

    CHECK_FAILS(kustomer_pager_new(NULL, &bad, &pager, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK(pager == NULL);
    CHECK_FAILS(kustomer_pager_new(NULL, NULL, NULL, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK_CODE(kustomer_pager_new(NULL, NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);

    CHECK_FAILS(kustomer_login(NULL, "jwt", NULL, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK_FAILS(kustomer_login(NULL, NULL, NULL, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK_CODE(kustomer_login(NULL, NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK_FAILS(kustomer_logout(NULL, NULL, &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, first);
    CHECK_CODE(kustomer_logout(NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);
}

static void null_elsewhere_is_an_invalid_argument(void)
{
    const kustomer_init_options options = lazy_options();
    kustomer_client *client = client_or_die(&options);
    kustomer_get_conversations_options bad = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    kustomer_response *response = POISON(kustomer_response);
    kustomer_pager *pager = POISON(kustomer_pager);
    bad.page = -1; /* out-pointers are looked at before options */

    CHECK_FAILS(kustomer_get_conversations_page(client, NULL, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_response");
    CHECK_FAILS(kustomer_get_conversations_page(client, &bad, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_response");
    CHECK_CODE(kustomer_get_conversations_page(client, NULL, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK_CODE(kustomer_get_conversations_page(client, &bad, &response, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(response == NULL);
    CHECK_CODE(kustomer_get_conversations(client, &bad, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);

    CHECK_FAILS(kustomer_pager_new(client, NULL, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_pager");
    CHECK_FAILS(kustomer_pager_new(client, &bad, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_pager");
    CHECK_CODE(kustomer_pager_new(client, NULL, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK_CODE(kustomer_pager_new(client, &bad, &pager, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(pager == NULL);

    response = POISON(kustomer_response);
    CHECK_FAILS(kustomer_pager_next(NULL, &response, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, NULL);
    CHECK(response == NULL);
    CHECK_FAILS(kustomer_pager_next(NULL, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, NULL);
    CHECK_CODE(kustomer_pager_next(NULL, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);

    CHECK_CODE(kustomer_pager_new(client, NULL, &pager, NULL), KUSTOMER_OK);
    CHECK_FAILS(kustomer_pager_next(pager, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "out_response");
    CHECK_CODE(kustomer_pager_next(pager, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    kustomer_pager_free(pager);

    CHECK_FAILS(kustomer_login(client, NULL, NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "jwt");
    CHECK_CODE(kustomer_login(client, NULL, NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    kustomer_client_free(client);
}

static void a_lazy_client_has_no_settings_and_no_visitor_yet(void)
{
    const kustomer_init_options options = lazy_options();
    kustomer_client *client = client_or_die(&options);
    CHECK(kustomer_client_settings(client) == NULL);
    CHECK(kustomer_client_visitor(client) == NULL);
    kustomer_client_free(client);
}

static void a_local_error_has_neither_status_nor_details(void)
{
    kustomer_error *error = NULL;
    CHECK_CODE(kustomer_init(NULL, NULL, &error), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK_TEXT(kustomer_error_message, error);
    CHECK(kustomer_error_http_status(error) == 0);
    CHECK(kustomer_error_retry_after_ms(error) == -1);
    CHECK(kustomer_error_retryable(error) == 0);
    CHECK(kustomer_error_detail_count(error) == 0);
    ABSENT_DETAIL(kustomer_error_detail_code, error, 0);
    ABSENT_DETAIL(kustomer_error_detail_title, error, 1);
    ABSENT_DETAIL(kustomer_error_detail_message, error, 2);
    ABSENT_DETAIL(kustomer_error_detail_source, error, SIZE_MAX);
    kustomer_error_free(error);
}

int main(void)
{
    server_start(&listener, SERVER_RESETS);
    freeing_nothing_does_nothing();
    no_object_has_no_text();
    no_object_has_no_numbers();
    every_code_has_a_name();
    init_without_somewhere_to_put_the_client_is_refused();
    the_error_need_not_be_asked_for();
    without_a_client_every_call_says_to_call_init_first();
    null_elsewhere_is_an_invalid_argument();
    a_lazy_client_has_no_settings_and_no_visitor_yet();
    a_local_error_has_neither_status_nor_details();
    CHECK(server_connections(&listener) == 0); /* none of the above sent anything */
    server_stop(&listener);
    return check_report();
}

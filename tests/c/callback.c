/* Listing: what a callback gets and how often, what a page and its rows say, who is asking, what the hooks hear. */
#include "check.h"

/* --- what a callback saw ------------------------------------------------------------------------------------------------ */

enum { MOST_PAGES = 8 };

struct seen {
    int calls;
    int responses;
    int errors;
    kustomer_code code;
    int stop_at; /* the response at which to ask for a stop; 0: never */
    int32_t error_answer;
    kustomer_pages pages[MOST_PAGES];
    size_t rows[MOST_PAGES];
    int64_t total;
    struct listing listing;
};

static int32_t note(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct seen *seen = (struct seen *)user_data;
    CHECK((response == NULL) != (error == NULL));
    CHECK(seen->errors == 0); /* nothing comes after an error */
    seen->calls++;
    if (error != NULL) {
        seen->errors++;
        seen->code = kustomer_error_code(error);
        return seen->error_answer;
    }
    REQUIRE(seen->responses < MOST_PAGES);
    seen->pages[seen->responses] = *kustomer_response_pages(response);
    seen->rows[seen->responses] = kustomer_response_conversation_count(response);
    seen->total = kustomer_response_total(response);
    listing_add(&seen->listing, response);
    seen->responses++;
    return seen->responses == seen->stop_at;
}

static struct seen seen_with(kustomer_client *client, const kustomer_get_conversations_options *options, int stop_at, kustomer_code expected)
{
    struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.stop_at = stop_at;
    CHECK_CODE(kustomer_get_conversations(client, options, note, &seen), expected);
    return seen;
}

static int pages_are(kustomer_pages pages, int32_t current, int32_t first, int32_t next, int32_t previous)
{
    return pages.current == current && pages.first == first && pages.next == next && pages.previous == previous;
}

static void without_options_the_callback_gets_the_first_page(kustomer_client *client)
{
    const struct seen seen = seen_with(client, NULL, 0, KUSTOMER_OK);
    CHECK(seen.calls == 1 && seen.responses == 1);
    CHECK(pages_are(seen.pages[0], 1, 1, 2, KUSTOMER_NO_PAGE));
    CHECK(seen.rows[0] == PAGE_ROWS && seen.total == ALL_ROWS);
}

static void all_pages_come_in_order_one_callback_each(kustomer_client *client)
{
    const kustomer_get_conversations_options options = all_pages();
    const struct seen seen = seen_with(client, &options, 0, KUSTOMER_OK);
    CHECK(seen.calls == ALL_PAGES && seen.responses == ALL_PAGES);
    CHECK(seen.rows[0] == 100 && seen.rows[1] == 100 && seen.rows[2] == 50);
    CHECK(pages_are(seen.pages[0], 1, 1, 2, KUSTOMER_NO_PAGE));
    CHECK(pages_are(seen.pages[1], 2, 1, 3, 1));
    CHECK(pages_are(seen.pages[2], 3, 1, KUSTOMER_NO_PAGE, 2));
    CHECK(seen.total == ALL_ROWS);
}

static void a_walk_may_begin_later_and_end_earlier(kustomer_client *client)
{
    kustomer_get_conversations_options options = all_pages();
    options.page = 2;
    struct seen seen = seen_with(client, &options, 0, KUSTOMER_OK);
    CHECK(seen.responses == 2 && seen.pages[0].current == 2 && seen.pages[1].current == 3);
    options.page = 1;
    options.max_pages = 2; /* an end like any other, though more is to come */
    seen = seen_with(client, &options, 0, KUSTOMER_OK);
    CHECK(seen.calls == 2 && seen.pages[1].next == 3);
    options.max_pages = 1000;
    seen = seen_with(client, &options, 0, KUSTOMER_OK);
    CHECK(seen.calls == ALL_PAGES);
}

static void page_and_page_size_choose_what_is_read(kustomer_client *client)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.page = 2;
    options.page_size = 10;
    kustomer_response *second = page_or_die(client, &options);
    kustomer_response *first = page_or_die(client, NULL);
    CHECK(kustomer_response_conversation_count(second) == 10);
    CHECK(pages_are(*kustomer_response_pages(second), 2, 1, 3, 1));
    for (size_t i = 0; i < 10; i++) {
        CHECK(conversation_digest(kustomer_response_conversation(second, i)) ==
              conversation_digest(kustomer_response_conversation(first, 10 + i)));
    }
    kustomer_response_free(first);
    kustomer_response_free(second);
    options.page = 1;
    options.page_size = 1000; /* the service gives fewer */
    first = page_or_die(client, &options);
    CHECK(kustomer_response_conversation_count(first) == PAGE_ROWS && kustomer_response_pages(first)->next == 2);
    kustomer_response_free(first);
}

static void a_pager_and_single_pages_read_the_same_as_a_walk(kustomer_client *client)
{
    const struct listing walk = list_all(client);
    for (uint32_t said = 0; said <= 1; said++) { /* a pager walks whether all_pages is said or not */
        kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
        struct listing paged = {0, 0, 0, 0};
        kustomer_pager *pager = NULL;
        kustomer_response *response = NULL;
        kustomer_error *error = POISON(kustomer_error);
        options.all_pages = said;
        CHECK_OK(kustomer_pager_new(client, &options, &pager, &error), &error);
        for (int i = 0; i < ALL_PAGES + 2; i++) {
            response = POISON(kustomer_response);
            error = POISON(kustomer_error);
            CHECK_OK(kustomer_pager_next(pager, &response, &error), &error);
            CHECK((response != NULL) == (i < ALL_PAGES)); /* NULL at the end and ever after */
            if (response != NULL) {
                listing_add(&paged, response);
                kustomer_response_free(response);
            }
        }
        kustomer_pager_free(pager);
        CHECK(same_listing(paged, walk));
    }
    struct listing single = {0, 0, 0, 0};
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    for (options.page = 1; options.page != KUSTOMER_NO_PAGE;) {
        kustomer_response *response = page_or_die(client, &options);
        listing_add(&single, response);
        options.page = kustomer_response_pages(response)->next;
        kustomer_response_free(response);
    }
    CHECK(same_listing(single, walk));
}

static void a_pager_stops_at_max_pages(kustomer_client *client)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_pager *pager = NULL;
    kustomer_error *error = POISON(kustomer_error);
    options.max_pages = 2;
    CHECK_OK(kustomer_pager_new(client, &options, &pager, &error), &error);
    for (int i = 0; i < 4; i++) {
        kustomer_response *response = POISON(kustomer_response);
        CHECK_OK(kustomer_pager_next(pager, &response, &error), &error);
        CHECK((response != NULL) == (i < 2));
        kustomer_response_free(response);
    }
    kustomer_pager_free(pager);
}

static void a_callback_may_stop_the_call(kustomer_client *client)
{
    const kustomer_get_conversations_options walk = all_pages();
    for (int page = 1; page <= ALL_PAGES; page++) { /* also at the last page, when there is nothing left to stop */
        const struct seen seen = seen_with(client, &walk, page, KUSTOMER_ERROR_STOPPED);
        CHECK(seen.calls == page && seen.errors == 0);
    }
    const struct seen seen = seen_with(client, NULL, 1, KUSTOMER_ERROR_STOPPED);
    CHECK(seen.calls == 1 && seen.errors == 0);
}

static int32_t answer_minus_one(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    (void)response;
    (void)error;
    ++*(int *)user_data;
    return -1;
}

static void any_answer_but_0_stops(kustomer_client *client)
{
    int calls = 0;
    CHECK_CODE(kustomer_get_conversations(client, NULL, answer_minus_one, &calls), KUSTOMER_ERROR_STOPPED);
    CHECK(calls == 1);
}

static void the_callback_may_be_left_out(kustomer_client *client)
{
    const kustomer_get_conversations_options walk = all_pages();
    CHECK_CODE(kustomer_get_conversations(client, NULL, NULL, NULL), KUSTOMER_OK);
    CHECK_CODE(kustomer_get_conversations(client, &walk, NULL, NULL), KUSTOMER_OK);
}

static void an_error_reaches_the_callback_exactly_once(kustomer_client *client)
{
    struct local_server server;
    server_start(&server, SERVER_RESETS);
    kustomer_client *cut_off = local_client(&server);
    const kustomer_get_conversations_options get = local_options(NULL);
    kustomer_get_conversations_options bad = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    bad.page = -1;
    for (int32_t answer = -1; answer <= 1; answer++) { /* what the callback answers to an error changes nothing */
        struct seen seen;
        memset(&seen, 0, sizeof seen);
        seen.error_answer = answer;
        CHECK_CODE(kustomer_get_conversations(cut_off, &get, note, &seen), KUSTOMER_ERROR_NETWORK);
        CHECK(seen.calls == 1 && seen.errors == 1 && seen.code == KUSTOMER_ERROR_NETWORK);
        memset(&seen, 0, sizeof seen);
        seen.error_answer = answer;
        CHECK_CODE(kustomer_get_conversations(client, &bad, note, &seen), KUSTOMER_ERROR_INVALID_ARGUMENT);
        CHECK(seen.calls == 1 && seen.errors == 1 && seen.code == KUSTOMER_ERROR_INVALID_ARGUMENT);
    }
    kustomer_client_free(cut_off);
    server_stop(&server);
}

/* --- a callback that makes calls ------------------------------------------------------------------------------------------ */

struct nested {
    kustomer_client *client;
    struct listing expected;
    int depth;
    int deepest_calls;
};

static int32_t call_again(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct nested *nested = (struct nested *)user_data;
    struct listing seen = {0, 0, 0, 0};
    CHECK(error == NULL);
    const size_t rows_before = kustomer_response_conversation_count(response);
    nested->depth++;
    if (nested->depth < 3) {
        CHECK_CODE(kustomer_get_conversations(nested->client, NULL, call_again, nested), KUSTOMER_OK);
    } else {
        kustomer_pager *pager = NULL;
        kustomer_response *page = page_or_die(nested->client, NULL);
        CHECK(kustomer_response_conversation_count(page) == PAGE_ROWS);
        kustomer_error *why = POISON(kustomer_error);
        CHECK_OK(kustomer_pager_new(nested->client, NULL, &pager, &why), &why);
        do {
            kustomer_response_free(page);
            CHECK_OK(kustomer_pager_next(pager, &page, &why), &why);
            if (page != NULL) {
                listing_add(&seen, page);
            }
        } while (page != NULL);
        kustomer_pager_free(pager);
        CHECK(same_listing(seen, nested->expected));
        nested->deepest_calls++;
    }
    nested->depth--;
    CHECK(kustomer_response_conversation_count(response) == rows_before); /* still ours */
    return 0;
}

static void a_callback_may_call_the_library_again(kustomer_client *client)
{
    struct nested nested = {client, list_all(client), 0, 0};
    kustomer_get_conversations_options options = all_pages();
    options.max_pages = 2;
    CHECK_CODE(kustomer_get_conversations(client, &options, call_again, &nested), KUSTOMER_OK);
    CHECK(nested.depth == 0 && nested.deepest_calls == 2);
}

/* --- rows ------------------------------------------------------------------------------------------------------------------- */

/* What the service writes: 2026-10-21T14:02:11.925Z. Other forms are the library's own tests' business. */
static void check_time(const char *text, int64_t ms)
{
    struct tm t;
    int fraction = 0, length = 0;
    memset(&t, 0, sizeof t);
    if (text == NULL) {
        CHECK(ms == KUSTOMER_NO_TIME);
        return;
    }
    if (strlen(text) == 24 && sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
                                     &t.tm_sec, &fraction, &length) == 7 && length == 24) {
        t.tm_year -= 1900;
        t.tm_mon -= 1;
        CHECK(ms == (int64_t)timegm(&t) * 1000 + fraction);
    }
}

static void check_row(const kustomer_conversation *c, int with_json)
{
    size_t len = 0;
    CHECK_TEXT(kustomer_conversation_id, c);
    CHECK_TEXT(kustomer_conversation_created_at, c);
    CHECK_TEXT(kustomer_conversation_preview, c);
    CHECK_TEXT(kustomer_conversation_last_message_at, c);
    CHECK_TEXT(kustomer_conversation_ended_at, c);
    CHECK_TEXT(kustomer_conversation_end_reason, c);
    CHECK_TEXT(kustomer_conversation_name, c);
    CHECK_TEXT(kustomer_conversation_brand_id, c);
    CHECK_TEXT(kustomer_conversation_json, c);
    const char *id = kustomer_conversation_id(c, &len);
    CHECK(id != NULL && len > 0);
    CHECK(kustomer_conversation_created_at(c, NULL) != NULL);
    CHECK(kustomer_conversation_created_at_ms(c) != KUSTOMER_NO_TIME);
    CHECK(kustomer_conversation_preview(c, NULL) != NULL);
    check_time(kustomer_conversation_created_at(c, NULL), kustomer_conversation_created_at_ms(c));
    check_time(kustomer_conversation_last_message_at(c, NULL), kustomer_conversation_last_message_at_ms(c));
    const kustomer_tristate assistant = kustomer_conversation_is_in_assistant_mode(c), ended = kustomer_conversation_ended(c);
    CHECK(assistant >= KUSTOMER_UNKNOWN && assistant <= KUSTOMER_TRUE);
    CHECK(ended >= KUSTOMER_UNKNOWN && ended <= KUSTOMER_TRUE);
    CHECK((ended == KUSTOMER_TRUE) == (kustomer_conversation_ended_at(c, NULL) != NULL));
    CHECK(kustomer_conversation_unread_count(c) >= -1);
    const char *json = kustomer_conversation_json(c, &len);
    CHECK((json != NULL) == (with_json != 0));
    if (json != NULL && id != NULL) {
        CHECK(len >= 2 && json[0] == '{' && json[len - 1] == '}' && strstr(json, id) != NULL);
    }
}

static void every_row_says_what_it_must(kustomer_client *client)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    for (options.keep_json = 0; options.keep_json <= 1; options.keep_json++) { /* the JSON only when it was asked for */
        for (options.page = 1; options.page <= ALL_PAGES; options.page++) {
            kustomer_response *response = page_or_die(client, &options);
            const size_t count = kustomer_response_conversation_count(response);
            for (size_t i = 0; i < count; i++) {
                check_row(kustomer_response_conversation(response, i), options.keep_json == 1);
            }
            CHECK(kustomer_response_conversation(response, count) == NULL);
            CHECK(kustomer_response_conversation(response, SIZE_MAX) == NULL);
            kustomer_response_free(response);
        }
    }
}

struct tally {
    size_t rows;
    size_t not_ended;
    size_t of_brand;
    char brand[256];
};

static int32_t tally_rows(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct tally *tally = (struct tally *)user_data;
    CHECK(error == NULL);
    for (size_t i = 0; i < kustomer_response_conversation_count(response); i++) {
        const kustomer_conversation *c = kustomer_response_conversation(response, i);
        const char *brand = kustomer_conversation_brand_id(c, NULL);
        if (brand != NULL && *tally->brand == '\0') {
            snprintf(tally->brand, sizeof tally->brand, "%s", brand);
        }
        tally->rows++;
        tally->not_ended += kustomer_conversation_ended(c) != KUSTOMER_TRUE;
        tally->of_brand += brand != NULL && strcmp(brand, tally->brand) == 0;
    }
    return 0;
}

static struct tally tally(kustomer_client *client, const kustomer_get_conversations_options *options, const char *brand)
{
    struct tally tally;
    memset(&tally, 0, sizeof tally);
    snprintf(tally.brand, sizeof tally.brand, "%s", brand);
    CHECK_CODE(kustomer_get_conversations(client, options, tally_rows, &tally), KUSTOMER_OK);
    return tally;
}

static void active_only_leaves_out_what_has_ended(kustomer_client *client)
{
    kustomer_get_conversations_options options = all_pages();
    const struct tally all = tally(client, &options, "");
    options.active_only = 1;
    const struct tally active = tally(client, &options, "");
    CHECK(all.rows == ALL_ROWS && all.not_ended < all.rows && all.not_ended > 0);
    CHECK(active.rows == all.not_ended && active.not_ended == active.rows);
}

static void a_brand_chooses_its_conversations(kustomer_client *client)
{
    kustomer_get_conversations_options options = all_pages();
    const struct tally all = tally(client, &options, "");
    if (*all.brand == '\0') {
        printf("skipped: a_brand_chooses_its_conversations, no row has a brand\n");
        return;
    }
    options.brand_id = all.brand;
    const struct tally one = tally(client, &options, all.brand);
    CHECK(one.rows == all.of_brand && one.of_brand == one.rows);

    kustomer_init_options of_one_brand = test_options();
    of_one_brand.brand_id = all.brand;
    kustomer_client *other = client_or_die(&of_one_brand);
    options.brand_id = NULL; /* the client's */
    CHECK(tally(other, &options, all.brand).rows == one.rows);
    options.brand_id = ""; /* every brand */
    CHECK(tally(other, &options, all.brand).rows == ALL_ROWS);
    kustomer_client_free(other);
}

/* --- who is asking, and the hooks ---------------------------------------------------------------------------------------------- */

struct hooks {
    int visits;
    int lines;
    int warnings;
    int debug_lines;
    int told_secrets;
    int odd_lines;
    char token[8192];
    char id[256];
    const char *secrets[3];
};

static void note_visitor(const kustomer_visitor *visitor, void *user_data)
{
    struct hooks *hooks = (struct hooks *)user_data;
    const char *token = kustomer_visitor_tracking_token(visitor, NULL), *id = kustomer_visitor_tracking_id(visitor, NULL);
    CHECK_TEXT(kustomer_visitor_tracking_token, visitor);
    CHECK_TEXT(kustomer_visitor_tracking_id, visitor);
    hooks->visits++;
    snprintf(hooks->token, sizeof hooks->token, "%s", token != NULL ? token : "");
    snprintf(hooks->id, sizeof hooks->id, "%s", id != NULL ? id : "");
}

static void note_line(int32_t level, const char *message, void *user_data)
{
    struct hooks *hooks = (struct hooks *)user_data;
    hooks->lines++;
    hooks->warnings += level == KUSTOMER_LOG_WARNING;
    hooks->debug_lines += level == KUSTOMER_LOG_DEBUG;
    hooks->odd_lines += level < KUSTOMER_LOG_ERROR || level > KUSTOMER_LOG_DEBUG || *message == '\0';
    for (const char *p = message; *p != '\0'; p++) {
        hooks->odd_lines += (unsigned char)*p < 0x20 || *p == 0x7f;
    }
    for (size_t i = 0; i < COUNT(hooks->secrets); i++) {
        hooks->told_secrets += hooks->secrets[i] != NULL && leaks(message, hooks->secrets[i]);
    }
    hooks->told_secrets += hooks->token[0] != '\0' && leaks(message, hooks->token);
}

static kustomer_init_options hooked_options(struct hooks *hooks)
{
    kustomer_init_options options = test_options();
    memset(hooks, 0, sizeof *hooks);
    options.on_visitor = note_visitor;
    options.user_data = hooks;
    return options;
}

static void a_new_visitor_is_told_and_a_saved_one_is_not(void)
{
    struct hooks hooks, again;
    kustomer_init_options options = hooked_options(&hooks);
    options.tracking_token = NULL;
    kustomer_client *client = client_or_die(&options);
    CHECK(hooks.visits == 1 && hooks.token[0] != '\0' && hooks.id[0] != '\0');
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    CHECK(same_text(kustomer_visitor_tracking_token(visitor, NULL), hooks.token));
    CHECK(same_text(kustomer_visitor_tracking_id(visitor, NULL), hooks.id));
    CHECK(kustomer_visitor_verified(visitor) != KUSTOMER_TRUE);
    const struct listing empty = list_all(client);
    CHECK(empty.pages == 1 && empty.rows == 0); /* an empty page is a page */
    CHECK(hooks.visits == 1);
    kustomer_client_free(client);
    kustomer_visitor_free(visitor);

    options = hooked_options(&again);
    options.tracking_token = hooks.token;
    client = client_or_die(&options);
    CHECK(again.visits == 0);
    visitor = kustomer_client_visitor(client);
    CHECK(same_text(kustomer_visitor_tracking_id(visitor, NULL), hooks.id));
    kustomer_visitor_free(visitor);
    kustomer_client_free(client);
}

static void an_empty_saved_token_is_as_none(void)
{
    struct hooks hooks;
    kustomer_init_options options = hooked_options(&hooks);
    options.tracking_token = "";
    kustomer_client *client = client_or_die(&options);
    CHECK(hooks.visits == 1);
    kustomer_client_free(client);
}

static void the_returning_visitor_keeps_the_history(void)
{
    struct hooks hooks;
    const kustomer_init_options options = hooked_options(&hooks);
    kustomer_client *client = client_or_die(&options);
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    kustomer_settings *settings = kustomer_client_settings(client);
    size_t len = 0;
    CHECK(hooks.visits == 0);
    CHECK(same_text(kustomer_visitor_tracking_token(visitor, NULL), options.tracking_token));
    CHECK(kustomer_visitor_tracking_id(visitor, NULL) != NULL);
    CHECK(list_all(client).rows == ALL_ROWS);
    CHECK(hooks.visits == 0);
    const char *json = kustomer_settings_json(settings, &len);
    CHECK(json != NULL && len >= 2 && json[0] == '{' && json[len - 1] == '}');
    CHECK(kustomer_settings_enabled(settings) == KUSTOMER_TRUE);
    CHECK(kustomer_settings_no_history(settings) != KUSTOMER_TRUE);
    CHECK_TEXT(kustomer_settings_json, settings);
    CHECK_TEXT(kustomer_settings_team_name, settings);
    CHECK_TEXT(kustomer_settings_greeting, settings);
    kustomer_settings_free(settings);
    kustomer_visitor_free(visitor);
    kustomer_client_free(client);
}

static void a_saved_token_that_is_refused_becomes_a_new_visitor(void)
{
    struct hooks hooks;
    kustomer_init_options options = hooked_options(&hooks);
    options.tracking_token = "no.such.token";
    options.log = note_line;
    kustomer_client *client = client_or_die(&options);
    CHECK(hooks.visits == 1 && hooks.id[0] != '\0');
    CHECK(hooks.warnings >= 1 && hooks.odd_lines == 0);
    CHECK(list_all(client).rows == 0);
    kustomer_client_free(client);
}

static void the_log_tells_much_but_no_secrets(void)
{
    struct hooks hooks;
    kustomer_init_options options = hooked_options(&hooks);
    options.log = note_line;
    options.log_level = KUSTOMER_LOG_DEBUG;
    hooks.secrets[0] = options.api_key;
    hooks.secrets[1] = options.tracking_token;
    kustomer_client *client = client_or_die(&options);
    list_all(client);
    CHECK(hooks.debug_lines >= ALL_PAGES); /* a line a request */
    CHECK(hooks.told_secrets == 0 && hooks.odd_lines == 0);
    kustomer_client_free(client);

    options = hooked_options(&hooks);
    options.tracking_token = NULL; /* a fresh token is a secret too */
    options.log = note_line;
    options.log_level = KUSTOMER_LOG_DEBUG;
    client = client_or_die(&options);
    list_all(client);
    CHECK(hooks.debug_lines > 0 && hooks.told_secrets == 0);
    kustomer_client_free(client);

    options = server_key_options();
    memset(&hooks, 0, sizeof hooks);
    options.user_data = &hooks;
    options.log = note_line;
    options.log_level = KUSTOMER_LOG_DEBUG;
    hooks.secrets[0] = options.api_key;
    client = client_or_die(&options);
    kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    get.customer_id = test_env("KUSTOMER_SANDBOX_CUSTOMER_ID");
    list(client, &get);
    CHECK(hooks.debug_lines > 0 && hooks.told_secrets == 0 && hooks.odd_lines == 0);
    kustomer_client_free(client);

    options = hooked_options(&hooks);
    options.log = note_line; /* at the default level nothing happens that is worth a line */
    client = client_or_die(&options);
    list_all(client);
    CHECK(hooks.lines == 0);
    kustomer_client_free(client);
}

/* --- keys ------------------------------------------------------------------------------------------------------------------------ */

static void a_server_key_lists_the_customer_it_names(void)
{
    const kustomer_init_options options = server_key_options();
    kustomer_client *client = client_or_die(&options);
    kustomer_get_conversations_options get = all_pages();
    CHECK(kustomer_client_settings(client) == NULL);
    CHECK(kustomer_client_visitor(client) == NULL);
    struct seen seen = seen_with(client, &get, 0, KUSTOMER_ERROR_INVALID_ARGUMENT); /* whose? */
    CHECK(seen.calls == 1 && seen.errors == 1);
    get.customer_id = test_env("KUSTOMER_SANDBOX_CUSTOMER_ID");
    seen = seen_with(client, &get, 0, KUSTOMER_OK);
    CHECK(seen.responses >= 1 && seen.listing.rows > 0);
    CHECK(kustomer_client_settings(client) == NULL && kustomer_client_visitor(client) == NULL);

    kustomer_client *chat = test_client();
    kustomer_visitor *visitor = kustomer_client_visitor(chat);
    get.customer_id = NULL;
    get.tracking_id = kustomer_visitor_tracking_id(visitor, NULL);
    CHECK(list(client, &get).rows == ALL_ROWS); /* the returning visitor's, by its tracking id */
    kustomer_visitor_free(visitor);
    kustomer_client_free(chat);
    kustomer_client_free(client);
}

static void a_wrong_key_is_unauthorized_and_the_service_says_why(void)
{
    kustomer_init_options options = server_key_options();
    options.api_key = "a-key-that-nobody-knows-about";
    kustomer_client *client = client_or_die(&options);
    kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_response *response = POISON(kustomer_response);
    kustomer_error *error = NULL;
    get.customer_id = test_env("KUSTOMER_SANDBOX_CUSTOMER_ID");
    CHECK_CODE(kustomer_get_conversations_page(client, &get, &response, &error), KUSTOMER_ERROR_UNAUTHORIZED);
    CHECK(response == NULL);
    CHECK_CODE(kustomer_error_code(error), KUSTOMER_ERROR_UNAUTHORIZED);
    CHECK(kustomer_error_http_status(error) == 401);
    CHECK(kustomer_error_retryable(error) == 0);
    CHECK_TEXT(kustomer_error_message, error);
    CHECK(!leaks(kustomer_error_message(error, NULL), options.api_key));
    const size_t details = kustomer_error_detail_count(error);
    CHECK(details > 0);
    int told = 0;
    for (size_t i = 0; i <= details; i++) { /* one past the end: all absent */
        size_t len[4];
        const char *const texts[4] = {
            kustomer_error_detail_code(error, i, &len[0]), kustomer_error_detail_title(error, i, &len[1]),
            kustomer_error_detail_message(error, i, &len[2]), kustomer_error_detail_source(error, i, &len[3])};
        for (size_t j = 0; j < COUNT(texts); j++) {
            CHECK(texts[j] != NULL ? i < details && texts[j][len[j]] == '\0' : len[j] == 0);
            CHECK(texts[j] == NULL || !leaks(texts[j], options.api_key));
            told += texts[j] != NULL;
        }
    }
    CHECK(told > 0);
    kustomer_error_free(error);
    const struct seen seen = seen_with(client, &get, 0, KUSTOMER_ERROR_UNAUTHORIZED);
    CHECK(seen.calls == 1 && seen.errors == 1);
    kustomer_client_free(client);
}

/* --- init -------------------------------------------------------------------------------------------------------------------------- */

static void a_lazy_client_sends_nothing_before_its_first_call(void)
{
    struct local_server server;
    server_start(&server, SERVER_RESETS);
    kustomer_init_options options = bare_options(server.url);
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.lazy_init = 1;
    kustomer_client *client = client_or_die(&options);
    CHECK(server_connections(&server) == 0);
    CHECK_CODE(kustomer_get_conversations(client, NULL, NULL, NULL), KUSTOMER_ERROR_NETWORK);
    CHECK(server_connections(&server) > 0);
    kustomer_client_free(client);
    server_stop(&server);

    options = test_options();
    options.lazy_init = 1;
    client = client_or_die(&options);
    CHECK(kustomer_client_visitor(client) == NULL && kustomer_client_settings(client) == NULL);
    CHECK(list_all(client).rows == ALL_ROWS);
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    kustomer_settings *settings = kustomer_client_settings(client);
    CHECK(visitor != NULL && settings != NULL);
    kustomer_visitor_free(visitor);
    kustomer_settings_free(settings);
    kustomer_client_free(client);
}

static void plain_http_works_on_the_loopback(kustomer_client *client)
{
    kustomer_init_options options = test_options();
    options.base_url = test_env("KUSTOMER_SANDBOX_HTTP_URL");
    options.ca_file = NULL;
    kustomer_client *plain = client_or_die(&options);
    CHECK(same_listing(list_all(plain), list_all(client)));
    kustomer_client_free(plain);
}

static void a_server_that_cannot_be_trusted_is_not_talked_to(void)
{
    kustomer_init_options options = test_options();
    kustomer_client *client = POISON(kustomer_client);
    kustomer_error *error = POISON(kustomer_error);
    options.ca_file = NULL; /* the built-in roots have not signed the sandbox's certificate */
    CHECK_FAILS(kustomer_init(&options, &client, &error), &error, KUSTOMER_ERROR_TLS, NULL);
    CHECK(client == NULL);
}

static void a_page_larger_than_allowed_is_a_limit(void)
{
    kustomer_init_options options = test_options();
    options.max_response_bytes = 1024;
    options.lazy_init = 1;
    kustomer_client *client = client_or_die(&options);
    const struct seen seen = seen_with(client, NULL, 0, KUSTOMER_ERROR_LIMIT);
    CHECK(seen.calls == 1 && seen.errors == 1);
    kustomer_client_free(client);
}

int main(void)
{
    kustomer_client *client = test_client();
    without_options_the_callback_gets_the_first_page(client);
    all_pages_come_in_order_one_callback_each(client);
    a_walk_may_begin_later_and_end_earlier(client);
    page_and_page_size_choose_what_is_read(client);
    a_pager_and_single_pages_read_the_same_as_a_walk(client);
    a_pager_stops_at_max_pages(client);
    a_callback_may_stop_the_call(client);
    any_answer_but_0_stops(client);
    the_callback_may_be_left_out(client);
    an_error_reaches_the_callback_exactly_once(client);
    a_callback_may_call_the_library_again(client);
    every_row_says_what_it_must(client);
    active_only_leaves_out_what_has_ended(client);
    a_brand_chooses_its_conversations(client);
    a_new_visitor_is_told_and_a_saved_one_is_not();
    an_empty_saved_token_is_as_none();
    the_returning_visitor_keeps_the_history();
    a_saved_token_that_is_refused_becomes_a_new_visitor();
    the_log_tells_much_but_no_secrets();
    a_server_key_lists_the_customer_it_names();
    a_wrong_key_is_unauthorized_and_the_service_says_why();
    a_lazy_client_sends_nothing_before_its_first_call();
    plain_http_works_on_the_loopback(client);
    a_server_that_cannot_be_trusted_is_not_talked_to();
    a_page_larger_than_allowed_is_a_limit();
    kustomer_client_free(client);
    return check_report();
}

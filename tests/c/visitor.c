/* Logging in and out: whose history there is, what the hook hears and when, what a call that is refused changes. */
#include "check.h"

enum { OTHER_ROWS = 40, MOST_VISITS = 8 }; /* what another customer owns */

/* --- what the hook heard --------------------------------------------------------------------------------------------------- */

struct visit {
    int absent; /* nothing is told of the visitor: erase what you saved */
    kustomer_tristate verified;
    char token[4096];
    char id[64];
};

struct hook {
    int visits;
    struct visit last;
    struct visit heard[MOST_VISITS];
    /* what the hook does in its turn, and what it saw */
    kustomer_client *client;
    struct local_server *server;
    int listings;
    size_t rows;
    const char *login_when_absent;
    int connections_when_absent;
};

static void note_visitor(const kustomer_visitor *visitor, void *user_data)
{
    struct hook *hook = (struct hook *)user_data;
    struct visit visit;
    const char *token = kustomer_visitor_tracking_token(visitor, NULL), *id = kustomer_visitor_tracking_id(visitor, NULL);
    CHECK_TEXT(kustomer_visitor_tracking_token, visitor);
    CHECK_TEXT(kustomer_visitor_tracking_id, visitor);
    memset(&visit, 0, sizeof visit);
    visit.verified = kustomer_visitor_verified(visitor);
    visit.absent = token == NULL && id == NULL && visit.verified == KUSTOMER_UNKNOWN;
    snprintf(visit.token, sizeof visit.token, "%s", token != NULL ? token : "");
    snprintf(visit.id, sizeof visit.id, "%s", id != NULL ? id : "");
    REQUIRE(hook->visits < MOST_VISITS);
    hook->heard[hook->visits++] = visit;
    hook->last = visit;
    if (visit.absent && hook->server != NULL) {
        hook->connections_when_absent = server_connections(hook->server);
    }
    if (visit.absent && hook->client != NULL) {
        kustomer_visitor *now = kustomer_client_visitor(hook->client);
        CHECK(now == NULL);
        kustomer_visitor_free(now);
    }
    if (visit.absent && hook->login_when_absent != NULL) {
        CHECK_CODE(kustomer_login(hook->client, hook->login_when_absent, NULL, NULL), KUSTOMER_OK);
    }
    if (hook->client != NULL) {
        hook->rows = list_all(hook->client).rows;
        hook->listings++;
    }
}

/* A visitor nobody has seen before; `saved` is a token from earlier. */
static kustomer_client *visitor_client(struct hook *hook, const char *saved)
{
    kustomer_init_options options = test_options();
    memset(hook, 0, sizeof *hook);
    options.tracking_token = saved;
    options.on_visitor = note_visitor;
    options.user_data = hook;
    return client_or_die(&options);
}

static void login_or_die(kustomer_client *client, const char *jwt)
{
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_login(client, jwt, NULL, &error), &error);
}

static void logout_or_die(kustomer_client *client)
{
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_logout(client, NULL, &error), &error);
}

static const char *login_jwt(void)
{
    return test_env("KUSTOMER_SANDBOX_LOGIN_JWT"); /* the returning visitor's customer */
}

static const char *other_jwt(void)
{
    return test_env("KUSTOMER_SANDBOX_OTHER_LOGIN_JWT");
}

/* --- login ------------------------------------------------------------------------------------------------------------------- */

static void a_login_shows_the_customers_history_and_a_restart_keeps_it(void)
{
    struct hook hook, again;
    kustomer_client *returning = test_client();
    const struct listing history = list_all(returning);
    kustomer_client *client = visitor_client(&hook, NULL);
    CHECK(hook.visits == 1 && hook.last.verified == KUSTOMER_FALSE);
    CHECK(list_all(client).rows == 0);
    login_or_die(client, login_jwt());
    CHECK(hook.visits == 2 && hook.last.verified == KUSTOMER_TRUE && !hook.last.absent);
    CHECK(hook.last.token[0] != '\0' && !same_text(hook.last.token, hook.heard[0].token));
    CHECK(same_text(hook.last.id, hook.heard[0].id));
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    CHECK(kustomer_visitor_verified(visitor) == KUSTOMER_TRUE);
    CHECK(same_text(kustomer_visitor_tracking_token(visitor, NULL), hook.last.token));
    CHECK(history.rows == ALL_ROWS && same_listing(list_all(client), history));
    CHECK(hook.visits == 2);
    kustomer_client_free(client);
    CHECK(kustomer_visitor_verified(visitor) == KUSTOMER_TRUE); /* it has a life of its own */
    kustomer_visitor_free(visitor);

    client = visitor_client(&again, hook.last.token);
    visitor = kustomer_client_visitor(client);
    CHECK(again.visits == 0 && kustomer_visitor_verified(visitor) == KUSTOMER_TRUE);
    CHECK(same_listing(list_all(client), history));
    kustomer_visitor_free(visitor);
    kustomer_client_free(client);
    kustomer_client_free(returning);
}

static void a_login_as_somebody_else_shows_their_history_instead(void)
{
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, NULL);
    login_or_die(client, other_jwt());
    CHECK(list_all(client).rows == OTHER_ROWS);
    login_or_die(client, login_jwt());
    CHECK(list_all(client).rows == ALL_ROWS);
    CHECK(hook.visits == 3);
    kustomer_client_free(client);
}

static void a_lazy_client_may_begin_with_its_login(void)
{
    struct hook hook;
    kustomer_init_options options = test_options();
    memset(&hook, 0, sizeof hook);
    options.tracking_token = NULL;
    options.lazy_init = 1;
    options.on_visitor = note_visitor;
    options.user_data = &hook;
    kustomer_client *client = client_or_die(&options);
    CHECK(hook.visits == 0);
    login_or_die(client, other_jwt());
    CHECK(hook.visits >= 1 && hook.last.verified == KUSTOMER_TRUE);
    CHECK(list_all(client).rows == OTHER_ROWS);
    kustomer_client_free(client);
}

static void a_login_that_is_refused_changes_nothing(void)
{
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, test_env("KUSTOMER_TRACKING_TOKEN"));
    const struct listing before = list_all(client);
    const char *const refused[] = {test_env("KUSTOMER_SANDBOX_OLD_LOGIN_JWT"), "no.such.jwt-no.such.jwt-no.such.jwt", "jwt"};
    kustomer_pager *pager = NULL;
    kustomer_response *page = NULL;
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_new(client, NULL, &pager, &error), &error);
    CHECK_OK(kustomer_pager_next(pager, &page, &error), &error);
    kustomer_response_free(page);
    for (size_t i = 0; i < COUNT(refused); i++) {
        error = POISON(kustomer_error);
        CHECK_CODE(kustomer_login(client, refused[i], NULL, &error), KUSTOMER_ERROR_UNAUTHORIZED);
        CHECK(kustomer_error_http_status(error) == 401 && kustomer_error_retryable(error) == 0);
        CHECK(strstr(kustomer_error_message(error, NULL), "JWT") != NULL);
        CHECK(strlen(refused[i]) < 16 || !leaks(kustomer_error_message(error, NULL), refused[i]));
        kustomer_error_free(error);
        CHECK_CODE(kustomer_login(client, refused[i], NULL, NULL), KUSTOMER_ERROR_UNAUTHORIZED);
    }
    CHECK(same_listing(list_all(client), before) && hook.visits == 0);
    for (int i = 1; i <= ALL_PAGES; i++) { /* a walk that was under way goes on */
        error = POISON(kustomer_error);
        CHECK_OK(kustomer_pager_next(pager, &page, &error), &error);
        CHECK((page != NULL) == (i < ALL_PAGES));
        kustomer_response_free(page);
    }
    kustomer_pager_free(pager);
    kustomer_client_free(client);
}

/* --- logout ------------------------------------------------------------------------------------------------------------------- */

static void a_logout_is_told_twice_and_the_new_visitor_has_no_history(void)
{
    struct hook hook, again;
    kustomer_client *client = visitor_client(&hook, NULL);
    login_or_die(client, login_jwt());
    CHECK(list_all(client).rows == ALL_ROWS);
    logout_or_die(client);
    REQUIRE(hook.visits == 4);
    CHECK(hook.heard[2].absent);
    CHECK(!hook.heard[3].absent && hook.heard[3].verified == KUSTOMER_FALSE && hook.heard[3].token[0] != '\0');
    CHECK(!same_text(hook.heard[3].id, hook.heard[1].id) && !same_text(hook.heard[3].token, hook.heard[1].token));
    kustomer_visitor *visitor = kustomer_client_visitor(client);
    CHECK(same_text(kustomer_visitor_tracking_token(visitor, NULL), hook.last.token));
    CHECK(list_all(client).rows == 0 && hook.visits == 4);
    kustomer_visitor_free(visitor);
    kustomer_client_free(client);

    client = visitor_client(&again, hook.last.token);
    CHECK(list_all(client).rows == 0 && again.visits == 0);
    login_or_die(client, login_jwt()); /* and back */
    CHECK(list_all(client).rows == ALL_ROWS);
    kustomer_client_free(client);
}

/* A client that sends nothing until a call does, on a server that answers to nobody's liking. */
static kustomer_client *lazy_client(struct hook *hook, struct local_server *server, const char *saved)
{
    kustomer_init_options options = bare_options(server->url);
    memset(hook, 0, sizeof *hook);
    hook->server = server;
    hook->connections_when_absent = -1;
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.tracking_token = saved;
    options.lazy_init = 1;
    options.on_visitor = note_visitor;
    options.user_data = hook;
    return client_or_die(&options);
}

static void the_hook_hears_of_a_logout_before_anything_is_sent(void)
{
    const char *const saved[] = {NULL, "a-token-of-last-week"}; /* also when there is nothing to erase */
    for (size_t i = 0; i < COUNT(saved); i++) {
        struct local_server server;
        struct hook hook;
        kustomer_error *error = POISON(kustomer_error);
        server_start(&server, SERVER_RESETS);
        kustomer_client *client = lazy_client(&hook, &server, saved[i]);
        CHECK_FAILS(kustomer_logout(client, NULL, &error), &error, KUSTOMER_ERROR_NETWORK, "is forgotten");
        CHECK(hook.visits == 1 && hook.last.absent && hook.connections_when_absent == 0);
        CHECK(server_requests(&server) == 1); /* never repeated */
        CHECK(kustomer_client_visitor(client) == NULL);
        kustomer_client_free(client);
        server_stop(&server);
    }
}

/* --- calls and pagers from before ------------------------------------------------------------------------------------------------ */

static kustomer_pager *begun_pager(kustomer_client *client)
{
    kustomer_pager *pager = NULL;
    kustomer_response *page = NULL;
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_new(client, NULL, &pager, &error), &error);
    CHECK_OK(kustomer_pager_next(pager, &page, &error), &error);
    CHECK(page != NULL);
    kustomer_response_free(page);
    return pager;
}

static void is_over(kustomer_pager *pager)
{
    for (int i = 0; i < 3; i++) {
        kustomer_response *page = POISON(kustomer_response);
        kustomer_error *error = POISON(kustomer_error);
        CHECK_FAILS(kustomer_pager_next(pager, &page, &error), &error, KUSTOMER_ERROR_UNAUTHORIZED, "visitor");
        CHECK(page == NULL);
    }
}

static void a_pager_from_before_is_unauthorized_for_ever(void)
{
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, test_env("KUSTOMER_TRACKING_TOKEN"));
    kustomer_pager *before_login = begun_pager(client);
    login_or_die(client, login_jwt()); /* even as the customer they are already: nobody can know */
    is_over(before_login);
    kustomer_pager *before_logout = begun_pager(client);
    logout_or_die(client);
    is_over(before_logout);
    is_over(before_login);
    login_or_die(client, login_jwt());
    is_over(before_logout);
    is_over(before_login);
    CHECK(list_all(client).rows == ALL_ROWS);
    kustomer_pager_free(before_login);
    kustomer_client_free(client);
    kustomer_pager_free(before_logout);
}

struct walk {
    kustomer_client *client;
    const char *jwt; /* NULL: log out */
    int pages;
    int errors;
    kustomer_code code;
};

static int32_t change_the_visitor(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct walk *walk = (struct walk *)user_data;
    walk->pages += response != NULL;
    if (error != NULL) {
        walk->errors++;
        walk->code = kustomer_error_code(error);
    } else if (walk->jwt != NULL) {
        login_or_die(walk->client, walk->jwt);
    } else {
        logout_or_die(walk->client);
    }
    return 0;
}

static void a_walk_ends_when_its_callback_changes_the_visitor(void)
{
    const char *const jwts[] = {login_jwt(), NULL};
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, NULL);
    login_or_die(client, login_jwt());
    for (size_t i = 0; i < COUNT(jwts); i++) {
        const kustomer_get_conversations_options options = all_pages();
        struct walk walk = {client, jwts[i], 0, 0, KUSTOMER_OK};
        CHECK_CODE(kustomer_get_conversations(client, &options, change_the_visitor, &walk), KUSTOMER_ERROR_UNAUTHORIZED);
        CHECK(walk.pages == 1 && walk.errors == 1 && walk.code == KUSTOMER_ERROR_UNAUTHORIZED);
    }
    kustomer_client_free(client);
}

/* --- a hook that makes calls ------------------------------------------------------------------------------------------------------- */

static void the_hook_may_list_while_the_visitor_changes(void)
{
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, NULL);
    hook.client = client;
    login_or_die(client, login_jwt());
    CHECK(hook.visits == 2 && hook.listings == 1 && hook.rows == ALL_ROWS);
    logout_or_die(client);
    CHECK(hook.visits == 4 && hook.heard[2].absent && !hook.heard[3].absent); /* one new visitor, though two asked for it */
    CHECK(hook.listings == 3 && hook.rows == 0);
    kustomer_client_free(client);
}

static void the_hook_may_log_in_again_while_one_logs_out(void)
{
    struct hook hook;
    kustomer_client *client = visitor_client(&hook, NULL);
    login_or_die(client, login_jwt());
    hook.client = client;
    hook.login_when_absent = other_jwt();
    logout_or_die(client);
    CHECK(hook.heard[2].absent && hook.last.verified == KUSTOMER_TRUE && hook.rows == OTHER_ROWS);
    hook.client = NULL;
    CHECK(list_all(client).rows == OTHER_ROWS);
    kustomer_client_free(client);
}

/* --- cancel ------------------------------------------------------------------------------------------------------------------------ */

static void a_triggered_token_ends_both_before_they_send(void)
{
    struct local_server server;
    struct hook hook;
    kustomer_call_options options = KUSTOMER_CALL_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    server_start(&server, SERVER_ANSWERS);
    kustomer_client *client = lazy_client(&hook, &server, "a-token-of-last-week");
    options.cancel = kustomer_cancel_new();
    kustomer_cancel_trigger(options.cancel);
    CHECK_FAILS(kustomer_login(client, login_jwt(), &options, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    CHECK_CODE(kustomer_login(client, login_jwt(), &options, NULL), KUSTOMER_ERROR_CANCELLED);
    CHECK(hook.visits == 0);
    CHECK_FAILS(kustomer_logout(client, &options, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    CHECK(hook.visits == 1 && hook.last.absent); /* who logs out is forgotten, whatever comes of the rest */
    CHECK(server_connections(&server) == 0);
    options.reserved = 1; /* arguments come before the token, and refuse a logout altogether */
    CHECK_CODE(kustomer_logout(client, &options, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(hook.visits == 1);
    kustomer_cancel_free(options.cancel);
    kustomer_client_free(client);
    server_stop(&server);
}

struct blocked {
    pthread_t thread;
    kustomer_client *client;
    kustomer_cancel *token;
    const char *jwt; /* NULL: log out */
};

static void *blocked_run(void *argument)
{
    struct blocked *call = (struct blocked *)argument;
    kustomer_call_options options = KUSTOMER_CALL_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    options.cancel = call->token;
    if (call->jwt != NULL) {
        CHECK_FAILS(kustomer_login(call->client, call->jwt, &options, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    } else {
        CHECK_FAILS(kustomer_logout(call->client, &options, &error), &error, KUSTOMER_ERROR_CANCELLED, NULL);
    }
    return NULL;
}

static void a_call_that_waits_for_the_service_is_cancelled(void)
{
    const char *const jwts[] = {login_jwt(), NULL};
    for (size_t i = 0; i < COUNT(jwts); i++) {
        struct local_server server;
        struct hook hook;
        struct blocked call;
        server_start(&server, SERVER_SILENT);
        call.client = lazy_client(&hook, &server, NULL);
        call.token = kustomer_cancel_new();
        call.jwt = jwts[i];
        REQUIRE(pthread_create(&call.thread, NULL, blocked_run, &call) == 0);
        server_wait_requests(&server, 1);
        const int64_t start = now_ms();
        kustomer_cancel_trigger(call.token);
        pthread_join(call.thread, NULL);
        CHECK(now_ms() - start <= scaled_ms(2000)); /* nobody hangs; the figures are read off elsewhere */
        kustomer_cancel_free(call.token);
        kustomer_client_free(call.client);
        server_stop(&server);
    }
}

static void a_deadline_of_its_own_ends_a_call(void)
{
    struct local_server server;
    struct hook hook;
    kustomer_call_options options = KUSTOMER_CALL_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    server_start(&server, SERVER_SILENT);
    kustomer_client *client = lazy_client(&hook, &server, NULL);
    options.timeout_ms = scaled_ms(500);
    CHECK_FAILS(kustomer_login(client, login_jwt(), &options, &error), &error, KUSTOMER_ERROR_TIMEOUT, "waiting for the answer");
    CHECK_FAILS(kustomer_logout(client, &options, &error), &error, KUSTOMER_ERROR_TIMEOUT, "waiting for the answer");
    kustomer_client_free(client);
    server_stop(&server);
}

/* --- arguments ---------------------------------------------------------------------------------------------------------------------- */

static void a_server_key_logs_nobody_in_or_out(void)
{
    const kustomer_init_options options = server_key_options();
    kustomer_client *client = client_or_die(&options);
    kustomer_call_options call = KUSTOMER_CALL_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    call.cancel = kustomer_cancel_new();
    kustomer_cancel_trigger(call.cancel); /* the kind of key comes before the token */
    const kustomer_call_options *const both[] = {NULL, &call};
    for (size_t i = 0; i < COUNT(both); i++) {
        CHECK_FAILS(kustomer_login(client, login_jwt(), both[i], &error), &error, KUSTOMER_ERROR_UNSUPPORTED, "chat key");
        CHECK_FAILS(kustomer_logout(client, both[i], &error), &error, KUSTOMER_ERROR_UNSUPPORTED, "chat key");
        CHECK_CODE(kustomer_login(client, NULL, both[i], NULL), KUSTOMER_ERROR_INVALID_ARGUMENT); /* and arguments before it */
    }
    kustomer_cancel_free(call.cancel);
    kustomer_client_free(client);
}

static void what_is_no_jwt_and_no_options_is_refused_and_nothing_is_sent(void)
{
    struct local_server server;
    struct hook hook;
    kustomer_error *error = POISON(kustomer_error);
    char *longest = (char *)malloc(16 * 1024 + 2);
    REQUIRE(longest != NULL);
    memset(longest, 'x', 16 * 1024 + 1);
    longest[16 * 1024 + 1] = '\0';
    const char *const jwts[] = {NULL, "", "two words", "a\r\nb", "a\x7f", "gr\xc3\xbc\xc3\x9f", "\xff", longest};
    server_start(&server, SERVER_ANSWERS);
    kustomer_client *client = lazy_client(&hook, &server, NULL);
    for (size_t i = 0; i < COUNT(jwts); i++) {
        CHECK_FAILS(kustomer_login(client, jwts[i], NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`jwt`");
        CHECK_CODE(kustomer_login(client, jwts[i], NULL, NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
    }
    free(longest);
    kustomer_call_options bad[4];
    for (size_t i = 0; i < COUNT(bad); i++) {
        const kustomer_call_options init = KUSTOMER_CALL_OPTIONS_INIT;
        bad[i] = init;
    }
    bad[0].struct_size = 0;
    bad[1].struct_size = 5000;
    bad[2].reserved = 1;
    bad[3].timeout_ms = 86400001;
    const char *const fields[] = {"`struct_size`", "`struct_size`", "`reserved`", "`timeout_ms`"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_FAILS(kustomer_login(client, login_jwt(), &bad[i], &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, fields[i]);
        CHECK_FAILS(kustomer_logout(client, &bad[i], &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, fields[i]);
        CHECK_CODE(kustomer_logout(client, &bad[i], NULL), KUSTOMER_ERROR_INVALID_ARGUMENT);
        CHECK_FAILS(kustomer_login(NULL, login_jwt(), &bad[i], &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, "kustomer_init");
        CHECK_FAILS(kustomer_logout(NULL, &bad[i], &error), &error, KUSTOMER_ERROR_NOT_INITIALIZED, "kustomer_init");
    }
    CHECK(hook.visits == 0 && server_connections(&server) == 0);
    kustomer_client_free(client);
    server_stop(&server);
}

static void whatever_may_be_left_out_may_be_null(void)
{
    kustomer_init_options options = test_options(); /* no hook either */
    options.tracking_token = NULL;
    kustomer_client *client = client_or_die(&options);
    CHECK_CODE(kustomer_login(client, login_jwt(), NULL, NULL), KUSTOMER_OK);
    CHECK(list_all(client).rows == ALL_ROWS);
    CHECK_CODE(kustomer_logout(client, NULL, NULL), KUSTOMER_OK);
    CHECK(list_all(client).rows == 0);
    CHECK_CODE(kustomer_login(NULL, NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK_CODE(kustomer_logout(NULL, NULL, NULL), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK(kustomer_visitor_tracking_token(NULL, NULL) == NULL && kustomer_visitor_tracking_id(NULL, NULL) == NULL);
    CHECK(kustomer_visitor_verified(NULL) == KUSTOMER_UNKNOWN && kustomer_client_visitor(NULL) == NULL);
    kustomer_visitor_free(NULL);
    kustomer_client_free(client);
}

int main(void)
{
    a_login_shows_the_customers_history_and_a_restart_keeps_it();
    a_login_as_somebody_else_shows_their_history_instead();
    a_lazy_client_may_begin_with_its_login();
    a_login_that_is_refused_changes_nothing();
    a_logout_is_told_twice_and_the_new_visitor_has_no_history();
    the_hook_hears_of_a_logout_before_anything_is_sent();
    a_pager_from_before_is_unauthorized_for_ever();
    a_walk_ends_when_its_callback_changes_the_visitor();
    the_hook_may_list_while_the_visitor_changes();
    the_hook_may_log_in_again_while_one_logs_out();
    a_triggered_token_ends_both_before_they_send();
    a_call_that_waits_for_the_service_is_cancelled();
    a_deadline_of_its_own_ends_a_call();
    a_server_key_logs_nobody_in_or_out();
    what_is_no_jwt_and_no_options_is_refused_and_nothing_is_sent();
    whatever_may_be_left_out_may_be_null();
    return check_report();
}

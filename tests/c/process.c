/* What a process does to a library: signals, and fork. */
#include "check.h"
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static void count_free(void *user_data)
{
    ++*(int *)user_data;
}

/* --- SIGPIPE ------------------------------------------------------------------------------------------------------------ */

static int sigpipe_is_default(void)
{
    struct sigaction action;
    return sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* SIGPIPE ends a process that has not asked otherwise: that we get to the end is the test. */
static void a_connection_that_breaks_does_not_end_the_process(void)
{
    struct local_server server;
    REQUIRE(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    server_start(&server, SERVER_RESETS);
    kustomer_client *client = local_client(&server);
    for (int i = 0; i < 5; i++) {
        CHECK_CODE(local_get(client, NULL), KUSTOMER_ERROR_NETWORK);
    }
    server_set_mode(&server, SERVER_ANSWERS_THEN_RESETS);
    for (int i = 0; i < 5; i++) { /* the pooled connection has been cut: writing to it would raise the signal */
        const kustomer_code code = local_get(client, NULL);
        CHECK(code == KUSTOMER_OK || code == KUSTOMER_ERROR_NETWORK);
        server_wait(&server, &server.resets, server_requests(&server));
    }
    CHECK(sigpipe_is_default()); /* what to do about signals is the program's business */
    kustomer_client_free(client);
    server_stop(&server);
}

/* --- fork ----------------------------------------------------------------------------------------------------------------- */

/* A child ends by child_exit, and is ended when it hangs. What it leaves behind on purpose stays reachable in these. */
static struct {
    kustomer_client *client;
    kustomer_pager *pager;
    kustomer_cancel *token;
    int freed;
} inherited;

static pid_t fork_child(void)
{
    fflush(NULL);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        check_failures = 0;
        alarm(scaled_ms(120000) / 1000);
    }
    return child;
}

static void child_exit(void)
{
    fflush(NULL);
    _exit(check_failures != 0);
}

static int child_succeeded(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        fprintf(stderr, "    the child ended with status 0x%x\n", (unsigned)status);
    }
    return status == 0;
}

static void inherit_client(const char *base_url)
{
    kustomer_init_options options = test_options();
    kustomer_error *error = POISON(kustomer_error);
    memset(&inherited, 0, sizeof inherited);
    options.base_url = base_url;
    options.user_data = &inherited.freed;
    options.user_data_free = count_free;
    inherited.client = client_or_die(&options);
    CHECK_OK(kustomer_pager_new(inherited.client, NULL, &inherited.pager, &error), &error);
}

static int next_page(void)
{
    kustomer_response *response = POISON(kustomer_response);
    kustomer_error *error = POISON(kustomer_error);
    CHECK_OK(kustomer_pager_next(inherited.pager, &response, &error), &error);
    const int32_t current = kustomer_response_pages(response)->current;
    kustomer_response_free(response);
    return current;
}

static void free_inherited(void)
{
    kustomer_pager_free(inherited.pager);
    kustomer_client_free(inherited.client);
    CHECK(inherited.freed == 1);
}

static int32_t note_code(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    CHECK(response == NULL);
    CHECK(*(kustomer_code *)user_data == KUSTOMER_OK); /* once */
    *(kustomer_code *)user_data = kustomer_error_code(error);
    return 0;
}

static void check_that_an_inherited_client_is_refused(void)
{
    kustomer_get_conversations_options bad = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    kustomer_response *response = POISON(kustomer_response);
    kustomer_pager *pager = POISON(kustomer_pager);
    kustomer_error *error = POISON(kustomer_error);
    kustomer_code told = KUSTOMER_OK;
    kustomer_client *client = inherited.client;
    bad.page = -1; /* fork is looked at before arguments */
    CHECK_CODE(kustomer_get_conversations(client, &bad, note_code, &told), KUSTOMER_ERROR_UNSUPPORTED);
    CHECK_CODE(told, KUSTOMER_ERROR_UNSUPPORTED);
    CHECK_CODE(kustomer_get_conversations(client, NULL, NULL, NULL), KUSTOMER_ERROR_UNSUPPORTED);
    CHECK_FAILS(kustomer_get_conversations_page(client, NULL, &response, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, "kustomer_init");
    CHECK(response == NULL);
    CHECK_CODE(kustomer_get_conversations_page(client, &bad, NULL, NULL), KUSTOMER_ERROR_UNSUPPORTED);
    CHECK_FAILS(kustomer_pager_new(client, NULL, &pager, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
    CHECK(pager == NULL);
    response = POISON(kustomer_response);
    CHECK_FAILS(kustomer_pager_next(inherited.pager, &response, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
    CHECK(response == NULL);
    CHECK_FAILS(kustomer_login(client, NULL, NULL, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
    CHECK_FAILS(kustomer_logout(client, NULL, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
    CHECK(kustomer_client_settings(client) == NULL);
    CHECK(kustomer_client_visitor(client) == NULL);
}

static void a_child_cannot_use_the_parents_client_but_makes_its_own(void)
{
    for (int client_first = 0; client_first <= 1; client_first++) {
        inherit_client(test_env("KUSTOMER_BASE_URL"));
        const struct listing expected = list_all(inherited.client);
        CHECK(next_page() == 1);
        const pid_t child = fork_child();
        if (child == 0) {
            check_that_an_inherited_client_is_refused();
            if (client_first) {
                kustomer_client_free(inherited.client);
                kustomer_pager_free(inherited.pager);
            } else {
                kustomer_pager_free(inherited.pager);
                kustomer_client_free(inherited.client);
            }
            CHECK(inherited.freed == 1); /* the child's copy */
            kustomer_client *own = test_client();
            CHECK(same_listing(list_all(own), expected));
            kustomer_client_free(own);
            child_exit();
        }
        CHECK(child_succeeded(child));
        CHECK(inherited.freed == 0);
        CHECK(next_page() == 2); /* the parent goes on as if nothing had been */
        CHECK(same_listing(list_all(inherited.client), expected));
        free_inherited();
    }
}

static void a_child_that_frees_the_client_closes_nothing_of_the_parents(void)
{
    struct local_server server;
    server_start(&server, SERVER_ANSWERS);
    inherited.client = local_client(&server);
    CHECK_CODE(local_get(inherited.client, NULL), KUSTOMER_OK);
    const pid_t child = fork_child();
    if (child == 0) {
        kustomer_client_free(inherited.client);
        child_exit();
    }
    CHECK(child_succeeded(child));
    CHECK_CODE(local_get(inherited.client, NULL), KUSTOMER_OK);
    CHECK(server_requests(&server) == 2);
    CHECK(server_connections(&server) == 1); /* kept alive all the time */
    kustomer_client_free(inherited.client);
    server_stop(&server);
}

static void a_token_triggered_in_a_child_does_not_reach_the_parent(void)
{
    struct local_server server;
    struct local_call call;
    server_start(&server, SERVER_SILENT);
    inherited.client = local_client(&server);
    inherited.token = kustomer_cancel_new();
    local_call_start(&call, inherited.client, inherited.token);
    server_wait_requests(&server, 1);
    const pid_t child = fork_child();
    if (child == 0) {
        kustomer_cancel_trigger(inherited.token);
        kustomer_cancel_free(inherited.token);
        child_exit();
    }
    CHECK(child_succeeded(child));
    server_set_mode(&server, SERVER_ANSWERS);
    CHECK_CODE(local_call_join(&call), KUSTOMER_OK);
    CHECK_CODE(local_get(inherited.client, inherited.token), KUSTOMER_OK);
    kustomer_cancel_trigger(inherited.token); /* and the parent can still do it itself */
    CHECK_CODE(local_get(inherited.client, inherited.token), KUSTOMER_ERROR_CANCELLED);
    kustomer_cancel_free(inherited.token);
    kustomer_client_free(inherited.client);
    server_stop(&server);
}

struct busy {
    pthread_t thread;
    struct listing expected;
    int *stop;
};

static void *list_until_stopped(void *argument)
{
    const struct busy *busy = (const struct busy *)argument;
    do {
        CHECK(same_listing(list_all(inherited.client), busy->expected));
    } while (!__atomic_load_n(busy->stop, __ATOMIC_RELAXED));
    return NULL;
}

/* Whatever lock the library holds when fork strikes is held for ever in the child: nothing there may want it. */
static void a_child_of_a_busy_process_frees_what_it_inherits(void)
{
    struct busy busy[3];
    int stop = 0;
    inherit_client(test_env("KUSTOMER_SANDBOX_HTTP_URL"));
    const struct listing expected = list_all(inherited.client);
    for (size_t i = 0; i < COUNT(busy); i++) {
        busy[i].expected = expected;
        busy[i].stop = &stop;
        REQUIRE(pthread_create(&busy[i].thread, NULL, list_until_stopped, &busy[i]) == 0);
    }
    for (int i = 0; i < (time_factor() > 1 ? 3 : 20); i++) {
        const pid_t child = fork_child();
        if (child == 0) {
            check_that_an_inherited_client_is_refused();
            free_inherited();
            child_exit();
        }
        CHECK(child_succeeded(child));
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < COUNT(busy); i++) {
        pthread_join(busy[i].thread, NULL);
    }
    CHECK(inherited.freed == 0);
    free_inherited();
}

/* --- interrupted system calls ------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interruptions;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interruptions = 1;
}

static void set_interruptions(long every_ms)
{
    const suseconds_t us = (suseconds_t)(every_ms % 1000) * 1000;
    const struct itimerval timer = {{every_ms / 1000, us}, {every_ms / 1000, us}};
    REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void interrupted_system_calls_change_nothing(void)
{
    struct sigaction action, before;
    kustomer_client *client = test_client();
    const struct listing expected = list_all(client);
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt; /* without SA_RESTART */
    REQUIRE(sigaction(SIGALRM, &action, &before) == 0);
    set_interruptions((long)time_factor());
    for (int i = 0; i < (time_factor() > 1 ? 2 : 20); i++) {
        kustomer_client *fresh = test_client(); /* connecting is interrupted too */
        CHECK(same_listing(list_all(fresh), expected));
        CHECK(same_listing(list_all(client), expected));
        kustomer_client_free(fresh);
    }
    set_interruptions(0);
    /* An alarm may still be on its way, and the default action ends the process: ignoring it discards it. */
    action.sa_handler = SIG_IGN;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    REQUIRE(sigaction(SIGALRM, &before, NULL) == 0);
    CHECK(interruptions);
    kustomer_client_free(client);
}

int main(void)
{
    a_connection_that_breaks_does_not_end_the_process();
    a_child_cannot_use_the_parents_client_but_makes_its_own();
    a_child_that_frees_the_client_closes_nothing_of_the_parents();
    a_token_triggered_in_a_child_does_not_reach_the_parent();
    a_child_of_a_busy_process_frees_what_it_inherits();
    interrupted_system_calls_change_nothing();
    return check_report();
}

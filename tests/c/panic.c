/* A panic inside the library stays inside it: the call fails with KUSTOMER_ERROR_INTERNAL as with any other code, and all
 * that the caller holds is as good as before. For a library built with the feature `test-hooks` (tests/it/panics.rs). */
#include "check.h"
#include <dirent.h>

/* The nth step from now on this thread panics; 0: none. Steps are calls, requests, answers, waits for a piece of one. */
void kustomer_test_panic(uint32_t nth);

enum { MOST_STEPS = 1000 };

/* --- what a call leaves behind -------------------------------------------------------------------------------------------- */

struct scene {
    kustomer_client *client;
    struct listing expected;
    kustomer_pager *pager;
    kustomer_response *response;
    /* hooks */
    int error_lines;
    int other_lines;
    int frees;
    int visits;
    int absent_visits;
    int panic_when_absent;
    /* the callback */
    int responses;
    int errors;
    kustomer_code code;
};

static void note_line(int32_t level, const char *message, void *user_data)
{
    struct scene *scene = (struct scene *)user_data;
    scene->error_lines += level == KUSTOMER_LOG_ERROR;
    scene->other_lines += level != KUSTOMER_LOG_ERROR;
    CHECK(level != KUSTOMER_LOG_ERROR || strstr(message, "bug in libkustomer") != NULL);
}

static void note_visitor(const kustomer_visitor *visitor, void *user_data)
{
    struct scene *scene = (struct scene *)user_data;
    const int absent = kustomer_visitor_tracking_token(visitor, NULL) == NULL;
    scene->visits++;
    scene->absent_visits += absent;
    if (absent && scene->panic_when_absent) {
        kustomer_test_panic(1);
    }
}

static void note_free(void *user_data)
{
    ((struct scene *)user_data)->frees++;
}

static kustomer_init_options scene_options(struct scene *scene)
{
    kustomer_init_options options = test_options();
    memset(scene, 0, sizeof *scene);
    options.log = note_line;
    options.log_level = KUSTOMER_LOG_ERROR;
    options.on_visitor = note_visitor;
    options.user_data = scene;
    options.user_data_free = note_free;
    return options;
}

static void scene_begin(struct scene *scene)
{
    const kustomer_init_options options = scene_options(scene);
    scene->client = client_or_die(&options);
    scene->expected = list_all(scene->client);
    CHECK(scene->expected.rows == ALL_ROWS);
}

static void scene_end(struct scene *scene)
{
    kustomer_client_free(scene->client);
    CHECK(scene->frees == 1);
}

static int is_as_good_as_before(struct scene *scene)
{
    return same_listing(list_all(scene->client), scene->expected);
}

static int panics;

static kustomer_code disarmed(kustomer_code code)
{
    panics += code == KUSTOMER_ERROR_INTERNAL;
    kustomer_test_panic(0);
    return code;
}

/* The code of a call that panics in its nth step, if it has so many. */
#define PANIC_IN(nth, call) (kustomer_test_panic(nth), disarmed(call))

/* Makes a call by PANIC_IN; its out-pointers are poisoned before, and looked at after. */
typedef kustomer_code call_fn(struct scene *scene, uint32_t nth, kustomer_error **error);

/* What has to hold after the nth step of a call has panicked, beside what holds for all. */
typedef int after_fn(struct scene *scene, uint32_t nth);

/* Panics in the first step of a call, then in its second, and so on until it has no more; how many it has. */
static uint32_t panic_everywhere(struct scene *scene, call_fn *call, after_fn *after)
{
    for (uint32_t nth = 1; nth <= MOST_STEPS; nth++) {
        kustomer_error *error = POISON(kustomer_error);
        scene->error_lines = 0;
        const kustomer_code code = call(scene, nth, &error);
        if (code == KUSTOMER_OK) {
            CHECK(error == NULL && scene->error_lines == 0);
            CHECK(after(scene, 0));
            return nth - 1;
        }
        CHECK_FAILS(code, &error, KUSTOMER_ERROR_INTERNAL, "please report it");
        CHECK(scene->client == NULL || scene->error_lines == 1);
        if (!CHECK(after(scene, nth))) {
            fprintf(stderr, "    after a panic in step %u\n", (unsigned)nth);
        }
    }
    CHECK(!"the call has an end");
    return 0;
}

static kustomer_code call_page(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    scene->response = POISON(kustomer_response);
    const kustomer_code code = PANIC_IN(nth, kustomer_get_conversations_page(scene->client, NULL, &scene->response, error));
    CHECK((scene->response != NULL) == (code == KUSTOMER_OK));
    kustomer_response_free(scene->response);
    return code;
}

/* --- init --------------------------------------------------------------------------------------------------------------------- */

static kustomer_code call_init(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    kustomer_init_options options = test_options();
    kustomer_client *client = POISON(kustomer_client);
    options.log = note_line;
    options.on_visitor = note_visitor;
    options.user_data = scene;
    options.user_data_free = note_free;
    options.tracking_token = NULL; /* so that the hook is called */
    const kustomer_code code = PANIC_IN(nth, kustomer_init(&options, &client, error));
    CHECK((client != NULL) == (code == KUSTOMER_OK));
    scene->client = client;
    return code;
}

static int after_init(struct scene *scene, uint32_t nth)
{
    const int with_hooks = nth > 1; /* in the first step the options have not been looked at */
    return scene->frees == 0 && scene->error_lines == (nth > 0 && with_hooks) && scene->other_lines == 0;
}

static void init_hands_out_a_client_or_an_error(void)
{
    struct scene scene;
    memset(&scene, 0, sizeof scene);
    CHECK(panic_everywhere(&scene, call_init, after_init) > 4); /* two guards, and the answers to two requests */
    CHECK(list_all(scene.client).rows == 0);
    kustomer_client_free(scene.client);
    CHECK(scene.frees == 1);
}

static kustomer_code call_lazy_init(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    kustomer_init_options options = scene_options(scene);
    options.lazy_init = 1;
    scene->client = POISON(kustomer_client);
    const kustomer_code code = PANIC_IN(nth, kustomer_init(&options, &scene->client, error));
    CHECK((scene->client != NULL) == (code == KUSTOMER_OK));
    return code;
}

static int after_lazy_init(struct scene *scene, uint32_t nth)
{
    return scene->frees == 0 && scene->error_lines == (nth > 1);
}

/* What is fetched once for all calls is fetched by the next one when the call that fetches it panics. */
static kustomer_code call_first_list(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    kustomer_init_options options = test_options();
    options.lazy_init = 1;
    options.log = note_line;
    options.user_data = scene;
    kustomer_client_free(scene->client);
    scene->client = client_or_die(&options);
    return call_page(scene, nth, error);
}

static int after_first_list(struct scene *scene, uint32_t nth)
{
    (void)nth;
    return list_all(scene->client).rows == ALL_ROWS;
}

static void a_lazy_client_fetches_what_a_panic_kept_it_from(void)
{
    struct scene scene;
    memset(&scene, 0, sizeof scene);
    CHECK(panic_everywhere(&scene, call_lazy_init, after_lazy_init) == 2);
    kustomer_client_free(scene.client);
    memset(&scene, 0, sizeof scene);
    CHECK(panic_everywhere(&scene, call_first_list, after_first_list) > 6); /* the answers to three requests */
    kustomer_client_free(scene.client);
}

/* --- lists -------------------------------------------------------------------------------------------------------------------- */

static int32_t note_page(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct scene *scene = (struct scene *)user_data;
    CHECK((response == NULL) != (error == NULL));
    CHECK(scene->errors == 0); /* nothing comes after an error */
    scene->responses += response != NULL;
    if (error != NULL) {
        scene->errors++;
        scene->code = kustomer_error_code(error);
    }
    return 0;
}

static void a_walk_ends_with_one_error_after_the_pages_it_delivered(void)
{
    struct scene scene;
    int pages_seen = 0;
    scene_begin(&scene);
    const kustomer_get_conversations_options walk = all_pages();
    kustomer_code code = KUSTOMER_ERROR_INTERNAL;
    uint32_t nth = 1;
    for (; code != KUSTOMER_OK && nth < MOST_STEPS; nth++) {
        scene.responses = 0;
        scene.errors = 0;
        scene.code = KUSTOMER_OK;
        scene.error_lines = 0;
        code = PANIC_IN(nth, kustomer_get_conversations(scene.client, &walk, note_page, &scene));
        CHECK(code == KUSTOMER_OK || code == KUSTOMER_ERROR_INTERNAL);
        CHECK(scene.errors == (code != KUSTOMER_OK) && scene.code == code);
        CHECK(scene.error_lines == (code != KUSTOMER_OK));
        CHECK(scene.responses >= pages_seen); /* a later step, no fewer pages */
        pages_seen = scene.responses;
        CHECK(is_as_good_as_before(&scene));
    }
    CHECK(nth > 3 * ALL_PAGES && nth < MOST_STEPS);
    CHECK(pages_seen == ALL_PAGES);
    CHECK_CODE(PANIC_IN(1, kustomer_get_conversations(scene.client, NULL, NULL, NULL)), KUSTOMER_ERROR_INTERNAL); /* nobody to tell */
    CHECK_CODE(PANIC_IN(1, kustomer_get_conversations(NULL, NULL, NULL, NULL)), KUSTOMER_ERROR_INTERNAL); /* and no log */
    CHECK(is_as_good_as_before(&scene));
    scene_end(&scene);
}

static int after_call(struct scene *scene, uint32_t nth)
{
    (void)nth;
    return is_as_good_as_before(scene);
}

static kustomer_code call_pager_new(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    scene->pager = POISON(kustomer_pager);
    const kustomer_code code = PANIC_IN(nth, kustomer_pager_new(scene->client, NULL, &scene->pager, error));
    CHECK((scene->pager != NULL) == (code == KUSTOMER_OK));
    return code;
}

static kustomer_code call_pager_next(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    scene->response = POISON(kustomer_response);
    const kustomer_code code = PANIC_IN(nth, kustomer_pager_next(scene->pager, &scene->response, error));
    CHECK((scene->response != NULL) == (code == KUSTOMER_OK));
    return code;
}

static void a_page_and_a_pager_say_it_by_an_error(void)
{
    struct scene scene;
    struct listing paged = {0, 0, 0, 0};
    scene_begin(&scene);
    CHECK(panic_everywhere(&scene, call_page, after_call) > 2);
    CHECK(panic_everywhere(&scene, call_pager_new, after_call) == 1);
    for (int page = 0; page < ALL_PAGES; page++) { /* the same page, until it comes: none is lost */
        CHECK(panic_everywhere(&scene, call_pager_next, after_call) > 2);
        listing_add(&paged, scene.response);
        kustomer_response_free(scene.response);
    }
    CHECK(same_listing(paged, scene.expected));
    kustomer_pager_free(scene.pager);
    scene_end(&scene);
}

/* --- callbacks and hooks -------------------------------------------------------------------------------------------------------- */

struct inside {
    struct scene *scene;
    int panic_after; /* in the step that follows the callback, else in the call that it makes */
    int calls;
    int errors;
};

static int32_t panic_inside(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct inside *inside = (struct inside *)user_data;
    kustomer_response *page = POISON(kustomer_response);
    inside->calls++;
    inside->errors += error != NULL;
    if (inside->panic_after) {
        kustomer_test_panic(response != NULL ? 1 : 0);
        return 0;
    }
    CHECK_CODE(PANIC_IN(1, kustomer_get_conversations_page(inside->scene->client, NULL, &page, NULL)), KUSTOMER_ERROR_INTERNAL);
    CHECK(page == NULL);
    CHECK_CODE(kustomer_get_conversations_page(inside->scene->client, NULL, &page, NULL), KUSTOMER_OK);
    kustomer_response_free(page);
    return 0;
}

static void a_panic_beside_a_callback_reaches_it_once(void)
{
    const kustomer_get_conversations_options walk = all_pages();
    struct scene scene;
    scene_begin(&scene);
    struct inside inside = {&scene, 1, 0, 0};
    CHECK_CODE(kustomer_get_conversations(scene.client, &walk, panic_inside, &inside), KUSTOMER_ERROR_INTERNAL);
    CHECK(inside.calls == 2 && inside.errors == 1); /* a page, and in its place the next one's error */
    CHECK(is_as_good_as_before(&scene));
    inside.panic_after = 0;
    inside.calls = 0;
    inside.errors = 0;
    CHECK_CODE(kustomer_get_conversations(scene.client, &walk, panic_inside, &inside), KUSTOMER_OK);
    CHECK(inside.calls == ALL_PAGES && inside.errors == 0); /* the call in the callback is another one */
    inside.calls = 0;
    CHECK_CODE(kustomer_get_conversations(NULL, NULL, panic_inside, &inside), KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK(inside.calls == 1 && inside.errors == 1);
    CHECK(is_as_good_as_before(&scene));
    scene_end(&scene);
}

/* --- login and logout -------------------------------------------------------------------------------------------------------------- */

static kustomer_code call_login(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    return PANIC_IN(nth, kustomer_login(scene->client, test_env("KUSTOMER_SANDBOX_LOGIN_JWT"), NULL, error));
}

static int after_login(struct scene *scene, uint32_t nth)
{
    const size_t rows = list_all(scene->client).rows; /* the service may have accepted it, as when a connection breaks */
    return nth > 0 ? rows == 0 || rows == ALL_ROWS : rows == ALL_ROWS;
}

static kustomer_code call_logout(struct scene *scene, uint32_t nth, kustomer_error **error)
{
    scene->absent_visits = 0;
    const kustomer_code code = PANIC_IN(nth, kustomer_logout(scene->client, NULL, error));
    CHECK(scene->absent_visits == (nth > 1)); /* in the first step nothing was done */
    return code;
}

static int after_logout(struct scene *scene, uint32_t nth)
{
    const size_t rows = list_all(scene->client).rows;
    return nth == 1 ? rows == ALL_ROWS : rows == 0; /* before anything was done; from then on the visitor is forgotten */
}

static void login_and_logout_fail_as_if_the_network_had(void)
{
    struct scene scene;
    kustomer_init_options options = scene_options(&scene);
    options.tracking_token = NULL;
    scene.client = client_or_die(&options);
    CHECK(panic_everywhere(&scene, call_login, after_login) > 4); /* the answers to two requests, and the visitor's change */
    CHECK(panic_everywhere(&scene, call_logout, after_logout) > 2);
    scene_end(&scene);

    options = scene_options(&scene);
    scene.client = client_or_die(&options);
    scene.panic_when_absent = 1; /* in the step after the hook: the request for a new visitor */
    CHECK_CODE(kustomer_logout(scene.client, NULL, NULL), KUSTOMER_ERROR_INTERNAL);
    CHECK(scene.absent_visits == 1 && scene.error_lines == 1 && kustomer_client_visitor(scene.client) == NULL);
    CHECK(list_all(scene.client).rows == 0 && scene.visits == 2);
    scene_end(&scene);
}

/* --- what other threads wait for ------------------------------------------------------------------------------------------------------ */

struct waiting {
    pthread_t thread;
    kustomer_client *client;
    uint32_t panic_in;
    kustomer_code code;
};

static void *list_run(void *argument)
{
    struct waiting *call = (struct waiting *)argument;
    kustomer_test_panic(call->panic_in);
    call->code = kustomer_get_conversations(call->client, NULL, NULL, NULL);
    return NULL;
}

static void nobody_waits_for_a_fetch_that_panicked(void)
{
    int panicked = 0;
    for (uint32_t nth = 2; nth <= 8; nth++) { /* of a call that has the settings under way, one that waits for them */
        struct local_server server;
        struct waiting first, second;
        server_start(&server, SERVER_SILENT);
        kustomer_init_options options = bare_options(server.url);
        options.api_key = test_env("KUSTOMER_API_KEY");
        options.lazy_init = 1;
        first.client = second.client = client_or_die(&options);
        first.panic_in = nth;
        second.panic_in = 0;
        REQUIRE(pthread_create(&first.thread, NULL, list_run, &first) == 0);
        if (nth > 3) { /* else it panics before the server hears of it */
            server_wait_requests(&server, 1);
        }
        REQUIRE(pthread_create(&second.thread, NULL, list_run, &second) == 0);
        server_set_mode(&server, SERVER_ANSWERS); /* with what are no settings */
        pthread_join(first.thread, NULL);
        pthread_join(second.thread, NULL);
        panicked += first.code == KUSTOMER_ERROR_INTERNAL;
        CHECK(first.code == KUSTOMER_ERROR_INTERNAL || first.code == KUSTOMER_ERROR_DECODE);
        CHECK_CODE(second.code, KUSTOMER_ERROR_DECODE); /* a panic is not shared, and not waited for */
        kustomer_client_free(first.client);
        server_stop(&server);
    }
    CHECK(panicked > 2);
}

/* --- what cannot fail ------------------------------------------------------------------------------------------------------------------- */

/* Absent with a panic in its first step; as ever without one. */
#define ABSENT_ONCE(type, call, release)      \
    do {                                      \
        kustomer_test_panic(1);               \
        type *absent_ = call;                 \
        CHECK(absent_ == NULL);               \
        type *present_ = call;                \
        CHECK(present_ != NULL);              \
        release(present_);                    \
    } while (0)

static void what_has_no_code_answers_as_for_nothing(void)
{
    struct scene scene;
    kustomer_error *error = NULL;
    scene_begin(&scene);
    CHECK_CODE(kustomer_get_conversations_page(NULL, NULL, NULL, &error), KUSTOMER_ERROR_NOT_INITIALIZED);
    kustomer_cancel *token = kustomer_cancel_new();
    ABSENT_ONCE(kustomer_settings, kustomer_client_settings(scene.client), kustomer_settings_free);
    ABSENT_ONCE(kustomer_visitor, kustomer_client_visitor(scene.client), kustomer_visitor_free);
    ABSENT_ONCE(kustomer_error, kustomer_error_clone(error), kustomer_error_free);
    ABSENT_ONCE(kustomer_cancel, kustomer_cancel_new(), kustomer_cancel_free);
    ABSENT_ONCE(kustomer_cancel, kustomer_cancel_clone(token), kustomer_cancel_free);

    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.cancel = token;
    kustomer_test_panic(1);
    kustomer_cancel_trigger(token);
    CHECK_CODE(kustomer_get_conversations(scene.client, &options, NULL, NULL), KUSTOMER_OK);
    kustomer_cancel_trigger(token);
    CHECK_CODE(kustomer_get_conversations(scene.client, &options, NULL, NULL), KUSTOMER_ERROR_CANCELLED);
    kustomer_cancel_free(token);
    kustomer_error_free(error);
    CHECK(is_as_good_as_before(&scene));
    scene_end(&scene);
}

/* A free that panics has freed nothing: what it was given may be used, and freed again. */
#define FREED_LATER(object, release, good) \
    do {                                   \
        kustomer_test_panic(1);            \
        release(object);                   \
        CHECK(good);                       \
        release(object);                   \
    } while (0)

static void a_free_that_panics_frees_nothing(void)
{
    struct scene scene;
    kustomer_error *error = NULL;
    kustomer_pager *pager = NULL;
    scene_begin(&scene);
    kustomer_response *response = page_or_die(scene.client, NULL);
    kustomer_settings *settings = kustomer_client_settings(scene.client);
    kustomer_visitor *visitor = kustomer_client_visitor(scene.client);
    kustomer_cancel *token = kustomer_cancel_new();
    CHECK_CODE(kustomer_get_conversations_page(NULL, NULL, NULL, &error), KUSTOMER_ERROR_NOT_INITIALIZED);
    FREED_LATER(response, kustomer_response_free, kustomer_response_conversation_count(response) == PAGE_ROWS);
    FREED_LATER(settings, kustomer_settings_free, kustomer_settings_enabled(settings) == KUSTOMER_TRUE);
    FREED_LATER(visitor, kustomer_visitor_free, kustomer_visitor_tracking_id(visitor, NULL) != NULL);
    FREED_LATER(error, kustomer_error_free, kustomer_error_code(error) == KUSTOMER_ERROR_NOT_INITIALIZED);
    FREED_LATER(token, kustomer_cancel_free, (kustomer_cancel_trigger(token), 1));
    CHECK_CODE(kustomer_pager_new(scene.client, NULL, &pager, NULL), KUSTOMER_OK);
    for (uint32_t nth = 1; nth <= 2; nth++) {
        kustomer_test_panic(nth);
        kustomer_pager_free(pager);
        CHECK_CODE(kustomer_pager_next(pager, &response, NULL), KUSTOMER_OK);
        kustomer_response_free(response);
    }
    kustomer_pager_free(pager);
    FREED_LATER(scene.client, kustomer_client_free, scene.frees == 0 && is_as_good_as_before(&scene));
    CHECK(scene.frees == 1);
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    REQUIRE(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

int main(void)
{
    const int descriptors = open_descriptors();
    init_hands_out_a_client_or_an_error();
    a_lazy_client_fetches_what_a_panic_kept_it_from();
    a_walk_ends_with_one_error_after_the_pages_it_delivered();
    a_page_and_a_pager_say_it_by_an_error();
    a_panic_beside_a_callback_reaches_it_once();
    login_and_logout_fail_as_if_the_network_had();
    nobody_waits_for_a_fetch_that_panicked();
    what_has_no_code_answers_as_for_nothing();
    a_free_that_panics_frees_nothing();
    CHECK(open_descriptors() == descriptors); /* no connection was lost */
    printf("%d panics, ", panics);
    return check_report();
}

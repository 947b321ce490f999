/* A program that loads the library by name, as plugins and other languages do. Not linked with it; KUSTOMER_LIBRARY is its path. */
#include "check.h"
#include "contract.h"
#include <dlfcn.h>

enum { CYCLES = 5 };

static struct {
#define POINTER(name, result, arguments) result(*name) arguments;
    CONTRACT_FUNCTIONS(POINTER)
} api;

static void load(void *library, const char *name, void *pointer, size_t size)
{
    void *symbol = dlsym(library, name);
    REQUIRE(symbol != NULL && size == sizeof symbol);
    memcpy(pointer, &symbol, size); /* ISO C knows no cast from an object's pointer to a function's */
}

static void *open_library(void)
{
    void *library = dlopen(test_env("KUSTOMER_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define LOAD(name, result, arguments) load(library, #name, &api.name, sizeof api.name);
    CONTRACT_FUNCTIONS(LOAD)
    return library;
}

static int32_t count_rows(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    CHECK(error == NULL);
    *(size_t *)user_data += api.kustomer_response_conversation_count(response);
    return 0;
}

static kustomer_client *open_client(void)
{
    const kustomer_init_options options = test_options();
    kustomer_client *client = NULL;
    kustomer_error *error = NULL;
    if (api.kustomer_init(&options, &client, &error) != KUSTOMER_OK) {
        fprintf(stderr, "kustomer_init: %s\n", api.kustomer_error_message(error, NULL));
        exit(1);
    }
    return client;
}

static void check_full_list(kustomer_client *client)
{
    const kustomer_get_conversations_options options = all_pages();
    size_t rows = 0;
    CHECK(api.kustomer_get_conversations(client, &options, count_rows, &rows) == KUSTOMER_OK);
    CHECK(rows == ALL_ROWS);
}

static int is_mapped(void)
{
    void *library = dlopen(test_env("KUSTOMER_LIBRARY"), RTLD_NOW | RTLD_NOLOAD);
    if (library != NULL) {
        dlclose(library);
    }
    return library != NULL;
}

static void the_library_can_be_opened_and_closed_again_and_again(void)
{
    const char *(*version)(void) = NULL;
    CHECK(!is_mapped()); /* else this program proves nothing */
    for (int i = 0; i < CYCLES; i++) {
        void *library = open_library();
        CHECK(version == NULL || version == api.kustomer_version); /* the same mapping as before */
        version = api.kustomer_version;
        CHECK(api.kustomer_version_number() == KUSTOMER_VERSION_NUMBER);
        kustomer_client *client = open_client();
        check_full_list(client);
        api.kustomer_client_free(client);
        CHECK(dlclose(library) == 0);
        CHECK(is_mapped()); /* threads and their destructors may still need its code */
        CHECK(strcmp(version(), KUSTOMER_VERSION) == 0);
    }
}

static void objects_survive_a_close(void)
{
    void *library = open_library();
    kustomer_client *client = open_client();
    kustomer_response *response = NULL;
    CHECK(api.kustomer_get_conversations_page(client, NULL, &response, NULL) == KUSTOMER_OK);
    CHECK(dlclose(library) == 0);
    library = open_library();
    CHECK(api.kustomer_response_conversation_count(response) == PAGE_ROWS);
    check_full_list(client);
    api.kustomer_response_free(response);
    api.kustomer_client_free(client);
    CHECK(dlclose(library) == 0);
}

struct late_thread {
    pthread_barrier_t called, closed;
};

static void *call_and_end_later(void *argument)
{
    struct late_thread *late = (struct late_thread *)argument;
    kustomer_client *client = open_client();
    check_full_list(client);
    api.kustomer_client_free(client);
    pthread_barrier_wait(&late->called);
    pthread_barrier_wait(&late->closed);
    return NULL; /* here run the destructors of what the library keeps for a thread */
}

static void a_thread_that_called_may_end_after_the_close(void)
{
    struct late_thread late;
    pthread_t thread;
    REQUIRE(pthread_barrier_init(&late.called, NULL, 2) == 0 && pthread_barrier_init(&late.closed, NULL, 2) == 0);
    void *library = open_library();
    REQUIRE(pthread_create(&thread, NULL, call_and_end_later, &late) == 0);
    pthread_barrier_wait(&late.called);
    CHECK(dlclose(library) == 0);
    pthread_barrier_wait(&late.closed);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_barrier_destroy(&late.called);
    pthread_barrier_destroy(&late.closed);
}

int main(void)
{
    the_library_can_be_opened_and_closed_again_and_again();
    objects_survive_a_close();
    a_thread_that_called_may_end_after_the_close();
    return check_report();
}

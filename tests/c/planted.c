/* One mistake, chosen by its argument: the tools that watch the other programs must report it. */
#include "check.h"

static volatile long used; /* what is read goes here, lest the compiler see that nobody wants it */

static kustomer_error *some_error(void)
{
    kustomer_client *client;
    kustomer_error *error;
    REQUIRE(kustomer_init(NULL, &client, &error) != KUSTOMER_OK);
    return error;
}

static void read_after_free(void)
{
    kustomer_error *error = some_error();
    const char *message = kustomer_error_message(error, NULL);
    kustomer_error_free(error);
    used = message[0];
}

static void call_after_free(void)
{
    kustomer_error *error = some_error();
    kustomer_error_free(error);
    used = kustomer_error_code(error);
}

static void *lose_an_error(void *argument)
{
    used = kustomer_error_code(some_error());
    return argument;
}

/* In a thread, since no trace of the pointer is left on a stack that is gone. */
static void leak(void)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, lose_an_error, NULL) == 0);
    pthread_join(thread, NULL);
}

static void overflow(void)
{
    volatile int32_t most = INT32_MAX;
    used = most + 1;
}

/* What a thread does and what main does after it, with nothing that orders the two but a relaxed flag. */
static struct {
    int done;
    long plain;
    kustomer_error *error;
} shared;

static void *first(void *argument)
{
    if (shared.error != NULL) {
        used = kustomer_error_code(shared.error);
    } else {
        shared.plain = 1;
    }
    __atomic_store_n(&shared.done, 1, __ATOMIC_RELAXED);
    return argument;
}

static void race(kustomer_error *error)
{
    pthread_t thread;
    shared.error = error;
    REQUIRE(pthread_create(&thread, NULL, first, NULL) == 0);
    while (__atomic_load_n(&shared.done, __ATOMIC_RELAXED) == 0) {
    }
    if (error != NULL) {
        kustomer_error_free(error);
    } else {
        shared.plain = 2;
    }
    pthread_join(thread, NULL);
    used = shared.plain;
}

int main(int argc, char **argv)
{
    const char *mistake = argc > 1 ? argv[1] : "";
    if (strcmp(mistake, "read-after-free") == 0) {
        read_after_free();
    } else if (strcmp(mistake, "call-after-free") == 0) {
        call_after_free();
    } else if (strcmp(mistake, "leak") == 0) {
        leak();
    } else if (strcmp(mistake, "overflow") == 0) {
        overflow();
    } else if (strcmp(mistake, "race") == 0) {
        race(NULL);
    } else if (strcmp(mistake, "race-in-the-library") == 0) {
        race(some_error());
    } else {
        fprintf(stderr, "no such mistake: %s\n", mistake);
        return 2;
    }
    return 0;
}

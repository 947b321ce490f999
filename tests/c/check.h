/* What the test programs share: checks that count, options from the environment, listings that can be compared, and a
 * local server that does as little as it is told. Plain C99, also good as C++11. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <kustomer.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- checks ------------------------------------------------------------------------------------------------------- */

static int check_count;
static int check_failures;
static char check_poison; /* its address stands in out-pointers before a call: they must be written */

static inline int check_(int ok, const char *file, int line, const char *text)
{
    __atomic_fetch_add(&check_count, 1, __ATOMIC_RELAXED);
    if (!ok) {
        __atomic_fetch_add(&check_failures, 1, __ATOMIC_RELAXED);
        fprintf(stderr, "%s:%d: %s\n", file, line, text);
    }
    return ok;
}

static inline void require_(int ok, const char *file, int line, const char *text)
{
    if (!check_(ok, file, line, text)) {
        exit(1);
    }
}

static inline void check_code_(kustomer_code actual, kustomer_code expected, const char *file, int line, const char *text)
{
    if (!check_(actual == expected, file, line, text)) {
        fprintf(stderr, "    is %s, should be %s\n", kustomer_code_name(actual), kustomer_code_name(expected));
    }
}

/* A call that succeeds leaves no error behind. */
static inline void check_ok_(kustomer_code code, kustomer_error **error, const char *file, int line, const char *text)
{
    check_code_(code, KUSTOMER_OK, file, line, text);
    if (!check_(*error == NULL, file, line, "the error is NULL") && *error != (void *)&check_poison) {
        fprintf(stderr, "    %s\n", kustomer_error_message(*error, NULL));
        kustomer_error_free(*error);
    }
    *error = NULL;
}

/* A call that fails says why: an error of the same code, whose message has `word` in it. Frees the error. */
static inline void check_fails_(kustomer_code code, kustomer_error **error, kustomer_code expected, const char *word,
                                const char *file, int line, const char *text)
{
    check_code_(code, expected, file, line, text);
    if (check_(*error != NULL && *error != (void *)&check_poison, file, line, "there is an error")) {
        const char *message = kustomer_error_message(*error, NULL);
        check_(kustomer_error_code(*error) == code, file, line, "the error's code is the one returned");
        if (!check_(*message != '\0' && (word == NULL || strstr(message, word) != NULL), file, line, "the message says it")) {
            fprintf(stderr, "    wanted \"%s\" in: %s\n", word ? word : "", message);
        }
        kustomer_error_free(*error);
    }
    *error = NULL;
}

#define CHECK(condition) check_((condition) ? 1 : 0, __FILE__, __LINE__, #condition)
#define REQUIRE(condition) require_((condition) ? 1 : 0, __FILE__, __LINE__, #condition) /* nothing after it makes sense */
#define CHECK_CODE(code, expected) check_code_((code), (expected), __FILE__, __LINE__, #code)
#define CHECK_OK(code, error) check_ok_((code), (error), __FILE__, __LINE__, #code)
#define CHECK_FAILS(code, error, expected, word) check_fails_((code), (error), (expected), (word), __FILE__, __LINE__, #code)
#define POISON(type) ((type *)(void *)&check_poison)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Texts are always terminated, their length is told, and asking without the length gives the same text. */
#define CHECK_TEXT(get, object)                                                                                        \
    do {                                                                                                               \
        size_t len_ = SIZE_MAX;                                                                                        \
        const char *text_ = get(object, &len_);                                                                        \
        CHECK(text_ != NULL ? text_[len_] == '\0' && strlen(text_) <= len_ : len_ == 0);                               \
        CHECK(same_text(get(object, NULL), text_));                                                                    \
    } while (0)

static inline int same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether a text shows a secret, whole or 16 characters of it. */
static inline int leaks(const char *text, const char *secret)
{
    const size_t len = strlen(secret), part = len < 16 ? len : 16;
    for (size_t i = 0; part > 0 && i + part <= len; i++) {
        if (memmem(text, strlen(text), secret + i, part) != NULL) {
            return 1;
        }
    }
    return 0;
}

/* The last line of every program, and its exit code. */
static inline int check_report(void)
{
    printf("%d checks, %d failed\n", check_count, check_failures);
    return check_failures != 0;
}

/* --- time: bounds are hang guards, stretched where everything is slow ------------------------------------------------ */

static inline double time_factor(void)
{
    const char *text = getenv("KUSTOMER_TEST_TIME_FACTOR");
    const double factor = text != NULL ? strtod(text, NULL) : 1.0;
    return factor >= 1.0 ? factor : 1.0;
}

static inline uint32_t scaled_ms(uint32_t ms)
{
    return (uint32_t)(ms * time_factor());
}

static inline int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- clients ---------------------------------------------------------------------------------------------------------- */

static inline const char *test_env(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL || *value == '\0') {
        fprintf(stderr, "%s is not set; run this by the test driver, or by `cargo run --example sandbox -- --port 0 --run PROGRAM`\n", name);
        exit(2);
    }
    return value;
}

static inline kustomer_init_options bare_options(const char *base_url)
{
    kustomer_init_options options = KUSTOMER_INIT_OPTIONS_INIT;
    options.base_url = base_url;
    options.proxy = "";
    options.max_retries = -1;
    options.timeout_ms = scaled_ms(30000);
    options.connect_timeout_ms = scaled_ms(10000);
    return options;
}

/* The returning visitor, who owns 250 conversations. */
static inline kustomer_init_options test_options(void)
{
    kustomer_init_options options = bare_options(test_env("KUSTOMER_BASE_URL"));
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.ca_file = test_env("KUSTOMER_CA_FILE");
    options.tracking_token = test_env("KUSTOMER_TRACKING_TOKEN");
    return options;
}

static inline kustomer_init_options server_key_options(void)
{
    kustomer_init_options options = test_options();
    options.auth = KUSTOMER_AUTH_API_KEY;
    options.api_key = test_env("KUSTOMER_SANDBOX_SERVER_KEY");
    options.tracking_token = NULL;
    return options;
}

static inline kustomer_client *client_or_die(const kustomer_init_options *options)
{
    kustomer_client *client = NULL;
    kustomer_error *error = NULL;
    if (kustomer_init(options, &client, &error) != KUSTOMER_OK) {
        fprintf(stderr, "kustomer_init: %s\n", kustomer_error_message(error, NULL));
        exit(1);
    }
    return client;
}

static inline kustomer_client *test_client(void)
{
    const kustomer_init_options options = test_options();
    return client_or_die(&options);
}

static inline kustomer_get_conversations_options all_pages(void)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.all_pages = 1;
    return options;
}

static inline kustomer_response *page_or_die(kustomer_client *client, const kustomer_get_conversations_options *options)
{
    kustomer_response *response = NULL;
    kustomer_error *error = NULL;
    if (kustomer_get_conversations_page(client, options, &response, &error) != KUSTOMER_OK) {
        fprintf(stderr, "kustomer_get_conversations_page: %s\n", kustomer_error_message(error, NULL));
        exit(1);
    }
    return response;
}

/* --- listings: what was read, small enough to compare ------------------------------------------------------------------ */

enum { ALL_ROWS = 250, ALL_PAGES = 3, PAGE_ROWS = 100 }; /* what the returning visitor owns, and how the service cuts it */

struct listing {
    size_t pages;
    size_t rows;
    size_t errors;
    uint64_t digest;
};

static inline void digest_bytes(uint64_t *digest, const void *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t i = 0; i < len; i++) {
        *digest = (*digest ^ p[i]) * UINT64_C(1099511628211); /* FNV-1a */
    }
}

static inline void digest_text(uint64_t *digest, const char *text)
{
    if (text != NULL) {
        digest_bytes(digest, text, strlen(text) + 1);
    } else {
        digest_bytes(digest, "\xff", 1);
    }
}

static inline void digest_number(uint64_t *digest, int64_t number)
{
    digest_bytes(digest, &number, sizeof number);
}

static inline uint64_t conversation_digest(const kustomer_conversation *c)
{
    uint64_t digest = UINT64_C(14695981039346656037);
    digest_text(&digest, kustomer_conversation_id(c, NULL));
    digest_text(&digest, kustomer_conversation_created_at(c, NULL));
    digest_number(&digest, kustomer_conversation_created_at_ms(c));
    digest_text(&digest, kustomer_conversation_preview(c, NULL));
    digest_number(&digest, kustomer_conversation_is_in_assistant_mode(c));
    digest_text(&digest, kustomer_conversation_last_message_at(c, NULL));
    digest_number(&digest, kustomer_conversation_last_message_at_ms(c));
    digest_number(&digest, kustomer_conversation_ended(c));
    digest_text(&digest, kustomer_conversation_ended_at(c, NULL));
    digest_text(&digest, kustomer_conversation_end_reason(c, NULL));
    digest_text(&digest, kustomer_conversation_name(c, NULL));
    digest_text(&digest, kustomer_conversation_brand_id(c, NULL));
    digest_number(&digest, kustomer_conversation_unread_count(c));
    return digest;
}

static inline void listing_add(struct listing *listing, const kustomer_response *response)
{
    const size_t count = kustomer_response_conversation_count(response);
    for (size_t i = 0; i < count; i++) {
        digest_number(&listing->digest, (int64_t)conversation_digest(kustomer_response_conversation(response, i)));
    }
    listing->rows += count;
    listing->pages++;
}

/* A kustomer_get_conversations_fn whose user_data is a struct listing. */
static inline int32_t listing_callback(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct listing *listing = (struct listing *)user_data;
    CHECK((response == NULL) != (error == NULL));
    if (response != NULL) {
        listing_add(listing, response);
    } else {
        listing->errors++;
    }
    return 0;
}

static inline struct listing list(kustomer_client *client, const kustomer_get_conversations_options *options)
{
    struct listing listing = {0, 0, 0, 0};
    CHECK_CODE(kustomer_get_conversations(client, options, listing_callback, &listing), KUSTOMER_OK);
    CHECK(listing.errors == 0);
    return listing;
}

static inline struct listing list_all(kustomer_client *client)
{
    const kustomer_get_conversations_options options = all_pages();
    return list(client, &options);
}

static inline int same_listing(struct listing a, struct listing b)
{
    return a.pages == b.pages && a.rows == b.rows && a.digest == b.digest;
}

/* --- a local server ------------------------------------------------------------------------------------------------------ */

enum server_mode {
    SERVER_SILENT,              /* accepts, reads, never answers */
    SERVER_ANSWERS,             /* one page with one conversation, to whatever is asked, also to what still waits */
    SERVER_RESETS,              /* RST as soon as a request has been read */
    SERVER_ANSWERS_THEN_RESETS  /* answers, then FIN, then RST: the next write to that connection raises SIGPIPE */
};

struct server_connection {
    int fd;
    int matched; /* how much of the header's end has been seen */
    int waiting; /* a request that has no answer yet */
};

struct local_server {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int listener;
    int wake[2];
    char url[40]; /* http://127.0.0.1:PORT */
    char tls_url[40];
    /* all below under `lock` */
    enum server_mode mode;
    int stop;
    int accepted;
    int requests;
    int resets;
    int probe_port;
    int probe_seen;
    /* the thread's own */
    struct server_connection connections[64];
    size_t connection_count;
};

static inline void server_count(struct local_server *server, int *counter)
{
    pthread_mutex_lock(&server->lock);
    ++*counter;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static inline void server_accept(struct local_server *server)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    const int fd = accept(server->listener, (struct sockaddr *)&peer, &len);
    if (fd < 0) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    const int is_probe = ntohs(peer.sin_port) == server->probe_port;
    pthread_mutex_unlock(&server->lock);
    if (is_probe) {
        close(fd);
        server_count(server, &server->probe_seen);
    } else if (server->connection_count == COUNT(server->connections)) {
        fprintf(stderr, "the local server has no room for another connection\n");
        exit(1);
    } else {
        struct server_connection *c = &server->connections[server->connection_count++];
        c->fd = fd;
        c->matched = 0;
        c->waiting = 0;
        server_count(server, &server->accepted);
    }
}

/* 0 when the connection is over. */
static inline int server_read(struct local_server *server, struct server_connection *c)
{
    static const char end[] = "\r\n\r\n";
    char bytes[4096];
    const ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    for (ssize_t i = 0; i < n; i++) {
        c->matched = bytes[i] == end[c->matched] ? c->matched + 1 : bytes[i] == '\r';
        if (c->matched == 4) {
            c->matched = 0;
            c->waiting = 1;
            server_count(server, &server->requests);
        }
    }
    return 1;
}

/* 0 when the connection is over. */
static inline int server_answer(struct local_server *server, struct server_connection *c, enum server_mode mode)
{
    static const char body[] =
        "{\"meta\":{\"page\":1,\"pageSize\":100,\"total\":1,\"totalPages\":1},\"data\":[{\"type\":\"chat_session\",\"id\":\"local-1\","
        "\"attributes\":{\"preview\":\"hi\",\"createdAt\":\"2026-10-21T14:02:11.925Z\",\"lockedAt\":null}}]}";
    char answer[1024];
    c->waiting = 0;
    if (mode != SERVER_RESETS) {
        const int len = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                                 (int)strlen(body), body);
        if (send(c->fd, answer, (size_t)len, MSG_NOSIGNAL) != len) {
            return 0;
        }
    }
    if (mode == SERVER_ANSWERS) {
        return 1;
    }
    if (mode == SERVER_ANSWERS_THEN_RESETS) {
        shutdown(c->fd, SHUT_WR);
    }
    const struct linger at_once = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    c->fd = -1;
    server_count(server, &server->resets);
    return 0;
}

static inline void *server_run(void *argument)
{
    struct local_server *server = (struct local_server *)argument;
    for (;;) {
        struct pollfd fds[2 + COUNT(server->connections)];
        pthread_mutex_lock(&server->lock);
        const enum server_mode mode = server->mode;
        const int stop = server->stop;
        pthread_mutex_unlock(&server->lock);
        if (stop) {
            return NULL;
        }
        fds[0].fd = server->listener;
        fds[1].fd = server->wake[0];
        size_t kept = 0;
        for (size_t i = 0; i < server->connection_count; i++) { /* what waits is answered as soon as the mode allows it */
            struct server_connection c = server->connections[i];
            if (c.waiting && mode != SERVER_SILENT && !server_answer(server, &c, mode)) {
                if (c.fd >= 0) {
                    close(c.fd);
                }
                continue;
            }
            server->connections[kept] = c;
            fds[2 + kept++].fd = c.fd;
        }
        server->connection_count = kept;
        for (size_t i = 0; i < 2 + kept; i++) {
            fds[i].events = POLLIN;
            fds[i].revents = 0;
        }
        if (poll(fds, (nfds_t)(2 + kept), -1) <= 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            char byte;
            if (read(server->wake[0], &byte, 1) < 0 && errno != EINTR) {
                return NULL;
            }
        }
        size_t alive = 0;
        for (size_t i = 0; i < kept; i++) {
            struct server_connection c = server->connections[i];
            if (fds[2 + i].revents != 0 && !server_read(server, &c)) {
                close(c.fd);
            } else {
                server->connections[alive++] = c;
            }
        }
        server->connection_count = alive;
        if (fds[0].revents != 0) {
            server_accept(server);
        }
    }
}

static inline int loopback_socket(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)address, len) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)address, &len) == 0);
    return fd;
}

static inline void server_start(struct local_server *server, enum server_mode mode)
{
    struct sockaddr_in address;
    memset(server, 0, sizeof *server);
    server->mode = mode;
    server->listener = loopback_socket(&address);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", (int)ntohs(address.sin_port));
    snprintf(server->tls_url, sizeof server->tls_url, "https://127.0.0.1:%d", (int)ntohs(address.sin_port));
    REQUIRE(listen(server->listener, 128) == 0 && pipe(server->wake) == 0);
    REQUIRE(pthread_mutex_init(&server->lock, NULL) == 0 && pthread_cond_init(&server->changed, NULL) == 0);
    REQUIRE(pthread_create(&server->thread, NULL, server_run, server) == 0);
}

static inline void server_wake(struct local_server *server)
{
    while (write(server->wake[1], "", 1) != 1) {
        REQUIRE(errno == EINTR);
    }
}

static inline void server_set_mode(struct local_server *server, enum server_mode mode)
{
    pthread_mutex_lock(&server->lock);
    server->mode = mode;
    pthread_mutex_unlock(&server->lock);
    server_wake(server);
}

static inline void server_wait(struct local_server *server, const int *counter, int at_least)
{
    struct timespec until;
    int result = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += scaled_ms(60000) / 1000;
    pthread_mutex_lock(&server->lock);
    while (*counter < at_least && result == 0) {
        result = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    REQUIRE(result == 0);
}

/* Returns when `at_least` requests have arrived, ever. */
static inline void server_wait_requests(struct local_server *server, int at_least)
{
    server_wait(server, &server->requests, at_least);
}

static inline int server_requests(struct local_server *server)
{
    pthread_mutex_lock(&server->lock);
    const int requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}

/* How many connections were ever made. Connections are accepted in order: once one of our own has been, all before it have. */
static inline int server_connections(struct local_server *server)
{
    struct sockaddr_in from, to;
    socklen_t len = sizeof to;
    const int fd = loopback_socket(&from);
    pthread_mutex_lock(&server->lock);
    const int seen = server->probe_seen;
    server->probe_port = ntohs(from.sin_port);
    pthread_mutex_unlock(&server->lock);
    REQUIRE(getsockname(server->listener, (struct sockaddr *)&to, &len) == 0);
    REQUIRE(connect(fd, (struct sockaddr *)&to, len) == 0);
    server_wait(server, &server->probe_seen, seen + 1);
    close(fd);
    pthread_mutex_lock(&server->lock);
    const int accepted = server->accepted;
    server->probe_port = 0;
    pthread_mutex_unlock(&server->lock);
    return accepted;
}

static inline void server_stop(struct local_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stop = 1;
    pthread_mutex_unlock(&server->lock);
    server_wake(server);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->connection_count; i++) {
        close(server->connections[i].fd);
    }
    close(server->listener);
    close(server->wake[0]);
    close(server->wake[1]);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
}

/* A client of the local server. A server key needs no settings and no visitor: its first request is the list. */
static inline kustomer_client *local_client(const struct local_server *server)
{
    kustomer_init_options options = bare_options(server->url);
    options.auth = KUSTOMER_AUTH_API_KEY;
    options.api_key = "local-server-key";
    return client_or_die(&options);
}

static inline kustomer_get_conversations_options local_options(kustomer_cancel *cancel)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.customer_id = "somebody";
    options.cancel = cancel;
    return options;
}

/* One page from the local server; only the code matters. */
static inline kustomer_code local_get(kustomer_client *client, kustomer_cancel *cancel)
{
    const kustomer_get_conversations_options options = local_options(cancel);
    kustomer_response *response = POISON(kustomer_response);
    const kustomer_code code = kustomer_get_conversations_page(client, &options, &response, NULL);
    CHECK((code == KUSTOMER_OK) == (response != NULL));
    kustomer_response_free(response);
    return code;
}

/* The same on a thread of its own: start, do what has to happen meanwhile, join. */
struct local_call {
    pthread_t thread;
    kustomer_client *client;
    kustomer_cancel *cancel;
    kustomer_code code;
};

static inline void *local_call_run(void *argument)
{
    struct local_call *call = (struct local_call *)argument;
    call->code = local_get(call->client, call->cancel);
    return NULL;
}

static inline void local_call_start(struct local_call *call, kustomer_client *client, kustomer_cancel *cancel)
{
    call->client = client;
    call->cancel = cancel;
    call->code = -1;
    REQUIRE(pthread_create(&call->thread, NULL, local_call_run, call) == 0);
}

static inline kustomer_code local_call_join(struct local_call *call)
{
    pthread_join(call->thread, NULL);
    return call->code;
}

#endif

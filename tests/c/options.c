/* What the options structs may hold, how large they may be, and that a refused call sends nothing. Every client here is
 * lazy and its origin is a listener of ours, at which no connection may arrive. */
#include "check.h"
#include <sys/mman.h>
#include <sys/stat.h>

static struct local_server listener;
static kustomer_client *chat;   /* a visitor's client */
static kustomer_client *server; /* a client with a server key */

static kustomer_init_options chat_options(void)
{
    kustomer_init_options options = bare_options(listener.tls_url);
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.lazy_init = 1;
    return options;
}

static kustomer_init_options server_options(void)
{
    kustomer_init_options options = bare_options(listener.tls_url);
    options.auth = KUSTOMER_AUTH_API_KEY;
    options.api_key = "a-server-key";
    options.lazy_init = 1;
    return options;
}

/* --- sizes --------------------------------------------------------------------------------------------------------- */

typedef kustomer_code (*attempt_fn)(const void *options, kustomer_error **out_error);

static kustomer_code attempt_init(const void *options, kustomer_error **out_error)
{
    kustomer_client *client = POISON(kustomer_client);
    const kustomer_code code = kustomer_init((const kustomer_init_options *)options, &client, out_error);
    CHECK((code == KUSTOMER_OK) == (client != NULL));
    kustomer_client_free(client);
    return code;
}

static kustomer_code attempt_pager(const void *options, kustomer_error **out_error)
{
    kustomer_pager *pager = POISON(kustomer_pager);
    const kustomer_code code = kustomer_pager_new(chat, (const kustomer_get_conversations_options *)options, &pager, out_error);
    CHECK((code == KUSTOMER_OK) == (pager != NULL));
    kustomer_pager_free(pager);
    return code;
}

/* With a server key a login is refused only after its options have been looked at. */
static kustomer_code attempt_login(const void *options, kustomer_error **out_error)
{
    return kustomer_login(server, "e30.e30.e30", (const kustomer_call_options *)options, out_error);
}

static kustomer_code attempt_logout(const void *options, kustomer_error **out_error)
{
    return kustomer_logout(server, (const kustomer_call_options *)options, out_error);
}

struct outcome {
    kustomer_code code;
    char message[1024];
};

static struct outcome outcome(attempt_fn attempt, const void *options)
{
    struct outcome result;
    kustomer_error *error = POISON(kustomer_error);
    memset(&result, 0, sizeof result);
    result.code = attempt(options, &error);
    CHECK(kustomer_error_code(error) == result.code);
    snprintf(result.message, sizeof result.message, "%s", kustomer_error_message(error, NULL));
    kustomer_error_free(error);
    return result;
}

enum { GUARD = 0xa5, LARGEST = 4096 };

static unsigned char *pages_start; /* three pages, and behind them one that nobody may touch */
static unsigned char *pages_end;

static void map_pages(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(map != MAP_FAILED);
    pages_start = (unsigned char *)map;
    pages_end = pages_start + 3 * page;
    REQUIRE(mprotect(pages_end, page, PROT_NONE) == 0);
}

static void unmap_pages(void)
{
    munmap(pages_start, (size_t)(pages_end - pages_start) + (size_t)sysconf(_SC_PAGESIZE));
}

/* Calls with a struct of which `readable` bytes lie directly before `behind`; around it stand guard bytes. Mostly unaligned. */
static struct outcome outcome_at(attempt_fn attempt, const unsigned char *bytes, size_t readable, unsigned char *behind)
{
    unsigned char *place = behind - readable;
    memset(pages_start, GUARD, (size_t)(pages_end - pages_start));
    memcpy(place, bytes, readable);
    const struct outcome result = outcome(attempt, place);
    CHECK(memcmp(place, bytes, readable) == 0);
    int guards = 1;
    for (const unsigned char *p = pages_start; p < pages_end; p++) {
        guards = guards && ((p >= place && p < behind) || *p == GUARD);
    }
    CHECK(guards);
    return result;
}

/* Once where the byte behind it can be read and is not zero, once where it cannot be read. */
static struct outcome outcome_in_both_places(attempt_fn attempt, const unsigned char *bytes, size_t readable)
{
    const struct outcome in_the_middle = outcome_at(attempt, bytes, readable, pages_end - 64);
    const struct outcome at_the_end = outcome_at(attempt, bytes, readable, pages_end);
    CHECK(in_the_middle.code == at_the_end.code && strcmp(in_the_middle.message, at_the_end.message) == 0);
    return at_the_end;
}

static void check_size(attempt_fn attempt, const void *plain, size_t plain_size, size_t size)
{
    unsigned char bytes[LARGEST];
    const struct outcome expected = outcome(attempt, plain);
    size_t readable = size;
    if (size < sizeof(size_t) || size > LARGEST) {
        readable = sizeof(size_t); /* enough to see that the size is none */
    }
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, plain, plain_size < readable ? plain_size : readable);
    memcpy(bytes, &size, sizeof size);
    const struct outcome zero_tail = outcome_in_both_places(attempt, bytes, readable);
    if (size < plain_size || size > LARGEST) {
        CHECK_CODE(zero_tail.code, KUSTOMER_ERROR_INVALID_ARGUMENT);
        CHECK(strstr(zero_tail.message, "struct_size") != NULL);
        return;
    }
    CHECK_CODE(zero_tail.code, expected.code);
    CHECK(strcmp(zero_tail.message, expected.message) == 0);
    const size_t tails[] = {plain_size, plain_size + (size - plain_size) / 2, size - 1};
    for (size_t i = 0; size > plain_size && i < COUNT(tails); i++) {
        bytes[tails[i]] = 1;
        const struct outcome tail = outcome_in_both_places(attempt, bytes, readable);
        CHECK_CODE(tail.code, KUSTOMER_ERROR_UNSUPPORTED);
        CHECK(strcmp(tail.message, expected.message) != 0);
        bytes[tails[i]] = 0;
    }
}

static void check_sizes(attempt_fn attempt, const void *plain, size_t plain_size)
{
    const size_t odd[] = {LARGEST - 1, LARGEST,      LARGEST + 1,      LARGEST * 2,   (size_t)1 << (sizeof(size_t) * 4),
                          SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 7, SIZE_MAX};
    for (size_t size = 0; size <= plain_size + 64; size++) {
        check_size(attempt, plain, plain_size, size);
    }
    for (size_t i = 0; i < COUNT(odd); i++) {
        check_size(attempt, plain, plain_size, odd[i]);
    }
}

static void options_of_another_size_are_read_no_further_than_they_say(void)
{
    const kustomer_init_options init = chat_options();
    const kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    const kustomer_call_options call = KUSTOMER_CALL_OPTIONS_INIT;
    map_pages();
    check_sizes(attempt_init, &init, sizeof init);
    check_sizes(attempt_pager, &get, sizeof get);
    check_sizes(attempt_login, &call, sizeof call);
    check_sizes(attempt_logout, &call, sizeof call);
    unmap_pages();
}

static void all_bytes_zero_and_a_size_are_the_defaults(void)
{
    kustomer_init_options init, init_macro = KUSTOMER_INIT_OPTIONS_INIT;
    kustomer_get_conversations_options get;
    kustomer_error *error = POISON(kustomer_error);
    memset(&init, 0, sizeof init);
    memset(&get, 0, sizeof get);
    init.struct_size = sizeof init;
    get.struct_size = sizeof get;
    CHECK_FAILS(attempt_init(&init, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`api_key`");
    init.api_key = init_macro.api_key = test_env("KUSTOMER_API_KEY");
    init.lazy_init = init_macro.lazy_init = 1;
    CHECK_OK(attempt_init(&init, &error), &error);
    CHECK_OK(attempt_init(&init_macro, &error), &error);
    CHECK_OK(attempt_pager(&get, &error), &error);
}

static void null_options_are_the_defaults(void)
{
    const kustomer_call_options call = KUSTOMER_CALL_OPTIONS_INIT;
    kustomer_error *error = POISON(kustomer_error);
    CHECK_FAILS(attempt_init(NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`api_key`"); /* which has no default */
    CHECK_OK(attempt_pager(NULL, &error), &error);
    const struct outcome with = outcome(attempt_login, &call), without = outcome(attempt_login, NULL);
    CHECK(with.code == without.code && strcmp(with.message, without.message) == 0);
}

static void options_are_not_kept(void)
{
    kustomer_init_options *options = (kustomer_init_options *)malloc(sizeof *options);
    char *key = strdup(test_env("KUSTOMER_API_KEY")), *brand = strdup("brand");
    kustomer_client *client = NULL;
    kustomer_error *error = POISON(kustomer_error);
    REQUIRE(options != NULL && key != NULL && brand != NULL);
    *options = chat_options();
    options->api_key = key;
    options->brand_id = brand;
    CHECK_OK(kustomer_init(options, &client, &error), &error);
    memset(key, 'x', strlen(key));
    free(key);
    free(brand);
    free(options);
    kustomer_client_free(client);
}

/* --- fields of kustomer_init_options ------------------------------------------------------------------------------------ */

#define INIT_IS(code, word, base, change)                                        \
    do {                                                                         \
        kustomer_init_options o = base();                                        \
        kustomer_error *error = POISON(kustomer_error);                          \
        change;                                                                  \
        if ((code) == KUSTOMER_OK) {                                             \
            CHECK_OK(attempt_init(&o, &error), &error);                          \
        } else {                                                                 \
            CHECK_FAILS(attempt_init(&o, &error), &error, code, word);           \
        }                                                                        \
    } while (0)
#define INIT_REFUSED(word, change) INIT_IS(KUSTOMER_ERROR_INVALID_ARGUMENT, word, chat_options, change)
#define INIT_ACCEPTED(change) INIT_IS(KUSTOMER_OK, NULL, chat_options, change)
#define SERVER_INIT_REFUSED(word, change) INIT_IS(KUSTOMER_ERROR_INVALID_ARGUMENT, word, server_options, change)
#define SERVER_INIT_ACCEPTED(change) INIT_IS(KUSTOMER_OK, NULL, server_options, change)

static void a_number_out_of_range_is_named(void)
{
    INIT_REFUSED("`auth`", o.auth = 2);
    INIT_REFUSED("`auth`", o.auth = -1);
    INIT_REFUSED("`lazy_init`", o.lazy_init = 2);
    INIT_REFUSED("`lazy_init`", o.lazy_init = UINT32_MAX);
    INIT_REFUSED("`connect_timeout_ms`", o.connect_timeout_ms = 600001);
    INIT_REFUSED("`connect_timeout_ms`", o.connect_timeout_ms = UINT32_MAX);
    INIT_REFUSED("`timeout_ms`", o.timeout_ms = 86400001);
    INIT_REFUSED("`timeout_ms`", o.timeout_ms = UINT32_MAX);
    INIT_REFUSED("`max_retries`", o.max_retries = 11);
    INIT_REFUSED("`max_retries`", o.max_retries = -2);
    INIT_REFUSED("`max_retries`", o.max_retries = INT32_MIN);
    INIT_REFUSED("`max_response_bytes`", o.max_response_bytes = 1);
    INIT_REFUSED("`max_response_bytes`", o.max_response_bytes = 1023);
    INIT_REFUSED("`max_response_bytes`", o.max_response_bytes = (1u << 30) + 1);
    INIT_REFUSED("`max_response_bytes`", o.max_response_bytes = UINT32_MAX);
    INIT_REFUSED("`log_level`", o.log_level = 5);
    INIT_REFUSED("`log_level`", o.log_level = -1);
    INIT_REFUSED("`reserved`", o.reserved = 1);
}

static void a_number_at_its_bound_is_fine(void)
{
    INIT_ACCEPTED(o.connect_timeout_ms = 600000);
    INIT_ACCEPTED(o.connect_timeout_ms = 1);
    INIT_ACCEPTED(o.timeout_ms = 86400000);
    INIT_ACCEPTED(o.timeout_ms = 1);
    INIT_ACCEPTED(o.max_retries = -1);
    INIT_ACCEPTED(o.max_retries = 0);
    INIT_ACCEPTED(o.max_retries = 10);
    INIT_ACCEPTED(o.max_response_bytes = 1024);
    INIT_ACCEPTED(o.max_response_bytes = 1u << 30);
    INIT_ACCEPTED(o.log_level = KUSTOMER_LOG_ERROR);
    INIT_ACCEPTED(o.log_level = KUSTOMER_LOG_DEBUG);
    INIT_ACCEPTED(o.connect_timeout_ms = o.timeout_ms = o.max_response_bytes = 0);
}

static char *repeated(char c, size_t len)
{
    static char text[20000];
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

enum { EMPTY_IS_FINE = 1, IS_A_PATH = 2 };

static void a_text_that_cannot_be_is_named(void)
{
#define TEXT(member, limit, how) {"`" #member "`", offsetof(kustomer_init_options, member), limit, how}
    static const struct {
        const char *name;
        size_t offset;
        size_t limit;
        int how;
    } texts[] = {
        TEXT(api_key, 16384, 0),          TEXT(base_url, 4096, 0),       TEXT(host_domain, 4096, 0),
        TEXT(brand_id, 4096, 0),          TEXT(lang, 4096, 0),           TEXT(tracking_token, 16384, EMPTY_IS_FINE),
        TEXT(user_agent, 4096, 0),        TEXT(proxy, 4096, EMPTY_IS_FINE), TEXT(ca_file, 4096, IS_A_PATH),
    };
    static const char *const no_utf8[] = {"a\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
    static const char *const no_header[] = {"a\rb", "a\nb", "a\r\nX-Injected: 1", "\x01", "a\x7f", "a\xc2\x85", "\xc3\xa9", "a\t"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *value;
#define SET memcpy((char *)&o + texts[i].offset, &value, sizeof value); \
        if (texts[i].offset == offsetof(kustomer_init_options, host_domain)) { o.base_url = NULL; } /* it has no meaning with one */
        for (size_t j = 0; j < COUNT(no_utf8); j++) {
            value = no_utf8[j];
            INIT_REFUSED(texts[i].name, SET);
        }
        for (size_t j = 0; j < COUNT(no_header) && texts[i].how != IS_A_PATH; j++) {
            value = no_header[j];
            INIT_REFUSED(texts[i].name, SET);
        }
        value = "";
        if (texts[i].how == EMPTY_IS_FINE) {
            INIT_ACCEPTED(SET);
        } else {
            INIT_REFUSED(texts[i].name, SET);
        }
        value = repeated('a', texts[i].limit + 1);
        INIT_REFUSED(texts[i].name, SET);
    }
    INIT_ACCEPTED(o.brand_id = repeated('a', 4096));
    INIT_ACCEPTED(o.tracking_token = repeated('a', 16384));
    SERVER_INIT_ACCEPTED(o.api_key = repeated('k', 16384));
    SERVER_INIT_REFUSED("`api_key`", o.api_key = repeated('k', 16385));
    SERVER_INIT_REFUSED("`api_key`", o.api_key = "key\r\nX-Injected: 1");
    SERVER_INIT_REFUSED("`api_key`", o.api_key = "cl\xc3\xa9");
    SERVER_INIT_REFUSED("`api_key`", o.api_key = "");
    SERVER_INIT_REFUSED("`api_key`", o.api_key = NULL);
    INIT_REFUSED("`api_key`", o.api_key = NULL);
}

static void a_key_must_fit_its_kind(void)
{
    static const char *const no_chat_keys[] = {
        "abc", "a.b", "a.b.c.d", "e30.!.e30", "e30..e30", "e30.e30.e30" /* {} */, "e30.eyJvcmdOYW1lIjoiIn0.e30" /* "orgName":"" */,
        "e30.eyJvcmdOYW1lIjoiYS9iIn0.e30" /* "a/b" */, "e30.eyJvcmdOYW1lIjo1fQ.e30" /* 5 */,
    };
    for (size_t i = 0; i < COUNT(no_chat_keys); i++) {
        INIT_REFUSED("`api_key`", o.api_key = no_chat_keys[i]);
        INIT_REFUSED("`api_key`", (o.api_key = no_chat_keys[i], o.base_url = NULL));
    }
    SERVER_INIT_ACCEPTED(o.api_key = "abc"); /* need not be a JWT where the origin is given */
    SERVER_INIT_REFUSED("`api_key`", (o.api_key = "abc", o.base_url = NULL));
    SERVER_INIT_REFUSED("`tracking_token`", o.tracking_token = "e30.e30.e30");
    SERVER_INIT_ACCEPTED(o.tracking_token = "");
}

static void a_base_url_is_an_origin(void)
{
    static const char *const refused[] = {
        "http://example.com", "http://192.168.1.1", "http://128.0.0.1", "http://localhost.example.com", "http://127.0.0.1.example.com",
        "http://[::2]", "http://0.0.0.0", "https://user@localhost", "https://user:password@localhost:1", "https://localhost@example.com",
        "https://localhost/path", "https://localhost/?q", "https://localhost?q=1", "https://localhost/#f", "https://localhost#f",
        "https://localhost//", "ftp://localhost", "file:///etc/passwd", "localhost", "//localhost", "https://", "https:///",
        "https://:443", "https://localhost:65536", "https://localhost:port", "https://local host", "https://[::1", "https://::1",
    };
    static const char *const fine[] = {
        "https://example.com", "https://example.com/", "https://example.com:8443", "https://[2001:db8::1]:8443", "https://192.0.2.1",
        "http://127.0.0.1:1", "http://127.255.0.1/", "http://[::1]:8080", "http://localhost", "http://localhost:1/",
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        INIT_REFUSED("`base_url`", o.base_url = refused[i]);
    }
    for (size_t i = 0; i < COUNT(fine); i++) {
        INIT_ACCEPTED(o.base_url = fine[i]);
    }
}

static void a_host_domain_cannot_turn_to_another_host(void)
{
    static const char *const refused[] = {"evil.example/x", "evil.example?", "evil.example#", "@evil.example", "a b", "a..b", ".a"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        INIT_REFUSED("`host_domain`", (o.base_url = NULL, o.host_domain = refused[i]));
    }
    INIT_ACCEPTED((o.base_url = NULL, o.host_domain = "prod2.kustomerapp.com"));
}

static char temporary_folder[] = "/tmp/kustomer-options-XXXXXX";

/* A file whose text is `first` and then `second`; the path is overwritten by the next call. */
static const char *file_with(const char *first, const char *second)
{
    static char path[sizeof temporary_folder + 16];
    snprintf(path, sizeof path, "%s/ca.pem", temporary_folder);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL && fputs(first, file) >= 0 && fputs(second, file) >= 0 && fclose(file) == 0);
    return path;
}

static char *text_of_file(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void a_ca_file_that_is_none_is_named(void)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const char *good = text_of_file(test_env("KUSTOMER_CA_FILE"));
    REQUIRE(mkdtemp(temporary_folder) != NULL);
    INIT_REFUSED("/no/such/file.pem", o.ca_file = "/no/such/file.pem");
    INIT_REFUSED(temporary_folder, o.ca_file = temporary_folder);
    INIT_REFUSED("ca.pem", o.ca_file = file_with("", ""));
    INIT_REFUSED("ca.pem", o.ca_file = file_with("junk", "\n\n"));
    INIT_REFUSED("ca.pem", o.ca_file = file_with(broken, ""));
    INIT_REFUSED("ca.pem", o.ca_file = file_with(good, broken)); /* any that does not parse */
    INIT_ACCEPTED(o.ca_file = file_with(good, good));
    const char *path = file_with("", "");
    REQUIRE(chmod(path, 0) == 0);
    if (access(path, R_OK) != 0) { /* root can read everything */
        INIT_REFUSED("ca.pem", o.ca_file = path);
    }
    unlink(path);
    rmdir(temporary_folder);
}

static void a_proxy_is_honoured_or_refused(void)
{
    static const char *const refused[] = {
        "socks5://127.0.0.1:1080", "socks5h://127.0.0.1:1080", "socks4://127.0.0.1", "https://127.0.0.1:3128", "ftp://127.0.0.1",
        "http://", "http://:3128", "http://127.0.0.1:65536", "http://127.0.0.1:port", "http://[::1", "http://a b",
    };
    static const char *const fine[] = {
        "http://127.0.0.1:3128", "http://user:password@127.0.0.1:3128", "http://proxy.example", "127.0.0.1:3128", "proxy.example", "",
    };
    static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        INIT_REFUSED("`proxy`", o.proxy = refused[i]);
    }
    for (size_t i = 0; i < COUNT(fine); i++) {
        INIT_ACCEPTED(o.proxy = fine[i]);
    }
    for (size_t i = 0; i < COUNT(variables); i++) {
        setenv(variables[i], "socks5://127.0.0.1:1080", 1);
        INIT_REFUSED(NULL, o.proxy = NULL);
        INIT_ACCEPTED(o.proxy = "");
        unsetenv(variables[i]);
    }
    setenv("HTTP_PROXY", "socks5://127.0.0.1:1080", 1); /* a CGI program's clients can set it: never read */
    INIT_ACCEPTED((o.proxy = NULL, o.base_url = listener.url));
    unsetenv("HTTP_PROXY");
    setenv("http_proxy", "socks5://127.0.0.1:1080", 1);
    INIT_REFUSED(NULL, (o.proxy = NULL, o.base_url = listener.url));
    INIT_ACCEPTED(o.proxy = NULL); /* not for https */
    unsetenv("http_proxy");
}

static void an_error_does_not_show_what_is_secret(void)
{
    kustomer_init_options options = chat_options();
    kustomer_client *client = NULL;
    kustomer_error *error = NULL;
    options.proxy = "socks5://user:hunter2secret@127.0.0.1:1080";
    options.tracking_token = "tracking-token-tracking-token";
    CHECK_CODE(kustomer_init(&options, &client, &error), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(!leaks(kustomer_error_message(error, NULL), "hunter2secret"));
    CHECK(!leaks(kustomer_error_message(error, NULL), options.tracking_token));
    kustomer_error_free(error);
    options.proxy = "";
    options.api_key = "not-a-key-but-still-a-secret";
    CHECK_CODE(kustomer_init(&options, &client, &error), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(!leaks(kustomer_error_message(error, NULL), options.api_key));
    kustomer_error_free(error);
    options.api_key = test_env("KUSTOMER_API_KEY");
    options.tracking_token = "tracking-token\ntracking-token";
    CHECK_CODE(kustomer_init(&options, &client, &error), KUSTOMER_ERROR_INVALID_ARGUMENT);
    CHECK(!leaks(kustomer_error_message(error, NULL), "tracking-token"));
    kustomer_error_free(error);
}

/* --- fields of the other two ------------------------------------------------------------------------------------------------ */

enum { BY_WALK = 1, BY_PAGE = 2, BY_PAGER = 4, BY_ALL = 7 };

struct refusals {
    int calls;
    kustomer_code code;
    int named;
    const char *word;
};

static int32_t note_refusal(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct refusals *refusals = (struct refusals *)user_data;
    CHECK(response == NULL);
    refusals->calls++;
    refusals->code = kustomer_error_code(error);
    refusals->named = strstr(kustomer_error_message(error, NULL), refusals->word) != NULL;
    return 0;
}

static void get_refused(kustomer_client *client, const kustomer_get_conversations_options *o, int by, const char *word, int line)
{
    kustomer_error *error = POISON(kustomer_error);
    const int failures = check_failures;
    if (by & BY_WALK) {
        struct refusals refusals = {0, KUSTOMER_OK, 0, word};
        CHECK_CODE(kustomer_get_conversations(client, o, note_refusal, &refusals), KUSTOMER_ERROR_INVALID_ARGUMENT);
        CHECK(refusals.calls == 1 && refusals.code == KUSTOMER_ERROR_INVALID_ARGUMENT && refusals.named);
    }
    if (by & BY_PAGE) {
        kustomer_response *response = POISON(kustomer_response);
        CHECK_FAILS(kustomer_get_conversations_page(client, o, &response, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, word);
        CHECK(response == NULL);
    }
    if (by & BY_PAGER) {
        kustomer_pager *pager = POISON(kustomer_pager);
        CHECK_FAILS(kustomer_pager_new(client, o, &pager, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, word);
        CHECK(pager == NULL);
    }
    if (check_failures != failures) {
        fprintf(stderr, "    in the options of line %d\n", line);
    }
}

#define GET_REFUSED(client, by, word, change)                                             \
    do {                                                                                  \
        kustomer_get_conversations_options o = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;   \
        change;                                                                           \
        get_refused(client, &o, by, word, __LINE__);                                      \
    } while (0)
#define PAGER_ACCEPTED(client, change)                                                    \
    do {                                                                                  \
        kustomer_get_conversations_options o = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;   \
        kustomer_pager *pager = NULL;                                                     \
        kustomer_error *error = POISON(kustomer_error);                                   \
        change;                                                                           \
        CHECK_OK(kustomer_pager_new(client, &o, &pager, &error), &error);                 \
        CHECK(pager != NULL);                                                             \
        kustomer_pager_free(pager);                                                       \
    } while (0)

static void a_call_with_a_number_out_of_range_is_refused(void)
{
    GET_REFUSED(chat, BY_ALL, "`page`", o.page = -1);
    GET_REFUSED(chat, BY_ALL, "`page`", o.page = INT32_MIN);
    GET_REFUSED(chat, BY_ALL, "`page_size`", o.page_size = -1);
    GET_REFUSED(chat, BY_ALL, "`page_size`", o.page_size = 1001);
    GET_REFUSED(chat, BY_ALL, "`page_size`", o.page_size = INT32_MAX);
    GET_REFUSED(chat, BY_ALL, "`all_pages`", o.all_pages = 2);
    GET_REFUSED(chat, BY_PAGE, "`all_pages`", o.all_pages = 1);
    GET_REFUSED(chat, BY_WALK | BY_PAGER, "`max_pages`", (o.all_pages = 1, o.max_pages = -1));
    GET_REFUSED(chat, BY_ALL, "`max_pages`", o.max_pages = -1);
    GET_REFUSED(chat, BY_WALK | BY_PAGE, "`max_pages`", o.max_pages = 1); /* only of a walk */
    GET_REFUSED(chat, BY_WALK | BY_PAGER, "`prefetch`", (o.all_pages = 1, o.prefetch = 17));
    GET_REFUSED(chat, BY_ALL, "`prefetch`", o.prefetch = UINT32_MAX);
    GET_REFUSED(chat, BY_WALK | BY_PAGE, "`prefetch`", o.prefetch = 1);
    GET_REFUSED(chat, BY_ALL, "`active_only`", o.active_only = 2);
    GET_REFUSED(chat, BY_ALL, "`keep_json`", o.keep_json = 2);
    GET_REFUSED(chat, BY_ALL, "`timeout_ms`", o.timeout_ms = 86400001);
    PAGER_ACCEPTED(chat, o.page = INT32_MAX);
    PAGER_ACCEPTED(chat, o.page = 1);
    PAGER_ACCEPTED(chat, o.page_size = 1000);
    PAGER_ACCEPTED(chat, o.page_size = 1);
    PAGER_ACCEPTED(chat, (o.all_pages = 1, o.max_pages = INT32_MAX));
    PAGER_ACCEPTED(chat, o.max_pages = 1);
    PAGER_ACCEPTED(chat, o.timeout_ms = 86400000);
    PAGER_ACCEPTED(chat, o.active_only = o.keep_json = 1);
}

static void a_call_with_a_text_that_cannot_be_is_refused(void)
{
    static const char *const bad[] = {"a\xff", "\xc0\x80", "a\r\nb", "\x01", "\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        GET_REFUSED(chat, BY_ALL, "`brand_id`", o.brand_id = bad[i]);
        GET_REFUSED(server, BY_ALL, "`customer_id`", o.customer_id = bad[i]);
        GET_REFUSED(server, BY_ALL, "`tracking_id`", o.tracking_id = bad[i]);
    }
    GET_REFUSED(chat, BY_ALL, "`brand_id`", o.brand_id = repeated('b', 4097));
    GET_REFUSED(server, BY_ALL, "`customer_id`", o.customer_id = repeated('c', 4097));
    GET_REFUSED(server, BY_ALL, "`tracking_id`", o.tracking_id = repeated('t', 4097));
    GET_REFUSED(server, BY_ALL, "`customer_id`", o.customer_id = "");
    GET_REFUSED(server, BY_ALL, "`tracking_id`", o.tracking_id = "");
    PAGER_ACCEPTED(chat, o.brand_id = repeated('b', 4096));
    PAGER_ACCEPTED(chat, o.brand_id = ""); /* every brand */
}

static void whose_conversations_depends_on_the_key(void)
{
    GET_REFUSED(chat, BY_ALL, "`customer_id`", o.customer_id = "5f1d0c2ab3e4f50012a4c0ff");
    GET_REFUSED(chat, BY_ALL, "`tracking_id`", o.tracking_id = "5f1d0c2ab3e4f50012a4c010");
    GET_REFUSED(server, BY_ALL, "`customer_id`", (void)o);
    PAGER_ACCEPTED(server, o.customer_id = "5f1d0c2ab3e4f50012a4c0ff");
    PAGER_ACCEPTED(server, o.tracking_id = "5f1d0c2ab3e4f50012a4c010");
    PAGER_ACCEPTED(server, o.customer_id = o.tracking_id = "5f1d0c2ab3e4f50012a4c010");
    PAGER_ACCEPTED(server, (o.customer_id = "c", o.active_only = 1, o.brand_id = "b"));
}

static void a_login_with_arguments_that_cannot_be_is_refused(void)
{
    static const char *const bad[] = {"", "a\xff", "a\r\nX-Injected: 1", "\xc3\xa9"};
    kustomer_client *const clients[] = {chat, server}; /* arguments come before what a kind of key cannot do */
    for (size_t i = 0; i < COUNT(clients); i++) {
        kustomer_error *error = POISON(kustomer_error);
        kustomer_call_options options = KUSTOMER_CALL_OPTIONS_INIT;
        for (size_t j = 0; j < COUNT(bad); j++) {
            CHECK_FAILS(kustomer_login(clients[i], bad[j], NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`jwt`");
        }
        CHECK_FAILS(kustomer_login(clients[i], repeated('j', 16385), NULL, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`jwt`");
        options.reserved = 1;
        CHECK_FAILS(kustomer_login(clients[i], "j", &options, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`reserved`");
        CHECK_FAILS(kustomer_logout(clients[i], &options, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`reserved`");
        options.reserved = 0;
        options.timeout_ms = 86400001;
        CHECK_FAILS(kustomer_login(clients[i], "j", &options, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`timeout_ms`");
        CHECK_FAILS(kustomer_logout(clients[i], &options, &error), &error, KUSTOMER_ERROR_INVALID_ARGUMENT, "`timeout_ms`");
    }
}

static void login_and_logout_are_not_for_server_keys(void)
{
    kustomer_error *error = POISON(kustomer_error);
    CHECK_FAILS(kustomer_login(server, "e30.e30.e30", NULL, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
    CHECK_FAILS(kustomer_logout(server, NULL, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, NULL);
}

int main(void)
{
    server_start(&listener, SERVER_RESETS);
    const kustomer_init_options as_visitor = chat_options(), as_server = server_options();
    chat = client_or_die(&as_visitor);
    server = client_or_die(&as_server);

    options_of_another_size_are_read_no_further_than_they_say();
    all_bytes_zero_and_a_size_are_the_defaults();
    null_options_are_the_defaults();
    options_are_not_kept();
    a_number_out_of_range_is_named();
    a_number_at_its_bound_is_fine();
    a_text_that_cannot_be_is_named();
    a_key_must_fit_its_kind();
    a_base_url_is_an_origin();
    a_host_domain_cannot_turn_to_another_host();
    a_ca_file_that_is_none_is_named();
    a_proxy_is_honoured_or_refused();
    an_error_does_not_show_what_is_secret();
    a_call_with_a_number_out_of_range_is_refused();
    a_call_with_a_text_that_cannot_be_is_refused();
    whose_conversations_depends_on_the_key();
    a_login_with_arguments_that_cannot_be_is_refused();
    login_and_logout_are_not_for_server_keys();

    CHECK(server_connections(&listener) == 0); /* none of the above sent anything */
    kustomer_client_free(chat);
    kustomer_client_free(server);
    server_stop(&listener);
    return check_report();
}

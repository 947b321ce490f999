/* The binary contract: types, numbers, layouts. Nearly all of it is decided by the compiler; what runs is the versions. */
#include "check.h"
#include "contract.h"

#pragma GCC diagnostic error "-Wmissing-field-initializers" /* an _INIT names as many fields as its struct has */

/* C99 has no _Static_assert: an array of -1 elements does not compile. */
#define ASSERT(condition) extern char abi_assertion[(condition) ? 1 : -1];
#define SAME_TYPE(a, b) ASSERT(__builtin_types_compatible_p(a, b))

/* --- functions --- */

#define TYPED(name, result, arguments) SAME_TYPE(__typeof__(name), result arguments)
CONTRACT_FUNCTIONS(TYPED)

SAME_TYPE(kustomer_log_fn, void (*)(int32_t, const char *, void *))
SAME_TYPE(kustomer_visitor_fn, void (*)(const kustomer_visitor *, void *))
SAME_TYPE(kustomer_get_conversations_fn, int32_t (*)(const kustomer_response *, const kustomer_error *, void *))
SAME_TYPE(kustomer_code, int32_t)
SAME_TYPE(kustomer_tristate, int32_t)

/* --- numbers --- */

#define NUMBERED(name, number) ASSERT(name == number)
CONTRACT_CODES(NUMBERED)
NUMBERED(KUSTOMER_UNKNOWN, -1)
NUMBERED(KUSTOMER_FALSE, 0)
NUMBERED(KUSTOMER_TRUE, 1)
NUMBERED(KUSTOMER_NO_PAGE, -1)
NUMBERED(KUSTOMER_NO_TIME, INT64_MIN)
NUMBERED(KUSTOMER_AUTH_CHAT_KEY, 0)
NUMBERED(KUSTOMER_AUTH_API_KEY, 1)
NUMBERED(KUSTOMER_LOG_ERROR, 1)
NUMBERED(KUSTOMER_LOG_WARNING, 2)
NUMBERED(KUSTOMER_LOG_INFO, 3)
NUMBERED(KUSTOMER_LOG_DEBUG, 4)
NUMBERED(KUSTOMER_MAKE_VERSION(1, 2, 3), 0x10203)
NUMBERED(KUSTOMER_VERSION_NUMBER,
         (unsigned)KUSTOMER_VERSION_MAJOR * 65536 + (unsigned)KUSTOMER_VERSION_MINOR * 256 + (unsigned)KUSTOMER_VERSION_PATCH)

/* The preprocessor reads them too; a name it does not know would be 0. */
#if !defined(KUSTOMER_OK) || KUSTOMER_OK != 0 || !defined(KUSTOMER_FALSE) || KUSTOMER_FALSE != 0 || !defined(KUSTOMER_AUTH_CHAT_KEY) || \
    KUSTOMER_AUTH_CHAT_KEY != 0
#error "constants that are 0"
#endif
#if KUSTOMER_ERROR_INVALID_ARGUMENT != 1 || KUSTOMER_ERROR_NOT_INITIALIZED != 2 || KUSTOMER_ERROR_UNSUPPORTED != 3 ||             \
    KUSTOMER_ERROR_CANCELLED != 4 || KUSTOMER_ERROR_STOPPED != 5 || KUSTOMER_ERROR_TIMEOUT != 6 || KUSTOMER_ERROR_NETWORK != 7 || \
    KUSTOMER_ERROR_TLS != 8 || KUSTOMER_ERROR_UNAUTHORIZED != 9 || KUSTOMER_ERROR_RATE_LIMITED != 10 ||                           \
    KUSTOMER_ERROR_HTTP != 11 || KUSTOMER_ERROR_SERVER != 12 || KUSTOMER_ERROR_DECODE != 13 || KUSTOMER_ERROR_LIMIT != 14 ||      \
    KUSTOMER_ERROR_INTERNAL != 15
#error "codes"
#endif
#if KUSTOMER_UNKNOWN != -1 || KUSTOMER_TRUE != 1 || KUSTOMER_NO_PAGE != -1 || KUSTOMER_NO_TIME >= 0 || KUSTOMER_AUTH_API_KEY != 1 || \
    KUSTOMER_LOG_ERROR != 1 || KUSTOMER_LOG_WARNING != 2 || KUSTOMER_LOG_INFO != 3 || KUSTOMER_LOG_DEBUG != 4
#error "other constants"
#endif
#if !defined(KUSTOMER_VERSION_MAJOR) || !defined(KUSTOMER_VERSION_MINOR) || !defined(KUSTOMER_VERSION_PATCH) || \
    KUSTOMER_VERSION_NUMBER < KUSTOMER_MAKE_VERSION(0, 1, 0)
#error "versions"
#endif

/* --- layouts: MEMBER(struct, member, type, offset where pointers and size_t have 8 bytes) --- */

#define INIT_OPTIONS(MEMBER, S)                              \
    MEMBER(S, struct_size, size_t, 0)                        \
    MEMBER(S, api_key, const char *, 8)                      \
    MEMBER(S, auth, int32_t, 16)                             \
    MEMBER(S, lazy_init, uint32_t, 20)                       \
    MEMBER(S, base_url, const char *, 24)                    \
    MEMBER(S, host_domain, const char *, 32)                 \
    MEMBER(S, brand_id, const char *, 40)                    \
    MEMBER(S, lang, const char *, 48)                        \
    MEMBER(S, tracking_token, const char *, 56)              \
    MEMBER(S, user_agent, const char *, 64)                  \
    MEMBER(S, proxy, const char *, 72)                       \
    MEMBER(S, ca_file, const char *, 80)                     \
    MEMBER(S, connect_timeout_ms, uint32_t, 88)              \
    MEMBER(S, timeout_ms, uint32_t, 92)                      \
    MEMBER(S, max_retries, int32_t, 96)                      \
    MEMBER(S, max_response_bytes, uint32_t, 100)             \
    MEMBER(S, on_visitor, kustomer_visitor_fn, 104)          \
    MEMBER(S, log, kustomer_log_fn, 112)                     \
    MEMBER(S, log_level, int32_t, 120)                       \
    MEMBER(S, reserved, uint32_t, 124)                       \
    MEMBER(S, user_data, void *, 128)                        \
    MEMBER(S, user_data_free, void (*)(void *), 136)         \
    MEMBER(S, cancel, kustomer_cancel *, 144)

#define CALL_OPTIONS(MEMBER, S)        \
    MEMBER(S, struct_size, size_t, 0)  \
    MEMBER(S, timeout_ms, uint32_t, 8) \
    MEMBER(S, reserved, uint32_t, 12)  \
    MEMBER(S, cancel, kustomer_cancel *, 16)

#define GET_CONVERSATIONS_OPTIONS(MEMBER, S)   \
    MEMBER(S, struct_size, size_t, 0)          \
    MEMBER(S, page, int32_t, 8)                \
    MEMBER(S, page_size, int32_t, 12)          \
    MEMBER(S, all_pages, uint32_t, 16)         \
    MEMBER(S, max_pages, int32_t, 20)          \
    MEMBER(S, prefetch, uint32_t, 24)          \
    MEMBER(S, active_only, uint32_t, 28)       \
    MEMBER(S, keep_json, uint32_t, 32)         \
    MEMBER(S, timeout_ms, uint32_t, 36)        \
    MEMBER(S, brand_id, const char *, 40)      \
    MEMBER(S, customer_id, const char *, 48)   \
    MEMBER(S, tracking_id, const char *, 56)   \
    MEMBER(S, cancel, kustomer_cancel *, 64)

#define PAGES(MEMBER, S)           \
    MEMBER(S, current, int32_t, 0) \
    MEMBER(S, first, int32_t, 4)   \
    MEMBER(S, next, int32_t, 8)    \
    MEMBER(S, previous, int32_t, 12)

#define HAS_TYPE(S, member, type, offset) SAME_TYPE(__typeof__(((S *)0)->member), type)
#define HAS_OFFSET(S, member, type, offset) ASSERT(offsetof(S, member) == offset)
#define PLUS_SIZE(S, member, type, offset) +sizeof(((S *)0)->member)

INIT_OPTIONS(HAS_TYPE, kustomer_init_options)
CALL_OPTIONS(HAS_TYPE, kustomer_call_options)
GET_CONVERSATIONS_OPTIONS(HAS_TYPE, kustomer_get_conversations_options)
PAGES(HAS_TYPE, kustomer_pages)

#ifdef __LP64__
INIT_OPTIONS(HAS_OFFSET, kustomer_init_options)
CALL_OPTIONS(HAS_OFFSET, kustomer_call_options)
GET_CONVERSATIONS_OPTIONS(HAS_OFFSET, kustomer_get_conversations_options)
PAGES(HAS_OFFSET, kustomer_pages)
ASSERT(sizeof(kustomer_init_options) == 152)
ASSERT(sizeof(kustomer_call_options) == 24)
ASSERT(sizeof(kustomer_get_conversations_options) == 72)
ASSERT(sizeof(kustomer_pages) == 16)
#endif

/* No padding anywhere, on any target: a field added later would land in it, and today's _INIT would not have cleared it. */
ASSERT(sizeof(kustomer_init_options) == 0 INIT_OPTIONS(PLUS_SIZE, kustomer_init_options))
ASSERT(sizeof(kustomer_call_options) == 0 CALL_OPTIONS(PLUS_SIZE, kustomer_call_options))
ASSERT(sizeof(kustomer_get_conversations_options) == 0 GET_CONVERSATIONS_OPTIONS(PLUS_SIZE, kustomer_get_conversations_options))
ASSERT(sizeof(kustomer_pages) == 0 PAGES(PLUS_SIZE, kustomer_pages))

/* The structs have their names as tags too. */
SAME_TYPE(struct kustomer_init_options, kustomer_init_options)
SAME_TYPE(struct kustomer_call_options, kustomer_call_options)
SAME_TYPE(struct kustomer_get_conversations_options, kustomer_get_conversations_options)
SAME_TYPE(struct kustomer_pages, kustomer_pages)

static const kustomer_init_options init_options = KUSTOMER_INIT_OPTIONS_INIT;
static const kustomer_call_options call_options = KUSTOMER_CALL_OPTIONS_INIT;
static const kustomer_get_conversations_options get_conversations_options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;

static int is_only_its_size(const void *options, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)options;
    size_t struct_size;
    memcpy(&struct_size, bytes, sizeof struct_size);
    for (size_t i = sizeof struct_size; i < size; i++) {
        if (bytes[i] != 0) {
            return 0;
        }
    }
    return struct_size == size;
}

static void an_init_macro_is_zero_but_for_the_size(void)
{
    CHECK(is_only_its_size(&init_options, sizeof init_options));
    CHECK(is_only_its_size(&call_options, sizeof call_options));
    CHECK(is_only_its_size(&get_conversations_options, sizeof get_conversations_options));
}

static void the_library_is_of_the_headers_version(void)
{
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", KUSTOMER_VERSION_MAJOR, KUSTOMER_VERSION_MINOR, KUSTOMER_VERSION_PATCH);
    CHECK(strcmp(KUSTOMER_VERSION, text) == 0);
    CHECK(strcmp(kustomer_version(), KUSTOMER_VERSION) == 0);
    CHECK(kustomer_version_number() == KUSTOMER_VERSION_NUMBER);
}

static void every_function_can_be_linked(void)
{
#define ADDRESS(name, result, arguments) (void (*)(void))name,
    void (*const functions[])(void) = {CONTRACT_FUNCTIONS(ADDRESS)};
    for (size_t i = 0; i < COUNT(functions); i++) {
        CHECK(functions[i] != NULL);
    }
    CHECK(COUNT(functions) == 61);
}

static void a_negative_constant_keeps_its_parentheses(void)
{
#define TEXT_OF(x) #x
#define EXPANDED(x) TEXT_OF(x)
    CHECK(EXPANDED(KUSTOMER_UNKNOWN)[0] == '(');
    CHECK(EXPANDED(KUSTOMER_NO_PAGE)[0] == '(');
}

int main(void)
{
    an_init_macro_is_zero_but_for_the_size();
    the_library_is_of_the_headers_version();
    every_function_can_be_linked();
    a_negative_constant_keeps_its_parentheses();
    return check_report();
}

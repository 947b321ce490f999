/*
 * libkustomer: Kustomer chat for C and C++. Generated from src/ffi; change it there.
 *
 * A function that hands you a non-const pointer hands you the object: end it with its _free. A const pointer is
 * borrowed. Out-pointers are always written: the object, or NULL; out_error may be NULL. Text you get is
 * NUL-terminated UTF-8, *out_len (which may be NULL) is its true length, NULL means absent. Text you give is
 * NUL-terminated UTF-8 and copied. Calls block; callbacks and hooks run on a thread that is inside a call of yours.
 * No C++ exception, longjmp, pthread_exit or pthread_cancel may leave a callback or end a call. A client made before
 * fork() answers KUSTOMER_ERROR_UNSUPPORTED in the child.
 */

#ifndef KUSTOMER_H
#define KUSTOMER_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header. The macros work in #if. */
#define KUSTOMER_VERSION "0.1.0"
#define KUSTOMER_VERSION_MAJOR 0
#define KUSTOMER_VERSION_MINOR 1
#define KUSTOMER_VERSION_PATCH 0
#define KUSTOMER_MAKE_VERSION(major, minor, patch) ((major) * 65536u + (minor) * 256u + (patch))
#define KUSTOMER_VERSION_NUMBER \
    KUSTOMER_MAKE_VERSION(KUSTOMER_VERSION_MAJOR, KUSTOMER_VERSION_MINOR, KUSTOMER_VERSION_PATCH)

/* The service left it out (kustomer_tristate). */
#define KUSTOMER_UNKNOWN (-1)
/* There is no such page. */
#define KUSTOMER_NO_PAGE (-1)
/* There is no such time. */
#define KUSTOMER_NO_TIME INT64_MIN

/* All defaults. */
#define KUSTOMER_INIT_OPTIONS_INIT \
    { sizeof(kustomer_init_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define KUSTOMER_CALL_OPTIONS_INIT { sizeof(kustomer_call_options), 0, 0, 0 }
#define KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT \
    { sizeof(kustomer_get_conversations_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

// The visitor of this device: a chat key and a tracking token.
#define KUSTOMER_AUTH_CHAT_KEY 0

// A server: a bearer key, the customer named in each call.
#define KUSTOMER_AUTH_API_KEY 1

// Log level: a bug in this library.
#define KUSTOMER_LOG_ERROR 1

// Log level: a request that is repeated, a saved tracking token that was refused.
#define KUSTOMER_LOG_WARNING 2

// Log level: another visitor.
#define KUSTOMER_LOG_INFO 3

// Log level: every request.
#define KUSTOMER_LOG_DEBUG 4

// Stops calls from another thread. May be used from any number of threads at once, and freed while calls use it:
// each call keeps a reference of its own.
typedef struct kustomer_cancel kustomer_cancel;

// A client for one organisation. It may be used from any number of threads at once. Calls block.
typedef struct kustomer_client kustomer_client;

// A row: lives as long as its response, or any clone of it. Text lives as long as the row.
typedef struct kustomer_conversation kustomer_conversation;

// Why a call failed. Immutable; independent of the client. No key, token, login JWT or proxy password is ever part
// of it. Text is the error's: it lives as long as the error.
typedef struct kustomer_error kustomer_error;

// Page after page, when you ask for it. One thread at a time. It may outlive its client, and is of no use then.
typedef struct kustomer_pager kustomer_pager;

// One page of conversations. Immutable; independent of the client.
typedef struct kustomer_response kustomer_response;

// The organisation's chat settings, as last fetched. Immutable; independent of the client. Text lives as long as it.
typedef struct kustomer_settings kustomer_settings;

// Who is asking, as of now. Immutable; independent of the client. Text lives as long as it.
typedef struct kustomer_visitor kustomer_visitor;

// How a call ended. Numbers are never reused; a failure keeps its code from release to release.
typedef int32_t kustomer_code;

// Yes, no or unknown. Compare with == KUSTOMER_TRUE and never test by truth: unknown is not 0.
typedef int32_t kustomer_tristate;

// Gets the visitor when the tracking token is another than the last one known: save the token, since handing it back
// to the next kustomer_init keeps the visitor's history. `visitor` is valid until it returns. One call at a time, on a
// thread that is inside a call of yours on that client, with no lock held: it may call back into the library.
typedef void (*kustomer_visitor_fn)(const struct kustomer_visitor *visitor, void *user_data);

// Gets one line of UTF-8 without secrets, controls escaped; `message` is valid until it returns. Called on a thread
// that is inside a call of yours on that client, with no lock held; it must not make calls that send.
typedef void (*kustomer_log_fn)(int32_t level, const char *message, void *user_data);

// Options of kustomer_init. Fill them with KUSTOMER_INIT_OPTIONS_INIT; zero and NULL mean the default. Text is copied.
typedef struct kustomer_init_options {
  // Set by KUSTOMER_INIT_OPTIONS_INIT.
  size_t struct_size;
  // Required: the chat key, or with KUSTOMER_AUTH_API_KEY the server's key. At most 16 KiB.
  const char *api_key;
  // KUSTOMER_AUTH_CHAT_KEY (default) or KUSTOMER_AUTH_API_KEY.
  int32_t auth;
  // 1: send nothing now; the first call does it.
  uint32_t lazy_init;
  // The whole origin, `https://host[:port]`; `http://` only to loopback. Default: `https://{org}.api.{host_domain}`, the
  // organisation from the key.
  const char *base_url;
  // Default "kustomerapp.com".
  const char *host_domain;
  // Default: every brand.
  const char *brand_id;
  // The visitor's language, for the settings' texts.
  const char *lang;
  // The token on_visitor was handed earlier; "" is as NULL. Chat key only.
  const char *tracking_token;
  // Put in front of "kustomer-c/x.y.z".
  const char *user_agent;
  // `http://[user:password@]host[:port]`, used by CONNECT. NULL: from the environment, read once in kustomer_init
  // (https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY; no_proxy, NO_PROXY); "": none.
  const char *proxy;
  // A PEM file of certificate authorities, in place of the built-in roots.
  const char *ca_file;
  // One connection: lookup, TCP, proxy, TLS. Milliseconds; default 10000; at most 600000.
  uint32_t connect_timeout_ms;
  // The longest a call goes without returning or calling back. Milliseconds; default 30000; at most 86400000.
  uint32_t timeout_ms;
  // How often a request that failed is repeated, where that is safe and may help: connection failures, HTTP 408, 429,
  // 500, 502, 503, 504. Default 2; -1: none; at most 10. Between tries it waits as long as the service asks for, else
  // up to 0.5 s, 1 s, 2 s and so on to 8 s at random; a wait that does not fit the deadline is not begun.
  int32_t max_retries;
  // The largest answer, decompressed. Default 16 MiB; 1 KiB to 1 GiB.
  uint32_t max_response_bytes;
  // Save the visitor's tracking token here.
  kustomer_visitor_fn on_visitor;
  // Gets log lines.
  kustomer_log_fn log;
  // Which: KUSTOMER_LOG_*; default (0) KUSTOMER_LOG_WARNING.
  int32_t log_level;
  // 0.
  uint32_t reserved;
  // Handed to both hooks.
  void *user_data;
  // Called once with user_data, after the last hook, when the client is freed; not when kustomer_init fails.
  void (*user_data_free)(void *user_data);
  // Ends kustomer_init itself; borrowed.
  struct kustomer_cancel *cancel;
} kustomer_init_options;

// Options of kustomer_login and kustomer_logout. Fill them with KUSTOMER_CALL_OPTIONS_INIT.
typedef struct kustomer_call_options {
  // Set by KUSTOMER_CALL_OPTIONS_INIT.
  size_t struct_size;
  // The longest the call takes. Milliseconds; default: the client's; at most 86400000.
  uint32_t timeout_ms;
  // 0.
  uint32_t reserved;
  // Ends the call; borrowed for it.
  struct kustomer_cancel *cancel;
} kustomer_call_options;

// The page numbers around a page, each KUSTOMER_NO_PAGE when there is no such page. Frozen; new facts come as functions.
typedef struct kustomer_pages {
  // This page: what the service says, else the page that was asked for.
  int32_t current;
  // The first page.
  int32_t first;
  // The next page; KUSTOMER_NO_PAGE on the last one.
  int32_t next;
  // The page before; KUSTOMER_NO_PAGE on the first one.
  int32_t previous;
} kustomer_pages;

// Options of kustomer_get_conversations, kustomer_get_conversations_page and kustomer_pager_new. Fill them with
// KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT; zero and NULL mean the default. Text is copied.
typedef struct kustomer_get_conversations_options {
  // Set by KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT.
  size_t struct_size;
  // The page to ask for, from 1. Default 1.
  int32_t page;
  // Conversations a page, 1 to 1000. Default 100. The service may give fewer.
  int32_t page_size;
  // 1: walk on from `page` to the end, one callback a page.
  uint32_t all_pages;
  // Pages after which a walk ends, with KUSTOMER_OK, also above 1000. Default: to the end, but 1000 pages with more to
  // come is KUSTOMER_ERROR_LIMIT.
  int32_t max_pages;
  // Pages asked for ahead while you look at this one, 0 to 16, each by a thread that is gone when the call returns
  // or the pager is freed. The rows and their order are the same. Default 0; for walks only.
  uint32_t prefetch;
  // 1: only conversations that have not ended.
  uint32_t active_only;
  // 1: kustomer_conversation_json answers.
  uint32_t keep_json;
  // Milliseconds; default: the client's; at most 86400000.
  uint32_t timeout_ms;
  // Default: the client's; "": every brand.
  const char *brand_id;
  // API key only: whose conversations. One of customer_id and tracking_id is needed; with both, either matches.
  const char *customer_id;
  // API key only.
  const char *tracking_id;
  // Ends the call; borrowed for it.
  struct kustomer_cancel *cancel;
} kustomer_get_conversations_options;

// Exactly one of response and error is non-NULL; both are valid only until you return (clone what you keep). Return 0
// to go on, anything else to stop. No C++ exception, longjmp, pthread_exit or pthread_cancel may leave it.
typedef int32_t (*kustomer_get_conversations_fn)(const struct kustomer_response *response,
                                                 const struct kustomer_error *error,
                                                 void *user_data);

// Done.
#define KUSTOMER_OK 0

// An argument or option is not what its comment asks for. Nothing was sent.
#define KUSTOMER_ERROR_INVALID_ARGUMENT 1

// No client: kustomer_init comes first.
#define KUSTOMER_ERROR_NOT_INITIALIZED 2

// An option this library lacks, a call this kind of key cannot make, a client from before fork().
#define KUSTOMER_ERROR_UNSUPPORTED 3

// The call's cancel token was triggered.
#define KUSTOMER_ERROR_CANCELLED 4

// Your callback asked to stop.
#define KUSTOMER_ERROR_STOPPED 5

// timeout_ms passed; the message names what the call was doing.
#define KUSTOMER_ERROR_TIMEOUT 6

// Name lookup, connection, proxy, or a connection that ended early.
#define KUSTOMER_ERROR_NETWORK 7

// The server could not prove that it is the host that was asked for.
#define KUSTOMER_ERROR_TLS 8

// HTTP 401 or 403, or the visitor changed under the call.
#define KUSTOMER_ERROR_UNAUTHORIZED 9

// HTTP 429.
#define KUSTOMER_ERROR_RATE_LIMITED 10

// Any other 4xx, or a status with no meaning here (3xx too).
#define KUSTOMER_ERROR_HTTP 11

// HTTP 5xx.
#define KUSTOMER_ERROR_SERVER 12

// The answer was not what the API promises.
#define KUSTOMER_ERROR_DECODE 13

// The answer is too large, or there are more pages than the runaway limit.
#define KUSTOMER_ERROR_LIMIT 14

// A bug in this library, caught.
#define KUSTOMER_ERROR_INTERNAL 15

// No.
#define KUSTOMER_FALSE 0

// Yes.
#define KUSTOMER_TRUE 1

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library you run against, as KUSTOMER_MAKE_VERSION makes it.
uint32_t kustomer_version_number(void);

// The version of the library you run against, such as "0.1.0". Static.
const char *kustomer_version(void);

// A code's name, such as "KUSTOMER_ERROR_TIMEOUT"; "unknown code" for a number that is none. Static, never NULL.
const char *kustomer_code_name(kustomer_code code);

// A new token, not triggered; never NULL. Free it with kustomer_cancel_free.
struct kustomer_cancel *kustomer_cancel_new(void);

// The same token, for another thread; free each. NULL for NULL.
struct kustomer_cancel *kustomer_cancel_clone(const struct kustomer_cancel *c);

// Ends every call that uses the token, within 50 ms, and every later one, with KUSTOMER_ERROR_CANCELLED. From any
// thread, any number of times; not from a signal handler. There is no way back.
void kustomer_cancel_trigger(struct kustomer_cancel *c);

// Frees the token; calls that use it go on. NULL does nothing.
void kustomer_cancel_free(struct kustomer_cancel *c);

// The code, the same that the call returned; KUSTOMER_OK for NULL.
kustomer_code kustomer_error_code(const struct kustomer_error *e);

// The HTTP status of the answer the error is about; 0: there was none.
int32_t kustomer_error_http_status(const struct kustomer_error *e);

// One sentence on what happened and what to do about it; never NULL.
const char *kustomer_error_message(const struct kustomer_error *e, size_t *out_len);

// How long the service asks to wait before the next try, in milliseconds from its answer, by `Retry-After`,
// else for HTTP 429 by `x-ratelimit-reset`; -1: it does not say.
int64_t kustomer_error_retry_after_ms(const struct kustomer_error *e);

// 1: the same call may succeed later (NETWORK, TIMEOUT, RATE_LIMITED, HTTP 408, 500, 502, 503, 504); else 0.
int32_t kustomer_error_retryable(const struct kustomer_error *e);

// How many entries the service's own list of errors has, at most 100; 0: it sent none.
size_t kustomer_error_detail_count(const struct kustomer_error *e);

// An entry's code; NULL: it has none, or there is no such entry.
const char *kustomer_error_detail_code(const struct kustomer_error *e, size_t i, size_t *out_len);

// An entry's title; NULL: none.
const char *kustomer_error_detail_title(const struct kustomer_error *e, size_t i, size_t *out_len);

// What happened: the entry's `detail`, else its `message`; NULL: neither.
const char *kustomer_error_detail_message(const struct kustomer_error *e, size_t i, size_t *out_len);

// What in the request is meant: a JSON pointer or a parameter's name, else the entry's `source` as JSON; NULL: none.
const char *kustomer_error_detail_source(const struct kustomer_error *e, size_t i, size_t *out_len);

// A copy that outlives the callback; free it with kustomer_error_free. NULL for NULL.
struct kustomer_error *kustomer_error_clone(const struct kustomer_error *e);

// Frees an error you own. NULL does nothing.
void kustomer_error_free(struct kustomer_error *e);

// All attributes as the service sent them, as JSON.
const char *kustomer_settings_json(const struct kustomer_settings *s, size_t *out_len);

// Whether chat is switched on.
kustomer_tristate kustomer_settings_enabled(const struct kustomer_settings *s);

// Whether visitors are shown no ended conversations: then every list is of active ones.
kustomer_tristate kustomer_settings_no_history(const struct kustomer_settings *s);

// The team's name; NULL: the service left it out.
const char *kustomer_settings_team_name(const struct kustomer_settings *s, size_t *out_len);

// The greeting; NULL: the service left it out.
const char *kustomer_settings_greeting(const struct kustomer_settings *s, size_t *out_len);

// Frees settings you own. NULL does nothing.
void kustomer_settings_free(struct kustomer_settings *s);

// The token to save: handing it back to the next kustomer_init keeps the visitor's history. NULL: erase what you saved.
const char *kustomer_visitor_tracking_token(const struct kustomer_visitor *v, size_t *out_len);

// The visitor's id; NULL: the service left it out.
const char *kustomer_visitor_tracking_id(const struct kustomer_visitor *v, size_t *out_len);

// KUSTOMER_TRUE: logged in.
kustomer_tristate kustomer_visitor_verified(const struct kustomer_visitor *v);

// Frees a visitor you own; the one a hook is handed is not yours. NULL does nothing.
void kustomer_visitor_free(struct kustomer_visitor *v);

// KustomerCore.init: reads the key, fetches the chat settings and the visitor's tracking token (with lazy_init or an
// API key nothing is sent). Returns KUSTOMER_OK and a client, to be freed with kustomer_client_free; else a code, NULL
// and, where out_error is not NULL, an error to be freed with kustomer_error_free.
kustomer_code kustomer_init(const struct kustomer_init_options *options,
                            struct kustomer_client **out_client,
                            struct kustomer_error **out_error);

// Frees the client. When it returns no hook runs any more and user_data_free has run. It waits for nothing: calls
// still running in other threads are a mistake, but triggering their cancel token and joining them first is enough.
// Allowed inside this client's own get_conversations callback, not inside hooks. NULL does nothing.
void kustomer_client_free(struct kustomer_client *client);

// The organisation's chat settings, owned: free them with kustomer_settings_free. They are fetched once a client. NULL:
// API key, or not yet fetched.
struct kustomer_settings *kustomer_client_settings(const struct kustomer_client *client);

// The visitor as of now, owned: free it with kustomer_visitor_free. NULL: API key, or none fetched yet.
struct kustomer_visitor *kustomer_client_visitor(const struct kustomer_client *client);

// Logs the visitor in: their history becomes that of the customer whom a JWT of your own server names (HS256, claims
// externalId or email, and iat at most 15 minutes old). Never repeated by itself. KUSTOMER_ERROR_UNAUTHORIZED: the JWT
// or the tracking token was refused, and nothing has changed. After KUSTOMER_ERROR_NETWORK, _TIMEOUT and _CANCELLED the
// login may have been accepted all the same. Calls and pagers that began before end with KUSTOMER_ERROR_UNAUTHORIZED.
// With an API key: KUSTOMER_ERROR_UNSUPPORTED.
kustomer_code kustomer_login(struct kustomer_client *client,
                             const char *jwt,
                             const struct kustomer_call_options *options,
                             struct kustomer_error **out_error);

// Forgets the visitor: on_visitor is called with all fields absent (erase what you saved), then the service is asked for
// a new visitor, whose history is empty. Whatever it returns, no later call uses the old token. Calls and pagers that
// began before end with KUSTOMER_ERROR_UNAUTHORIZED. With an API key: KUSTOMER_ERROR_UNSUPPORTED.
kustomer_code kustomer_logout(struct kustomer_client *client,
                              const struct kustomer_call_options *options,
                              struct kustomer_error **out_error);

// The same page, owned: free it with kustomer_response_free. Cheap: it is counted, not copied. NULL for NULL.
struct kustomer_response *kustomer_response_clone(const struct kustomer_response *r);

// Frees a response you own; the one a callback is handed is not yours. NULL does nothing.
void kustomer_response_free(struct kustomer_response *r);

// How many conversations the page has; 0 for NULL.
size_t kustomer_response_conversation_count(const struct kustomer_response *r);

// A conversation by its place, from 0; NULL past the end. Borrowed: it lives as long as the response or any clone.
const struct kustomer_conversation *kustomer_response_conversation(const struct kustomer_response *r, size_t index);

// The page numbers around the page; never NULL (for NULL all are KUSTOMER_NO_PAGE). Lives as long as the response.
const struct kustomer_pages *kustomer_response_pages(const struct kustomer_response *r);

// How many conversations there are on all pages; -1: the service does not tell.
int64_t kustomer_response_total(const struct kustomer_response *r);

// How many elements of the page are not among its conversations: they were none, or repeats in a walk.
size_t kustomer_response_skipped_count(const struct kustomer_response *r);

// conversationId: never empty; NULL for NULL only.
const char *kustomer_conversation_id(const struct kustomer_conversation *c, size_t *out_len);

// createdAt as the service sent it, yyyy-MM-ddTHH:mm:ss.SSSZ; NULL: it left it out.
const char *kustomer_conversation_created_at(const struct kustomer_conversation *c, size_t *out_len);

// createdAt in milliseconds since 1970; KUSTOMER_NO_TIME: absent, or it does not parse.
int64_t kustomer_conversation_created_at_ms(const struct kustomer_conversation *c);

// The beginning of the last message; "" for a draft without messages; never NULL.
const char *kustomer_conversation_preview(const struct kustomer_conversation *c, size_t *out_len);

// Whether an assistant (a bot) leads the conversation; KUSTOMER_UNKNOWN: the service does not tell. Inferred, since no
// public source names the field: isInAssistantMode counts; else an `assistant` object means yes until the conversation
// has ended or was transferred to a person.
kustomer_tristate kustomer_conversation_is_in_assistant_mode(const struct kustomer_conversation *c);

// lastMessageAt as sent; NULL on drafts.
const char *kustomer_conversation_last_message_at(const struct kustomer_conversation *c, size_t *out_len);

// lastMessageAt in milliseconds since 1970; KUSTOMER_NO_TIME: absent, or it does not parse.
int64_t kustomer_conversation_last_message_at_ms(const struct kustomer_conversation *c);

// Whether the conversation has ended (lockedAt is set); KUSTOMER_UNKNOWN: the service left it out.
kustomer_tristate kustomer_conversation_ended(const struct kustomer_conversation *c);

// When it ended, as sent; NULL: it has not, or the service left it out.
const char *kustomer_conversation_ended_at(const struct kustomer_conversation *c, size_t *out_len);

// Why it ended, such as customer_ended or user_ended; NULL: the service left it out.
const char *kustomer_conversation_end_reason(const struct kustomer_conversation *c, size_t *out_len);

// Its name; NULL: the service left it out.
const char *kustomer_conversation_name(const struct kustomer_conversation *c, size_t *out_len);

// The id of its brand; NULL: the service left it out.
const char *kustomer_conversation_brand_id(const struct kustomer_conversation *c, size_t *out_len);

// How many of its messages the visitor has not read; -1: the service left it out.
int64_t kustomer_conversation_unread_count(const struct kustomer_conversation *c);

// The element as the service sent it, as JSON; NULL without keep_json.
const char *kustomer_conversation_json(const struct kustomer_conversation *c, size_t *out_len);

// KustomerCore.getConversations. callback and options may be NULL. Blocks; callbacks come on this thread before it
// returns. Every failure but KUSTOMER_ERROR_STOPPED reaches callback exactly once, as the last call; with a callback
// there is no other way the call ends without one. Returns the error's code, KUSTOMER_OK, or KUSTOMER_ERROR_STOPPED when
// the callback returned non-zero for a response.
kustomer_code kustomer_get_conversations(struct kustomer_client *client,
                                         const struct kustomer_get_conversations_options *options,
                                         kustomer_get_conversations_fn callback,
                                         void *user_data);

// The same for one page, owned, without a callback; all_pages must be 0. Free the response with
// kustomer_response_free, the error with kustomer_error_free.
kustomer_code kustomer_get_conversations_page(struct kustomer_client *client,
                                              const struct kustomer_get_conversations_options *options,
                                              struct kustomer_response **out_response,
                                              struct kustomer_error **out_error);

// The walk of kustomer_get_conversations, pulled: checks the options and sends nothing. all_pages may be 0 or 1. Free it
// with kustomer_pager_free.
kustomer_code kustomer_pager_new(struct kustomer_client *client,
                                 const struct kustomer_get_conversations_options *options,
                                 struct kustomer_pager **out_pager,
                                 struct kustomer_error **out_error);

// Hands out the next page, owned; KUSTOMER_OK and NULL at the end (and ever after, unless its token is triggered).
// timeout_ms counts for each call. After an error the next call asks for the same page again. Counts as a use of the
// client; once that is freed, KUSTOMER_ERROR_NOT_INITIALIZED.
kustomer_code kustomer_pager_next(struct kustomer_pager *pager,
                                  struct kustomer_response **out_response,
                                  struct kustomer_error **out_error);

// Frees the pager; before or after its client. NULL does nothing.
void kustomer_pager_free(struct kustomer_pager *pager);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KUSTOMER_H */

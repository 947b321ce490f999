/* The contract as lists, for programs that go through all of it. FUNCTION(name, result, arguments), CODE(name, number). */
#ifndef CONTRACT_H
#define CONTRACT_H

#define CONTRACT_FUNCTIONS(FUNCTION)                                                                                                       \
    FUNCTION(kustomer_version_number, uint32_t, (void))                                                                                    \
    FUNCTION(kustomer_version, const char *, (void))                                                                                       \
    FUNCTION(kustomer_code_name, const char *, (kustomer_code))                                                                            \
    FUNCTION(kustomer_init, kustomer_code, (const kustomer_init_options *, kustomer_client **, kustomer_error **))                         \
    FUNCTION(kustomer_client_free, void, (kustomer_client *))                                                                              \
    FUNCTION(kustomer_client_settings, kustomer_settings *, (const kustomer_client *))                                                     \
    FUNCTION(kustomer_client_visitor, kustomer_visitor *, (const kustomer_client *))                                                       \
    FUNCTION(kustomer_login, kustomer_code, (kustomer_client *, const char *, const kustomer_call_options *, kustomer_error **))           \
    FUNCTION(kustomer_logout, kustomer_code, (kustomer_client *, const kustomer_call_options *, kustomer_error **))                        \
    FUNCTION(kustomer_get_conversations, kustomer_code,                                                                                    \
             (kustomer_client *, const kustomer_get_conversations_options *, kustomer_get_conversations_fn, void *))                       \
    FUNCTION(kustomer_get_conversations_page, kustomer_code,                                                                               \
             (kustomer_client *, const kustomer_get_conversations_options *, kustomer_response **, kustomer_error **))                     \
    FUNCTION(kustomer_pager_new, kustomer_code,                                                                                            \
             (kustomer_client *, const kustomer_get_conversations_options *, kustomer_pager **, kustomer_error **))                        \
    FUNCTION(kustomer_pager_next, kustomer_code, (kustomer_pager *, kustomer_response **, kustomer_error **))                              \
    FUNCTION(kustomer_pager_free, void, (kustomer_pager *))                                                                                \
    FUNCTION(kustomer_response_clone, kustomer_response *, (const kustomer_response *))                                                    \
    FUNCTION(kustomer_response_free, void, (kustomer_response *))                                                                          \
    FUNCTION(kustomer_response_conversation_count, size_t, (const kustomer_response *))                                                    \
    FUNCTION(kustomer_response_conversation, const kustomer_conversation *, (const kustomer_response *, size_t))                           \
    FUNCTION(kustomer_response_pages, const kustomer_pages *, (const kustomer_response *))                                                 \
    FUNCTION(kustomer_response_total, int64_t, (const kustomer_response *))                                                                \
    FUNCTION(kustomer_response_skipped_count, size_t, (const kustomer_response *))                                                         \
    FUNCTION(kustomer_conversation_id, const char *, (const kustomer_conversation *, size_t *))                                            \
    FUNCTION(kustomer_conversation_created_at, const char *, (const kustomer_conversation *, size_t *))                                    \
    FUNCTION(kustomer_conversation_created_at_ms, int64_t, (const kustomer_conversation *))                                                \
    FUNCTION(kustomer_conversation_preview, const char *, (const kustomer_conversation *, size_t *))                                       \
    FUNCTION(kustomer_conversation_is_in_assistant_mode, kustomer_tristate, (const kustomer_conversation *))                               \
    FUNCTION(kustomer_conversation_last_message_at, const char *, (const kustomer_conversation *, size_t *))                               \
    FUNCTION(kustomer_conversation_last_message_at_ms, int64_t, (const kustomer_conversation *))                                           \
    FUNCTION(kustomer_conversation_ended, kustomer_tristate, (const kustomer_conversation *))                                              \
    FUNCTION(kustomer_conversation_ended_at, const char *, (const kustomer_conversation *, size_t *))                                      \
    FUNCTION(kustomer_conversation_end_reason, const char *, (const kustomer_conversation *, size_t *))                                    \
    FUNCTION(kustomer_conversation_name, const char *, (const kustomer_conversation *, size_t *))                                          \
    FUNCTION(kustomer_conversation_brand_id, const char *, (const kustomer_conversation *, size_t *))                                      \
    FUNCTION(kustomer_conversation_unread_count, int64_t, (const kustomer_conversation *))                                                 \
    FUNCTION(kustomer_conversation_json, const char *, (const kustomer_conversation *, size_t *))                                          \
    FUNCTION(kustomer_error_code, kustomer_code, (const kustomer_error *))                                                                 \
    FUNCTION(kustomer_error_http_status, int32_t, (const kustomer_error *))                                                                \
    FUNCTION(kustomer_error_message, const char *, (const kustomer_error *, size_t *))                                                     \
    FUNCTION(kustomer_error_retry_after_ms, int64_t, (const kustomer_error *))                                                             \
    FUNCTION(kustomer_error_retryable, int32_t, (const kustomer_error *))                                                                  \
    FUNCTION(kustomer_error_detail_count, size_t, (const kustomer_error *))                                                                \
    FUNCTION(kustomer_error_detail_code, const char *, (const kustomer_error *, size_t, size_t *))                                         \
    FUNCTION(kustomer_error_detail_title, const char *, (const kustomer_error *, size_t, size_t *))                                        \
    FUNCTION(kustomer_error_detail_message, const char *, (const kustomer_error *, size_t, size_t *))                                      \
    FUNCTION(kustomer_error_detail_source, const char *, (const kustomer_error *, size_t, size_t *))                                       \
    FUNCTION(kustomer_error_clone, kustomer_error *, (const kustomer_error *))                                                             \
    FUNCTION(kustomer_error_free, void, (kustomer_error *))                                                                                \
    FUNCTION(kustomer_settings_json, const char *, (const kustomer_settings *, size_t *))                                                  \
    FUNCTION(kustomer_settings_enabled, kustomer_tristate, (const kustomer_settings *))                                                    \
    FUNCTION(kustomer_settings_no_history, kustomer_tristate, (const kustomer_settings *))                                                 \
    FUNCTION(kustomer_settings_team_name, const char *, (const kustomer_settings *, size_t *))                                             \
    FUNCTION(kustomer_settings_greeting, const char *, (const kustomer_settings *, size_t *))                                              \
    FUNCTION(kustomer_settings_free, void, (kustomer_settings *))                                                                          \
    FUNCTION(kustomer_visitor_tracking_token, const char *, (const kustomer_visitor *, size_t *))                                          \
    FUNCTION(kustomer_visitor_tracking_id, const char *, (const kustomer_visitor *, size_t *))                                             \
    FUNCTION(kustomer_visitor_verified, kustomer_tristate, (const kustomer_visitor *))                                                     \
    FUNCTION(kustomer_visitor_free, void, (kustomer_visitor *))                                                                            \
    FUNCTION(kustomer_cancel_new, kustomer_cancel *, (void))                                                                               \
    FUNCTION(kustomer_cancel_clone, kustomer_cancel *, (const kustomer_cancel *))                                                          \
    FUNCTION(kustomer_cancel_trigger, void, (kustomer_cancel *))                                                                           \
    FUNCTION(kustomer_cancel_free, void, (kustomer_cancel *))

#define CONTRACT_CODES(CODE)                   \
    CODE(KUSTOMER_OK, 0)                       \
    CODE(KUSTOMER_ERROR_INVALID_ARGUMENT, 1)   \
    CODE(KUSTOMER_ERROR_NOT_INITIALIZED, 2)    \
    CODE(KUSTOMER_ERROR_UNSUPPORTED, 3)        \
    CODE(KUSTOMER_ERROR_CANCELLED, 4)          \
    CODE(KUSTOMER_ERROR_STOPPED, 5)            \
    CODE(KUSTOMER_ERROR_TIMEOUT, 6)            \
    CODE(KUSTOMER_ERROR_NETWORK, 7)            \
    CODE(KUSTOMER_ERROR_TLS, 8)                \
    CODE(KUSTOMER_ERROR_UNAUTHORIZED, 9)       \
    CODE(KUSTOMER_ERROR_RATE_LIMITED, 10)      \
    CODE(KUSTOMER_ERROR_HTTP, 11)              \
    CODE(KUSTOMER_ERROR_SERVER, 12)            \
    CODE(KUSTOMER_ERROR_DECODE, 13)            \
    CODE(KUSTOMER_ERROR_LIMIT, 14)             \
    CODE(KUSTOMER_ERROR_INTERNAL, 15)

#endif

// The header as a C++ program uses it: C linkage, the _INIT macros, a full list. C++11 or newer.
#include "check.h"
#include <set>
#include <string>
#include <type_traits>

static_assert(std::is_same<decltype(kustomer_version_number()), uint32_t>::value, "declared in C++ as in C");
static_assert(std::is_same<kustomer_code, int32_t>::value, "a code is a number, not an enum");
static_assert(std::is_standard_layout<kustomer_init_options>::value && std::is_trivial<kustomer_init_options>::value, "plain data");
static_assert(std::is_standard_layout<kustomer_get_conversations_options>::value, "plain data");
static_assert(std::is_standard_layout<kustomer_call_options>::value, "plain data");

// Declared once more, with C linkage spelled out: it compiles only when the header's own declaration has it.
extern "C" const char *kustomer_version(void);

extern "C" int32_t collect(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    auto *ids = static_cast<std::set<std::string> *>(user_data);
    CHECK(error == nullptr);
    for (std::size_t i = 0; i < kustomer_response_conversation_count(response); i++) {
        std::size_t len = 0;
        const char *id = kustomer_conversation_id(kustomer_response_conversation(response, i), &len);
        ids->insert(std::string(id, len));
    }
    return 0;
}

static void the_init_macros_work_in_cpp()
{
    const kustomer_init_options init = KUSTOMER_INIT_OPTIONS_INIT;
    const kustomer_call_options call = KUSTOMER_CALL_OPTIONS_INIT;
    const kustomer_get_conversations_options get = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    CHECK(init.struct_size == sizeof init && init.api_key == nullptr && init.user_data_free == nullptr && init.cancel == nullptr);
    CHECK(call.struct_size == sizeof call && call.timeout_ms == 0 && call.reserved == 0 && call.cancel == nullptr);
    CHECK(get.struct_size == sizeof get && get.page == 0 && get.brand_id == nullptr && get.cancel == nullptr);
}

static void a_cpp_program_reads_every_conversation_once()
{
    std::set<std::string> ids;
    kustomer_client *client = test_client();
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.all_pages = 1;
    CHECK_CODE(kustomer_get_conversations(client, &options, collect, &ids), KUSTOMER_OK);
    CHECK(ids.size() == ALL_ROWS);
    kustomer_client_free(client);
}

static void a_captureless_lambda_is_a_callback()
{
    int calls = 0;
    const kustomer_code code = kustomer_get_conversations(
        nullptr, nullptr,
        [](const kustomer_response *, const kustomer_error *error, void *user_data) -> int32_t {
            CHECK(kustomer_error_code(error) == KUSTOMER_ERROR_NOT_INITIALIZED);
            ++*static_cast<int *>(user_data);
            return 0;
        },
        &calls);
    CHECK_CODE(code, KUSTOMER_ERROR_NOT_INITIALIZED);
    CHECK(calls == 1);
}

int main()
{
    CHECK(std::string(kustomer_version()) == KUSTOMER_VERSION);
    the_init_macros_work_in_cpp();
    a_cpp_program_reads_every_conversation_once();
    a_captureless_lambda_is_a_callback();
    return check_report();
}

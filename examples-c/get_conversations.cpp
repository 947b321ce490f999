// Walks every page with a pager, in C++11, on the C header alone: what owns is a unique_ptr, what is text a std::string.
#include <kustomer.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Free {
    void operator()(kustomer_client *client) const { kustomer_client_free(client); }
    void operator()(kustomer_pager *pager) const { kustomer_pager_free(pager); }
    void operator()(kustomer_response *response) const { kustomer_response_free(response); }
    void operator()(kustomer_error *error) const { kustomer_error_free(error); }
};
using Client = std::unique_ptr<kustomer_client, Free>;
using Pager = std::unique_ptr<kustomer_pager, Free>;
using Response = std::unique_ptr<kustomer_response, Free>;
using Error = std::unique_ptr<kustomer_error, Free>;

// With the length, since text may hold U+0000; an absent text becomes an empty one.
template <typename Object>
std::string text(const char *(*get)(const Object *, std::size_t *), const Object *object)
{
    std::size_t length = 0;
    const char *data = get(object, &length);
    return data == nullptr ? std::string() : std::string(data, length);
}

// For a terminal: what is no printable text is shown as '?', so that nobody's preview can command it.
std::string printable(std::string line)
{
    for (std::size_t i = 0; i < line.size(); i++) {
        const unsigned char byte = static_cast<unsigned char>(line[i]);
        const unsigned char next = i + 1 < line.size() ? static_cast<unsigned char>(line[i + 1]) : 0;
        if (byte < 0x20 || byte == 0x7F)
            line[i] = '?';
        else if (byte == 0xC2 && next < 0xA0) // U+0080 to U+009F, two bytes
            line.replace(i, 2, "?");
    }
    return line;
}

// Takes the error over, whatever happens.
void check(kustomer_code code, kustomer_error *owned)
{
    const Error error(owned);
    if (code != KUSTOMER_OK)
        throw std::runtime_error(std::string(kustomer_code_name(code)) + ": " + text(kustomer_error_message, error.get()));
}

Client connect(kustomer_init_options &options)
{
    kustomer_client *client = nullptr;
    kustomer_error *error = nullptr;
    const kustomer_code code = kustomer_init(&options, &client, &error);
    Client owner(client);
    check(code, error);
    return owner;
}

Pager pages_of(const Client &client, const kustomer_get_conversations_options &options)
{
    kustomer_pager *pager = nullptr;
    kustomer_error *error = nullptr;
    const kustomer_code code = kustomer_pager_new(client.get(), &options, &pager, &error);
    Pager owner(pager);
    check(code, error);
    return owner;
}

// Null at the end.
Response next_page(const Pager &pager)
{
    kustomer_response *page = nullptr;
    kustomer_error *error = nullptr;
    const kustomer_code code = kustomer_pager_next(pager.get(), &page, &error);
    Response owner(page);
    check(code, error);
    return owner;
}

// C calls this, so no exception may leave it. Applications save the token here, and hand it back as tracking_token.
extern "C" void on_visitor(const kustomer_visitor *visitor, void *user_data)
{
    try {
        *static_cast<std::string *>(user_data) = text(kustomer_visitor_tracking_id, visitor);
    } catch (...) { // out of memory: the id stays as it was
    }
}

void list_conversations()
{
    std::string visitor; // outlives the client, whose hook writes it

    kustomer_init_options options = KUSTOMER_INIT_OPTIONS_INIT;
    options.api_key = std::getenv("KUSTOMER_API_KEY");
    options.tracking_token = std::getenv("KUSTOMER_TRACKING_TOKEN");
    options.base_url = std::getenv("KUSTOMER_BASE_URL");
    options.ca_file = std::getenv("KUSTOMER_CA_FILE");
    options.on_visitor = on_visitor;
    options.user_data = &visitor;
    const Client client = connect(options);
    if (!visitor.empty())
        std::cerr << "the visitor is " << printable(visitor) << ", a token to save has come\n";

    kustomer_get_conversations_options walk = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    const Pager pager = pages_of(client, walk); // declared after the client, so freed before it
    while (const Response page = next_page(pager)) {
        for (std::size_t i = 0; i < kustomer_response_conversation_count(page.get()); i++) {
            const kustomer_conversation *conversation = kustomer_response_conversation(page.get(), i);
            std::cout << printable(text(kustomer_conversation_id, conversation)) << "  "
                      << printable(text(kustomer_conversation_preview, conversation)) << '\n';
        }
    }
    if (!std::cout.flush())
        throw std::runtime_error("cannot write the output");
}

} // namespace

int main()
{
    try {
        list_conversations();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::cerr << "get_conversations_cpp: " << printable(error.what()) << '\n';
        return EXIT_FAILURE;
    }
}

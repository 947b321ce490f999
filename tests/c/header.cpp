// The header needs nothing before it, and may come twice. Compiled as every standard of C++, with all warnings as errors.
#include <kustomer.h>
#include <kustomer.h>

extern kustomer_init_options header_init_options;
extern kustomer_call_options header_call_options;
extern kustomer_get_conversations_options header_get_conversations_options;
kustomer_init_options header_init_options = KUSTOMER_INIT_OPTIONS_INIT;
kustomer_call_options header_call_options = KUSTOMER_CALL_OPTIONS_INIT;
kustomer_get_conversations_options header_get_conversations_options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;

namespace {
// Assignable only because its type is that of a C function; cpp.cpp shows that the linker finds it.
const char *(*const header_version)() = kustomer_version;
}
const char *header_uses_version();
const char *header_uses_version() { return header_version(); }

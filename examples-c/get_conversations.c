/* Lists the conversations of a Kustomer customer: `get_conversations --help` tells all about it.
 *
 * Exit codes: 0 done, 1 the output could not be written, 2 wrong usage, 10 + kustomer_code for a failure of the
 * library: 16 KUSTOMER_ERROR_TIMEOUT, 17 KUSTOMER_ERROR_NETWORK, 19 KUSTOMER_ERROR_UNAUTHORIZED and so on. */
#define _POSIX_C_SOURCE 200809L /* isatty */

#include <kustomer.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_WRITE = 1, EXIT_USAGE = 2, EXIT_LIBRARY = 10 };

struct listing {
    kustomer_init_options init;
    kustomer_get_conversations_options options;
    int json, progress;
    size_t columns; /* of the terminal */
    size_t listed;
};

/* ---- Text from the network: UTF-8 that may hold anything, U+0000 and terminal escapes included ---- */

struct range { uint32_t first, last; };

/* Control characters, and what breaks lines or reorders the text around it; all below U+10000. */
static const struct range HIDDEN[] = {{0x00, 0x1F}, {0x7F, 0x9F}, {0x2028, 0x202E}, {0x2066, 0x2069}, {0, 0}};
/* Unicode's width tables in short: right for most of what people write in chats. */
static const struct range ZERO_WIDTH[] = {
    {0x300, 0x36F}, {0x591, 0x5BD}, {0x610, 0x61C}, {0x64B, 0x65F}, {0xE31, 0xE31}, {0xE34, 0xE3A}, {0xE47, 0xE4E},
    {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0E}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE01EF}, {0, 0}};
static const struct range DOUBLE_WIDTH[] = {
    {0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x26A1, 0x26A1}, {0x2705, 0x2705}, {0x2728, 0x2728},
    {0x274C, 0x274C}, {0x2753, 0x2755}, {0x2B50, 0x2B50}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F000, 0x1FAFF}, {0x20000, 0x3FFFD}, {0, 0}};
static const struct range RIGHT_TO_LEFT[] = {
    {0x590, 0x8FF}, {0x200F, 0x200F}, {0xFB1D, 0xFDFF}, {0xFE70, 0xFEFE}, {0x10800, 0x10FFF}, {0x1E800, 0x1EFFF}, {0, 0}};

static int is_in(const struct range *ranges, uint32_t character)
{
    for (; ranges->last != 0; ranges++)
        if (ranges->first <= character && character <= ranges->last)
            return 1;
    return 0;
}

/* Reads the first character and returns its bytes. The library hands out valid UTF-8 only; `len` is kept all the same. */
static size_t decode(const char *text, size_t len, uint32_t *out_character)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t count = bytes[0] < 0x80 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
    if (count > len)
        count = len;
    *out_character = count == 1 ? bytes[0] : bytes[0] & (0xFFu >> (count + 1));
    for (size_t i = 1; i < count; i++)
        *out_character = *out_character << 6 | (bytes[i] & 0x3Fu);
    return count;
}

/* Writes hidden characters in JSON's escapes; the table shows them so too. */
static void write_escaped(FILE *out, const char *text, size_t len, int in_json)
{
    uint32_t character;
    for (size_t at = 0, bytes; at < len; at += bytes) {
        bytes = decode(text + at, len - at, &character);
        if (in_json && (character == '"' || character == '\\'))
            fputc('\\', out);
        if (character == '\n')
            fputs("\\n", out);
        else if (is_in(HIDDEN, character))
            fprintf(out, "\\u%04" PRIx32, character);
        else
            fwrite(text + at, 1, bytes, out);
    }
}

static size_t width(uint32_t character)
{
    if (is_in(HIDDEN, character))
        return character == '\n' ? 2 : 6; /* as escaped */
    return is_in(ZERO_WIDTH, character) ? 0 : is_in(DOUBLE_WIDTH, character) ? 2 : 1;
}

/* Returns how many bytes of `text` fit into `limit` columns, never cutting inside a character. */
static size_t fit(const char *text, size_t len, size_t limit, int *out_right_to_left)
{
    size_t at = 0;
    *out_right_to_left = 0;
    while (at < len) {
        uint32_t character;
        size_t bytes = decode(text + at, len - at, &character);
        if (width(character) > limit)
            break;
        *out_right_to_left |= is_in(RIGHT_TO_LEFT, character);
        limit -= width(character);
        at += bytes;
    }
    return at;
}

/* Prints at most `limit` columns, the last one "…" when something had to go. */
static void print_text(FILE *out, const char *text, size_t len, size_t limit)
{
    int right_to_left;
    size_t end = fit(text, len, limit, &right_to_left);
    int cut = end < len;
    if (cut)
        end = fit(text, len, limit - 1, &right_to_left);
    fputs(right_to_left ? "\xE2\x81\xA8" : "", out); /* U+2068: Arabic or Hebrew must not reorder the columns beside it */
    write_escaped(out, text, end, 0);
    fputs(right_to_left ? "\xE2\x81\xA9" : "", out); /* U+2069 */
    fputs(cut ? "\xE2\x80\xA6" : "", out);
}

/* ---- Errors ---- */

static void print_error(const kustomer_error *error)
{
    static const struct {
        const char *label;
        const char *(*text)(const kustomer_error *error, size_t i, size_t *out_len);
    } details[] = {{"code", kustomer_error_detail_code}, {"title", kustomer_error_detail_title},
                   {"message", kustomer_error_detail_message}, {"source", kustomer_error_detail_source}};
    size_t len;
    const char *text = kustomer_error_message(error, &len); /* one sentence that says what to do */
    fputs("get_conversations: ", stderr);
    write_escaped(stderr, text, len, 0);
    fprintf(stderr, "\n  %s", kustomer_code_name(kustomer_error_code(error)));
    if (kustomer_error_http_status(error) != 0)
        fprintf(stderr, ", HTTP %" PRId32, kustomer_error_http_status(error));
    if (kustomer_error_retry_after_ms(error) >= 0)
        fprintf(stderr, ", try again in %" PRId64 " s", (kustomer_error_retry_after_ms(error) + 999) / 1000);
    else if (kustomer_error_retryable(error))
        fputs(", the same call may succeed later", stderr);
    fputc('\n', stderr);
    for (size_t i = 0; i < kustomer_error_detail_count(error); i++) { /* what the service itself said */
        for (size_t j = 0; j < sizeof details / sizeof *details; j++) {
            text = details[j].text(error, i, &len);
            if (text == NULL)
                continue;
            fprintf(stderr, "  service: %s: ", details[j].label);
            write_escaped(stderr, text, len, 0);
            fputc('\n', stderr);
        }
    }
}

/* ---- The table ---- */

static void relative_time(int64_t then_ms, char *out, size_t size)
{
    int64_t ahead = then_ms / 1000 - (int64_t)time(NULL); /* more than 0 when a clock is off */
    int64_t seconds = ahead > 0 ? ahead : -ahead;
    int64_t unit = seconds < 60 ? 1 : seconds < 3600 ? 60 : seconds < 86400 ? 3600 : 86400;
    const char *name = unit == 1 ? "s" : unit == 60 ? "min" : unit == 3600 ? "h" : "d";
    snprintf(out, size, ahead > 0 ? "in %" PRId64 " %s" : "%" PRId64 " %s ago", seconds / unit, name);
}

static const char *state(const kustomer_conversation *conversation)
{
    kustomer_tristate ended = kustomer_conversation_ended(conversation);
    if (ended == KUSTOMER_TRUE)
        return "ended";
    if (kustomer_conversation_is_in_assistant_mode(conversation) == KUSTOMER_TRUE)
        return "assistant";
    return ended == KUSTOMER_FALSE ? "open" : "unknown";
}

static void print_row(const kustomer_conversation *conversation, size_t columns)
{
    enum { ID_COLUMNS = 24, SHORTEST_PREVIEW = 20 };
    char when[32] = "draft", unread[24] = "-";
    int64_t last_message_at_ms = kustomer_conversation_last_message_at_ms(conversation);
    if (last_message_at_ms != KUSTOMER_NO_TIME)
        relative_time(last_message_at_ms, when, sizeof when);
    else if (kustomer_conversation_last_message_at(conversation, NULL) != NULL)
        strcpy(when, "?"); /* there is one, in a form that nobody knows */
    if (kustomer_conversation_unread_count(conversation) >= 0)
        snprintf(unread, sizeof unread, "%" PRId64, kustomer_conversation_unread_count(conversation));
    size_t len, used = (size_t)printf("%-12s  %-9s  %6s  ", when, state(conversation), unread);
    const char *text = kustomer_conversation_id(conversation, &len);
    print_text(stdout, text, len, SIZE_MAX); /* whole: people copy it */
    used += len + (size_t)printf("%*s", len < ID_COLUMNS ? (int)(ID_COLUMNS - len) + 2 : 2, "");
    text = kustomer_conversation_preview(conversation, &len); /* last, so that a character of unexpected width moves nothing */
    print_text(stdout, text, len, columns > used + SHORTEST_PREVIEW ? columns - used : SHORTEST_PREVIEW);
    putchar('\n');
}

static void print_table(const kustomer_response *page, size_t columns)
{
    const kustomer_pages *pages = kustomer_response_pages(page);
    size_t count = kustomer_response_conversation_count(page);
    printf("%-12s  %-9s  %6s  %-24s  %s\n", "LAST MESSAGE", "STATE", "UNREAD", "ID", "PREVIEW");
    for (size_t i = 0; i < count; i++)
        print_row(kustomer_response_conversation(page, i), columns);
    printf("page %" PRId32 ": %zu", pages->current, count);
    if (kustomer_response_total(page) >= 0)
        printf(" of %" PRId64, kustomer_response_total(page));
    fputs(" conversations", stdout);
    if (kustomer_response_skipped_count(page) > 0)
        printf(", %zu skipped", kustomer_response_skipped_count(page));
    if (pages->next != KUSTOMER_NO_PAGE)
        printf(", next page: %" PRId32 "\n", pages->next);
    else
        puts(", last page");
}

/* ---- JSON: a line for each conversation, in the names of the JavaScript API ---- */

static void print_json_text(const char *name, const char *text, size_t len)
{
    printf("\"%s\":%s", name, text != NULL ? "\"" : "null,");
    write_escaped(stdout, text, len, 1); /* nothing when absent: `len` is 0 then */
    fputs(text != NULL ? "\"," : "", stdout);
}

static void print_json(const kustomer_conversation *conversation)
{
    static const char *const tristate[] = {"null", "false", "true"}; /* KUSTOMER_UNKNOWN is -1 */
    size_t len;
    putchar('{');
    const char *text = kustomer_conversation_id(conversation, &len);
    print_json_text("conversationId", text, len);
    text = kustomer_conversation_created_at(conversation, &len);
    print_json_text("createdAt", text, len);
    text = kustomer_conversation_preview(conversation, &len);
    print_json_text("preview", text, len);
    printf("\"isInAssistantMode\":%s,", tristate[kustomer_conversation_is_in_assistant_mode(conversation) + 1]);
    text = kustomer_conversation_last_message_at(conversation, &len);
    print_json_text("lastMessageAt", text, len);
    printf("\"ended\":%s}\n", tristate[kustomer_conversation_ended(conversation) + 1]);
}

/* ---- The call ---- */

/* A full disk, or a reader that went away where SIGPIPE is ignored; elsewhere that has ended the program. */
static int write_failed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "get_conversations: cannot write the output: %s\n", strerror(errno));
    return 1;
}

/* Called for each page, or with what went wrong; page and error are the library's, and gone after the return. */
static int32_t on_page(const kustomer_response *page, const kustomer_error *error, void *user_data)
{
    struct listing *listing = user_data;
    if (listing->progress)
        fputs("\r\x1B[K", stderr); /* the running count makes room for what comes */
    if (error != NULL) {
        print_error(error);
        return 0;
    }
    size_t count = kustomer_response_conversation_count(page);
    for (size_t i = 0; listing->json && i < count; i++)
        print_json(kustomer_response_conversation(page, i));
    if (!listing->json)
        print_table(page, listing->columns);
    if (write_failed())
        return 1; /* ends the call with STOPPED */
    listing->listed += count;
    if (listing->progress && kustomer_response_pages(page)->next != KUSTOMER_NO_PAGE)
        fprintf(stderr, "%zu conversations ...", listing->listed);
    return 0;
}

static int list_conversations(struct listing *listing)
{
    kustomer_client *client;
    kustomer_error *error;
    kustomer_code code = kustomer_init(&listing->init, &client, &error);
    if (code != KUSTOMER_OK) {
        print_error(error);
        kustomer_error_free(error);
        return EXIT_LIBRARY + code;
    }
    code = kustomer_get_conversations(client, &listing->options, on_page, listing);
    kustomer_client_free(client);
    if (code == KUSTOMER_ERROR_STOPPED)
        return EXIT_WRITE; /* the only reason why on_page stops */
    if (code != KUSTOMER_OK)
        return EXIT_LIBRARY + code; /* on_page has printed the error */
    if (listing->listed == 0 && listing->init.auth == KUSTOMER_AUTH_CHAT_KEY && listing->init.tracking_token == NULL)
        fputs("hint: a new visitor has no history; set KUSTOMER_TRACKING_TOKEN to a token that an on_visitor hook saved\n", stderr);
    return EXIT_SUCCESS;
}

/* ---- Arguments and environment ---- */

static int print_help(void)
{
    puts("usage: get_conversations [--all] [--page N] [--page-size N] [--active] [--brand ID] [--json] [--timeout-ms N]\n\n"
         "  --all           every page from --page on, not just one\n"
         "  --page N        1 is the first, and the default\n"
         "  --page-size N   1 to 1000, default 100\n"
         "  --active        only conversations that have not ended\n"
         "  --brand ID      only this brand\n"
         "  --json          a line of JSON for each conversation\n"
         "  --timeout-ms N  the longest wait for a page, default 30000\n\n"
         "environment:\n"
         "  KUSTOMER_API_KEY         the key (required)\n"
         "  KUSTOMER_AUTH            chat-key (default), or api-key for a server key\n"
         "  KUSTOMER_TRACKING_TOKEN  chat key: the visitor's saved token; without it the visitor is new, the list empty\n"
         "  KUSTOMER_CUSTOMER_ID, KUSTOMER_TRACKING_ID  server key: whose conversations, one of them or both\n"
         "  KUSTOMER_BASE_URL, KUSTOMER_CA_FILE         another origin, other roots (PEM)\n\n"
         "exit codes: 0 done, 1 the output could not be written, 2 wrong usage, and for failures of the library:");
    for (kustomer_code code = KUSTOMER_ERROR_INVALID_ARGUMENT; code <= KUSTOMER_ERROR_INTERNAL; code++)
        printf("  %" PRId32 "  %s\n", EXIT_LIBRARY + code, kustomer_code_name(code));
    return write_failed() ? EXIT_WRITE : EXIT_SUCCESS;
}

/* Ends the program; it is called before there is anything to free. */
static void usage_error(const char *what, const char *problem)
{
    fprintf(stderr, "get_conversations: %s %s (--help tells more)\n", what, problem);
    exit(EXIT_USAGE);
}

static int32_t number(const char *option, const char *text, int32_t max)
{
    char *end, problem[48];
    snprintf(problem, sizeof problem, "needs a number from 1 to %" PRId32, max);
    if (text == NULL || text[0] < '0' || text[0] > '9') /* strtol would let spaces and signs pass */
        usage_error(option, problem);
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < 1 || value > max)
        usage_error(option, problem);
    return (int32_t)value;
}

static void read_arguments(struct listing *listing, char **arguments)
{
    for (const char *option; (option = *arguments) != NULL; arguments++) {
        if (strcmp(option, "--all") == 0)
            listing->options.all_pages = 1;
        else if (strcmp(option, "--page") == 0)
            listing->options.page = number(option, *++arguments, INT32_MAX);
        else if (strcmp(option, "--page-size") == 0)
            listing->options.page_size = number(option, *++arguments, 1000);
        else if (strcmp(option, "--active") == 0)
            listing->options.active_only = 1;
        else if (strcmp(option, "--brand") == 0 && arguments[1] != NULL)
            listing->options.brand_id = *++arguments;
        else if (strcmp(option, "--json") == 0)
            listing->json = 1;
        else if (strcmp(option, "--timeout-ms") == 0)
            listing->init.timeout_ms = (uint32_t)number(option, *++arguments, 86400000);
        else if (strcmp(option, "--help") == 0)
            exit(print_help());
        else
            usage_error(option, strcmp(option, "--brand") == 0 ? "needs an id" : "is no option");
    }
}

/* A variable that is set to nothing is as one that is not set. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static void read_environment(struct listing *listing)
{
    const char *auth = environment("KUSTOMER_AUTH");
    if (auth != NULL && strcmp(auth, "api-key") == 0)
        listing->init.auth = KUSTOMER_AUTH_API_KEY;
    else if (auth != NULL && strcmp(auth, "chat-key") != 0)
        usage_error("KUSTOMER_AUTH", "must be chat-key or api-key");
    listing->init.api_key = environment("KUSTOMER_API_KEY");
    if (listing->init.api_key == NULL)
        usage_error("KUSTOMER_API_KEY", "must hold your key");
    if (listing->init.auth == KUSTOMER_AUTH_CHAT_KEY)
        listing->init.tracking_token = environment("KUSTOMER_TRACKING_TOKEN");
    listing->options.customer_id = environment("KUSTOMER_CUSTOMER_ID");
    listing->options.tracking_id = environment("KUSTOMER_TRACKING_ID");
    listing->init.base_url = environment("KUSTOMER_BASE_URL");
    listing->init.ca_file = environment("KUSTOMER_CA_FILE");
}

/* The terminal's; where there is none, lines are as long as they come. */
static size_t output_columns(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return SIZE_MAX;
}

int main(int argc, char **argv)
{
    struct listing listing = {KUSTOMER_INIT_OPTIONS_INIT, KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT, 0, 0, 0, 0};
    read_arguments(&listing, argv + (argc > 0));
    read_environment(&listing);
    listing.columns = output_columns();
    listing.progress = listing.options.all_pages && isatty(STDERR_FILENO);
    return list_conversations(&listing);
}

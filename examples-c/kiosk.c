/* A screen that shows a visitor's conversations for months: `kiosk --help` tells all about it. A start for your own.
 *
 * One thread asks, shows and waits; another waits for the signal that ends the program. Exit codes: 0 told to end (SIGTERM,
 * SIGINT), 1 the screen could not be written or the system refused a thread, 2 wrong usage, 10 + kustomer_code for a failure
 * of the library that no waiting mends. */
#define _POSIX_C_SOURCE 200809L /* beside C99: signals, threads, files */

#include <kustomer.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_SYSTEM = 1, EXIT_USAGE = 2, EXIT_LIBRARY = 10 };
enum { ROWS = 16 }; /* what a terminal of 24 lines has room for */
enum { LONGEST_PAUSE_MS = 24 * 60 * 60 * 1000 };
enum { LONGEST_TOKEN = 16 * 1024 }; /* the library takes none that is longer */

/* Where the tracking token is kept from one run to the next. */
struct store {
    int folder;
    const char *name;
    char temporary[256];
};

struct kiosk {
    kustomer_client *client;
    struct store store;
    const char *login_jwt; /* until it has been used */
    int new_visitor;       /* until the old one has been forgotten */
    int64_t interval_ms;

    kustomer_response *list; /* the last one that came; NULL: none */
    int64_t list_ms;         /* when that was */
    kustomer_error *error;   /* why the last try failed; NULL: it did not */
    unsigned failures;       /* in a row */

    sigset_t ending;         /* the signals that end the program */
    kustomer_cancel *cancel; /* ends calls */
    int ended[2];            /* a pipe that ends waits: nothing is ever written to it, it is closed */
};

/* Not the time of day, which is set while a kiosk runs: some start in 1970. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The tracking token: who has it sees the visitor's history, who loses it starts without one ---- */

/* However the run ends, by SIGKILL or a power cut, the file holds the old token or the new one, whole: the new one takes
 * the file's name once it is on the disk, and this returns once the name is, too. */
static int save_token(const struct store *store, const char *token, size_t len)
{
    unlinkat(store->folder, store->temporary, 0); /* from a run that was killed; O_EXCL: it is ours, and so is its mode */
    int file = openat(store->folder, store->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0)
        return -1;
    errno = ENOSPC; /* which write does not say when some of it had room */
    int failed = write(file, token, len) != (ssize_t)len || fsync(file) != 0;
    failed |= close(file) != 0;
    if (failed || renameat(store->folder, store->temporary, store->folder, store->name) != 0)
        return -1;
    return fsync(store->folder);
}

static int erase_token(const struct store *store)
{
    unlinkat(store->folder, store->temporary, 0); /* from a run that was killed: it may hold a token, too */
    if (unlinkat(store->folder, store->name, 0) != 0 && errno != ENOENT)
        return -1;
    return fsync(store->folder);
}

/* The library calls it, inside a call of ours, when the visitor's token is another than the one it last heard of. */
static void on_visitor(const kustomer_visitor *visitor, void *user_data)
{
    const struct kiosk *kiosk = user_data;
    size_t len;
    const char *token = kustomer_visitor_tracking_token(visitor, &len);
    if ((token != NULL ? save_token(&kiosk->store, token, len) : erase_token(&kiosk->store)) != 0)
        fprintf(stderr, "kiosk: cannot %s the tracking token in %s: %s\n", token != NULL ? "save" : "erase",
                kiosk->store.name, strerror(errno)); /* and goes on: this run does without the file */
}

/* ---- The screen ---- */

/* How many bytes a character has that a screen must not see, else 0: controls (C0, DEL, C1), and what breaks lines or
 * reorders the text around it. The library hands out valid UTF-8 only. */
static size_t hidden(const char *text, size_t len)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x20 || byte[0] == 0x7F)
        return 1;
    if (len >= 2 && byte[0] == 0xC2 && byte[1] < 0xA0)
        return 2;
    if (len >= 3 && byte[0] == 0xE2 && ((byte[1] == 0x80 && byte[2] >= 0xA8 && byte[2] <= 0xAE) || /* U+2028 to 202E */
                                        (byte[1] == 0x81 && byte[2] >= 0xA6 && byte[2] <= 0xA9)))  /* U+2066 to 2069 */
        return 3;
    return 0;
}

/* Text from the network is what strangers typed: on one line, and without power over the terminal. NULL is as "". */
static void print_text(FILE *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t bytes = hidden(text + at, len - at);
        fputc(bytes > 0 ? ' ' : text[at], out);
        at += bytes > 0 ? bytes : 1;
    }
}

static void print_error(FILE *out, const kustomer_error *error)
{
    size_t len;
    const char *message = kustomer_error_message(error, &len); /* one sentence that says what to do */
    print_text(out, message, len);
    fputc('\n', out);
}

static void print_head(const kustomer_client *client)
{
    kustomer_settings *settings = kustomer_client_settings(client); /* NULL before the first call: all is absent then */
    size_t team_len, greeting_len;
    const char *team = kustomer_settings_team_name(settings, &team_len);
    const char *greeting = kustomer_settings_greeting(settings, &greeting_len);
    print_text(stdout, team, team_len);
    fputs(team_len > 0 && greeting_len > 0 ? ": " : "", stdout);
    print_text(stdout, greeting, greeting_len);
    puts(kustomer_settings_enabled(settings) == KUSTOMER_FALSE ? "\nThe chat is closed.\n" : "\n");
    kustomer_settings_free(settings);
}

static const char *state(const kustomer_conversation *conversation)
{
    if (kustomer_conversation_ended(conversation) == KUSTOMER_TRUE)
        return "ended";
    return kustomer_conversation_is_in_assistant_mode(conversation) == KUSTOMER_TRUE ? "assistant" : "";
}

static void print_row(const kustomer_conversation *conversation)
{
    char when[32] = "draft", unread[32] = "";
    int64_t last_message_at_ms = kustomer_conversation_last_message_at_ms(conversation);
    time_t seconds = (time_t)(last_message_at_ms / 1000);
    struct tm local;
    if (last_message_at_ms != KUSTOMER_NO_TIME && localtime_r(&seconds, &local) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
    if (kustomer_conversation_unread_count(conversation) > 0)
        snprintf(unread, sizeof unread, "%" PRId64 " new", kustomer_conversation_unread_count(conversation));
    printf("%-16s  %-9s  %7s  ", when, state(conversation), unread);
    size_t len;
    const char *preview = kustomer_conversation_preview(conversation, &len);
    print_text(stdout, preview, len);
    putchar('\n');
}

static void print_list(const kustomer_response *list)
{
    size_t count = kustomer_response_conversation_count(list);
    for (size_t i = 0; i < count; i++)
        print_row(kustomer_response_conversation(list, i));
    if (kustomer_response_total(list) >= 0)
        printf("%zu of %" PRId64 " conversations\n", count, kustomer_response_total(list));
    else
        printf("%zu conversations\n", count);
}

static void print_age(int64_t age_ms)
{
    int64_t seconds = age_ms / 1000;
    int64_t unit = seconds < 120 ? 1 : seconds < 7200 ? 60 : 3600;
    printf("This list is %" PRId64 " %s old. ", seconds / unit, unit == 1 ? "s" : unit == 60 ? "min" : "h");
}

/* Wipes a terminal first, and has it cut the lines of the list; elsewhere a line of dashes ends the screen.
 * 0, or 1 when it cannot be written. */
static int show(const struct kiosk *kiosk)
{
    int terminal = isatty(STDOUT_FILENO);
    fputs(terminal ? "\x1B[H\x1B[2J\x1B[?7l" : "", stdout);
    print_head(kiosk->client);
    if (kiosk->list != NULL)
        print_list(kiosk->list);
    else if (kiosk->error == NULL)
        puts("One moment, please ...");
    fputs(terminal ? "\x1B[?7h" : "", stdout);
    if (kiosk->list != NULL && kiosk->error != NULL)
        print_age(now_ms() - kiosk->list_ms);
    if (kiosk->error != NULL)
        print_error(stdout, kiosk->error);
    fputs(terminal ? "" : "--------\n", stdout);
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "kiosk: cannot write the screen: %s\n", strerror(errno));
    return 1;
}

/* ---- Asking ---- */

/* What is to be done before there can be a list, and is done once. */
static kustomer_code begin(struct kiosk *kiosk, kustomer_error **out_error)
{
    kustomer_call_options options = KUSTOMER_CALL_OPTIONS_INIT;
    options.cancel = kiosk->cancel;
    kustomer_code code = KUSTOMER_OK;
    if (kiosk->new_visitor) {
        code = kustomer_logout(kiosk->client, &options, out_error);
        kiosk->new_visitor = 0; /* whatever it returned: the old visitor is forgotten */
    }
    if (code == KUSTOMER_OK && kiosk->login_jwt != NULL) {
        code = kustomer_login(kiosk->client, kiosk->login_jwt, &options, out_error);
        /* A login that did not get through is tried again, until the JWT is too old (15 minutes). One that was refused is
         * not, as after a restart with a JWT that has had its day: the visitor remains who the saved token says. */
        if (code == KUSTOMER_OK || !kustomer_error_retryable(*out_error))
            kiosk->login_jwt = NULL;
    }
    return code;
}

static kustomer_code refresh(struct kiosk *kiosk)
{
    kustomer_get_conversations_options options = KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT;
    options.page_size = ROWS;
    options.cancel = kiosk->cancel;
    kustomer_response *list = NULL;
    kustomer_error *error = NULL;
    kustomer_code code = begin(kiosk, &error);
    if (code == KUSTOMER_OK)
        code = kustomer_get_conversations_page(kiosk->client, &options, &list, &error);

    /* A service that is away leaves its last list on the screen. One that says who may not see it takes it away. */
    if (code == KUSTOMER_OK || code == KUSTOMER_ERROR_UNAUTHORIZED) {
        kustomer_response_free(kiosk->list);
        kiosk->list = list;
        kiosk->list_ms = now_ms();
    }
    kustomer_error_free(kiosk->error);
    kiosk->error = error;
    kiosk->failures = code == KUSTOMER_OK ? 0 : kiosk->failures + 1;
    return code;
}

/* How long to wait before the next try: the interval; in an outage twice that, then four times, up to sixteen; at least as
 * long as the service asks for, though never over a day, which no service means. And up to a quarter more, by lot: kiosks
 * that were switched on, or failed, at one time must not ask at one time for ever. */
static int64_t pause_ms(const struct kiosk *kiosk)
{
    int64_t pause = kiosk->interval_ms << (kiosk->failures < 4 ? kiosk->failures : 4);
    int64_t asked = kustomer_error_retry_after_ms(kiosk->error); /* -1: for nothing */
    if (pause < asked)
        pause = asked;
    if (pause > LONGEST_PAUSE_MS)
        pause = LONGEST_PAUSE_MS;
    return pause + (int64_t)((double)pause / 4 * (rand() / (RAND_MAX + 1.0)));
}

/* 0: it is time; 1: the program is to end. */
static int wait_until(const struct kiosk *kiosk, int64_t then_ms)
{
    struct pollfd ended = {kiosk->ended[0], POLLIN, 0};
    for (;;) {
        int64_t left = then_ms - now_ms();
        int timeout = left < 0 ? 0 : left < 60000 ? (int)left : 60000;
        if (poll(&ended, 1, timeout) > 0)
            return 1;
        if (left <= 0)
            return 0;
    }
}

static int run(struct kiosk *kiosk)
{
    if (show(kiosk) != 0)
        return EXIT_SYSTEM;
    for (;;) {
        kustomer_code code = refresh(kiosk);
        if (code == KUSTOMER_ERROR_CANCELLED)
            return EXIT_SUCCESS;
        if (code == KUSTOMER_ERROR_INVALID_ARGUMENT || code == KUSTOMER_ERROR_UNSUPPORTED)
            return EXIT_LIBRARY + code; /* all else may pass: a clock is set, a key is given its rights back */
        int64_t next_ms = now_ms() + pause_ms(kiosk);
        do {
            if (show(kiosk) != 0)
                return EXIT_SYSTEM;
            int64_t redraw_ms = now_ms() + kiosk->interval_ms; /* the age of an old list changes while we wait */
            if (wait_until(kiosk, kiosk->error != NULL && redraw_ms < next_ms ? redraw_ms : next_ms))
                return EXIT_SUCCESS;
        } while (now_ms() < next_ms);
    }
}

/* ---- The end: a signal handler may do next to nothing, so no signal is handled. A thread waits for it ---- */

static void *wait_for_signal(void *argument)
{
    struct kiosk *kiosk = argument;
    int signal;
    sigwait(&kiosk->ending, &signal);
    kustomer_cancel_trigger(kiosk->cancel); /* a call that runs ends with CANCELLED, also one that has not begun */
    close(kiosk->ended[1]);                 /* a wait ends: poll sees the other end hang up */
    return NULL;
}

/* ---- Arguments and environment ---- */

static int print_help(void)
{
    puts("usage: kiosk [--interval-ms N] [--timeout-ms N] [--token-file FILE] [--new-visitor]\n\n"
         "Shows a visitor's newest conversations, time and again, until SIGTERM or Ctrl-C.\n\n"
         "  --interval-ms N    between one try and the next, default 30000\n"
         "  --timeout-ms N     the longest that a try waits before the screen tells why, default 15000\n"
         "  --token-file FILE  where the visitor's token is kept for the next start, default kiosk-token\n"
         "  --new-visitor      forgets the visitor of the last time first\n\n"
         "environment:\n"
         "  KUSTOMER_API_KEY         the chat key (required)\n"
         "  KUSTOMER_LOGIN_JWT       logs the visitor in, once; from your server, at most 15 minutes old\n"
         "  KUSTOMER_TRACKING_TOKEN  whom to begin with while there is no token in FILE; default: a new visitor\n"
         "  KUSTOMER_BASE_URL, KUSTOMER_CA_FILE  another origin, other roots (PEM)\n\n"
         "exit codes: 0 told to end, 1 the screen could not be written, or the system refused to start a thread,\n"
         "2 wrong usage, and for failures of the library that no waiting mends:");
    for (kustomer_code code = KUSTOMER_ERROR_INVALID_ARGUMENT; code <= KUSTOMER_ERROR_UNSUPPORTED; code += 2)
        printf("  %" PRId32 "  %s\n", EXIT_LIBRARY + code, kustomer_code_name(code));
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_SYSTEM;
}

/* Ends the program; it is called before there is anything to free. */
static void usage_error(const char *what, const char *problem)
{
    fprintf(stderr, "kiosk: %s %s (--help tells more)\n", what, problem);
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

/* A variable that is set to nothing is as one that is not set. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

/* The folder is opened once: where it is, and whether it is, is settled now. */
static void open_store(struct store *store, char *path)
{
    char *slash = strrchr(path, '/');
    store->name = slash != NULL ? slash + 1 : path;
    int len = snprintf(store->temporary, sizeof store->temporary, "%s.new", store->name);
    if (*store->name == '\0' || len < 0 || (size_t)len >= sizeof store->temporary)
        usage_error("--token-file", "needs the name of a file");
    if (slash != NULL)
        *slash = '\0';
    const char *folder = slash == NULL ? "." : slash == path ? "/" : path;
    store->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0)
        usage_error(folder, strerror(errno));
}

/* A file that is there and cannot be read ends the program: a new visitor's token would take its place. */
static void load_token(const struct store *store, char *token, size_t size)
{
    ssize_t len = 0;
    int file = openat(store->folder, store->name, O_RDONLY | O_CLOEXEC);
    if (file >= 0 ? (len = read(file, token, size - 1)) < 0 : errno != ENOENT)
        usage_error(store->name, strerror(errno));
    if (file >= 0)
        close(file);
    token[len] = '\0';
    token[strcspn(token, "\r\n")] = '\0'; /* from whoever put it there with an editor */
}

/* Returns the path of the token file. */
static char *read_arguments(struct kiosk *kiosk, kustomer_init_options *init, char **arguments)
{
    static char default_path[] = "kiosk-token";
    char *path = default_path;
    for (const char *option; (option = *arguments) != NULL; arguments++) {
        if (strcmp(option, "--interval-ms") == 0)
            kiosk->interval_ms = number(option, *++arguments, LONGEST_PAUSE_MS);
        else if (strcmp(option, "--timeout-ms") == 0)
            init->timeout_ms = (uint32_t)number(option, *++arguments, 86400000);
        else if (strcmp(option, "--token-file") == 0 && arguments[1] != NULL)
            path = *++arguments;
        else if (strcmp(option, "--new-visitor") == 0)
            kiosk->new_visitor = 1;
        else if (strcmp(option, "--help") == 0)
            exit(print_help());
        else
            usage_error(option, strcmp(option, "--token-file") == 0 ? "needs a file" : "is no option");
    }
    return path;
}

static void read_environment(struct kiosk *kiosk, kustomer_init_options *init)
{
    init->api_key = environment("KUSTOMER_API_KEY");
    if (init->api_key == NULL)
        usage_error("KUSTOMER_API_KEY", "must hold your chat key");
    init->tracking_token = environment("KUSTOMER_TRACKING_TOKEN");
    init->base_url = environment("KUSTOMER_BASE_URL");
    init->ca_file = environment("KUSTOMER_CA_FILE");
    kiosk->login_jwt = environment("KUSTOMER_LOGIN_JWT");
}

int main(int argc, char **argv)
{
    struct kiosk kiosk = {.interval_ms = 30000};
    kustomer_init_options init = KUSTOMER_INIT_OPTIONS_INIT;
    init.lazy_init = 1;      /* a kiosk starts while the service is away, too */
    init.timeout_ms = 15000; /* people wait no longer for the screen to say what is the matter */
    init.on_visitor = on_visitor;
    init.user_data = &kiosk;
    char *path = read_arguments(&kiosk, &init, argv + (argc > 0)), token[LONGEST_TOKEN + 2];
    read_environment(&kiosk, &init);
    open_store(&kiosk.store, path);
    load_token(&kiosk.store, token, sizeof token);
    if (*token != '\0')
        init.tracking_token = token;

    static char screen[1 << 16];
    setvbuf(stdout, screen, _IOFBF, sizeof screen); /* written at once, so that it does not flicker */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    srand((unsigned)(now.tv_nsec ^ now.tv_sec ^ getpid())); /* no two kiosks are to draw the same lots */

    pthread_t waiter;
    kiosk.cancel = kustomer_cancel_new();
    sigemptyset(&kiosk.ending);
    sigaddset(&kiosk.ending, SIGTERM);
    sigaddset(&kiosk.ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &kiosk.ending, NULL); /* before there are threads: they inherit it */
    if (pipe(kiosk.ended) != 0 || pthread_create(&waiter, NULL, wait_for_signal, &kiosk) != 0) {
        fputs("kiosk: the system refuses a pipe or a thread\n", stderr);
        return EXIT_SYSTEM;
    }
    kustomer_code code = kustomer_init(&init, &kiosk.client, &kiosk.error);
    int result = code == KUSTOMER_OK ? run(&kiosk) : EXIT_LIBRARY + code;
    if (result >= EXIT_LIBRARY)
        print_error(stderr, kiosk.error);

    pthread_kill(waiter, SIGTERM); /* where none has come from outside */
    pthread_join(waiter, NULL);
    kustomer_client_free(kiosk.client);
    kustomer_response_free(kiosk.list);
    kustomer_error_free(kiosk.error);
    kustomer_cancel_free(kiosk.cancel);
    close(kiosk.ended[0]);
    close(kiosk.store.folder);
    return result;
}

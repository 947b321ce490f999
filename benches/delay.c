/* A line with a round trip: `delay PORT_FILE TO_PORT ROUND_TRIP_MS` listens on a free port of 127.0.0.1, which it writes
 * to PORT_FILE, and hands every byte on half a round trip after it came, both ways.
 *
 * A connection here is there at once, where on a line it costs a round trip: so what the client sends first is held
 * for one more. The client has to speak first, as with TLS. Bandwidth, loss and TCP's slow start are not imitated. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WAYS = 512, CHUNK = 64 * 1024, MOST_WAITING = 8 << 20 };

typedef struct chunk {
    struct chunk *next;
    long long due_ns;
    size_t len, sent;
    char bytes[];
} chunk; /* of length 0: the end */

typedef struct {
    int from, to;
    long long not_before_ns;
    size_t waiting;
    int ended;
    chunk *first, **last;
} way;

static way ways[MOST_WAYS]; /* two and two belong together */
static int way_count;
static long long half_ns;

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int socket_to(int port, int listens)
{
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int failed = listens ? bind(s, (void *)&address, sizeof address) || listen(s, 64)
                         : connect(s, (void *)&address, sizeof address);
    if (failed) {
        perror("delay");
        exit(1);
    }
    return s;
}

static void add_way(int from, int to, long long not_before_ns)
{
    ways[way_count] = (way){.from = from, .to = to, .not_before_ns = not_before_ns};
    ways[way_count].last = &ways[way_count].first;
    way_count++;
}

/* Takes what has come. */
static void take(way *w)
{
    chunk *c = malloc(sizeof *c + CHUNK);
    ssize_t got = recv(w->from, c->bytes, CHUNK, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        free(c);
        return;
    }
    long long now = now_ns();
    c->next = NULL;
    c->len = got > 0 ? (size_t)got : 0;
    c->sent = 0;
    c->due_ns = (now > w->not_before_ns ? now : w->not_before_ns) + half_ns;
    w->ended = got <= 0;
    w->waiting += c->len;
    *w->last = c;
    w->last = &c->next;
}

/* Hands on what is due; whether the other end takes no more just now. */
static int hand_on(way *w, long long now)
{
    while (w->first != NULL && w->first->due_ns <= now) {
        chunk *c = w->first;
        ssize_t sent = c->len == 0 ? shutdown(w->to, SHUT_WR)
                                   : send(w->to, c->bytes + c->sent, c->len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return 1;
        c->sent += sent > 0 ? (size_t)sent : c->len; /* nobody is there any more: it is lost */
        if (c->sent < c->len)
            continue;
        w->waiting -= c->len;
        w->first = c->next;
        if (w->first == NULL)
            w->last = &w->first;
        free(c);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: delay PORT_FILE TO_PORT ROUND_TRIP_MS\n"), 2;
    int listener = socket_to(0, 1), to_port = atoi(argv[2]);
    long long round_trip_ns = atoll(argv[3]) * 1000000;
    half_ns = round_trip_ns / 2;
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    getsockname(listener, (void *)&address, &len);
    FILE *port_file = fopen(argv[1], "w");
    fprintf(port_file, "%d\n", ntohs(address.sin_port));
    fclose(port_file);
    for (;;) {
        struct pollfd polled[1 + 2 * MOST_WAYS];
        int count = 0;
        long long now = now_ns(), next = now + 1000000000;
        polled[count++] = (struct pollfd){listener, way_count + 2 <= MOST_WAYS ? POLLIN : 0, 0};
        for (way *w = ways; w < ways + way_count; w++) {
            int full = hand_on(w, now);
            if (!full && w->first != NULL && w->first->due_ns < next)
                next = w->first->due_ns;
            polled[count++] = (struct pollfd){w->ended || w->waiting >= MOST_WAITING ? -1 : w->from, POLLIN, 0};
            polled[count++] = (struct pollfd){full ? w->to : -1, POLLOUT, 0};
        }
        for (int i = 0; i < way_count; i += 2) {
            if (!ways[i].ended || !ways[i + 1].ended || ways[i].first != NULL || ways[i + 1].first != NULL)
                continue;
            close(ways[i].from);
            close(ways[i].to);
            way_count -= 2;
            for (int k = 0; k < 2 && i < way_count; k++) {
                ways[i + k] = ways[way_count + k];
                if (ways[i + k].first == NULL)
                    ways[i + k].last = &ways[i + k].first;
            }
            count = 1; /* the places have moved: look again */
            next = now;
            break;
        }
        long long wait_ns = next - now_ns();
        struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
        if (wait_ns < 0)
            wait = (struct timespec){0, 0};
        if (ppoll(polled, (nfds_t)count, &wait, NULL) <= 0)
            continue;
        for (int i = 0; 1 + 2 * i < count; i++)
            if (polled[1 + 2 * i].revents != 0)
                take(&ways[i]);
        if (polled[0].revents & POLLIN) {
            int client = accept(listener, NULL, NULL), server = socket_to(to_port, 0), one = 1;
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            add_way(client, server, now_ns() + round_trip_ns);
            add_way(server, client, 0);
        }
    }
}

/* A load generator for servers that pass each line of a writer on to all readers: spec/pubsub.yaml, or the plain
 * protocol of hand_fanout.c, in which readers acknowledge nothing (plain) or each line (acked). Writers keep a number
 * of lines unacknowledged; what is lost is sent again. Written by hand, so that the clients' share of the machine is
 * small.
 *
 * usage: fanout pubsub|plain|acked PORT WRITERS READERS IN_FLIGHT SECONDS [LINES CURSOR STEP]
 *
 * Ends early when so many LINES were delivered and acknowledged. The first reader asks for lines from CURSOR on, each
 * of the others from STEP behind the one before (default: 0, 0, 0).
 *
 * Prints one line of JSON: lines acknowledged and lines delivered a second, the seconds that took, and the milliseconds
 * that a registration took in the mean. */
#include <endian.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/loopback.h"

enum { CLIENTS_MAX = 512, HEADER = 16, TEXT = 32, AGAIN_MS = 200, TRIES = 50, PUBSUB_VERSION = 0x10 };
enum kind { HELLO = 1, CHALLENGE, REGISTER, WELCOME, LINE, ENTRY, ACK };

struct client {
    int fd;
    bool reads;
    uint8_t session[8];
    uint16_t sent, acked, taken; /* numbers on the wire */
    uint64_t first, cursor;      /* a number for the line after `acked` that no other line has; of a reader */
};

static struct client clients[CLIENTS_MAX];
static struct pollfd polled[CLIENTS_MAX];
static uint64_t acknowledged, delivered, lines_max;
static int in_flight;

/* ---- pubsub ----------------------------------------------------------------- */

static uint32_t crc_table[256];

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
        crc_table[i] = c;
    }
}

static void post(const struct client *c, enum kind kind, uint16_t seq, const void *body, size_t size)
{
    uint8_t d[HEADER + 128] = {(uint8_t)(PUBSUB_VERSION | kind), 0, (uint8_t)(seq >> 8), (uint8_t)seq};
    memcpy(d + 8, c->session, sizeof c->session);
    memcpy(d + HEADER, body, size);
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < HEADER + size; i++)
        crc = crc >> 8 ^ crc_table[(crc ^ d[i]) & 0xff];
    crc = htobe32(~crc);
    memcpy(d + 4, &crc, sizeof crc);
    (void)!send(c->fd, d, HEADER + size, 0);
}

/* Until an answer of that kind is there; its body. */
static void ask(const struct client *c, enum kind kind, const void *body, size_t size, enum kind wanted,
                uint8_t *answer)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    for (int i = 0; i < TRIES; i++) {
        post(c, kind, 0, body, size);
        uint8_t d[2048];
        while (poll(&p, 1, AGAIN_MS) > 0) {
            ssize_t n = recv(c->fd, d, sizeof d, MSG_DONTWAIT);
            if (n < HEADER || (d[0] & 0x0f) != (uint8_t)wanted)
                continue;
            memcpy(answer, d + HEADER, (size_t)n - HEADER);
            return;
        }
    }
    fputs("no answer from the server\n", stderr);
    exit(EXIT_FAILURE);
}

static void pubsub_join(struct client *c, int number)
{
    uint8_t spaces[16], answer[2048], body[64] = {0};
    memset(spaces, ' ', sizeof spaces);
    ask(c, HELLO, spaces, sizeof spaces, CHALLENGE, answer);
    memcpy(body, answer, 16);
    snprintf((char *)body + 16, 16, "token %d", number);
    body[32] = c->reads ? 0x80 : 0;
    body[34] = 1;  /* batch */
    body[36] = 64; /* window */
    memcpy(body + 37, &(uint64_t){htobe64(c->cursor)}, 8);
    int user = snprintf((char *)body + 45, sizeof body - 45, "user%d", number);
    memcpy(c->session, &(uint64_t){htobe64((uint64_t)number << 32 | 0x100u)}, sizeof c->session);
    c->sent = c->acked = c->taken = 0x100;
    ask(c, REGISTER, body, 45 + (size_t)user, WELCOME, answer);
}

/* Names of lines are drawn, so that they have no order that an index could do well with (splitmix64). */
static uint64_t scatter(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;
    return n ^ n >> 31;
}

static void pubsub_write(struct client *c, uint16_t number)
{
    uint8_t body[8 + TEXT];
    uint64_t id = scatter(c->first + (uint16_t)(number - c->acked));
    memcpy(body, &id, sizeof id);
    memset(body + 8, 'x', TEXT);
    post(c, LINE, number, body, sizeof body);
}

static void pubsub_take(struct client *c, const uint8_t *d, size_t n)
{
    uint16_t seq = (uint16_t)(d[2] << 8 | d[3]);
    if (n >= HEADER + 2 && (d[0] & 0x0f) == ACK) {
        uint16_t next = (uint16_t)(d[HEADER] << 8 | d[HEADER + 1]);
        uint16_t more = (uint16_t)(next - c->acked);
        if (more <= (uint16_t)(c->sent - c->acked)) {
            acknowledged += more;
            c->first += more;
            c->acked = next;
        }
    } else if ((d[0] & 0x0f) == ENTRY) {
        if (seq == c->taken) {
            c->taken++;
            delivered++;
        }
        uint8_t next[2] = {(uint8_t)(c->taken >> 8), (uint8_t)c->taken};
        post(c, ACK, 0, next, sizeof next);
    }
}

/* ---- plain: R registers a reader, L and a line is answered A and passed on ---- */

static void plain_join(struct client *c, int number)
{
    (void)number;
    uint8_t answer;
    do {
        (void)!send(c->fd, c->reads ? "R" : "W", 1, 0);
        poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, AGAIN_MS);
    } while (recv(c->fd, &answer, 1, MSG_DONTWAIT) != 1);
}

static void plain_write(struct client *c, uint16_t number)
{
    (void)number;
    uint8_t d[HEADER + 8 + TEXT] = {'L'};
    (void)!send(c->fd, d, sizeof d, 0);
}

static void plain_take(struct client *c, const uint8_t *d, size_t n)
{
    if (n == 1) {
        acknowledged++;
        c->acked++;
    } else if (d[0] == 'L') {
        delivered++;
    }
}

static void acked_take(struct client *c, const uint8_t *d, size_t n)
{
    plain_take(c, d, n);
    if (d[0] == 'L')
        (void)!send(c->fd, "K", 1, 0);
}

/* ---- any ---------------------------------------------------------------------- */

struct protocol {
    const char *name;
    void (*join)(struct client *c, int number);
    void (*write)(struct client *c, uint16_t number);
    void (*take)(struct client *c, const uint8_t *d, size_t n);
};

static const struct protocol protocols[] = {{"pubsub", pubsub_join, pubsub_write, pubsub_take},
                                            {"plain", plain_join, plain_write, plain_take},
                                            {"acked", plain_join, plain_write, acked_take}};

static const struct protocol *find_protocol(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

static void write_more(const struct protocol *protocol, struct client *c)
{
    while ((uint16_t)(c->sent - c->acked) < in_flight)
        protocol->write(c, c->sent++);
}

static void write_again(const struct protocol *protocol, struct client *c)
{
    for (uint16_t n = c->acked; n != c->sent; n++)
        protocol->write(c, n);
}

static bool done(void)
{
    return lines_max > 0 && acknowledged + delivered >= lines_max;
}

static void serve(const struct protocol *protocol, int writers, int count, double until)
{
    uint8_t d[2048];
    double moved = bench_now();
    for (int i = 0; i < writers; i++)
        write_more(protocol, &clients[i]);
    for (double t = bench_now(); t < until && !done(); t = bench_now()) {
        uint64_t before = acknowledged;
        poll(polled, (nfds_t)count, AGAIN_MS / 4);
        for (int i = 0; i < count; i++) {
            if (!(polled[i].revents & POLLIN))
                continue;
            for (ssize_t n; (n = recv(clients[i].fd, d, sizeof d, 0)) > 0;)
                protocol->take(&clients[i], d, (size_t)n);
            if (i < writers)
                write_more(protocol, &clients[i]);
        }
        if (acknowledged != before)
            moved = t;
        else if (t - moved > AGAIN_MS / 1e3) {
            for (int i = 0; i < writers; i++)
                write_again(protocol, &clients[i]);
            moved = t;
        }
    }
}

static void join_all(const struct protocol *protocol, int port, int writers, int count, uint64_t from, uint64_t step)
{
    for (int i = 0; i < count; i++) {
        struct client *c = &clients[i];
        *c = (struct client){.fd = bench_open(port),
                             .reads = i >= writers,
                             .first = (uint64_t)getpid() << 40 | (uint64_t)i << 32,
                             .cursor = i < writers ? 0 : from + (uint64_t)(i - writers) * step};
        polled[i] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        protocol->join(c, i);
    }
}

static uint64_t number(char **argv, int argc, int i)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 7 || argc > 10)
        return EXIT_FAILURE;
    const struct protocol *protocol = find_protocol(argv[1]);
    int writers = atoi(argv[3]), count = writers + atoi(argv[4]);
    in_flight = atoi(argv[5]);
    lines_max = number(argv, argc, 7);
    if (!protocol || writers < 0 || count < 1 || count > CLIENTS_MAX || in_flight < 1 || in_flight > 64)
        return EXIT_FAILURE;
    make_crc_table();
    double began = bench_now();
    join_all(protocol, atoi(argv[2]), writers, count, number(argv, argc, 8), number(argv, argc, 9));
    double joined = (bench_now() - began) / count * 1e3;
    began = bench_now();
    serve(protocol, writers, count, began + atof(argv[6]));
    double took = bench_now() - began;
    printf("{\"acknowledged\": %.0f, \"delivered\": %.0f, \"seconds\": %.3f, \"joined\": %.2f}\n",
           (double)acknowledged / took, (double)delivered / took, took, joined);
}

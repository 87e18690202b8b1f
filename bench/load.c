/* A load generator: connections that keep a number of requests in flight.
 *
 * It knows no protocol: it sends the same request again and again and takes
 * every REPLY_SIZE bytes for an answer. One epoll loop, one write for all
 * requests that became due, so that it is not the bottleneck.
 *
 * usage: load HOST:PORT CONNECTIONS IN_FLIGHT SECONDS HELLO HELLO_REPLY_SIZE REQUEST REPLY_SIZE [PID]
 *
 * HELLO and REQUEST are hex; an empty HELLO is sent by nobody. With PID, the
 * CPU time of that server is read before and after. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 256, MESSAGE_MAX = 4096, BUCKETS = 1 << 16 };

struct message {
    uint8_t bytes[MESSAGE_MAX];
    size_t n;
};

struct connection {
    int fd;
    uint64_t sent_at[IN_FLIGHT_MAX]; /* ring: when the oldest unanswered requests were sent */
    unsigned first, waiting;
    size_t hello_left; /* bytes of the answer to HELLO still to come */
    size_t partial;    /* bytes of an answer that is not whole */
};

static struct message hello, request;
static size_t reply_size;
static unsigned in_flight;
static uint8_t batch[IN_FLIGHT_MAX * MESSAGE_MAX];
static uint64_t answered, latencies[BUCKETS]; /* by 1/8 microsecond up to 8 ms; the last bucket holds the rest */

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_hex(struct message *m, const char *hex)
{
    for (m->n = 0; hex[0] && hex[1]; hex += 2, m->n++) {
        unsigned byte;
        if (m->n == sizeof m->bytes || sscanf(hex, "%2x", &byte) != 1) {
            fputs("load: bad hex\n", stderr);
            exit(4);
        }
        m->bytes[m->n] = (uint8_t)byte;
    }
}

/* CPU time of a process in microseconds, all its threads. */
static uint64_t cpu_us(const char *pid)
{
    char name[64], text[1024];
    snprintf(name, sizeof name, "/proc/%s/stat", pid);
    FILE *f = fopen(name, "r");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    unsigned long user = 0, system = 0;
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (uint64_t)(user + system) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            fail("send");
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
    }
}

static void send_requests(struct connection *c, unsigned count, uint64_t now)
{
    for (unsigned i = 0; i < count; i++)
        c->sent_at[(c->first + c->waiting++) % IN_FLIGHT_MAX] = now;
    send_all(c->fd, batch, count * request.n);
}

static void record(uint64_t ns)
{
    uint64_t bucket = ns / 125;
    latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static void take_replies(struct connection *c, size_t bytes)
{
    uint64_t now = now_ns();
    if (c->hello_left > 0) {
        size_t n = bytes < c->hello_left ? bytes : c->hello_left;
        c->hello_left -= n;
        if (c->hello_left == 0)
            send_requests(c, in_flight, now);
        return;
    }
    c->partial += bytes;
    unsigned whole = (unsigned)(c->partial / reply_size);
    c->partial %= reply_size;
    if (whole > c->waiting) {
        fputs("load: more replies than requests\n", stderr);
        exit(1);
    }
    for (unsigned i = 0; i < whole; i++, c->waiting--)
        record(now - c->sent_at[c->first++ % IN_FLIGHT_MAX]);
    answered += whole;
    if (whole > 0)
        send_requests(c, whole, now);
}

static void open_connection(struct connection *c, const struct sockaddr_in *to, int epoll)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)to, sizeof *to) != 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        fail("epoll_ctl");
}

static void begin(struct connection *c, size_t hello_reply)
{
    c->hello_left = hello_reply;
    if (hello.n > 0)
        send_all(c->fd, hello.bytes, hello.n);
    else
        send_requests(c, in_flight, now_ns());
}

static void run_until(int epoll, uint64_t end)
{
    static uint8_t in[1 << 18];
    struct epoll_event events[256];
    while (now_ns() < end) {
        int n = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t k = recv(c->fd, in, sizeof in, 0);
            if (k == 0 || (k < 0 && errno != EAGAIN)) {
                fputs("load: the server closed a connection\n", stderr);
                exit(1);
            }
            if (k > 0)
                take_replies(c, (size_t)k);
        }
    }
}

static double percentile(double part)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += latencies[i];
    for (size_t i = 0; i < BUCKETS; i++)
        if ((seen += latencies[i]) >= (uint64_t)(part * (double)total))
            return (double)i * 0.125;
    return 0;
}

static double own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void parse_address(const char *text, struct sockaddr_in *to)
{
    char host[64];
    unsigned port;
    if (sscanf(text, "%63[^:]:%u", host, &port) != 2 || port > 65535) {
        fputs("load: expected HOST:PORT\n", stderr);
        exit(4);
    }
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &to->sin_addr);
}

int main(int argc, char **argv)
{
    if (argc < 9) {
        fputs("usage: load HOST:PORT CONNECTIONS IN_FLIGHT SECONDS HELLO HELLO_REPLY_SIZE REQUEST REPLY_SIZE [PID]\n",
              stderr);
        return 4;
    }
    struct sockaddr_in to;
    parse_address(argv[1], &to);
    size_t count = strtoul(argv[2], NULL, 10);
    in_flight = (unsigned)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    read_hex(&hello, argv[5]);
    size_t hello_reply = strtoul(argv[6], NULL, 10);
    read_hex(&request, argv[7]);
    reply_size = strtoul(argv[8], NULL, 10);
    const char *pid = argc > 9 ? argv[9] : NULL;
    if (in_flight == 0 || in_flight > IN_FLIGHT_MAX || reply_size == 0 || request.n == 0)
        return 4;
    for (unsigned i = 0; i < in_flight; i++)
        memcpy(batch + i * request.n, request.bytes, request.n);

    struct connection *connections = calloc(count, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || epoll < 0)
        fail("setup");
    for (size_t i = 0; i < count; i++)
        open_connection(&connections[i], &to, epoll);
    for (size_t i = 0; i < count; i++)
        begin(&connections[i], hello_reply);

    run_until(epoll, now_ns() + 300000000u); /* warm up */
    answered = 0;
    memset(latencies, 0, sizeof latencies);
    uint64_t cpu = pid ? cpu_us(pid) : 0, start = now_ns();
    double own = own_cpu();
    run_until(epoll, start + (uint64_t)(seconds * 1e9));
    double took = (double)(now_ns() - start) / 1e9;
    uint64_t used = pid ? cpu_us(pid) - cpu : 0;
    printf("{\"requests\": %llu, \"per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"server_cpu_us\": %.4f, "
           "\"client_load\": %.2f}\n",
           (unsigned long long)answered, (double)answered / took, percentile(0.50), percentile(0.99),
           answered ? (double)used / (double)answered : 0, (own_cpu() - own) / took);
    return answered > 0 ? 0 : 1;
}

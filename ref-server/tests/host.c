#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/datagram.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"

#define PATIENCE_MS 60000

struct assay_limits host_limits(void)
{
    return (struct assay_limits){.sessions = 20000,
                                 .memory = 16u << 20,
                                 .effects = 4096,
                                 .output = 64u << 10,
                                 .drain = 1u << 20,
                                 .drain_time = 20 * ASSAY_SECOND};
}

static int arguments(char **argv)
{
    int n = 0;
    while (argv[n])
        n++;
    return n;
}

static void announce(const struct assay_server *server)
{
    for (size_t i = 0; assay_server_address(server, i); i++)
        printf("listening on %s\n", assay_server_address(server, i));
    fflush(stdout);
}

static void serve(const struct host *host, void (*before)(void), int out, int err)
{
    char error[ASSAY_SERVER_ERROR_MAX];
    struct assay_server_config config = host->config;
    config.limits = &host->limits;
    config.signals = true;
    dup2(out, 1);
    dup2(err, 2);
    if (before)
        before();
    if (host->run)
        exit(host->run(arguments(host->argv), host->argv));
    struct assay_server *server = assay_server_open(&config, error);
    if (!server)
        fprintf(stderr, "%s\n", error);
    else
        announce(server);
    if (server)
        assay_server_run(server);
    int end = (int)assay_server_close(server);
    fflush(NULL);
    exit(end);
}

/* "listening on tcp:127.0.0.1:PORT" */
static uint16_t read_port(int fd)
{
    char line[200];
    size_t n = 0;
    unsigned port = 0;
    while (n < sizeof line - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
    const char *colon = strrchr(line, ':');
    if (colon)
        sscanf(colon + 1, "%u", &port);
    return (uint16_t)port;
}

static void launch(struct host *host, void (*before)(void))
{
    int out[2], err[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    fflush(NULL);
    host->pid = fork();
    assert_true(host->pid >= 0);
    if (host->pid == 0)
        serve(host, before, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    for (size_t i = 0; i < 8; i++)
        host->ports[i] = i == 0 || i < host->config.listen_count ? read_port(out[0]) : 0;
    host->port = host->ports[0];
    host->output = out[0];
    host->errors = err[0];
    fcntl(err[0], F_SETFL, O_NONBLOCK);
}

/* The hand-made protocols name no transport: tcp. */
static const struct assay_model *served(const struct assay_model *model)
{
    static struct assay_model models[8];
    static struct assay_transport transports[8];
    static unsigned used;
    if (!model || model->transports_count > 0)
        return model;
    unsigned i = used++ % 8;
    models[i] = *model;
    transports[i] = (struct assay_transport){.name = "tcp", .server = model->server, .client = model->client};
    models[i].transports = &transports[i];
    models[i].transports_count = 1;
    return &models[i];
}

void host_start(struct host *host, const struct assay_model *model, void (*before)(void))
{
    static const char *const anywhere[] = {"127.0.0.1:0"};
    strcpy(host->folder, "/tmp/assay-host-XXXXXX");
    assert_non_null(mkdtemp(host->folder));
    host->config.model = served(model);
    if (!host->config.data)
        host->config.data = host->folder;
    if (host->limits.sessions == 0)
        host->limits = host_limits();
    if (host->config.listen_count == 0) {
        host->config.listen = anywhere;
        host->config.listen_count = 1;
    }
    launch(host, before);
}

void host_restart(struct host *host, void (*before)(void))
{
    close(host->errors);
    close(host->output);
    launch(host, before);
}

const char *host_errors(const struct host *host)
{
    static char text[1 << 16];
    size_t n = 0;
    for (ssize_t k; n < sizeof text - 1 && (k = read(host->errors, text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)k;
    text[n] = '\0';
    return text;
}

void host_await_errors(const struct host *host, const char *expected)
{
    static char all[1 << 16];
    int64_t until = assay_clock_after(assay_clock_now(), 60 * ASSAY_SECOND);
    all[0] = '\0';
    while (!strstr(all, expected) && assay_clock_now() < until) {
        struct pollfd p = {.fd = host->errors, .events = POLLIN};
        poll(&p, 1, 1000);
        strncat(all, host_errors(host), sizeof all - 1 - strlen(all));
    }
    if (!strstr(all, expected))
        fail_msg("expected '%s' on stderr, got '%s'", expected, all);
}

void host_signal(const struct host *host, int number)
{
    assert_int_equal(kill(host->pid, number), 0);
}

int host_wait(struct host *host)
{
    int status;
    assert_int_equal(waitpid(host->pid, &status, 0), host->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void host_remove(const struct host *host)
{
    static const char *const files[] = {"log", "old", "passwords", "messages.log", "shown", "sums.db"};
    int folder = open(host->folder, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlinkat(folder, files[i], 0);
    close(folder);
    rmdir(host->folder);
    close(host->output);
    close(host->errors);
}

int host_wait_done(struct host *host)
{
    int code = host_wait(host);
    host_remove(host);
    return code;
}

void host_end(struct host *host)
{
    host_signal(host, SIGTERM);
    assert_int_equal(host_wait_done(host), ASSAY_SERVER_STOPPED);
}

const char *host_log(const struct host *host, size_t *size)
{
    static char *text;
    char path[100];
    struct stat st;
    snprintf(path, sizeof path, "%s/log", host->folder);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    free(text);
    text = malloc((size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    text[st.st_size] = '\0';
    if (size)
        *size = (size_t)st.st_size;
    close(fd);
    return text;
}

size_t host_memory(const struct host *host)
{
    char path[64];
    unsigned long total, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)host->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &total, &resident), 2);
    fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

double host_cpu(const struct host *host)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)host->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- clients ----------------------------------------------------------- */

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, PATIENCE_MS) != 1)
        fail_msg("nothing happened for %d ms", PATIENCE_MS);
}

int dial(const struct host *host)
{
    struct assay_net_error error;
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    assert_int_equal(assay_address_resolve("127.0.0.1:0", ASSAY_ADDRESS_CONNECT, all, &error), 1);
    assay_address_set_port(&all[0], host->port);
    int fd = assay_connect(&all[0], &error);
    assert_true(fd >= 0);
    await(fd, POLLOUT);
    assert_int_equal(assay_connected(fd), 0);
    return fd;
}

int dial_udp(const struct host *host, size_t address)
{
    struct assay_net_error error;
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    assert_int_equal(assay_address_resolve("127.0.0.1:0", ASSAY_ADDRESS_CONNECT, all, &error), 1);
    assay_address_set_port(&all[0], host->ports[address]);
    int fd = assay_udp_connect(&all[0], 0, &error);
    assert_true(fd >= 0);
    return fd;
}

void tell(int fd, const char *datagram)
{
    assert_int_equal(assay_udp_send(fd, datagram, strlen(datagram), NULL), strlen(datagram));
}

void told(int fd, const char *datagram)
{
    char got[1024];
    await(fd, POLLIN);
    ssize_t n = assay_udp_receive(fd, got, sizeof got, NULL);
    if (n != (ssize_t)strlen(datagram) || memcmp(got, datagram, (size_t)n) != 0)
        fail_msg("expected the datagram %s, got %.*s", datagram, n > 0 ? (int)n : 0, got);
}

void say(int fd, const void *bytes, size_t size)
{
    for (const uint8_t *p = bytes; size > 0;) {
        ssize_t n = assay_send(fd, p, size);
        if (n == ASSAY_IO_AGAIN)
            await(fd, POLLOUT);
        else if (n < 0)
            fail_msg("reset while sending");
        else
            p += n, size -= (size_t)n;
    }
}

void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

static ssize_t next_byte(int fd, uint8_t *byte)
{
    ssize_t n;
    while ((n = assay_receive(fd, byte, 1)) == ASSAY_IO_AGAIN)
        await(fd, POLLIN);
    return n;
}

void hear(int fd, const void *bytes, size_t n)
{
    const uint8_t *expected = bytes;
    uint8_t got[4096];
    for (size_t i = 0, at = 0; i < n; i += at) {
        ssize_t k = assay_receive(fd, got, n - i < sizeof got ? n - i : sizeof got);
        if (k == ASSAY_IO_AGAIN)
            await(fd, POLLIN);
        else if (k <= 0)
            fail_msg("byte %zu of %zu: expected %02x, got %s", i, n, expected[i], k == 0 ? "FIN" : "a reset");
        at = k > 0 ? (size_t)k : 0;
        for (size_t b = 0; b < at; b++)
            if (got[b] != expected[i + b])
                fail_msg("byte %zu of %zu: expected %02x, got %02x", i + b, n, expected[i + b], got[b]);
    }
}

void hear_text(int fd, const char *text)
{
    hear(fd, text, strlen(text));
}

void hear_end(int fd)
{
    uint8_t byte;
    ssize_t n = next_byte(fd, &byte);
    if (n != ASSAY_IO_EOF)
        fail_msg("expected FIN, got %s", n == 1 ? "a byte" : "a reset");
}

void login(int fd)
{
    say(fd, "\1\3\0bob\2\3\0abc", 12);
    hear(fd, "\0\0", 2);
}

size_t message(uint8_t *to, const char *text, size_t size)
{
    to[0] = 3;
    to[1] = (uint8_t)size;
    to[2] = (uint8_t)(size >> 8);
    memcpy(to + 3, text, size);
    return size + 3;
}

void say_message(int fd, const char *text)
{
    uint8_t frame[512];
    say(fd, frame, message(frame, text, strlen(text)));
}

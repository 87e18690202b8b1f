/* Effects beside append and crypt: gather, release, report, reopen, stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/tests/models.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"
#include "ref-server/tests/models.h"

static void path_of(const struct host *host, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", host->folder, name);
}

static void holds(const struct host *host, const char *name, const char *expected)
{
    char path[128], got[512] = "";
    path_of(host, name, path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, expected);
}

static void asks(int fd, const char *line, const char *answer)
{
    say_text(fd, line);
    hear_text(fd, answer);
}

/* ---- gather and release ------------------------------------------------ */

static void what_sessions_gather_stays_together(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, desk_model("shown"), NULL);
    int a = dial(&host), b = dial(&host), c = dial(&host);
    asks(a, "ga1\n", "+a1\n");
    asks(b, "gb1\n", "+b1\n");
    asks(c, "gc1\n", "+c1\n");
    asks(a, "ga2\n", "+a2\n");
    asks(b, "r;\n", "+;\n");
    assay_reset(c); /* forgotten */
    asks(a, "r;\n", "+;\n");
    asks(a, "r.\n", "+.\n");
    holds(&host, "shown", "b1;a1a2;.");
    close(a), close(b);
    host_end(&host);
}

/* A file of any bytes has no half lines to be cut off. */
static void what_was_released_is_there_after_a_crash(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial(&host);
    asks(fd, "gno line\n", "+no line\n");
    asks(fd, "r\n", "+\n");
    host_signal(&host, SIGKILL);
    close(fd);
    host_wait(&host);
    host_restart(&host, NULL);
    fd = dial(&host);
    asks(fd, "r end\n", "+ end\n");
    holds(&host, "shown", "no line end");
    close(fd);
    host_end(&host);
}

static void files_of_200000_bytes(void)
{
    struct rlimit limit = {200000, 200000};
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* It can be gathered, in pieces, but not released behind what is there already: none of it is. */
static void a_release_is_whole_or_not_at_all(void **state)
{
    (void)state;
    enum { PIECE = 50000 };
    static char piece[PIECE + 3], answer[PIECE + 3];
    struct host host = {0};
    char path[128];
    struct stat st;
    memset(piece, 'x', PIECE + 1);
    piece[0] = 'g', piece[PIECE + 1] = '\n';
    memcpy(answer, piece, sizeof piece);
    answer[0] = '+';
    host_start(&host, desk_model("shown"), files_of_200000_bytes);
    path_of(&host, "shown", path);
    int fd = dial(&host);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++)
            asks(fd, piece, answer);
        asks(fd, "r\n", k == 0 ? "+\n" : "-\n");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 3 * PIECE);
    }
    asks(fd, "rmore\n", "+more\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 3 * PIECE + 4);
    close(fd);
    host_end(&host);
}

/* ---- to a reader that is slow ------------------------------------------ */

enum { LARGE = 100 << 20, SENDERS = 2 };

/* 100 MB in lines as long as lines may be; each sender's bytes are its own letter. */
static void send_large(const struct host *host, int letter)
{
    static char line[DESK_MAX], answer[DESK_MAX];
    int fd = dial(host);
    size_t content = DESK_MAX - 2;
    memset(line, letter, sizeof line);
    line[0] = 'g', line[DESK_MAX - 1] = '\n';
    memcpy(answer, line, sizeof line);
    answer[0] = '+';
    for (size_t sent = 0; sent < LARGE; sent += content) {
        content = LARGE - sent < content ? LARGE - sent : content;
        line[content + 1] = answer[content + 1] = '\n';
        say(fd, line, content + 2);
        hear(fd, answer, content + 2);
    }
    asks(fd, "r.\n", "+.\n");
    close(fd);
}

static pid_t send_in_a_process(const struct host *host, int letter)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        send_large(host, letter);
        _exit(0);
    }
    return pid;
}

/* One letter, LARGE times, and a full stop. */
static void read_large(FILE *from)
{
    int letter = getc(from), next = letter;
    size_t n = 0;
    for (; next == letter; next = getc(from))
        n++;
    assert_int_equal(n, LARGE);
    assert_int_equal(next, '.');
}

static void large_messages_are_complete_and_memory_stays_small(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, desk_model("stdout"), NULL);
    int small = dial(&host);
    size_t before = host_memory(&host);
    pid_t senders[SENDERS];
    for (int i = 0; i < SENDERS; i++)
        senders[i] = send_in_a_process(&host, 'a' + i);
    FILE *from = fdopen(dup(host.output), "r");
    for (int i = 0; i < SENDERS; i++) {
        asks(small, "gx\n", "+x\n"); /* while the first one is not read at all */
        read_large(from);
    }
    fclose(from);
    for (int i = 0; i < SENDERS; i++) {
        int status;
        assert_int_equal(waitpid(senders[i], &status, 0), senders[i]);
        assert_int_equal(status, 0);
    }
#ifndef __SANITIZE_ADDRESS__
    assert_true(host_memory(&host) < before + (4u << 20));
#endif
    (void)before;
    close(small);
    host_end(&host);
}

/* Nobody reads stdout: who waits for it waits, the disk is written to for others. */
static void a_reader_that_stops_holds_up_its_writers_alone(void **state)
{
    (void)state;
    static char line[DESK_MAX], answer[DESK_MAX];
    struct host host = {0};
    memset(line, 'x', sizeof line);
    memcpy(answer, line, sizeof line);
    line[0] = 'g', answer[0] = '+', line[60000] = answer[60000] = '\n';
    host_start(&host, desk_model("stdout"), NULL);
    int held = dial(&host), free_one = dial(&host);
    for (int i = 0; i < 4; i++) {
        say(held, line, 60001);
        hear(held, answer, 60001);
    }
    say_text(held, "r.\n");
    asks(free_one, "wone\n", "+one\n");
    asks(free_one, "gtwo\n", "+two\n");
    struct pollfd p = {.fd = held, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    for (size_t n = 0; n < 4 * 59999 + 1;) {
        char got[4096];
        ssize_t k = read(host.output, got, sizeof got);
        assert_true(k > 0);
        n += (size_t)k;
    }
    hear_text(held, "+.\n");
    close(held), close(free_one);
    host_end(&host);
}

/* ---- report, reopen, counts -------------------------------------------- */

static void reports_are_counted(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial(&host);
    asks(fd, "ebad\rline\n", "+bad\rline\n");
    asks(fd, "eworse\n", "+worse\n");
    host_await_errors(&host, "bad\\rline (1)\nworse (2)\n");
    host_signal(&host, SIGUSR1);
    host_await_errors(&host, "assay: effect report: 2\n");
    close(fd);
    host_end(&host);
}

/* What a stopped process gets all at once: lines, the end of their stream, and the signal. */
static void what_is_ordered_in_the_last_round_is_written(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct host host = {0};
        host_start(&host, desk_model("stdout"), NULL);
        int fd = dial(&host);
        asks(fd, "efirst\n", "+first\n");
        host_signal(&host, SIGSTOP);
        say_text(fd, "egh\nesecond\nethird\ngkept\nr.\n");
        assay_shut(fd);
        host_signal(&host, SIGTERM);
        host_signal(&host, SIGCONT);
        assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
        assert_string_equal(host_errors(&host), "first (1)\ngh (2)\nsecond (3)\nthird (4)\n");
        char shown[16] = "";
        assert_int_equal(read(host.output, shown, sizeof shown - 1), 5);
        assert_string_equal(shown, "kept.");
        close(fd);
        host_remove(&host);
    }
}

/* ---- nobody reads ------------------------------------------------------ */

/* Its stderr takes nothing more. */
static void fill_errors(void)
{
    static const char page[4096];
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    while (write(STDERR_FILENO, page, sizeof page) > 0)
        continue;
    fcntl(STDERR_FILENO, F_SETFL, 0);
}

static double seconds_since(int64_t then)
{
    return (double)(assay_clock_now() - then) / 1e9;
}

static void nobody_reading_stderr_delays_the_end_by_drain_time(void **state)
{
    (void)state;
    for (int trace = 0; trace < 2; trace++) {
        struct host host = {.limits = host_limits(), .config = {.trace = trace, .stats = true}};
        host.limits.drain_time = 300 * ASSAY_MS;
        host_start(&host, desk_model("shown"), fill_errors);
        int fd = dial(&host);
        asks(fd, "ex\n", "+x\n");
        int64_t then = assay_clock_now();
        host_signal(&host, SIGTERM);
        assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
        assert_true(seconds_since(then) >= 0.3 && seconds_since(then) < 30);
        close(fd);
    }
}

static void a_second_signal_waits_for_no_reader(void **state)
{
    (void)state;
    struct host host = {.limits = host_limits()};
    host.limits.drain_time = 60 * ASSAY_SECOND;
    host_start(&host, desk_model("shown"), fill_errors);
    int fd = dial(&host);
    asks(fd, "ex\n", "+x\n");
    host_signal(&host, SIGTERM);
    hear_end(fd); /* it is stopping */
    int64_t then = assay_clock_now();
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_INTERRUPTED);
    assert_true(seconds_since(then) < 30);
    close(fd);
}

/* Nobody reads stdout: the session whose message waits there is told, and stderr, how much is lost. */
static void what_nobody_read_is_told(void **state)
{
    (void)state;
    static char line[DESK_MAX], answer[DESK_MAX];
    struct host host = {.limits = host_limits()};
    host.limits.drain_time = 300 * ASSAY_MS;
    memset(line, 'x', sizeof line);
    memcpy(answer, line, sizeof line);
    line[0] = 'g', answer[0] = '+', line[60000] = answer[60000] = '\n';
    host_start(&host, desk_model("stdout"), NULL);
    int fd = dial(&host);
    for (int i = 0; i < 4; i++) {
        say(fd, line, 60001);
        hear(fd, answer, 60001);
    }
    say_text(fd, "r.\n");
    host_signal(&host, SIGTERM);
    hear_text(fd, "-.\n");
    assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
    size_t taken = 0;
    for (ssize_t n; (n = read(host.output, line, sizeof line)) > 0;)
        taken += (size_t)n;
    snprintf(answer, sizeof answer, "assay: stdout was not read in time: %zu bytes of it are lost\n",
             4 * 59999 + 1 - taken);
    assert_string_equal(host_errors(&host), answer);
    close(fd);
    host_remove(&host);
}

/* A reader that is slow, but reads, gets everything. */
static void a_slow_reader_gets_everything(void **state)
{
    (void)state;
    enum { N = 20000 };
    static char all[1 << 20];
    struct host host = {0};
    size_t got = 0;
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial(&host);
    for (int i = 0; i < N; i++)
        say_text(fd, "ex\n");
    for (int i = 0; i < N; i++)
        hear_text(fd, "+x\n");
    host_signal(&host, SIGTERM);
    fcntl(host.errors, F_SETFL, 0);
    for (ssize_t n; (n = read(host.errors, all + got, 1000)) > 0;)
        got += (size_t)n;
    all[got] = '\0';
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
    assert_non_null(strstr(all, "x (20000)\n"));
    close(fd);
}

static void counts_are_told_at_the_end_if_asked_for(void **state)
{
    (void)state;
    struct host host = {.config = {.stats = true}};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial(&host);
    asks(fd, "vx\n", "+x\n");
    close(fd);
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
    host_await_errors(&host, "assay: effect tell: 1\n");
    host_remove(&host);
}

static void reopen_is_what_sighup_does(void **state)
{
    (void)state;
    struct host host = {0};
    char log[128], old[128];
    host_start(&host, desk_model("shown"), NULL);
    path_of(&host, "log", log);
    path_of(&host, "old", old);
    int fd = dial(&host);
    asks(fd, "wone\n", "+one\n");
    assert_int_equal(rename(log, old), 0);
    asks(fd, "o\n", "+\n");
    asks(fd, "wtwo\n", "+two\n");
    holds(&host, "old", "one\n");
    holds(&host, "log", "two\n");
    close(fd);
    host_end(&host);
}

/* ---- stop -------------------------------------------------------------- */

static void stop_cuts_nobody_off(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, desk_model("shown"), NULL);
    int a = dial(&host), b = dial(&host);
    asks(a, "ga\n", "+a\n");
    asks(b, "s\n", "+\n");
    assay_shut(b);
    hear_end(b);
    close(b);
    asks(a, "r!\n", "+!\n");
    holds(&host, "shown", "a!");
    assert_int_equal(waitpid(host.pid, NULL, WNOHANG), 0);
    close(a);
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
}

/* ---- upgrades ---------------------------------------------------------- */

enum { CLIENTS = 50 };

/* Writes line after line, and makes a new connection whenever the old one ends: until it is told to end, and one was
 * confirmed, for which it may have been too late to begin. Returns how many were confirmed. */
static uint32_t write_until(const struct host *host, int number, int until)
{
    struct pollfd p = {.fd = until, .events = POLLIN};
    uint32_t confirmed = 0;
    char line[32], answer[32];
    while (confirmed == 0 || poll(&p, 1, 0) == 0) {
        int fd = -1;
        struct assay_net_error error;
        struct assay_address at = {.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
                                   .size = sizeof at.v4};
        assay_address_set_port(&at, host->port);
        fd = assay_connect(&at, &error);
        ssize_t got = 1;
        while (fd >= 0 && got > 0 && (confirmed == 0 || poll(&p, 1, 0) == 0)) {
            struct pollfd ready = {.fd = fd, .events = POLLIN};
            int n = snprintf(line, sizeof line, "w%d %u\n", number, confirmed);
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 60000);
            if (assay_send(fd, line, (size_t)n) != n)
                break;
            poll(&ready, 1, 60000);
            got = assay_receive(fd, answer, sizeof answer);
            if (got == n && memcmp(answer + 1, line + 1, (size_t)n - 1) == 0 && answer[0] == '+')
                confirmed++;
            else
                got = 0;
        }
        if (fd >= 0)
            close(fd);
    }
    return confirmed;
}

static pid_t start_client(const struct host *host, int number, int until, int result)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint32_t sums[2] = {(uint32_t)number, write_until(host, number, until)};
        _exit(write(result, sums, sizeof sums) == sizeof sums ? 0 : 1);
    }
    return pid;
}

/* Every line that was confirmed stands in the log; each client's in order. */
static void check_log(const struct host *host, const uint32_t *confirmed)
{
    static uint32_t next[CLIENTS];
    memset(next, 0, sizeof next);
    for (const char *p = host_log(host, NULL); *p; p = strchr(p, '\n') + 1) {
        unsigned number, line;
        assert_int_equal(sscanf(p, "%u %u", &number, &line), 2);
        assert_true(number < CLIENTS && line <= next[number]);
        next[number] = line + 1; /* one that was not confirmed is written again */
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_true(next[i] >= confirmed[i]);
}

static void upgrades_lose_nothing_that_was_answered(void **state)
{
    (void)state;
    struct host host = {0};
    int until[2], results[2];
    char at[32];
    pid_t clients[CLIENTS];
    uint32_t confirmed[CLIENTS];
    assert_int_equal(pipe2(until, O_CLOEXEC), 0);
    assert_int_equal(pipe2(results, O_CLOEXEC), 0);
    host_start(&host, desk_model("shown"), NULL);
    snprintf(at, sizeof at, "127.0.0.1:%u", host.port);
    const char *const same[] = {at};
    host.config.listen = same;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(&host, i, until[0], results[1]);
    for (int k = 0; k < 5; k++) {
        int fd = dial(&host); /* it runs */
        asks(fd, "v\n", "+\n");
        close(fd);
        struct host old = host;
        host_signal(&old, SIGTERM);
        host.errors = host.output = -1;
        host_restart(&host, NULL); /* at once: the old one is still busy */
        assert_int_not_equal(host.port, 0);
        assert_int_equal(host_wait(&old), ASSAY_SERVER_STOPPED);
        close(old.errors), close(old.output);
    }
    assert_int_equal(write(until[1], "x", 1), 1);
    for (int i = 0; i < CLIENTS; i++) {
        uint32_t sums[2];
        int status;
        assert_int_equal(read(results[0], sums, sizeof sums), sizeof sums);
        confirmed[sums[0]] = sums[1];
        assert_true(sums[1] > 0);
        assert_int_equal(waitpid(clients[i], &status, 0), clients[i]);
        assert_int_equal(status, 0);
    }
    check_log(&host, confirmed);
    close(until[0]), close(until[1]), close(results[0]), close(results[1]);
    host_end(&host);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_sessions_gather_stays_together),
        cmocka_unit_test(what_was_released_is_there_after_a_crash),
        cmocka_unit_test(a_release_is_whole_or_not_at_all),
        cmocka_unit_test(large_messages_are_complete_and_memory_stays_small),
        cmocka_unit_test(a_reader_that_stops_holds_up_its_writers_alone),
        cmocka_unit_test(reports_are_counted),
        cmocka_unit_test(what_is_ordered_in_the_last_round_is_written),
        cmocka_unit_test(nobody_reading_stderr_delays_the_end_by_drain_time),
        cmocka_unit_test(a_second_signal_waits_for_no_reader),
        cmocka_unit_test(what_nobody_read_is_told),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(counts_are_told_at_the_end_if_asked_for),
        cmocka_unit_test(reopen_is_what_sighup_does),
        cmocka_unit_test(stop_cuts_nobody_off),
        cmocka_unit_test(upgrades_lose_nothing_that_was_answered),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/tests/models.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"

enum { CROWD = 10000, TRIPS = 501 };

static int fds[CROWD];

static int earlier(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds for which a process has had a processor. */
static int64_t processor_time(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &t), 0);
    return t.tv_sec * ASSAY_SECOND + t.tv_nsec;
}

/* What the server works for one round trip, in ns: the median. How long it takes is others' doing, too. */
static int64_t round_trip(const struct host *host, int fd)
{
    static int64_t took[TRIPS];
    for (int i = 0; i < TRIPS; i++) {
        int64_t begin = processor_time(host->pid);
        say_text(fd, "square 12\n");
        hear_text(fd, "144\n");
        took[i] = processor_time(host->pid) - begin;
    }
    qsort(took, TRIPS, sizeof took[0], earlier);
    return took[TRIPS / 2];
}

/* Half of them say nothing, half a piece of a line, so that each of these holds a buffer. */
static void ten_thousand_idle_and_slow_peers_disturb_nobody(void **state)
{
    (void)state;
    struct host host = {0};
    assert_true(assay_descriptors_raise() > CROWD + 100);
    host_start(&host, sums_model(), NULL);
    int active = dial(&host);
    round_trip(&host, active);
    int64_t alone = round_trip(&host, active);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = dial(&host);
        if (i % 2)
            say_text(fds[i], "square 1\nsquare");
    }
    for (int i = 1; i < CROWD; i += 2)
        hear_text(fds[i], "1\n");
    int64_t crowded = round_trip(&host, active);
    for (int i = 1; i < CROWD; i += 100) {
        say_text(fds[i], " 3\n");
        hear_text(fds[i], "9\n");
    }
    print_message("work for a round trip: %lld us alone, %lld us among %d\n", (long long)alone / 1000,
                  (long long)crowded / 1000, CROWD);
    /* Work that grows with the crowd would be a thousand times slower, not three. */
    assert_true(crowded < 3 * alone + 100000);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    close(active);
    host_end(&host);
}

static void an_idle_connection_takes_300_bytes_at_most(void **state)
{
    (void)state;
    enum { FIRST = 500 };
    struct host host = {0};
    host_start(&host, notes_model(true), NULL);
    size_t before = 0;
    for (int i = 0; i < CROWD; i++) {
        if (i == FIRST)
            before = host_memory(&host);
        fds[i] = dial(&host);
        say(fds[i], "\1\3\0bob", 6);
        hear(fds[i], "\0", 1);
    }
    size_t each = (host_memory(&host) - before) / (CROWD - FIRST);
    print_message("%zu bytes for an idle connection\n", each);
#ifndef __SANITIZE_ADDRESS__
    assert_true(each <= 300);
#endif
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    host_end(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_idle_and_slow_peers_disturb_nobody),
        cmocka_unit_test(an_idle_connection_takes_300_bytes_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

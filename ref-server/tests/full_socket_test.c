/* Sockets of datagrams that take no more for a while. The loopback device always has room, so sendmmsg() is our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/tests/models.h"
#include "net/loop.h"
#include "ref-server/tests/host.h"
#include "ref-server/tests/models.h"

static unsigned refused, calls;
static int why;

/* One at a time: the rest of what is to be sent at once finds no room then. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (refused > 0 && calls++ % (refused + 1) < refused) {
        errno = why;
        return -1;
    }
    (void)count;
    return (int)syscall(SYS_sendmmsg, fd, messages, 1, flags);
}

static void full_at_times(void)
{
    refused = 3;
    why = EAGAIN;
}

static void full_once(void)
{
    refused = 1;
    why = ENOBUFS;
}

static void full_for_ever(void)
{
    refused = UINT32_MAX - 1;
    why = EAGAIN;
}

static const char *const both[] = {"tcp:127.0.0.1:0", "udp:127.0.0.1:0"};

static void answers_wait_for_room(void **state)
{
    (void)state;
    enum { CLIENTS = 20, EACH = 20 };
    struct host host = {.config = {.listen = both, .listen_count = 2}};
    int fds[CLIENTS];
    char text[32];
    host_start(&host, sums_over_both(), full_at_times);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial_udp(&host, 1);
        for (int k = 0; k < EACH; k++) {
            snprintf(text, sizeof text, "twice %d", 100 * i + k);
            tell(fds[i], text);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < EACH; k++) {
            snprintf(text, sizeof text, "%d", 2 * (100 * i + k));
            told(fds[i], text);
        }
        close(fds[i]);
    }
    host_end(&host);
}

/* Its session is over before they have left. */
static void last_words_wait_for_room(void **state)
{
    (void)state;
    struct host host = {.config = {.listen = both, .listen_count = 2}};
    host_start(&host, desk_model("shown"), full_at_times);
    int fd = dial_udp(&host, 1);
    tell(fd, "qone");
    tell(fd, "qtwo");
    told(fd, "+one");
    told(fd, "+two");
    tell(fd, "s");
    told(fd, "+");
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
    close(fd);
}

/* Errors that no readiness follows: lost, as on the way. */
static void other_errors_lose_one_datagram(void **state)
{
    (void)state;
    struct host host = {.config = {.listen = both, .listen_count = 2}};
    host_start(&host, sums_over_both(), full_once);
    int fd = dial_udp(&host, 1);
    tell(fd, "twice 1");
    tell(fd, "twice 2");
    told(fd, "4");
    close(fd);
    host_end(&host);
}

/* There may be as many of them as somebody cares to make up. */
static void strangers_do_not_wait_for_room(void **state)
{
    (void)state;
    enum { STRANGERS = 300 };
    struct assay_model model = *sums_over_both();
    struct assay_machine machines[2] = {model.machines[0], model.machines[1]};
    struct host host = {.config = {.listen = both, .listen_count = 2, .stats = true}};
    machines[1].stateless = true; /* what stays in its start state has no session */
    model.machines = machines;
    host_start(&host, &model, full_for_ever);
    for (int i = 0; i < STRANGERS; i++) {
        int fd = dial_udp(&host, 1);
        tell(fd, "twice 1");
        close(fd);
    }
    int64_t until = assay_clock_after(assay_clock_now(), 60 * ASSAY_SECOND);
    bool all = false;
    while (!all && assay_clock_now() < until) {
        host_signal(&host, SIGUSR1); /* it tells how many by now */
        poll(&(struct pollfd){.fd = host.errors, .events = POLLIN}, 1, 1000);
        all = strstr(host_errors(&host), "0 received, 300 to be sent");
    }
    assert_true(all);
    host_end(&host);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_wait_for_room),
        cmocka_unit_test(last_words_wait_for_room),
        cmocka_unit_test(other_errors_lose_one_datagram),
        cmocka_unit_test(strangers_do_not_wait_for_room),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/tests/models.h"
#include "net/datagram.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"
#include "ref-server/tests/models.h"

static const char *const both[] = {"tcp:127.0.0.1:0", "udp:127.0.0.1:0"};
#define OVER_BOTH                                                                                                      \
    {                                                                                                                  \
        .listen = both, .listen_count = 2                                                                              \
    }

static void both_transports_are_served(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH};
    host_start(&host, sums_over_both(), NULL);
    int tcp = dial(&host), udp = dial_udp(&host, 1);
    say_text(tcp, "square 12\n");
    tell(udp, "square 11");
    hear_text(tcp, "144\n");
    told(udp, "121");
    tell(udp, "twice 4");
    told(udp, "8");
    close(udp);
    close(tcp);
    host_end(&host);
}

static void the_spec_says_where_to_listen(void **state)
{
    (void)state;
    const struct assay_model *model = sums_over_both();
    struct assay_transport transports[2] = {model->transports[0], model->transports[1]};
    struct assay_model moved = *model;
    transports[0].bind = "127.0.0.1";
    transports[1].bind = "::1";
    moved.transports = transports;
    struct assay_limits limits = host_limits();
    struct assay_server_config config = {.model = &moved, .limits = &limits};
    char error[ASSAY_SERVER_ERROR_MAX];
    struct assay_server *server = assay_server_open(&config, error);
    assert_non_null(server);
    assert_int_equal(strncmp(assay_server_address(server, 0), "tcp:127.0.0.1:", 14), 0);
    assert_int_equal(strncmp(assay_server_address(server, 1), "udp:[::1]:", 10), 0);
    assert_null(assay_server_address(server, 2));
    assay_server_close(server);
    const char *const listen[] = {"udp:127.0.0.1:0"};
    struct assay_model streams = *model;
    streams.transports_count = 1;
    config = (struct assay_server_config){.model = &streams, .limits = &limits, .listen = listen, .listen_count = 1};
    assert_null(assay_server_open(&config, error));
    assert_non_null(strstr(error, "no server for this transport"));
}

/* Each transport has an engine of its own, and each loop. */
static void tables_are_one_engines(void **state)
{
    (void)state;
    static const struct assay_param params[] = {{"name", "", 0, ASSAY_NONE}, {"value", "", 0, ASSAY_NONE}};
    static const struct assay_table tables[] = {
        {.name = "things", .key = 0, .columns = {1, 1}, .most = 10, .durable = true, .effect = ASSAY_NONE}};
    struct assay_model model = *sums_over_both();
    struct host host = {.config = {.listen = both + 1, .listen_count = 1, .loops = 4}};
    struct assay_server_config config = {.model = &model, .listen = both, .listen_count = 2, .data = "/tmp"};
    char error[ASSAY_SERVER_ERROR_MAX];
    model.protocol = "sums";
    model.params = params, model.params_count = 2;
    model.tables = tables, model.tables_count = 1;
    host_start(&host, &model, NULL);
    config.data = host.folder;
    assert_null(assay_server_open(&config, error));
    assert_non_null(strstr(error, "sums.db': is used by another server"));
    int fd = dial_udp(&host, 0);
    tell(fd, "twice 2");
    told(fd, "4");
    close(fd);
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
    assert_non_null(strstr(host_errors(&host), "one loop instead of 4"));
    assert_null(assay_server_open(&config, error));
    assert_non_null(strstr(error, "one transport at a time"));
    host_remove(&host);
}

/* Every sender is answered by itself; what cannot be read hurts nobody. */
static void many_senders_are_told_apart(void **state)
{
    (void)state;
    enum { N = 200 };
    struct host host = {.config = OVER_BOTH};
    int fds[N];
    host_start(&host, sums_over_both(), NULL);
    for (int i = 0; i < N; i++) {
        char text[32];
        fds[i] = dial_udp(&host, 1);
        snprintf(text, sizeof text, "twice %d", i);
        tell(fds[i], i % 7 ? text : "");
    }
    for (int i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", 2 * i);
        told(fds[i], i % 7 ? text : "error: bad request");
        close(fds[i]);
    }
    host_end(&host);
}

static void a_datagram_over_the_limit_is_seen_as_such(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH};
    static char large[65508];
    host_start(&host, sums_over_both(), NULL);
    int fd = dial_udp(&host, 1);
    memset(large, 'x', sizeof large - 1);
    tell(fd, large);
    told(fd, "error: too long");
    tell(fd, "twice 1");
    told(fd, "2");
    close(fd);
    host_end(&host);
}

/* Its port is free at once, and answers to it come back as errors. */
static void a_sender_that_has_gone_hurts_nobody(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH};
    host_start(&host, sums_over_both(), NULL);
    int good = dial_udp(&host, 1);
    for (int i = 0; i < 50; i++) {
        int bad = dial_udp(&host, 1);
        tell(bad, "twice 1");
        close(bad);
    }
    for (int i = 0; i < 50; i++) {
        tell(good, "twice 2");
        told(good, "4");
    }
    close(good);
    host_end(&host);
}

/* ---- sessions ---------------------------------------------------------- */

static void release_and_look(const struct host *host, int fd, const char *expected)
{
    tell(fd, "r.");
    told(fd, "+.");
    char path[128], got[64] = "";
    snprintf(path, sizeof path, "%s/shown", host->folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, expected);
}

static void silent_longest_gives_way(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH};
    host.limits = host_limits();
    host.limits.sessions = 2;
    host_start(&host, desk_model("shown"), NULL);
    int a = dial_udp(&host, 1), b = dial_udp(&host, 1), c = dial_udp(&host, 1);
    tell(a, "ga1");
    told(a, "+a1");
    tell(b, "gb1");
    told(b, "+b1");
    tell(a, "ga2");
    told(a, "+a2");
    tell(c, "gc1"); /* b was silent longest: what it gathered is forgotten */
    told(c, "+c1");
    release_and_look(&host, a, "a1a2.");
    tell(b, "gb2"); /* now c gives way */
    told(b, "+b2");
    release_and_look(&host, b, "a1a2.b2.");
    release_and_look(&host, c, "a1a2.b2..");
    close(a), close(b), close(c);
    host_end(&host);
}

static void the_end_of_a_session_begins_another(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial_udp(&host, 1);
    tell(fd, "gx");
    tell(fd, "qbye");
    tell(fd, "gy");
    told(fd, "+x");
    told(fd, "+bye");
    told(fd, "+y");
    release_and_look(&host, fd, "y.");
    close(fd);
    host_end(&host);
}

/* The disk is waited for; what arrives meanwhile waits for its session alone, each datagram by itself. */
static void datagrams_wait_for_effects_in_order(void **state)
{
    (void)state;
    enum { N = 200 }; /* all answers have room where they arrive: they may be read late */
    struct host host = {.config = OVER_BOTH};
    char text[32];
    size_t size;
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial_udp(&host, 1);
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "w%03d", i);
        tell(fd, text);
    }
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "+%03d", i);
        told(fd, text);
    }
    const char *log = host_log(&host, &size);
    assert_int_equal(size, 4 * N);
    for (int i = 0; i < N; i++)
        assert_int_equal(atoi(log + (size_t)(4 * i)), i);
    close(fd);
    host_end(&host);
}

static struct assay_server_order *kept;

/* What `apply` orders is done when `tell` says so. */
static enum assay_server_answer take_its_time(void *user, const struct assay_server_effect *effect,
                                              struct assay_server_order *order)
{
    (void)user;
    if (strcmp(effect->name, "apply") == 0) {
        kept = order;
        return ASSAY_SERVER_LATER;
    }
    assay_server_answer(kept, true);
    return ASSAY_SERVER_DONE;
}

/* Say so many that wait for one that takes its time, then let it go. Returns how many the server had no room for. */
static unsigned long long lost_of(unsigned count, const char *datagram, struct assay_limits limits)
{
    static const char what[] = "lost for want of room: ";
    struct host host = {.config = {.listen = both + 1,
                                   .listen_count = 1,
                                   .loops = 1, /* so that all come in their order */
                                   .application = take_its_time,
                                   .stats = true},
                        .limits = limits};
    unsigned long long lost = 0;
    host_start(&host, desk_model("shown"), NULL);
    int slow = dial_udp(&host, 0), other = dial_udp(&host, 0);
    tell(slow, "aslow");
    for (unsigned i = 0; i < count; i++) {
        tell(slow, datagram);
        if (i % 20 > 0)
            continue;
        tell(other, "gx"); /* the kernel loses none of them */
        told(other, "+x");
    }
    tell(other, "vgo");
    told(other, "+go");
    told(slow, "+slow");
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
    const char *at = strstr(host_errors(&host), what);
    if (at)
        sscanf(at + strlen(what), "%llu received", &lost);
    close(slow), close(other);
    host_remove(&host);
    return lost;
}

static void what_waits_is_bounded(void **state)
{
    (void)state;
    struct assay_limits limits = host_limits();
    assert_int_equal(lost_of(1000, "gy", limits), 0);
    assert_true(lost_of(20000, "", limits) > 0); /* of no size, but not for nothing */
    limits.memory = 1 << 16;
    assert_true(lost_of(2000, "gy", limits) > 0);
}

/* ---- the end ----------------------------------------------------------- */

static void sigterm_answers_datagrams_that_came(void **state)
{
    (void)state;
    enum { N = 100 };
    struct host host = {.config = OVER_BOTH};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial_udp(&host, 1);
    host_signal(&host, SIGSTOP);
    for (int i = 0; i < N; i++)
        tell(fd, "wx");
    host_signal(&host, SIGTERM);
    host_signal(&host, SIGCONT);
    for (int i = 0; i < N; i++)
        told(fd, "+x");
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
    close(fd);
}

/* Datagrams alone do not keep it alive, and both ports are free while the last connection goes on. */
static void stop_leaves_the_ports_and_the_last_connection(void **state)
{
    (void)state;
    struct host host = {.config = OVER_BOTH}, next = {.config = OVER_BOTH};
    char tcp_at[32], udp_at[32];
    host_start(&host, desk_model("shown"), NULL);
    int tcp = dial(&host), udp = dial_udp(&host, 1);
    tell(udp, "gx");
    told(udp, "+x");
    say_text(tcp, "s\n");
    hear_text(tcp, "+\n");
    snprintf(tcp_at, sizeof tcp_at, "tcp:127.0.0.1:%u", host.ports[0]);
    snprintf(udp_at, sizeof udp_at, "udp:127.0.0.1:%u", host.ports[1]);
    const char *const same[] = {tcp_at, udp_at};
    next.config.listen = same;
    host_start(&next, desk_model("shown"), NULL);
    assert_int_equal(next.ports[0], host.ports[0]);
    assert_int_equal(next.ports[1], host.ports[1]);
    tell(udp, "gy"); /* the next one's by now */
    told(udp, "+y");
    say_text(tcp, "gz\n");
    hear_text(tcp, "+z\n");
    int other = dial(&next);
    say_text(other, "q\n");
    hear_text(other, "+\n");
    close(other);
    assay_shut(tcp); /* the process of the next one has a copy of it */
    hear_end(tcp);
    close(tcp);
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
    close(udp);
    host_end(&next);
}

static void datagrams_alone_are_served_and_stopped(void **state)
{
    (void)state;
    struct host host = {.config = {.listen = both + 1, .listen_count = 1}};
    host_start(&host, desk_model("shown"), NULL);
    int fd = dial_udp(&host, 0);
    tell(fd, "gx");
    told(fd, "+x");
    tell(fd, "s");
    told(fd, "+");
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_transports_are_served),
        cmocka_unit_test(the_spec_says_where_to_listen),
        cmocka_unit_test(tables_are_one_engines),
        cmocka_unit_test(many_senders_are_told_apart),
        cmocka_unit_test(a_datagram_over_the_limit_is_seen_as_such),
        cmocka_unit_test(a_sender_that_has_gone_hurts_nobody),
        cmocka_unit_test(silent_longest_gives_way),
        cmocka_unit_test(the_end_of_a_session_begins_another),
        cmocka_unit_test(datagrams_wait_for_effects_in_order),
        cmocka_unit_test(what_waits_is_bounded),
        cmocka_unit_test(sigterm_answers_datagrams_that_came),
        cmocka_unit_test(stop_leaves_the_ports_and_the_last_connection),
        cmocka_unit_test(datagrams_alone_are_served_and_stopped),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

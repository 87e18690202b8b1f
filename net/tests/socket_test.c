#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/clock.h"
#include "net/socket.h"

static struct assay_net_error error;

static struct assay_address at(const char *text)
{
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    assert_true(assay_address_resolve(text, ASSAY_ADDRESS_LISTEN, all, &error) >= 1);
    return all[0];
}

static int listen_on(const char *text, struct assay_address *bound)
{
    struct assay_address a = at(text);
    int fd = assay_listen(&a, &error);
    assert_true(fd >= 0);
    assert_true(assay_address_of(fd, bound));
    assert_int_not_equal(assay_address_port(bound), 0);
    return fd;
}

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, 60000), 1);
}

struct pair {
    int listener, client, server;
    struct assay_address address;
};

static struct pair connected(const char *text)
{
    struct pair p;
    p.listener = listen_on(text, &p.address);
    p.client = assay_connect(&p.address, &error);
    assert_true(p.client >= 0);
    await(p.client, POLLOUT);
    assert_int_equal(assay_connected(p.client), 0);
    await(p.listener, POLLIN);
    p.server = assay_accept(p.listener);
    assert_true(p.server >= 0);
    return p;
}

static void end(struct pair *p)
{
    close(p->client);
    close(p->server);
    close(p->listener);
}

static void carries_bytes_both_ways(void **state)
{
    (void)state;
    static const char *const families[] = {"127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"};
    for (size_t i = 0; i < 3; i++) {
        struct pair p = connected(families[i]);
        char buf[8];
        assert_int_equal(assay_receive(p.server, buf, sizeof buf), ASSAY_IO_AGAIN);
        assert_int_equal(assay_send(p.client, "ping", 4), 4);
        await(p.server, POLLIN);
        assert_int_equal(assay_unread(p.server), 4);
        assert_int_equal(assay_receive(p.server, buf, sizeof buf), 4);
        assay_shut(p.client);
        await(p.server, POLLIN);
        assert_int_equal(assay_receive(p.server, buf, sizeof buf), ASSAY_IO_EOF);
        assert_int_equal(assay_send(p.server, "pong", 4), 4);
        await(p.client, POLLIN);
        assert_int_equal(assay_receive(p.client, buf, sizeof buf), 4);
        end(&p);
    }
}

static void a_reset_is_told_from_an_end(void **state)
{
    (void)state;
    struct pair p = connected("127.0.0.1:0");
    char byte;
    assay_reset(p.client);
    await(p.server, POLLIN);
    assert_int_equal(assay_receive(p.server, &byte, 1), ASSAY_IO_RESET);
    assert_int_equal(assay_send(p.server, "x", 1), ASSAY_IO_RESET);
    close(p.server);
    close(p.listener);
}

static void connections_have_no_delay(void **state)
{
    (void)state;
    struct pair p = connected("127.0.0.1:0");
    int on = 0;
    socklen_t size = sizeof on;
    getsockopt(p.server, IPPROTO_TCP, TCP_NODELAY, &on, &size);
    assert_int_not_equal(on, 0);
    getsockopt(p.client, IPPROTO_TCP, TCP_NODELAY, &on, &size);
    assert_int_not_equal(on, 0);
    end(&p);
}

/* What the kernel tells goes by ticks of at most 10 ms. */
static void a_connection_tells_how_long_it_was_there(void **state)
{
    (void)state;
    int64_t before = assay_clock_now();
    struct pair p = connected("127.0.0.1:0");
    int64_t later = assay_clock_now() + 60 * ASSAY_MS, young = assay_connection_age(p.server);
    assert_true(young <= assay_clock_now() - before + 20 * ASSAY_MS);
    while (assay_clock_now() < later)
        poll(NULL, 0, 5);
    assert_int_equal(assay_send(p.client, "x", 1), 1);
    await(p.server, POLLIN);
    int64_t age = assay_connection_age(p.server), quiet = assay_connection_quiet(p.server);
    assert_true(age >= 50 * ASSAY_MS && age <= assay_clock_now() - before + 20 * ASSAY_MS);
    assert_true(quiet < age);
    end(&p);
}

static void a_port_in_use_is_refused_though_sockets_share(void **state)
{
    (void)state;
    struct assay_address bound;
    int first = listen_on("127.0.0.1:0", &bound);
    int again = assay_listen_again(&bound, &error);
    assert_true(again >= 0);
    assert_int_equal(assay_listen(&bound, &error), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_non_null(strstr(error.text, "127.0.0.1"));
    close(first);
    assert_int_equal(assay_listen(&bound, &error), -1);
    close(again);
    first = assay_listen(&bound, &error);
    assert_true(first >= 0);
    close(first);
}

static void sharing_sockets_take_all_connections_between_them(void **state)
{
    (void)state;
    struct assay_address bound;
    int listeners[2], clients[32], got = 0;
    listeners[0] = listen_on("127.0.0.1:0", &bound);
    listeners[1] = assay_listen_again(&bound, &error);
    for (int i = 0; i < 32; i++) {
        clients[i] = assay_connect(&bound, &error);
        await(clients[i], POLLOUT);
    }
    while (got < 32) {
        struct pollfd p[2] = {{.fd = listeners[0], .events = POLLIN}, {.fd = listeners[1], .events = POLLIN}};
        assert_true(poll(p, 2, 60000) > 0);
        for (int i = 0; i < 2; i++)
            for (int fd; (fd = assay_accept(listeners[i])) >= 0; got++)
                close(fd);
    }
    for (int i = 0; i < 32; i++)
        close(clients[i]);
    close(listeners[0]);
    close(listeners[1]);
}

static void the_wildcard_takes_ipv4_and_ipv6(void **state)
{
    (void)state;
    struct assay_address bound, to;
    int listener = listen_on("*:0", &bound);
    static const char *const families[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        to = at(families[i]);
        assay_address_set_port(&to, assay_address_port(&bound));
        int client = assay_connect(&to, &error);
        assert_true(client >= 0);
        await(listener, POLLIN);
        int server = assay_accept(listener);
        assert_true(server >= 0);
        close(server);
        close(client);
    }
    close(listener);
}

static void nobody_there_is_refused(void **state)
{
    (void)state;
    struct assay_address bound;
    int fd = listen_on("127.0.0.1:0", &bound);
    close(fd);
    fd = assay_connect(&bound, &error);
    if (fd >= 0) {
        await(fd, POLLOUT);
        assert_int_equal(assay_connected(fd), ECONNREFUSED);
        close(fd);
    } else {
        assert_non_null(strstr(error.text, "refused"));
    }
}

static void descriptors_are_raised_to_the_hard_limit(void **state)
{
    (void)state;
    struct rlimit limit, old;
    getrlimit(RLIMIT_NOFILE, &old);
    limit = old;
    limit.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(assay_descriptors_raise(), old.rlim_max);
    setrlimit(RLIMIT_NOFILE, &old);
}

static void a_port_aside_is_nobody_elses(void **state)
{
    (void)state;
    struct assay_address first = at("127.0.0.1:0"), second = first;
    int one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(assay_bind_aside(one, &first));
    assert_in_range(assay_address_port(&first), 1024, 32767);
    assert_int_equal(bind(other, &first.any, first.size), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_true(assay_bind_aside(other, &second));
    assert_int_not_equal(assay_address_port(&first), assay_address_port(&second));
    close(one);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_bytes_both_ways),
        cmocka_unit_test(a_reset_is_told_from_an_end),
        cmocka_unit_test(connections_have_no_delay),
        cmocka_unit_test(a_connection_tells_how_long_it_was_there),
        cmocka_unit_test(a_port_in_use_is_refused_though_sockets_share),
        cmocka_unit_test(sharing_sockets_take_all_connections_between_them),
        cmocka_unit_test(the_wildcard_takes_ipv4_and_ipv6),
        cmocka_unit_test(nobody_there_is_refused),
        cmocka_unit_test(a_port_aside_is_nobody_elses),
        cmocka_unit_test(descriptors_are_raised_to_the_hard_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

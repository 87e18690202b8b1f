#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/datagram.h"

static struct assay_address resolve(const char *text, enum assay_address_use use)
{
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    struct assay_net_error error;
    assert_true(assay_address_resolve(text, use, all, &error) >= 1);
    return all[0];
}

static int bound(const char *text, struct assay_address *at)
{
    struct assay_address where = resolve(text, ASSAY_ADDRESS_LISTEN);
    struct assay_net_error error;
    int fd = assay_udp_bind(&where, &error);
    assert_true(fd >= 0);
    assert_true(assay_address_of(fd, at));
    return fd;
}

static void await(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
}

static ssize_t receive(int fd, void *bytes, size_t size, struct assay_path *path)
{
    await(fd);
    return assay_udp_receive(fd, bytes, size, path);
}

/* To `host`, which the server hears at `at`, and back from the same address. */
static void round_trip(const char *at, const char *host)
{
    struct assay_address where, to = resolve(host, ASSAY_ADDRESS_CONNECT);
    struct assay_net_error error;
    struct assay_path path;
    char got[8] = "";
    int server = bound(at, &where);
    assay_address_set_port(&to, assay_address_port(&where));
    int client = assay_udp_connect(&to, 0, &error);
    assert_true(client >= 0);
    assert_int_equal(assay_udp_send(client, "ping", 4, NULL), 4);
    assert_int_equal(receive(server, got, sizeof got, &path), 4);
    assert_memory_equal(got, "ping", 4);
    assert_int_equal(assay_udp_send(server, "pong", 4, &path), 4);
    assert_int_equal(receive(client, got, sizeof got, NULL), 4);
    assert_memory_equal(got, "pong", 4);
    close(client);
    close(server);
}

static void both_families_answer_from_the_address_asked(void **state)
{
    (void)state;
    round_trip("udp:127.0.0.1:0", "127.0.0.1:0");
    round_trip("udp:[::1]:0", "[::1]:0");
    /* A connected socket hears only the address that it sends to. */
    round_trip("udp:*:0", "127.0.0.2:0");
    round_trip("udp:*:0", "[::1]:0");
    round_trip("udp:0.0.0.0:0", "127.0.0.3:0");
    round_trip("udp:[::ffff:127.0.0.4]:0", "127.0.0.4:0");
    round_trip("udp:*:0", "[::ffff:127.0.0.5]:0");
}

/* From two senders, to each its own, and one that is too long. */
static void several_go_at_once(void **state)
{
    (void)state;
    enum { N = 40, CAP = 4 };
    static uint8_t room[ASSAY_DATAGRAM_BATCH][CAP];
    struct assay_arrival got[ASSAY_DATAGRAM_BATCH];
    struct assay_address where;
    struct assay_net_error error;
    uint32_t ends[] = {2, 2, 5};
    char text[8];
    int server = bound("udp:*:0", &where), clients[2];
    struct assay_address to = resolve("127.0.0.2:0", ASSAY_ADDRESS_CONNECT);
    assay_address_set_port(&to, assay_address_port(&where));
    for (unsigned i = 0; i < ASSAY_DATAGRAM_BATCH; i++)
        got[i] = (struct assay_arrival){.bytes = room[i], .cap = CAP};
    assert_int_equal(assay_udp_receive_some(server, got, 1), ASSAY_DATAGRAM_AGAIN);
    for (int i = 0; i < 2; i++)
        clients[i] = assay_udp_connect(&to, 0, &error);
    for (int i = 0; i < N; i++)
        assert_int_equal(assay_udp_send(clients[i % 2], i == 5 ? "12345" : "x", i == 5 ? 5 : 1, NULL), i == 5 ? 5 : 1);
    await(server);
    assert_int_equal(assay_udp_receive_some(server, got, ASSAY_DATAGRAM_BATCH), ASSAY_DATAGRAM_BATCH);
    assert_int_equal(got[5].size, 5);
    assert_memory_equal(got[5].bytes, "1234", 4);
    assert_int_equal(got[4].size, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(assay_udp_send_some(server, (const uint8_t *)"abcde", ends, 3, &got[i].path), 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(receive(clients[i], text, sizeof text, NULL), 2);
        assert_int_equal(receive(clients[i], text, sizeof text, NULL), 0);
        assert_int_equal(receive(clients[i], text, sizeof text, NULL), 3);
        assert_memory_equal(text, "cde", 3);
    }
    assert_int_equal(assay_udp_receive_some(server, got, ASSAY_DATAGRAM_BATCH), N - (int)ASSAY_DATAGRAM_BATCH);
    close(clients[0]);
    close(clients[1]);
    close(server);
}

static void borders_are_kept_and_cuts_are_seen(void **state)
{
    (void)state;
    struct assay_address at;
    struct assay_net_error error;
    struct assay_path path;
    static uint8_t large[65507], got[ASSAY_DATAGRAM_MAX];
    int server = bound("udp:127.0.0.1:0", &at), client = assay_udp_connect(&at, 0, &error);
    assert_int_equal(assay_udp_send(client, "", 0, NULL), 0);
    assert_int_equal(assay_udp_send(client, "12345", 5, NULL), 5);
    assert_int_equal(assay_udp_send(client, large, sizeof large, NULL), sizeof large);
    assert_int_equal(receive(server, got, sizeof got, &path), 0);
    assert_int_equal(receive(server, got, 3, &path), 5);
    assert_int_equal(receive(server, got, sizeof got, &path), sizeof large);
    assert_int_equal(assay_udp_receive(server, got, sizeof got, &path), ASSAY_DATAGRAM_AGAIN);
    assert_int_equal(assay_udp_send(client, got, sizeof got, NULL), ASSAY_DATAGRAM_FAILED);
    assert_int_equal(errno, EMSGSIZE);
    close(client);
    close(server);
}

static void a_refusal_is_told_and_leaves_the_socket(void **state)
{
    (void)state;
    struct assay_address at;
    struct assay_net_error error;
    uint8_t got[8];
    int server = bound("udp:127.0.0.1:0", &at), client = assay_udp_connect(&at, 0, &error);
    close(server);
    assert_int_equal(assay_udp_send(client, "a", 1, NULL), 1);
    assert_int_equal(receive(client, got, sizeof got, NULL), ASSAY_DATAGRAM_FAILED);
    assert_int_equal(errno, ECONNREFUSED);
    server = assay_udp_bind(&at, &error);
    assert_true(server >= 0);
    assert_int_equal(assay_udp_send(client, "b", 1, NULL), 1);
    assert_int_equal(receive(server, got, sizeof got, NULL), 1);
    close(client);
    close(server);
}

static void a_port_is_bound_once_unless_it_is_shared(void **state)
{
    (void)state;
    struct assay_address at;
    struct assay_net_error error;
    int first = bound("udp:127.0.0.1:0", &at);
    assert_int_equal(assay_udp_bind(&at, &error), -1);
    assert_non_null(strstr(error.text, "in use"));
    assert_non_null(strstr(error.text, "udp:127.0.0.1:"));
    int second = assay_udp_bind_again(&at, &error);
    assert_true(second >= 0);
    /* Each sender gets to one of them, all to the same. */
    int counts[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        int client = assay_udp_connect(&at, 0, &error);
        assert_int_equal(assay_udp_send(client, "x", 1, NULL), 1);
        struct pollfd p[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
        assert_int_equal(poll(p, 2, 60000), 1);
        uint8_t byte;
        assert_int_equal(assay_udp_receive(p[0].revents ? first : second, &byte, 1, NULL), 1);
        counts[p[0].revents ? 0 : 1]++;
        close(client);
    }
    assert_true(counts[0] > 0 && counts[1] > 0);
    close(first);
    close(second);
}

static void a_client_may_have_a_port_of_its_own(void **state)
{
    (void)state;
    struct assay_address at, free_one;
    struct assay_net_error error;
    struct assay_path path;
    uint8_t byte;
    int server = bound("udp:127.0.0.1:0", &at);
    close(bound("udp:127.0.0.1:0", &free_one));
    int client = assay_udp_connect(&at, assay_address_port(&free_one), &error);
    assert_true(client >= 0);
    assert_int_equal(assay_udp_send(client, "x", 1, NULL), 1);
    assert_int_equal(receive(server, &byte, 1, &path), 1);
    assert_true(assay_address_equal(&path.peer, &free_one));
    assert_false(assay_address_equal(&path.peer, &at));
    close(client);
    close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_answer_from_the_address_asked),
        cmocka_unit_test(several_go_at_once),
        cmocka_unit_test(borders_are_kept_and_cuts_are_seen),
        cmocka_unit_test(a_refusal_is_told_and_leaves_the_socket),
        cmocka_unit_test(a_port_is_bound_once_unless_it_is_shared),
        cmocka_unit_test(a_client_may_have_a_port_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

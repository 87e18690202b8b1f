/* The file itself, to reach the two ways in which it asks. */
#include "net/socktable.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <cmocka.h>

struct pair {
    int listener, near, far;
    struct assay_address near_at, far_at;
};

static void pair_open(struct pair *p, struct sockaddr *at, socklen_t size)
{
    struct sockaddr_storage to;
    socklen_t n = sizeof to;
    p->listener = socket(at->sa_family, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, at, size), 0);
    assert_int_equal(listen(p->listener, 4), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&to, &n), 0);
    if (at->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&((struct sockaddr_in6 *)(void *)at)->sin6_addr)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET,
                                 .sin_port = ((struct sockaddr_in6 *)&to)->sin6_port,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        memcpy(&to, &v4, sizeof v4);
        n = sizeof v4;
    }
    p->near = socket(to.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(p->near, (struct sockaddr *)&to, n), 0);
    p->far = accept(p->listener, NULL, NULL);
    assert_true(p->far >= 0);
    assert_true(assay_address_of(p->near, &p->near_at));
    p->far_at.size = n;
    memcpy(&p->far_at.any, &to, n);
}

static void pair_close(struct pair *p)
{
    close(p->near);
    close(p->listener);
    if (p->far >= 0)
        close(p->far);
}

static bool is_the_same(const struct assay_far_end *a, const struct assay_far_end *b)
{
    return a->found == b->found && a->unread == b->unread && a->unsent == b->unsent && a->orphan == b->orphan;
}

/* The kernel acknowledges in its own time: an answer counts that was the same before and after the other one was asked.
 */
static struct assay_far_end ask_both(const struct pair *p)
{
    struct assay_socktable *t = assay_socktable_new();
    struct assay_far_end by_netlink, by_proc, before;
    bool asked;
    assert_non_null(t);
    do {
        by_netlink = (struct assay_far_end){0};
        before = find_in_proc(&p->near_at, &p->far_at);
        asked = find_by_netlink(t, &p->near_at, &p->far_at, &by_netlink);
        by_proc = find_in_proc(&p->near_at, &p->far_at);
    } while (!is_the_same(&before, &by_proc));
    if (asked) {
        assert_int_equal(by_netlink.found, by_proc.found);
        assert_int_equal(by_netlink.unread, by_proc.unread);
        assert_int_equal(by_netlink.unsent, by_proc.unsent);
        assert_int_equal(by_netlink.orphan, by_proc.orphan);
        assert_int_equal(by_proc.arrived, by_proc.found ? ASSAY_FAR_UNKNOWN : 0);
        by_proc.arrived = by_netlink.arrived;
    }
    assay_socktable_free(t);
    return by_proc;
}

static void check_reading(struct sockaddr *at, socklen_t size)
{
    struct pair p;
    char bytes[16];
    pair_open(&p, at, size);
    assert_true(ask_both(&p).found);
    assert_int_equal(ask_both(&p).unread, 0);
    assert_int_equal(send(p.near, "hello", 5, 0), 5);
    assert_int_equal(ask_both(&p).unread, 5);
    assert_int_equal(recv(p.far, bytes, 2, 0), 2);
    assert_int_equal(ask_both(&p).unread, 3);
    assert_int_equal(recv(p.far, bytes, sizeof bytes, 0), 3);
    assert_int_equal(ask_both(&p).unread, 0);
    uint64_t arrived = ask_both(&p).arrived;
    assert_true(arrived == 5 || arrived == ASSAY_FAR_UNKNOWN);
    pair_close(&p);
}

static void sees_what_was_read(void **state)
{
    (void)state;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    check_reading((struct sockaddr *)&v4, sizeof v4);
    check_reading((struct sockaddr *)&v6, sizeof v6);
    check_reading((struct sockaddr *)&any, sizeof any); /* the far end is an IPv6 socket with an IPv4 peer */
}

static void tells_a_close_from_a_shut_write_side(void **state)
{
    (void)state;
    struct pair p;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pair_open(&p, (struct sockaddr *)&v4, sizeof v4);
    shutdown(p.far, SHUT_WR);
    assert_true(ask_both(&p).found);
    assert_false(ask_both(&p).orphan);
    close(p.far);
    p.far = -1;
    assert_true(ask_both(&p).orphan || !ask_both(&p).found);
    pair_close(&p);
}

static void does_not_take_the_listener_for_a_connection(void **state)
{
    (void)state;
    struct pair p;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pair_open(&p, (struct sockaddr *)&v4, sizeof v4);
    assay_address_set_port(&p.near_at, (uint16_t)(assay_address_port(&p.near_at) ^ 1));
    assert_false(ask_both(&p).found);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_what_was_read),
        cmocka_unit_test(tells_a_close_from_a_shut_write_side),
        cmocka_unit_test(does_not_take_the_listener_for_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/loop.h"

static char trace[64];
static void note(char c)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < sizeof trace);
    trace[n] = c;
    trace[n + 1] = '\0';
}

static struct assay_loop *fresh(void *owner)
{
    trace[0] = '\0';
    struct assay_loop *loop = assay_loop_new(owner);
    assert_non_null(loop);
    return loop;
}

struct tagged_alarm {
    struct assay_alarm alarm;
    char tag;
};

static void fire(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    note(((struct tagged_alarm *)alarm)->tag);
}

static void alarms_fire_in_order_of_time(void **state)
{
    (void)state;
    struct assay_loop *loop = fresh(NULL);
    int64_t now = assay_loop_now(loop);
    static const char order[] = "gcafebdh";
    struct tagged_alarm a[8];
    for (int i = 0; i < 8; i++) {
        a[i] = (struct tagged_alarm){{.fire = fire}, order[i]};
        assert_true(assay_loop_alarm(loop, &a[i].alarm, now + (order[i] - 'a') * 1000));
    }
    assay_loop_cancel(loop, &a[4].alarm); /* e */
    assay_loop_cancel(loop, &a[4].alarm);
    assert_true(assay_loop_alarm(loop, &a[2].alarm, now + 20000)); /* a: moved to the end */
    while (strlen(trace) < 7)
        assay_loop_round(loop, ASSAY_CLOCK_NEVER);
    assert_string_equal(trace, "bcdfgha");
    assay_loop_free(loop);
}

static int64_t last_fired = INT64_MIN;
static int fired;
static void fire_in_order(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    assert_true(alarm->at >= last_fired);
    last_fired = alarm->at;
    fired++;
}

static void many_alarms_keep_the_heap_in_order(void **state)
{
    (void)state;
    enum { N = 500 };
    static struct assay_alarm alarms[N];
    struct assay_loop *loop = fresh(NULL);
    int64_t now = assay_loop_now(loop);
    uint32_t seed = 12345;
    int set = 0;
    for (int i = 0; i < N; i++)
        alarms[i] = (struct assay_alarm){.fire = fire_in_order};
    for (int i = 0; i < 20 * N; i++) {
        seed = seed * 1664525 + 1013904223;
        struct assay_alarm *a = &alarms[(seed >> 8) % N];
        if (seed >> 30 == 0)
            assay_loop_cancel(loop, a);
        else
            assert_true(assay_loop_alarm(loop, a, now - (int64_t)(seed >> 4)));
    }
    for (int i = 0; i < N; i++)
        set += alarms[i].place != 0;
    assay_loop_round(loop, 0);
    assert_true(set > N / 2);
    assert_int_equal(fired, set);
    assay_loop_free(loop);
}

static void a_deadline_is_not_met_early(void **state)
{
    (void)state;
    struct assay_loop *loop = fresh(NULL);
    int64_t until = assay_clock_now() + 3 * ASSAY_MS;
    assay_loop_round(loop, until);
    assert_true(assay_clock_now() >= until);
    assay_loop_free(loop);
}

struct end {
    struct assay_watch watch;
    struct end *other;
    char tag;
};

static void read_one(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)loop;
    char byte;
    assert_true(events & ASSAY_READ);
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    note(byte);
}

/* Takes both out: the other one's event of the same round must not come. */
static void remove_both(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct end *end = (struct end *)watch;
    note(end->tag);
    assay_loop_watch(loop, &end->watch, 0);
    assay_loop_watch(loop, &end->other->watch, 0);
}

static void pairs(int a[2], int b[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
}

static void close_pairs(int a[2], int b[2])
{
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

static void readiness_reaches_its_watch(void **state)
{
    (void)state;
    struct assay_loop *loop = fresh(NULL);
    int a[2], b[2];
    pairs(a, b);
    struct assay_watch one = {read_one, a[0], 0}, two = {read_one, b[0], 0};
    assert_true(assay_loop_watch(loop, &one, ASSAY_READ));
    assert_true(assay_loop_watch(loop, &two, ASSAY_READ));
    assert_int_equal(write(b[1], "2", 1), 1);
    assay_loop_round(loop, ASSAY_CLOCK_NEVER);
    assert_int_equal(write(a[1], "1", 1), 1);
    assay_loop_round(loop, ASSAY_CLOCK_NEVER);
    assert_string_equal(trace, "21");
    assert_true(assay_loop_watch(loop, &one, 0));
    assert_int_equal(write(a[1], "x", 1), 1);
    assay_loop_round(loop, 0);
    assert_string_equal(trace, "21");
    close_pairs(a, b);
    assay_loop_free(loop);
}

static void a_removed_watch_hears_nothing_more(void **state)
{
    (void)state;
    struct assay_loop *loop = fresh(NULL);
    int a[2], b[2];
    pairs(a, b);
    struct end one = {{remove_both, a[0], 0}, NULL, '1'}, two = {{remove_both, b[0], 0}, &one, '2'};
    one.other = &two;
    assert_true(assay_loop_watch(loop, &one.watch, ASSAY_READ));
    assert_true(assay_loop_watch(loop, &two.watch, ASSAY_READ));
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assay_loop_round(loop, ASSAY_CLOCK_NEVER);
    assay_loop_round(loop, 0);
    assert_int_equal(strlen(trace), 1);
    close_pairs(a, b);
    assay_loop_free(loop);
}

static void woken(struct assay_loop *loop)
{
    note(*(char *)assay_loop_owner(loop));
    assay_loop_stop(loop);
}

static void *wake_it(void *loop)
{
    assay_loop_wake(loop);
    assay_loop_wake(loop);
    return NULL;
}

static void another_thread_wakes_it(void **state)
{
    (void)state;
    char tag = 'w';
    struct assay_loop *loop = fresh(&tag);
    assay_loop_on_wake(loop, woken);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_it, loop), 0);
    assay_loop_run(loop);
    pthread_join(thread, NULL);
    assert_true(trace[0] == 'w');
    assay_loop_free(loop);
}

static void signals_can_be_read(void **state)
{
    (void)state;
    static const int wanted[] = {SIGUSR1, SIGUSR2, 0};
    int fd = assay_signals_open(wanted);
    assert_true(fd >= 0);
    assert_int_equal(assay_signals_next(fd), 0);
    raise(SIGUSR2);
    assert_int_equal(assay_signals_next(fd), SIGUSR2);
    assert_int_equal(assay_signals_next(fd), 0);
    close(fd);
}

static void a_bad_descriptor_is_refused(void **state)
{
    (void)state;
    struct assay_loop *loop = fresh(NULL);
    struct assay_watch bad = {read_one, -1, 0};
    assert_false(assay_loop_watch(loop, &bad, ASSAY_READ));
    assert_int_equal(bad.events, 0);
    assay_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alarms_fire_in_order_of_time),
        cmocka_unit_test(many_alarms_keep_the_heap_in_order),
        cmocka_unit_test(a_deadline_is_not_met_early),
        cmocka_unit_test(readiness_reaches_its_watch),
        cmocka_unit_test(a_removed_watch_hears_nothing_more),
        cmocka_unit_test(another_thread_wakes_it),
        cmocka_unit_test(signals_can_be_read),
        cmocka_unit_test(a_bad_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

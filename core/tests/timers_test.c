#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/timers.h"

enum { N = 200 };
static struct assay_timers_entry entries[N];
static uint32_t places[N];
static struct assay_timers timers;

static int reset(void **state)
{
    (void)state;
    timers = (struct assay_timers){entries, places, 0};
    memset(places, 0xff, sizeof places);
    return 0;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int64_t smallest(const int64_t *times)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < N; i++)
        least = times[i] < least ? times[i] : least;
    return least;
}

/* Against the obvious: an array searched from end to end. */
static void the_top_is_the_earliest(void **state)
{
    (void)state;
    int64_t times[N];
    uint32_t seed = 7, in = 0;
    for (int i = 0; i < N; i++)
        times[i] = INT64_MAX;
    for (int turn = 0; turn < 20000; turn++) {
        uint32_t id = next_random(&seed) % N;
        in -= times[id] != INT64_MAX;
        if (next_random(&seed) % 3 == 0) {
            times[id] = INT64_MAX;
            assay_timers_remove(&timers, id);
        } else {
            times[id] = next_random(&seed) % 1000;
            assay_timers_set(&timers, id, times[id]);
            in++;
        }
        assert_int_equal(timers.count, in);
        assert_int_equal(in ? timers.entries[0].at : INT64_MAX, smallest(times));
        assert_int_equal(assay_timers_get(&timers, id), times[id]);
    }
}

static void removing_what_is_not_in_does_nothing(void **state)
{
    (void)state;
    assay_timers_remove(&timers, 3);
    assert_int_equal(timers.count, 0);
    assay_timers_set(&timers, 3, 5);
    assay_timers_remove(&timers, 4);
    assert_int_equal(timers.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_top_is_the_earliest, reset),
        cmocka_unit_test_setup(removing_what_is_not_in_does_nothing, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

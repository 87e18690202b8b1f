#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/heap.h"

enum { UNITS = 100 };
static _Alignas(16) uint8_t block[UNITS * ASSAY_HEAP_UNIT];
static uint8_t orders[UNITS];
static struct assay_heap heap;

static int reset(void **state)
{
    (void)state;
    memset(block, 0xa5, sizeof block);
    assay_heap_init(&heap, block, orders, UNITS);
    return 0;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(uint32_t offset, uint32_t n, uint8_t with)
{
    memset(block + offset, with, n);
}

static void expect_filled(uint32_t offset, uint32_t n, uint8_t with)
{
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(block[offset + i], with);
}

/* Whatever is taken and given back: blocks never overlap, and at last everything is there again. */
static void blocks_keep_apart_and_join(void **state)
{
    (void)state;
    struct {
        uint32_t offset, n;
    } live[32] = {{0, 0}};
    uint32_t seed = 3, done = 0;
    for (int turn = 0; turn < 20000; turn++) {
        uint32_t i = next_random(&seed) % 32, n = 1 + next_random(&seed) % 300;
        if (live[i].n) {
            expect_filled(live[i].offset, live[i].n, (uint8_t)i);
            assay_heap_free(&heap, live[i].offset, live[i].n);
            live[i].n = 0;
        } else if (assay_heap_alloc(&heap, n, &live[i].offset)) {
            assert_true(live[i].offset + n <= sizeof block);
            live[i].n = n;
            fill(live[i].offset, n, (uint8_t)i);
            done++;
        }
    }
    assert_true(done > 1000);
    for (int i = 0; i < 32; i++)
        if (live[i].n)
            assay_heap_free(&heap, live[i].offset, live[i].n);
    uint32_t offset;
    assert_true(assay_heap_alloc(&heap, 64 * ASSAY_HEAP_UNIT, &offset));
    assert_true(assay_heap_alloc(&heap, 32 * ASSAY_HEAP_UNIT, &offset));
    assert_true(assay_heap_alloc(&heap, 4 * ASSAY_HEAP_UNIT, &offset));
    assert_false(assay_heap_alloc(&heap, 1, &offset));
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    uint32_t offset;
    assert_false(assay_heap_alloc(&heap, 64 * ASSAY_HEAP_UNIT + 1, &offset));
    assert_false(assay_heap_alloc(&heap, UINT32_MAX, &offset));
    assert_true(assay_heap_alloc(&heap, 64 * ASSAY_HEAP_UNIT, &offset));
    assert_int_equal(offset, 0);
    assay_heap_init(&heap, block, orders, 0);
    assert_false(assay_heap_alloc(&heap, 1, &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blocks_keep_apart_and_join, reset),
        cmocka_unit_test_setup(what_does_not_fit_is_refused, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

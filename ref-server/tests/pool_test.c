#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ref-server/pool.h"

static void buffers_have_the_room_asked_for(void **state)
{
    (void)state;
    struct assay_pool pool = {0};
    for (size_t size = 1; size < 5u << 20; size = size * 3 / 2 + 1) {
        uint32_t cap = 0;
        uint8_t *p = assay_pool_take(&pool, size, &cap);
        assert_non_null(p);
        assert_true(cap >= size);
        memset(p, 0xaa, cap);
        assert_int_equal(pool.taken, cap);
        assay_pool_give(&pool, p, cap);
        assert_int_equal(pool.taken, 0);
    }
    assay_pool_free(&pool);
}

static void a_buffer_given_back_is_used_again(void **state)
{
    (void)state;
    struct assay_pool pool = {0};
    uint32_t cap;
    void *a = assay_pool_take(&pool, 100, &cap), *b = assay_pool_take(&pool, 100, &cap);
    assert_ptr_not_equal(a, b);
    assay_pool_give(&pool, a, cap);
    assert_ptr_equal(assay_pool_take(&pool, 120, &cap), a);
    assay_pool_give(&pool, a, cap);
    assay_pool_give(&pool, b, cap);
    assay_pool_give(&pool, NULL, 0);
    assay_pool_free(&pool);
}

static void only_so_much_is_kept(void **state)
{
    (void)state;
    enum { N = 100 };
    struct assay_pool pool = {0};
    void *p[N];
    uint32_t cap;
    for (int i = 0; i < N; i++)
        p[i] = assay_pool_take(&pool, 64 * 1024, &cap);
    for (int i = 0; i < N; i++)
        assay_pool_give(&pool, p[i], cap);
    uint64_t kept = 0;
    for (int i = 0; i < (int)ASSAY_POOL_CLASSES; i++)
        kept += (uint64_t)pool.classes[i].kept * ASSAY_POOL_LEAST << i;
    assert_in_range(kept, 1, 1u << 20);
    assay_pool_free(&pool);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    struct assay_pool pool = {0};
    uint32_t cap;
    assert_null(assay_pool_take(&pool, (size_t)ASSAY_POOL_LEAST << ASSAY_POOL_CLASSES, &cap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_have_the_room_asked_for),
        cmocka_unit_test(a_buffer_given_back_is_used_again),
        cmocka_unit_test(only_so_much_is_kept),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "ref-server/spool.h"

static const char one = 0, other = 0; /* places */

static bool gather(struct assay_spool **list, const void *place, const void *bytes, size_t size)
{
    const struct assay_span halves[] = {{bytes, (uint32_t)(size / 2)},
                                        {(const uint8_t *)bytes + size / 2, (uint32_t)(size - size / 2)}};
    return assay_spool_add(list, place, AT_FDCWD, halves, 2);
}

struct poured {
    uint8_t *bytes;
    size_t size, cap;
};

static bool put(void *to, const void *bytes, size_t size)
{
    struct poured *p = to;
    if (p->size + size > p->cap)
        return false;
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
    return true;
}

/* Pieces of all sizes, so that both memory and file end up with some, come out as they went in. */
static void comes_out_as_it_went_in(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65536, 65537, 200000, 5000000};
    static uint8_t in[5000000];
    struct poured out = {.bytes = malloc(sizeof in), .cap = sizeof in};
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 31 >> 5);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct assay_spool *list = NULL;
        for (size_t at = 0, step = 1; at < sizes[k]; at += step, step = step * 3 % 70001) {
            size_t n = sizes[k] - at < step ? sizes[k] - at : step;
            assert_true(gather(&list, &one, in + at, n));
        }
        struct assay_spool *spool = assay_spool_take(&list, &one);
        assert_true((spool != NULL) == (sizes[k] > 0));
        assert_null(list);
        out.size = 0;
        assert_true(!spool || assay_spool_pour(spool, put, &out));
        assert_int_equal(out.size, sizes[k]);
        assert_memory_equal(out.bytes, in, sizes[k]);
        assert_true(!spool || (spool->fd >= 0) == (sizes[k] > ASSAY_SPOOL_MEMORY));
        assay_spool_free(spool);
    }
    free(out.bytes);
}

static void places_are_kept_apart(void **state)
{
    (void)state;
    struct assay_spool *list = NULL;
    uint8_t room[16];
    struct poured out = {.bytes = room, .cap = sizeof room};
    assert_true(gather(&list, &one, "ab", 2));
    assert_true(gather(&list, &other, "xy", 2));
    assert_true(gather(&list, &one, "cd", 2));
    struct assay_spool *spool = assay_spool_take(&list, &one);
    assert_null(assay_spool_take(&list, &one));
    assert_true(assay_spool_pour(spool, put, &out));
    assert_int_equal(out.size, 4);
    assert_memory_equal(room, "abcd", 4);
    assay_spool_free(spool);
    assay_spool_free_all(&list);
    assert_null(list);
}

static void a_full_disk_loses_nothing_that_was_kept(void **state)
{
    (void)state;
    static uint8_t block[60000];
    struct poured out = {.bytes = malloc(300000), .cap = 300000};
    struct assay_spool *list = NULL;
    struct rlimit before, few = {150000, RLIM_INFINITY};
    size_t kept = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    for (unsigned i = 1; i <= 5; i++) {
        memset(block, (int)i, sizeof block);
        if (!gather(&list, &one, block, sizeof block))
            break;
        kept = i;
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(kept >= 2 && kept < 5);
    struct assay_spool *spool = assay_spool_take(&list, &one);
    assert_true(assay_spool_pour(spool, put, &out));
    assert_int_equal(out.size, kept * sizeof block);
    for (size_t i = 0; i < out.size; i++)
        assert_int_equal(out.bytes[i], i / sizeof block + 1);
    assay_spool_free(spool);
    free(out.bytes);
}

static void a_reader_that_fails_is_told(void **state)
{
    (void)state;
    struct assay_spool *list = NULL;
    uint8_t room[3];
    struct poured out = {.bytes = room, .cap = sizeof room};
    assert_true(gather(&list, &one, "abcd", 4));
    assert_false(assay_spool_pour(list, put, &out));
    assay_spool_free_all(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_as_it_went_in),
        cmocka_unit_test(places_are_kept_apart),
        cmocka_unit_test(a_full_disk_loses_nothing_that_was_kept),
        cmocka_unit_test(a_reader_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

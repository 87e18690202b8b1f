#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/tests/loaded.h"
#include "conformance/witness.h"
#include "core/engine.h"

struct bench {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_store store;
    struct assay_inputs inputs;
};

static struct bench start(const char *path)
{
    struct bench b = {.spec = load_spec(path)};
    b.model = assay_spec_model(b.spec);
    struct assay_witness_config config = {
        .spec = b.spec, .model = b.model, .leniencies = assay_leniencies_default(b.model)};
    assay_inputs_make(&b.store, &config, &b.inputs);
    return b;
}

static void stop(struct bench *b)
{
    free(b->inputs.items);
    assay_store_free(&b->store);
    assay_spec_free(b->spec);
}

static bool has(const struct bench *b, const void *bytes, size_t n)
{
    for (size_t i = 0; i < b->inputs.count; i++)
        if (b->inputs.items[i].bytes.n == n && memcmp(b->inputs.items[i].bytes.p, bytes, n) == 0)
            return true;
    return false;
}

#define assert_has(b, text) assert_true(has(b, text, sizeof(text) - 1))

/* Both sides of the place where count * count stops fitting in 32 bits; nothing in the spec names it. */
static void test_borders_are_found_by_search(void **state)
{
    struct bench b = start("spec/candy.yaml");
    (void)state;
    assert_has(&b, "s 46340\n");
    assert_has(&b, "s 46341\n");
    assert_has(&b, "s -46340\n");
    assert_has(&b, "s -46341\n");
    assert_has(&b, "b 1\n");
    assert_has(&b, "b 2\n");
    assert_has(&b, "b 32\n");
    assert_has(&b, "b 33\n");
    assert_has(&b, "d 2147483647\n");
    assert_has(&b, "d -2147483648\n");
    stop(&b);
}

static void test_bytes_that_no_encoder_makes(void **state)
{
    struct bench b = start("spec/candy.yaml");
    (void)state;
    assert_has(&b, "s 2147483648\n");
    assert_has(&b, "b -2147483649\n");
    assert_has(&b, "s +1\n");
    assert_has(&b, "s \n");
    assert_has(&b, "? 12\n");
    assert_has(&b, "\n");
    stop(&b);
    b = start("spec/msglog.yaml");
    assert_has(&b, "\x00\x03\x00"
                   "bob");
    assert_has(&b, "\xff\x03\x00"
                   "bob");
    assert_has(&b, "\x01\x02\x00"
                   "bob"); /* says less than it is */
    assert_has(&b, "\x01\x04\x00"
                   "bob"); /* says more */
    assert_has(&b, "\x01\x00\x00");
    stop(&b);
}

static void test_constraints_are_broken_one_by_one(void **state)
{
    struct bench b = start("conformance/tests/checked.yaml");
    (void)state;
    assert_has(&b, "\0\1\0"); /* a version outside of `in` */
    assert_has(&b, "\2\1\0");
    assert_has(&b, "\377\1\0");
    assert_has(&b, "\1\2\6\2\0\1\0\2\7"); /* a sum that `where` refuses */
    assert_has(&b, "\1\2\6\2\0\1\0\2\0");
    assert_has(&b, "\1\3\xd"
                   "1000000 1 abc"); /* a hexadecimal number above its type's */
    assert_has(&b, "\1\3\xf"
                   "f 1 abcdefghijk"); /* a text that is there on condition, one byte too long */
    assert_has(&b, "\1\3\xe"
                   "f 1 abcdefghij");
    assert_has(&b, "\1\3\4"
                   "f 2 ");                 /* a number above its type's, without what hangs on it */
    assert_has(&b, "\1\2\6\2\x80\0\0\2\6"); /* the least element of a list */
    assert_has(&b, "\1\2\6\2\x7f\xff\0\2\6");
    stop(&b);
}

/* The first example of DAD has no sender, the second has one, and the third an addressee. */
static void test_fields_that_the_first_example_lacks_are_wrong_too(void **state)
{
    struct bench b = start("spec/dispatch.yaml");
    (void)state;
    assert_has(&b, "<:main DAD\n");
    assert_has(&b, "<web:1a DAD\n");
    assert_has(&b, "<web:main kitchen:1a/DAD n=1\n");
    stop(&b);
}

static void test_sizes_at_their_limits(void **state)
{
    struct bench b = start("spec/candy.yaml");
    bool longest = false, too_long = false, largest = false;
    (void)state;
    for (size_t i = 0; i < b.inputs.count; i++) {
        longest = longest || b.inputs.items[i].bytes.n == 1024;
        too_long = too_long || b.inputs.items[i].bytes.n == 1025;
    }
    assert_true(longest && too_long);
    stop(&b);
    b = start("spec/msglog.yaml");
    for (size_t i = 0; i < b.inputs.count; i++)
        largest = largest || b.inputs.items[i].bytes.n == 65538;
    assert_true(largest);
    stop(&b);
}

static void test_labels_are_unique_and_samples_are_there(void **state)
{
    struct bench b = start("spec/msglog.yaml");
    (void)state;
    for (size_t i = 0; i < b.inputs.count; i++)
        for (size_t k = 0; k < i; k++)
            if (b.inputs.items[i].message == b.inputs.items[k].message)
                assert_string_not_equal(b.inputs.items[i].label, b.inputs.items[k].label);
    assert_has(&b, "\x03\x0a\x00two\r\nlines");
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borders_are_found_by_search),
        cmocka_unit_test(test_bytes_that_no_encoder_makes),
        cmocka_unit_test(test_constraints_are_broken_one_by_one),
        cmocka_unit_test(test_fields_that_the_first_example_lacks_are_wrong_too),
        cmocka_unit_test(test_sizes_at_their_limits),
        cmocka_unit_test(test_labels_are_unique_and_samples_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

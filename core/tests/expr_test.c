#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/code.h"
#include "core/number.h"

#define I(op, a, b) assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define EVAL(...)   eval((uint32_t[]){__VA_ARGS__, I(END, 0, 0)}, &got)
#define IS(value, ...)                                                                                                 \
    do {                                                                                                               \
        assert_true(EVAL(__VA_ARGS__));                                                                                \
        assert_true((int64_t)got == (int64_t)(value));                                                                 \
    } while (0)
#define UNDEFINED(...) assert_false(EVAL(__VA_ARGS__))
#define TEXT(text, ...)                                                                                                \
    do {                                                                                                               \
        assert_true(EVAL(__VA_ARGS__));                                                                                \
        struct assay_span s = assay_bytes(&env, got);                                                                  \
        assert_int_equal(s.n, sizeof(text) - 1);                                                                       \
        assert_memory_equal(s.p, text, sizeof(text) - 1);                                                              \
    } while (0)
#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }

static const int64_t ints[] = {INT64_MAX, INT64_MIN, 10, 20};
enum { MAX, LEAST, LOW };
static const struct assay_blob blobs[] = {BLOB("hello"), BLOB("a\r\n\\\0b"), BLOB(""),    BLOB("lo"),
                                          BLOB("-12"),   BLOB("012"),        BLOB("HeL1")};
enum { HELLO, ODD, EMPTY, LO, MINUS12, ZERO12, MIXED };
static const struct assay_enum enums[] = {{"Kind", {0, 2}, false, false}};
static const struct assay_enum_item items[] = {{"one", 1, {0}}, {"nine", 9, {0}}};
static const struct assay_type types[] = {{"int", ASSAY_T_INT, 0, 0, 0, 0, 9}, {"text", ASSAY_T_TEXT, 0, 0, 0, 0, 9}};
static const struct assay_option options[] = {{"n", "", 0, 7, {0}}, {"t", "", 1, 0, BLOB("opt")}};
static struct assay_model model = {.ints = ints,
                                   .ints_count = 4,
                                   .blobs = blobs,
                                   .blobs_count = 7,
                                   .enums = enums,
                                   .enums_count = 1,
                                   .enum_items = items,
                                   .enum_items_count = 2,
                                   .types = types,
                                   .types_count = 2,
                                   .options = options,
                                   .options_count = 2};
static assay_val slots[ASSAY_SLOTS_MAX], vars[] = {41, 42}, got;
static uint8_t scratch[64];
static struct assay_env env;

static bool eval(const uint32_t *code, assay_val *result)
{
    model.code = code;
    env = (struct assay_env){.model = &model,
                             .slots = slots,
                             .known = 1,
                             .vars = vars,
                             .vars_first = 5,
                             .scratch = scratch,
                             .scratch_cap = sizeof scratch};
    slots[0] = 100;
    return assay_eval(&env, 0, result);
}

static void numbers(void **state)
{
    (void)state;
    IS(5, I(INT, 0, 2), I(INT, 0, 3), I(ADD, 0, 0));
    IS(-1, I(INT, 0, 2), I(INT, 0, 3), I(SUB, 0, 0));
    IS(-3, I(INT, 0, -7), I(INT, 0, 2), I(DIV, 0, 0));
    IS(-1, I(INT, 0, -7), I(INT, 0, 2), I(MOD, 0, 0));
    IS(0, I(WIDE, 0, LEAST), I(INT, 0, -1), I(MOD, 0, 0));
    IS(40, I(INT, 0, 5), I(INT, 0, 3), I(SHL, 0, 0));
    IS(-2, I(INT, 0, -7), I(INT, 0, 2), I(SHR, 0, 0));
    IS(1, I(INT, 0, 15), I(WIDE, 0, LOW), I(WITHIN, 0, LOW), I(EQ, 0, 0), I(NOT, 0, 0));
    IS(0, I(INT, 0, 21), I(WITHIN, 0, LOW));
    IS(1, I(INT, 0, 20), I(WITHIN, 0, LOW));
    IS(3, I(INT, 0, 3), I(INT, 0, 9), I(MIN, 0, 0));
    IS(9, I(INT, 0, 3), I(INT, 0, 9), I(MAX, 0, 0));
    IS(-6, I(INT, 0, 5), I(FLIP, 0, 0));
    IS(6, I(INT, 0, 5), I(INT, 0, 3), I(BITXOR, 0, 0));
    IS(1, I(INT, 0, -1), I(INT, 0, 0), I(LT, 0, 0));
    IS(0, I(INT, 0, 1), I(INT, 0, 1), I(GT, 0, 0));
    IS(142, I(VAR, 0, 6), I(SLOT, 0, 0), I(ADD, 0, 0));
    IS(7, I(OPTION, 0, 0));
}

static void undefined(void **state)
{
    (void)state;
    UNDEFINED(I(WIDE, 0, MAX), I(INT, 0, 1), I(ADD, 0, 0));
    UNDEFINED(I(WIDE, 0, LEAST), I(INT, 0, 1), I(SUB, 0, 0));
    UNDEFINED(I(WIDE, 0, MAX), I(INT, 0, 2), I(MUL, 0, 0));
    UNDEFINED(I(WIDE, 0, LEAST), I(INT, 0, -1), I(DIV, 0, 0));
    UNDEFINED(I(WIDE, 0, LEAST), I(NEG, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(INT, 0, 0), I(DIV, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(INT, 0, 0), I(MOD, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(INT, 0, 63), I(SHL, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(INT, 0, 64), I(SHR, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(INT, 0, -1), I(SHL, 0, 0));
    UNDEFINED(I(SLOT, 0, 1));
    IS(0, I(KNOWN, 0, 1));
    UNDEFINED(I(BLOB, 0, HELLO), I(INT, 0, 5), I(AT, 0, 0));
    UNDEFINED(I(BLOB, 0, HELLO), I(INT, 0, -1), I(AT, 0, 0));
    UNDEFINED(I(BLOB, 0, HELLO), I(INT, 0, 3), I(INT, 0, 2), I(SLICE, 0, 0));
    UNDEFINED(I(BLOB, 0, HELLO), I(INT, 0, 0), I(INT, 0, 6), I(SLICE, 0, 0));
    UNDEFINED(I(BLOB, 0, ZERO12), I(NUMBER, 0, 0));
    UNDEFINED(I(BLOB, 0, EMPTY), I(NUMBER, 0, 0));
    UNDEFINED(I(INT, 0, 1), I(LIST, 1, 0), I(INT, 0, 1), I(ITEM, 0, 0));
    assert_false(assay_holds(&env, 0));
    assert_true(assay_holds(&env, ASSAY_NONE));
}

static void bytes(void **state)
{
    (void)state;
    IS('e', I(BLOB, 0, HELLO), I(INT, 0, 1), I(AT, 0, 0));
    IS(5, I(BLOB, 0, HELLO), I(SIZE, 0, 0));
    TEXT("ell", I(BLOB, 0, HELLO), I(INT, 0, 1), I(INT, 0, 4), I(SLICE, 0, 0));
    TEXT("el", I(BLOB, 0, HELLO), I(INT, 0, 1), I(INT, 0, 4), I(SLICE, 0, 0), I(INT, 0, 0), I(INT, 0, 2),
         I(SLICE, 0, 0));
    TEXT("hellolo-12", I(BLOB, 0, HELLO), I(BLOB, 0, EMPTY), I(BLOB, 0, LO), I(INT, 0, -12), I(DECIMAL, 0, 0),
         I(JOIN, 4, 0));
    UNDEFINED(I(INT, 0, -1), I(HEX, 0, 0));
    TEXT("-9223372036854775808", I(WIDE, 0, LEAST), I(DECIMAL, 0, 0));
    TEXT("a\\r\\n\\\\\\0b", I(BLOB, 0, ODD), I(LINE, 0, 0));
    TEXT("hello", I(BLOB, 0, HELLO), I(LINE, 0, 0));
    TEXT("hel1", I(BLOB, 0, MIXED), I(LOWER, 0, 0));
    TEXT("HEL1", I(BLOB, 0, MIXED), I(UPPER, 0, 0));
    TEXT("opt", I(OPTION, 0, 1));
    TEXT("nine", I(INT, 0, 9), I(NAME, 0, 0));
    TEXT("8", I(INT, 0, 8), I(NAME, 0, 0));
    IS(-12, I(BLOB, 0, MINUS12), I(NUMBER, 0, 0));
    IS(1, I(BLOB, 0, HELLO), I(BLOB, 0, LO), I(ENDS, 0, 0));
    IS(0, I(BLOB, 0, HELLO), I(BLOB, 0, LO), I(STARTS, 0, 0));
    IS(1, I(BLOB, 0, HELLO), I(BLOB, 0, LO), I(CONTAINS, 0, 0));
    IS(0, I(BLOB, 0, LO), I(BLOB, 0, HELLO), I(CONTAINS, 0, 0));
    IS(1, I(BLOB, 0, LO), I(BLOB, 0, EMPTY), I(CONTAINS, 0, 0));
    IS(1, I(BLOB, 0, HELLO), I(BLOB, 0, LO), I(DIFFER, 0, 0));
    IS(1, I(BLOB, 0, HELLO), I(BLOB, 0, HELLO), I(SAME, 0, 0));
}

static void lists(void **state)
{
    (void)state;
    IS(2, I(INT, 0, -4), I(INT, 0, 7), I(LIST, 2, 0), I(LEN, 0, 0));
    IS(-4, I(INT, 0, -4), I(INT, 0, 7), I(LIST, 2, 0), I(INT, 0, 0), I(ITEM, 0, 0));
    IS(7, I(INT, 0, -4), I(INT, 0, 7), I(LIST, 2, 0), I(INT, 0, 1), I(INT, 0, 2), I(PART, 0, 0), I(INT, 0, 0),
       I(ITEM, 0, 0));
}

static void control(void **state)
{
    (void)state;
    IS(2, I(INT, 0, 0), I(UNLESS, 0, 2), I(INT, 0, 1), I(JUMP, 0, 1), I(INT, 0, 2));
    IS(1, I(INT, 0, 1), I(UNLESS, 0, 2), I(INT, 0, 1), I(JUMP, 0, 1), I(INT, 0, 2));
    IS(0, I(INT, 0, 0), I(AND_ELSE, 0, 1), I(SLOT, 0, 1));
    UNDEFINED(I(INT, 0, 1), I(AND_ELSE, 0, 1), I(SLOT, 0, 1));
    IS(1, I(INT, 0, 1), I(OR_ELSE, 0, 1), I(SLOT, 0, 1));
    UNDEFINED(I(INT, 0, 0), I(OR_ELSE, 0, 1), I(SLOT, 0, 1));
    IS(9, I(INT, 0, 9), I(LOCAL, 0, 3), I(SLOT, 0, 3));
}

static void scratch_is_bounded(void **state)
{
    (void)state;
    UNDEFINED(I(BLOB, 0, HELLO), I(BLOB, 0, HELLO), I(BLOB, 0, HELLO), I(BLOB, 0, HELLO), I(BLOB, 0, HELLO),
              I(BLOB, 0, HELLO), I(BLOB, 0, HELLO), I(JOIN, 7, 0), I(LOWER, 0, 0));
}

static bool decimal(const char *text, unsigned loose, int64_t *v)
{
    return assay_parse_decimal((struct assay_span){(const uint8_t *)text, (uint32_t)strlen(text)}, true, loose, v);
}

static void decimal_text(void **state)
{
    (void)state;
    int64_t v;
    assert_true(decimal("0", 0, &v) && v == 0);
    assert_true(decimal("-9223372036854775808", 0, &v) && v == INT64_MIN);
    assert_true(decimal("9223372036854775807", 0, &v) && v == INT64_MAX);
    static const char *const bad[] = {
        "", "-", "-0", "00", "+1", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "1a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decimal(bad[i], 0, &v));
    assert_true(decimal(" \t12", ASSAY_LOOSE_SPACE, &v) && v == 12);
    assert_true(decimal("+12", ASSAY_LOOSE_PLUS, &v) && v == 12);
    assert_true(decimal("-007", ASSAY_LOOSE_ZEROS, &v) && v == -7);
    assert_true(decimal("12 and more", ASSAY_LOOSE_TAIL, &v) && v == 12);
    assert_false(decimal("x12", ASSAY_LOOSE_TAIL, &v));
}

static bool utf8(const char *text)
{
    return assay_charset_holds(ASSAY_CS_UTF8, (struct assay_span){(const uint8_t *)text, (uint32_t)strlen(text)});
}

static void utf8_text(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",     "\xc3", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xe2\x82", "\xff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),      cmocka_unit_test(undefined), cmocka_unit_test(bytes),
        cmocka_unit_test(lists),        cmocka_unit_test(control),   cmocka_unit_test(scratch_is_bounded),
        cmocka_unit_test(decimal_text), cmocka_unit_test(utf8_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

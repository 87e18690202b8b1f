#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/lines.h"
#include "core/tests/models.h"

#define GOOD(...)      assert_true(expression((uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4))
#define BAD(...)       assert_false(expression((uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4))
#define GOOD_BODY(...) assert_true(body((uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4))
#define BAD_BODY(...)  assert_false(body((uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4))

static uint32_t where;

/* A guard, in a model with one rule of the notes server. */
static bool verify(const uint32_t *code, size_t n, uint16_t guard, uint16_t start)
{
    struct assay_model m = *notes_model(false);
    struct assay_rule rule = {.guard = guard, .body = start, .otherwise = ASSAY_NONE};
    struct assay_machine machine = m.machines[0];
    machine.rules = (struct assay_range){0, 1};
    struct assay_timer timer = m.timers[0];
    timer.after = ASSAY_NONE;
    m.timers = &timer;
    m.machines = &machine, m.machines_count = 1;
    m.rules = &rule, m.rules_count = 1;
    m.fields_count = 0;
    m.code = code, m.code_count = (uint16_t)n;
    return assay_code_verify(&m, &where);
}

static bool expression(const uint32_t *code, size_t n)
{
    return verify(code, n, 0, ASSAY_NONE);
}

static bool body(const uint32_t *code, size_t n)
{
    return verify(code, n, ASSAY_NONE, 0);
}

static void models_hold(void **state)
{
    (void)state;
    assert_true(assay_code_verify(notes_model(false), &where));
    assert_true(assay_code_verify(notes_model(true), &where));
    assert_true(assay_code_verify(sums_model(), &where));
}

static void expressions(void **state)
{
    (void)state;
    GOOD(I(INT, 0, 1), I(END, 0, 0));
    GOOD(I(INT, 0, 0), I(AND_ELSE, 0, 1), I(SLOT, 0, 1), I(END, 0, 0));
    GOOD(I(INT, 0, 0), I(UNLESS, 0, 2), I(INT, 0, 1), I(JUMP, 0, 1), I(INT, 0, 2), I(END, 0, 0));
    BAD(I(END, 0, 0));
    BAD(I(INT, 0, 1), I(INT, 0, 1), I(END, 0, 0));
    BAD(I(ADD, 0, 0), I(END, 0, 0));
    BAD(I(INT, 0, 1));
    BAD(I(JUMP, 0, 5), I(INT, 0, 1), I(END, 0, 0));
    BAD(I(INT, 0, 0), I(UNLESS, 0, 1), I(INT, 0, 1), I(INT, 0, 2), I(END, 0, 0));
    BAD(I(INT, 0, 1), ASSAY_OPS_COUNT, I(END, 0, 0));
    BAD(I(INT, 0, 1), 0xff, I(END, 0, 0));
    BAD(I(INT, 0, 1), I(JOIN, 2, 0), I(END, 0, 0));
    assert_int_equal(where, 1);
}

static void operands(void **state)
{
    (void)state;
    BAD(I(WIDE, 0, 1), I(END, 0, 0));
    BAD(I(BLOB, 0, 4), I(END, 0, 0));
    BAD(I(SLOT, 0, 64), I(END, 0, 0));
    GOOD(I(VAR, 0, NOTES_VAR_COUNT), I(END, 0, 0));
    BAD(I(VAR, 0, NOTES_VAR_ARG_NAME), I(END, 0, 0));
    BAD(I(OPTION, 0, 0), I(END, 0, 0));
    BAD(I(INT, 0, 1), I(WITHIN, 0, 0), I(END, 0, 0));
    GOOD(I(BLOB, 0, 0), I(SUM, 0, ASSAY_SUM_SUM8), I(END, 0, 0));
    BAD(I(BLOB, 0, 0), I(SUM, 0, ASSAY_SUM_NONE), I(END, 0, 0));
    BAD(I(BLOB, 0, 0), I(SUM, 0, ASSAY_SUM_SUM8 + 1), I(END, 0, 0));
    GOOD(I(PEER, 0, 0), I(END, 0, 0));
    GOOD(I(RANDOM, 0, 8), I(END, 0, 0));
    GOOD(I(RANDOM, 0, 64), I(END, 0, 0));
    BAD(I(RANDOM, 0, 7), I(END, 0, 0));
    BAD(I(RANDOM, 0, 65), I(END, 0, 0));
    GOOD(I(SEAL, 0, 0), I(END, 0, 0));
    GOOD(I(PEER, 0, 0), I(BLOB, 0, 0), I(SEAL, 2, 0), I(END, 0, 0));
    BAD(I(PEER, 0, 0), I(SEAL, 2, 0), I(END, 0, 0));
    GOOD(I(PEER, 0, 0), I(SEALED, 1, 0), I(END, 0, 0));
    BAD(I(SEALED, 0, 0), I(END, 0, 0));
    BAD(I(BLOB, 0, 0), I(HAS, 0, 0), I(END, 0, 0));
    BAD(I(BLOB, 0, 0), I(CELL, 0, 0), I(END, 0, 0));
    GOOD(I(STATE, 0, 0), I(END, 0, 0));
    GOOD(I(ACKED, 1, 0), I(END, 0, 0));
    BAD(I(ACKED, 2, 0), I(END, 0, 0));
    BAD(I(INT, 0, 1), I(NAME, 0, 2), I(END, 0, 0));
}

static void deep_stacks(void **state)
{
    (void)state;
    uint32_t code[ASSAY_STACK_MAX + 4];
    for (uint32_t n = ASSAY_STACK_MAX; n <= ASSAY_STACK_MAX + 1; n++) {
        for (uint32_t i = 0; i < n; i++)
            code[i] = I(INT, 0, 1);
        code[n] = I(LIST, n, 0);
        code[n + 1] = I(END, 0, 0);
        assert_int_equal(expression(code, n + 2), n == ASSAY_STACK_MAX);
    }
}

static void bodies(void **state)
{
    (void)state;
    BAD(I(INT, 0, 1), I(GOTO, 0, 1), I(END, 0, 0));
    GOOD_BODY(I(GOTO, 0, NOTES_S_END), I(END, 0, 0));
    BAD_BODY(I(GOTO, 0, NOTES_C_IDLE), I(END, 0, 0));
    BAD_BODY(I(INT, 0, 1), I(END, 0, 0));
    BAD_BODY(I(INT, 0, 1), I(EFFECT, 1, 2), I(END, 0, 0));
    BAD_BODY(I(EFFECT, 0, NOTES_EFFECT_APPEND), I(END, 0, 0));
    BAD_BODY(I(SEND, 0, 5), I(END, 0, 0));
    GOOD_BODY(I(CLOSE, 0, 0), I(END, 0, 0));
    BAD(I(CLOSE, 0, 0), I(INT, 0, 1), I(END, 0, 0));
    BAD_BODY(I(TIMER, 1, 1), I(END, 0, 0));
    BAD_BODY(I(ERROR, 0, 1), I(END, 0, 0));
    GOOD_BODY(I(CHOOSE, 2, 0), I(JUMP, 0, 1), I(JUMP, 0, 1), I(GOTO, 0, 1), I(END, 0, 0));
    BAD_BODY(I(CHOOSE, 2, 0), I(JUMP, 0, 1), I(GOTO, 0, 1), I(END, 0, 0));
    GOOD_BODY(I(FREE, 1, 0), I(JUMP, 0, 2), I(INT, 0, 1), I(END, 0, 0), I(SEND, 0, 4), I(END, 0, 0));
    BAD_BODY(I(FREE, 1, 0), I(JUMP, 0, 2), I(ADD, 0, 0), I(END, 0, 0), I(SEND, 0, 4), I(END, 0, 0));
}

/* ---- structured text --------------------------------------------------- */

/* The tables of lines, one entry changed. */
static struct assay_field changed[LF_COUNT + 5];
static struct assay_object object;
static struct assay_object_member member;
static struct assay_ahead ahead;
static struct assay_frame frame;

static void fresh_tables(void)
{
    lines_begin();
    memcpy(changed, shapes.fields, sizeof changed);
    object = shapes.objects[0];
    member = shapes.object_members[0];
    ahead = shapes.aheads[1];
    frame = shape_frame;
    shapes.fields = changed;
    shapes.objects = &object;
    shapes.object_members = &member;
    shapes.frames = &frame;
}

static void structured_text(void **state)
{
    (void)state;
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        fresh_tables();                                                                                                \
        assert_true(assay_code_verify(&shapes, &where));                                                               \
        change;                                                                                                        \
        assert_false(assay_code_verify(&shapes, &where));                                                              \
    } while (0)
    enum { MEMBER = LF_COUNT };
    REFUSED(changed[0].element = shapes.aheads_count);
    REFUSED(changed[0].slot = ASSAY_NONE);
    REFUSED(changed[0].is = ASSAY_NONE);
    REFUSED(changed[LF_PARAMS].element = 1);
    REFUSED(changed[LF_PARAMS].slot = ASSAY_SLOTS_MAX);
    REFUSED(changed[LF_OBJECT].element = 1);
    REFUSED(changed[LF_COMMAND].extent_arg = shapes.delims_count);
    REFUSED(changed[MEMBER].element = LF_COMMAND);
    REFUSED(changed[MEMBER].element = shapes.fields_count);
    REFUSED(changed[MEMBER].extent_arg = shapes.blobs_count);
    REFUSED(changed[MEMBER].form = ASSAY_FORM_INT);
    REFUSED(changed[MEMBER].slot = ASSAY_NONE);
    REFUSED(object.rest = LF_COMMAND);
    REFUSED(object.members.count = 2);
    REFUSED(member.field = LF_PARAMS);
    REFUSED(member.field = MEMBER);
    REFUSED(frame.trim = shapes.sets_count);
    REFUSED((shapes.aheads = &ahead, shapes.aheads_count = 1));
    REFUSED(lines_pairs.quote_if = shapes.sets_count);
    REFUSED(lines_pairs.name_first = shapes.sets_count);
    REFUSED(lines_pairs.req = shapes.requirements_count);
    REFUSED(lines_pairs.value_first = shapes.sets_count);
    REFUSED(lines_pairs.name_type = 0);
    REFUSED(lines_pairs.value_type = shapes.types_count);
    REFUSED(lines_pairs.escapes = ASSAY_ESCAPES_MAX + 1);
    REFUSED(lines_pairs.escape = 0);
    REFUSED(lines_pairs.most = 0);
    REFUSED(lines_pairs.most = ASSAY_PAIRS_MAX + 1);
    fresh_tables();
    ahead.before = shapes.delims_count;
    shapes.aheads = &ahead;
    assert_false(assay_code_verify(&shapes, &where));
#undef REFUSED
}

static void look_ups_name_a_grammar(void **state)
{
    (void)state;
    lines_begin();
    uint16_t good = CODE(I(SLOT, 0, L_PARAMS), I(BLOB, 0, 0), I(PAIR, 0, 0));
    uint16_t bad = CODE(I(SLOT, 0, L_PARAMS), I(BLOB, 0, 0), I(PAIR, 0, 1));
    lines_messages[LM_ASK].tag_kind = ASSAY_TAG_CODE;
    lines_messages[LM_ASK].tag_code = good;
    assert_true(assay_code_verify(&shapes, &where));
    lines_messages[LM_ASK].tag_code = bad;
    assert_false(assay_code_verify(&shapes, &where));
    assert_int_equal(where, bad + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_hold),
        cmocka_unit_test(expressions),
        cmocka_unit_test(operands),
        cmocka_unit_test(deep_stacks),
        cmocka_unit_test(bodies),
        cmocka_unit_test(structured_text),
        cmocka_unit_test(look_ups_name_a_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

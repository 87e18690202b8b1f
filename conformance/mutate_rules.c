/* Mutation operators: rules and the expressions in them. */
#include <string.h>

#include "conformance/operator.h"

/* ---- rules ------------------------------------------------------------- */

static void each_rule_once(struct assay_lister *l, uint16_t rule)
{
    assay_mutation_add(l, rule, 0, 0);
}

static bool rule_removed(struct assay_lab *lab)
{
    const uint32_t never[] = {assay_ins(ASSAY_OP_INT, 0, 0), assay_ins(ASSAY_OP_END, 0, 0)};
    struct assay_rule *rule = assay_lab_rule(lab);
    uint32_t *code = assay_lab_copy(lab, lab->m->code, lab->m->code_count, 2, sizeof *code);
    memcpy(code + lab->m->code_count, never, sizeof never);
    rule->guard = lab->m->code_count;
    lab->m->code = code;
    lab->m->code_count = (uint16_t)(lab->m->code_count + 2);
    assay_lab_say(lab, "removed", "");
    return true;
}

static void each_guard(struct assay_lister *l, uint16_t rule)
{
    if (l->m->rules[rule].guard != ASSAY_NONE)
        assay_mutation_add(l, rule, 0, 0);
}

static bool guard_ignored(struct assay_lab *lab)
{
    assay_lab_rule(lab)->guard = ASSAY_NONE;
    assay_lab_say(lab, "guard", "ignored");
    return true;
}

static bool guard_negated(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_NOT, 0, 0)};
    struct assay_rule *rule = assay_lab_rule(lab);
    uint16_t code = assay_lab_rewrite(lab, rule->guard, assay_code_end(lab->m, rule->guard), 0, put, 1);
    if (code == ASSAY_NONE)
        return false;
    rule->guard = code;
    assay_lab_say(lab, "guard", "negated");
    return true;
}

static void each_otherwise(struct assay_lister *l, uint16_t rule)
{
    if (l->m->rules[rule].otherwise != ASSAY_NONE)
        assay_mutation_add(l, rule, 0, 0);
}

static bool always_fails(struct assay_lab *lab)
{
    struct assay_rule *rule = assay_lab_rule(lab);
    rule->body = rule->otherwise;
    assay_lab_say(lab, "always takes", "its else");
    return true;
}

/* ---- expressions ------------------------------------------------------- */

/* Operations that are mistaken for others. */
static const struct {
    uint8_t from, to;
} confusions[] = {
    {ASSAY_OP_EQ, ASSAY_OP_NE},
    {ASSAY_OP_NE, ASSAY_OP_EQ},
    {ASSAY_OP_LT, ASSAY_OP_LE},
    {ASSAY_OP_LT, ASSAY_OP_GE},
    {ASSAY_OP_LE, ASSAY_OP_LT},
    {ASSAY_OP_LE, ASSAY_OP_GT},
    {ASSAY_OP_GT, ASSAY_OP_GE},
    {ASSAY_OP_GT, ASSAY_OP_LE},
    {ASSAY_OP_GE, ASSAY_OP_GT},
    {ASSAY_OP_GE, ASSAY_OP_LT},
    {ASSAY_OP_SAME, ASSAY_OP_DIFFER},
    {ASSAY_OP_DIFFER, ASSAY_OP_SAME},
    {ASSAY_OP_AND_ELSE, ASSAY_OP_OR_ELSE},
    {ASSAY_OP_OR_ELSE, ASSAY_OP_AND_ELSE},
    {ASSAY_OP_ADD, ASSAY_OP_SUB},
    {ASSAY_OP_SUB, ASSAY_OP_ADD},
    {ASSAY_OP_MUL, ASSAY_OP_ADD},
    {ASSAY_OP_DIV, ASSAY_OP_MUL},
    {ASSAY_OP_MOD, ASSAY_OP_DIV},
    {ASSAY_OP_SHL, ASSAY_OP_SHR},
    {ASSAY_OP_SHR, ASSAY_OP_SHL},
    {ASSAY_OP_BITAND, ASSAY_OP_BITOR},
    {ASSAY_OP_BITOR, ASSAY_OP_BITAND},
    {ASSAY_OP_BITXOR, ASSAY_OP_BITOR},
    {ASSAY_OP_MIN, ASSAY_OP_MAX},
    {ASSAY_OP_MAX, ASSAY_OP_MIN},
    {ASSAY_OP_STARTS, ASSAY_OP_ENDS},
    {ASSAY_OP_ENDS, ASSAY_OP_STARTS},
    {ASSAY_OP_CONTAINS, ASSAY_OP_STARTS},
    {ASSAY_OP_LOWER, ASSAY_OP_UPPER},
    {ASSAY_OP_UPPER, ASSAY_OP_LOWER},
};
#define CONFUSIONS (sizeof confusions / sizeof confusions[0])

static void each_confusion(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    (void)part;
    for (size_t i = 0; i < CONFUSIONS; i++)
        if (confusions[i].from == assay_ins_op(l->m->code[pc]))
            assay_mutation_add(l, rule, pc, (int32_t)i);
}

static bool operation_confused(struct assay_lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at];
    const uint32_t put[] = {
        assay_ins((enum assay_op)confusions[lab->mutation->variant].to, assay_ins_a(ins), assay_ins_b(ins))};
    return assay_lab_replace(lab, 1, put, 1, "an operator is mistaken in the");
}

/* Operations on one value that are forgotten. */
static void each_forgotten(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    static const uint8_t ops[] = {ASSAY_OP_NOT,  ASSAY_OP_NEG,   ASSAY_OP_FLIP,
                                  ASSAY_OP_LINE, ASSAY_OP_LOWER, ASSAY_OP_UPPER};
    (void)part;
    for (size_t i = 0; i < sizeof ops; i++)
        if (ops[i] == assay_ins_op(l->m->code[pc]))
            assay_mutation_add(l, rule, pc, 0);
}

static void each_constant(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    enum assay_op op = assay_ins_op(l->m->code[pc]);
    (void)part;
    if (op != ASSAY_OP_INT && op != ASSAY_OP_WIDE)
        return;
    assay_mutation_add(l, rule, pc, 1);
    assay_mutation_add(l, rule, pc, -1);
}

static bool constant_off_by_one(struct assay_lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at], put[1];
    int64_t n = assay_ins_op(ins) == ASSAY_OP_INT ? (int16_t)assay_ins_b(ins) : lab->m->ints[assay_ins_b(ins)];
    if (__builtin_add_overflow(n, (int64_t)lab->mutation->variant, &n))
        return false;
    ASSAY_OWN(lab, ints, 1);
    *ASSAY_MUTABLE(int64_t, &lab->m->ints[lab->m->ints_count]) = n;
    put[0] = assay_ins(ASSAY_OP_WIDE, 0, lab->m->ints_count++);
    return assay_lab_replace(
        lab, 1, put, 1, lab->mutation->variant > 0 ? "a constant is one more in the" : "a constant is one less in the");
}

/* What becomes of a range's ends; the last: it is not checked at all. */
static const struct {
    int8_t low, high;
} range_faults[] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}, {INT8_MIN, INT8_MAX}};
#define RANGE_FAULTS ((int32_t)(sizeof range_faults / sizeof range_faults[0]))

static void each_within(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    (void)part;
    for (int32_t v = 0; assay_ins_op(l->m->code[pc]) == ASSAY_OP_WITHIN && v < RANGE_FAULTS; v++)
        assay_mutation_add(l, rule, pc, v);
}

static bool range_wrong(struct assay_lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at];
    int32_t v = lab->mutation->variant;
    int64_t ends[2] = {INT64_MIN, INT64_MAX};
    if (v < RANGE_FAULTS - 1) {
        const int64_t *old = &lab->m->ints[assay_ins_b(ins)];
        if (__builtin_add_overflow(old[0], (int64_t)range_faults[v].low, &ends[0]) ||
            __builtin_add_overflow(old[1], (int64_t)range_faults[v].high, &ends[1]))
            return false;
    }
    ASSAY_OWN(lab, ints, 2);
    memcpy(ASSAY_MUTABLE(int64_t, &lab->m->ints[lab->m->ints_count]), ends, sizeof ends);
    const uint32_t put[] = {assay_ins(ASSAY_OP_WITHIN, assay_ins_a(ins), lab->m->ints_count)};
    lab->m->ints_count = (uint16_t)(lab->m->ints_count + 2);
    return assay_lab_replace(lab, 1, put, 1, "a range is wrong in the");
}

static void each_blob(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    (void)part;
    if (assay_ins_op(l->m->code[pc]) == ASSAY_OP_BLOB)
        assay_mutation_add(l, rule, pc, 0);
}

/* A text that is one byte longer. */
static bool text_wrong(struct assay_lab *lab)
{
    struct assay_blob blob = lab->m->blobs[assay_ins_b(lab->m->code[lab->mutation->at])];
    uint8_t *p = assay_lab_copy(lab, blob.p, blob.n, 1, 1);
    p[blob.n] = '!';
    ASSAY_OWN(lab, blobs, 1);
    *ASSAY_MUTABLE(struct assay_blob, &lab->m->blobs[lab->m->blobs_count]) = (struct assay_blob){p, blob.n + 1};
    const uint32_t put[] = {assay_ins(ASSAY_OP_BLOB, 0, lab->m->blobs_count++)};
    return assay_lab_replace(lab, 1, put, 1, "a text is wrong in the");
}

const struct assay_operator assay_operators_rules[] = {
    {"rule-removed", .rules = each_rule_once, .apply = rule_removed},
    {"guard-ignored", .rules = each_guard, .apply = guard_ignored},
    {"guard-negated", .rules = each_guard, .apply = guard_negated},
    {"else-always", .rules = each_otherwise, .apply = always_fails},
    {"operator-mistaken", .code = each_confusion, .apply = operation_confused},
    {"operation-forgotten", .code = each_forgotten, .cut = "an operation is forgotten in the"},
    {"constant-off-by-one", .code = each_constant, .apply = constant_off_by_one},
    {"range-wrong", .code = each_within, .apply = range_wrong},
    {"text-wrong", .code = each_blob, .apply = text_wrong},
    {0},
};

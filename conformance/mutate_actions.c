/* Mutation operators: what a rule does - replies, effects, variables, timers, the next state. */
#include <string.h>

#include "conformance/operator.h"

#define SPARE_SLOT (ASSAY_SLOTS_MAX - 1u)

/* The value of an enumeration that a rule sends. */
static void each_reply_value(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    const struct assay_model *m = l->m;
    if (part == ASSAY_PART_GUARD || assay_ins_op(m->code[pc]) != ASSAY_OP_INT ||
        assay_ins_op(m->code[pc + 1]) != ASSAY_OP_OUT)
        return;
    for (uint16_t i = 0; i < m->enum_items_count; i++)
        if (m->enum_items[i].value != (int16_t)assay_ins_b(m->code[pc]))
            assay_mutation_add(l, rule, pc, (int32_t)i);
}

static bool reply_value_changed(struct assay_lab *lab)
{
    int64_t n = lab->m->enum_items[lab->mutation->variant].value;
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, (unsigned)(n & 0xffff))};
    if (n < INT16_MIN || n > INT16_MAX)
        return false;
    return assay_lab_replace(lab, 1, put, 1, "another value is sent in the");
}

static bool is_action(uint32_t ins)
{
    enum assay_op op = assay_ins_op(ins);
    return op >= ASSAY_OP_SEND;
}

/* Where the values of an action begin: behind the action before it. */
static uint32_t action_start(const struct assay_model *m, uint16_t code, uint32_t pc)
{
    uint32_t start = pc;
    while (start > code && !is_action(m->code[start - 1]) && assay_ins_op(m->code[start - 1]) != ASSAY_OP_LOCAL)
        start--;
    return start;
}

/* The action once more, with its values. */
static bool again(struct assay_lab *lab, const char *what)
{
    const struct assay_rule *rule = &lab->m->rules[lab->mutation->index];
    enum assay_part part = assay_part_at(lab->m, rule, lab->mutation->at);
    if (part == ASSAY_PARTS)
        return false;
    uint32_t start = action_start(lab->m, assay_part_of(rule, part), lab->mutation->at);
    uint32_t n = lab->mutation->at + 1 - start, slice[64];
    if (n > 64)
        return false;
    memcpy(slice, lab->m->code + start, n * sizeof *slice);
    struct assay_mutation behind = *lab->mutation;
    behind.at = lab->mutation->at + 1;
    lab->mutation = &behind;
    bool ok = assay_lab_replace(lab, 0, slice, n, what);
    struct assay_rule *mine = ASSAY_MUTABLE(struct assay_rule, &lab->m->rules[behind.index]);
    mine->out_max *= 2;
    lab->m->out_max *= 2;
    return ok;
}

static bool reply_doubled(struct assay_lab *lab)
{
    return again(lab, "a reply is sent twice in the");
}

static bool effect_doubled(struct assay_lab *lab)
{
    return again(lab, "an effect is ordered twice in the");
}

static bool effect_skipped(struct assay_lab *lab)
{
    uint32_t put[16], n = assay_ins_a(lab->m->code[lab->mutation->at]);
    for (uint32_t i = 0; i < n && i < 16; i++)
        put[i] = assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT);
    return n <= 16 && assay_lab_replace(lab, 1, put, n, "an effect is not ordered in the");
}

static bool variable_not_set(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT)};
    return assay_lab_replace(lab, 1, put, 1, "a variable is not set in the");
}

static void each_retarget(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    struct assay_range states = l->m->machines[l->machine].states;
    if (part == ASSAY_PART_GUARD || assay_ins_op(l->m->code[pc]) != ASSAY_OP_GOTO)
        return;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
        if (s != assay_ins_b(l->m->code[pc]))
            assay_mutation_add(l, rule, pc, (int32_t)s);
}

static bool transition_retargeted(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_GOTO, 0, (unsigned)lab->mutation->variant)};
    const char *what = assay_store_text(&lab->mutant->store, "the next state is %s in the",
                                        lab->m->states[lab->mutation->variant].name);
    return assay_lab_replace(lab, 1, put, 1, what);
}

static void each_stay(struct assay_lister *l, uint16_t rule)
{
    struct assay_range states = l->m->machines[l->machine].states;
    uint16_t body = l->m->rules[rule].body;
    if (body == ASSAY_NONE)
        return;
    for (uint32_t pc = body, end = assay_code_end(l->m, body); pc < end; pc++)
        if (assay_ins_op(l->m->code[pc]) == ASSAY_OP_GOTO)
            return;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
        if (s != l->m->rules[rule].state)
            assay_mutation_add(l, rule, body, (int32_t)s);
}

static bool transition_added(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_GOTO, 0, (unsigned)lab->mutation->variant)};
    const char *what =
        assay_store_text(&lab->mutant->store, "goes on to %s from the", lab->m->states[lab->mutation->variant].name);
    return assay_lab_replace(lab, 0, put, 1, what);
}

static bool wire_reset(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_ABORT, 0, 0)};
    const struct assay_model *m = lab->m;
    uint32_t to = assay_ins_b(m->code[lab->mutation->at]);
    struct assay_range states = m->machines[lab->machine].states;
    if (to != states.first + states.count - 1u)
        return false;
    return assay_lab_replace(lab, 0, put, 1, "the connection is reset, not closed, in the");
}

const struct assay_operator assay_operators_actions[] = {
    {"reply-changed", .code = each_reply_value, .apply = reply_value_changed},
    {"reply-doubled", .action = ASSAY_OP_SEND, .apply = reply_doubled},
    {"reply-dropped", .action = ASSAY_OP_SEND, .cut = "a reply is not sent in the"},
    {"effect-skipped", .action = ASSAY_OP_EFFECT, .apply = effect_skipped},
    {"effect-doubled", .action = ASSAY_OP_EFFECT, .apply = effect_doubled},
    {"variable-not-set", .action = ASSAY_OP_SET, .apply = variable_not_set},
    {"transition-dropped", .action = ASSAY_OP_GOTO, .cut = "the next state is not taken in the"},
    {"transition-retargeted", .code = each_retarget, .apply = transition_retargeted},
    {"transition-added", .rules = each_stay, .apply = transition_added},
    {"timer-left-alone", .action = ASSAY_OP_TIMER, .cut = "a timer is left alone in the"},
    {"close-for-reset", .action = ASSAY_OP_ABORT, .cut = "the connection is closed, not reset, in the"},
    {"reset-for-close", .action = ASSAY_OP_GOTO, .apply = wire_reset},
    {0},
};

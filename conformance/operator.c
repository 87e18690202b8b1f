#include <string.h>

#include "conformance/operator.h"

#define CODE_ROOM 512u /* instructions that a mutant may add */

/* ---- places ------------------------------------------------------------ */

void assay_mutation_add(struct assay_lister *l, uint32_t index, uint32_t at, int32_t variant)
{
    struct assay_mutation *x = assay_items_add((void **)&l->to->items, &l->to->count, &l->to->cap, sizeof *x);
    *x = (struct assay_mutation){l->kind, (uint16_t)index, at, variant};
}

/* ---- the copy ---------------------------------------------------------- */

void *assay_lab_copy(struct assay_lab *lab, const void *from, size_t count, size_t extra, size_t size)
{
    void *to = assay_store(&lab->mutant->store, (count + extra + 1) * size);
    if (count)
        memcpy(to, from, count * size);
    return to;
}

struct assay_rule *assay_lab_rule(struct assay_lab *lab)
{
    ASSAY_OWN(lab, rules, 0);
    return ASSAY_MUTABLE(struct assay_rule, &lab->m->rules[lab->mutation->index]);
}

struct assay_field *assay_lab_field(struct assay_lab *lab)
{
    ASSAY_OWN(lab, fields, 0);
    return ASSAY_MUTABLE(struct assay_field, &lab->m->fields[lab->mutation->index]);
}

void assay_lab_say(struct assay_lab *lab, const char *what, const char *where)
{
    lab->mutant->text = assay_store_text(&lab->mutant->store, "%s %s", what, where);
}

uint16_t assay_transition(const struct assay_model *m, uint32_t state, uint32_t event)
{
    return m->transitions[(size_t)state * m->events_count + event];
}

/* The requirement at stake: that of the rule that should have come first. */
void assay_lab_blame(struct assay_lab *lab, uint16_t list)
{
    lab->mutant->rule = list == ASSAY_NONE ? ASSAY_NONE : lab->m->rule_lists[list];
}

/* ---- code -------------------------------------------------------------- */

static bool is_jump(enum assay_op op)
{
    return op == ASSAY_OP_JUMP || op == ASSAY_OP_UNLESS || op == ASSAY_OP_AND_ELSE || op == ASSAY_OP_OR_ELSE;
}

uint16_t assay_lab_rewrite(struct assay_lab *lab, uint16_t code, uint32_t at, uint32_t cut, const uint32_t *put,
                           uint32_t n)
{
    const struct assay_model *m = lab->m;
    uint32_t end = assay_code_end(m, code), size = end - code + 1, start = m->code_count;
    if (start + size + n >= ASSAY_NONE || n > CODE_ROOM)
        return ASSAY_NONE;
    uint32_t *to = assay_lab_copy(lab, m->code, m->code_count, size + n, sizeof *to);
    uint32_t w = start;
    for (uint32_t pc = code; pc <= end + 1; pc++) {
        if (pc == at)
            for (uint32_t k = 0; k < n; k++)
                to[w++] = put[k];
        if (pc > end)
            break;
        if (pc >= at && pc < at + cut)
            continue;
        uint32_t ins = m->code[pc], target = pc + 1 + assay_ins_b(ins);
        if (is_jump(assay_ins_op(ins)) && pc < at && target > at)
            ins = assay_ins(assay_ins_op(ins), assay_ins_a(ins), assay_ins_b(ins) + n - cut);
        to[w++] = ins;
    }
    lab->m->code = to;
    lab->m->code_count = (uint16_t)w;
    return (uint16_t)start;
}

uint16_t assay_part_of(const struct assay_rule *rule, enum assay_part part)
{
    return part == ASSAY_PART_GUARD ? rule->guard : part == ASSAY_PART_BODY ? rule->body : rule->otherwise;
}

static void set_part(struct assay_rule *rule, enum assay_part part, uint16_t code)
{
    if (part == ASSAY_PART_GUARD)
        rule->guard = code;
    else if (part == ASSAY_PART_BODY)
        rule->body = code;
    else
        rule->otherwise = code;
}

/* Which part of the rule an instruction belongs to. */
enum assay_part assay_part_at(const struct assay_model *m, const struct assay_rule *rule, uint32_t at)
{
    for (enum assay_part p = ASSAY_PART_GUARD; p < ASSAY_PARTS; p++) {
        uint16_t code = assay_part_of(rule, p);
        if (code != ASSAY_NONE && at >= code && at <= assay_code_end(m, code))
            return p;
    }
    return ASSAY_PARTS;
}

static const char *const part_names[] = {"guard", "body", "else"};

bool assay_lab_replace(struct assay_lab *lab, uint32_t cut, const uint32_t *put, uint32_t n, const char *what)
{
    struct assay_rule *rule = assay_lab_rule(lab);
    enum assay_part part = assay_part_at(lab->m, rule, lab->mutation->at);
    if (part == ASSAY_PARTS)
        return false;
    uint16_t code = assay_lab_rewrite(lab, assay_part_of(rule, part), lab->mutation->at, cut, put, n);
    if (code == ASSAY_NONE)
        return false;
    set_part(rule, part, code);
    assay_lab_say(lab, what, part_names[part]);
    return true;
}

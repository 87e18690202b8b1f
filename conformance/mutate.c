/* Mutation operators. Each lists the places where it applies, and applies itself at one of them to a copy. */
#include <stdlib.h>
#include <string.h>

#include "conformance/mutate.h"
#include "conformance/witness.h"
#include "core/code.h"
#include "core/engine.h"

#define CODE_ROOM  512u /* instructions that a mutant may add */
#define SPARE_SLOT (ASSAY_SLOTS_MAX - 1u)

/* ---- the copy ---------------------------------------------------------- */

struct lab {
    struct assay_mutant *mutant;
    struct assay_model *m;
    const struct assay_mutation *mutation;
};

static void *copied(struct lab *lab, const void *from, size_t count, size_t extra, size_t size)
{
    void *to = assay_store(&lab->mutant->store, (count + extra + 1) * size);
    if (count)
        memcpy(to, from, count * size);
    return to;
}

/* A table of its own, with room for `extra` more entries; the model is made to point to it. */
#define OWN(lab, table, extra)                                                                                         \
    ((lab)->m->table = copied(lab, (lab)->m->table, (lab)->m->table##_count, extra, sizeof *(lab)->m->table))
#define MUTABLE(type, p) ((type *)(uintptr_t)(p))

static struct assay_rule *own_rule(struct lab *lab, uint16_t rule)
{
    OWN(lab, rules, 0);
    return MUTABLE(struct assay_rule, &lab->m->rules[rule]);
}

static struct assay_field *own_field(struct lab *lab, uint16_t field)
{
    OWN(lab, fields, 0);
    return MUTABLE(struct assay_field, &lab->m->fields[field]);
}

/* A type of its own for a field: others that share it are not changed. */
static struct assay_type *own_type(struct lab *lab, uint16_t field)
{
    struct assay_field *f = own_field(lab, field);
    OWN(lab, types, 1);
    struct assay_type *t = MUTABLE(struct assay_type, &lab->m->types[lab->m->types_count]);
    *t = lab->m->types[f->type];
    f->type = lab->m->types_count++;
    return t;
}

static void describe(struct lab *lab, const char *what, const char *where)
{
    lab->mutant->text = assay_store_text(&lab->mutant->store, "%s %s", what, where);
}

/* ---- code -------------------------------------------------------------- */

static bool is_jump(enum assay_op op)
{
    return op == ASSAY_OP_JUMP || op == ASSAY_OP_UNLESS || op == ASSAY_OP_AND_ELSE || op == ASSAY_OP_OR_ELSE;
}

/* A copy of `code` at the end of all code, in which `cut` instructions at `at` are exchanged for `n` others.
 * Jumps over the place still lead to the same instruction. */
static uint16_t rewrite(struct lab *lab, uint16_t code, uint32_t at, uint32_t cut, const uint32_t *put, uint32_t n)
{
    const struct assay_model *m = lab->m;
    uint32_t end = assay_code_end(m, code), size = end - code + 1, start = m->code_count;
    if (start + size + n >= ASSAY_NONE || n > CODE_ROOM)
        return ASSAY_NONE;
    uint32_t *to = copied(lab, m->code, m->code_count, size + n, sizeof *to);
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

enum part { PART_GUARD, PART_BODY, PART_OTHERWISE, PARTS };

static const char *const part_names[] = {"guard", "body", "else"};

static uint16_t part_of(const struct assay_rule *rule, enum part part)
{
    return part == PART_GUARD ? rule->guard : part == PART_BODY ? rule->body : rule->otherwise;
}

static void set_part(struct assay_rule *rule, enum part part, uint16_t code)
{
    if (part == PART_GUARD)
        rule->guard = code;
    else if (part == PART_BODY)
        rule->body = code;
    else
        rule->otherwise = code;
}

/* Which part of the rule an instruction belongs to. */
static enum part part_at(const struct assay_model *m, const struct assay_rule *rule, uint32_t at)
{
    for (enum part p = PART_GUARD; p < PARTS; p++) {
        uint16_t code = part_of(rule, p);
        if (code != ASSAY_NONE && at >= code && at <= assay_code_end(m, code))
            return p;
    }
    return PARTS;
}

static bool replace_at(struct lab *lab, uint32_t cut, const uint32_t *put, uint32_t n, const char *what)
{
    struct assay_rule *rule = own_rule(lab, lab->mutation->index);
    enum part part = part_at(lab->m, rule, lab->mutation->at);
    if (part == PARTS)
        return false;
    uint16_t code = rewrite(lab, part_of(rule, part), lab->mutation->at, cut, put, n);
    if (code == ASSAY_NONE)
        return false;
    set_part(rule, part, code);
    describe(lab, what, part_names[part]);
    return true;
}

/* ---- listing ----------------------------------------------------------- */

struct lister {
    const struct assay_model *m;
    struct assay_mutations *to;
    uint16_t kind;
};

static void add(struct lister *l, uint32_t index, uint32_t at, int32_t variant)
{
    struct assay_mutation *x = assay_items_add((void **)&l->to->items, &l->to->count, &l->to->cap, sizeof *x);
    *x = (struct assay_mutation){l->kind, (uint16_t)index, at, variant};
}

typedef void each_rule(struct lister *l, uint16_t rule);
typedef void each_ins(struct lister *l, uint16_t rule, enum part part, uint32_t pc);

static void server_rules(struct lister *l, each_rule *each)
{
    for (uint16_t r = 0; r < l->m->rules_count; r++)
        if (l->m->rules[r].machine == l->m->server)
            each(l, r);
}

static void server_code(struct lister *l, each_ins *each)
{
    for (uint16_t r = 0; r < l->m->rules_count; r++)
        for (enum part p = PART_GUARD; l->m->rules[r].machine == l->m->server && p < PARTS; p++) {
            uint16_t code = part_of(&l->m->rules[r], p);
            for (uint32_t pc = code, end = code == ASSAY_NONE ? 0 : assay_code_end(l->m, code);
                 code != ASSAY_NONE && pc < end; pc++)
                each(l, r, p, pc);
        }
}

typedef void each_field(struct lister *l, uint16_t field);

static bool in_range(struct assay_range range, uint32_t i)
{
    return i >= range.first && i < (uint32_t)range.first + range.count;
}

/* Fields of what the server reads and writes. */
static void wire_fields(struct lister *l, each_field *each)
{
    const struct assay_machine *server = &l->m->machines[l->m->server];
    for (uint16_t i = 0; i < l->m->fields_count; i++) {
        bool used =
            in_range(l->m->frames[server->frame_in].fields, i) || in_range(l->m->frames[server->frame_out].fields, i);
        for (uint16_t k = 0; k < l->m->messages_count && !used; k++)
            used = in_range(l->m->messages[k].fields, i);
        if (used)
            each(l, i);
    }
}

/* ---- rules ------------------------------------------------------------- */

static void each_rule_once(struct lister *l, uint16_t rule)
{
    add(l, rule, 0, 0);
}

static void list_rules(struct lister *l)
{
    server_rules(l, each_rule_once);
}

static bool rule_removed(struct lab *lab)
{
    const uint32_t never[] = {assay_ins(ASSAY_OP_INT, 0, 0), assay_ins(ASSAY_OP_END, 0, 0)};
    struct assay_rule *rule = own_rule(lab, lab->mutation->index);
    uint32_t *code = copied(lab, lab->m->code, lab->m->code_count, 2, sizeof *code);
    memcpy(code + lab->m->code_count, never, sizeof never);
    rule->guard = lab->m->code_count;
    lab->m->code = code;
    lab->m->code_count = (uint16_t)(lab->m->code_count + 2);
    describe(lab, "removed", "");
    return true;
}

static void each_guard(struct lister *l, uint16_t rule)
{
    if (l->m->rules[rule].guard != ASSAY_NONE)
        add(l, rule, 0, 0);
}

static void list_guards(struct lister *l)
{
    server_rules(l, each_guard);
}

static bool guard_ignored(struct lab *lab)
{
    own_rule(lab, lab->mutation->index)->guard = ASSAY_NONE;
    describe(lab, "guard", "ignored");
    return true;
}

static bool guard_negated(struct lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_NOT, 0, 0)};
    struct assay_rule *rule = own_rule(lab, lab->mutation->index);
    uint16_t code = rewrite(lab, rule->guard, assay_code_end(lab->m, rule->guard), 0, put, 1);
    if (code == ASSAY_NONE)
        return false;
    rule->guard = code;
    describe(lab, "guard", "negated");
    return true;
}

static void each_otherwise(struct lister *l, uint16_t rule)
{
    if (l->m->rules[rule].otherwise != ASSAY_NONE)
        add(l, rule, 0, 0);
}

static void list_otherwise(struct lister *l)
{
    server_rules(l, each_otherwise);
}

static bool always_fails(struct lab *lab)
{
    struct assay_rule *rule = own_rule(lab, lab->mutation->index);
    rule->body = rule->otherwise;
    describe(lab, "always takes", "its else");
    return true;
}

/* ---- instructions ------------------------------------------------------ */

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

static void each_confusion(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    (void)part;
    for (size_t i = 0; i < CONFUSIONS; i++)
        if (confusions[i].from == assay_ins_op(l->m->code[pc]))
            add(l, rule, pc, (int32_t)i);
}

static void list_confusions(struct lister *l)
{
    server_code(l, each_confusion);
}

static bool operation_confused(struct lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at];
    const uint32_t put[] = {
        assay_ins((enum assay_op)confusions[lab->mutation->variant].to, assay_ins_a(ins), assay_ins_b(ins))};
    return replace_at(lab, 1, put, 1, "an operator is mistaken in the");
}

/* Operations on one value that are forgotten. */
static void each_forgotten(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    static const uint8_t ops[] = {ASSAY_OP_NOT,  ASSAY_OP_NEG,   ASSAY_OP_FLIP,
                                  ASSAY_OP_LINE, ASSAY_OP_LOWER, ASSAY_OP_UPPER};
    (void)part;
    for (size_t i = 0; i < sizeof ops; i++)
        if (ops[i] == assay_ins_op(l->m->code[pc]))
            add(l, rule, pc, 0);
}

static void list_forgotten(struct lister *l)
{
    server_code(l, each_forgotten);
}

static bool operation_forgotten(struct lab *lab)
{
    return replace_at(lab, 1, NULL, 0, "an operation is forgotten in the");
}

static void each_constant(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    enum assay_op op = assay_ins_op(l->m->code[pc]);
    (void)part;
    if (op != ASSAY_OP_INT && op != ASSAY_OP_WIDE)
        return;
    add(l, rule, pc, 1);
    add(l, rule, pc, -1);
}

static void list_constants(struct lister *l)
{
    server_code(l, each_constant);
}

static bool constant_off_by_one(struct lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at], put[1];
    int64_t n = assay_ins_op(ins) == ASSAY_OP_INT ? (int16_t)assay_ins_b(ins) : lab->m->ints[assay_ins_b(ins)];
    if (__builtin_add_overflow(n, (int64_t)lab->mutation->variant, &n))
        return false;
    OWN(lab, ints, 1);
    *MUTABLE(int64_t, &lab->m->ints[lab->m->ints_count]) = n;
    put[0] = assay_ins(ASSAY_OP_WIDE, 0, lab->m->ints_count++);
    return replace_at(lab, 1, put, 1,
                      lab->mutation->variant > 0 ? "a constant is one more in the" : "a constant is one less in the");
}

static void each_within(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    (void)part;
    for (int32_t v = 0; assay_ins_op(l->m->code[pc]) == ASSAY_OP_WITHIN && v < 5; v++)
        add(l, rule, pc, v);
}

static void list_within(struct lister *l)
{
    server_code(l, each_within);
}

static bool range_wrong(struct lab *lab)
{
    static const int8_t low[] = {-1, 1, 0, 0, 0}, high[] = {0, 0, -1, 1, 0};
    uint32_t ins = lab->m->code[lab->mutation->at];
    int64_t x = lab->m->ints[assay_ins_b(ins)], y = lab->m->ints[assay_ins_b(ins) + 1];
    int32_t v = lab->mutation->variant;
    if (__builtin_add_overflow(x, (int64_t)low[v], &x) || __builtin_add_overflow(y, (int64_t)high[v], &y))
        return false;
    if (v == 4) { /* not checked at all */
        x = INT64_MIN;
        y = INT64_MAX;
    }
    OWN(lab, ints, 2);
    int64_t *ints = MUTABLE(int64_t, &lab->m->ints[lab->m->ints_count]);
    ints[0] = x;
    ints[1] = y;
    const uint32_t put[] = {assay_ins(ASSAY_OP_WITHIN, assay_ins_a(ins), lab->m->ints_count)};
    lab->m->ints_count = (uint16_t)(lab->m->ints_count + 2);
    return replace_at(lab, 1, put, 1, "a range is wrong in the");
}

static void each_blob(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    (void)part;
    if (assay_ins_op(l->m->code[pc]) == ASSAY_OP_BLOB)
        add(l, rule, pc, 0);
}

static void list_blobs(struct lister *l)
{
    server_code(l, each_blob);
}

/* A text that is one byte longer. */
static bool text_wrong(struct lab *lab)
{
    struct assay_blob blob = lab->m->blobs[assay_ins_b(lab->m->code[lab->mutation->at])];
    uint8_t *p = copied(lab, blob.p, blob.n, 1, 1);
    p[blob.n] = '!';
    OWN(lab, blobs, 1);
    *MUTABLE(struct assay_blob, &lab->m->blobs[lab->m->blobs_count]) = (struct assay_blob){p, blob.n + 1};
    const uint32_t put[] = {assay_ins(ASSAY_OP_BLOB, 0, lab->m->blobs_count++)};
    return replace_at(lab, 1, put, 1, "a text is wrong in the");
}

/* ---- replies ----------------------------------------------------------- */

/* The value of an enumeration that a rule sends. */
static void each_reply_value(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    const struct assay_model *m = l->m;
    if (part == PART_GUARD || assay_ins_op(m->code[pc]) != ASSAY_OP_INT ||
        assay_ins_op(m->code[pc + 1]) != ASSAY_OP_OUT)
        return;
    for (uint16_t i = 0; i < m->enum_items_count; i++)
        if (m->enum_items[i].value != (int16_t)assay_ins_b(m->code[pc]))
            add(l, rule, pc, (int32_t)i);
}

static void list_reply_values(struct lister *l)
{
    server_code(l, each_reply_value);
}

static bool reply_value_changed(struct lab *lab)
{
    int64_t n = lab->m->enum_items[lab->mutation->variant].value;
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, (unsigned)(n & 0xffff))};
    if (n < INT16_MIN || n > INT16_MAX)
        return false;
    return replace_at(lab, 1, put, 1, "another value is sent in the");
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

static void each_of(struct lister *l, enum part part, uint16_t rule, uint32_t pc, enum assay_op op)
{
    if (part != PART_GUARD && assay_ins_op(l->m->code[pc]) == op)
        add(l, rule, pc, 0);
}

static void each_send(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_SEND);
}

static void each_effect(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_EFFECT);
}

static void each_set(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_SET);
}

static void each_goto(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_GOTO);
}

static void each_timer_action(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_TIMER);
}

static void each_abort(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    each_of(l, part, rule, pc, ASSAY_OP_ABORT);
}

static void list_sends(struct lister *l)
{
    server_code(l, each_send);
}

static void list_effects(struct lister *l)
{
    server_code(l, each_effect);
}

static void list_sets(struct lister *l)
{
    server_code(l, each_set);
}

static void list_gotos(struct lister *l)
{
    server_code(l, each_goto);
}

static void list_timer_actions(struct lister *l)
{
    server_code(l, each_timer_action);
}

static void list_aborts(struct lister *l)
{
    server_code(l, each_abort);
}

/* The action once more, with its values. */
static bool again(struct lab *lab, const char *what)
{
    const struct assay_rule *rule = &lab->m->rules[lab->mutation->index];
    enum part part = part_at(lab->m, rule, lab->mutation->at);
    if (part == PARTS)
        return false;
    uint32_t start = action_start(lab->m, part_of(rule, part), lab->mutation->at);
    uint32_t n = lab->mutation->at + 1 - start, slice[64];
    if (n > 64)
        return false;
    memcpy(slice, lab->m->code + start, n * sizeof *slice);
    struct assay_mutation behind = *lab->mutation;
    behind.at = lab->mutation->at + 1;
    lab->mutation = &behind;
    bool ok = replace_at(lab, 0, slice, n, what);
    struct assay_rule *mine = MUTABLE(struct assay_rule, &lab->m->rules[behind.index]);
    mine->out_max *= 2;
    lab->m->out_max *= 2;
    return ok;
}

static bool reply_doubled(struct lab *lab)
{
    return again(lab, "a reply is sent twice in the");
}

static bool effect_doubled(struct lab *lab)
{
    return again(lab, "an effect is ordered twice in the");
}

static bool reply_dropped(struct lab *lab)
{
    return replace_at(lab, 1, NULL, 0, "a reply is not sent in the");
}

static bool effect_skipped(struct lab *lab)
{
    uint32_t put[16], n = assay_ins_a(lab->m->code[lab->mutation->at]);
    for (uint32_t i = 0; i < n && i < 16; i++)
        put[i] = assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT);
    return n <= 16 && replace_at(lab, 1, put, n, "an effect is not ordered in the");
}

static bool variable_not_set(struct lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT)};
    return replace_at(lab, 1, put, 1, "a variable is not set in the");
}

static bool transition_dropped(struct lab *lab)
{
    return replace_at(lab, 1, NULL, 0, "the next state is not taken in the");
}

static bool timer_action_dropped(struct lab *lab)
{
    return replace_at(lab, 1, NULL, 0, "a timer is left alone in the");
}

static bool reset_not_sent(struct lab *lab)
{
    return replace_at(lab, 1, NULL, 0, "the connection is closed, not reset, in the");
}

static bool wire_reset(struct lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_ABORT, 0, 0)};
    const struct assay_model *m = lab->m;
    uint32_t to = assay_ins_b(m->code[lab->mutation->at]);
    struct assay_range states = m->machines[m->server].states;
    if (to != states.first + states.count - 1u)
        return false;
    return replace_at(lab, 0, put, 1, "the connection is reset, not closed, in the");
}

/* ---- transitions ------------------------------------------------------- */

static void each_retarget(struct lister *l, uint16_t rule, enum part part, uint32_t pc)
{
    struct assay_range states = l->m->machines[l->m->server].states;
    if (part == PART_GUARD || assay_ins_op(l->m->code[pc]) != ASSAY_OP_GOTO)
        return;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++)
        if (s != assay_ins_b(l->m->code[pc]))
            add(l, rule, pc, (int32_t)s);
}

static void list_retargets(struct lister *l)
{
    server_code(l, each_retarget);
}

static bool transition_retargeted(struct lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_GOTO, 0, (unsigned)lab->mutation->variant)};
    const char *what = assay_store_text(&lab->mutant->store, "the next state is %s in the",
                                        lab->m->states[lab->mutation->variant].name);
    return replace_at(lab, 1, put, 1, what);
}

static void each_stay(struct lister *l, uint16_t rule)
{
    struct assay_range states = l->m->machines[l->m->server].states;
    uint16_t body = l->m->rules[rule].body;
    for (uint32_t pc = body, end = body == ASSAY_NONE ? 0 : assay_code_end(l->m, body); body != ASSAY_NONE && pc < end;
         pc++)
        if (assay_ins_op(l->m->code[pc]) == ASSAY_OP_GOTO)
            return;
    for (uint32_t s = states.first; body != ASSAY_NONE && s < (uint32_t)states.first + states.count; s++)
        if (s != l->m->rules[rule].state)
            add(l, rule, body, (int32_t)s);
}

static void list_stays(struct lister *l)
{
    server_rules(l, each_stay);
}

static bool transition_added(struct lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_GOTO, 0, (unsigned)lab->mutation->variant)};
    const char *what =
        assay_store_text(&lab->mutant->store, "goes on to %s from the", lab->m->states[lab->mutation->variant].name);
    return replace_at(lab, 0, put, 1, what);
}

static void list_starts(struct lister *l)
{
    struct assay_range states = l->m->machines[l->m->server].states;
    for (uint32_t s = states.first; s + 1 < (uint32_t)states.first + states.count; s++)
        if (s != l->m->machines[l->m->server].start)
            add(l, l->m->server, 0, (int32_t)s);
}

static bool start_wrong(struct lab *lab)
{
    OWN(lab, machines, 0);
    MUTABLE(struct assay_machine, &lab->m->machines[lab->mutation->index])->start = (uint16_t)lab->mutation->variant;
    describe(lab, "sessions start in", lab->m->states[lab->mutation->variant].name);
    return true;
}

/* ---- dispatch: one event or state taken for another --------------------- */

static bool same_list(const struct assay_model *m, uint16_t a, uint16_t b)
{
    if (a == b)
        return true;
    if (a == ASSAY_NONE || b == ASSAY_NONE)
        return false;
    const uint16_t *x = &m->rule_lists[a], *y = &m->rule_lists[b];
    while (*x == *y && *x != ASSAY_NONE) {
        x++;
        y++;
    }
    return *x == *y;
}

static uint16_t dispatched(const struct assay_model *m, uint32_t state, uint32_t event)
{
    return m->dispatch[(size_t)state * m->events_count + event];
}

static bool client_message(const struct assay_model *m, uint16_t event)
{
    return m->events[event].kind == ASSAY_EVK_MESSAGE && (m->messages[m->events[event].index].from & ASSAY_CLIENT);
}

static bool from_wire(const struct assay_model *m, uint16_t event)
{
    return client_message(m, event) || m->events[event].kind == ASSAY_EVK_FAULT ||
           (m->events[event].kind == ASSAY_EVK_BUILTIN && event >= ASSAY_EV_MALFORMED &&
            event <= ASSAY_EV_EOF_IN_FRAME);
}

static bool same_sort(const struct assay_model *m, uint16_t a, uint16_t b)
{
    return client_message(m, a) == client_message(m, b) && from_wire(m, a) && from_wire(m, b);
}

static void list_event_confusions(struct lister *l)
{
    struct assay_range states = l->m->machines[l->m->server].states;
    for (uint32_t s = states.first; s + 1 < (uint32_t)states.first + states.count; s++)
        for (uint16_t e = 0; e < l->m->events_count; e++)
            for (uint16_t other = 0; other < l->m->events_count; other++)
                if (e != other && same_sort(l->m, e, other) &&
                    !same_list(l->m, dispatched(l->m, s, e), dispatched(l->m, s, other)))
                    add(l, s, e, other);
}

static void redirect(struct lab *lab, uint32_t state, uint32_t event, uint16_t list)
{
    size_t count = (size_t)lab->m->states_count * lab->m->events_count;
    uint16_t *dispatch = copied(lab, lab->m->dispatch, count, 0, sizeof *dispatch);
    dispatch[(size_t)state * lab->m->events_count + event] = list;
    lab->m->dispatch = dispatch;
}

/* The requirement at stake: that of the rule that should have come first. */
static void blame_first(struct lab *lab, uint16_t list)
{
    lab->mutant->rule = list == ASSAY_NONE ? ASSAY_NONE : lab->m->rule_lists[list];
}

static bool event_confused(struct lab *lab)
{
    uint32_t state = lab->mutation->index, event = lab->mutation->at;
    blame_first(lab, dispatched(lab->m, state, event));
    redirect(lab, state, event, dispatched(lab->m, state, (uint32_t)lab->mutation->variant));
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "%s is taken for %s in state %s", lab->m->events[event].name,
                         lab->m->events[lab->mutation->variant].name, lab->m->states[state].name);
    return true;
}

static void list_state_confusions(struct lister *l)
{
    struct assay_range states = l->m->machines[l->m->server].states;
    uint32_t end = (uint32_t)states.first + states.count - 1;
    for (uint16_t e = 0; e < l->m->events_count; e++)
        for (uint32_t s = states.first; s < end && from_wire(l->m, e); s++)
            for (uint32_t other = states.first; other < end; other++)
                if (!same_list(l->m, dispatched(l->m, s, e), dispatched(l->m, other, e)))
                    add(l, s, e, (int32_t)other);
}

static bool state_ignored(struct lab *lab)
{
    uint32_t state = lab->mutation->index, event = lab->mutation->at;
    blame_first(lab, dispatched(lab->m, state, event));
    redirect(lab, state, event, dispatched(lab->m, (uint32_t)lab->mutation->variant, event));
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "%s in state %s is handled as in %s", lab->m->events[event].name,
                         lab->m->states[state].name, lab->m->states[lab->mutation->variant].name);
    return true;
}

/* ---- the wire ---------------------------------------------------------- */

static void each_flag(struct lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    bool number = f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_VARINT;
    if ((f->form == ASSAY_FORM_INT && f->bits > 8) || f->form == ASSAY_FORM_VARINT ||
        (f->extent == ASSAY_EXT_PREFIX && !number && f->extent_arg != 8))
        add(l, field, ASSAY_F_LITTLE, 0);
    if (f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_DECIMAL)
        add(l, field, ASSAY_F_SIGNED, 0);
    if (f->type != ASSAY_NONE && l->m->types[f->type].kind == ASSAY_T_ENUM && f->form == ASSAY_FORM_BYTES)
        add(l, field, ASSAY_F_FOLD, 0);
}

static void list_flags(struct lister *l)
{
    wire_fields(l, each_flag);
}

static const char *name_of(const struct lab *lab)
{
    const char *name = lab->m->fields[lab->mutation->index].name;
    return name ? name : "padding";
}

static bool flag_wrong(struct lab *lab)
{
    struct assay_field *f = own_field(lab, lab->mutation->index);
    f->flags ^= (uint8_t)lab->mutation->at;
    describe(lab,
             lab->mutation->at == ASSAY_F_LITTLE   ? "wrong byte order of"
             : lab->mutation->at == ASSAY_F_SIGNED ? "wrong sign of"
                                                   : "wrong case folding of",
             name_of(lab));
    return true;
}

static void each_loose(struct lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    for (unsigned bit = 1; bit <= ASSAY_LOOSE_TAIL && f->leniency != ASSAY_NONE; bit *= 2)
        if (f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX || (f->loose & bit))
            add(l, field, bit, 0);
}

static void list_looses(struct lister *l)
{
    wire_fields(l, each_loose);
}

static bool leniency_wrong(struct lab *lab)
{
    own_field(lab, lab->mutation->index)->loose ^= (uint8_t)lab->mutation->at;
    describe(lab, "wrong leniency of", name_of(lab));
    return true;
}

static void each_computed(struct lister *l, uint16_t field)
{
    if (l->m->fields[field].is == ASSAY_NONE || l->m->fields[field].form == ASSAY_FORM_CALC)
        return;
    add(l, field, 0, 1);
    add(l, field, 0, -1);
    add(l, field, 0, 0);
}

static void list_computed(struct lister *l)
{
    wire_fields(l, each_computed);
}

static uint16_t code_plus(struct lab *lab, uint16_t code, int32_t n)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, (unsigned)n & 0xffff), assay_ins(ASSAY_OP_ADD, 0, 0)};
    return rewrite(lab, code, assay_code_end(lab->m, code), 0, put, 2);
}

static bool computed_wrong(struct lab *lab)
{
    struct assay_field *f = own_field(lab, lab->mutation->index);
    if (lab->m->types[f->type].kind >= ASSAY_T_BYTES)
        return false;
    f->is = lab->mutation->variant ? code_plus(lab, f->is, lab->mutation->variant) : ASSAY_NONE;
    describe(lab, lab->mutation->variant ? "computed off by one:" : "not checked:", name_of(lab));
    return f->is != ASSAY_NONE || lab->mutation->variant == 0;
}

static void each_length(struct lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    if (f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_CONST || f->form == ASSAY_FORM_CALC)
        return;
    if (f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT || f->extent == ASSAY_EXT_FIXED) {
        add(l, field, 0, 1);
        add(l, field, 0, -1);
    }
    if (f->extent == ASSAY_EXT_PREFIX)
        add(l, field, 0, 8);
}

static void list_lengths(struct lister *l)
{
    wire_fields(l, each_length);
}

static bool length_wrong(struct lab *lab)
{
    struct assay_field *f = own_field(lab, lab->mutation->index);
    int32_t v = lab->mutation->variant;
    if (f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT) {
        uint16_t code = code_plus(lab, f->extent_arg, v);
        if (code == ASSAY_NONE)
            return false;
        f->extent_arg = code;
    } else if (f->extent == ASSAY_EXT_FIXED) {
        if (f->extent_arg == 0 && v < 0)
            return false;
        f->extent_arg = (uint16_t)(f->extent_arg + v);
    } else {
        f->extent_arg = f->extent_arg == 8 ? 16 : 8;
    }
    describe(lab, "wrong length of", name_of(lab));
    return true;
}

static void each_type(struct lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    if (f->check != ASSAY_NONE)
        add(l, field, 0, 0);
    if (f->type == ASSAY_NONE || f->form == ASSAY_FORM_CONST)
        return;
    const struct assay_type *t = &l->m->types[f->type];
    if (t->kind == ASSAY_T_ENUM) {
        add(l, field, 0, 1);
        return;
    }
    for (int32_t v = 2; v < 6; v++)
        add(l, field, 0, v);
    if (t->kind == ASSAY_T_TEXT && t->charset != ASSAY_CS_BYTES)
        add(l, field, 0, 6);
    if (t->set != ASSAY_NONE)
        add(l, field, 0, 7);
}

static void list_types(struct lister *l)
{
    wire_fields(l, each_type);
}

static bool open_enum(struct lab *lab, uint16_t field)
{
    struct assay_type *t = own_type(lab, field);
    OWN(lab, enums, 1);
    struct assay_enum *e = MUTABLE(struct assay_enum, &lab->m->enums[lab->m->enums_count]);
    *e = lab->m->enums[t->of];
    e->open = true;
    t->of = lab->m->enums_count++;
    describe(lab, "unknown values are taken:", name_of(lab));
    return !e->text;
}

static bool bound_moved(struct lab *lab, int32_t v)
{
    struct assay_type *t = own_type(lab, lab->mutation->index);
    int64_t *bound = v < 4 ? &t->min : &t->max;
    if (__builtin_add_overflow(*bound, (int64_t)(v % 2 ? 1 : -1), bound))
        return false;
    if (t->kind >= ASSAY_T_BYTES && (t->min < 0 || t->max > ASSAY_BYTES_MAX))
        return false;
    describe(lab, v < 4 ? "wrong minimum of" : "wrong maximum of", name_of(lab));
    return true;
}

static bool type_wrong(struct lab *lab)
{
    int32_t v = lab->mutation->variant;
    uint16_t field = lab->mutation->index;
    if (v == 0) {
        own_field(lab, field)->check = ASSAY_NONE;
        describe(lab, "not checked:", name_of(lab));
        return true;
    }
    if (v == 1)
        return open_enum(lab, field);
    if (v < 6)
        return bound_moved(lab, v);
    struct assay_type *t = own_type(lab, field);
    if (v == 6)
        t->charset = ASSAY_CS_BYTES;
    else
        t->set = ASSAY_NONE;
    describe(lab, v == 6 ? "any character is taken in" : "any byte is taken in", name_of(lab));
    return true;
}

static void list_frames(struct lister *l)
{
    const struct assay_machine *server = &l->m->machines[l->m->server];
    uint16_t frames[] = {server->frame_in, server->frame_out};
    for (size_t i = 0; i < (frames[0] == frames[1] ? 1 : 2); i++) {
        const struct assay_frame *f = &l->m->frames[frames[i]];
        if (i == 0)
            for (int32_t v = 0; v < 3; v++)
                add(l, frames[i], 0, v);
        if (f->segment_leniency != ASSAY_NONE)
            add(l, frames[i], 0, 3);
    }
}

static bool frame_wrong(struct lab *lab)
{
    OWN(lab, frames, 0);
    struct assay_frame *f = MUTABLE(struct assay_frame, &lab->m->frames[lab->mutation->index]);
    int32_t v = lab->mutation->variant;
    if (v == 3) {
        f->segment_leniency = ASSAY_NONE;
        describe(lab, "segments are", "not taken for messages");
        return true;
    }
    f->max = v == 0 ? f->max + 1 : v == 1 ? f->max - 1 : f->max * 2;
    lab->m->frame_max = f->max > lab->m->frame_max ? f->max : lab->m->frame_max;
    lab->m->scratch += lab->m->frame_max;
    describe(lab,
             v == 0   ? "frames may be"
             : v == 1 ? "frames must be"
                      : "frames may be",
             v == 0   ? "one byte too long"
             : v == 1 ? "one byte too short"
                      : "twice as long: overflow is answered");
    return true;
}

static void list_tags(struct lister *l)
{
    for (uint16_t a = 0; a < l->m->messages_count; a++)
        for (uint16_t b = (uint16_t)(a + 1); b < l->m->messages_count; b++)
            if (l->m->messages[a].from == l->m->messages[b].from &&
                l->m->messages[a].tag_kind == l->m->messages[b].tag_kind &&
                (l->m->messages[a].tag_kind == ASSAY_TAG_VALUE || l->m->messages[a].tag_kind == ASSAY_TAG_TEXT))
                add(l, a, 0, b);
}

static bool tags_swapped(struct lab *lab)
{
    OWN(lab, messages, 0);
    struct assay_message *a = MUTABLE(struct assay_message, &lab->m->messages[lab->mutation->index]);
    struct assay_message *b = MUTABLE(struct assay_message, &lab->m->messages[lab->mutation->variant]);
    struct assay_message old = *a;
    a->tag = b->tag;
    a->tag_text = b->tag_text;
    b->tag = old.tag;
    b->tag_text = old.tag_text;
    lab->mutant->text = assay_store_text(&lab->mutant->store, "tags of %s and %s are swapped", a->name, b->name);
    return true;
}

static void list_wheres(struct lister *l)
{
    for (uint16_t i = 0; i < l->m->messages_count; i++)
        for (uint16_t k = 0; k < l->m->messages[i].wheres.count; k++)
            add(l, l->m->messages[i].wheres.first + k, i, 0);
}

static bool where_ignored(struct lab *lab)
{
    OWN(lab, wheres, 0);
    MUTABLE(struct assay_where, &lab->m->wheres[lab->mutation->index])->that = ASSAY_NONE;
    lab->mutant->req = lab->m->wheres[lab->mutation->index].req;
    describe(lab, "a condition is ignored in", lab->m->messages[lab->mutation->at].name);
    return true;
}

static void list_enum_items(struct lister *l)
{
    for (uint16_t e = 0; e < l->m->enums_count; e++) {
        struct assay_range items = l->m->enums[e].items;
        for (uint32_t i = items.first; i + 1 < (uint32_t)items.first + items.count; i++)
            add(l, e, i, 0);
    }
}

/* Two values of an enumeration take each other's place on the wire. */
static bool enum_items_swapped(struct lab *lab)
{
    OWN(lab, enum_items, 0);
    struct assay_enum_item *x = MUTABLE(struct assay_enum_item, &lab->m->enum_items[lab->mutation->at]);
    struct assay_enum_item old = x[0];
    if (!lab->m->enums[lab->mutation->index].text)
        return false; /* numbers are what rules compare: no wrong wire comes of it */
    x[0].text = x[1].text;
    x[1].text = old.text;
    lab->mutant->text = assay_store_text(&lab->mutant->store, "%s and %s are swapped", x[0].name, x[1].name);
    return true;
}

static void list_timers(struct lister *l)
{
    struct assay_range timers = l->m->machines[l->m->server].timers;
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++) {
        const uint16_t *states = &l->m->statesets[l->m->timers[i].states];
        for (int32_t v = 0; v < 4; v++)
            add(l, i, 0, v);
        for (uint32_t k = 0; states[k] != ASSAY_NONE; k++)
            add(l, i, k, 4);
    }
}

static bool timer_state_lost(struct lab *lab, struct assay_timer *t)
{
    OWN(lab, statesets, 0);
    uint16_t *states = MUTABLE(uint16_t, &lab->m->statesets[t->states]);
    uint32_t k = lab->mutation->at;
    lab->mutant->text =
        assay_store_text(&lab->mutant->store, "timer %s does not run in %s", t->name, lab->m->states[states[k]].name);
    do
        states[k] = states[k + 1];
    while (states[k++] != ASSAY_NONE);
    return true;
}

static bool timer_wrong(struct lab *lab)
{
    OWN(lab, timers, 0);
    struct assay_timer *t = MUTABLE(struct assay_timer, &lab->m->timers[lab->mutation->index]);
    const uint32_t times[] = {assay_ins(ASSAY_OP_INT, 0, 4), assay_ins(ASSAY_OP_MUL, 0, 0)};
    const uint32_t part[] = {assay_ins(ASSAY_OP_INT, 0, 4), assay_ins(ASSAY_OP_DIV, 0, 0)};
    int32_t v = lab->mutation->variant;
    uint16_t server = lab->m->server;
    for (uint32_t s = lab->m->machines[server].states.first; s < lab->m->states_count; s++)
        if (dispatched(lab->m, s, t->event) != ASSAY_NONE)
            blame_first(lab, dispatched(lab->m, s, t->event));
    if (v == 4)
        return timer_state_lost(lab, t);
    if (v < 2)
        t->after = rewrite(lab, t->after, assay_code_end(lab->m, t->after), 0, v ? part : times, 2);
    else
        t->restart ^= v == 2 ? ASSAY_RESTART_INPUT : ASSAY_RESTART_SEND;
    describe(lab, v == 0 ? "four times too late:" : v == 1 ? "four times too early:" : "wrong restart:", t->name);
    return t->after != ASSAY_NONE;
}

/* ---- all of them ------------------------------------------------------- */

struct mutation_kind {
    const char *name;
    void (*list)(struct lister *l);
    bool (*apply)(struct lab *lab);
    enum { ON_RULE, ON_FIELD, ON_OTHER } on;
};

static const struct mutation_kind operators[] = {
    {"rule-removed", list_rules, rule_removed, ON_RULE},
    {"guard-ignored", list_guards, guard_ignored, ON_RULE},
    {"guard-negated", list_guards, guard_negated, ON_RULE},
    {"else-always", list_otherwise, always_fails, ON_RULE},
    {"operator-mistaken", list_confusions, operation_confused, ON_RULE},
    {"operation-forgotten", list_forgotten, operation_forgotten, ON_RULE},
    {"constant-off-by-one", list_constants, constant_off_by_one, ON_RULE},
    {"range-wrong", list_within, range_wrong, ON_RULE},
    {"text-wrong", list_blobs, text_wrong, ON_RULE},
    {"reply-changed", list_reply_values, reply_value_changed, ON_RULE},
    {"reply-doubled", list_sends, reply_doubled, ON_RULE},
    {"reply-dropped", list_sends, reply_dropped, ON_RULE},
    {"effect-skipped", list_effects, effect_skipped, ON_RULE},
    {"effect-doubled", list_effects, effect_doubled, ON_RULE},
    {"variable-not-set", list_sets, variable_not_set, ON_RULE},
    {"transition-dropped", list_gotos, transition_dropped, ON_RULE},
    {"transition-retargeted", list_retargets, transition_retargeted, ON_RULE},
    {"transition-added", list_stays, transition_added, ON_RULE},
    {"timer-left-alone", list_timer_actions, timer_action_dropped, ON_RULE},
    {"close-for-reset", list_aborts, reset_not_sent, ON_RULE},
    {"reset-for-close", list_gotos, wire_reset, ON_RULE},
    {"start-wrong", list_starts, start_wrong, ON_OTHER},
    {"event-mistaken", list_event_confusions, event_confused, ON_OTHER},
    {"state-ignored", list_state_confusions, state_ignored, ON_OTHER},
    {"field-encoding", list_flags, flag_wrong, ON_FIELD},
    {"leniency-wrong", list_looses, leniency_wrong, ON_FIELD},
    {"computed-wrong", list_computed, computed_wrong, ON_FIELD},
    {"length-wrong", list_lengths, length_wrong, ON_FIELD},
    {"constraint-wrong", list_types, type_wrong, ON_FIELD},
    {"frame-wrong", list_frames, frame_wrong, ON_OTHER},
    {"tags-swapped", list_tags, tags_swapped, ON_OTHER},
    {"condition-ignored", list_wheres, where_ignored, ON_OTHER},
    {"names-swapped", list_enum_items, enum_items_swapped, ON_OTHER},
    {"timer-wrong", list_timers, timer_wrong, ON_OTHER},
};
#define OPERATORS (sizeof operators / sizeof operators[0])

size_t assay_mutation_operators(void)
{
    return OPERATORS;
}

const char *assay_mutation_operator(size_t i)
{
    return operators[i].name;
}

void assay_mutations_list(const struct assay_model *model, struct assay_mutations *mutations)
{
    for (size_t i = 0; i < OPERATORS; i++) {
        struct lister l = {model, mutations, (uint16_t)i};
        operators[i].list(&l);
    }
}

static void place(struct assay_mutant *mutant, const struct assay_model *model)
{
    const char *text = mutant->text ? mutant->text : "";
    if (mutant->rule != ASSAY_NONE && mutant->req == ASSAY_NONE)
        mutant->req = model->rules[mutant->rule].req;
    if (mutant->rule != ASSAY_NONE)
        mutant->text =
            assay_store_text(&mutant->store, "%s (rule in line %u)", text, (unsigned)model->rules[mutant->rule].line);
}

bool assay_mutant_make(const struct assay_model *model, const struct assay_mutation *mutation,
                       struct assay_mutant *mutant)
{
    const struct mutation_kind *op = &operators[mutation->kind];
    *mutant = (struct assay_mutant){.model = *model, .kind = op->name, .rule = ASSAY_NONE, .req = ASSAY_NONE};
    struct lab lab = {mutant, &mutant->model, mutation};
    uint32_t where;
    if (op->on == ON_RULE)
        mutant->rule = mutation->index;
    if (op->on == ON_FIELD)
        mutant->req = model->fields[mutation->index].req;
    if (!op->apply(&lab))
        return false;
    place(mutant, model);
    return assay_code_verify(&mutant->model, &where);
}

void assay_mutant_free(struct assay_mutant *mutant)
{
    assay_store_free(&mutant->store);
}

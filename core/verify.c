/* Proof that code ends, stays inside its tables and keeps its stack within bounds. */
#include <string.h>

#include "core/fields.h"
#include "core/session.h"
#include "core/sums.h"
#include "core/verify.h"

#define PIECE_MAX 8192 /* instructions of one expression or body */

struct op_def {
    int8_t pops, pushes; /* pops -1: as many as `a` says */
};

static const struct op_def defs[ASSAY_OPS_COUNT] = {
#define X(name, pops, pushes, text) {pops, pushes},
    ASSAY_OPS(X)
#undef X
};

struct check {
    const struct assay_model *model;
    const struct assay_machine *machine; /* of a rule's code; NULL: code of fields, which sees no variables */
    uint32_t start, pc;
    bool body;
    int8_t depth[PIECE_MAX + 1]; /* before each instruction; -1: not reached */
    uint32_t far;                /* the furthest instruction that something leads to */
};

static uint32_t target_max(uint32_t pc, uint32_t ins)
{
    switch ((unsigned)assay_ins_op(ins)) {
    case ASSAY_OP_JUMP:
    case ASSAY_OP_UNLESS:
    case ASSAY_OP_AND_ELSE:
    case ASSAY_OP_OR_ELSE:
        return pc + 1 + assay_ins_b(ins);
    case ASSAY_OP_CHOOSE:
        return pc + assay_ins_a(ins);
    }
    return pc;
}

uint32_t assay_code_end(const struct assay_model *model, uint32_t code)
{
    uint32_t far = code, pc = code;
    for (;; pc++) {
        uint32_t ins = model->code[pc], target = target_max(pc, ins);
        far = target > far ? target : far;
        if (assay_ins_op(ins) == ASSAY_OP_END && pc >= far)
            return pc;
    }
}

/* ---- operands ---------------------------------------------------------- */

static bool inside(struct assay_range range, unsigned b)
{
    return b >= range.first && b - range.first < range.count;
}

static bool wide_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->ints_count;
}

static bool within_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) + 1 < c->model->ints_count;
}

static bool blob_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->blobs_count;
}

static bool slot_holds(const struct check *c, uint32_t ins)
{
    (void)c;
    return assay_ins_b(ins) < ASSAY_SLOTS_MAX;
}

static bool var_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_b(ins) < c->model->vars_count && inside(c->machine->vars, assay_ins_b(ins));
}

static bool option_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->options_count;
}

static bool pair_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->pairs_count;
}

static bool enum_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->enums_count;
}

static bool sum_holds(const struct check *c, uint32_t ins)
{
    (void)c;
    return assay_sum_bits(assay_ins_b(ins)) != 0;
}

static bool session_holds(const struct check *c, uint32_t ins)
{
    (void)ins;
    return c->machine != NULL;
}

static bool random_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_b(ins) >= ASSAY_RANDOM_MIN && assay_ins_b(ins) <= ASSAY_RANDOM_MAX;
}

static bool sealed_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_a(ins) >= 1;
}

static bool has_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_b(ins) < c->model->tables_count;
}

static bool cell_holds(const struct check *c, uint32_t ins)
{
    return has_holds(c, ins) && assay_ins_a(ins) < c->model->tables[assay_ins_b(ins)].columns.count;
}

static bool acked_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_a(ins) <= 1;
}

static bool send_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_b(ins) < c->model->messages_count;
}

static bool goto_holds(const struct check *c, uint32_t ins)
{
    return c->machine && inside(c->machine->states, assay_ins_b(ins));
}

static bool timer_holds(const struct check *c, uint32_t ins)
{
    return c->machine && assay_ins_a(ins) <= 1 && inside(c->machine->timers, assay_ins_b(ins));
}

static bool effect_holds(const struct check *c, uint32_t ins)
{
    unsigned b = assay_ins_b(ins);
    return b < c->model->effects_count && c->model->effects[b].args.count == assay_ins_a(ins);
}

static bool error_holds(const struct check *c, uint32_t ins)
{
    return assay_ins_b(ins) < c->model->errors_count && assay_ins_a(ins) <= 1;
}

static bool choose_holds(const struct check *c, uint32_t ins)
{
    unsigned ways = assay_ins_a(ins);
    if (ways == 0 || c->pc + ways >= c->model->code_count)
        return false;
    for (unsigned i = 1; i <= ways; i++)
        if (assay_ins_op(c->model->code[c->pc + i]) != ASSAY_OP_JUMP)
            return false;
    return true;
}

static bool piece_holds(struct check *c, uint16_t code, bool body, int result);

/* The expression behind the JUMP is reached by nothing: it is proven apart. */
static bool free_holds(const struct check *c, uint32_t ins)
{
    if (assay_ins_b(ins) >= ASSAY_SLOTS_MAX || assay_ins_a(ins) == 0)
        return assay_ins_b(ins) < ASSAY_SLOTS_MAX;
    return c->pc + 2 < c->model->code_count && assay_ins_op(c->model->code[c->pc + 1]) == ASSAY_OP_JUMP;
}

static bool operands_hold(const struct check *c, uint32_t ins)
{
    static bool (*const checks[ASSAY_OPS_COUNT])(const struct check *, uint32_t) = {
        [ASSAY_OP_WIDE] = wide_holds,     [ASSAY_OP_WITHIN] = within_holds,   [ASSAY_OP_BLOB] = blob_holds,
        [ASSAY_OP_SLOT] = slot_holds,     [ASSAY_OP_KNOWN] = slot_holds,      [ASSAY_OP_LOCAL] = slot_holds,
        [ASSAY_OP_OUT] = slot_holds,      [ASSAY_OP_FREE] = free_holds,       [ASSAY_OP_VAR] = var_holds,
        [ASSAY_OP_SET] = var_holds,       [ASSAY_OP_OPTION] = option_holds,   [ASSAY_OP_NAME] = enum_holds,
        [ASSAY_OP_SEND] = send_holds,     [ASSAY_OP_GOTO] = goto_holds,       [ASSAY_OP_TIMER] = timer_holds,
        [ASSAY_OP_EFFECT] = effect_holds, [ASSAY_OP_ERROR] = error_holds,     [ASSAY_OP_CHOOSE] = choose_holds,
        [ASSAY_OP_PAIR] = pair_holds,     [ASSAY_OP_SUM] = sum_holds,         [ASSAY_OP_PEER] = session_holds,
        [ASSAY_OP_RANDOM] = random_holds, [ASSAY_OP_SEAL] = session_holds,    [ASSAY_OP_SEALED] = sealed_holds,
        [ASSAY_OP_HAS] = has_holds,       [ASSAY_OP_CELL] = cell_holds,       [ASSAY_OP_STATE] = session_holds,
        [ASSAY_OP_ACKED] = acked_holds,   [ASSAY_OP_DECLINE] = session_holds, [ASSAY_OP_MARK] = session_holds,
    };
    enum assay_op op = assay_ins_op(ins);
    return !checks[op] || checks[op](c, ins);
}

/* ---- one piece --------------------------------------------------------- */

/* What leads to `pc` leaves `depth` values; all ways to it must agree. */
static bool lead(struct check *c, uint32_t pc, int depth)
{
    uint32_t at = pc - c->start;
    if (pc >= c->model->code_count || at >= PIECE_MAX)
        return false;
    if (pc > c->far)
        c->far = pc;
    if (c->depth[at] >= 0)
        return c->depth[at] == depth;
    c->depth[at] = (int8_t)depth;
    return true;
}

static bool choose_leads(struct check *c, uint32_t ins, int depth)
{
    for (unsigned i = 1; i <= assay_ins_a(ins); i++)
        if (!lead(c, c->pc + i, depth))
            return false;
    return true;
}

static bool leads_on(struct check *c, uint32_t ins, int depth)
{
    uint32_t next = c->pc + 1, target = next + assay_ins_b(ins);
    switch ((unsigned)assay_ins_op(ins)) {
    case ASSAY_OP_JUMP:
        return lead(c, target, depth);
    case ASSAY_OP_UNLESS:
        return lead(c, target, depth) && lead(c, next, depth);
    case ASSAY_OP_AND_ELSE:
    case ASSAY_OP_OR_ELSE:
        return depth > 0 && lead(c, target, depth) && lead(c, next, depth - 1);
    case ASSAY_OP_CHOOSE:
        return choose_leads(c, ins, depth);
    }
    return lead(c, next, depth);
}

static bool instruction_holds(struct check *c, uint32_t ins, int result)
{
    int depth = c->depth[c->pc - c->start];
    if ((ins & 0xff) >= ASSAY_OPS_COUNT || (!c->body && assay_ins_op(ins) >= ASSAY_OP_FIRST_ACTION))
        return false;
    if (assay_ins_op(ins) == ASSAY_OP_END)
        return depth == result;
    struct op_def def = defs[assay_ins_op(ins)];
    depth -= def.pops < 0 ? (int)assay_ins_a(ins) : def.pops;
    if (depth < 0 || depth + def.pushes > ASSAY_STACK_MAX || !operands_hold(c, ins))
        return false;
    /* an error may pop its text, which the table does not say: pops -1 counts `a` */
    return leads_on(c, ins, depth + def.pushes);
}

/* The conditions of FREE inside the piece that was just proven, whose depths are still there. */
static bool free_conditions_hold(struct check *c, uint32_t first, uint32_t last)
{
    for (uint32_t pc = first; pc < last; pc++) {
        uint32_t ins = c->model->code[pc];
        if (assay_ins_op(ins) == ASSAY_OP_FREE && assay_ins_a(ins) && !piece_holds(c, (uint16_t)(pc + 2), false, 1))
            return false;
    }
    return true;
}

static bool piece_holds(struct check *c, uint16_t code, bool body, int result)
{
    memset(c->depth, -1, sizeof c->depth);
    c->start = c->far = c->pc = code;
    c->body = body;
    if (!lead(c, code, 0))
        return false;
    for (; c->pc <= c->far; c->pc++)
        if (c->depth[c->pc - c->start] >= 0 && !instruction_holds(c, c->model->code[c->pc], result))
            return false;
    return !body || free_conditions_hold(c, code, c->far);
}

/* ---- all pieces -------------------------------------------------------- */

static bool expression_holds(struct check *c, uint16_t code)
{
    return code == ASSAY_NONE || piece_holds(c, code, false, 1);
}

static bool body_holds(struct check *c, uint16_t code)
{
    return code == ASSAY_NONE || piece_holds(c, code, true, 0);
}

static bool field_holds(struct check *c, const struct assay_field *f)
{
    bool coded = f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT;
    bool fixed = f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_VARINT || f->form == ASSAY_FORM_CONST;
    bool extends = f->form == ASSAY_FORM_OBJECT || (!fixed && !assay_off_wire(f));
    return expression_holds(c, f->present) && expression_holds(c, f->is) && expression_holds(c, f->init) &&
           expression_holds(c, f->check) && (!coded || !extends || expression_holds(c, f->extent_arg));
}

static bool tables_hold(struct check *c)
{
    const struct assay_model *m = c->model;
    bool ok = true;
    for (uint32_t i = 0; ok && i < m->fields_count; i++)
        ok = field_holds(c, &m->fields[i]);
    for (uint32_t i = 0; ok && i < m->wheres_count; i++)
        ok = expression_holds(c, m->wheres[i].that);
    for (uint32_t i = 0; ok && i < m->messages_count; i++)
        ok = m->messages[i].tag_kind != ASSAY_TAG_CODE || expression_holds(c, m->messages[i].tag_code);
    for (uint32_t i = 0; ok && i < m->params_count; i++)
        ok = expression_holds(c, m->params[i].init);
    for (uint32_t i = 0; ok && i < m->reliables_count; i++)
        ok = expression_holds(c, m->reliables[i].first) && expression_holds(c, m->reliables[i].cap) &&
             expression_holds(c, m->reliables[i].give_up);
    return ok;
}

/* Logs that the machine's sessions follow. */
static bool logs_hold(struct check *c)
{
    const struct assay_model *m = c->model;
    bool ok = true;
    for (uint32_t i = 0; ok && i < m->logs_count; i++) {
        const struct assay_log *log = &m->logs[i];
        if (log->machine != ASSAY_NONE && &m->machines[log->machine] == c->machine)
            ok = inside(c->machine->vars, log->cursor) && expression_holds(c, log->follows) &&
                 expression_holds(c, log->batch) && expression_holds(c, log->window);
    }
    return ok;
}

/* The session of a gate runs on, and would see what may yet fail. */
static bool gate_holds(const struct check *c, const struct assay_rule *rule)
{
    const struct assay_model *m = c->model;
    uint32_t last = rule->flags & ASSAY_RULE_GATE ? assay_code_end(m, rule->body) : 0;
    for (uint32_t pc = rule->body; pc < last; pc++)
        if (assay_ins_op(m->code[pc]) == ASSAY_OP_EFFECT &&
            m->effects[assay_ins_b(m->code[pc])].table < m->tables_count)
            return false;
    return true;
}

/* Adding a row is the one thing it does, and the last; what else it could do is to decline. */
static bool chain_holds(const struct check *c, const struct assay_rule *rule)
{
    const struct assay_model *m = c->model;
    uint32_t orders = 0, last = rule->body;
    if (!(rule->flags & ASSAY_RULE_CHAIN))
        return true;
    for (uint32_t pc = rule->body, end = assay_code_end(m, rule->body); pc < end; pc++)
        if (assay_ins_op(m->code[pc]) >= ASSAY_OP_FIRST_ACTION) {
            last = pc;
            orders++;
        }
    uint32_t ins = m->code[last];
    if (orders != 1 || assay_ins_op(ins) != ASSAY_OP_EFFECT || assay_ins_op(m->code[last + 1]) != ASSAY_OP_END ||
        rule->otherwise == ASSAY_NONE)
        return false;
    const struct assay_effect *effect = &m->effects[assay_ins_b(ins)];
    return effect->log < m->logs_count && effect->fallible && effect->table == ASSAY_NONE &&
           assay_ins_op(m->code[rule->otherwise]) == ASSAY_OP_DECLINE &&
           assay_ins_op(m->code[rule->otherwise + 1]) == ASSAY_OP_END;
}

static bool machine_holds(struct check *c, const struct assay_machine *machine)
{
    const struct assay_model *m = c->model;
    bool ok = true;
    c->machine = machine;
    for (uint32_t i = 0; ok && i < machine->vars.count; i++)
        ok = expression_holds(c, m->vars[machine->vars.first + i].init);
    for (uint32_t i = 0; ok && i < machine->timers.count; i++)
        ok = expression_holds(c, m->timers[machine->timers.first + i].after);
    ok = ok && expression_holds(c, machine->reconnect.pause) && expression_holds(c, machine->first_number) &&
         logs_hold(c) && (machine->session == ASSAY_NONE || inside(machine->vars, machine->session));
    for (uint32_t i = 0; ok && i < machine->rules.count; i++) {
        const struct assay_rule *rule = &m->rules[machine->rules.first + i];
        ok = expression_holds(c, rule->guard) && body_holds(c, rule->body) && body_holds(c, rule->otherwise) &&
             gate_holds(c, rule) && chain_holds(c, rule);
    }
    return ok;
}

bool assay_code_verify(const struct assay_model *model, uint32_t *where)
{
    struct check c = {.model = model};
    bool ok = assay_tables_verify(model) && tables_hold(&c);
    for (uint32_t i = 0; ok && i < model->machines_count; i++)
        ok = machine_holds(&c, &model->machines[i]);
    *where = ok ? 0 : c.pc;
    return ok;
}

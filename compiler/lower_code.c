/* Expressions and bodies of rules to instructions. */
#include "compiler/lower.h"

#define JOIN_PARTS 12 /* values on the stack before they are put together */

uint16_t assay_here(const struct lower *l)
{
    return (uint16_t)l->code.count;
}

uint16_t assay_emit(struct lower *l, enum assay_op op, unsigned a, unsigned b)
{
    uint32_t ins = assay_ins(op, a, b);
    return assay_push(l, &l->code, &ins, sizeof ins);
}

void assay_patch(struct lower *l, uint16_t jump)
{
    uint32_t *ins = (uint32_t *)l->code.items + jump;
    *ins = assay_ins(assay_ins_op(*ins), assay_ins_a(*ins), (unsigned)(l->code.count - jump - 1));
}

/* ---- values ------------------------------------------------------------ */

static uint16_t int_index(struct lower *l, int64_t n)
{
    const int64_t *ints = l->ints.items;
    for (size_t i = 0; i < l->ints.count; i++)
        if (ints[i] == n)
            return (uint16_t)i;
    return assay_push(l, &l->ints, &n, sizeof n);
}

static uint16_t int_pair(struct lower *l, int64_t least, int64_t most)
{
    const int64_t *ints = l->ints.items;
    for (size_t i = 0; i + 1 < l->ints.count; i++)
        if (ints[i] == least && ints[i + 1] == most)
            return (uint16_t)i;
    uint16_t at = assay_push(l, &l->ints, &least, sizeof least);
    assay_push(l, &l->ints, &most, sizeof most);
    return at;
}

void assay_gen_int(struct lower *l, int64_t n)
{
    if (n >= INT16_MIN && n <= INT16_MAX)
        assay_emit(l, ASSAY_OP_INT, 0, (unsigned)n & 0xffff);
    else
        assay_emit(l, ASSAY_OP_WIDE, 0, int_index(l, n));
}

static void gen_all(struct lower *l, const struct spec_expr *e)
{
    for (size_t i = 0; i < e->count; i++)
        assay_gen_expr(l, e->args[i]);
}

static void gen_piece(struct lower *l, const struct spec_expr *e)
{
    assay_gen_expr(l, e);
    if (e->type->kind == ASSAY_T_INT)
        assay_emit(l, ASSAY_OP_DECIMAL, 0, 0);
    else if (e->type->kind == ASSAY_T_ENUM)
        assay_emit(l, ASSAY_OP_NAME, 0, e->type->of->index);
}

/* Pieces, put together whenever there are many, so that the stack stays low. */
static void gen_join(struct lower *l, const struct spec_expr *e)
{
    unsigned ready = 0;
    for (size_t i = 0; i < e->count; i++) {
        gen_piece(l, e->args[i]);
        if (++ready < JOIN_PARTS && i + 1 < e->count)
            continue;
        assay_emit(l, ASSAY_OP_JOIN, ready, 0);
        ready = 1;
    }
}

static void gen_list(struct lower *l, const struct spec_expr *e)
{
    unsigned ready = 0, lists = 0;
    for (size_t i = 0; i < e->count; i++) {
        assay_gen_expr(l, e->args[i]);
        if (++ready < JOIN_PARTS && i + 1 < e->count)
            continue;
        assay_emit(l, ASSAY_OP_LIST, ready, 0);
        ready = 0;
        if (lists++ > 0)
            assay_emit(l, ASSAY_OP_JOIN, 2, 0);
    }
    if (e->count == 0)
        assay_emit(l, ASSAY_OP_LIST, 0, 0);
}

static void gen_logic(struct lower *l, const struct spec_expr *e, enum assay_op op)
{
    assay_gen_expr(l, e->args[0]);
    uint16_t skip = assay_emit(l, op, 0, 0);
    assay_gen_expr(l, e->args[1]);
    assay_patch(l, skip);
}

static void gen_cond(struct lower *l, const struct spec_expr *e)
{
    assay_gen_expr(l, e->args[0]);
    uint16_t no = assay_emit(l, ASSAY_OP_UNLESS, 0, 0);
    assay_gen_expr(l, e->args[1]);
    uint16_t end = assay_emit(l, ASSAY_OP_JUMP, 0, 0);
    assay_patch(l, no);
    assay_gen_expr(l, e->args[2]);
    assay_patch(l, end);
}

static enum assay_op equality(const struct spec_expr *x)
{
    return assay_kind_is_bytes(x->type->kind) || x->type->kind == ASSAY_T_LIST ? ASSAY_OP_SAME : ASSAY_OP_EQ;
}

void assay_gen_one_of(struct lower *l, const struct spec_expr *x, struct spec_expr *const *values, size_t count)
{
    uint16_t *skips = assay_arena_alloc(&l->spec->arena, (count + 1) * sizeof *skips);
    for (size_t i = 0; i < count; i++) {
        assay_gen_expr(l, x);
        assay_gen_expr(l, values[i]);
        assay_emit(l, equality(x), 0, 0);
        if (i + 1 < count)
            skips[i] = assay_emit(l, ASSAY_OP_OR_ELSE, 0, 0);
    }
    for (size_t i = 0; i + 1 < count; i++)
        assay_patch(l, skips[i]);
    if (count == 0)
        assay_gen_int(l, 0);
}

/* Bytes as they are, numbers as decimal text. */
static void gen_sealed_value(struct lower *l, const struct spec_expr *e)
{
    assay_gen_expr(l, e);
    if (assay_kind_is_scalar(e->type->kind))
        assay_emit(l, ASSAY_OP_DECIMAL, 0, 0);
}

static void gen_call(struct lower *l, const struct spec_expr *e)
{
    const struct spec_function *f = e->ref.function;
    if (f->id == SPEC_F_PRESENT && e->args[0]->kind == SPEC_E_RECORD) {
        const struct spec_field *part = e->args[0]->ref.group->parts.items[0];
        assay_emit(l, ASSAY_OP_KNOWN, 0, part->slot);
    } else if (f->id == SPEC_F_PRESENT) {
        assay_emit(l, ASSAY_OP_KNOWN, 0, e->args[0]->ref.field->slot);
    } else if (f->id == SPEC_F_SEAL || f->id == SPEC_F_SEALED) {
        for (size_t i = 0; i < e->count; i++)
            gen_sealed_value(l, e->args[i]);
        assay_emit(l, f->op, (unsigned)e->count, 0);
    } else if (f->id == SPEC_F_RANDOM) {
        assay_emit(l, f->op, 0, (unsigned)e->number);
    } else if (f->id == SPEC_F_SUM) {
        gen_all(l, e);
        assay_emit(l, f->op, 0, (unsigned)e->number);
    } else if (f->id == SPEC_F_PAIR) {
        gen_all(l, e);
        assay_emit(l, ASSAY_OP_PAIR, 0, e->args[0]->type->pairs->index);
    } else if (f->id == SPEC_F_FITS) {
        assay_gen_expr(l, e->args[0]);
        assay_emit(l, ASSAY_OP_WITHIN, 0, int_pair(l, e->args[1]->type->min, e->args[1]->type->max));
    } else {
        gen_all(l, e);
        assay_emit(l, f->op, 0, 0);
    }
}

static bool of_bytes(const struct spec_expr *e)
{
    return assay_kind_is_bytes(e->args[0]->type->kind);
}

static unsigned position(const struct spec_list *params, const struct spec_param *param)
{
    unsigned at = 0;
    while (at < params->count && params->items[at] != param)
        at++;
    return at;
}

static void gen_leaf(struct lower *l, const struct spec_expr *e)
{
    switch ((int)e->kind) {
    case SPEC_E_TEXT:
        assay_emit(l, ASSAY_OP_BLOB, 0, assay_lower_blob(l, e->text));
        break;
    case SPEC_E_FIELD:
        assay_emit(l, ASSAY_OP_SLOT, 0, e->ref.field->slot);
        break;
    case SPEC_E_VAR:
        assay_emit(l, ASSAY_OP_VAR, 0, e->ref.var->index);
        break;
    case SPEC_E_ARG:
        if (l->args)
            assay_emit(l, ASSAY_OP_SLOT, 0, position(l->args, e->ref.param));
        else
            assay_emit(l, ASSAY_OP_VAR, 0, e->ref.param->var);
        break;
    case SPEC_E_PARAM:
        assay_emit(l, ASSAY_OP_OPTION, 0, e->ref.param->index);
        break;
    case SPEC_E_LET:
        assay_emit(l, ASSAY_OP_SLOT, 0, e->ref.let->slot);
        break;
    case SPEC_E_PEER:
        assay_emit(l, ASSAY_OP_PEER, 0, 0);
        break;
    case SPEC_E_IT:
        assay_emit(l, ASSAY_OP_SLOT, 0, l->it_slot);
        break;
    default:
        assay_gen_int(l, e->number);
    }
}

void assay_gen_expr(struct lower *l, const struct spec_expr *e)
{
    switch ((int)e->kind) {
    case SPEC_E_JOIN:
        gen_join(l, e);
        return;
    case SPEC_E_UNARY:
    case SPEC_E_BINARY:
        gen_all(l, e);
        assay_emit(l, e->op, 0, 0);
        return;
    case SPEC_E_AND:
        gen_logic(l, e, ASSAY_OP_AND_ELSE);
        return;
    case SPEC_E_OR:
        gen_logic(l, e, ASSAY_OP_OR_ELSE);
        return;
    case SPEC_E_COND:
        gen_cond(l, e);
        return;
    case SPEC_E_IN:
        assay_gen_one_of(l, e->args[0], e->args + 1, e->count - 1);
        return;
    case SPEC_E_INDEX:
        gen_all(l, e);
        assay_emit(l, of_bytes(e) ? ASSAY_OP_AT : ASSAY_OP_ITEM, 0, 0);
        return;
    case SPEC_E_SLICE:
        gen_all(l, e);
        assay_emit(l, of_bytes(e) ? ASSAY_OP_SLICE : ASSAY_OP_PART, 0, 0);
        return;
    case SPEC_E_LIST:
        gen_list(l, e);
        return;
    case SPEC_E_CALL:
        gen_call(l, e);
        return;
    case SPEC_E_HAS:
        gen_all(l, e);
        assay_emit(l, ASSAY_OP_HAS, 0, e->ref.table->index);
        return;
    case SPEC_E_CELL:
        gen_all(l, e);
        assay_emit(l, ASSAY_OP_CELL, (unsigned)e->number, e->ref.table->index);
        return;
    }
    gen_leaf(l, e);
}

uint16_t assay_gen_value(struct lower *l, const struct spec_expr *e)
{
    if (!e)
        return ASSAY_NONE;
    uint16_t at = assay_here(l);
    assay_gen_expr(l, e);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

/* ---- checks of a field ------------------------------------------------- */

static bool set_has(const struct assay_byteset *set, unsigned byte)
{
    return set->bits[byte >> 6] >> (byte & 63) & 1;
}

/* it is empty, or its first byte is in one of the set's runs */
static void gen_first(struct lower *l, const struct assay_byteset *set)
{
    uint16_t skips[129];
    unsigned count = 0;
    assay_emit(l, ASSAY_OP_SLOT, 0, l->it_slot);
    assay_emit(l, ASSAY_OP_SIZE, 0, 0);
    assay_gen_int(l, 0);
    assay_emit(l, ASSAY_OP_EQ, 0, 0);
    for (unsigned b = 0; b < 256; b++) {
        unsigned end = b;
        if (!set_has(set, b))
            continue;
        while (end + 1 < 256 && set_has(set, end + 1))
            end++;
        skips[count++] = assay_emit(l, ASSAY_OP_OR_ELSE, 0, 0);
        assay_emit(l, ASSAY_OP_SLOT, 0, l->it_slot);
        assay_gen_int(l, 0);
        assay_emit(l, ASSAY_OP_AT, 0, 0);
        assay_emit(l, ASSAY_OP_WITHIN, 0, int_pair(l, b, end));
        b = end;
    }
    while (count > 0)
        assay_patch(l, skips[--count]);
}

uint16_t assay_gen_check(struct lower *l, const struct spec_field *f)
{
    const struct spec_type *t = f->type;
    uint16_t at = assay_here(l), skips[2];
    unsigned parts = 0;
    if (f->slot == ASSAY_NONE || (!t->in.count && !t->first && !t->check))
        return ASSAY_NONE;
    l->it_slot = f->slot;
    if (t->in.count) {
        const struct spec_expr it = {.kind = SPEC_E_IT, .type = t};
        assay_gen_one_of(l, &it, (struct spec_expr *const *)(void *)t->in.items, t->in.count);
        parts++;
    }
    if (t->first) {
        if (parts > 0)
            skips[parts - 1] = assay_emit(l, ASSAY_OP_AND_ELSE, 0, 0);
        gen_first(l, t->first);
        parts++;
    }
    if (t->check) {
        if (parts > 0)
            skips[parts - 1] = assay_emit(l, ASSAY_OP_AND_ELSE, 0, 0);
        assay_gen_expr(l, t->check);
        parts++;
    }
    for (unsigned i = 0; i + 1 < parts; i++)
        assay_patch(l, skips[i]);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

/* ---- actions ----------------------------------------------------------- */

static void gen_set(struct lower *l, const struct spec_action *a)
{
    SPEC_EACH (struct spec_given, g, &a->given)
        assay_gen_expr(l, g->value);
    for (size_t i = a->given.count; i > 0; i--)
        assay_emit(l, ASSAY_OP_SET, 0, ((const struct spec_given *)a->given.items[i - 1])->var->index);
}

static void gen_free(struct lower *l, const struct spec_given *g)
{
    uint16_t slot = g->field->slot;
    assay_emit(l, ASSAY_OP_FREE, g->where != NULL, slot);
    if (!g->where)
        return;
    uint16_t over = assay_emit(l, ASSAY_OP_JUMP, 0, 0);
    l->it_slot = slot;
    assay_gen_expr(l, g->where);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    assay_patch(l, over);
}

/* A part of a record: absent here if it is there. */
static void gen_copied(struct lower *l, const struct spec_given *g)
{
    assay_emit(l, ASSAY_OP_KNOWN, 0, g->value->ref.field->slot);
    uint16_t absent = assay_emit(l, ASSAY_OP_UNLESS, 0, 0);
    assay_gen_expr(l, g->value);
    assay_emit(l, ASSAY_OP_OUT, 0, g->field->slot);
    assay_patch(l, absent);
}

/* Of several tags, the first where none is given. */
static void gen_first_tag(struct lower *l, const struct spec_action *a)
{
    const struct spec_field *tag =
        a->message->tags.count > 1 ? l->spec->frames[a->message->from == ASSAY_SERVER]->tag : NULL;
    SPEC_EACH (struct spec_given, g, &a->given)
        if (g->field == tag)
            return;
    if (!tag)
        return;
    assay_gen_expr(l, a->message->tags.items[0]);
    assay_emit(l, ASSAY_OP_OUT, 0, tag->slot);
}

static void gen_send(struct lower *l, const struct spec_action *a)
{
    SPEC_EACH (struct spec_fixed, fixed, &a->message->fixed) {
        assay_gen_expr(l, fixed->value);
        assay_emit(l, ASSAY_OP_OUT, 0, fixed->field->slot);
    }
    gen_first_tag(l, a);
    SPEC_EACH (struct spec_given, g, &a->given) {
        if (g->copied) {
            gen_copied(l, g);
            continue;
        }
        assay_gen_expr(l, g->value);
        assay_emit(l, ASSAY_OP_OUT, 0, g->field->slot);
        if (g->free)
            gen_free(l, g);
    }
    assay_emit(l, ASSAY_OP_SEND, 0, a->message->index);
}

/* Arguments in the order of their declaration; one that is not given has its default. */
static unsigned gen_params(struct lower *l, const struct spec_list *params, const struct spec_list *given)
{
    SPEC_EACH (struct spec_param, p, params) {
        const struct spec_expr *value = p->init;
        SPEC_EACH (struct spec_given, g, given)
            value = g->param == p ? g->value : value;
        if (value)
            assay_gen_expr(l, value);
    }
    return (unsigned)params->count;
}

static void gen_result(struct lower *l, const struct spec_action *a)
{
    assay_emit(l, ASSAY_OP_RESULT, gen_params(l, &a->call->results, &a->given), 0);
}

static void gen_error(struct lower *l, const struct spec_action *a)
{
    if (a->value)
        assay_gen_expr(l, a->value);
    assay_emit(l, ASSAY_OP_ERROR, a->value != NULL, a->error->index);
}

static void gen_if(struct lower *l, const struct spec_action *a)
{
    assay_gen_expr(l, a->value);
    uint16_t no = assay_emit(l, ASSAY_OP_UNLESS, 0, 0);
    assay_gen_actions(l, a->body);
    uint16_t end = assay_emit(l, ASSAY_OP_JUMP, 0, 0);
    assay_patch(l, no);
    if (a->otherwise)
        assay_gen_actions(l, a->otherwise);
    assay_patch(l, end);
}

/* A way whose condition does not hold hands over to the one behind it; the last one has none. */
static void gen_choose(struct lower *l, const struct spec_list *ways)
{
    size_t count = ways->count;
    uint16_t *starts = assay_arena_alloc(&l->spec->arena, 2 * (count + 1) * sizeof *starts), *ends = starts + count;
    uint16_t passed = ASSAY_NONE;
    assay_emit(l, ASSAY_OP_CHOOSE, (unsigned)count, 0);
    for (size_t i = 0; i < count; i++)
        starts[i] = assay_emit(l, ASSAY_OP_JUMP, 0, 0);
    for (size_t i = 0; i < count; i++) {
        const struct spec_way *w = ways->items[i];
        assay_patch(l, starts[i]);
        if (passed != ASSAY_NONE)
            assay_patch(l, passed);
        passed = ASSAY_NONE;
        if (w->when) {
            assay_gen_expr(l, w->when);
            passed = assay_emit(l, ASSAY_OP_UNLESS, 0, 0);
        }
        assay_gen_actions(l, &w->body);
        ends[i] = assay_emit(l, ASSAY_OP_JUMP, 0, 0);
    }
    if (passed != ASSAY_NONE)
        assay_patch(l, passed);
    for (size_t i = 0; i < count; i++)
        assay_patch(l, ends[i]);
}

void assay_gen_action(struct lower *l, const struct spec_action *a)
{
    switch (a->kind) {
    case SPEC_A_LET:
        assay_gen_expr(l, a->let->value);
        assay_emit(l, ASSAY_OP_LOCAL, 0, a->let->slot);
        break;
    case SPEC_A_DO:
        assay_emit(l, ASSAY_OP_EFFECT, gen_params(l, &a->effect->args, &a->given), a->effect->index);
        break;
    case SPEC_A_SET:
        gen_set(l, a);
        break;
    case SPEC_A_SEND:
        gen_send(l, a);
        break;
    case SPEC_A_GOTO:
        assay_emit(l, ASSAY_OP_GOTO, 0, a->state->index);
        break;
    case SPEC_A_CLOSE:
        assay_emit(l, ASSAY_OP_CLOSE, 0, 0);
        break;
    case SPEC_A_ABORT:
        assay_emit(l, ASSAY_OP_ABORT, 0, 0);
        break;
    case SPEC_A_TIMER:
        assay_emit(l, ASSAY_OP_TIMER, a->start, a->timer->index);
        break;
    case SPEC_A_RESULT:
        gen_result(l, a);
        break;
    case SPEC_A_ERROR:
        gen_error(l, a);
        break;
    case SPEC_A_IF:
        gen_if(l, a);
        break;
    case SPEC_A_CHOOSE:
        gen_choose(l, &a->ways);
        break;
    case SPEC_A_WAIT:
        assay_emit(l, ASSAY_OP_GOTO, 0, a->state->index);
        break;
    case SPEC_A_DECLINE:
        assay_emit(l, ASSAY_OP_DECLINE, 0, 0);
        break;
    case SPEC_A_MARK:
        assay_emit(l, ASSAY_OP_MARK, 0, 0);
        break;
    case SPEC_A_DECLARED:
        break;
    }
}

void assay_gen_actions(struct lower *l, const struct spec_list *actions)
{
    SPEC_EACH (struct spec_action, a, actions)
        assay_gen_action(l, a);
}

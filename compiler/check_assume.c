/* What is known where an expression stands: conditions that hold, rules that did not take the event. */
#include "compiler/check.h"

/* ---- conditions -------------------------------------------------------- */

static void add_fact(struct facts *facts, const struct spec_expr *e, int64_t min, int64_t max)
{
    if (facts->count == FACTS_MAX)
        return;
    facts->items[facts->count].of = e;
    facts->items[facts->count].min = min;
    facts->items[facts->count].max = max;
    facts->count++;
}

/* All that is evaluated on the way to a condition's value is defined. */
static void assume_defined(struct facts *facts, const struct spec_expr *e)
{
    bool known = e->kind == SPEC_E_CALL && e->ref.function && e->ref.function->id == SPEC_F_PRESENT;
    size_t strict = e->kind == SPEC_E_AND || e->kind == SPEC_E_OR || e->kind == SPEC_E_COND ? 1 : e->count;
    if (known || e->kind == SPEC_E_DECLARED)
        return;
    if (e->kind == SPEC_E_FIELD || e->kind == SPEC_E_INDEX || e->kind == SPEC_E_SLICE || e->kind == SPEC_E_BINARY ||
        e->kind == SPEC_E_CALL || e->kind == SPEC_E_CELL)
        add_fact(facts, e, INT64_MIN, INT64_MAX);
    for (size_t i = 0; i < strict; i++)
        assume_defined(facts, e->args[i]);
}

static enum assay_op negated(enum assay_op op)
{
    switch ((int)op) {
    case ASSAY_OP_EQ:
        return ASSAY_OP_NE;
    case ASSAY_OP_NE:
        return ASSAY_OP_EQ;
    case ASSAY_OP_LT:
        return ASSAY_OP_GE;
    case ASSAY_OP_GE:
        return ASSAY_OP_LT;
    case ASSAY_OP_GT:
        return ASSAY_OP_LE;
    case ASSAY_OP_LE:
        return ASSAY_OP_GT;
    }
    return op;
}

static int64_t below(int64_t x)
{
    return x == INT64_MIN ? x : x - 1;
}

static int64_t above(int64_t x)
{
    return x == INT64_MAX ? x : x + 1;
}

static void assume_less(struct facts *facts, const struct spec_expr *x, const struct spec_expr *y, bool strictly)
{
    struct value_range a = assay_range_of(facts, x), b = assay_range_of(facts, y);
    add_fact(facts, x, INT64_MIN, strictly ? below(b.max) : b.max);
    add_fact(facts, y, strictly ? above(a.min) : a.min, INT64_MAX);
    if (facts->less_count == FACTS_MAX)
        return;
    facts->less[facts->less_count].x = x;
    facts->less[facts->less_count].y = y;
    facts->less[facts->less_count++].strictly = strictly;
}

static void assume_unequal(struct facts *facts, const struct spec_expr *x, const struct spec_expr *y)
{
    struct value_range a = assay_range_of(facts, x), b = assay_range_of(facts, y);
    if (b.min != b.max)
        return;
    if (a.min == b.min)
        add_fact(facts, x, above(a.min), INT64_MAX);
    else if (a.max == b.min)
        add_fact(facts, x, INT64_MIN, below(a.max));
}

static void assume_comparison(struct facts *facts, const struct spec_expr *e, bool truth)
{
    const struct spec_expr *x = e->args[0], *y = e->args[1];
    struct value_range a = assay_range_of(facts, x), b = assay_range_of(facts, y);
    switch ((int)(truth ? e->op : negated(e->op))) {
    case ASSAY_OP_EQ:
        add_fact(facts, x, b.min, b.max);
        add_fact(facts, y, a.min, a.max);
        break;
    case ASSAY_OP_NE:
        assume_unequal(facts, x, y);
        assume_unequal(facts, y, x);
        break;
    case ASSAY_OP_LT:
    case ASSAY_OP_LE:
        assume_less(facts, x, y, (truth ? e->op : negated(e->op)) == ASSAY_OP_LT);
        break;
    case ASSAY_OP_GT:
    case ASSAY_OP_GE:
        assume_less(facts, y, x, (truth ? e->op : negated(e->op)) == ASSAY_OP_GT);
        break;
    case ASSAY_OP_SAME:
        if (truth) {
            add_fact(facts, x, b.min, b.max);
            add_fact(facts, y, a.min, a.max);
        }
        break;
    }
}

static void assume_member(struct facts *facts, const struct spec_expr *e)
{
    struct value_range r = assay_range_of(facts, e->args[1]);
    for (size_t i = 2; i < e->count; i++)
        r = assay_range_hull(r, assay_range_of(facts, e->args[i]));
    add_fact(facts, e->args[0], r.min, r.max);
}

static void assume_there(struct facts *facts, const struct assay_node *node, const struct spec_field *field)
{
    struct spec_expr *e = ASSAY_NEW(&facts->spec->arena, struct spec_expr);
    *e = (struct spec_expr){.kind = SPEC_E_FIELD, .node = node, .type = field->type, .ref.field = field};
    add_fact(facts, e, INT64_MIN, INT64_MAX);
}

/* A record that is there has all its parts. */
static void assume_parts(struct facts *facts, const struct spec_expr *record)
{
    SPEC_EACH (struct spec_field, part, &record->ref.group->parts)
        assume_there(facts, record->node, part);
}

/* A row that is there has all its columns. */
static void assume_row(struct facts *facts, const struct spec_expr *has)
{
    for (size_t i = 0; i < has->ref.table->columns.count; i++) {
        const struct spec_param *column = has->ref.table->columns.items[i];
        struct spec_expr *cell = assay_arena_copy(&facts->spec->arena, has, sizeof *cell);
        cell->kind = SPEC_E_CELL;
        cell->number = (int64_t)i;
        cell->type = column->type;
        add_fact(facts, cell, INT64_MIN, INT64_MAX);
    }
}

static void assume_call(struct facts *facts, const struct spec_expr *e, bool truth)
{
    enum spec_function_id id = e->ref.function ? e->ref.function->id : SPEC_F_DECLARED;
    if (id == SPEC_F_FITS && truth)
        add_fact(facts, e->args[0], e->args[1]->type->min, e->args[1]->type->max);
    if (id == SPEC_F_PRESENT && truth && e->args[0]->kind == SPEC_E_RECORD)
        assume_parts(facts, e->args[0]);
    else if (id == SPEC_F_PRESENT && truth)
        add_fact(facts, e->args[0], INT64_MIN, INT64_MAX);
}

void assay_assume(struct facts *facts, const struct spec_expr *e, bool truth)
{
    assume_defined(facts, e);
    if (e->kind == SPEC_E_UNARY && e->op == ASSAY_OP_NOT) {
        assay_assume(facts, e->args[0], !truth);
    } else if ((e->kind == SPEC_E_AND && truth) || (e->kind == SPEC_E_OR && !truth)) {
        assay_assume(facts, e->args[0], truth);
        assay_assume(facts, e->args[1], truth);
    } else if (e->kind == SPEC_E_BINARY) {
        assume_comparison(facts, e, truth);
    } else if (e->kind == SPEC_E_IN && truth && e->count > 1) {
        assume_member(facts, e);
    } else if (e->kind == SPEC_E_CALL) {
        assume_call(facts, e, truth);
    } else if (e->kind == SPEC_E_HAS && truth) {
        assume_row(facts, e);
    } else if (e->kind == SPEC_E_FIELD || e->kind == SPEC_E_VAR) {
        add_fact(facts, e, truth, truth);
    }
}

/* ---- rules ------------------------------------------------------------- */

/* A FIELD expression for a field of a pattern. */
static struct spec_expr *field_expr(struct facts *facts, const struct spec_given *given)
{
    struct spec_expr *e = ASSAY_NEW(&facts->spec->arena, struct spec_expr);
    *e = (struct spec_expr){.kind = SPEC_E_FIELD, .node = given->value->node, .type = given->field->type};
    e->ref.field = given->field;
    return e;
}

static void assume_pattern(struct facts *facts, const struct spec_rule *rule)
{
    SPEC_EACH (struct spec_given, given, &rule->pattern) {
        if (!given->field || !given->value || !given->value->type)
            continue;
        const struct spec_expr *v = given->value;
        bool several = v->kind == SPEC_E_LIST && given->field->type->kind != ASSAY_T_LIST && v->count > 0;
        struct value_range r = assay_range_of(facts, several ? v->args[0] : v);
        for (size_t i = 1; several && i < v->count; i++)
            r = assay_range_hull(r, assay_range_of(facts, v->args[i]));
        add_fact(facts, field_expr(facts, given), r.min, r.max);
    }
}

static bool same_pattern(const struct spec_rule *x, const struct spec_rule *y)
{
    if (x->pattern.count != y->pattern.count)
        return false;
    for (size_t i = 0; i < x->pattern.count; i++) {
        const struct spec_given *a = x->pattern.items[i], *b = y->pattern.items[i];
        if (a->field != b->field || !assay_expr_same(a->value, b->value))
            return false;
    }
    return true;
}

static bool takes_all_of(const struct spec_rule *earlier, const struct spec_rule *rule)
{
    SPEC_EACH (struct spec_event, event, &rule->events)
        if (!assay_rule_takes(earlier, event))
            return false;
    return true;
}

/* Conjunct by conjunct: those the rule shares hold; if just one is left, it is what was false. */
static const struct spec_expr *only_other(const struct spec_expr *guard, const struct spec_expr *own, bool *several)
{
    if (guard->kind == SPEC_E_AND) {
        const struct spec_expr *x = only_other(guard->args[0], own, several);
        const struct spec_expr *y = only_other(guard->args[1], own, several);
        *several = *several || (x && y);
        return x ? x : y;
    }
    for (; own && own->kind == SPEC_E_AND; own = own->args[0])
        if (assay_expr_same(guard, own->args[1]))
            return NULL;
    return assay_expr_same(guard, own) ? NULL : guard;
}

/* An earlier rule for the same events was not taken: its guard was false, unless it can be undefined. */
static void assume_not(struct facts *facts, const struct spec_rule *earlier, const struct spec_rule *rule)
{
    bool several = false;
    bool same = earlier->pattern.count == 0 || same_pattern(earlier, rule);
    if (!earlier->guard || !same || !takes_all_of(earlier, rule))
        return;
    const struct spec_expr *other = only_other(earlier->guard, rule->guard, &several);
    if (other && !several && !assay_range_of(facts, other).bad)
        assay_assume(facts, other, false);
}

static bool can_be_unknown(const struct spec_field *f)
{
    return f->type->kind == ASSAY_T_ENUM && f->type->of && !f->type->of->open;
}

/* `unknown` comes from the tag, or from a value behind it: then the tag was read, and all before it. */
static void assume_tag(struct facts *facts, const struct spec_rule *rule)
{
    const struct spec_field *tag = rule->frame ? rule->frame->tag : NULL;
    SPEC_EACH (struct spec_event, event, &rule->events)
        if (event->kind != ASSAY_EVK_MESSAGE && (event->kind != ASSAY_EVK_BUILTIN || event->index != ASSAY_EV_UNKNOWN))
            return;
    if (!tag || tag->present || rule->events.count == 0)
        return;
    SPEC_EACH (struct spec_field, f, &rule->frame->fields)
        if (f->position <= tag->position && can_be_unknown(f))
            return;
    SPEC_EACH (struct spec_field, f, &rule->frame->fields)
        if (f == tag || (f->position < tag->position && f->name && !assay_may_lack(f)))
            assume_there(facts, rule->node, f);
}

void assay_assume_rule(struct facts *facts, const struct spec_rule *rule)
{
    const struct spec_list *list = rule->state ? &rule->state->rules : &rule->machine->any;
    SPEC_EACH (struct spec_event, event, &rule->events)
        facts->partial = facts->partial || event->kind == ASSAY_EVK_FAULT ||
                         (event->kind == ASSAY_EVK_BUILTIN && event->index != ASSAY_EV_STALE);
    assume_tag(facts, rule);
    assume_pattern(facts, rule);
    if (rule->guard)
        assay_assume(facts, rule->guard, true);
    SPEC_EACH (struct spec_rule, earlier, list) {
        if (earlier == rule)
            return;
        assume_not(facts, earlier, rule);
    }
}

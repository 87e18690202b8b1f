/* What a rule does can fail: an effect, an undefined expression, a value that does not fit. Then it needs an `else`. */
#include <string.h>

#include "compiler/check_body.h"
#include "compiler/types.h"

/* ---- saying it --------------------------------------------------------- */

void assay_needs_else(struct body *b, struct assay_at at, const char *why)
{
    b->fallible = true;
    if (b->in_row)
        assay_spec_error(b->spec, at,
                         "%s; a row that cannot be sent would hold up all behind it: its columns have to fit", why);
    else if (b->in_else)
        assay_spec_error(b->spec, at, "%s; an else has to be sure to work", why);
    else if (!b->has_else)
        assay_spec_error(b->spec, at, "%s; exclude that in the rule's condition, or give the rule an else", why);
}

void assay_needs_else_for(struct body *b, const struct spec_expr *e, const char *why)
{
    assay_needs_else(b, assay_expr_at(b->spec, e), why);
}

static const char *span_text(struct body *b, int64_t min, int64_t max)
{
    if (min == max)
        return assay_arena_printf(&b->spec->arena, "%lld", (long long)min);
    if (min == INT64_MIN && max == INT64_MAX)
        return "any number";
    if (max == INT64_MAX)
        return assay_arena_printf(&b->spec->arena, "%lld and more", (long long)min);
    if (min == INT64_MIN)
        return assay_arena_printf(&b->spec->arena, "%lld and less", (long long)max);
    return assay_arena_printf(&b->spec->arena, "%lld..%lld", (long long)min, (long long)max);
}

static const char *name_of(const struct spec_type *type)
{
    return type->name ? type->name : assay_type_says(type);
}

/* ---- does it fit ------------------------------------------------------- */

static bool set_within(const struct assay_byteset *part, const struct assay_byteset *whole)
{
    for (unsigned i = 0; whole && i < 4; i++)
        if (part->bits[i] & ~whole->bits[i])
            return false;
    return true;
}

static const struct spec_type *type_of_source(const struct spec_expr *e)
{
    switch ((int)e->kind) {
    case SPEC_E_FIELD:
    case SPEC_E_VAR:
    case SPEC_E_ARG:
    case SPEC_E_PARAM:
        return e->type;
    }
    return NULL;
}

static const struct assay_node *node_of(const struct spec_expr *e)
{
    return e ? e->node : NULL;
}

/* Constraints that intervals do not see: the same named type has them, too. */
static bool special_constraints_hold(const struct spec_expr *e, const struct spec_type *type)
{
    const struct spec_type *source = type_of_source(e);
    if (!type->check && !type->first && type->in.count == 0)
        return true;
    return source && source->name && type->name && strcmp(source->name, type->name) == 0 &&
           node_of(source->check) == node_of(type->check) && source->first == type->first &&
           source->in.count == type->in.count;
}

static bool in_holds(const struct spec_expr *e, const struct spec_type *type)
{
    int64_t n, v;
    if (type->in.count == 0 || type->check || type->first || !assay_expr_number(e, &n))
        return false;
    SPEC_EACH (struct spec_expr, item, &type->in)
        if (assay_expr_number(item, &v) && v == n)
            return true;
    return false;
}

static const char *bytes_misfit(struct body *b, const struct value_range *r, const struct spec_type *type)
{
    struct value_range to = assay_range_of_type(type);
    if (r->min < type->min || r->max > type->max)
        return assay_arena_printf(&b->spec->arena, "%s bytes do not fit %s, which holds %s",
                                  span_text(b, r->min, r->max), name_of(type), span_text(b, type->min, type->max));
    if (!set_within(&r->bytes, &to.bytes))
        return assay_arena_printf(&b->spec->arena, "this can hold bytes that %s cannot", name_of(type));
    if (type->kind == ASSAY_T_TEXT && type->charset == ASSAY_CS_UTF8 && !r->utf8)
        return "this may not be UTF-8";
    return NULL;
}

static bool enum_misfits(const struct spec_expr *e, const struct spec_type *type)
{
    if (type->kind != ASSAY_T_ENUM || !type->of || type->of->open || e->type->kind != ASSAY_T_ENUM)
        return false;
    return e->type->of != type->of;
}

const char *assay_misfit(struct body *b, const struct spec_expr *e, const struct value_range *r,
                         const struct spec_type *type)
{
    if (type->kind == SPEC_T_ANY || type->kind == SPEC_T_NONE || e->type->kind == SPEC_T_ANY)
        return NULL;
    if (assay_kind_is_bytes(type->kind)) {
        const char *why = bytes_misfit(b, r, type);
        if (why)
            return why;
    } else if (enum_misfits(e, type)) {
        return "this may be no value of the enum";
    } else if (type->kind != ASSAY_T_BOOL && type->kind != ASSAY_T_ENUM && (r->min < type->min || r->max > type->max)) {
        return assay_arena_printf(&b->spec->arena, "%s%s does not fit %s, which holds %s", span_text(b, r->min, r->max),
                                  type->kind == ASSAY_T_LIST ? " elements" : "", name_of(type),
                                  span_text(b, type->min, type->max));
    }
    if (!special_constraints_hold(e, type) && !in_holds(e, type))
        return "this may not satisfy the constraints of what it is for";
    return NULL;
}

static void check_defined(struct body *b, const struct spec_expr *e, struct value_range *r)
{
    *r = assay_range_of(b->facts, e);
    if (r->bad)
        assay_needs_else_for(b, r->bad, r->reason);
}

struct value_range assay_check_value(struct body *b, const struct spec_expr *e, const struct spec_type *type)
{
    struct value_range r = {0};
    if (!e || !e->type || !type)
        return r;
    check_defined(b, e, &r);
    const char *why = r.bad ? NULL : assay_misfit(b, e, &r, type);
    if (why)
        assay_needs_else_for(b, e, why);
    return r;
}

/* ---- actions ----------------------------------------------------------- */

static void check_actions(struct body *b, const struct spec_list *actions);

static void check_effect(struct body *b, const struct spec_action *a)
{
    SPEC_EACH (struct spec_given, given, &a->given)
        if (given->param)
            assay_check_value(b, given->value, given->param->type);
    if (!a->effect || !a->effect->fallible)
        return;
    b->fallible = true;
    if (b->in_else)
        assay_spec_error(b->spec, a->at, "the effect '%s' can fail; an else has to be sure to work", a->effect->name);
    else if (!b->has_else)
        assay_spec_error(b->spec, a->at, "the effect '%s' can fail; the rule needs an else for that", a->effect->name);
}

static void check_if(struct body *b, const struct spec_action *a)
{
    struct value_range r;
    check_defined(b, a->value, &r);
    struct facts_mark mark = assay_facts_mark(b->facts);
    assay_assume(b->facts, a->value, true);
    if (a->body)
        check_actions(b, a->body);
    assay_facts_back(b->facts, mark);
    assay_assume(b->facts, a->value, false);
    if (a->otherwise)
        check_actions(b, a->otherwise);
    assay_facts_back(b->facts, mark);
}

static void check_choose(struct body *b, const struct spec_action *a)
{
    SPEC_EACH (struct spec_way, way, &a->ways) {
        struct facts_mark mark = assay_facts_mark(b->facts);
        if (way->when)
            assay_assume(b->facts, way->when, true);
        check_actions(b, &way->body);
        assay_facts_back(b->facts, mark);
    }
}

/* Facts about a variable end where it is set. */
static bool mentions_var(const struct spec_expr *e, const struct spec_var *var)
{
    if (e->kind == SPEC_E_VAR && e->ref.var == var)
        return true;
    for (size_t i = 0; i < e->count; i++)
        if (mentions_var(e->args[i], var))
            return true;
    return false;
}

static void forget(struct facts *facts, const struct spec_var *var)
{
    size_t kept = 0;
    for (size_t i = 0; i < facts->count; i++)
        if (!mentions_var(facts->items[i].of, var))
            facts->items[kept++] = facts->items[i];
    facts->count = kept;
    kept = 0;
    for (size_t i = 0; i < facts->less_count; i++)
        if (!mentions_var(facts->less[i].x, var) && !mentions_var(facts->less[i].y, var))
            facts->less[kept++] = facts->less[i];
    facts->less_count = kept;
}

static void check_set(struct body *b, const struct spec_action *a)
{
    SPEC_EACH (struct spec_given, given, &a->given)
        if (given->var)
            assay_check_value(b, given->value, given->var->type);
    SPEC_EACH (struct spec_given, given, &a->given)
        if (given->var)
            forget(b->facts, given->var);
}

static void check_action(struct body *b, const struct spec_action *a)
{
    struct value_range r;
    switch (a->kind) {
    case SPEC_A_LET:
        if (a->let && a->let->value && a->let->value->type)
            check_defined(b, a->let->value, &r);
        break;
    case SPEC_A_DO:
        check_effect(b, a);
        break;
    case SPEC_A_SET:
        check_set(b, a);
        break;
    case SPEC_A_SEND:
        assay_check_send(b, a);
        break;
    case SPEC_A_IF:
        if (a->value && a->value->type)
            check_if(b, a);
        break;
    case SPEC_A_CHOOSE:
        check_choose(b, a);
        break;
    case SPEC_A_GOTO:
    case SPEC_A_CLOSE:
    case SPEC_A_ABORT:
    case SPEC_A_TIMER:
    case SPEC_A_RESULT:
    case SPEC_A_ERROR:
    case SPEC_A_WAIT:
    case SPEC_A_DECLINE:
    case SPEC_A_MARK:
    case SPEC_A_DECLARED:
        break;
    }
}

static void check_actions(struct body *b, const struct spec_list *actions)
{
    SPEC_EACH (struct spec_action, a, actions)
        check_action(b, a);
}

/* ---- rules ------------------------------------------------------------- */

static void check_else(struct body *b, const struct spec_rule *rule)
{
    struct facts facts = {.spec = b->spec, .frame = rule->machine->in};
    assay_assume_rule(&facts, rule);
    b->facts = &facts;
    b->in_else = true;
    check_actions(b, rule->otherwise);
}

static void check_rule(struct assay_spec *spec, const struct spec_machine *machine, const struct spec_rule *rule)
{
    struct facts facts = {.spec = spec};
    uint8_t role = machine->role & ASSAY_SERVER ? ASSAY_SERVER : ASSAY_CLIENT;
    struct body b = {.spec = spec, .facts = &facts, .role = role, .has_else = rule->otherwise != NULL};
    b.frame_out = machine->out;
    facts.frame = machine->in;
    assay_assume_rule(&facts, rule);
    check_actions(&b, &rule->body);
    SPEC_EACH (struct spec_way, way, &rule->may) {
        facts = (struct facts){.spec = spec, .frame = machine->in};
        assay_assume_rule(&facts, rule);
        check_actions(&b, &way->body);
    }
    if (!rule->otherwise)
        return;
    if (!b.fallible)
        assay_spec_warning(spec, rule->at, "nothing in this rule can fail; its else is never taken");
    check_else(&b, rule);
}

void assay_check_bodies(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_machine, machine, &spec->machines)
        if (!machine->implicit)
            SPEC_EACH (struct spec_rule, rule, &machine->rules)
                check_rule(spec, machine, rule);
}

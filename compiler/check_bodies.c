/* What a rule does can fail: an effect, an undefined expression, a value that does not fit. Then it needs an `else`. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/types.h"

struct body {
    struct assay_spec *spec;
    const struct spec_rule *rule;
    struct facts *facts;
    const struct spec_frame *frame_out;
    uint8_t role;
    bool has_else;
    bool fallible; /* something needed it */
    bool in_else;  /* this is the else itself */
};

/* ---- saying it --------------------------------------------------------- */

static void needs_else(struct body *b, struct assay_at at, const char *why)
{
    b->fallible = true;
    if (b->in_else)
        assay_spec_error(b->spec, at, "%s; an else has to be sure to work", why);
    else if (!b->has_else)
        assay_spec_error(b->spec, at, "%s; exclude that in the rule's condition, or give the rule an else", why);
}

static void say(struct body *b, const struct spec_expr *e, const char *why)
{
    needs_else(b, assay_expr_at(b->spec, e), why);
}

static const char *span_text(struct body *b, int64_t min, int64_t max)
{
    if (min == max)
        return assay_arena_printf(&b->spec->arena, "%lld", (long long)min);
    if (min == INT64_MIN || max == INT64_MAX)
        return max == INT64_MAX ? min == INT64_MIN
                                      ? "any number"
                                      : assay_arena_printf(&b->spec->arena, "%lld and more", (long long)min)
                                : assay_arena_printf(&b->spec->arena, "%lld and less", (long long)max);
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

static bool enum_misfits(const struct value_range *r, const struct spec_expr *e, const struct spec_type *type)
{
    if (type->kind != ASSAY_T_ENUM || !type->of || type->of->open || e->type->kind != ASSAY_T_ENUM)
        return false;
    (void)r;
    return e->type->of != type->of;
}

/* Why a value may not fit; NULL: it does. */
static const char *misfit(struct body *b, const struct spec_expr *e, const struct value_range *r,
                          const struct spec_type *type)
{
    if (type->kind == SPEC_T_ANY || type->kind == SPEC_T_NONE || e->type->kind == SPEC_T_ANY)
        return NULL;
    if (assay_kind_is_bytes(type->kind)) {
        const char *why = bytes_misfit(b, r, type);
        if (why)
            return why;
    } else if (enum_misfits(r, e, type)) {
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
        say(b, r->bad, r->reason);
}

static struct value_range check_value(struct body *b, const struct spec_expr *e, const struct spec_type *type)
{
    struct value_range r = {0};
    if (!e || !e->type || !type)
        return r;
    check_defined(b, e, &r);
    const char *why = r.bad ? NULL : misfit(b, e, &r, type);
    if (why)
        say(b, e, why);
    return r;
}

/* ---- messages that are sent -------------------------------------------- */

static const struct spec_given *given_for(const struct spec_action *send, const struct spec_field *field)
{
    SPEC_EACH (struct spec_given, given, &send->given)
        if (given->field == field)
            return given;
    return NULL;
}

static void remember(struct body *b, const struct spec_field *field, struct value_range range)
{
    if (b->facts->made_count == ASSAY_SLOTS_MAX)
        return;
    b->facts->made[b->facts->made_count].field = field;
    b->facts->made[b->facts->made_count].range = range;
    b->facts->made_count++;
}

static bool holds_delim(const struct value_range *r, const struct spec_list *delims)
{
    SPEC_EACH (struct assay_blob, delim, delims) {
        bool all = true;
        for (uint32_t i = 0; i < delim->n; i++)
            all = all && (r->bytes.bits[delim->p[i] >> 6] >> (delim->p[i] & 63) & 1);
        if (all && r->max >= (int64_t)delim->n)
            return true;
    }
    return false;
}

/* Inside pairs a value is written with its escapes. */
static struct value_range as_written(struct value_range r, const struct spec_field *field)
{
    const struct spec_pairs *pairs = field->pairs ? field->pairs->type->pairs : NULL;
    for (unsigned i = 0; pairs && i < pairs->is.escapes; i++)
        r.bytes.bits[pairs->is.stands[i] >> 6] &= ~((uint64_t)1 << (pairs->is.stands[i] & 63));
    return r;
}

/* A value with a delimiter of its extent or frame in it cannot be sent. */
static void check_delims(struct body *b, const struct spec_expr *e, const struct value_range *range,
                         const struct spec_field *field)
{
    const struct spec_type *type = field->type;
    bool bytes = assay_kind_is_bytes(type->kind);
    struct value_range written = as_written(*range, field), *r = &written;
    if (!bytes || e->type->kind == SPEC_T_ANY)
        return;
    if (type->extent.kind == ASSAY_EXT_BEFORE && holds_delim(r, &type->extent.delims))
        say(b, e, "this can hold the text in front of which it ends");
    else if (type->extent.kind == ASSAY_EXT_UNTIL && holds_delim(r, &type->extent.delims))
        say(b, e, "this can hold the delimiter that ends it");
    else if (b->frame_out && b->frame_out->end == ASSAY_END_UNTIL && holds_delim(r, &b->frame_out->delims))
        say(b, e, "this can hold the delimiter that ends the frame");
}

static int64_t digits_of(int64_t n)
{
    int64_t size = 1 + (n < 0);
    for (; n > 9 || n < -9; n /= 10)
        size++;
    return size;
}

static int64_t longest_text(const struct spec_enum *of)
{
    int64_t most = 0;
    SPEC_EACH (struct spec_enum_item, item, &of->items)
        most = item->text.n > most ? item->text.n : most;
    return most;
}

/* What stands inside the extent, at most. */
static int64_t content_of(const struct spec_type *type, const struct value_range *r)
{
    int64_t most = r->max > UINT32_MAX ? UINT32_MAX : r->max;
    if (type->form == ASSAY_FORM_DECIMAL)
        return digits_of(r->min) > digits_of(r->max) ? digits_of(r->min) : digits_of(r->max);
    if (type->form == ASSAY_FORM_HEX)
        return 16;
    if (type->kind == ASSAY_T_LIST && type->element)
        return most * ((type->element->bits + 7) / 8);
    if (type->kind == ASSAY_T_ENUM && type->of && type->form == ASSAY_FORM_BYTES)
        return longest_text(type->of);
    return assay_kind_is_bytes(type->kind) ? most : 0;
}

static int64_t first_delim(const struct spec_list *delims)
{
    return delims->count ? (int64_t)((const struct assay_blob *)delims->items[0])->n : 0;
}

/* Whole bytes of a field on the wire, at most; bits are counted elsewhere. */
static int64_t bytes_of(const struct spec_type *type, const struct value_range *r)
{
    if (type->form == ASSAY_FORM_INT || type->form == ASSAY_FORM_CALC)
        return 0;
    if (type->form == ASSAY_FORM_CONST)
        return (int64_t)type->bytes.n;
    if (type->form == ASSAY_FORM_VARINT)
        return type->bits / 8;
    int64_t around = type->extent.kind == ASSAY_EXT_PREFIX  ? (type->extent.fixed ? type->extent.fixed / 8 : 5)
                     : type->extent.kind == ASSAY_EXT_UNTIL ? first_delim(&type->extent.delims)
                                                            : 0;
    return content_of(type, r) + around;
}

/* A part of a record may be absent: then it is absent here, too. */
static void take_copied(struct body *b, const struct spec_field *field, const struct spec_given *given, int64_t *size)
{
    struct value_range r = assay_range_of(b->facts, given->value);
    const char *why = misfit(b, given->value, &r, field->type);
    r.bad = NULL;
    if (why)
        say(b, given->value, why);
    check_delims(b, given->value, &r, field);
    *size += bytes_of(field->type, &r);
    remember(b, field, r);
}

static void take_given(struct body *b, const struct spec_field *field, const struct spec_given *given, int64_t *size)
{
    if (given->copied) {
        take_copied(b, field, given, size);
        return;
    }
    struct value_range r = check_value(b, given->value, field->type);
    if (given->value && given->value->type)
        check_delims(b, given->value, &r, field);
    *size += bytes_of(field->type, &r);
    remember(b, field, r);
}

static void take_default(struct body *b, const struct spec_action *send, const struct spec_field *field, int64_t *size)
{
    struct value_range r = assay_range_of_type(field->type);
    bool later = field->is || !field->name || assay_may_lack(field) || field->ahead ||
                 field->type->form == ASSAY_FORM_CALC || field->type->form == ASSAY_FORM_CONST ||
                 field->type->kind == SPEC_T_ANY;
    b->facts->making = true;
    if (field->init && field->init->type)
        r = assay_range_of(b->facts, field->init);
    else if (!later)
        assay_spec_error(b->spec, send->at, "%s needs '%s': it is not given here and has no default",
                         send->message->name, field->name);
    b->facts->making = false;
    *size += later && assay_may_lack(field) ? 0 : bytes_of(field->type, &r);
    if (!field->is)
        remember(b, field, r);
}

static bool is_tag_or_body(const struct body *b, const struct spec_message *message, const struct spec_field *field)
{
    if (field == b->frame_out->body)
        return true;
    if (field == b->frame_out->tag && message->tags.count)
        return true;
    SPEC_EACH (struct spec_fixed, fixed, &message->fixed)
        if (fixed->field == field)
            return true;
    return false;
}

static int64_t take_fields(struct body *b, const struct spec_action *send, const struct spec_list *fields)
{
    int64_t size = 0, bits = 0;
    SPEC_EACH (struct spec_field, field, fields) {
        const struct spec_given *given = given_for(send, field);
        if (field->type->form == ASSAY_FORM_INT)
            bits += field->type->bits;
        if (is_tag_or_body(b, send->message, field))
            continue;
        if (given)
            take_given(b, field, given, &size);
        else
            take_default(b, send, field, &size);
    }
    return size + bits / 8;
}

static void check_computed(struct body *b, const struct spec_action *send, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, field, fields) {
        if (!field->is || !field->is->type || given_for(send, field))
            continue;
        struct value_range r = assay_range_of(b->facts, field->is);
        const char *why = r.bad ? r.reason : misfit(b, field->is, &r, field->type);
        if (why)
            needs_else(b, send->at,
                       assay_arena_printf(&b->spec->arena, "'%s' of %s: %s", field->name ? field->name : "_",
                                          send->message->name, why));
    }
}

static void check_send(struct body *b, const struct spec_action *send)
{
    const struct spec_message *message = send->message;
    if (!message || !b->frame_out)
        return;
    if (!(message->from & b->role)) {
        assay_spec_error(b->spec, send->at, "%s is not a message of this side: 'from' says who sends it",
                         message->name);
        return;
    }
    b->facts->made_count = 0;
    int64_t own = take_fields(b, send, &message->fields);
    if (b->frame_out->body)
        remember(b, b->frame_out->body, (struct value_range){.min = 0, .max = own, .utf8 = false});
    int64_t size = own + take_fields(b, send, &b->frame_out->fields) + first_delim(&b->frame_out->delims);
    b->facts->making = true;
    check_computed(b, send, &message->fields);
    check_computed(b, send, &b->frame_out->fields);
    b->facts->making = false;
    if (size > b->frame_out->max)
        needs_else(b, send->at,
                   assay_arena_printf(&b->spec->arena, "%s can be %lld bytes long, and the frame holds %lld",
                                      message->name, (long long)size, (long long)b->frame_out->max));
    if (message->wheres.count)
        needs_else(b, send->at,
                   assay_arena_printf(&b->spec->arena, "the conditions (where) of %s may not hold", message->name));
}

/* ---- actions ----------------------------------------------------------- */

static void check_actions(struct body *b, const struct spec_list *actions);

static void check_effect(struct body *b, const struct spec_action *a)
{
    SPEC_EACH (struct spec_given, given, &a->given)
        if (given->param)
            check_value(b, given->value, given->param->type);
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
            check_value(b, given->value, given->var->type);
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
        check_send(b, a);
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
    struct body b = {.spec = spec, .rule = rule, .facts = &facts, .role = role, .has_else = rule->otherwise != NULL};
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

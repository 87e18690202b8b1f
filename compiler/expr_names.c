/* Names in expressions: what they stand for. */
#include <string.h>

#include "compiler/expr_resolve.h"
#include "compiler/types.h"

/* ---- names ------------------------------------------------------------- */

static bool visible(const struct spec_scope *scope, const struct spec_field *field)
{
    const struct spec_field *before = scope->before;
    if (!before)
        return true;
    if (before->message)
        return field->frame || field->position < before->position;
    return field->frame && field->position < before->position;
}

static const struct spec_field *field_in(const struct spec_list *fields, const char *name)
{
    SPEC_EACH (struct spec_field, f, fields)
        if (f->name && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* A field of all messages in scope, at the same place in each. `differs`: some have it, but not the same. */
static const struct spec_field *message_field(const struct spec_scope *scope, const char *name, bool *differs)
{
    const struct spec_field *common = NULL;
    size_t having = 0;
    if (!scope->messages)
        return NULL;
    SPEC_EACH (struct spec_message, m, scope->messages) {
        const struct spec_field *f = field_in(&m->fields, name);
        if (!f)
            continue;
        having++;
        if (common && (common->slot != f->slot || !assay_type_usable(common->type, f->type)))
            *differs = true;
        common = common ? common : f;
    }
    *differs = *differs || (having > 0 && having < scope->messages->count);
    return *differs ? NULL : common;
}

static const struct spec_field *find_field(const struct resolving *c, const char *name)
{
    bool differs = false;
    const struct spec_field *f = message_field(c->scope, name, &differs);
    return !f && c->scope->frame ? field_in(&c->scope->frame->fields, name) : f;
}

static bool take_field(const struct resolving *c, struct spec_expr *e)
{
    const struct spec_group *around = c->scope->before ? c->scope->before->group : NULL;
    const struct spec_field *f = NULL;
    if (around) /* parts of a record see each other */
        f = find_field(c, assay_arena_printf(&c->spec->arena, "%s.%s", around->name, e->name));
    f = f ? f : find_field(c, e->name);
    if (!f || !visible(c->scope, f) || f->type->kind == SPEC_T_NONE)
        return false;
    e->kind = SPEC_E_FIELD;
    e->ref.field = f;
    e->type = f->type;
    return true;
}

static const struct spec_group *group_in(const struct spec_list *groups, const char *name)
{
    SPEC_EACH (struct spec_group, g, groups)
        if (strcmp(g->name, name) == 0)
            return g;
    return NULL;
}

/* A whole record: of the frame, or of the only message in scope. */
static const struct spec_group *find_group(const struct resolving *c, const char *name)
{
    const struct spec_list *messages = c->scope->messages;
    const struct spec_group *g = c->scope->frame ? group_in(&c->scope->frame->groups, name) : NULL;
    if (!g && messages && messages->count == 1)
        g = group_in(&((const struct spec_message *)messages->items[0])->groups, name);
    return g && g->parts.count && visible(c->scope, g->parts.items[0]) ? g : NULL;
}

static bool take_group(const struct resolving *c, struct spec_expr *e)
{
    static const struct spec_type record = {.name = "record", .kind = SPEC_T_RECORD};
    const struct spec_group *g = find_group(c, e->name);
    if (!g)
        return false;
    e->kind = SPEC_E_RECORD;
    e->ref.group = g;
    e->type = &record;
    return true;
}

static bool take_let(const struct resolving *c, struct spec_expr *e)
{
    for (const struct spec_let *let = c->scope->lets; let; let = let->outer)
        if (strcmp(let->name, e->name) == 0) {
            e->kind = SPEC_E_LET;
            e->ref.let = let;
            e->type = let->column ? let->column : let->value && let->value->type ? let->value->type : &assay_type_any;
            return true;
        }
    return false;
}

static bool take_var(const struct resolving *c, struct spec_expr *e)
{
    if (!c->scope->machine)
        return false;
    SPEC_EACH (struct spec_var, v, &c->scope->machine->vars)
        if (strcmp(v->name, e->name) == 0) {
            e->kind = SPEC_E_VAR;
            e->ref.var = v;
            e->type = v->type;
            return true;
        }
    return false;
}

static bool take_param(struct spec_expr *e, const struct spec_list *list, enum spec_expr_kind kind)
{
    SPEC_EACH (struct spec_param, p, list)
        if (strcmp(p->name, e->name) == 0) {
            e->kind = kind;
            e->ref.param = p;
            e->type = p->type;
            return true;
        }
    return false;
}

bool assay_name_look_up(const struct resolving *c, struct spec_expr *e)
{
    return take_let(c, e) || take_field(c, e) || (c->scope->call && take_param(e, &c->scope->call->args, SPEC_E_ARG)) ||
           take_var(c, e) || (c->scope->params && take_param(e, &c->spec->params, SPEC_E_PARAM)) || take_group(c, e) ||
           assay_take_peer(c, e);
}

static bool take_literal(struct spec_expr *e, const struct spec_type *expected, const char *name)
{
    const struct spec_enum_item *item =
        expected && expected->kind == ASSAY_T_ENUM ? assay_enum_item_named(expected->of, name) : NULL;
    if (!item)
        return false;
    e->kind = SPEC_E_LITERAL;
    e->number = item->value;
    e->type = expected;
    return true;
}

static void near_fields(struct assay_near *near, const struct spec_scope *scope)
{
    if (scope->messages)
        SPEC_EACH (struct spec_message, m, scope->messages)
            SPEC_NEAR (&m->fields, struct spec_field, near)
                ;
    if (scope->frame) {
        SPEC_NEAR (&scope->frame->fields, struct spec_field, near)
            ;
        SPEC_NEAR (&scope->frame->groups, struct spec_group, near)
            ;
    }
}

static void unknown_name(const struct resolving *c, const struct spec_expr *e, const struct spec_type *expected)
{
    struct assay_near near_name = {.wanted = e->name}, *near = &near_name;
    bool differs = false;
    message_field(c->scope, e->name, &differs);
    if (differs) {
        assay_expr_error(c->spec, e, "'%s' is not the same field in all messages of this rule; write a rule for each",
                         e->name);
        return;
    }
    near_fields(near, c->scope);
    for (const struct spec_let *let = c->scope->lets; let; let = let->outer)
        assay_near_add(near, let->name);
    if (c->scope->machine)
        SPEC_NEAR (&c->scope->machine->vars, struct spec_var, near)
            ;
    if (c->scope->call)
        SPEC_NEAR (&c->scope->call->args, struct spec_param, near)
            ;
    if (c->scope->params)
        SPEC_NEAR (&c->spec->params, struct spec_param, near)
            ;
    if (expected && expected->kind == ASSAY_T_ENUM && expected->of)
        SPEC_NEAR (&expected->of->items, struct spec_enum_item, near)
            ;
    if (expected && expected->kind == ASSAY_T_ENUM)
        assay_expr_error(c->spec, e, "'%s' is neither %s nor a name in scope%s", e->name, assay_type_says(expected),
                         assay_near_text(near));
    else
        assay_expr_error(c->spec, e, "nothing here is called '%s'%s%s", e->name, assay_near_text(near),
                         near->best ? "" : " (text stands between ' and ')");
}

bool assay_resolve_name(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
{
    const char *name = e->name;
    bool found = assay_name_look_up(c, e);
    if (found && expected && expected->kind == ASSAY_T_ENUM && assay_enum_item_named(expected->of, name)) {
        assay_expr_error(c->spec, e, "'%s' is a name in scope and a value of %s; write %s.%s for the value", name,
                         expected->of->name ? expected->of->name : "the enum",
                         expected->of->name ? expected->of->name : "TYPE", name);
        return false;
    }
    if (found || take_literal(e, expected, name))
        return true;
    e->type = &assay_type_any;
    if (c->scope->open)
        return true;
    unknown_name(c, e, expected);
    return false;
}

/* from.server: a field like others. */
static bool resolve_part(const struct resolving *c, struct spec_expr *e, const struct spec_group *g)
{
    struct assay_near near = {.wanted = e->name};
    size_t skip = strlen(g->name) + 1;
    SPEC_EACH (struct spec_field, part, &g->parts) {
        assay_near_add(&near, part->name + skip);
        if (strcmp(part->name + skip, e->name) != 0)
            continue;
        e->kind = SPEC_E_FIELD;
        e->ref.field = part;
        e->type = part->type;
        e->name = part->name;
        e->args = NULL;
        e->count = 0;
        return true;
    }
    assay_expr_error(c->spec, e, "'%s' has no part '%s'%s", g->name, near.wanted, assay_near_text(&near));
    return false;
}

/* Phase.name, self.variable; anything else with a dot is of declared constructs. */
bool assay_resolve_member(const struct resolving *c, struct spec_expr *e)
{
    struct spec_expr *of = e->args[0];
    struct spec_enum *en = of->kind == SPEC_E_NAME ? assay_find_enum(c->spec, of->name) : NULL;
    if (en) {
        const struct spec_enum_item *item = assay_enum_item_named(en, e->name);
        struct assay_near near = {.wanted = e->name};
        SPEC_NEAR (&en->items, struct spec_enum_item, (&near))
            ;
        if (!item) {
            assay_expr_error(c->spec, e, "%s has no value '%s'%s", en->name, e->name, assay_near_text(&near));
            return false;
        }
        struct spec_type *type = ASSAY_NEW(&c->spec->arena, struct spec_type);
        *type = (struct spec_type){.at = en->at, .name = en->name, .kind = ASSAY_T_ENUM, .of = en};
        return take_literal(e, type, e->name);
    }
    if (of->kind == SPEC_E_NAME && strcmp(of->name, "self") == 0) {
        if (take_var(c, e))
            return true;
        if (!c->scope->open) {
            assay_expr_error(c->spec, e, "the machine has no variable '%s'", e->name);
            return false;
        }
        e->type = &assay_type_any;
        return true;
    }
    const struct spec_table *table = assay_table_indexed(c, of);
    if (table)
        return assay_resolve_cell(c, e, table);
    if (of->kind == SPEC_E_NAME && find_group(c, of->name))
        return resolve_part(c, e, find_group(c, of->name));
    if (!assay_resolve_expr(c, of, NULL))
        return false;
    e->type = &assay_type_any;
    if (assay_is_any(of))
        return true;
    assay_expr_error(c->spec, e, "%s has no parts with names", assay_type_says(of->type));
    return false;
}

bool assay_resolve_it(const struct resolving *c, struct spec_expr *e)
{
    e->type = c->scope->it ? c->scope->it : &assay_type_any;
    if (c->scope->it || c->scope->open)
        return true;
    assay_expr_error(c->spec, e, "'it' is the value in `check` and `where`; there is none here");
    return false;
}

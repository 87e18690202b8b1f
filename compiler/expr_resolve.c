/* Names and types of expressions. */
#include <stdarg.h>
#include <string.h>

#include "compiler/read.h"
#include "compiler/types.h"

static const struct spec_function functions[] = {
    {"size", "b", SPEC_F_SIZE, 'n', ASSAY_OP_SIZE},
    {"len", "l", SPEC_F_LEN, 'n', ASSAY_OP_LEN},
    {"fits", "nt", SPEC_F_FITS, '?', ASSAY_OP_WITHIN},
    {"present", "f", SPEC_F_PRESENT, '?', ASSAY_OP_KNOWN},
    {"min", "nn", SPEC_F_MIN, 'n', ASSAY_OP_MIN},
    {"max", "nn", SPEC_F_MAX, 'n', ASSAY_OP_MAX},
    {"line", "b", SPEC_F_LINE, 'b', ASSAY_OP_LINE},
    {"lower", "b", SPEC_F_LOWER, 'b', ASSAY_OP_LOWER},
    {"upper", "b", SPEC_F_UPPER, 'b', ASSAY_OP_UPPER},
    {"starts", "bb", SPEC_F_STARTS, '?', ASSAY_OP_STARTS},
    {"ends", "bb", SPEC_F_ENDS, '?', ASSAY_OP_ENDS},
    {"contains", "bb", SPEC_F_CONTAINS, '?', ASSAY_OP_CONTAINS},
    {"decimal", "n", SPEC_F_DECIMAL, 'b', ASSAY_OP_DECIMAL},
    {"hex", "n", SPEC_F_HEX, 'b', ASSAY_OP_HEX},
    {"number", "b", SPEC_F_NUMBER, 'n', ASSAY_OP_NUMBER},
    {"pair", "pb", SPEC_F_PAIR, 'b', ASSAY_OP_PAIR},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* Functions that are declared only. */
static const char *const declared[] = {"all",   "any",    "count", "covers", "crc16",   "crc32c", "first",
                                       "fresh", "has",    "join",  "linked", "list",    "random", "recode",
                                       "seal",  "sealed", "split", "sum8",   "unrecode"};
#define DECLARED (sizeof declared / sizeof declared[0])

struct context {
    struct assay_spec *spec;
    const struct spec_scope *scope;
};

static bool resolve(const struct context *c, struct spec_expr *e, const struct spec_type *expected);

void assay_expr_error(struct assay_spec *spec, const struct spec_expr *e, const char *format, ...)
{
    char text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assay_diag(spec->diags, ASSAY_ERROR, assay_expr_at(spec, e), "%s", text);
}

static bool is_any(const struct spec_expr *e)
{
    return e->type->kind == SPEC_T_ANY;
}

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

static const struct spec_field *find_field(const struct context *c, const char *name)
{
    bool differs = false;
    const struct spec_field *f = message_field(c->scope, name, &differs);
    return !f && c->scope->frame ? field_in(&c->scope->frame->fields, name) : f;
}

static bool take_field(const struct context *c, struct spec_expr *e)
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
static const struct spec_group *find_group(const struct context *c, const char *name)
{
    const struct spec_list *messages = c->scope->messages;
    const struct spec_group *g = c->scope->frame ? group_in(&c->scope->frame->groups, name) : NULL;
    if (!g && messages && messages->count == 1)
        g = group_in(&((const struct spec_message *)messages->items[0])->groups, name);
    return g && g->parts.count && visible(c->scope, g->parts.items[0]) ? g : NULL;
}

static bool take_group(const struct context *c, struct spec_expr *e)
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

static bool take_let(const struct context *c, struct spec_expr *e)
{
    for (const struct spec_let *let = c->scope->lets; let; let = let->outer)
        if (strcmp(let->name, e->name) == 0) {
            e->kind = SPEC_E_LET;
            e->ref.let = let;
            e->type = let->value && let->value->type ? let->value->type : &assay_type_any;
            return true;
        }
    return false;
}

static bool take_var(const struct context *c, struct spec_expr *e)
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

static bool look_up(const struct context *c, struct spec_expr *e)
{
    return take_let(c, e) || take_field(c, e) || take_var(c, e) ||
           (c->scope->call && take_param(e, &c->scope->call->args, SPEC_E_ARG)) ||
           (c->scope->params && take_param(e, &c->spec->params, SPEC_E_PARAM)) || take_group(c, e);
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

static void unknown_name(const struct context *c, const struct spec_expr *e, const struct spec_type *expected)
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

static bool resolve_name(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    const char *name = e->name;
    bool found = look_up(c, e);
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
static bool resolve_part(const struct context *c, struct spec_expr *e, const struct spec_group *g)
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
static bool resolve_member(const struct context *c, struct spec_expr *e)
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
    if (of->kind == SPEC_E_NAME && find_group(c, of->name))
        return resolve_part(c, e, find_group(c, of->name));
    if (!resolve(c, of, NULL))
        return false;
    e->type = &assay_type_any;
    if (is_any(of))
        return true;
    assay_expr_error(c->spec, e, "%s has no parts with names", assay_type_says(of->type));
    return false;
}

static bool resolve_it(const struct context *c, struct spec_expr *e)
{
    e->type = c->scope->it ? c->scope->it : &assay_type_any;
    if (c->scope->it || c->scope->open)
        return true;
    assay_expr_error(c->spec, e, "'it' is the value in `check` and `where`; there is none here");
    return false;
}

/* ---- operators --------------------------------------------------------- */

static bool wants(const struct context *c, struct spec_expr *e, const struct spec_type *type)
{
    if (!resolve(c, e, type))
        return false;
    if (assay_type_usable(type, e->type))
        return true;
    assay_expr_error(c->spec, e, "%s is expected here, this is %s", assay_type_says(type), assay_type_says(e->type));
    return false;
}

static bool resolve_unary(const struct context *c, struct spec_expr *e)
{
    struct spec_expr *x = e->args[0];
    if (e->op == ASSAY_OP_NOT) {
        e->type = &assay_type_bool;
        return wants(c, x, &assay_type_bool);
    }
    if (!resolve(c, x, NULL))
        return false;
    e->type = x->type->kind == ASSAY_T_DURATION ? &assay_type_duration : &assay_type_int;
    if (x->type->kind == ASSAY_T_INT || is_any(x) || (x->type->kind == ASSAY_T_DURATION && e->op == ASSAY_OP_NEG))
        return true;
    assay_expr_error(c->spec, x, "a number is expected here, this is %s", assay_type_says(x->type));
    return false;
}

/* What could only be a literal of an enum. */
static bool is_bare(const struct context *c, const struct spec_expr *e)
{
    struct spec_expr probe = *e;
    if (e->kind == SPEC_E_COND)
        return is_bare(c, e->args[1]) && is_bare(c, e->args[2]);
    return e->kind == SPEC_E_NAME && !look_up(c, &probe);
}

/* Two values that are held against each other: a bare enum literal takes its type from the other side. */
static bool resolve_pair(const struct context *c, struct spec_expr *x, struct spec_expr *y,
                         const struct spec_type *expected)
{
    if (is_bare(c, x) && !(expected && expected->kind == ASSAY_T_ENUM))
        return resolve(c, y, NULL) && resolve(c, x, y->type);
    bool good = resolve(c, x, expected);
    return resolve(c, y, good ? x->type : NULL) && good;
}

static bool mismatch(const struct context *c, const struct spec_expr *e)
{
    assay_expr_error(c->spec, e, "'%s' does not go with %s and %s", e->name, assay_type_says(e->args[0]->type),
                     assay_type_says(e->args[1]->type));
    return false;
}

static bool resolve_comparison(const struct context *c, struct spec_expr *e)
{
    struct spec_expr *x = e->args[0], *y = e->args[1];
    e->type = &assay_type_bool;
    if (!resolve_pair(c, x, y, NULL))
        return false;
    if (!assay_type_usable(x->type, y->type))
        return mismatch(c, e);
    uint8_t kind = x->type->kind;
    bool equality = e->op == ASSAY_OP_EQ || e->op == ASSAY_OP_NE;
    if (!equality && kind != ASSAY_T_INT && kind != ASSAY_T_DURATION && kind != SPEC_T_ANY)
        return mismatch(c, e);
    if (equality && (assay_kind_is_bytes(kind) || kind == ASSAY_T_LIST))
        e->op = e->op == ASSAY_OP_EQ ? ASSAY_OP_SAME : ASSAY_OP_DIFFER;
    return true;
}

/* What `op` makes of two kinds of numbers; NULL: nothing. */
static const struct spec_type *arithmetic(enum assay_op op, uint8_t x, uint8_t y)
{
    if (x == SPEC_T_ANY || y == SPEC_T_ANY)
        return &assay_type_any;
    if (x == ASSAY_T_INT && y == ASSAY_T_INT)
        return &assay_type_int;
    bool both = x == ASSAY_T_DURATION && y == ASSAY_T_DURATION;
    if (both && (op == ASSAY_OP_ADD || op == ASSAY_OP_SUB || op == ASSAY_OP_MOD))
        return &assay_type_duration;
    if (both && op == ASSAY_OP_DIV)
        return &assay_type_int;
    if (op == ASSAY_OP_MUL && (x == ASSAY_T_DURATION || y == ASSAY_T_DURATION) &&
        (x == ASSAY_T_INT || y == ASSAY_T_INT))
        return &assay_type_duration;
    if (op == ASSAY_OP_DIV && x == ASSAY_T_DURATION && y == ASSAY_T_INT)
        return &assay_type_duration;
    return NULL;
}

static bool resolve_arithmetic(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    struct spec_expr *x = e->args[0], *y = e->args[1];
    const struct spec_type *inner = expected && expected->kind == ASSAY_T_LIST ? expected : NULL;
    if (!resolve_pair(c, x, y, inner))
        return false;
    bool joins = e->op == ASSAY_OP_ADD && (assay_kind_is_bytes(x->type->kind) || x->type->kind == ASSAY_T_LIST);
    if (joins && assay_type_usable(x->type, y->type)) {
        e->kind = SPEC_E_JOIN;
        const struct spec_type *list = x->type->element ? x->type : y->type;
        e->type = x->type->kind == ASSAY_T_LIST ? list : &assay_type_bytes;
        return true;
    }
    e->type = arithmetic(e->op, x->type->kind, y->type->kind);
    if (e->type)
        return true;
    e->type = &assay_type_any;
    return mismatch(c, e);
}

static bool resolve_binary(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    return e->op >= ASSAY_OP_EQ && e->op <= ASSAY_OP_GE ? resolve_comparison(c, e) : resolve_arithmetic(c, e, expected);
}

static bool resolve_logic(const struct context *c, struct spec_expr *e)
{
    e->type = &assay_type_bool;
    bool left = wants(c, e->args[0], &assay_type_bool);
    return wants(c, e->args[1], &assay_type_bool) && left;
}

static bool resolve_cond(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    bool good = wants(c, e->args[0], &assay_type_bool);
    if (!resolve_pair(c, e->args[1], e->args[2], expected) || !good)
        return false;
    e->type = e->args[1]->type;
    if (assay_type_usable(e->type, e->args[2]->type))
        return true;
    assay_expr_error(c->spec, e, "the two ways give %s and %s", assay_type_says(e->args[1]->type),
                     assay_type_says(e->args[2]->type));
    return false;
}

/* x in [a, b]: the list's elements become arguments. */
static bool resolve_in(const struct context *c, struct spec_expr *e)
{
    struct spec_expr *x = e->args[0], *list = e->args[1];
    e->type = &assay_type_bool;
    if (!resolve(c, x, NULL))
        return false;
    if (list->kind != SPEC_E_LIST) {
        if (c->scope->open)
            return resolve(c, list, NULL);
        assay_expr_error(c->spec, list, "behind 'in' stands a list: [a, b]");
        return false;
    }
    struct spec_expr **args = assay_arena_alloc(&c->spec->arena, (list->count + 1) * sizeof(struct spec_expr *));
    args[0] = x;
    bool good = true;
    for (size_t i = 0; i < list->count; i++) {
        args[i + 1] = list->args[i];
        good = wants(c, list->args[i], x->type) && good;
    }
    e->args = args;
    e->count = list->count + 1;
    return good;
}

/* ---- bytes and lists --------------------------------------------------- */

static bool holds_items(const struct context *c, struct spec_expr *e)
{
    if (!resolve(c, e, NULL))
        return false;
    if (assay_kind_is_bytes(e->type->kind) || e->type->kind == ASSAY_T_LIST || is_any(e))
        return true;
    assay_expr_error(c->spec, e, "bytes or a list is expected here, this is %s", assay_type_says(e->type));
    return false;
}

static bool resolve_index(const struct context *c, struct spec_expr *e)
{
    static const struct spec_type byte = {.name = "u8", .kind = ASSAY_T_INT, .min = 0, .max = 255};
    struct spec_expr *of = e->args[0];
    bool good = holds_items(c, of);
    e->type = &assay_type_any;
    if (good && is_any(of))
        return resolve(c, e->args[1], NULL);
    good = wants(c, e->args[1], &assay_type_int) && good;
    if (good)
        e->type = assay_kind_is_bytes(of->type->kind) ? &byte : of->type->element ? of->type->element : &assay_type_int;
    return good;
}

static bool resolve_slice(const struct context *c, struct spec_expr *e)
{
    bool good = holds_items(c, e->args[0]);
    good = wants(c, e->args[1], &assay_type_int) && good;
    good = wants(c, e->args[2], &assay_type_int) && good;
    e->type = !good                                         ? &assay_type_any
              : assay_kind_is_bytes(e->args[0]->type->kind) ? &assay_type_bytes
                                                            : e->args[0]->type;
    return good;
}

static bool resolve_list(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    const struct spec_type *element = expected && expected->kind == ASSAY_T_LIST ? expected->element : NULL;
    for (size_t i = 0; i < e->count; i++) {
        if (!(element ? wants(c, e->args[i], element) : resolve(c, e->args[i], NULL)))
            return false;
        element = element ? element : e->args[i]->type;
    }
    e->type = &assay_type_list;
    if (!element)
        return true;
    if (!assay_kind_is_scalar(element->kind) && element->kind != SPEC_T_ANY) {
        if (!c->scope->open)
            assay_spec_declared(c->spec, assay_expr_at(c->spec, e), "lists of anything but numbers");
        e->type = &assay_type_any;
        return true;
    }
    struct spec_type *type = ASSAY_NEW(&c->spec->arena, struct spec_type);
    *type = assay_type_list;
    type->element = assay_arena_copy(&c->spec->arena, element, sizeof *element);
    e->type = type;
    return true;
}

static bool resolve_join(const struct context *c, struct spec_expr *e)
{
    bool good = true;
    e->type = &assay_type_bytes;
    for (size_t i = 0; i < e->count; i++) {
        struct spec_expr *x = e->args[i];
        if (!resolve(c, x, NULL)) {
            good = false;
        } else if (!assay_kind_is_bytes(x->type->kind) && x->type->kind != ASSAY_T_INT &&
                   x->type->kind != ASSAY_T_ENUM && !is_any(x)) {
            assay_expr_error(c->spec, x, "text can hold numbers, enums and bytes; this is %s",
                             assay_type_says(x->type));
            good = false;
        }
    }
    return good;
}

/* ---- functions --------------------------------------------------------- */

static const struct spec_function *find_function(const char *name)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

static bool declared_function(const struct context *c, const char *name)
{
    for (size_t i = 0; i < DECLARED; i++)
        if (strcmp(declared[i], name) == 0)
            return true;
    return assay_node_get(assay_node_get(c->spec->root, "functions"), name) != NULL;
}

static bool resolve_parts_open(const struct context *c, struct spec_expr *e)
{
    struct spec_scope open = c->scope ? *c->scope : (struct spec_scope){0};
    open.open = true;
    struct context inner = {c->spec, &open};
    bool good = true;
    e->type = &assay_type_any;
    for (size_t i = 0; i < e->count; i++)
        good = resolve(&inner, e->args[i], NULL) && good;
    return good;
}

static bool resolve_declared(const struct context *c, struct spec_expr *e)
{
    if (!c->scope->open) {
        const char *what = e->name                               ? assay_arena_printf(&c->spec->arena, "'%s'", e->name)
                           : e->node->kind == ASSAY_NODE_MAPPING ? "a value that is a mapping"
                                                                 : "'none', or a slice without end";
        assay_spec_declared(c->spec, assay_expr_at(c->spec, e), what);
    }
    return resolve_parts_open(c, e);
}

static bool resolve_type_name(const struct context *c, struct spec_expr *e)
{
    const struct spec_type *type = e->kind == SPEC_E_NAME ? assay_type_builtin(c->spec, e->name) : NULL;
    if (type)
        e->type = type;
    SPEC_EACH (struct spec_named_type, named, &c->spec->types)
        if (e->kind == SPEC_E_NAME && named->type && strcmp(named->name, e->name) == 0)
            e->type = type = named->type;
    if (type && type->kind == ASSAY_T_INT)
        return true;
    assay_expr_error(c->spec, e, "the name of a number type is expected here, such as i32");
    return false;
}

static bool resolve_argument(const struct context *c, struct spec_expr *e, char kind)
{
    switch (kind) {
    case 't':
        return resolve_type_name(c, e);
    case 'b':
        return wants(c, e, &assay_type_bytes);
    case 'l':
        return wants(c, e, &assay_type_list);
    case 'n':
        return wants(c, e, &assay_type_int);
    }
    if (!resolve(c, e, NULL))
        return false;
    if (kind == 'p' && (is_any(e) || (e->kind == SPEC_E_FIELD && e->type->form == ASSAY_FORM_PAIRS)))
        return true;
    if (kind == 'f' && (e->kind == SPEC_E_FIELD || e->kind == SPEC_E_RECORD || is_any(e)))
        return true;
    assay_expr_error(c->spec, e,
                     kind == 'p' ? "a field of type pairs is expected here" : "the name of a field is expected here");
    return false;
}

static bool unknown_function(const struct context *c, const struct spec_expr *e)
{
    struct assay_near near = {.wanted = e->name};
    for (size_t i = 0; i < FUNCTIONS; i++)
        assay_near_add(&near, functions[i].name);
    for (size_t i = 0; i < DECLARED; i++)
        assay_near_add(&near, declared[i]);
    assay_expr_error(c->spec, e, "there is no function '%s'%s", e->name, assay_near_text(&near));
    return false;
}

static bool resolve_call(const struct context *c, struct spec_expr *e)
{
    const struct spec_function *f = find_function(e->name);
    e->type = &assay_type_any;
    if (!f)
        return declared_function(c, e->name) ? resolve_declared(c, e) : unknown_function(c, e);
    if (e->count != strlen(f->params)) {
        if (c->scope->open)
            return resolve_parts_open(c, e);
        assay_expr_error(c->spec, e, "%s() takes %zu argument%s, here are %zu", f->name, strlen(f->params),
                         strlen(f->params) == 1 ? "" : "s", e->count);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < e->count; i++)
        good = resolve_argument(c, e->args[i], f->params[i]) && good;
    e->ref.function = f;
    e->type = f->result == 'n' ? &assay_type_int : f->result == 'b' ? &assay_type_bytes : &assay_type_bool;
    return good;
}

/* ---- all --------------------------------------------------------------- */

/* Constants, and names that are resolved already. */
static bool resolve_leaf(struct spec_expr *e)
{
    static const struct spec_type *const types[] = {
        [SPEC_E_INT] = &assay_type_int,
        [SPEC_E_BOOL] = &assay_type_bool,
        [SPEC_E_DURATION] = &assay_type_duration,
        [SPEC_E_TEXT] = &assay_type_bytes,
    };
    if (e->kind <= SPEC_E_TEXT)
        e->type = types[e->kind];
    return true;
}

static bool resolve(const struct context *c, struct spec_expr *e, const struct spec_type *expected)
{
    if (!e->type)
        e->type = &assay_type_any;
    switch (e->kind) {
    case SPEC_E_INT:
    case SPEC_E_BOOL:
    case SPEC_E_DURATION:
    case SPEC_E_TEXT:
    case SPEC_E_LITERAL:
    case SPEC_E_FIELD:
    case SPEC_E_VAR:
    case SPEC_E_ARG:
    case SPEC_E_PARAM:
    case SPEC_E_LET:
    case SPEC_E_RECORD:
        return resolve_leaf(e);
    case SPEC_E_JOIN:
        return resolve_join(c, e);
    case SPEC_E_NAME:
        return resolve_name(c, e, expected);
    case SPEC_E_IT:
        return resolve_it(c, e);
    case SPEC_E_UNARY:
        return resolve_unary(c, e);
    case SPEC_E_BINARY:
        return resolve_binary(c, e, expected);
    case SPEC_E_AND:
    case SPEC_E_OR:
        return resolve_logic(c, e);
    case SPEC_E_COND:
        return resolve_cond(c, e, expected);
    case SPEC_E_IN:
        return resolve_in(c, e);
    case SPEC_E_INDEX:
        return resolve_index(c, e);
    case SPEC_E_SLICE:
        return resolve_slice(c, e);
    case SPEC_E_LIST:
        return resolve_list(c, e, expected);
    case SPEC_E_CALL:
        return resolve_call(c, e);
    case SPEC_E_MEMBER:
        return resolve_member(c, e);
    case SPEC_E_DECLARED:
        return resolve_declared(c, e);
    }
    return false;
}

static bool constant_fits(struct assay_spec *spec, const struct spec_expr *e, const struct spec_type *type)
{
    int64_t n;
    if (e->kind == SPEC_E_TEXT && assay_kind_is_bytes(type->kind) &&
        ((int64_t)e->text.n < type->min || (int64_t)e->text.n > type->max)) {
        assay_expr_error(spec, e, "this text has %u bytes; %s has %lld to %lld", e->text.n,
                         type->name ? type->name : "the type", (long long)type->min, (long long)type->max);
        return false;
    }
    if ((type->kind != ASSAY_T_INT && type->kind != ASSAY_T_DURATION) || !assay_expr_number(e, &n))
        return true;
    if (n >= type->min && n <= type->max)
        return true;
    assay_expr_error(spec, e, "%lld is outside %lld..%lld, the values of %s", (long long)n, (long long)type->min,
                     (long long)type->max, type->name ? type->name : "the type");
    return false;
}

bool assay_expr_resolve(struct assay_spec *spec, struct spec_expr *e, const struct spec_scope *scope,
                        const struct spec_type *expected)
{
    struct context c = {spec, scope};
    if (!e)
        return false;
    if (!expected)
        return resolve(&c, e, NULL);
    return wants(&c, e, expected) && constant_fits(spec, e, expected);
}

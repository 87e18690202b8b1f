/* Types of expressions: operators, functions. */
#include <stdarg.h>
#include <string.h>

#include "compiler/expr_resolve.h"
#include "compiler/types.h"

static const struct spec_function functions[] = {
    {"size", "b", SPEC_F_SIZE, 'n', ASSAY_OP_SIZE},
    {"len", "l", SPEC_F_LEN, 'n', ASSAY_OP_LEN},
    {"fits", "nt", SPEC_F_FITS, '?', ASSAY_OP_WITHIN},
    {"present", "f", SPEC_F_PRESENT, '?', ASSAY_OP_KNOWN},
    {"min", "mm", SPEC_F_MIN, 'm', ASSAY_OP_MIN},
    {"max", "mm", SPEC_F_MAX, 'm', ASSAY_OP_MAX},
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
    {"crc32c", NULL, SPEC_F_SUM, 'n', ASSAY_OP_SUM},
    {"crc16", NULL, SPEC_F_SUM, 'n', ASSAY_OP_SUM},
    {"inet16", NULL, SPEC_F_SUM, 'n', ASSAY_OP_SUM},
    {"sum8", NULL, SPEC_F_SUM, 'n', ASSAY_OP_SUM},
    {"seal", NULL, SPEC_F_SEAL, 'b', ASSAY_OP_SEAL},
    {"sealed", NULL, SPEC_F_SEALED, '?', ASSAY_OP_SEALED},
    {"random", NULL, SPEC_F_RANDOM, 'b', ASSAY_OP_RANDOM},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* Functions that are declared only. */
static const char *const declared[] = {"all",  "any",    "count", "covers", "first", "fresh",   "has",
                                       "join", "linked", "list",  "recode", "split", "unrecode"};
#define DECLARED (sizeof declared / sizeof declared[0])

void assay_expr_error(struct assay_spec *spec, const struct spec_expr *e, const char *format, ...)
{
    char text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assay_diag(spec->diags, ASSAY_ERROR, assay_expr_at(spec, e), "%s", text);
}

/* ---- operators --------------------------------------------------------- */

static bool wants(const struct resolving *c, struct spec_expr *e, const struct spec_type *type)
{
    if (!assay_resolve_expr(c, e, type))
        return false;
    if (assay_type_usable(type, e->type))
        return true;
    assay_expr_error(c->spec, e, "%s is expected here, this is %s", assay_type_says(type), assay_type_says(e->type));
    return false;
}

static bool resolve_unary(const struct resolving *c, struct spec_expr *e)
{
    struct spec_expr *x = e->args[0];
    if (e->op == ASSAY_OP_NOT) {
        e->type = &assay_type_bool;
        return wants(c, x, &assay_type_bool);
    }
    if (!assay_resolve_expr(c, x, NULL))
        return false;
    e->type = x->type->kind == ASSAY_T_DURATION ? &assay_type_duration : &assay_type_int;
    if (x->type->kind == ASSAY_T_INT || assay_is_any(x) || (x->type->kind == ASSAY_T_DURATION && e->op == ASSAY_OP_NEG))
        return true;
    assay_expr_error(c->spec, x, "a number is expected here, this is %s", assay_type_says(x->type));
    return false;
}

/* What could only be a literal of an enum. */
static bool is_bare(const struct resolving *c, const struct spec_expr *e)
{
    struct spec_expr probe = *e;
    if (e->kind == SPEC_E_COND)
        return is_bare(c, e->args[1]) && is_bare(c, e->args[2]);
    return e->kind == SPEC_E_NAME && !assay_name_look_up(c, &probe);
}

/* Two values that are held against each other: a bare enum literal takes its type from the other side. */
static bool resolve_pair(const struct resolving *c, struct spec_expr *x, struct spec_expr *y,
                         const struct spec_type *expected)
{
    if (is_bare(c, x) && !(expected && expected->kind == ASSAY_T_ENUM))
        return assay_resolve_expr(c, y, NULL) && assay_resolve_expr(c, x, y->type);
    bool good = assay_resolve_expr(c, x, expected);
    return assay_resolve_expr(c, y, good ? x->type : NULL) && good;
}

static bool mismatch(const struct resolving *c, const struct spec_expr *e)
{
    assay_expr_error(c->spec, e, "'%s' does not go with %s and %s", e->name, assay_type_says(e->args[0]->type),
                     assay_type_says(e->args[1]->type));
    return false;
}

static bool resolve_comparison(const struct resolving *c, struct spec_expr *e)
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

static bool resolve_arithmetic(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
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

static bool resolve_binary(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
{
    return e->op >= ASSAY_OP_EQ && e->op <= ASSAY_OP_GE ? resolve_comparison(c, e) : resolve_arithmetic(c, e, expected);
}

static bool resolve_logic(const struct resolving *c, struct spec_expr *e)
{
    e->type = &assay_type_bool;
    bool left = wants(c, e->args[0], &assay_type_bool);
    return wants(c, e->args[1], &assay_type_bool) && left;
}

static bool resolve_cond(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
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
static bool resolve_in(const struct resolving *c, struct spec_expr *e)
{
    struct spec_expr *x = e->args[0], *list = e->args[1];
    e->type = &assay_type_bool;
    if (!assay_resolve_expr(c, x, NULL))
        return false;
    if (list->kind != SPEC_E_LIST) {
        if (c->scope->open)
            return assay_resolve_expr(c, list, NULL);
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

static bool holds_items(const struct resolving *c, struct spec_expr *e)
{
    if (!assay_resolve_expr(c, e, NULL))
        return false;
    if (assay_kind_is_bytes(e->type->kind) || e->type->kind == ASSAY_T_LIST || assay_is_any(e))
        return true;
    assay_expr_error(c->spec, e, "bytes or a list is expected here, this is %s", assay_type_says(e->type));
    return false;
}

static bool resolve_index(const struct resolving *c, struct spec_expr *e)
{
    static const struct spec_type byte = {.name = "u8", .kind = ASSAY_T_INT, .min = 0, .max = 255};
    struct spec_expr *of = e->args[0];
    const struct spec_table *table = assay_table_indexed(c, e);
    e->type = &assay_type_any;
    if (table) {
        assay_expr_error(c->spec, e, "a row has no value of its own: ask has(%s[...]), or name one of its columns",
                         table->name);
        return false;
    }
    bool good = holds_items(c, of);
    if (good && assay_is_any(of))
        return assay_resolve_expr(c, e->args[1], NULL);
    good = wants(c, e->args[1], &assay_type_int) && good;
    if (good)
        e->type = assay_kind_is_bytes(of->type->kind) ? &byte : of->type->element ? of->type->element : &assay_type_int;
    return good;
}

static bool resolve_slice(const struct resolving *c, struct spec_expr *e)
{
    bool good = holds_items(c, e->args[0]);
    good = wants(c, e->args[1], &assay_type_int) && good;
    good = wants(c, e->args[2], &assay_type_int) && good;
    e->type = !good                                         ? &assay_type_any
              : assay_kind_is_bytes(e->args[0]->type->kind) ? &assay_type_bytes
                                                            : e->args[0]->type;
    return good;
}

static bool resolve_list(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
{
    const struct spec_type *element = expected && expected->kind == ASSAY_T_LIST ? expected->element : NULL;
    for (size_t i = 0; i < e->count; i++) {
        if (!(element ? wants(c, e->args[i], element) : assay_resolve_expr(c, e->args[i], NULL)))
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

static bool resolve_join(const struct resolving *c, struct spec_expr *e)
{
    bool good = true;
    e->type = &assay_type_bytes;
    for (size_t i = 0; i < e->count; i++) {
        struct spec_expr *x = e->args[i];
        if (!assay_resolve_expr(c, x, NULL)) {
            good = false;
        } else if (!assay_kind_is_bytes(x->type->kind) && x->type->kind != ASSAY_T_INT &&
                   x->type->kind != ASSAY_T_ENUM && !assay_is_any(x)) {
            assay_expr_error(c->spec, x, "text can hold numbers, enums and bytes; this is %s",
                             assay_type_says(x->type));
            good = false;
        }
    }
    return good;
}

/* ---- functions --------------------------------------------------------- */

const struct spec_function *assay_function_named(const char *name)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

static bool declared_function(const struct resolving *c, const char *name)
{
    for (size_t i = 0; i < DECLARED; i++)
        if (strcmp(declared[i], name) == 0)
            return true;
    return assay_node_get(assay_node_get(c->spec->root, "functions"), name) != NULL;
}

static bool resolve_parts_open(const struct resolving *c, struct spec_expr *e)
{
    struct spec_scope open = c->scope ? *c->scope : (struct spec_scope){0};
    open.open = true;
    struct resolving inner = {c->spec, &open};
    bool good = true;
    e->type = &assay_type_any;
    for (size_t i = 0; i < e->count; i++)
        good = assay_resolve_expr(&inner, e->args[i], NULL) && good;
    return good;
}

static bool resolve_declared(const struct resolving *c, struct spec_expr *e)
{
    if (!c->scope->open) {
        const char *what = e->name                               ? assay_arena_printf(&c->spec->arena, "'%s'", e->name)
                           : e->node->kind == ASSAY_NODE_MAPPING ? "a value that is a mapping"
                                                                 : "'none', or a slice without end";
        assay_spec_declared(c->spec, assay_expr_at(c->spec, e), what);
    }
    return resolve_parts_open(c, e);
}

static bool resolve_type_name(const struct resolving *c, struct spec_expr *e)
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

static bool resolve_argument(const struct resolving *c, struct spec_expr *e, char kind)
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
    if (!assay_resolve_expr(c, e, NULL))
        return false;
    if (kind == 'm' && e->type->kind != ASSAY_T_DURATION && e->type->kind != ASSAY_T_INT && !assay_is_any(e)) {
        assay_expr_error(c->spec, e, "a number is expected here, this is %s", assay_type_says(e->type));
        return false;
    }
    if (kind == 'm')
        return true;
    if (kind == 'p' && (assay_is_any(e) || (e->kind == SPEC_E_FIELD && e->type->form == ASSAY_FORM_PAIRS)))
        return true;
    if (kind == 'f' && (e->kind == SPEC_E_FIELD || e->kind == SPEC_E_RECORD || assay_is_any(e)))
        return true;
    assay_expr_error(c->spec, e,
                     kind == 'p' ? "a field of type pairs is expected here" : "the name of a field is expected here");
    return false;
}

static bool mismatched_args(const struct resolving *c, const struct spec_expr *e)
{
    assay_expr_error(c->spec, e, "%s() does not go with %s and %s", e->name, assay_type_says(e->args[0]->type),
                     assay_type_says(e->args[1]->type));
    return false;
}

static bool unknown_function(const struct resolving *c, const struct spec_expr *e)
{
    struct assay_near near = {.wanted = e->name};
    for (size_t i = 0; i < FUNCTIONS; i++)
        assay_near_add(&near, functions[i].name);
    for (size_t i = 0; i < DECLARED; i++)
        assay_near_add(&near, declared[i]);
    assay_expr_error(c->spec, e, "there is no function '%s'%s", e->name, assay_near_text(&near));
    return false;
}

static bool resolve_call(const struct resolving *c, struct spec_expr *e)
{
    const struct spec_function *f = assay_function_named(e->name);
    e->type = &assay_type_any;
    if (!f && !c->scope->open && strcmp(e->name, "has") == 0)
        return assay_resolve_has(c, e);
    if (!f)
        return declared_function(c, e->name) ? resolve_declared(c, e) : unknown_function(c, e);
    e->ref.function = f;
    if (!f->params)
        return c->scope->open ? resolve_parts_open(c, e) : assay_resolve_world_call(c, e);
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
    if (good && f->result == 'm') {
        e->type = e->args[0]->type;
        if (!assay_type_usable(e->type, e->args[1]->type))
            return mismatched_args(c, e);
        e->type = e->type->kind == ASSAY_T_DURATION ? &assay_type_duration : &assay_type_int;
        return true;
    }
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

bool assay_resolve_expr(const struct resolving *c, struct spec_expr *e, const struct spec_type *expected)
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
    case SPEC_E_PEER:
    case SPEC_E_HAS:
    case SPEC_E_CELL:
        return resolve_leaf(e);
    case SPEC_E_JOIN:
        return resolve_join(c, e);
    case SPEC_E_NAME:
        return assay_resolve_name(c, e, expected);
    case SPEC_E_IT:
        return assay_resolve_it(c, e);
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
        return assay_resolve_member(c, e);
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
    struct resolving c = {spec, scope};
    if (!e)
        return false;
    if (!expected)
        return assay_resolve_expr(&c, e, NULL);
    return wants(&c, e, expected) && constant_fits(spec, e, expected);
}

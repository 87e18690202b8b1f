/* Types: their keys, names, and putting one together from form and refinements. */
#include <string.h>

#include "compiler/read_type.h"
#include "compiler/types.h"

#define DEPTH_MAX 32

/* ---- keys -------------------------------------------------------------- */

#define D(text) SHAPE_ANY | SHAPE_DECLARED, text
const struct shape_key assay_type_keys[T_KEYS] = {
    [T_TYPE] = {"type", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_ENUM] = {"enum", SHAPE_SCALAR, NULL},
    [T_OF] = {"of", SHAPE_MAPPING, NULL},
    [T_OPEN] = {"open", SHAPE_SCALAR, NULL},
    [T_FOLD] = {"fold", SHAPE_SCALAR, NULL},
    [T_BYTES] = {"bytes", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_TEXT] = {"text", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_CHARSET] = {"charset", SHAPE_SCALAR, NULL},
    [T_DECIMAL] = {"decimal", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_HEX] = {"hex", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_VARINT] = {"varint", SHAPE_MAPPING, NULL},
    [T_CONST] = {"const", SHAPE_SCALAR, NULL},
    [T_LIST] = {"list", SHAPE_ANY, NULL},
    [T_COUNT] = {"count", SHAPE_SCALAR, NULL},
    [T_UNTIL] = {"until", SHAPE_SCALAR, NULL},
    [T_MOST] = {"most", SHAPE_SCALAR, NULL},
    [T_CALC] = {"calc", SHAPE_SCALAR, NULL},
    [T_MIN] = {"min", SHAPE_SCALAR, NULL},
    [T_MAX] = {"max", SHAPE_SCALAR, NULL},
    [T_IN] = {"in", SHAPE_SEQUENCE, NULL},
    [T_CHARS] = {"chars", SHAPE_SCALAR, NULL},
    [T_FIRST] = {"first", SHAPE_SCALAR, NULL},
    [T_NOT] = {"not", SHAPE_SCALAR, NULL},
    [T_CHECK] = {"check", SHAPE_SCALAR, NULL},
    [T_FAULT] = {"fault", SHAPE_SCALAR, NULL},
    [T_REQ] = {"req", SHAPE_SCALAR, NULL},
    [T_SAMPLES] = {"samples", SHAPE_SEQUENCE, NULL},
    [T_LOOSE] = {"loose", SHAPE_MAPPING, NULL},
    [T_OUTSIDE] = {"outside", SHAPE_SEQUENCE, NULL},
    [T_RECORD] = {"record", SHAPE_SEQUENCE, NULL},
    [T_CHOICE] = {"choice", D("a choice")},
    [T_SWITCH] = {"switch", D("a union by a field")},
    [T_BAG] = {"bag", D("a bag of options")},
    [T_FORMS] = {"forms", D("several encodings of one value")},
    [T_PAIRS] = {"pairs", SHAPE_MAPPING, NULL},
    [T_JSON] = {"json", SHAPE_MAPPING, NULL},
    [T_IS] = {"is", SHAPE_SCALAR, NULL},
    [T_DEFAULT] = {"default", SHAPE_ANY, NULL},
    [T_IF] = {"if", SHAPE_SCALAR, NULL},
    [T_INIT] = {"init", SHAPE_ANY, NULL},
    [T_OPTIONAL] = {"optional", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [T_WILD] = {"wild", D("a topic filter")},
    [T_VALUE] = {"value", D("a value inside a structured one")},
    [T_MEMBERS] = {"keys", D("keys of a bag")},
    [T_UNKNOWN] = {"unknown", D("keys of a bag")},
    [T_BAD_VALUE] = {"bad-value", D("keys of a bag")},
    [T_SORT] = {"sort", D("keys of a bag")},
    [T_TAG] = {"tag", D("keys of a bag")},
    [T_MANY] = {"many", D("keys of a bag")},
    [T_SEPARATOR] = {"separator", D("a list with separators")},
    [T_RUN] = {"run", D("a list with separators")},
    [T_NAME] = {"name", D("key=value pairs")},
    [T_SORTED] = {"sorted", D("key=value pairs")},
    [T_DUPLICATES] = {"duplicates", D("key=value pairs")},
    [T_WRITE] = {"write", D("several encodings of one value")},
    [T_LEAD] = {"lead", SHAPE_SCALAR, NULL},
    [T_TAIL] = {"tail", SHAPE_SCALAR, NULL},
    [T_MISSING] = {"missing", D("an optional value")},
    [T_FLAT] = {"flat", D("fields of a structured value")},
    [T_KEY] = {"key", SHAPE_SCALAR, NULL},
    [T_PAIR] = {"pair", SHAPE_SCALAR, NULL},
    [T_CHOSEN] = {"chosen", D("a value that the target chooses once")},
    [T_DEPTH] = {"depth", SHAPE_SCALAR, NULL},
};

/* ---- named types ------------------------------------------------------- */

static struct spec_type *named(struct assay_spec *spec, struct spec_named_type *n)
{
    if (n->state == 1) {
        assay_spec_error(spec, n->at, "the type '%s' contains itself", n->name);
        return NULL;
    }
    if (n->state == 0) {
        n->state = 1;
        n->type = assay_read_type(spec, n->node, n->name, NULL);
        n->state = 2;
    }
    return n->type;
}

static struct spec_type *by_name(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_named_type, n, &spec->types) {
        if (strcmp(n->name, node->text) == 0) {
            n->used = true;
            struct spec_type *t = named(spec, n);
            return t ? assay_arena_copy(&spec->arena, t, sizeof *t) : NULL;
        }
        assay_near_add(&near, n->name);
    }
    struct spec_type *t = assay_type_builtin(spec, node->text);
    if (t)
        return t;
    static const char *const builtins[] = {"u8",  "u16", "u32",  "u64",   "i8",   "i16",
                                           "i32", "i64", "bool", "bytes", "text", "duration"};
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        assay_near_add(&near, builtins[i]);
    if (assay_node_is(node, "blob")) {
        assay_spec_declared(spec, node->at, "bytes that the host holds");
        return assay_arena_copy(&spec->arena, &assay_type_any, sizeof assay_type_any);
    }
    assay_spec_error(spec, node->at, "no type is called '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

void assay_read_base_type(struct reading *r)
{
    const struct assay_node *node = r->of[T_TYPE];
    struct spec_type *t =
        node->kind == ASSAY_NODE_SCALAR ? by_name(r->spec, node) : assay_read_type(r->spec, node, NULL, NULL);
    *r->type = t ? *t : assay_type_any;
}

static void read_mapping(struct reading *r, const char *name, const struct assay_node **extras)
{
    static const unsigned extra_keys[FIELD_KEYS] = {[FIELD_IS] = T_IS,
                                                    [FIELD_DEFAULT] = T_DEFAULT,
                                                    [FIELD_IF] = T_IF,
                                                    [FIELD_INIT] = T_INIT,
                                                    [FIELD_LEAD] = T_LEAD,
                                                    [FIELD_TAIL] = T_TAIL,
                                                    [FIELD_OPTIONAL] = T_OPTIONAL,
                                                    [FIELD_PAIR] = T_PAIR,
                                                    [FIELD_KEY] = T_KEY};
    *r->type = assay_type_any;
    r->type->name = NULL;
    if (!assay_shape(r->spec, r->node, "a type", assay_type_keys, T_KEYS, r->of))
        return;
    assay_read_form(r, name);
    assay_refine_type(r);
    for (unsigned i = 0; i < FIELD_KEYS; i++) {
        const struct assay_node *extra = r->of[extra_keys[i]];
        if (extras)
            extras[i] = extra;
        else if (extra && i >= FIELD_LEAD)
            assay_spec_declared(r->spec, extra->key->at, "parts of values inside structured ones");
        else if (extra)
            assay_spec_error(r->spec, extra->key->at, "'%s' does not belong to this type", extra->key->text);
    }
}

struct spec_type *assay_read_type(struct assay_spec *spec, const struct assay_node *node, const char *name,
                                  const struct assay_node **extras)
{
    struct reading r = {.spec = spec, .node = node, .type = ASSAY_NEW(&spec->arena, struct spec_type)};
    if (extras)
        memset(extras, 0, FIELD_KEYS * sizeof *extras);
    if (node->kind == ASSAY_NODE_SCALAR) {
        struct spec_type *t = by_name(spec, node);
        if (t)
            t->at = node->at;
        return t;
    }
    if (spec->type_depth >= DEPTH_MAX) {
        assay_spec_error(spec, node->at, "types stand too deep in each other");
        return NULL;
    }
    spec->type_depth++;
    read_mapping(&r, name, extras);
    spec->type_depth--;
    r.type->at = node->at;
    r.type->node = node;
    if (name)
        r.type->name = name;
    return r.type;
}

void assay_read_types(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_named_type *n = ASSAY_NEW(&spec->arena, struct spec_named_type);
        *n = (struct spec_named_type){.at = child->key->at, .name = child->key->text, .node = child};
        assay_read_name(spec, n->name, n->at, "a type");
        if (assay_type_builtin(spec, n->name))
            assay_spec_error(spec, n->at, "'%s' is there from the start; choose another name", n->name);
        assay_list_add(spec, &spec->types, n);
    }
    for (size_t i = 0; i < spec->types.count; i++)
        named(spec, spec->types.items[i]);
}

struct spec_type *assay_plain_type(struct assay_spec *spec, struct spec_type *type, const struct assay_node *node)
{
    if (!type || (type->kind != SPEC_T_RECORD && type->form != ASSAY_FORM_OBJECT))
        return type;
    assay_spec_declared(spec, node->at, "structured values outside of fields");
    return assay_arena_copy(&spec->arena, &assay_type_any, sizeof *type);
}

void assay_plain_extras(struct assay_spec *spec, const struct assay_node *const *extras)
{
    for (unsigned i = FIELD_LEAD; i < FIELD_KEYS; i++)
        if (extras[i])
            assay_spec_declared(spec, extras[i]->key->at,
                                i == FIELD_OPTIONAL ? "an optional value" : extras[i]->key->text);
}

static struct spec_expr *again(struct assay_spec *spec, const struct spec_expr *e)
{
    return e ? assay_expr_parse(spec, e->node) : NULL;
}

struct spec_type *assay_type_instance(struct assay_spec *spec, const struct spec_type *type)
{
    struct spec_type *t = assay_arena_copy(&spec->arena, type, sizeof *type);
    t->check = again(spec, type->check);
    t->calc = again(spec, type->calc);
    t->extent.size = again(spec, type->extent.size);
    t->in = (struct spec_list){0};
    SPEC_EACH (struct spec_expr, e, &type->in)
        assay_list_add(spec, &t->in, again(spec, e));
    return t;
}

/* Types: how values stand on the wire - extents, enums, forms. */
#include <string.h>

#include "compiler/read_type.h"
#include "compiler/types.h"

/* ---- extents ----------------------------------------------------------- */

bool assay_read_delims(struct assay_spec *spec, const struct assay_node *node, struct spec_list *delims)
{
    const struct assay_node *one = node->kind == ASSAY_NODE_SCALAR ? node : node->first;
    bool single = node->kind == ASSAY_NODE_SCALAR;
    for (; one; one = single ? NULL : one->next) {
        struct assay_blob *blob = ASSAY_NEW(&spec->arena, struct assay_blob);
        if (!assay_read_bytes(spec, one, false, blob))
            return false;
        if (blob->n == 0) {
            assay_spec_error(spec, one->at, "a delimiter has at least one byte");
            return false;
        }
        assay_list_add(spec, delims, blob);
    }
    if (delims->count == 0)
        assay_spec_error(spec, node->at, "at least one delimiter is needed");
    return delims->count > 0;
}

static void read_prefix(struct assay_spec *spec, const struct assay_node *node, struct spec_extent *x)
{
    x->kind = ASSAY_EXT_PREFIX;
    x->little = spec->little;
    if (assay_node_is(node, "varint"))
        return;
    const struct spec_type *t = node->kind == ASSAY_NODE_SCALAR ? assay_type_builtin(spec, node->text) : NULL;
    bool good = t && t->kind == ASSAY_T_INT && !(t->flags & ASSAY_F_SIGNED) && t->bits % 8 == 0;
    if (!good)
        assay_spec_error(spec, node->at, "a prefix is u8, u16, u32 or varint");
    x->fixed = good ? t->bits : 8;
    x->little = good && (t->flags & ASSAY_F_LITTLE);
}

static void read_extent(struct assay_spec *spec, const struct assay_node *node, struct spec_extent *x)
{
    static const struct shape_key extent_keys[] = {{"prefix", SHAPE_SCALAR, NULL},
                                                   {"until", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
                                                   {"before", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL}};
    const struct assay_node *of[3];
    int64_t n;
    *x = (struct spec_extent){.at = node->at, .kind = ASSAY_EXT_REST};
    if (assay_node_is(node, "rest"))
        return;
    if (node->kind == ASSAY_NODE_SCALAR && assay_text_number(node->text, &n)) {
        x->kind = ASSAY_EXT_FIXED;
        assay_read_int(spec, node, 0, UINT16_MAX, &x->fixed);
    } else if (node->kind == ASSAY_NODE_SCALAR) {
        x->kind = ASSAY_EXT_CODE;
        x->size = assay_expr_parse(spec, node);
    } else if (assay_shape(spec, node, "an extent", extent_keys, 3, of)) {
        if ((of[0] != NULL) + (of[1] != NULL) + (of[2] != NULL) != 1)
            assay_spec_error(spec, node->at, "an extent is a size, rest, {prefix: ...}, {until: ...} or {before: ...}");
        else if (of[0])
            read_prefix(spec, of[0], x);
        else if (assay_read_delims(spec, of[1] ? of[1] : of[2], &x->delims))
            x->kind = of[1] ? ASSAY_EXT_UNTIL : ASSAY_EXT_BEFORE;
    }
}

/* ---- enums ------------------------------------------------------------- */

static void read_item(struct assay_spec *spec, struct spec_enum *e, const struct assay_node *child,
                      const struct spec_type *base)
{
    struct spec_enum_item *item = ASSAY_NEW(&spec->arena, struct spec_enum_item);
    *item = (struct spec_enum_item){.at = child->key->at, .name = child->key->text, .value = (int64_t)e->items.count};
    assay_read_name(spec, item->name, item->at, "a value");
    if (e->text)
        assay_read_bytes(spec, child, true, &item->text);
    else
        assay_read_int(spec, child, base->min, base->max, &item->value);
    SPEC_EACH (struct spec_enum_item, other, &e->items)
        if (e->text ? other->text.n == item->text.n && item->text.p &&
                          memcmp(other->text.p, item->text.p, item->text.n) == 0
                    : other->value == item->value)
            assay_spec_error(spec, child->at, "'%s' has this value already", other->name);
    assay_list_add(spec, &e->items, item);
}

static void read_enum(struct reading *r, const char *name)
{
    struct spec_type *t = r->type;
    struct spec_enum *e = ASSAY_NEW(&r->spec->arena, struct spec_enum);
    const char *of = r->of[T_ENUM]->text;
    *e = (struct spec_enum){.at = r->node->at, .name = name, .text = strcmp(of, "text") == 0};
    e->open = assay_read_bool(r->spec, r->of[T_OPEN], false);
    const struct spec_type *base = e->text ? &assay_type_int : assay_type_builtin(r->spec, of);
    if (!base || base->kind != ASSAY_T_INT) {
        assay_spec_error(r->spec, r->of[T_ENUM]->at, "an enum is of a number type such as u8, or of text; not '%s'",
                         of);
        base = assay_type_builtin(r->spec, "u8");
    }
    if (e->text && e->open)
        assay_spec_error(r->spec, r->of[T_OPEN]->at, "an enum of texts cannot be open");
    if (!r->of[T_OF])
        assay_spec_error(r->spec, r->node->at, "an enum needs the key 'of': its values by name");
    ASSAY_CHILDREN (child, r->of[T_OF])
        read_item(r->spec, e, child, base);
    if (r->of[T_OF] && e->items.count == 0)
        assay_spec_error(r->spec, r->of[T_OF]->at, "an enum has at least one value");
    t->kind = ASSAY_T_ENUM;
    t->of = e;
    t->form = e->text ? ASSAY_FORM_BYTES : ASSAY_FORM_INT;
    t->wire = !e->text;
    t->bits = e->text ? 0 : base->bits;
    t->flags = e->text ? 0 : base->flags;
    t->min = e->text ? 0 : base->min;
    t->max = e->text ? (int64_t)e->items.count - 1 : base->max;
    t->bounded = true;
    assay_list_add(r->spec, &r->spec->enums, e);
}

/* ---- forms ------------------------------------------------------------- */

uint8_t assay_read_charset(struct reading *r, uint8_t otherwise)
{
    static const char *const words[] = {
        [ASSAY_CS_BYTES] = "bytes", [ASSAY_CS_ASCII] = "ascii", [ASSAY_CS_UTF8] = "utf-8"};
    if (!r->of[T_CHARSET])
        return otherwise;
    size_t i = assay_read_word(r->spec, r->of[T_CHARSET], words, 3, "charset");
    return i < 3 ? (uint8_t)i : otherwise;
}

static void wire_bytes(struct reading *r, const struct assay_node *extent, uint8_t form)
{
    r->type->form = form;
    r->type->wire = true;
    read_extent(r->spec, extent, &r->type->extent);
}

static void form_bytes(struct reading *r)
{
    *r->type = (struct spec_type){.name = "bytes", .kind = ASSAY_T_BYTES, .max = UINT32_MAX};
    wire_bytes(r, r->of[T_BYTES], ASSAY_FORM_BYTES);
}

/* `text: EXTENT` of a text enum is where its text ends. */
static void form_text(struct reading *r)
{
    struct spec_type *t = r->type;
    if (t->kind != ASSAY_T_ENUM)
        *t = (struct spec_type){.name = "text", .kind = ASSAY_T_TEXT, .max = UINT32_MAX, .charset = ASSAY_CS_UTF8};
    else if (!t->of->text)
        assay_spec_error(r->spec, r->of[T_TEXT]->at, "%s is not an enum of texts", t->name);
    wire_bytes(r, r->of[T_TEXT], ASSAY_FORM_BYTES);
}

static void form_number_text(struct reading *r, unsigned key, uint8_t form)
{
    struct spec_type *t = r->type;
    if (!r->of[T_TYPE]) {
        *t = *assay_type_builtin(r->spec, "i64");
        t->name = NULL;
    } else if (t->kind != ASSAY_T_INT) {
        assay_spec_error(r->spec, r->of[T_TYPE]->at, "%s needs a number type", assay_type_keys[key].name);
    }
    t->name = t->name ? t->name : assay_type_keys[key].name;
    t->flags &= ASSAY_F_SIGNED;
    if (t->min < 0)
        t->flags |= ASSAY_F_SIGNED;
    wire_bytes(r, r->of[key], form);
}

static void form_decimal(struct reading *r)
{
    form_number_text(r, T_DECIMAL, ASSAY_FORM_DECIMAL);
}

static void form_hex(struct reading *r)
{
    form_number_text(r, T_HEX, ASSAY_FORM_HEX);
    if (r->type->min < 0)
        r->type->min = 0;
}

static void form_varint(struct reading *r)
{
    static const struct shape_key varint_keys[] = {{"most", SHAPE_SCALAR, NULL}, {"order", SHAPE_SCALAR, NULL}};
    static const char *const orders[] = {"high-first", "low-first"};
    const struct assay_node *of[2];
    int64_t most = 9;
    if (!assay_shape(r->spec, r->of[T_VARINT], "a varint", varint_keys, 2, of))
        return;
    if (of[0])
        assay_read_int(r->spec, of[0], 1, 9, &most);
    bool little = of[1] ? assay_read_word(r->spec, of[1], orders, 2, "order") == 1 : r->spec->little;
    *r->type = (struct spec_type){
        .name = "varint",
        .kind = ASSAY_T_INT,
        .form = ASSAY_FORM_VARINT,
        .wire = true,
        .bounded = true,
        .bits = (uint8_t)(8 * most),
        .max = most == 9 ? INT64_MAX : ((int64_t)1 << 7 * most) - 1,
        .flags = little ? ASSAY_F_LITTLE : 0,
    };
}

static void form_const(struct reading *r)
{
    *r->type = (struct spec_type){.name = "const", .kind = SPEC_T_NONE, .form = ASSAY_FORM_CONST, .wire = true};
    assay_read_bytes(r->spec, r->of[T_CONST], false, &r->type->bytes);
    if (r->type->bytes.n == 0)
        assay_spec_error(r->spec, r->of[T_CONST]->at, "a constant has at least one byte");
}

static void list_end(struct reading *r)
{
    struct spec_type *t = r->type;
    int64_t n;
    t->wire = true;
    t->extent = (struct spec_extent){.at = r->node->at, .kind = ASSAY_EXT_REST};
    if (r->of[T_UNTIL]) {
        t->whole = true;
        if (!assay_node_is(r->of[T_UNTIL], "end"))
            assay_spec_error(r->spec, r->of[T_UNTIL]->at, "a list goes 'until: end', or has a 'count'");
        return;
    }
    t->extent.kind = ASSAY_EXT_COUNT;
    t->extent.at = r->of[T_COUNT]->at;
    t->extent.size = assay_expr_parse(r->spec, r->of[T_COUNT]);
    if (assay_text_number(r->of[T_COUNT]->text, &n) && n >= 0)
        t->max = n;
}

static void form_list(struct reading *r)
{
    struct spec_type *t = r->type;
    *t = (struct spec_type){.name = "list", .kind = ASSAY_T_LIST, .form = ASSAY_FORM_LIST, .max = UINT32_MAX / 8};
    if (r->of[T_LIST]->kind == ASSAY_NODE_SEQUENCE) {
        assay_spec_declared(r->spec, r->of[T_LIST]->at, "a list of records");
        t->kind = SPEC_T_ANY;
        t->wire = true;
        return;
    }
    t->element = assay_read_type(r->spec, r->of[T_LIST], NULL, NULL);
    if (t->element && (t->element->check || t->element->in.count || t->element->leniency))
        assay_spec_declared(r->spec, r->of[T_LIST]->at, "checks of list elements other than min and max");
    if (!t->element || !assay_kind_is_scalar(t->element->kind)) {
        if (t->element && t->element->kind != SPEC_T_ANY)
            assay_spec_declared(r->spec, r->of[T_LIST]->at, "lists of anything but numbers");
        t->kind = SPEC_T_ANY;
        t->wire = true;
        return;
    }
    if (r->of[T_COUNT] && r->of[T_UNTIL])
        assay_spec_error(r->spec, r->of[T_UNTIL]->at, "a list has a 'count' or goes 'until: end', not both");
    else if (r->of[T_COUNT] || r->of[T_UNTIL])
        list_end(r);
    if (assay_read_int(r->spec, r->of[T_MOST], 0, UINT32_MAX / 8, &t->max))
        t->bounded = true;
}

static void form_calc(struct reading *r)
{
    uint8_t kind = r->of[T_TYPE] ? r->type->kind : SPEC_T_ANY;
    if (!r->of[T_TYPE])
        *r->type = assay_type_int; /* resolving finds out what it is */
    r->type->kind = kind;
    r->type->form = ASSAY_FORM_CALC;
    r->type->wire = true;
    r->type->calc = assay_expr_parse(r->spec, r->of[T_CALC]);
}

static void form_record(struct reading *r)
{
    *r->type = (struct spec_type){.name = "record", .kind = SPEC_T_RECORD, .wire = true, .record = r->of[T_RECORD]};
    if (r->of[T_RECORD]->count > 0)
        return;
    assay_spec_error(r->spec, r->of[T_RECORD]->at, "a record has at least one part");
    *r->type = assay_type_any;
}

static void form_declared(struct reading *r)
{
    *r->type = assay_type_any;
    r->type->wire = true;
}

static const struct {
    unsigned key;
    void (*read)(struct reading *r);
    bool beside_type; /* `type` may stand beside it */
} forms[] = {
    {T_BYTES, form_bytes, false},     {T_TEXT, form_text, true},          {T_DECIMAL, form_decimal, true},
    {T_HEX, form_hex, true},          {T_VARINT, form_varint, false},     {T_CONST, form_const, false},
    {T_LIST, form_list, false},       {T_CALC, form_calc, true},          {T_RECORD, form_record, false},
    {T_CHOICE, form_declared, false}, {T_SWITCH, form_declared, false},   {T_BAG, form_declared, false},
    {T_FORMS, form_declared, false},  {T_PAIRS, assay_form_pairs, false}, {T_JSON, assay_form_json, false},
};
#define FORMS (sizeof forms / sizeof forms[0])

void assay_read_form(struct reading *r, const char *name)
{
    size_t found = r->of[T_ENUM] != NULL;
    if (r->of[T_TYPE])
        assay_read_base_type(r);
    if (r->of[T_ENUM])
        read_enum(r, name);
    for (size_t i = 0; i < FORMS; i++) {
        bool text_of_enum = forms[i].key == T_TEXT && r->of[T_ENUM];
        if (!r->of[forms[i].key] || (forms[i].key == T_SWITCH && found))
            continue;
        if ((found++ && !text_of_enum) || (r->of[T_TYPE] && !forms[i].beside_type))
            assay_spec_error(r->spec, r->of[forms[i].key]->key->at, "a type has one form; '%s' is one too many",
                             assay_type_keys[forms[i].key].name);
        else
            forms[i].read(r);
    }
    if (found == 0 && !r->of[T_TYPE]) {
        assay_spec_error(r->spec, r->node->at,
                         "a type needs a form: type, enum, bytes, text, decimal, hex, varint, const, list, calc, "
                         "record, pairs or json");
        *r->type = assay_type_any;
    }
}

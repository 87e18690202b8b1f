/* Types: forms, extents, refinements. */
#include <stdlib.h>
#include <string.h>

#include "compiler/read.h"
#include "compiler/types.h"

#define DEPTH_MAX 32

/* ---- built-in names ---------------------------------------------------- */

static void set_int(struct spec_type *t, unsigned bits, bool is_signed)
{
    t->kind = ASSAY_T_INT;
    t->form = ASSAY_FORM_INT;
    t->bits = (uint8_t)bits;
    t->wire = t->bounded = true;
    t->min = is_signed ? INT64_MIN >> (64 - bits) : 0;
    t->max = is_signed || bits == 64 ? INT64_MAX >> (is_signed ? 64 - bits : 0) : (int64_t)(((uint64_t)1 << bits) - 1);
    t->flags = is_signed ? ASSAY_F_SIGNED : 0;
}

/* u1..u64, i2..i64, with be or le behind. */
static bool int_name(struct assay_spec *spec, const char *name, struct spec_type *t)
{
    char *end;
    if ((name[0] != 'u' && name[0] != 'i') || name[1] < '1' || name[1] > '9')
        return false;
    unsigned long bits = strtoul(name + 1, &end, 10);
    bool is_signed = name[0] == 'i', big = strcmp(end, "be") == 0, little = strcmp(end, "le") == 0;
    if (bits > 64 || (is_signed && bits < 2) || (*end && ((!big && !little) || bits % 8)))
        return false;
    set_int(t, (unsigned)bits, is_signed);
    if (little || (!big && spec->little && bits % 8 == 0))
        t->flags |= ASSAY_F_LITTLE;
    return true;
}

static bool builtin(struct assay_spec *spec, const char *name, struct spec_type *t)
{
    static const struct {
        const char *name;
        uint8_t kind, charset;
    } values[] = {{"bytes", ASSAY_T_BYTES, ASSAY_CS_BYTES},
                  {"text", ASSAY_T_TEXT, ASSAY_CS_UTF8},
                  {"duration", ASSAY_T_DURATION, 0},
                  {"bool", ASSAY_T_BOOL, 0}};
    *t = (struct spec_type){.name = name};
    if (int_name(spec, name, t))
        return true;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strcmp(values[i].name, name) != 0)
            continue;
        t->kind = values[i].kind;
        t->charset = values[i].charset;
        t->max = t->kind == ASSAY_T_DURATION ? INT64_MAX : UINT32_MAX;
        if (t->kind == ASSAY_T_BOOL) {
            t->max = t->bits = 1;
            t->form = ASSAY_FORM_INT;
            t->wire = t->bounded = true;
        }
        return true;
    }
    return false;
}

struct spec_type *assay_type_builtin(struct assay_spec *spec, const char *name)
{
    struct spec_type t;
    if (!builtin(spec, name, &t))
        return NULL;
    t.name = assay_arena_text(&spec->arena, name, strlen(name));
    return assay_arena_copy(&spec->arena, &t, sizeof t);
}

/* ---- keys -------------------------------------------------------------- */

enum {
    T_TYPE,
    T_ENUM,
    T_OF,
    T_OPEN,
    T_FOLD,
    T_BYTES,
    T_TEXT,
    T_CHARSET,
    T_DECIMAL,
    T_HEX,
    T_VARINT,
    T_CONST,
    T_LIST,
    T_COUNT,
    T_UNTIL,
    T_MOST,
    T_CALC,
    T_MIN,
    T_MAX,
    T_IN,
    T_CHARS,
    T_FIRST,
    T_NOT,
    T_CHECK,
    T_FAULT,
    T_REQ,
    T_SAMPLES,
    T_LOOSE,
    T_OUTSIDE,

    T_RECORD,
    T_CHOICE,
    T_SWITCH,
    T_BAG,
    T_FORMS,
    T_PAIRS,
    T_JSON,
    T_IS,
    T_DEFAULT,
    T_IF,
    T_INIT,
    T_OPTIONAL,
    T_WILD,
    T_VALUE,
    T_DEPTH,
    T_MEMBERS,
    T_UNKNOWN,
    T_BAD_VALUE,
    T_SORT,
    T_TAG,
    T_MANY,
    T_SEPARATOR,
    T_RUN,
    T_NAME,
    T_SORTED,
    T_DUPLICATES,
    T_WRITE,
    T_LEAD,
    T_TAIL,
    T_MISSING,
    T_FLAT,
    T_KEY,
    T_CHOSEN,
    T_KEYS
};

#define D(text) SHAPE_ANY | SHAPE_DECLARED, text
static const struct shape_key keys[T_KEYS] = {
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
    [T_RECORD] = {"record", D("a record")},
    [T_CHOICE] = {"choice", D("a choice")},
    [T_SWITCH] = {"switch", D("a union by a field")},
    [T_BAG] = {"bag", D("a bag of options")},
    [T_FORMS] = {"forms", D("several encodings of one value")},
    [T_PAIRS] = {"pairs", D("key=value pairs")},
    [T_JSON] = {"json", D("a message as JSON")},
    [T_IS] = {"is", SHAPE_SCALAR, NULL},
    [T_DEFAULT] = {"default", SHAPE_ANY, NULL},
    [T_IF] = {"if", SHAPE_SCALAR, NULL},
    [T_INIT] = {"init", SHAPE_ANY, NULL},
    [T_OPTIONAL] = {"optional", D("an optional value")},
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
    [T_LEAD] = {"lead", D("text before a value")},
    [T_TAIL] = {"tail", D("text behind a value")},
    [T_MISSING] = {"missing", D("an optional value")},
    [T_FLAT] = {"flat", D("fields of a structured value")},
    [T_KEY] = {"key", D("the key of a pair")},
    [T_CHOSEN] = {"chosen", D("a value that the target chooses once")},
    [T_DEPTH] = {"depth", SHAPE_SCALAR, NULL},
};

struct reading {
    struct assay_spec *spec;
    const struct assay_node *node;
    const struct assay_node *of[T_KEYS];
    struct spec_type *type;
};

/* ---- extents ----------------------------------------------------------- */

static bool read_delims(struct assay_spec *spec, const struct assay_node *node, struct spec_list *delims)
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
    struct spec_type t = {0};
    bool good = node->kind == ASSAY_NODE_SCALAR && builtin(spec, node->text, &t) && t.kind == ASSAY_T_INT &&
                !(t.flags & ASSAY_F_SIGNED) && t.bits % 8 == 0;
    if (!good)
        assay_spec_error(spec, node->at, "a prefix is u8, u16, u32 or varint");
    x->fixed = good ? t.bits : 8;
    x->little = t.flags & ASSAY_F_LITTLE;
}

static void read_extent(struct assay_spec *spec, const struct assay_node *node, struct spec_extent *x)
{
    static const struct shape_key extent_keys[] = {{"prefix", SHAPE_SCALAR, NULL},
                                                   {"until", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
                                                   {"before", D("an extent up to a text ahead")}};
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
        if (of[2] && !of[0] && !of[1])
            return;
        if (!of[0] == !of[1] || of[2])
            assay_spec_error(spec, node->at, "an extent is a size, rest, {prefix: ...} or {until: ...}");
        else if (of[0])
            read_prefix(spec, of[0], x);
        else if (read_delims(spec, of[1], &x->delims))
            x->kind = ASSAY_EXT_UNTIL;
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
    struct spec_type *t = r->type, base = {0};
    struct spec_enum *e = ASSAY_NEW(&r->spec->arena, struct spec_enum);
    const char *of = r->of[T_ENUM]->text;
    *e = (struct spec_enum){.at = r->node->at, .name = name, .text = strcmp(of, "text") == 0};
    e->open = assay_read_bool(r->spec, r->of[T_OPEN], false);
    if (!e->text && (!builtin(r->spec, of, &base) || base.kind != ASSAY_T_INT)) {
        assay_spec_error(r->spec, r->of[T_ENUM]->at, "an enum is of a number type such as u8, or of text; not '%s'",
                         of);
        set_int(&base, 8, false);
    }
    if (e->text && e->open)
        assay_spec_error(r->spec, r->of[T_OPEN]->at, "an enum of texts cannot be open");
    if (!r->of[T_OF])
        assay_spec_error(r->spec, r->node->at, "an enum needs the key 'of': its values by name");
    ASSAY_CHILDREN (child, r->of[T_OF])
        read_item(r->spec, e, child, &base);
    if (r->of[T_OF] && e->items.count == 0)
        assay_spec_error(r->spec, r->of[T_OF]->at, "an enum has at least one value");
    t->kind = ASSAY_T_ENUM;
    t->of = e;
    t->form = e->text ? ASSAY_FORM_BYTES : ASSAY_FORM_INT;
    t->wire = !e->text;
    t->bits = base.bits;
    t->flags = base.flags;
    t->min = e->text ? 0 : base.min;
    t->max = e->text ? (int64_t)e->items.count - 1 : base.max;
    t->bounded = true;
    assay_list_add(r->spec, &r->spec->enums, e);
}

/* ---- forms ------------------------------------------------------------- */

static uint8_t read_charset(struct reading *r, uint8_t otherwise)
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
    if (!r->of[T_TYPE])
        set_int(t, 64, true);
    if (t->kind != ASSAY_T_INT)
        assay_spec_error(r->spec, r->of[T_TYPE]->at, "%s needs a number type", keys[key].name);
    t->name = t->name ? t->name : keys[key].name;
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
    set_int(r->type, 63, false);
    r->type->name = "varint";
    r->type->form = ASSAY_FORM_VARINT;
    r->type->bits = (uint8_t)(8 * most);
    r->type->max = most == 9 ? INT64_MAX : ((int64_t)1 << 7 * most) - 1;
    r->type->flags = little ? ASSAY_F_LITTLE : 0;
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
    {T_BYTES, form_bytes, false},     {T_TEXT, form_text, true},        {T_DECIMAL, form_decimal, true},
    {T_HEX, form_hex, true},          {T_VARINT, form_varint, false},   {T_CONST, form_const, false},
    {T_LIST, form_list, false},       {T_CALC, form_calc, true},        {T_RECORD, form_declared, false},
    {T_CHOICE, form_declared, false}, {T_SWITCH, form_declared, false}, {T_BAG, form_declared, false},
    {T_FORMS, form_declared, false},  {T_PAIRS, form_declared, false},  {T_JSON, form_declared, false},
};
#define FORMS (sizeof forms / sizeof forms[0])

/* ---- refinements ------------------------------------------------------- */

static void set_add(struct assay_byteset *set, unsigned from, unsigned to)
{
    for (unsigned b = from; b <= to && b < 256; b++)
        set->bits[b >> 6] |= (uint64_t)1 << (b & 63);
}

static int class_digit(uint8_t c)
{
    int l = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* One byte of a class, escapes read; *i moves behind it. */
static bool class_byte(struct assay_blob text, uint32_t *i, unsigned *byte)
{
    *byte = text.p[(*i)++];
    if (*byte != '\\')
        return true;
    if (*i == text.n)
        return false;
    *byte = text.p[(*i)++];
    if (*byte != 'x')
        return strchr("\\-]^", (int)*byte) != NULL && *byte;
    if (*i + 2 > text.n || class_digit(text.p[*i]) < 0 || class_digit(text.p[*i + 1]) < 0)
        return false;
    *byte = (unsigned)(class_digit(text.p[*i]) << 4 | class_digit(text.p[*i + 1]));
    *i += 2;
    return true;
}

static struct assay_byteset *read_class(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_byteset *set = ASSAY_NEW(&spec->arena, struct assay_byteset);
    struct assay_blob text;
    if (!assay_read_bytes(spec, node, false, &text))
        return NULL;
    uint32_t i = text.n && text.p[0] == '^';
    bool negate = i > 0, good = text.n > i;
    while (good && i < text.n) {
        unsigned from, to;
        good = class_byte(text, &i, &from);
        to = from;
        if (good && i + 1 < text.n && text.p[i] == '-') {
            i++;
            good = class_byte(text, &i, &to) && to >= from;
        }
        if (good)
            set_add(set, from, to);
    }
    if (!good)
        assay_spec_error(spec, node->at,
                         "this is no class of bytes, such as A-Za-z0-9 or ^\\x00-\\x1f; \\\\ \\- \\] \\^ \\xHH escape");
    for (unsigned b = 0; negate && b < 4; b++)
        set->bits[b] = ~set->bits[b];
    return good ? set : NULL;
}

static void allow(struct reading *r, const struct assay_byteset *set)
{
    struct spec_type *t = r->type;
    struct assay_byteset *both = assay_arena_copy(&r->spec->arena, set, sizeof *set);
    for (unsigned b = 0; t->set && b < 4; b++)
        both->bits[b] &= t->set->bits[b];
    t->set = both;
}

static void refine_bytes(struct reading *r)
{
    struct assay_blob text;
    if (r->of[T_CHARS]) {
        struct assay_byteset *set = read_class(r->spec, r->of[T_CHARS]);
        if (set)
            allow(r, set);
    }
    if (r->of[T_FIRST])
        r->type->first = read_class(r->spec, r->of[T_FIRST]);
    if (r->of[T_NOT] && assay_read_bytes(r->spec, r->of[T_NOT], false, &text)) {
        struct assay_byteset set = {{~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0}};
        for (uint32_t i = 0; i < text.n; i++)
            set.bits[text.p[i] >> 6] &= ~((uint64_t)1 << (text.p[i] & 63));
        allow(r, &set);
    }
}

static bool bound(struct reading *r, unsigned key, int64_t *value)
{
    const struct assay_node *node = r->of[key];
    struct spec_type *t = r->type;
    if (!node)
        return false;
    if (t->kind == ASSAY_T_DURATION) {
        *value = assay_read_duration(r->spec, node, *value);
        return true;
    }
    if (t->kind != ASSAY_T_INT && t->kind < ASSAY_T_BYTES) {
        assay_spec_error(r->spec, node->at, "%s has no %s", assay_type_says(t), keys[key].name);
        return false;
    }
    int64_t least = t->kind == ASSAY_T_INT ? t->min : 0, most = t->kind == ASSAY_T_INT ? t->max : UINT32_MAX;
    return assay_read_int(r->spec, node, least, most, value);
}

static void refine_bounds(struct reading *r)
{
    struct spec_type *t = r->type;
    int64_t least = t->min, most = t->max;
    bool low = bound(r, T_MIN, &least), high = bound(r, T_MAX, &most);
    t->min = low ? least : t->min;
    t->max = high ? most : t->max;
    t->bounded = t->bounded || high;
    if (t->min > t->max)
        assay_spec_error(r->spec, r->node->at, "no value is between min %lld and max %lld", (long long)t->min,
                         (long long)t->max);
}

static void refine_loose(struct reading *r)
{
    static const char *const words[] = {"space", "plus", "zeros", "tail"};
    const struct assay_node *loose = r->of[T_LOOSE];
    if (!loose)
        return;
    if (loose->count != 1) {
        assay_spec_error(r->spec, loose->at, "one leniency can widen a field");
        return;
    }
    r->type->leniency = assay_find_leniency(r->spec, loose->first->key);
    if (!assay_shape_is(r->spec, loose->first, SHAPE_SEQUENCE, "what a leniency widens"))
        return;
    ASSAY_CHILDREN (word, loose->first) {
        size_t i = assay_read_word(r->spec, word, words, 4, "what a leniency widens");
        r->type->loose = (uint8_t)(r->type->loose | (i < 4 ? 1u << i : 0));
    }
}

static void refine_in(struct reading *r)
{
    ASSAY_CHILDREN (child, r->of[T_IN]) {
        struct spec_expr *e = assay_expr_parse(r->spec, child);
        if (e)
            assay_list_add(r->spec, &r->type->in, e);
    }
}

static void refine(struct reading *r)
{
    struct spec_type *t = r->type;
    bool bytes = assay_kind_is_bytes(t->kind);
    for (unsigned k = T_CHARS; k <= T_NOT; k++)
        if (r->of[k] && !bytes && t->kind != SPEC_T_ANY)
            assay_spec_error(r->spec, r->of[k]->key->at, "'%s' is for bytes and text", keys[k].name);
    refine_bounds(r);
    if (bytes)
        refine_bytes(r);
    if (bytes)
        t->charset = read_charset(r, t->charset);
    refine_in(r);
    refine_loose(r);
    if (r->of[T_FOLD] && !assay_node_is(r->of[T_FOLD], "ascii"))
        assay_spec_error(r->spec, r->of[T_FOLD]->at, "fold: ascii is all there is");
    if (r->of[T_FOLD])
        t->flags |= ASSAY_F_FOLD;
    if (r->of[T_CHECK])
        t->check = assay_expr_parse(r->spec, r->of[T_CHECK]);
    if (r->of[T_FAULT] && assay_read_name(r->spec, r->of[T_FAULT]->text, r->of[T_FAULT]->at, "a fault"))
        t->fault = r->of[T_FAULT]->text;
    if (r->of[T_REQ])
        t->req = assay_read_req(r->spec, r->of[T_REQ]);
    t->samples = r->of[T_SAMPLES] ? r->of[T_SAMPLES] : t->samples;
    t->outside = r->of[T_OUTSIDE] ? r->of[T_OUTSIDE] : t->outside;
}

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

/* The base that `type:` names; an unknown one counts as anything, so that one mistake gives one error. */
static void base_type(struct reading *r)
{
    const struct assay_node *node = r->of[T_TYPE];
    struct spec_type *t =
        node->kind == ASSAY_NODE_SCALAR ? by_name(r->spec, node) : assay_read_type(r->spec, node, NULL, NULL);
    *r->type = t ? *t : assay_type_any;
}

static void read_form(struct reading *r, const char *name)
{
    size_t found = r->of[T_ENUM] != NULL;
    if (r->of[T_TYPE])
        base_type(r);
    if (r->of[T_ENUM])
        read_enum(r, name);
    for (size_t i = 0; i < FORMS; i++) {
        bool text_of_enum = forms[i].key == T_TEXT && r->of[T_ENUM];
        if (!r->of[forms[i].key] || (forms[i].key == T_SWITCH && found))
            continue;
        if ((found++ && !text_of_enum) || (r->of[T_TYPE] && !forms[i].beside_type))
            assay_spec_error(r->spec, r->of[forms[i].key]->key->at, "a type has one form; '%s' is one too many",
                             keys[forms[i].key].name);
        else
            forms[i].read(r);
    }
    if (found == 0 && !r->of[T_TYPE]) {
        assay_spec_error(r->spec, r->node->at,
                         "a type needs a form: type, enum, bytes, text, decimal, hex, varint, const, list or calc");
        *r->type = assay_type_any;
    }
}

static void read_mapping(struct reading *r, const char *name, const struct assay_node **extras)
{
    static const unsigned extra_keys[FIELD_KEYS] = {
        [FIELD_IS] = T_IS, [FIELD_DEFAULT] = T_DEFAULT, [FIELD_IF] = T_IF, [FIELD_INIT] = T_INIT};
    *r->type = assay_type_any;
    r->type->name = NULL;
    if (!assay_shape(r->spec, r->node, "a type", keys, T_KEYS, r->of))
        return;
    read_form(r, name);
    refine(r);
    for (unsigned i = 0; i < FIELD_KEYS; i++) {
        const struct assay_node *extra = r->of[extra_keys[i]];
        if (extras)
            extras[i] = extra;
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
        struct spec_type taken;
        assay_read_name(spec, n->name, n->at, "a type");
        if (builtin(spec, n->name, &taken))
            assay_spec_error(spec, n->at, "'%s' is there from the start; choose another name", n->name);
        assay_list_add(spec, &spec->types, n);
    }
    for (size_t i = 0; i < spec->types.count; i++)
        named(spec, spec->types.items[i]);
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

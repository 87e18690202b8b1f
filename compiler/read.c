#include "compiler/read.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---------------------------------------------------------- */

void assay_list_add(struct assay_spec *spec, struct spec_list *list, void *item)
{
    list->items = assay_arena_grow(&spec->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = item;
}

#define SAY(severity)                                                                                                  \
    char text[800];                                                                                                    \
    va_list args;                                                                                                      \
    va_start(args, format);                                                                                            \
    vsnprintf(text, sizeof text, format, args);                                                                        \
    va_end(args);                                                                                                      \
    assay_diag(spec->diags, (severity), at, "%s", text)

void assay_spec_error(struct assay_spec *spec, struct assay_at at, const char *format, ...)
{
    SAY(ASSAY_ERROR);
}

void assay_spec_warning(struct assay_spec *spec, struct assay_at at, const char *format, ...)
{
    SAY(ASSAY_WARNING);
}

void assay_spec_declared(struct assay_spec *spec, struct assay_at at, const char *what)
{
    spec->declared++;
    assay_diag(spec->diags, ASSAY_NOTE, at, "%s: declared, but not run by this version", what);
}

/* ---- shapes ------------------------------------------------------------ */

bool assay_shape_is(struct assay_spec *spec, const struct assay_node *node, unsigned shape, const char *what)
{
    static const char *const names[] = {"",
                                        "a single value",
                                        "a sequence",
                                        "a value or a sequence",
                                        "a mapping",
                                        "a value or a mapping",
                                        "a mapping or a sequence",
                                        "anything"};
    if (shape >> node->kind & 1)
        return true;
    assay_spec_error(spec, node->at, "%s has to be %s, not %s", what, names[shape & SHAPE_ANY],
                     assay_node_kind_name(node));
    return false;
}

static void unknown_key(struct assay_spec *spec, const struct assay_node *child, const char *what,
                        const struct shape_key *keys, size_t count)
{
    struct assay_near near = {.wanted = child->key->text};
    for (size_t i = 0; i < count; i++)
        assay_near_add(&near, keys[i].name);
    bool prose = child->kind == ASSAY_NODE_SCALAR && child->size == 0 && strchr(child->key->text, ' ');
    assay_spec_error(spec, child->key->at, "%s has no key '%s'%s", what, child->key->text,
                     prose ? "; text with a comma in it stands in quotes here" : assay_near_text(&near));
}

static void take(struct assay_spec *spec, const struct assay_node *child, const char *what,
                 const struct shape_key *keys, size_t count, const struct assay_node **out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, child->key->text) != 0)
            continue;
        if (!assay_shape_is(spec, child, keys[i].shape & SHAPE_ANY, keys[i].name))
            return;
        if (keys[i].shape & SHAPE_DECLARED)
            assay_spec_declared(spec, child->key->at, keys[i].declared ? keys[i].declared : keys[i].name);
        out[i] = child;
        return;
    }
    unknown_key(spec, child, what, keys, count);
}

bool assay_shape(struct assay_spec *spec, const struct assay_node *node, const char *what, const struct shape_key *keys,
                 size_t count, const struct assay_node **out)
{
    memset(out, 0, count * sizeof *out);
    if (!assay_shape_is(spec, node, SHAPE_MAPPING, what))
        return false;
    ASSAY_CHILDREN (child, node)
        take(spec, child, what, keys, count, out);
    for (size_t i = 0; i < count; i++)
        if ((keys[i].shape & SHAPE_REQUIRED) && !assay_node_get(node, keys[i].name))
            assay_spec_error(spec, node->at, "%s needs the key '%s'", what, keys[i].name);
    return true;
}

const struct assay_node *assay_read_single(struct assay_spec *spec, const struct assay_node *node, const char *what)
{
    if (!assay_shape_is(spec, node, SHAPE_MAPPING, what))
        return NULL;
    if (node->count == 1)
        return node->first;
    assay_spec_error(spec, node->at, "%s has to be a mapping with one entry; this one has %zu", what, node->count);
    return NULL;
}

const struct assay_node *assay_read_named(struct assay_spec *spec, const struct assay_node *node, const char *what)
{
    if (node->kind != ASSAY_NODE_SCALAR || node->size == 0)
        return assay_read_single(spec, node, what);
    assay_spec_error(spec, node->at, "%s has to be a mapping with one entry, such as {%s: {}}", what, node->text);
    return NULL;
}

/* ---- scalars ----------------------------------------------------------- */

bool assay_read_bool(struct assay_spec *spec, const struct assay_node *node, bool otherwise)
{
    if (!node)
        return otherwise;
    if (assay_node_is(node, "true"))
        return true;
    if (!assay_node_is(node, "false"))
        assay_spec_error(spec, node->at, "this has to be true or false");
    return false;
}

static bool digits(const char *text, const char **end, int64_t *value)
{
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *p = base == 16 ? text + 2 : text;
    uint64_t v = 0;
    size_t n = 0;
    for (;; p++, n++) {
        int c = *p | 0x20, d = *p >= '0' && *p <= '9'               ? *p - '0'
                               : base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                    : -1;
        if (d < 0)
            break;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    *end = p;
    if (n == 0 || v > INT64_MAX)
        return false;
    *value = (int64_t)v;
    return true;
}

bool assay_text_number(const char *text, int64_t *value)
{
    bool minus = *text == '-';
    const char *end;
    if (minus && strcmp(text, "-9223372036854775808") == 0) {
        *value = INT64_MIN;
        return true;
    }
    if (!digits(text + minus, &end, value))
        return false;
    int64_t unit = strcmp(end, "KiB") == 0 ? 1024 : strcmp(end, "MiB") == 0 ? 1024 * 1024 : *end ? 0 : 1;
    if (unit == 0 || __builtin_mul_overflow(*value, unit, value))
        return false;
    if (minus)
        *value = -*value;
    return true;
}

bool assay_text_duration(const char *text, int64_t *ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", 60000000000}};
    const char *end;
    if (text[0] == '0' && (text[1] | 0x20) == 'x')
        return false;
    if (!digits(text, &end, ns))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow(*ns, units[i].ns, ns);
    return false;
}

bool assay_read_int(struct assay_spec *spec, const struct assay_node *node, int64_t min, int64_t max, int64_t *value)
{
    int64_t v;
    if (!node || !assay_shape_is(spec, node, SHAPE_SCALAR, node->key ? node->key->text : "this"))
        return false;
    if (!assay_text_number(node->text, &v)) {
        assay_spec_error(spec, node->at, "'%s' is not a number (decimal, 0x..., or with KiB, MiB)", node->text);
        return false;
    }
    if (v < min || v > max) {
        assay_spec_error(spec, node->at, "%s is outside %lld..%lld", node->text, (long long)min, (long long)max);
        return false;
    }
    *value = v;
    return true;
}

int64_t assay_read_duration(struct assay_spec *spec, const struct assay_node *node, int64_t otherwise)
{
    int64_t ns;
    if (!node || !assay_shape_is(spec, node, SHAPE_SCALAR, node->key ? node->key->text : "this"))
        return otherwise;
    if (assay_text_duration(node->text, &ns))
        return ns;
    assay_spec_error(spec, node->at, "'%s' is not a duration, such as 200ms, 2s or 1min", node->text);
    return otherwise;
}

size_t assay_read_word(struct assay_spec *spec, const struct assay_node *node, const char *const *words, size_t count,
                       const char *what)
{
    if (!assay_shape_is(spec, node, SHAPE_SCALAR, what))
        return count;
    struct assay_near near = {.wanted = node->text};
    char all[200] = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(node->text, words[i]) == 0)
            return i;
        assay_near_add(&near, words[i]);
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", words[i]);
    }
    assay_spec_error(spec, node->at, "%s is one of %s; not '%s'%s", what, all, node->text, assay_near_text(&near));
    return count;
}

uint8_t assay_read_level(struct assay_spec *spec, const struct assay_node *node, uint8_t otherwise)
{
    static const char *const words[] = {"MUST", "SHOULD", "MAY"};
    if (!node)
        return otherwise;
    size_t i = assay_read_word(spec, node, words, 3, "a level");
    return i < 3 ? (uint8_t)i : otherwise;
}

uint16_t assay_read_factor(struct assay_spec *spec, const struct assay_node *node)
{
    char *end = NULL;
    double factor = node ? strtod(node->text, &end) : 1;
    if (!node || (end && end != node->text && *end == '\0' && factor >= 1 && factor <= 100))
        return (uint16_t)(factor * 100 + 0.5);
    assay_spec_error(spec, node->at, "a factor is a number from 1 to 100, such as 2 or 1.5");
    return 100;
}

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '-'));
}

bool assay_read_name(struct assay_spec *spec, const char *name, struct assay_at at, const char *what)
{
    bool good = name_char(name[0], true);
    for (const char *p = name; good && *p; p++)
        good = name_char(*p, p == name);
    if (!good)
        assay_spec_error(spec, at,
                         "'%s' cannot be the name of %s: letters, digits, _ and -, beginning with a letter or _", name,
                         what);
    return good;
}

/* ---- bytes ------------------------------------------------------------- */

/* Text in UTF-8 to one byte for each character. */
static bool latin1(const struct assay_node *node, uint8_t *out, uint32_t *n)
{
    *n = 0;
    for (size_t i = 0; i < node->size; i++) {
        uint8_t c = (uint8_t)node->text[i];
        if (c >= 0x80) {
            if ((c & 0xfc) != 0xc0 || i + 1 == node->size)
                return false;
            c = (uint8_t)((c & 3) << 6 | ((uint8_t)node->text[++i] & 0x3f));
        }
        out[(*n)++] = c;
    }
    return true;
}

bool assay_read_bytes(struct assay_spec *spec, const struct assay_node *node, bool utf8, struct assay_blob *bytes)
{
    if (!assay_shape_is(spec, node, SHAPE_SCALAR, "data"))
        return false;
    uint8_t *out = assay_arena_copy(&spec->arena, node->text, node->size + 1);
    uint32_t n = (uint32_t)node->size;
    if (!utf8 && !latin1(node, out, &n)) {
        assay_spec_error(spec, node->at, "binary data: each character is one byte, up to \\xff");
        return false;
    }
    *bytes = (struct assay_blob){out, n};
    return true;
}

static int hex_digit(char c)
{
    int l = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool assay_read_hex(struct assay_spec *spec, const struct assay_node *node, struct assay_blob *bytes)
{
    if (!assay_shape_is(spec, node, SHAPE_SCALAR, "hex"))
        return false;
    uint8_t *out = assay_arena_alloc(&spec->arena, node->size / 2 + 1);
    uint32_t digits_seen = 0;
    for (size_t i = 0; i < node->size; i++) {
        int d = hex_digit(node->text[i]);
        if (d < 0 && (node->text[i] == ' ' || node->text[i] == '\n'))
            continue;
        if (d < 0) {
            assay_spec_error(spec, assay_node_place(node, i, spec->source, spec->source_size),
                             "'%c' is not a hexadecimal digit", node->text[i]);
            return false;
        }
        out[digits_seen / 2] = (uint8_t)(out[digits_seen / 2] << 4 | d);
        digits_seen++;
    }
    if (digits_seen % 2) {
        assay_spec_error(spec, node->at, "an odd number of hexadecimal digits");
        return false;
    }
    *bytes = (struct assay_blob){out, digits_seen / 2};
    return true;
}

/* ---- references -------------------------------------------------------- */

struct spec_requirement *assay_read_req(struct assay_spec *spec, const struct assay_node *node)
{
    if (!node || !assay_shape_is(spec, node, SHAPE_SCALAR, "req"))
        return NULL;
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_requirement, r, &spec->requires) {
        if (strcmp(r->id, node->text) == 0) {
            r->cited++;
            return r;
        }
        assay_near_add(&near, r->id);
    }
    assay_spec_error(spec, node->at, "no requirement has the id '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

struct spec_leniency *assay_find_leniency(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_leniency, l, &spec->leniencies) {
        if (strcmp(l->name, node->text) == 0)
            return l;
        assay_near_add(&near, l->name);
    }
    assay_spec_error(spec, node->at, "no leniency is called '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

struct spec_transport *assay_find_transport(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_transport, t, &spec->transports) {
        if (strcmp(t->name, node->text) == 0)
            return t;
        assay_near_add(&near, t->name);
    }
    assay_spec_error(spec, node->at, "there is no transport '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

struct spec_message *assay_find_message(struct assay_spec *spec, const char *name, struct assay_at at)
{
    struct assay_near near = {.wanted = name};
    SPEC_EACH (struct spec_message, m, &spec->messages) {
        if (strcmp(m->name, name) == 0)
            return m;
        assay_near_add(&near, m->name);
    }
    assay_spec_error(spec, at, "no message is called '%s'%s", name, assay_near_text(&near));
    return NULL;
}

struct spec_event *assay_find_event(struct assay_spec *spec, const char *name)
{
    SPEC_EACH (struct spec_event, e, &spec->events)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

struct spec_event *assay_add_event(struct assay_spec *spec, const char *name, uint8_t kind, struct assay_at at)
{
    struct spec_event *e = ASSAY_NEW(&spec->arena, struct spec_event);
    *e = (struct spec_event){.at = at, .name = name, .kind = kind, .index = (uint16_t)spec->events.count};
    assay_list_add(spec, &spec->events, e);
    return e;
}

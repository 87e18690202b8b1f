/* Types: what narrows their values - bounds, sets of bytes, lists of values, leniencies, checks. */
#include <string.h>

#include "compiler/read_type.h"
#include "compiler/types.h"

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

struct assay_byteset *assay_read_class(struct assay_spec *spec, const struct assay_node *node)
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
        struct assay_byteset *set = assay_read_class(r->spec, r->of[T_CHARS]);
        if (set)
            allow(r, set);
    }
    if (r->of[T_FIRST])
        r->type->first = assay_read_class(r->spec, r->of[T_FIRST]);
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
        assay_spec_error(r->spec, node->at, "%s has no %s", assay_type_says(t), assay_type_keys[key].name);
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

void assay_refine_type(struct reading *r)
{
    struct spec_type *t = r->type;
    bool bytes = assay_kind_is_bytes(t->kind);
    for (unsigned k = T_CHARS; k <= T_NOT; k++)
        if (r->of[k] && !bytes && t->kind != SPEC_T_ANY)
            assay_spec_error(r->spec, r->of[k]->key->at, "'%s' is for bytes and text", assay_type_keys[k].name);
    refine_bounds(r);
    if (bytes)
        refine_bytes(r);
    if (bytes)
        t->charset = assay_read_charset(r, t->charset);
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
    if (t->pairs && !t->pairs->req) /* a field that refines the type may say another for itself */
        t->pairs->req = t->req;
    t->samples = r->of[T_SAMPLES] ? r->of[T_SAMPLES] : t->samples;
    t->outside = r->of[T_OUTSIDE] ? r->of[T_OUTSIDE] : t->outside;
}

/* Inputs that no encoder makes: one field is not what its type says. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/loose.h"
#include "conformance/maker.h"

struct assay_input assay_maker_raw_base(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input input = *base;
    struct assay_value *values = assay_store_copy(m->store, base->values, ASSAY_SLOTS_MAX * sizeof *values);
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message, .computed = true};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
        if ((base->known >> f->slot & 1) && assay_loose_is_raw(f))
            values[f->slot].bytes =
                assay_loose_wrap(m->store, m->model, f, assay_loose_content(m->store, m->model, f, values[f->slot]));
    input.values = values;
    input.whole = false;
    input.kind = ASSAY_INPUT_RAW;
    return input;
}

/* ---- fields that are bytes on the wire --------------------------------- */

static void raw_bytes(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                      const char *label, const void *p, size_t n)
{
    struct assay_blob content = {p, (uint32_t)n};
    struct assay_input input;
    if (f->flags & ASSAY_F_MEMBER) {
        if (!assay_maker_put_member(m, base, f, content, &input))
            return;
        input.req = f->req != ASSAY_NONE ? f->req : input.req;
    } else {
        struct assay_value v = {.bytes = assay_loose_wrap(m->store, m->model, f, content)};
        input = assay_input_with(m, base, f->slot, v);
    }
    assay_maker_add_raw(m, m->raw, input, assay_store_text(m->store, "%s-%s", f->name, label));
}

struct raw_text {
    const char *label, *text;
};

static const struct raw_text bad_numbers[] = {
    {"empty", ""},
    {"sign-only", "-"},
    {"plus", "+1"},
    {"leading-zero", "01"},
    {"minus-zero", "-0"},
    {"space-before", " 1"},
    {"space-behind", "1 "},
    {"tail", "1x"},
    {"hexadecimal", "0x1"},
    {"word", "twelve"},
    {"fraction", "1.5"},
    {"zero", "0"},
    {"two-signs", "--1"},
    {"huge", "99999999999999999999"},
    {"huge-negative", "-99999999999999999999"},
    {"upper", "A"},
    {"all-ones", "ffffffffffffffff"},
    {"tab-before", "\t1"},
};

static void raw_number_text(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++)
        raw_bytes(m, base, f, bad_numbers[i].label, bad_numbers[i].text, strlen(bad_numbers[i].text));
}

static void raw_enum_item(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                          uint32_t item)
{
    struct assay_blob text = m->model->enum_items[item].text;
    const char *name = m->model->enum_items[item].name;
    uint8_t *longer = assay_store(m->store, text.n + 1u), *behind_space = assay_store(m->store, text.n + 1u);
    memcpy(longer, text.p, text.n);
    longer[text.n] = 'x';
    raw_bytes(m, base, f, assay_store_text(m->store, "%s-longer", name), longer, text.n + 1);
    behind_space[0] = item % 2 ? '\t' : ' ';
    memcpy(behind_space + 1, text.p, text.n);
    raw_bytes(m, base, f, assay_store_text(m->store, "%s-space-before", name), behind_space, text.n + 1);
    uint8_t *upper = assay_store_copy(m->store, text.p, text.n);
    for (uint32_t k = 0; k < text.n; k++)
        upper[k] = (uint8_t)(islower(upper[k]) ? toupper(upper[k]) : tolower(upper[k]));
    raw_bytes(m, base, f, assay_store_text(m->store, "%s-case", name), upper, text.n);
}

static void raw_enum_text(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_range items = m->model->enums[m->model->types[f->type].of].items;
    raw_bytes(m, base, f, "unknown", "?", 1);
    raw_bytes(m, base, f, "none", "", 0);
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        raw_enum_item(m, base, f, i);
}

static bool in_set(const struct assay_model *model, uint16_t set, unsigned b)
{
    return set == ASSAY_NONE || (model->sets[set].bits[b >> 6] >> (b & 63) & 1);
}

static void raw_text(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    const struct assay_type *t = &m->model->types[f->type];
    uint32_t min = (uint32_t)t->min;
    if (t->kind == ASSAY_T_TEXT && t->charset != ASSAY_CS_BYTES) {
        raw_bytes(m, base, f, "byte-ff", "a\xff", 2);
        raw_bytes(m, base, f, "cut-utf-8", "a\xc3", 2);
        raw_bytes(m, base, f, "surrogate", "\xed\xa0\x80", 3);
        raw_bytes(m, base, f, "overlong", "\xc0\xaf", 2);
        raw_bytes(m, base, f, "non-ascii", "\xc3\xa9", 2);
    }
    if (t->min > 0)
        raw_bytes(m, base, f, "below-min", assay_filler(m, min, 'a').p, min - 1);
    if (t->max >= 0 && t->max < m->model->frames[m->frame].max)
        raw_bytes(m, base, f, "above-max", assay_filler(m, (uint32_t)t->max + 1, 'a').p, (size_t)t->max + 1);
    if (m->model->frames[m->frame].tag == f->slot && t->max > 0 && t->max < m->model->frames[m->frame].max)
        raw_bytes(m, base, f, "longest", assay_filler(m, (uint32_t)t->max, 'a').p, (size_t)t->max);
    if (m->model->frames[m->frame].tag == f->slot && min > 0)
        raw_bytes(m, base, f, "shortest", assay_filler(m, min, 'a').p, min);
    if (t->set != ASSAY_NONE && f->check != ASSAY_NONE && t->max > 1) {
        raw_bytes(m, base, f, "digit-first", "1a", 2);
        raw_bytes(m, base, f, "sign-first", "_a", 2);
    }
    unsigned shown = 0;
    for (unsigned b = 0; b < 256 && shown < 8; b++) {
        uint8_t text[] = {'a', (uint8_t)b};
        if (in_set(m->model, t->set, b) || (b > 0 && b < 255 && !in_set(m->model, t->set, b - 1)))
            continue;
        raw_bytes(m, base, f, assay_store_text(m->store, "byte-%02x", b), text, 2);
        shown++;
    }
}

/* A prefix that lies about its size, a delimiter that is not there. */
static void raw_extent(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_blob whole = base->values[f->slot].bytes;
    struct assay_value v = {0};
    uint8_t *p = assay_store_copy(m->store, whole.p, whole.n + 1u > 1 ? whole.n : 1);
    if (whole.n == 0)
        return;
    if (f->extent == ASSAY_EXT_BEFORE) {
        struct assay_range ends = m->model->delims[f->extent_arg].blobs;
        for (uint32_t i = ends.first; i < (uint32_t)ends.first + ends.count; i++)
            raw_bytes(m, base, f, assay_store_text(m->store, "nothing-before-%u", (unsigned)(i - ends.first + 1)),
                      m->model->blobs[i].p, m->model->blobs[i].n);
    } else if (f->extent == ASSAY_EXT_UNTIL) {
        v.bytes = (struct assay_blob){p, whole.n - m->model->blobs[m->model->delims[f->extent_arg].blobs.first].n};
        assay_maker_add_raw(m, m->raw, assay_input_with(m, base, f->slot, v),
                            assay_store_text(m->store, "%s-unended", f->name));
    } else if (f->extent == ASSAY_EXT_PREFIX) {
        uint32_t last = f->extent_arg / 8u == 0 || (f->flags & ASSAY_F_LITTLE) ? 0 : f->extent_arg / 8u - 1;
        v.bytes = (struct assay_blob){p, whole.n};
        p[last]++;
        assay_maker_add_raw(m, m->raw, assay_input_with(m, base, f->slot, v),
                            assay_store_text(m->store, "%s-prefix-longer", f->name));
        uint8_t *shorter = assay_store_copy(m->store, whole.p, whole.n);
        v.bytes.p = shorter;
        if (shorter[last]--)
            assay_maker_add_raw(m, m->raw, assay_input_with(m, base, f->slot, v),
                                assay_store_text(m->store, "%s-prefix-shorter", f->name));
    }
}

static void raw_field_bytes(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    if (f->form == ASSAY_FORM_PAIRS)
        return;
    if (f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX)
        raw_number_text(m, base, f);
    else if (assay_field_is_enum(m->model, f))
        raw_enum_text(m, base, f);
    else
        raw_text(m, base, f);
    if (!(f->flags & ASSAY_F_MEMBER))
        raw_extent(m, base, f);
}

/* ---- numbers ----------------------------------------------------------- */

static bool named(const struct assay_model *model, uint16_t type, int64_t n)
{
    struct assay_range items = model->enums[model->types[type].of].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (model->enum_items[i].value == n)
            return true;
    return false;
}

static bool fits_bits(const struct assay_field *f, int64_t n)
{
    if (f->bits >= 63)
        return true;
    int64_t high = (int64_t)1 << f->bits;
    return f->flags & ASSAY_F_SIGNED ? n >= -(high / 2) && n < high / 2 : n >= 0 && n < high;
}

static void raw_number(struct assay_maker *m, const struct assay_model *model, const struct assay_input *base,
                       const struct assay_field *f, int64_t n, const char *what)
{
    if (!fits_bits(f, n))
        return;
    const char *label = what ? assay_store_text(m->store, "%s-%s", f->name, what) : assay_number_label(m, f->name, n);
    assay_maker_add_raw(m, model, assay_input_with(m, base, f->slot, (struct assay_value){.n = n}), label);
}

/* Numbers of which a check of the field, or of the whole message, may say no: an encoder refuses them. */
static void raw_checked_number(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_atoms atoms = {0};
    int64_t n = base->values[f->slot].n, min, max;
    assay_field_bounds(m->model, f, &min, &max);
    assay_atoms_collect(m->model, f->check, &atoms);
    const int64_t always[] = {min, max, n - 1, n + 1};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        assay_atoms_add(&atoms, always[i]);
    assay_atoms_sort(&atoms);
    for (size_t i = 0; i < atoms.int_count; i++)
        if (atoms.ints[i] >= min && atoms.ints[i] <= max)
            raw_number(m, m->raw, base, f, atoms.ints[i], NULL);
    assay_atoms_free(&atoms);
}

static void raw_field_number(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f)
{
    const struct assay_type *t = &m->model->types[f->type];
    int64_t most = f->bits >= 63 ? INT64_MAX : ((int64_t)1 << f->bits) - 1;
    if (f->is != ASSAY_NONE) {
        int64_t n = base->values[f->slot].n;
        raw_number(m, m->lying, base, f, n + 1, "one-more");
        raw_number(m, m->lying, base, f, n - 1, "one-less");
        raw_number(m, m->lying, base, f, 0, "none");
        raw_number(m, m->lying, base, f, most, "most");
        raw_number(m, m->lying, base, f, (int64_t)1 << (f->bits / 2), "swapped");
        return;
    }
    if (t->kind == ASSAY_T_ENUM) {
        int64_t tried[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 32, 64, 127, 128, 255, most};
        for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
            if (!named(m->model, f->type, tried[i]))
                raw_number(m, m->raw, base, f, tried[i], NULL);
        return;
    }
    if (f->check != ASSAY_NONE || m->model->messages[base->message].wheres.count)
        raw_checked_number(m, base, f);
}

void assay_witness_raw_fields(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input raw = assay_maker_raw_base(m, base);
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message, .computed = true};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w)) {
        if (!((raw.known & ~m->done) >> f->slot & 1) || f->form == ASSAY_FORM_LIST)
            continue;
        if (assay_loose_is_raw(f) || (f->flags & ASSAY_F_MEMBER))
            raw_field_bytes(m, &raw, f);
        else
            raw_field_number(m, &raw, f);
    }
}

/* A message that nobody knows, with all the fields of the base. */
void assay_witness_unknown(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input raw = assay_maker_raw_base(m, base);
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w)) {
        int64_t min = m->model->types[f->type].min;
        uint32_t size = min > 3 ? (uint32_t)min : 3;
        if (f->slot == m->model->frames[m->frame].tag && assay_loose_is_raw(f) &&
            m->model->types[f->type].kind == ASSAY_T_TEXT)
            raw_bytes(m, &raw, f, "of-nobody", assay_filler(m, size, 'a').p, size);
    }
}

/* What is there on condition may hang on the very number that is wrong: the same without it. */
static struct assay_input unconditional(struct assay_maker *m, struct assay_input input)
{
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = input.message};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
        if (f->present != ASSAY_NONE)
            input.known &= ~((uint64_t)1 << f->slot);
    return input;
}

/* Numbers just outside their type: with every value of the enumerations beside them. */
static void raw_bounds(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                       const char *label)
{
    const struct assay_type *t = &m->model->types[f->type];
    for (int above = 0; above < 2; above++) {
        char text[32];
        const char *what = assay_store_text(m->store, "%s%s", label, above ? "above-max" : "below-min");
        if (above ? t->max == INT64_MAX : t->min == INT64_MIN)
            continue;
        int64_t n = above ? t->max + 1 : t->min - 1;
        if (f->form == ASSAY_FORM_HEX && n < 0)
            continue; /* hexadecimal has no sign */
        if (f->form == ASSAY_FORM_DECIMAL)
            raw_bytes(m, base, f, what, text, (size_t)snprintf(text, sizeof text, "%" PRId64, n));
        else if (f->form == ASSAY_FORM_HEX)
            raw_bytes(m, base, f, what, text, (size_t)snprintf(text, sizeof text, "%" PRIx64, (uint64_t)n));
        else
            raw_number(m, m->raw, base, f, n, what);
    }
}

void assay_witness_raw_bounds(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_combinations *c = malloc(sizeof *c);
    assay_maker_combine(m, base, c);
    for (size_t i = 0; i < c->count; i++) {
        struct assay_input raw = assay_maker_raw_base(m, &c->items[i].input);
        struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
        for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
            if (((raw.known & ~m->done) >> f->slot & 1) && m->model->types[f->type].kind == ASSAY_T_INT &&
                f->form != ASSAY_FORM_LIST) {
                struct assay_input bare = unconditional(m, raw);
                raw_bounds(m, &raw, f, c->items[i].label);
                if (bare.known >> f->slot & 1 && bare.known != raw.known)
                    raw_bounds(m, &bare, f, assay_store_text(m->store, "%sbare-", c->items[i].label));
            }
    }
    free(c);
}

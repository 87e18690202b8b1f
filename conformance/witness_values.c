/* Inputs that are well formed: samples, and values at the borders of types and guards. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/maker.h"

#define VALUES_MAX 512
#define LIST_MAX   1024
#define SIZES_MAX  4096 /* larger sizes are tested at the limits only */

/* ---- values of a field ------------------------------------------------- */

struct candidate {
    const char *label;
    struct assay_value value;
    bool limit;  /* of its type */
    bool border; /* of its type, not of a guard: one of each is enough */
};

struct candidates {
    struct candidate items[VALUES_MAX];
    size_t count;
};

static void add_candidate(struct candidates *c, const char *label, struct assay_value value, bool border)
{
    if (c->count < VALUES_MAX)
        c->items[c->count++] = (struct candidate){label, value, false, border};
}

void assay_field_bounds(const struct assay_model *model, const struct assay_field *f, int64_t *min, int64_t *max)
{
    const struct assay_type *t = &model->types[f->type];
    *min = t->min;
    *max = t->max;
    if (t->kind == ASSAY_T_BOOL) {
        *min = 0;
        *max = 1;
    }
    if (f->form != ASSAY_FORM_INT || f->bits >= 63)
        return;
    int64_t high = (int64_t)1 << f->bits;
    int64_t low = f->flags & ASSAY_F_SIGNED ? -(high / 2) : 0;
    high = f->flags & ASSAY_F_SIGNED ? high / 2 - 1 : high - 1;
    *min = *min < low ? low : *min;
    *max = *max > high ? high : *max;
}

/* Every code that looks at a message: guards and bodies of the rules that take it, checks of its fields. */
static void collect(struct assay_maker *m, uint16_t message, struct assay_atoms *atoms)
{
    const struct assay_model *model = m->model;
    struct assay_range states = model->machines[m->config->machine].states;
    uint16_t event = model->messages[message].event;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++) {
        uint16_t at = model->transitions[(size_t)s * model->events_count + event];
        for (const uint16_t *r = at == ASSAY_NONE ? NULL : &model->rule_lists[at]; r && *r != ASSAY_NONE; r++) {
            assay_atoms_collect(model, model->rules[*r].guard, atoms);
            assay_atoms_collect(model, model->rules[*r].body, atoms);
        }
    }
    struct assay_walk w = {.model = model, .frame = m->frame, .message = message};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
        assay_atoms_collect(model, f->check, atoms);
}

static void number_candidates(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                              struct candidates *c)
{
    struct assay_atoms atoms = {0};
    int64_t min, max;
    assay_field_bounds(m->model, f, &min, &max);
    collect(m, base->message, &atoms);
    assay_atoms_add(&atoms, min);
    assay_atoms_add(&atoms, max);
    assay_atoms_add(&atoms, 0);
    assay_atoms_add(&atoms, 1);
    assay_atoms_add(&atoms, -1);
    assay_atoms_borders(m->config, base->message, f->slot, base, min, max, &atoms);
    assay_atoms_sort(&atoms);
    for (size_t i = 0; i < atoms.int_count; i++) {
        int64_t n = atoms.ints[i];
        if (n < min || n > max || c->count == VALUES_MAX)
            continue;
        add_candidate(c, assay_number_label(m, f->name, n), (struct assay_value){.n = n}, false);
        c->items[c->count - 1].limit = n == min || n == max;
    }
    assay_atoms_free(&atoms);
}

static void size_candidates(struct assay_maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
                            struct candidates *c)
{
    const struct assay_type *t = &m->model->types[f->type];
    int64_t most = m->model->frames[m->frame].max;
    int64_t max = t->max < most ? t->max : most;
    struct assay_atoms sizes = {0};
    for (size_t i = 0; i < atoms->int_count; i++)
        if (atoms->ints[i] >= 0 && atoms->ints[i] <= SIZES_MAX)
            assay_atoms_add(&sizes, atoms->ints[i]);
    for (int64_t n = 0; n < 3; n++)
        assay_atoms_add(&sizes, t->min + n);
    /* the longest that fits is told by the encoder: the frame's other bytes take their share */
    for (int64_t n = 0; n < 16; n++)
        assay_atoms_add(&sizes, max - n);
    assay_atoms_sort(&sizes);
    for (size_t i = 0; i < sizes.int_count; i++) {
        int64_t n = sizes.ints[i];
        if (n < t->min || n > max)
            continue;
        const char *label = n == 0 ? assay_store_text(m->store, "%s-empty", f->name)
                                   : assay_store_text(m->store, "%s-size-%" PRId64, f->name, n);
        struct assay_blob bytes = assay_filler(m, (uint32_t)n, 'a');
        add_candidate(c, label, (struct assay_value){.bytes = bytes}, n > max - 16 && n > t->min + 2);
        c->items[c->count - 1].limit = n == t->min || n == t->max;
    }
    assay_atoms_free(&sizes);
}

static void first_candidates(struct assay_maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
                             struct candidates *c)
{
    static const uint8_t always[] = {0x00, 0x01, 0x02, 0x03, 0x20, 0x7f, 0x80, 0xfe, 0xff};
    bool wanted[256] = {false};
    for (size_t i = 0; i < sizeof always; i++)
        wanted[always[i]] = true;
    for (size_t i = 0; i < atoms->int_count; i++)
        if (atoms->ints[i] >= 0 && atoms->ints[i] < 256)
            wanted[atoms->ints[i]] = true;
    for (unsigned b = 0; b < 256; b++) {
        if (!wanted[b])
            continue;
        add_candidate(c, assay_store_text(m->store, "%s-first-%02x", f->name, b),
                      (struct assay_value){.bytes = assay_filler(m, 4, (uint8_t)b)}, false);
    }
}

static void blob_candidates(struct assay_maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
                            struct candidates *c)
{
    for (size_t i = 0; i < atoms->blob_count; i++) {
        struct assay_blob b = atoms->blobs[i];
        uint8_t *p = assay_store(m->store, b.n + 2u);
        p[0] = 'x';
        if (b.n)
            memcpy(p + 1, b.p, b.n);
        p[b.n + 1] = 'x';
        const char *name = assay_store_text(m->store, "%s-text-%zu", f->name, i + 1);
        add_candidate(c, name, (struct assay_value){.bytes = b}, false);
        if (b.n)
            add_candidate(c, assay_store_text(m->store, "%s-shorter", name),
                          (struct assay_value){.bytes = {b.p, b.n - 1}}, false);
        add_candidate(c, assay_store_text(m->store, "%s-longer", name), (struct assay_value){.bytes = {p + 1, b.n + 1}},
                      false);
        add_candidate(c, assay_store_text(m->store, "%s-behind", name), (struct assay_value){.bytes = {p, b.n + 1}},
                      false);
    }
}

static void bytes_candidates(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                             struct candidates *c)
{
    struct assay_atoms atoms = {0};
    collect(m, base->message, &atoms);
    assay_atoms_sort(&atoms);
    size_candidates(m, f, &atoms, c);
    first_candidates(m, f, &atoms, c);
    blob_candidates(m, f, &atoms, c);
    assay_atoms_free(&atoms);
}

/* A member that stands twice among its pairs: the text that a guard asks for, and another one. Which of them holds
 * shows in what follows. */
static void say_twice(struct assay_maker *m, const struct assay_input *raw, const struct assay_field *f,
                      struct assay_blob text, const char *label)
{
    const struct assay_field *all = &m->model->fields[f->element];
    const struct assay_pairs *g = &m->model->pairs[all->element];
    struct assay_blob name = m->model->blobs[f->extent_arg];
    char other = text.n == 1 && text.p[0] == 'x' ? 'y' : 'x';
    struct assay_input once;
    if (!assay_maker_put_member(m, raw, f, text, &once))
        return;
    struct assay_blob rest = once.values[all->slot].bytes;
    const char *pair = assay_store_text(m->store, "%.*s%c%c", (int)name.n, (const char *)name.p, g->assign, other);
    for (int last = 0; last < 2; last++) {
        const char *a = last ? pair : assay_store_text(m->store, "%.*s", (int)rest.n, (const char *)rest.p);
        const char *b = last ? assay_store_text(m->store, "%.*s", (int)rest.n, (const char *)rest.p) : pair;
        const char *both = assay_store_text(m->store, "%s%c%s", a, g->separator, b);
        struct assay_value v = {.bytes = {(const uint8_t *)both, (uint32_t)strlen(both)}};
        struct assay_input input = assay_input_with(m, &once, all->slot, v);
        if (g->req != ASSAY_NONE)
            input.req = g->req;
        assay_maker_add_raw(m, m->raw, input, assay_store_text(m->store, "%s-%s", label, last ? "last" : "first"));
    }
}

void assay_witness_twice(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input raw = assay_maker_raw_base(m, base);
    struct assay_range fields = m->model->messages[base->message].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &m->model->fields[i];
        struct assay_atoms atoms = {0};
        if (!(f->flags & ASSAY_F_MEMBER) || !assay_field_is_bytes(m->model, f))
            continue;
        collect(m, base->message, &atoms);
        assay_atoms_sort(&atoms);
        for (size_t k = 0; k < atoms.blob_count; k++)
            if (atoms.blobs[k].n && !memchr(atoms.blobs[k].p, 0, atoms.blobs[k].n))
                say_twice(m, &raw, f, atoms.blobs[k], assay_store_text(m->store, "%s-text-%zu-twice", f->name, k + 1));
        assay_atoms_free(&atoms);
    }
}

static void add_list(struct assay_maker *m, const struct assay_field *f, struct candidates *c, const char *label,
                     int64_t count, int64_t first, bool limit)
{
    uint8_t *p = assay_store(m->store, (size_t)(8 * count) + 1);
    for (int64_t k = 0; k < count; k++) {
        int64_t n = k ? k + 1 : first;
        memcpy(p + 8 * k, &n, sizeof n);
    }
    add_candidate(c, assay_store_text(m->store, "%s-%s", f->name, label),
                  (struct assay_value){.bytes = {p, (uint32_t)(8 * count)}}, false);
    c->items[c->count - 1].limit = limit;
}

static void list_candidates(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                            struct candidates *c)
{
    const struct assay_type *t = &m->model->types[f->type];
    const int64_t counts[] = {0, 1, 2, t->min, t->max};
    const struct assay_field *element = &m->model->fields[f->element];
    int64_t min, max, own = base->known >> f->slot & 1 ? base->values[f->slot].bytes.n / 8 : 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i] < t->min || counts[i] > t->max || counts[i] > LIST_MAX)
            continue;
        add_list(m, f, c, assay_store_text(m->store, "count-%" PRId64, counts[i]), counts[i], 1,
                 counts[i] == t->min || counts[i] == t->max);
    }
    if (own == 0 || own > LIST_MAX)
        return;
    assay_field_bounds(m->model, element, &min, &max);
    add_list(m, f, c, "element-least", own, min, true);
    add_list(m, f, c, "element-most", own, max, true);
}

static void candidates_of(struct assay_maker *m, const struct assay_input *base, const struct assay_field *f,
                          struct candidates *c)
{
    c->count = 0;
    if (m->model->types[f->type].kind == ASSAY_T_LIST)
        list_candidates(m, base, f, c);
    else if (assay_field_is_bytes(m->model, f))
        bytes_candidates(m, base, f, c);
    else if (!assay_field_is_enum(m->model, f))
        number_candidates(m, base, f, c);
}

/* ---- combinations ------------------------------------------------------ */

static bool is_tag(const struct assay_maker *m, const struct assay_field *f)
{
    return m->model->frames[m->frame].tag == f->slot;
}

static void multiply(struct assay_maker *m, const struct assay_field *f, struct assay_combinations *c)
{
    struct assay_range items = m->model->enums[m->model->types[f->type].of].items;
    bool text = m->model->enums[m->model->types[f->type].of].text;
    size_t count = c->count;
    struct assay_combinations *old = malloc(sizeof *old);
    *old = *c;
    c->count = 0;
    for (size_t i = 0; i < count; i++)
        for (uint16_t k = 0; k < items.count && c->count < ASSAY_COMBINATIONS_MAX; k++) {
            const struct assay_enum_item *item = &m->model->enum_items[items.first + k];
            struct assay_value v = {.n = text ? k : item->value};
            struct assay_combination *to = &c->items[c->count++];
            to->input = assay_input_with(m, &old->items[i].input, f->slot, v);
            to->label = assay_store_text(m->store, "%s%s-", old->items[i].label, item->name);
        }
    free(old);
}

void assay_maker_combine(struct assay_maker *m, const struct assay_input *base, struct assay_combinations *c)
{
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
    c->count = 1;
    c->items[0] = (struct assay_combination){*base, ""};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
        if (assay_field_is_enum(m->model, f) && !is_tag(m, f))
            multiply(m, f, c);
}

static bool add_value(struct assay_maker *m, const struct assay_combination *base, const struct assay_field *f,
                      const struct candidate *candidate)
{
    size_t before = m->inputs->count;
    struct assay_input input = assay_input_with(m, &base->input, f->slot, candidate->value);
    input.limit = candidate->limit;
    assay_maker_add_whole(m, input, assay_store_text(m->store, "%s%s", base->label, candidate->label),
                          ASSAY_INPUT_BOUNDARY);
    return m->inputs->count > before;
}

/* Of the sizes near the limit the two largest that fit are kept, and only once. */
static void add_values(struct assay_maker *m, const struct assay_combination *base, const struct assay_field *f,
                       struct candidates *c, bool first)
{
    unsigned kept = 0;
    candidates_of(m, &base->input, f, c);
    for (size_t i = 0; i < c->count; i++)
        if (!c->items[i].border)
            add_value(m, base, f, &c->items[i]);
    for (size_t i = c->count; i-- > 0 && first && kept < 2;)
        if (c->items[i].border)
            kept += add_value(m, base, f, &c->items[i]);
}

void assay_witness_values(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_combinations *c = malloc(sizeof *c);
    struct candidates *values = malloc(sizeof *values);
    assay_maker_combine(m, base, c);
    for (size_t i = 0; i < c->count; i++) {
        struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
        if (c->items[i].label[0])
            assay_maker_add_whole(m, c->items[i].input, assay_store_text(m->store, "%sexample", c->items[i].label),
                                  ASSAY_INPUT_BOUNDARY);
        for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
            if (!(m->done >> f->slot & 1) && !assay_field_is_enum(m->model, f) && !is_tag(m, f))
                add_values(m, &c->items[i], f, values, i == 0);
    }
    free(values);
    free(c);
}

void assay_witness_samples(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message};
    for (const struct assay_field *f = assay_next_field(&w); f && m->config->spec; f = assay_next_field(&w)) {
        const struct assay_blob *samples = NULL;
        size_t count = assay_spec_samples(m->config->spec, (uint16_t)(f - m->model->fields), &samples);
        for (size_t i = 0; i < count && assay_field_is_bytes(m->model, f); i++)
            assay_maker_add_whole(m, assay_input_with(m, base, f->slot, (struct assay_value){.bytes = samples[i]}),
                                  assay_store_text(m->store, "%s-sample-%zu", f->name, i + 1), ASSAY_INPUT_SAMPLE);
    }
}

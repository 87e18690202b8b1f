/* The inputs of a model: examples and samples, values at borders, and bytes that no encoder makes. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/lens.h"
#include "conformance/loose.h"
#include "conformance/witness.h"
#include "core/code.h"

#define COMBINATIONS_MAX 64
#define VALUES_MAX       512
#define SIZES_MAX        4096 /* larger sizes are tested at the limits only */

struct candidate {
    const char *label;
    struct assay_value value;
    bool limit;  /* of its type */
    bool border; /* of its type, not of a guard: one of each is enough */
};

struct maker {
    struct assay_store *store;
    const struct assay_witness_config *config;
    const struct assay_model *model, *raw, *lying, *graft;
    struct assay_inputs *inputs;
    struct assay_lens lens;
    uint16_t frame;
};

/* ---- fields ------------------------------------------------------------ */

static bool is_bytes(const struct assay_model *model, const struct assay_field *f)
{
    return f->type != ASSAY_NONE && model->types[f->type].kind >= ASSAY_T_BYTES;
}

static bool is_enum(const struct assay_model *model, const struct assay_field *f)
{
    return f->type != ASSAY_NONE && model->types[f->type].kind == ASSAY_T_ENUM;
}

/* Fields of a message that a tester sets: frame fields first, computed ones and the body left out. */
struct walk {
    const struct assay_model *model;
    uint16_t message;
    uint32_t part, i;
    bool computed; /* computed ones, too */
};

static const struct assay_field *next_field(struct walk *w)
{
    const struct assay_frame *frame = &w->model->frames[assay_frame_in(w->model)];
    struct assay_range ranges[] = {frame->fields, w->model->messages[w->message].fields};
    for (; w->part < 2; w->part++, w->i = 0)
        while (w->i < ranges[w->part].count) {
            uint32_t index = ranges[w->part].first + w->i++;
            const struct assay_field *f = &w->model->fields[index];
            if (f->name && f->slot != ASSAY_NONE && index != frame->body && f->form != ASSAY_FORM_CALC &&
                f->form != ASSAY_FORM_CONST && (w->computed || f->is == ASSAY_NONE))
                return f;
        }
    return NULL;
}

static bool is_tag(const struct maker *m, const struct assay_field *f)
{
    return m->model->frames[m->frame].tag == f->slot;
}

/* ---- adding inputs ----------------------------------------------------- */

static struct assay_input *find_same(const struct assay_inputs *inputs, struct assay_blob bytes)
{
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->items[i].bytes.n == bytes.n && memcmp(inputs->items[i].bytes.p, bytes.p, bytes.n) == 0)
            return &inputs->items[i];
    return NULL;
}

static bool label_taken(const struct assay_inputs *inputs, uint16_t message, const char *label)
{
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->items[i].message == message && strcmp(inputs->items[i].label, label) == 0)
            return true;
    return false;
}

static const char *unique_label(struct maker *m, uint16_t message, const char *label)
{
    const char *text = label;
    for (int i = 2; label_taken(m->inputs, message, text); i++)
        text = assay_store_text(m->store, "%s-%d", label, i);
    return text;
}

static void add_input(struct maker *m, struct assay_input input)
{
    if (input.bytes.n == 0 || find_same(m->inputs, input.bytes))
        return;
    input.label = unique_label(m, input.message, input.label);
    struct assay_input *to =
        assay_items_add((void **)&m->inputs->items, &m->inputs->count, &m->inputs->cap, sizeof *to);
    *to = input;
}

static void put_values(struct assay_lens *lens, const struct assay_input *input)
{
    struct walk w = {.model = lens->env.model, .message = input->message, .computed = true};
    assay_lens_clear(lens);
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w)) {
        if (!(input->known >> f->slot & 1))
            continue;
        struct assay_value v = input->values[f->slot];
        lens->slots[f->slot] = (assay_val)v.n;
        if (is_bytes(lens->env.model, f)) {
            uint8_t *p = assay_scratch(&lens->env, v.bytes.n);
            if (!p)
                return;
            if (v.bytes.n)
                memcpy(p, v.bytes.p, v.bytes.n);
            lens->slots[f->slot] = assay_scratch_val(&lens->env, p, v.bytes.n);
        }
        lens->env.known |= (uint64_t)1 << f->slot;
    }
}

static struct assay_blob encode(struct assay_store *store, struct assay_lens *lens, const struct assay_input *input,
                                bool undelimited)
{
    const struct assay_model *model = lens->env.model;
    uint32_t cap = 64;
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        cap += (input->known >> i & 1) ? input->values[i].bytes.n + 64 : 0;
    uint8_t *out = malloc(cap);
    struct assay_blob blob = {0};
    put_values(lens, input);
    struct assay_encoded e = assay_encode(&lens->env, assay_frame_in(model), input->message, out, cap, undelimited);
    if (e.status == ASSAY_ENCODED)
        blob = assay_store_blob(store, out, e.size);
    free(out);
    return blob;
}

static struct assay_blob bare_of(const struct assay_model *model, struct assay_store *store, struct assay_lens *lens,
                                 const struct assay_input *input)
{
    if (model->frames[assay_frame_in(model)].end != ASSAY_END_UNTIL)
        return (struct assay_blob){0};
    return encode(store, lens, input, true);
}

static bool encode_with(struct assay_store *store, const struct assay_model *model, const assay_val *options,
                        uint64_t leniencies, struct assay_input *input)
{
    struct assay_lens lens;
    uint32_t room = 8 * model->frame_max + 65536;
    if (!assay_lens_init(&lens, model, options, leniencies, room < (1u << 26) ? room : 1u << 26))
        return false;
    input->bytes = encode(store, &lens, input, false);
    if (input->bytes.n)
        input->bare = bare_of(model, store, &lens, input);
    assay_lens_free(&lens);
    return input->bytes.n > 0;
}

bool assay_input_encode(struct assay_store *store, const struct assay_model *model, const assay_val *options,
                        uint64_t leniencies, struct assay_input *input)
{
    return encode_with(store, model, options, leniencies, input);
}

static struct assay_input with(struct maker *m, const struct assay_input *base, uint16_t slot, struct assay_value v)
{
    struct assay_input input = *base;
    struct assay_value *values = assay_store_copy(m->store, base->values, ASSAY_SLOTS_MAX * sizeof *values);
    values[slot] = v;
    struct walk w = {.model = m->model, .message = base->message, .computed = true};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
        if (f->slot == slot)
            input.req = f->req;
    input.values = values;
    input.known |= (uint64_t)1 << slot;
    return input;
}

static void add_whole(struct maker *m, struct assay_input input, const char *label, enum assay_input_kind kind)
{
    input.label = label;
    input.kind = (uint8_t)kind;
    input.whole = true;
    if (encode_with(m->store, m->model, m->config->options, m->config->leniencies, &input))
        add_input(m, input);
}

/* ---- examples ---------------------------------------------------------- */

static void take_values(struct maker *m, uint16_t message, struct assay_input *input)
{
    struct assay_value *values = assay_store(m->store, ASSAY_SLOTS_MAX * sizeof *values);
    struct walk w = {.model = m->model, .message = message, .computed = true};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w)) {
        assay_val v = m->lens.slots[f->slot];
        if (!(m->lens.env.known >> f->slot & 1))
            continue;
        input->known |= (uint64_t)1 << f->slot;
        values[f->slot].n = (int64_t)v;
        if (!is_bytes(m->model, f))
            continue;
        struct assay_span s = assay_bytes(&m->lens.env, v);
        values[f->slot].bytes = assay_store_blob(m->store, s.p, s.n);
    }
    input->values = values;
}

static bool read_example(struct maker *m, const struct assay_example *x, struct assay_input *input)
{
    struct assay_span bytes = {x->bytes.p, x->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, ASSAY_CLIENT, bytes, 0, false);
    if (f.status != ASSAY_FRAME_WHOLE || f.size != bytes.n)
        return false;
    m->lens.env.frame = bytes.p;
    struct assay_decoded d =
        assay_decode(&m->lens.env, m->frame, ASSAY_CLIENT, (struct assay_span){bytes.p, f.content});
    if (d.message == ASSAY_NONE || d.event != m->model->messages[d.message].event)
        return false;
    *input = (struct assay_input){
        .kind = ASSAY_INPUT_EXAMPLE, .message = d.message, .whole = true, .req = ASSAY_NONE, .bytes = x->bytes};
    take_values(m, d.message, input);
    input->bare.p = bytes.p;
    input->bare.n = f.content < f.size ? f.content : 0;
    return true;
}

static void add_examples(struct maker *m)
{
    unsigned number = 0;
    for (uint16_t i = 0; i < m->model->examples_count; i++) {
        const struct assay_example *x = &m->model->examples[i];
        struct assay_input input = {
            .message = x->message, .kind = ASSAY_INPUT_RAW, .req = ASSAY_NONE, .bytes = x->bytes};
        number = i && m->model->examples[i - 1].message == x->message ? number + 1 : 1;
        if (!(x->from & ASSAY_CLIENT))
            continue;
        if (x->fault == ASSAY_NONE && !read_example(m, x, &input))
            continue;
        input.label = assay_store_text(m->store, "example-%u", number);
        add_input(m, input);
    }
}

/* The first example of a message whose encoding is its own bytes: what the other inputs are changed from. */
static bool base_of(struct maker *m, uint16_t message, struct assay_input *base)
{
    for (uint16_t i = 0; i < m->model->examples_count; i++) {
        const struct assay_example *x = &m->model->examples[i];
        if ((x->from & ASSAY_CLIENT) && x->fault == ASSAY_NONE && !x->other_form && x->message == message &&
            read_example(m, x, base) && base->message == message)
            return true;
    }
    return false;
}

/* ---- values of a field ------------------------------------------------- */

struct candidates {
    struct candidate items[VALUES_MAX];
    size_t count;
};

static void add_candidate(struct candidates *c, const char *label, struct assay_value value, bool border)
{
    if (c->count < VALUES_MAX)
        c->items[c->count++] = (struct candidate){label, value, false, border};
}

static const char *number_label(struct maker *m, const char *field, int64_t n)
{
    if (n < 0)
        return assay_store_text(m->store, "%s-minus-%" PRIu64, field, (uint64_t)0 - (uint64_t)n);
    return assay_store_text(m->store, "%s-%" PRId64, field, n);
}

/* What an INT field's bits can say, within what its type allows. */
static void bounds_of(const struct assay_model *model, const struct assay_field *f, int64_t *min, int64_t *max)
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
static void collect(struct maker *m, uint16_t message, struct assay_atoms *atoms)
{
    const struct assay_model *model = m->model;
    struct assay_range states = model->machines[model->server].states;
    uint16_t event = model->messages[message].event;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++) {
        uint16_t at = model->dispatch[(size_t)s * model->events_count + event];
        for (const uint16_t *r = at == ASSAY_NONE ? NULL : &model->rule_lists[at]; r && *r != ASSAY_NONE; r++) {
            assay_atoms_collect(model, model->rules[*r].guard, atoms);
            assay_atoms_collect(model, model->rules[*r].body, atoms);
        }
    }
    struct walk w = {.model = model, .message = message};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
        assay_atoms_collect(model, f->check, atoms);
}

static void number_candidates(struct maker *m, const struct assay_input *base, const struct assay_field *f,
                              struct candidates *c)
{
    struct assay_atoms atoms = {0};
    int64_t min, max;
    bounds_of(m->model, f, &min, &max);
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
        add_candidate(c, number_label(m, f->name, n), (struct assay_value){.n = n}, false);
        c->items[c->count - 1].limit = n == min || n == max;
    }
    assay_atoms_free(&atoms);
}

static struct assay_blob filler(struct maker *m, uint32_t size, uint8_t first)
{
    uint8_t *p = assay_store(m->store, size + 1u);
    for (uint32_t i = 0; i < size; i++)
        p[i] = (uint8_t)('a' + i % 26);
    if (size)
        p[0] = first;
    return (struct assay_blob){p, size};
}

static void size_candidates(struct maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
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
        struct assay_blob bytes = filler(m, (uint32_t)n, 'a');
        add_candidate(c, label, (struct assay_value){.bytes = bytes}, n > max - 16 && n > t->min + 2);
    }
    assay_atoms_free(&sizes);
}

static void first_candidates(struct maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
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
                      (struct assay_value){.bytes = filler(m, 4, (uint8_t)b)}, false);
    }
}

static void blob_candidates(struct maker *m, const struct assay_field *f, const struct assay_atoms *atoms,
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

static void bytes_candidates(struct maker *m, const struct assay_input *base, const struct assay_field *f,
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

static void list_candidates(struct maker *m, const struct assay_field *f, struct candidates *c)
{
    const struct assay_type *t = &m->model->types[f->type];
    static const int64_t counts[] = {0, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *p = assay_store(m->store, 32);
        if (counts[i] < t->min || counts[i] > t->max)
            continue;
        for (int64_t k = 0; k < counts[i]; k++)
            p[8 * k] = (uint8_t)(k + 1);
        add_candidate(c, assay_store_text(m->store, "%s-count-%" PRId64, f->name, counts[i]),
                      (struct assay_value){.bytes = {p, (uint32_t)(8 * counts[i])}}, false);
    }
}

static void candidates_of(struct maker *m, const struct assay_input *base, const struct assay_field *f,
                          struct candidates *c)
{
    c->count = 0;
    if (m->model->types[f->type].kind == ASSAY_T_LIST)
        list_candidates(m, f, c);
    else if (is_bytes(m->model, f))
        bytes_candidates(m, base, f, c);
    else if (!is_enum(m->model, f))
        number_candidates(m, base, f, c);
}

/* ---- combinations ------------------------------------------------------ */

struct combination {
    struct assay_input input;
    const char *label; /* "" or "square-" */
};

struct combinations {
    struct combination items[COMBINATIONS_MAX];
    size_t count;
};

static void multiply(struct maker *m, const struct assay_field *f, struct combinations *c)
{
    struct assay_range items = m->model->enums[m->model->types[f->type].of].items;
    bool text = m->model->enums[m->model->types[f->type].of].text;
    size_t count = c->count;
    struct combinations *old = malloc(sizeof *old);
    *old = *c;
    c->count = 0;
    for (size_t i = 0; i < count; i++)
        for (uint16_t k = 0; k < items.count && c->count < COMBINATIONS_MAX; k++) {
            const struct assay_enum_item *item = &m->model->enum_items[items.first + k];
            struct assay_value v = {.n = text ? k : item->value};
            struct combination *to = &c->items[c->count++];
            to->input = with(m, &old->items[i].input, f->slot, v);
            to->label = assay_store_text(m->store, "%s%s-", old->items[i].label, item->name);
        }
    free(old);
}

/* The base with every value of its enumerations. */
static void combine(struct maker *m, const struct assay_input *base, struct combinations *c)
{
    struct walk w = {.model = m->model, .message = base->message};
    c->count = 1;
    c->items[0] = (struct combination){*base, ""};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
        if (is_enum(m->model, f) && !is_tag(m, f))
            multiply(m, f, c);
}

static bool add_value(struct maker *m, const struct combination *base, const struct assay_field *f,
                      const struct candidate *candidate)
{
    size_t before = m->inputs->count;
    struct assay_input input = with(m, &base->input, f->slot, candidate->value);
    input.limit = candidate->limit;
    add_whole(m, input, assay_store_text(m->store, "%s%s", base->label, candidate->label), ASSAY_INPUT_BOUNDARY);
    return m->inputs->count > before;
}

/* Of the sizes near the limit the two largest that fit are kept, and only once. */
static void add_values(struct maker *m, const struct combination *base, const struct assay_field *f,
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

static void add_combinations(struct maker *m, const struct assay_input *base)
{
    struct combinations *c = malloc(sizeof *c);
    struct candidates *values = malloc(sizeof *values);
    combine(m, base, c);
    for (size_t i = 0; i < c->count; i++) {
        struct walk w = {.model = m->model, .message = base->message};
        if (c->items[i].label[0])
            add_whole(m, c->items[i].input, assay_store_text(m->store, "%sexample", c->items[i].label),
                      ASSAY_INPUT_BOUNDARY);
        for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
            if (!is_enum(m->model, f) && !is_tag(m, f))
                add_values(m, &c->items[i], f, values, i == 0);
    }
    free(values);
    free(c);
}

static void add_samples(struct maker *m, const struct assay_input *base)
{
    struct walk w = {.model = m->model, .message = base->message};
    for (const struct assay_field *f = next_field(&w); f && m->config->spec; f = next_field(&w)) {
        const struct assay_blob *samples = NULL;
        size_t count = assay_spec_samples(m->config->spec, (uint16_t)(f - m->model->fields), &samples);
        for (size_t i = 0; i < count && is_bytes(m->model, f); i++)
            add_whole(m, with(m, base, f->slot, (struct assay_value){.bytes = samples[i]}),
                      assay_store_text(m->store, "%s-sample-%zu", f->name, i + 1), ASSAY_INPUT_SAMPLE);
    }
}

/* ---- what no encoder makes --------------------------------------------- */

/* The base with every raw field as the bytes that stand on the wire. */
static struct assay_input raw_base(struct maker *m, const struct assay_input *base)
{
    struct assay_input input = *base;
    struct assay_value *values = assay_store_copy(m->store, base->values, ASSAY_SLOTS_MAX * sizeof *values);
    struct walk w = {.model = m->model, .message = base->message, .computed = true};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
        if ((base->known >> f->slot & 1) && assay_loose_is_raw(f))
            values[f->slot].bytes =
                assay_loose_wrap(m->store, m->model, f, assay_loose_content(m->store, m->model, f, values[f->slot]));
    input.values = values;
    input.whole = false;
    input.kind = ASSAY_INPUT_RAW;
    return input;
}

static void add_raw(struct maker *m, const struct assay_model *model, struct assay_input input, const char *label)
{
    input.label = label;
    if (encode_with(m->store, model, m->config->options, m->config->leniencies, &input))
        add_input(m, input);
}

static void raw_bytes(struct maker *m, const struct assay_input *base, const struct assay_field *f, const char *label,
                      const void *p, size_t n)
{
    struct assay_blob content = {p, (uint32_t)n};
    struct assay_value v = {.bytes = assay_loose_wrap(m->store, m->model, f, content)};
    add_raw(m, m->raw, with(m, base, f->slot, v), assay_store_text(m->store, "%s-%s", f->name, label));
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
    {"tab-before", "\t1"},
};

static void raw_number_text(struct maker *m, const struct assay_input *base, const struct assay_field *f)
{
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++)
        raw_bytes(m, base, f, bad_numbers[i].label, bad_numbers[i].text, strlen(bad_numbers[i].text));
}

static void raw_enum_text(struct maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_range items = m->model->enums[m->model->types[f->type].of].items;
    raw_bytes(m, base, f, "unknown", "?", 1);
    raw_bytes(m, base, f, "none", "", 0);
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++) {
        struct assay_blob text = m->model->enum_items[i].text;
        uint8_t *p = assay_store(m->store, text.n + 2u);
        memcpy(p, text.p, text.n);
        p[text.n] = 'x';
        raw_bytes(m, base, f, assay_store_text(m->store, "%s-longer", m->model->enum_items[i].name), p, text.n + 1);
        uint8_t *behind_space = assay_store(m->store, text.n + 2u);
        behind_space[0] = i % 2 ? '\t' : ' ';
        memcpy(behind_space + 1, text.p, text.n);
        raw_bytes(m, base, f, assay_store_text(m->store, "%s-space-before", m->model->enum_items[i].name), behind_space,
                  text.n + 1);
        uint8_t *upper = assay_store_copy(m->store, text.p, text.n);
        for (uint32_t k = 0; k < text.n; k++)
            upper[k] = (uint8_t)(islower(upper[k]) ? toupper(upper[k]) : tolower(upper[k]));
        raw_bytes(m, base, f, assay_store_text(m->store, "%s-case", m->model->enum_items[i].name), upper, text.n);
    }
}

static bool in_set(const struct assay_model *model, uint16_t set, unsigned b)
{
    return set == ASSAY_NONE || (model->sets[set].bits[b >> 6] >> (b & 63) & 1);
}

static void raw_text(struct maker *m, const struct assay_input *base, const struct assay_field *f)
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
        raw_bytes(m, base, f, "below-min", filler(m, min, 'a').p, min - 1);
    if (t->max >= 0 && t->max < m->model->frames[m->frame].max)
        raw_bytes(m, base, f, "above-max", filler(m, (uint32_t)t->max + 1, 'a').p, (size_t)t->max + 1);
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
static void raw_extent(struct maker *m, const struct assay_input *base, const struct assay_field *f)
{
    struct assay_blob whole = base->values[f->slot].bytes;
    struct assay_value v = {0};
    uint8_t *p = assay_store_copy(m->store, whole.p, whole.n + 1u > 1 ? whole.n : 1);
    if (whole.n == 0)
        return;
    if (f->extent == ASSAY_EXT_UNTIL) {
        v.bytes = (struct assay_blob){p, whole.n - m->model->blobs[m->model->delims[f->extent_arg].blobs.first].n};
        add_raw(m, m->raw, with(m, base, f->slot, v), assay_store_text(m->store, "%s-unended", f->name));
    } else if (f->extent == ASSAY_EXT_PREFIX) {
        uint32_t last = f->extent_arg / 8u == 0 || (f->flags & ASSAY_F_LITTLE) ? 0 : f->extent_arg / 8u - 1;
        v.bytes = (struct assay_blob){p, whole.n};
        p[last]++;
        add_raw(m, m->raw, with(m, base, f->slot, v), assay_store_text(m->store, "%s-prefix-longer", f->name));
        uint8_t *shorter = assay_store_copy(m->store, whole.p, whole.n);
        v.bytes.p = shorter;
        if (shorter[last]--)
            add_raw(m, m->raw, with(m, base, f->slot, v), assay_store_text(m->store, "%s-prefix-shorter", f->name));
    }
}

static void raw_field_bytes(struct maker *m, const struct assay_input *base, const struct assay_field *f)
{
    if (f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX)
        raw_number_text(m, base, f);
    else if (is_enum(m->model, f))
        raw_enum_text(m, base, f);
    else
        raw_text(m, base, f);
    raw_extent(m, base, f);
}

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

static void raw_number(struct maker *m, const struct assay_model *model, const struct assay_input *base,
                       const struct assay_field *f, int64_t n, const char *what)
{
    if (!fits_bits(f, n))
        return;
    const char *label = what ? assay_store_text(m->store, "%s-%s", f->name, what) : number_label(m, f->name, n);
    add_raw(m, model, with(m, base, f->slot, (struct assay_value){.n = n}), label);
}

static void raw_field_number(struct maker *m, const struct assay_input *base, const struct assay_field *f)
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
}

static void add_raw_fields(struct maker *m, const struct assay_input *base)
{
    struct assay_input raw = raw_base(m, base);
    struct walk w = {.model = m->model, .message = base->message, .computed = true};
    for (const struct assay_field *f = next_field(&w); f; f = next_field(&w)) {
        if (!(raw.known >> f->slot & 1) || f->form == ASSAY_FORM_LIST)
            continue;
        if (assay_loose_is_raw(f))
            raw_field_bytes(m, &raw, f);
        else
            raw_field_number(m, &raw, f);
    }
}

/* Numbers just outside their type: with every value of the enumerations beside them. */
static void raw_bounds(struct maker *m, const struct assay_input *base, const struct assay_field *f, const char *label)
{
    const struct assay_type *t = &m->model->types[f->type];
    bool decimal = f->form == ASSAY_FORM_DECIMAL;
    for (int above = 0; above < 2; above++) {
        char text[32];
        const char *what = assay_store_text(m->store, "%s%s", label, above ? "above-max" : "below-min");
        if (above ? t->max == INT64_MAX : t->min == INT64_MIN)
            continue;
        int64_t n = above ? t->max + 1 : t->min - 1;
        if (decimal)
            raw_bytes(m, base, f, what, text, (size_t)snprintf(text, sizeof text, "%" PRId64, n));
        else
            raw_number(m, m->raw, base, f, n, what);
    }
}

static void add_raw_bounds(struct maker *m, const struct assay_input *base)
{
    struct combinations *c = malloc(sizeof *c);
    combine(m, base, c);
    for (size_t i = 0; i < c->count; i++) {
        struct assay_input raw = raw_base(m, &c->items[i].input);
        struct walk w = {.model = m->model, .message = base->message};
        for (const struct assay_field *f = next_field(&w); f; f = next_field(&w))
            if ((raw.known >> f->slot & 1) && m->model->types[f->type].kind == ASSAY_T_INT &&
                f->form != ASSAY_FORM_HEX && f->form != ASSAY_FORM_LIST)
                raw_bounds(m, &raw, f, c->items[i].label);
    }
    free(c);
}

/* ---- whole bodies and contents ----------------------------------------- */

static struct assay_blob resized(struct maker *m, struct assay_blob from, uint32_t size)
{
    uint8_t *p = assay_store(m->store, size + 1u);
    for (uint32_t i = 0; i < size; i++)
        p[i] = i < from.n ? from.p[i] : 'x';
    return (struct assay_blob){p, size};
}

struct size_change {
    const char *label;
    int64_t from_own,
        from_max; /* the new size: of the base plus this, or (own = INT64_MIN) what the frame allows plus this */
};

static const struct size_change size_changes[] = {
    {"one-byte-more", 1, 0},
    {"one-byte-less", -1, 0},
    {"largest", INT64_MIN, 0},
    {"one-too-large", INT64_MIN, 1},
    {"twice-too-large", INT64_MIN, INT64_MAX},
};

static int64_t size_after(const struct size_change *change, int64_t own, int64_t room)
{
    if (change->from_own != INT64_MIN)
        return own + change->from_own;
    return change->from_max == INT64_MAX ? 2 * room : room + change->from_max;
}

static struct assay_blob body_of(struct maker *m, const struct assay_input *base)
{
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    const struct assay_frame *frame = &m->model->frames[m->frame];
    assay_lens_clear(&m->lens);
    assay_frame_find(&m->lens.env, m->frame, ASSAY_CLIENT, bytes, 0, false);
    m->lens.env.frame = bytes.p;
    assay_decode(&m->lens.env, m->frame, ASSAY_CLIENT, bytes);
    struct assay_span body = assay_bytes(&m->lens.env, m->lens.slots[m->model->fields[frame->body].slot]);
    return assay_store_blob(m->store, body.p, body.n);
}

static void add_bodies(struct maker *m, const struct assay_input *base)
{
    const struct assay_frame *frame = &m->model->frames[m->frame];
    const struct assay_field *f = &m->model->fields[frame->body];
    struct assay_input raw = raw_base(m, base);
    struct assay_blob body = body_of(m, base);
    int64_t room = (int64_t)frame->max - (base->bytes.n - body.n);
    for (size_t i = 0; i < sizeof size_changes / sizeof size_changes[0]; i++) {
        int64_t size = size_after(&size_changes[i], body.n, room);
        if (size < 0 || size > 1 << 20)
            continue;
        struct assay_blob content = resized(m, body, (uint32_t)size);
        struct assay_value v = {.bytes = assay_loose_wrap(m->store, m->model, f, content)};
        add_raw(m, m->graft, with(m, &raw, f->slot, v), assay_store_text(m->store, "body-%s", size_changes[i].label));
    }
}

/* Frames that a delimiter ends: their content is changed as bytes. */
static void add_content(struct maker *m, const struct assay_input *base, const char *label, struct assay_blob content)
{
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, ASSAY_CLIENT, bytes, 0, false);
    uint32_t delim = (uint32_t)(f.size - f.content);
    uint8_t *p = assay_store(m->store, content.n + delim + 1u);
    if (content.n)
        memcpy(p, content.p, content.n);
    memcpy(p + content.n, base->bytes.p + f.content, delim);
    add_input(m, (struct assay_input){.label = label,
                                      .kind = ASSAY_INPUT_RAW,
                                      .message = base->message,
                                      .req = ASSAY_NONE,
                                      .bytes = {p, content.n + delim},
                                      .bare = {p, content.n}});
}

static void add_contents(struct maker *m, const struct assay_input *base)
{
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, ASSAY_CLIENT, bytes, 0, false);
    struct assay_blob content = {bytes.p, f.content};
    int64_t room = (int64_t)m->model->frames[m->frame].max - (bytes.n - f.content);
    add_content(m, base, "content-empty", (struct assay_blob){bytes.p, 0});
    for (size_t i = 0; i < sizeof size_changes / sizeof size_changes[0]; i++) {
        int64_t size = size_after(&size_changes[i], content.n, room);
        if (size >= 0 && size <= 1 << 20)
            add_content(m, base, assay_store_text(m->store, "content-%s", size_changes[i].label),
                        resized(m, content, (uint32_t)size));
    }
}

/* ---- all of them ------------------------------------------------------- */

static void add_message(struct maker *m, uint16_t message)
{
    struct assay_input base;
    if (!(m->model->messages[message].from & ASSAY_CLIENT) || !base_of(m, message, &base))
        return;
    add_samples(m, &base);
    add_combinations(m, &base);
    add_raw_fields(m, &base);
    add_raw_bounds(m, &base);
    if (m->model->frames[m->frame].body != ASSAY_NONE)
        add_bodies(m, &base);
    else if (m->model->frames[m->frame].end == ASSAY_END_UNTIL)
        add_contents(m, &base);
}

void assay_inputs_make(struct assay_store *store, const struct assay_witness_config *config,
                       struct assay_inputs *inputs)
{
    const struct assay_model *model = config->model;
    struct maker m = {.store = store,
                      .config = config,
                      .model = model,
                      .raw = assay_loose_model(store, model, ASSAY_LOOSE_RAW),
                      .lying = assay_loose_model(store, model, ASSAY_LOOSE_LYING),
                      .graft = assay_loose_model(store, model, ASSAY_LOOSE_GRAFT),
                      .inputs = inputs,
                      .frame = assay_frame_in(model)};
    if (!assay_lens_init(&m.lens, model, config->options, config->leniencies, 2 * model->frame_max))
        abort();
    add_examples(&m);
    for (uint16_t i = 0; i < model->messages_count; i++)
        add_message(&m, i);
    assay_lens_free(&m.lens);
}

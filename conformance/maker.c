#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/maker.h"

/* ---- fields ------------------------------------------------------------ */

bool assay_field_is_bytes(const struct assay_model *model, const struct assay_field *f)
{
    return f->type != ASSAY_NONE && model->types[f->type].kind >= ASSAY_T_BYTES;
}

bool assay_field_is_enum(const struct assay_model *model, const struct assay_field *f)
{
    return f->type != ASSAY_NONE && model->types[f->type].kind == ASSAY_T_ENUM;
}

const struct assay_field *assay_next_field(struct assay_walk *w)
{
    const struct assay_frame *frame = &w->model->frames[w->frame];
    struct assay_range ranges[] = {frame->fields, w->model->messages[w->message].fields};
    for (; w->part < 2; w->part++, w->i = 0)
        while (w->i < ranges[w->part].count) {
            uint32_t index = ranges[w->part].first + w->i++;
            const struct assay_field *f = &w->model->fields[index];
            if (f->name && f->slot != ASSAY_NONE && index != frame->body && f->form != ASSAY_FORM_CALC &&
                f->form != ASSAY_FORM_AHEAD && f->form != ASSAY_FORM_OBJECT && f->form != ASSAY_FORM_CONST &&
                (w->computed || f->is == ASSAY_NONE))
                return f;
        }
    return NULL;
}

/* ---- values ------------------------------------------------------------ */

static bool is_of_frame(const struct assay_maker *m, uint16_t slot)
{
    struct assay_range fields = m->model->frames[m->frame].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (m->model->fields[i].slot == slot)
            return true;
    return false;
}

struct assay_input assay_input_with(struct assay_maker *m, const struct assay_input *base, uint16_t slot,
                                    struct assay_value v)
{
    struct assay_input input = *base;
    struct assay_value *values = assay_store_copy(m->store, base->values, ASSAY_SLOTS_MAX * sizeof *values);
    values[slot] = v;
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = base->message, .computed = true};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w))
        if (f->slot == slot)
            input.req = f->req;
    input.values = values;
    input.known |= (uint64_t)1 << slot;
    input.framed = is_of_frame(m, slot);
    return input;
}

const char *assay_number_label(struct assay_maker *m, const char *field, int64_t n)
{
    if (n < 0)
        return assay_store_text(m->store, "%s-minus-%" PRIu64, field, (uint64_t)0 - (uint64_t)n);
    return assay_store_text(m->store, "%s-%" PRId64, field, n);
}

struct assay_blob assay_filler(struct assay_maker *m, uint32_t size, uint8_t first)
{
    uint8_t *p = assay_store(m->store, size + 1u);
    for (uint32_t i = 0; i < size; i++)
        p[i] = (uint8_t)('a' + i % 26);
    if (size)
        p[0] = first;
    return (struct assay_blob){p, size};
}

/* ---- encoding ---------------------------------------------------------- */

static void put_values(struct assay_lens *lens, uint16_t frame, const struct assay_input *input)
{
    struct assay_walk w = {.model = lens->env.model, .frame = frame, .message = input->message, .computed = true};
    assay_lens_clear(lens);
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w)) {
        if (!(input->known >> f->slot & 1))
            continue;
        struct assay_value v = input->values[f->slot];
        lens->slots[f->slot] = (assay_val)v.n;
        if (assay_field_is_bytes(lens->env.model, f)) {
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

static struct assay_blob encode(struct assay_store *store, struct assay_lens *lens, uint16_t frame,
                                const struct assay_input *input, bool undelimited)
{
    uint32_t cap = 64;
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        cap += (input->known >> i & 1) ? input->values[i].bytes.n + 64 : 0;
    uint8_t *out = malloc(cap);
    struct assay_blob blob = {0};
    put_values(lens, frame, input);
    struct assay_encoded e = assay_encode(&lens->env, frame, input->message, out, cap, undelimited);
    if (e.status == ASSAY_ENCODED)
        blob = assay_store_blob(store, out, e.size);
    free(out);
    return blob;
}

/* With the encoder of `model`, which may be a looser one than the config's. */
static bool encode_by(struct assay_store *store, const struct assay_witness_config *config,
                      const struct assay_model *model, struct assay_input *input)
{
    struct assay_lens lens;
    uint16_t frame = assay_frame_in(config);
    uint32_t room = 8 * model->frame_max + 65536;
    if (!assay_lens_init(&lens, model, config->options, config->leniencies, room < (1u << 26) ? room : 1u << 26))
        return false;
    input->bytes = encode(store, &lens, frame, input, false);
    input->bare = (struct assay_blob){0};
    if (input->bytes.n && model->frames[frame].end == ASSAY_END_UNTIL)
        input->bare = encode(store, &lens, frame, input, true);
    assay_lens_free(&lens);
    return input->bytes.n > 0;
}

bool assay_input_encode(struct assay_store *store, const struct assay_witness_config *config, struct assay_input *input)
{
    return encode_by(store, config, config->model, input);
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

static const char *unique_label(struct assay_maker *m, uint16_t message, const char *label)
{
    const char *text = label;
    for (int i = 2; label_taken(m->inputs, message, text); i++)
        text = assay_store_text(m->store, "%s-%d", label, i);
    return text;
}

void assay_maker_add(struct assay_maker *m, struct assay_input input)
{
    if (input.bytes.n == 0 || find_same(m->inputs, input.bytes))
        return;
    input.label = unique_label(m, input.message, input.label);
    input.stamp = assay_stamp_for(m->config, &input, m->usual);
    struct assay_input *to =
        assay_items_add((void **)&m->inputs->items, &m->inputs->count, &m->inputs->cap, sizeof *to);
    *to = input;
}

void assay_maker_add_whole(struct assay_maker *m, struct assay_input input, const char *label,
                           enum assay_input_kind kind)
{
    input.label = label;
    input.kind = (uint8_t)kind;
    input.whole = true;
    if (encode_by(m->store, m->config, m->model, &input))
        assay_maker_add(m, input);
}

void assay_maker_add_raw(struct assay_maker *m, const struct assay_model *model, struct assay_input input,
                         const char *label)
{
    input.label = label;
    if (encode_by(m->store, m->config, model, &input))
        assay_maker_add(m, input);
}

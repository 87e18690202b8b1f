/* The inputs of a model: its examples, and what the other files make from them. */
#include <stdlib.h>

#include "conformance/loose.h"
#include "conformance/maker.h"
#include "conformance/side.h"

/* ---- examples ---------------------------------------------------------- */

/* What both sides acknowledge with stands in one example for both. */
static bool from_tester(const struct assay_maker *m, const struct assay_example *x)
{
    const struct assay_model *model = m->model;
    bool ack = model->reliables_count && x->fault == ASSAY_NONE && x->message == model->reliables[0].ack;
    return (x->from & m->from) || (ack && (model->messages[x->message].from & m->from));
}

static void take_values(struct assay_maker *m, uint16_t message, struct assay_input *input)
{
    struct assay_value *values = assay_store(m->store, ASSAY_SLOTS_MAX * sizeof *values);
    struct assay_walk w = {.model = m->model, .frame = m->frame, .message = message, .computed = true};
    for (const struct assay_field *f = assay_next_field(&w); f; f = assay_next_field(&w)) {
        assay_val v = m->lens.slots[f->slot];
        if (!(m->lens.env.known >> f->slot & 1))
            continue;
        input->known |= (uint64_t)1 << f->slot;
        if (!assay_field_is_bytes(m->model, f)) {
            values[f->slot].n = (int64_t)v;
            continue;
        }
        struct assay_span s = assay_bytes(&m->lens.env, v);
        values[f->slot].bytes = assay_store_blob(m->store, s.p, s.n);
    }
    input->values = values;
}

/* Instead of the seal of an example, which is none here, the one that the target makes first. */
static void put_seals(struct assay_maker *m, struct assay_input *input)
{
    uint64_t slots = assay_sealed_slots(m->model, m->config->machine, input->message) & input->known;
    for (uint16_t i = 0; i < 64; i++)
        if (slots >> i & 1) {
            struct assay_value v = {.bytes = assay_first_placeholder(m->store, input->values[i].bytes.n)};
            *input = assay_input_with(m, input, i, v);
        }
    if (slots)
        assay_input_encode(m->store, m->config, input);
}

static bool read_example(struct assay_maker *m, const struct assay_example *x, struct assay_input *input)
{
    struct assay_span bytes = {x->bytes.p, x->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, m->from, bytes, 0, false);
    if (f.status != ASSAY_FRAME_WHOLE || f.size != bytes.n)
        return false;
    m->lens.env.frame = bytes.p;
    struct assay_decoded d = assay_decode(&m->lens.env, m->frame, m->from, (struct assay_span){bytes.p, f.content});
    if (d.message == ASSAY_NONE || d.event != m->model->messages[d.message].event)
        return false;
    *input = (struct assay_input){
        .kind = ASSAY_INPUT_EXAMPLE, .message = d.message, .whole = true, .req = ASSAY_NONE, .bytes = x->bytes};
    take_values(m, d.message, input);
    input->bare.p = bytes.p;
    input->bare.n = f.content < f.size ? f.content : 0;
    return true;
}

static void add_examples(struct assay_maker *m)
{
    unsigned number = 0;
    for (uint16_t i = 0; i < m->model->examples_count; i++) {
        const struct assay_example *x = &m->model->examples[i];
        struct assay_input input = {
            .message = x->message, .kind = ASSAY_INPUT_RAW, .req = ASSAY_NONE, .bytes = x->bytes};
        number = i && m->model->examples[i - 1].message == x->message ? number + 1 : 1;
        if (!from_tester(m, x) || !assay_known_in(m->model, m->frame, x->message))
            continue;
        if (x->fault == ASSAY_NONE && !read_example(m, x, &input))
            continue;
        input.label = assay_store_text(m->store, "example-%u", number);
        assay_maker_add(m, input);
        if (input.kind == ASSAY_INPUT_EXAMPLE && assay_sealed_slots(m->model, m->config->machine, input.message)) {
            put_seals(m, &input);
            input.label = assay_store_text(m->store, "example-%u-sealed", number);
            assay_maker_add(m, input);
        }
    }
}

/* Whether an example is of a message and its encoding is its own bytes, so that other inputs can be changed from it. */
static bool is_base(struct assay_maker *m, const struct assay_example *x, uint16_t message, struct assay_input *base)
{
    if (!from_tester(m, x) || x->fault != ASSAY_NONE || x->other_form || x->message != message ||
        !read_example(m, x, base) || base->message != message)
        return false;
    put_seals(m, base);
    return true;
}

/* The first of them. */
static bool base_of(struct assay_maker *m, uint16_t message, struct assay_input *base)
{
    for (uint16_t i = 0; i < m->model->examples_count; i++)
        if (is_base(m, &m->model->examples[i], message, base))
            return true;
    return false;
}

/* ---- all of them ------------------------------------------------------- */

static void add_fields(struct assay_maker *m, const struct assay_input *base)
{
    assay_witness_values(m, base);
    assay_witness_raw_fields(m, base);
    assay_witness_raw_bounds(m, base);
    m->done |= base->known;
}

/* Fields that the base does not have, such as optional ones, are tried in the first example that has them. */
static void add_fields_elsewhere(struct assay_maker *m, uint16_t message)
{
    struct assay_input other;
    for (uint16_t i = 0; i < m->model->examples_count; i++)
        if (is_base(m, &m->model->examples[i], message, &other) && other.known & ~m->done) {
            add_fields(m, &other);
            assay_witness_unknown(m, &other);
        }
}

/* Optional fields of the frame that no example of the message has, as an example of another has them. */
static void add_framed(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_input other, whole = *base;
    struct assay_range fields = m->model->frames[m->frame].fields;
    for (uint16_t i = 0; i < m->model->examples_count; i++) {
        const struct assay_example *x = &m->model->examples[i];
        if (!from_tester(m, x) || x->fault != ASSAY_NONE || x->other_form || !read_example(m, x, &other) ||
            other.message == base->message)
            continue;
        for (uint32_t k = fields.first; k < (uint32_t)fields.first + fields.count; k++) {
            const struct assay_field *f = &m->model->fields[k];
            bool there = f->slot != ASSAY_NONE && (other.known & ~m->done) >> f->slot & 1;
            if (there && f->form == ASSAY_FORM_BYTES)
                whole = assay_input_with(m, &whole, f->slot, other.values[f->slot]);
        }
    }
    whole.framed = false;
    if (whole.known != base->known)
        assay_maker_add_whole(m, whole, "with-all-of-the-frame", ASSAY_INPUT_SAMPLE);
}

static void add_message(struct assay_maker *m, uint16_t message)
{
    struct assay_input base;
    m->done = 0;
    if (!assay_tester_sends(m->model, m->config->machine, message) || !base_of(m, message, &base))
        return;
    assay_witness_samples(m, &base);
    add_fields(m, &base);
    add_fields_elsewhere(m, message);
    add_framed(m, &base);
    assay_witness_pairs(m, &base);
    assay_witness_twice(m, &base);
    assay_witness_objects(m, &base);
    assay_witness_spoilt(m, &base);
    if (m->model->frames[m->frame].body != ASSAY_NONE)
        assay_witness_bodies(m, &base);
    else if (m->model->frames[m->frame].end == ASSAY_END_UNTIL ||
             m->model->frames[m->frame].end == ASSAY_END_DATAGRAM || m->model->frames[m->frame].end == ASSAY_END_STREAM)
        assay_witness_contents(m, &base);
}

/* Of a target that draws its session itself, or is told which it is: examples hold another one in its place. */
static struct assay_blob usual_session(struct assay_maker *m)
{
    const struct assay_model *model = m->model;
    struct assay_input input;
    if (!model->reliables_count || model->reliables[0].session == ASSAY_NONE ||
        (!m->config->calls && !assay_draws_session(model, m->config->machine)))
        return (struct assay_blob){0};
    uint16_t slot = model->reliables[0].session;
    for (uint16_t i = 0; i < model->examples_count; i++) {
        const struct assay_example *x = &model->examples[i];
        if (from_tester(m, x) && x->fault == ASSAY_NONE && read_example(m, x, &input) && (input.known >> slot & 1) &&
            (input.message == model->reliables[0].ack || assay_is_reliable(model, input.message)))
            return input.values[slot].bytes;
    }
    return (struct assay_blob){0};
}

void assay_inputs_make(struct assay_store *store, const struct assay_witness_config *config,
                       struct assay_inputs *inputs)
{
    const struct assay_model *model = config->model;
    struct assay_maker m = {.store = store,
                            .config = config,
                            .model = model,
                            .raw = assay_loose_model(store, model, ASSAY_LOOSE_RAW),
                            .lying = assay_loose_model(store, model, ASSAY_LOOSE_LYING),
                            .graft = assay_loose_model(store, model, ASSAY_LOOSE_GRAFT),
                            .inputs = inputs,
                            .frame = assay_frame_in(config),
                            .from = assay_tester_role(model, config->machine)};
    if (!assay_lens_init(&m.lens, model, config->options, config->leniencies, 2 * model->frame_max))
        abort();
    m.usual = usual_session(&m);
    add_examples(&m);
    for (uint16_t i = 0; i < model->messages_count; i++)
        add_message(&m, i);
    if (config->calls)
        assay_witness_calls(&m);
    assay_lens_free(&m.lens);
}

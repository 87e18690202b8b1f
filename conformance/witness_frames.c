/* Inputs that no encoder makes: bodies and contents of frames with a byte more or less, or too large. */
#include <stdlib.h>
#include <string.h>

#include "conformance/loose.h"
#include "conformance/maker.h"
#include "conformance/side.h"

#define DATAGRAM_MAX 65507 /* what UDP carries */

static struct assay_blob resized(struct assay_maker *m, struct assay_blob from, uint32_t size)
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

static struct assay_blob body_of(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    const struct assay_frame *frame = &m->model->frames[m->frame];
    assay_lens_clear(&m->lens);
    assay_frame_find(&m->lens.env, m->frame, m->from, bytes, 0, false);
    m->lens.env.frame = bytes.p;
    assay_decode(&m->lens.env, m->frame, m->from, bytes);
    uint16_t slot = m->model->fields[frame->body].slot;
    if (!(m->lens.env.known >> slot & 1)) /* a mutant may not read its own examples */
        return (struct assay_blob){0};
    struct assay_span body = assay_bytes(&m->lens.env, m->lens.slots[slot]);
    return assay_store_blob(m->store, body.p, body.n);
}

void assay_witness_bodies(struct assay_maker *m, const struct assay_input *base)
{
    const struct assay_frame *frame = &m->model->frames[m->frame];
    const struct assay_field *f = &m->model->fields[frame->body];
    struct assay_input raw = assay_maker_raw_base(m, base);
    struct assay_blob body = body_of(m, base);
    int64_t room = (int64_t)frame->max - (base->bytes.n - body.n);
    for (size_t i = 0; i < sizeof size_changes / sizeof size_changes[0]; i++) {
        int64_t size = size_after(&size_changes[i], body.n, room);
        if (size < 0 || size > 1 << 20)
            continue;
        struct assay_blob content = resized(m, body, (uint32_t)size);
        struct assay_value v = {.bytes = assay_loose_wrap(m->store, m->model, f, content)};
        assay_maker_add_raw(m, m->graft, assay_input_with(m, &raw, f->slot, v),
                            assay_store_text(m->store, "body-%s", size_changes[i].label));
    }
}

/* Frames that a delimiter ends: their content is changed as bytes. */
static void add_content(struct assay_maker *m, const struct assay_input *base, const char *label,
                        struct assay_blob content)
{
    bool around = strcmp(label, "content-blank") == 0 || strcmp(label, "content-spaced") == 0 || content.n == 0;
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, m->from, bytes, 0, false);
    uint32_t delim = (uint32_t)(f.size - f.content);
    uint8_t *p = assay_store(m->store, content.n + delim + 1u);
    if (content.n)
        memcpy(p, content.p, content.n);
    memcpy(p + content.n, base->bytes.p + f.content, delim);
    assay_maker_add(m, (struct assay_input){.label = label,
                                            .kind = ASSAY_INPUT_RAW,
                                            .message = base->message,
                                            .req = around ? assay_tag_req(m->model, m->frame) : ASSAY_NONE,
                                            .bytes = {p, content.n + delim},
                                            .bare = {p, content.n}});
}

/* Bytes that are trimmed: alone, and around the content. */
static void add_trimmed(struct assay_maker *m, const struct assay_input *base, struct assay_blob content)
{
    uint16_t set = m->model->frames[m->frame].trim;
    uint8_t *p = assay_store(m->store, 512 + (size_t)content.n);
    uint32_t n = 0;
    for (unsigned b = 0; set != ASSAY_NONE && b < 256; b++)
        if (m->model->sets[set].bits[b >> 6] >> (b & 63) & 1)
            p[n++] = (uint8_t)b;
    if (n == 0)
        return;
    add_content(m, base, "content-blank", (struct assay_blob){p, n});
    if (content.n)
        memcpy(p + n, content.p, content.n);
    memcpy(p + n + content.n, p, n);
    add_content(m, base, "content-spaced", (struct assay_blob){p, 2 * n + content.n});
}

/* The last byte is another one, and the sum is not. */
void assay_witness_spoilt(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_range fields = m->model->frames[m->frame].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &m->model->fields[i];
        if (!f->sum || base->bytes.n == 0)
            continue;
        uint8_t *p = assay_store_copy(m->store, base->bytes.p, base->bytes.n);
        p[base->bytes.n - 1] ^= 1;
        assay_maker_add(m, (struct assay_input){.label = "spoilt",
                                                .kind = ASSAY_INPUT_RAW,
                                                .message = base->message,
                                                .req = f->req,
                                                .bytes = {p, base->bytes.n}});
    }
}

void assay_witness_contents(struct assay_maker *m, const struct assay_input *base)
{
    struct assay_span bytes = {base->bytes.p, base->bytes.n};
    assay_lens_clear(&m->lens);
    struct assay_frame_found f = assay_frame_find(&m->lens.env, m->frame, m->from, bytes, 0, false);
    struct assay_blob content = {bytes.p, f.content};
    int64_t room = (int64_t)m->model->frames[m->frame].max - (bytes.n - f.content);
    int64_t most = m->model->frames[m->frame].end == ASSAY_END_DATAGRAM ? DATAGRAM_MAX : 1 << 20;
    add_content(m, base, "content-empty", (struct assay_blob){bytes.p, 0});
    add_trimmed(m, base, content);
    for (size_t i = 0; i < sizeof size_changes / sizeof size_changes[0]; i++) {
        int64_t size = size_after(&size_changes[i], content.n, room);
        if (size >= 0 && size <= most)
            add_content(m, base, assay_store_text(m->store, "content-%s", size_changes[i].label),
                        resized(m, content, (uint32_t)size));
    }
}

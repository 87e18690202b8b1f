/* Frames: where they end, on each transport. */
#include <string.h>

#include "compiler/read_fields.h"
#include "compiler/types.h"

/* ---- frames ------------------------------------------------------------ */

enum { FR_FIELDS, FR_UNTIL, FR_MAX, FR_TAG, FR_BODY, FR_SEGMENTS, FR_TRIM, FR_BLANK, FR_KEYS };
static const struct shape_key frame_keys[FR_KEYS] = {
    [FR_FIELDS] = {"fields", SHAPE_SEQUENCE, NULL},
    [FR_UNTIL] = {"until", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [FR_MAX] = {"max", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [FR_TAG] = {"tag", SHAPE_SCALAR, NULL},
    [FR_BODY] = {"body", SHAPE_SCALAR, NULL},
    [FR_SEGMENTS] = {"segments", SHAPE_SCALAR, NULL},
    [FR_TRIM] = {"trim", SHAPE_SCALAR, NULL},
    [FR_BLANK] = {"blank", SHAPE_SCALAR, NULL},
};

static void read_delimiters(struct assay_spec *spec, const struct assay_node *node, struct spec_frame *frame)
{
    static const struct {
        const char *word;
        uint8_t end;
    } words[] = {{"eof", ASSAY_END_EOF},
                 {"segment", ASSAY_END_SEGMENT},
                 {"datagram", ASSAY_END_DATAGRAM},
                 {"stream", ASSAY_END_STREAM}};
    frame->end = ASSAY_END_UNTIL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (node->plain && assay_node_is(node, words[i].word))
            frame->end = words[i].end;
    bool single = node->kind == ASSAY_NODE_SCALAR;
    for (const struct assay_node *one = single ? node : node->first; one && frame->end == ASSAY_END_UNTIL;
         one = single ? NULL : one->next) {
        struct assay_blob *blob = ASSAY_NEW(&spec->arena, struct assay_blob);
        if (assay_read_bytes(spec, one, false, blob) && blob->n == 0)
            assay_spec_error(spec, one->at, "a delimiter has at least one byte");
        assay_list_add(spec, &frame->delims, blob);
    }
    if (!single && frame->delims.count == 0)
        assay_spec_error(spec, node->at, "at least one delimiter is needed");
}

static void read_trim(struct assay_spec *spec, struct spec_frame *frame, const struct assay_node *trim,
                      const struct assay_node *blank)
{
    static const char *const words[] = {"ignore"};
    const struct assay_node *both[] = {trim, blank};
    bool whole = frame->end == ASSAY_END_FIELDS || frame->end == ASSAY_END_STREAM;
    for (unsigned i = 0; i < 2; i++)
        if (both[i] && whole)
            assay_spec_error(spec, both[i]->key->at, "'%s' goes with a frame whose end 'until' tells, but not a stream",
                             both[i]->key->text);
    if (trim)
        frame->trim = assay_read_class(spec, trim);
    if (blank)
        frame->blank = assay_read_word(spec, blank, words, 1, "blank") == 0;
}

static struct spec_frame *read_frame(struct assay_spec *spec, const struct assay_node *node, uint8_t from)
{
    const struct assay_node *of[FR_KEYS];
    struct spec_frame *frame = ASSAY_NEW(&spec->arena, struct spec_frame);
    *frame = (struct spec_frame){.at = node->at, .from = from, .end = ASSAY_END_FIELDS};
    if (!assay_shape(spec, node, "a frame", frame_keys, FR_KEYS, of))
        return frame;
    assay_read_int(spec, of[FR_MAX], 1, INT32_MAX, &frame->max);
    assay_read_fields(spec, of[FR_FIELDS], &frame->fields, &frame->groups);
    SPEC_EACH (struct spec_field, f, &frame->fields)
        f->frame = frame;
    assay_give_slots(spec, &frame->fields, 0);
    SPEC_EACH (struct spec_field, f, &frame->fields)
        if (f->in_pairs)
            assay_spec_error(spec, f->in_pairs->key->at, "members of pairs are fields of messages");
    if (of[FR_UNTIL])
        read_delimiters(spec, of[FR_UNTIL], frame);
    else if (!of[FR_FIELDS])
        assay_spec_error(spec, node->at, "nothing tells where this frame ends: it needs 'fields' or 'until'");
    if (of[FR_TAG])
        frame->tag = assay_frame_field(spec, of[FR_TAG], &frame->fields);
    if (of[FR_BODY])
        frame->body = assay_frame_field(spec, of[FR_BODY], &frame->fields);
    if (frame->body && !assay_kind_is_bytes(frame->body->type->kind) && frame->body->type->kind != SPEC_T_ANY)
        assay_spec_error(spec, of[FR_BODY]->at, "the body holds the message's fields: it has to be {bytes: ...}");
    if (of[FR_SEGMENTS])
        frame->segments = assay_find_leniency(spec, of[FR_SEGMENTS]);
    if (of[FR_SEGMENTS] && frame->end != ASSAY_END_UNTIL)
        assay_spec_error(spec, of[FR_SEGMENTS]->at, "'segments' goes with 'until' a delimiter");
    read_trim(spec, frame, of[FR_TRIM], of[FR_BLANK]);
    return frame;
}

/* The same where each datagram is a frame: without the frame's own end, with a limit of its own. */
static struct spec_frame *as_datagrams(struct assay_spec *spec, const struct spec_frame *frame,
                                       const struct spec_transport *t)
{
    struct spec_frame *d = assay_arena_copy(&spec->arena, frame, sizeof *frame);
    d->end = ASSAY_END_DATAGRAM;
    d->delims = (struct spec_list){0};
    d->segments = NULL;
    d->transports = 0;
    d->max = t->max ? t->max : frame->max;
    return d;
}

/* What each transport makes of a frame: that of the first stands in spec->frames. */
static struct spec_frame *over_transports(struct assay_spec *spec, struct spec_frame *frame)
{
    struct spec_frame *stream = NULL, *datagram = NULL;
    SPEC_EACH (struct spec_transport, t, &spec->transports) {
        struct spec_frame **which = t->datagram ? &datagram : &stream;
        if (!*which)
            *which = t->datagram ? as_datagrams(spec, frame, t) : frame;
        (*which)->transports = (uint16_t)((*which)->transports | 1u << t->index);
        if (!t->datagram && frame->end == ASSAY_END_DATAGRAM)
            assay_spec_error(spec, frame->at, "%s has no datagrams: the frame needs another end there", t->name);
    }
    if (!stream && datagram)
        *frame = *datagram; /* fields know the frame by its place */
    frame->datagram = stream ? datagram : NULL;
    return frame;
}

void assay_read_frames(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key sides[] = {{"client", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
                                             {"server", SHAPE_MAPPING | SHAPE_REQUIRED, NULL}};
    const struct assay_node *of[2];
    if (!assay_node_get(node, "client") && !assay_node_get(node, "server")) {
        spec->frames[0] = spec->frames[1] = over_transports(spec, read_frame(spec, node, ASSAY_CLIENT | ASSAY_SERVER));
        return;
    }
    if (!assay_shape(spec, node, "frame", sides, 2, of))
        return;
    for (unsigned i = 0; i < 2; i++)
        spec->frames[i] =
            of[i] ? over_transports(spec, read_frame(spec, of[i], i ? ASSAY_SERVER : ASSAY_CLIENT)) : NULL;
}

/* Examples: read by core's own codec, compared with what they say, written again. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/read.h"
#include "core/codec.h"
#include "core/sums.h"

struct bench {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    uint32_t room;
};

static void bench_open(struct bench *b, struct assay_spec *spec)
{
    const struct assay_model *model = spec->model;
    b->spec = spec;
    b->model = model;
    b->room = 2 * model->frame_max + 4096;
    b->env = (struct assay_env){.model = model, .slots = b->slots, .scratch_cap = model->scratch + b->room};
    b->env.scratch = assay_arena_alloc(&spec->arena, b->env.scratch_cap);
}

/* Leniencies are on as they are by default; an example in another form is there to show one. */
static void bench_reset(struct bench *b, const struct spec_example *example)
{
    b->env.known = 0;
    b->env.scratch_used = 0;
    b->env.leniencies = 0;
    for (uint16_t i = 0; i < b->model->leniencies_count && i < 64; i++)
        if (b->model->leniencies[i].on || example->other_form)
            b->env.leniencies |= (uint64_t)1 << i;
}

static const char *hex_text(struct assay_spec *spec, const uint8_t *p, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t shown = n > 40 ? 40 : n;
    char *text = assay_arena_alloc(&spec->arena, 2 * (size_t)shown + 4);
    for (uint32_t i = 0; i < shown; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    strcpy(text + 2 * (size_t)shown, shown < n ? "..." : "");
    return text;
}

/* ---- comparing values -------------------------------------------------- */

static const struct spec_field *field_named(const struct spec_message *message, const struct spec_frame *frame,
                                            struct assay_near *near)
{
    const struct spec_list *lists[] = {&message->fields, &frame->fields};
    for (unsigned i = 0; i < 2; i++)
        SPEC_EACH (struct spec_field, f, lists[i]) {
            if (f->name && strcmp(f->name, near->wanted) == 0)
                return f;
            assay_near_add(near, f->name);
        }
    return NULL;
}

static const char *value_text(struct bench *b, const struct spec_type *type, assay_val v)
{
    struct assay_arena *arena = &b->spec->arena;
    if (type->kind == ASSAY_T_ENUM && type->of)
        SPEC_EACH (struct spec_enum_item, item, &type->of->items) {
            if (item->value == (int64_t)v)
                return item->name;
        }
    if (type->kind == ASSAY_T_BOOL)
        return v ? "true" : "false";
    if (type->kind < ASSAY_T_BYTES)
        return assay_arena_printf(arena, "%lld", (long long)v);
    struct assay_span s = assay_bytes(&b->env, v);
    for (uint32_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return assay_arena_printf(arena, "the bytes %s", hex_text(b->spec, s.p, s.n));
    return assay_arena_printf(arena, "'%.*s'", (int)(s.n > 60 ? 60 : s.n), s.n ? (const char *)s.p : "");
}

static bool same_number(const struct spec_type *type, const struct assay_node *data, int64_t v)
{
    int64_t wanted;
    if (data->kind != ASSAY_NODE_SCALAR)
        return false;
    if (type->kind == ASSAY_T_BOOL)
        return strcmp(data->text, v ? "true" : "false") == 0;
    if (type->kind == ASSAY_T_ENUM && type->of)
        SPEC_EACH (struct spec_enum_item, item, &type->of->items) {
            if (strcmp(item->name, data->text) == 0)
                return item->value == v;
        }
    return assay_text_number(data->text, &wanted) && wanted == v;
}

static bool same_list(struct bench *b, const struct spec_type *type, const struct assay_node *data, assay_val v)
{
    struct assay_span s = assay_bytes(&b->env, v);
    uint32_t at = 0;
    if (data->kind != ASSAY_NODE_SEQUENCE || data->count != s.n / 8)
        return false;
    ASSAY_CHILDREN (child, data) {
        uint64_t item = 0;
        for (unsigned i = 0; i < 8; i++)
            item |= (uint64_t)s.p[at + i] << (8 * i);
        at += 8;
        if (type->element && !same_number(type->element, child, (int64_t)item))
            return false;
    }
    return true;
}

static bool same_data(struct bench *b, const struct spec_type *type, const struct assay_node *data, assay_val v)
{
    struct assay_blob blob;
    if (type->kind < ASSAY_T_BYTES)
        return same_number(type, data, (int64_t)v);
    if (type->kind == ASSAY_T_LIST)
        return same_list(b, type, data, v);
    bool utf8 = type->kind == ASSAY_T_TEXT && type->charset == ASSAY_CS_UTF8;
    if (data->kind != ASSAY_NODE_SCALAR || !assay_read_bytes(b->spec, data, utf8, &blob))
        return false;
    struct assay_span s = assay_bytes(&b->env, v);
    return s.n == blob.n && (s.n == 0 || memcmp(s.p, blob.p, s.n) == 0);
}

static void check_value(struct bench *b, const struct spec_field *field, const struct assay_node *data)
{
    if (field->type->kind == SPEC_T_ANY)
        return;
    if (field->slot == ASSAY_NONE || !(b->env.known >> field->slot & 1)) {
        assay_spec_error(b->spec, data->at, "'%s' is not there in these bytes", field->name);
        return;
    }
    assay_val v = b->slots[field->slot];
    if (!same_data(b, field->type, data, v))
        assay_spec_error(b->spec, data->at, "'%s' decodes to %s", field->name, value_text(b, field->type, v));
}

static const struct spec_group *group_named(const struct spec_message *message, const struct spec_frame *frame,
                                            struct assay_near *near)
{
    const struct spec_list *lists[] = {&message->groups, &frame->groups};
    for (unsigned i = 0; i < 2; i++)
        SPEC_EACH (struct spec_group, g, lists[i]) {
            if (strcmp(g->name, near->wanted) == 0)
                return g;
            assay_near_add(near, g->name);
        }
    return NULL;
}

/* Parts of a record, by their names in it. */
static void check_record(struct bench *b, const struct spec_group *group, const struct assay_node *data)
{
    size_t skip = strlen(group->name) + 1;
    if (!assay_shape_is(b->spec, data, SHAPE_MAPPING, group->name))
        return;
    ASSAY_CHILDREN (child, data) {
        struct assay_near near = {.wanted = child->key->text};
        const struct spec_field *part = NULL;
        SPEC_EACH (struct spec_field, f, &group->parts) {
            part = strcmp(f->name + skip, near.wanted) == 0 ? f : part;
            assay_near_add(&near, f->name + skip);
        }
        if (part)
            check_value(b, part, child);
        else
            assay_spec_error(b->spec, child->key->at, "'%s' has no part '%s'%s", group->name, near.wanted,
                             assay_near_text(&near));
    }
}

static void check_field(struct bench *b, const struct spec_message *message, const struct spec_frame *frame,
                        const struct assay_node *data)
{
    struct assay_near near = {.wanted = data->key->text};
    const struct spec_group *group = group_named(message, frame, &near);
    const struct spec_field *field = group ? NULL : field_named(message, frame, &near);
    if (group)
        check_record(b, group, data);
    else if (field)
        check_value(b, field, data);
    else
        assay_spec_error(b->spec, data->key->at, "%s has no field '%s'%s", message->name, near.wanted,
                         assay_near_text(&near));
}

/* ---- one example ------------------------------------------------------- */

static const char *event_name(const struct bench *b, uint16_t event)
{
    return event < b->model->events_count ? b->model->events[event].name : "?";
}

/* The content of the only frame in an example; NULL: `text` says what is wrong with it. */
static const char *find_frame(struct bench *b, uint16_t frame, const struct spec_example *example,
                              struct assay_span *content, uint16_t *event)
{
    struct assay_span in = {example->bytes.p, example->bytes.n};
    struct assay_frame_found f = assay_frame_find(&b->env, frame, example->from, in, 0, false);
    bool to_eof = b->model->frames[frame].end == ASSAY_END_EOF;
    *event = ASSAY_NONE;
    *content = (struct assay_span){in.p, f.content};
    if (f.status == ASSAY_FRAME_OVERSIZE)
        *event = ASSAY_EV_OVERSIZE;
    else if (f.status == ASSAY_FRAME_BROKEN)
        *event = assay_decode_broken(&b->env, frame, example->from, in).event;
    else if (f.status == ASSAY_FRAME_PARTIAL && to_eof)
        content->n = in.n;
    else if (f.status == ASSAY_FRAME_PARTIAL)
        return "is not a whole frame: bytes are missing";
    else if (f.size != in.n)
        return assay_arena_printf(&b->spec->arena, "is a frame of %llu bytes and %llu more", (unsigned long long)f.size,
                                  (unsigned long long)(in.n - f.size));
    return NULL;
}

static void check_again(struct bench *b, const struct spec_example *example, const struct spec_message *message,
                        uint16_t frame)
{
    uint8_t *out = assay_arena_alloc(&b->spec->arena, b->room);
    struct assay_encoded e = assay_encode(&b->env, frame, message->index, out, b->room, false);
    if (e.status != ASSAY_ENCODED) {
        const char *field = e.field == ASSAY_NONE ? NULL : b->model->fields[e.field].name;
        assay_spec_error(b->spec, example->at, "what this decodes to cannot be encoded again (at '%s')",
                         field ? field : "_");
        return;
    }
    bool same = e.size == example->bytes.n && memcmp(out, example->bytes.p, e.size) == 0;
    if (!same && !example->other_form)
        assay_spec_error(b->spec, example->at, "encoding gives %s; if that is right, say other-form: true",
                         hex_text(b->spec, out, e.size));
    if (same && example->other_form)
        assay_spec_error(b->spec, example->at, "encoding gives the same bytes, so other-form: true is not right");
}

static void check_fault(struct bench *b, const struct spec_example *example, uint16_t event)
{
    if (!example->fault_event || event == example->fault_event->index)
        return;
    bool decodes = b->model->events[event].kind == ASSAY_EVK_MESSAGE;
    assay_spec_error(b->spec, example->at,
                     decodes ? "this decodes, as %s; it should raise '%s'" : "this raises '%s', not '%s'",
                     event_name(b, event), example->fault);
}

/* What the sum would be that does not hold; NULL: it is no sum at which decoding stopped. */
static const char *right_sum(struct bench *b, uint16_t frame, uint8_t from, struct assay_span content,
                             struct assay_decoded d)
{
    const struct assay_field *f = &b->model->fields[d.field];
    uint32_t width = f->bits / 8u;
    if (!f->sum || d.offset < width || b->model->frames[frame].trim != ASSAY_NONE)
        return NULL;
    uint8_t *bytes = assay_arena_alloc(&b->spec->arena, content.n);
    memcpy(bytes, content.p, content.n);
    assay_sum_write(f, bytes, content.n, d.offset - width);
    b->env.frame = bytes;
    bool holds = assay_decode(&b->env, frame, from, (struct assay_span){bytes, content.n}).field != d.field;
    return holds ? hex_text(b->spec, bytes + d.offset - width, width) : NULL;
}

static const char *place_of(struct bench *b, uint16_t frame, uint8_t from, struct assay_span content,
                            struct assay_decoded d)
{
    if (d.field == ASSAY_NONE || !b->model->fields[d.field].name)
        return "";
    const char *sum = right_sum(b, frame, from, content, d), *name = b->model->fields[d.field].name;
    if (sum)
        return assay_arena_printf(&b->spec->arena, ", at '%s', which would be %s", name, sum);
    return assay_arena_printf(&b->spec->arena, ", at '%s'", name);
}

/* The frame of the first transport where the message is known. */
static const struct spec_frame *frame_of(struct bench *b, const struct spec_message *message,
                                         const struct spec_example *example)
{
    const struct spec_frame *frame = b->spec->frames[example->from == ASSAY_CLIENT ? 0 : 1];
    return !(frame->transports & message->transports) && frame->datagram ? frame->datagram : frame;
}

static void check_example(struct bench *b, const struct spec_message *message, const struct spec_example *example)
{
    const struct spec_frame *frame = frame_of(b, message, example);
    struct assay_span content;
    struct assay_decoded d = {.message = ASSAY_NONE, .field = ASSAY_NONE};
    bench_reset(b, example);
    const char *wrong = find_frame(b, frame->index, example, &content, &d.event);
    if (wrong) {
        assay_spec_error(b->spec, example->at, "this %s", wrong);
        return;
    }
    if (d.event == ASSAY_NONE) {
        b->env.frame = content.p;
        d = assay_decode(&b->env, frame->index, example->from, content);
    }
    if (example->fault) {
        check_fault(b, example, d.event);
    } else if (d.event != message->event->index) {
        bool other = b->model->events[d.event].kind == ASSAY_EVK_MESSAGE;
        assay_spec_error(b->spec, example->at,
                         other ? "this decodes as %s%s, not as %s" : "this raises '%s'%s; %s was expected",
                         event_name(b, d.event), place_of(b, frame->index, example->from, content, d), message->name);
    } else {
        ASSAY_CHILDREN (data, example->is)
            check_field(b, message, frame, data);
        check_again(b, example, message, frame->index);
    }
}

/* Where a message is known on streams and in datagrams, its examples are right in both: without its end, the same bytes
 * are a datagram. */
static void check_as_datagram(struct bench *b, const struct spec_message *message, const struct spec_example *example)
{
    const struct spec_frame *frame = b->spec->frames[example->from == ASSAY_CLIENT ? 0 : 1], *d = frame->datagram;
    struct assay_span content;
    struct assay_decoded at = {.event = ASSAY_NONE, .field = ASSAY_NONE};
    uint16_t expected = example->fault_event ? example->fault_event->index : message->event->index;
    if (!d || !(d->transports & message->transports) || !(frame->transports & message->transports))
        return;
    bench_reset(b, example);
    if (find_frame(b, frame->index, example, &content, &at.event) || at.event != ASSAY_NONE ||
        (int64_t)content.n > d->max)
        return;
    b->env.frame = content.p;
    at = assay_decode(&b->env, d->index, example->from, content);
    if (at.event != expected)
        assay_spec_error(b->spec, example->at, "as a datagram this raises '%s'%s; '%s' was expected",
                         event_name(b, at.event), place_of(b, d->index, example->from, content, at),
                         event_name(b, expected));
}

void assay_check_examples(struct assay_spec *spec)
{
    struct bench *b = ASSAY_NEW(&spec->arena, struct bench);
    if (spec->model)
        bench_open(b, spec);
    SPEC_EACH (struct spec_message, message, &spec->messages) {
        if (message->examples.count == 0)
            assay_spec_error(spec, message->at, "%s has no example; every message needs one, in hex or raw",
                             message->name);
        SPEC_EACH (struct spec_example, example, &message->examples)
            if (spec->model) {
                check_example(b, message, example);
                check_as_datagram(b, message, example);
            }
    }
}

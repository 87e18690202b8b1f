#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "conformance/describe.h"
#include "conformance/lens.h"
#include "conformance/side.h"

#define SHOWN_BYTES  48u
#define SHOWN_FRAMES 6

void assay_text_add(struct assay_text *text, const char *format, ...)
{
    va_list args;
    if (text->n + 1 >= text->cap)
        return;
    va_start(args, format);
    int n = vsnprintf(text->p + text->n, text->cap - text->n, format, args);
    va_end(args);
    if (n < 0)
        return;
    text->n += (size_t)n;
    if (text->n < text->cap)
        return;
    text->n = text->cap - 1;
    if (text->cap > 4)
        memcpy(text->p + text->cap - 4, "...", 4);
}

void assay_text_hex(struct assay_text *text, struct assay_span bytes, uint32_t most)
{
    for (uint32_t i = 0; i < bytes.n && i < most; i++)
        assay_text_add(text, "%02x", bytes.p[i]);
    if (bytes.n > most)
        assay_text_add(text, "... %" PRIu32 " bytes", bytes.n);
}

void assay_text_quoted(struct assay_text *text, struct assay_span bytes, uint32_t most)
{
    assay_text_add(text, "\"");
    for (uint32_t i = 0; i < bytes.n && i < most; i++) {
        char byte[ASSAY_ESCAPED_MAX(1)];
        assay_text_add(text, "%.*s", (int)assay_escape(byte, bytes.p + i, 1, '"'), byte);
    }
    assay_text_add(text, "\"");
    if (bytes.n > most)
        assay_text_add(text, "... %" PRIu32 " bytes", bytes.n);
}

static void describe_enum(struct assay_text *text, const struct assay_model *model, uint16_t index, int64_t value)
{
    struct assay_range items = model->enums[index].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (model->enum_items[i].value == value) {
            assay_text_add(text, "%s", model->enum_items[i].name);
            return;
        }
    assay_text_add(text, "%" PRId64, value);
}

static void describe_value(struct assay_text *text, const struct assay_env *env, uint16_t type, assay_val v)
{
    const struct assay_type *t = &env->model->types[type];
    switch ((enum assay_type_kind)t->kind) {
    case ASSAY_T_ENUM:
        describe_enum(text, env->model, t->of, (int64_t)v);
        return;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        assay_text_quoted(text, assay_bytes(env, v), SHOWN_BYTES);
        return;
    case ASSAY_T_LIST:
        assay_text_hex(text, assay_bytes(env, v), SHOWN_BYTES);
        return;
    case ASSAY_T_INT:
    case ASSAY_T_BOOL:
    case ASSAY_T_DURATION:
        break;
    }
    assay_text_add(text, "%" PRId64, (int64_t)v);
}

static void describe_range(struct assay_text *text, const struct assay_env *env, struct assay_range fields,
                           uint16_t body, uint64_t skip)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        if (!f->name || f->slot == ASSAY_NONE || i == body || !(env->known >> f->slot & 1))
            continue;
        assay_text_add(text, "%s%s=", text->n && text->p[text->n - 1] == '{' ? "" : " ", f->name);
        if (skip >> f->slot & 1)
            assay_text_add(text, "any");
        else
            describe_value(text, env, f->type, env->slots[f->slot]);
    }
}

void assay_describe_fields(struct assay_text *text, const struct assay_env *env, uint16_t message, uint16_t frame,
                           uint64_t skip)
{
    const struct assay_model *model = env->model;
    assay_text_add(text, "%s{", model->messages[message].name);
    describe_range(text, env, model->frames[frame].fields, model->frames[frame].body, skip);
    describe_range(text, env, model->messages[message].fields, ASSAY_NONE, skip);
    assay_text_add(text, "}");
}

static void describe_frame(struct assay_text *text, struct assay_lens *lens, uint16_t frame, uint8_t from,
                           struct assay_span whole, uint32_t content)
{
    assay_lens_clear(lens);
    lens->env.frame = whole.p;
    struct assay_decoded d = assay_decode(&lens->env, frame, from, (struct assay_span){whole.p, content});
    if (d.message == ASSAY_NONE || d.event != lens->env.model->messages[d.message].event) {
        assay_text_add(text, "%s ", lens->env.model->events[d.event].name);
        assay_text_quoted(text, whole, SHOWN_BYTES);
    } else {
        assay_describe_fields(text, &lens->env, d.message, frame, 0);
    }
    assay_text_add(text, " (");
    assay_text_hex(text, whole, SHOWN_BYTES);
    assay_text_add(text, ")");
}

static void describe_all(struct assay_text *text, struct assay_lens *lens, uint16_t frame, uint8_t from,
                         struct assay_span bytes)
{
    for (int shown = 0; bytes.n; shown++) {
        assay_lens_clear(lens);
        struct assay_frame_found f = assay_frame_find(&lens->env, frame, from, bytes, 0, false);
        if (shown)
            assay_text_add(text, ", ");
        if (f.status != ASSAY_FRAME_WHOLE || shown == SHOWN_FRAMES) {
            assay_text_quoted(text, bytes, SHOWN_BYTES);
            assay_text_add(text, " (");
            assay_text_hex(text, bytes, SHOWN_BYTES);
            assay_text_add(text, ")");
            return;
        }
        struct assay_span whole = {bytes.p, (uint32_t)f.size};
        describe_frame(text, lens, frame, from, whole, f.content);
        bytes = (struct assay_span){bytes.p + whole.n, bytes.n - whole.n};
    }
}

void assay_describe_link(struct assay_text *text, const struct assay_model *model, uint16_t machine,
                         uint64_t leniencies, bool outgoing, struct assay_span bytes)
{
    const struct assay_machine *m = &model->machines[machine];
    uint8_t from = outgoing ? assay_target_role(model, machine) : assay_tester_role(model, machine);
    struct assay_lens lens;
    if (!assay_lens_init(&lens, model, NULL, leniencies, 0))
        return;
    describe_all(text, &lens, outgoing ? m->frame_out : m->frame_in, from, bytes);
    assay_lens_free(&lens);
}

void assay_describe(struct assay_text *text, const struct assay_model *model, uint64_t leniencies, uint8_t from,
                    struct assay_span bytes)
{
    if (model->server != ASSAY_NONE)
        assay_describe_link(text, model, model->server, leniencies, from == ASSAY_SERVER, bytes);
}

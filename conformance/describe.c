#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void describe_frame(struct assay_text *text, struct assay_lens *lens, uint16_t frame, uint8_t from,
                           struct assay_span whole, uint32_t content)
{
    assay_lens_clear(lens);
    lens->env.frame = whole.p;
    struct assay_decoded d = assay_decode(&lens->env, frame, from, (struct assay_span){whole.p, content});
    if (d.message == ASSAY_NONE || d.event != lens->env.model->messages[d.message].event) {
        assay_text_add(text, "%s ", lens->env.model->events[d.event].name);
        assay_show_quoted(text, whole, SHOWN_BYTES);
    } else {
        assay_show_message(text, &lens->env, d.message, frame, 0);
    }
    assay_text_add(text, " (");
    assay_show_hex(text, whole, SHOWN_BYTES);
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
            assay_show_quoted(text, bytes, SHOWN_BYTES);
            assay_text_add(text, " (");
            assay_show_hex(text, bytes, SHOWN_BYTES);
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

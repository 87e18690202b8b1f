/* What goes on, in words: one line on stderr for each message and step. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "core/codec.h"
#include "core/show.h"
#include "ref-server/shard.h"

#define SHOWN_MAX 256u /* bytes of a value */
#define TEXT_MAX  16384

struct assay_trace {
    struct assay_console *console;
    const struct assay_model *model;
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    char line[TEXT_MAX];
    size_t used;
    uint16_t frame_in, frame_out;
};

struct assay_trace *assay_trace_new(struct assay_server *server, uint16_t machine)
{
    const struct assay_model *model = server->config.model;
    uint32_t scratch = 2 * (model->scratch + model->frame_max) + 4096;
    struct assay_trace *t = calloc(1, sizeof *t + scratch);
    if (!t)
        return NULL;
    t->console = &server->effects.console;
    t->model = model;
    t->frame_in = model->machines[machine].frame_in;
    t->frame_out = model->machines[machine].frame_out;
    t->env = (struct assay_env){.model = model,
                                .slots = t->slots,
                                .scratch = (uint8_t *)(t + 1),
                                .scratch_cap = scratch,
                                .leniencies = server->leniencies};
    return t;
}

void assay_trace_free(struct assay_trace *t)
{
    free(t);
}

/* ---- lines ------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void put(struct assay_trace *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->line + t->used, sizeof t->line - t->used, format, args);
    va_end(args);
    if (n > 0)
        t->used += (size_t)n < sizeof t->line - t->used ? (size_t)n : sizeof t->line - t->used - 1;
}

static void begin(struct assay_trace *t, uint64_t session)
{
    t->used = 0, put(t, "#%" PRIu64 " ", session);
}

static void end(struct assay_trace *t)
{
    if (t->used == sizeof t->line - 1)
        t->used--;
    t->line[t->used++] = '\n';
    assay_console_write(t->console, t->line, t->used);
}

static void put_bytes(struct assay_trace *t, struct assay_span bytes)
{
    char text[ASSAY_ESCAPED_MAX(SHOWN_MAX)];
    uint32_t n = bytes.n < SHOWN_MAX ? bytes.n : SHOWN_MAX;
    put(t, "\"%.*s\"", (int)assay_escape(text, bytes.p, n, '"'), text);
    if (n < bytes.n)
        put(t, "... (%u bytes)", bytes.n);
}

/* ---- values ------------------------------------------------------------ */

static void put_enum(struct assay_trace *t, uint16_t of, int64_t value)
{
    const char *name = assay_enum_name(t->model, of, value);
    if (name)
        put(t, "%s", name);
    else
        put(t, "%" PRId64, value);
}

static void put_list(struct assay_trace *t, struct assay_span bytes)
{
    for (uint32_t i = 0; i + 8 <= bytes.n; i += 8) {
        int64_t v;
        memcpy(&v, bytes.p + i, sizeof v);
        put(t, "%s%" PRId64, i ? ", " : "[", v);
    }
    put(t, bytes.n >= 8 ? "]" : "[]");
}

static void put_value(struct assay_trace *t, uint16_t type, assay_val v)
{
    const struct assay_type *def = &t->model->types[type];
    switch ((enum assay_type_kind)def->kind) {
    case ASSAY_T_BOOL:
        put(t, v ? "true" : "false");
        break;
    case ASSAY_T_ENUM:
        put_enum(t, def->of, (int64_t)v);
        break;
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        put(t, "%" PRId64, (int64_t)v);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        put_bytes(t, assay_bytes(&t->env, v));
        break;
    case ASSAY_T_LIST:
        put_list(t, assay_bytes(&t->env, v));
        break;
    }
}

static void put_fields(struct assay_trace *t, struct assay_range fields, uint16_t except, bool *first)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &t->model->fields[i];
        if (i == except || !f->name || f->slot == ASSAY_NONE || f->type == ASSAY_NONE || !(t->env.known >> f->slot & 1))
            continue;
        put(t, "%s%s=", *first ? "" : ", ", f->name);
        put_value(t, f->type, t->slots[f->slot]);
        *first = false;
    }
}

/* ---- messages ---------------------------------------------------------- */

static void put_message(struct assay_trace *t, uint16_t frame, enum assay_role from, struct assay_span bytes)
{
    struct assay_frame_found found = assay_frame_find(&t->env, frame, (uint8_t)from, bytes, 0, false);
    struct assay_span content = {bytes.p, found.status == ASSAY_FRAME_WHOLE ? found.content : bytes.n};
    bool first = true;
    t->env.scratch_used = 0;
    t->env.known = 0;
    t->env.frame = content.p;
    struct assay_decoded d = assay_decode(&t->env, frame, (uint8_t)from, content);
    const struct assay_frame *f = &t->model->frames[frame];
    put(t, "%s", t->model->events[d.event].name);
    if (d.message == ASSAY_NONE || t->model->messages[d.message].event != d.event) {
        put(t, " ");
        put_bytes(t, bytes);
        return;
    }
    put(t, "{");
    put_fields(t, f->fields, f->body, &first);
    put_fields(t, t->model->messages[d.message].fields, ASSAY_NONE, &first);
    put(t, "}");
}

struct assay_span assay_trace_part(struct assay_trace *t, struct assay_span in)
{
    struct assay_frame_found found = assay_frame_find(&t->env, t->frame_in, ASSAY_CLIENT, in, 0, false);
    if (found.status == ASSAY_FRAME_WHOLE && found.size > 0 && found.size < in.n)
        in.n = (uint32_t)found.size;
    return in;
}

void assay_trace_received(struct assay_trace *t, uint64_t session, struct assay_span part)
{
    begin(t, session);
    put(t, "> ");
    put_message(t, t->frame_in, ASSAY_CLIENT, part);
    end(t);
}

static const char *state_name(const struct assay_trace *t, uint16_t state)
{
    return state == ASSAY_NONE ? "-" : t->model->states[state].name;
}

static void put_step(struct assay_trace *t, const struct assay_event *event)
{
    const struct assay_rule *rule = event->step.rule == ASSAY_NONE ? NULL : &t->model->rules[event->step.rule];
    put(t, "  %s: %s -> %s", t->model->events[event->step.event].name, state_name(t, event->step.before),
        state_name(t, event->step.after));
    if (!rule)
        return;
    put(t, " (%sline %u", event->step.otherwise ? "else of " : "", rule->line);
    if (rule->req != ASSAY_NONE)
        put(t, ", %s", t->model->requirements[rule->req].id);
    put(t, ")");
}

void assay_trace_event(struct assay_trace *t, uint64_t session, const struct assay_event *event,
                       const struct assay_out *out)
{
    begin(t, session);
    switch (event->type) {
    case ASSAY_EVENT_STEP:
        put_step(t, event);
        break;
    case ASSAY_EVENT_SENT:
        put(t, "< ");
        put_message(t, t->frame_out, ASSAY_SERVER, (struct assay_span){out->bytes + event->sent.at, event->sent.size});
        break;
    case ASSAY_EVENT_EFFECT:
        put(t, "  do %s", t->model->effects[event->effect.effect].name);
        break;
    case ASSAY_EVENT_ENDED:
        put(t, "  ended by %s", t->model->events[event->ended.cause].name);
        break;
    case ASSAY_EVENT_RESULT:
    case ASSAY_EVENT_STRAY:
        return;
    }
    end(t);
}

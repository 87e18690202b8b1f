/* What the engines say, as events for the application. */
#include <errno.h>

#include "core/codec.h"
#include "core/show.h"
#include "libclient/client.h"

/* ---- frames ------------------------------------------------------------ */

#define TEXT_MAX 2048

/* Read a frame once more. The message that it is; ASSAY_NONE: it cannot be read as one. */
static uint16_t message_of(const struct assay_link *l, bool sent, struct assay_span bytes, struct assay_env *env)
{
    const struct assay_model *model = l->pump.model;
    const struct assay_machine *machine = l->pump.machine;
    const uint16_t frame = sent ? machine->frame_out : machine->frame_in;
    const bool by_client = sent == ((machine->role & ASSAY_CLIENT) != 0);
    const uint8_t from = by_client ? ASSAY_CLIENT : ASSAY_SERVER;
    struct assay_frame_found found = assay_frame_find(env, frame, from, bytes, 0, false);
    struct assay_span content = {bytes.p, found.status == ASSAY_FRAME_WHOLE ? found.content : bytes.n};
    struct assay_decoded d = assay_decode(env, frame, from, content);
    return d.message != ASSAY_NONE && model->messages[d.message].event == d.event ? d.message : ASSAY_NONE;
}

void assay_trace(const struct assay_link *l, bool sent, uint16_t message, struct assay_span frame)
{
    const struct assay_client *c = l->client;
    if (!c->options.trace)
        return;
    char room[TEXT_MAX];
    struct assay_text text = {room, sizeof room, 0};
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_env env = {.model = l->pump.model,
                            .slots = slots,
                            .frame = frame.p,
                            .scratch = c->trace_room,
                            .scratch_cap = c->trace_size,
                            .leniencies = l->pump.config.leniencies};
    uint16_t found = message_of(l, sent, frame, &env);
    if (found != ASSAY_NONE)
        assay_show_message(&text, &env, found, sent ? l->pump.machine->frame_out : l->pump.machine->frame_in, 0);
    if (!sent)
        message = found;
    const struct assay_client_frame told = {
        .sent = sent,
        .message = message == ASSAY_NONE ? NULL : c->model.messages[message].name,
        .bytes = frame.p,
        .size = frame.n,
        .address = c->places[l->transport == ASSAY_NONE ? 0 : l->transport],
        .text = found == ASSAY_NONE ? NULL : room,
    };
    c->options.trace(c->options.user, &told);
}

/* ---- calls ----------------------------------------------------------------- */

void assay_call_fail(struct assay_client *c, int status)
{
    struct assay_link *l = c->call.link;
    c->call.over = true;
    c->call.early = c->call.held = false;
    c->call.status = status;
    l->told_token = l->done_token = 0;
    l->ended_status = ASSAY_CLIENT_OK;
    assay_pump_forget(&l->pump);
    assay_link_drop(l);
}

/* A call is through when what it sent has left; one that ends its link, when the other side knows of that. */
static bool is_through(const struct assay_client *c)
{
    const struct assay_link *l = c->call.link;
    if (!c->call.held)
        return false;
    if (l->state == ASSAY_LINK_IDLE)
        return true;
    if (l == &c->side)
        return false;
    return c->call.status != ASSAY_CLIENT_OK ||
           (l->state == ASSAY_LINK_RUNNING && l->pump.sid && !assay_pump_has_output(&l->pump));
}

/* A result that came is worth nothing if what the call sent did not go out. */
static int outcome(struct assay_client *c)
{
    struct assay_link *l = c->call.link;
    const char *name = c->model.calls[c->call.index].name;
    if (c->call.over || c->call.status != ASSAY_CLIENT_OK)
        return c->call.status;
    if (l->datagrams && !l->persevering && l->fd >= 0 && !l->bound &&
        c->io.connected(c->io.user, l->fd) == ECONNREFUSED)
        l->problem = ASSAY_CLIENT_UNREACHABLE;
    if (l->problem == ASSAY_CLIENT_VALUE)
        return assay_report(c, l->problem, "%s: longer than a datagram can be here", name);
    if (l->problem != ASSAY_CLIENT_OK)
        return assay_report(c, l->problem, "%s: nobody takes datagrams there", name);
    if (l->lost)
        return assay_report(c, ASSAY_CLIENT_CLOSED, "%s: the connection ended before all was sent", name);
    return ASSAY_CLIENT_OK;
}

static bool call_event(struct assay_client *c, struct assay_client_event *event)
{
    if (c->call.index < 0 || (!c->call.over && !is_through(c)))
        return false;
    *event = (struct assay_client_event){
        .kind = ASSAY_CLIENT_RESULT,
        .status = outcome(c),
        .index = c->call.index,
        .name = c->model.calls[c->call.index].name,
        .values = c->results.values,
    };
    event->count = event->status == ASSAY_CLIENT_OK ? c->results.count : 0;
    c->call.index = -1;
    c->call.held = c->call.over = false;
    return true;
}

static void hold_result(struct assay_link *l, const struct assay_event *from)
{
    struct assay_client *c = l->client;
    const struct assay_call *call = &c->model.calls[from->result.call];
    c->call.held = true;
    c->call.status = assay_report_result(c, from);
    l->hasty = c->call.status == ASSAY_CLIENT_TIMEOUT || c->call.status == ASSAY_CLIENT_PROTOCOL;
    if (c->call.status == ASSAY_CLIENT_OK && !assay_shelf_put(&c->results, &c->model, call->results, from))
        c->call.status =
            assay_report(c, ASSAY_CLIENT_PROTOCOL, "%s: a result is longer than the spec allows", call->name);
}

/* ---- effects ----------------------------------------------------------------- */

static bool effect_event(struct assay_link *l, const struct assay_event *from, struct assay_client_event *event)
{
    struct assay_client *c = l->client;
    const struct assay_effect *effect = &c->model.effects[from->effect.effect];
    (void)assay_shelf_put(&c->effects, &c->model, effect->args, from);
    l->token = from->effect.token;
    if (l->token && ++c->tokens == 0)
        c->tokens = 1;
    l->told_token = l->token ? c->tokens : l->told_token;
    *event = (struct assay_client_event){
        .kind = ASSAY_CLIENT_EFFECT,
        .index = from->effect.effect,
        .name = effect->name,
        .token = l->token ? l->told_token : 0,
        .count = c->effects.count,
        .values = c->effects.values,
    };
    return true;
}

static void complete(struct assay_link *l, uint32_t token, bool done)
{
    if (token == 0 || l->told_token != token)
        return;
    l->told_token = 0;
    l->done_token = l->token;
    l->done = done;
}

void assay_client_complete(struct assay_client *c, uint32_t token, bool done)
{
    complete(&c->own, token, done);
    complete(&c->side, token, done);
}

/* ---- sessions ------------------------------------------------------------------ */

/* ENDED is told when the socket is closed, too. A server that was silent or broke the protocol is not waited for. */
void assay_session_over(struct assay_link *l, const struct assay_event *from)
{
    struct assay_client *c = l->client;
    bool hasty = l->hasty || l->strayed;
    l->ended_status = l->strayed ? ASSAY_CLIENT_PROTOCOL : assay_report_ended(c, from->ended.cause);
    l->cause = from->ended.cause;
    l->finished = from->ended.finished;
    l->strayed = l->hasty = false;
    l->told_token = l->done_token = 0;
    if (l->fd < 0 || l->state == ASSAY_LINK_CONNECTING)
        return;
    if (from->ended.how == ASSAY_END_ABORT)
        assay_link_abort(l);
    else if (hasty)
        assay_link_drop(l);
    else
        assay_link_finish(l, assay_client_now(c));
}

/* One event of a pump; false: it is none for the application. */
static bool translate(struct assay_link *l, const struct assay_event *from, struct assay_client_event *event)
{
    struct assay_client *c = l->client;
    switch (from->type) {
    case ASSAY_EVENT_EFFECT:
        return effect_event(l, from, event);
    case ASSAY_EVENT_RESULT:
        hold_result(l, from);
        break;
    case ASSAY_EVENT_ENDED:
        assay_session_over(l, from);
        break;
    case ASSAY_EVENT_STEP:
        l->heard = l->heard || c->model.events[from->step.event].kind == ASSAY_EVK_MESSAGE;
        break;
    case ASSAY_EVENT_SENT:
        assay_trace(l, true, from->sent.message,
                    (struct assay_span){l->pump.out.bytes + from->sent.at, from->sent.size});
        break;
    case ASSAY_EVENT_STRAY: /* ENDED follows */
        l->strayed = l->heard = true;
        if (c->call.index < 0 || c->call.held)
            assay_report_link(l, "the server sent a message %s that nothing asked for",
                              c->model.events[from->stray.event].name);
        break;
    }
    return false;
}

/* What a session says while its call waits to be told is for later. */
static bool pump_event(struct assay_link *l, struct assay_client_event *event)
{
    struct assay_event from;
    while (assay_pump_next(&l->pump, &from))
        if (translate(l, &from, event))
            return true;
    return false;
}

/* The link of a call is gone before its session could say more. */
static void side_ended(struct assay_client *c)
{
    bool running = c->call.index >= 0 && c->call.link == &c->side && !c->call.held && !c->call.over;
    c->side.tell_connected = false;
    if (!c->side.tell_ended)
        return;
    c->side.tell_ended = false;
    assay_pump_forget(&c->side.pump);
    if (c->call.index >= 0 && c->call.held && c->side.ended_status == ASSAY_CLIENT_UNREACHABLE)
        c->call.status = ASSAY_CLIENT_UNREACHABLE; /* it was through, but for what it had to send */
    if (!running)
        return;
    c->call.over = true;
    c->call.status = c->side.ended_status == ASSAY_CLIENT_OK ? ASSAY_CLIENT_CLOSED : c->side.ended_status;
}

/* The session ended before the call could be handed to it. */
static void early_ended(struct assay_client *c)
{
    if (c->call.index < 0 || !c->call.early || c->own.pump.sid)
        return;
    c->call.early = false;
    c->call.over = true;
    c->call.status =
        assay_report(c, ASSAY_CLIENT_CLOSED, "%s: the session ended first", c->model.calls[c->call.index].name);
}

static bool connected_event(struct assay_link *l, struct assay_client_event *event)
{
    if (!l->tell_connected)
        return false;
    l->tell_connected = false;
    *event = (struct assay_client_event){.kind = ASSAY_CLIENT_CONNECTED, .name = "", .index = -1};
    return true;
}

static bool ended_event(struct assay_link *l, struct assay_client_event *event)
{
    if (!l->tell_ended)
        return false;
    l->tell_ended = false;
    bool later = assay_retry_later(l, assay_client_now(l->client));
    *event = (struct assay_client_event){
        .kind = later ? ASSAY_CLIENT_RETRYING : ASSAY_CLIENT_ENDED,
        .status = l->ended_status,
        .name = "",
        .index = -1,
        .pause_ms = later ? l->pause / ASSAY_MS : 0,
        .finished = l->finished,
    };
    return true;
}

bool assay_client_next(struct assay_client *c, struct assay_client_event *event)
{
    if (connected_event(&c->own, event) || pump_event(&c->side, event) || pump_event(&c->own, event))
        return true;
    side_ended(c);
    early_ended(c);
    return call_event(c, event) || ended_event(&c->own, event);
}

bool assay_client_has_event(const struct assay_client *c)
{
    bool told = c->call.index >= 0 && (c->call.over || is_through(c));
    return told || assay_link_has_event(&c->own) || assay_link_has_event(&c->side);
}

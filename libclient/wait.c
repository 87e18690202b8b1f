/* Clients that wait: connecting, calls, and machines that run by themselves. */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/code.h"
#include "libclient/client.h"

/* ---- waiting ------------------------------------------------------------- */

/* Look for something to read until the time is up. */
static bool spin(struct assay_client *c)
{
    struct assay_link *l = c->call.index >= 0 ? c->call.link : &c->own;
    int64_t until = assay_clock_after(assay_client_now(c), c->options.spin_us * (ASSAY_MS / 1000));
    if (c->options.spin_us <= 0 || l->state != ASSAY_LINK_RUNNING || assay_pump_has_output(&l->pump))
        return false;
    do {
        assay_client_peek(c, l);
        if (assay_client_has_event(c) || l->state != ASSAY_LINK_RUNNING)
            return true;
    } while (assay_client_now(c) < until && assay_client_wait_ms(c) != 0);
    return false;
}

static int earlier(int ms, int64_t now, int64_t until)
{
    if (until == ASSAY_CLOCK_NEVER)
        return ms;
    int64_t left = until <= now ? 0 : (until - now + ASSAY_MS - 1) / ASSAY_MS;
    return ms >= 0 && ms < left ? ms : left < INT32_MAX ? (int)left : INT32_MAX;
}

/* One wait, no longer than `until`, and what it brings. False: nothing. */
static bool round_of(struct assay_client *c, int64_t until)
{
    struct pollfd fds[ASSAY_CLIENT_FDS + 1];
    if (spin(c))
        return true;
    int waker = atomic_load(&c->waker), ms = earlier(assay_client_wait_ms(c), assay_client_now(c), until);
    unsigned count = assay_client_fds(c, fds);
    if (waker >= 0)
        fds[count++] = (struct pollfd){.fd = waker, .events = POLLIN};
    int ready = c->io.wait(c->io.user, fds, count, ms);
    assay_client_step(c, fds, ready < 0 ? 0 : count);
    return ready > 0 || assay_client_has_event(c) || assay_client_wait_ms(c) == 0;
}

static bool idle(const struct assay_client *c)
{
    return c->own.state == ASSAY_LINK_IDLE && c->side.state == ASSAY_LINK_IDLE;
}

/* Until there is an event, or nothing that could bring one. */
static void await(struct assay_client *c)
{
    while (!assay_client_has_event(c) && !idle(c))
        (void)round_of(c, ASSAY_CLOCK_NEVER);
}

/* ---- events ------------------------------------------------------------------ */

/* An effect that can fail and that a rule of the machine orders; ASSAY_NONE: there is none. */
static uint16_t fallible_effect(const struct assay_model *model, const struct assay_machine *machine)
{
    for (uint32_t i = machine->rules.first; i < (uint32_t)machine->rules.first + machine->rules.count; i++) {
        uint32_t pc = model->rules[i].body;
        for (uint32_t end = pc == ASSAY_NONE ? pc : assay_code_end(model, pc); pc < end; pc++)
            if (assay_ins_op(model->code[pc]) == ASSAY_OP_EFFECT &&
                model->effects[assay_ins_b(model->code[pc])].fallible)
                return (uint16_t)assay_ins_b(model->code[pc]);
    }
    return ASSAY_NONE;
}

/* Without a callback such an effect would fail each time, and the session with it: that would look like a lost link. */
static int served(struct assay_client *c, const struct assay_machine *machine)
{
    uint16_t effect = c->options.effect ? ASSAY_NONE : fallible_effect(&c->model, machine);
    if (effect == ASSAY_NONE)
        return ASSAY_CLIENT_OK;
    return assay_report(c, ASSAY_CLIENT_VALUE, "nobody does effect `%s`: options.effect is missing",
                        c->model.effects[effect].name);
}

static bool do_effect(struct assay_client *c, const struct assay_client_event *event)
{
    return c->options.effect && c->options.effect(c->options.user, event);
}

/* Take all events but that of a call, effects being done; false: there is no more. */
static bool take_event(struct assay_client *c, struct assay_client_event *event)
{
    if (!assay_client_next(c, event))
        return false;
    if (event->kind == ASSAY_CLIENT_EFFECT) {
        bool done = do_effect(c, event);
        if (event->token)
            assay_client_complete(c, event->token, done);
    }
    return true;
}

/* Take all events; true: `result` is among them. */
static bool take_events(struct assay_client *c, struct assay_client_event *result)
{
    struct assay_client_event event;
    bool found = false;
    while (take_event(c, &event))
        if (event.kind == ASSAY_CLIENT_RESULT) {
            *result = event;
            found = true;
        }
    return found;
}

static void take_all(struct assay_client *c)
{
    struct assay_client_event none;
    (void)take_events(c, &none);
}

/* ---- the connection ----------------------------------------------------------- */

int assay_client_connect(struct assay_client *c)
{
    assay_client_disconnect(c);
    int status = served(c, c->own.pump.machine);
    if (status != ASSAY_CLIENT_OK)
        return status;
    status = assay_client_begin(c);
    c->own.persistent = false;
    if (status == ASSAY_CLIENT_OK && c->own.state == ASSAY_LINK_IDLE)
        status = c->own.ended_status;
    while (c->own.state == ASSAY_LINK_CONNECTING)
        await(c);
    if (status == ASSAY_CLIENT_OK && c->own.state == ASSAY_LINK_IDLE)
        status = c->own.ended_status;
    take_all(c);
    return status;
}

static void drop_side(struct assay_client *c)
{
    if (c->side.state != ASSAY_LINK_IDLE)
        assay_link_drop(&c->side);
    if (c->side_block && c->side.pump.engine)
        assay_pump_forget(&c->side.pump);
    c->side.tell_connected = c->side.tell_ended = false;
}

void assay_client_disconnect(struct assay_client *c)
{
    struct assay_link *own = &c->own;
    own->persistent = false;
    if (own->state == ASSAY_LINK_CONNECTING || own->state == ASSAY_LINK_PAUSING)
        assay_link_drop(own);
    take_all(c);
    if (own->state == ASSAY_LINK_RUNNING && assay_pump_shutdown(&own->pump, assay_client_now(c)) != ASSAY_ENDED)
        assay_link_finish(own, assay_client_now(c));
    take_all(c);
    while (own->state == ASSAY_LINK_CLOSING) {
        await(c);
        take_all(c);
    }
    drop_side(c);
    c->call.index = -1;
    c->call.early = c->call.held = c->call.over = false;
}

/* ---- calls -------------------------------------------------------------------- */

/* A session with an effect in flight takes no call. */
static void finish_effects(struct assay_client *c)
{
    while (!assay_client_settle(c) && (c->own.done_token || assay_client_has_event(c)))
        take_all(c);
}

/* What came since the last call belongs to no call: it must be taken before the next request leaves. */
static int catch_up(struct assay_client *c)
{
    bool there = c->own.state == ASSAY_LINK_RUNNING;
    take_all(c);
    if (there)
        assay_client_peek(c, &c->own);
    take_all(c);
    finish_effects(c);
    if (!there || c->own.state == ASSAY_LINK_RUNNING)
        return ASSAY_CLIENT_OK;
    if (c->own.ended_status == ASSAY_CLIENT_PROTOCOL)
        return ASSAY_CLIENT_PROTOCOL;
    return assay_report(c, ASSAY_CLIENT_CLOSED, "the connection has ended since the last call");
}

/* Whether a call sends nothing before it has heard something: what came already may be what it waits for. */
static bool listens(const struct assay_client *c, int call)
{
    const struct assay_model *model = &c->model;
    if (!assay_client_connected(c))
        return false;
    uint32_t state = assay_state(c->own.pump.engine, c->own.pump.sid);
    uint16_t at = model->transitions[state * model->events_count + model->calls[call].event];
    for (const uint16_t *rule = at == ASSAY_NONE ? NULL : &model->rule_lists[at]; rule && *rule != ASSAY_NONE; rule++)
        if (model->rules[*rule].out_max > 0)
            return false;
    return at != ASSAY_NONE;
}

static int await_result(struct assay_client *c, struct assay_value *results)
{
    struct assay_client_event result;
    for (;;) {
        await(c);
        if (take_events(c, &result))
            break;
        if (idle(c) && !assay_client_has_event(c))
            return assay_report(c, ASSAY_CLIENT_CLOSED, "the connection ended");
    }
    for (unsigned i = 0; results && result.status == ASSAY_CLIENT_OK && i < result.count; i++)
        results[i] = result.values[i];
    return result.status;
}

static int make_ready(struct assay_client *c, int call)
{
    bool known = call >= 0 && call < c->model.calls_count;
    if (!known || c->model.calls[call].opens != ASSAY_NONE) {
        take_all(c);
        return ASSAY_CLIENT_OK;
    }
    if (!listens(c, call))
        return catch_up(c);
    if (c->own.done_token)
        finish_effects(c);
    return ASSAY_CLIENT_OK;
}

int assay_client_call(struct assay_client *c, int call, const struct assay_value *args, struct assay_value *results)
{
    int status = make_ready(c, call);
    if (status == ASSAY_CLIENT_OK)
        status = assay_client_start(c, call, args);
    return status == ASSAY_CLIENT_OK ? await_result(c, results) : status;
}

/* ---- frames of the application's own --------------------------------------------- */

static bool sending(const struct assay_client *c, int64_t until)
{
    return c->own.state == ASSAY_LINK_RUNNING && assay_pump_has_output(&c->own.pump) && assay_client_now(c) < until;
}

/* Until what is to be sent has left. */
static int flush_all(struct assay_client *c, int64_t until)
{
    assay_link_flush(&c->own);
    while (sending(c, until)) {
        (void)round_of(c, until);
        take_all(c);
    }
    if (c->own.state != ASSAY_LINK_RUNNING || c->own.lost)
        return assay_report(c, ASSAY_CLIENT_CLOSED, "the connection ended before all was sent");
    if (assay_pump_has_output(&c->own.pump))
        return assay_report(c, ASSAY_CLIENT_TIMEOUT, "the server takes nothing");
    return ASSAY_CLIENT_OK;
}

static int send_frame(struct assay_client *c, struct assay_span frame)
{
    switch (assay_pump_raw(&c->own.pump, frame)) {
    case ASSAY_OK:
        assay_trace(&c->own, true, ASSAY_NONE, frame);
        return ASSAY_CLIENT_OK;
    case ASSAY_REFUSED:
        return assay_report(c, ASSAY_CLIENT_VALUE, "this is not exactly one frame of the protocol");
    case ASSAY_STALE:
        return assay_report(c, ASSAY_CLIENT_NOT_OPEN, "there is no connection");
    case ASSAY_MORE:
    case ASSAY_FULL:
    case ASSAY_TAKE:
    case ASSAY_PENDING:
    case ASSAY_EARLY:
    case ASSAY_ENDED:
    case ASSAY_BUSY:
        break;
    }
    return assay_report(c, ASSAY_CLIENT_BUSY, "earlier output has not left yet");
}

int assay_client_send(struct assay_client *c, const void *bytes, size_t size)
{
    int64_t ms = c->options.call_ms > 0 ? c->options.call_ms : 30000;
    int64_t until = c->options.call_ms < 0 ? ASSAY_CLOCK_NEVER : assay_clock_after(assay_client_now(c), ms * ASSAY_MS);
    if (c->call.index >= 0)
        return assay_report(c, ASSAY_CLIENT_BUSY, "a call is running");
    take_all(c);
    if (!assay_client_connected(c))
        return assay_report(c, ASSAY_CLIENT_NOT_OPEN, "there is no connection");
    if (size > ASSAY_BYTES_MAX)
        return assay_report(c, ASSAY_CLIENT_VALUE, "this is longer than any frame");
    c->own.problem = ASSAY_CLIENT_OK;
    int status = send_frame(c, (struct assay_span){bytes, (uint32_t)size});
    if (status == ASSAY_CLIENT_OK)
        status = flush_all(c, until);
    if (status == ASSAY_CLIENT_OK && c->own.problem == ASSAY_CLIENT_VALUE)
        return assay_report(c, ASSAY_CLIENT_VALUE, "longer than a datagram can be here");
    return status;
}

/* ---- machines that run by themselves ------------------------------------------------ */

void assay_client_stop(struct assay_client *c)
{
    uint64_t one = 1;
    atomic_store(&c->stop, true);
    int waker = atomic_load(&c->waker);
    if (waker >= 0 && write(waker, &one, sizeof one) < 0)
        return; /* it is full: the wait ends all the same */
}

/* An end that nothing follows, as a status of the run. */
static int end_of_run(const struct assay_client_event *event)
{
    if (event->finished)
        return ASSAY_CLIENT_OK;
    return event->status == ASSAY_CLIENT_OK ? ASSAY_CLIENT_CLOSED : event->status;
}

static bool run_is_over(struct assay_client *c, int *status)
{
    struct assay_client_event event;
    while (take_event(c, &event))
        if (event.kind == ASSAY_CLIENT_ENDED) {
            *status = end_of_run(&event);
            return true;
        }
    return false;
}

/* A message that only a call takes waits until the next timer has had its turn: no call will come. */
static bool waits_in_vain(struct assay_client *c)
{
    const struct assay_pump *p = &c->own.pump;
    if (c->own.state != ASSAY_LINK_RUNNING || !p->sid || !p->early) {
        c->early_waits = false;
        return false;
    }
    int64_t due = assay_deadline(p->engine);
    bool same = !c->early_waits || due == c->early_due;
    c->early_waits = true;
    c->early_due = due;
    return due == ASSAY_NEVER || !same;
}

int assay_run_stuck(struct assay_client *c)
{
    if (!waits_in_vain(c))
        return ASSAY_CLIENT_OK;
    c->early_waits = false;
    c->own.told_token = c->own.done_token = 0;
    assay_pump_forget(&c->own.pump);
    assay_link_drop(&c->own);
    return assay_report(c, ASSAY_CLIENT_PROTOCOL,
                        "the server sent a message that only a call would take, and none is made");
}

/* What can be done without waiting is done behind the deadline, too, unless there is no end of it. */
#define LATE_ROUNDS 1000

static int run_until(struct assay_client *c, int64_t until)
{
    int status = ASSAY_CLIENT_OK;
    unsigned quiet = 0; /* rounds in a row; one may only finish an effect, so that the next one reads on */
    for (unsigned late = 0;;) {
        if (run_is_over(c, &status))
            return status;
        if (until == ASSAY_CLOCK_NEVER && (status = assay_run_stuck(c)) != ASSAY_CLIENT_OK)
            return status;
        if (atomic_exchange(&c->stop, false))
            return assay_report(c, ASSAY_CLIENT_STOPPED, "stopped");
        if (late > 0 && (quiet >= 2 || late == LATE_ROUNDS))
            return assay_report(c, ASSAY_CLIENT_TIMEOUT, "not through in time");
        late += assay_client_now(c) >= until;
        quiet = round_of(c, until) ? 0 : quiet + 1;
    }
}

/* Machines that a run begins with, or that were there, connect again from now on. */
static int begin_run(struct assay_client *c)
{
    bool there = c->own.state != ASSAY_LINK_IDLE || assay_link_has_event(&c->own);
    if (!there)
        return assay_client_begin(c);
    c->own.persistent = !c->own.adopted && c->own.pump.machine->reconnect.pause != ASSAY_NONE;
    return ASSAY_CLIENT_OK;
}

int assay_client_run(struct assay_client *c, int64_t deadline_ms)
{
    int64_t now = assay_client_now(c);
    int64_t until = deadline_ms < 0 ? ASSAY_CLOCK_NEVER : assay_clock_after(now, deadline_ms * ASSAY_MS);
    int status = served(c, c->own.pump.machine);
    if (status != ASSAY_CLIENT_OK)
        return status;
    int waker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_store(&c->waker, waker);
    status = begin_run(c);
    if (status == ASSAY_CLIENT_OK)
        status = run_until(c, until);
    atomic_store(&c->waker, -1);
    if (waker >= 0)
        close(waker);
    return status;
}

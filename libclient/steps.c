/* Clients that do not wait: starting calls, and doing what can be done now. */
#include <poll.h>
#include <string.h>

#include "libclient/client.h"

#define CALL_MS 30000

/* ---- beginning ------------------------------------------------------------ */

int assay_client_begin(struct assay_client *c)
{
    struct assay_link *own = &c->own;
    if (own->state != ASSAY_LINK_IDLE)
        assay_link_drop(own);
    assay_pump_forget(&own->pump);
    if (c->call.index >= 0 && c->call.link == own)
        c->call.index = -1;
    c->message[0] = '\0';
    own->persistent = own->pump.machine->reconnect.pause != ASSAY_NONE;
    own->tries = 0;
    own->pause = 0;
    int status = assay_link_begin(own, assay_client_now(c));
    if (status != ASSAY_CLIENT_UNREACHABLE || !own->persistent)
        return status;
    own->tell_ended = true;
    own->ended_status = status;
    return ASSAY_CLIENT_OK;
}

int assay_client_adopt(struct assay_client *c, int fd)
{
    struct assay_address ignored;
    if (c->own.datagrams || !assay_address_of(fd, &ignored))
        return assay_report(c, ASSAY_CLIENT_UNREACHABLE, "this is no connection that can be taken over");
    if (c->own.state != ASSAY_LINK_IDLE)
        assay_link_drop(&c->own);
    assay_unblock(fd);
    c->own.persistent = false;
    c->message[0] = '\0';
    assay_link_adopt(&c->own, fd, assay_client_now(c));
    return ASSAY_CLIENT_OK;
}

/* ---- starting a call --------------------------------------------------------- */

static assay_time call_deadline(const struct assay_client *c, const struct assay_call *call, int64_t now)
{
    if (c->options.call_ms > 0)
        return assay_clock_after(now, c->options.call_ms * ASSAY_MS);
    return c->options.call_ms < 0 || call->within > 0 ? ASSAY_NEVER : assay_clock_after(now, CALL_MS * ASSAY_MS);
}

static int not_open(struct assay_client *c)
{
    return assay_report(c, ASSAY_CLIENT_NOT_OPEN, "there is no connection");
}

static int check_args(struct assay_client *c, int index, const struct assay_value *args)
{
    const struct assay_call *call = &c->model.calls[index];
    uint16_t good = assay_args_take(c, call, args);
    if (good == call->args.count)
        return ASSAY_CLIENT_OK;
    return assay_report(c, ASSAY_CLIENT_VALUE, "%s: argument %s is outside of what the spec allows", call->name,
                        c->model.params[call->args.first + good].name);
}

static int check_call(struct assay_client *c, int index)
{
    if (index < 0 || index >= c->model.calls_count)
        return assay_report(c, ASSAY_CLIENT_VALUE, "there is no call with number %d", index);
    const struct assay_call *call = &c->model.calls[index];
    if (call->opens != ASSAY_NONE)
        return ASSAY_CLIENT_OK;
    if (c->own.state != ASSAY_LINK_RUNNING || !c->own.pump.sid)
        return not_open(c);
    if (call->machine == ASSAY_NONE || call->machine == c->machine)
        return ASSAY_CLIENT_OK;
    return assay_report(c, ASSAY_CLIENT_VALUE, "%s is a call of machine %s; this client plays %s", call->name,
                        c->model.machines[call->machine].name, c->model.machines[c->machine].name);
}

/* Whether what keeps a call from beginning ends by itself: acknowledgements make room for its messages. */
static bool can_wait(struct assay_client *c, const struct assay_link *l, const struct assay_call *call,
                     enum assay_rc rc)
{
    return rc == ASSAY_FULL && l->persevering && l == &c->own && assay_args_keep(c, call);
}

/* Hand the call to the session; its output waits in the pump. */
static int hand_over(struct assay_client *c, struct assay_link *l, int index)
{
    int64_t now = assay_client_now(c);
    const struct assay_call *call = &c->model.calls[index];
    assay_time until = call_deadline(c, call, now), own = assay_clock_after(now, call->within);
    struct assay_calling calling = {
        .index = index, .link = l, .deadline = call->within > 0 && own < until ? own : until};
    enum assay_rc rc = assay_pump_call(&l->pump, now, (uint16_t)index, c->arg_values, c->arg_spans, until);
    if (rc == ASSAY_STALE)
        return not_open(c);
    calling.early = can_wait(c, l, call, rc);
    if (!calling.early && rc != ASSAY_OK && rc != ASSAY_ENDED && rc != ASSAY_MORE)
        return assay_report(c, ASSAY_CLIENT_BUSY, "earlier output has not left yet");
    c->results.count = 0;
    c->call = calling;
    return ASSAY_CLIENT_OK;
}

/* A call that found the window full: perhaps there is room by now. */
static void hand_over_again(struct assay_client *c, int64_t now)
{
    struct assay_link *l = &c->own;
    if (c->call.index < 0 || !c->call.early || !l->pump.sid || l->pump.waiting || l->pump.pending)
        return;
    enum assay_rc rc =
        assay_pump_call(&l->pump, now, (uint16_t)c->call.index, c->arg_values, c->arg_spans, c->call.deadline);
    c->call.early = rc != ASSAY_OK && rc != ASSAY_ENDED && rc != ASSAY_MORE;
    if (!c->call.early)
        assay_link_flush(l);
}

static void finish_effect(struct assay_link *l, int64_t now)
{
    uint32_t token = l->done_token;
    l->done_token = 0;
    if (token)
        assay_pump_complete(&l->pump, now, token, l->done);
}

bool assay_client_settle(struct assay_client *c)
{
    struct assay_link *l = &c->own;
    if (l->done_token) {
        int64_t now = assay_client_now(c);
        finish_effect(l, now);
        assay_pump_run(&l->pump, now);
    }
    return !l->pump.pending && !assay_client_has_event(c);
}

static int start_own(struct assay_client *c, int index)
{
    if (!assay_client_settle(c))
        return assay_report(c, ASSAY_CLIENT_BUSY, "an effect is not done yet, or its events wait to be taken");
    c->own.problem = ASSAY_CLIENT_OK;
    int status = hand_over(c, &c->own, index);
    if (status == ASSAY_CLIENT_OK) {
        assay_link_flush(&c->own);
        hand_over_again(c, assay_client_now(c));
    }
    return status;
}

static void trace_received(void *user, struct assay_span frame)
{
    assay_trace(user, false, ASSAY_NONE, frame);
}

static void new_side(struct assay_client *c, const struct assay_call *call)
{
    struct assay_config config = {.model = &c->model,
                                  .machine = call->machine,
                                  .leniencies = c->leniencies,
                                  .secret = {c->secret[0], ++c->secret[1]},
                                  .judge = c->options.trace != NULL};
    (void)assay_pump_size(&config);
    assay_link_init(&c->side, c, call->opens, call->machine);
    assay_link_clear(&c->side);
    assay_pump_init(&c->side.pump, c->side_block, &config);
    c->side.pump.seen = c->options.trace ? trace_received : NULL;
    c->side.pump.user = &c->side;
}

/* Nothing that the session says is against connecting. */
static bool worth_a_link(const struct assay_link *l)
{
    const struct assay_event *event = &l->pump.event;
    return !l->pump.waiting || event->type != ASSAY_EVENT_RESULT || event->result.outcome == ASSAY_CALL_OK;
}

/* The session comes first: it is told whether the arguments can be sent, and what is to be sent waits for the link. */
static int start_side(struct assay_client *c, int index)
{
    struct assay_link *l = &c->side;
    int64_t now = assay_client_now(c);
    new_side(c, &c->model.calls[index]);
    assay_pump_open(&l->pump, now);
    int status = hand_over(c, l, index);
    if (status != ASSAY_CLIENT_OK)
        return status;
    if (worth_a_link(l))
        status = assay_link_begin(l, now);
    else
        l->pump.sid = 0;
    if (status != ASSAY_CLIENT_OK) {
        assay_pump_forget(&l->pump);
        c->call.index = -1;
    }
    assay_link_flush(l);
    return status;
}

int assay_client_start(struct assay_client *c, int index, const struct assay_value *args)
{
    int status = check_call(c, index);
    if (status == ASSAY_CLIENT_OK)
        status = check_args(c, index, args);
    if (status != ASSAY_CLIENT_OK)
        return status;
    if (c->call.index >= 0 || assay_client_has_event(c))
        return assay_report(c, ASSAY_CLIENT_BUSY, "a call is running, or events wait to be taken");
    return c->model.calls[index].opens == ASSAY_NONE ? start_own(c, index) : start_side(c, index);
}

/* ---- what to wait for ------------------------------------------------------------ */

unsigned assay_client_fds(const struct assay_client *c, struct pollfd *fds)
{
    const struct assay_link *links[ASSAY_CLIENT_FDS] = {&c->own, &c->side};
    unsigned count = 0;
    for (unsigned i = 0; i < ASSAY_CLIENT_FDS; i++) {
        short wants = assay_link_wants(links[i]);
        if (links[i]->fd >= 0 && wants) /* poll(2) would tell of errors all the same, which nobody reads yet */
            fds[count++] = (struct pollfd){.fd = links[i]->fd, .events = wants};
    }
    return count;
}

static const struct assay_link *front(const struct assay_client *c)
{
    return c->own.fd < 0 && c->side.fd >= 0 ? &c->side : &c->own;
}

int assay_client_fd(const struct assay_client *c)
{
    return front(c)->fd;
}

short assay_client_wants(const struct assay_client *c)
{
    return assay_link_wants(front(c));
}

/* The call of a link of its own has its result: the link can be led out now. */
static bool can_lead_out(const struct assay_client *c)
{
    return c->call.index >= 0 && c->call.held && c->call.link == &c->side && c->side.state == ASSAY_LINK_RUNNING &&
           !c->side.pump.waiting;
}

static bool busy(const struct assay_client *c)
{
    return assay_client_has_event(c) || can_lead_out(c) || c->own.done_token || c->side.done_token ||
           c->own.pump.again || c->side.pump.again || atomic_load(&c->stop);
}

static int64_t deadline(const struct assay_client *c)
{
    int64_t first = assay_link_deadline(&c->own), side = assay_link_deadline(&c->side);
    first = side < first ? side : first;
    return c->call.index >= 0 && c->call.deadline < first ? c->call.deadline : first;
}

int assay_client_wait_ms(const struct assay_client *c)
{
    int64_t until = deadline(c), now = assay_client_now(c);
    if (busy(c) || until <= now)
        return 0;
    if (until == ASSAY_CLOCK_NEVER)
        return -1;
    int64_t ms = (until - now) / ASSAY_MS + ((until - now) % ASSAY_MS > 0);
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* ---- doing it ---------------------------------------------------------------------- */

static void lead_out(struct assay_client *c, int64_t now)
{
    struct assay_link *l = &c->side;
    if (!can_lead_out(c))
        return;
    assay_link_listen(l);
    if (l->pump.sid && assay_pump_shutdown(&l->pump, now) == ASSAY_ENDED)
        return; /* the event leads on */
    assay_pump_forget(&l->pump);
    assay_link_finish(l, now);
}

/* The engine ends calls in time, but rests while its output is stuck or an effect is in flight. */
static void check_overdue(struct assay_client *c, int64_t now)
{
    if (c->call.index < 0 || now < c->call.deadline || assay_client_has_event(c))
        return;
    assay_report(c, 0, "%s: no answer in time", c->model.calls[c->call.index].name);
    assay_call_fail(c, ASSAY_CLIENT_TIMEOUT);
}

/* A datagram that was refused will not be answered. */
static void check_refused(struct assay_client *c)
{
    if (c->call.index < 0 || c->call.early || c->call.held || c->call.over ||
        c->call.link->problem == ASSAY_CLIENT_OK || c->call.link->pump.waiting)
        return;
    int status = c->call.link->problem;
    const char *name = c->model.calls[c->call.index].name;
    assay_report(c, 0,
                 status == ASSAY_CLIENT_VALUE ? "%s: longer than a datagram can be here"
                                              : "%s: nobody takes datagrams there",
                 name);
    assay_call_fail(c, status);
}

static short ready_of(const struct assay_link *l, const struct pollfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (l->fd >= 0 && fds[i].fd == l->fd)
            return fds[i].revents;
    return 0;
}

static void step_link(struct assay_link *l, int64_t now, short ready)
{
    finish_effect(l, now);
    assay_link_step(l, now, ready);
}

void assay_client_step(struct assay_client *c, const struct pollfd *fds, unsigned count)
{
    if (assay_client_has_event(c))
        return;
    int64_t now = assay_client_now(c);
    short own = ready_of(&c->own, fds, count), side = ready_of(&c->side, fds, count);
    lead_out(c, now);
    step_link(&c->own, now, own);
    step_link(&c->side, now, side);
    hand_over_again(c, now);
    check_refused(c);
    check_overdue(c, now);
}

void assay_client_peek(struct assay_client *c, struct assay_link *l)
{
    struct pollfd there = {.fd = l->fd, .revents = POLLIN};
    assay_client_step(c, &there, 1);
}

void assay_client_process(struct assay_client *c)
{
    struct pollfd fds[ASSAY_CLIENT_FDS];
    unsigned count = assay_client_fds(c, fds);
    if (count > 0 && c->io.wait(c->io.user, fds, count, 0) < 0)
        count = 0;
    assay_client_step(c, fds, count);
}

/* A client: what its header promises, over a pump and a socket. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/client.h"

#define CONNECT_MS 10000
#define CALL_MS    30000

/* ---- making and freeing ------------------------------------------------ */

static size_t aligned(size_t size)
{
    return (size + 15) / 16 * 16;
}

static void *carve(uint8_t **at, size_t size)
{
    void *start = *at;
    *at += aligned(size);
    return start;
}

/* Where everything lies in the one block. */
struct plan {
    size_t pump, shelf, address, total;
    uint16_t args, values;
};

static struct plan plan_for(struct assay_config *config, const char *address)
{
    struct plan plan = {.pump = assay_pump_size(config), .args = assay_args_most(config->model)};
    uint64_t longest = (uint64_t)config->model->scratch + config->model->frame_max + config->limits.memory;
    plan.shelf = assay_shelf_size(config->model, longest, &plan.values);
    plan.address = strlen(address) + 1;
    plan.total = aligned(sizeof(struct assay_client)) + aligned(plan.pump) + aligned(plan.args * sizeof(assay_val)) +
                 aligned(plan.args * sizeof(struct assay_span)) + aligned(plan.address) +
                 2 * (aligned(plan.values * sizeof(struct assay_value)) + aligned(plan.shelf));
    return plan;
}

static void make_shelf(struct assay_shelf *shelf, uint8_t **at, const struct plan *plan)
{
    shelf->values = carve(at, plan->values * sizeof *shelf->values);
    shelf->bytes = carve(at, plan->shelf);
    shelf->cap = plan->shelf;
}

static void set_options(struct assay_client *c, const struct assay_client_options *options)
{
    if (options)
        c->options = *options;
    if (c->options.connect_ms <= 0)
        c->options.connect_ms = CONNECT_MS;
}

static struct assay_client *make(const char *address, const struct assay_client_options *options,
                                 struct assay_config *config)
{
    struct plan plan = plan_for(config, address);
    uint8_t *at = malloc(plan.total);
    if (!at)
        return NULL;
    struct assay_client *c = carve(&at, sizeof *c);
    memset(c, 0, sizeof *c);
    void *block = carve(&at, plan.pump);
    c->arg_values = carve(&at, plan.args * sizeof *c->arg_values);
    c->arg_spans = carve(&at, plan.args * sizeof *c->arg_spans);
    make_shelf(&c->results, &at, &plan);
    make_shelf(&c->effects, &at, &plan);
    c->address = memcpy(carve(&at, plan.address), address, plan.address);
    set_options(c, options);
    c->model = config->model;
    c->fd = -1;
    c->call = c->overdue = -1;
    c->deadline = ASSAY_CLOCK_NEVER;
    assay_pump_init(&c->pump, block, config);
    return c;
}

/* The bit of a leniency; 0: the spec has none of that name. */
static uint64_t leniency(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->leniencies_count && i < 64; i++)
        if (strcmp(model->leniencies[i].name, name) == 0)
            return (uint64_t)1 << i;
    return 0;
}

static bool leniencies(const struct assay_model *model, const struct assay_client_options *options, uint64_t *on)
{
    *on = 0;
    for (const char *const *name = options ? options->lenient : NULL; name && *name; name++) {
        uint64_t bit = leniency(model, *name);
        if (!bit)
            return false;
        *on |= bit;
    }
    return true;
}

int assay_client_new(const struct assay_model *model, const char *address, const struct assay_client_options *options,
                     struct assay_client **client)
{
    struct assay_config config = {.model = model, .machine = model->client};
    *client = NULL;
    if (model->client == ASSAY_NONE)
        return ASSAY_CLIENT_MODEL;
    if (!leniencies(model, options, &config.leniencies))
        return ASSAY_CLIENT_VALUE;
    config.seed = options && options->seed ? options->seed : (uint64_t)assay_clock_now();
    *client = make(address, options, &config);
    if (!*client)
        return ASSAY_CLIENT_MEMORY;
    if ((*client)->pump.engine)
        return ASSAY_CLIENT_OK;
    free(*client);
    *client = NULL;
    return ASSAY_CLIENT_MODEL;
}

int assay_client_open(const struct assay_model *model, const char *address, const struct assay_client_options *options,
                      struct assay_client **client)
{
    int status = assay_client_new(model, address, options, client);
    return status == ASSAY_CLIENT_OK ? assay_client_connect(*client) : status;
}

void assay_client_close(struct assay_client *c)
{
    if (!c)
        return;
    assay_client_disconnect(c);
    free(c);
}

/* ---- events ------------------------------------------------------------ */

static bool result_event(struct assay_client *c, const struct assay_event *from, struct assay_client_event *event)
{
    const struct assay_call *call = &c->model->calls[from->result.call];
    *event = (struct assay_client_event){.kind = ASSAY_CLIENT_RESULT, .index = from->result.call, .name = call->name};
    c->call = -1;
    event->status = assay_report_result(c, from);
    c->hasty = event->status == ASSAY_CLIENT_TIMEOUT || event->status == ASSAY_CLIENT_PROTOCOL;
    if (event->status != ASSAY_CLIENT_OK)
        return true;
    if (!assay_shelf_put(&c->results, c->model, call->results, from))
        event->status =
            assay_report(c, ASSAY_CLIENT_PROTOCOL, "%s: a result is longer than the spec allows", call->name);
    event->values = c->results.values;
    event->count = c->results.count;
    return true;
}

static bool effect_event(struct assay_client *c, const struct assay_event *from, struct assay_client_event *event)
{
    const struct assay_effect *effect = &c->model->effects[from->effect.effect];
    (void)assay_shelf_put(&c->effects, c->model, effect->args, from);
    *event = (struct assay_client_event){
        .kind = ASSAY_CLIENT_EFFECT,
        .index = from->effect.effect,
        .name = effect->name,
        .token = from->effect.token,
        .count = c->effects.count,
        .values = c->effects.values,
    };
    return true;
}

/* ENDED is told when the socket is closed, too. A server that was silent or broke the protocol is not waited for. */
static bool session_ended(struct assay_client *c, const struct assay_event *from)
{
    bool hasty = c->hasty || c->strayed;
    c->ended_status = c->strayed ? ASSAY_CLIENT_PROTOCOL : assay_report_ended(c, from->ended.cause);
    c->strayed = c->hasty = false;
    c->done_token = 0;
    if (c->fd < 0)
        return false;
    if (from->ended.how == ASSAY_END_ABORT)
        assay_link_abort(c);
    else if (hasty)
        assay_link_drop(c);
    else
        assay_link_finish(c, assay_clock_now());
    return false;
}

/* One event of the pump; false: it is none for the application. */
static bool translate(struct assay_client *c, const struct assay_event *from, struct assay_client_event *event)
{
    switch (from->type) {
    case ASSAY_EVENT_EFFECT:
        return effect_event(c, from, event);
    case ASSAY_EVENT_RESULT:
        return result_event(c, from, event);
    case ASSAY_EVENT_ENDED:
        return session_ended(c, from);
    case ASSAY_EVENT_STEP:
    case ASSAY_EVENT_SENT:
        break;
    case ASSAY_EVENT_STRAY: /* ENDED follows */
        c->strayed = true;
        if (c->call < 0)
            assay_report(c, 0, "the server sent a message %s that nothing asked for",
                         c->model->events[from->stray.event].name);
        break;
    }
    return false;
}

static bool own_event(struct assay_client *c, bool *flag, enum assay_client_event_kind kind, int status,
                      struct assay_client_event *event)
{
    if (!*flag)
        return false;
    *flag = false;
    *event = (struct assay_client_event){.kind = kind, .status = status, .name = "", .index = -1};
    (void)c;
    return true;
}

static bool overdue_event(struct assay_client *c, struct assay_client_event *event)
{
    if (c->overdue < 0)
        return false;
    *event = (struct assay_client_event){
        .kind = ASSAY_CLIENT_RESULT,
        .status = ASSAY_CLIENT_TIMEOUT,
        .index = c->overdue,
        .name = c->model->calls[c->overdue].name,
    };
    c->overdue = -1;
    return true;
}

bool assay_client_next(struct assay_client *c, struct assay_client_event *event)
{
    struct assay_event from;
    if (own_event(c, &c->tell_connected, ASSAY_CLIENT_CONNECTED, ASSAY_CLIENT_OK, event))
        return true;
    while (assay_pump_next(&c->pump, &from))
        if (translate(c, &from, event))
            return true;
    if (overdue_event(c, event))
        return true;
    return own_event(c, &c->tell_ended, ASSAY_CLIENT_ENDED, c->ended_status, event);
}

static bool has_event(const struct assay_client *c)
{
    return c->tell_connected || c->tell_ended || c->overdue >= 0 || c->pump.waiting;
}

/* ---- without waiting --------------------------------------------------- */

int assay_client_begin(struct assay_client *c)
{
    if (c->state != ASSAY_CLIENT_IDLE)
        assay_link_drop(c);
    c->tell_connected = c->tell_ended = c->strayed = c->hasty = false;
    c->ended_status = ASSAY_CLIENT_OK;
    c->call = c->overdue = -1;
    c->done_token = 0;
    c->message[0] = '\0';
    return assay_link_begin(c, assay_clock_now());
}

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
    if (index < 0 || index >= c->model->calls_count)
        return assay_report(c, ASSAY_CLIENT_VALUE, "there is no call with number %d", index);
    const struct assay_call *call = &c->model->calls[index];
    uint16_t good = assay_args_take(c, call, args);
    if (good == call->args.count)
        return ASSAY_CLIENT_OK;
    return assay_report(c, ASSAY_CLIENT_VALUE, "%s: argument %s is outside of what the spec allows", call->name,
                        c->model->params[call->args.first + good].name);
}

int assay_client_start(struct assay_client *c, int index, const struct assay_value *args)
{
    if (c->state != ASSAY_CLIENT_RUNNING || !c->pump.sid)
        return not_open(c);
    int status = check_args(c, index, args);
    if (status != ASSAY_CLIENT_OK)
        return status;
    if (c->call >= 0 || has_event(c))
        return assay_report(c, ASSAY_CLIENT_BUSY, "a call is running, or events wait to be taken");
    int64_t now = assay_clock_now();
    const struct assay_call *call = &c->model->calls[index];
    assay_time until = call_deadline(c, call, now), own = assay_clock_after(now, call->within);
    c->call_deadline = call->within > 0 && own < until ? own : until;
    enum assay_rc rc = assay_pump_call(&c->pump, now, (uint16_t)index, c->arg_values, c->arg_spans, until);
    if (rc == ASSAY_STALE)
        return not_open(c);
    if (rc != ASSAY_OK && rc != ASSAY_ENDED && rc != ASSAY_PENDING && rc != ASSAY_MORE)
        return assay_report(c, ASSAY_CLIENT_BUSY, "earlier output has not left yet");
    c->call = index;
    assay_link_flush(c);
    return ASSAY_CLIENT_OK;
}

int assay_client_fd(const struct assay_client *c)
{
    return c->fd;
}

short assay_client_wants(const struct assay_client *c)
{
    short out = assay_pump_output(&c->pump).n > 0 ? POLLOUT : 0;
    switch (c->state) {
    case ASSAY_CLIENT_IDLE:
        return 0;
    case ASSAY_CLIENT_CONNECTING:
        return POLLOUT;
    case ASSAY_CLIENT_RUNNING:
        return c->pump.end == ASSAY_PUMP_OPEN && !c->pump.pending ? (short)(POLLIN | out) : out;
    case ASSAY_CLIENT_CLOSING:
        break;
    }
    return POLLIN | out;
}

static int64_t deadline(const struct assay_client *c)
{
    assay_time first = c->deadline;
    assay_time timer = c->state == ASSAY_CLIENT_RUNNING ? assay_pump_deadline(&c->pump) : ASSAY_NEVER;
    if (timer < first)
        first = timer;
    return c->call >= 0 && c->call_deadline < first ? c->call_deadline : first;
}

int assay_client_wait_ms(const struct assay_client *c)
{
    int64_t until = deadline(c), now = assay_clock_now();
    if (has_event(c) || c->done_token || c->pump.again || until <= now)
        return 0;
    if (until == ASSAY_CLOCK_NEVER)
        return -1;
    int64_t ms = (until - now + ASSAY_MS - 1) / ASSAY_MS;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static void finish_effect(struct assay_client *c, int64_t now)
{
    uint32_t token = c->done_token;
    c->done_token = 0;
    if (token)
        assay_pump_complete(&c->pump, now, token, c->done);
}

/* The engine ends calls in time, but rests while its output is stuck or an effect is in flight. */
static void check_overdue(struct assay_client *c, int64_t now)
{
    if (c->call < 0 || now < c->call_deadline || has_event(c))
        return;
    assay_report(c, 0, "%s: no answer in time", c->model->calls[c->call].name);
    c->overdue = c->call;
    c->call = -1;
    c->done_token = 0;
    c->ended_status = ASSAY_CLIENT_OK;
    assay_link_drop(c);
}

static void step(struct assay_client *c, short ready)
{
    if (has_event(c))
        return;
    int64_t now = assay_clock_now();
    finish_effect(c, now);
    assay_link_step(c, now, ready);
    check_overdue(c, now);
}

void assay_client_process(struct assay_client *c)
{
    struct pollfd p = {.fd = c->fd, .events = assay_client_wants(c)};
    if (c->fd >= 0 && poll(&p, 1, 0) < 0)
        p.revents = 0;
    step(c, p.revents);
}

void assay_client_complete(struct assay_client *c, uint32_t token, bool done)
{
    c->done_token = token;
    c->done = done;
}

/* ---- waiting ----------------------------------------------------------- */

/* Look for something to read until the time is up. */
static bool spin(struct assay_client *c)
{
    int64_t until = assay_clock_after(assay_clock_now(), c->options.spin_us * (ASSAY_MS / 1000));
    if (c->options.spin_us <= 0 || c->state != ASSAY_CLIENT_RUNNING || assay_pump_output(&c->pump).n > 0)
        return false;
    do {
        step(c, POLLIN);
        if (has_event(c) || c->state != ASSAY_CLIENT_RUNNING)
            return true;
    } while (assay_clock_now() < until && assay_client_wait_ms(c) != 0);
    return false;
}

/* Until there is an event, or nothing that could bring one. */
static void await(struct assay_client *c)
{
    while (!has_event(c) && c->state != ASSAY_CLIENT_IDLE) {
        struct pollfd p = {.fd = c->fd, .events = assay_client_wants(c)};
        if (spin(c))
            continue;
        if (poll(&p, 1, assay_client_wait_ms(c)) < 0)
            p.revents = 0;
        step(c, p.revents);
    }
}

static bool do_effect(struct assay_client *c, const struct assay_client_event *event)
{
    return c->options.effect && c->options.effect(c->options.user, event);
}

/* Take all events; true: `result` is among them. */
static bool take_events(struct assay_client *c, struct assay_client_event *result)
{
    struct assay_client_event event;
    bool found = false;
    while (assay_client_next(c, &event)) {
        if (event.kind == ASSAY_CLIENT_EFFECT) {
            bool done = do_effect(c, &event);
            if (event.token)
                assay_client_complete(c, event.token, done);
        }
        if (event.kind == ASSAY_CLIENT_RESULT) {
            *result = event;
            found = true;
        }
    }
    return found;
}

int assay_client_connect(struct assay_client *c)
{
    struct assay_client_event none;
    assay_client_disconnect(c);
    int status = assay_client_begin(c);
    if (status != ASSAY_CLIENT_OK)
        return status;
    while (c->state == ASSAY_CLIENT_CONNECTING)
        await(c);
    if (c->state == ASSAY_CLIENT_IDLE)
        status = c->ended_status;
    (void)take_events(c, &none);
    return status;
}

void assay_client_disconnect(struct assay_client *c)
{
    struct assay_client_event none;
    if (c->state == ASSAY_CLIENT_CONNECTING)
        assay_link_drop(c);
    (void)take_events(c, &none);
    if (c->state == ASSAY_CLIENT_RUNNING && assay_pump_shutdown(&c->pump, assay_clock_now()) != ASSAY_ENDED)
        assay_link_finish(c, assay_clock_now());
    (void)take_events(c, &none);
    while (c->state == ASSAY_CLIENT_CLOSING) {
        await(c);
        (void)take_events(c, &none);
    }
    c->call = -1;
}

bool assay_client_connected(const struct assay_client *c)
{
    return c->state == ASSAY_CLIENT_RUNNING && c->pump.sid != 0;
}

int assay_client_find(const struct assay_client *c, const char *name)
{
    for (uint16_t i = 0; i < c->model->calls_count; i++)
        if (strcmp(c->model->calls[i].name, name) == 0)
            return i;
    return -1;
}

/* What came since the last call belongs to no call: it must be taken before the next request leaves. */
static int catch_up(struct assay_client *c)
{
    struct assay_client_event none;
    bool there = c->state == ASSAY_CLIENT_RUNNING;
    (void)take_events(c, &none);
    if (there)
        step(c, POLLIN);
    (void)take_events(c, &none);
    if (!there || c->state == ASSAY_CLIENT_RUNNING)
        return ASSAY_CLIENT_OK;
    if (c->ended_status == ASSAY_CLIENT_PROTOCOL)
        return ASSAY_CLIENT_PROTOCOL;
    return assay_report(c, ASSAY_CLIENT_CLOSED, "the connection has ended since the last call");
}

/* Whether a call sends nothing before it has heard something: what came already may be what it waits for. */
static bool listens(const struct assay_client *c, int call)
{
    if (call < 0 || call >= c->model->calls_count || !assay_client_connected(c))
        return false;
    uint32_t state = assay_state(c->pump.engine, c->pump.sid);
    uint16_t at = c->model->dispatch[state * c->model->events_count + c->model->calls[call].event];
    for (const uint16_t *rule = at == ASSAY_NONE ? NULL : &c->model->rule_lists[at]; rule && *rule != ASSAY_NONE;
         rule++)
        if (c->model->rules[*rule].out_max > 0)
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
        if (c->state == ASSAY_CLIENT_IDLE)
            return assay_report(c, ASSAY_CLIENT_CLOSED, "the connection ended");
    }
    for (unsigned i = 0; results && result.status == ASSAY_CLIENT_OK && i < result.count; i++)
        results[i] = result.values[i];
    return result.status;
}

int assay_client_call(struct assay_client *c, int call, const struct assay_value *args, struct assay_value *results)
{
    int status = listens(c, call) ? ASSAY_CLIENT_OK : catch_up(c);
    if (status == ASSAY_CLIENT_OK)
        status = assay_client_start(c, call, args);
    return status == ASSAY_CLIENT_OK ? await_result(c, results) : status;
}

const struct assay_model *assay_client_model(const struct assay_client *c)
{
    return c->model;
}

/* One event of one session: which rule takes it, and that the rule happens as a whole or not at all. */
#include "core/session.h"

void assay_bind(struct assay_engine *e, struct assay_session *s)
{
    e->env.vars = s->words;
}

/* ---- choosing a rule --------------------------------------------------- */

/* A judge also looks at how things go where what should be done is not. */
static bool passed_over(struct assay_engine *e, uint16_t rule)
{
    if (!e->choices || !e->choices->stances || e->model->rules[rule].level != ASSAY_SHOULD)
        return false;
    uint8_t *stance = &e->choices->stances[rule];
    *stance = *stance == ASSAY_STANCE_NONE ? ASSAY_STANCE_FOLLOWED : *stance;
    return *stance == ASSAY_STANCE_PASSED;
}

static uint16_t first_that_holds(struct assay_engine *e, uint16_t state, uint16_t event, uint16_t *passed)
{
    uint16_t at = e->model->transitions[(size_t)state * e->model->events_count + event];
    if (at == ASSAY_NONE)
        return ASSAY_NONE;
    for (const uint16_t *rule = &e->model->rule_lists[at]; *rule != ASSAY_NONE; rule++)
        if (assay_holds(&e->env, e->model->rules[*rule].guard)) {
            if (!passed_over(e, *rule))
                return *rule;
            *passed = *rule;
        }
    return ASSAY_NONE;
}

/* The machine's own state is asked first: what it takes never reaches a call. */
static uint16_t choose_rule(struct assay_engine *e, const struct assay_session *s, uint16_t event, uint16_t *passed)
{
    uint16_t rule = first_that_holds(e, s->state, event, passed);
    if (rule == ASSAY_NONE && s->wait != ASSAY_NONE)
        rule = first_that_holds(e, s->wait, event, passed);
    return rule;
}

bool assay_awaited(struct assay_engine *e, struct assay_session *s)
{
    uint16_t passed;
    return first_that_holds(e, s->wait, ASSAY_EV_AWAITED, &passed) != ASSAY_NONE;
}

/* ---- the transaction --------------------------------------------------- */

static void begin(struct assay_engine *e, const struct assay_session *s)
{
    e->tx = (struct assay_tx){
        .out_len = e->out->len,
        .events = e->events_count,
        .args = e->args_count,
        .undo = e->undo_count,
        .cuts = e->out->cuts_len,
        .state = s->state,
        .wait = s->wait,
        .call = s->call,
        .sent = e->tx.sent,
        .sent_before = e->tx.sent,
        .drawn = e->secrets.drawn,
    };
}

static void close_gates(struct assay_engine *e, struct assay_session *s)
{
    while (e->out->cuts_len > e->tx.cuts) {
        struct assay_flight *flight = assay_flight_find(e, e->out->cuts[--e->out->cuts_len].gate);
        if (!flight)
            continue; /* the border of a datagram */
        assay_flight_end(e, flight);
        s->gates--;
    }
}

static void undo(struct assay_engine *e, struct assay_session *s)
{
    if (e->tx.kept)
        assay_reliable_undo(e, s);
    assay_vars_undo(e, s, e->tx.undo);
    close_gates(e, s);
    if (s->puts)
        assay_rows_undo(e, s);
    e->out->len = e->tx.out_len;
    e->tx.sent = e->tx.sent_before;
    e->events_count = e->tx.events;
    e->args_count = e->tx.args;
}

/* Sets and sends are done again when the effect has completed; orders to the host are not. Memory for what is set is
 * kept until then: other sessions cannot take it, and the arguments of the order may stand in it. */
static enum assay_rc wait_for_effect(struct assay_engine *e, struct assay_session *s)
{
    if (e->tx.kept)
        assay_reliable_hold(e, s);
    assay_vars_hold(e, s, e->tx.undo);
    if (s->puts)
        assay_rows_hold(e, s);
    s->drawn = e->tx.drawn;
    e->out->len = e->tx.out_len;
    e->tx.sent = e->tx.sent_before;
    e->out->cuts_len = e->tx.cuts; /* a rule that waits has no gates: these are borders of datagrams */
    assay_queue_keep_effects(e, e->tx.events);
    return ASSAY_PENDING;
}

static void tell_step(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event, bool otherwise)
{
    struct assay_event *step = assay_queue(e, s, ASSAY_EVENT_STEP);
    step->step.rule = rule;
    step->step.event = event;
    step->step.before = s->state;
    step->step.after = e->tx.state;
    step->step.otherwise = otherwise;
}

static enum assay_rc commit(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event,
                            bool otherwise)
{
    struct assay_tx *tx = &e->tx;
    uint16_t before = s->state;
    if (tx->end && s->gates) { /* what comes before the end may still fail */
        undo(e, s);
        return ASSAY_PENDING;
    }
    if (e->config.trace)
        tell_step(e, s, rule, event, otherwise);
    s->pend = ASSAY_PEND_NONE;
    tx->done = true;
    if (e->reliable)
        assay_reliable_commit(e, s);
    if (s->puts)
        assay_rows_commit(e, s);
    assay_vars_commit(e, tx->undo);
    s->state = tx->state;
    s->wait = tx->wait;
    s->awaits = s->wait != ASSAY_NONE && e->model->states[s->wait].kind == ASSAY_STATE_AWAIT;
    if (s->call != tx->call)
        assay_session_deadlines(e, s)[e->timers_count] = ASSAY_NEVER;
    s->call = tx->call;
    if (before != s->state || tx->start || tx->stop)
        assay_timers_enter(e, s, before, tx->start, tx->stop);
    s->finished = tx->finished;
    return tx->end ? assay_session_end(e, s, tx->abort ? ASSAY_END_ABORT : ASSAY_END_CLOSE, event) : ASSAY_OK;
}

/* ---- the end ----------------------------------------------------------- */

static int32_t outcome_of(const struct assay_engine *e, uint16_t cause)
{
    switch (cause) {
    case ASSAY_EV_MALFORMED:
    case ASSAY_EV_UNKNOWN:
    case ASSAY_EV_OVERSIZE:
        return ASSAY_CALL_PROTOCOL;
    }
    return e->model->events[cause].kind == ASSAY_EVK_FAULT ? ASSAY_CALL_PROTOCOL : ASSAY_CALL_CLOSED;
}

void assay_call_result(struct assay_engine *e, struct assay_session *s, int32_t outcome, uint16_t cause)
{
    struct assay_event *event = assay_queue(e, s, ASSAY_EVENT_RESULT);
    event->result.call = s->call;
    event->result.outcome = outcome;
    event->result.cause = cause;
    event->result.detail = (struct assay_span){NULL, 0};
    s->call = s->wait = ASSAY_NONE;
    s->awaits = false;
}

static enum assay_rc end_with(struct assay_engine *e, struct assay_session *s, enum assay_end how, uint16_t cause,
                              int32_t outcome)
{
    if (s->gates)
        return ASSAY_PENDING;
    if (s->puts)
        assay_rows_settle(e, s);
    if (s->call != ASSAY_NONE)
        assay_call_result(e, s, outcome, cause);
    struct assay_event *event = assay_queue(e, s, ASSAY_EVENT_ENDED);
    event->ended.how = how;
    event->ended.cause = cause;
    event->ended.finished = s->finished;
    s->pend = ASSAY_PEND_NONE;
    s->state = (uint16_t)(e->machine->states.first + e->machine->states.count - 1);
    s->ended = 1;
    e->dead = s->slot + 1;
    return ASSAY_ENDED;
}

enum assay_rc assay_session_end(struct assay_engine *e, struct assay_session *s, enum assay_end how, uint16_t cause)
{
    return end_with(e, s, how, cause, outcome_of(e, cause));
}

/* ---- one event --------------------------------------------------------- */

static enum assay_rc no_room(struct assay_engine *e, struct assay_session *s, uint16_t event);

/* A call whose first actions cannot be done has sent nothing: it ends alone. */
static enum assay_rc refuse_call(struct assay_engine *e, struct assay_session *s, uint16_t cause)
{
    e->tx.call = s->call;
    assay_call_result(e, s, ASSAY_CALL_PROTOCOL, cause);
    return ASSAY_OK;
}

struct body {
    uint16_t rule, event, code, skip;
    bool otherwise;
};

/* Run a body as a whole. False: it could not be done, `ran` says why, and nothing of it happened. */
static bool run_body(struct assay_engine *e, struct assay_session *s, struct body body, enum assay_ran *ran,
                     enum assay_rc *rc)
{
    begin(e, s);
    *ran = assay_body_run(e, s, body.rule, body.code, body.event, body.skip, body.otherwise);
    switch (*ran) {
    case ASSAY_RAN:
        *rc = commit(e, s, body.rule, body.event, body.otherwise);
        return true;
    case ASSAY_RAN_SUSPEND:
        *rc = wait_for_effect(e, s);
        return true;
    case ASSAY_RAN_FULL:
        undo(e, s);
        *rc = ASSAY_FULL;
        return true;
    case ASSAY_RAN_UNFIT:
    case ASSAY_RAN_NO_ROOM:
        break;
    }
    undo(e, s);
    return false;
}

/* `else`; where there is none, or it fails as well, the session ends. */
static enum assay_rc run_otherwise(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event,
                                   uint16_t skip, enum assay_ran why)
{
    uint16_t code = e->model->rules[rule].otherwise;
    if (s->puts && skip == 0) /* what the host has kept stays */
        assay_rows_settle(e, s);
    if (code == ASSAY_NONE && e->model->events[event].kind == ASSAY_EVK_CALL)
        return refuse_call(e, s, why == ASSAY_RAN_NO_ROOM ? ASSAY_EV_NO_ROOM : event);
    if (code == ASSAY_NONE)
        return why == ASSAY_RAN_NO_ROOM ? no_room(e, s, event) : assay_session_end(e, s, ASSAY_END_CLOSE, event);
    enum assay_rc rc;
    if (run_body(e, s, (struct body){rule, event, code, skip, true}, &why, &rc))
        return rc;
    return assay_session_end(e, s, ASSAY_END_CLOSE, event);
}

static bool has_room(const struct assay_engine *e, uint16_t rule)
{
    return e->model->rules[rule].out_max <= e->out->cap - e->out->len;
}

static enum assay_rc run_rule(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event,
                              uint16_t skip)
{
    enum assay_ran ran;
    enum assay_rc rc;
    if (run_body(e, s, (struct body){rule, event, e->model->rules[rule].body, skip, false}, &ran, &rc))
        return rc;
    e->cramped |= ran == ASSAY_RAN_NO_ROOM;
    return run_otherwise(e, s, rule, event, 0, ran);
}

/* Where a call first waits if it sends nothing before that. */
static uint16_t first_wait(const struct assay_model *model, const struct assay_rule *start)
{
    uint32_t last = start->out_max ? start->body : assay_code_end(model, start->body);
    for (uint32_t pc = start->body; pc < last; pc++) {
        unsigned b = assay_ins_b(model->code[pc]);
        if (assay_ins_op(model->code[pc]) == ASSAY_OP_GOTO && model->states[b].kind == ASSAY_STATE_WAIT)
            return (uint16_t)b;
    }
    return ASSAY_NONE;
}

bool assay_call_begins_with(const struct assay_engine *e, const struct assay_session *s, uint16_t index, uint16_t event)
{
    const struct assay_model *model = e->model;
    const struct assay_call *call = &model->calls[index];
    if (call->machine != e->config.machine || call->opens != ASSAY_NONE)
        return false;
    uint16_t at = model->transitions[(size_t)s->state * model->events_count + call->event];
    uint16_t wait = at == ASSAY_NONE ? ASSAY_NONE : first_wait(model, &model->rules[model->rule_lists[at]]);
    return wait != ASSAY_NONE && model->transitions[(size_t)wait * model->events_count + event] != ASSAY_NONE;
}

/* Only the application knows which call comes next. */
static bool waits_for_call(const struct assay_engine *e, const struct assay_session *s, uint16_t event)
{
    for (uint16_t i = 0; e->config.calls && s->call == ASSAY_NONE && i < e->model->calls_count; i++)
        if (assay_call_begins_with(e, s, i, event))
            return true;
    return false;
}

enum assay_rc assay_stray(struct assay_engine *e, struct assay_session *s, uint16_t event)
{
    if (waits_for_call(e, s, event)) {
        s->early = event;
        return ASSAY_EARLY;
    }
    if (s->gates)
        return ASSAY_PENDING;
    if (e->machine->role & ASSAY_CLIENT)
        assay_queue(e, s, ASSAY_EVENT_STRAY)->stray.event = event;
    return end_with(e, s, ASSAY_END_CLOSE, event, ASSAY_CALL_PROTOCOL);
}

/* What happens where no rule takes an event. */
static enum assay_rc default_of(struct assay_engine *e, struct assay_session *s, uint16_t event)
{
    switch ((enum assay_event_kind)e->model->events[event].kind) {
    case ASSAY_EVK_MESSAGE:
        return assay_stray(e, s, event);
    case ASSAY_EVK_TIMER:
    case ASSAY_EVK_ROW:
        return ASSAY_OK;
    case ASSAY_EVK_CALL:
        return refuse_call(e, s, event);
    case ASSAY_EVK_FAULT:
    case ASSAY_EVK_BUILTIN:
        break;
    }
    return event == ASSAY_EV_CONNECT ? ASSAY_OK : assay_session_end(e, s, ASSAY_END_CLOSE, event);
}

/* The only rule was passed over: the event is there, and nothing is done about it. */
static enum assay_rc do_nothing(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event)
{
    begin(e, s);
    e->tx.done = true;
    if (e->config.trace)
        tell_step(e, s, rule, event, false);
    return ASSAY_OK;
}

enum assay_rc assay_handle(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin)
{
    uint16_t passed = ASSAY_NONE;
    assay_bind(e, s);
    uint16_t rule = choose_rule(e, s, event, &passed);
    if (e->strict && (rule == ASSAY_NONE || !(e->model->rules[rule].flags & ASSAY_RULE_STATELESS))) {
        e->refused = true;
        return ASSAY_OK;
    }
    if (rule == ASSAY_NONE)
        return passed == ASSAY_NONE ? default_of(e, s, event) : do_nothing(e, s, passed, event);
    if (!has_room(e, rule))
        return ASSAY_FULL;
    s->origin = (uint8_t)origin;
    return run_rule(e, s, rule, event, 0);
}

enum assay_rc assay_handle_chained(struct assay_engine *e, struct assay_session *s, uint16_t event,
                                   enum assay_origin origin)
{
    uint16_t passed;
    assay_bind(e, s);
    uint16_t rule = choose_rule(e, s, event, &passed);
    if (rule == ASSAY_NONE || !(e->model->rules[rule].flags & ASSAY_RULE_CHAIN))
        return ASSAY_PENDING;
    if (!has_room(e, rule))
        return ASSAY_FULL;
    s->origin = (uint8_t)origin;
    return run_rule(e, s, rule, event, 0);
}

static enum assay_rc no_room(struct assay_engine *e, struct assay_session *s, uint16_t event)
{
    if (event == ASSAY_EV_NO_ROOM)
        return assay_session_end(e, s, ASSAY_END_CLOSE, event);
    enum assay_rc rc = assay_handle(e, s, ASSAY_EV_NO_ROOM, (enum assay_origin)s->origin);
    e->tx.declined = true; /* a reliable message whose rule could not be done comes again */
    return rc;
}

/* What goes on draws the same random values again, and others than all drawn since. */
static uint64_t draw_again(struct assay_engine *e, const struct assay_session *s)
{
    uint64_t drawn = e->secrets.drawn;
    if (s->pend == ASSAY_PEND_DONE)
        e->secrets.drawn = s->drawn;
    return drawn;
}

enum assay_rc assay_resume(struct assay_engine *e, struct assay_session *s)
{
    uint16_t rule = s->rule, event = s->event;
    assay_bind(e, s);
    if (!has_room(e, rule))
        return ASSAY_FULL;
    assay_vars_let_go(e, s);
    (void)assay_holds(&e->env, e->model->rules[rule].guard); /* gives its locals their values again */
    uint8_t pend = s->pend;
    uint64_t drawn = draw_again(e, s);
    enum assay_rc rc;
    if (pend == ASSAY_PEND_DONE && !s->otherwise)
        rc = run_rule(e, s, rule, event, s->resume);
    else if (pend == ASSAY_PEND_DONE)
        rc = run_otherwise(e, s, rule, event, s->resume, ASSAY_RAN_UNFIT);
    else if (s->otherwise)
        rc = assay_session_end(e, s, ASSAY_END_CLOSE, event);
    else
        rc = run_otherwise(e, s, rule, event, 0, ASSAY_RAN_UNFIT);
    if (e->secrets.drawn < drawn)
        e->secrets.drawn = drawn;
    if (rc == ASSAY_OK)
        s->pend = ASSAY_PEND_NONE;
    return rc;
}

enum assay_rc assay_gate_failed(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event)
{
    assay_bind(e, s);
    e->env.known = 0;
    return run_otherwise(e, s, rule, event, 0, ASSAY_RAN_UNFIT);
}

void assay_call_slots(struct assay_engine *e, struct assay_session *s)
{
    const struct assay_call *call = &e->model->calls[s->call];
    e->env.known = 0;
    if (call->first_var == ASSAY_NONE)
        return;
    for (uint16_t i = 0; i < call->args.count && i < ASSAY_SLOTS_MAX; i++) {
        e->slots[i] = s->words[call->first_var + i - e->machine->vars.first];
        e->env.known |= (uint64_t)1 << i;
    }
}

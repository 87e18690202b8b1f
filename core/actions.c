/* Rule bodies: actions inside the transaction of the running rule. */
#include <string.h>

#include "core/codec.h"
#include "core/fields.h"
#include "core/session.h"

struct run {
    struct assay_engine *e;
    struct assay_session *s;
    struct assay_vm vm;
    uint16_t rule, event;
    uint16_t skip;
    bool otherwise;
    assay_token token; /* of the effect that the body waits for, which stands at `waits` */
    uint16_t waits;
};

typedef enum assay_ran action(struct run *run, uint32_t ins);

static assay_val pop(struct run *run)
{
    return run->vm.stack[--run->vm.depth];
}

/* ---- messages ---------------------------------------------------------- */

static enum assay_ran act_out(struct run *run, uint32_t ins)
{
    unsigned slot = assay_ins_b(ins);
    run->e->made_slots[slot] = pop(run);
    run->e->made.known |= (uint64_t)1 << slot;
    return ASSAY_RAN;
}

/* The expression stands behind the JUMP that follows. */
static enum assay_ran act_free(struct run *run, uint32_t ins)
{
    unsigned slot = assay_ins_b(ins);
    run->e->free_slots |= (uint64_t)1 << slot;
    run->e->free_where[slot] = assay_ins_a(ins) ? (uint16_t)(run->vm.pc + 1) : ASSAY_NONE;
    return ASSAY_RAN;
}

/* A value of a type, for a field that may hold any. */
static assay_val some_value(const struct assay_model *model, uint16_t index)
{
    const struct assay_type *type = &model->types[index];
    if (type->kind >= ASSAY_T_BYTES)
        return ASSAY_VAL_EMPTY;
    if (type->kind == ASSAY_T_ENUM && !model->enums[type->of].text && model->enums[type->of].items.count)
        return (assay_val)model->enum_items[model->enums[type->of].items.first].value;
    if (type->kind == ASSAY_T_INT || type->kind == ASSAY_T_DURATION)
        return (assay_val)(type->min > 0 ? type->min : type->max < 0 ? type->max : 0);
    return 0;
}

static void fill_free(struct assay_engine *e, struct assay_range fields)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &e->model->fields[i];
        if (f->slot != ASSAY_NONE && (e->free_slots >> f->slot & 1) && !assay_slot_known(&e->made, f->slot) &&
            f->init == ASSAY_NONE)
            assay_slot_set(&e->made, f->slot, some_value(e->model, f->type));
    }
}

static void tell_sent(struct run *run, uint16_t message, uint32_t size)
{
    struct assay_engine *e = run->e;
    struct assay_event *event = assay_queue(e, run->s, ASSAY_EVENT_SENT);
    uint16_t *where = e->wheres + (size_t)(e->events_count - 1) * ASSAY_SLOTS_MAX;
    memcpy(where, e->free_where, sizeof e->free_where);
    event->sent.message = message;
    event->sent.rule = run->rule;
    event->sent.again = false;
    if (e->reliable && e->reliables[message])
        assay_reliable_name(e, run->s, event);
    event->sent.at = e->out->len;
    event->sent.size = size;
    event->sent.free = e->free_slots;
    event->sent.where = where;
}

/* Where messages are datagrams, a cut without a gate begins each. False: there is no room for it. */
bool assay_datagram_begin(struct assay_engine *e)
{
    struct assay_out *out = e->out;
    if (e->model->frames[e->machine->frame_out].end != ASSAY_END_DATAGRAM)
        return true;
    if (out->cuts_len == out->cuts_cap)
        return false;
    out->cuts[out->cuts_len++] = (struct assay_cut){out->len, 0};
    return true;
}

/* A call that begins with a message waits until the window has room. */
static enum assay_ran no_window(const struct run *run)
{
    uint8_t kind = run->e->model->events[run->event].kind;
    return kind == ASSAY_EVK_CALL || kind == ASSAY_EVK_ROW ? ASSAY_RAN_FULL : ASSAY_RAN_NO_ROOM;
}

/* A row waits until there is memory. */
static enum assay_ran no_memory(const struct run *run)
{
    run->e->starved = true;
    return run->e->row_log != ASSAY_NONE ? ASSAY_RAN_FULL : ASSAY_RAN_NO_ROOM;
}

static enum assay_ran act_send(struct run *run, uint32_t ins)
{
    struct assay_engine *e = run->e;
    struct assay_out *out = e->out;
    uint16_t message = (uint16_t)assay_ins_b(ins), frame = e->machine->frame_out;
    bool reliable = e->reliable && e->reliables[message];
    if (!assay_datagram_begin(e))
        return ASSAY_RAN_FULL;
    if (reliable && !assay_reliable_address(e, run->s))
        return no_window(run);
    if (e->free_slots) {
        fill_free(e, e->model->frames[frame].fields);
        fill_free(e, e->model->messages[message].fields);
    }
    e->made.frame = e->env.frame;
    e->made.vars = e->env.vars;
    e->made.scratch_used = e->env.scratch_used;
    struct assay_encoded encoded = assay_encode(&e->made, frame, message, out->bytes + out->len, out->cap - out->len,
                                                run->s->mode == ASSAY_MODE_SEGMENT);
    if (encoded.status == ASSAY_ENCODED && e->config.judge)
        tell_sent(run, message, encoded.size);
    e->made.known = 0;
    e->free_slots = 0;
    if (encoded.status == ASSAY_ENCODE_SPACE)
        return ASSAY_RAN_FULL;
    if (encoded.status == ASSAY_ENCODE_FIELD)
        return ASSAY_RAN_UNFIT;
    if (reliable && !assay_reliable_keep(e, run->s, message, encoded.size))
        return no_memory(run);
    out->len += encoded.size;
    e->tx.sent = true;
    return ASSAY_RAN;
}

/* ---- the session ------------------------------------------------------- */

static enum assay_ran act_set(struct run *run, uint32_t ins)
{
    switch (assay_var_set(run->e, run->s, (uint16_t)assay_ins_b(ins), pop(run))) {
    case ASSAY_SET:
        return ASSAY_RAN;
    case ASSAY_SET_UNFIT:
        return ASSAY_RAN_UNFIT;
    case ASSAY_SET_NO_ROOM:
        break;
    }
    return ASSAY_RAN_NO_ROOM;
}

static enum assay_ran act_goto(struct run *run, uint32_t ins)
{
    uint16_t state = (uint16_t)assay_ins_b(ins);
    struct assay_tx *tx = &run->e->tx;
    switch ((enum assay_state_kind)run->e->model->states[state].kind) {
    case ASSAY_STATE_WAIT:
    case ASSAY_STATE_AWAIT:
        tx->wait = state;
        return ASSAY_RAN;
    case ASSAY_STATE_END:
        tx->end = tx->finished = true;
        break;
    case ASSAY_STATE_PLAIN:
        break;
    }
    tx->state = state;
    return ASSAY_RAN;
}

static enum assay_ran act_timer(struct run *run, uint32_t ins)
{
    uint64_t bit = (uint64_t)1 << (assay_ins_b(ins) - run->e->machine->timers.first);
    struct assay_tx *tx = &run->e->tx;
    tx->start = assay_ins_a(ins) ? tx->start | bit : tx->start & ~bit;
    tx->stop = assay_ins_a(ins) ? tx->stop & ~bit : tx->stop | bit;
    return ASSAY_RAN;
}

static enum assay_ran act_abort(struct run *run, uint32_t ins)
{
    (void)ins;
    run->e->tx.end = run->e->tx.abort = true;
    run->e->tx.finished = false;
    return ASSAY_RAN;
}

static enum assay_ran act_close(struct run *run, uint32_t ins)
{
    (void)ins;
    run->e->tx.end = true;
    run->e->tx.finished = false;
    return ASSAY_RAN;
}

static enum assay_ran act_decline(struct run *run, uint32_t ins)
{
    (void)ins;
    run->e->tx.declined = true;
    return ASSAY_RAN;
}

static enum assay_ran act_mark(struct run *run, uint32_t ins)
{
    (void)ins;
    if (run->e->reliable)
        assay_reliable_mark(run->e, run->s);
    return ASSAY_RAN;
}

static unsigned pick(struct assay_choices *choices, unsigned ways)
{
    if (choices->met == ASSAY_CHOICES_MAX)
        return 0;
    unsigned way = choices->met < choices->picks ? choices->pick[choices->met] : 0;
    choices->ways[choices->met++] = (uint8_t)ways;
    return way < ways ? way : 0;
}

/* A body that goes on behind an effect takes the ways that it took, and foresaw, when that was ordered. */
static enum assay_ran act_choose(struct run *run, uint32_t ins)
{
    struct assay_engine *e = run->e;
    struct assay_session *s = run->s;
    bool goes_on = s->pend == ASSAY_PEND_DONE && s->otherwise == run->otherwise && e->tx.chosen < s->chosen;
    if (!e->choices)
        return ASSAY_RAN;
    unsigned way = goes_on ? s->choice[e->tx.chosen] : pick(e->choices, assay_ins_a(ins));
    if (e->tx.chosen < ASSAY_CHOICES_MAX)
        s->choice[e->tx.chosen++] = (uint8_t)way;
    run->vm.pc += way;
    return ASSAY_RAN;
}

/* ---- effects ----------------------------------------------------------- */

static void queue_args(struct run *run, struct assay_range params, unsigned count)
{
    const assay_val *args = &run->vm.stack[run->vm.depth];
    for (unsigned i = 0; i < count && i < params.count; i++)
        assay_queue_arg(run->e, run->e->model->params[params.first + i].type, args[i]);
}

static struct assay_event *order(struct run *run, uint16_t effect, unsigned args, assay_token token, bool gate)
{
    struct assay_event *event = assay_queue(run->e, run->s, ASSAY_EVENT_EFFECT);
    event->effect.effect = effect;
    event->effect.token = token;
    event->effect.gate = gate;
    event->effect.chain = false;
    queue_args(run, run->e->model->effects[effect].args, args);
    return event;
}

static bool gates(const struct run *run)
{
    const struct assay_engine *e = run->e;
    return e->config.gates && !run->otherwise && (e->model->rules[run->rule].flags & ASSAY_RULE_GATE);
}

static bool chains(const struct run *run)
{
    return run->e->chaining && !run->otherwise && (run->e->model->rules[run->rule].flags & ASSAY_RULE_CHAIN);
}

/* The body goes on when it is done; but where the next message may be handed over before that, this one's is through:
 * the effect is its last action. */
static enum assay_ran order_waited(struct run *run, assay_token token, struct assay_event *event)
{
    if (chains(run)) {
        event->effect.chain = true;
        assay_chain_add(run->e, run->s, assay_flight_find(run->e, token));
        return ASSAY_RAN;
    }
    run->token = token;
    run->waits = (uint16_t)(run->vm.pc - 1);
    return ASSAY_RAN_SUSPEND;
}

static enum assay_ran order_fallible(struct run *run, uint16_t effect, unsigned args)
{
    struct assay_engine *e = run->e;
    bool gate = gates(run) && e->out->cuts_len < e->out->cuts_cap;
    if (!gate && e->tx.gated)
        return ASSAY_RAN_FULL;
    assay_token token = assay_flight_start(e, run->s, run->rule, run->event, gate);
    if (!token)
        return ASSAY_RAN_FULL;
    struct assay_event *event = order(run, effect, args, token, gate);
    if (!gate)
        return order_waited(run, token, event);
    e->out->cuts[e->out->cuts_len++] = (struct assay_cut){e->out->len, token};
    e->tx.gated++;
    run->s->gates++;
    return ASSAY_RAN;
}

static enum assay_ran begin_put(struct run *run, uint16_t table, uint32_t *put)
{
    const assay_val *values = &run->vm.stack[run->vm.depth];
    switch (assay_row_put(run->e, run->s, table, values, (uint16_t)(run->vm.pc - 1), put)) {
    case ASSAY_PUT:
        return ASSAY_RAN;
    case ASSAY_PUT_FULL:
        return ASSAY_RAN_FULL;
    case ASSAY_PUT_NO_ROOM:
        return ASSAY_RAN_NO_ROOM;
    case ASSAY_PUT_UNFIT:
        break;
    }
    return ASSAY_RAN_UNFIT;
}

/* Never behind a gate: what comes next looks at the table. */
static enum assay_ran order_put(struct run *run, uint16_t effect, unsigned args, uint32_t put)
{
    struct assay_engine *e = run->e;
    run->token = e->tx.gated ? 0 : assay_flight_start(e, run->s, run->rule, run->event, false);
    if (!run->token)
        return ASSAY_RAN_FULL;
    assay_flight_find(e, run->token)->put = put + 1;
    assay_row_at(&e->rows, put)->state = ASSAY_ROW_FLIGHT;
    order(run, effect, args, run->token, false);
    run->waits = (uint16_t)(run->vm.pc - 1);
    return ASSAY_RAN_SUSPEND;
}

/* Where the table is durable, the host is told first, and what it has kept is only to be seen again when the rule goes
 * on. Else it is done at once, and again when the rule goes on behind another effect. */
static enum assay_ran act_put(struct run *run, uint16_t effect, uint16_t table, unsigned args)
{
    struct assay_engine *e = run->e;
    bool durable = e->model->tables[table].durable, foreseen = run->skip == ASSAY_NONE;
    uint32_t put;
    if (assay_row_meet(e, run->s, (uint16_t)(run->vm.pc - 1)))
        return ASSAY_RAN;
    if (durable && !foreseen && run->vm.pc - 1 <= run->skip)
        return ASSAY_RAN;
    enum assay_ran ran = begin_put(run, table, &put);
    if (ran != ASSAY_RAN || !durable || foreseen)
        return ran;
    return order_put(run, effect, args, put);
}

static enum assay_ran act_effect(struct run *run, uint32_t ins)
{
    uint16_t effect = (uint16_t)assay_ins_b(ins);
    unsigned args = assay_ins_a(ins);
    run->vm.depth -= args;
    uint16_t table = run->e->model->effects[effect].table;
    if (table < run->e->model->tables_count)
        return act_put(run, effect, table, args);
    if (run->vm.pc - 1 <= run->skip)
        return ASSAY_RAN;
    if (run->e->model->effects[effect].fallible)
        return order_fallible(run, effect, args);
    order(run, effect, args, 0, false);
    return ASSAY_RAN;
}

/* ---- calls ------------------------------------------------------------- */

void assay_call_end(struct assay_engine *e, struct assay_session *s)
{
    const struct assay_call *call = &e->model->calls[s->call];
    e->tx.wait = e->tx.call = ASSAY_NONE;
    if (call->first_var == ASSAY_NONE)
        return;
    for (uint16_t i = 0; i < call->args.count; i++)
        assay_var_clear(e, s, (uint16_t)(call->first_var + i));
}

static struct assay_event *result(struct run *run, int32_t outcome)
{
    struct assay_event *event = assay_queue(run->e, run->s, ASSAY_EVENT_RESULT);
    event->result.call = run->s->call;
    event->result.outcome = outcome;
    event->result.cause = run->event;
    event->result.detail = (struct assay_span){NULL, 0};
    return event;
}

static enum assay_ran act_result(struct run *run, uint32_t ins)
{
    run->vm.depth -= assay_ins_a(ins);
    if (run->e->tx.call == ASSAY_NONE)
        return ASSAY_RAN_UNFIT;
    result(run, ASSAY_CALL_OK);
    queue_args(run, run->e->model->calls[run->s->call].results, assay_ins_a(ins));
    assay_call_end(run->e, run->s);
    return ASSAY_RAN;
}

static enum assay_ran act_error(struct run *run, uint32_t ins)
{
    assay_val detail = assay_ins_a(ins) ? pop(run) : ASSAY_VAL_EMPTY;
    if (run->e->tx.call == ASSAY_NONE)
        return ASSAY_RAN_UNFIT;
    result(run, (int32_t)assay_ins_b(ins))->result.detail = assay_bytes(&run->e->env, detail);
    assay_call_end(run->e, run->s);
    return ASSAY_RAN;
}

/* ---- running ----------------------------------------------------------- */

static action *const actions[ASSAY_OPS_COUNT - ASSAY_OP_FIRST_ACTION] = {
#define AT(op) [ASSAY_OP_##op - ASSAY_OP_FIRST_ACTION]
    AT(OUT) = act_out,         AT(FREE) = act_free,     AT(SEND) = act_send,   AT(SET) = act_set,
    AT(GOTO) = act_goto,       AT(EFFECT) = act_effect, AT(TIMER) = act_timer, AT(RESULT) = act_result,
    AT(ERROR) = act_error,     AT(ABORT) = act_abort,   AT(CLOSE) = act_close, AT(CHOOSE) = act_choose,
    AT(DECLINE) = act_decline, AT(MARK) = act_mark,
#undef AT
};

/* Up to the end, to an effect that has to complete first, or to what cannot be done. */
static enum assay_ran go_on(struct run *run)
{
    enum assay_ran ran = ASSAY_RAN;
    while (ran == ASSAY_RAN) {
        enum assay_vm_stop stop = assay_vm_run(&run->vm);
        if (stop == ASSAY_VM_END)
            return ASSAY_RAN;
        if (stop == ASSAY_VM_UNDEFINED)
            return ASSAY_RAN_UNFIT;
        uint32_t ins = run->e->model->code[run->vm.pc - 1];
        ran = actions[assay_ins_op(ins) - ASSAY_OP_FIRST_ACTION](run, ins);
    }
    return ran;
}

/* What would become of the body if this effect, and all behind it, were done. */
static enum assay_ran foresee(struct run *run)
{
    const struct assay_engine *e = run->e;
    if (!run->otherwise && !e->choices &&
        !(e->model->rules[run->rule].flags & (ASSAY_RULE_FALLIBLE | ASSAY_RULE_RELIABLE)))
        return ASSAY_RAN;
    run->skip = ASSAY_NONE;
    return go_on(run);
}

/* An effect cannot be undone: it is ordered only where the rest of the rule can be done behind it. */
static enum assay_ran suspend(struct run *run)
{
    struct assay_session *s = run->s;
    enum assay_ran rest = foresee(run);
    if (rest != ASSAY_RAN) {
        assay_flight_end(run->e, assay_flight_find(run->e, run->token));
        return rest;
    }
    s->pend = ASSAY_PEND_FLIGHT;
    s->token = run->token;
    s->rule = run->rule;
    s->event = run->event;
    s->resume = run->waits;
    s->otherwise = run->otherwise;
    s->chosen = run->e->tx.chosen;
    return ASSAY_RAN_SUSPEND;
}

enum assay_ran assay_body_run(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t code,
                              uint16_t event, uint16_t skip, bool otherwise)
{
    struct run run;
    run.e = e;
    run.s = s;
    run.vm.env = &e->env;
    run.vm.pc = code;
    run.vm.depth = 0;
    run.rule = rule;
    run.event = event;
    run.skip = skip;
    run.otherwise = otherwise;
    e->made.known = 0;
    e->free_slots = 0;
    enum assay_ran ran = go_on(&run);
    return ran == ASSAY_RAN_SUSPEND ? suspend(&run) : ran;
}

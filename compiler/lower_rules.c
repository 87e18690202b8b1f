/* Machines: states, rules, calls, and which rules are tried for an event in a state. */
#include "compiler/lower.h"

static const uint16_t none = ASSAY_NONE;

/* ---- code of a rule ---------------------------------------------------- */

static void gen_pattern(struct lower *l, const struct spec_given *g)
{
    const struct spec_expr field = {.kind = SPEC_E_FIELD, .type = g->field->type, .ref.field = g->field};
    bool several = g->value->kind == SPEC_E_LIST && g->field->type->kind != ASSAY_T_LIST;
    if (several)
        assay_gen_one_of(l, &field, g->value->args, g->value->count);
    else
        assay_gen_one_of(l, &field, (struct spec_expr *const *)&(struct spec_expr *){g->value}, 1);
}

static uint16_t gen_guard(struct lower *l, const struct spec_rule *r)
{
    size_t conditions = r->pattern.count + (r->guard != NULL), done = 0;
    uint16_t *skips = assay_arena_alloc(&l->spec->arena, (conditions + 1) * sizeof *skips), at = assay_here(l);
    if (conditions == 0)
        return ASSAY_NONE;
    SPEC_EACH (struct spec_given, g, &r->pattern) {
        gen_pattern(l, g);
        if (++done < conditions)
            skips[done - 1] = assay_emit(l, ASSAY_OP_AND_ELSE, 0, 0);
    }
    if (r->guard)
        assay_gen_expr(l, r->guard);
    for (size_t i = 0; i + 1 < conditions; i++)
        assay_patch(l, skips[i]);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

/* What `let` names comes first, then the rule's own outcome and those that are permitted beside it. */
static void gen_body(struct lower *l, const struct spec_rule *r)
{
    struct spec_list ways = {0}, rest = {0};
    struct spec_way own = {.at = r->at};
    if (r->may.count == 0) {
        assay_gen_actions(l, &r->body);
        return;
    }
    SPEC_EACH (struct spec_action, a, &r->body)
        if (a->kind == SPEC_A_LET)
            assay_gen_action(l, a);
        else
            assay_list_add(l->spec, &rest, a);
    own.body = rest;
    assay_list_add(l->spec, &ways, &own);
    SPEC_EACH (struct spec_way, w, &r->may)
        assay_list_add(l->spec, &ways, w);
    const struct spec_action choose = {.kind = SPEC_A_CHOOSE, .at = r->at, .ways = ways};
    assay_gen_action(l, &choose);
}

static uint32_t capped(uint64_t n)
{
    return n < (uint32_t)1 << 30 ? (uint32_t)n : (uint32_t)1 << 30;
}

static uint64_t most_sent(struct lower *l, const struct spec_rule *r)
{
    uint64_t most = assay_sent_by(l, &r->body), other = r->otherwise ? assay_sent_by(l, r->otherwise) : 0;
    SPEC_EACH (struct spec_way, w, &r->may) {
        uint64_t way = assay_sent_by(l, &w->body);
        most = way > most ? way : most;
    }
    return other > most ? other : most;
}

static struct assay_rule rule_of(struct lower *l, const struct spec_rule *r, uint16_t machine, uint16_t state)
{
    struct assay_rule rule = {.machine = machine, .state = state, .otherwise = ASSAY_NONE, .level = r->level};
    rule.req = r->req ? r->req->index : ASSAY_NONE;
    rule.flags = assay_rule_flags(r);
    rule.locals = r->locals;
    rule.out_max = capped(most_sent(l, r) + assay_acknowledged_by(l, &r->events));
    rule.line = r->at.line;
    rule.column = r->at.column;
    rule.guard = gen_guard(l, r);
    return rule;
}

static uint16_t gen_otherwise(struct lower *l, const struct spec_rule *r)
{
    uint16_t at = assay_here(l);
    if (!r->otherwise)
        return ASSAY_NONE;
    assay_gen_actions(l, r->otherwise);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

void assay_need_scratch(struct lower *l, uint64_t bytes)
{
    uint32_t n = capped(bytes);
    if (n > l->model->scratch)
        l->model->scratch = n;
}

static uint16_t add_rule(struct lower *l, struct assay_rule rule)
{
    if (rule.out_max > l->model->out_max)
        l->model->out_max = rule.out_max;
    return assay_push(l, &l->rules, &rule, sizeof rule);
}

static void lower_rule(struct lower *l, struct spec_rule *r, const struct spec_machine *m)
{
    struct assay_rule rule = rule_of(l, r, m->index, r->state ? r->state->index : ASSAY_NONE);
    rule.body = assay_here(l);
    gen_body(l, r);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    rule.otherwise = gen_otherwise(l, r);
    r->index = add_rule(l, rule);
}

/* ---- calls ------------------------------------------------------------- */

/* A rule of a call: taken on `event` in wait state `state` (ASSAY_NONE: in every plain state). */
struct call_rule {
    uint16_t rule, state;
    const struct spec_list *events;
    uint16_t event;
};

struct lowering_call {
    struct lower *l;
    struct spec_call *call;
    const struct spec_machine *machine;
    uint16_t *waits; /* state of each step that is an expect, or an await */
    uint64_t out, scratch;
    bool reliable; /* they send messages of `reliable` */
};

static bool ends_call(const struct spec_list *actions)
{
    SPEC_EACH (struct spec_action, a, actions)
        if (a->kind == SPEC_A_RESULT || a->kind == SPEC_A_ERROR)
            return true;
    return false;
}

/* Steps from `from` on, up to the next expect or the end. */
static void gen_steps(struct lowering_call *c, size_t from)
{
    struct spec_list actions = {0};
    size_t i = from;
    for (; i < c->call->steps.count; i++) {
        const struct spec_step *step = c->call->steps.items[i];
        if (!step->action)
            break;
        assay_list_add(c->l->spec, &actions, step->action);
    }
    assay_gen_actions(c->l, &actions);
    c->out += assay_sent_by(c->l, &actions);
    c->scratch += assay_actions_scratch(c->l, &actions);
    c->reliable = c->reliable || assay_sends_reliable(&actions);
    if (i < c->call->steps.count)
        assay_emit(c->l, ASSAY_OP_GOTO, 0, c->waits[i]);
    else if (!ends_call(&actions))
        assay_emit(c->l, ASSAY_OP_RESULT, 0, 0);
}

static void add_call_rule(struct lower *l, struct table *into, struct call_rule rule)
{
    assay_push(l, into, &rule, sizeof rule);
}

static void lower_expected(struct lowering_call *c, struct spec_rule *r, size_t step, struct table *into)
{
    struct lower *l = c->l;
    struct assay_rule rule = rule_of(l, r, c->machine->index, c->waits[step]);
    if (!r->req && c->call->req)
        rule.req = c->call->req->index;
    rule.body = assay_here(l);
    gen_body(l, r);
    c->out = c->scratch = 0;
    c->reliable = false;
    if (!ends_call(&r->body))
        gen_steps(c, step + 1);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    rule.flags |= c->reliable ? ASSAY_RULE_RELIABLE : 0;
    rule.out_max = capped(rule.out_max + c->out);
    rule.otherwise = gen_otherwise(l, r);
    assay_need_scratch(l, c->scratch + assay_rule_scratch(l, r) + l->model->frame_max);
    r->index = add_rule(l, rule);
    add_call_rule(l, into, (struct call_rule){.rule = r->index, .state = c->waits[step], .events = &r->events});
}

/* ---- await ------------------------------------------------------------- */

static uint16_t gen_in_state(struct lower *l, const struct spec_state *s)
{
    uint16_t at = assay_here(l);
    assay_emit(l, ASSAY_OP_STATE, 0, 0);
    assay_gen_int(l, s->index);
    assay_emit(l, ASSAY_OP_EQ, 0, 0);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

static uint16_t gen_acknowledged(struct lower *l, bool all)
{
    uint16_t at = assay_emit(l, ASSAY_OP_ACKED, all, 0);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

static struct assay_rule await_rule(const struct lowering_call *c, size_t step, uint16_t guard)
{
    const struct spec_await *w = ((const struct spec_step *)c->call->steps.items[step])->await;
    return (struct assay_rule){.machine = c->machine->index,
                               .state = c->waits[step],
                               .guard = guard,
                               .otherwise = ASSAY_NONE,
                               .req = c->call->req ? c->call->req->index : ASSAY_NONE,
                               .line = w->at.line,
                               .column = w->at.column};
}

static void add_await_rule(struct lowering_call *c, struct assay_rule rule, struct table *into)
{
    rule.out_max = capped(c->out);
    rule.flags = c->reliable ? ASSAY_RULE_RELIABLE : 0;
    assay_need_scratch(c->l, c->scratch + c->l->model->frame_max);
    add_call_rule(c->l, into,
                  (struct call_rule){.rule = add_rule(c->l, rule), .state = rule.state, .event = ASSAY_EV_AWAITED});
}

/* States in which the call ends come first, then what it waits for. */
static void lower_awaited(struct lowering_call *c, size_t step, struct table *into)
{
    struct lower *l = c->l;
    const struct spec_await *w = ((const struct spec_step *)c->call->steps.items[step])->await;
    SPEC_EACH (struct spec_await_way, way, &w->ways) {
        struct assay_rule rule = await_rule(c, step, gen_in_state(l, way->state));
        rule.body = assay_here(l);
        assay_gen_actions(l, &way->body);
        assay_emit(l, ASSAY_OP_END, 0, 0);
        c->out = 0;
        c->reliable = false;
        c->scratch = assay_actions_scratch(l, &way->body);
        add_await_rule(c, rule, into);
    }
    struct assay_rule rule = await_rule(c, step, w->state ? gen_in_state(l, w->state) : gen_acknowledged(l, w->all));
    c->out = c->scratch = 0;
    c->reliable = false;
    rule.body = assay_here(l);
    gen_steps(c, step + 1);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    add_await_rule(c, rule, into);
}

/* ---- the rules of a call ------------------------------------------------ */

static void lower_call_rules(struct lower *l, struct spec_call *call, const struct spec_machine *m, uint16_t *waits,
                             struct table *into)
{
    struct lowering_call c = {.l = l, .call = call, .machine = m, .waits = waits};
    struct assay_rule rule = {.machine = m->index,
                              .state = ASSAY_NONE,
                              .guard = ASSAY_NONE,
                              .otherwise = ASSAY_NONE,
                              .req = call->req ? call->req->index : ASSAY_NONE,
                              .line = call->at.line,
                              .column = call->at.column};
    rule.body = assay_here(l);
    gen_steps(&c, 0);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    rule.out_max = capped(c.out);
    rule.flags = c.reliable ? ASSAY_RULE_RELIABLE : 0;
    assay_need_scratch(l, c.scratch);
    add_call_rule(l, into,
                  (struct call_rule){.rule = add_rule(l, rule), .state = ASSAY_NONE, .event = call->event->index});
    for (size_t i = 0; i < call->steps.count; i++) {
        const struct spec_step *step = call->steps.items[i];
        if (step->await)
            lower_awaited(&c, i, into);
        SPEC_EACH (struct spec_rule, r, &step->expect)
            lower_expected(&c, r, i, into);
    }
}

/* ---- rows -------------------------------------------------------------- */

/* One rule, in each state where the log is followed. */
static void lower_row_rule(struct lower *l, const struct spec_log *log, struct table *into)
{
    const struct spec_follow *f = log->follow;
    lower_rule(l, f->rule, f->machine);
    uint64_t row = 0;
    SPEC_EACH (struct spec_param, p, &log->columns)
        row += p->type->kind >= ASSAY_T_BYTES ? (uint64_t)p->type->max * (p->type->kind == ASSAY_T_LIST ? 8 : 1) : 0;
    assay_need_scratch(l, 1024 + row + assay_rule_scratch(l, f->rule) + l->model->frame_max);
    SPEC_EACH (struct spec_state, s, &f->states)
        add_call_rule(l, into,
                      (struct call_rule){.rule = f->rule->index, .state = s->index, .event = log->event->index});
}

/* ---- states and variables ---------------------------------------------- */

static uint16_t add_state(struct lower *l, const char *name, uint8_t kind, uint16_t call, uint32_t line)
{
    return PUSH(l, states, struct assay_state, {.name = name, .kind = kind, .call = call, .line = line});
}

static void lower_states(struct lower *l, struct spec_machine *m, uint16_t **waits)
{
    uint16_t first = (uint16_t)l->states.count;
    SPEC_EACH (struct spec_state, s, &m->states)
        if (s->kind == ASSAY_STATE_PLAIN)
            s->index = add_state(l, s->name, s->kind, ASSAY_NONE, s->at.line);
    SPEC_EACH (struct spec_call, call, &l->spec->calls) {
        unsigned n = 0;
        if (call->machine != m)
            continue;
        waits[call->index] = assay_arena_alloc(&l->spec->arena, (call->steps.count + 1) * sizeof(uint16_t));
        for (size_t i = 0; i < call->steps.count; i++) {
            const struct spec_step *step = call->steps.items[i];
            if (!step->action)
                waits[call->index][i] =
                    add_state(l, assay_arena_printf(&l->spec->arena, "%s/%u", call->name, ++n),
                              step->await ? ASSAY_STATE_AWAIT : ASSAY_STATE_WAIT, call->index, step->at.line);
        }
    }
    m->end->index = add_state(l, "End", ASSAY_STATE_END, ASSAY_NONE, m->end->at.line);
    ((struct assay_machine *)l->machines.items)[m->index].states =
        (struct assay_range){first, (uint16_t)(l->states.count - first)};
}

static uint16_t arg_type(struct lower *l, const struct spec_machine *m, const struct spec_param *p)
{
    struct spec_type type = *p->type;
    uint32_t most = (uint32_t)m->out->max;
    bool bytes = assay_kind_is_bytes(type.kind), list = type.kind == ASSAY_T_LIST;
    if ((bytes && type.max > most) || (list && !type.bounded))
        type.max = most;
    return assay_lower_type(l, assay_arena_copy(&l->spec->arena, &type, sizeof type));
}

static void add_var(struct lower *l, const char *name, uint16_t type)
{
    PUSH(l, vars, struct assay_var, {.name = name, .type = type, .init = ASSAY_NONE});
}

static void lower_vars(struct lower *l, struct spec_machine *m)
{
    struct assay_range range = {(uint16_t)l->vars.count, 0};
    SPEC_EACH (struct spec_var, v, &m->vars) {
        v->index = (uint16_t)l->vars.count;
        add_var(l, v->name, assay_lower_type(l, v->type));
    }
    SPEC_EACH (struct spec_call, call, &l->spec->calls) {
        if (call->machine != m)
            continue;
        struct assay_call *lowered = (struct assay_call *)l->calls.items + call->index;
        lowered->machine = m->index;
        lowered->opens = call->opens && call->over ? call->over->index : ASSAY_NONE;
        lowered->first_var = call->args.count ? (uint16_t)l->vars.count : ASSAY_NONE;
        SPEC_EACH (struct spec_param, p, &call->args) {
            p->var = (uint16_t)l->vars.count;
            add_var(l, assay_arena_printf(&l->spec->arena, "%s.%s", call->name, p->name), arg_type(l, m, p));
        }
    }
    range.count = (uint16_t)(l->vars.count - range.first);
    ((struct assay_machine *)l->machines.items)[m->index].vars = range;
}

static void lower_inits(struct lower *l, const struct spec_machine *m)
{
    SPEC_EACH (struct spec_var, v, &m->vars) {
        uint16_t init = assay_gen_value(l, v->init);
        ((struct assay_var *)l->vars.items)[v->index].init = init;
    }
}

static void lower_timers(struct lower *l, const struct spec_machine *m)
{
    struct assay_range range = {(uint16_t)l->timers.count, (uint16_t)m->timers.count};
    SPEC_EACH (struct spec_timer, t, &m->timers) {
        uint16_t states = (uint16_t)l->statesets.count;
        SPEC_EACH (struct spec_state, s, &t->states)
            assay_push(l, &l->statesets, &s->index, sizeof s->index);
        assay_push(l, &l->statesets, &none, sizeof none);
        t->index = (uint16_t)l->timers.count;
        PUSH(l, timers, struct assay_timer,
             {.name = t->name,
              .event = t->event->index,
              .after = assay_gen_value(l, t->after),
              .states = states,
              .restart = t->restart,
              .early = t->early,
              .late = t->late});
    }
    ((struct assay_machine *)l->machines.items)[m->index].timers = range;
}

/* ---- transitions ------------------------------------------------------- */

static bool takes(const struct spec_list *events, uint16_t event)
{
    SPEC_EACH (struct spec_event, e, events)
        if (e->index == event)
            return true;
    return false;
}

static void collect(struct lower *l, const struct spec_list *rules, uint16_t event, struct table *into)
{
    SPEC_EACH (struct spec_rule, r, rules)
        if (takes(&r->events, event))
            assay_push(l, into, &r->index, sizeof r->index);
}

static void collect_calls(struct lower *l, const struct table *calls, uint16_t state, bool plain, uint16_t event,
                          struct table *into)
{
    const struct call_rule *rules = calls->items;
    for (size_t i = 0; i < calls->count; i++) {
        bool here = rules[i].state == state || (plain && rules[i].state == ASSAY_NONE);
        bool this_event = rules[i].events ? takes(rules[i].events, event) : rules[i].event == event;
        if (here && this_event)
            assay_push(l, into, &rules[i].rule, sizeof rules[i].rule);
    }
}

/* The place of a list of rules, behind which ASSAY_NONE stands; equal lists share one. */
static uint16_t list_place(struct lower *l, const struct table *list)
{
    const uint16_t *all = l->rule_lists.items, *own = list->items;
    for (size_t at = 0; at + list->count < l->rule_lists.count; at++) {
        size_t n = 0;
        while (n < list->count && all[at + n] == own[n])
            n++;
        if (n == list->count && all[at + n] == ASSAY_NONE)
            return (uint16_t)at;
    }
    uint16_t at = (uint16_t)l->rule_lists.count;
    for (size_t i = 0; i < list->count; i++)
        assay_push(l, &l->rule_lists, &own[i], sizeof own[i]);
    assay_push(l, &l->rule_lists, &none, sizeof none);
    return at;
}

static void transitions(struct lower *l, const struct spec_machine *m, const struct spec_state *s, uint16_t state,
                        const struct table *calls)
{
    for (uint16_t event = 0; event < l->events.count; event++) {
        struct table list = {0};
        if (s && s->kind == ASSAY_STATE_PLAIN) {
            collect(l, &s->rules, event, &list);
            collect(l, &m->any, event, &list);
        }
        collect_calls(l, calls, state, s && s->kind == ASSAY_STATE_PLAIN, event, &list);
        uint16_t place = list.count ? list_place(l, &list) : ASSAY_NONE;
        assay_push(l, &l->transitions, &place, sizeof place);
    }
}

static void lower_transitions(struct lower *l, const struct spec_machine *m, const struct table *calls)
{
    struct assay_range states = ((struct assay_machine *)l->machines.items)[m->index].states;
    for (uint16_t i = 0; i < states.count; i++) {
        const struct spec_state *plain = NULL;
        SPEC_EACH (struct spec_state, s, &m->states)
            plain = s->index == states.first + i ? s : plain;
        transitions(l, m, plain, (uint16_t)(states.first + i), calls);
    }
}

/* ---- all --------------------------------------------------------------- */

static struct assay_reconnect lower_reconnect(struct lower *l, const struct spec_machine *m)
{
    const struct spec_reconnect *r = &m->reconnect;
    return (struct assay_reconnect){.pause = assay_gen_value(l, r->pause),
                                    .growth = r->pause ? r->growth : 100,
                                    .most = (uint32_t)r->most,
                                    .cap = r->cap,
                                    .early = r->early,
                                    .late = r->late};
}

static bool keeps_nothing(const struct spec_machine *m)
{
    SPEC_EACH (struct spec_rule, r, &m->rules)
        if (r->stateless)
            return true;
    return false;
}

static void lower_machine(struct lower *l, struct spec_machine *m, uint16_t **waits)
{
    struct table calls = {0};
    m->index = PUSH(l, machines, struct assay_machine,
                    {.name = m->name, .role = m->role, .session = ASSAY_NONE, .first_number = ASSAY_NONE});
    struct assay_reconnect reconnect = lower_reconnect(l, m);
    struct assay_machine *lowered = (struct assay_machine *)l->machines.items + m->index;
    lowered->reconnect = reconnect;
    lowered->frame_in = m->in->index;
    lowered->frame_out = m->out->index;
    lower_states(l, m, waits);
    lower_vars(l, m);
    lower_inits(l, m);
    lower_timers(l, m);
    uint16_t first_number = assay_gen_value(l, m->first_number);
    ((struct assay_machine *)l->machines.items)[m->index].first_number = first_number;
    uint16_t first = (uint16_t)l->rules.count;
    uint64_t guards = 0, most = 0;
    SPEC_EACH (struct spec_rule, r, &m->rules) {
        lower_rule(l, r, m);
        uint64_t n = assay_rule_scratch(l, r);
        most = n > most ? n : most;
        guards += assay_scratch_max(r->guard);
    }
    SPEC_EACH (struct spec_message, msg, &l->spec->messages) {
        uint64_t n = assay_coding_scratch(l, msg);
        assay_need_scratch(l, 1024 + n + most + guards);
    }
    SPEC_EACH (struct spec_log, log, &l->spec->logs)
        if (log->follow && log->follow->machine == m)
            lower_row_rule(l, log, &calls);
    SPEC_EACH (struct spec_call, call, &l->spec->calls)
        if (call->machine == m)
            lower_call_rules(l, call, m, waits[call->index], &calls);
    lowered = (struct assay_machine *)l->machines.items + m->index;
    lowered->rules = (struct assay_range){first, (uint16_t)(l->rules.count - first)};
    lowered->start = m->start->index;
    lowered->session = m->session ? m->session->index : ASSAY_NONE;
    lowered->stateless = keeps_nothing(m);
    lower_transitions(l, m, &calls);
}

void assay_lower_machines(struct lower *l)
{
    uint16_t **waits = assay_arena_alloc(&l->spec->arena, (l->spec->calls.count + 1) * sizeof(uint16_t *));
    SPEC_EACH (struct spec_machine, m, &l->spec->machines)
        lower_machine(l, m, waits);
}

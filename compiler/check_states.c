/* State x event: every event finds a rule, every rule finds an event, every state has a way in and a way out. */
#include <string.h>

#include "compiler/check.h"
#include "compiler/lower.h"
#include "compiler/types.h"

/* ---- which rules are tried --------------------------------------------- */

bool assay_rule_takes(const struct spec_rule *rule, const struct spec_event *event)
{
    SPEC_EACH (struct spec_event, e, &rule->events)
        if (e == event)
            return true;
    return false;
}

static size_t add_tried(const struct spec_list *rules, const struct spec_event *event,
                        struct spec_rule *tried[TRIED_MAX], size_t count)
{
    SPEC_EACH (struct spec_rule, rule, rules)
        if (count < TRIED_MAX && assay_rule_takes(rule, event))
            tried[count++] = rule;
    return count;
}

size_t assay_rules_tried(const struct spec_machine *machine, const struct spec_state *state,
                         const struct spec_event *event, struct spec_rule *tried[TRIED_MAX])
{
    size_t count = add_tried(&state->rules, event, tried, 0);
    return add_tried(&machine->any, event, tried, count);
}

/* ---- what surely takes an event ---------------------------------------- */

static const struct spec_given *only_pattern(const struct spec_rule *rule)
{
    return !rule->guard && rule->pattern.count == 1 ? rule->pattern.items[0] : NULL;
}

static bool pattern_has(const struct spec_given *given, int64_t value)
{
    int64_t v;
    if (assay_expr_number(given->value, &v))
        return v == value;
    if (given->value->kind != SPEC_E_LIST)
        return false;
    for (size_t i = 0; i < given->value->count; i++)
        if (assay_expr_number(given->value->args[i], &v) && v == value)
            return true;
    return false;
}

static bool some_pattern_has(struct spec_rule *const tried[], size_t count, const struct spec_field *field,
                             int64_t value)
{
    for (size_t i = 0; i < count; i++) {
        const struct spec_given *given = only_pattern(tried[i]);
        if (given && given->field == field && pattern_has(given, value))
            return true;
    }
    return false;
}

/* All values of a closed enum, or both of a bool, each in a pattern without a guard. */
static bool patterns_cover(struct spec_rule *const tried[], size_t count, const struct spec_field *field)
{
    const struct spec_type *type = field ? field->type : NULL;
    if (!type || assay_may_lack(field))
        return false;
    if (type->kind == ASSAY_T_BOOL)
        return some_pattern_has(tried, count, field, 0) && some_pattern_has(tried, count, field, 1);
    if (type->kind != ASSAY_T_ENUM || !type->of || type->of->open)
        return false;
    SPEC_EACH (struct spec_enum_item, item, &type->of->items)
        if (!some_pattern_has(tried, count, field, item->value))
            return false;
    return true;
}

static bool surely_taken(struct spec_rule *const tried[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (assay_rule_always(tried[i]))
            return true;
    for (size_t i = 0; i < count; i++) {
        const struct spec_given *given = only_pattern(tried[i]);
        if (given && patterns_cover(tried, count, given->field))
            return true;
    }
    return false;
}

/* ---- what can happen in a state ---------------------------------------- */

static bool timer_runs(const struct spec_timer *timer, const struct spec_state *state)
{
    SPEC_EACH (struct spec_state, s, &timer->states)
        if (s == state)
            return true;
    return timer->states.count == 0;
}

static bool holds_bytes(const struct spec_machine *machine)
{
    SPEC_EACH (struct spec_var, var, &machine->vars)
        if (assay_kind_is_bytes(var->type->kind) || var->type->kind == ASSAY_T_LIST)
            return true;
    return false;
}

static bool sets_bytes(const struct spec_list *actions)
{
    if (actions)
        SPEC_EACH (struct spec_action, a, actions) {
            if (a->kind == SPEC_A_SET)
                SPEC_EACH (struct spec_given, given, &a->given)
                    if (given->var && given->var->type->kind >= ASSAY_T_BYTES && given->var->type->kind <= ASSAY_T_LIST)
                        return true;
            if (sets_bytes(a->body) || sets_bytes(a->otherwise))
                return true;
        }
    return false;
}

/* no-room: somewhere in this state bytes are stored, or a message is sent for which the window can be full. */
static bool room_can_end(const struct spec_machine *machine, const struct spec_state *state)
{
    bool bytes = holds_bytes(machine);
    SPEC_EACH (struct spec_rule, rule, &machine->rules)
        if ((!rule->state || rule->state == state) &&
            ((bytes && sets_bytes(&rule->body)) || assay_sends_reliable(&rule->body)))
            return true;
    return false;
}

struct machine_check {
    struct assay_spec *spec;
    struct spec_machine *machine;
    bool *feasible;
    bool *reached; /* by position in machine->states */
    bool *leaves;  /* has a way to End */
};

static bool can_happen(const struct machine_check *c, const struct spec_state *state, const struct spec_event *event)
{
    if (event->kind == ASSAY_EVK_TIMER)
        return event->timer && timer_runs(event->timer, state);
    if (event->kind == ASSAY_EVK_CALL || event->kind > ASSAY_EVK_CALL)
        return false;
    if (event->index == ASSAY_EV_NO_ROOM && event->kind == ASSAY_EVK_BUILTIN)
        return room_can_end(c->machine, state);
    return c->feasible[event->index];
}

/* ---- totality ---------------------------------------------------------- */

static bool optional(const struct spec_event *event)
{
    return event->kind == ASSAY_EVK_BUILTIN && (event->index == ASSAY_EV_CONNECT || event->index == ASSAY_EV_SHUTDOWN);
}

static void check_total_event(const struct machine_check *c, const struct spec_state *state,
                              const struct spec_event *event)
{
    struct spec_rule *tried[TRIED_MAX];
    size_t count = assay_rules_tried(c->machine, state, event, tried);
    if (surely_taken(tried, count))
        return;
    const char *kind = event->kind == ASSAY_EVK_MESSAGE ? "message"
                       : event->kind == ASSAY_EVK_TIMER ? "timer"
                                                        : "event";
    if (count == 0)
        assay_spec_error(c->spec, state->at, "state %s: no rule takes the %s '%s'; add one here or in \"*\"",
                         state->name, kind, event->name);
    else
        assay_spec_error(c->spec, state->at,
                         "state %s: every rule for the %s '%s' has a condition; add one without behind them (line %u)",
                         state->name, kind, event->name, tried[count - 1]->at.line);
}

/* What a client's rules leave goes to calls, or ends them with `protocol`; only its timers need rules. */
static void check_total(const struct machine_check *c)
{
    bool server = c->machine->role & ASSAY_SERVER;
    SPEC_EACH (struct spec_state, state, &c->machine->states) {
        if (state->kind != ASSAY_STATE_PLAIN)
            continue;
        SPEC_EACH (struct spec_event, event, &c->spec->events)
            if (can_happen(c, state, event) && !optional(event) && (server || event->kind == ASSAY_EVK_TIMER))
                check_total_event(c, state, event);
    }
}

/* ---- reachability ------------------------------------------------------ */

static size_t position(const struct spec_machine *machine, const struct spec_state *state)
{
    for (size_t i = 0; i < machine->states.count; i++)
        if (machine->states.items[i] == state)
            return i;
    return 0;
}

static void follow(const struct machine_check *c, const struct spec_list *actions, bool *to)
{
    if (!actions)
        return;
    SPEC_EACH (struct spec_action, a, actions) {
        if (a->kind == SPEC_A_GOTO && a->state)
            to[position(c->machine, a->state)] = true;
        if (a->kind == SPEC_A_ABORT || a->kind == SPEC_A_CLOSE)
            to[position(c->machine, c->machine->end)] = true;
        follow(c, a->body, to);
        follow(c, a->otherwise, to);
        SPEC_EACH (struct spec_way, way, &a->ways)
            follow(c, &way->body, to);
    }
}

/* Where the rules lead that can be taken in a state. */
static void successors(const struct machine_check *c, const struct spec_state *state, bool *to)
{
    SPEC_EACH (struct spec_event, event, &c->spec->events) {
        struct spec_rule *tried[TRIED_MAX];
        size_t count = can_happen(c, state, event) ? assay_rules_tried(c->machine, state, event, tried) : 0;
        for (size_t i = 0; i < count; i++) {
            follow(c, &tried[i]->body, to);
            follow(c, tried[i]->otherwise, to);
            SPEC_EACH (struct spec_way, way, &tried[i]->may)
                follow(c, &way->body, to);
            if (assay_rule_always(tried[i]))
                break;
        }
    }
}

/* Calls of a client move its machine, too: whatever they go to is reached. */
static void follow_calls(const struct machine_check *c)
{
    SPEC_EACH (struct spec_call, call, &c->spec->calls)
        SPEC_EACH (struct spec_step, step, &call->steps) {
            if (call->machine != c->machine)
                break;
            struct spec_list one = {.items = (void *[]){step->action}, .count = step->action != NULL};
            follow(c, &one, c->reached);
            if (step->await)
                SPEC_EACH (struct spec_await_way, way, &step->await->ways)
                    follow(c, &way->body, c->reached);
            SPEC_EACH (struct spec_rule, rule, &step->expect)
                follow(c, &rule->body, c->reached);
        }
}

static void explore(struct machine_check *c)
{
    size_t n = c->machine->states.count;
    bool *edges = assay_arena_alloc(&c->spec->arena, n * n + 1);
    for (size_t i = 0; i < n; i++)
        if (c->machine->states.items[i] != c->machine->end)
            successors(c, c->machine->states.items[i], edges + i * n);
    c->reached[position(c->machine, c->machine->start)] = true;
    c->leaves[position(c->machine, c->machine->end)] = true;
    follow_calls(c);
    for (size_t round = 0; round < n; round++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                c->reached[j] = c->reached[j] || (c->reached[i] && edges[i * n + j]);
                c->leaves[i] = c->leaves[i] || (edges[i * n + j] && c->leaves[j]);
            }
}

static void check_reachable(struct machine_check *c)
{
    explore(c);
    for (size_t i = 0; i < c->machine->states.count; i++) {
        const struct spec_state *state = c->machine->states.items[i];
        if (state->kind != ASSAY_STATE_PLAIN)
            continue;
        if (!c->reached[i])
            assay_spec_error(c->spec, state->at, "state %s is never reached: nothing that can be reached goes to it",
                             state->name);
        else if (!c->leaves[i] && (c->machine->role & ASSAY_SERVER) && !c->machine->datagram)
            assay_spec_error(c->spec, state->at, "state %s has no way to End: a session in it would stay for ever",
                             state->name);
    }
}

/* ---- shadowed rules ---------------------------------------------------- */

static bool same_condition(const struct spec_rule *x, const struct spec_rule *y)
{
    if (x->pattern.count != y->pattern.count || !assay_expr_same(x->guard, y->guard))
        return false;
    for (size_t i = 0; i < x->pattern.count; i++) {
        const struct spec_given *a = x->pattern.items[i], *b = y->pattern.items[i];
        if (a->field != b->field || !assay_expr_same(a->value, b->value))
            return false;
    }
    return true;
}

/* The earlier rule that leaves nothing for this one here; NULL: it can be taken. */
static const struct spec_rule *shadow(struct spec_rule *const tried[], const struct spec_rule *rule)
{
    for (size_t i = 0; tried[i] != rule; i++)
        if (assay_rule_always(tried[i]) || same_condition(tried[i], rule))
            return tried[i];
    return NULL;
}

/* Whether the rule has a chance in a state, for some event that can happen; else why not. */
static bool has_chance(const struct machine_check *c, const struct spec_rule *rule, const struct spec_state *state,
                       const struct spec_rule **by, bool *happens)
{
    SPEC_EACH (struct spec_event, event, &rule->events) {
        struct spec_rule *tried[TRIED_MAX];
        bool chance = can_happen(c, state, event) || optional(event) || event->kind > ASSAY_EVK_CALL;
        size_t count = assay_rules_tried(c->machine, state, event, tried);
        if (!chance || count == 0)
            continue;
        *happens = true;
        const struct spec_rule *first = shadow(tried, rule);
        if (!first)
            return true;
        *by = first;
    }
    return false;
}

static bool in_same_place(const struct spec_rule *x, const struct spec_rule *y)
{
    return x->at.line == y->at.line && x->at.column == y->at.column;
}

/* A rule of the file can be several here; it is in vain only if all of them are. */
static bool line_has_chance(const struct machine_check *c, const struct spec_rule *rule, const struct spec_rule **by,
                            bool *happens)
{
    SPEC_EACH (struct spec_rule, r, &c->machine->rules) {
        if (!in_same_place(r, rule))
            continue;
        SPEC_EACH (struct spec_state, state, &c->machine->states)
            if (state->kind == ASSAY_STATE_PLAIN && (!r->state || r->state == state) &&
                has_chance(c, r, state, by, happens))
                return true;
    }
    return false;
}

static bool first_of_line(const struct machine_check *c, const struct spec_rule *rule)
{
    SPEC_EACH (struct spec_rule, r, &c->machine->rules)
        if (in_same_place(r, rule))
            return r == rule;
    return true;
}

static const char *events_of(const struct machine_check *c, const struct spec_rule *rule)
{
    const char *text = "";
    SPEC_EACH (struct spec_event, event, &rule->events)
        text = assay_arena_printf(&c->spec->arena, "%s%s'%s'", text, *text ? ", " : "", event->name);
    return text;
}

/* In another role, or on other transports, the same rule may be taken. */
static bool elsewhere_has_chance(const struct machine_check *c, const struct spec_rule *rule)
{
    const struct spec_rule *by;
    bool happens;
    SPEC_EACH (struct spec_machine, other, &c->spec->machines) {
        struct machine_check there = {c->spec, other, NULL, NULL, NULL};
        if (other == c->machine || other->node != c->machine->node)
            continue;
        there.feasible = assay_feasible(c->spec, other);
        SPEC_EACH (struct spec_rule, r, &other->rules)
            if (in_same_place(r, rule) && line_has_chance(&there, r, &by, &happens))
                return true;
    }
    return false;
}

static void check_rule_chance(const struct machine_check *c, const struct spec_rule *rule)
{
    const struct spec_rule *by = NULL;
    bool happens = false;
    if (!first_of_line(c, rule) || line_has_chance(c, rule, &by, &happens) || elsewhere_has_chance(c, rule))
        return;
    if (happens && by->at.line != rule->at.line)
        assay_spec_error(c->spec, rule->at, "this rule is never taken: the one in line %u always comes before it",
                         by->at.line);
    else if (!happens && rule->events.count)
        assay_spec_warning(c->spec, rule->at, "this rule is never taken: nothing can raise %s here",
                           events_of(c, rule));
}

/* ---- all --------------------------------------------------------------- */

static void check_machine(struct assay_spec *spec, struct spec_machine *machine)
{
    struct machine_check c = {spec, machine, assay_feasible(spec, machine),
                              assay_arena_alloc(&spec->arena, machine->states.count + 1),
                              assay_arena_alloc(&spec->arena, machine->states.count + 1)};
    if (!machine->start || !machine->end)
        return;
    check_total(&c);
    check_reachable(&c);
    SPEC_EACH (struct spec_rule, rule, &machine->rules)
        check_rule_chance(&c, rule);
}

void assay_check_states(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_machine, machine, &spec->machines)
        if (!machine->implicit)
            check_machine(spec, machine);
}

/* Calls: what a client offers to applications. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

enum { C_TEXT, C_ARGS, C_RESULTS, C_WITHIN, C_STEPS, C_OPENS, C_TRIES, C_REQ, C_KEYS };
static const struct shape_key call_keys[C_KEYS] = {
    [C_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [C_ARGS] = {"args", SHAPE_MAPPING, NULL},
    [C_RESULTS] = {"results", SHAPE_MAPPING, NULL},
    [C_WITHIN] = {"within", SHAPE_SCALAR, NULL},
    [C_STEPS] = {"steps", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
    [C_OPENS] = {"opens", SHAPE_MAPPING, NULL},
    [C_REQ] = {"req", SHAPE_SCALAR, NULL},
    [C_TRIES] = {"tries", SHAPE_ANY | SHAPE_DECLARED, "calls that try again"},
};

static void read_call(struct assay_spec *spec, const struct assay_node *node)
{
    const struct assay_node *of[C_KEYS];
    struct spec_call *call = ASSAY_NEW(&spec->arena, struct spec_call);
    *call = (struct spec_call){.at = node->key->at, .name = node->key->text, .index = (uint16_t)spec->calls.count};
    assay_list_add(spec, &spec->calls, call);
    assay_read_name(spec, call->name, call->at, "a call");
    if (!assay_shape(spec, node, "a call", call_keys, C_KEYS, of))
        return;
    static const struct shape_key opens_keys[] = {{"over", SHAPE_SCALAR, NULL}, {"machine", SHAPE_SCALAR, NULL}};
    const struct assay_node *opens[2];
    if (of[C_OPENS] && assay_shape(spec, of[C_OPENS], "opens", opens_keys, 2, opens))
        call->opens = of[C_OPENS];
    call->text = of[C_TEXT] ? of[C_TEXT]->text : NULL;
    call->req = assay_read_req(spec, of[C_REQ]);
    call->within = assay_read_duration(spec, of[C_WITHIN], 0);
    assay_read_params(spec, of[C_ARGS], &call->args, "an argument");
    assay_read_params(spec, of[C_RESULTS], &call->results, "a result");
    uint16_t slot = 0;
    SPEC_EACH (struct spec_param, p, &call->args)
        p->slot = slot++;
    if (call->args.count > ASSAY_SLOTS_MAX)
        assay_spec_error(spec, call->at, "more than %d arguments", ASSAY_SLOTS_MAX);
}

void assay_read_calls(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_call(spec, child);
}

/* ---- steps ------------------------------------------------------------- */

enum {
    S_SEND,
    S_EXPECT,
    S_SET,
    S_GOTO,
    S_RESULT,
    S_LET,
    S_WITHIN,
    S_IF,
    S_THEN,
    S_START,
    S_AWAIT,
    S_RETURN,
    S_CLOSE,
    S_AS,
    S_ELSE,
    S_DO,
    S_TELL,
    S_PUT,
    S_REMOVE,
    S_EACH,
    S_REPEAT,
    S_KEYS
};
#define D SHAPE_ANY | SHAPE_DECLARED
static const struct shape_key step_keys[S_KEYS] = {
    [S_SEND] = {"send", SHAPE_MAPPING | SHAPE_SEQUENCE, NULL},
    [S_EXPECT] = {"expect", SHAPE_SEQUENCE | SHAPE_MAPPING, NULL},
    [S_SET] = {"set", SHAPE_MAPPING, NULL},
    [S_GOTO] = {"goto", SHAPE_SCALAR, NULL},
    [S_RESULT] = {"result", SHAPE_MAPPING, NULL},
    [S_LET] = {"let", D, "names in the steps of calls"},
    [S_WITHIN] = {"within", D, "a time for one step of a call"},
    [S_IF] = {"if", SHAPE_SCALAR, NULL},
    [S_THEN] = {"then", SHAPE_SEQUENCE, NULL},
    [S_START] = {"start", D, "calls that start an exchange"},
    [S_AWAIT] = {"await", SHAPE_MAPPING, NULL},
    [S_RETURN] = {"return", D, NULL},
    [S_CLOSE] = {"close", SHAPE_SCALAR, NULL},
    [S_AS] = {"as", SHAPE_SCALAR, NULL},
    [S_ELSE] = {"else", SHAPE_SEQUENCE, NULL},
    [S_DO] = {"do", D, "effects in steps of calls"},
    [S_TELL] = {"tell", D, "signals"},
    [S_PUT] = {"put", D, "tables"},
    [S_REMOVE] = {"remove", D, "tables"},
    [S_EACH] = {"each", D, NULL},
    [S_REPEAT] = {"repeat", D, NULL},
};

static struct spec_step *step_new(struct body_context *c, struct assay_at at)
{
    struct spec_step *s = ASSAY_NEW(&c->spec->arena, struct spec_step);
    s->at = at;
    assay_list_add(c->spec, &c->call->steps, s);
    return s;
}

static void read_expect(struct body_context *c, const struct assay_node *node)
{
    struct spec_step *s = step_new(c, node->at);
    if (node->kind == ASSAY_NODE_MAPPING)
        assay_read_rule(c, node, NULL, &s->expect);
    else
        ASSAY_CHILDREN (child, node)
            assay_read_rule(c, child, NULL, &s->expect);
}

/* ---- waiting ----------------------------------------------------------- */

/* `or: {STATE: ERROR}` */
static void read_ways(struct body_context *c, struct spec_await *w, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_await_way *way = ASSAY_NEW(&c->spec->arena, struct spec_await_way);
        const struct assay_node *body[B_KEYS] = {[B_ERROR] = child};
        way->state = assay_find_state(c->spec, c->machine, child->key);
        if (assay_shape_is(c->spec, child, SHAPE_SCALAR | SHAPE_MAPPING, "an error"))
            assay_read_body(c, body, &way->body);
        assay_list_add(c->spec, &w->ways, way);
    }
}

static void read_delivered(struct body_context *c, struct spec_await *w, const struct assay_node *node)
{
    w->all = assay_node_is(node, "all");
    if (!c->spec->reliable)
        assay_spec_error(c->spec, node->at, "'delivered' asks for acknowledgements, and the spec has no 'reliable'");
    else if (!w->all && !c->call->kept)
        assay_spec_error(c->spec, node->at, "nothing that this call sent is kept as '%s'", node->text);
    else if (!w->all && strcmp(c->call->kept, node->text) != 0)
        assay_spec_error(c->spec, node->at, "what this call kept last is '%s', not '%s'", c->call->kept, node->text);
}

static void read_await(struct body_context *c, const struct assay_node *node)
{
    static const struct shape_key keys[] = {
        {"state", SHAPE_SCALAR, NULL}, {"delivered", SHAPE_SCALAR, NULL}, {"or", SHAPE_MAPPING, NULL}};
    const struct assay_node *of[3];
    if (!assay_shape(c->spec, node, "await", keys, 3, of))
        return;
    struct spec_await *w = ASSAY_NEW(&c->spec->arena, struct spec_await);
    w->at = node->at;
    if (!of[0] == !of[1])
        assay_spec_error(c->spec, node->at, "'await' waits for a 'state', or for what is 'delivered'");
    else if (of[0])
        w->state = assay_find_state(c->spec, c->machine, of[0]);
    else
        read_delivered(c, w, of[1]);
    read_ways(c, w, of[2]);
    step_new(c, node->at)->await = w;
}

/* `as`: what this step sends is what `delivered` will ask for. */
static void read_as(struct body_context *c, const struct assay_node *node, const struct assay_node *send)
{
    const struct spec_step *last = c->call->steps.count ? c->call->steps.items[c->call->steps.count - 1] : NULL;
    const struct spec_action *a = last ? last->action : NULL;
    assay_read_name(c->spec, node->text, node->at, "what was sent");
    c->call->kept = node->text;
    if (!send || !a || a->kind != SPEC_A_SEND || !a->message) {
        if (!send)
            assay_spec_error(c->spec, node->key->at, "'as' goes with 'send': it keeps what was sent");
        return;
    }
    if (!a->message->reliable)
        assay_spec_error(c->spec, node->at, "%s is not among the messages of 'reliable': it is not acknowledged",
                         a->message->name);
    struct spec_action *mark = ASSAY_NEW(&c->spec->arena, struct spec_action);
    *mark = (struct spec_action){.kind = SPEC_A_MARK, .at = node->at};
    step_new(c, node->at)->action = mark;
}

/* ---- all steps --------------------------------------------------------- */

/* The keys of a step that are the same in the body of a rule. */
static void read_actions(struct body_context *c, const struct assay_node *const *of, struct assay_at at)
{
    static const unsigned same[][2] = {
        {S_SEND, B_SEND}, {S_SET, B_SET}, {S_RESULT, B_RESULT}, {S_GOTO, B_GOTO}, {S_CLOSE, B_CLOSE}};
    const struct assay_node *body[B_KEYS] = {0};
    struct spec_list actions = {0};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        body[same[i][1]] = of[same[i][0]];
    assay_read_body(c, body, &actions);
    SPEC_EACH (struct spec_action, a, &actions)
        step_new(c, at)->action = a;
}

/* Steps that do something and do not wait. */
static bool only_actions(const struct assay_node *steps)
{
    static const char *const keys[] = {"send", "set", "if", "then", "else"};
    ASSAY_CHILDREN (step, steps)
        ASSAY_CHILDREN (child, step) {
            bool known = false;
            for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
                known = known || strcmp(child->key->text, keys[i]) == 0;
            bool nested = strcmp(child->key->text, "then") == 0 || strcmp(child->key->text, "else") == 0;
            if (!known || (nested && !only_actions(child)))
                return false;
        }
    return true;
}

/* {if, then, else} around sends and sets; anything else in it is declared only. */
static void read_if(struct body_context *c, const struct assay_node *node, const struct assay_node *const *of)
{
    struct spec_list actions = {0};
    static const unsigned alone[] = {S_SEND, S_EXPECT, S_SET, S_GOTO, S_RESULT, S_CLOSE};
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
        if (of[alone[i]])
            assay_spec_error(c->spec, of[alone[i]]->key->at, "'%s' is a step of its own: put it under 'then'",
                             of[alone[i]]->key->text);
    if (!of[S_IF] || !of[S_THEN]) {
        assay_spec_error(c->spec, node->at, "a step with a condition is {if: ..., then: [...]}, and 'else'");
        return;
    }
    if (!only_actions(of[S_THEN]) || !only_actions(of[S_ELSE])) {
        assay_spec_declared(c->spec, of[S_IF]->key->at, "conditional steps other than sends and sets");
        c->scope.open = true;
        return;
    }
    assay_read_actions(c, node, &actions);
    SPEC_EACH (struct spec_action, a, &actions)
        step_new(c, node->at)->action = a;
}

static void read_step(struct body_context *c, const struct assay_node *node)
{
    const struct assay_node *of[S_KEYS];
    if (node->kind == ASSAY_NODE_SCALAR && strcmp(node->text, "close") == 0) {
        struct spec_action *a = ASSAY_NEW(&c->spec->arena, struct spec_action);
        *a = (struct spec_action){.kind = SPEC_A_GOTO, .at = node->at, .state = c->machine->end};
        step_new(c, node->at)->action = a;
        return;
    }
    if (!assay_shape(c->spec, node, "a step", step_keys, S_KEYS, of))
        return;
    if (of[S_IF] || of[S_THEN] || of[S_ELSE]) {
        read_if(c, node, of);
        return;
    }
    static const unsigned opening[] = {S_LET, S_START};
    for (size_t i = 0; i < sizeof opening / sizeof opening[0]; i++)
        c->scope.open = c->scope.open || of[opening[i]];
    bool declared = assay_machines_declared(c->spec);
    if (declared && of[S_AWAIT])
        assay_spec_declared(c->spec, of[S_AWAIT]->key->at, "calls that wait for an exchange");
    if (declared && of[S_AS])
        assay_spec_declared(c->spec, of[S_AS]->key->at, "keeping what was sent");
    bool send_last = of[S_SEND] && !of[S_RESULT] && !of[S_GOTO] && !of[S_CLOSE];
    if (of[S_AS] && of[S_SEND] && !send_last && !declared)
        assay_spec_error(c->spec, of[S_AS]->key->at, "'as' stands in a step that does nothing behind its 'send'");
    read_actions(c, of, node->at);
    if (of[S_AS] && !declared)
        read_as(c, of[S_AS], of[S_SEND]);
    if (of[S_EXPECT])
        read_expect(c, of[S_EXPECT]);
    if (of[S_AWAIT] && !declared)
        read_await(c, of[S_AWAIT]);
}

static bool has_result(const struct spec_list *actions)
{
    SPEC_EACH (struct spec_action, a, actions)
        if (a->kind == SPEC_A_RESULT)
            return true;
    return false;
}

/* Whether some way through the last steps gives the results: a step behind the last expect, or an alternative of it. */
static bool gives_results(const struct spec_call *call)
{
    bool gives = false;
    SPEC_EACH (struct spec_step, step, &call->steps) {
        if (step->action) {
            gives = gives || step->action->kind == SPEC_A_RESULT;
            continue;
        }
        gives = false;
        SPEC_EACH (struct spec_rule, r, &step->expect)
            gives = gives || has_result(&r->body);
    }
    return gives;
}

/* A call whose results are never given would end with nothing in them. */
static void check_results(struct body_context *c)
{
    const struct spec_call *call = c->call;
    if (call->results.count > 0 && !c->scope.open && !gives_results(call))
        assay_spec_error(c->spec, call->at, "the call ends without its results: say 'result' in the last step");
}

static void read_steps(struct assay_spec *spec, struct spec_call *call, const struct assay_node *node, bool open)
{
    struct body_context c = {.spec = spec, .machine = call->machine, .call = call};
    if (!call->machine)
        return;
    c.scope = (struct spec_scope){.machine = call->machine, .call = call, .params = true, .open = open};
    c.next_slot = (uint16_t)call->args.count;
    ASSAY_CHILDREN (child, node)
        read_step(&c, child);
    check_results(&c);
}

void assay_read_steps(struct assay_spec *spec, const struct assay_node *node)
{
    SPEC_EACH (struct spec_call, call, &spec->calls) {
        const struct assay_node *own = assay_node_get(node, call->name);
        bool open = assay_machines_declared(spec);
        read_steps(spec, call, assay_node_get(own, "steps"), open);
    }
}

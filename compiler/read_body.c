/* Bodies of rules: let, do, set, send, goto and what stands around them. */
#include <string.h>

#include "compiler/scope.h"
#include "compiler/types.h"

#define D SHAPE_ANY | SHAPE_DECLARED
const struct shape_key assay_body_keys[B_KEYS] = {
    [B_LET] = {"let", SHAPE_MAPPING, NULL},
    [B_DO] = {"do", SHAPE_MAPPING | SHAPE_SEQUENCE, NULL},
    [B_SET] = {"set", SHAPE_MAPPING, NULL},
    [B_SEND] = {"send", SHAPE_MAPPING | SHAPE_SEQUENCE, NULL},
    [B_RESULT] = {"result", SHAPE_MAPPING, NULL},
    [B_ERROR] = {"error", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [B_GOTO] = {"goto", SHAPE_SCALAR, NULL},
    [B_CLOSE] = {"close", SHAPE_SCALAR, NULL},
    [B_THEN] = {"then", SHAPE_SEQUENCE, NULL},
    [B_IGNORE] = {"ignore", SHAPE_SCALAR, NULL},
    [B_DROP] = {"drop", SHAPE_SCALAR, NULL},
    [B_TIMER] = {"timer", SHAPE_MAPPING, NULL},
    [B_IF] = {"if", SHAPE_SCALAR, NULL},
    [B_ELSE] = {"else", SHAPE_MAPPING | SHAPE_SEQUENCE, NULL},
    [B_CHOOSE] = {"choose", SHAPE_SEQUENCE, NULL},
    [B_MAYBE] = {"maybe", SHAPE_SEQUENCE, NULL},
    [B_REQ] = {"req", SHAPE_SCALAR, NULL},
    [B_LEVEL] = {"level", SHAPE_SCALAR, NULL},
    [B_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [B_NAME] = {"name", SHAPE_SCALAR, NULL},
    [B_WHEN] = {"when", SHAPE_ANY, NULL},
    [B_MAY] = {"may", SHAPE_SEQUENCE, NULL},
    [B_LANE] = {"lane", D, NULL},
    [B_TO] = {"to", D, "sending to another instance"},
    [B_AS] = {"as", D, "keeping what was sent"},
    [B_SCOPE] = {"scope", D, "a choice once for a target"},
    [B_TELL] = {"tell", D, "signals"},
    [B_START] = {"start", D, "instances at several levels"},
    [B_ATTACH] = {"attach", D, "instances at several levels"},
    [B_DETACH] = {"detach", D, "instances at several levels"},
    [B_PUT] = {"put", SHAPE_MAPPING, NULL},
    [B_EACH] = {"each", D, NULL},
    [B_REPEAT] = {"repeat", D, NULL},
    [B_MANY] = {"many", D, NULL},
    [B_AGAIN] = {"again", D, NULL},
    [B_SETTLE] = {"settle", D, NULL},
    [B_UNDEFINED] = {"undefined", D, "inputs that are left undefined"},
    [B_STATELESS] = {"stateless", SHAPE_SCALAR, NULL},
    [B_REMOVE] = {"remove", D, "tables"},
    [B_PASS] = {"pass", D, NULL},
    [B_NEEDS] = {"needs", D, "features"},
    [B_DECLINE] = {"decline", SHAPE_SCALAR, NULL},
};

struct spec_action *assay_action_new(struct body_context *c, enum spec_action_kind kind, struct assay_at at,
                                     struct spec_list *into)
{
    struct spec_action *a = ASSAY_NEW(&c->spec->arena, struct spec_action);
    a->kind = kind;
    a->at = at;
    assay_list_add(c->spec, into, a);
    return a;
}

struct spec_expr *assay_read_expr(struct body_context *c, const struct assay_node *node, const struct spec_type *type)
{
    struct spec_expr *e = assay_expr_parse(c->spec, node);
    return e && assay_expr_resolve(c->spec, e, &c->scope, type) ? e : NULL;
}

struct spec_given *assay_given_new(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    struct spec_given *g = ASSAY_NEW(&c->spec->arena, struct spec_given);
    g->at = node->key->at;
    g->name = node->key->text;
    assay_list_add(c->spec, into, g);
    return g;
}

/* ---- let --------------------------------------------------------------- */

static void read_lets(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_let *let = ASSAY_NEW(&c->spec->arena, struct spec_let);
        *let = (struct spec_let){.at = child->key->at, .name = child->key->text, .outer = c->scope.lets};
        assay_read_name(c->spec, let->name, let->at, "a let");
        let->value = assay_read_expr(c, child, NULL);
        if (let->value && let->value->kind == SPEC_E_RECORD) {
            assay_expr_error(c->spec, let->value, "a record has no value of its own; name its parts");
            let->value = NULL;
        }
        let->slot = c->next_slot++;
        if (c->next_slot == ASSAY_SLOTS_MAX + 1)
            assay_spec_error(c->spec, let->at, "more than %d fields and names of let together", ASSAY_SLOTS_MAX);
        assay_action_new(c, SPEC_A_LET, let->at, into)->let = let;
        c->scope.lets = let;
    }
}

/* ---- do ---------------------------------------------------------------- */

static struct spec_effect *find_effect(struct body_context *c, const struct assay_node *entry)
{
    struct assay_near near = {.wanted = entry->key->text};
    SPEC_EACH (struct spec_effect, e, &c->spec->effects) {
        if (e->table) /* `put` orders it */
            continue;
        if (strcmp(e->name, entry->key->text) == 0)
            return e;
        assay_near_add(&near, e->name);
    }
    assay_spec_error(c->spec, entry->key->at, "no effect is called '%s'%s", entry->key->text, assay_near_text(&near));
    return NULL;
}

static struct spec_param *find_param(struct assay_spec *spec, const struct spec_list *params,
                                     const struct assay_node *entry, const char *what)
{
    struct assay_near near = {.wanted = entry->key->text};
    SPEC_EACH (struct spec_param, p, params) {
        if (strcmp(p->name, entry->key->text) == 0)
            return p;
        assay_near_add(&near, p->name);
    }
    assay_spec_error(spec, entry->key->at, "there is no %s '%s'%s", what, entry->key->text, assay_near_text(&near));
    return NULL;
}

static bool is_given(const struct spec_list *given, const char *name)
{
    SPEC_EACH (struct spec_given, g, given)
        if (strcmp(g->name, name) == 0)
            return true;
    return false;
}

void assay_read_params_given(struct body_context *c, const struct assay_node *entry, const struct spec_list *params,
                             struct spec_list *given, const char *what)
{
    if (!assay_shape_is(c->spec, entry, SHAPE_MAPPING, entry->key->text))
        return;
    ASSAY_CHILDREN (child, entry) {
        struct spec_param *p = find_param(c->spec, params, child, what);
        if (!p)
            continue;
        struct spec_given *g = assay_given_new(c, child, given);
        g->param = p;
        g->value = assay_read_expr(c, child, p->type);
    }
    SPEC_EACH (struct spec_param, p, params)
        if (!is_given(given, p->name) && !p->init && !assay_node_get(entry, p->name))
            assay_spec_error(c->spec, entry->at, "the %s '%s' is missing", what, p->name);
}

static void read_effect(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    const struct assay_node *entry = assay_read_named(c->spec, node, "an effect under 'do'");
    struct spec_effect *effect = entry ? find_effect(c, entry) : NULL;
    if (!effect)
        return;
    struct spec_action *a = assay_action_new(c, SPEC_A_DO, entry->key->at, into);
    a->effect = effect;
    assay_read_params_given(c, entry, &effect->args, &a->given, "argument");
}

/* ---- put --------------------------------------------------------------- */

/* "table[key]", which stands as a key in the file. */
static const struct spec_table *read_row_name(struct body_context *c, const struct assay_node *key,
                                              struct spec_expr **of)
{
    struct spec_expr *e = assay_expr_parse(c->spec, key);
    bool row = e && e->kind == SPEC_E_INDEX && e->args[0]->kind == SPEC_E_NAME;
    if (e && !row)
        assay_spec_error(c->spec, key->at, "'put' names a row: \"table[key]\"");
    if (!row)
        return NULL;
    struct assay_near near = {.wanted = e->args[0]->name};
    SPEC_EACH (struct spec_table, t, &c->spec->tables) {
        if (strcmp(t->name, e->args[0]->name) == 0) {
            *of = e->args[1];
            return t;
        }
        assay_near_add(&near, t->name);
    }
    assay_spec_error(c->spec, key->at, "there is no table '%s'%s", e->args[0]->name, assay_near_text(&near));
    return NULL;
}

static void read_row(struct body_context *c, const struct assay_node *entry, struct spec_list *into)
{
    struct spec_expr *key = NULL;
    const struct spec_table *table = read_row_name(c, entry->key, &key);
    if (!table)
        return;
    if (!(c->machine->role & ASSAY_SERVER))
        assay_spec_error(c->spec, entry->key->at, "the sessions of a server share '%s'; this is a client's machine",
                         table->name);
    struct spec_action *a = assay_action_new(c, SPEC_A_DO, entry->key->at, into);
    a->effect = table->effect;
    struct spec_given *g = assay_given_new(c, entry, &a->given);
    g->param = table->effect->args.items[0];
    g->name = g->param->name;
    g->value = assay_expr_resolve(c->spec, key, &c->scope, table->key->type) ? key : NULL;
    assay_read_params_given(c, entry, &table->columns, &a->given, "column");
}

static void read_put(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (c->scope.open) {
        assay_spec_declared(c->spec, node->key->at, "tables of instances");
        return;
    }
    ASSAY_CHILDREN (child, node)
        read_row(c, child, into);
}

/* ---- set --------------------------------------------------------------- */

static struct spec_var *find_var(struct body_context *c, const struct assay_node *entry)
{
    struct assay_near near = {.wanted = entry->key->text};
    SPEC_EACH (struct spec_var, v, &c->machine->vars) {
        if (strcmp(v->name, entry->key->text) == 0)
            return v;
        assay_near_add(&near, v->name);
    }
    if (!c->scope.open)
        assay_spec_error(c->spec, entry->key->at, "no variable is called '%s'%s", entry->key->text,
                         assay_near_text(&near));
    return NULL;
}

static void read_set(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    struct spec_action *a = assay_action_new(c, SPEC_A_SET, node->at, into);
    ASSAY_CHILDREN (child, node) {
        if (strpbrk(child->key->text, "[.")) {
            assay_spec_declared(c->spec, child->key->at, "setting variables of other instances");
            continue;
        }
        struct spec_var *var = find_var(c, child);
        if (!var)
            continue;
        struct spec_given *g = assay_given_new(c, child, &a->given);
        g->var = var;
        g->value = assay_read_expr(c, child, var->type);
    }
}

/* ---- the end of a body ------------------------------------------------- */

struct spec_state *assay_find_state(struct assay_spec *spec, const struct spec_machine *machine,
                                    const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct spec_state, s, &machine->states) {
        if (strcmp(s->name, node->text) == 0)
            return s;
        assay_near_add(&near, s->name);
    }
    assay_spec_error(spec, node->at, "no state is called '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

static void read_goto(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (c->scope.open && c->machine->implicit && !assay_node_is(node, "End"))
        return; /* of a machine that is declared only */
    struct spec_state *state = assay_find_state(c->spec, c->machine, node);
    if (state)
        assay_action_new(c, SPEC_A_GOTO, node->at, into)->state = state;
}

static void read_close(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (assay_node_is(node, "abort"))
        assay_action_new(c, SPEC_A_ABORT, node->at, into);
    else if (assay_node_is(node, "true") && !c->call && c->machine->reconnect.pause)
        assay_action_new(c, SPEC_A_CLOSE, node->at, into);
    else if (assay_node_is(node, "true"))
        assay_action_new(c, SPEC_A_GOTO, node->at, into)->state = c->machine->end;
    else if (c->scope.open)
        assay_spec_declared(c->spec, node->at, "closing another instance");
    else
        assay_spec_error(c->spec, node->at, "'close' is true or abort");
}

static void read_timer(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    static const char *const words[] = {"start", "stop"};
    ASSAY_CHILDREN (child, node) {
        struct assay_near near = {.wanted = child->key->text};
        struct spec_timer *timer = NULL;
        SPEC_EACH (struct spec_timer, t, &c->machine->timers) {
            timer = strcmp(t->name, child->key->text) == 0 ? t : timer;
            assay_near_add(&near, t->name);
        }
        if (!timer) {
            assay_spec_error(c->spec, child->key->at, "no timer is called '%s'%s", child->key->text,
                             assay_near_text(&near));
            continue;
        }
        struct spec_action *a = assay_action_new(c, SPEC_A_TIMER, child->at, into);
        a->timer = timer;
        a->start = assay_read_word(c->spec, child, words, 2, "timer") == 0;
    }
}

static bool in_call(struct body_context *c, const struct assay_node *node)
{
    if (!c->call)
        assay_spec_error(c->spec, node->key->at, "'%s' is for steps of calls", node->key->text);
    return c->call;
}

static void read_result(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (!in_call(c, node))
        return;
    struct spec_action *a = assay_action_new(c, SPEC_A_RESULT, node->at, into);
    a->call = c->call;
    assay_read_params_given(c, node, &c->call->results, &a->given, "result");
}

static struct spec_error *add_error(struct body_context *c, const char *name, struct assay_at at)
{
    SPEC_EACH (struct spec_error, e, &c->call->errors)
        if (strcmp(e->name, name) == 0)
            return e;
    struct spec_error *added = ASSAY_NEW(&c->spec->arena, struct spec_error);
    *added = (struct spec_error){.at = at, .name = name};
    assay_list_add(c->spec, &c->call->errors, added);
    return added;
}

static void read_error(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (!in_call(c, node))
        return;
    const struct assay_node *entry =
        node->kind == ASSAY_NODE_MAPPING ? assay_read_single(c->spec, node, "error") : NULL;
    if (node->kind == ASSAY_NODE_MAPPING && !entry)
        return;
    struct spec_action *a = assay_action_new(c, SPEC_A_ERROR, node->at, into);
    a->name = entry ? entry->key->text : node->text;
    assay_read_name(c->spec, a->name, node->at, "an error");
    if (entry)
        a->value = assay_read_expr(c, entry, &assay_type_bytes);
    a->error = add_error(c, a->name, node->at);
}

static void read_decline(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (!assay_node_is(node, "true"))
        assay_spec_error(c->spec, node->at, "'decline' is true, or is left out");
    assay_action_new(c, SPEC_A_DECLINE, node->at, into);
}

/* ---- choices ----------------------------------------------------------- */

static struct spec_way *way_new(struct body_context *c, struct spec_action *a, struct assay_at at, uint8_t level)
{
    struct spec_way *w = ASSAY_NEW(&c->spec->arena, struct spec_way);
    w->at = at;
    w->level = level;
    assay_list_add(c->spec, &a->ways, w);
    return w;
}

/* A way that does not apply is passed over, so that something must be left in the end. */
static void check_ways(struct body_context *c, const struct spec_action *a)
{
    const struct spec_way *last = a->ways.count ? a->ways.items[a->ways.count - 1] : NULL;
    if (!last)
        assay_spec_error(c->spec, a->at, "'choose' needs at least one way");
    else if (last->when && !c->scope.open)
        assay_spec_error(c->spec, last->at, "the last way of 'choose' cannot have an 'if': what would be left?");
    if (a->ways.count > 16)
        assay_spec_error(c->spec, a->at, "more than 16 ways");
}

static void read_choose(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    struct spec_action *a = assay_action_new(c, SPEC_A_CHOOSE, node->at, into);
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[B_KEYS];
        if (!assay_shape(c->spec, child, "a way to choose", assay_body_keys, B_KEYS, of))
            continue;
        struct spec_way *w = way_new(c, a, child->at, assay_read_level(c->spec, of[B_LEVEL], ASSAY_MUST));
        w->name = of[B_NAME] ? of[B_NAME]->text : NULL;
        if (of[B_REQ])
            assay_read_req(c->spec, of[B_REQ]);
        if (of[B_IF])
            w->when = assay_read_expr(c, of[B_IF], &assay_type_bool);
        const struct spec_let *lets = c->scope.lets;
        of[B_IF] = of[B_REQ] = NULL;
        assay_read_body(c, of, &w->body);
        c->scope.lets = lets;
    }
    check_ways(c, a);
}

static void read_maybe(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    struct spec_action *a = assay_action_new(c, SPEC_A_CHOOSE, node->at, into);
    assay_read_actions(c, node, &way_new(c, a, node->at, ASSAY_MAY)->body);
    way_new(c, a, node->at, ASSAY_MAY);
}

static void read_if(struct body_context *c, const struct assay_node *const *of, struct spec_list *into)
{
    struct spec_action *a = assay_action_new(c, SPEC_A_IF, of[B_IF]->at, into);
    a->value = assay_read_expr(c, of[B_IF], &assay_type_bool);
    a->body = ASSAY_NEW(&c->spec->arena, struct spec_list);
    a->otherwise = ASSAY_NEW(&c->spec->arena, struct spec_list);
    const struct assay_node *rest[B_KEYS];
    memcpy(rest, of, sizeof rest);
    rest[B_IF] = rest[B_ELSE] = NULL;
    const struct spec_let *lets = c->scope.lets;
    assay_read_body(c, rest, a->body);
    c->scope.lets = lets;
    if (of[B_ELSE])
        assay_read_actions(c, of[B_ELSE], a->otherwise);
}

/* ---- bodies ------------------------------------------------------------ */

static void read_effects(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    if (node->kind == ASSAY_NODE_MAPPING)
        read_effect(c, node, into);
    else
        ASSAY_CHILDREN (child, node)
            read_effect(c, child, into);
}

static void read_nothing(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    (void)into;
    if (!assay_node_is(node, "true") && !c->scope.open)
        assay_spec_error(c->spec, node->at, "'%s' is true, or is left out", node->key->text);
    else if (!assay_node_is(node, "true"))
        assay_spec_declared(c->spec, node->at, "tables");
}

void assay_read_body(struct body_context *c, const struct assay_node *const *of, struct spec_list *into)
{
    static const struct {
        unsigned key;
        void (*read)(struct body_context *c, const struct assay_node *node, struct spec_list *into);
    } parts[] = {
        {B_LET, read_lets},        {B_DO, read_effects},         {B_PUT, read_put},      {B_SET, read_set},
        {B_SEND, assay_read_send}, {B_THEN, assay_read_actions}, {B_TIMER, read_timer},  {B_CHOOSE, read_choose},
        {B_MAYBE, read_maybe},     {B_RESULT, read_result},      {B_ERROR, read_error},  {B_GOTO, read_goto},
        {B_CLOSE, read_close},     {B_IGNORE, read_nothing},     {B_DROP, read_nothing}, {B_DECLINE, read_decline}};
    /* what is declared only opens the scope: its names are not all known */
    bool open = c->scope.open;
    for (unsigned k = B_EACH; k <= B_REPEAT; k++)
        c->scope.open = c->scope.open || of[k];
    if (of[B_REQ])
        assay_read_req(c->spec, of[B_REQ]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (of[parts[i].key])
            parts[i].read(c, of[parts[i].key], into);
    c->scope.open = open;
}

static void read_action(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    const struct assay_node *of[B_KEYS];
    if (!assay_shape(c->spec, node, "an action", assay_body_keys, B_KEYS, of))
        return;
    static const unsigned misplaced[] = {B_WHEN, B_MAY, B_NAME, B_STATELESS};
    for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++)
        if (of[misplaced[i]])
            assay_spec_error(c->spec, of[misplaced[i]]->key->at, "'%s' does not go into an action",
                             of[misplaced[i]]->key->text);
    if (of[B_IF])
        read_if(c, of, into);
    else if (of[B_ELSE])
        assay_spec_error(c->spec, of[B_ELSE]->key->at, "'else' without 'if'");
    else
        assay_read_body(c, of, into);
}

void assay_read_actions(struct body_context *c, const struct assay_node *node, struct spec_list *into)
{
    const struct spec_let *lets = c->scope.lets;
    if (node->kind == ASSAY_NODE_MAPPING)
        read_action(c, node, into);
    else
        ASSAY_CHILDREN (child, node)
            read_action(c, child, into);
    c->scope.lets = lets;
}

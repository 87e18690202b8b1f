/* What holds whatever the network does: which faults, who does what meanwhile, what is promised all the same. */
#include <string.h>

#include "compiler/scope.h"

enum { IM_FAULTS, IM_UP_TO, IM_CRASHES, IM_CLIENTS, IM_EXTRA, IM_PROMISES, IM_REQ, IM_KEYS };
static const struct shape_key impair_keys[IM_KEYS] = {
    [IM_FAULTS] = {"faults", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
    [IM_UP_TO] = {"up-to", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [IM_CRASHES] = {"crashes", SHAPE_SEQUENCE, NULL},
    [IM_CLIENTS] = {"clients", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [IM_EXTRA] = {"extra", SHAPE_SCALAR, NULL},
    [IM_PROMISES] = {"promises", SHAPE_SEQUENCE, NULL},
    [IM_REQ] = {"req", SHAPE_SCALAR, NULL},
};

static uint8_t read_bits(struct assay_spec *spec, const struct assay_node *node, const char *const *words, size_t count,
                         const char *what)
{
    unsigned bits = 0;
    ASSAY_CHILDREN (child, node) {
        size_t i = assay_read_word(spec, child, words, count, what);
        bits |= i < count ? 1u << i : 0;
    }
    return (uint8_t)bits;
}

static struct spec_call *find_call(struct assay_spec *spec, const char *name, struct assay_at at)
{
    struct assay_near near = {.wanted = name};
    SPEC_EACH (struct spec_call, c, &spec->calls) {
        if (strcmp(c->name, name) == 0)
            return c;
        assay_near_add(&near, c->name);
    }
    assay_spec_error(spec, at, "no call is called '%s'%s", name, assay_near_text(&near));
    return NULL;
}

/* ---- clients ----------------------------------------------------------- */

static void read_act(struct assay_spec *spec, struct spec_actor *actor, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_named(spec, node, "what a client does");
    struct spec_call *call = entry ? find_call(spec, entry->key->text, entry->key->at) : NULL;
    if (!call || !call->machine)
        return;
    struct body_context c = {.spec = spec, .machine = call->machine};
    struct spec_act *act = ASSAY_NEW(&spec->arena, struct spec_act);
    c.scope = (struct spec_scope){.machine = call->machine, .params = true};
    act->call = call;
    assay_list_add(spec, &actor->acts, act);
    assay_read_params_given(&c, entry, &call->args, &act->given, "argument");
}

static void read_actor(struct assay_spec *spec, struct spec_impair *impair, const struct assay_node *node)
{
    struct spec_actor *actor = ASSAY_NEW(&spec->arena, struct spec_actor);
    *actor = (struct spec_actor){.at = node->key->at, .name = node->key->text};
    assay_read_name(spec, actor->name, actor->at, "a client");
    assay_list_add(spec, &impair->actors, actor);
    if (!assay_shape_is(spec, node, SHAPE_SEQUENCE, "the calls of a client"))
        return;
    if (node->count == 0)
        assay_spec_error(spec, node->at, "a client makes at least one call");
    ASSAY_CHILDREN (child, node)
        read_act(spec, actor, child);
}

/* ---- promises ---------------------------------------------------------- */

enum { PR_CALL, PR_IS, PR_BY, PR_AT, PR_ORDER, PR_REQ, PR_TEXT, PR_KEYS };
static const struct shape_key promise_keys[PR_KEYS] = {
    [PR_CALL] = {"call", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [PR_IS] = {"is", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [PR_BY] = {"by", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [PR_AT] = {"at", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
    [PR_ORDER] = {"order", SHAPE_SCALAR, NULL},
    [PR_REQ] = {"req", SHAPE_SCALAR, NULL},
    [PR_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static struct spec_effect *promised_effect(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"effect", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}};
    const struct assay_node *of[1];
    if (!assay_shape(spec, node, "what is promised", keys, 1, of) || !of[0])
        return NULL;
    struct assay_near near = {.wanted = of[0]->text};
    SPEC_EACH (struct spec_effect, e, &spec->effects) {
        if (strcmp(e->name, of[0]->text) == 0 && !e->table)
            return e;
        assay_near_add(&near, e->name);
    }
    assay_spec_error(spec, of[0]->at, "no effect is called '%s'%s", of[0]->text, assay_near_text(&near));
    return NULL;
}

static uint16_t argument(struct assay_spec *spec, const struct spec_list *args, const struct assay_node *node,
                         const char *of)
{
    struct assay_near near = {.wanted = node->text};
    uint16_t i = 0;
    SPEC_EACH (struct spec_param, p, args) {
        if (strcmp(p->name, node->text) == 0)
            return i;
        assay_near_add(&near, p->name);
        i++;
    }
    assay_spec_error(spec, node->at, "'%s' has no argument '%s'%s", of, node->text, assay_near_text(&near));
    return 0;
}

static uint64_t read_places(struct assay_spec *spec, const struct spec_impair *impair, const struct assay_node *node)
{
    uint64_t at = 0;
    ASSAY_CHILDREN (child, node) {
        struct assay_near near = {.wanted = child->text};
        unsigned i = 0;
        uint64_t found = 0;
        if (!assay_shape_is(spec, child, SHAPE_SCALAR, "a client"))
            continue;
        SPEC_EACH (struct spec_actor, a, &impair->actors) {
            found |= strcmp(a->name, child->text) == 0 ? (uint64_t)1 << i : 0;
            assay_near_add(&near, a->name);
            i++;
        }
        assay_near_add(&near, "server");
        if (strcmp(child->text, "server") == 0)
            found = (uint64_t)1 << 63;
        if (!found)
            assay_spec_error(spec, child->at, "no client is called '%s'%s", child->text, assay_near_text(&near));
        at |= found;
    }
    return at;
}

static void read_promise(struct assay_spec *spec, struct spec_impair *impair, const struct assay_node *node)
{
    static const char *const orders[] = {"same", "any"};
    const struct assay_node *of[PR_KEYS];
    if (!assay_shape(spec, node, "a promise", promise_keys, PR_KEYS, of) || !of[PR_CALL] || !of[PR_IS] || !of[PR_BY] ||
        !of[PR_AT])
        return;
    struct spec_promise *p = ASSAY_NEW(&spec->arena, struct spec_promise);
    p->call = find_call(spec, of[PR_CALL]->text, of[PR_CALL]->at);
    p->effect = promised_effect(spec, of[PR_IS]);
    p->at = read_places(spec, impair, of[PR_AT]);
    p->same_order = !of[PR_ORDER] || assay_read_word(spec, of[PR_ORDER], orders, 2, "order") == 0;
    p->req = assay_read_req(spec, of[PR_REQ]);
    if (!p->call || !p->effect)
        return;
    p->call_arg = argument(spec, &p->call->args, of[PR_BY], p->call->name);
    p->effect_arg = argument(spec, &p->effect->args, of[PR_BY], p->effect->name);
    assay_list_add(spec, &impair->promises, p);
}

/* ---- all --------------------------------------------------------------- */

void assay_read_impair(struct assay_spec *spec, const struct assay_node *node)
{
    static const char *const faults[] = {"drop", "duplicate", "swap", "delay", "corrupt", "fail"};
    static const char *const sides[] = {"client", "server"};
    const struct assay_node *of[IM_KEYS];
    if (!node || !assay_shape(spec, node, "impair", impair_keys, IM_KEYS, of))
        return;
    struct spec_impair *impair = ASSAY_NEW(&spec->arena, struct spec_impair);
    *impair = (struct spec_impair){.at = node->key->at, .up_to = 1, .extra = 40};
    impair->faults = read_bits(spec, of[IM_FAULTS], faults, 6, "a fault");
    impair->crashes = read_bits(spec, of[IM_CRASHES], sides, 2, "who crashes");
    assay_read_int(spec, of[IM_UP_TO], 1, 64, &impair->up_to);
    assay_read_int(spec, of[IM_EXTRA], 0, INT32_MAX, &impair->extra);
    impair->req = assay_read_req(spec, of[IM_REQ]);
    ASSAY_CHILDREN (child, of[IM_CLIENTS])
        read_actor(spec, impair, child);
    if (impair->actors.count > 64)
        assay_spec_error(spec, of[IM_CLIENTS]->at, "more than 64 clients");
    ASSAY_CHILDREN (child, of[IM_PROMISES])
        read_promise(spec, impair, child);
    spec->impair = impair;
}

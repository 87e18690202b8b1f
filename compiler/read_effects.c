/* Params, arguments, effects and what they are bound to. */
#include <string.h>

#include "compiler/read.h"
#include "compiler/types.h"

/* ---- params and effects ------------------------------------------------ */

enum { P_TYPE, P_DEFAULT, P_MIN, P_MAX, P_TEXT, P_OPTIONAL, P_KEYS };
static const struct shape_key param_keys[P_KEYS] = {
    [P_TYPE] = {"type", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [P_DEFAULT] = {"default", SHAPE_ANY, NULL},
    [P_MIN] = {"min", SHAPE_SCALAR, NULL},
    [P_MAX] = {"max", SHAPE_SCALAR, NULL},
    [P_TEXT] = {"text", SHAPE_SCALAR, NULL},
    [P_OPTIONAL] = {"optional", SHAPE_ANY | SHAPE_DECLARED, "an optional value"},
};

/* Limits beside `type` refine it as they would inside. */
static void refine_param(struct assay_spec *spec, struct spec_type *t, const struct assay_node *min,
                         const struct assay_node *max)
{
    int64_t most = t->kind == ASSAY_T_INT || t->kind == ASSAY_T_DURATION ? t->max : UINT32_MAX;
    if (t->kind == ASSAY_T_DURATION) {
        t->min = assay_read_duration(spec, min, t->min);
        t->max = assay_read_duration(spec, max, t->max);
    } else {
        assay_read_int(spec, min, t->kind == ASSAY_T_INT ? t->min : 0, most, &t->min);
        assay_read_int(spec, max, t->min, most, &t->max);
    }
    t->bounded = t->bounded || max;
}

static bool is_param_mapping(const struct assay_node *node)
{
    if (node->kind != ASSAY_NODE_MAPPING || !assay_node_get(node, "type"))
        return false;
    ASSAY_CHILDREN (child, node) {
        bool known = false;
        for (size_t i = 0; i < P_KEYS; i++)
            known = known || strcmp(param_keys[i].name, child->key->text) == 0;
        if (!known)
            return false;
    }
    return true;
}

static void read_param(struct assay_spec *spec, const struct assay_node *node, struct spec_param *p)
{
    const struct assay_node *of[P_KEYS] = {0}, *extras[FIELD_KEYS] = {0};
    if (is_param_mapping(node)) {
        assay_shape(spec, node, p->name, param_keys, P_KEYS, of);
        p->type = of[P_TYPE] ? assay_read_type(spec, of[P_TYPE], NULL, NULL) : NULL;
        if (p->type)
            refine_param(spec, p->type, of[P_MIN], of[P_MAX]);
        p->text = of[P_TEXT] ? of[P_TEXT]->text : NULL;
        extras[FIELD_DEFAULT] = of[P_DEFAULT];
    } else {
        p->type = assay_read_type(spec, node, NULL, extras);
    }
    if (!is_param_mapping(node))
        assay_plain_extras(spec, extras);
    p->type = assay_plain_type(spec, p->type, node);
    p->type =
        p->type ? assay_type_instance(spec, p->type) : assay_arena_copy(&spec->arena, &assay_type_any, sizeof *p->type);
    if (extras[FIELD_DEFAULT])
        p->init = assay_expr_parse(spec, extras[FIELD_DEFAULT]);
}

void assay_read_params(struct assay_spec *spec, const struct assay_node *node, struct spec_list *into, const char *what)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_param *p = ASSAY_NEW(&spec->arena, struct spec_param);
        *p = (struct spec_param){.at = child->key->at, .name = child->key->text, .slot = ASSAY_NONE, .var = ASSAY_NONE};
        assay_read_name(spec, p->name, p->at, what);
        read_param(spec, child, p);
        assay_list_add(spec, into, p);
    }
}

enum { E_ARGS, E_FAILS, E_TO, E_TEXT, E_KEYS };
static const struct shape_key effect_keys[E_KEYS] = {
    [E_ARGS] = {"args", SHAPE_MAPPING, NULL},
    [E_FAILS] = {"fails", SHAPE_SCALAR | SHAPE_SEQUENCE, NULL},
    [E_TO] = {"to", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [E_TEXT] = {"text", SHAPE_SCALAR, NULL},
};

static void check_object(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text + 1};
    if (node->text[0] != '$')
        return;
    SPEC_EACH (struct spec_param, p, &spec->params) {
        if (strcmp(p->name, node->text + 1) == 0)
            return;
        assay_near_add(&near, p->name);
    }
    assay_spec_error(spec, node->at, "there is no param '%s'%s", node->text + 1, assay_near_text(&near));
}

static void read_binding(struct assay_spec *spec, struct spec_effect *e, const struct assay_node *node)
{
    static const char *const verbs[] = {"append", "crypt", "print", "report", "gather", "release", "log"};
    static const char *const words[] = {"stop", "reopen", "application"};
    if (node->kind == ASSAY_NODE_SCALAR) {
        size_t word = assay_read_word(spec, node, words, 3, "to");
        e->verb = word < 2 ? words[word] : NULL;
        return;
    }
    const struct assay_node *one = assay_read_single(spec, node, "a binding");
    if (!one)
        return;
    size_t i = assay_read_word(spec, one->key, verbs, sizeof verbs / sizeof verbs[0], "a binding");
    if (i >= sizeof verbs / sizeof verbs[0] || !assay_shape_is(spec, one, SHAPE_SCALAR, verbs[i]))
        return;
    if (i + 1 == sizeof verbs / sizeof verbs[0] && assay_machines_declared(spec))
        assay_spec_declared(spec, one->key->at, verbs[i]);
    else if (i + 1 == sizeof verbs / sizeof verbs[0])
        e->log_node = one;
    if (strcmp(verbs[i], "report") == 0 && !assay_node_is(one, "stderr"))
        assay_spec_error(spec, one->at, "a report goes to stderr");
    e->verb = verbs[i];
    e->object = one->text;
    check_object(spec, one);
}

void assay_read_effects(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        const struct assay_node *of[E_KEYS];
        struct spec_effect *e = ASSAY_NEW(&spec->arena, struct spec_effect);
        *e = (struct spec_effect){
            .at = child->key->at, .name = child->key->text, .index = (uint16_t)spec->effects.count};
        assay_list_add(spec, &spec->effects, e);
        assay_read_name(spec, e->name, e->at, "an effect");
        if (!assay_shape(spec, child, "an effect", effect_keys, E_KEYS, of))
            continue;
        assay_read_params(spec, of[E_ARGS], &e->args, "an argument");
        e->fallible = of[E_FAILS] && of[E_FAILS]->kind == ASSAY_NODE_SEQUENCE;
        if (e->fallible)
            assay_spec_declared(spec, of[E_FAILS]->at, "effects that fail in several ways");
        else
            e->fallible = assay_read_bool(spec, of[E_FAILS], false);
        e->text = of[E_TEXT] ? of[E_TEXT]->text : NULL;
        if (of[E_TO])
            read_binding(spec, e, of[E_TO]);
    }
}

/* Which machine plays which role on which transport. A machine of the file becomes one struct spec_machine for each
 * role and each kind of frames that it plays with. */
#include <string.h>

#include "compiler/read.h"

/* A machine as it stands in the file. */
struct definition {
    const struct assay_node *node;
    const char *name;
    uint8_t role; /* bit set of enum assay_role */
    bool used;
};

struct machines {
    struct assay_spec *spec;
    struct spec_list definitions; /* struct definition */
};

/* ---- what stands in the file ------------------------------------------- */

/* Keys of machines at several levels. */
static bool has_levels(const struct assay_node *machine)
{
    static const char *const keys[] = {"in", "linked", "hears", "lives", "tables"};
    const struct assay_node *per = assay_node_get(machine, "per");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (assay_node_get(machine, keys[i]))
            return true;
    return per && !assay_node_is(per, "link");
}

bool assay_machines_declared(const struct assay_spec *spec)
{
    static const char *const around[] = {"signals", "functions", "spontaneous"};
    const struct assay_node *machines = assay_node_get(spec->root, "machines");
    if (!machines || machines->kind != ASSAY_NODE_MAPPING)
        return false;
    ASSAY_CHILDREN (machine, machines)
        if (has_levels(machine))
            return true;
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        if (assay_node_get(spec->root, around[i]))
            return true;
    return false;
}

static void define(struct machines *m, const struct assay_node *node, const char *name, uint8_t role)
{
    struct definition *d = ASSAY_NEW(&m->spec->arena, struct definition);
    if (!node)
        return;
    *d = (struct definition){.node = node, .name = name, .role = role};
    assay_list_add(m->spec, &m->definitions, d);
}

static void define_named(struct machines *m, const struct assay_node *node)
{
    static const char *const roles[] = {"client", "server", "both"}, *const pers[] = {"link"};
    const struct assay_node *role = assay_node_get(node, "role"), *per = assay_node_get(node, "per");
    size_t i = role ? assay_read_word(m->spec, role, roles, 3, "role") : 3;
    assay_read_name(m->spec, node->key->text, node->key->at, "a machine");
    if (node->kind == ASSAY_NODE_MAPPING && !role)
        assay_spec_error(m->spec, node->at, "%s needs the key 'role': server, client or both", node->key->text);
    if (node->kind == ASSAY_NODE_MAPPING && !per)
        assay_spec_error(m->spec, node->at, "%s needs the key 'per': link", node->key->text);
    if (per)
        assay_read_word(m->spec, per, pers, 1, "per");
    define(m, node, node->key->text, i < 3 ? (uint8_t)(i + 1) : ASSAY_SERVER);
}

static void read_definitions(struct machines *m)
{
    const struct assay_node *root = m->spec->root, *several = assay_node_get(root, "machines");
    static const struct {
        const char *key;
        uint8_t role;
    } short_forms[] = {{"server", ASSAY_SERVER}, {"client", ASSAY_CLIENT}, {"peer", ASSAY_CLIENT | ASSAY_SERVER}};
    for (size_t i = 0; i < 3; i++) {
        const struct assay_node *node = assay_node_get(root, short_forms[i].key);
        define(m, node && node->kind == ASSAY_NODE_MAPPING ? node : NULL, short_forms[i].key, short_forms[i].role);
        if (node && several)
            assay_spec_error(m->spec, node->key->at, "'%s' stands under 'machines' where that is there",
                             short_forms[i].key);
    }
    if (several && !assay_machines_declared(m->spec))
        ASSAY_CHILDREN (child, several)
            define_named(m, child);
}

/* ---- who plays --------------------------------------------------------- */

static struct definition *definition_named(struct machines *m, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    SPEC_EACH (struct definition, d, &m->definitions) {
        if (strcmp(d->name, node->text) == 0)
            return d;
        assay_near_add(&near, d->name);
    }
    assay_spec_error(m->spec, node->at, "no machine is called '%s'%s", node->text, assay_near_text(&near));
    return NULL;
}

static const char *role_name(uint8_t role)
{
    return role == ASSAY_SERVER ? "server" : "client";
}

static struct definition *only_of_role(struct machines *m, uint8_t role, bool *several)
{
    struct definition *only = NULL;
    SPEC_EACH (struct definition, d, &m->definitions) {
        if (!(d->role & role))
            continue;
        *several = only != NULL;
        if (only)
            return NULL;
        only = d;
    }
    return only;
}

/* The machine of a role on a transport; NULL: there is none. */
static struct definition *who_plays(struct machines *m, const struct spec_transport *t, uint8_t role)
{
    const struct assay_node *plays = t->plays;
    bool mapping = plays && plays->kind == ASSAY_NODE_MAPPING, several = false;
    const struct assay_node *named = mapping ? assay_node_get(plays, role_name(role)) : plays;
    struct definition *d = named ? definition_named(m, named) : NULL;
    if ((d && (d->role & role)) || (named && !d))
        return d;
    if (d && mapping)
        assay_spec_error(m->spec, named->at, "%s is no machine of role %s", d->name, role_name(role));
    if (named && mapping)
        return NULL;
    struct definition *only = only_of_role(m, role, &several);
    if (several)
        assay_spec_error(m->spec, t->at,
                         "several machines are of role %s: say which one plays on %s, 'machine: {%s: NAME}'",
                         role_name(role), t->name, role_name(role));
    return only;
}

static struct spec_machine *instance(struct machines *m, struct definition *d, uint8_t role,
                                     const struct spec_transport *t)
{
    const struct assay_node *node = d ? d->node : NULL;
    SPEC_EACH (struct spec_machine, x, &m->spec->machines)
        if (x->node == node && x->role == role && x->datagram == t->datagram) {
            x->transports = (uint16_t)(x->transports | 1u << t->index);
            return x;
        }
    struct spec_machine *x = ASSAY_NEW(&m->spec->arena, struct spec_machine);
    *x = (struct spec_machine){.node = node, .name = d ? d->name : "client", .role = role, .datagram = t->datagram};
    x->transports = (uint16_t)(1u << t->index);
    x->in = assay_frame_for(m->spec, role == ASSAY_SERVER ? ASSAY_CLIENT : ASSAY_SERVER, t->datagram);
    x->out = assay_frame_for(m->spec, role, t->datagram);
    if (d) {
        d->used = true;
        assay_read_machine(m->spec, x);
    } else {
        x->implicit = true;
        assay_mirror_machine(m->spec, x);
    }
    assay_list_add(m->spec, &m->spec->machines, x);
    return x;
}

/* ---- whose calls are they ---------------------------------------------- */

static void place_call(struct machines *m, struct spec_call *call)
{
    const struct assay_node *over = assay_node_get(call->opens, "over");
    const struct assay_node *named = assay_node_get(call->opens, "machine");
    const struct spec_transport *t = over                        ? assay_find_transport(m->spec, over)
                                     : m->spec->transports.count ? m->spec->transports.items[0]
                                                                 : NULL;
    struct definition *d = named ? definition_named(m, named) : t ? who_plays(m, t, ASSAY_CLIENT) : NULL;
    if (d && named && !(d->role & ASSAY_CLIENT))
        assay_spec_error(m->spec, named->at, "%s is no machine of role client", d->name);
    call->over = t;
    if (t && (!named || (d && (d->role & ASSAY_CLIENT))))
        call->machine = instance(m, d, ASSAY_CLIENT, t);
}

/* ---- all --------------------------------------------------------------- */

static void read_declared(struct machines *m)
{
    struct spec_transport none = {.name = "", .index = 0};
    const struct spec_transport *t = m->spec->transports.count ? m->spec->transports.items[0] : &none;
    assay_spec_declared(m->spec, assay_node_get(m->spec->root, "machines")->key->at, "machines at several levels");
    struct spec_machine *mirror = instance(m, NULL, ASSAY_CLIENT, t);
    SPEC_EACH (struct spec_call, call, &m->spec->calls) {
        call->machine = mirror;
        if (call->opens)
            assay_spec_declared(m->spec, call->opens->key->at, "calls that open a link");
    }
}

/* Where nobody plays the client, calls do. */
static void place_implicit(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_transport, t, &spec->transports)
        SPEC_EACH (struct spec_machine, x, &spec->machines)
            if (x->implicit && (x->transports >> t->index & 1))
                t->client = x;
}

static void check_used(struct machines *m)
{
    SPEC_EACH (struct definition, d, &m->definitions)
        if (!d->used)
            assay_spec_error(m->spec, d->node->key->at, "no transport and no call uses the machine '%s'", d->name);
}

void assay_read_machines(struct assay_spec *spec)
{
    struct machines m = {.spec = spec};
    size_t before = spec->diags->errors;
    read_definitions(&m);
    if (assay_machines_declared(spec)) {
        read_declared(&m);
        return;
    }
    SPEC_EACH (struct spec_transport, t, &spec->transports) {
        struct definition *server = who_plays(&m, t, ASSAY_SERVER), *client = who_plays(&m, t, ASSAY_CLIENT);
        t->server = server ? instance(&m, server, ASSAY_SERVER, t) : NULL;
        t->client = client ? instance(&m, client, ASSAY_CLIENT, t) : NULL;
    }
    SPEC_EACH (struct spec_call, call, &spec->calls)
        place_call(&m, call);
    place_implicit(spec);
    if (spec->transports.count && spec->diags->errors == before)
        check_used(&m);
    if (m.definitions.count == 0)
        assay_spec_error(spec, spec->root->at, "the spec needs a machine: 'server'");
}

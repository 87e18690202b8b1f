/* Transports: where a server listens, and what is a frame there. */
#include "compiler/read.h"

enum { TR_PORT, TR_BIND, TR_PATH, TR_MAX, TR_FRAMING, TR_LINK, TR_MACHINE, TR_TLS, TR_KEYS };
static const struct shape_key transport_keys[TR_KEYS] = {
    [TR_PORT] = {"port", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [TR_BIND] = {"bind", SHAPE_SCALAR, NULL},
    [TR_PATH] = {"path", SHAPE_SCALAR, NULL},
    [TR_MAX] = {"max", SHAPE_SCALAR, NULL},
    [TR_FRAMING] = {"framing", SHAPE_SCALAR, NULL},
    [TR_LINK] = {"link", SHAPE_ANY | SHAPE_DECLARED, "links"},
    [TR_MACHINE] = {"machine", SHAPE_SCALAR | SHAPE_MAPPING, NULL},
    [TR_TLS] = {"tls", SHAPE_ANY | SHAPE_DECLARED, NULL},
};

static void read_ports(struct assay_spec *spec, struct spec_transport *t, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"server", SHAPE_SCALAR, NULL}, {"client", SHAPE_SCALAR, NULL}};
    const struct assay_node *of[2] = {node, NULL};
    int64_t port = 0, client = 0;
    if (!node)
        return;
    if (node->kind == ASSAY_NODE_MAPPING && !assay_shape(spec, node, "port", keys, 2, of))
        return;
    assay_read_int(spec, of[0], 0, 65535, &port);
    assay_read_int(spec, of[1], 0, 65535, &client);
    t->port = (uint16_t)port;
    t->client_port = (uint16_t)client;
}

static void read_plays(struct assay_spec *spec, struct spec_transport *t, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"server", SHAPE_SCALAR, NULL}, {"client", SHAPE_SCALAR, NULL}};
    const struct assay_node *of[2];
    if (node && (node->kind == ASSAY_NODE_SCALAR || assay_shape(spec, node, "machine", keys, 2, of)))
        t->plays = node;
}

static void read_framing(struct assay_spec *spec, struct spec_transport *t, const struct assay_node *framing,
                         const struct assay_node *max)
{
    static const char *const words[] = {"datagram"};
    if (framing && assay_read_word(spec, framing, words, 1, "framing") == 0 && !t->datagram)
        assay_spec_error(spec, framing->at, "%s has no datagrams", t->name);
    if (t->datagram)
        assay_read_int(spec, max, 1, 65535, &t->max);
    else if (max)
        assay_spec_declared(spec, max->key->at, "frames of a length of their own for one stream");
}

static void read_transport(struct assay_spec *spec, const struct assay_node *node)
{
    static const char *const names[] = {"tcp", "udp", "unix"};
    const struct assay_node *of[TR_KEYS];
    size_t i = assay_read_word(spec, node->key, names, 3, "a transport");
    if (i >= 3 || !assay_shape(spec, node, names[i], transport_keys, TR_KEYS, of))
        return;
    if (i == 2)
        assay_spec_declared(spec, node->key->at, names[i]);
    struct spec_transport *t = ASSAY_NEW(&spec->arena, struct spec_transport);
    *t = (struct spec_transport){.at = node->key->at, .name = names[i], .index = (uint16_t)spec->transports.count};
    t->datagram = i == 1;
    if (i < 2 && !of[TR_PORT])
        assay_spec_error(spec, node->at, "%s needs its 'port'", names[i]);
    read_ports(spec, t, of[TR_PORT]);
    read_framing(spec, t, of[TR_FRAMING], of[TR_MAX]);
    read_plays(spec, t, of[TR_MACHINE]);
    const struct assay_node *bind = of[TR_BIND] ? of[TR_BIND] : of[TR_PATH];
    t->bind = bind ? bind->text : "127.0.0.1";
    assay_list_add(spec, &spec->transports, t);
}

void assay_read_transports(struct assay_spec *spec, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node)
        read_transport(spec, child);
    if (node && node->count == 0)
        assay_spec_error(spec, node->at, "at least one transport is needed: tcp or udp");
}

/* Reliability: messages that are acknowledged, how they are numbered, and when they go out again. */
#include <stdlib.h>
#include <string.h>

#include "compiler/read.h"
#include "compiler/types.h"

enum {
    R_MESSAGES,
    R_MATCH,
    R_ACK,
    R_SESSION,
    R_START,
    R_WRAP,
    R_WINDOW,
    R_ORDER,
    R_ON_DUPLICATE,
    R_FIRST,
    R_FACTOR,
    R_CAP,
    R_TOLERANCE,
    R_GIVE_UP,
    R_REQ,
    R_KEYS
};
static const struct shape_key reliable_keys[R_KEYS] = {
    [R_MESSAGES] = {"messages", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
    [R_MATCH] = {"match", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [R_ACK] = {"ack", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
    [R_SESSION] = {"session", SHAPE_SCALAR, NULL},
    [R_START] = {"start", SHAPE_SCALAR, NULL},
    [R_WRAP] = {"wrap", SHAPE_SCALAR, NULL},
    [R_WINDOW] = {"window", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [R_ORDER] = {"order", SHAPE_SCALAR, NULL},
    [R_ON_DUPLICATE] = {"on-duplicate", SHAPE_SCALAR, NULL},
    [R_FIRST] = {"first", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
    [R_FACTOR] = {"factor", SHAPE_SCALAR, NULL},
    [R_CAP] = {"cap", SHAPE_SCALAR, NULL},
    [R_TOLERANCE] = {"tolerance", SHAPE_SCALAR, NULL},
    [R_GIVE_UP] = {"give-up", SHAPE_MAPPING, NULL},
    [R_REQ] = {"req", SHAPE_SCALAR, NULL},
};

/* ---- fields ------------------------------------------------------------ */

static struct spec_field *field_named(const struct spec_list *fields, struct assay_near *near)
{
    SPEC_EACH (struct spec_field, f, fields) {
        if (f->name && strcmp(f->name, near->wanted) == 0)
            return f;
        assay_near_add(near, f->name);
    }
    return NULL;
}

/* A field of the frame: of both, where client and server have different ones. */
static struct spec_field *frame_field(struct assay_spec *spec, const struct assay_node *node)
{
    struct spec_field *found[2] = {NULL, NULL};
    for (unsigned i = 0; i < 2; i++) {
        struct assay_near near = {.wanted = node->text};
        found[i] = spec->frames[i] ? field_named(&spec->frames[i]->fields, &near) : NULL;
        if (spec->frames[i] && !found[i]) {
            assay_spec_error(spec, node->at, "the frame has no field '%s'%s", node->text, assay_near_text(&near));
            return NULL;
        }
    }
    if (!found[0] || !found[1])
        return NULL;
    if (found[0]->slot != found[1]->slot || found[0]->type->bits != found[1]->type->bits ||
        !assay_type_usable(found[0]->type, found[1]->type)) {
        assay_spec_error(spec, node->at, "'%s' has to be the same field, in the same place, in both frames",
                         node->text);
        return NULL;
    }
    if (found[0]->is || assay_may_lack(found[0]))
        assay_spec_error(spec, node->at, "'%s' is filled in: it is neither computed nor optional", node->text);
    found[0]->filled_in = found[1]->filled_in = true;
    return found[0];
}

static bool holds_number(const struct spec_field *f, unsigned bits)
{
    return f->type->kind == ASSAY_T_INT && f->type->form == ASSAY_FORM_INT && !(f->type->flags & ASSAY_F_SIGNED) &&
           f->type->bits >= bits && f->type->min == 0 && f->type->max >= ((int64_t)1 << bits) - 1;
}

static void read_number(struct assay_spec *spec, struct spec_reliable *r, const struct assay_node *match,
                        const struct assay_node *wrap)
{
    static const char *const words[] = {"u8", "u16", "u32"};
    static const uint8_t sizes[] = {8, 16, 32};
    r->number = frame_field(spec, match);
    if (!r->number)
        return;
    size_t i = wrap ? assay_read_word(spec, wrap, words, 3, "wrap") : 3;
    r->bits = i < 3 ? sizes[i] : r->number->type->bits;
    if (r->bits != 8 && r->bits != 16 && r->bits != 32)
        assay_spec_error(spec, match->at, "numbers wrap at the size of u8, u16 or u32: say which, with 'wrap'");
    else if (!holds_number(r->number, r->bits))
        assay_spec_error(spec, match->at, "'%s' cannot hold all numbers of %u bits", match->text, r->bits);
}

/* ---- messages ---------------------------------------------------------- */

static void read_messages(struct assay_spec *spec, struct spec_reliable *r, const struct assay_node *node)
{
    ASSAY_CHILDREN (child, node) {
        struct spec_message *m = assay_shape_is(spec, child, SHAPE_SCALAR, "a message")
                                     ? assay_find_message(spec, child->text, child->at)
                                     : NULL;
        if (!m)
            continue;
        m->reliable = true;
        assay_list_add(spec, &r->messages, m);
    }
}

/* Who gets messages of `reliable`. */
static unsigned answered_by(const struct spec_reliable *r)
{
    unsigned by = 0;
    SPEC_EACH (struct spec_message, m, &r->messages) {
        by |= m->from & ASSAY_CLIENT ? ASSAY_SERVER : 0u;
        by |= m->from & ASSAY_SERVER ? ASSAY_CLIENT : 0u;
    }
    return by;
}

/* Nobody gives the other fields of an acknowledgement. */
static void check_ack(struct assay_spec *spec, const struct spec_reliable *r, struct assay_at at)
{
    SPEC_EACH (struct spec_field, f, &r->ack->fields)
        if (f != r->ack_field && f->name && f->slot != ASSAY_NONE && !f->is && !f->init && !assay_may_lack(f) &&
            f->type->form != ASSAY_FORM_CALC && !f->ahead)
            assay_spec_error(spec, at, "nothing gives the field '%s' of %s: it needs a default", f->name, r->ack->name);
    if ((answered_by(r) & ~r->ack->from) != 0)
        assay_spec_error(spec, at, "%s has to come from everyone who gets messages of 'reliable'", r->ack->name);
    if (r->ack->reliable)
        assay_spec_error(spec, at, "%s acknowledges; it cannot be acknowledged itself", r->ack->name);
}

static void read_ack(struct assay_spec *spec, struct spec_reliable *r, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(spec, node, "ack");
    r->ack = entry ? assay_find_message(spec, entry->key->text, entry->key->at) : NULL;
    if (!r->ack || !assay_shape_is(spec, entry, SHAPE_SCALAR, "the field of an acknowledgement"))
        return;
    struct assay_near near = {.wanted = entry->text};
    r->ack->is_ack = true;
    r->ack_field = field_named(&r->ack->fields, &near);
    if (!r->ack_field)
        assay_spec_error(spec, entry->at, "%s has no field '%s'%s", r->ack->name, entry->text, assay_near_text(&near));
    else if (r->bits && !holds_number(r->ack_field, r->bits))
        assay_spec_error(spec, entry->at, "'%s' cannot hold all numbers of %u bits", entry->text, r->bits);
    check_ack(spec, r, entry->key->at);
}

/* ---- the rest ---------------------------------------------------------- */

static uint16_t read_percent(struct assay_spec *spec, const struct assay_node *node)
{
    char *end = NULL;
    unsigned long n = node ? strtoul(node->text, &end, 10) : 0;
    if (!node || (end != node->text && strcmp(end, "%") == 0 && n <= 100))
        return (uint16_t)n;
    assay_spec_error(spec, node->at, "a tolerance is a part of the pause, such as 20%%");
    return 0;
}

static void read_give_up(struct assay_spec *spec, struct spec_reliable *r, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"after", SHAPE_SCALAR | SHAPE_REQUIRED, NULL}};
    const struct assay_node *of[1];
    if (node && assay_shape(spec, node, "give-up", keys, 1, of) && of[0])
        r->give_up = assay_expr_parse(spec, of[0]);
}

static void read_words(struct assay_spec *spec, struct spec_reliable *r, const struct assay_node *const *of)
{
    static const char *const orders[] = {"in-order"}, *const duplicates[] = {"acknowledge-again"};
    r->order = ASSAY_ORDER_IN_ORDER;
    r->duplicate = ASSAY_DUPLICATE_ACKNOWLEDGE;
    if (of[R_ORDER])
        assay_read_word(spec, of[R_ORDER], orders, 1, "order");
    if (of[R_ON_DUPLICATE])
        assay_read_word(spec, of[R_ON_DUPLICATE], duplicates, 1, "on-duplicate");
    r->factor = of[R_FACTOR] ? assay_read_factor(spec, of[R_FACTOR]) : 200;
    r->tolerance = of[R_TOLERANCE] ? read_percent(spec, of[R_TOLERANCE]) : 20;
    r->window = 1;
    if (assay_read_int(spec, of[R_WINDOW], 1, INT32_MAX, &r->window) && r->bits &&
        r->window > (int64_t)1 << (r->bits - 1))
        assay_spec_error(spec, of[R_WINDOW]->at,
                         "a window of more than half of the numbers: what is old could not be told from what is new");
}

static void read_one(struct assay_spec *spec, const struct assay_node *node)
{
    const struct assay_node *of[R_KEYS];
    struct spec_reliable *r = ASSAY_NEW(&spec->arena, struct spec_reliable);
    *r = (struct spec_reliable){.at = node->at, .node = node};
    if (!assay_shape(spec, node, "reliable", reliable_keys, R_KEYS, of) || !of[R_MESSAGES] || !of[R_MATCH] ||
        !of[R_ACK] || !of[R_FIRST])
        return;
    spec->reliable = r;
    read_messages(spec, r, of[R_MESSAGES]);
    read_number(spec, r, of[R_MATCH], of[R_WRAP]);
    read_ack(spec, r, of[R_ACK]);
    r->session = of[R_SESSION] ? frame_field(spec, of[R_SESSION]) : NULL;
    read_words(spec, r, of);
    r->first = assay_expr_parse(spec, of[R_FIRST]);
    r->cap = of[R_CAP] ? assay_expr_parse(spec, of[R_CAP]) : NULL;
    read_give_up(spec, r, of[R_GIVE_UP]);
    r->req = assay_read_req(spec, of[R_REQ]);
}

void assay_read_reliable(struct assay_spec *spec, const struct assay_node *node)
{
    bool datagrams = false;
    SPEC_EACH (struct spec_transport, t, &spec->transports)
        datagrams = datagrams || t->datagram;
    if (!node)
        return;
    if (node->count != 1)
        assay_spec_error(spec, node->at, "'reliable' has one entry; this one has %zu", node->count);
    if (node->first)
        read_one(spec, node->first);
    if (!datagrams)
        assay_spec_error(spec, node->key->at, "'reliable' is for datagrams, and no transport has them");
}

/* ---- when machines and params are known -------------------------------- */

static bool takes_part(const struct spec_reliable *r, const struct spec_machine *m)
{
    SPEC_EACH (struct spec_message, message, &r->messages)
        if (m->datagram && assay_knows(m, message))
            return true;
    return false;
}

static void place_in(struct assay_spec *spec, struct spec_reliable *r, struct spec_machine *m)
{
    const struct assay_node *start = assay_node_get(r->node, "start"), *session = assay_node_get(r->node, "session");
    const struct spec_scope scope = {.machine = m, .params = true};
    SPEC_EACH (struct spec_var, v, &m->vars)
        if (r->session && strcmp(v->name, session->text) == 0)
            m->session = v;
    if (r->session && !m->session)
        assay_spec_error(spec, session->at, "%s has no variable '%s', which numbers its messages", m->name,
                         session->text);
    else if (r->session && !assay_type_usable(r->session->type, m->session->type))
        assay_spec_error(spec, session->at, "the field '%s' is %s, and the variable of %s is %s", session->text,
                         assay_type_says(r->session->type), m->name, assay_type_says(m->session->type));
    struct spec_expr *e = start ? assay_expr_parse(spec, start) : NULL;
    m->first_number = e && assay_expr_resolve(spec, e, &scope, &assay_type_int) ? e : NULL;
}

void assay_place_reliable(struct assay_spec *spec)
{
    struct spec_reliable *r = spec->reliable;
    const struct spec_scope scope = {.params = true};
    if (!r)
        return;
    struct spec_expr *const durations[] = {r->first, r->cap, r->give_up};
    for (size_t i = 0; i < 3; i++)
        if (durations[i])
            assay_expr_resolve(spec, durations[i], &scope, &assay_type_duration);
    SPEC_EACH (struct spec_machine, m, &spec->machines)
        if (takes_part(r, m))
            place_in(spec, r, m);
}

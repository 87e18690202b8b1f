/* What rules amount to: bytes that they send, scratch that they need, whether they can fail. */
#include "compiler/lower.h"

/* ---- what a rule amounts to -------------------------------------------- */

/* The most bytes that a run of actions sends. */
uint64_t assay_sent_by(struct lower *l, const struct spec_list *actions)
{
    uint64_t sum = 0;
    SPEC_EACH (struct spec_action, a, actions) {
        uint64_t most = 0, other = 0;
        if (a->kind == SPEC_A_SEND)
            most = assay_message_max(l->spec, a->message);
        if (a->body)
            most = assay_sent_by(l, a->body);
        if (a->otherwise)
            other = assay_sent_by(l, a->otherwise);
        SPEC_EACH (struct spec_way, w, &a->ways) {
            uint64_t way = assay_sent_by(l, &w->body);
            most = way > most ? way : most;
        }
        sum += other > most ? other : most;
    }
    return sum;
}

static uint64_t field_codes(const struct spec_list *fields)
{
    uint64_t sum = 0;
    SPEC_EACH (struct spec_field, f, fields) {
        const struct spec_expr *codes[] = {f->is,          f->init,       f->present,
                                           f->type->check, f->type->calc, f->type->extent.size};
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            sum += assay_scratch_max(codes[i]);
        if (f->type->kind == ASSAY_T_LIST)
            sum += 8 * (uint64_t)f->type->max;
    }
    return sum;
}

/* Scratch that structured text needs, read once and written once. */
static uint64_t structured(const struct lower *l, const struct spec_list *fields, size_t members)
{
    uint64_t sum = 0;
    SPEC_EACH (struct spec_field, f, fields) {
        const struct spec_object *object = f->type->object;
        if (f->type->pairs)
            sum += 2 * (uint64_t)ASSAY_PAIRS_SCRATCH(l->model->frame_max, f->type->pairs->is.most, members);
        if (object && !object->rest_field)
            sum += ASSAY_PAIRS_SCRATCH(l->model->frame_max, 0, object->members.count);
        if (object && object->rest_field)
            sum += ASSAY_PAIRS_SCRATCH(l->model->frame_max, object->rest_field->type->pairs->is.most,
                                       object->members.count);
    }
    return sum;
}

/* Scratch to encode or decode a message. */
uint64_t assay_coding_scratch(struct lower *l, const struct spec_message *m)
{
    uint64_t sum = field_codes(&m->fields) + 2 * (uint64_t)assay_message_max(l->spec, m);
    sum += structured(l, &m->fields, 0);
    const struct spec_frame *const *frames = (const struct spec_frame *const *)l->spec->frames;
    for (unsigned i = 0; i < (frames[0] == frames[1] ? 1 : 2); i++)
        sum += field_codes(&frames[i]->fields) + structured(l, &frames[i]->fields, m->fields.count);
    SPEC_EACH (struct spec_where, w, &m->wheres)
        sum += assay_scratch_max(w->that);
    return sum;
}

uint64_t assay_actions_scratch(struct lower *l, const struct spec_list *actions)
{
    uint64_t sum = 0;
    SPEC_EACH (struct spec_action, a, actions) {
        sum += assay_scratch_max(a->value) + (a->let ? assay_scratch_max(a->let->value) : 0);
        SPEC_EACH (struct spec_given, g, &a->given)
            sum += assay_scratch_max(g->value) + assay_scratch_max(g->where);
        if (a->kind == SPEC_A_SEND)
            sum += assay_coding_scratch(l, a->message);
        sum += a->body ? assay_actions_scratch(l, a->body) : 0;
        sum += a->otherwise ? assay_actions_scratch(l, a->otherwise) : 0;
        SPEC_EACH (struct spec_way, w, &a->ways)
            sum += assay_actions_scratch(l, &w->body) + assay_scratch_max(w->when);
    }
    return sum;
}

uint64_t assay_rule_scratch(struct lower *l, const struct spec_rule *r)
{
    uint64_t sum = assay_actions_scratch(l, &r->body) + assay_scratch_max(r->guard);
    SPEC_EACH (struct spec_given, g, &r->pattern)
        sum += assay_scratch_max(g->value);
    SPEC_EACH (struct spec_way, w, &r->may)
        sum += assay_actions_scratch(l, &w->body);
    return sum + (r->otherwise ? assay_actions_scratch(l, r->otherwise) : 0);
}

static void see_field(struct spec_expr *e, void *seen)
{
    if (e->kind == SPEC_E_FIELD || e->kind == SPEC_E_VAR || e->kind == SPEC_E_LET || assay_expr_looks_out(e))
        *(bool *)seen = true;
}

static bool looks_at_session(struct spec_expr *e)
{
    bool seen = false;
    assay_expr_walk(e, see_field, &seen);
    return seen;
}

/* `else` of a gate: sends what is known anyway, and ends. */
static bool ends_blindly(const struct spec_list *actions)
{
    bool ends = false;
    if (!actions)
        return false;
    SPEC_EACH (struct spec_action, a, actions) {
        ends = ends || a->kind == SPEC_A_ABORT || (a->kind == SPEC_A_GOTO && a->state->kind == ASSAY_STATE_END);
        if (a->kind != SPEC_A_ABORT && a->kind != SPEC_A_GOTO && a->kind != SPEC_A_SEND)
            return false;
        SPEC_EACH (struct spec_given, g, &a->given)
            if (looks_at_session(g->value))
                return false;
    }
    return ends;
}

static bool is_gate(const struct spec_rule *r)
{
    bool fallible = false;
    SPEC_EACH (struct spec_action, a, &r->body) {
        fallible = fallible || (a->kind == SPEC_A_DO && a->effect->fallible);
        if (a->kind != SPEC_A_DO && a->kind != SPEC_A_SEND && a->kind != SPEC_A_LET)
            return false;
        if (a->kind == SPEC_A_DO && a->effect->table) /* what comes next may look at it */
            return false;
    }
    return fallible && r->may.count == 0 && ends_blindly(r->otherwise);
}

static bool declines_only(const struct spec_list *actions)
{
    if (!actions || actions->count != 1)
        return false;
    SPEC_EACH (struct spec_action, a, actions)
        if (a->kind != SPEC_A_DECLINE)
            return false;
    return true;
}

static bool only_reliable(const struct spec_list *events)
{
    SPEC_EACH (struct spec_event, e, events)
        if (!e->message || !e->message->reliable)
            return false;
    return events->count > 0;
}

/* It adds a row, which is all it does, or declines: what comes next does not depend on whether it has been done yet. */
static bool is_chain(const struct spec_rule *r)
{
    bool adds = false;
    SPEC_EACH (struct spec_action, a, &r->body) {
        if (adds || (a->kind != SPEC_A_DO && a->kind != SPEC_A_LET))
            return false;
        adds = a->kind == SPEC_A_DO;
        if (adds && (!a->effect->log || !a->effect->fallible || a->effect->table))
            return false;
    }
    return adds && r->may.count == 0 && declines_only(r->otherwise) && only_reliable(&r->events);
}

static const struct spec_type *target_type(const struct spec_given *g)
{
    return g->field ? g->field->type : g->var ? g->var->type : g->param ? g->param->type : NULL;
}

/* Bytes may not fit in the memory of variables. */
static bool may_lack_room(const struct spec_given *g)
{
    return g->var && assay_kind_is_bytes(g->var->type->kind);
}

static bool may_fail(const struct spec_list *actions)
{
    bool fails = false;
    SPEC_EACH (struct spec_action, a, actions) {
        fails = fails || (a->let && a->let->value && assay_can_fail(a->let->value)) ||
                (a->value && assay_can_fail(a->value));
        SPEC_EACH (struct spec_given, g, &a->given)
            fails = fails || assay_can_fail(g->value) || may_lack_room(g) ||
                    (target_type(g) && assay_may_not_fit(g->value, target_type(g)));
        fails = fails || (a->message && a->message->wheres.count > 0);
        fails = fails || (a->kind == SPEC_A_DO && a->effect->table); /* it may be full */
        fails = fails || (a->body && may_fail(a->body)) || (a->otherwise && may_fail(a->otherwise));
        SPEC_EACH (struct spec_way, w, &a->ways)
            fails = fails || may_fail(&w->body) || (w->when && assay_can_fail(w->when));
    }
    return fails;
}

bool assay_sends_reliable(const struct spec_list *actions)
{
    bool sends = false;
    if (!actions)
        return false;
    SPEC_EACH (struct spec_action, a, actions) {
        sends = sends || (a->kind == SPEC_A_SEND && a->message->reliable) || assay_sends_reliable(a->body) ||
                assay_sends_reliable(a->otherwise);
        SPEC_EACH (struct spec_way, w, &a->ways)
            sends = sends || assay_sends_reliable(&w->body);
    }
    return sends;
}

/* A message of `reliable` is acknowledged behind what its rule sends. */
uint64_t assay_acknowledged_by(const struct lower *l, const struct spec_list *events)
{
    SPEC_EACH (struct spec_event, e, events)
        if (e->message && e->message->reliable)
            return assay_message_max(l->spec, l->spec->reliable->ack);
    return 0;
}

static bool rule_sends_reliable(const struct spec_rule *r)
{
    bool sends = assay_sends_reliable(&r->body) || assay_sends_reliable(r->otherwise);
    SPEC_EACH (struct spec_way, w, &r->may)
        sends = sends || assay_sends_reliable(&w->body);
    return sends;
}

uint8_t assay_rule_flags(const struct spec_rule *r)
{
    bool fallible = may_fail(&r->body);
    SPEC_EACH (struct spec_way, w, &r->may)
        fallible = fallible || may_fail(&w->body);
    return (uint8_t)((is_gate(r) ? ASSAY_RULE_GATE : 0) | (r->otherwise && fallible ? ASSAY_RULE_FALLIBLE : 0) |
                     (r->stateless ? ASSAY_RULE_STATELESS : 0) | (rule_sends_reliable(r) ? ASSAY_RULE_RELIABLE : 0) |
                     (is_chain(r) ? ASSAY_RULE_CHAIN : 0));
}

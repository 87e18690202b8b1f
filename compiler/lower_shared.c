/* What all sessions share, what is acknowledged, and what is promised, as tables of the model. */
#include "compiler/lower.h"

static const uint16_t none = ASSAY_NONE;

static uint16_t index_of(const struct spec_requirement *req)
{
    return req ? req->index : ASSAY_NONE;
}

static uint32_t capped(int64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* ---- tables and logs --------------------------------------------------- */

/* The arguments of the effect that puts a row are its key and its columns. */
void assay_lower_tables(struct lower *l)
{
    SPEC_EACH (struct spec_table, t, &l->spec->tables) {
        uint16_t key = t->key->index;
        t->index = PUSH(l, tables, struct assay_table,
                        {.name = t->name,
                         .key = key,
                         .columns = {(uint16_t)(key + 1), (uint16_t)t->columns.count},
                         .most = capped(t->most),
                         .durable = t->durable,
                         .effect = t->effect->index});
    }
}

static uint16_t push_states(struct lower *l, const struct spec_list *states)
{
    uint16_t at = (uint16_t)l->statesets.count;
    SPEC_EACH (struct spec_state, s, states)
        assay_push(l, &l->statesets, &s->index, sizeof s->index);
    assay_push(l, &l->statesets, &none, sizeof none);
    return at;
}

static void lower_follow(struct lower *l, const struct spec_log *log, struct assay_log *out)
{
    const struct spec_follow *f = log->follow;
    out->machine = f->machine->index;
    out->states = push_states(l, &f->states);
    out->follows = assay_gen_value(l, f->follows);
    out->cursor = f->cursor->index;
    out->batch = assay_gen_value(l, f->batch);
    out->window = assay_gen_value(l, f->window);
    out->first_slot = f->rule->locals_first;
    out->req = index_of(f->req);
}

static void lower_log(struct lower *l, const struct spec_log *log)
{
    struct assay_log out = {.name = log->name,
                            .unique = log->unique,
                            .durable = log->durable,
                            .keep = capped(log->keep),
                            .machine = ASSAY_NONE,
                            .states = ASSAY_NONE,
                            .follows = ASSAY_NONE,
                            .cursor = ASSAY_NONE,
                            .batch = ASSAY_NONE,
                            .window = ASSAY_NONE,
                            .event = log->event ? log->event->index : ASSAY_NONE,
                            .first_slot = ASSAY_NONE,
                            .req = index_of(log->req)};
    out.columns = assay_lower_params(l, &log->columns);
    if (log->follow)
        lower_follow(l, log, &out);
    assay_push(l, &l->logs, &out, sizeof out);
}

/* ---- reliability ------------------------------------------------------- */

/* Whatever a rule may send, there is room for an acknowledgement, and for any message once more. */
static void need_out(struct lower *l, const struct spec_message *m)
{
    uint32_t size = assay_message_max(l->spec, m);
    if (size > l->model->out_max)
        l->model->out_max = size;
}

static void lower_reliable(struct lower *l, const struct spec_reliable *r)
{
    struct assay_reliable out = {.number = r->number->slot,
                                 .bits = r->bits,
                                 .order = r->order,
                                 .duplicate = r->duplicate,
                                 .ack = r->ack->index,
                                 .ack_slot = r->ack_field->slot,
                                 .session = r->session ? r->session->slot : ASSAY_NONE,
                                 .window = capped(r->window),
                                 .factor = r->factor,
                                 .tolerance = r->tolerance,
                                 .req = index_of(r->req)};
    out.messages = (struct assay_range){(uint16_t)l->reliable_messages.count, (uint16_t)r->messages.count};
    SPEC_EACH (struct spec_message, m, &r->messages) {
        assay_push(l, &l->reliable_messages, &m->index, sizeof m->index);
        need_out(l, m);
    }
    need_out(l, r->ack);
    out.first = assay_gen_value(l, r->first);
    out.cap = assay_gen_value(l, r->cap);
    out.give_up = assay_gen_value(l, r->give_up);
    assay_push(l, &l->reliables, &out, sizeof out);
}

/* ---- promises ---------------------------------------------------------- */

static void lower_act(struct lower *l, const struct spec_act *act)
{
    struct assay_range args = {(uint16_t)l->act_args.count, (uint16_t)act->call->args.count};
    SPEC_EACH (struct spec_param, p, &act->call->args) {
        const struct spec_expr *value = p->init;
        SPEC_EACH (struct spec_given, g, &act->given)
            value = g->param == p ? g->value : value;
        uint16_t code = assay_gen_value(l, value);
        assay_push(l, &l->act_args, &code, sizeof code);
    }
    PUSH(l, acts, struct assay_act, {.call = act->call->index, .args = args});
}

static void lower_impair(struct lower *l, const struct spec_impair *i)
{
    PUSH(l, impairs, struct assay_impair,
         {.faults = i->faults,
          .crashes = i->crashes,
          .up_to = (uint16_t)i->up_to,
          .extra = capped(i->extra),
          .req = index_of(i->req)});
    SPEC_EACH (struct spec_actor, a, &i->actors) {
        struct assay_range acts = {(uint16_t)l->acts.count, (uint16_t)a->acts.count};
        SPEC_EACH (struct spec_act, act, &a->acts)
            lower_act(l, act);
        PUSH(l, actors, struct assay_actor, {.name = a->name, .acts = acts});
    }
    SPEC_EACH (struct spec_promise, p, &i->promises)
        PUSH(l, promises, struct assay_promise,
             {.call = p->call->index,
              .effect = p->effect->index,
              .call_arg = p->call_arg,
              .effect_arg = p->effect_arg,
              .at = p->at,
              .same_order = p->same_order,
              .req = index_of(p->req)});
}

/* ---- all --------------------------------------------------------------- */

void assay_lower_shared(struct lower *l)
{
    SPEC_EACH (struct spec_log, log, &l->spec->logs)
        lower_log(l, log);
    if (l->spec->reliable)
        lower_reliable(l, l->spec->reliable);
    if (l->spec->impair)
        lower_impair(l, l->spec->impair);
}

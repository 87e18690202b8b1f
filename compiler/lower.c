/* The model's tables but for the wire (lower_wire.c) and behaviour (lower_rules.c), and all of them put together. */
#include <string.h>

#include "compiler/lower.h"

uint16_t assay_push(struct lower *l, struct table *table, const void *item, size_t size)
{
    if (table->count >= ASSAY_NONE) {
        l->too_large = true;
        return 0;
    }
    table->items = assay_arena_grow(&l->spec->arena, table->items, table->count, &table->capacity, size);
    memcpy((char *)table->items + table->count * size, item, size);
    return (uint16_t)table->count++;
}

/* ---- constants, types -------------------------------------------------- */

uint16_t assay_lower_blob(struct lower *l, struct assay_blob blob)
{
    return assay_push(l, &l->blobs, &blob, sizeof blob);
}

uint16_t assay_lower_set(struct lower *l, const struct assay_byteset *set)
{
    return set ? assay_push(l, &l->sets, set, sizeof *set) : ASSAY_NONE;
}

static uint16_t same_type(const struct lower *l, const struct assay_type *type)
{
    const struct assay_type *types = l->types.items;
    for (size_t i = 0; i < l->types.count; i++)
        if (types[i].kind == type->kind && types[i].charset == type->charset && types[i].of == type->of &&
            types[i].set == type->set && types[i].min == type->min && types[i].max == type->max &&
            strcmp(types[i].name, type->name) == 0)
            return (uint16_t)i;
    return ASSAY_NONE;
}

uint16_t assay_lower_type(struct lower *l, const struct spec_type *t)
{
    struct assay_type type = {.name = t->name ? t->name : "",
                              .kind = t->kind,
                              .of = ASSAY_NONE,
                              .set = ASSAY_NONE,
                              .min = t->min,
                              .max = t->max};
    if (t->kind == SPEC_T_NONE || t->kind == SPEC_T_ANY)
        return ASSAY_NONE;
    type.charset = t->kind == ASSAY_T_TEXT ? t->charset : 0;
    if (t->kind == ASSAY_T_ENUM)
        type.of = t->of->index;
    if (t->kind == ASSAY_T_LIST)
        type.of = t->element ? assay_lower_type(l, t->element) : ASSAY_NONE;
    if (assay_kind_is_bytes(t->kind))
        type.set = assay_lower_set(l, t->set);
    uint16_t same = same_type(l, &type);
    return same != ASSAY_NONE ? same : assay_push(l, &l->types, &type, sizeof type);
}

static void lower_enums(struct lower *l)
{
    SPEC_EACH (struct spec_enum, e, &l->spec->enums) {
        struct assay_range items = {(uint16_t)l->enum_items.count, (uint16_t)e->items.count};
        SPEC_EACH (struct spec_enum_item, item, &e->items)
            PUSH(l, enum_items, struct assay_enum_item, {.name = item->name, .value = item->value, .text = item->text});
        e->index = PUSH(l, enums, struct assay_enum,
                        {.name = e->name ? e->name : "", .items = items, .open = e->open, .text = e->text});
    }
}

/* ---- facts around the protocol ----------------------------------------- */

static void lower_option(struct lower *l, struct spec_param *p)
{
    struct assay_option o = {.name = p->name, .text = p->text ? p->text : ""};
    o.type = assay_lower_type(l, p->type);
    if (p->init && !assay_expr_number(p->init, &o.value) && !assay_expr_text(p->init, &o.blob))
        assay_expr_error(l->spec, p->init, "the default of a param is a constant");
    if (!p->init && p->type->kind == ASSAY_T_INT && p->type->min > 0)
        o.value = p->type->min;
    p->index = assay_push(l, &l->options, &o, sizeof o);
}

static void lower_facts(struct lower *l)
{
    SPEC_EACH (struct spec_requirement, r, &l->spec->requires)
        PUSH(l, requirements, struct assay_requirement,
             {.id = r->id, .ref = r->ref, .text = r->text, .level = r->level});
    SPEC_EACH (struct spec_transport, t, &l->spec->transports)
        PUSH(l, transports, struct assay_transport,
             {.name = t->name,
              .bind = t->bind,
              .port = t->port,
              .client_port = t->client_port,
              .server = ASSAY_NONE,
              .client = ASSAY_NONE});
    SPEC_EACH (struct spec_leniency, y, &l->spec->leniencies)
        PUSH(l, leniencies, struct assay_leniency,
             {.name = y->name,
              .text = y->text,
              .on = y->on,
              .level = y->level,
              .req = y->req ? y->req->index : ASSAY_NONE});
    SPEC_EACH (struct spec_param, p, &l->spec->params)
        lower_option(l, p);
}

struct assay_range assay_lower_params(struct lower *l, const struct spec_list *params)
{
    struct assay_range range = {(uint16_t)l->params.count, (uint16_t)params->count};
    SPEC_EACH (struct spec_param, p, params)
        p->index = PUSH(l, params, struct assay_param,
                        {.name = p->name,
                         .text = p->text ? p->text : "",
                         .type = assay_lower_type(l, p->type),
                         .init = assay_gen_value(l, p->init)});
    return range;
}

static void lower_effects(struct lower *l)
{
    SPEC_EACH (struct spec_effect, e, &l->spec->effects) {
        struct assay_range args = assay_lower_params(l, &e->args);
        PUSH(l, effects, struct assay_effect,
             {.name = e->name,
              .args = args,
              .verb = e->verb,
              .object = e->object,
              .fallible = e->fallible,
              .table = e->table ? e->table->index : ASSAY_NONE,
              .log = e->log ? e->log->index : ASSAY_NONE});
    }
}

static void lower_calls(struct lower *l)
{
    SPEC_EACH (struct spec_call, call, &l->spec->calls) {
        struct assay_call c = {.name = call->name, .text = call->text ? call->text : "", .event = call->event->index};
        c.args = assay_lower_params(l, &call->args);
        c.results = assay_lower_params(l, &call->results);
        c.errors = (struct assay_range){(uint16_t)l->errors.count, (uint16_t)call->errors.count};
        c.first_var = c.machine = c.opens = ASSAY_NONE;
        c.within = call->within;
        SPEC_EACH (struct spec_error, e, &call->errors)
            e->index = PUSH(l, errors, struct assay_error, {.name = e->name, .text = e->text ? e->text : ""});
        assay_push(l, &l->calls, &c, sizeof c);
    }
}

/* ---- all --------------------------------------------------------------- */

static void lower_events(struct lower *l)
{
    SPEC_EACH (struct spec_event, e, &l->spec->events) {
        uint16_t index = e->message ? e->message->index
                         : e->call  ? e->call->index
                         : e->log   ? e->log->index
                                    : ASSAY_NONE;
        if (e->kind <= ASSAY_EVK_ROW)
            PUSH(l, events, struct assay_event_def, {.name = e->name, .kind = e->kind, .index = index});
    }
}

static void lower_timer_events(struct lower *l)
{
    const struct assay_timer *timers = l->timers.items;
    for (size_t i = 0; i < l->timers.count; i++)
        ((struct assay_event_def *)l->events.items)[timers[i].event].index = (uint16_t)i;
}

static void fill(struct lower *l)
{
    struct assay_model *m = l->model;
#define TABLE(name)                                                                                                    \
    m->name = l->name.items;                                                                                           \
    m->name##_count = (uint16_t)l->name.count
    TABLE(requirements);
    TABLE(transports);
    TABLE(options);
    TABLE(leniencies);
    TABLE(types);
    TABLE(sets);
    TABLE(enums);
    TABLE(enum_items);
    TABLE(fields);
    TABLE(frames);
    TABLE(delims);
    TABLE(aheads);
    TABLE(pairs);
    TABLE(objects);
    TABLE(object_members);
    TABLE(messages);
    TABLE(wheres);
    TABLE(examples);
    TABLE(events);
    TABLE(machines);
    TABLE(states);
    TABLE(vars);
    TABLE(timers);
    TABLE(rules);
    TABLE(effects);
    TABLE(params);
    TABLE(calls);
    TABLE(errors);
    TABLE(tables);
    TABLE(logs);
    TABLE(reliables);
    TABLE(reliable_messages);
    TABLE(impairs);
    TABLE(actors);
    TABLE(acts);
    TABLE(act_args);
    TABLE(promises);
    TABLE(blobs);
    TABLE(ints);
    TABLE(statesets);
    TABLE(code);
#undef TABLE
    m->transitions = l->transitions.items;
    m->rule_lists = l->rule_lists.items;
    m->rule_lists_count = (uint32_t)l->rule_lists.count;
}

/* Who plays where. */
static void place_machines(struct lower *l)
{
    struct assay_model *m = l->model;
    m->server = m->client = ASSAY_NONE;
    SPEC_EACH (struct spec_transport, t, &l->spec->transports) {
        struct assay_transport *out = (struct assay_transport *)l->transports.items + t->index;
        out->server = t->server ? t->server->index : ASSAY_NONE;
        out->client = t->client ? t->client->index : ASSAY_NONE;
        if (t->index == 0) {
            m->server = out->server;
            m->client = out->client;
        }
    }
}

struct assay_model *assay_lower(struct assay_spec *spec)
{
    struct lower *l = ASSAY_NEW(&spec->arena, struct lower);
    struct assay_model *m = ASSAY_NEW(&spec->arena, struct assay_model);
    uint32_t where;
    l->spec = spec;
    l->model = m;
    m->protocol = spec->protocol;
    m->title = spec->title;
    m->version = spec->version;
    m->source = spec->name;
    m->limits = spec->limits;
    lower_enums(l);
    lower_facts(l);
    lower_events(l);
    assay_lower_wire(l);
    lower_effects(l);
    assay_lower_tables(l);
    lower_calls(l);
    assay_lower_machines(l);
    assay_lower_shared(l);
    place_machines(l);
    assay_lower_terminal(l);
    lower_timer_events(l);
    fill(l);
    if (l->too_large)
        assay_spec_error(spec, (struct assay_at){0, 0},
                         "the spec is too large: no table may have more than 65534 entries");
    else if (spec->diags->errors == 0 && !assay_code_verify(m, &where))
        assay_spec_error(spec, (struct assay_at){0, 0},
                         "an expression or rule is too large (more than %d values at once, or 8192 "
                         "instructions)",
                         ASSAY_STACK_MAX);
    return spec->diags->errors == 0 ? m : NULL;
}

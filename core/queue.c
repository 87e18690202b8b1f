/* Events that wait for the host to take them, and effects that it was ordered to do. */
#include <string.h>

#include "core/session.h"

struct assay_event *assay_queue(struct assay_engine *e, struct assay_session *s, enum assay_event_type type)
{
    struct assay_queued *q = &e->events[e->events_count++];
    q->event.type = type;
    q->event.sid = assay_session_id(s);
    q->event.count = 0;
    q->first_arg = e->args_count;
    return &q->event;
}

void assay_queue_arg(struct assay_engine *e, uint16_t type, assay_val v)
{
    bool bytes = assay_is_bytes(e->model, type);
    e->arg_values[e->args_count] = bytes ? 0 : v;
    e->arg_spans[e->args_count] = bytes ? assay_bytes(&e->env, v) : (struct assay_span){NULL, 0};
    e->args_count++;
    e->events[e->events_count - 1].event.count++;
}

void assay_queue_keep_effects(struct assay_engine *e, uint32_t mark)
{
    uint32_t kept = mark;
    for (uint32_t i = mark; i < e->events_count; i++)
        if (e->events[i].event.type == ASSAY_EVENT_EFFECT)
            e->events[kept++] = e->events[i];
    e->events_count = kept;
}

/* Room for all that one event may bring about. */
bool assay_queue_has_room(const struct assay_engine *e)
{
    return e->events_cap - e->events_count >= e->events_need && e->args_cap - e->args_count >= e->args_need &&
           e->env.scratch_cap - e->env.scratch_used >= e->scratch_need &&
           (e->garbage_cap - e->garbage_count >= e->garbage_need || e->events_head == e->events_count);
}

bool assay_next_event(struct assay_engine *e, struct assay_event *event)
{
    if (e->events_head == e->events_count)
        return false;
    const struct assay_queued *q = &e->events[e->events_head++];
    *event = q->event;
    event->values = e->arg_values + q->first_arg;
    event->spans = e->arg_spans + q->first_arg;
    return true;
}

/* ---- effects in flight ------------------------------------------------- */

#define INDEX_BITS 20
#define GEN_MASK   0xfffu

static assay_token token_of(const struct assay_engine *e, const struct assay_flight *flight)
{
    return (uint32_t)flight->gen << INDEX_BITS | (uint32_t)(flight - e->flights);
}

static struct assay_flight *take_flight(struct assay_engine *e)
{
    struct assay_flight *flight;
    uint16_t gen = 0;
    if (e->flights_free) {
        flight = &e->flights[e->flights_free - 1];
        e->flights_free = flight->next;
        gen = flight->gen;
    } else if (e->flights_used < e->config.limits.effects && e->flights_used < 1u << INDEX_BITS) {
        flight = &e->flights[e->flights_used++];
    } else {
        return NULL;
    }
    memset(flight, 0, sizeof *flight);
    flight->gen = (uint16_t)(gen == GEN_MASK ? 1 : gen + 1);
    return flight;
}

assay_token assay_flight_start(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event,
                               bool gate)
{
    struct assay_flight *flight = take_flight(e);
    if (!flight)
        return 0;
    flight->session = s->slot;
    flight->session_gen = s->gen;
    flight->rule = rule;
    flight->event = event;
    flight->gate = gate;
    return token_of(e, flight);
}

struct assay_flight *assay_flight_find(struct assay_engine *e, assay_token token)
{
    uint32_t index = token & ((1u << INDEX_BITS) - 1);
    if (token == 0 || index >= e->flights_used)
        return NULL;
    struct assay_flight *flight = &e->flights[index];
    return flight->session != ASSAY_TIMERS_OUT && token_of(e, flight) == token ? flight : NULL;
}

void assay_flight_end(struct assay_engine *e, struct assay_flight *flight)
{
    flight->session = ASSAY_TIMERS_OUT;
    flight->next = e->flights_free;
    e->flights_free = (uint32_t)(flight - e->flights) + 1;
}

void assay_flight_again(struct assay_engine *e, struct assay_flight *flight, const struct assay_flight *was)
{
    uint32_t *link = &e->flights_free, id = (uint32_t)(flight - e->flights) + 1;
    while (*link != id)
        link = &e->flights[*link - 1].next;
    *link = flight->next;
    *flight = *was;
}

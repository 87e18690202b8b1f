#include "fuzz/account.h"

#include <stdlib.h>
#include <string.h>

#include "core/feed.h"
#include "core/reliable.h"
#include "fuzz/target.h"

struct account {
    const struct assay_engine *e;
    uint8_t *units; /* whose each is: 0: nobody's; 1: somebody's, or free */
};

static void claim(struct account *a, uint32_t first, uint32_t units)
{
    fuzz_require(first < a->e->heap.units && units <= a->e->heap.units - first, "memory outside the heap");
    for (uint32_t i = first; i < first + units; i++)
        fuzz_require(!a->units[i]++, "memory that belongs to two, or is free");
}

static uint32_t rounded(uint32_t size)
{
    uint32_t units = assay_heap_units(size), whole = 1;
    while (whole < units)
        whole *= 2;
    return whole;
}

static void claim_bytes(struct account *a, uint32_t at, uint32_t size)
{
    fuzz_require(at % ASSAY_HEAP_UNIT == 0, "memory that begins inside a block");
    if (size)
        claim(a, at / ASSAY_HEAP_UNIT, rounded(size));
}

static void claim_value(struct account *a, uint16_t type, assay_val v)
{
    if (assay_is_bytes(a->e->model, type) && assay_val_region(v) == ASSAY_REGION_VARS)
        claim_bytes(a, assay_val_offset(v), assay_val_size(v));
}

static void claim_free(struct account *a)
{
    for (uint32_t i = 0; i < a->e->heap.units; i++)
        if (a->e->heap.orders[i])
            claim(a, i, 1u << (a->e->heap.orders[i] - 1));
}

static void claim_flow(struct account *a, const struct assay_session *s)
{
    const struct assay_engine *e = a->e;
    struct assay_flow *flow = assay_flow_of(e, s);
    uint32_t held = 0;
    for (uint64_t i = flow->base; i < flow->next; i++) {
        const struct assay_kept *kept = &assay_flow_kept(e, flow)[(flow->head + (i - flow->base)) % e->window];
        claim_bytes(a, kept->at, kept->size);
    }
    for (uint32_t i = 0; i < e->window; i++) {
        const struct assay_ahead_of_turn *ahead = &assay_flow_ahead(e, flow)[i];
        claim_bytes(a, ahead->at, ahead->size);
        held += ahead->size || ahead->done;
    }
    fuzz_require(held == flow->held, "messages ahead of their turn are counted wrong");
    fuzz_require(flow->next - flow->base <= e->window && flow->acked <= flow->next, "more messages than the window");
}

static void claim_session(struct account *a, const struct assay_session *s)
{
    const struct assay_engine *e = a->e;
    const assay_val *held = s->words + e->vars_count + e->timers_count + 1;
    for (uint16_t i = 0; i < e->vars_count; i++)
        claim_value(a, e->model->vars[e->machine->vars.first + i].type, s->words[i]);
    fuzz_require(s->held <= e->held_most, "more memory held than was reckoned with");
    for (uint32_t i = 0; i < s->held; i++)
        claim_bytes(a, assay_val_offset(held[i]), assay_val_size(held[i]));
    if (e->reliable)
        claim_flow(a, s);
}

static void claim_row(struct account *a, const struct assay_row *row)
{
    const struct assay_model *model = a->e->model;
    const struct assay_table *table = &model->tables[row->table];
    bool put = row->state != ASSAY_ROW_ABSENT && row->state != ASSAY_ROW_PRESENT;
    if (!put)
        claim_value(a, model->params[table->key].type, row->values[0]);
    for (uint32_t i = 0; row->state != ASSAY_ROW_ABSENT && i < table->columns.count; i++)
        claim_value(a, model->params[table->columns.first + i].type, row->values[i + 1]);
}

static void claim_all(struct account *a)
{
    const struct assay_engine *e = a->e;
    claim_free(a);
    for (uint32_t i = 0; i < e->sessions_used; i++)
        if (assay_session_at(e, i)->live)
            claim_session(a, assay_session_at(e, i));
    if (e->dead == e->config.limits.sessions + 1)
        claim_session(a, assay_session_at(e, e->dead - 1));
    for (uint32_t i = 0; i < e->rows.used; i++)
        if (assay_row_at(&e->rows, i)->state != ASSAY_ROW_FREE)
            claim_row(a, assay_row_at(&e->rows, i));
    for (uint32_t i = 0; i < e->garbage_count; i++)
        claim_bytes(a, assay_val_offset(e->garbage[i]), assay_val_size(e->garbage[i]));
}

void fuzz_account(const struct assay_engine *e)
{
    struct account a = {e, calloc(e->heap.units + 1, 1)};
    fuzz_require(a.units, "out of memory");
    claim_all(&a);
    for (uint32_t i = 0; i < e->heap.units; i++)
        fuzz_require(a.units[i], "memory that belongs to nobody");
    free(a.units);
}

void fuzz_account_end(struct assay_engine *e)
{
    uint32_t free_flights = 0;
    (void)assay_enter(e, e->now, e->out);
    fuzz_account(e);
    fuzz_require(e->sessions_live == 0 && e->timers.count == 0, "a session is left");
    for (uint32_t at = e->flights_free; at; at = e->flights[at - 1].next)
        free_flights++;
    fuzz_require(free_flights == e->flights_used, "an effect is left");
    for (uint32_t i = 0; i < e->rows.used; i++) {
        uint8_t state = assay_row_at(&e->rows, i)->state;
        fuzz_require(state == ASSAY_ROW_FREE || state == ASSAY_ROW_PRESENT, "a row is left on its way");
    }
}

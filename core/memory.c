/* Who owns what stands in the heap. */
#include "core/fields.h"
#include "core/follow.h"

static uint32_t block_of(assay_val v)
{
    uint32_t size = assay_val_size(v);
    return assay_val_region(v) == ASSAY_REGION_VARS && size > 0 ? assay_heap_block(size) : 0;
}

static uint32_t variables_of(const struct assay_engine *e, const struct assay_session *s)
{
    uint32_t sum = 0;
    for (uint16_t i = 0; i < e->vars_count; i++)
        if (assay_is_bytes(e->model, e->model->vars[e->machine->vars.first + i].type))
            sum += block_of(s->words[i]);
    for (uint32_t i = 0; i < s->held; i++)
        sum += block_of(s->words[e->vars_count + e->timers_count + 1u + i]);
    return sum;
}

static uint32_t messages_of(const struct assay_engine *e, const struct assay_session *s)
{
    uint32_t sum = 0;
    struct assay_flow *flow = assay_flow_of(e, s);
    for (uint64_t i = flow->base; i < flow->next; i++)
        sum += assay_heap_block(assay_flow_kept(e, flow)[(flow->head + (i - flow->base)) % e->window].size);
    for (uint32_t i = 0; i < e->window; i++) {
        const struct assay_ahead_of_turn *ahead = &assay_flow_ahead(e, flow)[i];
        sum += ahead->size ? assay_heap_block(ahead->size) : 0;
    }
    return sum;
}

static void add_session(const struct assay_engine *e, struct assay_memory *m, uint32_t slot)
{
    const struct assay_session *s = assay_session_at(e, slot);
    uint32_t variables = s->live ? variables_of(e, s) : 0;
    uint32_t messages = s->live && e->reliable ? messages_of(e, s) : 0;
    bool over = e->dead == slot + 1;
    m->variables += over ? 0 : variables;
    m->messages += over ? 0 : messages;
    m->passing += over ? variables + messages : 0;
}

static uint32_t row_bytes(const struct assay_engine *e, const struct assay_row *row)
{
    const struct assay_table *t = &e->model->tables[row->table];
    uint32_t sum = assay_is_bytes(e->model, e->model->params[t->key].type) ? block_of(row->values[0]) : 0;
    for (uint16_t i = 0; i < t->columns.count; i++)
        if (assay_is_bytes(e->model, e->model->params[t->columns.first + i].type))
            sum += block_of(row->values[1 + i]);
    return sum;
}

void assay_memory(const struct assay_engine *e, struct assay_memory *m)
{
    *m = (struct assay_memory){.used = assay_heap_used(&e->heap)};
    for (uint32_t i = 0; i < e->sessions_used; i++)
        add_session(e, m, i);
    if (e->dead == e->config.limits.sessions + 1)
        add_session(e, m, e->dead - 1);
    for (uint32_t i = 0; i < e->rows.used; i++)
        if (assay_row_at(&e->rows, i)->state != ASSAY_ROW_FREE)
            m->rows += row_bytes(e, assay_row_at(&e->rows, i));
    for (uint32_t i = 0; i < e->garbage_count; i++)
        m->passing += block_of(e->garbage[i]);
}

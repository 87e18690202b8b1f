/* The host of logs: their rows as a belief holds them, and giving them to sessions that follow. What one session adds,
 * to tables, too, is there for those of other links. */
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"

/* Each row: this, then for each column a value and its bytes. */
struct row {
    uint32_t size;       /* all of it */
    uint16_t log, count; /* log: or a table and OF_TABLE */
};
#define OF_TABLE 0x8000u
struct column {
    assay_val value;
    uint32_t n;
};

struct columns {
    uint16_t count;
    assay_val values[ASSAY_COLUMNS_MAX];
    struct assay_span spans[ASSAY_COLUMNS_MAX];
};

static struct row row_at(const struct assay_belief *b, uint32_t at)
{
    struct row row;
    memcpy(&row, b->rows.p + at, sizeof row);
    return row;
}

static void read_columns(const struct assay_belief *b, uint32_t at, struct columns *to)
{
    to->count = row_at(b, at).count;
    at += sizeof(struct row);
    for (uint16_t i = 0; i < to->count; i++) {
        struct column c;
        memcpy(&c, b->rows.p + at, sizeof c);
        to->values[i] = c.value;
        to->spans[i] = (struct assay_span){b->rows.p + at + sizeof c, c.n};
        at += (uint32_t)sizeof c + c.n;
    }
}

/* Where row `number` of a log stands; `*rows`: how many it has. */
static uint32_t find(const struct assay_belief *b, uint16_t log, uint64_t number, uint64_t *rows)
{
    uint32_t found = UINT32_MAX;
    *rows = 0;
    for (uint32_t at = 0; at < b->rows.n; at += row_at(b, at).size)
        if (row_at(b, at).log == log && (*rows)++ == number)
            found = at;
    return found;
}

static bool is_bytes(const struct assay_model *model, uint16_t log, uint16_t column)
{
    return assay_type_is_bytes(model, model->params[model->logs[log].columns.first + column].type);
}

static bool is_bytes_arg(const struct assay_model *model, const struct assay_effect *effect, uint16_t arg)
{
    return assay_type_is_bytes(model, model->params[effect->args.first + arg].type);
}

static bool same_unique(const struct assay_model *model, uint16_t log, const struct columns *x,
                        const struct assay_event *event)
{
    for (uint16_t i = 0; i < x->count; i++) {
        if (!(model->logs[log].unique >> i & 1))
            continue;
        struct assay_span a = x->spans[i], b = {0};
        if (is_bytes(model, log, i))
            b = event->spans[i];
        else if (x->values[i] != event->values[i])
            return false;
        if (a.n != b.n || (a.n && memcmp(a.p, b.p, a.n) != 0))
            return false;
    }
    return true;
}

static bool is_there(const struct assay_model *model, const struct assay_belief *b, uint16_t log,
                     const struct assay_event *event)
{
    struct columns columns;
    for (uint32_t at = 0; model->logs[log].unique && at < b->rows.n; at += row_at(b, at).size) {
        if (row_at(b, at).log != log)
            continue;
        read_columns(b, at, &columns);
        if (same_unique(model, log, &columns, event))
            return true;
    }
    return false;
}

/* The arguments of the effect are the row's columns; of a table the key comes first. */
bool assay_rows_add(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    const struct assay_model *model = world->config.model;
    const struct assay_effect *effect = &model->effects[event->effect.effect];
    bool table = effect->table != ASSAY_NONE;
    struct row row = {.size = sizeof row, .log = effect->log, .count = event->count};
    if (table)
        row.log = (uint16_t)(effect->table | OF_TABLE);
    if (row.log == ASSAY_NONE || event->count > ASSAY_COLUMNS_MAX || (!table && is_there(model, b, row.log, event)))
        return false;
    for (uint16_t i = 0; i < event->count; i++)
        row.size += (uint32_t)sizeof(struct column) + (is_bytes_arg(model, effect, i) ? event->spans[i].n : 0);
    if (!assay_buf_reserve(&b->rows, b->rows.n + row.size))
        return false;
    assay_buf_add(&b->rows, (const uint8_t *)&row, sizeof row);
    for (uint16_t i = 0; i < event->count; i++) {
        bool bytes = is_bytes_arg(model, effect, i);
        struct assay_span s = bytes ? event->spans[i] : (struct assay_span){0};
        struct column c = {bytes ? 0 : event->values[i], s.n};
        assay_buf_add(&b->rows, (const uint8_t *)&c, sizeof c);
        assay_buf_add(&b->rows, s.p, s.n);
    }
    return true;
}

bool assay_rows_take(struct assay_belief *b, const struct assay_bytes_buf *all)
{
    uint32_t at = b->rows.n;
    struct columns columns;
    if (at >= all->n)
        return false;
    assay_buf_add(&b->rows, all->p + at, all->n - at);
    for (; at < b->rows.n; at += row_at(b, at).size) {
        uint16_t log = row_at(b, at).log;
        read_columns(b, at, &columns);
        if (log & OF_TABLE)
            assay_restore(b->engine, (uint16_t)(log & ~OF_TABLE), columns.values, columns.spans);
    }
    return true;
}

static bool is_durable(const struct assay_model *model, uint16_t log)
{
    return log & OF_TABLE ? model->tables[log & ~OF_TABLE].durable : model->logs[log].durable;
}

void assay_rows_inherit(struct assay_belief *b, const struct assay_belief *before)
{
    struct assay_bytes_buf kept = {0};
    for (uint32_t at = 0; at < before->rows.n; at += row_at(before, at).size)
        if (is_durable(b->world->model, row_at(before, at).log))
            assay_buf_add(&kept, before->rows.p + at, row_at(before, at).size);
    assay_rows_take(b, &kept);
    free(kept.p);
}

/* All rows of it that there are. */
bool assay_rows_next(struct assay_belief *b, struct assay_hunger *hunger)
{
    const struct assay_model *model = b->world->config.model;
    uint64_t rows;
    for (uint16_t log = 0; log < model->logs_count; log++) {
        find(b, log, 0, &rows);
        if (rows)
            assay_log_grew(b->engine, log, rows);
    }
    return model->logs_count && assay_hungry(b->engine, hunger);
}

enum assay_rc assay_rows_give(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    const struct assay_hunger *h = arg;
    struct columns columns;
    uint64_t rows;
    uint32_t at = find(b, h->log, h->from, &rows);
    if (at == UINT32_MAX)
        return ASSAY_STALE;
    read_columns(b, at, &columns);
    return assay_row(b->engine, h->sid, now, h->log, h->from, columns.values, columns.spans, out);
}

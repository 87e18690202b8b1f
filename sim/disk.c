/* What the server keeps beside its engine: rows of logs, and of tables. */
#include <string.h>

#include "sim/world.h"

static bool same_args(const struct assay_sim *sim, uint32_t a, uint32_t b, unsigned index)
{
    struct assay_span x = assay_sim_arg(sim, a, index), y = assay_sim_arg(sim, b, index);
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

static bool is_there(const struct assay_sim *sim, uint16_t log, uint32_t args)
{
    const struct assay_log *l = &sim->model->logs[log];
    for (uint32_t i = 0; i < sim->s.row_count[log] && l->unique; i++) {
        uint32_t row = sim->rows[log].items[sim->s.row_first[log] + i];
        bool same = true;
        for (unsigned c = 0; c < l->columns.count && same; c++)
            same = !(l->unique >> c & 1) || same_args(sim, row, args, c);
        if (same)
            return true;
    }
    return false;
}

static bool add_row(struct assay_sim *sim, uint16_t log, uint32_t args)
{
    uint32_t at = sim->s.row_first[log] + sim->s.row_count[log];
    if (is_there(sim, log, args) || !ASSAY_SIM_ROOM(sim, sim->rows[log], at + 1u))
        return false;
    sim->rows[log].items[at] = args;
    sim->s.row_count[log]++;
    assay_log_grew(assay_sim_engine(sim, ASSAY_SIM_SERVER), log, sim->s.row_count[log]);
    return true;
}

bool assay_sim_disk_put(struct assay_sim *sim, uint16_t effect, uint32_t args)
{
    const struct assay_effect *e = &sim->model->effects[effect];
    if (e->log != ASSAY_NONE && e->log < ASSAY_SIM_LOGS_MAX)
        return add_row(sim, e->log, args);
    if (e->table != ASSAY_NONE && sim->model->tables[e->table].durable &&
        ASSAY_SIM_ROOM(sim, sim->puts, sim->s.puts + 1u))
        sim->puts.items[sim->s.puts++] = (struct assay_sim_put){args, e->table};
    return true;
}

/* What was held in memory alone is gone. */
void assay_sim_disk_crash(struct assay_sim *sim)
{
    for (uint16_t i = 0; i < sim->model->logs_count && i < ASSAY_SIM_LOGS_MAX; i++) {
        if (sim->model->logs[i].durable)
            continue;
        sim->s.row_first[i] += sim->s.row_count[i];
        sim->s.row_count[i] = 0;
    }
}

static bool put_again(const struct assay_sim *sim, uint32_t put)
{
    const struct assay_sim_put *p = &sim->puts.items[put];
    for (uint32_t i = put + 1; i < sim->s.puts; i++)
        if (sim->puts.items[i].table == p->table && same_args(sim, sim->puts.items[i].args, p->args, 0))
            return true;
    return false;
}

static void load_row(struct assay_sim *sim, struct assay_engine *e, const struct assay_sim_put *put)
{
    const struct assay_table *t = &sim->model->tables[put->table];
    uint32_t columns = assay_sim_load_args(sim, (struct assay_range){t->key, 1}, put->args, 0);
    assay_sim_load_args(sim, t->columns, columns, 1);
    if (!assay_restore(e, put->table, sim->values, sim->spans))
        sim->s.full = true;
}

void assay_sim_disk_load(struct assay_sim *sim, struct assay_engine *e)
{
    for (uint32_t i = 0; i < sim->s.puts; i++)
        if (!put_again(sim, i))
            load_row(sim, e, &sim->puts.items[i]);
    for (uint16_t i = 0; i < sim->model->logs_count && i < ASSAY_SIM_LOGS_MAX; i++)
        assay_log_grew(e, i, sim->s.row_count[i]);
}

/* Rows of tables: where they are, and how they come there. */
#include "core/rows.h"

#include <string.h>

#include "core/fields.h"
#include "core/secrets.h"
#include "core/session.h"

/* ---- the block --------------------------------------------------------- */

void assay_rows_measure(struct assay_rows *rows, const struct assay_config *config)
{
    const struct assay_model *model = config->model;
    uint64_t most = 0;
    uint32_t columns = 0;
    for (uint32_t i = 0; i < model->tables_count; i++) {
        most += model->tables[i].most;
        columns = model->tables[i].columns.count > columns ? model->tables[i].columns.count : columns;
    }
    if (config->limits.rows && config->limits.rows < most)
        most = config->limits.rows;
    uint64_t cap = most + config->limits.effects + config->limits.sessions; /* puts are rows, too */
    *rows = (struct assay_rows){.size = sizeof(struct assay_row) + (columns + 1) * sizeof(assay_val),
                                .most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX - 1,
                                .cap = model->tables_count == 0 ? 0
                                       : cap < UINT32_MAX       ? (uint32_t)cap
                                                                : UINT32_MAX - 1};
}

void assay_rows_init(struct assay_engine *e)
{
    for (uint32_t i = 0; i < e->model->tables_count; i++)
        e->rows.roots[i] = e->rows.counts[i] = 0;
}

static struct assay_row *take(struct assay_rows *rows, uint32_t *index)
{
    struct assay_row *row;
    if (rows->free) {
        *index = rows->free - 1;
        row = assay_row_at(rows, *index);
        rows->free = row->next;
    } else if (rows->used < rows->cap) {
        *index = rows->used++;
        row = assay_row_at(rows, *index);
    } else {
        return NULL;
    }
    memset(row, 0, rows->size);
    return row;
}

static void give_back(struct assay_rows *rows, uint32_t index)
{
    struct assay_row *row = assay_row_at(rows, index);
    row->state = ASSAY_ROW_FREE;
    row->next = rows->free;
    rows->free = index + 1;
}

/* ---- values ------------------------------------------------------------ */

static uint16_t type_of(const struct assay_model *model, uint16_t table, uint32_t value)
{
    const struct assay_table *t = &model->tables[table];
    return model->params[value == 0 ? t->key : t->columns.first + value - 1].type;
}

static bool on_heap(const struct assay_engine *e, uint16_t table, uint32_t i, assay_val v)
{
    return assay_is_bytes(e->model, type_of(e->model, table, i)) && assay_val_size(v) > 0;
}

static bool keep(struct assay_engine *e, uint16_t table, uint32_t i, assay_val from, assay_val *to)
{
    uint32_t offset;
    *to = from;
    if (!assay_is_bytes(e->model, type_of(e->model, table, i)))
        return true;
    struct assay_span bytes = assay_bytes(&e->env, from);
    *to = ASSAY_VAL_EMPTY;
    if (bytes.n == 0)
        return true;
    if (!assay_heap_alloc(&e->heap, bytes.n, &offset))
        return false;
    memcpy(e->heap.bytes + offset, bytes.p, bytes.n);
    *to = assay_val_bytes(ASSAY_REGION_VARS, offset, bytes.n);
    return true;
}

static void let_go(struct assay_engine *e, uint16_t table, uint32_t i, assay_val v)
{
    if (on_heap(e, table, i, v))
        assay_heap_free(&e->heap, assay_val_offset(v), assay_val_size(v));
}

static uint32_t columns_of(const struct assay_engine *e, const struct assay_row *row)
{
    return e->model->tables[row->table].columns.count;
}

static void let_go_columns(struct assay_engine *e, struct assay_row *row)
{
    for (uint32_t i = 1; i <= columns_of(e, row); i++)
        let_go(e, row->table, i, row->values[i]);
}

/* ---- the tree ---------------------------------------------------------- */

static uint64_t hash(const struct assay_engine *e, uint16_t table, assay_val key)
{
    struct assay_siphash h;
    uint8_t out[ASSAY_SIPHASH_SIZE];
    uint64_t word;
    assay_secret_begin(e, &h, ASSAY_DOMAIN_ROW, table);
    if (assay_is_bytes(e->model, type_of(e->model, table, 0))) {
        struct assay_span bytes = assay_bytes(&e->env, key);
        assay_siphash_take(&h, bytes.p, bytes.n);
    } else {
        assay_siphash_number(&h, key);
    }
    assay_siphash_end(&h, out);
    memcpy(&word, out, sizeof word);
    return word;
}

static bool same_key(const struct assay_engine *e, uint16_t table, assay_val a, assay_val b)
{
    if (!assay_is_bytes(e->model, type_of(e->model, table, 0)))
        return a == b;
    struct assay_span x = assay_bytes(&e->env, a), y = assay_bytes(&e->env, b);
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

/* Where the row of a key is linked, or would be: 0 stands there. Keys of one hash only make the way longer. */
static uint32_t *link_of(struct assay_engine *e, uint16_t table, assay_val key)
{
    uint32_t *link = &e->rows.roots[table];
    uint64_t way = hash(e, table, key);
    while (*link) {
        struct assay_row *row = assay_row_at(&e->rows, *link - 1);
        if (same_key(e, table, row->values[0], key))
            break;
        link = &row->branches[way % ASSAY_ROW_BRANCHES];
        way = way >> 2 | way << 62;
    }
    return link;
}

static uint32_t *first_branch(struct assay_row *row)
{
    for (uint32_t i = 0; i < ASSAY_ROW_BRANCHES; i++)
        if (row->branches[i])
            return &row->branches[i];
    return NULL;
}

/* Any row without branches below may stand in the place of the one that goes: its way leads through there. */
static void unlink_row(struct assay_engine *e, struct assay_row *row)
{
    uint32_t *link = link_of(e, row->table, row->values[0]), *last = link, *next;
    while ((next = first_branch(assay_row_at(&e->rows, *last - 1))))
        last = next;
    uint32_t end = *last;
    *last = 0;
    if (last == link)
        return;
    memcpy(assay_row_at(&e->rows, end - 1)->branches, row->branches, sizeof row->branches);
    *link = end;
}

void assay_rows_rehash(struct assay_engine *e)
{
    assay_rows_init(e);
    for (uint32_t i = 0; i < e->rows.used; i++)
        memset(assay_row_at(&e->rows, i)->branches, 0, sizeof(uint32_t[ASSAY_ROW_BRANCHES]));
    for (uint32_t i = 0; i < e->rows.used; i++) {
        struct assay_row *row = assay_row_at(&e->rows, i);
        if (row->state != ASSAY_ROW_ABSENT && row->state != ASSAY_ROW_PRESENT)
            continue;
        *link_of(e, row->table, row->values[0]) = i + 1;
        e->rows.counts[row->table]++;
    }
}

static struct assay_row *add(struct assay_engine *e, uint16_t table, assay_val key, uint32_t *index,
                             enum assay_put *why)
{
    struct assay_rows *rows = &e->rows;
    *why = ASSAY_PUT_UNFIT;
    if (rows->counts[table] >= e->model->tables[table].most || rows->count >= rows->most)
        return NULL;
    struct assay_row *row = take(rows, index);
    *why = row ? ASSAY_PUT_NO_ROOM : ASSAY_PUT_FULL;
    if (!row)
        return NULL;
    if (!keep(e, table, 0, key, &row->values[0])) {
        give_back(rows, *index);
        return NULL;
    }
    row->table = table;
    row->state = ASSAY_ROW_ABSENT;
    *link_of(e, table, row->values[0]) = *index + 1;
    rows->counts[table]++;
    rows->count++;
    return row;
}

static void forget(struct assay_engine *e, uint32_t index)
{
    struct assay_row *row = assay_row_at(&e->rows, index);
    unlink_row(e, row);
    let_go(e, row->table, 0, row->values[0]);
    e->rows.counts[row->table]--;
    e->rows.count--;
    give_back(&e->rows, index);
}

const struct assay_row *assay_row_find(struct assay_engine *e, const struct assay_session *s, uint16_t table,
                                       assay_val key)
{
    uint32_t link = *link_of(e, table, key);
    const struct assay_row *row = link ? assay_row_at(&e->rows, link - 1) : NULL;
    if (row && row->coming && s && s->puts) {
        const struct assay_row *put = assay_row_at(&e->rows, row->coming - 1);
        for (uint32_t at = s->puts; at; at = assay_row_at(&e->rows, at - 1)->next)
            if (at == row->coming && put->seen)
                return put;
    }
    return row && row->state == ASSAY_ROW_PRESENT ? row : NULL;
}

/* ---- puts -------------------------------------------------------------- */

static void chain(struct assay_engine *e, struct assay_session *s, uint32_t put)
{
    uint32_t *link = &s->puts;
    while (*link)
        link = &assay_row_at(&e->rows, *link - 1)->next;
    *link = put + 1;
}

static void unchain(struct assay_engine *e, struct assay_session *s, uint32_t put)
{
    uint32_t *link = &s->puts;
    while (*link && *link != put + 1)
        link = &assay_row_at(&e->rows, *link - 1)->next;
    if (*link)
        *link = assay_row_at(&e->rows, put)->next;
}

static bool is_own(const struct assay_engine *e, const struct assay_session *s, uint32_t put)
{
    for (uint32_t at = s->puts; at; at = assay_row_at(&e->rows, at - 1)->next)
        if (at == put)
            return true;
    return false;
}

/* The put is no more; nor is the key if it was there for it alone. */
static void end_put(struct assay_engine *e, uint32_t put)
{
    uint32_t under = assay_row_at(&e->rows, put)->under;
    struct assay_row *row = assay_row_at(&e->rows, under);
    row->coming = 0;
    give_back(&e->rows, put);
    if (row->state == ASSAY_ROW_ABSENT)
        forget(e, under);
}

static void drop(struct assay_engine *e, uint32_t put)
{
    let_go_columns(e, assay_row_at(&e->rows, put));
    end_put(e, put);
}

/* Old bytes stay readable while queued events may show them. */
static void take_over(struct assay_engine *e, uint32_t index)
{
    const struct assay_row *put = assay_row_at(&e->rows, index);
    struct assay_row *row = assay_row_at(&e->rows, put->under);
    for (uint32_t i = 1; i <= columns_of(e, row); i++) {
        if (row->state == ASSAY_ROW_PRESENT && on_heap(e, row->table, i, row->values[i]))
            e->garbage[e->garbage_count++] = row->values[i];
        row->values[i] = put->values[i];
    }
    row->state = ASSAY_ROW_PRESENT;
    end_put(e, index);
}

static bool fit(const struct assay_engine *e, uint16_t table, const assay_val *values)
{
    for (uint32_t i = 0; i <= e->model->tables[table].columns.count; i++)
        if (assay_fits(&e->env, type_of(e->model, table, i), values[i]) != ASSAY_FIT)
            return false;
    return true;
}

static bool keep_columns(struct assay_engine *e, struct assay_row *put, const assay_val *values)
{
    for (uint32_t i = 1; i <= columns_of(e, put); i++)
        if (!keep(e, put->table, i, values[i], &put->values[i])) {
            while (--i)
                let_go(e, put->table, i, put->values[i]);
            return false;
        }
    return true;
}

static enum assay_put begin_put(struct assay_engine *e, uint32_t under, const assay_val *values, uint32_t *index)
{
    struct assay_row *row = assay_row_at(&e->rows, under), *put = take(&e->rows, index);
    if (put) {
        put->table = row->table;
        put->under = under;
        put->state = ASSAY_ROW_TRIED;
        if (keep_columns(e, put, values)) {
            row->coming = *index + 1;
            return ASSAY_PUT;
        }
        give_back(&e->rows, *index);
    }
    if (row->state == ASSAY_ROW_ABSENT)
        forget(e, under);
    return put ? ASSAY_PUT_NO_ROOM : ASSAY_PUT_FULL;
}

/* The row under a key, which is made if there is none. */
static enum assay_put find_or_add(struct assay_engine *e, const struct assay_session *s, uint16_t table, assay_val key,
                                  uint32_t *under)
{
    enum assay_put why;
    uint32_t link = *link_of(e, table, key);
    if (!link)
        return add(e, table, key, under, &why) ? ASSAY_PUT : why;
    uint32_t coming = assay_row_at(&e->rows, link - 1)->coming;
    *under = link - 1;
    return !coming ? ASSAY_PUT : s && is_own(e, s, coming) ? ASSAY_PUT_UNFIT : ASSAY_PUT_FULL;
}

enum assay_put assay_row_put(struct assay_engine *e, struct assay_session *s, uint16_t table, const assay_val *values,
                             uint16_t code, uint32_t *index)
{
    uint32_t under;
    if (!fit(e, table, values))
        return ASSAY_PUT_UNFIT;
    enum assay_put status = find_or_add(e, s, table, values[0], &under);
    if (status == ASSAY_PUT)
        status = begin_put(e, under, values, index);
    if (status != ASSAY_PUT)
        return status;
    struct assay_row *put = assay_row_at(&e->rows, *index);
    put->code = code;
    put->fresh = put->seen = true;
    chain(e, s, *index);
    return ASSAY_PUT;
}

static void drop_own(struct assay_engine *e, struct assay_session *s, uint32_t put)
{
    unchain(e, s, put);
    drop(e, put);
}

bool assay_row_meet(struct assay_engine *e, struct assay_session *s, uint16_t code)
{
    uint32_t at = s->puts;
    while (at && assay_row_at(&e->rows, at - 1)->code != code)
        at = assay_row_at(&e->rows, at - 1)->next;
    if (!at)
        return false;
    struct assay_row *put = assay_row_at(&e->rows, at - 1);
    put->seen = put->state == ASSAY_ROW_KEPT;
    if (!put->seen)
        drop_own(e, s, at - 1);
    return put->seen;
}

/* ---- with their rules -------------------------------------------------- */

void assay_rows_commit(struct assay_engine *e, struct assay_session *s)
{
    while (s->puts) {
        uint32_t put = s->puts - 1;
        const struct assay_row *row = assay_row_at(&e->rows, put);
        s->puts = row->next;
        if (row->seen || row->state == ASSAY_ROW_KEPT)
            take_over(e, put);
        else
            drop(e, put);
    }
}

void assay_rows_undo(struct assay_engine *e, struct assay_session *s)
{
    for (uint32_t at = s->puts, next; at; at = next) {
        struct assay_row *put = assay_row_at(&e->rows, at - 1);
        next = put->next;
        put->seen = false;
        if (put->fresh)
            drop_own(e, s, at - 1);
    }
}

void assay_rows_hold(struct assay_engine *e, struct assay_session *s)
{
    for (uint32_t at = s->puts; at; at = assay_row_at(&e->rows, at - 1)->next) {
        struct assay_row *put = assay_row_at(&e->rows, at - 1);
        put->fresh = put->seen = false;
    }
}

void assay_rows_settle(struct assay_engine *e, struct assay_session *s)
{
    while (s->puts) {
        uint32_t put = s->puts - 1;
        struct assay_row *row = assay_row_at(&e->rows, put);
        s->puts = row->next;
        row->alone = row->state == ASSAY_ROW_FLIGHT;
        if (row->state == ASSAY_ROW_KEPT)
            take_over(e, put);
        else if (!row->alone)
            drop(e, put);
    }
}

void assay_row_completed(struct assay_engine *e, struct assay_session *s, uint32_t put, bool done)
{
    struct assay_row *row = assay_row_at(&e->rows, put);
    row->state = done ? ASSAY_ROW_KEPT : ASSAY_ROW_TRIED;
    if (row->alone && done)
        take_over(e, put);
    else if (row->alone)
        drop(e, put);
    else if (!done)
        drop_own(e, s, put);
}

/* ---- from the host ----------------------------------------------------- */

/* A value that the host gives, as one of e->env. */
static bool given(struct assay_engine *e, uint16_t table, uint32_t i, const assay_val *values,
                  const struct assay_span *spans, assay_val *v)
{
    bool bytes = assay_is_bytes(e->model, type_of(e->model, table, i));
    e->env.frame = bytes ? spans[i].p : e->env.scratch;
    *v = bytes ? assay_val_bytes(ASSAY_REGION_FRAME, 0, spans[i].n) : values[i];
    return assay_fits(&e->env, type_of(e->model, table, i), *v) == ASSAY_FIT;
}

static bool restore_columns(struct assay_engine *e, struct assay_row *row, const assay_val *values,
                            const struct assay_span *spans)
{
    for (uint32_t i = 1; i <= columns_of(e, row); i++) {
        assay_val v, old = row->values[i];
        if (!given(e, row->table, i, values, spans, &v) || !keep(e, row->table, i, v, &row->values[i])) {
            row->values[i] = old;
            return false;
        }
        if (row->state == ASSAY_ROW_PRESENT)
            let_go(e, row->table, i, old); /* nobody has seen it yet: there was no session */
    }
    return true;
}

bool assay_restore(struct assay_engine *e, uint16_t table, const assay_val *values, const struct assay_span *spans)
{
    assay_val key;
    uint32_t under;
    if (!given(e, table, 0, values, spans, &key) || find_or_add(e, NULL, table, key, &under) != ASSAY_PUT)
        return false;
    struct assay_row *row = assay_row_at(&e->rows, under);
    bool done = restore_columns(e, row, values, spans);
    if (done) {
        row->state = ASSAY_ROW_PRESENT;
    } else if (row->state == ASSAY_ROW_ABSENT) {
        let_go_columns(e, row); /* those that were not reached are 0 */
        forget(e, under);
    }
    return done;
}

/* ---- in expressions ---------------------------------------------------- */

static const struct assay_row *pop_row(struct assay_vm *vm, uint32_t ins)
{
    struct assay_engine *e = vm->env->engine;
    assay_val key = vm->stack[--vm->depth];
    return assay_row_find(e, assay_session_of(vm->env), (uint16_t)assay_ins_b(ins), key);
}

bool assay_op_has(struct assay_vm *vm, uint32_t ins)
{
    if (!vm->env->engine)
        return false;
    bool has = pop_row(vm, ins) != NULL;
    vm->stack[vm->depth++] = has;
    return true;
}

bool assay_op_cell(struct assay_vm *vm, uint32_t ins)
{
    const struct assay_row *row = vm->env->engine ? pop_row(vm, ins) : NULL;
    if (!row)
        return false;
    vm->stack[vm->depth++] = row->values[1 + assay_ins_a(ins)];
    return true;
}

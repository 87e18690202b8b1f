#include "ref-server/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ref-server/console.h"
#include "ref-server/database.h"

#define SQL_MAX   8192u
#define PATH_SIZE 4096u

/* A table, or a log. */
struct place {
    const char *name;
    struct assay_shape shape;
    uint32_t texts; /* bit i: column i is text */
    uint16_t params[ASSAY_COLUMNS_MAX];
    bool log;
    uint32_t unique, most; /* of a log: bits; of a table: rows */
    struct assay_database *in;
    sqlite3_stmt *write, *read; /* read: rows of a log from a number on; whether a table has a key */
    uint64_t rows, rows_before; /* by now; and before the transaction */
};

struct assay_store {
    struct assay_store_config config;
    char path[PATH_SIZE];
    struct assay_database file, memory;
    struct place *places; /* of all tables, then of all logs */
    size_t places_count;
    struct assay_worker worker;
    bool failing, unreadable; /* the last group was not kept, the last rows not read: that was told */
};

bool assay_store_wanted(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->tables_count; i++)
        if (model->tables[i].durable)
            return true;
    return model->logs_count > 0;
}

uint16_t assay_store_table_place(const struct assay_store *store, uint16_t table)
{
    (void)store;
    return table;
}

uint16_t assay_store_log_place(const struct assay_store *store, uint16_t log)
{
    return (uint16_t)(store->config.model->tables_count + log);
}

const struct assay_shape *assay_store_shape(const struct assay_store *store, uint16_t place)
{
    return &store->places[place].shape;
}

/* ---- SQL --------------------------------------------------------------- */

/* Text that is put together piece by piece; too long a one is cut, and seen to be wrong. */
struct sql {
    char text[SQL_MAX];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void put(struct sql *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(sql->text + sql->size, sizeof sql->text - sql->size, format, args);
    va_end(args);
    sql->size += (size_t)n < sizeof sql->text - sql->size ? (size_t)n : sizeof sql->text - 1 - sql->size;
}

static const char *column_name(const struct assay_store *store, const struct place *place, uint16_t i)
{
    return store->config.model->params[place->params[i]].name;
}

static const char *column_type(const struct place *place, uint16_t i)
{
    if (place->texts >> i & 1)
        return "TEXT";
    return place->shape.bytes >> i & 1 ? "BLOB" : "INTEGER";
}

/* A list of the columns of which `mask` has the bit. */
static void put_columns(struct sql *sql, const struct assay_store *store, const struct place *place, uint32_t mask)
{
    const char *between = "";
    for (uint16_t i = 0; i < place->shape.count; i++) {
        if (!(mask >> i & 1))
            continue;
        put(sql, "%s\"%s\"", between, column_name(store, place, i));
        between = ", ";
    }
}

static void put_definition(struct sql *sql, const struct assay_store *store, const struct place *place)
{
    put(sql, "CREATE TABLE \"%s\" (", place->name);
    if (place->log)
        put(sql, "\"number\" INTEGER PRIMARY KEY");
    for (uint16_t i = 0; i < place->shape.count; i++)
        put(sql, "%s\"%s\" %s NOT NULL", i > 0 || place->log ? ", " : "", column_name(store, place, i),
            column_type(place, i));
    if (place->log)
        put(sql, ") STRICT");
    else
        put(sql, ", PRIMARY KEY (\"%s\")) STRICT, WITHOUT ROWID", column_name(store, place, 0));
}

/* One that the spec says nothing of any more would still keep rows out. */
static bool make_index(struct assay_store *store, const struct place *place, struct assay_net_error *error)
{
    struct sql sql = {.size = 0};
    char name[256];
    snprintf(name, sizeof name, "%.200s unique", place->name);
    put(&sql, "CREATE UNIQUE INDEX \"%s\" ON \"%s\" (", name, place->name);
    put_columns(&sql, store, place, place->unique);
    put(&sql, ")");
    return assay_database_make(place->in, name, place->unique ? sql.text : NULL, error);
}

static bool make_table(struct assay_store *store, const struct place *place, struct assay_net_error *error)
{
    struct sql sql = {.size = 0};
    put_definition(&sql, store, place);
    return assay_database_make(place->in, place->name, sql.text, error) &&
           (!place->log || make_index(store, place, error));
}

static void put_write(struct sql *sql, const struct assay_store *store, const struct place *place)
{
    put(sql, "INSERT OR %s INTO \"%s\" (%s", place->log ? "IGNORE" : "REPLACE", place->name,
        place->log ? "\"number\", " : "");
    put_columns(sql, store, place, UINT32_MAX);
    put(sql, ") VALUES (?");
    for (uint16_t i = 1; i < place->shape.count + place->log; i++)
        put(sql, ", ?");
    put(sql, ")");
}

static void put_read(struct sql *sql, const struct assay_store *store, const struct place *place)
{
    if (!place->log) {
        put(sql, "SELECT 1 FROM \"%s\" WHERE \"%s\" = ?", place->name, column_name(store, place, 0));
        return;
    }
    put(sql, "SELECT ");
    put_columns(sql, store, place, UINT32_MAX);
    put(sql, ", \"number\" FROM \"%s\" WHERE \"number\" >= ? ORDER BY \"number\" LIMIT ?", place->name);
}

static bool prepare(struct assay_store *store, struct place *place, struct assay_net_error *error)
{
    struct sql write = {.size = 0}, read = {.size = 0};
    put_write(&write, store, place);
    put_read(&read, store, place);
    place->write = assay_database_prepare(place->in, write.text, error);
    place->read = place->write ? assay_database_prepare(place->in, read.text, error) : NULL;
    return place->read != NULL;
}

/* ---- values ------------------------------------------------------------ */

static void bind_column(sqlite3_stmt *stmt, int at, const struct place *place, uint16_t column,
                        const struct assay_cells *row)
{
    const struct assay_span *span = &row->spans[column];
    const void *p = span->n > 0 ? (const void *)span->p : "";
    if (place->texts >> column & 1)
        sqlite3_bind_text(stmt, at, p, (int)span->n, SQLITE_STATIC);
    else if (place->shape.bytes >> column & 1)
        sqlite3_bind_blob(stmt, at, p, (int)span->n, SQLITE_STATIC);
    else
        sqlite3_bind_int64(stmt, at, (sqlite3_int64)row->values[column]);
}

/* The row that a statement stands at; its bytes are the statement's. */
static void read_columns(sqlite3_stmt *stmt, const struct place *place, struct assay_cells *row)
{
    for (uint16_t i = 0; i < place->shape.count; i++) {
        if (!(place->shape.bytes >> i & 1)) {
            row->values[i] = (assay_val)sqlite3_column_int64(stmt, i);
            continue;
        }
        const void *p = sqlite3_column_blob(stmt, i);
        row->spans[i] = (struct assay_span){p, (uint32_t)sqlite3_column_bytes(stmt, i)};
    }
}

/* ---- writing ----------------------------------------------------------- */

static void begin(struct assay_store *store, struct place *place)
{
    if (place->in->begun)
        return;
    for (size_t i = 0; i < store->places_count; i++)
        if (store->places[i].in == place->in)
            store->places[i].rows_before = store->places[i].rows;
    assay_database_begin(place->in);
}

/* The one statement of a write: false: the row is not there now. A row that is too large for the database is its own
 * failure; all others break the transaction. */
static bool step(struct place *place)
{
    int rc = sqlite3_step(place->write) & 0xff;
    if (rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        assay_database_failed(place->in);
    sqlite3_reset(place->write);
    sqlite3_clear_bindings(place->write);
    return rc == SQLITE_DONE;
}

static bool add_to_log(struct place *log, const struct assay_cells *row, struct assay_store_write *write)
{
    sqlite3_bind_int64(log->write, 1, (sqlite3_int64)log->rows);
    for (uint16_t i = 0; i < log->shape.count; i++)
        bind_column(log->write, i + 2, log, i, row);
    if (!step(log))
        return false;
    write->added = sqlite3_changes(log->in->db) > 0;
    write->number = log->rows;
    log->rows += write->added;
    return true;
}

static bool has_key(struct place *table, const struct assay_cells *row)
{
    bind_column(table->read, 1, table, 0, row);
    int rc = sqlite3_step(table->read) & 0xff;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        assay_database_failed(table->in);
    sqlite3_reset(table->read);
    sqlite3_clear_bindings(table->read);
    return rc == SQLITE_ROW;
}

static bool has_room(const struct assay_store *store, const struct place *table)
{
    uint64_t rows = 0;
    for (uint16_t i = 0; i < store->config.model->tables_count; i++)
        rows += store->places[i].rows;
    return table->rows < table->most && (store->config.rows == 0 || rows < store->config.rows);
}

static bool put_in_table(struct assay_store *store, struct place *table, const struct assay_cells *row)
{
    bool there = has_key(table, row);
    if (table->in->broken || (!there && !has_room(store, table)))
        return false;
    for (uint16_t i = 0; i < table->shape.count; i++)
        bind_column(table->write, i + 1, table, i, row);
    if (!step(table))
        return false;
    table->rows += !there;
    return true;
}

static bool write_one(struct assay_store *store, struct assay_store_write *write, struct assay_span bytes)
{
    struct place *place = &store->places[write->place];
    struct assay_cells row;
    begin(store, place);
    if (place->in->broken || !assay_cells_read(&place->shape, bytes, &row))
        return false;
    return place->log ? add_to_log(place, &row, write) : put_in_table(store, place, &row);
}

struct assay_store_write assay_store_written(const struct assay_batch *batch, uint32_t i, struct assay_span *row)
{
    struct assay_store_write write;
    struct assay_span all = assay_batch_bytes(batch, i);
    memcpy(&write, all.p, sizeof write);
    *row = (struct assay_span){all.p + sizeof write, all.n - (uint32_t)sizeof write};
    return write;
}

static void set_written(struct assay_batch *batch, uint32_t i, const struct assay_store_write *write)
{
    memcpy(batch->bytes + (assay_batch_bytes(batch, i).p - batch->bytes), write, sizeof *write);
}

static void write_batch(struct assay_store *store, struct assay_batch *batch)
{
    bool broken = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct assay_span row;
        struct assay_job *job = &batch->jobs[i];
        struct assay_store_write write = assay_store_written(batch, i, &row);
        job->done = !(job->chain && (broken || i < batch->doomed)) && write_one(store, &write, row);
        broken |= job->chain && !job->done;
        set_written(batch, i, &write);
    }
}

/* The transaction was not kept: nor was any of its jobs done. */
static void undo(struct assay_store *store, const struct assay_database *in, struct assay_batch *batches)
{
    struct assay_span row;
    for (struct assay_batch *b = batches; b; b = b->next)
        for (uint32_t i = 0; i < b->count; i++) {
            struct assay_store_write write = assay_store_written(b, i, &row);
            b->jobs[i].done &= store->places[write.place].in != in;
        }
    for (size_t i = 0; i < store->places_count; i++)
        if (store->places[i].in == in)
            store->places[i].rows = store->places[i].rows_before;
}

/* Whoever runs the server learns of it once each time that it begins. */
static void tell(struct assay_store *store, const struct assay_database *failed)
{
    if (failed && !store->failing && store->config.console)
        assay_console_say(store->config.console, "assay: %s: rows are not kept: %s\n", failed->name, failed->why);
    store->failing = failed != NULL;
}

static void write_group(struct assay_store *store, struct assay_batch *batches)
{
    struct assay_database *all[] = {&store->file, &store->memory}, *failed = NULL;
    for (struct assay_batch *b = batches; b; b = b->next)
        write_batch(store, b);
    for (size_t i = 0; i < 2; i++)
        if (all[i]->begun && !assay_database_commit(all[i])) {
            undo(store, all[i], batches);
            failed = all[i];
        }
    tell(store, failed);
}

/* ---- reading ----------------------------------------------------------- */

/* The bytes of a batch that fetches: this, the ends of the rows, the rows. */
struct fetch {
    struct assay_store_fetched told;
    uint32_t most;
    uint32_t ends[];
};

static struct fetch *as_fetch(const struct assay_batch *batch)
{
    return (struct fetch *)(void *)batch->bytes;
}

static uint32_t fetch_head(uint32_t most)
{
    return (uint32_t)(sizeof(struct fetch) + most * sizeof(uint32_t));
}

struct assay_batch *assay_store_fetch(struct assay_store *store, uint16_t log, uint64_t from, uint32_t most,
                                      struct assay_inbox *reply)
{
    struct assay_batch *batch = assay_batch_new(store, reply);
    uint32_t head = fetch_head(most);
    void *bytes = batch ? calloc(1, head) : NULL;
    if (!bytes) {
        assay_batch_free(batch);
        return NULL;
    }
    batch->bytes = bytes;
    batch->size = batch->cap = head;
    batch->lane = ASSAY_NONE;
    *as_fetch(batch) = (struct fetch){.told = {.log = log, .from = from}, .most = most};
    return batch;
}

bool assay_store_is_fetch(const struct assay_batch *batch)
{
    return batch->count == 0;
}

struct assay_store_fetched assay_store_fetched(const struct assay_batch *batch)
{
    return as_fetch(batch)->told;
}

struct assay_span assay_store_fetched_row(const struct assay_batch *batch, uint32_t i)
{
    const struct fetch *fetch = as_fetch(batch);
    uint32_t from = i > 0 ? fetch->ends[i - 1] : fetch_head(fetch->most);
    return (struct assay_span){batch->bytes + from, fetch->ends[i] - from};
}

static bool append(struct assay_batch *batch, struct assay_span span)
{
    if (span.n > UINT32_MAX / 4 - batch->size)
        return false;
    if (batch->size + span.n > batch->cap) {
        uint32_t cap = 2 * (batch->size + span.n);
        uint8_t *bytes = realloc(batch->bytes, cap);
        if (!bytes)
            return false;
        batch->bytes = bytes;
        batch->cap = cap;
    }
    if (span.n > 0)
        memcpy(batch->bytes + batch->size, span.p, span.n);
    batch->size += span.n;
    return true;
}

static bool append_row(struct assay_batch *batch, const struct place *log)
{
    struct assay_cells row;
    struct assay_pieces pieces;
    struct fetch *fetch = as_fetch(batch);
    if ((uint64_t)sqlite3_column_int64(log->read, log->shape.count) != fetch->told.from + fetch->told.count)
        return false; /* a gap: somebody else was here */
    read_columns(log->read, log, &row);
    assay_cells_cut(&log->shape, row.values, row.spans, &pieces);
    for (uint16_t i = 0; i < pieces.count; i++)
        if (!append(batch, pieces.spans[i]))
            return false;
    fetch = as_fetch(batch);
    fetch->ends[fetch->told.count++] = batch->size;
    return true;
}

static void fit(struct assay_batch *batch)
{
    uint8_t *bytes = realloc(batch->bytes, batch->size);
    batch->bytes = bytes ? bytes : batch->bytes;
    batch->cap = bytes ? batch->size : batch->cap;
}

static void read_rows(struct assay_store *store, struct assay_batch *batch)
{
    struct fetch *fetch = as_fetch(batch);
    struct place *log = &store->places[assay_store_log_place(store, fetch->told.log)];
    sqlite3_bind_int64(log->read, 1, (sqlite3_int64)fetch->told.from);
    sqlite3_bind_int64(log->read, 2, fetch->most);
    int rc;
    while ((rc = sqlite3_step(log->read)) == SQLITE_ROW && append_row(batch, log))
        continue;
    as_fetch(batch)->told.done = rc == SQLITE_DONE;
    if (rc != SQLITE_DONE && !store->unreadable && store->config.console)
        assay_console_say(store->config.console, "assay: %s: cannot read rows of '%s': %s\n", log->in->name, log->name,
                          rc == SQLITE_ROW ? "some are missing" : assay_database_why(log->in));
    store->unreadable = rc != SQLITE_DONE;
    sqlite3_reset(log->read);
    fit(batch);
}

/* ---- the thread -------------------------------------------------------- */

/* What is written first, all in one go; then what is read, as that takes longer. */
static void handle(struct assay_worker *worker, struct assay_batch *batches)
{
    struct assay_store *store = worker->owner;
    struct assay_batch *writes = NULL, **last_write = &writes, *reads = NULL, **last_read = &reads;
    for (struct assay_batch *b = batches; b; b = b->next) {
        struct assay_batch ***last = assay_store_is_fetch(b) ? &last_read : &last_write;
        **last = b;
        *last = &b->next;
    }
    *last_write = *last_read = NULL;
    write_group(store, writes);
    for (struct assay_batch *next, *b = writes; b; b = next) {
        next = b->next;
        assay_inbox_post(b->reply, b);
    }
    for (struct assay_batch *next, *b = reads; b; b = next) {
        next = b->next;
        read_rows(store, b);
        assay_inbox_post(b->reply, b);
    }
}

bool assay_store_start(struct assay_store *store)
{
    store->worker.handle = handle;
    store->worker.owner = store;
    return assay_worker_start(&store->worker);
}

struct assay_worker *assay_store_worker(struct assay_store *store)
{
    return &store->worker;
}

/* ---- opening ----------------------------------------------------------- */

static bool refuse(const struct place *place, const char *why, struct assay_net_error *error)
{
    snprintf(error->text, sizeof error->text, "'%.100s': %.150s", place->name, why);
    return false;
}

static void add_column(struct assay_store *store, struct place *place, uint16_t param)
{
    const struct assay_model *model = store->config.model;
    uint8_t kind = model->types[model->params[param].type].kind;
    uint16_t i = place->shape.count++;
    place->params[i] = param;
    if (kind >= ASSAY_T_BYTES)
        place->shape.bytes |= 1u << i;
    if (kind == ASSAY_T_TEXT)
        place->texts |= 1u << i;
}

static void add_columns(struct assay_store *store, struct place *place, struct assay_range columns)
{
    for (uint16_t i = 0; i < columns.count; i++)
        add_column(store, place, (uint16_t)(columns.first + i));
}

/* Places of tables that the engine has for itself stay empty. */
static bool describe_all(struct assay_store *store, struct assay_net_error *error)
{
    const struct assay_model *model = store->config.model;
    for (uint16_t i = 0; i < model->tables_count; i++) {
        const struct assay_table *table = &model->tables[i];
        struct place *place = &store->places[i];
        *place = (struct place){.name = table->name, .most = table->most, .in = table->durable ? &store->file : NULL};
        if (table->columns.count >= ASSAY_COLUMNS_MAX)
            return refuse(place, "too many columns", error);
        add_column(store, place, table->key);
        add_columns(store, place, table->columns);
    }
    for (uint16_t i = 0; i < model->logs_count; i++) {
        const struct assay_log *log = &model->logs[i];
        struct place *place = &store->places[assay_store_log_place(store, i)];
        *place = (struct place){.name = log->name, .log = true, .unique = log->unique};
        place->in = log->durable ? &store->file : &store->memory;
        if (log->columns.count > ASSAY_COLUMNS_MAX || log->columns.count == 0)
            return refuse(place, "too many columns, or none", error);
        add_columns(store, place, log->columns);
    }
    return true;
}

static bool is_used(const struct assay_store *store, const struct assay_database *database)
{
    for (size_t i = 0; i < store->places_count; i++)
        if (store->places[i].in == database)
            return true;
    return false;
}

static bool open_databases(struct assay_store *store, struct assay_net_error *error)
{
    const struct assay_store_config *config = &store->config;
    size_t n =
        (size_t)snprintf(store->path, sizeof store->path, "%s/%s.db", config->folder_name, config->model->protocol);
    if (n >= sizeof store->path) {
        snprintf(error->text, sizeof error->text, "the data folder's name is too long");
        return false;
    }
    if (is_used(store, &store->file) && !assay_database_open(&store->file, store->path, 0, error))
        return false;
    return !is_used(store, &store->memory) || assay_database_open(&store->memory, NULL, config->memory, error);
}

static bool ask_number(struct place *place, const char *what, int64_t *number, struct assay_net_error *error)
{
    struct sql sql = {.size = 0};
    put(&sql, "SELECT %s FROM \"%s\"", what, place->name);
    sqlite3_stmt *stmt = assay_database_prepare(place->in, sql.text, error);
    if (!stmt)
        return false;
    int rc = sqlite3_step(stmt);
    *number = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || refuse(place, assay_database_why(place->in), error);
}

/* A log's numbers go from 0 without a gap; looking at both ends costs nothing. */
static bool count_rows(struct place *place, struct assay_net_error *error)
{
    int64_t rows, first = 0;
    if (!ask_number(place, place->log ? "ifnull(max(\"number\"), -1) + 1" : "count(*)", &rows, error) ||
        (place->log && !ask_number(place, "ifnull(min(\"number\"), 0)", &first, error)))
        return false;
    place->rows = (uint64_t)rows;
    return first == 0 || refuse(place, "its first rows are missing", error);
}

static bool open_place(struct assay_store *store, struct place *place, struct assay_net_error *error)
{
    return !place->in || (make_table(store, place, error) && prepare(store, place, error) && count_rows(place, error));
}

/* Tables are made all or none. */
static bool open_places(struct assay_store *store, struct assay_database *in, struct assay_net_error *error)
{
    if (!in->db)
        return true;
    bool ok = assay_database_begin(in);
    if (!ok)
        snprintf(error->text, sizeof error->text, "'%.160s': %.150s", in->name, in->why);
    for (size_t i = 0; ok && i < store->places_count; i++)
        ok = store->places[i].in != in || open_place(store, &store->places[i], error);
    if (!ok)
        assay_database_failed(in);
    bool kept = assay_database_commit(in);
    if (ok && !kept)
        snprintf(error->text, sizeof error->text, "'%.160s': %.150s", in->name, in->why);
    return ok && kept;
}

static bool open_all(struct assay_store *store, struct assay_net_error *error)
{
    if (!describe_all(store, error) || !open_databases(store, error) || !open_places(store, &store->file, error) ||
        !open_places(store, &store->memory, error))
        return false;
    /* The name of a new file must outlive a crash, too. */
    if (!store->file.db || fsync(store->config.folder) == 0)
        return true;
    snprintf(error->text, sizeof error->text, "'%.160s': %s", store->config.folder_name, strerror(errno));
    return false;
}

struct assay_store *assay_store_open(const struct assay_store_config *config, struct assay_net_error *error)
{
    struct assay_store *store = calloc(1, sizeof *store);
    snprintf(error->text, sizeof error->text, "no memory");
    if (!store)
        return NULL;
    store->config = *config;
    store->places_count = (size_t)config->model->tables_count + config->model->logs_count;
    store->places = calloc(store->places_count + 1, sizeof *store->places);
    if (store->places && open_all(store, error))
        return store;
    assay_store_close(store);
    return NULL;
}

void assay_store_close(struct assay_store *store)
{
    if (!store)
        return;
    assay_worker_stop(&store->worker);
    for (size_t i = 0; store->places && i < store->places_count; i++) {
        sqlite3_finalize(store->places[i].write);
        sqlite3_finalize(store->places[i].read);
    }
    assay_database_close(&store->file);
    assay_database_close(&store->memory);
    free(store->places);
    free(store);
}

/* ---- before the thread ------------------------------------------------- */

uint64_t assay_store_rows(const struct assay_store *store, uint16_t log)
{
    return store->places[assay_store_log_place(store, log)].rows;
}

bool assay_store_each(struct assay_store *store, uint16_t table, assay_store_visit *fn, void *user,
                      struct assay_net_error *error)
{
    struct place *place = &store->places[table];
    struct sql sql = {.size = 0};
    struct assay_cells row;
    int rc = SQLITE_DONE;
    put(&sql, "SELECT ");
    put_columns(&sql, store, place, UINT32_MAX);
    put(&sql, " FROM \"%s\"", place->name);
    sqlite3_stmt *stmt = assay_database_prepare(place->in, sql.text, error);
    if (!stmt)
        return false;
    bool go_on = true;
    while (go_on && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        read_columns(stmt, place, &row);
        go_on = fn(user, &row);
    }
    if (go_on && rc != SQLITE_DONE)
        refuse(place, assay_database_why(place->in), error);
    sqlite3_finalize(stmt);
    return go_on && rc == SQLITE_DONE;
}

/* Where rows of tables and logs are kept: durable ones in the file PROTOCOL.db of the data folder, done when they are
 * on disk; logs of `store: memory` in memory. (Tables of `store: memory` are the engine's alone.)
 *
 * One thread writes and reads. It takes everything that waits in one transaction, so that all sessions share a sync:
 * either all of it is kept or nothing, and after a failure the next group may go well. */
#ifndef ASSAY_REF_SERVER_STORE_H
#define ASSAY_REF_SERVER_STORE_H

#include "net/address.h"
#include "ref-server/jobs.h"
#include "ref-server/cells.h"

struct assay_console;
struct assay_store;

struct assay_store_config {
    const struct assay_model *model; /* outlives the store */
    int folder;                      /* the data folder ... */
    const char *folder_name;         /* ... and its name */
    uint32_t rows;                   /* of all durable tables together; 0: as many as they allow */
    uint32_t memory;                 /* bytes of logs kept in memory; 0: any number */
    struct assay_console *console;   /* where it complains; NULL: nowhere */
};

/* Whether there is anything to keep for a model. */
bool assay_store_wanted(const struct assay_model *model);

/* Open, create, check. NULL: *error says why. */
struct assay_store *assay_store_open(const struct assay_store_config *config, struct assay_net_error *error);

/* After the thread has handled all that was submitted. NULL is fine. */
void assay_store_close(struct assay_store *store);

/* ---- before the thread is started -------------------------------------- */

/* Hand over every row of a durable table. `row` is valid during the call; false from `fn` ends it, as does an error. */
typedef bool assay_store_visit(void *user, const struct assay_cells *row);
bool assay_store_each(struct assay_store *store, uint16_t table, assay_store_visit *fn, void *user,
                      struct assay_net_error *error);

/* Rows that a log has. */
uint64_t assay_store_rows(const struct assay_store *store, uint16_t log);

bool assay_store_start(struct assay_store *store);

/* ---- then -------------------------------------------------------------- */

/* Takes batches whose object is the store. */
struct assay_worker *assay_store_worker(struct assay_store *store);

/* Where rows go: a durable table, or a log. */
uint16_t assay_store_table_place(const struct assay_store *store, uint16_t table);
uint16_t assay_store_log_place(const struct assay_store *store, uint16_t log);
const struct assay_shape *assay_store_shape(const struct assay_store *store, uint16_t place);

/* A job that adds a row to a log (again one whose unique columns are there: done, and not added), or puts one in a
 * table. Its bytes are this, then the row's. */
struct assay_store_write {
    uint64_t number; /* of a log's row, once it is added */
    uint16_t place;
    bool added; /* to a log, by a job that is done */
};

/* What job i of a batch that came back did. *row: its row. */
struct assay_store_write assay_store_written(const struct assay_batch *batch, uint32_t i, struct assay_span *row);

/* A batch that reads rows of a log, `most` at most from number `from` on. NULL: no memory. It has no jobs and no lane,
 * and comes back with what assay_store_fetched() tells of it. */
struct assay_batch *assay_store_fetch(struct assay_store *store, uint16_t log, uint64_t from, uint32_t most,
                                      struct assay_inbox *reply);
struct assay_store_fetched {
    uint16_t log;
    bool done; /* else it cannot be read now */
    uint64_t from;
    uint32_t count;
};
bool assay_store_is_fetch(const struct assay_batch *batch);
struct assay_store_fetched assay_store_fetched(const struct assay_batch *batch);

/* The bytes of the i-th row of a fetch that was done, valid as long as the batch. */
struct assay_span assay_store_fetched_row(const struct assay_batch *batch, uint32_t i);

#endif

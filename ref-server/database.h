/* A database file of the server: opened for this process alone, each commit on disk when it returns.
 *
 * Used by one thread at a time. After a failure the transaction is undone, and the next one may go well. */
#ifndef ASSAY_REF_SERVER_DATABASE_H
#define ASSAY_REF_SERVER_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"

struct assay_database {
    sqlite3 *db;      /* NULL: not open */
    const char *name; /* as messages name it; the owner's */
    bool begun, broken;
    char why[160]; /* broken, or not committed */
};

/* Open or create the file `path` (readable by its owner alone), which becomes the database's name; NULL: in memory, at
 * most `memory` bytes (0: any number). Waits one second for another server that has it. False: *error says why (it is
 * another program's, another version's, damaged, used), and the file is as it was. */
bool assay_database_open(struct assay_database *database, const char *path, uint64_t memory,
                         struct assay_net_error *error);
void assay_database_close(struct assay_database *database);

/* See to it that `name` (of a table or index) is there as `sql` makes it; NULL: that it is not there. False: it is
 * there otherwise. */
bool assay_database_make(struct assay_database *database, const char *name, const char *sql,
                         struct assay_net_error *error);

/* NULL: *error says why. */
sqlite3_stmt *assay_database_prepare(struct assay_database *database, const char *sql, struct assay_net_error *error);

/* Begin, unless begun; say that something in it failed; end it. After any failure nothing that was done since the
 * beginning is kept, and database->why tells. */
bool assay_database_begin(struct assay_database *database);
void assay_database_failed(struct assay_database *database);
bool assay_database_commit(struct assay_database *database);

/* What the last call that failed has to say. Valid until the next call. */
const char *assay_database_why(const struct assay_database *database);

#endif

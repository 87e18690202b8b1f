#include "ref-server/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Says whose the file is ("Assy"), and how its tables are to be read. */
#define APPLICATION 0x41737379
#define VERSION     1

#define PATIENCE_MS 1000
#define PAGE_SIZE   4096

const char *assay_database_why(const struct assay_database *d)
{
    int system = d->db ? sqlite3_system_errno(d->db) : 0;
    switch (sqlite3_errcode(d->db) & 0xff) {
    case SQLITE_BUSY:
        return "is used by another server";
    case SQLITE_NOTADB:
        return "is no database, or is damaged";
    case SQLITE_CORRUPT:
        return "is damaged";
    case SQLITE_FULL:
        return "no space left";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return system ? strerror(system) : sqlite3_errmsg(d->db);
    default:
        return sqlite3_errmsg(d->db);
    }
}

static bool refuse(const struct assay_database *d, const char *why, struct assay_net_error *error)
{
    snprintf(error->text, sizeof error->text, "'%.160s': %.150s", d->name, why);
    return false;
}

static bool run(struct assay_database *d, const char *sql)
{
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool ask(struct assay_database *d, const char *sql, int64_t *number)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return false;
    bool told = sqlite3_step(stmt) == SQLITE_ROW;
    if (told)
        *number = sqlite3_column_int64(stmt, 0);
    return sqlite3_finalize(stmt) == SQLITE_OK && told;
}

/* ---- opening ----------------------------------------------------------- */

/* *fresh: nobody has used it yet. */
static bool check_owner(struct assay_database *d, bool *fresh, struct assay_net_error *error)
{
    int64_t tables, application, version;
    char text[100];
    if (!ask(d, "SELECT count(*) FROM sqlite_master", &tables) || !ask(d, "PRAGMA application_id", &application) ||
        !ask(d, "PRAGMA user_version", &version))
        return refuse(d, assay_database_why(d), error);
    *fresh = tables == 0 && version == 0 && (application == 0 || application == APPLICATION);
    if (*fresh)
        return true;
    if (application != APPLICATION)
        return refuse(d, "is a database of another program", error);
    if (version == VERSION)
        return true;
    snprintf(text, sizeof text, "is of version %" PRId64 ", and this program knows version %d alone", version, VERSION);
    return refuse(d, text, error);
}

static bool go_durable(struct assay_database *d, struct assay_net_error *error)
{
    char mode[8] = "";
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(d->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL) != SQLITE_OK)
        return refuse(d, assay_database_why(d), error);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        snprintf(mode, sizeof mode, "%s", (const char *)sqlite3_column_text(stmt, 0));
    if (sqlite3_finalize(stmt) != SQLITE_OK)
        return refuse(d, assay_database_why(d), error);
    if (strcmp(mode, "wal") != 0)
        return refuse(d, "cannot keep a write-ahead log there", error);
    return run(d, "PRAGMA synchronous=FULL") || refuse(d, assay_database_why(d), error);
}

/* As a whole, so that a crash leaves no file that is nobody's. */
static bool claim(struct assay_database *d, struct assay_net_error *error)
{
    char sql[100];
    snprintf(sql, sizeof sql, "BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION, VERSION);
    return run(d, sql) || refuse(d, assay_database_why(d), error);
}

/* For nobody else to read: there may be secrets in it. What stands beside it gets the same mode. One that is there is
 * not opened, as closing it would take the locks of a server in this process. */
static bool create(const struct assay_database *d, struct assay_net_error *error)
{
    int fd = open(d->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST || faccessat(AT_FDCWD, d->name, R_OK | W_OK, AT_EACCESS) < 0)
        return refuse(d, strerror(errno), error);
    return true;
}

static bool open_file(struct assay_database *d, struct assay_net_error *error)
{
    bool fresh;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (!create(d, error))
        return false;
    if (sqlite3_open_v2(d->name, &d->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(d->db, PATIENCE_MS) != SQLITE_OK || !run(d, "PRAGMA locking_mode=EXCLUSIVE"))
        return refuse(d, assay_database_why(d), error);
    return check_owner(d, &fresh, error) && go_durable(d, error) && (!fresh || claim(d, error));
}

static bool open_memory(struct assay_database *d, uint64_t memory, struct assay_net_error *error)
{
    char sql[80];
    uint64_t pages = memory / PAGE_SIZE > 16 ? memory / PAGE_SIZE : 16;
    snprintf(sql, sizeof sql, "PRAGMA page_size=%d; PRAGMA max_page_count=%" PRIu64, PAGE_SIZE,
             memory > 0 && pages < INT32_MAX ? pages : (uint64_t)INT32_MAX);
    return (sqlite3_open(":memory:", &d->db) == SQLITE_OK && run(d, sql)) || refuse(d, assay_database_why(d), error);
}

bool assay_database_open(struct assay_database *d, const char *path, uint64_t memory, struct assay_net_error *error)
{
    *d = (struct assay_database){.name = path ? path : "memory"};
    if (path ? open_file(d, error) : open_memory(d, memory, error))
        return true;
    assay_database_close(d);
    return false;
}

void assay_database_close(struct assay_database *d)
{
    sqlite3_close(d->db);
    d->db = NULL;
}

/* ---- tables ------------------------------------------------------------ */

static bool differs(const struct assay_database *d, const char *name, struct assay_net_error *error)
{
    snprintf(error->text, sizeof error->text, "'%.120s': '%.60s' in it does not fit the spec (its columns are others)",
             d->name, name);
    return false;
}

bool assay_database_make(struct assay_database *d, const char *name, const char *sql, struct assay_net_error *error)
{
    sqlite3_stmt *stmt = assay_database_prepare(d, "SELECT sql FROM sqlite_master WHERE name = ?", error);
    if (!stmt)
        return false;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    bool there = sqlite3_step(stmt) == SQLITE_ROW;
    const char *old = there ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool same = old && sql && strcmp(old, sql) == 0;
    if (sqlite3_finalize(stmt) != SQLITE_OK)
        return refuse(d, assay_database_why(d), error);
    if (there)
        return same || differs(d, name, error);
    return !sql || run(d, sql) || refuse(d, assay_database_why(d), error);
}

sqlite3_stmt *assay_database_prepare(struct assay_database *d, const char *sql, struct assay_net_error *error)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) == SQLITE_OK)
        return stmt;
    refuse(d, assay_database_why(d), error);
    return NULL;
}

/* ---- transactions ------------------------------------------------------ */

void assay_database_failed(struct assay_database *d)
{
    if (!d->broken)
        snprintf(d->why, sizeof d->why, "%s", assay_database_why(d));
    d->broken = true;
}

bool assay_database_begin(struct assay_database *d)
{
    if (!d->begun) {
        d->begun = true;
        if (!run(d, "BEGIN IMMEDIATE"))
            assay_database_failed(d);
    }
    return !d->broken;
}

bool assay_database_commit(struct assay_database *d)
{
    if (!d->broken && !run(d, "COMMIT"))
        assay_database_failed(d);
    bool done = !d->broken;
    if (!sqlite3_get_autocommit(d->db))
        run(d, "ROLLBACK");
    d->begun = d->broken = false;
    return done;
}

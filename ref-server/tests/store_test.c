#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ref-server/database.h"
#include "ref-server/store.h"

#define NONE ASSAY_NONE
#define RANGE(f, n)                                                                                                    \
    {                                                                                                                  \
        (f), (n)                                                                                                       \
    }
#define TABLE(m, n, t) ((m)->n = (t), (m)->n##_count = sizeof(t) / sizeof(t)[0])
#define SPAN(text)     ((struct assay_span){(const uint8_t *)(text), sizeof(text) - 1})

/* ---- the model --------------------------------------------------------- */

enum { T_TEXT, T_BYTES, T_INT };
enum { PEOPLE, HERE }; /* tables: the second one is no business of the store */
enum { LINES, NOTES }; /* logs: the second one is in memory */
enum { P_NAME, P_KEY, P_AGE, P_USER, P_ID, P_TEXT, P_COUNT };

static const struct assay_type types[] = {[T_TEXT] = {.name = "text", .kind = ASSAY_T_TEXT, .max = 2000},
                                          [T_BYTES] = {.name = "bytes", .kind = ASSAY_T_BYTES, .max = 2000},
                                          [T_INT] = {.name = "i64", .kind = ASSAY_T_INT}};
static const struct assay_param params[] = {
    [P_NAME] = {"name", "", T_TEXT, NONE}, [P_KEY] = {"key", "", T_BYTES, NONE}, [P_AGE] = {"age", "", T_INT, NONE},
    [P_USER] = {"user", "", T_TEXT, NONE}, [P_ID] = {"id", "", T_BYTES, NONE},   [P_TEXT] = {"text", "", T_TEXT, NONE},
    [P_COUNT] = {"count", "", T_INT, NONE}};
static struct assay_table tables[2];
static struct assay_log logs[2];
static struct assay_model model;

static void reset_model(void)
{
    tables[PEOPLE] =
        (struct assay_table){.name = "people", .key = P_NAME, .columns = RANGE(P_KEY, 2), .most = 100, .durable = true};
    tables[HERE] = (struct assay_table){.name = "here", .key = P_NAME, .columns = RANGE(P_KEY, 1), .most = 1};
    logs[LINES] = (struct assay_log){.name = "lines", .columns = RANGE(P_USER, 4), .unique = 3, .durable = true};
    logs[NOTES] = (struct assay_log){.name = "notes", .columns = RANGE(P_TEXT, 2)};
    model = (struct assay_model){.protocol = "thing"};
    TABLE(&model, types, types), TABLE(&model, params, params);
    TABLE(&model, tables, tables), TABLE(&model, logs, logs);
}

/* ---- a store, and a loop that batches come back to --------------------- */

static char folder_name[] = "/tmp/assay-store-XXXXXX";
static char path[64];
static int folder;
static struct assay_net_error error;
static struct assay_store *store;
static struct assay_store_config config;
static struct assay_loop *loop;
static struct assay_inbox inbox;

static int empty(void **state)
{
    (void)state;
    static const char *const files[] = {"thing.db", "thing.db-wal", "thing.db-shm", "thing.db-journal"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlinkat(folder, files[i], 0);
    reset_model();
    config = (struct assay_store_config){.model = &model, .folder = folder, .folder_name = folder_name};
    return 0;
}

static int set_up(void **state)
{
    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(folder_name))
        return -1;
    snprintf(path, sizeof path, "%s/thing.db", folder_name);
    folder = open(folder_name, O_RDONLY | O_DIRECTORY);
    loop = assay_loop_new(NULL);
    assay_inbox_init(&inbox, loop);
    return empty(state);
}

static int tear_down(void **state)
{
    empty(state);
    assay_inbox_free(&inbox);
    assay_loop_free(loop);
    close(folder);
    return rmdir(folder_name);
}

static void open_store(void)
{
    store = assay_store_open(&config, &error);
    if (!store)
        fail_msg("%s", error.text);
    assert_true(assay_store_start(store));
}

static void close_store(void)
{
    assay_store_close(store);
    store = NULL;
}

static void reopen_store(void)
{
    close_store();
    open_store();
}

static void refuses(const char *why)
{
    store = assay_store_open(&config, &error);
    assert_null(store);
    if (!strstr(error.text, why))
        fail_msg("expected '%s', got: %s", why, error.text);
}

static struct assay_batch *come_back(void)
{
    int64_t until = assay_clock_after(assay_clock_now(), 60 * ASSAY_SECOND);
    struct assay_batch *batch;
    while (!(batch = assay_inbox_take(&inbox))) {
        assert_true(assay_clock_now() < until);
        assay_loop_round(loop, until);
    }
    assert_null(batch->next);
    return batch;
}

static struct assay_batch *run(struct assay_batch *batch)
{
    assay_worker_submit(assay_store_worker(store), batch);
    return come_back();
}

static void add(struct assay_batch *batch, uint16_t place, const struct assay_cells *row)
{
    struct assay_store_write write = {.place = place};
    struct assay_pieces pieces;
    struct assay_span spans[1 + 2 * ASSAY_COLUMNS_MAX] = {{(const uint8_t *)&write, sizeof write}};
    struct assay_job job = {.token = 1};
    assay_cells_cut(assay_store_shape(store, place), row->values, row->spans, &pieces);
    memcpy(spans + 1, pieces.spans, sizeof pieces.spans);
    assert_true(assay_batch_add(batch, spans, 1u + pieces.count, 1, &job));
}

/* What came of one write. */
static bool written(uint16_t place, const struct assay_cells *row, struct assay_store_write *write)
{
    struct assay_span bytes;
    struct assay_batch *batch = assay_batch_new(store, &inbox);
    add(batch, place, row);
    batch = run(batch);
    bool done = batch->jobs[0].done;
    *write = assay_store_written(batch, 0, &bytes);
    assay_batch_free(batch);
    return done;
}

static struct assay_cells line(struct assay_span user, struct assay_span id, struct assay_span text, int64_t count)
{
    return (struct assay_cells){.spans = {user, id, text}, .values = {[3] = (assay_val)count}};
}

static void add_line(const struct assay_cells *row, bool added, uint64_t number)
{
    struct assay_store_write write;
    assert_true(written(assay_store_log_place(store, LINES), row, &write));
    assert_int_equal(write.added, added);
    if (added)
        assert_int_equal(write.number, number);
}

static bool put_person(struct assay_span name, struct assay_span key, int64_t age)
{
    struct assay_store_write write;
    struct assay_cells row = {.spans = {name, key}, .values = {[2] = (assay_val)age}};
    return written(assay_store_table_place(store, PEOPLE), &row, &write);
}

static bool same(struct assay_span a, struct assay_span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static void expect_lines(uint64_t from, const struct assay_cells *rows, uint32_t count)
{
    struct assay_batch *batch = run(assay_store_fetch(store, LINES, from, 100, &inbox));
    const struct assay_shape *shape = assay_store_shape(store, assay_store_log_place(store, LINES));
    struct assay_store_fetched told = assay_store_fetched(batch);
    assert_true(assay_store_is_fetch(batch) && told.done);
    assert_int_equal(told.count, count);
    assert_int_equal(told.from, from);
    for (uint32_t i = 0; i < count; i++) {
        struct assay_cells row;
        assert_true(assay_cells_read(shape, assay_store_fetched_row(batch, i), &row));
        for (int k = 0; k < 3; k++)
            assert_true(same(row.spans[k], rows[i].spans[k]));
        assert_int_equal(row.values[3], rows[i].values[3]);
    }
    assay_batch_free(batch);
}

/* ---- rows -------------------------------------------------------------- */

static void rows_are_read_as_they_were_written(void **state)
{
    (void)state;
    const struct assay_cells rows[] = {
        line(SPAN("ann"), SPAN("1"), SPAN("hi"), 7),
        line(SPAN("ann"), SPAN("2"), SPAN(""), INT64_MIN),
        line(SPAN("\0x\0"), SPAN("\0\xff"), SPAN("\xff\xfe no UTF-8"), INT64_MAX),
        line(SPAN(""), SPAN(""), SPAN("'; DROP TABLE lines; --"), -1),
    };
    open_store();
    expect_lines(0, NULL, 0);
    for (uint64_t i = 0; i < 4; i++)
        add_line(&rows[i], true, i);
    expect_lines(0, rows, 4);
    expect_lines(3, rows + 3, 1);
    expect_lines(4, NULL, 0);
    reopen_store();
    assert_int_equal(assay_store_rows(store, LINES), 4);
    expect_lines(0, rows, 4);
    close_store();
}

static void what_is_there_is_not_added_again(void **state)
{
    (void)state;
    const struct assay_cells a = line(SPAN("ann"), SPAN("1"), SPAN("hi"), 1),
                             again = line(SPAN("ann"), SPAN("1"), SPAN("other"), 2),
                             b = line(SPAN("bob"), SPAN("1"), SPAN("hi"), 1),
                             c = line(SPAN("ann"), SPAN("2"), SPAN("hi"), 1);
    const struct assay_cells all[] = {a, b, c};
    open_store();
    add_line(&a, true, 0);
    add_line(&again, false, 0);
    add_line(&b, true, 1);
    add_line(&a, false, 0);
    reopen_store();
    add_line(&b, false, 0);
    add_line(&c, true, 2);
    expect_lines(0, all, 3);
    close_store();
}

static void bytes_that_are_no_row_are_not_read(void **state)
{
    (void)state;
    const struct assay_shape shape = {.count = 2, .bytes = 1};
    struct assay_cells row = {.values = {[1] = 5}, .spans = {SPAN("abc")}}, got;
    struct assay_pieces pieces;
    uint8_t bytes[64];
    uint32_t n = 0;
    assay_cells_cut(&shape, row.values, row.spans, &pieces);
    for (uint16_t i = 0; i < pieces.count; i++) {
        memcpy(bytes + n, pieces.spans[i].p, pieces.spans[i].n);
        n += pieces.spans[i].n;
    }
    assert_true(assay_cells_read(&shape, (struct assay_span){bytes, n}, &got));
    assert_true(same(got.spans[0], SPAN("abc")) && got.values[1] == 5);
    for (uint32_t k = 0; k < n; k++)
        assert_false(assay_cells_read(&shape, (struct assay_span){bytes, k}, &got));
    assert_false(assay_cells_read(&shape, (struct assay_span){bytes, n + 1}, &got));
}

/* ---- tables ------------------------------------------------------------ */

struct people {
    int count, ages;
};

static bool look(void *user, const struct assay_cells *row)
{
    struct people *people = user;
    assert_true(row->spans[0].n > 0 && same(row->spans[1], SPAN("k\0y")));
    people->count++;
    people->ages += (int)row->values[2];
    return true;
}

static void a_table_keeps_the_newest_row_of_a_key(void **state)
{
    (void)state;
    struct people people = {0};
    open_store();
    assert_true(put_person(SPAN("ann"), SPAN("old"), 1));
    assert_true(put_person(SPAN("bob"), SPAN("k\0y"), 20));
    assert_true(put_person(SPAN("ann"), SPAN("k\0y"), 3));
    close_store();
    store = assay_store_open(&config, &error);
    assert_non_null(store);
    assert_true(assay_store_each(store, PEOPLE, look, &people, &error));
    assert_int_equal(people.count, 2);
    assert_int_equal(people.ages, 23);
    close_store();
}

static void a_full_table_takes_changes_alone(void **state)
{
    (void)state;
    tables[PEOPLE].most = 2;
    open_store();
    assert_true(put_person(SPAN("a"), SPAN("x"), 1));
    assert_true(put_person(SPAN("b"), SPAN("x"), 1));
    assert_false(put_person(SPAN("c"), SPAN("x"), 1));
    assert_true(put_person(SPAN("b"), SPAN("y"), 1));
    close_store();
    tables[PEOPLE].most = 10;
    config.rows = 3;
    open_store();
    assert_true(put_person(SPAN("c"), SPAN("x"), 1));
    assert_false(put_person(SPAN("d"), SPAN("x"), 1));
    close_store();
}

/* ---- in memory --------------------------------------------------------- */

static bool add_note(int64_t count)
{
    static uint8_t text[1000];
    struct assay_store_write write;
    struct assay_cells row = {.spans = {{text, sizeof text}}, .values = {[1] = (assay_val)count}};
    return written(assay_store_log_place(store, NOTES), &row, &write);
}

static void a_log_in_memory_has_no_file_and_an_end(void **state)
{
    (void)state;
    struct stat st;
    uint32_t n = 0;
    model.tables_count = 0;
    logs[LINES].durable = false;
    config.memory = 1u << 20;
    open_store();
    while (n < 2000 && add_note(n))
        n++;
    assert_in_range(n, 500, 1100);
    assert_false(add_note(0));
    assert_int_equal(stat(path, &st), -1);
    struct assay_batch *batch = run(assay_store_fetch(store, NOTES, n - 1, 100, &inbox));
    assert_true(assay_store_fetched(batch).done);
    assert_int_equal(assay_store_fetched(batch).count, 1);
    assay_batch_free(batch);
    close_store();
}

/* ---- crashes, full disks ----------------------------------------------- */

static struct assay_cells numbered(char *id, uint64_t i)
{
    int n = sprintf(id, "%llu", (unsigned long long)i);
    return line(SPAN("ann"), (struct assay_span){(const uint8_t *)id, (uint32_t)n}, SPAN("some text"), (int64_t)i);
}

/* Rows of a log, chained where `chain` has a C; those that are no rows have an x behind. Which are done: as +-. */
static void add_chains(const char *rows, uint32_t doomed, const char *expected)
{
    struct assay_batch *batch = assay_batch_new(store, &inbox);
    struct assay_store_write write = {.place = assay_store_log_place(store, LINES)};
    struct assay_span head = {(const uint8_t *)&write, sizeof write};
    struct assay_job none = {.token = 1};
    static uint64_t next;
    char id[24], done[16] = "";
    for (const char *row = rows; *row; row += 2) {
        struct assay_cells cells = numbered(id, next++);
        if (row[1] == 'x')
            assert_true(assay_batch_add(batch, &head, 1, 1, &none));
        else
            add(batch, write.place, &cells);
        batch->jobs[batch->count - 1].chain = row[0] == 'C';
    }
    batch->doomed = doomed;
    batch = run(batch);
    for (uint32_t i = 0; i < batch->count; i++)
        done[i] = batch->jobs[i].done ? '+' : '-';
    assert_string_equal(done, expected);
    assay_batch_free(batch);
}

static void behind_one_that_fails_its_chain_does(void **state)
{
    (void)state;
    open_store();
    add_chains("C o C ", 0, "+++");
    add_chains("C CxC o C ", 0, "+--+-");
    add_chains("oxC ", 0, "-+");
    add_chains("o C C ", 2, "+--");
    add_chains("o C C ", 1, "+++");
    add_chains("C ", 0, "+");
    close_store();
}

/* Writes groups of rows, and says how many are done, until it is killed. */
static void write_for_ever(int tell)
{
    char ids[10][24];
    open_store();
    for (uint64_t done = assay_store_rows(store, LINES);;) {
        struct assay_batch *batch = assay_batch_new(store, &inbox);
        for (int i = 0; i < 10; i++) {
            struct assay_cells row = numbered(ids[i], done + (uint64_t)i);
            add(batch, assay_store_log_place(store, LINES), &row);
        }
        batch = run(batch);
        for (uint32_t i = 0; i < batch->count; i++)
            if (!batch->jobs[i].done)
                _exit(1);
        done += batch->count;
        assay_batch_free(batch);
        if (write(tell, &done, sizeof done) != sizeof done)
            _exit(1);
    }
}

/* What it had said by its death. */
static uint64_t killed_while_writing(uint64_t after)
{
    int ends[2], status;
    uint64_t done = 0, next;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        loop = assay_loop_new(NULL);
        assay_inbox_init(&inbox, loop);
        write_for_ever(ends[1]);
    }
    close(ends[1]);
    while (done < after && read(ends[0], &next, sizeof next) == sizeof next)
        done = next;
    kill(pid, SIGKILL);
    while (read(ends[0], &next, sizeof next) == sizeof next)
        done = next;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
    return done;
}

static void a_crash_loses_nothing_that_was_done(void **state)
{
    (void)state;
    uint64_t done = 0;
    for (int i = 0; i < 5; i++) {
        done = killed_while_writing(done + 100);
        store = assay_store_open(&config, &error);
        assert_non_null(store);
        uint64_t rows = assay_store_rows(store, LINES);
        assert_in_range(rows, done, done + 10);
        assert_int_equal(rows % 10, 0); /* groups are whole */
        close_store();
    }
    open_store();
    uint64_t rows = assay_store_rows(store, LINES);
    for (uint64_t i = 0; i < rows; i += 100) {
        char ids[100][24];
        struct assay_cells all[100];
        uint32_t n = rows - i < 100 ? (uint32_t)(rows - i) : 100;
        for (uint32_t k = 0; k < n; k++)
            all[k] = numbered(ids[k], i + k);
        expect_lines(i, all, n);
    }
    close_store();
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint64_t add_numbered(uint64_t from, uint64_t until)
{
    struct assay_store_write write;
    char id[24];
    for (; from < until; from++) {
        struct assay_cells row = numbered(id, from);
        if (!written(assay_store_log_place(store, LINES), &row, &write))
            break;
        assert_true(write.added && write.number == from);
    }
    return from;
}

static void a_full_disk_fails_writes_until_there_is_room(void **state)
{
    (void)state;
    open_store();
    limit_files(256 * 1024);
    uint64_t done = add_numbered(0, 20000);
    assert_in_range(done, 10, 19999);
    assert_int_equal(add_numbered(done, done + 1), done);
    char id[24];
    struct assay_cells last = numbered(id, done - 1);
    expect_lines(done - 1, &last, 1);
    limit_files(RLIM_INFINITY);
    assert_int_equal(add_numbered(done, done + 50), done + 50);
    limit_files(64 * 1024);
    done = add_numbered(done + 50, done + 20000);
    limit_files(RLIM_INFINITY);
    reopen_store();
    assert_int_equal(assay_store_rows(store, LINES), done);
    close_store();
}

/* ---- files that are none of ours --------------------------------------- */

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char text[] =
        "this is a letter to somebody, and it is long enough to be taken for something else than an empty file";
    sql("CREATE TABLE mine (x)");
    refuses("thing.db': is a database of another program");
    sql("DROP TABLE mine; PRAGMA user_version = 9");
    refuses("is a database of another program");
    empty(state);
    int fd = openat(folder, "thing.db", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    close(fd);
    refuses("thing.db': is no database, or is damaged");
    empty(state);
    assert_int_equal(mkdirat(folder, "thing.db", 0700), 0);
    refuses("thing.db': ");
    assert_int_equal(unlinkat(folder, "thing.db", AT_REMOVEDIR), 0);
    open_store();
    close_store();
    sql("PRAGMA user_version = 9");
    refuses("is of version 9, and this program knows version 1 alone");
}

/* It stopped before anything was in it. */
static void a_file_that_was_just_begun_is_taken(void **state)
{
    (void)state;
    int fd = openat(folder, "thing.db", O_WRONLY | O_CREAT, 0600);
    close(fd);
    open_store();
    close_store();
    empty(state);
    sql("PRAGMA application_id = 0x41737379");
    open_store();
    close_store();
}

static void nobody_else_may_read_it(void **state)
{
    (void)state;
    static const char *const files[] = {"thing.db", "thing.db-wal"};
    mode_t before = umask(0);
    open_store();
    umask(before);
    assert_int_equal(add_numbered(0, 10), 10);
    for (size_t i = 0; i < 2; i++) {
        struct stat s;
        assert_int_equal(fstatat(folder, files[i], &s, 0), 0);
        assert_int_equal(s.st_mode & 0777, 0600);
    }
    close_store();
}

/* By one who is not the owner; the superuser may do everything. */
static void refuses_others(const char *why)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        _exit(assay_store_open(&config, &error) || !strstr(error.text, why));
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void what_may_not_be_written_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fchmod(folder, 0555), 0);
    refuses_others("thing.db': Permission denied");
    assert_int_equal(fchmod(folder, 0755), 0);
    open_store();
    close_store();
    assert_int_equal(chmod(path, 0444), 0);
    refuses_others("thing.db': Permission denied");
    assert_int_equal(fchmod(folder, 0700), 0);
}

static void a_damaged_file_is_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[4096];
    open_store();
    assert_int_equal(add_numbered(0, 500), 500);
    close_store();
    int fd = openat(folder, "thing.db", O_WRONLY);
    for (off_t at = 1; at < 8; at++) /* the first page says that it is one of ours */
        assert_int_equal(pwrite(fd, zeros, sizeof zeros, at * 4096), sizeof zeros);
    close(fd);
    refuses("damaged");
}

static void another_server_has_it(void **state)
{
    (void)state;
    open_store();
    struct assay_store *first = store;
    refuses("thing.db': is used by another server");
    store = first;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct assay_store *second = assay_store_open(&config, &error);
        _exit(second || !strstr(error.text, "is used by another server"));
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    close_store();
}

static void a_file_of_another_spec_is_refused(void **state)
{
    (void)state;
    open_store();
    close_store();
    logs[LINES].unique = 1;
    refuses("'lines unique' in it does not fit the spec");
    logs[LINES].unique = 0;
    refuses("'lines unique' in it does not fit the spec");
    logs[LINES].unique = 3;
    logs[LINES].columns.count = 3;
    refuses("'lines' in it does not fit the spec");
    logs[LINES].columns.count = 4;
    tables[PEOPLE].key = P_TEXT;
    refuses("'people' in it does not fit the spec");
    tables[PEOPLE].key = P_NAME;
    tables[HERE].durable = true; /* one more is no harm */
    open_store();
    close_store();
}

/* ---- many -------------------------------------------------------------- */

static void many_rows_are_kept_and_read(void **state)
{
    (void)state;
    enum { N = 100000, GROUP = 1000, CHUNK = 128 };
    char id[24];
    open_store();
    for (uint64_t i = 0; i < N; i += GROUP) {
        struct assay_batch *batch = assay_batch_new(store, &inbox);
        for (uint64_t k = 0; k < GROUP; k++) {
            struct assay_cells row = numbered(id, i + k);
            add(batch, assay_store_log_place(store, LINES), &row);
        }
        batch = run(batch);
        for (uint32_t k = 0; k < GROUP; k++)
            assert_true(batch->jobs[k].done);
        assay_batch_free(batch);
    }
    const struct assay_shape *shape = assay_store_shape(store, assay_store_log_place(store, LINES));
    for (uint64_t at = 0; at < N;) {
        struct assay_batch *batch = run(assay_store_fetch(store, LINES, at, CHUNK, &inbox));
        struct assay_store_fetched told = assay_store_fetched(batch);
        assert_true(told.done && told.count > 0);
        for (uint32_t i = 0; i < told.count; i++) {
            struct assay_cells row;
            assert_true(assay_cells_read(shape, assay_store_fetched_row(batch, i), &row));
            assert_int_equal(row.values[3], at + i);
        }
        at += told.count;
        assay_batch_free(batch);
    }
    close_store();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_are_read_as_they_were_written, empty),
        cmocka_unit_test_setup(what_is_there_is_not_added_again, empty),
        cmocka_unit_test_setup(bytes_that_are_no_row_are_not_read, empty),
        cmocka_unit_test_setup(a_table_keeps_the_newest_row_of_a_key, empty),
        cmocka_unit_test_setup(a_full_table_takes_changes_alone, empty),
        cmocka_unit_test_setup(a_log_in_memory_has_no_file_and_an_end, empty),
        cmocka_unit_test_setup(behind_one_that_fails_its_chain_does, empty),
        cmocka_unit_test_setup(a_crash_loses_nothing_that_was_done, empty),
        cmocka_unit_test_setup(a_full_disk_fails_writes_until_there_is_room, empty),
        cmocka_unit_test_setup(other_files_are_refused, empty),
        cmocka_unit_test_setup(a_file_that_was_just_begun_is_taken, empty),
        cmocka_unit_test_setup(nobody_else_may_read_it, empty),
        cmocka_unit_test_setup(what_may_not_be_written_is_refused, empty),
        cmocka_unit_test_setup(a_damaged_file_is_refused, empty),
        cmocka_unit_test_setup(another_server_has_it, empty),
        cmocka_unit_test_setup(a_file_of_another_spec_is_refused, empty),
        cmocka_unit_test_setup(many_rows_are_kept_and_read, empty),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

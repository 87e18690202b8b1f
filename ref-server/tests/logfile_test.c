#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "ref-server/logfile.h"

static char folder_name[] = "/tmp/assay-logfile-XXXXXX";
static int folder;
static struct assay_net_error error;

static int set_up(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(folder_name))
        return -1;
    folder = open(folder_name, O_RDONLY | O_DIRECTORY);
    return folder < 0;
}

static int empty(void **state)
{
    (void)state;
    unlinkat(folder, "log", 0);
    unlinkat(folder, "old", 0);
    return 0;
}

static int tear_down(void **state)
{
    empty(state);
    close(folder);
    return rmdir(folder_name);
}

static void put(const char *name, const char *text, size_t size)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static void expect(const char *name, const char *text)
{
    static char got[1 << 16];
    int fd = openat(folder, name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, got, sizeof got - 1);
    close(fd);
    assert_true(n >= 0);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void opened(struct assay_logfile *log, size_t repaired_expected)
{
    size_t repaired = 99;
    assert_true(assay_logfile_open(log, folder, "log", &repaired, &error));
    assert_int_equal(repaired, repaired_expected);
}

static void records_are_appended(void **state)
{
    (void)state;
    struct assay_logfile log;
    opened(&log, 0);
    int64_t from = log.size;
    assert_true(assay_logfile_write(&log, "one\n", 4));
    assert_true(assay_logfile_write(&log, "two\n", 4));
    assert_true(assay_logfile_sync(&log, from));
    expect("log", "one\ntwo\n");
    assay_logfile_close(&log);
    opened(&log, 0);
    assert_true(assay_logfile_write(&log, "three\n", 6));
    assay_logfile_close(&log);
    expect("log", "one\ntwo\nthree\n");
}

static void half_a_record_is_cut_off(void **state)
{
    (void)state;
    struct assay_logfile log;
    put("log", "one\ntw", 6);
    opened(&log, 2);
    assay_logfile_close(&log);
    expect("log", "one\n");
    put("log", "no end", 6);
    opened(&log, 6);
    assay_logfile_close(&log);
    expect("log", "");
}

static void a_long_half_record_is_cut_off_whole(void **state)
{
    (void)state;
    static char text[20000];
    struct assay_logfile log;
    memset(text, 'x', sizeof text);
    for (size_t lf = 0; lf < 10000; lf += 1111) {
        memset(text, 'x', sizeof text);
        text[lf] = '\n';
        put("log", text, sizeof text);
        opened(&log, sizeof text - lf - 1);
        assert_int_equal(log.size, lf + 1);
        assay_logfile_close(&log);
    }
}

static void what_is_no_log_is_refused(void **state)
{
    (void)state;
    struct assay_logfile log;
    size_t repaired;
    assert_int_equal(mkdirat(folder, "log", 0700), 0);
    assert_false(assay_logfile_open(&log, folder, "log", &repaired, &error));
    assert_non_null(strstr(error.text, "log: "));
    unlinkat(folder, "log", AT_REMOVEDIR);
    assert_false(assay_logfile_open(&log, folder, "a/b", &repaired, &error));
}

static void two_at_once_are_refused(void **state)
{
    (void)state;
    struct assay_logfile a, b;
    size_t repaired;
    opened(&a, 0);
    assert_false(assay_logfile_open(&b, folder, "log", &repaired, &error));
    assert_non_null(strstr(error.text, "another server"));
    assay_logfile_close(&a);
    opened(&b, 0);
    assay_logfile_close(&b);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_a_full_disk_took_half_is_cut_off(void **state)
{
    (void)state;
    struct assay_logfile log;
    opened(&log, 0);
    assert_true(assay_logfile_write(&log, "one\n", 4));
    limit_files(10);
    assert_false(assay_logfile_write(&log, "a long record\n", 14));
    assert_int_equal(errno, EFBIG);
    expect("log", "one\n");
    assert_true(assay_logfile_write(&log, "two\n", 4));
    assert_false(assay_logfile_write(&log, "three\n", 6));
    limit_files(RLIM_INFINITY);
    assert_true(assay_logfile_write(&log, "four\n", 5));
    assay_logfile_close(&log);
    expect("log", "one\ntwo\nfour\n");
}

static void a_failed_sync_takes_back_what_it_was_for(void **state)
{
    (void)state;
    struct assay_logfile log;
    opened(&log, 0);
    assert_true(assay_logfile_write(&log, "one\n", 4));
    assert_true(assay_logfile_sync(&log, 0));
    int64_t from = log.size;
    assert_true(assay_logfile_write(&log, "two\n", 4));
    int pipes[2], file = dup(log.fd);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], log.fd); /* a pipe cannot be synced, nor cut */
    assert_false(assay_logfile_sync(&log, from));
    assert_true(log.torn);
    assert_false(assay_logfile_write(&log, "three\n", 6));
    close(pipes[0]), close(pipes[1]), close(file);
    assay_logfile_close(&log);
}

static void a_renamed_file_is_opened_anew(void **state)
{
    (void)state;
    struct assay_logfile log;
    opened(&log, 0);
    assert_true(assay_logfile_write(&log, "one\n", 4));
    assert_true(assay_logfile_reopen(&log, &error)); /* the same: nothing happens */
    assert_true(assay_logfile_write(&log, "two\n", 4));
    assert_int_equal(renameat(folder, "log", folder, "old"), 0);
    assert_true(assay_logfile_reopen(&log, &error));
    assert_true(assay_logfile_write(&log, "three\n", 6));
    assay_logfile_close(&log);
    expect("old", "one\ntwo\n");
    expect("log", "three\n");
}

static void a_file_that_others_cut_goes_on_at_its_end(void **state)
{
    (void)state;
    struct assay_logfile log;
    opened(&log, 0);
    assert_true(assay_logfile_write(&log, "a long record\n", 14));
    put("log", "", 0);
    assert_true(assay_logfile_write(&log, "new\n", 4));
    limit_files(10);
    assert_false(assay_logfile_write(&log, "does not fit\n", 13));
    limit_files(RLIM_INFINITY);
    assay_logfile_close(&log);
    expect("log", "new\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(records_are_appended, empty),
        cmocka_unit_test_setup(half_a_record_is_cut_off, empty),
        cmocka_unit_test_setup(a_long_half_record_is_cut_off_whole, empty),
        cmocka_unit_test_setup(what_is_no_log_is_refused, empty),
        cmocka_unit_test_setup(two_at_once_are_refused, empty),
        cmocka_unit_test_setup(what_a_full_disk_took_half_is_cut_off, empty),
        cmocka_unit_test_setup(a_failed_sync_takes_back_what_it_was_for, empty),
        cmocka_unit_test_setup(a_renamed_file_is_opened_anew, empty),
        cmocka_unit_test_setup(a_file_that_others_cut_goes_on_at_its_end, empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

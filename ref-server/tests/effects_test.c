#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <crypt.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/tests/models.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"

static void path_of(const struct host *host, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", host->folder, name);
}

static void write_file(const struct host *host, const char *name, const char *text)
{
    char path[128];
    path_of(host, name, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* ---- a log that is full ------------------------------------------------ */

static void files_of_100_bytes(void)
{
    struct rlimit limit = {100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* 100 bytes: nine lines of ten fit, and half of a tenth. */
static void a_full_disk_is_told_and_survived(void **state)
{
    (void)state;
    struct host host = {0};
    size_t size;
    host_start(&host, notes_model(true), files_of_100_bytes);
    int fd = dial(&host);
    login(fd);
    for (int i = 0; i < 9; i++) {
        say_message(fd, "xy"); /* 11 bytes a line */
        hear(fd, "\0", 1);
    }
    say_message(fd, "xy");
    hear(fd, "\377", 1);
    hear_end(fd);
    close(fd);
    host_log(&host, &size);
    assert_int_equal(size, 99);
    fd = dial(&host);
    login(fd);
    say_message(fd, "too much");
    hear(fd, "\377", 1);
    hear_end(fd);
    close(fd);
    assert_string_equal(host_log(&host, &size) + 88, "[bob]: xy\r\n");
    assert_int_equal(size, 99);
    host_end(&host);
}

static void what_fits_is_taken_when_a_group_does_not(void **state)
{
    (void)state;
    enum { N = 30 };
    struct host host = {0};
    uint8_t frames[N * 8];
    size_t size = 0, log;
    host_start(&host, notes_model(true), files_of_100_bytes);
    int fd = dial(&host);
    login(fd);
    for (int i = 0; i < N; i++)
        size += message(frames + size, "xy", 2);
    say(fd, frames, size);
    /* Nine fit; the tenth fails, and the session ends with it. */
    hear(fd, "\0\0\0\0\0\0\0\0\0\377", 10);
    hear_end(fd);
    close(fd);
    host_log(&host, &log);
    assert_int_equal(log, 99);
    host_end(&host);
}

/* ---- repair, rotation, locking ----------------------------------------- */

static void a_half_line_is_cut_off_at_the_start(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, notes_model(true), NULL);
    int fd = dial(&host);
    login(fd);
    say_message(fd, "one");
    hear(fd, "\0", 1);
    close(fd);
    host_signal(&host, SIGKILL);
    assert_int_equal(host_wait(&host), 256 + SIGKILL);
    write_file(&host, "log", "[bob]: one\r\n[bob]: tw");
    host_restart(&host, NULL);
    fd = dial(&host);
    login(fd);
    say_message(fd, "three");
    hear(fd, "\0", 1);
    close(fd);
    assert_string_equal(host_log(&host, NULL), "[bob]: one\r\n[bob]: three\r\n");
    host_await_errors(&host, "half line of 9 bytes");
    host_end(&host);
}

/* The new file is there once SIGHUP was handled; nothing is lost around it. */
static void sighup_opens_the_log_anew(void **state)
{
    (void)state;
    struct host host = {0};
    char log[128], old[128];
    struct stat st;
    host_start(&host, notes_model(true), NULL);
    path_of(&host, "log", log);
    path_of(&host, "old", old);
    int fd = dial(&host);
    login(fd);
    say_message(fd, "before");
    hear(fd, "\0", 1);
    assert_int_equal(rename(log, old), 0);
    say_message(fd, "between");
    hear(fd, "\0", 1);
    host_signal(&host, SIGHUP);
    int64_t limit = assay_clock_now() + 60 * ASSAY_SECOND;
    while (stat(log, &st) < 0)
        assert_true(assay_clock_now() < limit);
    /* What was queued before the reopening may still go to the old file. */
    for (int i = 0; i < 2; i++) {
        say_message(fd, "after");
        hear(fd, "\0", 1);
    }
    close(fd);
    assert_non_null(strstr(host_log(&host, NULL), "[bob]: after\r\n"));
    assert_int_equal(stat(old, &st), 0);
    assert_true(st.st_size >= (off_t)strlen("[bob]: before\r\n[bob]: between\r\n"));
    host_end(&host);
}

static void a_log_belongs_to_one_server(void **state)
{
    (void)state;
    struct host first = {0}, second = {0};
    char text[512] = "";
    host_start(&first, notes_model(true), NULL);
    second.config.data = NULL;
    host_start(&second, notes_model(true), NULL);
    host_signal(&second, SIGTERM);
    assert_int_equal(host_wait(&second), ASSAY_SERVER_STOPPED);
    second.config.data = first.folder;
    host_restart(&second, NULL);
    assert_int_equal(host_wait(&second), ASSAY_SERVER_UNUSABLE);
    assert_true(read(second.errors, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "another server"));
    host_restart(&second, NULL);
    host_wait_done(&second);
    host_end(&first);
}

static void unusable_folders_and_files_are_named(void **state)
{
    (void)state;
    struct host host = {0};
    char text[512] = "";
    host_start(&host, notes_model(true), NULL);
    host_signal(&host, SIGTERM);
    host_wait(&host);
    host.config.data = "/nonexistent/folder";
    host_restart(&host, NULL);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_UNUSABLE);
    assert_true(read(host.errors, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "/nonexistent/folder"));
    host.config.data = host.folder;
    host_restart(&host, NULL);
    host_end(&host);
}

/* ---- bindings that a model names --------------------------------------- */

static struct assay_effect changed[2];
static struct assay_model changed_model;

static const struct assay_model *with_binding(const char *verb, const char *object)
{
    changed_model = *notes_model(true);
    memcpy(changed, changed_model.effects, sizeof changed);
    changed[0].verb = verb;
    changed[0].object = object;
    changed_model.effects = changed;
    return &changed_model;
}

static void expect_refusal(const char *verb, const char *object, const char *why)
{
    struct host host = {0};
    char text[512] = "";
    host_start(&host, with_binding(verb, object), NULL);
    assert_int_equal(host.port, 0);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_UNUSABLE);
    assert_true(read(host.errors, text, sizeof text - 1) > 0);
    if (!strstr(text, why))
        fail_msg("expected \"%s\" in: %s", why, text);
    host_restart(&host, NULL);
    host_wait_done(&host);
}

static void bindings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    expect_refusal("apend", "log", "append");
    expect_refusal("append", "/tmp/log", "inside the data folder");
    expect_refusal("append", "../log", "inside the data folder");
    expect_refusal("append", "a/../../log", "inside the data folder");
    expect_refusal("append", "", "inside the data folder");
    expect_refusal("append", "$nothing", "no such param");
    expect_refusal("append", "missing/log", "missing/log");
    expect_refusal("print", "paper", "stdout or stderr");
    expect_refusal("crypt", "passwords", "two of bytes");
}

static void lines_are_printed_escaped(void **state)
{
    (void)state;
    struct host host = {0};
    char text[512] = "";
    host_start(&host, with_binding("print", "stderr"), NULL);
    int fd = dial(&host);
    login(fd);
    say_message(fd, "a\x1b[2J");
    hear(fd, "\0", 1);
    close(fd);
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait(&host), ASSAY_SERVER_STOPPED);
    assert_true(read(host.errors, text, sizeof text - 1) > 0);
    assert_string_equal(text, "[bob]: a\\x1b[2J\\r\\n\n");
    host_restart(&host, NULL);
    host_end(&host);
}

static void applications_are_done_at_once(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, with_binding(NULL, NULL), NULL);
    int fd = dial(&host);
    login(fd);
    for (int i = 0; i < 100; i++)
        say_message(fd, "x");
    for (int i = 0; i < 100; i++)
        hear(fd, "\0", 1);
    close(fd);
    host_end(&host);
}

static void stop_ends_with_the_last_session(void **state)
{
    (void)state;
    struct host host = {0};
    host_start(&host, with_binding("stop", NULL), NULL);
    int fd = dial(&host), other = dial(&host);
    login(fd);
    login(other);
    say_message(fd, "x");
    hear(fd, "\0", 1);
    close(fd);
    say(other, "\4\0\0", 3); /* the other session goes on to its end */
    hear(other, "\0", 1);
    hear_end(other);
    close(other);
    assert_int_equal(host_wait_done(&host), ASSAY_SERVER_STOPPED);
}

/* ---- SIGKILL ----------------------------------------------------------- */

/* A client that counts: message i is i in decimal; returns how many were acknowledged. For each one its number goes
 * to the pipe. */
static int hammer(const struct host *host, uint8_t number, int pipe_to)
{
    uint8_t frame[64], reply;
    char text[32];
    int acknowledged = 0, fd = dial(host);
    size_t size = (size_t)snprintf((char *)frame + 3, 40, "c%u", number);
    frame[0] = 1, frame[1] = (uint8_t)size, frame[2] = 0;
    say(fd, frame, size + 3);
    say(fd, "\2\1\0a", 4);
    hear(fd, "\0\0", 2);
    for (;;) {
        int n = snprintf(text, sizeof text, "%d", acknowledged);
        size = message(frame, text, (size_t)n);
        if (assay_send(fd, frame, size) != (ssize_t)size)
            break;
        ssize_t got;
        while ((got = assay_receive(fd, &reply, 1)) == ASSAY_IO_AGAIN)
            usleep(50);
        if (got != 1 || reply != 0)
            break;
        acknowledged++;
        if (write(pipe_to, &number, 1) != 1)
            break;
    }
    close(fd);
    return acknowledged;
}

static void count_lines(const char *log, const char *name, int expected)
{
    char line[64];
    for (int i = 0; i < expected; i++) {
        snprintf(line, sizeof line, "[%s]: %d\r\n", name, i);
        const char *at = strstr(log, line);
        if (!at)
            fail_msg("acknowledged, but not in the log: %s", line);
    }
}

enum { CLIENTS = 4, ROUNDS = 8 };

/* Until so many were acknowledged, and to each client one: whoever comes later finds no server. */
static void await_progress(int from, int many)
{
    unsigned heard = 0;
    uint8_t number;
    for (int got = 0; got < many || heard != (1u << CLIENTS) - 1; got++) {
        assert_int_equal(read(from, &number, 1), 1);
        heard |= 1u << number;
    }
}

static void sigkill_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct host host = {0};
        int progress[2], results[2], counts[CLIENTS];
        host_start(&host, notes_model(true), NULL);
        assert_int_equal(pipe(progress), 0);
        assert_int_equal(pipe(results), 0);
        for (int i = 0; i < CLIENTS; i++) {
            if (fork() != 0)
                continue;
            int result[2] = {i, hammer(&host, (uint8_t)i, progress[1])};
            _exit(write(results[1], result, sizeof result) != sizeof result);
        }
        await_progress(progress[0], 50 + 137 * round); /* another moment each time */
        host_signal(&host, SIGKILL);
        assert_int_equal(host_wait(&host), 256 + SIGKILL);
        for (int i = 0; i < CLIENTS; i++) {
            int result[2];
            assert_int_equal(read(results[0], result, sizeof result), sizeof result);
            counts[result[0]] = result[1];
        }
        host_restart(&host, NULL);
        size_t size;
        const char *log = host_log(&host, &size);
        assert_true(size == 0 || log[size - 1] == '\n');
        for (int i = 0; i < CLIENTS; i++) {
            char name[16];
            snprintf(name, sizeof name, "c%d", i);
            count_lines(log, name, counts[i]);
            assert_true(wait(NULL) > 0);
        }
        host_end(&host);
        close(progress[0]), close(progress[1]), close(results[0]), close(results[1]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_told_and_survived),
        cmocka_unit_test(what_fits_is_taken_when_a_group_does_not),
        cmocka_unit_test(a_half_line_is_cut_off_at_the_start),
        cmocka_unit_test(sighup_opens_the_log_anew),
        cmocka_unit_test(a_log_belongs_to_one_server),
        cmocka_unit_test(unusable_folders_and_files_are_named),
        cmocka_unit_test(bindings_that_cannot_be_are_refused),
        cmocka_unit_test(lines_are_printed_escaped),
        cmocka_unit_test(applications_are_done_at_once),
        cmocka_unit_test(stop_ends_with_the_last_session),
        cmocka_unit_test(sigkill_loses_nothing_acknowledged),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

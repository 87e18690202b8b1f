#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <crypt.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/cli.h"
#include "net/socket.h"
#include "ref-server/tests/host.h"

#define CANDY  "spec/candy.yaml"
#define MSGLOG "spec/msglog.yaml"
#define ARGS   16

/* `assay serve SPEC --listen 127.0.0.1:0 ...`; {folder} stands for the data folder. */
static void start(struct host *host, const char *spec, const char *const *more)
{
    static char *argv[ARGS];
    int n = 0;
    *host = (struct host){.run = assay_cmd_serve};
    argv[n++] = (char *)(uintptr_t) "serve";
    argv[n++] = (char *)(uintptr_t)spec;
    argv[n++] = (char *)(uintptr_t) "--listen";
    argv[n++] = (char *)(uintptr_t) "127.0.0.1:0";
    argv[n++] = (char *)(uintptr_t) "--data";
    argv[n++] = host->folder;
    for (; more && *more && n < ARGS - 1; more++)
        argv[n++] = (char *)(uintptr_t)*more;
    argv[n] = NULL;
    host->argv = argv;
    host_start(host, NULL, NULL);
}

#define START(host, spec, ...) start(host, spec, (const char *const[]){__VA_ARGS__, NULL})

static void stop_and_expect_log(struct host *host, const char *expected)
{
    char path[128], got[4096] = "";
    host_signal(host, SIGTERM);
    assert_int_equal(host_wait(host), ASSAY_EXIT_OK);
    snprintf(path, sizeof path, "%s/messages.log", host->folder);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && read(fd, got, sizeof got - 1) >= 0);
    close(fd);
    host_remove(host);
    assert_string_equal(got, expected);
}

/* ---- the bundled specs ------------------------------------------------- */

static void candy_is_served(void **state)
{
    (void)state;
    struct host host;
    START(&host, CANDY, NULL);
    int fd = dial(&host);
    say_text(fd, "s 12\nb 20\nd 7\ns 46341\nx 1\ns\n");
    hear_text(fd, "144\n524287\n12\nerror: too many: the result does not fit in 32 bits\n"
                  "error: unknown kind: s, b or d is known\nerror: malformed order: expected KIND COUNT\n");
    close(fd);
    fd = dial(&host);
    say_text(fd, "s +012 please");
    hear_text(fd, "144"); /* the legacy form: no LF */
    assay_shut(fd);
    hear_end(fd);
    close(fd);
    host_end(&host);
}

static void strict_switches_leniencies_off(void **state)
{
    (void)state;
    struct host host;
    START(&host, CANDY, "--strict");
    int fd = dial(&host);
    say_text(fd, "s 3");
    say_text(fd, "\ns +3\n");
    hear_text(fd, "9\nerror: malformed order: expected KIND COUNT\n");
    close(fd);
    host_end(&host);
    START(&host, CANDY, "--strict", "--lenient", "loose-count=1");
    fd = dial(&host);
    say_text(fd, "s +3\n");
    hear_text(fd, "9\n");
    close(fd);
    host_end(&host);
}

static void msglog_is_served(void **state)
{
    (void)state;
    struct host host;
    START(&host, MSGLOG, NULL);
    int fd = dial(&host);
    login(fd);
    for (int i = 0; i < 3; i++)
        say_message(fd, "a\r\nb");
    say(fd, "\4", 1);
    assay_shut(fd);
    hear(fd, "\0\0\0\0", 4);
    hear_end(fd);
    close(fd);
    fd = dial(&host);
    say(fd, "\2\1\0a", 4);
    hear(fd, "\377", 1);
    hear_end(fd);
    close(fd);
    stop_and_expect_log(&host, "[bob]: a\\r\\nb\r\n[bob]: a\\r\\nb\r\n[bob]: a\\r\\nb\r\n");
}

static void passwords_are_checked_against_their_file(void **state)
{
    (void)state;
    struct host host;
    char path[128];
    START(&host, MSGLOG, "--param", "passwords=passwords");
    assert_int_equal(host_wait(&host), ASSAY_EXIT_USAGE);
    assert_non_null(strstr(host_errors(&host), "passwords: No such file"));
    snprintf(path, sizeof path, "%s/passwords", host.folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "bob:%s\n", crypt("abc", "$5$saltsalt$"));
    fclose(f);
    host_restart(&host, NULL);
    int good = dial(&host), bad = dial(&host), unknown = dial(&host);
    login(good);
    say(bad, "\1\3\0bob\2\3\0abd", 12);
    hear(bad, "\0\377", 2);
    hear_end(bad);
    say(unknown, "\1\3\0eve\2\3\0abc\3\1\0x", 16);
    hear(unknown, "\0\377", 2);
    hear_end(unknown);
    close(good), close(bad), close(unknown);
    host_end(&host);
}

static void params_reach_timers(void **state)
{
    (void)state;
    struct host host;
    START(&host, MSGLOG, "--param", "idle_limit=200ms");
    int fd = dial(&host);
    int64_t begin = assay_clock_now();
    say(fd, "\1\3\0bob", 6);
    hear(fd, "\0", 1);
    hear_end(fd);
    assert_true(assay_clock_now() - begin >= 200 * ASSAY_MS);
    close(fd);
    host_end(&host);
}

/* Nothing that a peer sends can look like a line of the trace. */
static void a_trace_shows_messages_and_steps(void **state)
{
    (void)state;
    struct host host;
    START(&host, MSGLOG, "--trace");
    int fd = dial(&host);
    login(fd);
    say_message(fd, "x\n#9 > Close{}");
    hear(fd, "\0", 1);
    say(fd, "\7\0\0", 3);
    hear(fd, "\377", 1);
    hear_end(fd);
    close(fd);
    host_signal(&host, SIGTERM);
    assert_int_equal(host_wait(&host), ASSAY_EXIT_OK);
    const char *trace = host_errors(&host);
    host_remove(&host);
    static const char *const lines[] = {
        "#1 > Name{phase=name, length=3, name=\"bob\"}\n",
        "Name -> Password",
        "ML-4)\n",
        "#1 < Reply{status=succeeded}\n",
        "#1 > Message{",
        "text=\"x\\n#9 > Close{}\"}\n",
        "#1   do record\n",
        "#1 > unknown \"\\x07\\0\\0\"\n",
        "#1 < Reply{status=failed}\n",
        "#1   ended by unknown\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(trace, lines[i]))
            fail_msg("no %s in:\n%s", lines[i], trace);
    assert_null(strstr(trace, "\n#9"));
}

/* ---- bad usage --------------------------------------------------------- */

static void refused(const char *spec, const char *option, const char *value, const char *why)
{
    struct host host;
    START(&host, spec, option, value);
    assert_int_equal(host.port, 0);
    assert_int_equal(host_wait(&host), ASSAY_EXIT_USAGE);
    const char *errors = host_errors(&host);
    if (!strstr(errors, why))
        fail_msg("expected \"%s\" in: %s", why, errors);
    host_remove(&host);
}

static void bad_usage_is_told(void **state)
{
    (void)state;
    refused(MSGLOG, "--listen", "127.0.0.1:65536", "'127.0.0.1:65536'");
    refused(MSGLOG, "--listen", "127.0.0.1", "HOST:PORT");
    refused(MSGLOG, "--listen", "192.0.2.1:0", "192.0.2.1");
    refused(MSGLOG, "--data", "/nonexistent", "/nonexistent");
    refused(MSGLOG, "--limit", "sesions=3", "did you mean 'sessions'");
    refused(MSGLOG, "--limit", "sessions=0", "expected a number from 1");
    refused(MSGLOG, "--limit", "sessions", "NAME=VALUE");
    refused(MSGLOG, "--limit", "drain_time=soon", "a duration");
    refused(MSGLOG, "--param", "idle-limit=1s", "did you mean 'idle_limit'");
    refused(MSGLOG, "--param", "idle_limit=x", "idle_limit");
    refused(CANDY, "--param", "x=1", "the spec has none");
    refused(CANDY, "--lenient", "segment=1", "did you mean 'segments'");
    refused(CANDY, "--lenient", "segments=2", "0 or 1");
    refused(CANDY, "--nonsense", "1", "--nonsense");
    refused("spec/missing.yaml", "--limit", "sessions=1", "spec/missing.yaml");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candy_is_served),     cmocka_unit_test(strict_switches_leniencies_off),
        cmocka_unit_test(msglog_is_served),    cmocka_unit_test(passwords_are_checked_against_their_file),
        cmocka_unit_test(params_reach_timers), cmocka_unit_test(a_trace_shows_messages_and_steps),
        cmocka_unit_test(bad_usage_is_told),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

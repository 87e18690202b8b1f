#include "conformance/target.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/socket.h"

#define PATIENCE (5 * ASSAY_SECOND)

static char self[512];

/* ---- the target: this program again ------------------------------------ */

static void say_address(const char *form, int fd)
{
    struct assay_address at;
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_of(fd, &at);
    assay_address_format(&at, text);
    printf("12:30:45 starting\n");
    printf(strcmp(form, "plain") == 0 ? "now at %s, welcome\n" : "listening on tcp:%s\n", text);
    fflush(stdout);
}

static void on_term(int signal)
{
    static const char told[] = "told to end\n";
    (void)signal;
    if (write(STDERR_FILENO, told, sizeof told - 1) < 0)
        _exit(1);
}

/* The first byte of a connection is an order: 'q' exit with 3, 'a' abort. `form`: how it says where it listens;
 * "stays": plain, and says only that it was told to end. */
static int be_target(const char *where, const char *form)
{
    struct assay_address at[ASSAY_ADDRESSES_MAX];
    struct assay_net_error error;
    int on = 1;
    if (assay_address_resolve(where, ASSAY_ADDRESS_LISTEN, at, &error) == 0)
        return 1;
    int listener = socket(at[0].any.sa_family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, &at[0].any, at[0].size) < 0 || listen(listener, 16) < 0)
        return 98;
    if (strcmp(form, "stays") == 0)
        sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term, .sa_flags = SA_RESTART}, NULL);
    if (strcmp(form, "mute") != 0)
        say_address(form, listener);
    fprintf(stderr, "ready to serve\n");
    for (;;) {
        char order = 0;
        int fd = accept(listener, NULL, NULL);
        if (recv(fd, &order, 1, 0) == 1 && order == 'q')
            return 3;
        if (order == 'a') {
            fprintf(stderr, "told to abort\n");
            abort();
        }
        close(fd);
    }
}

/* ---- helpers ----------------------------------------------------------- */

static struct assay_target *make(const char *where, const char *rest)
{
    char text[1024];
    struct assay_net_error error = {""};
    snprintf(text, sizeof text, "exec:%s serve %s%s", self, where, rest);
    struct assay_target *t = assay_target_new(text, PATIENCE, &error);
    assert_non_null(t);
    return t;
}

static int reach(const struct assay_address *at)
{
    int fd = socket(at->any.sa_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, &at->any, at->size), 0);
    return fd;
}

/* Give an order and wait until its consequence closed the connection. */
static void order(const struct assay_address *at, char what)
{
    char byte;
    int fd = reach(at);
    assert_int_equal(send(fd, &what, 1, 0), 1);
    recv(fd, &byte, 1, 0);
    close(fd);
}

static struct assay_target *up(const char *where, const char *rest, struct assay_address *at)
{
    struct assay_net_error error = {""};
    struct assay_target *t = make(where, rest);
    if (!assay_target_up(t, at, &error))
        fail_msg("%s", error.text);
    return t;
}

/* ---- tests ------------------------------------------------------------- */

static void reads_the_address_that_the_target_prints(void **state)
{
    (void)state;
    static const char *const places[][2] = {
        {"127.0.0.1:0 tcp", "127.0.0.1:"}, {"127.0.0.1:0 plain", "127.0.0.1:"},
        {"[::1]:0 tcp", "[::1]:"},         {"0.0.0.0:0 plain", "127.0.0.1:"},
        {"[::]:0 tcp", "[::1]:"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct assay_address at;
        char text[ASSAY_ADDRESS_TEXT_MAX];
        struct assay_target *t = up(places[i][0], "", &at);
        assay_address_format(&at, text);
        assert_memory_equal(text, places[i][1], strlen(places[i][1]));
        assert_true(assay_target_alive(t, true));
        assay_target_free(t);
    }
}

static void fills_in_a_free_port(void **state)
{
    (void)state;
    struct assay_address at;
    struct assay_target *t = up("127.0.0.1:{port} mute", "", &at);
    close(reach(&at));
    assay_target_free(t);
}

static void tries_another_port_when_it_was_taken(void **state)
{
    (void)state;
    char script[256], folder[] = "/tmp/assay-target-XXXXXX";
    struct assay_address at;
    assert_non_null(mkdtemp(folder));
    /* The first two starts end as with a port that is in use. */
    snprintf(script, sizeof script, "mkdir %s/a 2>/dev/null && exit 98; mkdir %s/b 2>/dev/null && exit 98; exec",
             folder, folder);
    char text[1200];
    snprintf(text, sizeof text, "exec:%s %s serve 127.0.0.1:{port} mute", script, self);
    struct assay_net_error error = {""};
    struct assay_target *t = assay_target_new(text, PATIENCE, &error);
    assert_non_null(t);
    assert_true(assay_target_up(t, &at, &error));
    close(reach(&at));
    assay_target_free(t);
    snprintf(script, sizeof script, "rm -r %s", folder);
    assert_int_equal(system(script), 0);
}

/* `rest`: what stands behind the command, so that a shell stays between. */
static void check_deaths(const char *rest)
{
    struct assay_address at;
    struct assay_net_error error;
    struct assay_target *t = up("127.0.0.1:0 tcp", rest, &at);
    order(&at, 'a');
    assert_false(assay_target_alive(t, true));
    assert_non_null(strstr(assay_target_end(t), "signal 6"));
    assert_non_null(strstr(assay_target_said(t), "told to abort"));
    assert_true(assay_target_up(t, &at, &error));
    assert_null(strstr(assay_target_said(t), "told to abort"));
    order(&at, 'q');
    assert_false(assay_target_alive(t, true));
    assert_string_equal(assay_target_end(t), "exit status 3");
    assay_target_free(t);
}

static void says_how_the_target_ended_and_starts_it_again(void **state)
{
    (void)state;
    check_deaths("");
    check_deaths("; exit $?");
}

static void ends_what_it_started(void **state)
{
    (void)state;
    struct assay_address at;
    /* The shell stays between: the server is its child and must go too. */
    struct assay_target *t = up("127.0.0.1:0 tcp", "; true", &at);
    assay_target_free(t);
    int fd = socket(at.any.sa_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, &at.any, at.size), -1);
    close(fd);
}

static void await_said(struct assay_target *t, const char *what)
{
    int64_t by = assay_clock_now() + 60 * ASSAY_SECOND;
    while (!strstr(assay_target_said(t), what)) {
        assert_true(assay_clock_now() < by);
        assay_target_listen(t);
        usleep(1000);
    }
}

/* A second signal is to many servers an order to break off. */
static void is_told_to_end_once(void **state)
{
    (void)state;
    struct assay_address at;
    struct assay_target *t = up("127.0.0.1:0 stays", "", &at);
    assay_target_dismiss(t);
    await_said(t, "told to end");
    assay_target_dismiss(t);
    order(&at, 'q');
    assert_false(assay_target_alive(t, true));
    assert_null(strstr(strstr(assay_target_said(t), "told to end") + 1, "told to end"));
    assay_target_free(t);
}

static void says_why_it_did_not_come_up(void **state)
{
    (void)state;
    struct assay_net_error error = {""};
    struct assay_address at;
    struct assay_target *t = make("127.0.0.1:0 silently-wrong 2>/dev/null; echo no licence >&2; exit 7", "");
    assert_false(assay_target_up(t, &at, &error));
    assert_non_null(strstr(error.text, "exit status 7"));
    assert_non_null(strstr(error.text, "no licence"));
    assay_target_free(t);
    t = assay_target_new("tcp:127.0.0.1:1", PATIENCE, &error);
    assert_false(assay_target_up(t, &at, &error));
    assert_non_null(strstr(error.text, "refused"));
    assay_target_free(t);
}

static void refuses_what_is_no_target(void **state)
{
    (void)state;
    struct assay_net_error error;
    assert_null(assay_target_new("exec: ", PATIENCE, &error));
    assert_null(assay_target_new("tcp:nowhere", PATIENCE, &error));
    assert_null(assay_target_new("tcp:127.0.0.1:99999", PATIENCE, &error));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_address_that_the_target_prints),
        cmocka_unit_test(fills_in_a_free_port),
        cmocka_unit_test(tries_another_port_when_it_was_taken),
        cmocka_unit_test(says_how_the_target_ended_and_starts_it_again),
        cmocka_unit_test(ends_what_it_started),
        cmocka_unit_test(is_told_to_end_once),
        cmocka_unit_test(says_why_it_did_not_come_up),
        cmocka_unit_test(refuses_what_is_no_target),
    };
    if (argc == 4 && strcmp(argv[3], "silently-wrong") == 0)
        return 1;
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return be_target(argv[2], argv[3]);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

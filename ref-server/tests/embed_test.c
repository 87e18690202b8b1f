/* The server inside a program: threads, the application's effects, bindings taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/model.h"
#include "net/socket.h"
#include "ref-server/assay_server.h"
#include "ref-server/tests/host.h"
#include "ref-server/tests/models.h"

static const char *const both[] = {"tcp:127.0.0.1:0", "udp:127.0.0.1:0"};

/* ---- an application ---------------------------------------------------- */

struct seen {
    char name[16], content[32];
    int64_t size;
    uint64_t session;
};

struct application {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct seen all[256];
    unsigned count, ended;
    enum assay_server_answer answer;
    struct assay_server_order *orders[256];
    unsigned waiting;
};

static void remember(struct application *app, const struct assay_server_effect *effect)
{
    struct seen *seen = &app->all[app->count++ % 256];
    *seen = (struct seen){.session = effect->session};
    snprintf(seen->name, sizeof seen->name, "%s", effect->name);
    snprintf(seen->content, sizeof seen->content, "%.*s", (int)effect->values[0].size,
             (const char *)effect->values[0].bytes);
    if (effect->count > 1)
        seen->size = effect->values[1].number;
}

static enum assay_server_answer apply(void *user, const struct assay_server_effect *effect,
                                      struct assay_server_order *order)
{
    struct application *app = user;
    pthread_mutex_lock(&app->lock);
    remember(app, effect);
    enum assay_server_answer answer = order ? app->answer : ASSAY_SERVER_DONE;
    if (answer == ASSAY_SERVER_LATER)
        app->orders[app->waiting++] = order;
    pthread_cond_signal(&app->more);
    pthread_mutex_unlock(&app->lock);
    return answer;
}

static void ended(void *user, uint64_t session)
{
    struct application *app = user;
    assert_true(session > 0);
    pthread_mutex_lock(&app->lock);
    app->ended++;
    pthread_cond_signal(&app->more);
    pthread_mutex_unlock(&app->lock);
}

static void await_orders(struct application *app, unsigned n)
{
    pthread_mutex_lock(&app->lock);
    while (app->waiting < n)
        pthread_cond_wait(&app->more, &app->lock);
    pthread_mutex_unlock(&app->lock);
}

/* ---- a server ---------------------------------------------------------- */

struct place {
    struct host host; /* where it is, for its clients */
    struct application app;
    struct assay_limits limits;
    struct assay_server_config config;
    struct assay_server *server;
    struct assay_model model;
};

static void open_server(struct place *p, const char *const *override)
{
    char error[ASSAY_SERVER_ERROR_MAX];
    strcpy(p->host.folder, "/tmp/assay-host-XXXXXX");
    assert_non_null(mkdtemp(p->host.folder));
    p->host.errors = p->host.output = -1;
    p->limits = host_limits();
    pthread_mutex_init(&p->app.lock, NULL);
    pthread_cond_init(&p->app.more, NULL);
    p->config.model = desk_model("shown");
    p->config.limits = &p->limits;
    p->config.listen = both;
    p->config.listen_count = 2;
    p->config.data = p->host.folder;
    p->config.application = apply;
    p->config.ended = ended;
    p->config.user = &p->app;
    p->config.override = override;
    p->server = assay_server_open(&p->config, error);
    if (!p->server)
        fail_msg("%s", error);
    for (size_t i = 0; i < 2; i++)
        p->host.ports[i] = (uint16_t)atoi(strrchr(assay_server_address(p->server, i), ':') + 1);
    p->host.port = p->host.ports[0];
}

static void end_server(struct place *p)
{
    assay_server_stop(p->server);
    assert_int_equal(assay_server_close(p->server), ASSAY_SERVER_STOPPED);
    host_remove(&p->host);
}

static void asks(int fd, const char *line, const char *answer)
{
    say_text(fd, line);
    hear_text(fd, answer);
}

/* ---- tests ------------------------------------------------------------- */

static void effects_reach_the_application(void **state)
{
    (void)state;
    struct place p = {.app.answer = ASSAY_SERVER_DONE};
    open_server(&p, NULL);
    assert_true(assay_server_start(p.server));
    assert_false(assay_server_start(p.server)); /* once */
    assert_int_equal(assay_server_run(p.server), ASSAY_SERVER_UNUSABLE);
    int fd = dial(&p.host), udp = dial_udp(&p.host, 1);
    asks(fd, "ahello\n", "+hello\n");
    asks(fd, "v\n", "+\n");
    p.app.answer = ASSAY_SERVER_FAILED;
    asks(fd, "ano\n", "-no\n");
    tell(udp, "anor I");
    told(udp, "-nor I");
    close(fd), close(udp);
    end_server(&p);
    assert_int_equal(p.app.count, 4);
    assert_int_equal(p.app.ended, 2);
    assert_string_equal(p.app.all[0].name, "apply");
    assert_string_equal(p.app.all[0].content, "hello");
    assert_int_equal(p.app.all[0].size, 5);
    assert_string_equal(p.app.all[1].name, "tell");
    assert_string_equal(p.app.all[1].content, "");
    assert_string_equal(p.app.all[3].content, "nor I");
    assert_int_equal(p.app.all[0].session, p.app.all[2].session);
    assert_int_not_equal(p.app.all[0].session, p.app.all[3].session);
}

/* Another thread answers, in another order; sessions wait for their own alone. */
static void answers_may_come_later_from_any_thread(void **state)
{
    (void)state;
    enum { N = 20 };
    struct place p = {.app.answer = ASSAY_SERVER_LATER};
    int fds[N];
    char text[32];
    open_server(&p, NULL);
    assert_true(assay_server_start(p.server));
    for (int i = 0; i < N; i++) {
        fds[i] = dial(&p.host);
        snprintf(text, sizeof text, "a%d\nvbehind\n", i);
        say_text(fds[i], text);
        await_orders(&p.app, (unsigned)i + 1);
    }
    int other = dial(&p.host);
    asks(other, "vx\n", "+x\n");
    for (int i = N; i-- > 0;) {
        assay_server_answer(p.app.orders[i], i % 2);
        snprintf(text, sizeof text, "%c%d\n+behind\n", i % 2 ? '+' : '-', i);
        hear_text(fds[i], text);
        close(fds[i]);
    }
    close(other);
    end_server(&p);
}

static void *answer_all(void *user)
{
    struct application *app = user;
    await_orders(app, 3);
    for (unsigned i = 0; i < 3; i++)
        assay_server_answer(app->orders[i], true);
    return NULL;
}

/* The session of an order is gone, and the server was told to stop twice: it waits for the answer all the same. */
static void orders_outlive_their_sessions(void **state)
{
    (void)state;
    struct place p = {.app.answer = ASSAY_SERVER_LATER};
    pthread_t thread;
    open_server(&p, NULL);
    assert_true(assay_server_start(p.server));
    int a = dial(&p.host), b = dial(&p.host);
    say_text(a, "a1\n");
    await_orders(&p.app, 1);
    assay_reset(a);
    say_text(b, "a2\n");
    await_orders(&p.app, 2);
    int c = dial_udp(&p.host, 1);
    tell(c, "a3");
    await_orders(&p.app, 3);
    assay_server_stop(p.server);
    assay_server_stop(p.server);
    assert_int_equal(pthread_create(&thread, NULL, answer_all, &p.app), 0);
    assert_int_equal(assay_server_close(p.server), ASSAY_SERVER_INTERRUPTED);
    pthread_join(thread, NULL);
    close(b), close(c);
    host_remove(&p.host);
}

static void bindings_can_be_taken_over(void **state)
{
    (void)state;
    static const char *const mine[] = {"gather", "release", "stop", NULL};
    struct place p = {.app.answer = ASSAY_SERVER_DONE};
    char path[128];
    open_server(&p, mine);
    assert_true(assay_server_start(p.server));
    int fd = dial(&p.host);
    asks(fd, "gpart\n", "+part\n");
    asks(fd, "r.\n", "+.\n");
    asks(fd, "wline\n", "+line\n"); /* still the server's */
    close(fd);
    end_server(&p);
    assert_int_equal(p.app.count, 2);
    assert_string_equal(p.app.all[0].name, "gather");
    assert_string_equal(p.app.all[1].name, "release");
    snprintf(path, sizeof path, "%s/shown", p.host.folder);
    assert_int_equal(access(path, F_OK), -1);
}

static void *stop_soon(void *place)
{
    struct place *p = place;
    int fd = dial(&p->host);
    asks(fd, "vx\n", "+x\n");
    assay_server_stop_taking(p->server);
    asks(fd, "vy\n", "+y\n");
    close(fd);
    return NULL;
}

static void it_may_run_in_the_callers_thread(void **state)
{
    (void)state;
    struct place p = {.app.answer = ASSAY_SERVER_DONE};
    pthread_t thread;
    open_server(&p, NULL);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &p), 0);
    assert_int_equal(assay_server_run(p.server), ASSAY_SERVER_STOPPED);
    pthread_join(thread, NULL);
    assert_int_equal(assay_server_close(p.server), ASSAY_SERVER_STOPPED);
    host_remove(&p.host);
}

static void one_that_never_ran_is_closed(void **state)
{
    (void)state;
    struct place p = {.app.answer = ASSAY_SERVER_DONE};
    open_server(&p, NULL);
    assert_int_equal(assay_server_close(p.server), ASSAY_SERVER_UNUSABLE);
    assert_int_equal(assay_server_close(NULL), ASSAY_SERVER_UNUSABLE);
    host_remove(&p.host);
}

static void counts_are_told(void **state)
{
    (void)state;
    struct place p = {.app.answer = ASSAY_SERVER_DONE};
    char text[1024] = "";
    open_server(&p, NULL);
    assert_true(assay_server_start(p.server));
    int fd = dial(&p.host);
    asks(fd, "a1\na2\n", "+1\n+2\n");
    FILE *f = fmemopen(text, sizeof text, "w");
    assay_server_tell(p.server, f);
    fclose(f);
    assert_non_null(strstr(text, "assay: effect apply: 2\n"));
    assert_non_null(strstr(text, "assay: effect stop: 0\n"));
    close(fd);
    end_server(&p);
}

static void params_are_set_by_name(void **state)
{
    (void)state;
    char place[] = "place=shown";
    const char *params[] = {"count=0xff", place, NULL};
    struct host host = {.config = {.params = params}};
    char path[128], got[16] = "";
    host_start(&host, desk_model("$place"), NULL);
    int fd = dial(&host);
    say_text(fd, "ghere\nr.\n");
    hear_text(fd, "+here\n+.\n");
    snprintf(path, sizeof path, "%s/shown", host.folder);
    FILE *shown = fopen(path, "r");
    assert_non_null(shown);
    assert_non_null(fgets(got, sizeof got, shown));
    assert_string_equal(got, "here.");
    fclose(shown);
    close(fd);
    host_end(&host);
}

static void params_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"place", "expected NAME=VALUE"},          {"plac=x", "no param 'plac'"},   {"count=many", "expected a number"},
        {"count=256", "outside of what the spec"}, {"count=", "expected a number"}, {"count=1KiB", "outside"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *params[] = {cases[i][0], NULL};
        char why[ASSAY_SERVER_ERROR_MAX] = "";
        struct assay_server_config config = {.model = desk_model("shown"), .params = params};
        assert_null(assay_server_open(&config, why));
        if (!strstr(why, cases[i][1]))
            fail_msg("%s: expected \"%s\" in: %s", cases[i][0], cases[i][1], why);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(params_are_set_by_name),
        cmocka_unit_test(params_that_cannot_be_are_refused),
        cmocka_unit_test(effects_reach_the_application),
        cmocka_unit_test(answers_may_come_later_from_any_thread),
        cmocka_unit_test(orders_outlive_their_sessions),
        cmocka_unit_test(bindings_can_be_taken_over),
        cmocka_unit_test(it_may_run_in_the_callers_thread),
        cmocka_unit_test(one_that_never_ran_is_closed),
        cmocka_unit_test(counts_are_told),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

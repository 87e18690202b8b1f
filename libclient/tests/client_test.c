#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/tests/models.h"
#include "libclient/assay.h"
#include "libclient/tests/fake.h"
#include "net/clock.h"
#include "net/socket.h"

/* notes: login is two requests with a reply each, post one, bye one and the end. */
#define NAME      "\1\3\0bob"
#define PASSWORD  "\2\3\0abc"
#define HELLO     "\3\2\0hi"
#define BYE       "\4\0\0"
#define YES       "\0"
#define NO        "\xff"
#define LOGGED_IN EXPECT(NAME), SEND(YES), EXPECT(PASSWORD), SEND(YES)

static const struct assay_value login_args[] = {{0, "bob", 3}, {0, "abc", 3}};
static const struct assay_value post_args[] = {{0, "hi", 2}};

static int login(struct assay_client *c)
{
    return assay_client_call(c, NOTES_CALL_LOGIN, login_args, NULL);
}

static int post(struct assay_client *c)
{
    return assay_client_call(c, NOTES_CALL_POST, post_args, NULL);
}

static int bye(struct assay_client *c)
{
    return assay_client_call(c, NOTES_CALL_BYE, NULL, NULL);
}

static struct assay_client *open_with(const struct fake *fake, const struct assay_client_options *options)
{
    struct assay_client *c;
    assert_int_equal(assay_client_open(notes_model(false), fake->address, options, &c), ASSAY_CLIENT_OK);
    return c;
}

static void assert_says(const struct assay_client *c, const char *part)
{
    if (!strstr(assay_client_message(c), part))
        fail_msg("'%s' is not in '%s'", part, assay_client_message(c));
}

/* ---- waiting calls ----------------------------------------------------- */

static void a_session(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT,      LOGGED_IN, EXPECT(HELLO), SEND(YES),
                                             EXPECT(BYE), SEND(YES), GONE,          END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_true(assay_client_connected(c));
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assert_int_equal(post(c), ASSAY_CLIENT_OK);
    assert_int_equal(bye(c), ASSAY_CLIENT_OK);
    assert_false(assay_client_connected(c));
    assert_string_equal(assay_client_message(c), "");
    fake_join(&fake);
    assert_int_equal(post(c), ASSAY_CLIENT_NOT_OPEN);
    assay_client_close(c);
}

static void calls_by_name(void **state)
{
    (void)state;
    struct assay_client *c;
    assert_int_equal(assay_client_new(notes_model(false), "127.0.0.1:1", NULL, &c), ASSAY_CLIENT_OK);
    assert_int_equal(assay_client_find(c, "post"), NOTES_CALL_POST);
    assert_int_equal(assay_client_find(c, "pots"), -1);
    assert_string_equal(assay_client_status_name(c, 1), "refused");
    assert_string_equal(assay_client_status_name(c, ASSAY_CLIENT_UNREACHABLE), "unreachable");
    assay_client_close(c);
}

static void an_error_of_the_spec_and_a_new_connection(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), SEND(NO), CLOSE, ACCEPT, LOGGED_IN, GONE, END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), 1);
    assert_says(c, "refused");
    assert_says(c, fake.address);
    assert_int_equal(login(c), ASSAY_CLIENT_NOT_OPEN);
    assert_int_equal(assay_client_connect(c), ASSAY_CLIENT_OK);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assay_client_close(c);
    fake_join(&fake);
}

static void replies_that_come_together(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT,      EXPECT(NAME), SEND(YES YES), EXPECT(PASSWORD),
                                             EXPECT(BYE), DRIP(YES),    CLOSE,         END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assert_int_equal(bye(c), ASSAY_CLIENT_OK);
    assay_client_close(c);
    fake_join(&fake);
}

static void more_replies_than_requests(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT,        EXPECT(NAME), SEND(YES), EXPECT(PASSWORD),
                                             SEND(YES YES), GONE,         END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    struct pollfd p = {.fd = assay_client_fd(c), .events = POLLIN};
    if (assay_client_connected(c)) {
        assert_true(assay_client_wait_ms(c) == 0 || poll(&p, 1, 60000) == 1);
        assert_int_equal(post(c), ASSAY_CLIENT_PROTOCOL); /* the reply that nobody asked for is not its own */
        assert_says(c, "Reply");
    }
    assert_int_equal(post(c), ASSAY_CLIENT_NOT_OPEN);
    assay_client_close(c);
    fake_join(&fake);
}

static void garbage(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), SEND("\x55"), GONE, END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), ASSAY_CLIENT_PROTOCOL);
    assert_says(c, "unknown");
    assert_false(assay_client_connected(c));
    assay_client_close(c);
    fake_join(&fake);
}

static void closed_in_the_middle(void **state)
{
    (void)state;
    static const struct fake_step closes[] = {ACCEPT, EXPECT(NAME), CLOSE, END};
    static const struct fake_step resets[] = {ACCEPT, EXPECT(NAME), SEND(YES), EXPECT(PASSWORD), RESET, END};
    const struct fake_step *ways[] = {closes, resets};
    for (int i = 0; i < 2; i++) {
        struct fake fake;
        fake_start(&fake, ways[i]);
        struct assay_client *c = open_with(&fake, NULL);
        assert_int_equal(login(c), ASSAY_CLIENT_CLOSED);
        assert_says(c, i ? "reset" : "eof");
        assert_int_equal(login(c), ASSAY_CLIENT_NOT_OPEN);
        assay_client_close(c);
        fake_join(&fake);
    }
}

static void closed_between_calls(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, LOGGED_IN, CLOSE, END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    fake_join(&fake);
    assert_int_equal(post(c), ASSAY_CLIENT_CLOSED);
    assay_client_close(c);
}

static void the_reply_and_the_end_at_once(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), SEND(YES), EXPECT(PASSWORD), SEND(YES), CLOSE, END};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assay_client_close(c);
    fake_join(&fake);
}

static void an_answer_that_never_comes(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), GONE, ACCEPT, LOGGED_IN, GONE, END};
    struct assay_client_options options = {.call_ms = 1000};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, &options);
    int64_t start = assay_clock_now();
    assert_int_equal(login(c), ASSAY_CLIENT_TIMEOUT);
    int64_t took = assay_clock_now() - start;
    assert_true(took >= ASSAY_SECOND && took < 30 * ASSAY_SECOND);
    assert_says(c, "no answer in time");
    assert_int_equal(login(c), ASSAY_CLIENT_NOT_OPEN);
    assert_int_equal(assay_client_connect(c), ASSAY_CLIENT_OK);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assay_client_close(c);
    fake_join(&fake);
}

/* A server that neither answers nor goes is not waited for a second time when the client closes. */
static void closing_after_a_timeout_does_not_wait(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), ACCEPT, LOGGED_IN, GONE, END};
    static struct assay_model model;
    struct assay_client_options options = {.call_ms = 1000};
    struct fake fake;
    struct assay_client *c;
    model = *notes_model(false);
    model.limits.drain_time = 60 * ASSAY_SECOND;
    fake_start(&fake, steps);
    assert_int_equal(assay_client_open(&model, fake.address, &options, &c), ASSAY_CLIENT_OK);
    int64_t start = assay_clock_now();
    assert_int_equal(login(c), ASSAY_CLIENT_TIMEOUT);
    assert_int_equal(assay_client_connect(c), ASSAY_CLIENT_OK);
    assert_true(assay_clock_now() - start < 30 * ASSAY_SECOND);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assay_client_close(c);
    fake_join(&fake);
}

static void spinning(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, LOGGED_IN, EXPECT(HELLO), SEND(YES), EXPECT(HELLO), GONE, END};
    struct assay_client_options options = {.spin_us = 2000, .call_ms = 1000};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, &options);
    assert_int_equal(login(c), ASSAY_CLIENT_OK);
    assert_int_equal(post(c), ASSAY_CLIENT_OK);
    assert_int_equal(post(c), ASSAY_CLIENT_TIMEOUT);
    assay_client_close(c);
    fake_join(&fake);
}

/* ---- what is refused here ---------------------------------------------- */

/* The protocol with arguments as long as a body may be. */
static const struct assay_model *bounded(void)
{
    static struct assay_model model;
    static struct assay_param params[8];
    const struct assay_model *notes = notes_model(false);
    uint16_t body = notes->fields[notes->messages[NOTES_NAME].fields.first].type;
    for (uint16_t i = 0; i < notes->params_count; i++) {
        params[i] = notes->params[i];
        if (notes->types[params[i].type].kind == ASSAY_T_BYTES)
            params[i].type = body;
    }
    model = *notes;
    model.params = params;
    return &model;
}

static void values_outside_the_spec(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, LOGGED_IN, GONE, END};
    static char name[NOTES_BODY_MAX + 1];
    struct assay_value args[] = {{0, name, sizeof name}, {0, "abc", 3}};
    struct fake fake;
    struct assay_client *c;
    fake_start(&fake, steps);
    assert_int_equal(assay_client_open(bounded(), fake.address, NULL, &c), ASSAY_CLIENT_OK);
    assert_int_equal(assay_client_call(c, NOTES_CALL_LOGIN, args, NULL), ASSAY_CLIENT_VALUE);
    assert_says(c, "name");
    assert_int_equal(assay_client_call(c, 99, args, NULL), ASSAY_CLIENT_VALUE);
    assert_int_equal(assay_client_call(c, NOTES_CALL_LOGIN, NULL, NULL), ASSAY_CLIENT_VALUE);
    assert_int_equal(login(c), ASSAY_CLIENT_OK); /* nothing of the above was sent */
    assay_client_close(c);
    fake_join(&fake);
}

static void values_that_cannot_be_encoded(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, LOGGED_IN, GONE, END};
    static char name[NOTES_BODY_MAX + 1];
    struct assay_value args[] = {{0, name, sizeof name}, {0, "abc", 3}};
    struct fake fake;
    fake_start(&fake, steps);
    struct assay_client *c = open_with(&fake, NULL);
    assert_int_equal(assay_client_call(c, NOTES_CALL_LOGIN, args, NULL), ASSAY_CLIENT_VALUE);
    assert_true(assay_client_connected(c));
    assert_int_equal(login(c), ASSAY_CLIENT_OK); /* nothing of it was sent */
    assay_client_close(c);
    fake_join(&fake);
}

static void nobody_listens(void **state)
{
    (void)state;
    char address[64];
    struct assay_client *c;
    nobody(address);
    assert_int_equal(assay_client_open(notes_model(false), address, NULL, &c), ASSAY_CLIENT_UNREACHABLE);
    assert_non_null(c);
    assert_says(c, address);
    assert_says(c, "refused");
    assert_int_equal(login(c), ASSAY_CLIENT_NOT_OPEN);
    assert_int_equal(assay_client_connect(c), ASSAY_CLIENT_UNREACHABLE);
    assay_client_close(c);
}

static void addresses_that_are_none(void **state)
{
    (void)state;
    static const char *const addresses[] = {"no-such-host.invalid:80", "127.0.0.1", "[::1", "127.0.0.1:99999", ""};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct assay_client *c;
        assert_int_equal(assay_client_open(notes_model(false), addresses[i], NULL, &c), ASSAY_CLIENT_ADDRESS);
        assert_says(c, addresses[i]);
        assay_client_close(c);
    }
}

/* Connections that the kernel does not even queue: nobody answers. */
static void a_server_that_does_not_accept(void **state)
{
    (void)state;
    struct assay_net_error error;
    struct assay_address at, addresses[ASSAY_ADDRESSES_MAX];
    assert_true(assay_address_resolve("127.0.0.1:0", ASSAY_ADDRESS_LISTEN, addresses, &error) > 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    assert_int_equal(bind(listener, &addresses[0].any, addresses[0].size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_true(assay_address_of(listener, &at));
    for (int i = 0; i < 4; i++)
        fillers[i] = assay_connect(&at, &error);
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(&at, text);
    struct assay_client_options options = {.connect_ms = 80};
    struct assay_client *c;
    assert_int_equal(assay_client_open(notes_model(false), text, &options, &c), ASSAY_CLIENT_UNREACHABLE);
    assert_says(c, "in time");
    assay_client_close(c);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
}

static void a_protocol_without_a_client(void **state)
{
    (void)state;
    struct assay_model model = *notes_model(false);
    struct assay_client *c;
    static const char *const lenient[] = {"no-such-leniency", NULL};
    struct assay_client_options options = {.lenient = lenient};
    assert_int_equal(assay_client_open(&model, "127.0.0.1:1", &options, &c), ASSAY_CLIENT_VALUE);
    assert_null(c);
    model.client = ASSAY_NONE;
    assert_int_equal(assay_client_open(&model, "127.0.0.1:1", NULL, &c), ASSAY_CLIENT_MODEL);
    assert_null(c);
    assay_client_close(c);
}

/* ---- calls that do not wait -------------------------------------------- */

struct walker {
    struct assay_client *c;
    int connected, results, ended, status;
};

static void take(struct walker *w)
{
    struct assay_client_event event;
    while (assay_client_next(w->c, &event)) {
        w->connected += event.kind == ASSAY_CLIENT_CONNECTED;
        w->ended += event.kind == ASSAY_CLIENT_ENDED;
        w->results += event.kind == ASSAY_CLIENT_RESULT;
        w->status = event.status;
    }
}

/* Poll two clients until `until` counts as many. */
static void drive(struct walker *w, size_t count, const int *until, int wanted)
{
    int64_t give_up = assay_clock_now() + 60 * ASSAY_SECOND;
    while (*until < wanted) {
        struct pollfd p[2];
        int ms = 1000;
        for (size_t i = 0; i < count; i++) {
            int wait = assay_client_wait_ms(w[i].c);
            p[i] = (struct pollfd){.fd = assay_client_fd(w[i].c), .events = assay_client_wants(w[i].c)};
            ms = wait >= 0 && wait < ms ? wait : ms;
        }
        poll(p, count, ms);
        for (size_t i = 0; i < count; i++) {
            assay_client_process(w[i].c);
            take(&w[i]);
        }
        assert_true(assay_clock_now() < give_up);
    }
}

static void begin(struct walker *w, const struct fake *fake)
{
    *w = (struct walker){0};
    assert_int_equal(assay_client_new(notes_model(false), fake->address, NULL, &w->c), ASSAY_CLIENT_OK);
    assert_int_equal(assay_client_begin(w->c), ASSAY_CLIENT_OK);
}

static void two_clients_in_one_thread(void **state)
{
    (void)state;
    static const struct fake_step slow[] = {
        ACCEPT, EXPECT(NAME), SEND(YES), EXPECT(PASSWORD), SEND(YES), EXPECT(BYE), SEND(YES), GONE, END};
    static const struct fake_step refusing[] = {ACCEPT, EXPECT(NAME), SEND(NO), CLOSE, END};
    struct fake one, other;
    struct walker w[2];
    fake_start(&one, slow);
    fake_start(&other, refusing);
    begin(&w[0], &one);
    begin(&w[1], &other);
    drive(w, 2, &w[0].connected, 1);
    drive(w, 2, &w[1].connected, 1);
    assert_int_equal(assay_client_start(w[0].c, NOTES_CALL_LOGIN, login_args), ASSAY_CLIENT_OK);
    assert_int_equal(assay_client_start(w[0].c, NOTES_CALL_LOGIN, login_args), ASSAY_CLIENT_BUSY);
    assert_int_equal(assay_client_start(w[1].c, NOTES_CALL_LOGIN, login_args), ASSAY_CLIENT_OK);
    drive(w, 2, &w[0].results, 1);
    assert_int_equal(w[0].status, ASSAY_CLIENT_OK);
    drive(w, 2, &w[1].ended, 1);
    assert_int_equal(w[1].results, 1);
    assert_int_equal(assay_client_fd(w[1].c), -1);
    assert_int_equal(assay_client_start(w[0].c, NOTES_CALL_BYE, NULL), ASSAY_CLIENT_OK);
    drive(w, 1, &w[0].ended, 1);
    assert_int_equal(w[0].results, 2);
    assert_int_equal(w[0].status, ASSAY_CLIENT_OK);
    assay_client_close(w[0].c);
    assay_client_close(w[1].c);
    fake_join(&one);
    fake_join(&other);
}

static void beginning_without_a_server(void **state)
{
    (void)state;
    struct fake fake;
    struct walker w;
    nobody(fake.address);
    w = (struct walker){0};
    assert_int_equal(assay_client_new(notes_model(false), fake.address, NULL, &w.c), ASSAY_CLIENT_OK);
    if (assay_client_begin(w.c) == ASSAY_CLIENT_OK) {
        drive(&w, 1, &w.ended, 1);
        assert_int_equal(w.status, ASSAY_CLIENT_UNREACHABLE);
    }
    assert_says(w.c, fake.address);
    assay_client_close(w.c);
}

static void a_call_that_times_out_without_waiting(void **state)
{
    (void)state;
    static const struct fake_step steps[] = {ACCEPT, EXPECT(NAME), GONE, END};
    struct assay_client_options options = {.call_ms = 200};
    struct fake fake;
    struct walker w = {0};
    fake_start(&fake, steps);
    assert_int_equal(assay_client_new(notes_model(false), fake.address, &options, &w.c), ASSAY_CLIENT_OK);
    assert_int_equal(assay_client_begin(w.c), ASSAY_CLIENT_OK);
    drive(&w, 1, &w.connected, 1);
    assert_int_equal(assay_client_start(w.c, NOTES_CALL_LOGIN, login_args), ASSAY_CLIENT_OK);
    drive(&w, 1, &w.results, 1);
    assert_says(w.c, "no answer in time");
    drive(&w, 1, &w.ended, 1);
    assay_client_close(w.c);
    fake_join(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session),
        cmocka_unit_test(calls_by_name),
        cmocka_unit_test(an_error_of_the_spec_and_a_new_connection),
        cmocka_unit_test(replies_that_come_together),
        cmocka_unit_test(more_replies_than_requests),
        cmocka_unit_test(garbage),
        cmocka_unit_test(closed_in_the_middle),
        cmocka_unit_test(closed_between_calls),
        cmocka_unit_test(the_reply_and_the_end_at_once),
        cmocka_unit_test(an_answer_that_never_comes),
        cmocka_unit_test(closing_after_a_timeout_does_not_wait),
        cmocka_unit_test(spinning),
        cmocka_unit_test(values_outside_the_spec),
        cmocka_unit_test(values_that_cannot_be_encoded),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(addresses_that_are_none),
        cmocka_unit_test(a_server_that_does_not_accept),
        cmocka_unit_test(a_protocol_without_a_client),
        cmocka_unit_test(two_clients_in_one_thread),
        cmocka_unit_test(beginning_without_a_server),
        cmocka_unit_test(a_call_that_times_out_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

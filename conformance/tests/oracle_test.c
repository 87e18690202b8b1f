#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/oracle.h"
#include "conformance/tests/loaded.h"

#define SPAN(s) ((struct assay_span){(const uint8_t *)(s), sizeof(s) - 1})

#define NAME                                                                                                           \
    SPAN("\x01\x03\x00"                                                                                                \
         "bob")
#define PASSWORD                                                                                                       \
    SPAN("\x02\x03\x00"                                                                                                \
         "abc")
#define MESSAGE                                                                                                        \
    SPAN("\x03\x02\x00"                                                                                                \
         "hi")
#define CLOSE SPAN("\x04\x00\x00")

static bool answers(struct watched *b, struct assay_span request, struct assay_span reply)
{
    assay_oracle_sent(b->o, 0, 0, request);
    return assay_oracle_received(b->o, 0, reply);
}

static void test_a_conforming_session(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1);
    (void)state;
    assert_true(answers(&b, NAME, SPAN("\0")));
    assert_true(answers(&b, PASSWORD, SPAN("\0")));
    assert_true(answers(&b, MESSAGE, SPAN("\0")));
    struct assay_owed owed = assay_oracle_owed(b.o, 0);
    assert_true(owed.maybe && !owed.bytes && !owed.end);
    assert_true(answers(&b, CLOSE, SPAN("\0")));
    owed = assay_oracle_owed(b.o, 0);
    assert_true(owed.end && !owed.maybe);
    assert_true(assay_oracle_fin(b.o, 0));
    struct assay_span log = assay_oracle_effect(b.o, 0);
    assert_int_equal(log.n, strlen("[bob]: hi\r\n"));
    assert_memory_equal(log.p, "[bob]: hi\r\n", log.n);
    unwatch(&b);
}

static void test_a_wrong_reply_is_blamed_on_its_rule(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1);
    struct assay_blame blame;
    (void)state;
    assert_true(answers(&b, NAME, SPAN("\0")));
    assert_false(answers(&b, PASSWORD, SPAN("\xff")));
    assay_oracle_blame(b.o, 0, &blame);
    assert_int_equal(blame.req, requirement_named(b.model, "ML-5"));
    assert_int_equal(blame.state, state_named(b.model, "Password"));
    assert_string_equal(blame.expected, "Reply{status=succeeded} (00)");
    assert_string_equal(blame.seen, "Reply{status=failed} (ff)");
    unwatch(&b);
}

static void test_a_doubled_reply_is_seen(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1);
    (void)state;
    assert_false(answers(&b, NAME, SPAN("\0\0")));
    unwatch(&b);
    /* a reply that comes before its request is the same fault, whatever is sent afterwards */
    b = watch_server("spec/msglog.yaml", 1);
    assert_true(answers(&b, NAME, SPAN("\0")));
    assert_false(assay_oracle_received(b.o, 0, SPAN("\0")));
    unwatch(&b);
}

static void test_ends_are_told_apart(void **state)
{
    static bool (*const wrong[])(struct assay_oracle *, uint8_t) = {assay_oracle_rst, assay_oracle_silence};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct watched b = watch_server("spec/msglog.yaml", 1);
        assert_true(answers(&b, CLOSE, SPAN("\0")));
        assert_false(wrong[i](b.o, 0));
        unwatch(&b);
    }
    struct watched b = watch_server("spec/msglog.yaml", 1); /* a FIN that nobody asked for */
    assert_true(answers(&b, NAME, SPAN("\0")));
    assert_true(assay_oracle_silence(b.o, 0));
    assert_false(assay_oracle_fin(b.o, 0));
    unwatch(&b);
}

static void test_what_is_owed_is_blamed_when_it_does_not_come(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1);
    struct assay_blame blame;
    (void)state;
    assay_oracle_sent(b.o, 0, 0, NAME);
    assert_true(assay_oracle_owed(b.o, 0).bytes);
    assert_false(assay_oracle_owed(b.o, 0).maybe);
    assay_oracle_blame(b.o, 0, &blame);
    assert_int_equal(blame.req, requirement_named(b.model, "ML-4"));
    assert_string_equal(blame.seen, "nothing");
    unwatch(&b);
}

static void test_frames_in_pieces_and_together(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1);
    (void)state;
    assay_oracle_sent(b.o, 0, 0, SPAN("\x01\x03"));
    assert_true(assay_oracle_silence(b.o, 0));
    assay_oracle_sent(b.o, 0, 0,
                      SPAN("\x00"
                           "bob\x02\x03\x00"
                           "abc\x04\x00\x00\x01\x00\x00"));
    assert_true(assay_oracle_received(b.o, 0, SPAN("\0\0")));
    assert_true(assay_oracle_received(b.o, 0, SPAN("\0"))); /* nothing for what is behind the close */
    assert_true(assay_oracle_fin(b.o, 0));
    unwatch(&b);
}

static void test_end_inside_a_frame(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 1); /* ML-7: a close cut short is a close */
    (void)state;
    assay_oracle_sent(b.o, 0, 0, SPAN("\x04"));
    assay_oracle_shut(b.o, 0, 0);
    assert_true(assay_oracle_received(b.o, 0, SPAN("\0")));
    assert_true(assay_oracle_fin(b.o, 0));
    unwatch(&b);
    b = watch_server("spec/msglog.yaml", 1);
    assay_oracle_sent(b.o, 0, 0, SPAN("\x03"));
    assay_oracle_shut(b.o, 0, 0);
    assert_false(assay_oracle_received(b.o, 0, SPAN("\0")));
    unwatch(&b);
}

static void test_free_text_is_free_and_the_rest_is_not(void **state)
{
    struct watched b = watch_server("spec/candy.yaml", 1);
    (void)state;
    assert_true(answers(&b, SPAN("x 1\n"), SPAN("error: what")));
    assert_true(assay_oracle_owed(b.o, 0).bytes); /* the end of the line is to come */
    assert_true(assay_oracle_received(b.o, 0, SPAN(" is that?\n")));
    assert_true(answers(&b, SPAN("s 12\n"), SPAN("144\n")));
    assert_false(answers(&b, SPAN("x 1\n"), SPAN("sorry: what\n")));
    unwatch(&b);
    b = watch_server("spec/candy.yaml", 1);
    assert_false(answers(&b, SPAN("s 46341\n"), SPAN("2147488281\n"))); /* free text is no leave to answer */
    unwatch(&b);
}

static void test_segments(void **state)
{
    struct watched b = watch_server("spec/candy.yaml", 1);
    (void)state;
    assert_true(answers(&b, SPAN("s 12"), SPAN("144")));
    assert_true(answers(&b, SPAN("y 1"), SPAN("error: no such kind"))); /* nothing but the next request ends it */
    assert_true(assay_oracle_owed(b.o, 0).maybe || assay_oracle_owed(b.o, 0).bytes);
    assert_true(answers(&b, SPAN("d 5"), SPAN("12")));
    assert_false(assay_oracle_received(b.o, 0, SPAN("\n")));
    unwatch(&b);
}

static void test_links_are_apart(void **state)
{
    struct watched b = watch_server("spec/msglog.yaml", 2);
    (void)state;
    assert_true(answers(&b, NAME, SPAN("\0")));
    assay_oracle_sent(b.o, 1, 0, PASSWORD); /* the other session is still nameless */
    assert_true(assay_oracle_received(b.o, 1, SPAN("\xff")));
    assert_true(assay_oracle_fin(b.o, 1));
    assert_true(answers(&b, PASSWORD, SPAN("\0")));
    unwatch(&b);
}

static void test_a_timer_within_its_tolerance(void **state)
{
    struct assay_spec *spec = load_spec("spec/msglog.yaml");
    const struct assay_model *model = assay_spec_model(spec);
    assay_val options[8] = {0};
    (void)state;
    for (uint16_t i = 0; i < model->options_count; i++)
        options[i] = strcmp(model->options[i].name, "idle_limit") == 0 ? 1000000000u : ASSAY_VAL_EMPTY;
    struct assay_oracle_config config = {.model = model, .options = options, .seed = 1};
    for (int64_t at = 0; at < 3; at++) { /* too early, in time, not at all */
        struct assay_oracle *o = assay_oracle_new(&config, 1);
        assay_oracle_connect(o, 0, 0);
        assay_oracle_time(o, at == 0 ? 500000000 : at == 1 ? 1500000000 : 9000000000);
        bool right = at == 2 ? !assay_oracle_silence(o, 0) : assay_oracle_fin(o, 0) == (at == 1);
        assert_true(right);
        assay_oracle_free(o);
    }
    assay_spec_free(spec);
}

/* Many requests in one segment: at each the target chooses anew. */
static void test_every_request_leaves_a_choice(void **state)
{
    uint8_t asked[50], refused[50], late[50];
    (void)state;
    memset(asked, 0x01, sizeof asked);
    memset(refused, 0x82, sizeof refused);
    memset(late, 0x82, sizeof late);
    late[40] = 0x81;
    memset(late + 41, 0x83, 9);
    const struct {
        const uint8_t *reply;
        uint8_t at, instead;
        bool right;
    } tried[] = {{refused, 0, 0x82, true}, {late, 40, 0x81, true},    {late, 49, 0x82, false},
                 {late, 41, 0x81, false},  {refused, 0, 0x83, false}, {refused, 30, 0x83, false}};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        struct watched b = watch_server("conformance/tests/choosy.yaml", 1);
        uint8_t reply[50];
        memcpy(reply, tried[i].reply, sizeof reply);
        reply[tried[i].at] = tried[i].instead;
        bool agrees = answers(&b, (struct assay_span){asked, 50}, (struct assay_span){reply, 50});
        assert_int_equal(agrees, tried[i].right);
        unwatch(&b);
    }
}

/* What a target fills as it likes is held against the variables as they were when it was sent. */
static void test_free_fields_and_variables(void **state)
{
    static const char *const spec = "conformance/tests/tickets.yaml";
    (void)state;
    struct watched b = watch_server(spec, 1);
    assert_true(answers(&b, SPAN("\x01\x01\x05"), SPAN("\x81\x01\x03")));
    assert_false(answers(&b, SPAN("\x01\x01\x05"), SPAN("\x81\x01\x02")));
    unwatch(&b);
    b = watch_server(spec, 1);
    assay_oracle_sent(b.o, 0, 0, SPAN("\x01\x01\x05\x01\x01\xc8"));
    assert_true(assay_oracle_received(b.o, 0, SPAN("\x81\x01\x04\x81\x01\xc7")));
    assay_oracle_sent(b.o, 0, 0, SPAN("\x01\x01\x05\x01\x01\xc8"));
    assert_false(assay_oracle_received(b.o, 0, SPAN("\x81\x01\x04\x81\x01\x04")));
    unwatch(&b);
    b = watch_server(spec, 1);
    assert_true(answers(&b,
                        SPAN("\x02\x03"
                             "ann"),
                        SPAN("\x82\x04"
                             "anna")));
    assert_false(answers(&b,
                         SPAN("\x02\x03"
                              "bob"),
                         SPAN("\x82\x04"
                              "anna")));
    unwatch(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_conforming_session),
        cmocka_unit_test(test_a_wrong_reply_is_blamed_on_its_rule),
        cmocka_unit_test(test_a_doubled_reply_is_seen),
        cmocka_unit_test(test_ends_are_told_apart),
        cmocka_unit_test(test_what_is_owed_is_blamed_when_it_does_not_come),
        cmocka_unit_test(test_frames_in_pieces_and_together),
        cmocka_unit_test(test_end_inside_a_frame),
        cmocka_unit_test(test_free_text_is_free_and_the_rest_is_not),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_links_are_apart),
        cmocka_unit_test(test_a_timer_within_its_tolerance),
        cmocka_unit_test(test_every_request_leaves_a_choice),
        cmocka_unit_test(test_free_fields_and_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

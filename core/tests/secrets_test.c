#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/users.h"

/* Requests: seal key and value; is the value a seal of the key? keep a random value; show what is kept. */
enum { MAKE, CHECK, DRAW, SHOW };

#define KEY   I(SLOT, 0, USERS_KEY)
#define GIVEN I(SLOT, 0, USERS_VALUE)
#define DRAWN 4

static struct users u;

static void rules(void)
{
    users_begin();
    users_rule(MAKE, CODE(GIVEN, I(SIZE, 0, 0)), CODE(ANSWER(KEY, GIVEN, I(SEAL, 2, 0))), ASSAY_NONE);
    users_rule(MAKE, ASSAY_NONE, CODE(ANSWER(KEY, I(SEAL, 1, 0))), ASSAY_NONE);
    users_rule(CHECK, CODE(GIVEN, KEY, I(SEALED, 2, 0)), CODE(ANSWER(I(BLOB, 0, USERS_B_YES))), ASSAY_NONE);
    users_rule(CHECK, ASSAY_NONE, CODE(ANSWER(I(BLOB, 0, USERS_B_NO))), ASSAY_NONE);
    users_rule(SHOW, ASSAY_NONE, CODE(ANSWER(I(VAR, 0, USERS_VAR_BYTES))), ASSAY_NONE);
}

static void open_rules(uint64_t secret, bool marked)
{
    rules();
    users_rule(DRAW, ASSAY_NONE,
               CODE(I(RANDOM, 0, 24), I(LOCAL, 0, DRAWN), I(SLOT, 0, DRAWN), I(SET, 0, USERS_VAR_BYTES),
                    ANSWER(I(SLOT, 0, DRAWN))),
               ASSAY_NONE);
    users_model();
    users_open(&u, (struct assay_config){.secret = {secret, 7}, .marked = marked});
}

static struct assay_span seal(const char *key, const char *value, uint8_t out[16])
{
    assert_int_equal(users_ask(&u, 0, MAKE, key, value), ASSAY_OK);
    struct assay_span said = users_text(&u);
    assert_int_equal(said.n, 16);
    memcpy(out, said.p, 16);
    return (struct assay_span){out, 16};
}

static bool holds(const char *key, const uint8_t *bytes, uint8_t n)
{
    uint8_t *in = u.in[1];
    in[0] = CHECK;
    in[1] = (uint8_t)strlen(key);
    memcpy(in + 2, key, in[1]);
    in[2 + in[1]] = n;
    memcpy(in + 3 + in[1], bytes, n);
    u.in_n[1] = 3u + in[1] + n;
    assert_int_equal(users_again(&u, 1), ASSAY_OK);
    return users_said(&u, "yes");
}

static void seals_hold_for_their_values(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    open_rules(1, false);
    seal("ann", "", a);
    assert_true(holds("ann", a, 16));
    assert_false(holds("bob", a, 16));
    assert_false(holds("", a, 16));
    assert_false(holds("ann", a, 15));
    assert_false(holds("ann", a, 0));
    for (int bit = 0; bit < 128; bit++) {
        memcpy(b, a, 16);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(holds("ann", b, 16));
    }
    seal("ann", "", b);
    assert_memory_equal(a, b, 16);
    users_close(&u);
    open_rules(2, false);
    assert_false(holds("ann", a, 16));
    users_close(&u);
}

static void lists_of_values_do_not_mix(void **state)
{
    (void)state;
    uint8_t a[16], b[16], c[16];
    open_rules(1, false);
    seal("ab", "c", a);
    seal("a", "bc", b);
    assert_memory_not_equal(a, b, 16);
    seal("abc", "", c);
    assert_memory_not_equal(a, c, 16);
    assert_false(holds("abc", a, 16));
    users_close(&u);
}

/* limits.seal is 1000: a seal holds at least so long, and at most twice. */
static void seals_age(void **state)
{
    (void)state;
    uint8_t a[16];
    for (int marked = 0; marked < 2; marked++)
        for (assay_time made = 0; made < 2000; made += 333) {
            open_rules(1, marked);
            u.now = made;
            seal("ann", "", a);
            u.now = made + 1000;
            assert_true(holds("ann", a, 16));
            u.now = made + 2002;
            assert_false(holds("ann", a, 16));
            users_close(&u);
        }
}

static void without_an_age(void **state)
{
    (void)state;
    uint8_t a[16];
    rules();
    users_model()->limits.seal = 0;
    users_open(&u, (struct assay_config){.secret = {1, 1}});
    seal("ann", "", a);
    u.now = INT64_MAX / 2;
    assert_true(holds("ann", a, 16));
    users_close(&u);
}

static void draw(unsigned who, uint8_t out[24])
{
    assert_int_equal(users_ask(&u, who, DRAW, "", ""), ASSAY_OK);
    struct assay_span said = users_text(&u);
    assert_int_equal(said.n, 24);
    memcpy(out, said.p, 24);
}

static void values_are_drawn(void **state)
{
    (void)state;
    uint8_t a[24], b[24], c[24];
    open_rules(1, false);
    draw(0, a);
    draw(1, b);
    assert_memory_not_equal(a, b, 24);
    assert_memory_not_equal(a, a + 8, 8);
    assert_memory_not_equal(a, a + 16, 8);
    users_close(&u);
    open_rules(1, false); /* runs can be repeated */
    draw(0, c);
    assert_memory_equal(a, c, 24);
    users_close(&u);
    open_rules(2, false);
    draw(0, c);
    assert_memory_not_equal(a, c, 24);
    users_close(&u);
}

/* What a rule drew before its effect is what it sends behind it; nobody else draws that. */
static void effects_change_nothing(void **state)
{
    (void)state;
    uint8_t first[16];
    for (int marked = 0; marked < 2; marked++) {
        rules();
        users_rule(DRAW, ASSAY_NONE,
                   CODE(I(RANDOM, 0, 16), I(LOCAL, 0, DRAWN), I(SLOT, 0, DRAWN), I(EFFECT, 1, USERS_APPEND),
                        ANSWER(I(SLOT, 0, DRAWN), I(RANDOM, 0, 8), I(JOIN, 2, 0))),
                   CODE(ANSWER(I(RANDOM, 0, 16))));
        users_model();
        users_open(&u, (struct assay_config){.secret = {1, 1}, .marked = marked});
        assert_int_equal(users_ask(&u, 0, DRAW, "", ""), ASSAY_PENDING);
        assay_token token = u.token;
        memcpy(first, u.spans[0], 16);
        assert_int_equal(users_ask(&u, 1, DRAW, "", ""), ASSAY_PENDING);
        assert_memory_not_equal(first, u.spans[0], 16);
        uint8_t second[16];
        memcpy(second, u.spans[0], 16);
        users_complete(&u, token, true);
        assert_int_equal(users_again(&u, 0), ASSAY_OK);
        assert_int_equal(users_text(&u).n, 24);
        assert_memory_equal(users_text(&u).p, first, 16);
        users_complete(&u, u.token, false);
        assert_int_equal(users_again(&u, 1), ASSAY_OK);
        assert_memory_not_equal(users_text(&u).p, first, 16);
        assert_memory_not_equal(users_text(&u).p, second, 16);
        users_close(&u);
    }
}

static const uint8_t actual[24] = "what the target has sent";

static void placeholders_are_learned(void **state)
{
    (void)state;
    uint8_t a[24], b[24];
    open_rules(1, true);
    draw(0, a);
    draw(1, b);
    assert_memory_equal(a, ASSAY_MARK, 5);
    assert_memory_equal(b, ASSAY_MARK, 5);
    assert_memory_not_equal(a, b, 8);
    assay_learn(u.engine, (struct assay_span){a, 24}, actual);
    assert_int_equal(users_ask(&u, 0, SHOW, "", ""), ASSAY_OK);
    assert_memory_equal(users_text(&u).p, actual, 24);
    assert_int_equal(users_ask(&u, 1, SHOW, "", ""), ASSAY_OK);
    assert_memory_equal(users_text(&u).p, b, 24);
    users_close(&u);
}

static void seals_are_learned(void **state)
{
    (void)state;
    uint8_t seals[10][16], other[16];
    open_rules(1, true);
    for (int i = 0; i < 10; i++) {
        seal("ann", "", seals[i]);
        assert_memory_equal(seals[i], ASSAY_MARK, 5);
        seal("bob", "", other);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(seals[i], seals[k], 16);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(holds("ann", seals[i], 16), i >= 2);
    assert_false(holds("bob", seals[9], 16));
    assay_learn(u.engine, (struct assay_span){seals[5], 16}, actual);
    assert_false(holds("ann", seals[5], 16));
    assert_true(holds("ann", actual, 16));
    assert_false(holds("bob", actual, 16));
    assert_true(holds("ann", seals[6], 16));
    users_close(&u);
}

/* A row whose key is a placeholder is found under what was learned. */
static void keys_are_learned(void **state)
{
    (void)state;
    uint8_t drawn[16];
    users_begin();
    users_rule(DRAW, ASSAY_NONE,
               CODE(I(RANDOM, 0, 16), I(LOCAL, 0, DRAWN), I(SLOT, 0, DRAWN), KEY, I(INT, 0, 1),
                    I(EFFECT, 3, USERS_PUT_NAME), ANSWER(I(SLOT, 0, DRAWN))),
               CODE(ANSWER(I(BLOB, 0, USERS_B_FAILED))));
    users_rule(SHOW, ASSAY_NONE, CODE(ANSWER(KEY, I(CELL, 0, USERS_NAMES))), CODE(ANSWER(I(BLOB, 0, USERS_B_NO))));
    users_model();
    users_open(&u, (struct assay_config){.marked = true});
    static const char *const values[] = {"first", "second", "third"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(users_ask(&u, 0, DRAW, values[i], ""), ASSAY_PENDING);
        users_complete(&u, u.token, true);
        assert_int_equal(users_again(&u, 0), ASSAY_OK);
        memcpy(drawn, users_text(&u).p, 16);
        uint8_t name[16] = "name of sixteen";
        name[15] = (uint8_t)('0' + i);
        assay_learn(u.engine, (struct assay_span){drawn, 16}, name);
    }
    assert_int_equal(users_ask(&u, 0, SHOW, "name of sixteen0", ""), ASSAY_OK);
    assert_true(users_said(&u, "first"));
    assert_int_equal(users_ask(&u, 0, SHOW, "name of sixteen1", ""), ASSAY_OK);
    assert_true(users_said(&u, "second"));
    assert_int_equal(users_ask(&u, 0, SHOW, "name of sixteen2", ""), ASSAY_OK);
    assert_true(users_said(&u, "third"));
    users_close(&u);
}

static void without_an_engine(void **state)
{
    (void)state;
    rules();
    struct assay_model *m = users_model();
    assay_val slots[ASSAY_SLOTS_MAX], v;
    uint8_t scratch[256];
    struct assay_env env = {.model = m, .slots = slots, .scratch = scratch, .scratch_cap = sizeof scratch};
    uint16_t codes[] = {CODE(I(PEER, 0, 0)),
                        CODE(I(RANDOM, 0, 8)),
                        CODE(I(BLOB, 0, 0), I(SEAL, 1, 0)),
                        CODE(I(BLOB, 0, 0), I(SEALED, 1, 0)),
                        CODE(I(BLOB, 0, 0), I(HAS, 0, 0)),
                        CODE(I(BLOB, 0, 0), I(CELL, 0, 0))};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_false(assay_eval(&env, codes[i], &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_hold_for_their_values),
        cmocka_unit_test(lists_of_values_do_not_mix),
        cmocka_unit_test(seals_age),
        cmocka_unit_test(without_an_age),
        cmocka_unit_test(values_are_drawn),
        cmocka_unit_test(effects_change_nothing),
        cmocka_unit_test(placeholders_are_learned),
        cmocka_unit_test(seals_are_learned),
        cmocka_unit_test(keys_are_learned),
        cmocka_unit_test(without_an_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

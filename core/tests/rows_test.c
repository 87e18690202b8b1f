#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/users.h"

/* Requests: register a name with a token; ask for its token; keep a value under the size of a key; ask for it. */
enum { REGISTER, TOKEN, KEEP, VALUE };

#define KEY       I(SLOT, 0, USERS_KEY)
#define GIVEN     I(SLOT, 0, USERS_VALUE)
#define SIZE_KEY  KEY, I(SIZE, 0, 0)
#define HAS_NAME  KEY, I(HAS, 0, USERS_NAMES)
#define PUT_NAME  KEY, GIVEN, I(INT, 0, 7), I(EFFECT, 3, USERS_PUT_NAME)
#define PUT_CACHE SIZE_KEY, GIVEN, I(EFFECT, 2, USERS_PUT_CACHE)
#define SAY(what) ANSWER(I(BLOB, 0, USERS_B_##what))

static void readers(void)
{
    users_rule(TOKEN, ASSAY_NONE, CODE(ANSWER(KEY, I(CELL, 0, USERS_NAMES))), CODE(SAY(NO)));
    users_rule(VALUE, ASSAY_NONE, CODE(ANSWER(SIZE_KEY, I(CELL, 0, USERS_CACHE))), CODE(SAY(NO)));
}

static void keep_rule(void)
{
    users_rule(KEEP, ASSAY_NONE, CODE(PUT_CACHE, SAY(YES)), CODE(SAY(FAILED)));
}

/* As a server of names would: whoever comes first has it. */
static void registry(void)
{
    users_begin();
    users_rule(REGISTER, CODE(HAS_NAME, I(AND_ELSE, 0, 4), KEY, I(CELL, 0, USERS_NAMES), GIVEN, I(DIFFER, 0, 0)),
               CODE(SAY(NO)), ASSAY_NONE);
    users_rule(REGISTER, ASSAY_NONE, CODE(HAS_NAME, I(NOT, 0, 0), I(UNLESS, 0, 4), PUT_NAME, SAY(YES)),
               CODE(SAY(FAILED)));
    readers();
    keep_rule();
}

static struct users u;

static void open_registry(void)
{
    registry();
    users_model();
    users_open(&u, (struct assay_config){.secret = {1, 2}});
}

#define ASK(who, kind, key, value, rc, text)                                                                           \
    do {                                                                                                               \
        assert_int_equal(users_ask(&u, who, kind, key, value), rc);                                                    \
        assert_true(users_said(&u, text));                                                                             \
    } while (0)

static void done(unsigned who, bool well, const char *text)
{
    users_complete(&u, u.token, well);
    assert_int_equal(users_again(&u, who), ASSAY_OK);
    assert_true(users_said(&u, text));
}

static void models_hold(void **state)
{
    (void)state;
    uint32_t where;
    registry();
    struct assay_model *m = users_model();
    assert_true(assay_code_verify(m, &where));
    static struct assay_table tables[2];
    memcpy(tables, m->tables, sizeof tables);
    m->tables = tables;
    assert_true(assay_code_verify(m, &where));
    tables[0].columns.count = 1;
    assert_false(assay_code_verify(m, &where));
    tables[0].columns.count = 2, tables[0].key = m->params_count;
    assert_false(assay_code_verify(m, &where));
    tables[0].key = 0, tables[0].effect = USERS_APPEND;
    assert_false(assay_code_verify(m, &where));
    tables[0].effect = USERS_PUT_NAME;
    struct assay_rule gates[16];
    memcpy(gates, m->rules, m->rules_count * sizeof *gates);
    m->rules = gates;
    assert_true(assay_code_verify(m, &where));
    gates[1].flags = ASSAY_RULE_GATE;
    assert_false(assay_code_verify(m, &where));
}

static void operands(void **state)
{
    (void)state;
    uint32_t where;
    for (unsigned column = 0; column < 4; column++)
        for (unsigned table = 0; table < 3; table++) {
            users_begin();
            users_rule(TOKEN, CODE(KEY, I(CELL, column, table)), CODE(SAY(NO)), ASSAY_NONE);
            bool there = table == USERS_NAMES ? column < 2 : table == USERS_CACHE && column < 1;
            assert_int_equal(assay_code_verify(users_model(), &where), there);
            users_begin();
            users_rule(TOKEN, CODE(KEY, I(HAS, 0, table)), CODE(SAY(NO)), ASSAY_NONE);
            assert_int_equal(assay_code_verify(users_model(), &where), table < 2);
        }
}

static void kept_rows_are_seen_by_all(void **state)
{
    (void)state;
    open_registry();
    ASK(0, TOKEN, "ann", "", ASSAY_OK, "no");
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "secret"), ASSAY_PENDING);
    assert_int_equal(u.effect, USERS_PUT_NAME);
    assert_int_equal(u.spans_n[0], 3);
    assert_memory_equal(u.spans[0], "ann", 3);
    assert_memory_equal(u.spans[1], "secret", 6);
    assert_int_equal(u.values[2], 7);
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "no");
    assert_int_equal(users_complete(&u, u.token, true), ASSAY_OK);
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "no"); /* its rule is not through */
    assert_int_equal(users_again(&u, 0), ASSAY_OK);
    assert_true(users_said(&u, "yes"));
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "secret");
    ASK(1, REGISTER, "ann", "other", ASSAY_OK, "no");
    ASK(2, REGISTER, "ann", "secret", ASSAY_OK, "yes");
    assert_int_equal(u.ordered, 1);
    users_close(&u);
}

static void what_fails_is_not_there(void **state)
{
    (void)state;
    open_registry();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "secret"), ASSAY_PENDING);
        done(0, false, "failed");
    }
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "no");
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "second"), ASSAY_PENDING);
    done(0, true, "yes");
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "second");
    users_close(&u);
}

/* Two want a name: the second waits until it is told who has it. */
static void one_at_a_time(void **state)
{
    (void)state;
    open_registry();
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "first"), ASSAY_PENDING);
    assay_token token = u.token;
    assert_int_equal(users_ask(&u, 1, REGISTER, "ann", "second"), ASSAY_FULL);
    assert_int_equal(users_ask(&u, 2, REGISTER, "bob", "third"), ASSAY_PENDING);
    users_complete(&u, token, true);
    assert_int_equal(users_again(&u, 1), ASSAY_FULL);
    assert_int_equal(users_again(&u, 0), ASSAY_OK);
    assert_int_equal(users_again(&u, 1), ASSAY_OK);
    assert_true(users_said(&u, "no"));
    done(2, true, "yes");
    ASK(3, TOKEN, "ann", "", ASSAY_OK, "first");
    ASK(3, TOKEN, "bob", "", ASSAY_OK, "third");
    assert_int_equal(u.ordered, 2);
    users_close(&u);
}

/* What the host has kept is there, whatever became of the session. */
static void sessions_that_end(void **state)
{
    (void)state;
    open_registry();
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "first"), ASSAY_PENDING);
    assay_token token = u.token;
    assert_int_equal(users_ask(&u, 1, REGISTER, "bob", "second"), ASSAY_PENDING);
    assay_token other = u.token;
    assert_int_equal(users_ask(&u, 2, REGISTER, "cid", "third"), ASSAY_PENDING);
    users_complete(&u, u.token, true);
    for (unsigned i = 0; i < 3; i++)
        assay_drop(u.engine, u.sids[i]);
    ASK(3, TOKEN, "cid", "", ASSAY_OK, "third");
    assert_int_equal(users_ask(&u, 3, REGISTER, "ann", "later"), ASSAY_FULL);
    assert_int_equal(users_complete(&u, token, true), ASSAY_STALE);
    assert_int_equal(users_complete(&u, other, false), ASSAY_STALE);
    ASK(3, TOKEN, "ann", "", ASSAY_OK, "first");
    ASK(3, TOKEN, "bob", "", ASSAY_OK, "no");
    users_close(&u);
}

static void tables_have_a_most(void **state)
{
    (void)state;
    open_registry();
    static const char *const names[] = {"ann", "bob", "cid"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(users_ask(&u, 0, REGISTER, names[i], "t"), ASSAY_PENDING);
        if (i == 2)
            ASK(1, REGISTER, "dan", "t", ASSAY_OK, "failed"); /* one that is on its way counts */
        done(0, true, "yes");
    }
    ASK(0, REGISTER, "dan", "t", ASSAY_OK, "failed");
    ASK(0, REGISTER, "ann", "t", ASSAY_OK, "yes");
    assert_int_equal(u.ordered, 3);
    users_close(&u);
    struct assay_config config = {.limits = u.config.model->limits};
    config.limits.rows = 2;
    registry();
    users_model();
    users_open(&u, config);
    ASK(0, KEEP, "a", "1", ASSAY_OK, "yes");
    ASK(0, KEEP, "ab", "2", ASSAY_OK, "yes");
    ASK(0, KEEP, "abc", "3", ASSAY_OK, "failed");
    ASK(0, REGISTER, "ann", "t", ASSAY_OK, "failed");
    ASK(0, KEEP, "ab", "4", ASSAY_OK, "yes");
    ASK(1, VALUE, "ab", "", ASSAY_OK, "4");
    ASK(1, VALUE, "abc", "", ASSAY_OK, "no");
    users_close(&u);
}

/* Values that are not of their type, and memory that is used up, fail as well; nothing leaks. */
static void what_does_not_fit(void **state)
{
    (void)state;
    users_begin();
    users_rule(KEEP, ASSAY_NONE,
               CODE(SIZE_KEY, GIVEN, GIVEN, GIVEN, I(JOIN, 3, 0), I(EFFECT, 2, USERS_PUT_CACHE), SAY(YES)),
               CODE(SAY(FAILED)));
    readers();
    users_model()->limits.memory = 256;
    users_open(&u, (struct assay_config){0});
    char big[31], key[40] = "";
    memset(big, 'x', 30), big[30] = 0;
    for (int i = 0; i < 100; i++) {
        ASK(0, KEEP, "", big, ASSAY_OK, "failed");
        ASK(0, KEEP, "", "0123456789", ASSAY_OK, "yes");
    }
    unsigned kept = 0;
    for (; strlen(key) < 39; strcat(key, "k")) {
        assert_int_equal(users_ask(&u, 0, KEEP, key, "abcdefghij"), ASSAY_OK);
        if (!users_said(&u, "yes"))
            break;
        kept++;
    }
    assert_in_range(kept, 4, 8);
    for (int i = 0; i < 100; i++)
        ASK(0, KEEP, key, "abcdefghij", ASSAY_OK, "failed");
    ASK(0, VALUE, key, "", ASSAY_OK, "no");
    ASK(0, VALUE, "", "", ASSAY_OK, "abcdefghijabcdefghijabcdefghij");
    users_close(&u);
}

/* A memory table: done at once, undone with its rule. */
static void rules_are_whole(void **state)
{
    (void)state;
    users_begin();
    users_rule(KEEP, CODE(GIVEN, I(SIZE, 0, 0), I(INT, 0, 0), I(GT, 0, 0)),
               CODE(PUT_CACHE, ANSWER(SIZE_KEY, I(CELL, 0, USERS_CACHE))), CODE(SAY(FAILED)));
    users_rule(KEEP, ASSAY_NONE,
               CODE(PUT_CACHE, I(BLOB, 0, USERS_B_NO), I(INT, 0, 9), I(AT, 0, 0), I(SET, 0, 1), SAY(YES)),
               CODE(ANSWER(SIZE_KEY, I(CELL, 0, USERS_CACHE))));
    readers();
    users_model();
    users_open(&u, (struct assay_config){0});
    ASK(0, KEEP, "a", "1", ASSAY_OK, "1"); /* seen in the same rule */
    ASK(0, KEEP, "a", "2", ASSAY_OK, "2");
    assert_int_equal(users_ask(&u, 0, KEEP, "a", ""), ASSAY_OK);
    assert_true(users_said(&u, "2"));
    ASK(1, VALUE, "a", "", ASSAY_OK, "2");
    ASK(1, VALUE, "b", "", ASSAY_OK, "2");
    assert_int_equal(users_ask(&u, 0, KEEP, "ab", ""), ASSAY_ENDED); /* neither rule nor `else` can be done */
    ASK(1, VALUE, "ab", "", ASSAY_OK, "no");
    users_close(&u);
}

/* Puts before and behind an effect, and two that are durable, in one rule. */
static void several_effects(void **state)
{
    (void)state;
    users_begin();
    users_rule(REGISTER, ASSAY_NONE,
               CODE(PUT_CACHE, GIVEN, I(EFFECT, 1, USERS_APPEND), PUT_NAME, GIVEN, KEY, I(INT, 0, 8),
                    I(EFFECT, 3, USERS_PUT_NAME), SAY(YES)),
               CODE(SAY(FAILED)));
    readers();
    users_model();
    users_open(&u, (struct assay_config){0});
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "x"), ASSAY_PENDING);
    assert_int_equal(u.effect, USERS_APPEND);
    ASK(1, VALUE, "abc", "", ASSAY_OK, "no");
    users_complete(&u, u.token, true);
    assert_int_equal(users_again(&u, 0), ASSAY_PENDING);
    assert_int_equal(u.effect, USERS_PUT_NAME);
    assert_memory_equal(u.spans[0], "ann", 3);
    users_complete(&u, u.token, true);
    assert_int_equal(users_again(&u, 0), ASSAY_PENDING);
    assert_memory_equal(u.spans[0], "x", 1);
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "no");
    done(0, false, "failed");
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "x"); /* the host has kept it */
    ASK(1, TOKEN, "x", "", ASSAY_OK, "no");
    ASK(1, VALUE, "abc", "", ASSAY_OK, "no");
    assert_int_equal(users_ask(&u, 0, REGISTER, "bob", "y"), ASSAY_PENDING);
    for (int i = 0; i < 2; i++) {
        users_complete(&u, u.token, true);
        assert_int_equal(users_again(&u, 0), ASSAY_PENDING);
    }
    done(0, true, "yes");
    ASK(1, TOKEN, "bob", "", ASSAY_OK, "y");
    ASK(1, TOKEN, "y", "", ASSAY_OK, "bob");
    ASK(1, VALUE, "abc", "", ASSAY_OK, "y");
    assert_int_equal(u.ordered, 6);
    users_close(&u);
}

/* An effect is ordered only where the rest can be done, so also where the rows behind it have room. */
static void rows_are_foreseen(void **state)
{
    (void)state;
    users_begin();
    users_rule(REGISTER, ASSAY_NONE, CODE(GIVEN, I(EFFECT, 1, USERS_APPEND), PUT_NAME, SAY(YES)), CODE(SAY(FAILED)));
    readers();
    users_model();
    users_open(&u, (struct assay_config){0});
    static const char *const names[] = {"ann", "bob", "cid"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(users_ask(&u, 0, REGISTER, names[i], "t"), ASSAY_PENDING);
        users_complete(&u, u.token, true);
        assert_int_equal(users_again(&u, 0), ASSAY_PENDING);
        done(0, true, "yes");
    }
    assert_int_equal(u.ordered, 6);
    ASK(0, REGISTER, "dan", "t", ASSAY_OK, "failed");
    assert_int_equal(u.ordered, 6);
    users_close(&u);
}

static void restored(void **state)
{
    (void)state;
    open_registry();
    assay_val values[3] = {0, 0, 5};
    struct assay_span spans[3] = {{(const uint8_t *)"ann", 3}, {(const uint8_t *)"old", 3}, {NULL, 0}};
    assert_true(assay_restore(u.engine, USERS_NAMES, values, spans));
    spans[1].p = (const uint8_t *)"new";
    assert_true(assay_restore(u.engine, USERS_NAMES, values, spans));
    values[2] = 1001;
    assert_false(assay_restore(u.engine, USERS_NAMES, values, spans));
    spans[0].p = (const uint8_t *)"bad";
    assert_false(assay_restore(u.engine, USERS_NAMES, values, spans));
    values[2] = 0, spans[0].p = (const uint8_t *)"bob", spans[1] = (struct assay_span){NULL, 0};
    assert_true(assay_restore(u.engine, USERS_NAMES, values, spans));
    spans[0].p = (const uint8_t *)"cid";
    assert_true(assay_restore(u.engine, USERS_NAMES, values, spans));
    spans[0].p = (const uint8_t *)"dan";
    assert_false(assay_restore(u.engine, USERS_NAMES, values, spans));
    ASK(0, TOKEN, "ann", "", ASSAY_OK, "new");
    ASK(0, TOKEN, "bob", "", ASSAY_OK, "");
    ASK(0, TOKEN, "bad", "", ASSAY_OK, "no");
    values[0] = 2;
    assert_true(
        assay_restore(u.engine, USERS_CACHE, values, (struct assay_span[]){{NULL, 0}, {(const uint8_t *)"v", 1}}));
    ASK(0, VALUE, "ab", "", ASSAY_OK, "v");
    users_close(&u);
}

/* A copy has its own rows, in flight as well. */
static void copies(void **state)
{
    (void)state;
    open_registry();
    assert_int_equal(users_ask(&u, 0, REGISTER, "ann", "t"), ASSAY_PENDING);
    size_t size = assay_engine_size(&u.config);
    struct assay_engine *copy = malloc(size), *first = u.engine;
    memset((void *)copy, 0x5a, size);
    assay_engine_copy(copy, first);
    done(0, true, "yes");
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "t");
    u.engine = copy;
    ASK(1, TOKEN, "ann", "", ASSAY_OK, "no");
    assert_int_equal(users_ask(&u, 1, REGISTER, "ann", "t"), ASSAY_FULL);
    u.in_n[0] = 0;
    users_complete(&u, u.token, false);
    ASK(0, REGISTER, "ann", "t", ASSAY_OK, "failed");
    ASK(0, TOKEN, "ann", "", ASSAY_OK, "no");
    users_close(&u);
    u.engine = first;
    users_close(&u);
}

/* Many rows come, change and go, as a list of their own says. */
static void like_a_list(void **state)
{
    (void)state;
    enum { KEYS = 64, TURNS = 3000 };
    registry();
    struct assay_model *m = users_model();
    static struct assay_table tables[2];
    memcpy(tables, m->tables, sizeof tables);
    tables[0].most = KEYS / 2;
    m->tables = tables;
    m->limits.memory = 65536;
    users_open(&u, (struct assay_config){.secret = {3, 4}});
    char tokens[KEYS][16] = {{0}}, name[16], token[16];
    uint32_t random = 12345, count = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        random = random * 1664525 + 1013904223;
        unsigned key = random >> 16 & (KEYS - 1);
        bool well = (random >> 24 & 3) != 0;
        snprintf(name, sizeof name, "n%u", key);
        snprintf(token, sizeof token, "t%d", turn);
        if (tokens[key][0]) {
            ASK(0, TOKEN, name, "", ASSAY_OK, tokens[key]);
        } else if (count == KEYS / 2) {
            ASK(0, REGISTER, name, token, ASSAY_OK, "failed");
        } else {
            assert_int_equal(users_ask(&u, 0, REGISTER, name, token), ASSAY_PENDING);
            done(0, well, well ? "yes" : "failed");
            if (well)
                snprintf(tokens[key], sizeof tokens[key], "%s", token), count++;
        }
    }
    assert_int_equal(count, KEYS / 2);
    users_close(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_hold),
        cmocka_unit_test(operands),
        cmocka_unit_test(kept_rows_are_seen_by_all),
        cmocka_unit_test(what_fails_is_not_there),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(sessions_that_end),
        cmocka_unit_test(tables_have_a_most),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(rules_are_whole),
        cmocka_unit_test(several_effects),
        cmocka_unit_test(rows_are_foreseen),
        cmocka_unit_test(restored),
        cmocka_unit_test(copies),
        cmocka_unit_test(like_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "conformance/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/assay-observe-XXXXXX";
static char path[64], option[256];

static void append(const char *text)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static enum assay_sight look(struct assay_observer *o, const char *expected)
{
    uint8_t seen[64];
    uint64_t n;
    struct assay_record record = {.bytes = {(const uint8_t *)expected, (uint32_t)strlen(expected)}};
    return assay_observer_look(o, NULL, &record, 1, seen, sizeof seen, &n);
}

static void watch(struct assay_observer *o)
{
    remove(path);
    assert_true(assay_observer_begin(o, NULL)); /* not there yet: empty */
    assert_int_equal(look(o, ""), ASSAY_SIGHT_SAME);
    assert_int_equal(look(o, "a\n"), ASSAY_SIGHT_PART);
    append("a\n");
    assert_int_equal(look(o, "a\n"), ASSAY_SIGHT_SAME);
    assert_int_equal(look(o, "a\nb\n"), ASSAY_SIGHT_PART);
    assert_int_equal(look(o, "b\n"), ASSAY_SIGHT_OTHER);
    assert_int_equal(look(o, ""), ASSAY_SIGHT_OTHER);
    assert_true(assay_observer_begin(o, NULL));
    assert_int_equal(look(o, ""), ASSAY_SIGHT_SAME);
    append("b\nb\n");
    assert_int_equal(look(o, "b\n"), ASSAY_SIGHT_OTHER); /* once too often */
    assert_int_equal(look(o, "b\nb\n"), ASSAY_SIGHT_SAME);
}

static void sees_what_is_new_in_a_file(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    snprintf(option, sizeof option, "record=%s", path);
    assert_true(assay_observer_add(&all, option));
    assert_non_null(assay_observer_find(&all, "record"));
    assert_null(assay_observer_find(&all, "other"));
    watch(assay_observer_find(&all, "record"));
}

static void sees_what_is_new_in_a_commands_output(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    snprintf(option, sizeof option, "record=cmd:touch %s; cat %s", path, path);
    assert_true(assay_observer_add(&all, option));
    watch(assay_observer_find(&all, "record"));
}

static void says_when_it_cannot_see(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    assert_true(assay_observer_add(&all, "record=cmd:exit 3"));
    assert_false(assay_observer_begin(&all.items[0], NULL));
    assert_int_equal(look(&all.items[0], ""), ASSAY_SIGHT_BLIND);
    assert_false(assay_observer_add(&all, "record"));
    assert_false(assay_observer_add(&all, "=x"));
    assert_false(assay_observer_add(&all, "record="));
}

/* ---- records of several links ------------------------------------------ */

static enum assay_sight woven(const char *bytes)
{
    static const struct assay_record records[] = {{.link = 0, .bytes = {(const uint8_t *)"ab", 2}},
                                                  {.link = 1, .bytes = {(const uint8_t *)"abc", 3}},
                                                  {.link = 0, .bytes = {(const uint8_t *)"x", 1}}};
    return assay_weave(records, 3, (struct assay_span){(const uint8_t *)bytes, (uint32_t)strlen(bytes)});
}

static void links_may_come_in_any_order_but_whole(void **state)
{
    (void)state;
    assert_int_equal(woven("ababcx"), ASSAY_SIGHT_SAME);
    assert_int_equal(woven("abcabx"), ASSAY_SIGHT_SAME);
    assert_int_equal(woven("abxabc"), ASSAY_SIGHT_SAME);
    assert_int_equal(woven("xababc"), ASSAY_SIGHT_OTHER); /* those of one link have their order */
    assert_int_equal(woven("abcxab"), ASSAY_SIGHT_OTHER);
    assert_int_equal(woven("aabbcx"), ASSAY_SIGHT_OTHER); /* mixed */
    assert_int_equal(woven("abca"), ASSAY_SIGHT_PART);
    assert_int_equal(woven(""), ASSAY_SIGHT_PART);
    assert_int_equal(woven("ababcxx"), ASSAY_SIGHT_OTHER);
}

/* ---- streams ----------------------------------------------------------- */

/* The target writes what is put into the file; it may take a moment. */
static void assert_sight(struct assay_observer *o, struct assay_target *t, const char *expected, enum assay_sight sight)
{
    struct assay_record record = {.bytes = {(const uint8_t *)expected, (uint32_t)strlen(expected)}};
    int64_t end = assay_clock_now() + 60 * ASSAY_SECOND;
    enum assay_sight seen;
    uint8_t bytes[64];
    uint64_t n;
    do
        seen = assay_observer_look(o, t, &record, 1, bytes, sizeof bytes, &n);
    while (seen != sight && assay_clock_now() < end);
    assert_int_equal(seen, sight);
}

static struct assay_target *echo(const char *to)
{
    static char command[512];
    struct assay_net_error error;
    struct assay_address at;
    remove(path);
    append("");
    snprintf(
        command, sizeof command,
        "exec:/usr/bin/env python3 -SBc 'import socket; s=socket.create_server((\"127.0.0.1\",0)); "
        "print(\"listening on tcp:127.0.0.1:%%d\" %% s.getsockname()[1], flush=True); import time; time.sleep(60)' & "
        "tail -n +1 -s 0.01 -f %s >&%s; wait",
        path, to);
    struct assay_target *t = assay_target_new(command, 60 * ASSAY_SECOND, &error);
    assert_non_null(t);
    assert_true(assay_target_up(t, &at, &error));
    return t;
}

static void sees_known_lines_among_others(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    struct assay_target *t = echo("2");
    assert_true(assay_observer_add(&all, "report=stderr"));
    struct assay_observer *o = &all.items[0];
    o->lines = true;
    assert_true(assay_observer_begin(o, t));
    append("started (1)\nbad line (1)\n");
    assert_sight(o, t, "bad line\n", ASSAY_SIGHT_SAME);
    append("bad li");
    assert_sight(o, t, "bad line\n", ASSAY_SIGHT_SAME); /* that one has not ended yet */
    append("ne\n");
    assert_sight(o, t, "bad line\n", ASSAY_SIGHT_OTHER); /* twice */
    assert_true(assay_observer_begin(o, t));
    assert_sight(o, t, "", ASSAY_SIGHT_SAME);
    append("something else\n");
    append("bad line\n");
    assert_sight(o, t, "", ASSAY_SIGHT_OTHER);
    assay_observers_free(&all);
    assay_target_free(t);
}

static void sees_the_bytes_of_a_stream(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    struct assay_target *t = echo("1");
    assert_true(assay_observer_add(&all, "show=stdout"));
    assert_false(assay_observer_begin(&all.items[0], NULL)); /* nobody's stream */
    assert_true(assay_observer_begin(&all.items[0], t));
    append("one");
    assert_sight(&all.items[0], t, "one, two", ASSAY_SIGHT_PART);
    append(", two");
    assert_sight(&all.items[0], t, "one, two", ASSAY_SIGHT_SAME);
    append(".");
    assert_sight(&all.items[0], t, "one, two", ASSAY_SIGHT_OTHER);
    assay_observers_free(&all);
    assay_target_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_what_is_new_in_a_file),    cmocka_unit_test(sees_what_is_new_in_a_commands_output),
        cmocka_unit_test(says_when_it_cannot_see),       cmocka_unit_test(links_may_come_in_any_order_but_whole),
        cmocka_unit_test(sees_known_lines_among_others), cmocka_unit_test(sees_the_bytes_of_a_stream),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/log", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    rmdir(folder);
    return failed;
}

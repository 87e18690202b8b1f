#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/yaml.h"

struct read {
    struct assay_arena arena;
    struct assay_diags diags;
    struct assay_node *root;
    const char *text;
};

static struct read read_text(const char *text)
{
    struct read r = {.text = text, .diags = {.file = "test"}};
    r.root = assay_yaml_read(&r.arena, (const uint8_t *)text, strlen(text), &r.diags);
    return r;
}

static void done(struct read *r)
{
    assay_arena_free(&r->arena);
    assay_diags_free(&r->diags);
}

static void nodes_know_their_places(void **state)
{
    (void)state;
    struct read r = read_text("a: 1\nb:\n  - {c: 'x', d: [e, f]}\n  - \"q\"\n");
    assert_non_null(r.root);
    assert_int_equal(r.root->kind, ASSAY_NODE_MAPPING);
    assert_int_equal(r.root->count, 2);
    const struct assay_node *b = assay_node_get(r.root, "b"), *d = assay_node_get(b->first, "d");
    assert_int_equal(b->key->at.line, 2);
    assert_int_equal(b->key->at.column, 1);
    assert_int_equal(d->at.line, 3);
    assert_int_equal(d->at.column, 17);
    assert_int_equal(d->count, 2);
    assert_true(assay_node_is(d->first->next, "f"));
    assert_false(b->first->next->plain);
    assert_true(assay_node_get(r.root, "a")->plain);
    assert_null(assay_node_get(r.root, "z"));
    done(&r);
}

static void scalars_keep_nul(void **state)
{
    (void)state;
    struct read r = read_text("a: \"x\\0y\\xf6\"\n");
    const struct assay_node *a = assay_node_get(r.root, "a");
    assert_int_equal(a->size, 5);
    assert_memory_equal(a->text, "x\0y\xc3\xb6", 5);
    done(&r);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *says;
    } bad[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "stands here already (line 1)"},
        {"a: &x 1\n", 1, 4, "anchors"},
        {"a: 1\nb: *x\n", 2, 4, "aliases"},
        {"a: !!int 1\n", 1, 4, "tags"},
        {"a: {<<: 1}\n", 1, 5, "merge keys"},
        {"a: 1\n---\nb: 2\n", 2, 1, "second document"},
        {"a: on\n", 1, 4, "boolean"},
        {"a: [Yes]\n", 1, 5, "boolean"},
        {"n: 1\n", 1, 1, "boolean"},
        {"a: [1, 2\n", 2, 1, "YAML"},
        {"{[a]: 1}\n", 1, 2, "a key has to be a word"},
        {"", 1, 1, "holds no spec"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct read r = read_text(bad[i].text);
        if (r.diags.count == 0)
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(r.diags.items[0].severity, ASSAY_ERROR);
        assert_non_null(strstr(r.diags.items[0].text, bad[i].says));
        assert_int_equal(r.diags.items[0].line, bad[i].line);
        assert_int_equal(r.diags.items[0].column, bad[i].column);
        done(&r);
    }
}

static void a_byte_order_mark_is_no_text(void **state)
{
    (void)state;
    struct read r = read_text("\xef\xbb\xbf"
                              "a: 1\n");
    const struct assay_node *a = assay_node_get(r.root, "a");
    assert_non_null(a);
    assert_int_equal(a->key->at.line, 1);
    assert_int_equal(a->key->at.column, 1);
    done(&r);
}

static void quotes_make_any_word_a_name(void **state)
{
    (void)state;
    struct read r = read_text("\"on\": 'no'\n");
    assert_non_null(r.root);
    assert_int_equal(r.diags.count, 0);
    done(&r);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[300];
    memset(text, '[', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct read r = read_text(text);
    assert_null(r.root);
    assert_true(r.diags.errors > 0);
    done(&r);
}

/* Where the X of each scalar stands, seen from the text that YAML made of it. */
static void places_inside_scalars(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
    } cases[] = {
        {"a: one X\n", 1, 8},
        {"a: 'it''s X'\n", 1, 11},
        {"a: \"\\n\\x41 X\"\n", 1, 12},
        {"a: {b: \"\xc3\xa4 X\"}\n", 1, 11},
        {"a: |\n  one\n  two X\n", 3, 7},
        {"a: \"one\n  two X\"\n", 2, 7},
        {"a: one\n   two X\n", 2, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read r = read_text(cases[i].text);
        const struct assay_node *node = r.root->first;
        node = node->kind == ASSAY_NODE_MAPPING ? node->first : node;
        size_t offset = (size_t)(strchr(node->text, 'X') - node->text);
        struct assay_at at = assay_node_place(node, offset, (const uint8_t *)r.text, strlen(r.text));
        if (at.line != cases[i].line || at.column != cases[i].column)
            fail_msg("%s: %u:%u, expected %u:%u", cases[i].text, at.line, at.column, cases[i].line, cases[i].column);
        done(&r);
    }
}

static void near_names(void **state)
{
    (void)state;
    static const struct {
        const char *wanted, *candidates[3], *best;
    } cases[] = {
        {"titel", {"title", "text", NULL}, "title"},
        {"Passwort", {"Password", "Ready", NULL}, "Password"},
        {"any_message", {"any-message", NULL, NULL}, "any-message"},
        {"goto", {"send", "set", NULL}, NULL},
        {"x", {"if", NULL, NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct assay_near near = {.wanted = cases[i].wanted};
        for (size_t k = 0; k < 3; k++)
            assay_near_add(&near, cases[i].candidates[k]);
        if (cases[i].best)
            assert_string_equal(near.best, cases[i].best);
        else
            assert_null(near.best);
    }
}

static void diags_are_sorted_and_said_once(void **state)
{
    (void)state;
    struct assay_diags diags = {.file = "f"};
    assay_diag(&diags, ASSAY_ERROR, (struct assay_at){9, 2}, "later");
    assay_diag(&diags, ASSAY_NOTE, (struct assay_at){3, 7}, "sooner");
    assay_diag(&diags, ASSAY_ERROR, (struct assay_at){9, 2}, "later");
    assay_diags_sort(&diags);
    assert_int_equal(diags.count, 2);
    assert_int_equal(diags.errors, 1);
    assert_string_equal(diags.items[0].text, "sooner");
    assay_diags_free(&diags);
    assert_int_equal(diags.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(scalars_keep_nul),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_byte_order_mark_is_no_text),
        cmocka_unit_test(quotes_make_any_word_a_name),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(places_inside_scalars),
        cmocka_unit_test(near_names),
        cmocka_unit_test(diags_are_sorted_and_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

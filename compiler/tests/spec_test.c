/* Whole specs: their examples hold in core, broken files give errors and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/compiler.h"
#include "core/codec.h"

static const char *path_of(const char *name)
{
    static char path[1024];
    const char *root = getenv("ASSAY_ROOT");
    snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
    return path;
}

static const char *const bundled[] = {"spec/candy.yaml", "spec/msglog.yaml"};
#define BUNDLED (sizeof bundled / sizeof bundled[0])

static struct assay_spec *load(const char *name)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path_of(name), &diags);
    assay_diags_print(&diags, stderr);
    assert_int_equal(diags.count, 0);
    assay_diags_free(&diags);
    assert_non_null(spec);
    return spec;
}

/* ---- examples ---------------------------------------------------------- */

static uint8_t scratch[1 << 20];

struct codec {
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_env env;
};

static void start(struct codec *c, const struct assay_model *m)
{
    memset(c, 0, sizeof *c);
    c->env = (struct assay_env){
        .model = m, .slots = c->slots, .scratch = scratch, .scratch_cap = sizeof scratch, .leniencies = ~(uint64_t)0};
}

static uint16_t frame_of(const struct assay_model *m, uint8_t from)
{
    return m->machines[from == ASSAY_CLIENT ? m->server : m->client].frame_in;
}

static struct assay_decoded decode(struct codec *c, uint16_t frame, const struct assay_example *x)
{
    struct assay_span in = {x->bytes.p, x->bytes.n};
    struct assay_frame_found found = assay_frame_find(&c->env, frame, x->from, in, 0, false);
    assert_int_equal(found.status, ASSAY_FRAME_WHOLE);
    assert_int_equal(found.size, in.n);
    start(c, c->env.model);
    c->env.frame = in.p;
    return assay_decode(&c->env, frame, x->from, (struct assay_span){in.p, found.content});
}

static void examples_hold(void **state)
{
    (void)state;
    size_t decoded_ones = 0;
    for (size_t s = 0; s < BUNDLED; s++) {
        struct assay_spec *spec = load(bundled[s]);
        const struct assay_model *m = assay_spec_model(spec);
        assert_true(m->examples_count > 9);
        for (uint16_t i = 0; i < m->examples_count; i++) {
            const struct assay_example *x = &m->examples[i];
            struct codec c;
            uint8_t out[1024];
            uint16_t frame = frame_of(m, x->from);
            start(&c, m);
            struct assay_decoded decoded = decode(&c, frame, x);
            if (x->fault != ASSAY_NONE) {
                assert_string_equal(m->events[decoded.event].name, m->events[x->fault].name);
                continue;
            }
            assert_int_equal(decoded.event, m->messages[x->message].event);
            struct assay_encoded encoded = assay_encode(&c.env, frame, x->message, out, sizeof out, false);
            assert_int_equal(encoded.status, ASSAY_ENCODED);
            bool same = encoded.size == x->bytes.n && memcmp(out, x->bytes.p, x->bytes.n) == 0;
            assert_int_equal(same, !x->other_form);
            decoded_ones++;
        }
        assay_spec_free(spec);
    }
    assert_int_equal(decoded_ones, 15);
}

static assay_val field_value(struct codec *c, uint16_t message, const char *name)
{
    const struct assay_model *m = c->env.model;
    struct assay_range own = m->messages[message].fields;
    for (uint32_t i = own.first; i < (uint32_t)own.first + own.count; i++) {
        const struct assay_field *f = &m->fields[i];
        if (f->name && strcmp(f->name, name) == 0) {
            assert_true(c->env.known >> f->slot & 1);
            return c->slots[f->slot];
        }
    }
    fail_msg("no field %s", name);
    return 0;
}

static void examples_have_their_values(void **state)
{
    (void)state;
    struct codec c;
    struct assay_spec *spec = load("spec/candy.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    start(&c, m);
    decode(&c, frame_of(m, ASSAY_CLIENT), &m->examples[3]);
    assert_int_equal(field_value(&c, 0, "kind"), 0);
    assert_int_equal((int64_t)field_value(&c, 0, "count"), -3);
    assay_spec_free(spec);
    spec = load("spec/msglog.yaml");
    m = assay_spec_model(spec);
    start(&c, m);
    decode(&c, frame_of(m, ASSAY_CLIENT), &m->examples[0]);
    struct assay_span name = assay_bytes(&c.env, field_value(&c, 0, "name"));
    assert_int_equal(name.n, 3);
    assert_memory_equal(name.p, "bob", 3);
    assay_spec_free(spec);
}

/* ---- what testers get -------------------------------------------------- */

static void samples_are_bytes(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    const struct assay_blob *samples;
    size_t count = assay_spec_samples(spec, m->messages[0].fields.first, &samples);
    assert_int_equal(count, 5);
    assert_int_equal(samples[3].n, 3); /* "r\xf6d": one byte for each character */
    assert_memory_equal(samples[3].p,
                        "r\xf6"
                        "d",
                        3);
    assert_int_equal(samples[2].n, 2);
    assert_memory_equal(samples[2].p, "\1\0", 2);
    assert_int_equal(assay_spec_samples(spec, m->frames[0].fields.first, &samples), 0);
    assay_spec_free(spec);
}

static char *text_of(const char *name, size_t *size)
{
    FILE *f = fopen(path_of(name), "rb");
    assert_non_null(f);
    char *text = malloc(100000);
    assert_non_null(text);
    *size = fread(text, 1, 100000 - 1, f);
    text[*size] = '\0';
    fclose(f);
    return text;
}

static struct assay_spec *parse(const char *text, size_t size, struct assay_diags *diags)
{
    return assay_spec_parse("test", (const uint8_t *)text, size, diags);
}

static void hand_cases(void **state)
{
    (void)state;
    size_t size;
    char *text = text_of("spec/candy.yaml", &size);
    char *own = strstr(text, "\ncases:"); /* the last key of the file */
    assert_non_null(own);
    own[1] = '\0';
    strcat(text,
           "cases:\n  - {name: half close, req: CA-8, steps: ['> \"s 12\\n\"', '> eof', '< \"144\\n\"', '< FIN']}\n");
    struct assay_diags diags = {0};
    struct assay_spec *spec = parse(text, strlen(text), &diags);
    assay_diags_print(&diags, stderr);
    assert_non_null(spec);
    const struct assay_hand_case *cases;
    assert_int_equal(assay_spec_cases(spec, &cases), 1);
    assert_string_equal(cases[0].name, "half close");
    assert_string_equal(assay_spec_model(spec)->requirements[cases[0].req].id, "CA-8");
    assert_int_equal(cases[0].level, ASSAY_MUST);
    assert_string_equal(cases[0].steps[1], "> eof");
    assert_string_equal(cases[0].steps[3], "< FIN");
    assert_null(cases[0].steps[4]);
    assay_spec_free(spec);
    assay_diags_free(&diags);
    free(text);
}

/* ---- files that are not specs ------------------------------------------ */

static void missing_file(void **state)
{
    (void)state;
    struct assay_diags diags = {0};
    assert_null(assay_spec_load("/nowhere/at/all.yaml", &diags));
    assert_int_equal(diags.errors, 1);
    assert_int_equal(diags.items[0].line, 0);
    assert_non_null(strstr(diags.items[0].text, "No such file"));
    assay_diags_free(&diags);
}

/* Whatever the text is: a spec, or errors. */
static void must_be_said(const char *text, size_t size)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = parse(text, size, &diags);
    assert_true((spec != NULL) == (diags.errors == 0));
    for (size_t i = 1; i < diags.count; i++)
        assert_true(diags.items[i].line >= diags.items[i - 1].line);
    assay_spec_free(spec);
    assay_diags_free(&diags);
}

static void cut_off_specs(void **state)
{
    (void)state;
    for (size_t s = 0; s < BUNDLED; s++) {
        size_t size;
        char *text = text_of(bundled[s], &size);
        for (size_t n = 0; n < size; n += 13)
            must_be_said(text, n);
        free(text);
    }
}

static void changed_specs(void **state)
{
    (void)state;
    static const char instead[] = " {}[]:,'\"\n-*x0\xff";
    uint64_t random = 1;
    for (size_t s = 0; s < BUNDLED; s++) {
        size_t size;
        char *text = text_of(bundled[s], &size);
        for (unsigned i = 0; i < 400; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)(random >> 33) % size;
            char was = text[at];
            text[at] = instead[(random >> 20) % (sizeof instead - 1)];
            must_be_said(text, size);
            text[at] = was;
        }
        free(text);
    }
}

static void many_errors_at_once(void **state)
{
    (void)state;
    static const char text[] = "assay: 2\nprotocol: Bad\ntitel: x\ntransports: {tcp: {prot: 1}}\nframe: {max: x}\n"
                               "messages: {M: {from: cleint}}\nserver: {rules: [{when: Mm, goto: Edn}]}\n";
    static const struct {
        uint32_t line;
        const char *says;
    } expected[] = {{1, "version 1"},    {2, "name"},     {3, "'title'"}, {4, "'port'"},
                    {5, "not a number"}, {6, "'client'"}, {7, "'M'"},     {7, "'End'"}};
    struct assay_diags diags = {0};
    assert_null(parse(text, sizeof text - 1, &diags));
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        bool found = false;
        for (size_t k = 0; k < diags.count; k++)
            found = found || (diags.items[k].line == expected[i].line && strstr(diags.items[k].text, expected[i].says));
        if (!found) {
            assay_diags_print(&diags, stderr);
            fail_msg("line %u: %s", expected[i].line, expected[i].says);
        }
    }
    assay_diags_free(&diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_hold),     cmocka_unit_test(examples_have_their_values),
        cmocka_unit_test(samples_are_bytes), cmocka_unit_test(hand_cases),
        cmocka_unit_test(missing_file),      cmocka_unit_test(cut_off_specs),
        cmocka_unit_test(changed_specs),     cmocka_unit_test(many_errors_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

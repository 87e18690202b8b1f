/* What the checks promise is held against what core does, on random input: an interval holds every value that
 * core computes, and decoding raises only events that were called feasible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/check.h"
#include "core/code.h"
#include "core/codec.h"

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

/* ---- intervals --------------------------------------------------------- */

struct text {
    char p[2000];
    size_t n;
};

static void add(struct text *t, const char *s)
{
    t->n += (size_t)snprintf(t->p + t->n, sizeof t->p - t->n, "%s", s);
}

static const char *pick(const char *const *words, size_t count)
{
    return words[below(count)];
}
#define PICK(...) pick((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void add_bytes(struct text *t, unsigned depth);

static void add_number(struct text *t, unsigned depth)
{
    if (depth == 0) {
        add(t, PICK("a", "a", "b", "b", "c", "a", "size(s)", "0", "1", "2", "7", "63", "255", "1000", "-1", "-128",
                    "9223372036854775807", "(-9223372036854775807 - 1)"));
        return;
    }
    unsigned form = (unsigned)below(8);
    if (form == 0) {
        add(t, PICK("size(", "number("));
        add_bytes(t, depth - 1);
        add(t, ")");
    } else if (form == 1) {
        add(t, PICK("min(", "max("));
        add_number(t, depth - 1);
        add(t, ", ");
        add_number(t, depth - 1);
        add(t, ")");
    } else if (form == 2) {
        add(t, "(");
        add_number(t, depth - 1);
        add(t, PICK(" < ", " <= ", " == ", " != ", " > "));
        add_number(t, depth - 1);
        add(t, " ? ");
        add_number(t, depth - 1);
        add(t, " : ");
        add_number(t, depth - 1);
        add(t, ")");
    } else if (form == 3) {
        add(t, PICK("-(", "~("));
        add_number(t, depth - 1);
        add(t, ")");
    } else {
        add(t, "(");
        add_number(t, depth - 1);
        add(t, PICK(" + ", " - ", " * ", " / ", " % ", " & ", " | ", " ^ ", " << ", " >> "));
        add_number(t, depth - 1);
        add(t, ")");
    }
}

static void add_bytes(struct text *t, unsigned depth)
{
    static const char *const leaves[] = {"s", "z", "'xyz'", "''"};
    if (depth == 0) {
        add(t, pick(leaves, 4));
        return;
    }
    unsigned form = (unsigned)below(4);
    if (form == 0) {
        add(t, PICK("line(", "lower(", "upper("));
        add_bytes(t, depth - 1);
        add(t, ")");
    } else if (form == 1) {
        add(t, PICK("decimal(", "hex("));
        add_number(t, depth - 1);
        add(t, ")");
    } else {
        add(t, "(");
        add_bytes(t, depth - 1);
        add(t, " + ");
        add_bytes(t, depth - 1);
        add(t, ")");
    }
}

static void add_condition(struct text *t, unsigned depth)
{
    unsigned form = (unsigned)below(depth ? 7 : 4);
    if (form < 3) {
        add_number(t, below(3) == 0);
        add(t, PICK(" < ", " <= ", " == ", " != ", " > ", " >= "));
        add_number(t, below(3) == 0);
    } else if (form == 3) {
        add(t, "fits(");
        add_number(t, 1);
        add(t, PICK(", u8)", ", i16)", ", u3)"));
    } else if (form == 4) {
        add(t, "!(");
        add_condition(t, depth - 1);
        add(t, ")");
    } else {
        add(t, "(");
        add_condition(t, depth - 1);
        add(t, PICK(" && ", " || ", " && "));
        add_condition(t, depth - 1);
        add(t, ")");
    }
}

static struct assay_spec *spec_with(const char *expression, const char *condition)
{
    char text[4096];
    struct assay_diags diags = {0};
    int n = snprintf(text, sizeof text,
                     "assay: 1\nprotocol: t\nlimits: {sessions: 1}\ntransports: {tcp: {port: 1}}\n"
                     "frame: {until: eof, max: 40}\n"
                     "messages:\n  Ask:\n    from: client\n    fields:\n"
                     "      - a: u8\n      - b: i16\n      - c: i64\n"
                     "      - s: {bytes: {prefix: u8}, max: 5}\n"
                     "      - z: {text: {prefix: u8}, charset: ascii, min: 1, max: 3}\n"
                     "      - g: {type: bool, calc: \"%s\"}\n"
                     "      - r: {type: i64, calc: \"%s\"}\n"
                     "    examples: [{raw: \"01234567890123456789012345678901234567890\", fault: oversize}]\n"
                     "server:\n  rules:\n    - {when: Ask, ignore: true}\n"
                     "    - {when: [malformed, oversize], ignore: true}\n"
                     "    - {when: [eof, eof-in-frame, reset], goto: End}\n",
                     condition, expression);
    struct assay_spec *spec = assay_spec_parse("t.yaml", (const uint8_t *)text, (size_t)n, &diags);
    if (!spec)
        assay_diags_print(&diags, stderr);
    assert_non_null(spec);
    assay_diags_free(&diags);
    return spec;
}

static void set_slot(struct assay_env *env, const struct spec_message *m, const char *name, assay_val v)
{
    SPEC_EACH (struct spec_field, f, &m->fields)
        if (f->name && strcmp(f->name, name) == 0) {
            env->slots[f->slot] = v;
            env->known |= (uint64_t)1 << f->slot;
        }
}

static int64_t edge(int64_t min, int64_t max)
{
    switch (below(5)) {
    case 0:
        return min;
    case 1:
        return max;
    case 2:
        return min <= 0 && max >= 0 ? 0 : min;
    case 3:
        return min <= 1 && max >= 1 ? 1 : max;
    }
    uint64_t span = (uint64_t)max - (uint64_t)min + 1;
    return (int64_t)((uint64_t)min + (span ? next() % span : next()));
}

static void random_values(struct assay_env *env, const struct spec_message *m, uint8_t pool[16])
{
    for (unsigned i = 0; i < 8; i++)
        pool[i] = (uint8_t)next();
    for (unsigned i = 8; i < 16; i++)
        pool[i] = (uint8_t)("0123\n\\aZ"[below(8)]);
    env->known = 0;
    env->scratch_used = 0;
    set_slot(env, m, "a", (assay_val)edge(0, 255));
    set_slot(env, m, "b", (assay_val)edge(INT16_MIN, INT16_MAX));
    set_slot(env, m, "c", (assay_val)edge(INT64_MIN, INT64_MAX));
    set_slot(env, m, "s", assay_val_bytes(ASSAY_REGION_FRAME, (uint32_t)below(8), (uint32_t)below(6)));
    set_slot(env, m, "z", assay_val_bytes(ASSAY_REGION_FRAME, 8 + (uint32_t)below(4), 1 + (uint32_t)below(3)));
}

struct sampler {
    const struct assay_spec *spec;
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    uint8_t scratch[1 << 16], pool[16];
};

static bool evaluate(struct sampler *s, const struct spec_field *field, assay_val *v)
{
    s->env.scratch_used = 0;
    return assay_eval(&s->env, s->spec->model->fields[field->index].is, v);
}

static void expect_within(const struct value_range *range, bool defined, assay_val v, const char *text,
                          const char *given)
{
    bool good = defined ? (int64_t)v >= range->min && (int64_t)v <= range->max : range->bad != NULL;
    if (!good)
        print_error("%s given %s: %lld%s, said %lld..%lld%s\n", text, given, (long long)v,
                    defined ? "" : " (undefined)", (long long)range->min, (long long)range->max,
                    range->bad ? " or undefined" : "");
    assert_true(good);
}

/* The number of samples for which the condition held. */
static unsigned compare(const struct assay_spec *spec, const char *text, const char *condition)
{
    static struct sampler s;
    const struct spec_message *m = spec->messages.items[0];
    const struct spec_field *r = m->fields.items[m->fields.count - 1], *g = m->fields.items[m->fields.count - 2];
    struct facts facts = {.spec = (struct assay_spec *)(uintptr_t)spec}, given = facts;
    struct value_range range = assay_range_of(&facts, r->type->calc), narrow;
    unsigned held = 0;
    assay_assume(&given, g->type->calc, true);
    narrow = assay_range_of(&given, r->type->calc);
    s.spec = spec;
    s.env = (struct assay_env){.model = spec->model, .slots = s.slots, .frame = s.pool, .scratch = s.scratch};
    s.env.scratch_cap = sizeof s.scratch;
    for (unsigned i = 0; i < 300; i++) {
        assay_val v = 0, truth = 0;
        random_values(&s.env, m, s.pool);
        bool defined = evaluate(&s, r, &v);
        expect_within(&range, defined, v, text, "nothing");
        if (!evaluate(&s, g, &truth) || !truth)
            continue;
        expect_within(&narrow, defined, v, text, condition);
        held++;
    }
    return held;
}

static void test_intervals_hold_what_core_computes(void **state)
{
    unsigned compared = 0, held = 0;
    (void)state;
    for (unsigned i = 0; i < 1500; i++) {
        struct text t = {.n = 0}, g = {.n = 0};
        add_number(&t, (unsigned)below(4));
        add_condition(&g, (unsigned)below(3));
        struct assay_spec *spec = spec_with(t.p, g.p);
        if (assay_spec_model(spec)) {
            held += compare(spec, t.p, g.p);
            compared++;
        }
        assay_spec_free(spec);
    }
    assert_true(compared > 300);
    assert_true(held > 10000);
}

/* ---- events ------------------------------------------------------------ */

static uint16_t event_of(struct assay_env *env, const struct spec_frame *frame, uint8_t from, struct assay_span in)
{
    struct assay_frame_found f = assay_frame_find(env, frame->index, from, in, 0, false);
    env->scratch_used = 0;
    if (f.status == ASSAY_FRAME_PARTIAL)
        return in.n ? ASSAY_EV_EOF_IN_FRAME : ASSAY_EV_EOF;
    if (f.status == ASSAY_FRAME_OVERSIZE)
        return ASSAY_EV_OVERSIZE;
    if (f.status == ASSAY_FRAME_BROKEN)
        return assay_decode_broken(env, frame->index, from, in).event;
    env->frame = in.p;
    return assay_decode(env, frame->index, from, (struct assay_span){in.p, f.content}).event;
}

static uint32_t mutate(uint8_t *bytes, uint32_t n, uint32_t cap)
{
    for (size_t times = below(4); times > 0; times--) {
        uint32_t at = n ? (uint32_t)below(n) : 0;
        switch (below(4)) {
        case 0:
            bytes[at] = (uint8_t)next();
            break;
        case 1:
            n = at;
            break;
        case 2:
            if (n < cap)
                bytes[n++] = (uint8_t)next();
            break;
        default:
            bytes[at] = (uint8_t)(bytes[at] + (below(2) ? 1 : -1));
            break;
        }
    }
    return n;
}

static void mutate_examples(const struct assay_spec *spec, const struct spec_machine *machine, const bool *feasible,
                            bool *seen)
{
    static uint8_t scratch[1 << 22];
    uint8_t from = assay_other_side(machine->role);
    bool alike = spec->frames[0] == spec->frames[1];
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_env env = {.model = spec->model, .slots = slots, .leniencies = next()};
    env.scratch = scratch;
    env.scratch_cap = sizeof scratch;
    SPEC_EACH (struct spec_message, m, &spec->messages)
        SPEC_EACH (struct spec_example, x, &m->examples) {
            uint8_t *bytes = malloc(x->bytes.n + 8);
            assert_non_null(bytes);
            for (unsigned i = 0; (x->from == from || (alike && (m->from & from))) && i < 400; i++) {
                memcpy(bytes, x->bytes.p, x->bytes.n);
                uint32_t n = mutate(bytes, x->bytes.n, x->bytes.n + 8);
                uint16_t event = event_of(&env, machine->in, from, (struct assay_span){bytes, n});
                if (!feasible[event])
                    print_error("%s: %s: '%s' was raised\n", spec->name, machine->name,
                                spec->model->events[event].name);
                assert_true(feasible[event]);
                seen[event] = true;
            }
            free(bytes);
        }
}

/* Also the other way round: what is called feasible does come up, oversize apart where it takes a long input. */
static void test_decoding_raises_feasible_events_only(void **state)
{
    static const char *const names[] = {"spec/candy.yaml",           "spec/msglog.yaml", "pytests/specs/meter.yaml",
                                        "pytests/specs/tagged.yaml", "spec/relay.yaml",  "spec/dispatch.yaml"};
    const char *root = getenv("ASSAY_ROOT");
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        struct assay_diags diags = {0};
        snprintf(path, sizeof path, "%s/%s", root ? root : ".", names[i]);
        struct assay_spec *spec = assay_spec_load(path, &diags);
        assert_non_null(spec);
        SPEC_EACH (struct spec_machine, machine, &spec->machines) {
            bool seen[256] = {false}, *feasible = assay_feasible(spec, machine);
            assert_true(spec->model->scratch <= 1 << 22);
            mutate_examples(spec, machine, feasible, seen);
            for (uint16_t e = 0; e < spec->model->events_count; e++)
                if (feasible[e] && spec->model->events[e].kind == ASSAY_EVK_MESSAGE)
                    assert_true(seen[e]);
        }
        assay_spec_free(spec);
        assay_diags_free(&diags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals_hold_what_core_computes),
        cmocka_unit_test(test_decoding_raises_feasible_events_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

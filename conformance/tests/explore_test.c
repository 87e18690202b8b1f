#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conformance/explore.h"
#include "conformance/tests/loaded.h"

struct bench {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_store store;
    struct assay_inputs inputs;
    struct assay_explored *e;
};

static struct bench start(const char *path)
{
    struct bench b = {.spec = load_spec(path), .e = malloc(sizeof *b.e)};
    return b;
}

/* Its inputs are pointed to: only when the bench stands where it will stay. */
static void explore(struct bench *b)
{
    b->model = assay_spec_model(b->spec);
    struct assay_witness_config config = {
        .spec = b->spec, .model = b->model, .leniencies = assay_leniencies_default(b->model)};
    assay_inputs_make(&b->store, &config, &b->inputs);
    assert_true(assay_explore(b->e, &config, &b->inputs));
}

static void stop(struct bench *b)
{
    assay_explored_free(b->e);
    free(b->e);
    free(b->inputs.items);
    assay_store_free(&b->store);
    assay_spec_free(b->spec);
}

static void test_every_state_on_a_shortest_way(void **state)
{
    struct bench b = start("spec/msglog.yaml");
    static const char *const states[] = {"Name", "Password", "Ready"};
    (void)state;
    explore(&b);
    for (uint32_t depth = 0; depth < 3; depth++) {
        uint32_t node = assay_node_of(b.e, state_named(b.model, states[depth]));
        assert_true(node < b.e->count);
        assert_int_equal(b.e->nodes[node].depth, depth);
    }
    assert_int_equal(assay_node_of(b.e, state_named(b.model, "End")), ASSAY_NODES_MAX);
    assert_true(b.e->capped); /* a user name may be anything */
    stop(&b);
}

static void test_reactions(void **state)
{
    struct bench b = start("spec/msglog.yaml");
    static const uint8_t close_frame[] = {4, 0, 0}, part[] = {1, 3};
    (void)state;
    explore(&b);
    struct assay_reaction r = assay_react(b.e, 0, (struct assay_blob){close_frame, 3}, ASSAY_EV_CONNECT);
    assert_true(r.stepped && r.ended && r.out_size == 1);
    assert_int_equal(b.model->rules[r.rule].req, requirement_named(b.model, "ML-6"));
    r = assay_react(b.e, 0, (struct assay_blob){part, 2}, ASSAY_EV_CONNECT);
    assert_true(r.partial && !r.stepped && !r.ended);
    r = assay_react(b.e, 0, (struct assay_blob){part, 2}, ASSAY_EV_EOF);
    assert_true(r.ended && r.out_size == 0);
    assert_int_equal(r.event, ASSAY_EV_EOF_IN_FRAME);
    stop(&b);
}

/* What is chosen to tell a state from the others must do so. */
static void test_telling_inputs_tell(void **state)
{
    struct bench b = start("spec/msglog.yaml");
    (void)state;
    explore(&b);
    for (uint32_t i = 0; i < b.e->count; i++) {
        size_t input = assay_telling_input(b.e, b.e->nodes[i].state, ASSAY_NONE);
        assert_int_not_equal(input, SIZE_MAX);
        uint32_t here = assay_node_of(b.e, b.e->nodes[i].state);
        for (uint32_t k = 0; k < b.e->count; k++)
            if (b.e->nodes[k].state != b.e->nodes[i].state)
                assert_true(assay_reaction(b.e, here, input)->out_hash != assay_reaction(b.e, k, input)->out_hash);
    }
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_on_a_shortest_way),
        cmocka_unit_test(test_reactions),
        cmocka_unit_test(test_telling_inputs_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

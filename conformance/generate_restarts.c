/* The target is killed and started again in the middle: what it has acknowledged, it has kept. */
#include "conformance/build.h"
#include "conformance/flow.h"

#define BEFORE 0 /* links */
#define BEHIND 1
#define RULES  8

static void turn(struct assay_builder *b, uint8_t link, size_t input)
{
    assay_build_stamped(b, link, input, 0);
    assay_build_await(b, link);
    assay_build_acknowledge(b, link);
}

/* On the first link, what is to be kept. */
static void begin(struct assay_builder *b, const struct assay_flow_place *p, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "restart", "%s", variant);
    assay_build_path(b, BEFORE, p->node);
    turn(b, BEFORE, p->first);
    turn(b, BEFORE, p->other);
    assay_build_step(b, BEHIND, ASSAY_STEP_RESTART);
}

static void kept(struct assay_builder *b, const struct assay_flow_place *p)
{
    begin(b, p, "kept");
    assay_build_path(b, BEHIND, p->node);
    assay_build_await(b, BEHIND);
    assay_build_acknowledge(b, BEHIND);
    turn(b, BEHIND, p->first);
    turn(b, BEHIND, p->third);
    assay_build_finish(b, assay_reaction(&b->explored, p->node, p->first)->rule, ASSAY_CASE_EXCLUSIVE,
                       "what was acknowledged is there when it is started again, and is not added again");
}

/* What was said before still decides how the last message on the way is answered, by each of its rules. */
static void belongs(struct assay_builder *b, const struct assay_flow_place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    uint16_t rules[RULES];
    size_t count = 0;
    for (size_t i = 0; n->depth > 0 && i < b->inputs.count && count < RULES; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, p->node, i);
        const struct assay_input *input = &b->inputs.items[i];
        bool before = !r->stepped || !input->whole || input->message != b->inputs.items[n->path[n->depth - 1]].message;
        for (size_t k = 0; k < count; k++)
            before = before || rules[k] == r->rule;
        if (before)
            continue;
        rules[count++] = r->rule;
        begin(b, p, assay_store_text(b->store, "then-%s", input->label));
        assay_build_path(b, BEHIND, n->parent);
        assay_build_give(b, BEHIND, i);
        b->current.field_req = input->req;
        assay_build_finish(b, r->rule, ASSAY_CASE_EXCLUSIVE, "started again, it is sent %s", input->label);
    }
}

static bool keeps(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->tables_count; i++)
        if (model->tables[i].durable)
            return true;
    for (uint16_t i = 0; i < model->logs_count; i++)
        if (model->logs[i].durable)
            return true;
    return false;
}

void assay_generate_restarts(struct assay_builder *b)
{
    struct assay_flow_place places[ASSAY_FLOW_PLACES_MAX];
    if (!b->stops || !keeps(b->model) || assay_flow_places(b, places) == 0)
        return;
    kept(b, &places[0]);
    belongs(b, &places[0]);
}

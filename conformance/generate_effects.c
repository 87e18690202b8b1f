/* Effects that the wire does not show: what is done, and what is not. Values in them are made from the case's id, so
 * that cases at the same time can be told apart in one log. Where nothing is answered, either, what must not be done is
 * shown by what is done after it. */
#include <string.h>

#include "conformance/build.h"
#include "conformance/records.h"
#include "core/code.h"

#define RAW_PER_RULE    3 /* inputs that are not well formed, for each rule and event at a node */
#define SILENT_PER_NODE 6
#define BATCH_MAX       12 /* inputs in one case */

static bool observable(const struct assay_effect *effect)
{
    bool kept = effect->log != ASSAY_NONE || effect->table != ASSAY_NONE; /* the target sends these itself */
    return assay_effect_shows(effect) && !assay_effect_is(effect, "stop") && !kept;
}

static bool orders(const struct assay_model *model, uint16_t rule, uint16_t effect)
{
    uint16_t code = rule == ASSAY_NONE ? ASSAY_NONE : model->rules[rule].body;
    if (code == ASSAY_NONE)
        return false;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++)
        if (assay_ins_op(model->code[pc]) == ASSAY_OP_EFFECT && assay_ins_b(model->code[pc]) == effect)
            return true;
    return false;
}

/* ---- marked values ------------------------------------------------------- */

/* A copy of an input with every byte string marked by the case's id; the input itself where that does not fit. */
static struct assay_input marked(struct assay_builder *b, const struct assay_input *input)
{
    struct assay_input copy = *input;
    struct assay_value *values = assay_store_copy(b->store, input->values, ASSAY_SLOTS_MAX * sizeof *values);
    struct assay_range fields = b->model->messages[input->message].fields;
    const char *id = b->current.id;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &b->model->fields[i];
        if (f->slot == ASSAY_NONE || !(input->known >> f->slot & 1) || f->form != ASSAY_FORM_BYTES ||
            b->model->types[f->type].kind == ASSAY_T_ENUM)
            continue;
        struct assay_blob mark = {(const uint8_t *)id, (uint32_t)strlen(id)};
        values[f->slot].bytes = assay_build_join(
            b, assay_build_join(b, mark, (struct assay_blob){(const uint8_t *)" ", 1}), values[f->slot].bytes);
    }
    copy.values = values;
    if (!assay_input_encode(b->store, &b->config, &copy))
        return *input;
    return copy;
}

/* Marked, if the same rule then takes it; `prefix` leads to where it is sent. */
static struct assay_blob marked_bytes(struct assay_builder *b, const struct assay_input *input,
                                      struct assay_blob prefix, uint16_t rule)
{
    if (!input->whole)
        return input->bytes;
    struct assay_input copy = marked(b, input);
    struct assay_reaction r = assay_react(&b->explored, 0, assay_build_join(b, prefix, copy.bytes), ASSAY_EV_CONNECT);
    return r.last_rule == rule ? copy.bytes : input->bytes;
}

/* The path to a node with marked values, one of its inputs exchanged for another; returns all bytes sent. */
static struct assay_blob marked_path(struct assay_builder *b, uint32_t node, uint32_t exchanged, size_t for_input)
{
    const struct assay_node *n = &b->explored.nodes[node];
    struct assay_blob sent = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < n->depth; i++) {
        size_t input = i == exchanged ? for_input : n->path[i];
        struct assay_blob bytes =
            marked_bytes(b, &b->inputs.items[input], sent, assay_reaction(&b->explored, at, n->path[i])->rule);
        assay_build_send(b, 0, bytes, 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        sent = assay_build_join(b, sent, bytes);
        at = assay_reaction(&b->explored, at, n->path[i])->next;
    }
    return sent;
}

/* ---- ordered by input ----------------------------------------------------- */

struct place {
    uint32_t node;
    size_t input;
    uint16_t effect;
};

static uint16_t rule_at(const struct assay_builder *b, const struct place *p)
{
    return assay_reaction(&b->explored, p->node, p->input)->rule;
}

static const char *effect_name(const struct assay_builder *b, const struct place *p)
{
    return b->model->effects[p->effect].name;
}

static void begin(struct assay_builder *b, const struct place *p, const char *what, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "effect", "%s%s-%s", what,
                      effect_name(b, p), variant);
}

static void finish(struct assay_builder *b, const struct place *p, uint16_t rule, const char *what)
{
    b->current.observe = effect_name(b, p);
    assay_build_finish(b, rule, ASSAY_CASE_SHARED, "%s: %s", effect_name(b, p), what);
}

static void effect_case(struct assay_builder *b, const struct place *p, unsigned times, const char *variant)
{
    const struct assay_input *input = &b->inputs.items[p->input];
    begin(b, p, "", variant);
    b->current.field_req = input->req;
    struct assay_blob sent = marked_path(b, p->node, UINT32_MAX, 0);
    for (unsigned i = 0; i < times; i++)
        assay_build_send(b, 0, marked_bytes(b, input, sent, rule_at(b, p)), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    finish(b, p, rule_at(b, p), input->label);
}

/* The values of an earlier message come back in the effect. */
static void earlier_value_cases(struct assay_builder *b, const struct place *p)
{
    const struct assay_node *n = &b->explored.nodes[p->node];
    for (uint32_t i = 0, at = 0; i < n->depth; i++) {
        const struct assay_reaction *usual = assay_reaction(&b->explored, at, n->path[i]);
        for (size_t k = 0; k < b->inputs.count; k++) {
            const struct assay_input *input = &b->inputs.items[k];
            if (input->kind != ASSAY_INPUT_SAMPLE || assay_reaction(&b->explored, at, k)->rule != usual->rule)
                continue;
            begin(b, p, "", input->label);
            struct assay_blob sent = marked_path(b, p->node, i, k);
            assay_build_send(b, 0, marked_bytes(b, &b->inputs.items[p->input], sent, rule_at(b, p)), 0);
            assay_build_step(b, 0, ASSAY_STEP_AWAIT);
            finish(b, p, rule_at(b, p), input->label);
        }
        at = usual->next;
    }
}

/* What was refused must not have been done: an effect is asked for by a message that its rule does not take. */
static void refused_case(struct assay_builder *b, const struct place *p)
{
    for (uint32_t node = 0; node < b->explored.count; node++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, p->input);
        if (r->rule == rule_at(b, p) || !r->stepped || r->out_size == 0 || orders(b->model, r->rule, p->effect) ||
            assay_node_of(&b->explored, b->explored.nodes[node].state) != node)
            continue;
        assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[node].state), "effect", "no-%s",
                          effect_name(b, p));
        struct assay_blob sent = marked_path(b, node, UINT32_MAX, 0);
        assay_build_send(b, 0, marked_bytes(b, &b->inputs.items[p->input], sent, r->rule), 0);
        assay_build_step(b, 0, ASSAY_STEP_AWAIT);
        finish(b, p, r->rule, "not where the message is refused");
    }
}

/* An input that is not answered and must not order the effect; then one that does. */
static void silent_case(struct assay_builder *b, const struct place *p, size_t silent)
{
    const struct assay_input *input = &b->inputs.items[silent];
    const struct assay_reaction *r = assay_reaction(&b->explored, p->node, silent);
    begin(b, p, "no-", input->label);
    b->current.field_req = input->req;
    struct assay_blob sent = marked_path(b, p->node, UINT32_MAX, 0);
    assay_build_send(b, 0, input->bytes, 0);
    assay_build_send(b, 0, marked_bytes(b, &b->inputs.items[p->input], sent, rule_at(b, p)), 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    finish(b, p, r->stepped ? r->rule : rule_at(b, p), assay_store_text(b->store, "not by %s", input->label));
}

/* How often a rule was seen at a node, for an event. */
struct seen {
    uint16_t rule, event;
    uint64_t signature;
    unsigned count;
};
struct seen_all {
    struct seen items[128];
    size_t count;
};

static unsigned *times_seen(struct seen_all *all, const struct assay_reaction *r, uint64_t signature)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].rule == r->rule && all->items[i].event == r->event && all->items[i].signature == signature)
            return &all->items[i].count;
    if (all->count == sizeof all->items / sizeof all->items[0])
        return &all->items[0].count;
    all->items[all->count] = (struct seen){.rule = r->rule, .event = r->event, .signature = signature};
    return &all->items[all->count++].count;
}

static void silent_cases(struct assay_builder *b, const struct place *p)
{
    struct seen_all seen = {0};
    unsigned made = 0;
    for (size_t i = 0; i < b->inputs.count && made < SILENT_PER_NODE; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, p->node, i);
        if (b->inputs.items[i].kind == ASSAY_INPUT_CALL || r->partial || r->ended || r->out_size ||
            (r->stepped && r->next != p->node) || (r->stepped && orders(b->model, r->rule, p->effect)) ||
            r->steps > 1 || (*times_seen(&seen, r, b->signatures[i]))++ > 0)
            continue;
        silent_case(b, p, i);
        made++;
    }
}

/* Where the effect does not show what is in the message, one input of each kind will do. */
static bool worth_it(struct assay_builder *b, const struct place *p, struct seen_all *seen)
{
    const struct assay_input *input = &b->inputs.items[p->input];
    const struct assay_reaction *r = assay_reaction(&b->explored, p->node, p->input);
    bool boundary = input->kind == ASSAY_INPUT_BOUNDARY;
    if (input->kind == ASSAY_INPUT_CALL || (boundary && input->bytes.n > 4096))
        return false;
    if (!input->whole || (boundary && b->model->effects[p->effect].args.count == 0))
        return (*times_seen(seen, r, b->signatures[p->input]))++ < (boundary ? 1 : RAW_PER_RULE);
    return true;
}

static void cases_at(struct assay_builder *b, uint32_t node, uint16_t effect)
{
    struct seen_all seen = {0};
    bool first = true;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        struct place p = {node, i, effect};
        if (!r->stepped || r->partial || r->steps != 1 || !orders(b->model, r->rule, effect) || !worth_it(b, &p, &seen))
            continue;
        effect_case(b, &p, 1, b->inputs.items[i].label);
        if (!first)
            continue;
        if (!r->ended)
            effect_case(b, &p, 20, "many");
        earlier_value_cases(b, &p);
        refused_case(b, &p);
        if (!r->ended)
            silent_cases(b, &p);
        first = false;
    }
}

/* ---- everything else that a server may be sent, many in a case ------------- */

struct batch {
    uint16_t rule, event, req;
    size_t inputs[BATCH_MAX];
    size_t count;
};
struct batches {
    struct batch items[64];
    size_t count;
    unsigned made;
};

static void batch_case(struct assay_builder *b, const struct place *p, const struct batch *batch, bool ordered,
                       unsigned number)
{
    const char *event = batch->event == ASSAY_NONE ? "nothing" : assay_build_event_name(b, batch->event);
    begin(b, p, ordered ? "each-" : "none-", assay_store_text(b->store, "%s-%u", event, number));
    b->current.field_req = batch->req;
    assay_build_path(b, 0, p->node);
    for (size_t i = 0; i < batch->count; i++) {
        assay_build_send(b, 0, b->inputs.items[batch->inputs[i]].bytes, 0);
        if (assay_reaction(&b->explored, p->node, batch->inputs[i])->out_size)
            assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    }
    if (!ordered)
        assay_build_send(b, 0, b->inputs.items[p->input].bytes, 0);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    finish(b, p, batch->rule == ASSAY_NONE ? rule_at(b, p) : batch->rule,
           ordered ? "once for each that orders it" : "not by any that must not");
}

static struct batch *batch_for(struct batches *all, const struct assay_reaction *r, uint16_t req)
{
    uint16_t rule = r->stepped ? r->rule : ASSAY_NONE, event = r->stepped ? r->event : ASSAY_NONE;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].rule == rule && all->items[i].event == event && all->items[i].req == req)
            return &all->items[i];
    if (all->count == sizeof all->items / sizeof all->items[0])
        return NULL;
    all->items[all->count] = (struct batch){.rule = rule, .event = event, .req = req};
    return &all->items[all->count++];
}

/* Inputs at the node that order the effect, or those that are not answered and must not; by rule and requirement. */
static void batches_of(struct assay_builder *b, const struct place *p, bool ordered, struct batches *all)
{
    all->count = all->made = 0;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_input *input = &b->inputs.items[i];
        const struct assay_reaction *r = assay_reaction(&b->explored, p->node, i);
        bool orders_it = r->stepped && orders(b->model, r->rule, p->effect);
        if (input->kind == ASSAY_INPUT_CALL || r->partial || r->ended || r->steps > 1 ||
            (r->stepped && r->next != p->node) || orders_it != ordered || (!ordered && r->out_size))
            continue;
        struct batch *batch = batch_for(all, r, input->req);
        if (!batch)
            continue;
        batch->inputs[batch->count++] = i;
        if (batch->count < BATCH_MAX)
            continue;
        batch_case(b, p, batch, ordered, ++all->made);
        batch->count = 0;
    }
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].count)
            batch_case(b, p, &all->items[i], ordered, ++all->made);
}

static void all_inputs_at(struct assay_builder *b, uint32_t node, uint16_t effect)
{
    static struct batches none;
    struct batches *all = assay_store_copy(b->store, &none, sizeof none);
    for (size_t i = 0; i < b->inputs.count; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        struct place p = {node, i, effect};
        if (!r->stepped || r->partial || r->ended || r->steps != 1 || r->out_size || r->next != node ||
            b->inputs.items[i].kind == ASSAY_INPUT_CALL || !orders(b->model, r->rule, effect))
            continue;
        batches_of(b, &p, true, all);
        batches_of(b, &p, false, all);
        return;
    }
}

/* ---- ordered by the end of a link ----------------------------------------- */

struct end_place {
    uint32_t node;
    uint16_t effect, rule;
    enum assay_step_kind end;
    size_t part; /* an input that leaves something for the effect to show; SIZE_MAX: none */
};

/* An input after which the effect, ordered by the end, shows more. */
static size_t part_for(struct assay_builder *b, uint32_t node, uint16_t effect)
{
    const struct assay_effect *e = &b->model->effects[effect];
    for (size_t i = 0; i < b->inputs.count && assay_effect_is(e, "release"); i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        for (uint16_t k = 0; k < b->model->effects_count && r->stepped && !r->ended && r->next == node; k++)
            if (assay_effect_is(&b->model->effects[k], "gather") && orders(b->model, r->rule, k))
                return i;
    }
    return SIZE_MAX;
}

static void put_part(struct assay_builder *b, const struct end_place *p, uint8_t link)
{
    struct assay_blob mark = {(const uint8_t *)b->current.id, (uint32_t)strlen(b->current.id)};
    struct assay_blob number = {(const uint8_t *)(link ? "\n1 " : "\n0 "), 3};
    if (p->part == SIZE_MAX)
        return;
    if (b->frame->end == ASSAY_END_STREAM)
        assay_build_send(b, link, assay_build_join(b, mark, number), 0);
    assay_build_send(b, link, b->inputs.items[p->part].bytes, 0);
}

static void begin_end(struct assay_builder *b, const struct end_place *p, const char *variant)
{
    assay_build_begin(b, assay_build_state_name(b, b->explored.nodes[p->node].state), "effect", "%s-at-%s-%s",
                      b->model->effects[p->effect].name, p->end == ASSAY_STEP_EOF ? "eof" : "reset", variant);
}

static void end_link(struct assay_builder *b, const struct end_place *p, uint8_t link)
{
    assay_build_step(b, link, p->end);
    if (p->end == ASSAY_STEP_EOF)
        assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

static void finish_end(struct assay_builder *b, const struct end_place *p, const char *what)
{
    b->current.observe = b->model->effects[p->effect].name;
    assay_build_finish(b, p->rule, ASSAY_CASE_SHARED, "%s %s", b->model->effects[p->effect].name, what);
}

static void end_case(struct assay_builder *b, const struct end_place *p, unsigned parts, const char *variant)
{
    begin_end(b, p, variant);
    assay_build_path(b, 0, p->node);
    for (unsigned i = 0; i < parts; i++)
        put_part(b, p, 0);
    end_link(b, p, 0);
    finish_end(b, p, "when the link ends");
}

/* What two links leave stays together, in the order in which they end. */
static void two_links(struct assay_builder *b, const struct end_place *p)
{
    begin_end(b, p, "two-links");
    for (uint8_t link = 0; link < 2; link++)
        assay_build_path(b, link, p->node);
    for (unsigned i = 0; i < 6; i++)
        put_part(b, p, (uint8_t)(i % 2));
    end_link(b, p, 1);
    end_link(b, p, 0);
    finish_end(b, p, "stays together");
}

/* What one link leaves when it breaks off is nobody's. */
static void broken_off(struct assay_builder *b, const struct end_place *p)
{
    begin_end(b, p, "broken-off-before");
    assay_build_path(b, 0, p->node);
    put_part(b, p, 0);
    assay_build_step(b, 0, ASSAY_STEP_RESET);
    assay_build_path(b, 1, p->node);
    put_part(b, p, 1);
    end_link(b, p, 1);
    finish_end(b, p, "not of a link that broke off");
}

static void ends_at(struct assay_builder *b, uint32_t node, uint16_t effect)
{
    static const struct {
        enum assay_builtin_event event;
        enum assay_step_kind step;
    } ends[] = {{ASSAY_EV_EOF, ASSAY_STEP_EOF}, {ASSAY_EV_RESET, ASSAY_STEP_RESET}};
    struct assay_blob nothing = {0};
    uint16_t at_reset = assay_react(&b->explored, node, nothing, ASSAY_EV_RESET).rule;
    for (size_t i = 0; i < 2; i++) {
        struct assay_reaction r = assay_react(&b->explored, node, nothing, ends[i].event);
        struct end_place p = {node, effect, r.rule, ends[i].step, part_for(b, node, effect)};
        if (!r.stepped || !orders(b->model, r.rule, effect))
            continue;
        end_case(b, &p, 0, "at-once");
        if (p.part == SIZE_MAX)
            continue;
        end_case(b, &p, 1, "one-part");
        end_case(b, &p, 20, "many-parts");
        two_links(b, &p);
        if (!orders(b->model, at_reset, effect))
            broken_off(b, &p);
    }
}

void assay_generate_effects(struct assay_builder *b)
{
    for (uint16_t effect = 0; effect < b->model->effects_count; effect++)
        for (uint32_t node = 0; observable(&b->model->effects[effect]) && node < b->explored.count; node++) {
            if (assay_node_of(&b->explored, b->explored.nodes[node].state) != node)
                continue;
            cases_at(b, node, effect);
            if (node == 0)
                all_inputs_at(b, node, effect);
            if (b->frame->end != ASSAY_END_DATAGRAM)
                ends_at(b, node, effect);
        }
}

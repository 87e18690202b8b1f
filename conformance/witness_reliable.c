/* Inputs that hold what only a session tells: seals that the target made, numbers, its session. */
#include <string.h>

#include "conformance/side.h"
#include "conformance/witness.h"
#include "core/code.h"
#include "core/engine.h"

#define MARK_SIZE 5u

/* The slot that a seal stands in, for each that the guard asks: the first of what is pushed. */
static uint64_t sealed_in(const struct assay_model *model, uint16_t code)
{
    uint64_t slots = 0;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++) {
        uint32_t ins = model->code[pc], count = assay_ins_a(ins);
        if (assay_ins_op(ins) != ASSAY_OP_SEALED || pc - code < count)
            continue;
        uint32_t first = model->code[pc - count];
        if (assay_ins_op(first) == ASSAY_OP_SLOT && assay_ins_b(first) < 64)
            slots |= (uint64_t)1 << assay_ins_b(first);
    }
    return slots;
}

uint64_t assay_sealed_slots(const struct assay_model *model, uint16_t machine, uint16_t message)
{
    struct assay_range states = model->machines[machine].states;
    uint64_t slots = 0;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++) {
        uint16_t at = model->transitions[s * model->events_count + model->messages[message].event];
        for (; at != ASSAY_NONE && model->rule_lists[at] != ASSAY_NONE; at++) {
            const struct assay_rule *rule = &model->rules[model->rule_lists[at]];
            if (rule->machine == machine && rule->guard != ASSAY_NONE)
                slots |= sealed_in(model, rule->guard);
        }
    }
    return slots;
}

struct assay_blob assay_first_placeholder(struct assay_store *store, uint32_t size)
{
    uint8_t *p = assay_store(store, size + MARK_SIZE + 1u);
    memset(p, 0, size + MARK_SIZE + 1u);
    memcpy(p, ASSAY_MARK, MARK_SIZE);
    p[MARK_SIZE] = 1;
    return (struct assay_blob){p, size};
}

static bool draws_in(const struct assay_model *model, uint16_t code, uint16_t var)
{
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++)
        if (assay_ins_op(model->code[pc]) == ASSAY_OP_RANDOM && assay_popped_into(model, pc, end) == var)
            return true;
    return false;
}

bool assay_draws_session(const struct assay_model *model, uint16_t machine)
{
    uint16_t session = model->machines[machine].session;
    for (uint16_t i = 0; session != ASSAY_NONE && i < model->rules_count; i++)
        if (model->rules[i].machine == machine && draws_in(model, model->rules[i].body, session))
            return true;
    return false;
}

bool assay_is_reliable(const struct assay_model *model, uint16_t message)
{
    if (!model->reliables_count)
        return false;
    const struct assay_reliable *r = &model->reliables[0];
    for (uint32_t i = 0; i < r->messages.count; i++)
        if (model->reliable_messages[r->messages.first + i] == message)
            return true;
    return false;
}

struct assay_stamp assay_stamp_for(const struct assay_witness_config *config, const struct assay_input *input,
                                   struct assay_blob usual)
{
    const struct assay_model *model = config->model;
    struct assay_stamp stamp = {0};
    if (!model->reliables_count || !input->whole)
        return stamp;
    const struct assay_reliable *r = &model->reliables[0];
    if (assay_is_reliable(model, input->message))
        stamp.kind = ASSAY_STAMP_NUMBER;
    else if (input->message == r->ack && input->kind == ASSAY_INPUT_EXAMPLE)
        stamp.kind = ASSAY_STAMP_ACK;
    if (usual.n && r->session != ASSAY_NONE && (input->known >> r->session & 1)) {
        struct assay_blob session = input->values[r->session].bytes;
        stamp.session = session.n == usual.n && memcmp(session.p, usual.p, usual.n) == 0;
    }
    return stamp;
}

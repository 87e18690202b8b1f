/* Mutation operators of clients: what calls end with, how long they may take, and connecting again. */
#include "conformance/operator.h"

#define SPARE_SLOT (ASSAY_SLOTS_MAX - 1u)

/* ---- how calls end ------------------------------------------------------- */

static bool error_for_result(struct assay_lab *lab)
{
    uint32_t put[17], n = assay_ins_a(lab->m->code[lab->mutation->at]);
    for (uint32_t i = 0; i < n && i < 16; i++)
        put[i] = assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT);
    if (n > 16 || lab->m->errors_count == 0)
        return false;
    put[n] = assay_ins(ASSAY_OP_ERROR, 0, 0);
    return assay_lab_replace(lab, 1, put, n + 1, "a call fails that is through in the");
}

static bool result_for_error(struct assay_lab *lab)
{
    uint32_t put[2], n = 0;
    if (assay_ins_a(lab->m->code[lab->mutation->at]))
        put[n++] = assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT);
    put[n++] = assay_ins(ASSAY_OP_RESULT, 0, 0);
    return assay_lab_replace(lab, 1, put, n, "a call is through that failed in the");
}

static void each_error(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    uint32_t ins = l->m->code[pc];
    if (part == ASSAY_PART_GUARD || assay_ins_op(ins) != ASSAY_OP_ERROR)
        return;
    for (uint16_t i = 0; i < l->m->errors_count; i++)
        if (i != assay_ins_b(ins))
            assay_mutation_add(l, rule, pc, i);
}

static bool another_error(struct assay_lab *lab)
{
    uint32_t ins = lab->m->code[lab->mutation->at];
    const uint32_t put[] = {assay_ins(ASSAY_OP_ERROR, assay_ins_a(ins), (unsigned)lab->mutation->variant)};
    return assay_lab_replace(lab, 1, put, 1, "another error is told in the");
}

static void each_value(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    if (part != ASSAY_PART_GUARD && assay_ins_op(l->m->code[pc]) == ASSAY_OP_RESULT && assay_ins_a(l->m->code[pc]))
        assay_mutation_add(l, rule, pc, 0);
}

/* The last value of a result is 0, or empty. */
static bool value_lost(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT), assay_ins(ASSAY_OP_INT, 0, 0)};
    return assay_lab_replace(lab, 0, put, 2, "a result's value is lost in the");
}

/* ---- how long they may take ---------------------------------------------- */

static void list_limits(struct assay_lister *l)
{
    for (uint16_t i = 0; i < l->m->calls_count; i++)
        if (l->m->calls[i].machine == l->machine && l->m->calls[i].within > 0)
            assay_mutation_add(l, i, 0, 0);
}

static bool limit_missing(struct assay_lab *lab)
{
    ASSAY_OWN(lab, calls, 0);
    struct assay_call *c = ASSAY_MUTABLE(struct assay_call, &lab->m->calls[lab->mutation->index]);
    c->within = 0;
    assay_lab_say(lab, "waits for ever:", c->name);
    return true;
}

/* ---- connecting again ---------------------------------------------------- */

enum again_fault {
    STAYS_AWAY,
    AT_ONCE,
    MUCH_LATER,
    MUCH_EARLIER,
    NEVER_GROWS,
    NO_CAP,
    FOR_EVER,
    GIVES_UP,
    AGAIN_FAULTS
};

static void list_again(struct assay_lister *l)
{
    for (int32_t v = STAYS_AWAY; l->m->machines[l->machine].reconnect.pause != ASSAY_NONE && v < AGAIN_FAULTS; v++)
        assay_mutation_add(l, l->machine, 0, v);
}

static uint16_t scaled(struct assay_lab *lab, uint16_t code, enum assay_op op, unsigned by)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, by), assay_ins(op, 0, 0)};
    return assay_lab_rewrite(lab, code, assay_code_end(lab->m, code), 0, put, 2);
}

static bool again_changed(struct assay_lab *lab, struct assay_reconnect *r)
{
    const struct assay_reconnect old = *r;
    switch ((enum again_fault)lab->mutation->variant) {
    case STAYS_AWAY:
        r->pause = ASSAY_NONE;
        return true;
    case AT_ONCE:
        r->pause = scaled(lab, r->pause, ASSAY_OP_MUL, 0);
        return r->pause != ASSAY_NONE;
    case MUCH_LATER:
        r->pause = scaled(lab, r->pause, ASSAY_OP_MUL, 4);
        return r->pause != ASSAY_NONE;
    case MUCH_EARLIER:
        r->pause = scaled(lab, r->pause, ASSAY_OP_DIV, 4);
        return r->pause != ASSAY_NONE;
    case NEVER_GROWS:
        r->growth = 100;
        return old.growth != 100;
    case NO_CAP:
        r->cap = 0;
        return old.cap != 0 && old.growth != 100;
    case FOR_EVER:
        r->most = 0;
        return old.most != 0;
    case GIVES_UP:
        r->most = 1;
        return old.most != 1;
    case AGAIN_FAULTS:
        break;
    }
    return false;
}

static bool again_wrong(struct assay_lab *lab)
{
    static const char *const texts[] = {"never",
                                        "without a pause",
                                        "four times too late",
                                        "four times too early",
                                        "without growth",
                                        "with pauses uncapped",
                                        "for ever",
                                        "once only"};
    ASSAY_OWN(lab, machines, 0);
    struct assay_machine *m = ASSAY_MUTABLE(struct assay_machine, &lab->m->machines[lab->mutation->index]);
    assay_lab_say(lab, "connects again", texts[lab->mutation->variant]);
    return again_changed(lab, &m->reconnect);
}

const struct assay_operator assay_operators_calls[] = {
    {"error-for-result", .action = ASSAY_OP_RESULT, .apply = error_for_result},
    {"result-for-error", .action = ASSAY_OP_ERROR, .apply = result_for_error},
    {"another-error", .code = each_error, .apply = another_error},
    {"value-lost", .code = each_value, .apply = value_lost},
    {"call-limit-missing", .model = list_limits, .apply = limit_missing},
    {"reconnect-wrong", .model = list_again, .apply = again_wrong},
    {0},
};

/* Mutation operators: what is acknowledged and sent again, logs, seals and sums. */
#include "conformance/operator.h"

enum reliable_fault {
    DELIVERED,
    NOT_ACKNOWLEDGED,
    NO_ORDER,
    WRAPS_EARLY,
    NO_WRAP,
    NO_BACKOFF,
    FAST_BACKOFF,
    NO_CAP,
    LATE,
    EARLY,
    NEVER_GIVES_UP,
    GIVES_UP_EARLY,
    GIVES_UP_LATE,
    NARROW,
    NO_SESSION,
    RELIABLE_FAULTS
};

static void list_reliable(struct assay_lister *l)
{
    for (int32_t v = 0; l->m->reliables_count && v < RELIABLE_FAULTS; v++)
        assay_mutation_add(l, 0, 0, v);
}

/* The duration four times as long, or a quarter of it. */
static bool scaled(struct assay_lab *lab, uint16_t *code, enum assay_op op, const char *what)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, 4), assay_ins(op, 0, 0)};
    if (*code == ASSAY_NONE)
        return false;
    *code = assay_lab_rewrite(lab, *code, assay_code_end(lab->m, *code), 0, put, 2);
    assay_lab_say(lab, what, "");
    return *code != ASSAY_NONE;
}

static bool forgotten(struct assay_lab *lab, uint16_t *what, const char *text)
{
    bool there = *what != ASSAY_NONE;
    *what = ASSAY_NONE;
    assay_lab_say(lab, text, "");
    return there;
}

static bool set_byte(struct assay_lab *lab, uint8_t *to, uint8_t value, const char *text)
{
    bool other = *to != value;
    *to = value;
    assay_lab_say(lab, text, "");
    return other;
}

static bool set_factor(struct assay_lab *lab, struct assay_reliable *r, uint16_t factor, const char *text)
{
    bool other = r->factor != factor;
    r->factor = factor;
    assay_lab_say(lab, text, "");
    return other;
}

static bool narrow(struct assay_lab *lab, struct assay_reliable *r)
{
    bool other = r->window > 1;
    r->window = 1;
    assay_lab_say(lab, "nothing is kept that is ahead of its turn", "");
    return other;
}

static bool no_session(struct assay_lab *lab, struct assay_reliable *r)
{
    ASSAY_OWN(lab, machines, 0);
    (void)r;
    return forgotten(lab, &ASSAY_MUTABLE(struct assay_machine, &lab->m->machines[lab->machine])->session,
                     "messages of any session are taken");
}

static bool reliable_wrong(struct assay_lab *lab)
{
    ASSAY_OWN(lab, reliables, 0);
    struct assay_reliable *r = ASSAY_MUTABLE(struct assay_reliable, &lab->m->reliables[0]);
    lab->mutant->req = r->req;
    switch ((enum reliable_fault)lab->mutation->variant) {
    case DELIVERED:
        return set_byte(lab, &r->duplicate, ASSAY_DUPLICATE_DELIVER, "what comes twice is taken twice");
    case NOT_ACKNOWLEDGED:
        return set_byte(lab, &r->duplicate, ASSAY_DUPLICATE_IGNORE, "what comes twice is not acknowledged again");
    case NO_ORDER:
        return set_byte(lab, &r->order, ASSAY_ORDER_NONE, "what comes ahead of its turn is taken at once");
    case WRAPS_EARLY:
        return set_byte(lab, &r->bits, (uint8_t)(r->bits - 1), "numbers wrap at half of them");
    case NO_WRAP:
        return set_byte(lab, &r->bits, (uint8_t)(r->bits + 1), "numbers do not wrap");
    case NO_BACKOFF:
        return set_factor(lab, r, 100, "pauses do not grow");
    case FAST_BACKOFF:
        return set_factor(lab, r, 800, "pauses grow eight times");
    case NO_CAP:
        return forgotten(lab, &r->cap, "pauses grow without end");
    case LATE:
        return scaled(lab, &r->first, ASSAY_OP_MUL, "sent again four times too late");
    case EARLY:
        return scaled(lab, &r->first, ASSAY_OP_DIV, "sent again four times too early");
    case NEVER_GIVES_UP:
        return forgotten(lab, &r->give_up, "never gives up");
    case GIVES_UP_EARLY:
        return scaled(lab, &r->give_up, ASSAY_OP_DIV, "gives up four times too early");
    case GIVES_UP_LATE:
        return scaled(lab, &r->give_up, ASSAY_OP_MUL, "gives up four times too late");
    case NARROW:
        return narrow(lab, r);
    case NO_SESSION:
        return no_session(lab, r);
    case RELIABLE_FAULTS:
        break;
    }
    return false;
}

/* ---- logs ----------------------------------------------------------------- */

enum log_fault { WINDOW_IGNORED, BATCH_IGNORED, ALL_FOLLOW, NOT_UNIQUE, NOT_KEPT, LOG_FAULTS };

static void list_logs(struct assay_lister *l)
{
    for (uint32_t i = 0; i < l->m->logs_count; i++)
        for (int32_t v = 0; l->m->logs[i].machine == l->machine && v < LOG_FAULTS; v++)
            assay_mutation_add(l, i, 0, v);
}

static bool log_wrong(struct assay_lab *lab)
{
    ASSAY_OWN(lab, logs, 0);
    struct assay_log *log = ASSAY_MUTABLE(struct assay_log, &lab->m->logs[lab->mutation->index]);
    bool other = log->unique != 0;
    lab->mutant->req = log->req;
    switch ((enum log_fault)lab->mutation->variant) {
    case WINDOW_IGNORED:
        return forgotten(lab, &log->window, "rows go out however many are on their way");
    case BATCH_IGNORED:
        return forgotten(lab, &log->batch, "rows go out before there is a batch of them");
    case ALL_FOLLOW:
        return forgotten(lab, &log->follows, "rows go to those who do not want them");
    case NOT_UNIQUE:
        log->unique = 0;
        assay_lab_say(lab, "what is there is added again:", log->name);
        return other;
    case NOT_KEPT:
        other = log->durable;
        log->durable = false;
        assay_lab_say(lab, "what was kept is lost when it is started again:", log->name);
        return other;
    case LOG_FAULTS:
        break;
    }
    return false;
}

/* ---- effects: done is not waited for ---------------------------------------- */

static bool orders(const struct assay_model *m, uint16_t rule, uint32_t effect)
{
    uint16_t code = m->rules[rule].body;
    if (code == ASSAY_NONE)
        return false;
    for (uint32_t pc = code, end = assay_code_end(m, code); pc < end; pc++)
        if (assay_ins_op(m->code[pc]) == ASSAY_OP_EFFECT && assay_ins_b(m->code[pc]) == effect)
            return true;
    return false;
}

static void list_effects(struct assay_lister *l)
{
    for (uint32_t i = 0; i < l->m->effects_count; i++)
        for (uint16_t rule = 0; l->m->effects[i].fallible && l->m->reliables_count && rule < l->m->rules_count; rule++)
            if (l->m->rules[rule].machine == l->machine && orders(l->m, rule, i)) {
                assay_mutation_add(l, i, rule, 0);
                break;
            }
}

static bool not_waited_for(struct assay_lab *lab)
{
    ASSAY_OWN(lab, effects, 0);
    struct assay_effect *effect = ASSAY_MUTABLE(struct assay_effect, &lab->m->effects[lab->mutation->index]);
    effect->fallible = false;
    lab->mutant->req = lab->m->rules[lab->mutation->at].req;
    assay_lab_say(lab, "acknowledged before it is done:", effect->name);
    return true;
}

/* ---- seals ------------------------------------------------------------------- */

static bool asks_peer(const struct assay_model *m, uint32_t pc)
{
    return assay_ins_op(m->code[pc]) == ASSAY_OP_PEER;
}

static void list_peers(struct assay_lister *l)
{
    for (uint16_t rule = 0; l->m->blobs_count && rule < l->m->rules_count; rule++) {
        uint16_t guard = l->m->rules[rule].machine == l->machine ? l->m->rules[rule].guard : ASSAY_NONE;
        for (uint32_t pc = guard; guard != ASSAY_NONE && pc < assay_code_end(l->m, guard); pc++)
            if (asks_peer(l->m, pc)) {
                assay_mutation_add(l, rule, 0, 0);
                return;
            }
    }
}

/* In all of its rules: what is sealed is good for everybody. */
static bool peer_forgotten(struct assay_lab *lab)
{
    ASSAY_OWN(lab, code, 0);
    for (uint32_t pc = 0; pc < lab->m->code_count; pc++)
        if (asks_peer(lab->m, pc))
            *ASSAY_MUTABLE(uint32_t, &lab->m->code[pc]) = assay_ins(ASSAY_OP_BLOB, 0, 0);
    lab->mutant->req = lab->m->rules[lab->mutation->index].req;
    assay_lab_say(lab, "what was sealed for one address is good for all", "");
    return true;
}

enum seal_fault { NEVER_OLD, OLD_AT_ONCE, SEAL_FAULTS };

static void list_seals(struct assay_lister *l)
{
    struct assay_mutations one = *l->to;
    list_peers(l);
    for (int32_t v = 1; one.count < l->to->count && v < SEAL_FAULTS; v++)
        assay_mutation_add(l, l->to->items[one.count].index, 0, v);
}

static bool seals_hold_otherwise(struct assay_lab *lab)
{
    bool old = lab->mutation->variant == NEVER_OLD;
    lab->m->limits.seal = old ? INT64_MAX / 4 : 1;
    lab->mutant->req = lab->m->rules[lab->mutation->index].req;
    assay_lab_say(lab, old ? "what was sealed is good for ever" : "what was sealed is too old at once", "");
    return true;
}

/* ---- sums -------------------------------------------------------------------- */

static void list_sums(struct assay_lister *l)
{
    struct assay_range fields = l->m->frames[l->m->machines[l->machine].frame_in].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (l->m->fields[i].sum)
            assay_mutation_add(l, i, 0, 0);
}

/* It reads by a frame of its own, in which that field is one like any other. */
static bool sum_ignored(struct assay_lab *lab)
{
    ASSAY_OWN(lab, machines, 0);
    struct assay_machine *machine = ASSAY_MUTABLE(struct assay_machine, &lab->m->machines[lab->machine]);
    struct assay_range old = lab->m->frames[machine->frame_in].fields;
    uint16_t first = lab->m->fields_count;
    lab->mutant->req = lab->m->fields[lab->mutation->index].req;
    ASSAY_OWN(lab, fields, old.count);
    ASSAY_OWN(lab, frames, 1);
    for (uint16_t i = 0; i < old.count; i++) {
        struct assay_field *f = ASSAY_MUTABLE(struct assay_field, &lab->m->fields[first + i]);
        *f = lab->m->fields[old.first + i];
        if (old.first + i == lab->mutation->index)
            f->sum = 0, f->is = f->check = ASSAY_NONE;
    }
    struct assay_frame *frame = ASSAY_MUTABLE(struct assay_frame, &lab->m->frames[lab->m->frames_count]);
    *frame = lab->m->frames[machine->frame_in];
    frame->fields.first = first;
    if (frame->body != ASSAY_NONE)
        frame->body = (uint16_t)(frame->body - old.first + first);
    lab->m->fields_count = (uint16_t)(first + old.count);
    machine->frame_in = lab->m->frames_count++;
    assay_lab_say(lab, "the sum is not checked", "");
    return true;
}

const struct assay_operator assay_operators_reliable[] = {
    {"reliable-wrong", .model = list_reliable, .apply = reliable_wrong},
    {"log-wrong", .model = list_logs, .apply = log_wrong},
    {"effect-not-awaited", .model = list_effects, .apply = not_waited_for},
    {"address-forgotten", .model = list_peers, .apply = peer_forgotten},
    {"seal-wrong", .model = list_seals, .apply = seals_hold_otherwise},
    {"sum-ignored", .model = list_sums, .apply = sum_ignored},
    {0},
};

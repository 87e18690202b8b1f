/* Sums, stateless rules, rows that are sent, what is acknowledged. */
#include "compiler/check_body.h"
#include "compiler/lower.h"
#include "compiler/types.h"

/* ---- sums -------------------------------------------------------------- */

static bool is_sum(const struct spec_field *f)
{
    return f->is && f->is->kind == SPEC_E_CALL && f->is->count == 0 && f->is->ref.function &&
           f->is->ref.function->id == SPEC_F_SUM;
}

static void check_sum(struct assay_spec *spec, const struct spec_field *f, uint64_t bits_before)
{
    unsigned bits = assay_function_sum_bits((uint8_t)f->is->number);
    if (f->type->form != ASSAY_FORM_INT || f->type->kind != ASSAY_T_INT || f->type->bits != bits ||
        (f->type->flags & ASSAY_F_SIGNED))
        assay_expr_error(spec, f->is, "%s() has %u bits: the field that holds it is u%u", f->is->name, bits, bits);
    else if (assay_may_lack(f))
        assay_expr_error(spec, f->is, "the field that holds a sum is always there");
    else if (bits_before % 8)
        assay_expr_error(spec, f->is, "the field that holds a sum begins at a whole byte");
}

static void check_frame(struct assay_spec *spec, const struct spec_frame *frame)
{
    const struct spec_field *first = NULL;
    uint64_t bits = 0;
    SPEC_EACH (struct spec_field, f, &frame->fields) {
        if (is_sum(f) && first)
            assay_expr_error(spec, f->is, "the frame has a sum already (line %u)", first->at.line);
        else if (is_sum(f))
            check_sum(spec, f, bits);
        first = !first && is_sum(f) ? f : first;
        bits += f->type->form == ASSAY_FORM_INT ? f->type->bits : 0;
    }
}

void assay_check_sums(struct assay_spec *spec)
{
    for (unsigned i = 0; i < 2; i++)
        if (spec->frames[i] && (i == 0 || spec->frames[0] != spec->frames[1]))
            check_frame(spec, spec->frames[i]);
}

/* ---- stateless rules --------------------------------------------------- */

/* What keeps something; NULL: nothing does. */
static const struct spec_action *keeps(const struct spec_list *actions)
{
    if (!actions)
        return NULL;
    SPEC_EACH (struct spec_action, a, actions) {
        bool harmless =
            a->kind == SPEC_A_LET || a->kind == SPEC_A_SEND || a->kind == SPEC_A_IF || a->kind == SPEC_A_CHOOSE;
        const struct spec_action *found = harmless ? keeps(a->body) : a;
        found = found ? found : keeps(a->otherwise);
        SPEC_EACH (struct spec_way, w, &a->ways)
            found = found ? found : keeps(&w->body);
        if (found || (a->kind == SPEC_A_SEND && a->message->reliable))
            return found ? found : a;
    }
    return NULL;
}

/* The shortest message that raises the event. */
static uint32_t shortest(const struct assay_spec *spec, const struct spec_machine *machine,
                         const struct spec_event *event, const char **name)
{
    uint32_t least = 0;
    *name = event->name;
    if (event->message)
        return assay_message_min(spec, event->message);
    if (event->kind != ASSAY_EVK_BUILTIN || event->index != ASSAY_EV_STALE || !spec->reliable)
        return 0;
    SPEC_EACH (struct spec_message, m, &spec->reliable->messages) {
        uint32_t size = assay_message_min(spec, m);
        if (!(m->from & assay_other_side(machine->role)) || (least && size >= least))
            continue;
        least = size;
        *name = m->name;
    }
    return least;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* assay_sent_by() looks at no more of the lowering than its spec. */
static uint64_t most_sent(struct assay_spec *spec, const struct spec_rule *rule)
{
    struct lower l = {.spec = spec};
    uint64_t most = assay_sent_by(&l, &rule->body);
    if (rule->otherwise)
        most = larger(most, assay_sent_by(&l, rule->otherwise));
    SPEC_EACH (struct spec_way, w, &rule->may)
        most = larger(most, assay_sent_by(&l, &w->body));
    return most;
}

static void check_reply(struct assay_spec *spec, const struct spec_machine *machine, const struct spec_rule *rule)
{
    uint64_t most = most_sent(spec, rule);
    SPEC_EACH (struct spec_event, event, &rule->events) {
        const char *name;
        uint32_t least = shortest(spec, machine, event, &name);
        if (most <= least)
            continue;
        assay_spec_error(spec, rule->stateless->key->at,
                         "a stateless rule sends no more than it was sent: this one sends up to %llu bytes, and %s may "
                         "have %u",
                         (unsigned long long)most, least ? name : "what it answers", least);
        return;
    }
}

static void check_stateless(struct assay_spec *spec, const struct spec_machine *machine, const struct spec_rule *rule)
{
    const struct spec_action *kept = keeps(&rule->body);
    kept = kept ? kept : keeps(rule->otherwise);
    SPEC_EACH (struct spec_way, w, &rule->may)
        kept = kept ? kept : keeps(&w->body);
    if (!(machine->role & ASSAY_SERVER) || !machine->datagram)
        assay_spec_error(spec, rule->stateless->key->at,
                         "'stateless' is for servers over datagrams, whose sources are not proven");
    else if (kept)
        assay_spec_error(spec, kept->at,
                         "a stateless rule keeps nothing: it sends messages that are not of 'reliable', and no more");
    else
        check_reply(spec, machine, rule);
}

/* ---- declining --------------------------------------------------------- */

static const struct spec_action *declines(const struct spec_list *actions)
{
    const struct spec_action *found = NULL;
    if (!actions)
        return NULL;
    SPEC_EACH (struct spec_action, a, actions) {
        found = found ? found : a->kind == SPEC_A_DECLINE ? a : declines(a->body);
        found = found ? found : declines(a->otherwise);
        SPEC_EACH (struct spec_way, w, &a->ways)
            found = found ? found : declines(&w->body);
    }
    return found;
}

static void check_decline(struct assay_spec *spec, const struct spec_rule *rule)
{
    const struct spec_action *a = declines(&rule->body);
    a = a ? a : declines(rule->otherwise);
    SPEC_EACH (struct spec_way, w, &rule->may)
        a = a ? a : declines(&w->body);
    if (!a)
        return;
    SPEC_EACH (struct spec_event, event, &rule->events)
        if (!event->message || !event->message->reliable) {
            assay_spec_error(spec, a->at, "'%s' cannot be declined: it is not among the messages of 'reliable'",
                             event->name);
            return;
        }
}

/* ---- rows -------------------------------------------------------------- */

/* A row that could not be sent would hold up all behind it. */
static void check_row(struct assay_spec *spec, const struct spec_follow *f)
{
    struct facts facts = {.spec = spec};
    struct body b = {.spec = spec, .facts = &facts, .role = ASSAY_SERVER, .frame_out = f->machine->out, .in_row = true};
    SPEC_EACH (struct spec_action, a, &f->rule->body)
        assay_check_send(&b, a);
}

/* ---- all --------------------------------------------------------------- */

void assay_check_shared(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_machine, m, &spec->machines) {
        if (m->implicit)
            continue;
        SPEC_EACH (struct spec_rule, rule, &m->rules) {
            if (rule->stateless)
                check_stateless(spec, m, rule);
            check_decline(spec, rule);
        }
    }
    SPEC_EACH (struct spec_log, log, &spec->logs)
        if (log->follow)
            check_row(spec, log->follow);
}

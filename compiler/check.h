/* Checks of meaning: what the files check*.c share. All of them look at a
 * resolved spec and add to its diagnostics; none changes it. */
#ifndef ASSAY_COMPILER_CHECK_H
#define ASSAY_COMPILER_CHECK_H

#include "compiler/spec.h"

/* ---- what values an expression can have (check_range.c) ----------------- */

struct value_range {
    int64_t min, max;            /* of the value; of bytes their size, of a list its elements */
    struct assay_byteset bytes;  /* BYTES, TEXT: bytes that can occur */
    bool utf8;                   /* BYTES, TEXT: surely UTF-8 */
    const struct spec_expr *bad; /* a part that can be undefined; NULL: none */
    const char *reason;          /* why `bad` can be */
};

/* What is known where an expression stands. Zeroed, with `spec`: nothing. */
#define FACTS_MAX 64
struct facts {
    struct assay_spec *spec;
    const struct spec_frame *frame; /* that the fields came in; NULL: any */
    bool partial;                   /* input that was not read completely: any field may be absent */
    struct {
        const struct spec_expr *of; /* an expression that equals it is within ... */
        int64_t min, max;
    } items[FACTS_MAX];
    size_t count;
    struct { /* x < y (`strictly`), or x <= y */
        const struct spec_expr *x, *y;
        bool strictly;
    } less[FACTS_MAX];
    size_t less_count;
    struct { /* fields of a message that is being made */
        const struct spec_field *field;
        struct value_range range;
    } made[ASSAY_SLOTS_MAX];
    size_t made_count;
    bool making; /* fields mean those of the message being made */
};

struct value_range assay_range_of(struct facts *facts, const struct spec_expr *e);
struct value_range assay_range_of_type(const struct spec_type *type);

/* The smallest range that holds both. */
struct value_range assay_range_hull(struct value_range x, struct value_range y);

/* Characters of a number as decimal text. */
int64_t assay_decimal_size(int64_t n);

/* ---- what is known there (check_assume.c) -------------------------------- */

/* What is known now, to come back to it. */
struct facts_mark {
    size_t count, less_count;
};
static inline struct facts_mark assay_facts_mark(const struct facts *facts)
{
    return (struct facts_mark){facts->count, facts->less_count};
}
static inline void assay_facts_back(struct facts *facts, struct facts_mark mark)
{
    facts->count = mark.count;
    facts->less_count = mark.less_count;
}

/* From here on a condition is true (or not: false, never undefined). */
void assay_assume(struct facts *facts, const struct spec_expr *e, bool truth);

/* What a rule knows about its event: its pattern, its guard, and that earlier rules did not take it. */
void assay_assume_rule(struct facts *facts, const struct spec_rule *rule);

/* Structurally the same (expr_same.c). */
bool assay_expr_same(const struct spec_expr *x, const struct spec_expr *y);

/* ---- what input can raise (check_events.c) ------------------------------ */

/* Events that can happen to a machine where it plays, by position in spec->events: those that bytes raise (messages,
 * malformed, unknown, oversize, eof-in-frame, faults), and those of its transports. */
bool *assay_feasible(struct assay_spec *spec, const struct spec_machine *machine);

/* Whether the end of what this side sends is told by its messages' own fields, behind those of the frame. */
bool assay_walks_messages(const struct assay_spec *spec, uint8_t from);

/* ---- rules in states (check_states.c) ----------------------------------- */

static inline uint8_t assay_other_side(uint8_t role)
{
    return role == ASSAY_SERVER ? ASSAY_CLIENT : ASSAY_SERVER;
}
bool assay_rule_takes(const struct spec_rule *rule, const struct spec_event *event);

/* The rules that are tried in a state for an event, in order; the number of them. */
#define TRIED_MAX 256
size_t assay_rules_tried(const struct spec_machine *machine, const struct spec_state *state,
                         const struct spec_event *event, struct spec_rule *tried[TRIED_MAX]);

static inline bool assay_rule_always(const struct spec_rule *rule)
{
    return rule->pattern.count == 0 && !rule->guard;
}

/* ---- the checks --------------------------------------------------------- */

void assay_check_frames(struct assay_spec *spec);   /* ends, limits, messages told apart */
void assay_check_states(struct assay_spec *spec);   /* totality, reachability, shadowing */
void assay_check_bodies(struct assay_spec *spec);   /* what can fail has an else */
void assay_check_guards(struct assay_spec *spec);   /* some value makes each guard true */
void assay_check_sums(struct assay_spec *spec);     /* before there is a model: it can hold only what is right */
void assay_check_shared(struct assay_spec *spec);   /* stateless rules, rows, what is declined */
void assay_check_declared(struct assay_spec *spec); /* keys and names in what is declared only */
void assay_check_examples(struct assay_spec *spec); /* examples decode to what they say, and back */

#endif

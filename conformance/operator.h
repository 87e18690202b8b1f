/* Mutation operators: how one is declared, and the tools to change a copy of
 * the model with. Internal to mutate.c and mutate_*.c. */
#ifndef ASSAY_CONFORMANCE_OPERATOR_H
#define ASSAY_CONFORMANCE_OPERATOR_H

#include "conformance/mutate.h"
#include "core/code.h"

/* The three codes of a rule. */
enum assay_part { ASSAY_PART_GUARD, ASSAY_PART_BODY, ASSAY_PART_ELSE, ASSAY_PARTS };

struct assay_lister; /* takes the places of one operator */
struct assay_lab;    /* a mutant in the making */

struct assay_operator {
    const char *name; /* "guard-negated" */

    /* Where it applies. One of these is set; the first four are called for each of the machine's. */
    void (*rules)(struct assay_lister *l, uint16_t rule);
    void (*code)(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc);
    enum assay_op action; /* every instruction of this kind in a body or an else */
    void (*fields)(struct assay_lister *l, uint16_t field);
    void (*model)(struct assay_lister *l);

    /* What it does at a place; false: nothing well formed. NULL: it leaves the instruction out, and `cut` is the text.
     */
    bool (*apply)(struct assay_lab *lab);
    const char *cut;
};

/* The families; each ends with a nameless operator. */
extern const struct assay_operator assay_operators_rules[], assay_operators_actions[], assay_operators_states[],
    assay_operators_fields[], assay_operators_messages[], assay_operators_timers[], assay_operators_text[],
    assay_operators_calls[], assay_operators_reliable[], assay_operators_strangers[];

/* ---- places ------------------------------------------------------------ */

struct assay_lister {
    const struct assay_model *m;
    uint16_t machine; /* that is made wrong */
    struct assay_mutations *to;
    uint16_t kind;
};

void assay_mutation_add(struct assay_lister *l, uint32_t index, uint32_t at, int32_t variant);

/* Where in rule_lists a state's rules for an event begin, or ASSAY_NONE. */
uint16_t assay_transition(const struct assay_model *m, uint32_t state, uint32_t event);

/* ---- the copy ---------------------------------------------------------- */

/* Tables are shared with the original until they are made the mutant's own. */
struct assay_lab {
    struct assay_mutant *mutant;
    struct assay_model *m; /* of the mutant */
    const struct assay_mutation *mutation;
    uint16_t machine; /* that is made wrong */
};

/* A copy in the mutant's store, with room for `extra` items more. */
void *assay_lab_copy(struct assay_lab *lab, const void *from, size_t count, size_t extra, size_t size);

/* A table of its own, with room for `extra` more entries; the model is made to point to it. */
#define ASSAY_OWN(lab, table, extra)                                                                                   \
    ((lab)->m->table = assay_lab_copy(lab, (lab)->m->table, (lab)->m->table##_count, extra, sizeof *(lab)->m->table))
/* An entry of such a table. */
#define ASSAY_MUTABLE(type, p) ((type *)(uintptr_t)(p))

/* The rule, or the field, that the mutation is at, to be changed. */
struct assay_rule *assay_lab_rule(struct assay_lab *lab);
struct assay_field *assay_lab_field(struct assay_lab *lab);

/* The mutant's text: WHAT, a space, WHERE. */
void assay_lab_say(struct assay_lab *lab, const char *what, const char *where);

/* The requirement at stake is that of the first rule of a list. */
void assay_lab_blame(struct assay_lab *lab, uint16_t list);

/* ---- code -------------------------------------------------------------- */

uint16_t assay_part_of(const struct assay_rule *rule, enum assay_part part);

/* Which part of the rule an instruction belongs to; ASSAY_PARTS: to none. */
enum assay_part assay_part_at(const struct assay_model *m, const struct assay_rule *rule, uint32_t at);

/* A copy of `code` at the end of all code, in which `cut` instructions at `at` are exchanged for `n` others. Jumps
 * over the place still lead to the same instruction. ASSAY_NONE: there is no room. */
uint16_t assay_lab_rewrite(struct assay_lab *lab, uint16_t code, uint32_t at, uint32_t cut, const uint32_t *put,
                           uint32_t n);

/* The same in the rule that the mutation is at, where it is; the text is WHAT and the part's name. */
bool assay_lab_replace(struct assay_lab *lab, uint32_t cut, const uint32_t *put, uint32_t n, const char *what);

#endif

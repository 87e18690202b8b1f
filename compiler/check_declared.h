/* What is declared only: walking its nodes by tables of keys. What the files check_declared*.c share. */
#ifndef ASSAY_COMPILER_CHECK_DECLARED_H
#define ASSAY_COMPILER_CHECK_DECLARED_H

#include "compiler/check.h"
#include "compiler/read.h"

struct walk {
    struct assay_spec *spec;
    const struct assay_node *machine; /* whose parts are looked at; NULL: none */
};

/* One key of a mapping: what it may hold, and who looks at that. */
struct part {
    const char *key;
    unsigned shape;
    void (*look)(struct walk *w, const struct assay_node *node);
};
#define COUNT(parts) (sizeof(parts) / sizeof(parts)[0])

/* ---- walking and leaves (check_declared.c) ---- */

/* Each key of the mapping is one of `parts`, has the shape that is said there and is looked at. */
void assay_look_at(struct walk *w, const struct assay_node *node, const struct part *parts, size_t count,
                   const char *what);

/* `look` at each child; at a node, or at each of a sequence. */
void assay_look_each_child(struct walk *w, const struct assay_node *node,
                           void (*look)(struct walk *w, const struct assay_node *node));
void assay_look_one_or_more(struct walk *w, const struct assay_node *node,
                            void (*look)(struct walk *w, const struct assay_node *node));

/* One kind of value each: its syntax, and names that are known without running anything. */
void assay_look_expr(struct walk *w, const struct assay_node *node);
void assay_look_exprs(struct walk *w, const struct assay_node *node);
void assay_look_path(struct walk *w, const struct assay_node *node);
void assay_look_req(struct walk *w, const struct assay_node *node);
void assay_look_duration(struct walk *w, const struct assay_node *node);
void assay_look_level(struct walk *w, const struct assay_node *node);
void assay_look_count(struct walk *w, const struct assay_node *node);
void assay_look_messages(struct walk *w, const struct assay_node *node);

/* An error about a name that is not there; whether one is a key of a mapping (else all keys are candidates). */
void assay_look_unknown(struct walk *w, struct assay_at at, const char *what, const struct assay_near *near);
bool assay_look_is_key_of(const struct assay_node *mapping, struct assay_near *near);

/* Names of machines and states, and types. */
void assay_look_machine_name(struct walk *w, const struct assay_node *node);
void assay_look_state(struct walk *w, const struct assay_node *node);
void assay_look_states(struct walk *w, const struct assay_node *node);
void assay_look_type(struct walk *w, const struct assay_node *node);
void assay_look_types(struct walk *w, const struct assay_node *node);

/* ---- rules and actions (check_declared_rules.c) ---- */

void assay_look_event(struct walk *w, const struct assay_node *node);
void assay_look_when(struct walk *w, const struct assay_node *node);
void assay_look_send(struct walk *w, const struct assay_node *node);
void assay_look_rules(struct walk *w, const struct assay_node *node);
void assay_look_spontaneous(struct walk *w, const struct assay_node *node);

/* ---- machines and what stands beside them (check_declared_machines.c) ---- */

void assay_look_machines(struct walk *w, const struct assay_node *node);
void assay_look_signals(struct walk *w, const struct assay_node *node);
void assay_look_probes(struct walk *w, const struct assay_node *node);
void assay_look_features(struct walk *w, const struct assay_node *node);
void assay_look_fixtures(struct walk *w, const struct assay_node *node);
void assay_look_functions(struct walk *w, const struct assay_node *node);
void assay_look_recodes(struct walk *w, const struct assay_node *node);
void assay_look_reliable(struct walk *w, const struct assay_node *node);
void assay_look_logs(struct walk *w, const struct assay_node *node);
void assay_look_impair(struct walk *w, const struct assay_node *node);

#endif

/* From the resolved tree to the tables of the model. */
#ifndef ASSAY_COMPILER_LOWER_H
#define ASSAY_COMPILER_LOWER_H

#include "compiler/read.h"
#include "compiler/types.h"

/* A table that grows. */
struct table {
    void *items;
    size_t count, capacity;
};

struct lower {
    struct assay_spec *spec;
    struct assay_model *model;
    struct table requirements, transports, options, leniencies, types, sets, enums, enum_items, fields, frames, delims,
        aheads, pairs, objects, object_members, messages, wheres, examples, events, machines, states, vars, timers,
        rules, effects, params, calls, errors, blobs, ints, statesets, code;
    struct table tables, logs, reliables, reliable_messages, impairs, actors, acts, act_args, promises;
    struct table rule_lists, transitions;
    uint16_t it_slot;                   /* where `it` stands in the code being made */
    const struct spec_machine *machine; /* whose code is being made */
    const struct spec_list *args;       /* of a line of the terminal: they stand in slots; NULL: in variables */
    bool too_large;
};

/* Adds an item; its index. */
uint16_t assay_push(struct lower *l, struct table *table, const void *item, size_t size);
#define PUSH(l, table, type, ...) assay_push((l), &(l)->table, &(type)__VA_ARGS__, sizeof(type))

uint16_t assay_lower_type(struct lower *l, const struct spec_type *type);
uint16_t assay_lower_blob(struct lower *l, struct assay_blob blob);
uint16_t assay_lower_set(struct lower *l, const struct assay_byteset *set);
struct assay_range assay_lower_params(struct lower *l, const struct spec_list *params);

/* Frames, fields, messages and what the spec shows of them (lower_wire.c). */
void assay_lower_wire(struct lower *l);

/* What tells messages apart that have neither tag nor `when` (lower_leads.c); an error where nothing does. */
void assay_lower_leads(struct lower *l);

/* ---- code ---- */
uint16_t assay_emit(struct lower *l, enum assay_op op, unsigned a, unsigned b); /* its index */
void assay_patch(struct lower *l, uint16_t jump); /* the jump lands on the next instruction */
void assay_gen_expr(struct lower *l, const struct spec_expr *e);
uint16_t assay_here(const struct lower *l);
uint16_t assay_gen_value(struct lower *l, const struct spec_expr *e); /* a whole piece; NULL: ASSAY_NONE */
uint16_t assay_gen_check(struct lower *l, const struct spec_field *f);
void assay_gen_one_of(struct lower *l, const struct spec_expr *x, struct spec_expr *const *values, size_t count);
void assay_gen_int(struct lower *l, int64_t n);
void assay_gen_actions(struct lower *l, const struct spec_list *actions);
void assay_gen_action(struct lower *l, const struct spec_action *a);

/* The tables behind a field of form AHEAD, PAIRS or OBJECT: fills in its `element` (lower_structured.c). */
void assay_lower_structured(struct lower *l, const struct spec_field *field, struct assay_field *f);
uint16_t assay_gen_presence(struct lower *l, const struct spec_field *field);
void assay_lower_objects(struct lower *l, const struct spec_list *fields); /* when all fields have their places */
uint16_t assay_lower_delims(struct lower *l, const struct spec_list *delims);
void assay_lower_terminal(struct lower *l);
void assay_need_scratch(struct lower *l, uint64_t bytes);

/* ---- what rules amount to (lower_amounts.c) ---- */
uint64_t assay_sent_by(struct lower *l, const struct spec_list *actions); /* bytes, at most */
uint64_t assay_actions_scratch(struct lower *l, const struct spec_list *actions);
uint64_t assay_rule_scratch(struct lower *l, const struct spec_rule *r);
uint64_t assay_coding_scratch(struct lower *l, const struct spec_message *m); /* to encode or decode it */
uint8_t assay_rule_flags(const struct spec_rule *r);
bool assay_sends_reliable(const struct spec_list *actions);
uint64_t assay_acknowledged_by(const struct lower *l, const struct spec_list *events); /* bytes, at most */

/* ---- behaviour ---- */
void assay_lower_machines(struct lower *l);

/* Tables, logs, reliability, promises (lower_shared.c): first those that effects and rules refer to, then, when
 * machines have their places, all the rest. */
void assay_lower_tables(struct lower *l);
void assay_lower_shared(struct lower *l);

/* ---- sizes (bounds.c) ---- */
struct bits {
    uint64_t least, most;
};
struct bits assay_field_bits(const struct spec_field *f);
void assay_bound_fields(struct assay_spec *spec); /* the sizes that frames leave to fields */
uint32_t assay_message_max(const struct assay_spec *spec, const struct spec_message *m);
uint32_t assay_message_min(const struct assay_spec *spec, const struct spec_message *m);
uint64_t assay_value_max(const struct spec_expr *e);   /* bytes of a value, at most */
uint64_t assay_scratch_max(const struct spec_expr *e); /* bytes of scratch to compute it, at most; NULL: 0 */
bool assay_can_fail(const struct spec_expr *e);        /* may be undefined, as far as can be seen from its form */
bool assay_may_not_fit(const struct spec_expr *e, const struct spec_type *type);

#endif

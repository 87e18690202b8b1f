/* Reading bodies of rules: what surrounds them. */
#ifndef ASSAY_COMPILER_SCOPE_H
#define ASSAY_COMPILER_SCOPE_H

#include "compiler/read.h"

struct body_context {
    struct assay_spec *spec;
    struct spec_machine *machine;
    struct spec_call *call;  /* of which this is a step; NULL: a rule of the machine */
    struct spec_scope scope; /* `lets` grows while a body is read */
    uint16_t next_slot;      /* for the next let */
};

/* Keys that a body has in common with the rule around it. */
enum {
    B_LET,
    B_DO,
    B_SET,
    B_SEND,
    B_RESULT,
    B_ERROR,
    B_GOTO,
    B_CLOSE,
    B_THEN,
    B_IGNORE,
    B_DROP,
    B_TIMER,
    B_IF,
    B_ELSE,
    B_CHOOSE,
    B_MAYBE,
    B_REQ,
    B_LEVEL,
    B_TEXT,
    B_NAME,
    B_WHEN,
    B_MAY,
    B_LANE,
    B_TO,
    B_AS,
    B_SCOPE,
    B_TELL,
    B_START,
    B_ATTACH,
    B_DETACH,
    B_PUT,
    B_EACH,
    B_REPEAT,
    B_MANY,
    B_AGAIN,
    B_SETTLE,
    B_UNDEFINED,
    B_STATELESS,
    B_REMOVE,
    B_PASS,
    B_NEEDS,
    B_DECLINE,
    B_KEYS
};
extern const struct shape_key assay_body_keys[B_KEYS];

/* Adds the actions of a body's keys (those of a rule, `else`, `then` ...) to `into`, in the order in which they are
 * done. */
void assay_read_body(struct body_context *c, const struct assay_node *const *of, struct spec_list *into);

/* The same from a node: a mapping, or a sequence of them. */
void assay_read_actions(struct body_context *c, const struct assay_node *node, struct spec_list *into);

/* The struct spec_rule that one rule of the file stands for. */
void assay_read_rule(struct body_context *c, const struct assay_node *node, struct spec_state *state,
                     struct spec_list *into);

struct spec_state *assay_find_state(struct assay_spec *spec, const struct spec_machine *machine,
                                    const struct assay_node *node);

struct spec_action *assay_action_new(struct body_context *c, enum spec_action_kind kind, struct assay_at at,
                                     struct spec_list *into);
struct spec_given *assay_given_new(struct body_context *c, const struct assay_node *node, struct spec_list *into);

/* Arguments, results or columns by name: those without a default have to be given. */
void assay_read_params_given(struct body_context *c, const struct assay_node *entry, const struct spec_list *params,
                             struct spec_list *given, const char *what);

/* Slots that the frame and the messages of the other side use. */
uint16_t assay_slots_in(const struct assay_spec *spec, const struct spec_machine *machine);

/* An expression in the scope of a body; NULL after an error. */
struct spec_expr *assay_read_expr(struct body_context *c, const struct assay_node *node, const struct spec_type *type);

/* Fields of what is given (under send) and of a message are held against each other. */
void assay_read_send(struct body_context *c, const struct assay_node *node, struct spec_list *into);

#endif

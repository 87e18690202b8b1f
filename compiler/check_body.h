/* What check_bodies.c and check_send.c share: a body of a rule, and what is said about it. */
#ifndef ASSAY_COMPILER_CHECK_BODY_H
#define ASSAY_COMPILER_CHECK_BODY_H

#include "compiler/check.h"

struct body {
    struct assay_spec *spec;
    struct facts *facts;                /* what is known where the check has come to */
    const struct spec_frame *frame_out; /* of what it sends */
    uint8_t role;                       /* of the machine: who sends */
    bool has_else;
    bool fallible; /* something needed it */
    bool in_else;  /* this is the else itself */
    bool in_row;   /* this sends a row of a log */
};

/* Something here can fail: an error, unless the rule has an else for it. */
void assay_needs_else(struct body *b, struct assay_at at, const char *why);
void assay_needs_else_for(struct body *b, const struct spec_expr *e, const char *why);

/* Why a value may not fit; NULL: it does. */
const char *assay_misfit(struct body *b, const struct spec_expr *e, const struct value_range *r,
                         const struct spec_type *type);

/* A value is defined and fits; its range. Either may be NULL, after an error: nothing is known then. */
struct value_range assay_check_value(struct body *b, const struct spec_expr *e, const struct spec_type *type);

/* A message that is sent can be written: every field has a value that fits, and the whole fits the frame. */
void assay_check_send(struct body *b, const struct spec_action *send);

#endif

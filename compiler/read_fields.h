/* Fields of frames and messages (read_fields.c). */
#ifndef ASSAY_COMPILER_READ_FIELDS_H
#define ASSAY_COMPILER_READ_FIELDS_H

#include "compiler/read.h"

/* Adds to `fields` what a sequence of fields holds, and to `groups` those that are of a record type. */
void assay_read_fields(struct assay_spec *spec, const struct assay_node *node, struct spec_list *fields,
                       struct spec_list *groups);

/* Finds the pairs of those fields of a message that are members of some in its frame. */
void assay_place_members(struct assay_spec *spec, const struct spec_list *fields, const struct spec_frame *frame);

/* Whether a slot holds its value. */
bool assay_keeps_value(const struct spec_field *f);

#endif

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

/* Slots from `slot` on for the fields that have values; the next one behind them. */
uint16_t assay_give_slots(struct assay_spec *spec, struct spec_list *fields, uint16_t slot);

/* Whether some field is of a structured type that is declared only: names inside it are not looked into. */
bool assay_has_hidden_names(const struct spec_list *fields);

/* The field of a frame that a node names. NULL: there is none; an error, unless it may be a part of a structured one.
 */
struct spec_field *assay_frame_field(struct assay_spec *spec, const struct assay_node *node, struct spec_list *fields);

#endif

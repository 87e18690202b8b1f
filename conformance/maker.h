/* What the makers of inputs share: the fields of a message, values, and adding
 * an input to the list. Internal to witness.c and witness_*.c. */
#ifndef ASSAY_CONFORMANCE_MAKER_H
#define ASSAY_CONFORMANCE_MAKER_H

#include "conformance/lens.h"
#include "conformance/witness.h"
#include "core/code.h"

#define ASSAY_COMBINATIONS_MAX 64

struct assay_maker {
    struct assay_store *store;
    const struct assay_witness_config *config;
    const struct assay_model *model;
    const struct assay_model *raw, *lying, *graft; /* encode what is wrong, see loose.h */
    struct assay_inputs *inputs;
    struct assay_lens lens;
    uint16_t frame;          /* in which the target reads */
    uint8_t from;            /* whose messages it reads: bit set of enum assay_role */
    struct assay_blob usual; /* session that stands for the target's own; empty: it has none of its own */
    uint64_t done;           /* slots of this message that an example before had: they were tried there */
};

/* ---- fields ------------------------------------------------------------ */

bool assay_field_is_bytes(const struct assay_model *model, const struct assay_field *f);
bool assay_field_is_enum(const struct assay_model *model, const struct assay_field *f);

/* Fields of a message that a tester sets: frame fields first, computed ones and the body left out. */
struct assay_walk {
    const struct assay_model *model;
    uint16_t frame, message;
    uint32_t part, i;
    bool computed; /* computed ones, too */
};
const struct assay_field *assay_next_field(struct assay_walk *w); /* NULL: that was the last */

/* ---- values ------------------------------------------------------------ */

/* The input with another value in a slot; its bytes are still the old ones. */
struct assay_input assay_input_with(struct assay_maker *m, const struct assay_input *base, uint16_t slot,
                                    struct assay_value v);

/* "FIELD-5", "FIELD-minus-5" */
/* What the bits of a field that holds a number can say, within what its type allows. */
void assay_field_bounds(const struct assay_model *model, const struct assay_field *f, int64_t *min, int64_t *max);

const char *assay_number_label(struct assay_maker *m, const char *field, int64_t n);

/* Letters, but for the first byte. */
struct assay_blob assay_filler(struct assay_maker *m, uint32_t size, uint8_t first);

struct assay_combination {
    struct assay_input input;
    const char *label; /* "" or "square-" */
};

struct assay_combinations {
    struct assay_combination items[ASSAY_COMBINATIONS_MAX];
    size_t count;
};

/* The base with every value of its enumerations. */
void assay_maker_combine(struct assay_maker *m, const struct assay_input *base, struct assay_combinations *c);

/* The base with every raw field as the bytes that stand on the wire. */
struct assay_input assay_maker_raw_base(struct assay_maker *m, const struct assay_input *base);

/* The base with other bytes as the value of a member: its pairs are other ones. False: they cannot hold it. */
bool assay_maker_put_member(struct assay_maker *m, const struct assay_input *base, const struct assay_field *member,
                            struct assay_blob content, struct assay_input *made);

/* ---- adding inputs ----------------------------------------------------- */

/* Unless it is there already, or empty. Its label is made unique. */
void assay_maker_add(struct assay_maker *m, struct assay_input input);

/* The input, encoded from its values; nothing is added if they do not fit. */
void assay_maker_add_whole(struct assay_maker *m, struct assay_input input, const char *label,
                           enum assay_input_kind kind);

/* The same with the encoder of another model. */
void assay_maker_add_raw(struct assay_maker *m, const struct assay_model *model, struct assay_input input,
                         const char *label);

/* ---- families: all inputs of a kind, made from a message's first example ---- */

void assay_witness_samples(struct assay_maker *m, const struct assay_input *base);
void assay_witness_values(struct assay_maker *m, const struct assay_input *base);
void assay_witness_raw_fields(struct assay_maker *m, const struct assay_input *base);
void assay_witness_raw_bounds(struct assay_maker *m, const struct assay_input *base);
void assay_witness_unknown(struct assay_maker *m, const struct assay_input *base); /* with a tag that nobody has */
void assay_witness_pairs(struct assay_maker *m, const struct assay_input *base); /* name=value text, right and wrong */
void assay_witness_twice(struct assay_maker *m, const struct assay_input *base); /* members that stand there twice */
void assay_witness_objects(struct assay_maker *m, const struct assay_input *base);  /* JSON instead of fields */
void assay_witness_bodies(struct assay_maker *m, const struct assay_input *base);   /* frames that have a body field */
void assay_witness_contents(struct assay_maker *m, const struct assay_input *base);
void assay_witness_spoilt(struct assay_maker *m, const struct assay_input *base); /* frames that a delimiter ends */

/* Calls of the machine, with arguments at the borders of their types and of the fields that they fill. */
void assay_witness_calls(struct assay_maker *m);

#endif

/* Inputs: frames that the other side may send, right and wrong ones, made from the
 * tables of a model. Which rule takes one is found by giving it to an engine
 * (see explore.h). Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_WITNESS_H
#define ASSAY_CONFORMANCE_WITNESS_H

#include <string.h>

#include "conformance/case.h"
#include "conformance/store.h"
#include "core/value.h"

/* The value of a slot: a number or bytes, as its type says; the other one is zero. */
struct assay_value {
    int64_t n;
    struct assay_blob bytes;
};

static inline bool assay_value_same(const struct assay_value *x, const struct assay_value *y)
{
    return x->n == y->n && x->bytes.n == y->bytes.n &&
           (x->bytes.n == 0 || memcmp(x->bytes.p, y->bytes.p, x->bytes.n) == 0);
}

enum assay_input_kind {
    ASSAY_INPUT_EXAMPLE,  /* an example of the spec */
    ASSAY_INPUT_SAMPLE,   /* an example with a sample value in it */
    ASSAY_INPUT_BOUNDARY, /* a value at a border of its type or of some guard */
    ASSAY_INPUT_RAW,      /* made by no encoder */
    ASSAY_INPUT_CALL,     /* not on the wire: the application that uses the target does a call */
};

struct assay_input {
    const char *label; /* unique among the inputs; for case ids */
    uint8_t kind;      /* enum assay_input_kind */
    uint16_t message;  /* that it is, or was meant to be */
    bool whole;        /* values and known hold, and encode to the bytes */
    bool limit;        /* a value at a limit of its type */
    bool framed;       /* what was changed belongs to the frame: it is the same with every message */
    uint16_t req;      /* of the field that was changed, or ASSAY_NONE */
    struct assay_blob bytes;
    struct assay_stamp stamp; /* what the tester fills in when it sends it */
    struct assay_blob bare;   /* the same without the frame's delimiter; empty if it has none */
    uint64_t known;
    const struct assay_value *values; /* by slot */
    uint16_t call;                    /* CALL: in model->calls, with its arguments as assay_call() takes them */
    const assay_val *args;
    const struct assay_span *spans;
};

struct assay_inputs {
    struct assay_input *items;
    size_t count, cap;
    size_t calls; /* of them, the last ones */
};

struct assay_witness_config {
    const struct assay_spec *spec; /* for samples; NULL: none */
    const struct assay_model *model;
    uint16_t machine; /* that is judged; inputs are what the other side sends */
    uint16_t transport;
    const struct assay_terminal *terminal; /* at which the target is read, for exploring; or NULL */
    bool calls; /* the target makes its links, and does the calls of its machine: these are inputs, too */
    const assay_val *options;
    uint64_t leniencies;
    struct assay_circumstance circumstance; /* for exploring */
};

/* Slots of a message that some guard holds against a seal. */
uint64_t assay_sealed_slots(const struct assay_model *model, uint16_t machine, uint16_t message);
/* The first placeholder that a target makes (see core/engine.h), in that many bytes. */
struct assay_blob assay_first_placeholder(struct assay_store *store, uint32_t size);
bool assay_is_reliable(const struct assay_model *model, uint16_t message);
/* The variable that what is pushed at `pc` is popped into, if nothing else becomes of it, in code that ends at `end`;
 * ASSAY_NONE. */
uint16_t assay_popped_into(const struct assay_model *model, uint32_t pc, uint32_t end);
/* Whether a machine draws its session in some rule. */
bool assay_draws_session(const struct assay_model *model, uint16_t machine);
/* What of a well-formed input only the session tells. `usual`: a session like this is the target's; empty: never. */
struct assay_stamp assay_stamp_for(const struct assay_witness_config *config, const struct assay_input *input,
                                   struct assay_blob usual);

/* Every input worth sending to the target. Labels, values and bytes live in the store; free(items). */
void assay_inputs_make(struct assay_store *store, const struct assay_witness_config *config,
                       struct assay_inputs *inputs);

/* Values that the code at `code` (up to its END) compares with or computes from. */
struct assay_atoms {
    int64_t *ints;
    size_t int_count, int_cap;
    struct assay_blob *blobs;
    size_t blob_count, blob_cap;
};
void assay_atoms_collect(const struct assay_model *model, uint16_t code, struct assay_atoms *atoms);
void assay_atoms_add(struct assay_atoms *atoms, int64_t n);
void assay_atoms_sort(struct assay_atoms *atoms); /* ascending, each once */
void assay_atoms_free(struct assay_atoms *atoms);

/* Numbers at which some rule for `message` changes its mind about slot `slot`, the other slots being as in
 * `base`: both sides of each border. Added to the atoms, which seed the search. */
void assay_atoms_borders(const struct assay_witness_config *config, uint16_t message, uint16_t slot,
                         const struct assay_input *base, int64_t min, int64_t max, struct assay_atoms *atoms);

/* Encode a message from values; false: they do not fit. `bytes` and `bare` land in the store. */
bool assay_input_encode(struct assay_store *store, const struct assay_witness_config *config,
                        struct assay_input *input);

/* The frame in which the judged machine reads. */
static inline uint16_t assay_frame_in(const struct assay_witness_config *config)
{
    return config->model->machines[config->machine].frame_in;
}

#endif

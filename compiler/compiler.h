/* From a spec file to a model.
 *
 *   struct assay_diags diags = {0};
 *   struct assay_spec *spec = assay_spec_load("my.yaml", &diags);
 *   assay_diags_print(&diags, stderr);          (all errors of the file, in its order)
 *   if (spec) { model = assay_spec_model(spec); ... assay_spec_free(spec); }
 *
 * The model and all that it points to belong to the spec and live as long.
 */
#ifndef ASSAY_COMPILER_H
#define ASSAY_COMPILER_H

#include <stdio.h>
#include "core/model.h"

enum assay_severity { ASSAY_ERROR, ASSAY_WARNING, ASSAY_NOTE };

struct assay_diag {
    enum assay_severity severity;
    uint32_t line, column; /* from 1; 0: the file as a whole */
    char *text;            /* what is wrong, and what would be right */
};

/* All that was found in one file, sorted by place. Zero-initialised is empty. */
struct assay_diags {
    const char *file; /* as named by the caller */
    struct assay_diag *items;
    size_t count, capacity, errors;
};

void assay_diags_print(const struct assay_diags *diags, FILE *to); /* file:line:column: error: text */
void assay_diags_free(struct assay_diags *diags);

struct assay_spec;

/* Read and check a spec. NULL when it has errors. Notes name constructs that
 * are declared only: assay_spec_model() then returns NULL. */
struct assay_spec *assay_spec_load(const char *path, struct assay_diags *diags);

/* The same from memory; `name` stands for the file in messages. */
struct assay_spec *assay_spec_parse(const char *name, const uint8_t *text, size_t size, struct assay_diags *diags);

const struct assay_model *assay_spec_model(const struct assay_spec *spec);

/* Testers need more than the model says: samples of a field (data that the
 * spec calls worth testing), and hand-written cases, in order. */
struct assay_hand_case {
    const char *name;
    uint16_t req;
    uint8_t level;
    const char *const *steps; /* lines as in LANGUAGE.md, section 12; NULL-terminated */
    uint32_t line;
};
/* Bytes and text as they are, numbers and enums as 8 bytes, least significant first. */
size_t assay_spec_samples(const struct assay_spec *spec, uint16_t field, const struct assay_blob **samples);
size_t assay_spec_cases(const struct assay_spec *spec, const struct assay_hand_case **cases);

/* How a program that speaks the protocol looks from its terminal (LANGUAGE.md, section 13). */
struct assay_terminal {
    const uint16_t
        *calls; /* by index in model->calls: code, in the model, of what is typed; ASSAY_NONE: it cannot be */
    const uint16_t *effects; /* by index in model->effects: code of what is shown; ASSAY_NONE: nothing */
};
/* NULL: the spec says nothing of it. The arguments stand in slots 0, 1 ... of the assay_env that the code is evaluated
 * with; the result is bytes. */
const struct assay_terminal *assay_spec_terminal(const struct assay_spec *spec);

void assay_spec_free(struct assay_spec *spec);

#endif

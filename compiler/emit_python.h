/* What the parts of the emitter of Python share: names, literals and values as Python writes them. */
#ifndef ASSAY_COMPILER_EMIT_PYTHON_H
#define ASSAY_COMPILER_EMIT_PYTHON_H

#include "compiler/emit.h"
#include "core/value.h"

/* ---- names: of the spec, in Python's custom; what is taken already gets something behind it (emit_python_words.c) */
void assay_python_variable(FILE *to, const char *name);
void assay_python_method(FILE *to, const char *name); /* a call */
void assay_python_param(FILE *to, const char *name);  /* a param that the client's maker may give */
void assay_python_class(FILE *to, const char *name);
void assay_python_error(const struct assay_model *model, FILE *to, const char *name); /* the class of an error */

/* ---- literals ---- */
void assay_python_literal(FILE *to, const uint8_t *p, size_t n); /* "..." */
void assay_python_string(FILE *to, const char *text);            /* NULL: None */
void assay_python_bytes(FILE *to, struct assay_blob blob);
const char *assay_python_truth(bool value);
void assay_python_doc(FILE *to, const char *text); /* inside a docstring, which it does not end */

/* A value as applications write it: what the runtime's _to_value() takes. */
void assay_python_value(const struct assay_model *model, FILE *to, const struct assay_env *env, uint16_t type,
                        assay_val v);
void assay_python_default(const struct assay_model *model, FILE *to, const struct assay_param *param);

/* ---- parts of the module ---- */
void assay_emit_python_client(const struct assay_model *model, FILE *to); /* class Client (emit_python_client.c) */
void assay_emit_python_tables(const struct assay_model *model,
                              FILE *to); /* the spec, resolved (emit_python_tables.c) */

/* Whether a machine is one that a client plays. */
static inline bool assay_python_plays(const struct assay_model *model, uint32_t machine)
{
    return (model->machines[machine].role & ASSAY_CLIENT) != 0;
}

#endif

/* What the parts of the emitter of C share: names, types and signatures as C writes them (emit_c_words.c). */
#ifndef ASSAY_COMPILER_EMIT_C_H
#define ASSAY_COMPILER_EMIT_C_H

#include "compiler/emit.h"

/* ---- names: of the spec, in C's custom; reserved words get something behind them ---- */
void assay_c_variable(FILE *to, const char *name);

/* A result that is called like an argument of its call gets another name. */
void assay_c_result_variable(const struct assay_model *model, const struct assay_call *call, FILE *to,
                             const char *name);

/* PROTOCOL_KIND_NAME */
void assay_c_constant(const struct assay_model *model, FILE *to, const char *kind, const char *name);
void assay_c_enum_name(FILE *to, const char *name, enum assay_case custom);

/* ---- types ---- */
const struct assay_type *assay_c_type_of(const struct assay_model *model, const struct assay_param *param);

/* Whether an enum becomes one of C; else its values are constants of an integer type. */
bool assay_c_is_enum(const struct assay_model *model, uint16_t of);
void assay_c_number_type(const struct assay_model *model, FILE *to, const struct assay_type *type);
void assay_c_result_parameters(const struct assay_model *model, FILE *to, const struct assay_call *call);

/* ---- effects: their arguments as members of a struct, set one by one from an event's values ---- */
void assay_c_member(const struct assay_model *model, FILE *to, const struct assay_param *param);
void assay_c_set_member(const struct assay_model *model, FILE *to, const struct assay_param *param, uint16_t index);
void assay_c_effect_signature(const struct assay_model *model, FILE *to, const struct assay_effect *effect);

/* ---- functions ---- */

/* Of a call: the one that waits, the one that starts it, the one that takes its results from the event. */
enum assay_c_form { ASSAY_C_BLOCKING, ASSAY_C_STARTING, ASSAY_C_TAKING };
void assay_c_signature(const struct assay_model *model, FILE *to, const struct assay_call *call,
                       enum assay_c_form which);

/* What is written in between has its lines broken behind commas; further lines begin with `indent`. */
FILE *assay_c_begin_wrapped(char **text, size_t *size);
void assay_c_end_wrapped(FILE *to, FILE *from, char **text, const char *indent);

/* The first lines of a file: what it is, and what it was made from. The comment stays open. */
void assay_c_banner(const struct assay_model *model, FILE *to, const char *what);

#endif

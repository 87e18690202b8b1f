/* What the parts of the emitter of C share: names, types and signatures as C writes them (emit_c_words.c). */
#ifndef ASSAY_COMPILER_EMIT_C_H
#define ASSAY_COMPILER_EMIT_C_H

#include "compiler/emit.h"

/* ---- names: of the spec, in C's custom; reserved words get something behind them ---- */
void assay_c_variable(FILE *to, const char *name);

/* A result that is called like an argument of its call gets another name. */
void assay_c_result_variable(const struct assay_model *model, const struct assay_call *call, FILE *to,
                             const char *name);

/* PROTOCOL_CALL: what the functions of a call begin with. */
void assay_c_call_name(const struct assay_model *model, FILE *to, const struct assay_call *call);

/* PROTOCOL_KIND_NAME */
void assay_c_constant(const struct assay_model *model, FILE *to, const char *kind, const char *name);
void assay_c_enum_name(FILE *to, const char *name, enum assay_case custom);

/* ---- types ---- */
const struct assay_type *assay_c_type_of(const struct assay_model *model, const struct assay_param *param);

/* Whether an enum becomes one of C; else its values are constants of an integer type. */
bool assay_c_is_enum(const struct assay_model *model, uint16_t of);
void assay_c_number_type(const struct assay_model *model, FILE *to, const struct assay_type *type);

/* An argument, with its size where it has one, declared and passed on. `between`: what stands between the two. */
void assay_c_parameter(const struct assay_model *model, FILE *to, const struct assay_param *param, const char *between);
void assay_c_argument(const struct assay_model *model, FILE *to, const struct assay_param *param, const char *between);

/* Results as parameters, and passed on; each with a comma before it. */
void assay_c_result_names(const struct assay_model *model, FILE *to, const struct assay_call *call);
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

/* Where arguments have defaults: all of them as a struct, NAME_defaults(), NAME_with(), NAME_with_start(); else
 * nothing. */
void assay_c_declare_defaults(const struct assay_model *model, FILE *to, const struct assay_call *call);
void assay_c_define_defaults(const struct assay_model *model, FILE *to, const struct assay_call *call);

/* What is written in between has its lines broken behind commas; further lines begin with `indent`. */
FILE *assay_c_begin_wrapped(char **text, size_t *size);
void assay_c_end_wrapped(FILE *to, FILE *from, char **text, const char *indent);

/* The first lines of a file: what it is, and what it was made from. The comment stays open. */
void assay_c_banner(const struct assay_model *model, FILE *to, const char *what);

#endif

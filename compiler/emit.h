/* Clients of their own from a model: source text, the same for the same model. */
#ifndef ASSAY_COMPILER_EMIT_H
#define ASSAY_COMPILER_EMIT_H

#include <stdio.h>

#include "core/model.h"

/* C: PROTOCOL.h is the typed interface, PROTOCOL.c the tables and what stands
 * behind it; both need libassay's headers and nothing else. */
void assay_emit_c_header(const struct assay_model *model, FILE *to);
void assay_emit_c_source(const struct assay_model *model, FILE *to);

/* PROTOCOL_main.c: a program that lines on standard input drive. */
void assay_emit_c_main(const struct assay_model *model, FILE *to);

/* The tables alone, as `const struct assay_model PROTOCOL_model`; part of the source. */
void assay_emit_c_tables(const struct assay_model *model, FILE *to);

/* Python: PROTOCOL_client.py, one file that needs nothing but Python 3.8 or newer. */
void assay_emit_python(const struct assay_model *model, FILE *to);

/* ---- names, shared by the emitters -------------------------------------- */

enum assay_case { ASSAY_LOWER_SNAKE, ASSAY_UPPER_SNAKE, ASSAY_CAMEL };

/* A name of the spec in the custom of the language: read-frame -> READ_FRAME. */
void assay_emit_name(FILE *to, const char *name, enum assay_case custom);

/* The file name of the spec, without folders. */
const char *assay_emit_source_name(const struct assay_model *model);

/* Prose as comment lines of at most 100 columns, each beginning with `lead`. */
void assay_emit_prose(FILE *to, const char *lead, const char *text);

/* Prose inside a line of a C comment. */
void assay_emit_comment(FILE *to, const char *text);

/* Whether an error with the same name stands further up: errors that calls share count once. */
bool assay_emit_repeated_error(const struct assay_model *model, uint16_t error);

/* The number that an error has for applications: 1 + the place of the first with its name. */
unsigned assay_emit_error_number(const struct assay_model *model, uint16_t error);

#endif

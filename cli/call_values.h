/* Values of calls as text: what `assay call` reads and prints. What it prints, it reads. */
#ifndef ASSAY_CLI_CALL_VALUES_H
#define ASSAY_CLI_CALL_VALUES_H

#include <stdio.h>

#include "core/model.h"
#include "libclient/assay.h"

/* Text to a value of a type:
 *   numbers   12, -3, 0x1f; of an enum also its names
 *   bool      true, false
 *   duration  200ms, 2s, 1min
 *   list      numbers with commas: 1,2,3
 *   bytes, text   as they are; hex:00ff, @FILE (@- is standard input), text:ANYTHING
 * `why` says what is wrong when false is returned. Bytes belong to the value:
 * assay_value_free(). */
bool assay_value_parse(const struct assay_model *model, uint16_t type, const char *text, struct assay_value *value,
                       char *why, size_t why_size);

/* The default of a parameter; false: it has none. */
bool assay_value_default(const struct assay_model *model, const struct assay_param *param, struct assay_value *value);

void assay_value_free(struct assay_value *value);

void assay_value_print(const struct assay_model *model, uint16_t type, const struct assay_value *value, FILE *to);
void assay_value_json(const struct assay_model *model, uint16_t type, const struct assay_value *value, FILE *to);

/* A JSON string; bytes that are no UTF-8 become {"hex": "..."}. */
void assay_bytes_json(const void *bytes, size_t size, FILE *to);

#endif

/* Numbers as text and as bytes: one reader and one writer of each, shared by
 * expressions and the codec. */
#ifndef ASSAY_CORE_NUMBER_H
#define ASSAY_CORE_NUMBER_H

#include "core/value.h"

#define ASSAY_DECIMAL_MAX 20 /* longest decimal text of 64 bits, sign included */
#define ASSAY_HEX_MAX     16

/* White space as in the C locale. */
bool assay_is_space(uint8_t c);

/* Decimal text to a number. Canonical form only, unless `loose` (enum
 * assay_loose) widens it; false: it is none, or does not fit 64 bits. */
bool assay_parse_decimal(struct assay_span text, bool sign, unsigned loose, int64_t *value);

/* Lower-case hexadecimal text without leading zeros (unless loosened). */
bool assay_parse_hex(struct assay_span text, unsigned loose, int64_t *value);

/* Number to text; returns its size. `out` has room for the maximum. */
uint32_t assay_format_decimal(int64_t value, uint8_t *out);
uint32_t assay_format_hex(uint64_t value, uint8_t *out);

/* Elements of lists: 8 bytes, least significant first. */
int64_t assay_load_item(const uint8_t *p);
void assay_store_item(uint8_t *p, int64_t value);

/* Whether all bytes of a text belong to its character set. */
bool assay_charset_holds(enum assay_charset charset, struct assay_span text);

#endif

/* Sums over bytes: enum assay_sum (model.h). */
#ifndef ASSAY_CORE_SUMS_H
#define ASSAY_CORE_SUMS_H

#include "core/value.h"

/* How wide a sum of that kind is, in bits; 0: it is no kind. */
unsigned assay_sum_bits(unsigned kind);

uint32_t assay_sum_of(enum assay_sum kind, struct assay_span bytes);

/* The same as if `n` (at most 8) of the bytes, from `at` on, were zeros. */
uint32_t assay_sum_around(enum assay_sum kind, struct assay_span bytes, uint32_t at, uint32_t n);

/* Write the sum of `n` bytes into its field, which begins at `at`. */
void assay_sum_write(const struct assay_field *field, uint8_t *bytes, uint32_t n, uint32_t at);

/* Write the sum of an encoded frame anew, as bytes of it have changed. False: there is none in it. Changes env's slots.
 */
bool assay_sum_again(struct assay_env *env, uint16_t frame, uint8_t *bytes, uint32_t n);

#endif

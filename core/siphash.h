/* SipHash-2-4 with an output of 128 bits (Aumasson and Bernstein): without the key nobody can tell it from chance. */
#ifndef ASSAY_CORE_SIPHASH_H
#define ASSAY_CORE_SIPHASH_H

#include <stdint.h>

#define ASSAY_SIPHASH_SIZE 16

struct assay_siphash {
    uint64_t v[4];
    uint64_t tail; /* the bytes behind the last whole word */
    uint64_t n;    /* bytes so far */
};

/* Begin with a key, take bytes in as many pieces as there are, end with 16 bytes. */
void assay_siphash_begin(struct assay_siphash *h, const uint64_t key[2]);
void assay_siphash_take(struct assay_siphash *h, const void *bytes, uint32_t n);
void assay_siphash_end(struct assay_siphash *h, uint8_t out[ASSAY_SIPHASH_SIZE]);

/* A number, as 8 bytes, least significant first. */
void assay_siphash_number(struct assay_siphash *h, uint64_t number);

#endif

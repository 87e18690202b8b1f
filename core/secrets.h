/* What nobody outside of an engine can guess: random values and seals, all of config.secret. Where config.marked is
 * set, placeholders instead, which can be learned. */
#ifndef ASSAY_CORE_SECRETS_H
#define ASSAY_CORE_SECRETS_H

#include "core/engine.h"
#include "core/siphash.h"

#define ASSAY_RANDOM_MIN 8u
#define ASSAY_RANDOM_MAX 64u
#define ASSAY_SEAL_SIZE  ASSAY_SIPHASH_SIZE
#define ASSAY_SEALS_KEPT 8u /* that count for the same values */

/* A seal that was made while config.marked is set. */
struct assay_marked_seal {
    uint8_t values[ASSAY_SIPHASH_SIZE]; /* hash of what was sealed */
    uint8_t bytes[ASSAY_SEAL_SIZE];     /* placeholder, or what was learned */
    uint64_t number;
    assay_time made;
};

struct assay_secrets {
    uint64_t drawn; /* values drawn so far */
    struct assay_marked_seal *seals;
    uint64_t made; /* seals; the last ones stand in a ring of `cap` */
    uint32_t cap;
};

/* What a hash is made for, so that those of one kind tell nothing of another. */
enum assay_domain { ASSAY_DOMAIN_RANDOM, ASSAY_DOMAIN_SEAL, ASSAY_DOMAIN_ROW };
void assay_secret_begin(const struct assay_engine *e, struct assay_siphash *h, enum assay_domain domain,
                        uint64_t number);

/* A seal is another one than was thought. */
void assay_seals_learn(struct assay_engine *e, struct assay_span placeholder, const uint8_t *actual);

/* Seals that an engine has to remember. */
uint32_t assay_seals_cap(const struct assay_config *config);

#endif

/* Bytes that nobody can guess. */
#ifndef ASSAY_NET_RANDOM_H
#define ASSAY_NET_RANDOM_H

#include <stdint.h>

/* Of the system's random source; where that fails the process ends: there is no second best. */
void assay_secret(uint64_t secret[2]);

#endif

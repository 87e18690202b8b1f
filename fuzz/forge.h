/* Datagrams that get further than arbitrary bytes would: with what the engine has made up, numbers in turn, a sum. */
#ifndef ASSAY_FUZZ_FORGE_H
#define ASSAY_FUZZ_FORGE_H

#include "core/engine.h"

enum { FORGE_KEPT = 4, FORGE_MAX = 2048 };

/* What an engine has sent to a peer: the last datagrams. */
struct forge_sent {
    uint8_t bytes[FORGE_KEPT][FORGE_MAX];
    uint32_t n[FORGE_KEPT];
    uint32_t count;
};

/* A datagram was sent; ends the program unless it is a message. */
void forge_note(struct forge_sent *sent, struct assay_span datagram);

/* What `k` names (script.h); empty: nothing. */
struct assay_span forge_value(const struct forge_sent *sent, uint8_t k);

void forge_marks(const struct forge_sent *sent, uint8_t *bytes, uint32_t n);
void forge_sum(uint8_t *bytes, uint32_t n);
/* Returns the new size, at most FORGE_MAX. */
uint32_t forge_turn(struct assay_engine *e, assay_sid sid, uint8_t delta, uint8_t *bytes, uint32_t n);
/* Put `actual` where the placeholder stands. */
void forge_learn(uint8_t *bytes, uint32_t n, struct assay_span placeholder, const uint8_t *actual);

#endif

/* A turn: the engine works on one connection, from the buffers of its loop.
 *
 * Begun by assay_turn_begin() (shard.h), which chooses where output goes; calls
 * of the engine in between, each followed by assay_turn_again() or
 * assay_turn_settle(); ended by assay_turn_end(), which sends and keeps. */
#ifndef ASSAY_REF_SERVER_TURN_H
#define ASSAY_REF_SERVER_TURN_H

#include "ref-server/shard.h"

static inline bool assay_conn_has(const struct assay_conn *c, unsigned flag)
{
    return (c->flags & flag) != 0;
}
static inline void assay_conn_set(struct assay_conn *c, unsigned flag)
{
    c->flags = (uint16_t)(c->flags | flag);
}
static inline void assay_conn_clear(struct assay_conn *c, unsigned flag)
{
    c->flags = (uint16_t)(c->flags & ~flag);
}

/* ---- output.c ----------------------------------------------------------- */

void assay_queue_give(struct assay_shard *shard, struct assay_queue *queue);

/* Move the output of the turn to a queue with so much room. False: no memory. */
bool assay_turn_grow(struct assay_turn *turn, size_t bytes, size_t cuts);

/* Send what may leave. False: nothing did. */
bool assay_turn_flush(struct assay_turn *turn);

/* The engine said FULL: send, else take a larger buffer within the limit. False: wait. */
bool assay_turn_make_room(struct assay_turn *turn);

/* Room for one rule, beyond the limit if need be. False: no memory. */
bool assay_turn_insist(struct assay_turn *turn);

/* Keep what has not left. False: no memory. */
bool assay_turn_keep_output(struct assay_turn *turn);

/* ---- turn.c ------------------------------------------------------------- */

/* The session has ended, for the connection and for the count. */
void assay_conn_session_over(struct assay_turn *turn, bool abort);

/* Take the events of a call, and complete the effects that are done already. True: there were any. */
bool assay_turn_settle(struct assay_turn *turn);

/* Settle, and tell whether to make the call again that returned `rc`. */
bool assay_turn_again(struct assay_turn *turn, enum assay_rc rc);

/* Handle input; what is left of it is the beginning of a frame, or (turn->full) has to wait. */
void assay_turn_feed(struct assay_turn *turn, struct assay_span *in);

/* Ends of the stream and of the server, once all input before them was handled. */
void assay_turn_signals(struct assay_turn *turn, struct assay_span *in);

#endif

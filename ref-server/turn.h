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

/* ---- conn.c ------------------------------------------------------------- */

/* Input in a buffer of its own, with so much room; NULL: no memory. And its end. */
struct assay_held *assay_held_make(struct assay_shard *shard, struct assay_span in, size_t room);
void assay_held_give(struct assay_shard *shard, struct assay_conn *conn);

/* Begin the session of a stream. False: the engine has no room. */
bool assay_turn_open(struct assay_turn *turn);

/* The connection, which has no session any more, is done with. */
void assay_conn_end(struct assay_shard *shard, struct assay_conn *conn);

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

/* A connection has no session any more. */
void assay_conn_forget(struct assay_shard *shard, struct assay_conn *conn);

/* The session has ended, for the connection and for the count. */
void assay_conn_session_over(struct assay_turn *turn, bool abort);

/* Take the events of a call, and complete the effects that are done already. True: there were any. */
bool assay_turn_settle(struct assay_turn *turn);

/* Settle, and tell whether to make the call again that returned `rc`. */
bool assay_turn_again(struct assay_turn *turn, enum assay_rc rc);

/* Handle input; what is left of it is the beginning of a frame, or (turn->full) has to wait. */
void assay_turn_feed(struct assay_turn *turn, struct assay_span *in);

/* The datagram of one who has no session: he may have one then. False: it has to wait (turn->full). */
bool assay_turn_stranger(struct assay_turn *turn, struct assay_span in);

/* One datagram; false: it has to wait (turn->full). */
bool assay_turn_feed_datagram(struct assay_turn *turn, struct assay_span in);

/* The server stops: end a session of datagrams, unless it has to wait (turn->full). */
void assay_turn_shutdown(struct assay_turn *turn);

/* Ends of the stream and of the server, once all input before them was handled. */
void assay_turn_signals(struct assay_turn *turn, struct assay_span *in);

#endif

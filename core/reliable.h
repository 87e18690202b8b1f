/* What a session's reliable messages need: those sent and not acknowledged, those received ahead of their turn.
 *
 * Messages are counted from 0 in each direction; their number on the wire is computed from the count where it is
 * needed, as the variables that it begins with may be learned late. Bytes stand in the engine's heap. All of it is
 * there only where the model has `reliable`. */
#ifndef ASSAY_CORE_RELIABLE_H
#define ASSAY_CORE_RELIABLE_H

#include "core/session.h"

/* A message that was sent and is not acknowledged. */
struct assay_kept {
    assay_time due, pause; /* when it goes out again, and the pause before that */
    uint64_t row;          /* of a log */
    uint32_t at, size;     /* its bytes */
    uint16_t message;
    uint16_t log;  /* whose row it is; ASSAY_NONE */
    bool anew;     /* its number and session are of a numbering that is over: it is encoded again when it goes out */
    bool numbered; /* while its rule runs: it is of the numbering that this rule began */
};

/* A message ahead of its turn. */
struct assay_ahead_of_turn {
    uint32_t at, size; /* size 0: there is none; else that of its content, plus 1 */
    bool done;         /* it was handed over, and what it waited for is done: those before it are to be taken first */
};

struct assay_flow {
    uint64_t acked;      /* messages acknowledged */
    uint64_t base, next; /* messages base to next wait to be; those from acked to base were given up */
    uint64_t mark;       /* what the call marked is acknowledged when so many are */
    uint64_t taken;      /* messages received and taken */
    uint64_t handed;     /* those handed to the machine: rows of those from taken to handed are in flight, or done */
    assay_time progress; /* since when those that wait have waited without any being acknowledged */
    assay_time due;      /* when the first thing is to be done */
    assay_time again;    /* when the first of those that wait goes out again, if it is not given up before */
    assay_time retry;    /* when it may be hungry again, as there was no memory for a row */
    uint32_t head;       /* place of message base among those kept */
    uint32_t held;       /* messages ahead of their turn */
    uint32_t numbering;  /* how many times numbers began anew */
    uint32_t chained;    /* rows in flight */
    bool failing;        /* one of them failed: no message is handed over until all have completed */
};

/* What a session wants done as soon as it can be. */
enum assay_want {
    ASSAY_WANT_TURN = 1,  /* a message that was ahead may be handled */
    ASSAY_WANT_AWAIT = 2, /* what the call waits for is to be asked */
    ASSAY_WANT_ACK = 4,   /* messages were taken whose rows were in flight: they are acknowledged together */
};

static inline struct assay_flow *assay_flow_of(const struct assay_engine *e, const struct assay_session *s)
{
    return (struct assay_flow *)(void *)((uint8_t *)(uintptr_t)s + e->flow_at);
}

static inline struct assay_kept *assay_flow_kept(const struct assay_engine *e, struct assay_flow *flow)
{
    (void)e;
    return (struct assay_kept *)(void *)(flow + 1);
}

static inline struct assay_ahead_of_turn *assay_flow_ahead(const struct assay_engine *e, struct assay_flow *flow)
{
    return (struct assay_ahead_of_turn *)(void *)(assay_flow_kept(e, flow) + e->window);
}

/* Its size for each session, which becomes e->flow_size; 0 without `reliable`. */
void assay_flow_measure(struct assay_engine *e);
/* Durations and messages noted once, the block being there. */
void assay_flow_init(struct assay_engine *e);
void assay_flow_begin(const struct assay_engine *e, struct assay_session *s);
void assay_flow_free(struct assay_engine *e, struct assay_session *s);

/* The number on the wire of a message by its count. */
uint64_t assay_flow_number(struct assay_engine *e, uint64_t count);
uint64_t assay_flow_mask(const struct assay_engine *e);

/* Whether the message in env's slots is of this session. */
bool assay_flow_is_ours(struct assay_engine *e, const struct assay_session *s);
/* Put number and session into the message being made. */
void assay_flow_address(struct assay_engine *e, const struct assay_session *s, uint64_t count);

/* A message that no rule sends was put behind the output: count it in, and tell of it. `number`: of a reliable one. */
void assay_tell_again(struct assay_engine *e, struct assay_session *s, uint16_t message, uint64_t number,
                      uint32_t size);

/* An acknowledgement came; its fields stand in env. */
void assay_flow_acknowledged(struct assay_engine *e, struct assay_session *s);
/* Whether nothing waits to be acknowledged, nor for its turn. */
bool assay_flow_idle(const struct assay_engine *e, const struct assay_session *s);
/* When something is to be done for it next. */
void assay_flow_plan(struct assay_engine *e, struct assay_flow *flow);
/* Do what is due. */
enum assay_rc assay_flow_tick(struct assay_engine *e, struct assay_session *s);
/* While effects are in flight: messages that were sent go out again nevertheless. */
enum assay_rc assay_flow_again(struct assay_engine *e, struct assay_session *s);

/* receive.c */
void assay_ahead_drop(struct assay_engine *e, struct assay_flow *flow);
/* A message that was ahead may have waited for the call that has begun. */
void assay_turns_wake(const struct assay_engine *e, struct assay_session *s);
enum assay_rc assay_turns(struct assay_engine *e, struct assay_session *s);

#endif

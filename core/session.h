/* Inside the engine: its block, its sessions, and the one rule that is running.
 *
 * The block holds, one after another: the engine, the sessions (each with its
 * variables and timers behind it), the timer heap, the memory of variables,
 * the table of effects, the event queue and scratch. */
#ifndef ASSAY_CORE_SESSION_H
#define ASSAY_CORE_SESSION_H

#include "core/codec.h"
#include "core/engine.h"
#include "core/heap.h"
#include "core/rows.h"
#include "core/secrets.h"
#include "core/timers.h"
#include "core/vm.h"

#define ASSAY_TIMERS_PER_MACHINE 63
#define ASSAY_FIRED              (ASSAY_NEVER - 1) /* a timer that went off: runs again only if restarted */

/* CHAIN: no rule is suspended, but rows of reliable messages are in flight: only the next such message is taken. */
enum assay_pend { ASSAY_PEND_NONE, ASSAY_PEND_FLIGHT, ASSAY_PEND_DONE, ASSAY_PEND_FAILED, ASSAY_PEND_CHAIN };

/* What presents a suspended event again: the host's input, its signal, or nobody, as it has no bytes, or the engine
 * itself holds them (a reliable message that was ahead of its turn), or nothing is suspended (CHAIN). */
enum assay_origin { ASSAY_ORIGIN_INPUT, ASSAY_ORIGIN_SIGNAL, ASSAY_ORIGIN_SELF, ASSAY_ORIGIN_HELD, ASSAY_ORIGIN_CHAIN };

enum assay_mode { ASSAY_MODE_UNDECIDED, ASSAY_MODE_STREAM, ASSAY_MODE_SEGMENT };

struct assay_session {
    uint64_t skip; /* bytes of an oversize frame that are still to come */
    uint32_t gen;
    uint32_t scanned;
    uint32_t next;  /* free: the next free one, plus 1 */
    uint32_t slot;  /* its own */
    uint32_t gates; /* effects that output waits for */
    uint32_t puts;  /* rows that its rule puts: 1 + index of the first; 0: none */
    uint64_t drawn; /* of a suspended rule: random values drawn before it began */
    uint32_t held;  /* of a suspended rule: blocks that its variables will need */
    assay_token token;
    uint16_t state, wait, call;
    uint16_t early; /* event of the message that comes next, if it waits for a call; ASSAY_NONE: it does not */
    uint16_t rule, event, resume; /* of a suspended rule: code of the effect that it waits for */
    uint8_t live, ended, mode, pend, origin;
    uint8_t wants;  /* bit set of enum assay_want (reliable.h) */
    uint8_t chosen; /* of a suspended body: free choices that were made in it, and in what is foreseen of it: */
    uint8_t choice[ASSAY_CHOICES_MAX]; /* the ways taken; while a body runs, those so far */
    bool otherwise;                    /* the suspended body is the rule's `else` */
    bool skip_until;                   /* an oversize frame goes on up to its delimiter */
    bool eof_framed;                   /* the frame that the end of stream ends was handled */
    bool failing;                      /* a gate failed behind another that is in flight: no more input */
    bool finished;                     /* it is going to End by itself */
    bool awaits;                       /* its call waits in a state of kind AWAIT */
    bool source;                       /* a datagram made it: it is let go where it stands in its start state */
    assay_val words[]; /* variables, then deadlines of timers, then that of the call, then blocks held */
};

struct assay_flight {
    uint32_t session, session_gen; /* ASSAY_TIMERS_OUT: the entry is free */
    uint32_t next;                 /* free: the next free one, plus 1 */
    uint32_t put;                  /* 1 + index of the row that is put; 0: none */
    uint16_t gen, rule, event;
    bool gate, failed, chain;
    uint32_t count; /* chain: of its message, modulo 2^32 */
};

struct assay_undo {
    uint16_t var;
    assay_val old;
};

struct assay_queued {
    struct assay_event event;
    uint32_t first_arg;
};

/* What a rule has done so far, and where to go back to. */
struct assay_tx {
    uint32_t out_len, events, args, undo;
    uint64_t drawn;
    uint16_t cuts;
    uint16_t state, wait, call;
    uint64_t start, stop; /* timers */
    bool end, abort, finished, sent, sent_before;
    bool done, declined;        /* the rule is through; it did not take its message */
    bool chained;               /* it is, but for an effect in flight that the message waits for */
    bool marked, mark_numbered; /* what the call waits for; it is of the numbering that this rule began */
    uint8_t chosen;             /* free choices */
    uint32_t gated;
    uint32_t kept; /* reliable messages */
    uint64_t mark;
};

/* Of a list of sessions: their slots plus 2, as the lists themselves come first. */
struct assay_links {
    uint32_t after, before;
};

struct assay_engine {
    struct assay_config config;
    const struct assay_model *model;
    const struct assay_machine *machine;
    struct assay_choices *choices;

    /* of the call that is running; all of it is set anew by the next one */
    struct assay_env env;  /* what the event brought */
    struct assay_env made; /* the message being made */
    assay_val slots[ASSAY_SLOTS_MAX], made_slots[ASSAY_SLOTS_MAX];
    uint64_t free_slots;
    uint16_t free_where[ASSAY_SLOTS_MAX];
    struct assay_tx tx;
    assay_time now;
    struct assay_out *out;

    uint8_t *sessions;
    size_t session_size, block_size;
    uint32_t sessions_used, sessions_free; /* slots ever used; first free one plus 1 */
    uint32_t sessions_live;
    uint32_t dead;        /* slot that ended in the last call, plus 1 */
    bool special;         /* sessions are let go, or follow logs */
    bool strict, refused; /* only stateless rules are followed; another would have been */
    uint16_t vars_count, timers_count;
    uint32_t held_most; /* blocks that one suspended rule can hold */

    const struct assay_reliable *reliable; /* NULL: there is none */
    size_t flow_at, flow_size;             /* in a session */
    size_t follow_at, follow_size;         /* in a session; 0: no log is followed */
    struct assay_links lists[2];
    uint64_t *log_rows; /* by log */
    uint32_t row_bytes; /* the most of one row */
    uint16_t row_log;   /* log whose row is being sent; ASSAY_NONE */
    bool starved;       /* there was no memory for it */
    bool cramped;       /* a rule could not be done for want of memory, or of a window */
    bool chaining;      /* a message is handed over behind which others may be, while its row is in flight */
    uint64_t row;
    size_t peer_at, peer_size; /* in a session; 0: no code asks */
    uint32_t window;
    int64_t pause_first, pause_cap, give_up; /* INT64_MAX: none */
    bool *reliables;                         /* by message */

    struct assay_timers timers;
    struct assay_heap heap;
    uint64_t *timer_masks;          /* by state of the machine: timers that run in it */
    bool *settled_in, *settled_out; /* by message: see assay_env.settled */

    struct assay_rows rows;
    struct assay_secrets secrets;

    struct assay_flight *flights;
    uint32_t flights_used, flights_free;

    struct assay_undo *undo;
    assay_val *garbage; /* bytes of variables that queued events may still show */
    uint32_t undo_count, undo_cap, garbage_count, garbage_cap, garbage_need;

    struct assay_queued *events;
    assay_val *arg_values;
    struct assay_span *arg_spans;
    uint16_t *wheres; /* judge: a row of ASSAY_SLOTS_MAX for each event */
    uint32_t events_head, events_count, events_cap, events_need;
    uint32_t args_count, args_cap, args_need;
    uint32_t scratch_need;
};

/* ---- session.c: sessions, their variables and timers ------------------- */

static inline struct assay_session *assay_session_at(const struct assay_engine *e, uint32_t slot)
{
    return (struct assay_session *)(void *)(e->sessions + slot * e->session_size);
}

/* The session whose variables expressions see. */
static inline struct assay_session *assay_session_of(const struct assay_env *env)
{
    return (struct assay_session *)(void *)((uint8_t *)(uintptr_t)env->vars - offsetof(struct assay_session, words));
}

static inline assay_sid assay_session_id(const struct assay_session *s)
{
    return (assay_sid)s->gen << 32 | s->slot;
}

/* The session of an id; NULL: there is none, or it ended. */
struct assay_session *assay_session_find(const struct assay_engine *e, assay_sid sid);
struct assay_session *assay_session_take(struct assay_engine *e);
/* One beyond the limit, for a datagram that nobody is to remember. Its slot is the limit. */
struct assay_session *assay_session_take_spare(struct assay_engine *e);
void assay_session_release(struct assay_engine *e, struct assay_session *s);

/* Set a variable inside the running rule. */
enum assay_set { ASSAY_SET, ASSAY_SET_UNFIT, ASSAY_SET_NO_ROOM };
enum assay_set assay_var_set(struct assay_engine *e, struct assay_session *s, uint16_t var, assay_val v);
void assay_var_clear(struct assay_engine *e, struct assay_session *s, uint16_t var);
void assay_vars_undo(struct assay_engine *e, struct assay_session *s, uint32_t mark);
/* As undo, but the bytes that were set stay allocated until they are let go: when the rule is done again, they fit. */
void assay_vars_hold(struct assay_engine *e, struct assay_session *s, uint32_t mark);
void assay_session_hold(struct assay_engine *e, struct assay_session *s, assay_val bytes);
void assay_vars_let_go(struct assay_engine *e, struct assay_session *s);
void assay_vars_commit(struct assay_engine *e, uint32_t mark);
void assay_garbage_free(struct assay_engine *e);
/* Bytes of the heap that queued events may show: free them later. */
void assay_garbage_add(struct assay_engine *e, uint32_t at, uint32_t size);

assay_time *assay_session_deadlines(const struct assay_engine *e, struct assay_session *s);
void assay_timers_enter(struct assay_engine *e, struct assay_session *s, uint16_t before, uint64_t start,
                        uint64_t stop);
void assay_timers_restart(struct assay_engine *e, struct assay_session *s, unsigned why);
assay_time assay_session_deadline(const struct assay_engine *e, struct assay_session *s);
/* Whether something is due that rests while effects are in flight. */
bool assay_session_overdue(const struct assay_engine *e, struct assay_session *s);
/* After deadlines or what they rest for have changed. */
void assay_session_touch(struct assay_engine *e, struct assay_session *s);

/* ---- stranger.c: who the peer is ---------------------------------------- */

/* What the host said it is; empty if it did not. Valid until the session ends. */
struct assay_span assay_session_peer(const struct assay_engine *e, const struct assay_session *s);
size_t assay_peer_size(const struct assay_model *model);
/* Let a session go that a datagram made and that stands where it began. */
enum assay_rc assay_stranger_leave(struct assay_engine *e, struct assay_session *s, enum assay_rc rc);

/* ---- reliable.c, receive.c: messages that are acknowledged -------------- */

/* In the running rule: address a reliable message before it is encoded, and keep it behind that. False: the window is
 * full; there is no memory. */
bool assay_reliable_address(struct assay_engine *e, struct assay_session *s);
bool assay_reliable_keep(struct assay_engine *e, struct assay_session *s, uint16_t message, uint32_t size);
/* Between the two: which one it is, for those that judge. */
void assay_reliable_name(struct assay_engine *e, struct assay_session *s, struct assay_event *event);
void assay_reliable_mark(struct assay_engine *e, struct assay_session *s);
/* What becomes of them with their rule. */
void assay_reliable_commit(struct assay_engine *e, struct assay_session *s);
void assay_reliable_undo(struct assay_engine *e, struct assay_session *s);
void assay_reliable_hold(struct assay_engine *e, struct assay_session *s);

/* A message was decoded: what `reliable` has to do with it, then the machine. */
enum assay_rc assay_reliable_receive(struct assay_engine *e, struct assay_session *s, struct assay_decoded decoded,
                                     struct assay_span content);
/* The effect of a message's rule has completed, whose bytes the engine holds. */
enum assay_rc assay_receive_resume(struct assay_engine *e, struct assay_session *s);
/* In the running rule: its message waits for an effect, behind which others may be handed over. */
void assay_chain_add(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight);
/* That effect was done, or failed. */
void assay_chain_completed(struct assay_engine *e, struct assay_session *s, const struct assay_flight *flight,
                           bool done);
/* Rules were run in a session with effects in flight that messages wait for: it has them still. */
void assay_chain_keep(struct assay_engine *e, struct assay_session *s);
/* feed.c */
enum assay_rc assay_step(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin);

/* ---- queue.c: events and effects in flight ------------------------------ */

struct assay_event *assay_queue(struct assay_engine *e, struct assay_session *s, enum assay_event_type type);
/* Append arguments to the event queued last. */
void assay_queue_arg(struct assay_engine *e, uint16_t type, assay_val v);
void assay_queue_keep_effects(struct assay_engine *e, uint32_t mark);
bool assay_queue_has_room(const struct assay_engine *e);

assay_token assay_flight_start(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event,
                               bool gate);
struct assay_flight *assay_flight_find(struct assay_engine *e, assay_token token);
void assay_flight_end(struct assay_engine *e, struct assay_flight *flight);
/* It ended, but it is in flight still, as it was: nothing has come of what should have come next. */
void assay_flight_again(struct assay_engine *e, struct assay_flight *flight, const struct assay_flight *was);

/* ---- actions.c: rule bodies -------------------------------------------- */

enum assay_ran {
    ASSAY_RAN,         /* to its end */
    ASSAY_RAN_UNFIT,   /* something is undefined, or does not fit its field or variable */
    ASSAY_RAN_NO_ROOM, /* memory of variables is exhausted */
    ASSAY_RAN_SUSPEND, /* an effect has to complete first */
    ASSAY_RAN_FULL,    /* effects or cuts are used up */
};

/* Run a body inside the current transaction. Effects up to the instruction `skip` (0: none) were ordered before.
 * SUSPEND: the rest can be done, too; what it would do stands in the transaction, to be undone. */
enum assay_ran assay_body_run(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t code,
                              uint16_t event, uint16_t skip, bool otherwise);

/* Where messages are datagrams, a cut without a gate begins each. False: there is no room for it. */
bool assay_datagram_begin(struct assay_engine *e);

void assay_call_end(struct assay_engine *e, struct assay_session *s);

/* ---- rules.c: one event of one session --------------------------------- */

/* Handle an event whose fields stand in e->env. OK: it is done with. */
enum assay_rc assay_handle(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin);
/* The same, if it is a rule that may run while rows of messages before this one are in flight; else PENDING. */
enum assay_rc assay_handle_chained(struct assay_engine *e, struct assay_session *s, uint16_t event,
                                   enum assay_origin origin);
/* Go on with the suspended rule, its effect being done or failed. */
enum assay_rc assay_resume(struct assay_engine *e, struct assay_session *s);
/* The `else` of a rule whose gate failed. */
enum assay_rc assay_gate_failed(struct assay_engine *e, struct assay_session *s, uint16_t rule, uint16_t event);
/* End now; PENDING while gates are open. */
enum assay_rc assay_session_end(struct assay_engine *e, struct assay_session *s, enum assay_end how, uint16_t cause);
/* For an event that brings no fields. */
void assay_no_fields(struct assay_engine *e);
void assay_bind(struct assay_engine *e, struct assay_session *s);
/* Whether a rule of the state that the call waits in holds. */
bool assay_awaited(struct assay_engine *e, struct assay_session *s);
/* await.c: ask what the call waits for, and go on with it. OK, or ENDED. */
enum assay_rc assay_await(struct assay_engine *e, struct assay_session *s);
/* The arguments of the running call into slots. */
void assay_call_slots(struct assay_engine *e, struct assay_session *s);
/* Whether a call, begun now, sends nothing before it takes such a message. */
bool assay_call_begins_with(const struct assay_engine *e, const struct assay_session *s, uint16_t call, uint16_t event);
/* A message that nobody takes: the end, or, if a call may begin with it, EARLY. */
enum assay_rc assay_stray(struct assay_engine *e, struct assay_session *s, uint16_t event);
void assay_call_result(struct assay_engine *e, struct assay_session *s, int32_t outcome, uint16_t cause);

#endif

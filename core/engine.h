/* The engine: sessions of one protocol in one role, without I/O.
 *
 * Bytes, events and the time go in; bytes, events and the next deadline come
 * out. The engine never allocates: it lives in one block whose size follows
 * from the limits. It is not thread-safe; use one per thread.
 *
 * Time is nanoseconds on the caller's clock, which may be virtual and must not
 * run backwards. All functions return at once.
 *
 * A rule is atomic. It starts only when its largest output fits in `out`; else
 * the call returns ASSAY_FULL and nothing happened. If something in it is
 * undefined or does not fit, its sets and sends are undone and its `else` runs.
 * Effects cannot be undone: one that the rule waits for is ordered only when
 * the rest of the rule, if all its effects are done, fits as well.
 */
#ifndef ASSAY_CORE_ENGINE_H
#define ASSAY_CORE_ENGINE_H

#include "core/value.h"

typedef int64_t assay_time;
#define ASSAY_NEVER INT64_MAX

/* A session: its slot in the low 32 bits, its generation in the high ones, so that a stale id is a no-op. Slots
 * count from 0 and stay below the limit of sessions (but see assay_datagram()): a host may index a table of its own
 * with them. 0 is no session. */
typedef uint64_t assay_sid;

/* An effect in flight. 0 is none. */
typedef uint32_t assay_token;

struct assay_engine;

/* Choices that a protocol leaves free (`may`, `choose`). `pick` says which way
 * to go at the first, second, ... choice since `met` was set to 0; beyond
 * `picks` the first way is taken. `ways` tells how many there were at each.
 * Those behind an effect that a rule waits for are made when it is ordered.
 * Whether a rule of level SHOULD is followed is free, too: one that is passed
 * over is as if it were not there (where no rule stands behind it: nothing
 * happens). An undecided one is followed from when it is first met. */
enum assay_stance { ASSAY_STANCE_NONE, ASSAY_STANCE_FOLLOWED, ASSAY_STANCE_PASSED };
#define ASSAY_CHOICES_MAX 16
struct assay_choices {
    uint8_t picks, met;
    uint8_t pick[ASSAY_CHOICES_MAX], ways[ASSAY_CHOICES_MAX];
    uint8_t *stances; /* by rule: enum assay_stance towards those of level SHOULD; NULL: all are followed */
};

struct assay_config {
    const struct assay_model *model; /* outlives the engine */
    uint16_t machine;                /* in model->machines: what its sessions play */
    struct assay_limits limits;      /* usually model->limits with overrides */
    const assay_val *options;        /* values of model->options, outlives the engine; NULL: the defaults */
    uint64_t leniencies;             /* bit i: model->leniencies[i] is on; see assay_leniencies_default() */
    uint64_t secret[2]; /* seals and random values come from it: of the system's random source, for each engine and
                           each start anew, or any constant where runs are to repeat */
    bool trace;         /* also give ASSAY_EVENT_STEP */
    bool judge;         /* also give ASSAY_EVENT_SENT */
    bool marked;        /* random values and seals can be told from others: see assay_learn() */
    bool gates;         /* the host can hold back output behind effects (see assay_out) */
    bool chains;        /* the host adds rows of logs in the order in which that was ordered; when one that is chained
                           fails, so do all chained ones that were ordered before assay_complete() told of it */
    bool calls;         /* the application may begin calls: what one begins with waits for it (see ASSAY_EARLY) */
};

/* Where output goes. The host owns the bytes; the engine appends at `len`.
 * A cut marks output that must not leave before an effect has completed:
 * everything from `at` on. Where frames are datagrams, a cut without a gate
 * (0) stands in front of each message: the border of two datagrams (so that
 * `cuts_cap` must be no less than the messages of one rule: without room for
 * its cut a message finds the output full). Cuts come in ascending order. When
 * the effect fails, the engine truncates `len` at its cut and goes on from there; the
 * host must pass to assay_complete() the same bytes, less a prefix that it has
 * sent (`at` moves with it). The engine takes a cut away when its effect has
 * completed. */
struct assay_cut {
    uint32_t at;
    assay_token gate;
};
struct assay_out {
    uint8_t *bytes;
    uint32_t cap, len;
    struct assay_cut *cuts;
    uint16_t cuts_cap, cuts_len;
};

enum assay_rc {
    ASSAY_OK,      /* all input was used */
    ASSAY_MORE,    /* the rest of the input is the beginning of a frame */
    ASSAY_FULL,    /* `out` (or the table of effects) has no room, or another session puts a row under the same key:
                      drain it, or complete effects, and present the same input again */
    ASSAY_TAKE,    /* events fill their queue: take them, then present the rest of the input again */
    ASSAY_PENDING, /* an effect is in flight, maybe behind a gate (the end of a session waits for its gates):
                      complete it and present the same input again */
    ASSAY_EARLY,   /* what comes next is a message that no rule takes, but a call that is yet to be begun would: present
                      the same input again behind the next call or timer. Another call ends the session instead */
    ASSAY_ENDED,   /* the session is over: send what is in `out`, then see ASSAY_EVENT_ENDED */
    ASSAY_STALE,   /* no such session, or no such effect any more; nothing happened */
    ASSAY_REFUSED, /* assay_open(): as many sessions as the limit allows */
    ASSAY_BUSY,    /* assay_call(): a call is running */
};

enum assay_event_type {
    ASSAY_EVENT_EFFECT, /* the host is to do something; `token` is 0 if no answer is awaited */
    ASSAY_EVENT_RESULT, /* a call ended */
    ASSAY_EVENT_STEP,   /* trace: a rule was taken */
    ASSAY_EVENT_SENT,   /* judge: a message was put in `out` */
    ASSAY_EVENT_ENDED,  /* the session reached End; its id is stale from now on */
    ASSAY_EVENT_STRAY,  /* a message that neither the machine nor the running call takes (clients only) */
};

enum assay_end { ASSAY_END_CLOSE, ASSAY_END_ABORT }; /* flush, shut, drain, close; or reset */

/* Call outcomes: 0 and above are the spec's own errors, as indices in model->errors. */
enum assay_outcome { ASSAY_CALL_OK = -1, ASSAY_CALL_CLOSED = -2, ASSAY_CALL_TIMEOUT = -3, ASSAY_CALL_PROTOCOL = -4 };

struct assay_event {
    enum assay_event_type type;
    assay_sid sid;
    union {
        struct {
            uint16_t effect; /* in model->effects */
            assay_token token;
            bool gate;  /* output behind a cut waits for it, the session goes on */
            bool chain; /* its reliable message waits for it, the session takes the next one (see assay_config) */
        } effect;
        struct {
            uint16_t call;
            int32_t outcome;          /* enum assay_outcome */
            uint16_t cause;           /* CLOSED, PROTOCOL: the event that ended the call */
            struct assay_span detail; /* text that an error carries */
        } result;
        struct {
            uint16_t rule, event, before, after; /* states */
            bool otherwise;                      /* its `else` was taken */
        } step;
        struct {
            uint16_t message, rule;
            bool again;            /* a reliable message once more, or an acknowledgement; `rule` is ASSAY_NONE */
            uint32_t at, size;     /* in `out` */
            uint32_t numbering;    /* a reliable one: how many times numbers had begun anew, */
            uint64_t number;       /* and which it is since then, counted from 0, not wrapped */
            uint64_t free;         /* slots that an implementation fills as it likes ... */
            const uint16_t *where; /* ... as long as this code holds, by slot, over the message's own fields;
                                      ASSAY_NONE: any value of its type */
        } sent;
        struct {
            enum assay_end how;
            uint16_t cause; /* event */
            bool finished;  /* the machine went to End; else only this link is over (`close: true`) */
        } ended;
        struct {
            uint16_t event;
        } stray;
    };
    /* EFFECT: its arguments; RESULT: its results when OK. Numbers stand in
     * `values`, bytes in `spans`. */
    uint16_t count;
    const assay_val *values;
    const struct assay_span *spans;
};

/* Bytes that an engine needs, and its start in `mem` (aligned for max_align_t). */
size_t assay_engine_size(const struct assay_config *config);
struct assay_engine *assay_engine_init(void *mem, size_t size, const struct assay_config *config);

uint64_t assay_leniencies_default(const struct assay_model *model);

/* A connection was accepted or made: handles event `connect`. */
enum assay_rc assay_open(struct assay_engine *e, assay_time now, assay_sid *sid, struct assay_out *out);

/* A datagram of a source that has no session. `peer`: who that is, at most ASSAY_PEER_MAX bytes of the host's own form,
 * the same for the same source. A session is made (event `connect`), handles it as assay_feed() does, and is kept, in
 * *sid, or let go at once (*sid is 0): where the machine has stateless rules, a session in its start state with nothing
 * in flight is none. With as many sessions as the limit allows, only stateless rules are followed (events of such a
 * session have an id whose slot is the limit); machines without any: REFUSED. A session that is let go later gives
 * ASSAY_EVENT_ENDED. */
#define ASSAY_PEER_MAX 32
enum assay_rc assay_datagram(struct assay_engine *e, assay_time now, struct assay_span peer, struct assay_span in,
                             assay_sid *sid, struct assay_out *out);

/* Say who the peer of a session is, as in assay_datagram(). Without it `peer` is empty. */
void assay_identify(struct assay_engine *e, assay_sid sid, struct assay_span peer);

/* Bytes arrived. Handles as many frames as there are; *used is how many bytes
 * are done with. Events may point into `in`: take them before its bytes move.
 * Present the rest again, with what followed it, after MORE
 * (when there is more), FULL or PENDING (after the room or the completion).
 * Where frames are datagrams, `in` is exactly one, which may be empty; MORE is
 * never returned. */
enum assay_rc assay_feed(struct assay_engine *e, assay_sid sid, assay_time now, struct assay_span in, uint32_t *used,
                         struct assay_out *out);

/* The end of the stream (`in` is the part of a frame that was left) or a reset,
 * or the host stops (ASSAY_EV_SHUTDOWN). Handled when all input before it was;
 * while an effect is in flight, PENDING, or behind a message that waits for a
 * call, EARLY: present it again. (SHUTDOWN does not wait for calls.) */
enum assay_rc assay_signal(struct assay_engine *e, assay_sid sid, assay_time now, enum assay_builtin_event event,
                           struct assay_span in, struct assay_out *out);

/* Start a call. `values` and `spans` are its arguments as in struct
 * assay_event; they are copied; one outside its type, or that no message can
 * carry, ends the call with PROTOCOL and leaves the session alone. `deadline`:
 * when it ends with TIMEOUT, or ASSAY_NEVER; the session ends with it, as a
 * late answer would be taken for that to the next call. FULL also: its first
 * message is a reliable one, and the window is full: present it again after the next input or tick. */
enum assay_rc assay_call(struct assay_engine *e, assay_sid sid, assay_time now, uint16_t call, const assay_val *values,
                         const struct assay_span *spans, assay_time deadline, struct assay_out *out);

/* An effect was done, or failed. A token of a session that ended is stale.
 * After a completion without a gate, or when the last call returned PENDING,
 * present the session's input again. `out` is never NULL. */
enum assay_rc assay_complete(struct assay_engine *e, assay_token token, assay_time now, bool done,
                             struct assay_out *out);

/* A row of a table as it was kept (key, then columns, as in struct assay_event), before the first session. False: no
 * room. An effect that puts a row is ordered from the host where the table is durable; the engine takes the row over
 * when that is done and the rule is through, or its session ended. Until then no other session puts under its key. */
bool assay_restore(struct assay_engine *e, uint16_t table, const assay_val *values, const struct assay_span *spans);

/* The log has that many rows by now, numbered from 0, all kept: at the start, and as it grows. */
void assay_log_grew(struct assay_engine *e, uint16_t log, uint64_t rows);

/* A session that can be sent rows: `most` of `log`, from number `from` on; they are there. Give them with assay_row(),
 * one after another, then ask again, until there is none. One whose rows have to be fetched first is set aside with
 * assay_fetching(true), and not told of again until assay_fetching(false). */
struct assay_hunger {
    assay_sid sid;
    uint16_t log;
    uint64_t from;
    uint32_t most;
};
bool assay_hungry(struct assay_engine *e, struct assay_hunger *hunger);
void assay_fetching(struct assay_engine *e, assay_sid sid, bool on);

/* One row, the next that the session lacks (else STALE: nothing happened). FULL: drain `out`, give it again. */
enum assay_rc assay_row(struct assay_engine *e, assay_sid sid, assay_time now, uint16_t log, uint64_t number,
                        const assay_val *values, const struct assay_span *spans, struct assay_out *out);

/* The session's connection is gone for good; no event follows. */
void assay_drop(struct assay_engine *e, assay_sid sid);

/* The next event, oldest first. What it points to is valid until the next
 * call other than this one. Take all events after each call: one that finds
 * events left over returns ASSAY_TAKE. */
bool assay_next_event(struct assay_engine *e, struct assay_event *event);

/* When the next timer is due (ASSAY_NEVER: none), which session has one due at
 * `now`, and its handling. Input that arrived by then goes first. */
assay_time assay_deadline(const struct assay_engine *e);
bool assay_due(struct assay_engine *e, assay_time now, assay_sid *sid);
enum assay_rc assay_tick(struct assay_engine *e, assay_sid sid, assay_time now, struct assay_out *out);

/* Free choices of the calls that follow; NULL (the start): the first way always. */
void assay_choose(struct assay_engine *e, struct assay_choices *choices);

/* For judges: where a session stands. */
uint16_t assay_state(const struct assay_engine *e, assay_sid sid);
/* The call that runs, and the state (of kind WAIT) in which it waits; ASSAY_NONE: there is none. */
uint16_t assay_running(const struct assay_engine *e, assay_sid sid, uint16_t *wait);
bool assay_var(const struct assay_engine *e, assay_sid sid, uint16_t var, assay_val *value, struct assay_span *bytes);

/* For judges: what a session's reliable messages wait for. */
struct assay_waiting {
    uint32_t sent, held; /* unacknowledged; received ahead of their turn */
    uint64_t first_sent; /* number of the first unacknowledged one, counted from 0, not wrapped */
    uint64_t taken;      /* messages taken */
    uint32_t numbering;  /* how many times numbers have begun anew */
    assay_time again;    /* when the next of those unacknowledged goes out again, */
    assay_time gives_up; /* and when they are given up if none is acknowledged; ASSAY_NEVER */
};
bool assay_waiting(const struct assay_engine *e, assay_sid sid, struct assay_waiting *waiting);

/* With config.marked, random values and seals are placeholders: 8 bytes or more that begin with ASSAY_MARK and a number
 * that is not used twice. assay_learn() puts `actual` (of the same size) in the place of a placeholder wherever the
 * engine holds it: variables, rows, messages that wait (with the sum of their frame), seals; not where a rule waits for
 * an effect, which draws the same placeholder again: judges complete effects before they look at what was sent. A seal
 * that is made again has a new placeholder; the last 8 for the same values count as sealed, for twice limits.seal. */
#define ASSAY_MARK "\xa5\x5a\xf1\x0e\x9d" /* 5 bytes */
void assay_learn(struct assay_engine *e, struct assay_span placeholder, const uint8_t *actual);

/* For judges: of the memory for variables (limits.memory), in bytes, what is taken and who owns it. What nobody owns
 * is lost: there is none. */
struct assay_memory {
    uint32_t used;      /* all of the following */
    uint32_t variables; /* of sessions, and what their suspended rules hold */
    uint32_t messages;  /* reliable ones: unacknowledged, or ahead of their turn */
    uint32_t rows;      /* of tables */
    uint32_t passing;   /* until the next call: of the session that ended, what was replaced */
};
void assay_memory(const struct assay_engine *e, struct assay_memory *memory);

/* Where all stands that an engine knows between calls (its events taken), part by part: with equal bytes there, one
 * block goes on as it did before. Blocks elsewhere hold other addresses. False: there are no more parts. */
struct assay_engine_walk { /* zeroed at first */
    uint32_t part, unit;
};
bool assay_engine_part(const struct assay_engine *e, struct assay_engine_walk *walk, struct assay_span *part);

/* Copy a whole engine into another block of the same size and config; its events are to be taken first. */
void assay_engine_copy(struct assay_engine *to, const struct assay_engine *from);

#endif

/* One way in which a conforming target may stand on one link: an engine of its
 * own, what it has sent by now and has ordered from the world, and how much of
 * that was seen. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_BELIEF_H
#define ASSAY_CONFORMANCE_BELIEF_H

#include "conformance/lens.h"
#include "conformance/oracle.h"
#include "conformance/tale.h"

/* In what order messages may come: those of a kind in that in which they were sent. */
enum assay_chunk_kind {
    ASSAY_CHUNK_PLAIN,
    ASSAY_CHUNK_RELIABLE, /* goes out again until it is acknowledged */
    ASSAY_CHUNK_ACK,      /* of datagrams: a newer one will do in its place */
};

/* A message that the model sent. The chunks of a belief tile its output, but for copies of what was sent before. */
struct assay_chunk {
    uint32_t at, size;
    uint16_t message, rule, state, event;
    uint8_t kind;           /* enum assay_chunk_kind */
    bool seen;              /* of datagrams */
    bool over;              /* RELIABLE: its numbering is over */
    bool given_up;          /* RELIABLE: that is why it stopped; what was owed of it before still is */
    uint64_t count;         /* RELIABLE: its number, from 0, */
    uint32_t numbering;     /* since numbers began anew so many times */
    uint32_t copies;        /* seen after the first; ACK: that may still come */
    int64_t seen_at, pause; /* RELIABLE: last, and how long until the next one */
    int64_t stopped_at;     /* RELIABLE: when it was acknowledged, or given up; ASSAY_NEVER */
    uint32_t wave;          /* of the input that it answers */
    uint64_t free;          /* slots that a target fills as it likes ... */
    uint16_t *where;        /* ... as long as this code holds, by slot; owned; NULL: whatever they are */
    uint32_t vars_at;       /* where: the variables that it sees, in belief.vars */
};

struct assay_effect_seen {
    uint16_t effect;
    uint32_t order;    /* among all that were ordered in this world */
    uint32_t at, size; /* in belief.effects_bytes: as an observer shows it, or what is gathered */
};

/* The application starts a call. */
struct assay_belief_call {
    uint16_t call;
    const assay_val *values; /* valid as long as the belief, or a copy of it, lives */
    const struct assay_span *spans;
};

#define ASSAY_CALLS_WAIT_MAX 8

struct assay_belief {
    struct assay_belief_world *world; /* that its memory comes from */
    struct assay_engine *engine;
    assay_sid sid;
    struct assay_choices choices; /* `stances` is owned; NULL where no rule is a SHOULD */
    bool faulted;                 /* since `steps` was cleared some `else` was taken, or a variable found no room */
    bool more;                    /* there is input that the engine has not looked at */
    bool open, ended, shut, tentative; /* tentative: all that was seen may be the last message, or its beginning */
    bool finished;                     /* ended: its machine is through */
    bool heard;                        /* a message arrived */
    bool calling;                      /* a call is running */
    bool over;                         /* a call is through that made its own link */
    struct assay_belief_call waiting[ASSAY_CALLS_WAIT_MAX]; /* calls that found the window full, the oldest first */
    uint8_t waiting_count;
    bool datagram;   /* one is in `in`, which may be empty */
    uint16_t behind; /* the end of the stream, if it is behind a message that waits for a call; or 0 */
    int64_t ended_at;
    uint16_t cause; /* ended: the event */
    enum assay_end how;
    int64_t gives_up;                           /* what is reliable, unless something is acknowledged before */
    int64_t clock;                              /* no earlier time may be handed to the engine */
    int64_t forked;                             /* when the timer was due for which there is a copy that has it fired */
    uint16_t last_rule, last_state, last_event; /* of the last step */
    uint16_t first_rule, first_event;           /* of the first step since `steps` was cleared */
    uint32_t steps;
    uint64_t met;              /* events that rules were looked for, since this was cleared; folded (site.h) */
    uint32_t wave;             /* pieces of input by now */
    struct assay_bytes_buf in; /* not used up by the engine yet */
    struct assay_bytes_buf out;
    struct assay_chunk *chunks;
    uint32_t chunk_count, chunk_cap, chunk_placed; /* placed: their state is known, their rule's step was told */
    struct assay_effect_seen *effects;
    uint32_t effect_count, effect_cap;
    struct assay_bytes_buf effects_bytes;
    uint32_t chunk, cursor;         /* chunks seen, and where the next one begins in what was seen */
    struct assay_tale tale;         /* what the application above it was told */
    uint32_t told_seen;             /* entries of it that were seen */
    struct assay_bytes_buf kept;    /* what a terminal will show when it is released */
    struct assay_bytes_buf learned; /* placeholders and what stands in their place: struct assay_learned */
    struct assay_bytes_buf rows;    /* of logs, see belief_rows.c */
    struct assay_bytes_buf vars;    /* as they were when messages with free fields were sent, see vars.c */
    uint32_t marks;                 /* placeholders that it has sent */
    uint8_t link;                   /* who the other side is */
};

#define ASSAY_LEARNED_MAX 64u
struct assay_learned {
    uint32_t size;
    uint8_t placeholder[ASSAY_LEARNED_MAX], actual[ASSAY_LEARNED_MAX];
};

/* The beliefs about one link. */
struct assay_belief_set {
    struct assay_belief *items[ASSAY_BELIEFS_MAX];
    size_t count;
    bool overflow;  /* there were more: what is not in the set may still be permitted */
    bool timed;     /* some timer has fired in one of them, or had to */
    uint8_t link;   /* its index */
    int64_t unsure; /* the link came about so much earlier than was told, at most: timers may be early by that, too */
};

/* What all beliefs of one oracle share. Outlives them. */
#define ASSAY_BELIEFS_SPARE 8
struct assay_belief_world {
    struct assay_circumstance circumstance;
    const struct assay_model *model; /* as it was given; in that of `config` every table tells the host of its rows */
    struct assay_model *telling;     /* owned: that one */
    struct assay_cut *cuts;          /* owned: room for borders of datagrams, which chunks tell, too */
    uint16_t cuts_cap;
    void *spare[ASSAY_BELIEFS_SPARE]; /* blocks for engines */
    size_t spare_count;
    struct assay_config config;
    size_t engine_size;
    struct assay_lens lens, other;
    struct assay_bytes_buf vars; /* that lens sees */
    uint32_t orders;             /* effects that were ordered by now */
    bool branches;               /* the model has choices, */
    bool shoulds;                /* among them rules that only should be followed */
    bool one_by_one;      /* the engine gets frames one by one: variables have to be looked at when a message is sent */
    uint8_t *effect_free; /* by effect: it may be done or fail, the target decides */
    bool client;          /* the machine has an application above it */
    bool hands_out;       /* it hands its effects to that: no server plays it, too, which would do them itself */
    bool datagrams;       /* it reads datagrams: each piece of input is one */
    bool stream;          /* it reads a stream without borders */
    int64_t call_timeout; /* of calls; 0: as the spec says */
    const struct assay_terminal *terminal;
    const struct assay_reliable *reliable; /* NULL: there is none */
    bool *reliables;                       /* by message */
    int64_t pause_first, pause_cap, give_up;
    bool target;        /* not believed in: copies of what was sent before are output as all else */
    int64_t now, slack; /* when what is seen is seen; how much earlier it may have been sent */
};

bool assay_belief_world_init(struct assay_belief_world *world, const struct assay_oracle_config *config);
void assay_belief_world_free(struct assay_belief_world *world);

/* Limits for an engine that holds `sessions` sessions and nothing more than they can need. */
struct assay_limits assay_belief_limits(const struct assay_model *model, uint16_t machine, uint32_t sessions);

void assay_beliefs_clear(struct assay_belief_set *set);
/* When the next timer may fire in a belief, tolerance included; ASSAY_NEVER. */
assay_time assay_belief_due(const struct assay_belief_set *set, const struct assay_belief *belief);

bool assay_beliefs_open(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now);
void assay_beliefs_feed(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                        struct assay_span bytes);
void assay_beliefs_signal(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                          enum assay_builtin_event event);
void assay_beliefs_call(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                        const struct assay_belief_call *call);

/* The timer that is due fires. */
void assay_beliefs_tick(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now);
/* Timers that may have fired by `now` fork the belief, those that must have leave only that. */
void assay_beliefs_time(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now);

/* What the sessions of one link have added to logs and tables is there for those of others. `best`: the belief about
 * that link. */
void assay_beliefs_share(struct assay_belief_world *world, const struct assay_belief *best,
                         struct assay_belief_set *other, int64_t now);

/* The target has started again: a set about a link that was not used yet begins anew, with the rows of `before` that
 * are durable. */
void assay_beliefs_restart(struct assay_belief_world *world, struct assay_belief_set *set,
                           const struct assay_belief *before, int64_t now);

/* Hold what was seen (all of it, from the first byte on) against a belief. False: it disagrees. */
bool assay_belief_matches(struct assay_belief_world *world, struct assay_belief *belief, struct assay_span seen);

/* A message whose end only the next stimulus tells is as long as what was seen by now. */
void assay_beliefs_fix(struct assay_belief_set *set, uint32_t seen);

/* A rule that should be followed, and is not in this belief; ASSAY_NONE. */
uint16_t assay_belief_passes_over(const struct assay_belief *belief);

/* Everything that it sent was seen; everything that it told. */
bool assay_belief_satisfied(const struct assay_belief *belief);
bool assay_belief_told_all(const struct assay_belief *belief);

struct assay_belief *assay_belief_copy(struct assay_belief_world *world, const struct assay_belief *from);
void assay_belief_free(struct assay_belief *belief);

/* ---- datagrams that get lost ------------------------------------------- */

/* copies.c: what was put out by the call of the engine that is through. */
void assay_copies_count(struct assay_belief_world *world, struct assay_belief *b);
/* A reliable message or an acknowledgement that no rule sent. True: it is a copy of one that was sent before. */
bool assay_copies_note(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event);
/* A datagram was seen that is the first of its kind; that may be a copy of one that was seen. False: it may not. */
void assay_copies_first(struct assay_belief_world *world, struct assay_belief *b, struct assay_chunk *chunk);
bool assay_copies_seen(struct assay_belief_world *world, struct assay_belief *b, struct assay_span seen);
/* A copy has not come in time; NULL: none. */
const struct assay_chunk *assay_copies_overdue(const struct assay_belief *b);
/* When the model's own copies are due that nobody waits for; ASSAY_NEVER. */
int64_t assay_copies_due(const struct assay_belief *b);
bool assay_gives_up_at(const struct assay_belief *b, int64_t due);

/* belief_rows.c: the host of logs. */
bool assay_rows_add(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event);
/* What other links have added, behind what it knows. False: nothing. */
bool assay_rows_take(struct assay_belief *b, const struct assay_bytes_buf *all);
/* The durable ones of another belief, in one that has none. */
void assay_rows_inherit(struct assay_belief *b, const struct assay_belief *before);
bool assay_rows_next(struct assay_belief *b, struct assay_hunger *hunger);
enum assay_rc assay_rows_give(struct assay_belief *b, int64_t now, const void *hunger, struct assay_out *out);

/* secrets.c: a datagram that differs from the chunk in placeholders alone: they are learned. */
bool assay_belief_learns(struct assay_belief_world *world, struct assay_belief *b, struct assay_chunk *chunk,
                         struct assay_span seen);
/* Put what was learned in the place of placeholders, and the sum anew. False: some are not known. */
bool assay_belief_fill(struct assay_belief_world *world, const struct assay_belief *b, uint8_t *bytes, uint32_t n);
/* A placeholder that nobody knows becomes what is right for nobody. */
void assay_marks_spoil(struct assay_belief_world *world, uint8_t *bytes, uint32_t n);
/* Where the first placeholder begins from `at` on; n: nowhere. */
uint32_t assay_mark_find(struct assay_span bytes, uint32_t at);
/* How many numbers are left until they wrap, from that on which such a stamp (without offset) stands for. */
uint64_t assay_belief_left(struct assay_belief_world *world, const struct assay_belief *b, enum assay_stamp_kind kind);
/* A number, from params and the variables of the belief's session. False: undefined there. */
bool assay_belief_eval(struct assay_belief_world *world, const struct assay_belief *b, uint16_t code, assay_val *v);
void assay_belief_stamp(struct assay_belief_world *world, const struct assay_belief *b, struct assay_stamp stamp,
                        struct assay_bytes_buf *bytes);

/* Keep the session's variables as they are now, behind what is in `to`; `*at` tells where. False: out of memory. */
bool assay_belief_vars_keep(const struct assay_belief *b, struct assay_bytes_buf *to, uint32_t *at);
/* Expressions over world->lens see them as they are now, until they are unbound. False: out of memory. */
bool assay_belief_vars_bind(struct assay_belief_world *world, const struct assay_belief *b);
void assay_belief_vars_unbind(struct assay_belief_world *world);
/* Whether a condition holds over the message in world->lens and the variables kept in the belief's own buffer. */
bool assay_belief_vars_hold(struct assay_belief_world *world, const struct assay_belief *b, uint32_t at, uint16_t code);

/* ---- internal to belief*.c ---------------------------------------------- */

struct assay_belief *assay_belief_new(struct assay_belief_world *world); /* of a session not yet open */

/* Takes the belief, or frees it: there are too many. NULL is not taken. */
bool assay_beliefs_add(struct assay_belief_set *set, struct assay_belief *belief);

/* Room for `need` items, bytes. */
bool assay_grow(void **p, uint32_t *cap, uint32_t need, size_t item);
bool assay_buf_reserve(struct assay_bytes_buf *buf, uint32_t cap);

static inline bool assay_type_is_bytes(const struct assay_model *model, uint16_t type)
{
    return type != ASSAY_NONE && model->types[type].kind >= ASSAY_T_BYTES;
}

#endif

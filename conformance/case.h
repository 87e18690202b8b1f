/* A conformance case: what is done to a target. What must be seen is not in
 * the case; the oracle knows it from the model (see oracle.h). */
#ifndef ASSAY_CONFORMANCE_CASE_H
#define ASSAY_CONFORMANCE_CASE_H

#include "compiler/compiler.h"

enum assay_step_kind {
    ASSAY_STEP_SEND,       /* `bytes` in one write */
    ASSAY_STEP_AWAIT,      /* all that the target owes for what was sent has to be seen before the next step */
    ASSAY_STEP_QUIET,      /* nothing more may come here: silence is proven before the next step */
    ASSAY_STEP_EOF,        /* shut the write side */
    ASSAY_STEP_RESET,      /* abort the connection */
    ASSAY_STEP_PAUSE,      /* let `pause` ns go by */
    ASSAY_STEP_EXPECT,     /* by hand: exactly `bytes` come next */
    ASSAY_STEP_EXPECT_END, /* by hand: `ends` (bit set of enum assay_ending) */
    /* for clients and peers, which connect by themselves: */
    ASSAY_STEP_CALL,    /* the application that uses the target is told to do a call */
    ASSAY_STEP_ARRIVE,  /* the target has to have made `link`: its first connection, or the one after a pause */
    ASSAY_STEP_REFUSE,  /* from here on connections are refused */
    ASSAY_STEP_WELCOME, /* from here on they are taken again */
    /* for servers that were told to stop, or are killed; only in suites made with `stops`: */
    ASSAY_STEP_DEAF,    /* new connections are not taken any more, after a wait at most */
    ASSAY_STEP_GONE,    /* the process has ended, after a wait at most */
    ASSAY_STEP_RESTART, /* it is killed and started again on what it has kept: links before `link` are over with it */
    /* for targets that draw what their numbers begin with: */
    ASSAY_STEP_REPEAT, /* back to step `repeat.back` until the numbers of a kind are about to wrap */
};

/* Each round draws anew: one that is not there after as many has numbers that are not drawn. */
#define ASSAY_REPEATS_MOST 2500u

enum assay_ending { ASSAY_SEEN_FIN = 1, ASSAY_SEEN_RST = 2, ASSAY_SEEN_SILENCE = 4 };

enum assay_step_flags {
    ASSAY_STEP_CUT = 1, /* the target must have read this before the next bytes are sent: the cut is the test */
};

/* What the tester fills in before it sends, as only the session tells. */
enum assay_stamp_kind {
    ASSAY_STAMP_NONE,
    ASSAY_STAMP_NUMBER, /* of a reliable message: the next that the target has not taken, and `offset` */
    ASSAY_STAMP_ACK,    /* of an acknowledgement: the next that the target has not sent, and `offset` */
};
struct assay_stamp {
    uint8_t kind;    /* enum assay_stamp_kind */
    bool session;    /* the target's session, too, */
    bool stale;      /* or rather another one */
    uint16_t spoilt; /* 1 + the byte that is changed when all is filled in; 0: none */
    int32_t offset;
};

/* Until the number that such a stamp stands for has at most `near` left, and the wrap is inside of a group where one
 * message and then groups of so many are sent. */
struct assay_repeat {
    uint8_t kind; /* enum assay_stamp_kind */
    uint8_t group;
    uint16_t near;
    uint32_t back; /* an earlier step of the case */
};

static inline bool assay_repeat_is_through(const struct assay_repeat *repeat, uint64_t left)
{
    return left <= repeat->near && (repeat->group < 2 || (left - 1) % repeat->group != 0);
}

struct assay_step {
    uint8_t kind, flags;
    uint8_t link; /* which of the case's connections */
    uint8_t ends;
    uint8_t from; /* SEND: the link on which was seen what stands in the place of placeholders (see core/engine.h) */
    struct assay_stamp stamp;
    struct assay_blob bytes; /* belongs to the suite */
    int64_t pause;
    struct assay_repeat repeat;
    uint16_t call;           /* CALL: in model->calls */
    const assay_val *values; /* CALL: its arguments, as assay_call() takes them */
    const struct assay_span *spans;
};

enum assay_case_class {
    ASSAY_CASE_LOCAL,     /* touches nothing but its own connections */
    ASSAY_CASE_SHARED,    /* leaves something in a store or log; names in it come from the case id */
    ASSAY_CASE_EXCLUSIVE, /* wants a target for itself */
    ASSAY_CASE_TIMED,     /* waits for real time */
};

/* Memory for variables that is not enough for anything but the shortest. */
#define ASSAY_SHORT_MEMORY 32u

/* What is wrong around the target, on purpose. */
struct assay_circumstance {
    uint16_t failing; /* 1 + the effect that always fails; 0: none */
    uint32_t memory;  /* bytes that there are for variables; 0: as many as are needed */
};

/* A case ends, unless a step did it, by shutting the write side of each link
 * and reading to the end: the whole byte string is compared. */
struct assay_case {
    const char *id;     /* protocol/state/event/variant, stable, lower case */
    const char *text;   /* what it shows, one line */
    uint16_t req;       /* in model->requirements; ASSAY_NONE: the language itself (framing, totality) */
    uint16_t field_req; /* requirement behind the field whose constraint is probed, or ASSAY_NONE */
    uint8_t level;      /* enum assay_level */
    uint8_t class;      /* enum assay_case_class */
    bool by_hand;
    bool timed; /* its verdict takes real timers: leases, pauses, giving up */
    bool again; /* of a client: it makes its links by itself, one after another; else it is told to connect each time */
    uint8_t links; /* of a client: connections that it makes, one after another */
    const struct assay_step *steps;
    size_t step_count;
    struct assay_circumstance circumstance; /* in which the target has to be for this case; zero: the usual one */
    const char *observe;                    /* effect that an observer has to show; NULL: all is on the wire */
};

struct assay_suite {
    const struct assay_spec *spec;
    const struct assay_model *model;
    uint16_t machine;               /* that is judged, in model->machines */
    uint16_t transport;             /* that it is judged on, in model->transports */
    bool arrives;                   /* the target makes the links: a client */
    const struct assay_case *cases; /* sorted by id */
    size_t count;
    size_t states_explored, inputs_alphabet; /* for the report */
    const char *const *notes;                /* e.g. rules for which no witness was found; NULL-terminated */
};

/* Cases that wait for real timers: all others too, those alone, all others alone. */
enum assay_suite_timed { ASSAY_TIMED_TOO, ASSAY_TIMED_ONLY, ASSAY_TIMED_NONE };

struct assay_suite_options {
    uint16_t transport;  /* in model->transports */
    uint8_t role;        /* enum assay_role: whose machine on that transport is judged; 0: the server's */
    const char *machine; /* of a client: one of those that have links over it, by name; NULL: the transport's own */
    uint64_t seed;
    const char *filter;              /* glob over ids, or NULL */
    uint8_t timed;                   /* enum assay_suite_timed */
    bool real_time;                  /* it goes by: cases that wait longer than `patience` for seals are left out */
    bool stops;                      /* also the steps DEAF, GONE and RESTART: who plays the cases knows them */
    bool faults;                     /* also cases for targets whose effects fail or whose memory is short */
    bool strict;                     /* leniencies off */
    const struct assay_model *model; /* the spec's with other values of params; NULL: the spec's own */
    const uint64_t *leniencies;      /* those that the target has; NULL: the defaults; of a client none */
    const assay_val *params;         /* values of model->options that the target runs with; NULL: the defaults.
                                        Cases of a timer are made only where they let it run. */
    int64_t call_timeout;            /* of a client: what its calls may take, ns; 0: as the spec says */
    int64_t patience;                /* no case of a client waits longer for one thing, ns; 0: 20 s */
};

/* All cases that a spec yields for a target of that role. The suite owns all it points to; the spec must outlive it. */
struct assay_suite *assay_suite_make(const struct assay_spec *spec, const struct assay_suite_options *options);
void assay_suite_free(struct assay_suite *suite);

/* Whether a client's machine has links over a transport: the transport's own, or those that calls make. */
bool assay_suite_plays(const struct assay_model *model, uint16_t machine, uint16_t transport);

/* The machine that these options judge, in model->machines; ASSAY_NONE: there is none. */
uint16_t assay_suite_machine(const struct assay_model *model, const struct assay_suite_options *options);

#endif

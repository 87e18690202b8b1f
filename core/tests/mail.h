/* A small protocol as hand-made tables, to test reliable messages with, and two engines that play it over a network
 * in virtual time that loses, doubles, swaps and delays what it is told to.
 *
 * A datagram is kind u8, session (2 bytes), number u8, then the rest. Note is reliable, in both directions, and shown;
 * Plain is not, and shown; Renew makes its receiver take another session. The machines of both sides are the same but
 * for the role. */
#ifndef ASSAY_CORE_TESTS_MAIL_H
#define ASSAY_CORE_TESTS_MAIL_H

#include "core/code.h"
#include "core/engine.h"

enum { MAIL_NOTE, MAIL_ACK, MAIL_PLAIN, MAIL_RENEW, MAIL_MESSAGES };
enum { MAIL_KIND, MAIL_SESSION, MAIL_NUMBER, MAIL_OWN };
/* A state or variable of the server's machine; that of the client's stands behind all of those. */
enum { MAIL_S_LIVE, MAIL_S_STRANGER, MAIL_S_LOST, MAIL_S_NOTE, MAIL_S_FLUSH, MAIL_S_END, MAIL_STATES };
enum { MAIL_V_SESSION, MAIL_V_FIRST, MAIL_V_ARG, MAIL_V_CURSOR, MAIL_V_READS, MAIL_V_BATCH, MAIL_V_WINDOW, MAIL_VARS };
enum { MAIL_CALL_NOTE, MAIL_CALL_POST, MAIL_CALL_FLUSH, MAIL_CALL_RENEW, MAIL_CALLS };
enum { MAIL_EFFECT_SHOW, MAIL_EFFECT_CHECK };
enum {
    MAIL_EV_MESSAGE = ASSAY_EV_BUILTINS,
    MAIL_EV_CALL = MAIL_EV_MESSAGE + MAIL_MESSAGES,
    MAIL_EV_ROW = MAIL_EV_CALL + 2 * MAIL_CALLS,
    MAIL_EVENTS,
};

#define MAIL_FIRST   ((int64_t)200)
#define MAIL_CAP     ((int64_t)1000)
#define MAIL_GIVE_UP ((int64_t)5000)

struct mail_options {
    uint32_t window; /* 0: 4 */
    int64_t first;   /* first number */
    bool checks;     /* notes are shown by an effect that can fail; then they are declined */
    bool relays;     /* Plain orders `check`, then goes on as a note; if that cannot be done it is shown as lost */
    bool ends;       /* a note ends the session */
    bool keeps;      /* notes are kept in a variable, and shown */
    uint8_t order, duplicate;
    uint32_t memory; /* 0: 4096 */
    bool summed;     /* a sum8 of all stands before the kind */
    bool judge;
    bool logs; /* the server's sessions follow a log of texts while `reads`; Plain sets the cursor to its size */
    int64_t batch, row_window, cursor;
    bool chains;      /* that effect adds a row to a log, and its rule is chained */
    bool twice;       /* that effect is done twice for each note */
    uint32_t effects; /* in flight at most; 0: 8 */
    bool renews;    /* whoever gets a note takes its text for the session and passes it on as a note; who gives up takes
                       another session, and the first call renews behind its note */
    bool bears;     /* who gives up goes on */
    bool greets;    /* effect `check` stands behind a gate for each session that begins */
    bool strangers; /* the server begins in state Stranger: Plain and what is stale are answered by stateless rules,
                       Renew leads to Live (and orders `check` before that, which if it fails is answered Plain) */
};

const struct assay_model *mail_model(const struct mail_options *options);

/* ---- two engines ------------------------------------------------------- */

enum mail_fault { MAIL_PASS, MAIL_DROP, MAIL_DOUBLE, MAIL_SWAP, MAIL_DELAY, MAIL_FAULTS };
enum { MAIL_BYTES_MAX = 64, MAIL_FLYING_MAX = 256, MAIL_SHOWN_MAX = 512, MAIL_FAULTED_MAX = 64, MAIL_ORDERS_MAX = 64 };

struct mail_datagram {
    assay_time at;
    uint32_t order; /* of those at one time */
    uint8_t to, n;
    uint8_t bytes[MAIL_BYTES_MAX];
};

/* An effect that a disk does by and by. */
struct mail_write {
    assay_token token;
    assay_time at;
    uint32_t n;
    char text[MAIL_BYTES_MAX];
};

struct mail_side {
    struct assay_engine *engine;
    void *block;
    assay_sid sid;
    struct assay_out out;
    uint8_t bytes[1024];
    struct assay_cut cuts[32];
    char shown[MAIL_SHOWN_MAX]; /* text of notes, each ended by a full stop */
    uint32_t shown_n;
    bool ended;
    uint32_t results, again, again_late; /* messages that no rule sent; of these told of behind the end */
    int32_t outcome;
    assay_token tokens[MAIL_ORDERS_MAX];
    uint32_t tokens_n;
    bool holds;         /* effects that can fail are not completed by themselves */
    uint32_t fail_next; /* so many of them fail */
    assay_time disk; /* above 0: each of them takes so long, and is shown when it is done; what cannot be taken in the
                        meantime is presented again. Acknowledged is never more than that */
    struct mail_write writes[MAIL_ORDERS_MAX];
    uint32_t writes_n, written, most_writes; /* in flight; done so far, and failed; the most in flight at once */
    uint32_t fail_write, doomed;             /* 1 + the one that fails; those before this fail as well */
    uint32_t shown_notes;
};

struct mail {
    const struct assay_model *model;
    struct mail_side sides[2]; /* 0: the server */
    assay_time now;
    struct mail_datagram flying[MAIL_FLYING_MAX];
    uint32_t flying_n, sent;          /* sent: datagrams so far */
    uint8_t faults[MAIL_FAULTED_MAX]; /* of the first datagrams: enum mail_fault */
    uint8_t last[MAIL_BYTES_MAX];     /* the datagram sent last */
    uint32_t last_n;
    bool dead[2]; /* nothing that this side sends arrives */
};

/* The tables made anew, and an engine of that side. */
struct assay_engine *mail_engine(const struct mail_options *options, unsigned side);
void mail_open(struct mail *mail, const struct mail_options *options);
void mail_close(struct mail *mail);
/* A call with a text. */
enum assay_rc mail_call(struct mail *mail, unsigned side, uint16_t call, const char *text);
/* Bytes arrive at once. */
enum assay_rc mail_feed(struct mail *mail, unsigned side, const void *bytes, uint32_t n);
/* Take the events and send what is in the output; returns rc. */
enum assay_rc mail_settle(struct mail *mail, unsigned side, enum assay_rc rc);
void mail_complete(struct mail *mail, unsigned side, bool done);
/* The next thing happens, at `until` at the latest. False: nothing is left until then. */
bool mail_step(struct mail *mail, assay_time until);
void mail_run(struct mail *mail, assay_time until);
bool mail_shown(const struct mail *mail, unsigned side, const char *text);
/* Blocks of memory that are in use. */
uint32_t mail_memory(const struct mail *mail, unsigned side);

#endif

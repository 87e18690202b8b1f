/* A play from inside: what its files share. play.c starts, steps and ends it; play_steps.c does what the tester does,
 * play_wait.c waits and proves, play_link.c hears what the links say, play_guest.c and play_upper.c what a client under
 * test does, play_screen.c what servers show, play_stop.c servers that were told to stop, play_hand.c plays cases by
 * hand, play_restart.c those in which the target is killed. */
#ifndef ASSAY_CONFORMANCE_PLAY_RUN_H
#define ASSAY_CONFORMANCE_PLAY_RUN_H

#include "conformance/play.h"
#include "conformance/wire.h"

/* How often the socket table is asked, at first and at most. */
#define ASSAY_TICK_FIRST (30 * (ASSAY_MS / 1000))
#define ASSAY_TICK_LAST  (1 * ASSAY_MS)

struct assay_play_run;

struct assay_link {
    struct assay_wire wire;
    struct assay_play_run *run;
    uint8_t index;
    int64_t asked_at; /* of the last piece that was not answered yet; 0: none */
    uint8_t *sent;    /* the last piece, as it was filled in */
    uint8_t *inbox;   /* by hand: received and not yet expected */
    uint32_t inbox_size, inbox_cap;
    /* of a client: it was waited for, it came, a call opens it, it is over: since some time between the two */
    bool awaited, arrived, called, over, done; /* done: its end was seen */
    int64_t over_from, over_by;
    uint32_t shown; /* bytes at the terminal that were seen */
};

/* A call that the application was told to do and that has not ended. */
#define ASSAY_CALLS_TOLD 64u
struct assay_told_call {
    uint16_t call;
    uint8_t link;
};

struct assay_play_run {
    struct assay_play play; /* first: the public part */
    struct assay_stage *stage;
    struct assay_place place;
    struct assay_oracle *oracle; /* NULL: by hand */
    struct assay_alarm alarm;
    size_t step, next; /* in c->steps, and the one after it; step_count: the ending */
    unsigned repeats;  /* how often the case went back */
    bool entered, patient;
    uint32_t screen_at, screen_seen; /* bytes at the terminal that were compared; that were there when last looked */
    bool questioned;                 /* our side was shut to prove that what is owed does not come */
    int64_t began, entered_at, progress_at, still_at, wake, tick;
    int64_t stuck_at; /* datagrams come, and since then none that the step waits for; 0: not so */
    uint32_t lacking; /* messages, when there were fewest of them since the step was entered */
    uint8_t connected, links_count;
    /* of a client: */
    struct assay_guest *guest;   /* NULL: the target listens */
    unsigned connects, answered; /* orders to connect, and what became of them */
    bool refusing, unreachable;
    unsigned excuses;   /* what may make it call its address unreachable: a reset, a refusal that it tells of late */
    bool leaving, left; /* it was told to end; it has ended */
    struct assay_work work; /* that it had done when the step was entered */
    int spare;              /* a connection more than the case has, held open; -1: none */
    struct assay_told_call calls[ASSAY_CALLS_TOLD];
    size_t calls_count;
    int64_t hasty_at; /* from here on the shortest of its calls may run out for no more reason than a slow machine */
    struct assay_link links[];
};

/* What a step, or a part of one, has come to. */
enum assay_go { ASSAY_GO_ON, ASSAY_GO_WAIT };

typedef enum assay_go assay_step_fn(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s);

/* ---- play.c: the play and its end -------------------------------------- */

void assay_play_note(struct assay_play_run *r, const struct assay_link *l, enum assay_happening what,
                     struct assay_span bytes);

/* Go on with the steps as far as that goes. */
void assay_play_advance(struct assay_play_run *r);

/* Make a link to where the target listens now. */
void assay_play_connect(struct assay_play_run *r, struct assay_link *l);

/* It is over; what stands in its outcome is final. All return ASSAY_GO_WAIT. */
enum assay_go assay_play_finish(struct assay_play_run *r, enum assay_finding finding);
enum assay_go assay_play_disagree(struct assay_play_run *r, const struct assay_link *l, enum assay_finding finding);
enum assay_go assay_play_trouble(struct assay_play_run *r, const char *what, int why);

/* ---- play_wait.c: waiting and proofs ----------------------------------- */

int64_t assay_play_last_progress(const struct assay_play_run *r);
enum assay_go assay_play_wait_until(struct assay_play_run *r, int64_t at);
bool assay_play_patience_is_over(struct assay_play_run *r, int64_t now);
bool assay_play_ended(const struct assay_link *l);

/* Everything that is owed on the link was seen, or may stay away and did. */
enum assay_go assay_play_settle(struct assay_play_run *r, struct assay_link *l);

/* The target has read all; or that cannot be known, which is noted in *blind. */
enum assay_go assay_play_wait_taken(struct assay_play_run *r, struct assay_link *l, bool *blind);

/* Nothing comes: the target has read all, nothing is on its way, and a quiet time has gone by since. */
enum assay_go assay_play_wait_quiet(struct assay_play_run *r, struct assay_link *l);

/* Settled, quiet, and the oracle agrees with that. */
enum assay_go assay_play_be_silent(struct assay_play_run *r, struct assay_link *l);

/* ---- play_steps.c ------------------------------------------------------ */

assay_step_fn assay_step_send, assay_step_await, assay_step_quiet, assay_step_eof, assay_step_reset, assay_step_pause,
    assay_step_repeat;
void assay_play_shut(struct assay_play_run *r, struct assay_link *l);

/* ---- play_link.c ------------------------------------------------------- */

void assay_play_link_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events);
void assay_play_no_connection(struct assay_play_run *r, const struct assay_link *l);

/* What is seen now, and the kernel says of which that it came about at `at` (0: it does not say), did so later than
 * this. */
int64_t assay_play_since(const struct assay_play_run *r, int64_t at);
void assay_play_read(struct assay_play_run *r, struct assay_link *l);
void assay_play_saw_bytes(struct assay_play_run *r, struct assay_link *l, struct assay_span bytes);
void assay_play_link_up(struct assay_play_run *r, struct assay_link *l);

/* ---- play_hand.c ------------------------------------------------------- */

assay_step_fn assay_step_expect, assay_step_expect_end;
void assay_play_keep(struct assay_link *l, struct assay_span bytes);
enum assay_go assay_play_blame_by_hand(struct assay_play_run *r, const struct assay_link *l, enum assay_finding finding,
                                       const char *expected, struct assay_span bytes);

/* ---- play_guest.c: what a client under test does by itself -------------- */

assay_step_fn assay_step_call, assay_step_arrive, assay_step_refuse, assay_step_welcome;

/* Start its process. False: the outcome says why. */
bool assay_play_guest_start(struct assay_play_run *r);
void assay_play_guest_stop(struct assay_play_run *r);

/* The link that a step works on has to be there. */
enum assay_go assay_play_guest_there(struct assay_play_run *r, struct assay_link *l);

/* After the last step, and after silence on the links: it ends as it has to. */
enum assay_go assay_play_guest_leave(struct assay_play_run *r);

/* A link of it is over: since when at the earliest. */
void assay_play_link_over(struct assay_play_run *r, struct assay_link *l, int64_t from);

/* It works where it should be idle: the play is over. */
bool assay_play_guest_spins(struct assay_play_run *r);

/* The program itself has gone wrong, and `what` says how. `by_time`: another timing might give another finding. */
enum assay_go assay_play_broken(struct assay_play_run *r, bool by_time, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- play_screen.c: what a target that listens shows at its terminal ---- */

bool assay_play_on_screen(const struct assay_play_run *r);
void assay_play_screen_begin(struct assay_play_run *r);

/* Compare what it shows by now with what it has to show. False: the play is over. */
bool assay_play_screen_look(struct assay_play_run *r);

/* All was shown, and a quiet time has gone by since. */
enum assay_go assay_play_screen_still(struct assay_play_run *r);

/* It has to show something, and nobody looks. */
bool assay_play_unseen(const struct assay_play_run *r);

/* ---- play_stop.c: servers that were told to stop ------------------------ */

assay_step_fn assay_step_deaf, assay_step_gone;

/* After the last step, and when all links are over: one that was told to stop has to end. */
enum assay_go assay_play_stop_ends(struct assay_play_run *r);

/* ---- play_restart.c: servers that are killed and started again ---------- */

assay_step_fn assay_step_restart;

/* ---- play_upper.c: the upper interface --------------------------------- */

/* What the application is owed shows there. */
bool assay_play_upper_shown(const struct assay_play_run *r);
void assay_play_upper_said(struct assay_play_run *r);
void assay_play_upper_call(struct assay_play_run *r, const struct assay_link *l, const struct assay_step *s);
bool assay_play_upper_late(const struct assay_play_run *r);
void assay_play_upper_connect(struct assay_play_run *r);

#endif

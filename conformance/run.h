/* A run from inside: what its files share. runner.c begins and ends it, run_results.c tells what cases came to,
 * run_target.c brings the target up and sees whether it died, run_alone.c judges one case alone, run_flight.c many
 * beside each other, run_own.c several with a target each, run_death.c finds out which one killed the target, run_fit.c
 * says which cannot be run, run_guest.c whether a client comes at all. */
#ifndef ASSAY_CONFORMANCE_RUN_H
#define ASSAY_CONFORMANCE_RUN_H

#include "conformance/runner.h"

struct lanes;

#define ASSAY_RUN_RECENT      32 /* judged last: suspects too, when the target died without a word */
#define ASSAY_RUN_LATE_ENOUGH 3  /* verdicts "did not come" that were confirmed alone; then a first one is believed */

enum assay_stand { ASSAY_STAND_WAITING, ASSAY_STAND_FLYING, ASSAY_STAND_AGAIN, ASSAY_STAND_JUDGED };

struct assay_run_now {
    const struct assay_run_options *o;
    const struct assay_suite *suite;
    struct assay_stage stage;
    struct assay_target *target;  /* that the next case meets; NULL: each case starts its own */
    struct assay_net_error error; /* why it does not come up */
    struct assay_watch pipes[2], signals;
    struct assay_result *results, *merged;
    uint8_t *stand;             /* enum assay_stand */
    struct assay_play **flying; /* by case */
    size_t *order;              /* in which the cases start; timed ones first */
    size_t *suspects;
    size_t next, in_flight, timed_in_flight, links_in_flight, judged, emitted, failed, again, late_again;
    size_t recent[ASSAY_RUN_RECENT], recent_n;
    size_t confirmed_late, refuted_late, silent, agreed;
    size_t refused; /* of the cases that had others beside them */
    bool heard;     /* the target said something */
    unsigned jobs;
    unsigned round;
    struct lanes *lanes;      /* of run_own.c, while it flies cases */
    struct assay_play *alone; /* that runs with nothing beside it, and may wait for what the target shows */
    bool gone, interrupted;
    bool used_up;        /* the target was told to stop, or runs elsewhere: whatever comes next needs a fresh one */
    const char *stopped; /* why not all cases run */
    struct assay_run_summary *summary;
};

static inline size_t assay_run_cases(const struct assay_run_now *r)
{
    return r->suite->count;
}

static inline bool assay_run_last_round(const struct assay_run_now *r)
{
    return r->round + 1 == r->o->repeat;
}

static inline bool assay_run_is_faulty(const struct assay_circumstance *c)
{
    return c->failing || c->memory;
}

static inline bool assay_run_is_timed(const struct assay_run_now *r, size_t i)
{
    return r->suite->cases[i].class == ASSAY_CASE_TIMED;
}

static inline size_t assay_run_links_of(const struct assay_run_now *r, size_t i)
{
    return r->suite->cases[i].links ? r->suite->cases[i].links : 1;
}

/* ---- run_results.c -------------------------------------------------- */

void assay_run_merge(struct assay_run_now *r, size_t i);
/* Tell what can be told by now, in order. */
void assay_run_emit(struct assay_run_now *r);
/* A case is judged: results[i] stands. */
void assay_run_settle(struct assay_run_now *r, size_t i);
void assay_run_settle_as(struct assay_run_now *r, size_t i, enum assay_verdict verdict, const char *why);

/* ---- run_target.c --------------------------------------------------- */

/* The target for the circumstance of a case; NULL: there is none. */
struct assay_target *assay_run_target_for(const struct assay_run_now *r, size_t i);
/* What it writes is read as it comes. */
void assay_run_listen(struct assay_run_now *r, bool on);
/* The same, as a place of plays has it. */
void assay_run_hear(void *run, bool on);
/* `fresh`: another process, if we can start one. False: r->error. */
bool assay_run_bring_up(struct assay_run_now *r, bool fresh);
/* Turn to another target, with nothing in flight; and back: what became of a faulty one does not touch the cases of
 * others. */
void assay_run_aim(struct assay_run_now *r, struct assay_target *target, struct assay_circumstance circumstance);
void assay_run_aim_back(struct assay_run_now *r);
/* Something that was owed did not come. */
bool assay_run_is_late(const struct assay_played *p);
/* Whether what a case found may be the target's death. */
bool assay_run_is_dead(struct assay_run_now *r, const struct assay_played *p);
void assay_run_blame_death(struct assay_run_now *r, size_t i, const char *when);

/* ---- run_alone.c ---------------------------------------------------- */

struct assay_play *assay_run_play_alone(struct assay_run_now *r, size_t i, bool patient);
void assay_run_judge(struct assay_run_now *r, size_t i, struct assay_played *played, bool alone);
struct assay_observer *assay_run_eye_of(struct assay_run_now *r, size_t i);
/* Judge a case with nothing else in flight. True: it killed the target. */
bool assay_run_judge_alone(struct assay_run_now *r, size_t i);

/* ---- run_death.c ---------------------------------------------------- */

/* Take all cases out of flight; those that had begun to speak are the suspects, oldest first. */
size_t assay_run_ground_all(struct assay_run_now *r);
void assay_run_handle_death(struct assay_run_now *r, size_t found_by);

/* ---- run_flight.c --------------------------------------------------- */

/* Whether datagrams are taken shows when they are sent, and not before. */
bool assay_run_nobody_there(const struct assay_run_now *r);
/* False: it makes no sense to go on. */
bool assay_run_worth_it(struct assay_run_now *r);
/* A first verdict "did not come" is believed once some were confirmed, unless others were refuted. */
bool assay_run_believes(const struct assay_run_now *r);
/* A target that seems to hang is looked at alone before more is thrown at it. */
bool assay_run_hold_back(const struct assay_run_now *r);
/* Those whose verdict may stem from what flew beside them, alone. With nothing in flight. */
void assay_run_judge_again(struct assay_run_now *r);
/* All cases that may run beside others. */
void assay_run_fly(struct assay_run_now *r);

/* ---- run_own.c ------------------------------------------------------ */

/* Those that want a target for themselves, where several of it can be had. */
void assay_run_fly_own(struct assay_run_now *r);

/* ---- run_fit.c ------------------------------------------------------ */

bool assay_run_can_be_told(const struct assay_run_now *r, const struct assay_case *c);
/* A case that cannot be run here is told, and does not count as passed. */
void assay_run_settle_unsupported(struct assay_run_now *r, size_t i);

/* ---- run_guest.c ---------------------------------------------------- */

/* False if the program of a client does not get so far as to connect, whichever case it is for: *error. */
bool assay_run_guest_comes(struct assay_run_now *r, struct assay_net_error *error);

#endif

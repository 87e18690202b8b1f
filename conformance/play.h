/* One case played against a target over sockets, judged by the oracle.
 *
 * A play lives in an event loop: start it, run rounds, and when `over` is set
 * read `outcome` and free it. It never blocks and never sleeps.
 */
#ifndef ASSAY_CONFORMANCE_PLAY_H
#define ASSAY_CONFORMANCE_PLAY_H

#include "conformance/exchange.h"
#include "conformance/guest.h"
#include "conformance/oracle.h"
#include "conformance/pace.h"
#include "conformance/target.h"
#include "net/socktable.h"
#include "net/loop.h"

/* The target that a play meets. */
struct assay_place {
    struct assay_address address;     /* where it listens now */
    struct assay_target *target;      /* that was started here; else NULL */
    void (*hear)(void *who, bool on); /* its pipes are watched, by `who`; NULL: nobody watches */
    void *who;
};

/* What all plays of a run share. */
struct assay_stage {
    struct assay_loop *loop;
    struct assay_socktable *table;
    const struct assay_model *model;
    struct assay_oracle_config oracle;
    struct assay_pace pace;
    struct assay_place place;             /* of plays that start now */
    bool datagrams;                       /* over UDP */
    bool screen;                          /* what that shows on its standard output is judged; one play at a time */
    const struct assay_guest_plan *guest; /* the target connects by itself: how to start it for a case; else NULL */
    int64_t before; /* when the round of the loop before this one began: what is seen now came later */
    bool slow;      /* it was seen to answer later than it can be asked for a proof that nothing comes */
};

enum assay_finding {
    ASSAY_FOUND_AGREES,   /* all that was seen is permitted */
    ASSAY_FOUND_MISMATCH, /* something was seen that is not */
    ASSAY_FOUND_LATE,     /* something that is owed did not come in time */
    ASSAY_FOUND_BROKEN,   /* the program of a client went wrong itself: see `trouble` */
    ASSAY_FOUND_REFUSED,  /* no connection */
    ASSAY_FOUND_TROUBLE,  /* the harness's own: see `trouble` */
};

struct assay_played {
    enum assay_finding finding;
    bool by_time; /* another timing might have given another finding */
    bool slow;    /* what was owed came only after our end of stream: not judged, it needs more patience */
    bool by_end;  /* what disagreed was the end of the connection: the target may have died */
    bool sent_any, saw_any;
    bool cuts_requested; /* some cut could not be proven to have been seen as one */
    bool silence_waited; /* some silence rests on a quiet time alone */
    bool came;           /* a connection came about */
    bool stillborn;      /* a client's program ended before it connected */
    bool unseen;         /* agreed, but the target has something to show that nobody saw */
    bool astray;         /* its numbers never came near where the case wanted them */
    bool stopped;        /* the target was told to stop: it ends by itself */
    bool restarted;      /* the target was killed and started again: it may listen elsewhere now */
    bool warned;         /* agreed, but something that should be done was not: see `blame` */
    uint8_t link;
    struct assay_blame blame;
    char trouble[320];
    int64_t began, took; /* ns */
    struct assay_exchange exchange;
    struct assay_record *records; /* what the observed effect should have left behind; one piece of memory */
    uint32_t records_count;
    char *said; /* the end of what a client's program wrote to stderr; owned; or NULL */
};

void assay_played_free(struct assay_played *outcome);

struct assay_play {
    const struct assay_case *c;
    bool over;
    struct assay_played outcome;
};

/* `patient`: silence is waited for as long as an answer would be. NULL: no memory. */
struct assay_play *assay_play_start(struct assay_stage *stage, const struct assay_case *c, bool patient);

/* The target may have shown something. */
void assay_play_poke(struct assay_play *play);

/* Also ends one that is not over. Takes the outcome with it unless its owner has moved it away. */
void assay_play_free(struct assay_play *play);

#endif

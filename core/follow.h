/* Sessions that are sent the rows of logs. All of it is there only where a log of the model is followed by the engine's
 * machine, which sends rows as reliable messages. */
#ifndef ASSAY_CORE_FOLLOW_H
#define ASSAY_CORE_FOLLOW_H

#include "core/reliable.h"

/* Where a session stands in a log; its variable `cursor` is the first row that is not acknowledged. */
struct assay_place {
    uint64_t next;  /* row to be sent */
    uint64_t until; /* rows before this one may go: their batch is there */
    uint64_t since; /* messages from this count on carry its rows; those before are of a place that was left */
    bool known;     /* else it begins at the cursor */
};

struct assay_follow {
    _Alignas(8) struct assay_links links;
    bool linked, fetching;
};

static inline struct assay_follow *assay_follow_of(const struct assay_engine *e, const struct assay_session *s)
{
    return (struct assay_follow *)(void *)((uint8_t *)(uintptr_t)s + e->follow_at);
}

/* One for each log of the model. */
static inline struct assay_place *assay_follow_places(struct assay_follow *follow)
{
    return (struct assay_place *)(void *)(follow + 1);
}

/* Its size for each session becomes e->follow_size; 0: no log is followed. */
void assay_follow_measure(struct assay_engine *e);
void assay_follow_init(struct assay_engine *e);
void assay_follow_begin(struct assay_engine *e, struct assay_session *s);
void assay_follow_end(struct assay_engine *e, struct assay_session *s);

/* Something happened to the session: it may be hungry by now. */
void assay_follow_wake(struct assay_engine *e, struct assay_session *s);
/* The running rule is through: a cursor that it set, or a numbering that it began, has the rows sent from the cursor.
 */
void assay_follow_commit(struct assay_engine *e, struct assay_session *s, bool renewed);
/* A message that carries a row was acknowledged. */
void assay_follow_acknowledged(struct assay_engine *e, struct assay_session *s, const struct assay_kept *kept,
                               uint64_t count);

#endif

/* Tables: rows that all sessions of an engine share.
 *
 * A row is found by the hash of its key, in a tree with a branch for each two bits of it: nothing has to be cleared
 * before it is used, and what is never used is never touched. Bytes stand in the engine's heap.
 *
 * A put makes a second row that is to take the place of the one under the key (which is made, without values, if there
 * is none). It is the session's, and no other may put under that key, until its rule is through: then the values are
 * taken over. What became of the rule does not matter to a row that the host has kept; all else is undone with it. */
#ifndef ASSAY_CORE_ROWS_H
#define ASSAY_CORE_ROWS_H

#include "core/value.h"

#define ASSAY_ROW_BRANCHES 4u

enum assay_row_state {
    ASSAY_ROW_FREE,
    ASSAY_ROW_ABSENT, /* a key under which something is to be put */
    ASSAY_ROW_PRESENT,
    ASSAY_ROW_TRIED,  /* a put that is not done, or that its rule does again */
    ASSAY_ROW_FLIGHT, /* one that the host was told of, */
    ASSAY_ROW_KEPT,   /* and has done */
};

struct assay_row {
    uint32_t branches[ASSAY_ROW_BRANCHES]; /* 1 + index; 0: none */
    uint32_t coming;                       /* 1 + index of the row that is to take its place */
    uint32_t next;                         /* of a put: the next of its session; free: the next free one; 1 + index */
    uint32_t under;                        /* of a put: index of the row whose place it takes */
    uint16_t table, code;                  /* code: of a put's effect */
    uint8_t state;                         /* enum assay_row_state */
    bool fresh;                            /* a put of the rule that runs, made since it began or went on */
    bool seen;                             /* a put that the rule that runs has come to: for it the row is there */
    bool alone;                            /* a put whose session is no more */
    assay_val values[];                    /* the key (not of a put), then the columns */
};

struct assay_rows {
    uint8_t *block;
    size_t size;              /* of a row */
    uint32_t cap, most;       /* rows in the block; that tables may hold together */
    uint32_t used, free;      /* rows ever used; 1 + first free one */
    uint32_t count;           /* in all tables */
    uint32_t *roots, *counts; /* by table: 1 + index of the first row; how many rows it has */
};

struct assay_engine;
struct assay_session;
struct assay_config;

static inline struct assay_row *assay_row_at(const struct assay_rows *rows, uint32_t index)
{
    return (struct assay_row *)(void *)(rows->block + index * rows->size);
}

/* Sizes, without a block: all 0 where the model has no tables. */
void assay_rows_measure(struct assay_rows *rows, const struct assay_config *config);
void assay_rows_init(struct assay_engine *e);
/* After keys have changed. */
void assay_rows_rehash(struct assay_engine *e);

/* The row as the running rule of session `s` (NULL: none) sees it; NULL: there is none. `key` is a value of e->env. */
const struct assay_row *assay_row_find(struct assay_engine *e, const struct assay_session *s, uint16_t table,
                                       assay_val key);

enum assay_put {
    ASSAY_PUT,
    ASSAY_PUT_UNFIT,   /* a value is not of its type, the table is full, or the rule has put under that key before */
    ASSAY_PUT_NO_ROOM, /* for its bytes */
    ASSAY_PUT_FULL,    /* another session's put is on its way */
};

/* Begin to put a row: key, then columns, values of e->env. *put is its index. */
enum assay_put assay_row_put(struct assay_engine *e, struct assay_session *s, uint16_t table, const assay_val *values,
                             uint16_t code, uint32_t *put);
/* The rule has come to the effect at `code` (again). True: the host has kept its row, which is to be seen from now on;
 * else what was put there before is undone. */
bool assay_row_meet(struct assay_engine *e, struct assay_session *s, uint16_t code);

/* Only for sessions that have puts: their rule is done; is undone; waits for an effect; cannot be done, or the session
 * ends. */
void assay_rows_commit(struct assay_engine *e, struct assay_session *s);
void assay_rows_undo(struct assay_engine *e, struct assay_session *s);
void assay_rows_hold(struct assay_engine *e, struct assay_session *s);
void assay_rows_settle(struct assay_engine *e, struct assay_session *s);
/* The host has done what it was told, or not; `s`: whose put it is, NULL if that ended. */
void assay_row_completed(struct assay_engine *e, struct assay_session *s, uint32_t put, bool done);

#endif

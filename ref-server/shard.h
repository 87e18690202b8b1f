/* Inside the server: one loop with its engine and connections.
 *
 * A connection holds no buffer while it is idle. Input is read into a buffer of
 * the loop and handled there; what is left of it (the beginning of a frame, or
 * what has to wait) moves to a pooled one. Output is made in a buffer of the
 * loop and sent with one call; what the socket does not take, or what waits
 * behind an effect, moves to a pooled one.
 */
#ifndef ASSAY_REF_SERVER_SHARD_H
#define ASSAY_REF_SERVER_SHARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/loop.h"
#include "ref-server/effects.h"
#include "ref-server/pool.h"
#include "ref-server/server.h"

#define ASSAY_READ_SIZE (64u * 1024)
#define ASSAY_CUTS      1024u
#define ASSAY_CUTS_MAX  16384u

enum assay_conn_flags {
    ASSAY_CONN_OPEN = 1,       /* in use */
    ASSAY_CONN_EOF = 2,        /* the peer has shut its side */
    ASSAY_CONN_EOF_TOLD = 4,   /* and the session knows */
    ASSAY_CONN_RESET = 8,      /* the connection is gone */
    ASSAY_CONN_ABORT = 16,     /* to be closed with a reset */
    ASSAY_CONN_SHUT = 32,      /* our side is shut */
    ASSAY_CONN_BLOCKED = 64,   /* input has to wait: for room, or for an effect */
    ASSAY_CONN_STOPPING = 128, /* the server stops: `quota` bytes of input are still handled */
    ASSAY_CONN_STOP_TOLD = 256,
    ASSAY_CONN_STARVED = 512,     /* in the list of those that wait for room in the table of effects */
    ASSAY_CONN_WRITE_WAIT = 1024, /* the socket takes no more */
};

/* Input that waits. Pooled. */
struct assay_held {
    uint32_t cap, size; /* of the block; bytes in it */
    uint8_t bytes[];
};

/* Output that waits. Pooled, as are its cuts. */
struct assay_queue {
    struct assay_out out;
    uint32_t cap, cuts_block; /* of the blocks */
    uint8_t bytes[];
};

/* Of a connection whose session is over. Pooled. */
struct assay_closing {
    struct assay_alarm alarm; /* first */
    struct assay_conn *conn;
    uint64_t drained;
    uint32_t cap;
};

struct assay_conn {
    struct assay_watch watch; /* first */
    assay_sid sid;            /* 0: the session is over */
    struct assay_held *in;
    struct assay_queue *out;
    struct assay_closing *closing;
    struct assay_conn *next; /* free, or starved */
    uint32_t serial;
    uint32_t quota;
    uint32_t number; /* for traces */
    uint16_t flags;
};

struct assay_instant {
    assay_token token;
    bool done;
};

struct assay_listener {
    struct assay_watch watch; /* first */
    struct assay_address address;
};

struct assay_server;
struct assay_trace;

struct assay_shard {
    struct assay_server *server;
    const struct assay_model *model;
    struct assay_loop *loop;
    struct assay_engine *engine;
    void *block; /* the engine's memory */
    size_t block_size;
    struct assay_orders orders;
    struct assay_pool pool;

    struct assay_listener listeners[ASSAY_ADDRESSES_MAX];
    size_t listeners_count;
    bool accepting, paused, stopping, done;
    bool resting; /* timers wait for an effect to complete */
    bool gating;  /* effects hold back output */

    struct assay_conn **chunks; /* of connections, which never move */
    size_t chunks_count;
    struct assay_conn *conns_free, *starved;
    uint32_t conns_open;
    struct assay_conn **by_slot; /* of the engine's sessions */

    struct assay_alarm tick, resume, grace;
    uint8_t *in;             /* ASSAY_READ_SIZE bytes */
    struct assay_out shared; /* output of a connection that has none waiting */
    struct assay_instant *instants;
    size_t instants_count, instants_cap;
    unsigned put_off; /* rounds that orders have waited */
    struct assay_limits limits;
    struct assay_trace *trace; /* NULL: no traces */

    pthread_t thread;
    bool threaded;
};

struct assay_server {
    const struct assay_server_config *config;
    struct assay_effects effects;
    struct assay_shard *shards;
    unsigned count;
    atomic_uint running; /* loops that have connections, or accept them */
    atomic_uint sessions;
    atomic_uint numbers;  /* of connections */
    atomic_bool stopping; /* end: no more connections, finish sessions */
    atomic_bool no_more;  /* no more connections; sessions go on */
    struct assay_watch signals;
    bool interrupted;
};

/* ---- shard.c ------------------------------------------------------------ */

bool assay_shard_open(struct assay_shard *shard, struct assay_server *server, const struct assay_limits *limits,
                      struct assay_net_error *error);
void assay_shard_run(struct assay_shard *shard);
void assay_shard_close(struct assay_shard *shard);

/* Add a listening socket; before the run. */
bool assay_shard_listen(struct assay_shard *shard, int fd);

/* Tell all loops that a flag of the server has changed. From any thread. */
void assay_server_nudge(struct assay_server *server);

struct assay_conn *assay_conn_take(struct assay_shard *shard);
void assay_conn_release(struct assay_shard *shard, struct assay_conn *conn);

/* ---- conn.c ------------------------------------------------------------- */

/* A connection was accepted: the descriptor is the connection's from now on. */
void assay_conn_admit(struct assay_shard *shard, int fd);

/* An effect of it is done or failed; after the last of several, go on with it. */
struct assay_turn {
    struct assay_shard *shard;
    struct assay_conn *conn;
    struct assay_out out;
    bool full; /* nothing more goes in before something has left */
};
void assay_turn_begin(struct assay_turn *turn, struct assay_shard *shard, struct assay_conn *conn);
void assay_turn_complete(struct assay_turn *turn, assay_token token, bool done);
void assay_turn_end(struct assay_turn *turn);

/* The session has a timer due at the loop's time. */
void assay_conn_tick(struct assay_shard *shard, assay_sid sid);

/* The server stops: handle what was received, then end. */
void assay_conn_stop(struct assay_shard *shard, struct assay_conn *conn);

/* Effects have completed: go on with those that waited for room in their table. */
void assay_conn_feed_starved(struct assay_shard *shard);

/* Close with a reset, whatever is going on. */
void assay_conn_kill(struct assay_shard *shard, struct assay_conn *conn);

/* ---- trace.c ------------------------------------------------------------ */

struct assay_trace *assay_trace_new(const struct assay_server_config *config);
void assay_trace_free(struct assay_trace *trace);

/* Of the input, what one call of the engine is to get: the first frame if it is whole. */
struct assay_span assay_trace_part(struct assay_trace *trace, struct assay_span in);
void assay_trace_received(struct assay_trace *trace, uint32_t conn, struct assay_span part);
void assay_trace_event(struct assay_trace *trace, uint32_t conn, const struct assay_event *event,
                       const struct assay_out *out);

#endif

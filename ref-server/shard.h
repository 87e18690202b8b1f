/* Inside the server: one loop with its engine and connections.
 *
 * A connection holds no buffer while it is idle. Input is read into a buffer of
 * the loop and handled there; what is left of it (the beginning of a frame, or
 * what has to wait) moves to a pooled one. Output is made in a buffer of the
 * loop and sent with one call; what the socket does not take, or what waits
 * behind an effect, moves to a pooled one.
 *
 * Over datagrams a connection is a session with one address and port (peers.c):
 * it has no socket of its own, and what waits for it is whole datagrams.
 */
#ifndef ASSAY_REF_SERVER_SHARD_H
#define ASSAY_REF_SERVER_SHARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/datagram.h"
#include "net/loop.h"
#include "ref-server/effects.h"
#include "ref-server/history.h"
#include "ref-server/pool.h"

#define ASSAY_READ_SIZE (64u * 1024)
#define ASSAY_CUTS      1024u
#define ASSAY_CUTS_MAX  16384u
#define ASSAY_LISTENERS 32u

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
    ASSAY_CONN_ASIDE = 2048,      /* rows of a log wait until it is no longer blocked */
};

/* Input that waits: bytes of a stream, or one datagram. Pooled. */
struct assay_held {
    struct assay_held *next; /* datagram */
    uint32_t cap, size;      /* of the block; bytes in it */
    bool traced;             /* datagram */
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
    struct assay_service *service;
    struct assay_peer *peer;    /* of datagrams; NULL: a stream */
    struct assay_spool *spools; /* what the session has gathered */
    assay_sid sid;              /* 0: the session is over */
    struct assay_held *in;
    struct assay_queue *out;
    struct assay_closing *closing;
    struct assay_conn *next; /* free, or starved */
    uint64_t number;         /* of the session, in the whole server */
    uint32_t serial;
    uint32_t quota;
    uint16_t flags;
};

struct assay_instant {
    assay_token token;
    bool done;
};

struct assay_listener {
    struct assay_watch watch; /* first */
    struct assay_service *service;
    struct assay_address address;
    bool full;                         /* the socket takes no more datagrams */
    struct assay_peer *waiting, *last; /* for room in it */
};

struct assay_server;
struct assay_trace;

/* Whom a session of datagrams is with. Pooled. */
struct assay_peer {
    struct assay_conn *conn;
    struct assay_listener *at;
    struct assay_path path;
    struct assay_held *last; /* of conn->in */
    uint32_t held;           /* memory that conn->in takes */
    uint32_t cap;
    bool waits; /* in the list of its listener */
    bool met;   /* it has, or had, a session */
    struct assay_peer *next_waiting;
    struct assay_peer *next;          /* of the same bucket */
    struct assay_peer *newer, *older; /* by the last datagram that came */
};

/* The sessions of datagrams of a service, by address and by silence. */
struct assay_peers {
    struct assay_peer **buckets;
    uint32_t mask, count;
    uint64_t held;                  /* of all of them */
    uint64_t key;                   /* of the hash */
    struct assay_arrival *arrivals; /* datagrams of one call, and the room for them */
    uint8_t *room;
    struct assay_peer *newest, *oldest;
};

/* A transport's part of a loop: the engine that plays its machine. */
struct assay_service {
    struct assay_alarm tick; /* first */
    struct assay_shard *shard;
    const struct assay_transport *transport;
    bool datagrams;
    bool resting; /* timers wait for an effect to complete */
    struct assay_limits limits;
    struct assay_engine *engine;
    void *block; /* the engine's memory */
    size_t block_size;
    struct assay_conn **by_slot; /* of the engine's sessions */
    struct assay_peers peers;
    struct assay_trace *trace; /* NULL: no traces */
};

struct assay_shard {
    struct assay_server *server;
    const struct assay_model *model;
    struct assay_loop *loop;
    struct assay_service *services;
    size_t services_count;
    struct assay_orders orders;
    struct assay_history history;
    struct assay_pool pool;

    struct assay_listener listeners[ASSAY_LISTENERS];
    size_t listeners_count;
    bool accepting, paused, stopping, done;
    bool gating;    /* effects hold back output */
    bool asks_peer; /* the spec has expressions with `peer` */

    struct assay_conn **chunks; /* of connections, which never move */
    size_t chunks_count;
    struct assay_conn *conns_free, *starved;
    uint32_t conns_open;

    struct assay_alarm resume, grace;
    uint8_t *in;             /* ASSAY_READ_SIZE bytes */
    struct assay_out shared; /* output of a connection that has none waiting */
    struct assay_instant *instants;
    size_t instants_count, instants_cap;
    unsigned put_off; /* rounds that orders have waited */

    pthread_t thread;
    bool threaded;
};

struct assay_server {
    struct assay_server_config config;
    struct assay_model model;     /* that is run: with the params that were given */
    struct assay_option *options; /* of it, if there are any */
    struct assay_limits limits;
    uint64_t leniencies;
    struct assay_effects effects;
    char (*addresses)[ASSAY_SERVER_ADDRESS_MAX]; /* that are listened on */
    size_t addresses_count;
    struct assay_shard *shards;
    unsigned count;
    atomic_uint running;             /* loops that have connections, or accept them */
    atomic_uint sessions;            /* of streams */
    atomic_ullong numbers;           /* of sessions */
    atomic_ullong lost_in, lost_out; /* datagrams that found no room */
    atomic_bool stopping;            /* end: no more connections, finish sessions */
    atomic_bool no_more;             /* no more connections; sessions go on */
    struct assay_watch signals;
    atomic_bool interrupted;
    enum assay_server_end end;
    atomic_bool begun; /* runs, or ran */
    pthread_t thread;  /* of one that was started */
    bool started;
};

/* ---- params.c ----------------------------------------------------------- */

/* Makes the server's own model of the config's, and has the config name it. */
bool assay_server_take_params(struct assay_server *server, struct assay_net_error *error);

/* ---- shard.c ------------------------------------------------------------ */

bool assay_shard_open(struct assay_shard *shard, struct assay_server *server, struct assay_net_error *error);
void assay_shard_run(struct assay_shard *shard);
void assay_shard_close(struct assay_shard *shard);

/* Add a listening socket of a service; before the run. */
bool assay_shard_listen(struct assay_shard *shard, size_t service, int fd);

/* The last session of a service of datagrams has ended while the loop stops. */
void assay_shard_peers_gone(struct assay_shard *shard, struct assay_service *service);

/* Whether a transport of the spec has a server that can be run here. */
bool assay_server_serves(const struct assay_transport *transport);

/* Tell all loops that a flag of the server has changed. From any thread. */
void assay_server_nudge(struct assay_server *server);

/* NULL: no memory. */
struct assay_conn *assay_conn_take(struct assay_service *service);
void assay_conn_release(struct assay_shard *shard, struct assay_conn *conn);

/* ---- conn.c ------------------------------------------------------------- */

/* A connection was accepted: the descriptor is the connection's from now on. */
void assay_conn_admit(struct assay_service *service, int fd);

/* Go on with what waits. */
void assay_conn_go_on(struct assay_shard *shard, struct assay_conn *conn);

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
void assay_conn_tick(struct assay_service *service, assay_sid sid);

/* The server stops: handle what was received, then end. */
void assay_conn_stop(struct assay_shard *shard, struct assay_conn *conn);

/* Effects have completed: go on with those that waited for room in their table. */
void assay_conn_feed_starved(struct assay_shard *shard);

/* Close with a reset, whatever is going on. */
void assay_conn_kill(struct assay_shard *shard, struct assay_conn *conn);

/* ---- peers.c ------------------------------------------------------------ */

bool assay_peers_open(struct assay_service *service);
void assay_peers_close(struct assay_service *service);

/* Datagrams have come: the handler of their sockets. */
void assay_peers_receive(struct assay_loop *loop, struct assay_watch *watch, unsigned events);

/* Handle everything that has come to a socket by now. */
void assay_peers_drain(struct assay_listener *listener);

/* The session's part of a turn: input, the end, output. */
void assay_peer_finish(struct assay_turn *turn);

/* The connection's peer is done with. */
void assay_peer_release(struct assay_conn *conn);

/* Its socket takes no more datagrams: go on with it when there is room. */
void assay_peer_wait(struct assay_shard *shard, struct assay_peer *peer);

/* Ask for what a socket of datagrams is to be ready for. */
void assay_peers_watch(struct assay_shard *shard, struct assay_listener *listener);

/* What an engine knows a peer by. Points into `bytes`. */
struct assay_span assay_peer_name(const struct assay_address *address, uint8_t bytes[ASSAY_PEER_MAX]);

/* ---- trace.c ------------------------------------------------------------ */

struct assay_trace *assay_trace_new(struct assay_server *server, uint16_t machine);
void assay_trace_free(struct assay_trace *trace);

/* Of the input, what one call of the engine is to get: the first frame if it is whole. */
struct assay_span assay_trace_part(struct assay_trace *trace, struct assay_span in);
void assay_trace_received(struct assay_trace *trace, uint64_t session, struct assay_span part);
void assay_trace_event(struct assay_trace *trace, uint64_t session, const struct assay_event *event,
                       const struct assay_out *out);

#endif

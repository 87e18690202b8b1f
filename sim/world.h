/* Inside the simulation: the state of the world, and what may be done to it.
 *
 * What can be taken back is small and flat: `state`, the nodes, flows, waiting
 * events and the engines' blocks. All else only grows (bytes, calls, effects,
 * rows on disk, the trace): going back to a snapshot sets their lengths, and
 * what stood before these was never touched. So a fork copies kilobytes. */
#ifndef ASSAY_SIM_WORLD_H
#define ASSAY_SIM_WORLD_H

#include "sim/sim.h"

#define ASSAY_SIM_NODES_MAX  (ASSAY_SIM_CLIENTS_MAX + 1)
#define ASSAY_SIM_LOGS_MAX   8
#define ASSAY_SIM_FLOWS_MAX  256
#define ASSAY_SIM_PARKED_MAX 256
#define ASSAY_SIM_ARGS_MAX   64
#define ASSAY_SIM_NONE       UINT32_MAX
#define ASSAY_SIM_SERVER     0

enum assay_sim_event_kind {
    ASSAY_SIM_ARRIVE,   /* a datagram */
    ASSAY_SIM_STORE,    /* an effect is done ... */
    ASSAY_SIM_COMPLETE, /* ... and the engine is told */
    ASSAY_SIM_ACT,      /* a client makes its next call */
    ASSAY_SIM_RESTART,
};

/* A datagram: `where` in the bytes. */
struct assay_sim_datagram {
    uint32_t where, size;
    uint32_t ordinal; /* of its flow and direction, from 1 */
    uint16_t flow;
    uint8_t direction; /* enum assay_link_direction */
    uint8_t mark;      /* enum assay_sim_mark */
};
enum assay_sim_mark { ASSAY_SIM_PLAIN, ASSAY_SIM_COPY, ASSAY_SIM_LATE, ASSAY_SIM_SWAPPED, ASSAY_SIM_CHANGED };

struct assay_sim_event {
    int64_t at;
    uint64_t order;
    uint8_t kind, node;
    uint16_t life; /* of the node: events of an older one are void */
    uint16_t held; /* ARRIVE: it waits for so many others to pass it */
    bool failed;   /* COMPLETE */
    uint32_t what; /* STORE, COMPLETE: in orders */
    struct assay_sim_datagram datagram;
};

struct assay_sim_node {
    assay_sid sid; /* a client's session */
    int64_t deadline;
    uint32_t call;   /* in calls: the one that runs */
    uint32_t orders; /* effects that can fail */
    uint32_t untold; /* chained ones that failed, of which the engine was not told */
    uint32_t doomed; /* in orders: chained ones before this one fail */
    uint32_t saved;  /* arguments of the first call, were it made again: where in the bytes */
    uint16_t life;
    uint16_t flow;             /* a client's; 0: it has sent nothing yet */
    uint16_t act, act_end;     /* its next call, in model->acts */
    bool up, calling, blocked; /* blocked: the engine does not take the call yet */
    bool over;                 /* its session ended */
};

/* An address of a client. Flow 0 is none. */
struct assay_sim_flow {
    assay_sid sid; /* of the server; 0: none */
    uint32_t sent[ASSAY_LINK_DIRECTIONS];
    uint16_t life;
    uint8_t client;
};

struct assay_sim_order {
    uint32_t args;
    assay_token token;
    uint16_t effect, flow, life;
    uint8_t node;
    bool chain;
    uint32_t nth; /* of those of its node that can fail, from 1 */
};
struct assay_sim_done {
    int64_t at;
    uint32_t args;
    uint16_t effect;
    uint8_t node;
};
struct assay_sim_call {
    int64_t began;
    uint32_t args;
    uint16_t act, life;
    uint8_t node;
};
#define ASSAY_SIM_CRASHED (-100) /* outcome of a call */
struct assay_sim_result {
    int64_t at;
    uint32_t call;
    int32_t outcome;
};
struct assay_sim_put { /* a row of a durable table */
    uint32_t args;
    uint16_t table;
};

enum assay_sim_trace_kind {
    ASSAY_SIM_T_SENT,
    ASSAY_SIM_T_LOST,    /* `why` tells where */
    ASSAY_SIM_T_ARRIVED, /* not in its turn, or changed */
    ASSAY_SIM_T_DONE,
    ASSAY_SIM_T_FAILED,
    ASSAY_SIM_T_CALL,
    ASSAY_SIM_T_RESULT,
    ASSAY_SIM_T_CRASH,
    ASSAY_SIM_T_RESTART,
};
struct assay_sim_trace {
    int64_t at;
    uint8_t kind, node, faults; /* faults: bit set of 1 << enum assay_link_kind */
    const char *why;
    uint32_t what; /* in dones, orders, calls, results */
    struct assay_sim_datagram datagram;
};

#define ASSAY_SIM_LIST(type)                                                                                           \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        uint32_t capacity;                                                                                             \
    }

/* seen.c: of a list, as far as it was looked at. */
struct assay_sim_summed {
    uint32_t first, count;
    uint64_t key;
};

/* What a snapshot holds, beside nodes, flows, events, parked datagrams and engines. */
struct assay_sim_state {
    int64_t last_fault;        /* when its last trace was gone */
    int64_t now, moved, quiet; /* moved: a fault, or a call began or ended; quiet: since when, or ASSAY_NEVER */
    uint64_t order, steps, datagrams, deliveries;
    uint64_t failed, blackout;
    uint64_t astray; /* datagrams to addresses of crashed clients */
    uint32_t events, parked, flows, held;
    uint32_t bytes, box_head, box_tail, orders, dones, calls, results, puts, trace;
    uint32_t row_first[ASSAY_SIM_LOGS_MAX], row_count[ASSAY_SIM_LOGS_MAX];
    uint32_t faults;
    bool failed_effect; /* one did */
    bool full;          /* no room that will not come back */
    struct {
        struct assay_sim_summed rows[ASSAY_SIM_LOGS_MAX], puts, calls, results, dones;
    } summed;
};

struct assay_sim_snapshot {
    struct assay_sim_state state;
    struct assay_sim_node nodes[ASSAY_SIM_NODES_MAX];
    struct assay_sim_flow *flows;
    struct assay_sim_event *events;
    struct assay_sim_datagram *parked;
    uint32_t flows_cap, events_cap, parked_cap;
    struct assay_engine *engines[ASSAY_SIM_NODES_MAX];
    uint64_t versions[ASSAY_SIM_NODES_MAX]; /* of the engines */
};

/* A model in which reliable messages are numbered otherwise. */
struct assay_sim_numbered {
    struct assay_model model;
    uint32_t *code;
    int64_t *ints;
    struct assay_machine *machines;
};

struct assay_sim {
    struct assay_sim_config config;
    const struct assay_model *model;
    struct assay_sim_numbered numbered[2]; /* for `near_wrap`: of clients, of the server */
    struct assay_config engine_config[ASSAY_SIM_NODES_MAX];
    size_t engine_size[ASSAY_SIM_NODES_MAX];
    struct assay_engine *engines[ASSAY_SIM_NODES_MAX];
    uint64_t versions[ASSAY_SIM_NODES_MAX], last_version; /* told anew whenever something is done to an engine */
    uint64_t keys[ASSAY_SIM_NODES_MAX], keyed[ASSAY_SIM_NODES_MAX]; /* seen.c: of the engine of that version */
    unsigned nodes;                                                 /* 1 + clients */
    uint64_t seed;                                                  /* of the run */
    bool near_wrap;

    int64_t delay;    /* a fault's: longer than the first pause before something is sent again */
    int64_t linger;   /* for so long nothing is due when the world is at rest */
    int64_t horizon;  /* after the last fault and call: then it should be */
    int64_t base_end; /* when that is over; `idle` datagrams are sent in a horizon of time behind it */
    uint64_t idle;
    int64_t trouble; /* random schedules are well from then on */
    uint64_t base;   /* datagrams of the run without faults */
    bool reliable, tracing;

    struct assay_sim_state s;
    struct assay_sim_node node[ASSAY_SIM_NODES_MAX];
    struct assay_sim_flow flow[ASSAY_SIM_FLOWS_MAX];
    struct assay_sim_datagram parked[ASSAY_SIM_PARKED_MAX];
    ASSAY_SIM_LIST(struct assay_sim_event) events;
    ASSAY_SIM_LIST(uint8_t) bytes;
    ASSAY_SIM_LIST(struct assay_sim_datagram) box; /* what was sent and has not gone yet */
    ASSAY_SIM_LIST(struct assay_sim_order) orders;
    ASSAY_SIM_LIST(struct assay_sim_done) dones;
    ASSAY_SIM_LIST(struct assay_sim_call) calls;
    ASSAY_SIM_LIST(struct assay_sim_result) results;
    ASSAY_SIM_LIST(struct assay_sim_put) puts;
    ASSAY_SIM_LIST(uint32_t) rows[ASSAY_SIM_LOGS_MAX];
    ASSAY_SIM_LIST(struct assay_sim_trace) trace;
    struct assay_sim_snapshot *snapshots;
    unsigned snapshots_count;
    bool *looks; /* by act: its arguments look at variables */
    bool memory; /* there was none: everything after it is void */

    /* of the moment */
    struct assay_out out;
    assay_val values[ASSAY_SIM_ARGS_MAX], slots[ASSAY_SLOTS_MAX];
    struct assay_span spans[ASSAY_SIM_ARGS_MAX];
    assay_val *vars;
    uint8_t *scratch;
    uint32_t scratch_cap;
    uint8_t *marks; /* of judges */
};

/* ---- world.c: memory, events, snapshots --------------------------------- */

bool assay_sim_grow(struct assay_sim *sim, void **items, uint32_t *capacity, uint64_t need, size_t size);
#define ASSAY_SIM_ROOM(sim, list, need)                                                                                \
    ((need) <= (list).capacity ||                                                                                      \
     assay_sim_grow((sim), (void **)&(list).items, &(list).capacity, (need), sizeof *(list).items))

/* Append bytes; returns where. */
uint32_t assay_sim_keep(struct assay_sim *sim, const void *p, uint32_t n);
void assay_sim_push(struct assay_sim *sim, struct assay_sim_event event);
struct assay_sim_event assay_sim_pop(struct assay_sim *sim);
void assay_sim_retime(struct assay_sim *sim, uint32_t index, int64_t at);
void assay_sim_note(struct assay_sim *sim, struct assay_sim_trace trace);

void assay_sim_begin(struct assay_sim *sim, uint64_t seed, bool near_wrap);
bool assay_sim_save(struct assay_sim *sim, unsigned level);
void assay_sim_restore(struct assay_sim *sim, unsigned level);

uint64_t assay_sim_mix(uint64_t x);

/* To do something to it. */
static inline struct assay_engine *assay_sim_engine(struct assay_sim *sim, unsigned node)
{
    sim->versions[node] = ++sim->last_version;
    return sim->engines[node];
}

/* ---- values.c: arguments as bytes --------------------------------------- */

uint32_t assay_sim_keep_args(struct assay_sim *sim, struct assay_range params, const assay_val *values,
                             const struct assay_span *spans);
/* Into sim->values and sim->spans, which point into the bytes; returns where it ends. */
uint32_t assay_sim_load_args(struct assay_sim *sim, struct assay_range params, uint32_t args, unsigned from);
/* One of them. */
struct assay_span assay_sim_arg(const struct assay_sim *sim, uint32_t args, unsigned index);
/* The arguments of an act, over the client's variables as they are. */
uint32_t assay_sim_act_args(struct assay_sim *sim, unsigned node, uint16_t act);
/* An expression over the variables of a session; false: undefined. */
bool assay_sim_number(struct assay_sim *sim, unsigned node, assay_sid sid, uint16_t code, int64_t *n);

/* ---- host.c: what programs around engines do ---------------------------- */

void assay_sim_start_server(struct assay_sim *sim);
void assay_sim_start_client(struct assay_sim *sim, unsigned node);
void assay_sim_crash(struct assay_sim *sim, unsigned node);
void assay_sim_arrive(struct assay_sim *sim, const struct assay_sim_datagram *d);
void assay_sim_tick(struct assay_sim *sim, unsigned node);
void assay_sim_act(struct assay_sim *sim, unsigned node);
void assay_sim_store(struct assay_sim *sim, uint32_t order);
/* Instead of it. */
void assay_sim_fail(struct assay_sim *sim, uint32_t order);
/* One before it in its chain failed: so does it. */
bool assay_sim_doomed(const struct assay_sim *sim, uint32_t order);
void assay_sim_complete(struct assay_sim *sim, uint32_t order, bool done);

/* ---- disk.c ------------------------------------------------------------- */

/* An effect of the server is done: whether it counts (a row that is there already does not). */
bool assay_sim_disk_put(struct assay_sim *sim, uint16_t effect, uint32_t args);
void assay_sim_disk_crash(struct assay_sim *sim);
void assay_sim_disk_load(struct assay_sim *sim, struct assay_engine *e);

/* ---- net.c -------------------------------------------------------------- */

/* The next datagram that was sent goes, and meets these faults. */
void assay_sim_launch(struct assay_sim *sim, const struct assay_link_fault *const *faults, size_t count);
/* What a fault that leaves something open means for the next datagram. */
void assay_sim_settle(const struct assay_sim *sim, struct assay_link_fault *fault);

/* ---- run.c -------------------------------------------------------------- */

enum assay_sim_next { ASSAY_SIM_REST, ASSAY_SIM_LAUNCH, ASSAY_SIM_EVENT };
/* What comes next; `node`: whom the event concerns. */
enum assay_sim_next assay_sim_peek(struct assay_sim *sim, unsigned *node);
/* Do it: with the faults that a datagram meets. */
void assay_sim_step(struct assay_sim *sim, enum assay_sim_next next, const struct assay_link_fault *const *faults,
                    size_t count);
/* Where the next event is that an effect is done which can fail: in orders, else ASSAY_SIM_NONE. */
uint32_t assay_sim_next_order(const struct assay_sim *sim);
/* Instead of that step it fails. */
void assay_sim_step_failing(struct assay_sim *sim);
/* Go on for a time though the world is at rest; returns how many datagrams were sent. */
uint64_t assay_sim_idle(struct assay_sim *sim, int64_t span);
/* To the end, as a schedule says (NULL: nothing goes wrong any more). */
void assay_sim_run(struct assay_sim *sim, const struct assay_sim_schedule *schedule);

/* ---- random.c ----------------------------------------------------------- */

/* As many random schedules as the search says, or until one finds something. */
void assay_sim_try_random(struct assay_sim *sim, const struct assay_sim_search *search,
                          struct assay_sim_report *report);

/* ---- judge.c ------------------------------------------------------------ */

/* Whether all promises in words are kept by now. */
bool assay_sim_promises(struct assay_sim *sim, struct assay_sim_finding *finding);
/* Datagrams that count as a cost of faults, less what faults may cost; at rest with what idle nodes say by and by taken
 * off: it is to be no more than where nothing goes wrong. */
int64_t assay_sim_traffic(const struct assay_sim *sim, bool at_rest);
/* At rest: everything. */
bool assay_sim_judge(struct assay_sim *sim, struct assay_sim_finding *finding);
bool assay_sim_waits(const struct assay_sim *sim);

#endif

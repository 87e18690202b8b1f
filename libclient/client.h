/* Inside a client: what its files share.
 *
 * A client has two links: its own, and one for the running call that opens a
 * link for itself. Each is a pump (a session and its bytes) over a descriptor. */
#ifndef ASSAY_LIBCLIENT_CLIENT_H
#define ASSAY_LIBCLIENT_CLIENT_H

#include <stdatomic.h>

#include "libclient/assay.h"
#include "libclient/io.h"
#include "libclient/pump.h"
#include "net/address.h"
#include "net/clock.h"

#define ASSAY_MESSAGE_MAX 640u
#define ASSAY_DETAIL_MAX  4096u

enum assay_link_state {
    ASSAY_LINK_IDLE,
    ASSAY_LINK_PAUSING, /* until the next try */
    ASSAY_LINK_CONNECTING,
    ASSAY_LINK_RUNNING,
    ASSAY_LINK_CLOSING, /* the session is over: output leaves, the write side is shut, input is drained */
};

/* Values handed out: an array, and the bytes that they point to. */
struct assay_shelf {
    struct assay_value *values;
    uint8_t *bytes;
    size_t cap, used;
    unsigned count;
};

struct assay_link {
    struct assay_client *client;
    struct assay_pump pump;
    uint16_t transport; /* in transports; ASSAY_NONE: the model has none, a stream */
    bool datagrams, bound;
    bool persevering; /* reliable messages: a datagram that is refused is one that was lost */

    struct assay_address addresses[ASSAY_ADDRESSES_MAX], from;
    size_t addresses_count, address_now;
    struct assay_path path; /* bound: to whom what is sent goes */

    enum assay_link_state state;
    int fd;
    int64_t deadline; /* PAUSING: when to go on; CONNECTING, CLOSING: when to give up */
    bool owed;        /* something was sent since the other side was last heard */
    bool shut;
    bool lost; /* something that was to be sent was not */
    uint64_t drained;
    int problem; /* with datagrams: a status of calls that have sent some */

    bool tell_connected, tell_ended;
    bool hasty;    /* the session's end is not worth waiting for the other side */
    bool strayed;  /* a message that nothing takes is about to end the session */
    bool finished; /* its machine came to its end */
    int ended_status;
    uint16_t cause; /* event that ended the session; ASSAY_NONE: none did */

    uint32_t told_token, token; /* of the effect in flight: for the application, of the engine */
    uint32_t done_token;        /* one that was completed while events were left to take */
    bool done;

    bool adopted;    /* the other side made this connection */
    bool persistent; /* connects again as the machine says */
    bool heard;      /* a message arrived over this connection */
    uint32_t tries;  /* in a row that failed */
    int64_t pause;   /* the last one, ns; 0: none yet */
};

/* A call that runs. */
struct assay_calling {
    int index; /* -1: none */
    struct assay_link *link;
    int64_t deadline;
    bool early; /* it is to be handed over again: the window is full */
    bool held;  /* its result is there, what it sent has not left */
    bool over;  /* it is to be told with `status`, its session says no more about it */
    int status; /* of `held` and `over` */
};

struct assay_client {
    struct assay_link own, side;
    struct assay_client_options options;
    struct assay_client_io io;
    struct assay_model model; /* with the params given as the values of its options */
    uint16_t machine;         /* of the own link */
    uint64_t leniencies, secret[2];
    void *side_block;
    const char **places; /* where to connect to, by transport; the first: where there are none */

    struct assay_calling call;
    uint32_t tokens; /* handed out so far */

    assay_val *arg_values;
    struct assay_span *arg_spans;
    uint8_t *early_room; /* bytes of the arguments of a call that is to be handed over again */
    size_t early_size;
    struct assay_shelf results, effects;
    uint8_t *trace_room; /* where received messages are read once more, to be told */
    uint32_t trace_size;

    bool early_waits;  /* during a run: a message waits for a call, */
    int64_t early_due; /* since this was when the next timer is due */

    atomic_bool stop;
    atomic_int waker; /* descriptor that ends a wait; -1: none */

    char message[ASSAY_MESSAGE_MAX];
    char detail[ASSAY_DETAIL_MAX + 1];
    size_t detail_size;
};

static inline int64_t assay_client_now(const struct assay_client *c)
{
    return c->io.now(c->io.user);
}

/* ---- client.c ------------------------------------------------------------ */

/* assay_client_new() over another system. */
int assay_client_new_over(const struct assay_client_io *io, const struct assay_model *model, const char *address,
                          const struct assay_client_options *options, struct assay_client **client);

/* ---- setup.c: options and addresses --------------------------------------- */

/* What the options and the address ask for. */
struct assay_setup {
    const struct assay_model *model;
    const struct assay_client_options *options;
    const char *address;
    uint16_t transport, machine;
    uint64_t leniencies;
};

/* OK, VALUE or MODEL; what is wrong is noted for assay_client_problem(). */
int assay_setup_read(struct assay_setup *setup);

/* Set the params given in `options`, a copy of the model's; OK or VALUE. Texts are those of `params`. */
int assay_params_read(const struct assay_model *model, const char *const *params, struct assay_option *options);

/* Bytes that the places need, and the places themselves: by transport, the own one's first if there are none. */
size_t assay_places_size(const struct assay_setup *setup);
void assay_places_fill(const struct assay_setup *setup, const char **places, char *bytes);

/* ---- values.c ----------------------------------------------------------- */

/* The most arguments of a call, and the bytes that results or effects may need. */
uint16_t assay_args_most(const struct assay_model *model);
size_t assay_shelf_size(const struct assay_model *model, uint64_t longest, uint16_t *values);

/* Arguments as the engine takes them; returns the place of the first that is outside its type, else the count. */
uint16_t assay_args_take(struct assay_client *c, const struct assay_call *call, const struct assay_value *args);

/* The bytes of the arguments taken last, so that they outlive the caller's. False: there is no room for them. */
bool assay_args_keep(struct assay_client *c, const struct assay_call *call);
size_t assay_args_size(const struct assay_model *model); /* of that room; 0: no call is ever handed over again */

/* What an event brings, copied. False: it does not fit. */
bool assay_shelf_put(struct assay_shelf *shelf, const struct assay_model *model, struct assay_range params,
                     const struct assay_event *event);

/* ---- link.c --------------------------------------------------------------- */

void assay_link_init(struct assay_link *link, struct assay_client *c, uint16_t transport, uint16_t machine);

/* A new session is about to begin: forget the old one. */
void assay_link_clear(struct assay_link *link);

/* Begin with the first address; OK, ADDRESS or UNREACHABLE. */
int assay_link_begin(struct assay_link *link, int64_t now);

/* Take over a connected socket. */
void assay_link_adopt(struct assay_link *link, int fd, int64_t now);

/* Do what `ready` (as from poll) and the time allow. */
void assay_link_step(struct assay_link *link, int64_t now, short ready);

/* Write what there is. */
void assay_link_flush(struct assay_link *link);

/* Before the first bytes leave: whether the other side has gone already. */
void assay_link_listen(struct assay_link *link);

/* End in order: flush, shut, drain; or at once; or with a reset. */
void assay_link_finish(struct assay_link *link, int64_t now);
void assay_link_drop(struct assay_link *link);
void assay_link_abort(struct assay_link *link);

/* What poll(2) is to look for. */
short assay_link_wants(const struct assay_link *link);
int64_t assay_link_deadline(const struct assay_link *link);

/* An event waits to be taken. */
bool assay_link_has_event(const struct assay_link *link);

/* ---- retry.c: connecting again ----------------------------------------------- */

/* A try or a connection is over. True: the next one was put down. */
bool assay_retry_later(struct assay_link *link, int64_t now);

/* ---- events.c ----------------------------------------------------------------- */

/* Whether a run that ends with the machine can go on. PROTOCOL: what came next only a call would take, which a run does
 * not make; the connection was ended. */
int assay_run_stuck(struct assay_client *client);

/* Frames for options.trace. */
void assay_trace(const struct assay_link *link, bool sent, uint16_t message, struct assay_span frame);

/* The running call ends with `status`, whatever its session says. */
void assay_call_fail(struct assay_client *c, int status);
bool assay_client_has_event(const struct assay_client *c);

/* A session ended, by `from`: its link is led out. */
void assay_session_over(struct assay_link *link, const struct assay_event *from);

/* ---- steps.c: without waiting -------------------------------------------------- */

/* Do what the descriptors that are ready, and the time, allow. */
void assay_client_step(struct assay_client *c, const struct pollfd *fds, unsigned count);

/* Finish the effect of the own link that was completed; false: there are events to take, or an effect is in flight. */
bool assay_client_settle(struct assay_client *c);

/* Do what the descriptors allow after trying to read from a link though nobody said that there is something. */
void assay_client_peek(struct assay_client *c, struct assay_link *link);

/* ---- report.c ------------------------------------------------------------ */

/* Note a failure and return its status. `format` as for printf; the address comes first by itself. */
int assay_report(struct assay_client *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What became of a link, whichever call runs. */
void assay_report_link(const struct assay_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Note how a call ended and return its status. */
int assay_report_result(struct assay_client *c, const struct assay_event *event);

/* Why a session ended, as a status. */
int assay_report_ended(struct assay_client *c, uint16_t cause);

/* For assay_client_problem(); returns `status`. */
int assay_problem(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

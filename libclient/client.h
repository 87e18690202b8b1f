/* Inside a client: what its files share. */
#ifndef ASSAY_LIBCLIENT_CLIENT_H
#define ASSAY_LIBCLIENT_CLIENT_H

#include "libclient/assay.h"
#include "libclient/pump.h"
#include "net/address.h"
#include "net/clock.h"
#include "net/socket.h"

#define ASSAY_MESSAGE_MAX 640u
#define ASSAY_DETAIL_MAX  4096u

enum assay_client_state {
    ASSAY_CLIENT_IDLE,
    ASSAY_CLIENT_CONNECTING,
    ASSAY_CLIENT_RUNNING,
    ASSAY_CLIENT_CLOSING, /* the session is over: output leaves, the write side is shut, input is drained */
};

/* Values handed out: an array, and the bytes that they point to. */
struct assay_shelf {
    struct assay_value *values;
    uint8_t *bytes;
    size_t cap, used;
    unsigned count;
};

struct assay_client {
    struct assay_pump pump;
    struct assay_client_options options;
    const struct assay_model *model;

    const char *address;
    struct assay_address addresses[ASSAY_ADDRESSES_MAX];
    size_t addresses_count, address_now;

    enum assay_client_state state;
    int fd;
    int64_t deadline; /* CONNECTING, CLOSING: when to give up */
    bool owed;        /* something was sent since the server was last heard */
    bool shut;
    uint64_t drained;

    int call; /* that runs; -1: none */
    int64_t call_deadline;
    int overdue; /* a call that ended because its time was up, to be told; -1: none */
    bool tell_connected, tell_ended;
    bool hasty;   /* the session's end is not worth waiting for the server */
    bool strayed; /* a message that nothing takes is about to end the session */
    int ended_status;
    uint32_t done_token; /* an effect that was completed while events were left to take */
    bool done;

    assay_val *arg_values;
    struct assay_span *arg_spans;
    struct assay_shelf results, effects;

    char message[ASSAY_MESSAGE_MAX];
    char detail[ASSAY_DETAIL_MAX + 1];
    size_t detail_size;
};

/* ---- values.c ----------------------------------------------------------- */

/* The most arguments of a call, and the bytes that results or effects may need. */
uint16_t assay_args_most(const struct assay_model *model);
size_t assay_shelf_size(const struct assay_model *model, uint64_t longest, uint16_t *values);

/* Arguments as the engine takes them; returns the place of the first that is outside its type, else the count. */
uint16_t assay_args_take(struct assay_client *c, const struct assay_call *call, const struct assay_value *args);

/* What an event brings, copied. False: it does not fit. */
bool assay_shelf_put(struct assay_shelf *shelf, const struct assay_model *model, struct assay_range params,
                     const struct assay_event *event);

/* ---- socket.c ------------------------------------------------------------ */

/* Begin with the first address; OK, ADDRESS or UNREACHABLE. */
int assay_link_begin(struct assay_client *c, int64_t now);

/* Do what `ready` (as from poll) and the time allow. */
void assay_link_step(struct assay_client *c, int64_t now, short ready);

/* Write what there is. */
void assay_link_flush(struct assay_client *c);

/* End in order: flush, shut, drain; or at once; or with a reset. */
void assay_link_finish(struct assay_client *c, int64_t now);
void assay_link_drop(struct assay_client *c);
void assay_link_abort(struct assay_client *c);

/* ---- report.c ------------------------------------------------------------ */

/* Note a failure and return its status. `format` as for printf; the address comes first by itself. */
int assay_report(struct assay_client *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Note how a call ended and return its status. */
int assay_report_result(struct assay_client *c, const struct assay_event *event);

/* Why a session ended, as a status. */
int assay_report_ended(struct assay_client *c, uint16_t cause);

#endif

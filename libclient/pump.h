/* One session of a client without its socket: bytes, the end of the stream and
 * the time go in; bytes, events and a deadline come out. Allocates nothing.
 *
 * Events are taken before anything else is done: while one waits, the other
 * functions that the engine could answer with an event do nothing.
 */
#ifndef ASSAY_LIBCLIENT_PUMP_H
#define ASSAY_LIBCLIENT_PUMP_H

#include "core/engine.h"

/* Datagrams that may wait to be sent. */
#define ASSAY_PUMP_CUTS 64

enum assay_pump_end { ASSAY_PUMP_OPEN, ASSAY_PUMP_EOF, ASSAY_PUMP_RESET };

struct assay_pump {
    const struct assay_model *model;
    const struct assay_machine *machine;
    struct assay_engine *engine;
    assay_sid sid; /* 0: no session */
    struct assay_config config;
    void *block;
    size_t block_size;

    uint8_t *in;
    uint32_t in_cap, in_at, in_len; /* unused input: from in_at to in_len */
    struct assay_out out;
    uint32_t sent; /* of out.len */

    bool datagrams; /* input is one datagram at a time, a cut stands in front of each that is to be sent */
    bool arrived;   /* one waits to be handled */
    struct assay_cut cuts[ASSAY_PUMP_CUTS];
    uint16_t sent_cuts;

    /* Told of each frame that is handled; NULL: nobody is. */
    void (*seen)(void *user, struct assay_span frame);
    void *user;

    enum assay_pump_end end; /* of the input */
    bool end_told;
    uint64_t given_up; /* reliable messages of this session that were forgotten, though nobody acknowledged them */
    bool starved;      /* what is left of the input is the beginning of a frame */
    bool full;         /* nothing goes on until output has left */
    bool pending;      /* nothing goes on until an effect has completed */
    bool early;        /* the input, and its end, waits for a call that begins with it */
    bool again;        /* there is more to do as soon as events are taken */
    bool waiting;      /* an event waits to be taken */
    struct assay_event event;
};

/* Bytes of memory that a pump needs beside itself, and its start in them.
 * `config` is completed from the model: set are model, machine, leniencies, seed, trace, judge. */
size_t assay_pump_size(struct assay_config *config);
void assay_pump_init(struct assay_pump *pump, void *mem, const struct assay_config *config);

/* A new session; an old one is forgotten. */
void assay_pump_open(struct assay_pump *pump, assay_time now);

/* Forget the session and what it would still say. */
void assay_pump_forget(struct assay_pump *pump);

/* Room for input, to be followed by how much there was. No room while a datagram waits to be handled. */
uint8_t *assay_pump_room(struct assay_pump *pump, uint32_t *size);
void assay_pump_received(struct assay_pump *pump, uint32_t size);
void assay_pump_hangup(struct assay_pump *pump, enum assay_pump_end end);

/* Whether output waits to be sent, what (one datagram, which may be empty), and how much of it was. */
bool assay_pump_has_output(const struct assay_pump *pump);
struct assay_span assay_pump_output(const struct assay_pump *pump);
void assay_pump_sent(struct assay_pump *pump, uint32_t size);

/* OK, BUSY, FULL (send output first), STALE (no session). */
enum assay_rc assay_pump_call(struct assay_pump *pump, assay_time now, uint16_t call, const assay_val *values,
                              const struct assay_span *spans, assay_time deadline);
enum assay_rc assay_pump_shutdown(struct assay_pump *pump, assay_time now);
void assay_pump_complete(struct assay_pump *pump, assay_time now, assay_token token, bool done);

/* Output past the machine: OK, FULL (send output first), REFUSED (not exactly one frame). */
enum assay_rc assay_pump_raw(struct assay_pump *pump, struct assay_span frame);

/* Handle input, its end and timers as far as that is possible. */
void assay_pump_run(struct assay_pump *pump, assay_time now);
assay_time assay_pump_deadline(const struct assay_pump *pump);

/* The next event, valid until something else is done. ENDED: there is no session any more, output may be left. */
bool assay_pump_next(struct assay_pump *pump, struct assay_event *event);

#endif

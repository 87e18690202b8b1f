/* A host for one session without sockets: a pipe each way, a virtual clock, a
 * disk that forgets what no completed sync covers, effects that fail on command. */
#ifndef ASSAY_CORE_TESTS_MEMORY_HOST_H
#define ASSAY_CORE_TESTS_MEMORY_HOST_H

#include "core/engine.h"

#define HOST_PIPE_MAX   16384
#define HOST_TOKENS_MAX 64

struct host_bytes {
    uint8_t p[HOST_PIPE_MAX];
    uint32_t n;
};

struct host {
    struct assay_engine *engine;
    void *block;
    assay_sid sid;
    assay_time now;
    struct host_bytes in;   /* arrived, not yet used */
    struct host_bytes sent; /* what the peer got */
    uint8_t out_bytes[4096];
    struct assay_cut cuts[16];
    struct assay_out out;
    struct host_bytes disk, cached;      /* durable; written but not yet synced */
    assay_token tokens[HOST_TOKENS_MAX]; /* effects whose writes stand in `cached` */
    bool fails[HOST_TOKENS_MAX];
    uint32_t tokens_n;
    uint32_t effects, fail_at; /* the fail_at-th fallible effect fails; 0: none */
    bool hold;                 /* do not sync by itself */
    bool ended, eof;
    struct assay_event end, result;
    uint32_t results, steps, strays, notices;
    uint32_t crash_at, points; /* power goes at that write, sync or send; 0: never */
    bool crashed;
};

/* Fields of config that are zero are filled in. */
void host_init(struct host *h, struct assay_config config);
void host_free(struct host *h);
void host_open(struct host *h);

/* Bytes arrive, are handled as far as they can be, and what may leave leaves. */
enum assay_rc host_feed(struct host *h, const void *p, uint32_t n);
void host_eof(struct host *h);
void host_sync(struct host *h);
enum assay_rc host_pump(struct host *h);
enum assay_rc host_call(struct host *h, uint16_t call, const struct assay_span *spans, assay_time deadline);
void host_advance(struct host *h, assay_time ns);

#endif

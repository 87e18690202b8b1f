/* A minimal epoll server, written by hand: the limit that `assay serve` is
 * measured against. Level-triggered, one read and one send for a batch. Each
 * protocol gives one function. */
#ifndef ASSAY_BENCH_HAND_H
#define ASSAY_BENCH_HAND_H

#include <stddef.h>
#include <stdint.h>

enum { HAND_BUFFER = 1 << 16, HAND_CONNECTIONS = 1 << 15 };

struct hand_session {
    int fd;
    int state;
    size_t rest_n;
    uint8_t rest[HAND_BUFFER / 256]; /* the beginning of a request that is not whole */
};

/* Handle all whole requests in p[0..n); write replies to `out`, add their size
 * to *out_n. Returns bytes used, or -1 to close after sending. */
typedef long hand_handler(struct hand_session *s, const uint8_t *p, size_t n, uint8_t *out, size_t *out_n);

/* Called after all sessions of one wake-up were read and before their replies
 * are sent: what was logged becomes durable here. May be NULL. */
typedef void hand_commit(void);

/* Serves on 127.0.0.1, a free port, which it prints; does not return. */
int hand_serve(hand_handler *handle, hand_commit *commit);

#endif

/* A server that does exactly what a test tells it: steps in a thread of its own. */
#ifndef ASSAY_LIBCLIENT_TESTS_FAKE_H
#define ASSAY_LIBCLIENT_TESTS_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum fake_do {
    FAKE_ACCEPT, /* the next connection; comes first */
    FAKE_EXPECT, /* these bytes must come */
    FAKE_SEND,
    FAKE_DRIP, /* send byte by byte, each as a segment of its own */
    FAKE_GONE, /* the client must end its side, or reset */
    FAKE_CLOSE,
    FAKE_RESET,
    FAKE_END,
};

struct fake_step {
    enum fake_do what;
    const char *bytes;
    size_t size;
};
#define ACCEPT                                                                                                         \
    {                                                                                                                  \
        FAKE_ACCEPT, NULL, 0                                                                                           \
    }
#define EXPECT(s)                                                                                                      \
    {                                                                                                                  \
        FAKE_EXPECT, s, sizeof(s) - 1                                                                                  \
    }
#define SEND(s)                                                                                                        \
    {                                                                                                                  \
        FAKE_SEND, s, sizeof(s) - 1                                                                                    \
    }
#define DRIP(s)                                                                                                        \
    {                                                                                                                  \
        FAKE_DRIP, s, sizeof(s) - 1                                                                                    \
    }
#define GONE                                                                                                           \
    {                                                                                                                  \
        FAKE_GONE, NULL, 0                                                                                             \
    }
#define CLOSE                                                                                                          \
    {                                                                                                                  \
        FAKE_CLOSE, NULL, 0                                                                                            \
    }
#define RESET                                                                                                          \
    {                                                                                                                  \
        FAKE_RESET, NULL, 0                                                                                            \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        FAKE_END, NULL, 0                                                                                              \
    }

struct fake {
    const struct fake_step *steps;
    int listener, connection;
    pthread_t thread;
    char address[64];
    char failure[128]; /* what did not go as told */
};

/* Listen on a free port of 127.0.0.1 and begin. */
void fake_start(struct fake *fake, const struct fake_step *steps);

/* Wait for the last step; fails the running test if one did not go as told. */
void fake_join(struct fake *fake);

/* An address where nobody listens. */
void nobody(char address[64]);

#endif

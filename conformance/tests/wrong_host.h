/* A small server around the engine that can be made wrong in ways that no
 * change of the model can: the faults sit in the host. */
#ifndef ASSAY_CONFORMANCE_TESTS_WRONG_HOST_H
#define ASSAY_CONFORMANCE_TESTS_WRONG_HOST_H

#include "core/model.h"

#define WRONG_HOST_FAULTS(X)                                                                                           \
    X(NONE, "none", "serves as it should")                                                                             \
    X(SPLIT, "split", "takes what one read returns for whole frames, and closes when it is none")                      \
    X(PARTIAL, "partial", "sends the first 8 bytes of what it has to send, and loses the rest")                        \
    X(SHARED, "shared", "keeps one state for all connections")                                                         \
    X(CRASH, "crash", "dies of a message whose kind it does not know")                                                 \
    X(RESET, "reset", "resets a connection that it has to close")                                                      \
    X(LATE, "late", "answers right, but 50 ms late")                                                                   \
    X(SILENT, "silent", "reads, and never answers")                                                                    \
    X(EARLY, "early", "closes after the first answer")                                                                 \
    X(HANG_UP, "hang-up", "takes the end of the peer's stream for the end of the connection: no answers any more")     \
    X(OPEN, "open", "never closes")                                                                                    \
    X(UNREAD, "unread", "closes with input unread, so that the kernel resets the connection")                          \
    X(FORGET, "forget", "says that an effect was done without doing it")                                               \
    X(TWICE, "twice", "does each effect twice")                                                                        \
    X(STALL, "stall", "serves one connection and lets the others wait until it is closed")

enum wrong_host_fault {
#define X(name, word, text) WRONG_##name,
    WRONG_HOST_FAULTS(X)
#undef X
        WRONG_HOST_FAULT_COUNT
};

extern const char *const wrong_host_words[WRONG_HOST_FAULT_COUNT];

/* Serve on `listen` ("127.0.0.1:0", "[::1]:0"), print "listening on tcp:ADDR:PORT", append effects to `data` (or
 * nowhere, if NULL). Returns only when it cannot serve. */
int wrong_host_serve(const struct assay_model *model, enum wrong_host_fault fault, const char *listen,
                     const char *data);

#endif

/* libassay: the client side of a protocol that is described by an Assay spec.
 *
 * A client is one connection to one server. It runs the protocol's tables,
 * which `assay gen c` writes as C (or a spec reader builds at run time), and
 * offers the calls that the spec names. Generated headers wrap all of this in
 * typed functions; this one is what they stand on, and what they do not hide.
 *
 *     struct assay_client *client;
 *     struct assay_value args[] = {assay_number(12), assay_number(0)}, amount;
 *     int status = assay_client_open(&lamp_model, "127.0.0.1:8080", NULL, &client);
 *     if (status == ASSAY_CLIENT_OK)
 *         status = assay_client_call(client, assay_client_find(client, "brightness"), args, &amount);
 *     if (status != ASSAY_CLIENT_OK)
 *         fprintf(stderr, "%s\n", assay_client_message(client));
 *     assay_client_close(client);
 *
 * Memory. assay_client_new() and assay_client_open() allocate one block for
 * everything, sized by the protocol's limits; nothing is allocated afterwards
 * (the C library may, when it looks up a host name). Whatever a function hands
 * out (texts, bytes, events) belongs to the client and is valid until the next
 * call on this client that is not said to leave it alone. What the application
 * hands in is copied before the function returns, but for the model and the
 * options' `user`, which must outlive the client.
 *
 * Threads. Clients share nothing: any number may be used at once, each by one
 * thread at a time.
 *
 * Units. Times are milliseconds, spinning is microseconds, sizes are bytes;
 * names say so.
 *
 * Errors. Functions that return `int` return 0, a positive number for an error
 * that the spec itself names (its place in the spec's list, from 1), or one of
 * enum assay_client_status. assay_client_message() is a sentence about the
 * last failure that names the server.
 *
 * State after an error. The spec's own errors leave the connection as the spec
 * says. CLOSED, TIMEOUT and PROTOCOL end it: a reply that comes too late can
 * never be taken for that of a later call. BUSY, VALUE and NOT_OPEN sent
 * nothing, and the connection goes on; VALUE also tells of an argument within
 * its bounds that the protocol's messages cannot carry all the same. Without a
 * connection calls return NOT_OPEN until assay_client_connect() has made a new one.
 *
 * Binary interface. The soname stands for this header and the layout of the
 * tables (assay/model.h) together.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_API __attribute__((visibility("default")))

struct assay_model; /* the protocol's tables */
struct assay_client;

enum assay_client_status {
    ASSAY_CLIENT_OK = 0,
    ASSAY_CLIENT_CLOSED = -1,      /* the server closed or reset the connection before the call was through */
    ASSAY_CLIENT_TIMEOUT = -2,     /* the call took too long */
    ASSAY_CLIENT_PROTOCOL = -3,    /* the server sent what the protocol does not allow there */
    ASSAY_CLIENT_UNREACHABLE = -4, /* no connection: refused, no route, or too slow */
    ASSAY_CLIENT_ADDRESS = -5,     /* not an address, or a name that nobody knows */
    ASSAY_CLIENT_NOT_OPEN = -6,    /* there is no connection */
    ASSAY_CLIENT_BUSY = -7,        /* a call is running */
    ASSAY_CLIENT_VALUE = -8,       /* an argument, or the call's number, is outside what the spec allows */
    ASSAY_CLIENT_MEMORY = -9,
    ASSAY_CLIENT_MODEL = -10 /* the protocol has no client side that this library can run */
};

/* ---- values ------------------------------------------------------------ */

/* An argument or result. Which part counts stands in the spec: numbers,
 * booleans, enums and durations (nanoseconds) are `number`; bytes and text are
 * `size` bytes; a list is `size` bytes of int64_t. Bytes handed out are
 * aligned for int64_t and followed by a NUL that does not count. */
struct assay_value {
    int64_t number;
    const void *bytes;
    size_t size;
};

static inline struct assay_value assay_number(int64_t number)
{
    struct assay_value value = {number, NULL, 0};
    return value;
}

static inline struct assay_value assay_blob_value(const void *bytes, size_t size)
{
    struct assay_value value = {0, bytes, size};
    return value;
}

/* ---- a client ---------------------------------------------------------- */

struct assay_client_event;

/* All zero (or NULL instead of the struct) is the default. */
struct assay_client_options {
    int64_t connect_ms; /* how long connecting may take; 0: 10 s */
    int64_t call_ms;    /* how long a call may take; 0: as long as the spec says, 30 s if it does not; below 0: without
                           limit */
    int64_t spin_us;    /* blocking calls look for the answer this long before they sleep: faster, at the cost of the
                           processor */
    uint64_t seed;      /* of the protocol's random choices; 0: taken from the clock */

    /* Names of leniencies of the spec to grant the server, the last one NULL; NULL: none at all. */
    const char *const *lenient;

    /* Does what the protocol wants done by the application, during blocking
     * calls; returns whether it succeeded. Must not call the client. NULL: what
     * can fail, fails. The non-blocking form hands these out as events. */
    bool (*effect)(void *user, const struct assay_client_event *effect);
    void *user;
};

/* A client for the server at `address` ("HOST:PORT", "[IPV6]:PORT", each also
 * with "tcp:" before it), not connected yet. A host name is looked up when it
 * is first needed. MEMORY, MODEL, or VALUE (a leniency that the spec does not
 * have): *client is NULL. */
ASSAY_API int assay_client_new(const struct assay_model *model, const char *address,
                               const struct assay_client_options *options, struct assay_client **client);

/* The same, and connect. When only that fails the client is there all the
 * same: it can tell why, try again, and must be closed. */
ASSAY_API int assay_client_open(const struct assay_model *model, const char *address,
                                const struct assay_client_options *options, struct assay_client **client);

/* Make a new connection and wait for it; one that is there is ended first.
 * Nothing of the old session survives. OK, UNREACHABLE or ADDRESS. */
ASSAY_API int assay_client_connect(struct assay_client *client);

/* End the connection as the protocol wants it ended. Where an answer may still be
 * under way, the server is given the spec's drain time to take note. */
ASSAY_API void assay_client_disconnect(struct assay_client *client);

/* Disconnect and free. NULL is allowed. */
ASSAY_API void assay_client_close(struct assay_client *client);

ASSAY_API bool assay_client_connected(const struct assay_client *client);

/* What went wrong last, as a sentence with the server's address; "" if nothing
 * did. Leaves everything alone; NULL is allowed (an allocation that failed). */
ASSAY_API const char *assay_client_message(const struct assay_client *client);

/* The text that came with the last error of the spec, NUL-terminated; "" if none did. */
ASSAY_API const char *assay_client_detail(const struct assay_client *client, size_t *size);

/* The name of a status: of the spec's own errors as the spec writes it, of the
 * others in lower case. */
ASSAY_API const char *assay_client_status_name(const struct assay_client *client, int status);

/* ---- calls that wait --------------------------------------------------- */

/* The number of a call by its name; -1 if there is none. */
ASSAY_API int assay_client_find(const struct assay_client *client, const char *name);

/* Do a call: its arguments in the order of the spec, room for its results
 * (may be NULL where they do not matter). They are set if OK is returned. */
ASSAY_API int assay_client_call(struct assay_client *client, int call, const struct assay_value *args,
                                struct assay_value *results);

/* ---- calls that do not wait -------------------------------------------- */

/* A loop of one's own: begin, start calls, and whenever the descriptor is
 * ready as assay_client_wants() says, or the time of assay_client_wait_ms() is
 * up, process; then take all events. None of these functions waits.
 *
 *     struct pollfd p = {assay_client_fd(c), assay_client_wants(c), 0};
 *     poll(&p, 1, assay_client_wait_ms(c));
 *     assay_client_process(c);
 *     while (assay_client_next(c, &event))
 *         ...
 */

enum assay_client_event_kind {
    ASSAY_CLIENT_CONNECTED, /* calls may be started */
    ASSAY_CLIENT_RESULT,    /* the call ended: `status`; if OK with its results */
    ASSAY_CLIENT_EFFECT,    /* the application is to do something */
    ASSAY_CLIENT_ENDED      /* the connection is over; `status`: why (OK: as the protocol wants it) */
};

struct assay_client_event {
    enum assay_client_event_kind kind;
    int status;
    int index;        /* RESULT: the call; EFFECT: the effect, as numbered in the model */
    const char *name; /* of that, in the spec */
    uint32_t token;   /* EFFECT: 0, or what assay_client_complete() is told; until then the session waits */
    unsigned count;   /* results, or arguments of the effect */
    const struct assay_value *values; /* those of a RESULT stay valid until the next call is started */
};

/* Begin to connect; a connection that is there is closed first. Only a host
 * name that has to be looked up can make this wait. The event CONNECTED or
 * ENDED follows; ADDRESS and UNREACHABLE can come at once. */
ASSAY_API int assay_client_begin(struct assay_client *client);

/* Start a call, after all events were taken (else BUSY); the event RESULT
 * follows, unless this fails. A call that waits for a greeting is started on
 * CONNECTED, before anything is processed. */
ASSAY_API int assay_client_start(struct assay_client *client, int call, const struct assay_value *args);

/* The descriptor to wait for; -1: none. It changes while connecting. */
ASSAY_API int assay_client_fd(const struct assay_client *client);

/* POLLIN and POLLOUT, as poll(2) wants them. */
ASSAY_API short assay_client_wants(const struct assay_client *client);

/* How long to wait for it at most; 0: process at once, -1: as long as it takes. */
ASSAY_API int assay_client_wait_ms(const struct assay_client *client);

/* Read, write and mind the time. Does nothing while events are left to take. */
ASSAY_API void assay_client_process(struct assay_client *client);

/* The next event. False: there is none. */
ASSAY_API bool assay_client_next(struct assay_client *client, struct assay_client_event *event);

/* An effect was done, or failed. A token of a session that is over is ignored. */
ASSAY_API void assay_client_complete(struct assay_client *client, uint32_t token, bool done);

/* ---- about the protocol ------------------------------------------------ */

ASSAY_API const struct assay_model *assay_client_model(const struct assay_client *client);

#ifdef __cplusplus
}
#endif
#endif

/* The implementation under test: where it listens, and, for `exec:`, its process.
 *
 *   tcp:HOST:PORT   tcp:[::1]:5555   udp:HOST:PORT   a server that runs already
 *   exec:COMMAND                     started here through the shell, in a process group of its own
 *
 * A started target either prints an address ("listening on tcp:127.0.0.1:4711", or any
 * ADDR:PORT, on stdout or stderr), or its command holds {port}, which becomes a free port;
 * when it ends before it listens it is tried again with another one. {data} becomes an empty
 * folder of its own for each start, which is removed afterwards.
 */
#ifndef ASSAY_CONFORMANCE_TARGET_H
#define ASSAY_CONFORMANCE_TARGET_H

#include "conformance/announce.h"
#include "core/value.h"
#include "net/loop.h"

struct assay_target;

/* NULL with *error: not a target. `patience`: how long it may take to start or stop, ns. */
struct assay_target *assay_target_new(const char *text, int64_t patience, struct assay_net_error *error);

/* Ends what was started: SIGTERM, then SIGKILL to its group. */
void assay_target_free(struct assay_target *target);

/* Which carrier the next assay_target_up() is for: TCP, unless the target was named as one of UDP. False: it is not
 * reached over that one. */
bool assay_target_aim(struct assay_target *target, enum assay_carrier carrier);

/* Whether it can be reached over `carrier`, at which it is aimed then: a started one says so, or it takes what is sent
 * to the port that it was given. Blocks. */
bool assay_target_offers(struct assay_target *target, enum assay_carrier carrier);

/* From its next start on its standard input stays open, and is never written to: it ends programs that a person uses.
 */
void assay_target_hold_stdin(struct assay_target *target);

/* From here on nobody connects to see whether it is there: the table of sockets tells. For targets that show every
 * connection. */
void assay_target_never_knock(struct assay_target *target);

/* Start it (again) where that can be done, and wait until it takes
 * connections. Blocks; call it with nothing in flight. False: *error. */
bool assay_target_up(struct assay_target *target, struct assay_address *address, struct assay_net_error *error);

/* Another one of the same command, which shares nothing with it: its {data} is a folder of its own. NULL: it was not
 * started here, or has no {data}, or no memory. */
struct assay_target *assay_target_twin(const struct assay_target *target);

/* The same without blocking: order a start, then ask from time to time (its pipes tell when) how it is coming. A start
 * that ended early may be tried again meanwhile. False, FAILED: *error. */
enum assay_coming { ASSAY_COMING, ASSAY_COMING_UP, ASSAY_COMING_FAILED };
bool assay_target_begin(struct assay_target *target, struct assay_net_error *error);
enum assay_coming assay_target_coming(struct assay_target *target, struct assay_address *address,
                                      struct assay_net_error *error);

/* The same of one that runs: it is killed, and finds what it had kept where it was, and its {port} as before. */
bool assay_target_begin_again(struct assay_target *target, struct assay_net_error *error);

/* Order it to end, then ask from time to time whether it has. One that does not is killed. */
void assay_target_dismiss(struct assay_target *target);
bool assay_target_dismissed(struct assay_target *target);

/* Stop a started one, so that the next assay_target_up() gives a fresh one. */
void assay_target_stop(struct assay_target *target);

/* Whether it was started here. */
bool assay_target_owned(const struct assay_target *target);

/* False: its process has ended or is about to, or it takes no connections
 * (`knock`: try one; blocks for a round trip). */
bool assay_target_alive(struct assay_target *target, bool knock);

/* Of a started one: its process has ended; and that by itself, with status 0. Neither blocks. */
bool assay_target_ended(struct assay_target *target);
bool assay_target_ended_well(struct assay_target *target);

/* How it ended, in words, e.g. "killed by signal 11 (Segmentation fault)". */
const char *assay_target_end(struct assay_target *target);

/* Read what it printed by now, so that it never blocks on a full pipe. */
void assay_target_listen(struct assay_target *target);

/* The end of what it wrote to stderr since it was started. Valid until it is started again. */
const char *assay_target_said(struct assay_target *target);

/* What a started one writes: from here on it is kept, what was kept before is dropped. False: it was not started here.
 * assay_target_wrote() reads what there is by now; valid until the next call of either. */
enum assay_stream { ASSAY_STREAM_OUT, ASSAY_STREAM_ERR };
bool assay_target_keep(struct assay_target *target, enum assay_stream stream);
struct assay_span assay_target_wrote(struct assay_target *target, enum assay_stream stream);

/* Where it writes: watch these for reading and call assay_target_listen(); -1: none. */
void assay_target_pipes(const struct assay_target *target, int fds[2]);

#endif

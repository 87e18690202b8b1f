/* A client under test: the process of one case, and the address that it is handed.
 *
 * It is started with nothing in its way: the address listens before the process begins. What it does comes as news;
 * what it is told goes to its standard input. All of it lives in an event loop and never blocks.
 */
#ifndef ASSAY_CONFORMANCE_GUEST_H
#define ASSAY_CONFORMANCE_GUEST_H

#include "conformance/process.h"
#include "conformance/upper.h"
#include "net/loop.h"

/* How every case of a run starts its own. */
struct assay_guest_plan {
    const char *command; /* with {address}, {host}, {port}, {peer_port} */
    enum assay_upper_way way;
    bool datagrams;                        /* it sends datagrams: each sender is a link of its own */
    const struct assay_terminal *terminal; /* the spec's, for ASSAY_UPPER_TERMINAL */
    bool peer;          /* {port} is its own to listen on; {peer_host} and {peer_port} are what it is handed */
    uint16_t peer_port; /* what {peer_port} becomes where nothing else is known; 0: a port that the guest holds */
};

enum assay_guest_news {
    ASSAY_GUEST_CONNECTED, /* a connection: `arrival` is its descriptor, which becomes the owner's */
    ASSAY_GUEST_SAID,      /* it wrote to its standard output: see assay_guest_line() */
    ASSAY_GUEST_ENDED,     /* its process has ended, and all that it wrote was read */
};

struct assay_guest {
    void *owner;                                                         /* for the owner */
    void (*news)(struct assay_guest *guest, enum assay_guest_news news); /* the owner's; may free the guest */
    struct assay_loop *loop;
    struct assay_process process;
    struct assay_address address; /* that it is handed */
    bool datagrams;
    int holder, peer; /* sockets that keep its ports for it */
    int arrival;
    struct assay_span first; /* of datagrams: the one that made the link; valid in the news */
    struct assay_watch listener, out, err, in, end;
    bool gone; /* ENDED was told, or is to be told no more */
    char *heard;
    size_t heard_n, heard_cap, heard_at;
    char *told; /* not yet written to it */
    size_t told_n, told_cap;
    bool leave; /* its standard input is closed once all was written */
};

/* Listen and start. `guest` is where it stays. False: *error; nothing is left. */
bool assay_guest_start(struct assay_guest *guest, struct assay_loop *loop, const struct assay_guest_plan *plan,
                       struct assay_net_error *error);

/* End whatever is left of it. What it said stays readable in guest->process. */
void assay_guest_stop(struct assay_guest *guest);
void assay_guest_free(struct assay_guest *guest);

/* From here on its connections are refused; taken again. False: the port was lost. */
void assay_guest_refuse(struct assay_guest *guest);
bool assay_guest_welcome(struct assay_guest *guest);

void assay_guest_tell(struct assay_guest *guest, const char *text, size_t n);
bool assay_guest_told(const struct assay_guest *guest); /* all was written */
void assay_guest_leave(struct assay_guest *guest);      /* no more is told: the end of its standard input */

/* The next line that it wrote, without its end; NULL: none is whole. Valid until the next news; one byte behind it may
 * be written. */
char *assay_guest_line(struct assay_guest *guest, size_t *n);

/* All that it wrote and that was not read as lines. */
struct assay_span assay_guest_rest(const struct assay_guest *guest);
void assay_guest_skip(struct assay_guest *guest, size_t n);

#endif

/* What the scripts say that the harnesses for sessions run, and that fuzz-seeds writes. */
#ifndef ASSAY_FUZZ_SCRIPT_H
#define ASSAY_FUZZ_SCRIPT_H

/* Of fuzz_session: one byte (bit i: effects with number i mod 8 fail), then actions. One byte says which, the rest
 * depends. */
enum action {
    ACTION_FEED,  /* a length byte, then that many bytes arrive */
    ACTION_LONG,  /* a byte n, a byte shift, a byte: n << shift % 9 bytes arrive that count up from the last one */
    ACTION_EOF,   /* the peer's end of stream: the script ends */
    ACTION_RESET, /* the connection is reset: the script ends */
    ACTION_TIME,  /* a byte n: 2^(n % 40) ns go by */
    ACTION_STOP,  /* the host stops: the script ends */
    ACTION_CALL,  /* a byte says which, a byte n, n bytes that its arguments are made from (clients) */
    ACTION_COUNT,
};

/* Of fuzz_peers: a byte of flags, one like that above, then actions. */
enum peers_flag {
    PEERS_MARKED = 1,
    PEERS_GATES = 2,
    PEERS_JUDGE = 4,
    PEERS_TRACE = 8,
    PEERS_CALLS = 16,
    PEERS_TIGHT = 32, /* little memory for variables */
    PEERS_SMALL = 64, /* outputs that hold what one rule sends */
    PEERS_HOLD = 128, /* effects stay in flight until the script completes them */
};

/* The byte behind the action says which peer it is about (modulo their number), unless something else is said. */
enum peers_action {
    PEERS_FEED, /* a byte n, n bytes: a datagram. Where ASSAY_MARK stands in it with a byte k behind, what the engine
                   has sent to this peer is put: of its (k >> 4 & 3)-th last datagram the (k & 15)-th last field of
                   bytes. The sum of the frame is put right */
    PEERS_TURN, /* a byte d, a byte n, n bytes: as FEED; if it is reliable or an acknowledgement, also the number is
                   put right, less 2, plus d % 8, and the session */
    PEERS_RAW,  /* as FEED, but as it stands */
    PEERS_TIME, /* the byte: 2^(n % 40) ns go by */
    PEERS_DEADLINE, /* the byte: so many times, modulo 16, plus 1, it is the next deadline */
    PEERS_COMPLETE, /* the byte: bit 0: it was done; the rest: the how manieth of those in flight */
    PEERS_HOLDING,  /* the byte: whether effects stay in flight from now on */
    PEERS_GROW,     /* the byte: log, and in the high bits how many rows more */
    PEERS_ROWS,     /* the byte: how many rows, modulo 32, those who are hungry get */
    PEERS_FETCHING, /* bit 7 of the byte: on */
    PEERS_LEARN,    /* a byte k (see FEED), a byte n, n bytes: what this placeholder stands for */
    PEERS_DROP,     /* its connection is gone */
    PEERS_STOP,     /* the host stops */
    PEERS_CALL,     /* a byte says which, a byte n, n bytes that its arguments are made from */
    PEERS_RESTORE,  /* the byte: table; a byte n, n bytes that a row is made from (as long as there was no session) */
    PEERS_FORK,     /* the byte: nothing. A copy of the engine does all that follows, too, and in the same way */
    PEERS_COUNT,
};

#endif

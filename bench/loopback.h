/* What load generators over datagrams have in common. */
#ifndef ASSAY_BENCH_LOOPBACK_H
#define ASSAY_BENCH_LOOPBACK_H

/* Seconds, of a clock that only goes forward. */
double bench_now(void);

/* A non-blocking socket of datagrams that talks with this port of 127.0.0.1 alone; without one the process ends. */
int bench_open(int port);

#endif

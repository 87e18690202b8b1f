/* The clock of everything that does I/O: nanoseconds, monotonic, from an
 * unspecified start. */
#ifndef ASSAY_NET_CLOCK_H
#define ASSAY_NET_CLOCK_H

#include <stdint.h>

#define ASSAY_CLOCK_NEVER INT64_MAX
#define ASSAY_MS          ((int64_t)1000000)
#define ASSAY_SECOND      ((int64_t)1000000000)

int64_t assay_clock_now(void);

/* now + span, no later than ASSAY_CLOCK_NEVER. */
int64_t assay_clock_after(int64_t now, int64_t span);

#endif

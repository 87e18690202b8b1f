#include "net/clock.h"

#include <time.h>

int64_t assay_clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * ASSAY_SECOND + t.tv_nsec;
}

int64_t assay_clock_after(int64_t now, int64_t span)
{
    int64_t at;
    return __builtin_add_overflow(now, span, &at) ? ASSAY_CLOCK_NEVER : at;
}

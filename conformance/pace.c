#include "conformance/pace.h"

#include "net/clock.h"

#define PATIENCE    (2 * ASSAY_SECOND)
#define START       5 /* times as long as for an answer */
#define QUIET_STILL (2 * ASSAY_MS)
#define QUIET_BLIND (40 * ASSAY_MS)
#define SETTLED     16               /* samples, from which on one of them may be */
#define OUTLIER     8                /* times as long as is typical: more is not believed */
#define LATE        (250 * ASSAY_MS) /* an eighth of the patience: below that no verdict can turn on it */

static int64_t scaled(const struct assay_pace *pace, int64_t ns)
{
    return (int64_t)((double)ns * pace->scale);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void assay_pace_init(struct assay_pace *pace, double scale)
{
    *pace = (struct assay_pace){.scale = scale, .late_at = -1};
}

static int64_t typical(const struct assay_pace *pace)
{
    return pace->smooth + 4 * pace->deviation;
}

void assay_pace_sample(struct assay_pace *pace, int64_t ns)
{
    /* One answer that took ages (perhaps because the harness was stopped) must not make all waiting long. */
    int64_t most = OUTLIER * larger(typical(pace), ASSAY_MS);
    if (pace->samples >= SETTLED && ns > most)
        ns = most;
    int64_t error = ns - pace->smooth;
    if (pace->samples++ == 0) {
        pace->smooth = ns;
        pace->deviation = ns / 2;
    } else {
        pace->smooth += error / 8;
        pace->deviation += ((error < 0 ? -error : error) - pace->deviation) / 4;
    }
    pace->slowest = larger(pace->slowest, ns);
}

int64_t assay_pace_patience(const struct assay_pace *pace)
{
    return scaled(pace, larger(pace->impatient ? PATIENCE / 8 : PATIENCE, 20 * typical(pace)));
}

int64_t assay_pace_start(const struct assay_pace *pace)
{
    return scaled(pace, START * (pace->impatient ? PATIENCE / 8 : PATIENCE));
}

int64_t assay_pace_quiet(const struct assay_pace *pace, bool still)
{
    return scaled(pace, larger(still ? QUIET_STILL : QUIET_BLIND, 4 * typical(pace)));
}

void assay_pace_mind(struct assay_pace *pace, int64_t tolerance)
{
    if (tolerance > 0 && (pace->least == 0 || tolerance < pace->least))
        pace->least = tolerance;
}

int64_t assay_pace_slack(const struct assay_pace *pace)
{
    int64_t late = scaled(pace, LATE);
    return pace->least && pace->least < late ? pace->least : late;
}

void assay_pace_late(struct assay_pace *pace, int64_t now, int64_t by)
{
    if (by < assay_pace_slack(pace))
        return;
    pace->late_at = now;
    pace->late_by = larger(pace->late_by, by);
}

bool assay_pace_was_late(const struct assay_pace *pace, int64_t since)
{
    return pace->late_at >= since;
}

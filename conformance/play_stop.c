/* Servers that were told to stop: nobody new is taken, and the process ends by itself with its last link. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "conformance/play_run.h"
#include "net/socket.h"

#define KNOCK_EVERY (5 * ASSAY_MS)

/* Whether a new connection comes about. One that does is closed at once. */
static bool takes_another(const struct assay_play_run *r)
{
    struct assay_net_error error;
    int fd = assay_connect(&r->place.address, &error);
    if (fd < 0)
        return false;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    bool taken = poll(&p, 1, 0) > 0 && assay_connected(fd) == 0;
    close(fd);
    return taken;
}

enum assay_go assay_step_deaf(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    int64_t now = assay_clock_now();
    (void)l, (void)s;
    if (!takes_another(r))
        return ASSAY_GO_ON;
    if (assay_play_patience_is_over(r, now))
        return assay_play_broken(r, true, "told to stop, it goes on taking connections");
    return assay_play_wait_until(r, now + KNOCK_EVERY);
}

static enum assay_go wait_for_its_end(struct assay_play_run *r)
{
    int64_t now = assay_clock_now();
    if (r->place.target && !assay_target_ended(r->place.target))
        return assay_play_patience_is_over(r, now)
                   ? assay_play_broken(r, true, "told to stop, it does not end although its last connection is over")
                   : assay_play_wait_until(r, now + KNOCK_EVERY);
    if (r->place.target && !assay_target_ended_well(r->place.target))
        return assay_play_broken(r, false, "told to stop, it ended badly: %s", assay_target_end(r->place.target));
    return ASSAY_GO_ON;
}

enum assay_go assay_step_gone(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    (void)l, (void)s;
    return wait_for_its_end(r);
}

/* A link that was never made, or is over on both sides. */
static bool all_over(const struct assay_play_run *r)
{
    bool over = true;
    for (uint8_t i = 0; i < r->links_count; i++)
        over = over && r->links[i].wire.state != ASSAY_WIRE_OPEN;
    return over;
}

enum assay_go assay_play_stop_ends(struct assay_play_run *r)
{
    bool stopped = r->oracle && !r->guest && assay_oracle_stopped(r->oracle);
    return stopped && all_over(r) ? wait_for_its_end(r) : ASSAY_GO_ON;
}

/* Datagrams that are held for a while. */
#include <stdlib.h>
#include <string.h>

#include "link/flow.h"

struct assay_link_packet {
    struct assay_alarm alarm;
    struct assay_link_way *way;
    struct assay_link_packet *above, *below; /* of its flow */
    struct assay_link_packet *next;          /* of those that wait for being overtaken */
    struct assay_link_door *door;
    uint64_t number, until; /* until: the one that it waits for; 0: none (any more) */
    bool gone;              /* was handed on once */
    unsigned copies;
    int64_t due, later, patience;
    size_t size;
    uint8_t bytes[];
};

static struct assay_link *link_of(const struct assay_link_packet *p)
{
    return p->way->flow->link;
}

static size_t cost(size_t size)
{
    return sizeof(struct assay_link_packet) + size;
}

/* ---- one packet -------------------------------------------------------- */

static void forget(struct assay_link_packet *p)
{
    struct assay_link *link = link_of(p);
    assay_loop_cancel(link->loop, &p->alarm);
    if (p->above)
        p->above->below = p->below;
    else
        p->way->flow->packets = p->below;
    if (p->below)
        p->below->above = p->above;
    link->held -= cost(p->size);
    link->open--;
    free(p);
    assay_link_check_end(link);
}

static void wait_no_more(struct assay_link_packet *p);
static void hand_on(struct assay_link_packet *p);

/* Those that are set in one round for one span fire in the order in which they were set. */
static void set_alarm(struct assay_link_packet *p, int64_t span)
{
    struct assay_link *link = link_of(p);
    int64_t now = assay_loop_now(link->loop);
    link->nth = now == link->nth_of ? link->nth + 1 : 0;
    link->nth_of = now;
    if (assay_loop_alarm(link->loop, &p->alarm, assay_clock_after(now, assay_clock_after(span, link->nth))))
        return;
    if (p->until > 0) /* no memory to wait any longer */
        wait_no_more(p);
    hand_on(p);
}

static void hand_on(struct assay_link_packet *p)
{
    struct assay_link_way *way = p->way;
    uint64_t number = p->number;
    bool first = !p->gone;
    unsigned now = p->later > 0 ? 1 : p->copies;
    for (unsigned i = 0; i < now; i++)
        assay_link_hand_on(way, p->door, p->bytes, p->size);
    p->gone = true;
    p->copies -= now;
    if (p->copies > 0)
        set_alarm(p, p->later);
    else
        forget(p);
    if (first)
        assay_link_passed(way, number);
}

/* ---- being overtaken --------------------------------------------------- */

static void wait_no_more(struct assay_link_packet *p)
{
    struct assay_link_packet **at = &p->way->overtaken;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->way->overtaken_count--;
    p->until = 0;
}

static void let_go(struct assay_link_packet *p)
{
    int64_t now = assay_loop_now(link_of(p)->loop);
    wait_no_more(p);
    if (p->due > now)
        set_alarm(p, p->due - now);
    else
        hand_on(p);
}

static struct assay_link_packet *waits_for(struct assay_link_way *way, uint64_t number)
{
    struct assay_link_packet *p = way->overtaken;
    while (p && p->until != number)
        p = p->next;
    return p;
}

void assay_link_passed(struct assay_link_way *way, uint64_t number)
{
    for (struct assay_link_packet *p; (p = waits_for(way, number));)
        let_go(p);
}

/* Whether the one that overtakes has come, and is held itself. */
static bool on_its_way(const struct assay_link_packet *p)
{
    const struct assay_link_packet *other = p->way->flow->packets;
    while (other && (other->way != p->way || other->number != p->until || other->gone))
        other = other->below;
    return other != NULL;
}

static void alarm_of_packet(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    struct assay_link_packet *p = (struct assay_link_packet *)(void *)alarm;
    if (p->until == 0)
        hand_on(p);
    else if (on_its_way(p))
        set_alarm(p, p->patience);
    else
        let_go(p);
}

static void wait_for(struct assay_link_packet *p, uint64_t places)
{
    struct assay_link_packet **at = &p->way->overtaken;
    while (*at)
        at = &(*at)->next;
    *at = p;
    p->way->overtaken_count++;
    p->until = p->number + places;
}

/* ---- holding ----------------------------------------------------------- */

static struct assay_link_packet *new_packet(struct assay_link_way *way, size_t size)
{
    struct assay_link *link = way->flow->link;
    struct assay_link_packet *p = link->held + cost(size) > ASSAY_LINK_HELD_MAX ? NULL : malloc(cost(size));
    if (!p)
        return NULL;
    *p = (struct assay_link_packet){.alarm = {.fire = alarm_of_packet},
                                    .way = way,
                                    .number = way->number,
                                    .below = way->flow->packets,
                                    .size = size};
    if (p->below)
        p->below->above = p;
    way->flow->packets = p;
    link->open++;
    link->held += cost(size);
    return p;
}

void assay_link_hold(struct assay_link_way *way, struct assay_link_door *door, const uint8_t *bytes,
                     const struct assay_link_fate *fate)
{
    struct assay_link_packet *p = new_packet(way, fate->size);
    if (!p) {
        way->flow->link->overflow++;
        assay_link_passed(way, way->number);
        return;
    }
    memcpy(p->bytes, bytes, fate->size);
    p->door = door;
    p->copies = fate->copies;
    p->due = assay_clock_after(assay_loop_now(way->flow->link->loop), fate->delay);
    p->later = fate->later;
    p->patience = fate->patience;
    if (fate->places > 0)
        wait_for(p, fate->places);
    if (fate->places > 0 || fate->delay > 0)
        set_alarm(p, fate->places > 0 ? fate->patience : fate->delay);
    else
        hand_on(p);
}

void assay_link_lose(struct assay_link_flow *flow, const struct assay_link_door *door)
{
    for (struct assay_link_packet *p = flow->packets, *below; p; p = below) {
        below = p->below;
        if (door && p->door != door)
            continue;
        flow->link->overflow++;
        if (p->until > 0)
            wait_no_more(p);
        forget(p);
    }
}

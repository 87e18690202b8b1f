/* Clients that connect again: after what, when, and in which state they then are. */
#include "conformance/again.h"
#include "conformance/build.h"

#define LINKS_MAX 5

/* The pause behind a link when it has grown so often. */
static int64_t pause_of(struct assay_builder *b, uint32_t grown)
{
    struct assay_tries t = {
        .reconnect = &b->model->machines[b->config.machine].reconnect, .lens = &b->explored.world.lens, .grown = grown};
    int64_t pause;
    return assay_tries_pause(&t, &pause) && pause > 0 ? pause : 0;
}

static int64_t longest(struct assay_builder *b, uint32_t grown)
{
    return pause_of(b, grown) + b->model->machines[b->config.machine].reconnect.late + 1;
}

static const char *name_of(const struct assay_builder *b, uint32_t node)
{
    return assay_build_state_name(b, b->explored.nodes[node].state);
}

static void end_link(struct assay_builder *b, uint8_t link, bool reset)
{
    assay_build_step(b, link, reset ? ASSAY_STEP_RESET : ASSAY_STEP_EOF);
    assay_build_step(b, link, ASSAY_STEP_AWAIT);
}

static uint16_t rule_of_end(struct assay_builder *b, uint32_t node, bool reset)
{
    return assay_react(&b->explored, node, (struct assay_blob){0}, reset ? ASSAY_EV_RESET : ASSAY_EV_EOF).rule;
}

/* The connection breaks off in a state; on the next one all begins anew. */
static void broken_off(struct assay_builder *b, uint32_t node, bool reset)
{
    assay_build_begin(b, name_of(b, node), reset ? "reset" : "eof", "connects-again");
    assay_build_path(b, 0, node);
    end_link(b, 0, reset);
    assay_build_step(b, 1, ASSAY_STEP_ARRIVE);
    assay_build_path(b, 1, node);
    assay_build_finish(b, rule_of_end(b, node, reset), ASSAY_CASE_TIMED,
                       "the link is %s in state %s, the client comes back", reset ? "reset" : "ended",
                       name_of(b, node));
}

/* The server is gone for a while: at least one try is refused. */
static void restarted(struct assay_builder *b, uint32_t node, bool reset)
{
    assay_build_begin(b, name_of(b, node), reset ? "reset" : "eof", "server-restarts");
    assay_build_step(b, 0, ASSAY_STEP_ARRIVE); /* the path to a state that the client enters by itself is empty */
    assay_build_path(b, 0, node);
    assay_build_step(b, 0, ASSAY_STEP_REFUSE);
    end_link(b, 0, reset);
    assay_build_pause(b, longest(b, 0) + pause_of(b, 1) / 2);
    assay_build_step(b, 0, ASSAY_STEP_WELCOME);
    assay_build_step(b, 1, ASSAY_STEP_ARRIVE);
    assay_build_path(b, 1, node);
    assay_build_finish(b, rule_of_end(b, node, reset), ASSAY_CASE_TIMED,
                       "the server restarts while the client is in state %s", name_of(b, node));
}

/* Links that end before anything was said: pauses grow, up to their cap. */
static void growing(struct assay_builder *b, bool reset)
{
    assay_build_begin(b, name_of(b, 0), reset ? "reset" : "eof", "again-and-again");
    for (uint8_t link = 0; link < LINKS_MAX; link++) {
        assay_build_step(b, link, ASSAY_STEP_ARRIVE);
        if (link + 1 < LINKS_MAX)
            end_link(b, link, reset);
    }
    assay_build_finish(b, rule_of_end(b, 0, reset), ASSAY_CASE_TIMED, "%d links in a row end at once", LINKS_MAX - 1);
}

/* One that was heard from makes the pause begin anew. */
static void begins_anew(struct assay_builder *b, uint32_t node)
{
    if (b->model->machines[b->config.machine].reconnect.growth == 100)
        return;
    assay_build_begin(b, name_of(b, node), "eof", "pause-begins-anew");
    for (uint8_t link = 0; link < 3; link++) {
        assay_build_step(b, link, ASSAY_STEP_ARRIVE);
        end_link(b, link, false);
    }
    assay_build_path(b, 3, node);
    end_link(b, 3, false);
    assay_build_step(b, 4, ASSAY_STEP_ARRIVE);
    assay_build_finish(b, rule_of_end(b, node, false), ASSAY_CASE_TIMED,
                       "pauses that have grown are short again after a link with messages");
}

/* Something that ends the link: through, so that no connection follows; or not, so that one does. */
static void after_end(struct assay_builder *b, uint32_t node, size_t i)
{
    const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
    const char *what = assay_build_event_name(b, r->event);
    assay_build_begin(b, name_of(b, node), what, r->finished ? "stays-away" : "connects-again");
    assay_build_path(b, 0, node);
    assay_build_input(b, 0, i);
    assay_build_step(b, 0, ASSAY_STEP_AWAIT);
    if (r->finished)
        assay_build_pause(b, longest(b, 0) + pause_of(b, 1));
    else
        assay_build_step(b, 1, ASSAY_STEP_ARRIVE);
    assay_build_finish(b, r->rule, ASSAY_CASE_TIMED, "%s in state %s: the client %s", what, name_of(b, node),
                       r->finished ? "is through, and does not connect again" : "connects again");
}

static void after_ends(struct assay_builder *b, uint32_t node)
{
    uint16_t seen[32];
    size_t count = 0;
    for (size_t i = 0; i < b->inputs.count && count < 32; i++) {
        const struct assay_reaction *r = assay_reaction(&b->explored, node, i);
        bool known = !r->ended;
        for (size_t k = 0; k < count && !known; k++)
            known = seen[k] == r->event;
        if (known)
            continue;
        seen[count++] = r->event;
        after_end(b, node, i);
    }
}

/* After as many tries in a row as the spec allows it gives up. */
static void gives_up(struct assay_builder *b)
{
    const struct assay_reconnect *reconnect = &b->model->machines[b->config.machine].reconnect;
    int64_t all = 0;
    for (uint32_t i = 0; i < reconnect->most; i++)
        all += longest(b, i);
    if (reconnect->most == 0 || all > b->patience)
        return;
    assay_build_begin(b, name_of(b, 0), "eof", "gives-up");
    assay_build_step(b, 0, ASSAY_STEP_ARRIVE);
    assay_build_step(b, 0, ASSAY_STEP_REFUSE);
    end_link(b, 0, false);
    assay_build_pause(b, all);
    assay_build_step(b, 0, ASSAY_STEP_WELCOME);
    assay_build_pause(b, longest(b, reconnect->most));
    assay_build_finish(b, rule_of_end(b, 0, false), ASSAY_CASE_TIMED, "%u tries are refused, then it gives up",
                       (unsigned)reconnect->most);
}

void assay_generate_again(struct assay_builder *b)
{
    if (!assay_reconnects(b->model, b->config.machine))
        return;
    if (longest(b, LINKS_MAX) > b->patience) {
        assay_build_note(b, "no case waits until the client connects again: its pause is %lld ms",
                         (long long)(pause_of(b, 0) / 1000000));
        return;
    }
    for (uint32_t node = 0; node < b->explored.count; node++) {
        if (assay_node_of(&b->explored, b->explored.nodes[node].state) != node)
            continue;
        broken_off(b, node, false);
        broken_off(b, node, true);
        restarted(b, node, false);
        restarted(b, node, true);
        after_ends(b, node);
    }
    growing(b, false);
    growing(b, true);
    if (b->explored.count > 1)
        begins_anew(b, 1);
    gives_up(b);
}

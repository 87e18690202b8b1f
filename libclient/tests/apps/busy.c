/* busy ADDRESS: a call while an effect is in flight is refused, one upon its completion is sent behind what the effect
 * brings about. */
#include <poll.h>
#include <stdio.h>

#include "kinds.h"

static struct kinds_client *client;

/* The next event, within 20 s. */
static struct assay_client_event next(void)
{
    struct assay_client *c = kinds_base(client);
    struct assay_client_event event = {.kind = ASSAY_CLIENT_ENDED, .status = ASSAY_CLIENT_TIMEOUT};
    for (int tries = 0; tries < 100 && !assay_client_next(c, &event); tries++) {
        struct pollfd p = {assay_client_fd(c), assay_client_wants(c), 0};
        int ms = assay_client_wait_ms(c);
        poll(&p, 1, ms < 0 || ms > 200 ? 200 : ms);
        assay_client_process(c);
    }
    return event;
}

static int expect(const char *what, int status, int wanted)
{
    if (status != wanted)
        fprintf(stderr, "%s: %d instead of %d: %s\n", what, status, wanted, kinds_message(client));
    return status != wanted;
}

/* News arrive; the call that was refused meanwhile follows their thanks. */
static int call_around_an_effect(void)
{
    uint8_t thanked = 0;
    struct assay_client_event event = next();
    int wrong = expect("effect", event.kind, ASSAY_CLIENT_EFFECT);
    uint32_t token = event.token;
    wrong += expect("in flight", kinds_subscribe_start(client, 1), ASSAY_CLIENT_BUSY);
    assay_client_complete(kinds_base(client), token, true);
    wrong += expect("done", kinds_subscribe_start(client, 1), ASSAY_CLIENT_OK);
    event = next();
    wrong += expect("result", event.kind, ASSAY_CLIENT_RESULT) + expect("status", event.status, ASSAY_CLIENT_OK);
    kinds_subscribe_results(&event, &thanked, NULL);
    return wrong + expect("thanked", thanked, 1);
}

int main(int argc, char **argv)
{
    if (argc != 2 || kinds_new(argv[1], NULL, &client) != ASSAY_CLIENT_OK)
        return 9;
    int wrong = expect("begin", assay_client_begin(kinds_base(client)), ASSAY_CLIENT_OK);
    wrong += expect("connected", next().kind, ASSAY_CLIENT_CONNECTED);
    wrong += call_around_an_effect();
    kinds_close(client);
    return wrong ? 1 : 0;
}

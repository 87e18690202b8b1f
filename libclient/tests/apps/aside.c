/* aside ADDRESS: a question in flight while the connection beside it is lost, and tried for as often as the spec says. */
#include <poll.h>
#include <stdio.h>

#include "aside.h"

static void tell(struct aside_client *client, const struct assay_client_event *event)
{
    static const char *const kinds[] = {"connected", "result", "effect", "ended", "retrying"};
    bool sound = event->status == ASSAY_CLIENT_OK;
    printf("%s %d %s\n", kinds[event->kind], (int)event->pause_ms, sound ? "" : aside_message(client));
}

int main(int argc, char **argv)
{
    struct aside_client *client;
    struct assay_client_event event = {.kind = ASSAY_CLIENT_CONNECTED};
    if (argc != 2 || aside_new(argv[1], NULL, &client) != ASSAY_CLIENT_OK)
        return 9;
    struct assay_client *c = aside_base(client);
    int status = assay_client_begin(c);
    if (status == ASSAY_CLIENT_OK)
        status = aside_ask_start(client);
    while (status == ASSAY_CLIENT_OK && event.kind != ASSAY_CLIENT_ENDED) {
        struct pollfd fds[ASSAY_CLIENT_FDS];
        unsigned count = assay_client_fds(c, fds);
        poll(fds, count, assay_client_wait_ms(c));
        assay_client_process(c);
        while (assay_client_next(c, &event))
            tell(client, &event);
    }
    aside_close(client);
    return status;
}

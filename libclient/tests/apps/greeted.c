/* greeted ADDRESS listen|scaled: a call once the server has spoken first. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "kinds.h"

static bool refuse(void *user, const struct assay_client_event *effect)
{
    (void)user, (void)effect;
    return false;
}

int main(int argc, char **argv)
{
    const struct assay_client_options options = {.effect = refuse};
    struct kinds_client *c;
    uint8_t thanked = 0;
    if (argc != 3 || kinds_open_with(argv[1], &options, &c) != ASSAY_CLIENT_OK)
        return 9;
    struct pollfd p = {assay_client_fd(kinds_base(c)), POLLIN, 0};
    int status = poll(&p, 1, 20000) == 1 ? ASSAY_CLIENT_OK : ASSAY_CLIENT_TIMEOUT;
    if (status == ASSAY_CLIENT_OK)
        status = strcmp(argv[2], "listen") == 0 ? kinds_listen(c, &thanked) : kinds_scaled(c, 1, 1, &thanked);
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "%s\n", kinds_message(c));
    kinds_close(c);
    if (status == ASSAY_CLIENT_OK)
        return thanked == 7 ? 0 : 8;
    return status == ASSAY_CLIENT_PROTOCOL ? 1 : 7;
}

/* msglog ADDRESS NAME PASSWORD [MESSAGE...]: append messages to a log; without any, the lines of standard input.
 *
 *     assay gen c spec/msglog.yaml -o generated
 *     cc -Igenerated -o msglog examples/msglog.c generated/msglog.c $(pkg-config --cflags --libs assay)
 *     ./msglog 127.0.0.1:5555 bob abc "hello there"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msglog.h"

static int send_arguments(struct msglog_client *client, char **messages)
{
    int status = ASSAY_CLIENT_OK;
    for (; *messages && status == ASSAY_CLIENT_OK; messages++)
        status = msglog_msg(client, *messages, strlen(*messages));
    return status;
}

static int send_lines(struct msglog_client *client)
{
    static char line[65535];
    int status = ASSAY_CLIENT_OK;
    while (status == ASSAY_CLIENT_OK && fgets(line, sizeof line, stdin)) {
        size_t size = strcspn(line, "\n");
        if (size > 0)
            status = msglog_msg(client, line, size);
    }
    return status;
}

static int session(struct msglog_client *client, char **argv)
{
    int status = msglog_connect(client, argv[2], strlen(argv[2]), argv[3], strlen(argv[3]));
    if (status == ASSAY_CLIENT_OK)
        status = argv[4] ? send_arguments(client, argv + 4) : send_lines(client);
    if (status == ASSAY_CLIENT_OK)
        status = msglog_disconnect(client);
    return status;
}

int main(int argc, char **argv)
{
    struct msglog_client *client;
    if (argc < 4) {
        fprintf(stderr, "usage: msglog ADDRESS NAME PASSWORD [MESSAGE...]\n");
        return EXIT_FAILURE;
    }
    int status = msglog_open(argv[1], &client);
    if (status == ASSAY_CLIENT_OK)
        status = session(client, argv);
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "%s\n", msglog_message(client));
    msglog_close(client);
    return status == ASSAY_CLIENT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

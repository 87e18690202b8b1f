/* signal: sends one message of any kind to a dispatch server or client, and shows what comes back.
 *
 *     signal --server 127.0.0.1:3001 --type tcp --message QUIT
 *     signal --server 127.0.0.1:3002 --type udp --message 'LOG_ROTATE secret_code=abc'
 *
 * The message goes out as it is given, so that wrong ones can be sent, too.
 */
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatch.h"
#include "shared/options.h"

#define LINE_MAX_BYTES 8192u /* longest line of the protocol, LF included */

struct order {
    const char *server, *type, *message;
    long wait_ms;
    bool trace;
};

static int parse(int argc, char **argv, struct order *order)
{
    static const struct option_help help = {"signal --message TEXT [OPTIONS]", NULL, NULL};
    const struct option_row rows[] = {
        OPT_TEXT("server", &order->server, "HOST:PORT", "whom to send to (127.0.0.1:3001, with udp 127.0.0.1:3002)"),
        OPT_TEXT("type", &order->type, "tcp|udp", "over what (tcp)"),
        OPT_TEXT("message", &order->message, "TEXT",
                 "one message, e.g. QUIT, LOG_ROTATE, '<me:here DAD', '{\"command\": \"DAD\"}'"),
        OPT_NUMBER("wait", &order->wait_ms, 0, INT_MAX, "MS", "how long to show what comes back (300)"),
        OPT_FLAG("trace", &order->trace, "show what is sent, too"),
        OPT_END,
    };
    *order = (struct order){.type = "tcp", .wait_ms = 300};
    int first = options_read(argc, argv, rows, &help);
    if (first == OPTIONS_HELP)
        exit(EXIT_SUCCESS);
    if (first >= 0 && (first < argc || !order->message))
        first = options_wrong(rows, &help);
    if (first < 0)
        return 0;
    bool tcp = strcmp(order->type, "tcp") == 0;
    if (!tcp && strcmp(order->type, "udp") != 0) {
        fprintf(stderr, "signal: --type '%s': tcp or udp is wanted\n", order->type);
        return 0;
    }
    if (!order->server)
        order->server = tcp ? "127.0.0.1:3001" : "127.0.0.1:3002";
    return 1;
}

static void show(void *user, const struct assay_client_frame *frame)
{
    const struct order *order = user;
    if (frame->sent && !order->trace)
        return;
    size_t size = frame->size;
    if (size && ((const char *)frame->bytes)[size - 1] == '\n')
        size--;
    if (order->trace)
        fputs(frame->sent ? "> " : "< ", stdout);
    fwrite(frame->bytes, 1, size, stdout);
    putchar('\n');
    fflush(stdout);
}

/* Over TCP a line ends in LF; a datagram holds nothing else. */
static int send_message(struct assay_client *client, const struct order *order)
{
    char line[LINE_MAX_BYTES];
    size_t size = strlen(order->message);
    int tcp = strcmp(order->type, "tcp") == 0;
    if (size + (size_t)tcp > sizeof line) {
        fprintf(stderr, "signal: the message has %zu bytes; the protocol takes %zu\n", size, sizeof line - (size_t)tcp);
        return 0;
    }
    memcpy(line, order->message, size);
    line[size] = '\n';
    int status = assay_client_send(client, line, size + (size_t)tcp);
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "signal: %s\n", assay_client_message(client));
    return status == ASSAY_CLIENT_OK;
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What comes back is shown by the trace; it ends with the connection or the time. */
static void listen_for(struct assay_client *client, long ms)
{
    long end = now_ms() + ms;
    struct assay_client_event event;
    while (assay_client_connected(client) && now_ms() < end) {
        struct pollfd p = {assay_client_fd(client), assay_client_wants(client), 0};
        poll(&p, 1, (int)(end - now_ms()));
        assay_client_process(client);
        while (assay_client_next(client, &event))
            ;
    }
}

int main(int argc, char **argv)
{
    struct order order;
    if (!parse(argc, argv, &order))
        return 4;
    struct assay_client_options options = {
        .transport = order.type,
        .machine = strcmp(order.type, "tcp") == 0 ? "Sender" : NULL, /* which asks nothing by itself */
        .trace = show,
        .user = &order,
    };
    struct assay_client *client;
    int status = assay_client_open(&dispatch_model, order.server, &options, &client);
    if (status != ASSAY_CLIENT_OK) {
        fprintf(stderr, "signal: %s\n", client ? assay_client_message(client) : assay_client_problem());
        assay_client_close(client);
        return 69;
    }
    int sent = send_message(client, &order);
    if (sent)
        listen_for(client, order.wait_ms);
    assay_client_close(client);
    return sent ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* signal: sends one message of any kind to a dispatch server or client, and shows what comes back.
 *
 *     signal --server 127.0.0.1:3001 --type tcp --message QUIT
 *     signal --server 127.0.0.1:3002 --type udp --message 'LOG_ROTATE secret_code=abc'
 *
 * The message goes out as it is given, so that wrong ones can be sent, too.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatch.h"

#define LINE_MAX_BYTES 8192u /* longest line of the protocol, LF included */

struct order {
    const char *server, *type, *message;
    long wait_ms;
    int trace;
};

static void usage(FILE *to)
{
    fputs("usage: signal --message TEXT [--server HOST:PORT] [--type tcp|udp] [--wait MS] [--trace]\n"
          "\n"
          "  --server HOST:PORT  whom to send to (127.0.0.1:3001, with udp 127.0.0.1:3002)\n"
          "  --type tcp|udp      over what (tcp)\n"
          "  --message TEXT      one message, e.g. QUIT, LOG_ROTATE, '<me:here DAD', '{\"command\": \"DAD\"}'\n"
          "  --wait MS           how long to show what comes back (300)\n"
          "  --trace             show what is sent, too\n",
          to);
}

static int parse(int argc, char **argv, struct order *order)
{
    static const struct option options[] = {{"server", required_argument, NULL, 's'},
                                            {"type", required_argument, NULL, 't'},
                                            {"message", required_argument, NULL, 'm'},
                                            {"wait", required_argument, NULL, 'w'},
                                            {"trace", no_argument, NULL, 'T'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    *order = (struct order){.type = "tcp", .wait_ms = 300};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 's':
            order->server = optarg;
            break;
        case 't':
            order->type = optarg;
            break;
        case 'm':
            order->message = optarg;
            break;
        case 'w':
            order->wait_ms = strtol(optarg, &end, 10);
            if (*optarg == '\0' || *end || order->wait_ms < 0) {
                fprintf(stderr, "signal: --wait '%s': milliseconds are wanted, e.g. 300\n", optarg);
                return 0;
            }
            break;
        case 'T':
            order->trace = 1;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            return 0;
        }
    }
    if (strcmp(order->type, "tcp") != 0 && strcmp(order->type, "udp") != 0) {
        fprintf(stderr, "signal: --type '%s': tcp or udp is wanted\n", order->type);
        return 0;
    }
    if (!order->message || optind < argc) {
        usage(stderr);
        return 0;
    }
    if (!order->server)
        order->server = strcmp(order->type, "tcp") == 0 ? "127.0.0.1:3001" : "127.0.0.1:3002";
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

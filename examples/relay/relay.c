/* relay: two copies of this program pass messages to each other.
 *
 *     relay 7000 127.0.0.1 7001          in one terminal
 *     relay 7001 127.0.0.1 7000          in another one
 *
 * What is typed is sent, a line a message; what arrives is shown. A copy may
 * also send to itself. The receiving side is the server library, which takes
 * any number of senders at once and keeps each message together; the sending
 * side is libassay. Both run the same spec.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <assay/model.h>
#include <assay_server.h>

#include "../shared/options.h"
#include "inbox.h"
#include "relay.h"

#define PIECE_MAX    65536u /* of a stream, in one call */
#define DATAGRAM_MAX 65507u

struct settings {
    const char *port, *receiver_host, *receiver_port, *output;
    bool tcp, udp, nul, stay, trace;
};

/* ---- sending ------------------------------------------------------------ */

struct sender {
    struct assay_client *client;
    const struct settings *settings;
    int pass, finish, post;
};

static void complain(const struct sender *s)
{
    fprintf(
        stderr,
        "relay: the message was not sent to %s port %s: %s. Start relay there with %s as its LISTENER_PORT, or check "
        "address and port.\n",
        s->settings->receiver_host, s->settings->receiver_port, assay_client_message(s->client),
        s->settings->receiver_port);
}

static int call(struct sender *s, int call, const void *bytes, size_t size)
{
    struct assay_value content = assay_blob_value(bytes, size);
    int status = assay_client_call(s->client, call, &content, NULL);
    if (status != ASSAY_CLIENT_OK)
        complain(s);
    return status == ASSAY_CLIENT_OK;
}

static int send_datagram(struct sender *s, const char *bytes, size_t size)
{
    if (size > DATAGRAM_MAX) {
        fprintf(stderr, "relay: the message has %zu bytes, a datagram carries %u: send it in parts, or over TCP\n",
                size, DATAGRAM_MAX);
        return 0;
    }
    return call(s, s->post, bytes, size);
}

static int begin(struct sender *s)
{
    if (assay_client_connect(s->client) == ASSAY_CLIENT_OK)
        return 1;
    complain(s);
    return 0;
}

static int send_bytes(struct sender *s, const char *bytes, size_t size)
{
    if (s->settings->udp)
        return send_datagram(s, bytes, size);
    if (!begin(s))
        return 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < PIECE_MAX ? size - at : PIECE_MAX;
        if (!call(s, s->pass, bytes + at, n))
            return 0;
    }
    return call(s, s->finish, NULL, 0);
}

/* A file is never held whole: it may be larger than memory. */
static int send_file(struct sender *s, const char *name)
{
    static char piece[DATAGRAM_MAX + 1 > PIECE_MAX ? DATAGRAM_MAX + 1 : PIECE_MAX];
    FILE *file = fopen(name, "rb");
    if (!file) {
        fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
        return 0;
    }
    size_t n = fread(piece, 1, s->settings->udp ? DATAGRAM_MAX + 1 : PIECE_MAX, file);
    int sent = s->settings->udp ? send_datagram(s, piece, n) : begin(s);
    for (; sent && !s->settings->udp && n > 0; n = fread(piece, 1, PIECE_MAX, file))
        sent = call(s, s->pass, piece, n);
    if (ferror(file)) {
        fprintf(stderr, "relay: %s: %s; the receiver got a part of it\n", name, strerror(errno));
        sent = 0;
    }
    fclose(file);
    return sent && (s->settings->udp || call(s, s->finish, NULL, 0));
}

/* ---- what is typed ------------------------------------------------------ */

struct typed {
    char *text; /* of the last line, without its end */
    size_t size, cap;
    char *block; /* between BEGIN and END */
    size_t block_size, block_cap;
    int in_block;
};

/* False: the end of the input. */
static int next(struct typed *t, int end)
{
    ssize_t n = getdelim(&t->text, &t->cap, end, stdin);
    if (n <= 0)
        return 0;
    t->size = (size_t)n;
    if (t->text[t->size - 1] == end)
        t->text[--t->size] = '\0';
    return 1;
}

static int is(const struct typed *t, const char *word)
{
    return t->size == strlen(word) && memcmp(t->text, word, t->size) == 0;
}

static void keep(struct typed *t)
{
    size_t need = t->block_size + t->size + 1;
    if (need > t->block_cap) {
        size_t cap = need * 2;
        char *block = realloc(t->block, cap);
        if (!block) {
            fputs("relay: no memory for this message\n", stderr);
            exit(EXIT_FAILURE);
        }
        t->block = block;
        t->block_cap = cap;
    }
    if (t->block_size)
        t->block[t->block_size++] = '\n';
    memcpy(t->block + t->block_size, t->text, t->size);
    t->block_size += t->size;
}

/* One line inside BEGIN ... END. */
static void collect(struct sender *s, struct typed *t)
{
    if (!is(t, "END")) {
        keep(t);
        return;
    }
    send_bytes(s, t->block, t->block_size);
    t->block_size = 0;
    t->in_block = 0;
}

static void send_typed(struct sender *s)
{
    struct typed t = {0};
    bool nul = s->settings->nul;
    while (next(&t, nul ? '\0' : '\n') && (t.in_block || !is(&t, "EXIT"))) {
        if (t.in_block)
            collect(s, &t);
        else if (!nul && is(&t, "BEGIN"))
            t.in_block = 1;
        else if (strncmp(t.text, "FILE ", 5) == 0)
            send_file(s, t.text + 5);
        else
            send_bytes(s, t.text, t.size);
    }
    if (t.in_block)
        fputs("relay: the input ended before END: that message was not sent\n", stderr);
    free(t.text);
    free(t.block);
}

/* ---- the command line --------------------------------------------------- */

static int is_port(const char *text, int least)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (*text && !*end && port >= least && port <= 65535)
        return 1;
    fprintf(stderr, "relay: '%s' is no port: a number from %d to 65535 is wanted\n", text, least);
    return 0;
}

static int parse(int argc, char **argv, struct settings *s)
{
    static const struct option_help help = {
        "relay LISTENER_PORT RECEIVER_IP RECEIVER_PORT [OPTIONS]",
        "Each line that you type is sent to RECEIVER_IP, port RECEIVER_PORT; what arrives at LISTENER_PORT is "
        "shown.\n\n",
        "\n"
        "What is typed:\n"
        "  EXIT          end\n"
        "  BEGIN         the lines up to END are one message\n"
        "  FILE NAME     the file is one message, of any size over TCP\n"
        "Anything else is a message. With -0 all of it is, but for EXIT and FILE.\n"};
    const struct option_row rows[] = {
        OPT_FLAG("tcp", &s->tcp, "a message is a connection (this is so unless --udp is given)"),
        OPT_FLAG("udp", &s->udp, "a message is a datagram of at most 65507 bytes; wins over --tcp"),
        {.name = "nul",
         .letter = '0',
         .to = &s->nul,
         .text = "messages end with a NUL byte instead of a newline, both typed and shown"},
        OPT_TEXT("output", &s->output, "DIR",
                 "received messages become files of that folder, 000001 and so on, instead of being shown"),
        OPT_FLAG("stay", &s->stay, "go on receiving after the end of the input"),
        OPT_FLAG("trace", &s->trace, "tell every message on standard error"),
        OPT_END,
    };
    *s = (struct settings){0};
    int first = options_read(argc, argv, rows, &help);
    if (first == OPTIONS_HELP)
        exit(EXIT_SUCCESS);
    if (first >= 0 && argc - first != 3)
        first = options_wrong(rows, &help);
    if (first < 0)
        return 0;
    s->port = argv[first];
    s->receiver_host = argv[first + 1];
    s->receiver_port = argv[first + 2];
    return is_port(s->port, 0) && is_port(s->receiver_port, 1);
}

static void host_port(char *to, size_t size, const char *scheme, const char *host, const char *port)
{
    snprintf(to, size, strchr(host, ':') ? "%s:[%s]:%s" : "%s:%s:%s", scheme, host, port);
}

/* Shown messages end with a newline, or with a NUL: that is what the spec's param says if it is not given. */
static struct assay_server *listen_on(const struct settings *s, struct inbox *inbox)
{
    static const char *const newline[] = {"ending=\n", NULL};
    static const char *const kept[] = {"gather", "show", "forget", NULL};
    char address[64], why[ASSAY_SERVER_ERROR_MAX];
    host_port(address, sizeof address, s->udp ? "udp" : "tcp", "*", s->port);
    const char *listen = address;
    struct assay_server_config config = {.model = &relay_model,
                                         .params = s->nul ? NULL : newline,
                                         .listen = &listen,
                                         .listen_count = 1,
                                         .loops = 1,
                                         .trace = s->trace};
    if (s->output) {
        config.application = inbox_keep;
        config.user = inbox;
        config.override = kept;
    }
    struct assay_server *server = assay_server_open(&config, why);
    if (!server || !assay_server_start(server)) {
        fprintf(stderr, "relay: cannot listen on port %s: %s\n", s->port, server ? "no thread" : why);
        assay_server_close(server);
        return NULL;
    }
    fprintf(stderr, "listening on %s\n", assay_server_address(server, 0));
    return server;
}

/* As the server tells of what arrives, which does so in another thread: a line is written at once. */
static void tell_sent(void *user, const struct assay_client_frame *frame)
{
    (void)user;
    fprintf(stderr, "%s %s %s\n", frame->address, frame->sent ? "<" : ">", frame->text ? frame->text : "-");
}

static struct assay_client *sends_to(const struct settings *s)
{
    char address[300];
    struct assay_client_options options = {.transport = s->udp ? "udp" : "tcp", .trace = s->trace ? tell_sent : NULL};
    struct assay_client *client;
    host_port(address, sizeof address, s->udp ? "udp" : "tcp", s->receiver_host, s->receiver_port);
    if (assay_client_new(&relay_model, address, &options, &client) != ASSAY_CLIENT_OK)
        fprintf(stderr, "relay: %s\n", assay_client_problem());
    return client;
}

/* The server ends by its own thread's hand; this one only wakes from reading. */
static void on_signal(int signal)
{
    (void)signal;
}

int main(int argc, char **argv)
{
    struct settings s;
    struct inbox inbox;
    if (!parse(argc, argv, &s))
        return 4;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (!inbox_open(&inbox, s.output))
        return EXIT_FAILURE;
    struct assay_server *server = listen_on(&s, &inbox);
    struct assay_client *client = server ? sends_to(&s) : NULL;
    if (client) {
        struct sender sender = {client, &s, assay_client_find(client, "pass"), assay_client_find(client, "finish"),
                                assay_client_find(client, "post")};
        send_typed(&sender);
        if (s.stay && feof(stdin))
            pause();
    }
    if (server)
        assay_server_stop(server);
    assay_server_close(server);
    assay_client_close(client);
    inbox_close(&inbox);
    return client ? EXIT_SUCCESS : EXIT_FAILURE;
}

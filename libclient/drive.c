/* A program for every protocol: orders on standard input, what happens on standard output, a line each. */
#include "libclient/drive.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libclient/client.h"

#define LINE_MAX_SIZE ((size_t)16 << 20)

struct driver {
    const struct assay_drive *drive;
    struct assay_client *client;
    const struct assay_model *model;

    char *input; /* orders that were read and not yet done */
    size_t size, cap;
    bool at_end;

    bool connecting, connected, calling, over;
    bool settling; /* an effect is done, and its rule is not */
    int status;    /* of the end of the machine */
};

/* ---- what is told -------------------------------------------------------- */

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void say_values(const struct driver *d, struct assay_range params, const struct assay_value *values,
                       unsigned count)
{
    for (uint16_t i = 0; i < params.count && i < count; i++) {
        const struct assay_param *param = &d->model->params[params.first + i];
        printf(" %s=", param->name);
        assay_word_print(d->model, param->type, &values[i], stdout);
    }
    say("");
}

static bool say_effect(void *user, const struct assay_client_event *event)
{
    const struct driver *d = user;
    printf("effect %s", event->name);
    say_values(d, d->model->effects[event->index].args, event->values, event->count);
    return true;
}

/* A call for which there is no connection, or none can be made, is closed before it began. */
static const char *kind_of(const struct driver *d, int status)
{
    bool nowhere =
        status == ASSAY_CLIENT_NOT_OPEN || status == ASSAY_CLIENT_UNREACHABLE || status == ASSAY_CLIENT_ADDRESS;
    return assay_client_status_name(d->client, nowhere ? ASSAY_CLIENT_CLOSED : status);
}

static void say_error(const struct driver *d, const char *call, int status)
{
    size_t size;
    const char *text = assay_client_detail(d->client, &size);
    if (status <= 0) {
        text = assay_client_message(d->client);
        size = strlen(text);
    }
    printf("error %s %s%s", call, kind_of(d, status), size ? " " : "");
    assay_word_bytes(text, size, stdout);
    say("");
}

static void say_frame(void *user, const struct assay_client_frame *frame)
{
    const uint8_t *p = frame->bytes;
    (void)user;
    fprintf(stderr, "%s %s %s (", frame->sent ? ">" : "<", frame->address, frame->text ? frame->text : "-");
    for (size_t i = 0; i < frame->size; i++)
        fprintf(stderr, "%02x", p[i]);
    fputs(")\n", stderr);
}

/* ---- what happens -------------------------------------------------------- */

static void result(struct driver *d, const struct assay_client_event *event)
{
    d->calling = false;
    if (event->status != ASSAY_CLIENT_OK) {
        say_error(d, event->name, event->status);
        return;
    }
    printf("result %s", event->name);
    say_values(d, d->model->calls[event->index].results, event->values, event->count);
}

static void link_over(struct driver *d)
{
    say(d->connected ? "ended" : "unreachable");
    d->connected = d->connecting = false;
}

static void ended(struct driver *d, const struct assay_client_event *event)
{
    link_over(d);
    d->over = true;
    d->status = event->finished ? ASSAY_CLIENT_OK : event->status ? event->status : ASSAY_CLIENT_CLOSED;
}

static void take(struct driver *d, const struct assay_client_event *event)
{
    switch (event->kind) {
    case ASSAY_CLIENT_CONNECTED:
        d->connected = true;
        d->connecting = false;
        say("connected");
        break;
    case ASSAY_CLIENT_RESULT:
        result(d, event);
        break;
    case ASSAY_CLIENT_EFFECT:
        (void)say_effect(d, event);
        if (event->token)
            assay_client_complete(d->client, event->token, true);
        d->settling = d->settling || event->token;
        break;
    case ASSAY_CLIENT_ENDED:
        ended(d, event);
        break;
    case ASSAY_CLIENT_RETRYING:
        link_over(d);
        break;
    }
}

static void take_all(struct driver *d)
{
    struct assay_client_event event;
    while (assay_client_next(d->client, &event))
        take(d, &event);
}

/* ---- orders --------------------------------------------------------------- */

static void order_connect(struct driver *d)
{
    d->over = d->connected = false;
    d->connecting = true;
    if (assay_client_begin(d->client) != ASSAY_CLIENT_OK)
        link_over(d);
}

static void order_close(struct driver *d)
{
    bool was_there = d->connected;
    d->connected = d->connecting = false;
    assay_client_disconnect(d->client);
    if (was_there)
        say("ended");
}

/* The next word of a line, NUL-terminated in place; NULL: there is none. */
static char *next_word(char **at)
{
    char *word = *at;
    if (!word)
        return NULL;
    char *space = strchr(word, ' ');
    if (space)
        *space = '\0';
    *at = space ? space + 1 : NULL;
    return word;
}

/* What is wrong with an argument: two parts of a sentence around a word. */
struct complaint {
    const char *before, *word, *after;
};

static const char *expected(const struct assay_model *model, uint16_t type)
{
    static const char *const forms[] = {
        [ASSAY_T_INT] = ": expected a decimal number",
        [ASSAY_T_BOOL] = ": expected true or false",
        [ASSAY_T_ENUM] = ": expected one of the spec's names",
        [ASSAY_T_DURATION] = ": expected a decimal number of nanoseconds",
        [ASSAY_T_BYTES] = ": expected % and two hexadecimal digits",
        [ASSAY_T_TEXT] = ": expected % and two hexadecimal digits",
        [ASSAY_T_LIST] = ": expected decimal numbers with commas between them",
    };
    return forms[model->types[type].kind];
}

static bool read_arg(const struct driver *d, const struct assay_call *call, char *word, struct assay_value *args,
                     bool *given, uint8_t *room, size_t *used, struct complaint *wrong)
{
    size_t n = strcspn(word, "=");
    *wrong = (struct complaint){"expected NAME=VALUE instead of '", word, "'"};
    if (word[n] != '=')
        return false;
    word[n] = '\0';
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *param = &d->model->params[call->args.first + i];
        if (strcmp(param->name, word) != 0)
            continue;
        *wrong = (struct complaint){"argument ", param->name,
                                    given[i] ? " is there twice" : expected(d->model, param->type)};
        if (given[i])
            return false;
        given[i] = assay_word_read(d->model, param->type, word + n + 1, &args[i], room, used);
        return given[i];
    }
    *wrong = (struct complaint){"there is no argument ", word, ""};
    return false;
}

/* All arguments of a call; false: *wrong tells what is missing, or no argument. */
static bool read_args(const struct driver *d, const struct assay_call *call, char *rest, struct assay_value *args,
                      uint8_t *room, struct complaint *wrong)
{
    bool given[ASSAY_SLOTS_MAX] = {false};
    size_t used = 0;
    for (char *word = next_word(&rest); word; word = next_word(&rest))
        if (!read_arg(d, call, word, args, given, room, &used, wrong))
            return false;
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *param = &d->model->params[call->args.first + i];
        *wrong = (struct complaint){"argument ", param->name, " is missing"};
        if (!given[i] && !assay_word_default(d->model, param, &args[i], room, &used))
            return false;
    }
    return true;
}

static void start_call(struct driver *d, int index, const struct assay_value *args)
{
    const char *name = d->model->calls[index].name;
    take_all(d);
    int status = assay_client_start(d->client, index, args);
    if (status != ASSAY_CLIENT_OK)
        say_error(d, name, status);
    d->calling = status == ASSAY_CLIENT_OK;
}

static void order_call(struct driver *d, char *rest)
{
    const char *name = next_word(&rest);
    struct complaint wrong = {"there is no memory", "", ""};
    int index = name ? assay_client_find(d->client, name) : -1;
    if (index < 0) {
        printf("error %s value", name ? name : "-");
        say(" no%20such%20call");
        return;
    }
    const struct assay_call *call = &d->model->calls[index];
    struct assay_value args[ASSAY_SLOTS_MAX];
    uint8_t *room = malloc((rest ? strlen(rest) : 0) * 8 + (call->args.count + 1u) * (ASSAY_WORD_DEFAULT_MAX + 8));
    if (room && call->args.count <= ASSAY_SLOTS_MAX && read_args(d, call, rest, args, room, &wrong)) {
        start_call(d, index, args);
    } else {
        printf("error %s value ", call->name);
        assay_word_bytes(wrong.before, strlen(wrong.before), stdout);
        assay_word_bytes(wrong.word, strlen(wrong.word), stdout);
        assay_word_bytes(wrong.after, strlen(wrong.after), stdout);
        say("");
    }
    free(room);
}

static void order(struct driver *d, char *line)
{
    char *rest = line, *word = next_word(&rest);
    if (strcmp(word, "connect") == 0)
        order_connect(d);
    else if (strcmp(word, "close") == 0)
        order_close(d);
    else if (strcmp(word, "call") == 0)
        order_call(d, rest);
    else if (*word)
        fprintf(stderr, "not an order: %s\n", word);
}

/* ---- standard input -------------------------------------------------------- */

static bool may_order(const struct driver *d)
{
    return !d->calling && !d->connecting && !d->settling;
}

/* Do the next order that is there; false: there is none, or it has to wait. */
static bool next_order(struct driver *d)
{
    char *end = d->size ? memchr(d->input, '\n', d->size) : NULL;
    if (!end || !may_order(d))
        return false;
    *end = '\0';
    if (end > d->input && end[-1] == '\r')
        end[-1] = '\0';
    order(d, d->input);
    d->size -= (size_t)(end + 1 - d->input);
    memmove(d->input, end + 1, d->size);
    return true;
}

static bool make_room(struct driver *d)
{
    if (d->cap - d->size >= 4096)
        return true;
    size_t cap = d->cap ? 2 * d->cap : 65536;
    char *more = cap <= LINE_MAX_SIZE ? realloc(d->input, cap) : NULL;
    if (!more)
        return false;
    d->input = more;
    d->cap = cap;
    return true;
}

static void read_input(struct driver *d)
{
    ssize_t n = make_room(d) ? read(STDIN_FILENO, d->input + d->size, d->cap - d->size) : 0;
    if (n > 0)
        d->size += (size_t)n;
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        d->at_end = true;
}

/* ---- running ---------------------------------------------------------------- */

static bool wants_input(const struct driver *d)
{
    return !d->drive->run && !d->at_end && may_order(d);
}

/* An order that was given before something came over a link is obeyed before that is looked at: whoever gives orders
 * may rely on it. poll(2) looks at one after another, so that standard input has to be asked again. */
static bool has_order(struct pollfd *input)
{
    return input->revents || poll(input, 1, 0) > 0;
}

static void round_of(struct driver *d)
{
    struct pollfd fds[1 + ASSAY_CLIENT_FDS] = {{.fd = wants_input(d) ? STDIN_FILENO : -1, .events = POLLIN}};
    unsigned count = 1 + assay_client_fds(d->client, fds + 1);
    if (poll(fds, count, assay_client_wait_ms(d->client)) < 0)
        return;
    if (has_order(&fds[0])) {
        read_input(d);
        if (!d->at_end)
            return;
    }
    d->settling = false;
    assay_client_step(d->client, fds + 1, count - 1);
    take_all(d);
}

static bool is_over(struct driver *d)
{
    if (d->drive->run && !d->over) {
        d->status = assay_run_stuck(d->client);
        d->over = d->status != ASSAY_CLIENT_OK;
        if (d->over)
            link_over(d);
    }
    if (d->drive->run)
        return d->over;
    return d->at_end && may_order(d);
}

static struct assay_client *stoppable;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    assay_client_stop(stoppable);
}

static void catch_signals(struct assay_client *client)
{
    struct sigaction action = {.sa_handler = on_signal};
    stoppable = client;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void loop(struct driver *d)
{
    if (d->drive->run)
        order_connect(d);
    while (!stopped) {
        if (!d->drive->run && next_order(d))
            continue;
        if (is_over(d))
            return;
        round_of(d);
    }
}

static int exit_status(const struct driver *d)
{
    if (!d->drive->run || d->status == ASSAY_CLIENT_OK)
        return stopped ? ASSAY_DRIVE_FAILED : ASSAY_DRIVE_OK;
    fprintf(stderr, "%s\n", assay_client_message(d->client));
    bool nowhere = d->status == ASSAY_CLIENT_UNREACHABLE || d->status == ASSAY_CLIENT_ADDRESS;
    return nowhere ? ASSAY_DRIVE_UNREACHABLE : ASSAY_DRIVE_FAILED;
}

int assay_drive(struct assay_drive *drive)
{
    struct driver d = {.drive = drive, .model = drive->model};
    drive->options.effect = say_effect;
    drive->options.user = &d;
    drive->options.trace = drive->trace ? say_frame : NULL;
    if (assay_client_new(drive->model, drive->address, &drive->options, &d.client) != ASSAY_CLIENT_OK) {
        fprintf(stderr, "%s\n", assay_client_problem());
        return ASSAY_DRIVE_USAGE;
    }
    catch_signals(d.client);
    loop(&d);
    int status = exit_status(&d);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    assay_client_close(d.client);
    free(d.input);
    return status;
}

/* kinds_app ADDRESS: every kind of value there and back, the application's effects, with and without waiting.
 * Prints what is wrong; exit 0: nothing was. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

static int wrong;

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            wrong = 1;                                                                                                 \
        }                                                                                                              \
    } while (0)

static void echo(struct kinds_client *c)
{
    static const int64_t numbers[] = {-32768, 0, 32767};
    uint8_t small = 0;
    int64_t big = 0, level = 0;
    bool flag = false;
    enum kinds_color color = KINDS_COLOR_RED;
    enum kinds_word word = KINDS_WORD_CLASS;
    const char *text = NULL;
    const int64_t *list = NULL;
    const uint8_t *data = NULL;
    size_t text_size = 0, list_count = 0, data_size = 0;
    int status = kinds_echo(c, 3, INT64_MIN, true, KINDS_COLOR_DARK_BLUE, 65535, KINDS_WORD_REGISTER,
                            "d\xc3\xa9j\xc3\xa0", numbers, 3, "a\0b", 3, &small, &big, &flag, &color, &level, &word,
                            &text, &text_size, &list, &list_count, &data, &data_size);
    CHECK(status == ASSAY_CLIENT_OK);
    if (status != ASSAY_CLIENT_OK)
        return;
    CHECK(small == 3 && big == INT64_MIN && flag && color == KINDS_COLOR_DARK_BLUE && level == 65535 &&
          word == KINDS_WORD_REGISTER);
    CHECK(text_size == 6 && strcmp(text, "d\xc3\xa9j\xc3\xa0") == 0);
    CHECK(list_count == 3 && memcmp(list, numbers, sizeof numbers) == 0);
    CHECK(data_size == 3 && memcmp(data, "a\0b", 4) == 0); /* and a NUL behind it */
}

/* What is not set has its default; a text that has none is empty. */
static void defaults(struct kinds_client *c)
{
    static const int64_t usual[] = {-1, 7};
    struct kinds_echo_args args = kinds_echo_defaults();
    int64_t level = 0, big = 0;
    const char *text = NULL;
    const int64_t *list = NULL;
    const uint8_t *data = NULL;
    size_t text_size = 0, list_count = 0, data_size = 0;
    args.small = 2;
    args.color = KINDS_COLOR_RED;
    args.big = INT64_MAX;
    CHECK(kinds_echo_with(c, &args, NULL, &big, NULL, NULL, &level, NULL, &text, &text_size, &list, &list_count, &data,
                          &data_size) == ASSAY_CLIENT_OK);
    CHECK(big == INT64_MAX && level == KINDS_LEVEL_HIGH);
    CHECK(text_size == 8 && strcmp(text, "d\xc3\xa9j\xc3\xa0 \"") == 0);
    CHECK(list_count == 2 && memcmp(list, usual, sizeof usual) == 0);
    CHECK(data_size == 2 && memcmp(data, "\0\\", 2) == 0);
    args.class_ = "";
    args.level = 1;
    CHECK(kinds_echo_with(c, &args, NULL, NULL, NULL, NULL, &level, NULL, &text, &text_size, NULL, NULL, NULL, NULL) ==
          ASSAY_CLIENT_OK);
    CHECK(level == 1 && text_size == 0);
}

/* An echo of which only the small number and the text matter. */
static int echo_small(struct kinds_client *c, uint8_t small, const char *text, size_t count)
{
    static const int64_t numbers[200];
    return kinds_echo(c, small, 0, false, KINDS_COLOR_RED, 0, KINDS_WORD_CLASS, text, numbers, count, NULL, 0, NULL,
                      NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
}

static void refusals(struct kinds_client *c)
{
    CHECK(echo_small(c, 200, "", 200) == KINDS_ERROR_REFUSED);
    CHECK(strcmp(kinds_detail(c), "the number is too big") == 0);
    CHECK(strstr(kinds_message(c), "echo: refused: the number is too big") != NULL);
    CHECK(echo_small(c, 0, "\xff", 0) == ASSAY_CLIENT_VALUE); /* not UTF-8 */
    CHECK(echo_small(c, 3, "", 0) == ASSAY_CLIENT_VALUE); /* counts another list: nothing is sent, and nothing ends */
    CHECK(echo_small(c, 0, "", 0) == ASSAY_CLIENT_OK);
    CHECK(kinds_echo(c, 0, 0, false, (enum kinds_color)3, 0, KINDS_WORD_CLASS, "", NULL, 0, NULL, 0, NULL, NULL, NULL,
                     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) == ASSAY_CLIENT_VALUE);
    CHECK(echo_small(c, 0, "", 0) == ASSAY_CLIENT_OK);
}

struct news {
    int seen;
    int64_t last;
};

/* Odd news are welcome. */
static bool deliver(void *user, const struct assay_client_event *effect)
{
    struct news *news = user;
    struct kinds_deliver_effect args;
    kinds_deliver_effect(effect, &args);
    news->seen++;
    news->last = args.number;
    CHECK(effect->index == KINDS_EFFECT_DELIVER && strcmp(effect->name, "deliver") == 0 && effect->count == 2);
    CHECK(strcmp(args.text, args.number == 1 ? "first" : "more") == 0 && args.text_size == strlen(args.text));
    return args.number % 2 == 1;
}

static void news_while_waiting(const char *address)
{
    struct news news = {0, 0};
    struct assay_client_options options = {0};
    struct kinds_client *c;
    uint8_t thanked = 0, left = 0;
    options.effect = deliver;
    options.user = &news;
    CHECK(kinds_open_with(address, &options, &c) == ASSAY_CLIENT_OK);
    CHECK(kinds_subscribe(c, 5, &thanked, &left) == ASSAY_CLIENT_OK);
    CHECK(thanked == 3 && left == 2 && news.seen == 5 && news.last == 5);
    CHECK(kinds_subscribe(c, 0, &thanked, &left) == KINDS_ERROR_REFUSED);
    CHECK(kinds_close_call(c) == ASSAY_CLIENT_OK);
    CHECK(!assay_client_connected(kinds_base(c)));
    kinds_close(c);
}

/* One turn of a loop; false: the client has nothing more to wait for. */
static bool turn(struct assay_client *c)
{
    struct pollfd p;
    p.fd = assay_client_fd(c);
    p.events = assay_client_wants(c);
    poll(&p, 1, assay_client_wait_ms(c));
    assay_client_process(c);
    return p.fd >= 0;
}

static void news_without_waiting(const char *address)
{
    struct news news = {0, 0};
    struct kinds_client *client;
    struct assay_client_event event;
    uint8_t thanked = 0, left = 0;
    bool answered = false;
    CHECK(kinds_new(address, NULL, &client) == ASSAY_CLIENT_OK);
    struct assay_client *c = kinds_base(client);
    CHECK(assay_client_begin(c) == ASSAY_CLIENT_OK);
    while (!answered && turn(c))
        while (assay_client_next(c, &event)) {
            if (event.kind == ASSAY_CLIENT_CONNECTED)
                CHECK(kinds_subscribe_start(client, 9) == ASSAY_CLIENT_OK);
            if (event.kind == ASSAY_CLIENT_EFFECT)
                assay_client_complete(c, event.token, deliver(&news, &event));
            if (event.kind == ASSAY_CLIENT_RESULT) {
                CHECK(event.status == ASSAY_CLIENT_OK && event.index == KINDS_CALL_SUBSCRIBE);
                kinds_subscribe_results(&event, &thanked, &left);
                answered = true;
            }
        }
    CHECK(answered && thanked == 5 && left == 4 && news.seen == 9);
    kinds_close(client);
}

/* The time of a call passes, too, while the application leaves an effect undone. */
static void news_never_shown(const char *address)
{
    struct assay_client_options options = {0};
    struct kinds_client *client;
    struct assay_client_event event;
    int status = ASSAY_CLIENT_OK;
    bool ended = false;
    options.call_ms = 2000; /* also for the call that is to come through behind it */
    options.effect = deliver; /* only where a client waits */
    CHECK(kinds_new(address, &options, &client) == ASSAY_CLIENT_OK);
    struct assay_client *c = kinds_base(client);
    CHECK(assay_client_begin(c) == ASSAY_CLIENT_OK);
    while (!ended && turn(c))
        while (assay_client_next(c, &event)) {
            if (event.kind == ASSAY_CLIENT_CONNECTED)
                CHECK(kinds_subscribe_start(client, 2) == ASSAY_CLIENT_OK);
            if (event.kind == ASSAY_CLIENT_RESULT)
                status = event.status;
            ended = event.kind == ASSAY_CLIENT_ENDED;
        }
    CHECK(status == ASSAY_CLIENT_TIMEOUT && ended);
    CHECK(strstr(kinds_message(client), "no answer in time") != NULL);
    CHECK(kinds_reconnect(client) == ASSAY_CLIENT_OK);
    echo(client);
    kinds_close(client);
}

int main(int argc, char **argv)
{
    struct kinds_client *c;
    if (argc != 2)
        return EXIT_FAILURE;
    struct news none = {0, 0};
    struct assay_client_options options = {0};
    CHECK(kinds_open(argv[1], &c) == ASSAY_CLIENT_VALUE);
    CHECK(strstr(kinds_message(c), "nobody does effect `deliver`: options.effect is missing"));
    kinds_close(c);
    options.effect = deliver;
    options.user = &none;
    CHECK(kinds_open_with(argv[1], &options, &c) == ASSAY_CLIENT_OK);
    echo(c);
    defaults(c);
    refusals(c);
    CHECK(kinds_reconnect(c) == ASSAY_CLIENT_OK);
    echo(c);
    kinds_close(c);
    CHECK(none.seen == 0);
    news_while_waiting(argv[1]);
    news_without_waiting(argv[1]);
    news_never_shown(argv[1]);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

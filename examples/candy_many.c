/* candy_many ADDRESS CLIENTS ORDERS: many clients of one factory in one thread.
 *
 * Each client is a connection that orders squares of 1, 2, 3, ... one after
 * another; none waits for another. Prints how many candies there were.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "candy.h"

#define CLIENTS_MAX 1000

struct buyer {
    struct candy_client *client;
    int32_t orders, wanted; /* answered; to be answered */
    int64_t candies;
    int ready; /* for its next order */
    int done, failed;
};

static void fail(struct buyer *buyer)
{
    fprintf(stderr, "%s\n", candy_message(buyer->client));
    buyer->failed = buyer->done = 1;
}

static void order(struct buyer *buyer)
{
    buyer->ready = 0;
    if (buyer->orders == buyer->wanted)
        buyer->done = 1;
    else if (candy_fetch_candy_start(buyer->client, buyer->orders + 1, CANDY_KIND_SQUARE) != ASSAY_CLIENT_OK)
        fail(buyer);
}

static void answered(struct buyer *buyer, const struct assay_client_event *event)
{
    int32_t amount;
    candy_fetch_candy_results(event, &amount);
    buyer->candies += amount;
    buyer->orders++;
    buyer->ready = 1;
}

static void handle(struct buyer *buyer, const struct assay_client_event *event)
{
    switch (event->kind) {
    case ASSAY_CLIENT_CONNECTED:
        buyer->ready = 1;
        break;
    case ASSAY_CLIENT_RESULT:
        if (event->status == ASSAY_CLIENT_OK)
            answered(buyer, event);
        else
            fail(buyer);
        break;
    case ASSAY_CLIENT_EFFECT:   /* this protocol has none, */
    case ASSAY_CLIENT_RETRYING: /* and its clients do not connect again by themselves */
        break;
    case ASSAY_CLIENT_ENDED:
        if (!buyer->done)
            fail(buyer);
        break;
    }
}

static void step(struct buyer *buyer)
{
    struct assay_client_event event;
    assay_client_process(candy_base(buyer->client));
    while (!buyer->done && assay_client_next(candy_base(buyer->client), &event))
        handle(buyer, &event);
    if (buyer->ready && !buyer->done)
        order(buyer);
}

/* The shortest of all waits; -1 is the longest. */
static int shorter(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Wait for any of the buyers that are not done; false: there is none. */
static int wait_for(struct buyer *buyers, size_t count)
{
    static struct pollfd polled[CLIENTS_MAX];
    nfds_t n = 0;
    int ms = -1;
    for (size_t i = 0; i < count; i++) {
        struct assay_client *client = candy_base(buyers[i].client);
        if (buyers[i].done)
            continue;
        polled[n].fd = assay_client_fd(client);
        polled[n++].events = assay_client_wants(client);
        ms = shorter(ms, assay_client_wait_ms(client));
    }
    if (n > 0 && poll(polled, n, ms) < 0 && errno != EINTR)
        perror("poll");
    return n > 0;
}

static void begin(struct buyer *buyer, const char *address, int32_t orders)
{
    buyer->wanted = orders;
    if (candy_new(address, NULL, &buyer->client) != ASSAY_CLIENT_OK) {
        fprintf(stderr, "no memory\n");
        exit(EXIT_FAILURE);
    }
    if (assay_client_begin(candy_base(buyer->client)) != ASSAY_CLIENT_OK)
        fail(buyer);
}

int main(int argc, char **argv)
{
    static struct buyer buyers[CLIENTS_MAX];
    size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (count < 1 || count > CLIENTS_MAX) {
        fprintf(stderr, "usage: candy_many ADDRESS CLIENTS ORDERS, at most %d clients\n", CLIENTS_MAX);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++)
        begin(&buyers[i], argv[1], (int32_t)strtol(argv[3], NULL, 10));
    while (wait_for(buyers, count))
        for (size_t i = 0; i < count; i++)
            if (!buyers[i].done)
                step(&buyers[i]);
    int64_t candies = 0;
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        candies += buyers[i].candies;
        failed |= buyers[i].failed;
        candy_close(buyers[i].client);
    }
    printf("%" PRId64 "\n", candies);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

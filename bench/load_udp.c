/* A load generator over datagrams: sockets that keep a number of them in flight
 * to a server that sends each back. What is lost is sent again, and counted.
 *
 * usage: load_udp PORT SOCKETS IN_FLIGHT SECONDS SIZE
 *
 * Prints one line of JSON. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/loopback.h"

enum { SOCKETS_MAX = 256, SIZE_MAX_ = 1400, LOST_AFTER_MS = 100 };

static unsigned char bytes[65536];
static struct pollfd sockets[SOCKETS_MAX];
static uint64_t answered, lost;

static void fill(int count, int in_flight, size_t size)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < in_flight; k++)
            (void)!send(sockets[i].fd, bytes, size, 0);
}

static void take(int fd, size_t size)
{
    while (recv(fd, bytes, sizeof bytes, 0) == (ssize_t)size) {
        answered++;
        (void)!send(fd, bytes, size, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return EXIT_FAILURE;
    int count = atoi(argv[2]), in_flight = atoi(argv[3]);
    size_t size = (size_t)atoi(argv[5]);
    if (count < 1 || count > SOCKETS_MAX || size > SIZE_MAX_)
        return EXIT_FAILURE;
    for (int i = 0; i < count; i++)
        sockets[i] = (struct pollfd){.fd = bench_open(atoi(argv[1])), .events = POLLIN};
    fill(count, in_flight, size);
    double began = bench_now(), until = began + atof(argv[4]);
    while (bench_now() < until) {
        if (poll(sockets, (nfds_t)count, LOST_AFTER_MS) == 0) {
            lost += (uint64_t)count * (uint64_t)in_flight;
            fill(count, in_flight, size);
        }
        for (int i = 0; i < count; i++)
            if (sockets[i].revents)
                take(sockets[i].fd, size);
    }
    printf("{\"answered\": %llu, \"per_second\": %.0f, \"lost\": %llu}\n", (unsigned long long)answered,
           (double)answered / (bench_now() - began), (unsigned long long)lost);
}

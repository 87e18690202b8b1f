/* The limit to measure against: passes each line on to all readers with recvfrom and sendto, keeps nothing, repeats
 * nothing. R registers a reader, L is a line; both are answered A. K acknowledges a line, which changes nothing. */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READERS_MAX = 512 };

int main(void)
{
    static struct sockaddr_in readers[READERS_MAX];
    static uint8_t d[65536];
    int count = 0, fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return EXIT_FAILURE;
    printf("listening on udp:127.0.0.1:%u\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        size = sizeof from;
        ssize_t n = recvfrom(fd, d, sizeof d, 0, (struct sockaddr *)&from, &size);
        if (n <= 0 || d[0] == 'K')
            continue;
        if (d[0] == 'R' && count < READERS_MAX)
            readers[count++] = from;
        for (int i = 0; d[0] == 'L' && i < count; i++)
            (void)!sendto(fd, d, (size_t)n, 0, (struct sockaddr *)&readers[i], sizeof readers[i]);
        (void)!sendto(fd, "A", 1, 0, (struct sockaddr *)&from, sizeof from);
    }
}

/* The plain limit of a server over datagrams: one recvfrom and one sendto for each. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(void)
{
    static unsigned char bytes[65536];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return EXIT_FAILURE;
    printf("listening on udp:127.0.0.1:%u\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_size = sizeof from;
        ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_size);
        if (n >= 0 && sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, from_size) < 0)
            return EXIT_FAILURE;
    }
}

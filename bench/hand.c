#include "bench/hand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAKE = 256 };

struct reply {
    struct hand_session *s;
    size_t n;
    int closing;
    uint8_t bytes[HAND_BUFFER];
};

static struct hand_session *sessions[HAND_CONNECTIONS];
static struct reply replies[WAKE];

static int listen_on_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 4096) != 0) {
        perror("listen");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&a, &n);
    printf("listening on tcp:127.0.0.1:%u\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static void accept_all(int listener, int epoll)
{
    int one = 1;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (fd >= HAND_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sessions[fd] = calloc(1, sizeof *sessions[fd]);
        sessions[fd]->fd = fd;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

static void close_session(struct hand_session *s)
{
    sessions[s->fd] = NULL;
    close(s->fd);
    free(s);
}

/* Reads once and handles what is whole. */
static void read_session(struct hand_session *s, hand_handler *handle, struct reply *r)
{
    static uint8_t in[HAND_BUFFER];
    *r = (struct reply){.s = s};
    memcpy(in, s->rest, s->rest_n);
    ssize_t k = recv(s->fd, in + s->rest_n, sizeof in - s->rest_n, 0);
    if (k <= 0) {
        r->closing = k == 0 || errno != EAGAIN;
        return;
    }
    size_t n = s->rest_n + (size_t)k;
    long used = handle(s, in, n, r->bytes, &r->n);
    size_t rest = used < 0 ? 0 : n - (size_t)used;
    r->closing = used < 0 || rest > sizeof s->rest;
    s->rest_n = r->closing ? 0 : rest;
    memcpy(s->rest, in + n - s->rest_n, s->rest_n);
}

static void send_reply(struct reply *r)
{
    for (size_t done = 0; done < r->n;) {
        ssize_t k = send(r->s->fd, r->bytes + done, r->n - done, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN)
            break;
        done += k > 0 ? (size_t)k : 0;
    }
    if (r->closing)
        close_session(r->s);
}

int hand_serve(hand_handler *handle, hand_commit *commit)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = listen_on_free_port(), epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[WAKE];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll, events, WAKE, -1), count = 0;
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll);
            else
                read_session(sessions[events[i].data.fd], handle, &replies[count++]);
        }
        if (commit)
            commit();
        for (int i = 0; i < count; i++)
            send_reply(&replies[i]);
    }
}

#include "libclient/tests/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 60

static int listen_somewhere(char address[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(address, 64, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

void nobody(char address[64])
{
    close(listen_somewhere(address));
}

static bool failed(struct fake *fake, const char *what)
{
    snprintf(fake->failure, sizeof fake->failure, "step %d: %s", (int)(fake->steps->what), what);
    return false;
}

static bool do_accept(struct fake *fake)
{
    struct timeval patience = {PATIENCE_S, 0};
    int on = 1;
    fake->connection = accept(fake->listener, NULL, NULL);
    if (fake->connection < 0)
        return failed(fake, "no connection");
    setsockopt(fake->connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fake->connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

static bool do_expect(struct fake *fake, const struct fake_step *step)
{
    char got[1024];
    for (size_t n = 0; n < step->size;) {
        ssize_t more = recv(fake->connection, got + n, step->size - n, 0);
        if (more <= 0)
            return failed(fake, "the client sent too little");
        n += (size_t)more;
    }
    return memcmp(got, step->bytes, step->size) == 0 || failed(fake, "the client sent something else");
}

static bool do_send(struct fake *fake, const struct fake_step *step, size_t piece)
{
    for (size_t at = 0; at < step->size; at += piece)
        if (send(fake->connection, step->bytes + at, piece, MSG_NOSIGNAL) != (ssize_t)piece)
            return failed(fake, "cannot send");
    return true;
}

static bool do_gone(struct fake *fake)
{
    char byte;
    ssize_t n = recv(fake->connection, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET) || failed(fake, "the client is still there");
}

static void do_close(struct fake *fake, bool abruptly)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (abruptly)
        setsockopt(fake->connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fake->connection);
    fake->connection = -1;
}

static bool do_step(struct fake *fake, const struct fake_step *step)
{
    switch (step->what) {
    case FAKE_ACCEPT:
        return do_accept(fake);
    case FAKE_EXPECT:
        return do_expect(fake, step);
    case FAKE_SEND:
        return do_send(fake, step, step->size);
    case FAKE_DRIP:
        return do_send(fake, step, 1);
    case FAKE_GONE:
        return do_gone(fake);
    case FAKE_CLOSE:
        do_close(fake, false);
        return true;
    case FAKE_RESET:
        do_close(fake, true);
        return true;
    case FAKE_END:
        break;
    }
    return false;
}

static void *run(void *arg)
{
    struct fake *fake = arg;
    while (do_step(fake, fake->steps))
        fake->steps++;
    if (fake->connection >= 0)
        close(fake->connection);
    return NULL;
}

void fake_start(struct fake *fake, const struct fake_step *steps)
{
    struct timeval patience = {PATIENCE_S, 0};
    *fake = (struct fake){.steps = steps, .connection = -1};
    fake->listener = listen_somewhere(fake->address);
    setsockopt(fake->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
}

void fake_join(struct fake *fake)
{
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    assert_string_equal(fake->failure, "");
    assert_int_equal(fake->steps->what, FAKE_END);
}

/* The msglog protocol by hand: what one wake-up of the loop logs shares one
 * write and one fdatasync, in a preallocated file. Escaping is left out.
 *
 * usage: hand_msglog FOLDER
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/hand.h"

static int log_fd;
static uint8_t lines[1 << 22];
static size_t lines_n;
static off_t log_end;

static void commit(void)
{
    if (lines_n == 0)
        return;
    if (pwrite(log_fd, lines, lines_n, log_end) != (ssize_t)lines_n || fdatasync(log_fd) != 0) {
        perror("log");
        exit(1);
    }
    log_end += (off_t)lines_n;
    lines_n = 0;
}

static void log_line(const uint8_t *text, size_t n)
{
    if (lines_n + n + 8 > sizeof lines)
        commit();
    memcpy(lines + lines_n, "[bob]: ", 7);
    memcpy(lines + lines_n + 7, text, n);
    memcpy(lines + lines_n + 7 + n, "\r\n", 2);
    lines_n += n + 9;
}

static int accepts(struct hand_session *s, const uint8_t *body, size_t n, int phase)
{
    if (n == 0 || phase != s->state + 1)
        return 0;
    if (phase == 1 && body[0] == 0)
        return 0;
    if (phase == 2 && (body[0] & 1) == 0)
        return 0;
    if (phase == 3)
        log_line(body, n);
    else
        s->state++;
    return 1;
}

static long handle(struct hand_session *s, const uint8_t *p, size_t n, uint8_t *out, size_t *out_n)
{
    size_t used = 0;
    while (n - used >= 3 && *out_n < HAND_BUFFER) {
        size_t length = p[used + 1] | (size_t)p[used + 2] << 8;
        if (n - used < 3 + length)
            break;
        int closing = p[used] == 4, good = closing || accepts(s, p + used + 3, length, p[used]);
        out[(*out_n)++] = good ? 0x00 : 0xff;
        used += 3 + length;
        if (closing || !good)
            return -1;
    }
    return (long)used;
}

int main(int argc, char **argv)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/messages.log", argc > 1 ? argv[1] : ".");
    log_fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    if (log_fd < 0 || posix_fallocate(log_fd, 0, 64 << 20) != 0) {
        perror(name);
        return 1;
    }
    return hand_serve(handle, commit);
}

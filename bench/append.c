/* Durable appends, the limit: lines written to a preallocated file and synced,
 * so many at a time, by one thread that does nothing else.
 *
 * usage: append FOLDER BATCH SECONDS
 *
 * Prints appends per second. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE     "[bob]: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
#define FILE_MAX ((off_t)256 << 20)

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_file(const char *folder)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/append.log", folder);
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    if (fd < 0 || posix_fallocate(fd, 0, FILE_MAX) != 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4 || atoi(argv[2]) < 1) {
        fputs("usage: append FOLDER BATCH SECONDS\n", stderr);
        return 4;
    }
    size_t batch = (size_t)atoi(argv[2]), size = batch * (sizeof LINE - 1), done = 0;
    char *lines = malloc(size);
    int fd = open_file(argv[1]);
    off_t at = 0;
    for (size_t i = 0; lines && i < batch; i++)
        memcpy(lines + i * (sizeof LINE - 1), LINE, sizeof LINE - 1);
    double begin = seconds(), end = begin + atof(argv[3]);
    for (; lines && seconds() < end; done += batch, at = at + (off_t)size) {
        if (at + (off_t)size > FILE_MAX)
            at = 0;
        if (pwrite(fd, lines, size, at) != (ssize_t)size || fdatasync(fd) != 0) {
            perror("append");
            return 1;
        }
    }
    printf("%.0f\n", (double)done / (seconds() - begin));
    free(lines);
    return 0;
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "libclient/assay.h"

static const struct assay_command commands[] = {
    {"check", "hold specs against the language; report every error", assay_cmd_check},
    {"serve", "run the reference server of a spec", assay_cmd_serve},
    {"call", "do one call of a spec against a server", assay_cmd_call},
    {"drive", "be a client of a spec that lines on standard input drive", assay_cmd_drive},
    {"gen", "write a client in C or Python from a spec", assay_cmd_gen},
    {"test", "judge an implementation by a spec", assay_cmd_test},
    {"cases", "list or export the cases that a spec yields", assay_cmd_cases},
    {"mutants", "measure the suite of a spec with deliberately wrong servers", assay_cmd_mutants},
    {"link", "stand between clients and a server, and go wrong on purpose", assay_cmd_link},
    {"sim", "try a protocol's promises on a bad network in virtual time", assay_cmd_sim},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void usage(FILE *to)
{
    fputs("usage: assay COMMAND [ARGUMENTS]\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`assay COMMAND --help` tells more, `assay --version` which Assay this is.\n", to);
}

/* What is opened later must not stand where a standard stream did that was closed by whoever started us. */
static void open_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* What could not be told is no success. Who does not read on has read enough. */
static int told(int code)
{
    if (fflush(stdout) == 0 || errno == EPIPE)
        return code;
    fprintf(stderr, "assay: standard output cannot be written: %s\n", strerror(errno));
    return code == ASSAY_EXIT_OK ? ASSAY_EXIT_INTERNAL : code;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    if (argc < 2) {
        usage(stderr);
        return ASSAY_EXIT_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return told(ASSAY_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("assay " ASSAY_VERSION);
        return told(ASSAY_EXIT_OK);
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return told(commands[i].run(argc - 1, argv + 1));
    fprintf(stderr, "assay: unknown command '%s'; `assay --help` lists them\n", argv[1]);
    return ASSAY_EXIT_USAGE;
}

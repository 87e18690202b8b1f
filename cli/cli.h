/* The program `assay`: one table of commands, each in a file cmd_NAME.c. */
#ifndef ASSAY_CLI_H
#define ASSAY_CLI_H

#include "base/args.h"
#include "compiler/compiler.h"

/* Exit codes, those of pytest where it has them. */
enum assay_exit {
    ASSAY_EXIT_OK = 0,
    ASSAY_EXIT_FAILED = 1,
    ASSAY_EXIT_INTERRUPTED = 2,
    ASSAY_EXIT_INTERNAL = 3,
    ASSAY_EXIT_USAGE = 4, /* or the spec has errors */
    ASSAY_EXIT_NOTHING_RAN = 5,
    ASSAY_EXIT_UNREACHABLE = 69,
};

struct assay_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int assay_cmd_check(int argc, char **argv);
int assay_cmd_serve(int argc, char **argv);
int assay_cmd_call(int argc, char **argv);
int assay_cmd_drive(int argc, char **argv);
int assay_cmd_gen(int argc, char **argv);
int assay_cmd_test(int argc, char **argv);
int assay_cmd_cases(int argc, char **argv);
int assay_cmd_mutants(int argc, char **argv);
int assay_cmd_link(int argc, char **argv);
int assay_cmd_sim(int argc, char **argv);

/* How a command ends whose command line says no more (HELP or BAD). */
static inline int assay_cli_exit(enum assay_args_result read)
{
    return read == ASSAY_ARGS_HELP ? ASSAY_EXIT_OK : ASSAY_EXIT_USAGE;
}

/* Load a spec for a command that runs it: prints what is wrong to stderr and
 * returns NULL if it has errors or uses constructs that are declared only. */
struct assay_spec *assay_cli_spec(const char *path);

#endif

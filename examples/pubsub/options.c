/* The command line. */
#include "app.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "../shared/options.h"

static const char after[] =
    "\nA server that restarts is waited for.\n%s"
    "SIGINT and SIGTERM say good-bye first; a second one does not.\n\n"
    "Exit status: 0; 64 usage; 65 lines were refused; 68 unknown host; 69 no server, or lines may not be\n"
    "stored; 73, 78 the state file; 74 input or output; 75 try later; 77 the name is taken.\n";
static const char of_writers[] =
    "Lines end with LF, hold at most 1024 bytes of UTF-8, no NUL and no CR; others are\n"
    "refused, with their number, and the rest goes. The end of the input ends the program when\n"
    "all is stored. Lines of which that is not known are told.\n";
static const char of_readers[] = "Started again it goes on behind the last line that it printed.\n";

static const char useless[] = "has no meaning here";

static int read_words(const struct role *role, struct options *o, int argc, char **argv)
{
    const struct option_row rows[] = {
        OPT_TEXT("username", &o->user, "NAME", "who you are: 1 to 64 bytes; the name is yours from its first use on"),
        OPT_TEXT("address", &o->address, "HOST", "of the server (127.0.0.1)"),
        OPT_NUMBER("port", &o->port, 1, 65535, "PORT", "of the server (12345)"),
        OPT_NUMBER("delay", &o->batch, 1, 65535, "N",
                   role->reads ? "be sent lines when there are at least N (1)" : useless),
        OPT_FLAG("from-start", &o->from_start, role->reads ? "read everything once more" : useless),
        OPT_TEXT("state", &o->state, "FILE",
                 "where token and place are kept\n($XDG_STATE_HOME or ~/.local/state, pubsub/HOST_PORT/NAME)"),
        OPT_FLAG("wait", &o->wait, "go on trying when no server answers at first"),
        OPT_LIST("param", o->params, PARAMS_MAX, "NAME=VALUE",
                 "lease, beat, first, cap, give_up: times as the protocol has them"),
        OPT_END,
    };
    char usage[64], before[256], notes[1024];
    snprintf(usage, sizeof usage, "%s --username NAME [OPTIONS]", role->name);
    snprintf(before, sizeof before, "%s\n\n", role->summary);
    snprintf(notes, sizeof notes, after, role->writes ? of_writers : of_readers);
    const struct option_help help = {usage, before, notes};
    int first = options_read(argc, argv, rows, &help);
    return first >= 0 && (first < argc || !o->user) ? options_wrong(rows, &help) : first;
}

int app_options(struct app *app, int argc, char **argv)
{
    struct options *o = &app->options;
    *o = (struct options){.address = "127.0.0.1", .port = 12345, .batch = 1};
    int first = read_words(app->role, o, argc, argv);
    if (first < 0)
        return first == OPTIONS_HELP ? EX_OK : EX_USAGE;
    if (o->user[0] && strlen(o->user) <= USER_BYTES_MAX && !strpbrk(o->user, "\r\n"))
        return -1;
    app_say(app, "a user name has 1 to %d bytes, on one line", USER_BYTES_MAX);
    return EX_USAGE;
}

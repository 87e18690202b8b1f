/* writer: writes the lines of standard input to a pubsub server. */
#include "app.h"

int main(int argc, char **argv)
{
    static const struct role role = {
        .name = "writer", .summary = "Writes the lines of standard input; ends when all are stored.", .writes = true};
    return app_main(&role, argc, argv);
}

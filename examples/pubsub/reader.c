/* reader: prints the lines that are written to a pubsub server, once each and in order. */
#include "app.h"

int main(int argc, char **argv)
{
    static const struct role role = {
        .name = "reader", .summary = "Prints all lines that are written, once each and in order.", .reads = true};
    return app_main(&role, argc, argv);
}

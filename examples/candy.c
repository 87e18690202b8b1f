/* candy ADDRESS KIND COUNT...: order candies and print how many there were.
 *
 *     assay gen c spec/candy.yaml -o generated
 *     cc -Igenerated -o candy examples/candy.c generated/candy.c $(pkg-config --cflags --libs assay)
 *     ./candy 127.0.0.1:8080 square 12 20
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candy.h"

static const struct {
    const char *name;
    enum candy_kind kind;
} kinds[] = {{"square", CANDY_KIND_SQUARE}, {"bar", CANDY_KIND_BAR}, {"dozen", CANDY_KIND_DOZEN}};

static int find_kind(const char *name, enum candy_kind *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = kinds[i].kind;
            return 1;
        }
    return 0;
}

static int order(struct candy_client *client, enum candy_kind kind, const char *count)
{
    int32_t amount;
    int status = candy_fetch_candy(client, (int32_t)strtol(count, NULL, 10), kind, &amount);
    if (status == CANDY_ERROR_REFUSED) /* the factory says why, and goes on */
        fprintf(stderr, "refused: %s\n", candy_detail(client));
    else if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "%s\n", candy_message(client));
    else
        printf("%" PRId32 "\n", amount);
    return status;
}

int main(int argc, char **argv)
{
    struct candy_client *client;
    enum candy_kind kind;
    if (argc < 4 || !find_kind(argv[2], &kind)) {
        fprintf(stderr, "usage: candy ADDRESS square|bar|dozen COUNT...\n");
        return EXIT_FAILURE;
    }
    int status = candy_open(argv[1], &client), worst = status;
    if (status != ASSAY_CLIENT_OK)
        fprintf(stderr, "%s\n", candy_message(client));
    for (int i = 3; i < argc && status >= 0; i++) {
        status = order(client, kind, argv[i]);
        worst = status ? status : worst;
    }
    candy_close(client);
    return worst ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Socket addresses and their text.
 *
 *   HOST:PORT   [V6]:PORT   *:PORT   :PORT     each with or without "tcp:" or "udp:" before it
 *
 * HOST is a name or an address; "*" and nothing mean every address of this
 * machine when listening. PORT is a number from 0 to 65535.
 */
#ifndef ASSAY_NET_ADDRESS_H
#define ASSAY_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct assay_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

/* A sentence that names the address and says what is wrong. */
struct assay_net_error {
    char text[320];
};

#define ASSAY_ADDRESSES_MAX    8
#define ASSAY_ADDRESS_TEXT_MAX 64

enum assay_address_use { ASSAY_ADDRESS_CONNECT, ASSAY_ADDRESS_LISTEN };

/* Whether `text` begins with "udp:", and with "tcp:". */
bool assay_address_is_udp(const char *text);
bool assay_address_is_tcp(const char *text);

/* Whether nobody can connect to `text`, whatever names are known: it has another form, or no host. */
bool assay_address_is_wrong(const char *text);

/* The addresses that `text` stands for, at most ASSAY_ADDRESSES_MAX, in the
 * order in which to try them; names are looked up, which may block. 0: *error
 * says why. */
size_t assay_address_resolve(const char *text, enum assay_address_use use,
                             struct assay_address addresses[ASSAY_ADDRESSES_MAX], struct assay_net_error *error);

/* "127.0.0.1:80", "[::1]:80". */
void assay_address_format(const struct assay_address *address, char text[ASSAY_ADDRESS_TEXT_MAX]);

/* Same family, host and port. */
bool assay_address_equal(const struct assay_address *a, const struct assay_address *b);

uint16_t assay_address_port(const struct assay_address *address);
void assay_address_set_port(struct assay_address *address, uint16_t port);

/* The address that a socket is bound to. */
bool assay_address_of(int fd, struct assay_address *address);

#endif

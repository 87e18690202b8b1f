#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 256

struct place {
    char host[HOST_MAX];
    char port[6];
};

static size_t refuse(struct assay_net_error *error, const char *text, const char *why)
{
    snprintf(error->text, sizeof error->text, "'%.120s': %s", text, why);
    return 0;
}

static bool is_port(const char *text)
{
    size_t n = strspn(text, "0123456789");
    unsigned port = 0;
    if (n == 0 || n > 5 || text[n] != '\0')
        return false;
    sscanf(text, "%5u", &port);
    return port <= 65535;
}

/* Where the host ends: at `]` of a bracketed one, else at the last colon; NULL if neither is there. */
static const char *host_end(const char *text)
{
    if (text[0] == '[')
        return strchr(text, ']');
    const char *colon = strrchr(text, ':');
    /* An address with several colons needs its brackets, else nobody could tell host from port. */
    return colon && strchr(text, ':') == colon ? colon : NULL;
}

static const char *split(const char *text, struct place *place)
{
    bool bracketed = text[0] == '[';
    const char *end = host_end(text);
    if (!end || (bracketed && end[1] != ':'))
        return "expected HOST:PORT or [IPV6]:PORT";
    const char *host = text + bracketed, *port = end + 1 + bracketed;
    if ((size_t)(end - host) >= HOST_MAX)
        return "the host name is too long";
    if (!is_port(port))
        return "the port is not a number from 0 to 65535";
    memcpy(place->host, host, (size_t)(end - host));
    place->host[end - host] = '\0';
    strcpy(place->port, port);
    return NULL;
}

static size_t copy_all(const struct addrinfo *list, struct assay_address addresses[ASSAY_ADDRESSES_MAX])
{
    size_t n = 0;
    for (; list && n < ASSAY_ADDRESSES_MAX; list = list->ai_next) {
        if (list->ai_addrlen > sizeof addresses[n].v6)
            continue;
        memcpy(&addresses[n].any, list->ai_addr, list->ai_addrlen);
        addresses[n++].size = list->ai_addrlen;
    }
    return n;
}

/* Every address: one socket that takes IPv6 and IPv4. */
static size_t wildcard(const char *port, struct assay_address *address)
{
    unsigned number = 0;
    sscanf(port, "%5u", &number);
    *address = (struct assay_address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)},
                                      .size = sizeof address->v6};
    return 1;
}

bool assay_address_is_udp(const char *text)
{
    return strncmp(text, "udp:", 4) == 0;
}

bool assay_address_is_tcp(const char *text)
{
    return strncmp(text, "tcp:", 4) == 0;
}

static const char *behind_transport(const char *text)
{
    return assay_address_is_udp(text) || assay_address_is_tcp(text) ? text + 4 : text;
}

bool assay_address_is_wrong(const char *text)
{
    struct place place;
    return split(behind_transport(text), &place) || place.host[0] == '\0';
}

size_t assay_address_resolve(const char *text, enum assay_address_use use,
                             struct assay_address addresses[ASSAY_ADDRESSES_MAX], struct assay_net_error *error)
{
    struct place place;
    const char *wrong = split(behind_transport(text), &place);
    if (wrong)
        return refuse(error, text, wrong);
    bool all = place.host[0] == '\0' || strcmp(place.host, "*") == 0;
    if (all && use == ASSAY_ADDRESS_CONNECT)
        return refuse(error, text, "a host is missing: expected HOST:PORT or [IPV6]:PORT");
    if (all)
        return wildcard(place.port, addresses);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(place.host, place.port, &hints, &list);
    if (rc != 0)
        return refuse(error, text, gai_strerror(rc));
    size_t n = copy_all(list, addresses);
    freeaddrinfo(list);
    return n > 0 ? n : refuse(error, text, "no usable address");
}

void assay_address_format(const struct assay_address *address, char text[ASSAY_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool v6 = address->any.sa_family == AF_INET6;
    inet_ntop(address->any.sa_family, v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr, host,
              sizeof host);
    snprintf(text, ASSAY_ADDRESS_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host, assay_address_port(address));
}

bool assay_address_equal(const struct assay_address *a, const struct assay_address *b)
{
    if (a->any.sa_family != b->any.sa_family || assay_address_port(a) != assay_address_port(b))
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) && a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

uint16_t assay_address_port(const struct assay_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void assay_address_set_port(struct assay_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

bool assay_address_of(int fd, struct assay_address *address)
{
    address->size = sizeof address->v6;
    return getsockname(fd, &address->any, &address->size) == 0;
}

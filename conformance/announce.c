#include "conformance/announce.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_host(const char *from, size_t n)
{
    char host[64];
    struct in_addr v4;
    struct in6_addr v6;
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, from, n);
    host[n] = '\0';
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &v6) == 1;
    }
    return strcmp(host, "*") == 0 || strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &v4) == 1;
}

static bool is_host_char(char c)
{
    return isalnum((unsigned char)c) || strchr(".[]*", c);
}

/* The wildcard is reached over loopback. */
static const char *reachable(const char *host, size_t n)
{
    if (n == 4 && memcmp(host, "[::]", 4) == 0)
        return "[::1]";
    return (n == 7 && memcmp(host, "0.0.0.0", 7) == 0) || (n == 1 && *host == '*') ? "127.0.0.1" : NULL;
}

bool assay_announced_take(struct assay_announced *t, enum assay_carrier carrier, const char *host, size_t n,
                          const char *port)
{
    char place[128];
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    struct assay_net_error error;
    size_t digits = strspn(port, "0123456789");
    const char *instead = reachable(host, n);
    if (digits == 0 || digits > 5)
        return false;
    if (instead)
        snprintf(place, sizeof place, "%s:%.*s", instead, (int)digits, port);
    else
        snprintf(place, sizeof place, "%.*s:%.*s", (int)n, host, (int)digits, port);
    if (assay_address_resolve(place, ASSAY_ADDRESS_CONNECT, found, &error) == 0 || assay_address_port(&found[0]) == 0)
        return false;
    t->at[carrier] = found[0];
    t->has[carrier] = true;
    return true;
}

static size_t host_before(const char *line, const char *end)
{
    const char *p = end;
    if (p > line && p[-1] == ']')
        while (p > line && *p != '[')
            p--;
    else
        while (p > line && is_host_char(p[-1]))
            p--;
    return (size_t)(end - p);
}

/* "udp:" stands before it; else it is one of TCP. */
static enum assay_carrier carrier_of(const char *line, const char *host)
{
    return host - line >= 4 && memcmp(host - 4, "udp:", 4) == 0 ? ASSAY_CARRIER_UDP : ASSAY_CARRIER_TCP;
}

/* The first ADDR:PORT in a line; the first line of each carrier counts. */
static void scan_line(struct assay_announced *t, const char *line)
{
    for (const char *colon = strchr(line, ':'); colon; colon = strchr(colon + 1, ':')) {
        size_t n = host_before(line, colon);
        enum assay_carrier carrier = carrier_of(line, colon - n);
        if (is_host(colon - n, n) && (t->has[carrier] || assay_announced_take(t, carrier, colon - n, n, colon + 1)))
            return;
    }
}

void assay_announced_scan(struct assay_announced *t, struct assay_lines *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n' && p->n + 1 < sizeof p->line)
            p->line[p->n++] = bytes[i] ? bytes[i] : ' ';
        if (bytes[i] != '\n')
            continue;
        p->line[p->n] = '\0';
        p->n = 0;
        scan_line(t, p->line);
    }
}

#include <weir/base/net.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

/* "127.0.0.1:80" or "[::1]:80" */
static enum weir_err parse_address(const char *text, struct sockaddr_storage *out, socklen_t *out_bytes)
{
    char host[INET6_ADDRSTRLEN + 1];
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1]) return WEIR_CONFIG;
    char *end;
    errno = 0;
    const unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || errno || port > 65535 || colon[1] < '0' || colon[1] > '9') return WEIR_CONFIG;
    const bool is_bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    const char *first = is_bracketed ? text + 1 : text;
    const size_t bytes = (size_t)(is_bracketed ? colon - 1 - first : colon - first);
    if (bytes >= sizeof host) return WEIR_CONFIG;
    memcpy(host, first, bytes);
    host[bytes] = 0;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (!is_bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *out_bytes = sizeof *v4;
        return WEIR_OK;
    }
    if (is_bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *out_bytes = sizeof *v6;
        return WEIR_OK;
    }
    return WEIR_CONFIG;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static uint16_t local_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    memset(&address, 0, sizeof address);
    return getsockname(fd, (struct sockaddr *)&address, &bytes) ? 0 : port_of(&address);
}

enum weir_err net_listen(const char *address, int *fd, uint16_t *bound_port)
{
    struct sockaddr_storage parsed;
    socklen_t bytes = 0;
    const enum weir_err err = parse_address(address, &parsed, &bytes);
    if (err) return err;
    const int listener = socket(parsed.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) return WEIR_IO;
    const int on = 1, off = 0;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (parsed.ss_family == AF_INET6) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(listener, (struct sockaddr *)&parsed, bytes) || listen(listener, BACKLOG)) {
        const int why = errno;
        close(listener);
        errno = why;
        return WEIR_IO;
    }
    *fd = listener;
    *bound_port = local_port(listener);
    return WEIR_OK;
}

enum weir_err net_bind_datagram(const char *address, int *fd, uint16_t *bound_port)
{
    struct sockaddr_storage parsed;
    socklen_t bytes = 0;
    const enum weir_err err = parse_address(address, &parsed, &bytes);
    if (err) return err;
    const int bound = socket(parsed.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), off = 0;
    if (bound < 0) return WEIR_IO;
    if (parsed.ss_family == AF_INET6) setsockopt(bound, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(bound, (struct sockaddr *)&parsed, bytes)) {
        const int why = errno;
        close(bound);
        errno = why;
        return WEIR_IO;
    }
    *fd = bound;
    *bound_port = local_port(bound);
    return WEIR_OK;
}

int net_accept(int listen_fd, struct sockaddr_storage *peer)
{
    socklen_t bytes = sizeof *peer;
    return accept4(listen_fd, (struct sockaddr *)peer, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void net_address_bytes(const struct sockaddr_storage *peer, uint8_t out[16])
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    if (peer->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
        return;
    }
    memcpy(out, mapped, 12);
    memcpy(out + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
}

bool net_parse_numeric(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return true;
}

static bool is_mapped(const uint8_t address[16])
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    return !memcmp(address, mapped, 12);
}

void net_format_peer(const struct sockaddr_storage *peer, char out[NET_PEER_BYTES])
{
    uint8_t address[16];
    char host[INET6_ADDRSTRLEN];
    net_address_bytes(peer, address);
    const unsigned port = port_of(peer);
    if (is_mapped(address)) {
        inet_ntop(AF_INET, address + 12, host, sizeof host);
        snprintf(out, NET_PEER_BYTES, "%s:%u", host, port);
    } else {
        inet_ntop(AF_INET6, address, host, sizeof host);
        snprintf(out, NET_PEER_BYTES, "[%s]:%u", host, port);
    }
}

bool net_address_is_loopback(const uint8_t address[16])
{
    static const uint8_t v6_loopback[16] = { [15] = 1 };
    return is_mapped(address) ? address[12] == 127 : !memcmp(address, v6_loopback, 16);
}

#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/base/net.h>

enum weir_err dial_find(const char *host, uint16_t port, bool is_any_host, struct sockaddr_storage *out,
                        socklen_t *out_bytes)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) || !found) return WEIR_NOT_FOUND;
    memset(out, 0, sizeof *out);
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *out_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    uint8_t address[16];
    net_address_bytes(out, address);
    return is_any_host || net_address_is_loopback(address) ? WEIR_OK : WEIR_DENIED;
}

static bool wait_connected(int fd, int64_t timeout_us)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int ready, error = 0;
    while ((ready = poll(&p, 1, (int)(timeout_us / 1000))) < 0 && errno == EINTR) continue;
    if (!ready) errno = ETIMEDOUT;
    if (ready <= 0) return false;
    socklen_t bytes = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    errno = error;
    return !error;
}

enum weir_err dial_tcp(const struct sockaddr_storage *to, socklen_t to_bytes, int64_t timeout_us, int *out)
{
    const int on = 1, fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return WEIR_IO;
    const struct timeval wait = { .tv_sec = timeout_us / 1000000, .tv_usec = timeout_us % 1000000 };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)to, to_bytes) &&
        (errno != EINPROGRESS || !wait_connected(fd, timeout_us))) {
        const int why = errno;
        close(fd);
        errno = why;
        return WEIR_IO;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    *out = fd;
    return WEIR_OK;
}

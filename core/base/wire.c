#include <weir/base/wire.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tls_internal.h"

void wire_init_plain(struct wire *w, int fd)
{
    *w = (struct wire){ .fd = fd };
}

enum weir_err wire_init_tls(struct wire *w, int fd, struct tls_server *tls, size_t loop_index,
                            enum wire_application application, void (*ready)(void *), void *context)
{
    struct tls_channel *channel = tls_channel_create(fd, tls_server_desk(tls, loop_index), application, ready, context);
    if (!channel) return WEIR_NOMEM;
    *w = (struct wire){ .fd = fd, .tls = channel };
    return WEIR_OK;
}

void wire_deinit(struct wire *w)
{
    tls_channel_destroy(w->tls);
    w->tls = NULL;
}

static enum wire_result from_errno(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_AGAIN : WIRE_BROKEN;
}

enum wire_result wire_read(struct wire *w, void *out, size_t bytes, size_t *got)
{
    if (w->tls) return tls_channel_read(w->tls, out, bytes, got);
    for (;;) {
        const ssize_t result = recv(w->fd, out, bytes, 0);
        if (result < 0 && errno == EINTR) continue;
        if (result < 0) return from_errno();
        *got = (size_t)result;
        return result ? WIRE_OK : WIRE_CLOSED;
    }
}

enum wire_result wire_write(struct wire *w, const struct iovec *pieces, int count, bool is_more_coming, size_t *sent)
{
    if (w->tls) return tls_channel_write(w->tls, pieces, count, sent);
    const struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    for (;;) {
        const ssize_t result = sendmsg(w->fd, &message, MSG_NOSIGNAL | (is_more_coming ? MSG_MORE : 0));
        if (result < 0 && errno == EINTR) continue;
        if (result < 0) return from_errno();
        *sent = (size_t)result;
        return WIRE_OK;
    }
}

bool wire_end_writing(struct wire *w)
{
    if (w->tls) tls_channel_say_end(w->tls);
    return !shutdown(w->fd, SHUT_WR);
}

unsigned wire_watch(const struct wire *w, unsigned wanted)
{
    return w->tls ? tls_channel_watch(w->tls, wanted) : wanted;
}

bool wire_has_buffered(const struct wire *w)
{
    return w->tls && tls_channel_has_buffered(w->tls);
}

bool wire_is_open(const struct wire *w)
{
    return !w->tls || tls_channel_is_open(w->tls);
}

bool wire_is_http_2(const struct wire *w)
{
    return w->tls && tls_channel_is_http_2(w->tls);
}

bool wire_is_plain_talk(const struct wire *w)
{
    return w->tls && tls_channel_is_plain_talk(w->tls);
}

const char *wire_error(const struct wire *w)
{
    return w->tls ? tls_channel_error(w->tls) : strerror(errno);
}

#include "srt_pull.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/net.h>

#include "resolve.h"
#include "srt_connection.h"
#include "srt_guard.h"
#include "srt_library.h"

#define PAUSE_US_MIN (1000 * 1000LL)
#define PAUSE_US_MAX (30 * 1000000LL)
#define LASTED_US (10 * 1000000LL) /* a stream that lasted so long was no failure: the pauses begin anew */

struct srt_pull {
    struct srt_watch watch; /* first: the watch is the pull, while it connects */
    struct srt_home *home;
    struct srt_pull_config config;
    struct loop_timer *timer;
    struct resolve *resolve;
    char target[NET_PEER_BYTES + SRT_HOST_BYTES_MAX]; /* host and port alone: the rest of the URL holds secrets */
    char peer[NET_PEER_BYTES];
    uint8_t address[16];
    int64_t pause_us;
};

static void try_again(struct srt_pull *p, const char *event, const char *reason)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = (uint32_t)clock_now_us();
    /* from three quarters to five quarters: many who lost the same encoder do not come back in step */
    const int64_t pause_us = p->pause_us * 3 / 4 + (int64_t)(random % 1024) * p->pause_us / 2048;
    log_event(LOG_INGEST, LOG_WARN, p->config.stream, event, "target=%s reason=\"%s\" again_ms=%lld", p->target, reason,
              (long long)pause_us / 1000);
    p->pause_us = p->pause_us * 2 < PAUSE_US_MAX ? p->pause_us * 2 : PAUSE_US_MAX;
    loop_timer_arm(p->timer, pause_us);
}

static void fail(struct srt_pull *p, const char *reason)
{
    counter_add(p->home->counters, COUNTER_SRT_PULLS_FAILED, 1);
    try_again(p, "pull_failed", reason);
}

static void drop_socket(struct srt_pull *p)
{
    if (p->watch.socket == SRT_INVALID_SOCK) return;
    srt_pass_unwatch(p->home->pass, &p->watch);
    srt_close(p->watch.socket);
    p->watch.socket = SRT_INVALID_SOCK;
}

static void on_ended(void *context, const char *reason, int64_t lasted_us)
{
    struct srt_pull *p = context;
    if (lasted_us >= LASTED_US) p->pause_us = PAUSE_US_MIN;
    try_again(p, "pull_ended", reason);
}

static void publish(struct srt_pull *p)
{
    const SRTSOCKET socket = p->watch.socket;
    struct publish_request request = { .protocol = "srt-pull", .is_configured = true };
    const struct srt_connection_owner owner = { .context = p, .ended = on_ended };
    srt_pass_unwatch(p->home->pass, &p->watch);
    p->watch.socket = SRT_INVALID_SOCK;
    snprintf(request.name, sizeof request.name, "%s", p->config.stream);
    memcpy(request.peer, p->peer, sizeof request.peer);
    memcpy(request.address, p->address, sizeof request.address);
    if (srt_connection_adopt(p->home, socket, &request, &owner)) fail(p, "out of memory");
}

static void on_ready(struct srt_watch *w, int events)
{
    struct srt_pull *p = (struct srt_pull *)w;
    const SRT_SOCKSTATUS state = srt_getsockstate(w->socket);
    if (state == SRTS_CONNECTED) {
        publish(p);
    } else if (state != SRTS_CONNECTING) {
        const char *reason = srt_library_reject_text(srt_getrejectreason(w->socket));
        drop_socket(p);
        fail(p, reason);
    }
}

/* "": it is on its way. */
static const char *dial(struct srt_pull *p, const struct sockaddr_storage *address)
{
    const struct srt_url *url = &p->config.url;
    p->watch.socket = srt_create_socket();
    if (p->watch.socket == SRT_INVALID_SOCK) return "libsrt gives no socket";
    const char *refused = srt_library_apply(p->watch.socket, &p->config.options, SRT_ROLE_CALLER);
    if (refused) return "libsrt does not take the options";
    const int connect_ms = url->connect_us == SRT_UNSAID ? SRT_CONNECT_MS : (int)(url->connect_us / 1000);
    srt_setsockflag(p->watch.socket, SRTO_CONNTIMEO, &connect_ms, sizeof connect_ms);
    if (url->streamid[0] &&
        srt_setsockflag(p->watch.socket, SRTO_STREAMID, url->streamid, (int)strlen(url->streamid)) < 0)
        return "libsrt does not take the stream id";
    const char *any = address->ss_family == AF_INET6 ? "[::]:0" : "0.0.0.0:0";
    int fd = -1;
    uint16_t port;
    if (net_bind_datagram(any, &fd, &port)) return "no UDP socket";
    if (srt_guard_attach(fd))
        log_event(LOG_INGEST, LOG_WARN, p->config.stream, "srt_guard_missing", "reason=\"%s\"", strerror(errno));
    if (srt_bind_acquire(p->watch.socket, fd) < 0) {
        close(fd);
        return srt_getlasterror_str();
    }
    if (srt_pass_watch(p->home->pass, &p->watch, SRT_EPOLL_OUT | SRT_EPOLL_ERR))
        return "libsrt does not watch the socket";
    const int bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return srt_connect(p->watch.socket, (const struct sockaddr *)address, bytes) < 0 ? srt_getlasterror_str() : "";
}

static void on_resolved(void *context, const struct sockaddr_storage *address, const char *why)
{
    struct srt_pull *p = context;
    p->resolve = NULL;
    if (!address) {
        fail(p, why);
        return;
    }
    net_format_peer(address, p->peer);
    net_address_bytes(address, p->address);
    const char *wrong = dial(p, address);
    if (!*wrong) return;
    drop_socket(p);
    fail(p, wrong);
}

static void on_timer(void *context)
{
    struct srt_pull *p = context;
    struct sockaddr_storage address;
    counter_add(p->home->counters, COUNTER_SRT_PULLS, 1);
    if (net_parse_numeric(p->config.url.host, p->config.url.port, &address)) {
        on_resolved(p, &address, "");
        return;
    }
    p->resolve = resolve_start(p->home->loop, p->config.url.host, p->config.url.port, on_resolved, p);
    if (!p->resolve) fail(p, "no thread to look up the name");
}

enum weir_err srt_pull_create(struct srt_pull **out, struct srt_home *home, const struct srt_pull_config *config)
{
    struct srt_pull *p = calloc(1, sizeof *p);
    if (!p) return WEIR_NOMEM;
    p->home = home;
    p->config = *config;
    p->watch = (struct srt_watch){ .socket = SRT_INVALID_SOCK, .ready = on_ready, .is_close = true };
    p->pause_us = PAUSE_US_MIN;
    const bool is_v6 = strchr(config->url.host, ':') != NULL;
    snprintf(p->target, sizeof p->target, is_v6 ? "[%s]:%u" : "%s:%u", config->url.host, config->url.port);
    p->timer = loop_timer_create(home->loop, on_timer, p);
    if (!p->timer) {
        srt_pull_destroy(p);
        return WEIR_NOMEM;
    }
    loop_timer_arm(p->timer, 0);
    *out = p;
    return WEIR_OK;
}

void srt_pull_destroy(struct srt_pull *p)
{
    if (!p) return;
    resolve_cancel(p->resolve);
    drop_socket(p);
    loop_timer_destroy(p->timer);
    explicit_bzero(&p->config, sizeof p->config);
    free(p);
}

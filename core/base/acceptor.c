#include <weir/base/acceptor.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/log_burst.h>
#include <weir/base/loop.h>
#include <weir/base/net.h>

#define LISTENERS_MAX 16
#define ACCEPTS_PER_TURN 64

struct listener {
    struct acceptor *acceptor;
    struct event *event;
    int fd;
    bool is_tls;
};

struct acceptor {
    struct acceptor_config config;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    size_t next_loop; /* first loop's thread */
    _Atomic bool is_stopped;
    int reserve_fd; /* given up for a moment to refuse a connection when descriptors have run out */
    struct log_burst starved;
};

/* A socket on its way to its loop. */
struct newcomer {
    size_t loop_index;
    int fd;
    bool is_tls;
    struct sockaddr_storage peer;
};

enum weir_err acceptor_create(struct acceptor **out, const struct acceptor_config *config)
{
    struct acceptor *a = calloc(1, sizeof *a);
    if (!a) return WEIR_NOMEM;
    a->config = *config;
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = a;
    return WEIR_OK;
}

static void on_newcomer(void *context, void *message)
{
    struct acceptor *a = context;
    struct newcomer *n = message;
    a->config.arrived(a->config.context, n->loop_index, n->fd, &n->peer, n->is_tls);
    free(n);
}

static void refuse_starved(struct acceptor *a, int listen_fd)
{
    uint64_t left_out;
    if (log_burst_take(&a->starved, clock_now_us(), &left_out))
        log_event(LOG_BASE, LOG_ERROR, "-", "no_descriptors",
                  "reason=\"too many open files: raise the limit (ulimit -n, LimitNOFILE=)\" not_logged=%llu",
                  (unsigned long long)left_out);
    if (a->reserve_fd >= 0) close(a->reserve_fd);
    const int fd = accept(listen_fd, NULL, NULL);
    if (fd >= 0) close(fd);
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    a->config.starved(a->config.context);
}

static void hand_over(const struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct acceptor *a = l->acceptor;
    struct newcomer *n = malloc(sizeof *n);
    if (n) {
        *n = (struct newcomer){
            .loop_index = a->next_loop++ % a->config.loop_count, .fd = fd, .is_tls = l->is_tls, .peer = *peer
        };
        if (loop_post(a->config.loops[n->loop_index], on_newcomer, a, n) == WEIR_OK) return;
    }
    free(n);
    close(fd);
    a->config.lost(a->config.context, peer);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *context)
{
    struct listener *l = context;
    struct acceptor *a = l->acceptor;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        if (atomic_load(&a->is_stopped)) {
            event_del(l->event);
            return;
        }
        const int fd = net_accept((int)listen_fd, &peer);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) refuse_starved(a, (int)listen_fd);
        if (fd < 0) return;
        if (a->config.admit(a->config.context, fd, &peer))
            hand_over(l, fd, &peer);
        else
            close(fd);
    }
}

enum weir_err acceptor_listen(struct acceptor *a, const char *address, bool is_tls, uint16_t *bound_port)
{
    if (a->listener_count == LISTENERS_MAX) return WEIR_LIMIT;
    struct listener *l = &a->listeners[a->listener_count];
    const enum weir_err err = net_listen(address, &l->fd, bound_port);
    if (err) return err;
    l->acceptor = a;
    l->is_tls = is_tls;
    l->event = event_new(loop_event_base(a->config.loops[0]), l->fd, EV_READ | EV_PERSIST, on_accept, l);
    if (!l->event || event_add(l->event, NULL)) {
        if (l->event) event_free(l->event);
        close(l->fd);
        errno = ENOMEM;
        return WEIR_IO;
    }
    a->listener_count++;
    return WEIR_OK;
}

void acceptor_stop(struct acceptor *a)
{
    if (a) atomic_store(&a->is_stopped, true);
}

void acceptor_destroy(struct acceptor *a)
{
    if (!a) return;
    for (size_t i = 0; i < a->listener_count; i++) {
        event_free(a->listeners[i].event);
        close(a->listeners[i].fd);
    }
    if (a->reserve_fd >= 0) close(a->reserve_fd);
    free(a);
}

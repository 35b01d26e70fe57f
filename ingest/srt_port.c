#include "srt_port.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>
#include <weir/base/net.h>

#include "refusal.h"
#include "srt_connection.h"
#include "srt_guard.h"
#include "srt_library.h"
#include "token_bucket.h"

#define BACKLOG 256    /* let in and not accepted yet: a pass takes them all, so hundreds mean that our loop hangs */
#define NOTES_MAX 128  /* about callers, under way from libsrt's thread to the loop; more are counted and not logged */
#define KNOCKS_MAX 128 /* let in and not heard of again yet */
#define KNOCK_US (1000 * 1000LL) /* a caller that was let in stands in the accept queue at once, or never */
#define AWAKE_AFTER_KNOCK_US (2 * 1000000LL)
#define RECEIVE_BUSY_US (10 * 1000LL)  /* libsrt's own: its sockets' timers run when receiving times out */
#define RECEIVE_IDLE_US (500 * 1000LL) /* without sockets there are no timers to run */
#define PORT_BURST_SECONDS 3
#define ADDRESS_BURST_SECONDS 4

/* A caller who was let in, until it is accepted. */
struct knock {
    int64_t at_us; /* 0: free */
    char peer[NET_PEER_BYTES];
    char name[STREAM_NAME_BYTES_MAX + 1];
    bool has_passphrase;
};

struct srt_port {
    struct srt_watch watch; /* first: the watch is the port */
    struct srt_home *home;
    struct srt_streamid_rules rules;
    const void *look_port;
    bool has_groups;
    int fd; /* of our own on the socket that libsrt has: for what the kernel says of it */
    /* the loop's */
    struct knock knocks[KNOCKS_MAX];
    /* of libsrt's receiving thread alone */
    struct token_bucket attempts;
    struct address_buckets *attempts_of;
    struct counters counters;
    /* of both */
    _Atomic unsigned notes_under_way;
};

/* From libsrt's thread to the loop: what became of a caller. */
struct note {
    struct srt_port *port;
    enum srt_reject code;
    const char *why;
    struct knock caller;
    bool is_link;
};

/* How long libsrt's receiving thread sleeps where no packet comes: it wakes for the timers of connections, and without any that is all
 * it does, a hundred times a second. Any thread. */
static void set_receive_timeout(const struct srt_port *p, int64_t us)
{
    const struct timeval timeout = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
    if (setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout))
        log_event(LOG_INGEST, LOG_WARN, "-", "srt_receive_timeout", "us=%lld reason=\"%s\"", (long long)us,
                  strerror(errno));
}

/* -- on libsrt's receiving thread: memory only -- */

struct decision {
    enum srt_reject code;
    const char *why;
    enum counter counter;
    struct publish_request request;
    bool has_passphrase;
    bool is_link; /* of bonded ones: the second and later ones never stand in the accept queue */
};

static void refuse(struct decision *d, enum srt_reject code, enum counter counter, const char *why)
{
    d->code = code;
    d->counter = counter;
    d->why = why;
}

static void check_load(struct srt_port *p, struct decision *d, int64_t now_us)
{
    const struct srt_server_config *config = &p->home->shared->config;
    const struct token_rate port = { config->attempts_per_second, config->attempts_per_second * PORT_BURST_SECONDS };
    const struct token_rate address = { config->attempts_per_address_per_second,
                                        config->attempts_per_address_per_second * ADDRESS_BURST_SECONDS };
    if (atomic_load(&p->home->shared->is_stopping))
        refuse(d, SRT_REJECT_DOWN, COUNTER_SRT_REFUSED_TOTAL, "the server is stopping");
    else if (atomic_load(&p->home->shared->connections) >= config->connections_max)
        refuse(d, SRT_REJECT_OVERLOAD, COUNTER_SRT_REFUSED_TOTAL, "too many SRT connections (srt.connections)");
    else if (!address_counts_has_room(&p->home->shared->addresses, d->request.address,
                                      config->connections_per_address_max))
        refuse(d, SRT_REJECT_OVERLOAD, COUNTER_SRT_REFUSED_ADDRESS,
               "too many SRT connections from this address (srt.connections_per_address)");
    else if (!address_buckets_take(p->attempts_of, d->request.address, &address, now_us))
        refuse(d, SRT_REJECT_OVERLOAD, COUNTER_SRT_REFUSED_RATE,
               "too many attempts from this address (srt.attempts_per_address)");
    else if (!token_bucket_take(&p->attempts, &port, now_us))
        refuse(d, SRT_REJECT_OVERLOAD, COUNTER_SRT_REFUSED_RATE, "too many attempts (srt.attempts)");
}

static const char wrong_key[] = "the key is missing or wrong: the stream id is #!::r=NAME,m=publish,s=KEY; KEY stands "
                                "in the server's file publish.key, or in its configuration";

static void refuse_verdict(struct decision *d, enum publish_verdict verdict)
{
    refuse(d, srt_reject_for(verdict), refusal_counter(verdict),
           verdict == PUBLISH_BAD_KEY ? wrong_key : publish_verdict_text(verdict));
}

static void check_request(struct srt_port *p, struct decision *d, SRTSOCKET caller, int hs_version,
                          const char *streamid)
{
    const struct srt_server_config *config = &p->home->shared->config;
    struct srt_options options;
    struct stream_policy policy;
    const enum srt_reject code = srt_streamid_parse(streamid, &p->rules, &d->request, &d->why);
    if (code) {
        refuse(d, code, code == SRT_REJECT_UNAUTHORIZED ? COUNTER_PUBLISH_REFUSED_KEY : COUNTER_PUBLISH_REFUSED_NAME,
               d->why);
        return;
    }
    d->is_link = p->has_groups && srt_library_get_number(caller, SRTO_GROUPTYPE) > 0;
    enum publish_verdict verdict = config->look(config->context, p->look_port, &d->request, &options, &policy);
    /* a second link finds its first one publishing; whether it belongs to it libsrt knows, and the claim tells */
    if (verdict == PUBLISH_ALLOWED && !d->is_link) verdict = registry_foresee(config->registry, &d->request, &policy);
    if (verdict != PUBLISH_ALLOWED) {
        refuse_verdict(d, verdict);
        return;
    }
    d->has_passphrase = options.passphrase[0] != 0;
    if (d->has_passphrase && hs_version < 5)
        refuse(
            d, SRT_REJECT_VERSION, COUNTER_SRT_REFUSED_TOTAL,
            "this name wants a passphrase, and the caller is older than SRT 1.3: its encryption cannot be held to it");
    else if (srt_library_apply(caller, &options, SRT_ROLE_ACCEPTED))
        refuse(d, SRT_REJECT_INTERNAL, COUNTER_SRT_REFUSED_TOTAL, "libsrt did not take the options of this path");
    explicit_bzero(&options.passphrase, sizeof options.passphrase);
}

static void on_note(void *a, void *b);

/* false: the loop will not hear of it. */
static bool tell_loop(struct srt_port *p, const struct decision *d, int64_t now_us)
{
    if (atomic_fetch_add(&p->notes_under_way, 1) < NOTES_MAX) {
        struct note *note = malloc(sizeof *note);
        if (note) {
            *note = (struct note){ .port = p, .code = d->code, .why = d->why, .is_link = d->is_link };
            note->caller = (struct knock){ .at_us = now_us, .has_passphrase = d->has_passphrase };
            memcpy(note->caller.name, d->request.name, sizeof note->caller.name);
            memcpy(note->caller.peer, d->request.peer, sizeof note->caller.peer);
            if (loop_post(p->home->loop, on_note, note, NULL) == WEIR_OK) return true;
            free(note);
        }
    }
    atomic_fetch_sub(&p->notes_under_way, 1);
    return false;
}

static int on_caller(void *context, SRTSOCKET caller, int hs_version, const struct sockaddr *peer, const char *streamid)
{
    struct srt_port *p = context;
    const int64_t now_us = clock_now_us();
    struct decision d = { .code = SRT_ACCEPT, .why = "", .request = { .protocol = "srt" } };
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    memcpy(&address, peer, peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    net_address_bytes(&address, d.request.address);
    net_format_peer(&address, d.request.peer);
    counter_add(&p->counters, COUNTER_SRT_ATTEMPTS, 1);
    check_load(p, &d, now_us);
    if (!d.code) check_request(p, &d, caller, hs_version, streamid ? streamid : "");
    explicit_bzero(d.request.key, sizeof d.request.key);
    /* one that the loop does not hear of would not be accepted before the next one knocks */
    const bool is_told = tell_loop(p, &d, now_us);
    if (!is_told && !d.code) refuse(&d, SRT_REJECT_OVERLOAD, COUNTER_SRT_REFUSED_RATE, "too many at once");
    if (!d.code) {
        set_receive_timeout(p, RECEIVE_BUSY_US);
        return 0;
    }
    counter_add(&p->counters, d.counter, 1);
    srt_setrejectreason(caller, (int)d.code); /* libsrt 1.5.1 would say 1000 by itself */
    return -1;
}

/* -- on the loop -- */

static void keep_knock(struct srt_port *p, const struct knock *caller)
{
    struct knock *oldest = &p->knocks[0];
    for (size_t i = 0; i < KNOCKS_MAX && oldest->at_us; i++) {
        if (p->knocks[i].at_us < oldest->at_us) oldest = &p->knocks[i];
    }
    *oldest = *caller;
}

static void forget_knock(struct srt_port *p, const char *peer)
{
    for (size_t i = 0; i < KNOCKS_MAX; i++) {
        if (p->knocks[i].at_us && !strcmp(p->knocks[i].peer, peer)) p->knocks[i].at_us = 0;
    }
}

static void on_note(void *a, void *b)
{
    struct note *note = a;
    struct srt_port *p = note->port;
    atomic_fetch_sub(&p->notes_under_way, 1);
    if (note->code) {
        log_event(LOG_INGEST, LOG_WARN, note->caller.name[0] ? note->caller.name : "-", "publish_refused",
                  "peer=%s protocol=srt code=%d reason=%s text=\"%s\"", note->caller.peer, (int)note->code,
                  srt_reject_name(note->code), note->why);
    } else {
        if (!note->is_link) keep_knock(p, &note->caller);
        set_receive_timeout(p, RECEIVE_BUSY_US); /* again: the port may have been put to rest in between */
        srt_home_keep_ticking(p->home);
        srt_pass_stay_awake(p->home->pass, note->caller.at_us + AWAKE_AFTER_KNOCK_US);
    }
    free(note);
}

static void on_ready(struct srt_watch *w, int events)
{
    struct srt_port *p = (struct srt_port *)w;
    struct sockaddr_storage peer;
    int bytes = sizeof peer;
    memset(&peer, 0, sizeof peer);
    const SRTSOCKET socket = srt_accept(w->socket, (struct sockaddr *)&peer, &bytes);
    if (socket == SRT_INVALID_SOCK) return;
    char text[NET_PEER_BYTES];
    net_format_peer(&peer, text);
    forget_knock(p, text);
    srt_connection_accept(p->home, socket, &peer, &p->rules, p->look_port);
}

bool srt_port_tick(struct srt_port *p, int64_t now_us)
{
    bool has_knocks = false;
    for (size_t i = 0; i < KNOCKS_MAX; i++) {
        struct knock *k = &p->knocks[i];
        if (!k->at_us) continue;
        has_knocks = true;
        if (now_us - k->at_us < KNOCK_US) continue;
        k->at_us = 0;
        counter_add(p->home->counters, COUNTER_SRT_HANDSHAKE_FAILED, 1);
        log_event(LOG_INGEST, LOG_WARN, k->name, "publish_refused", "peer=%s protocol=srt reason=handshake text=\"%s\"",
                  k->peer,
                  k->has_passphrase
                      ? "its passphrase is wrong or missing: it must be the one of srt.passphrase for this name"
                      : "it sent a passphrase and this name has none (srt.passphrase), or its options do not fit");
    }
    return has_knocks;
}

void srt_port_rest(struct srt_port *p)
{
    set_receive_timeout(p, RECEIVE_IDLE_US);
}

/* -- life -- */

static enum weir_err set_up(struct srt_port *p, const struct srt_port_config *config, char error[SRT_ERROR_BYTES])
{
    p->watch.socket = srt_create_socket();
    if (p->watch.socket == SRT_INVALID_SOCK) return WEIR_NOMEM;
    const char *refused = srt_library_apply(p->watch.socket, &config->options, SRT_ROLE_LISTENER);
    if (refused) {
        snprintf(error, SRT_ERROR_BYTES, "srt.%s: libsrt does not take this value", refused);
        return WEIR_CONFIG;
    }
    p->has_groups = srt_library_allow_groups(p->watch.socket);
    if (srt_listen_callback(p->watch.socket, on_caller, p) < 0) return WEIR_IO;
    return WEIR_OK;
}

static void say_buffer(int fd, const struct srt_port_config *config)
{
    int got = 0;
    socklen_t bytes = sizeof got;
    /* the kernel doubles what it is asked for, for its own use, and says the double */
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &bytes) || got / 2 >= config->options.udp_buffer_bytes) return;
    log_event(
        LOG_INGEST, LOG_INFO, "-", "srt_buffer_small",
        "address=%s wanted=%lld got=%d text=\"bursts over this are lost; sysctl net.core.rmem_max=%lld gives more\"",
        config->address, (long long)config->options.udp_buffer_bytes, got / 2,
        (long long)config->options.udp_buffer_bytes);
}

static enum weir_err bind_and_listen(struct srt_port *p, const struct srt_port_config *config, uint16_t *bound_port,
                                     char error[SRT_ERROR_BYTES])
{
    int fd = -1;
    const enum weir_err err = net_bind_datagram(config->address, &fd, bound_port);
    if (err) return err;
    if (srt_guard_attach(fd))
        log_event(LOG_INGEST, LOG_WARN, "-", "srt_guard_missing",
                  "address=%s reason=\"%s\" text=\"this kernel filters no packets: libsrt stands alone\"",
                  config->address, strerror(errno));
    if (srt_bind_acquire(p->watch.socket, fd) < 0) {
        snprintf(error, SRT_ERROR_BYTES, "libsrt: %s", srt_getlasterror_str());
        close(fd);
        return WEIR_IO;
    }
    say_buffer(fd, config);
    p->fd = dup(fd);
    srt_port_rest(p);
    if (srt_listen(p->watch.socket, BACKLOG) < 0) {
        snprintf(error, SRT_ERROR_BYTES, "libsrt: %s", srt_getlasterror_str());
        return WEIR_IO;
    }
    return srt_pass_watch(p->home->pass, &p->watch, SRT_EPOLL_IN | SRT_EPOLL_ERR);
}

enum weir_err srt_port_create(struct srt_port **out, struct srt_home *home, const struct srt_port_config *config,
                              uint16_t *bound_port, char error[SRT_ERROR_BYTES])
{
    struct srt_port *p = calloc(1, sizeof *p);
    error[0] = 0;
    if (!p) return WEIR_NOMEM;
    p->home = home;
    p->fd = -1;
    p->rules = config->rules;
    p->look_port = config->look_port;
    p->watch = (struct srt_watch){ .socket = SRT_INVALID_SOCK, .ready = on_ready };
    p->attempts_of = calloc(1, sizeof *p->attempts_of);
    enum weir_err err = p->attempts_of ? WEIR_OK : WEIR_NOMEM;
    if (!err && getrandom(&p->attempts_of->salt, sizeof p->attempts_of->salt, 0) < 0)
        p->attempts_of->salt = (uint64_t)clock_now_us();
    if (!err) err = set_up(p, config, error);
    if (!err) err = bind_and_listen(p, config, bound_port, error);
    if (err) {
        const int why = errno;
        srt_port_destroy(p);
        errno = why;
        return err;
    }
    *out = p;
    return WEIR_OK;
}

void srt_port_destroy(struct srt_port *p)
{
    if (!p) return;
    if (p->watch.socket != SRT_INVALID_SOCK) {
        srt_pass_unwatch(p->home->pass, &p->watch);
        srt_close(p->watch.socket); /* no call to on_caller is under way or comes after this */
    }
    while (loop_drain(p->home->loop)) continue; /* notes that point here */
    if (p->fd >= 0) close(p->fd);
    free(p->attempts_of);
    free(p);
}

uint64_t srt_port_datagrams_dropped(const struct srt_port *p)
{
    uint32_t figures[SK_MEMINFO_VARS] = { 0 };
    socklen_t bytes = sizeof figures;
    return getsockopt(p->fd, SOL_SOCKET, SO_MEMINFO, figures, &bytes) ? 0 : figures[SK_MEMINFO_DROPS];
}

const struct counters *srt_port_counters(const struct srt_port *p)
{
    return &p->counters;
}

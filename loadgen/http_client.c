#include <weir/loadgen/http_client.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/base/clock.h>
#include <weir/base/limits.h>
#include <weir/loadgen/digest.h>

#define HANDLES_KEPT_MAX 64 /* finished ones, for the next requests */
#define EVENTS_PER_TURN 256
#define NEVER_US INT64_MAX

struct transfer {
    struct http_client *client;
    CURL *easy;
    struct http_result result;
    struct transfer *next, *before;
    char curl_error[CURL_ERROR_SIZE];
    char *body;
    size_t capacity, bytes_max;
    struct digest digest;
    bool is_head_seen, is_unwanted;
};

struct http_loop {
    int epoll;
    struct http_client **clients; /* by number; NULL: free */
    int64_t *due_us; /* of each: when libcurl wants to be called. Side by side, for they are looked at each turn */
    uint32_t client_count, client_capacity;
    struct http_client *touched; /* something of theirs may be finished */
    CURL *kept[HANDLES_KEPT_MAX];
    size_t kept_count;
};

struct http_client {
    struct http_loop *loop;
    uint32_t number;
    struct http_client_config config;
    http_client_done *done;
    void *owner;
    CURLM *multi;
    bool is_touched; /* it is in the loop's list */
    struct http_client *next_touched;
    struct transfer *transfers; /* on their way */
    size_t pending;
    bool saw_stranger;
};

/* -- callbacks of libcurl -- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
    if (a->sa_family != AF_INET6) return false;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

/* Looked at where the connection is made, so that no name, redirect or playlist can lead elsewhere. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_client *h = context;
    if (!h->config.is_any_host && !is_loopback(&address->addr)) {
        h->saw_stranger = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool body_make_room(struct transfer *t, size_t bytes)
{
    if (bytes <= t->capacity) return true;
    size_t capacity = t->capacity ? t->capacity : 4096;
    while (capacity < bytes) capacity *= 2;
    char *grown = realloc(t->body, capacity);
    if (!grown) return false;
    t->body = grown;
    t->capacity = capacity;
    return true;
}

static bool is_wanted(struct transfer *t)
{
    const struct http_client *h = t->client;
    long status = 0;
    if (!h->config.wants) return true;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->result.status = (int)status;
    return (status != 200 && status != 206) || h->config.wants(h->owner, &t->result);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    const size_t bytes = size * count;
    if (bytes > t->bytes_max - t->result.bytes) {
        t->result.is_too_large = true;
        return 0;
    }
    if (!t->result.bytes) t->is_unwanted = !is_wanted(t);
    if (!t->is_unwanted) {
        if (!body_make_room(t, t->result.bytes + bytes)) return 0;
        memcpy(t->body + t->result.bytes, data, bytes);
    }
    digest_add(&t->digest, data, bytes);
    t->result.bytes += bytes;
    return bytes;
}

static void copy_field(char *out, const char *value, size_t bytes)
{
    while (bytes && (*value == ' ' || *value == '\t')) value++, bytes--;
    while (bytes && strchr("\r\n \t", value[bytes - 1])) bytes--;
    if (bytes >= HTTP_FIELD_BYTES_MAX) bytes = HTTP_FIELD_BYTES_MAX - 1;
    memcpy(out, value, bytes);
    out[bytes] = 0;
}

static size_t on_field(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    struct http_result *r = &t->result;
    const size_t bytes = size * count;
    const struct {
        const char *name;
        char *out;
    } fields[] = {
        { "content-type:", r->content_type },
        { "cache-control:", r->cache_control },
        { "content-encoding:", r->content_encoding },
        { "vary:", r->vary },
        { "access-control-allow-origin:", r->allow_origin },
        { "etag:", r->etag },
    };
    if (!t->is_head_seen) {
        t->is_head_seen = true;
        r->first_byte_us = clock_now_us();
    }
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const size_t name = strlen(fields[i].name);
        if (bytes > name && !strncasecmp(data, fields[i].name, name))
            copy_field(fields[i].out, data + name, bytes - name);
    }
    return bytes;
}

/* -- transfers -- */

static void transfer_destroy(struct transfer *t)
{
    struct http_client *h = t->client;
    struct http_loop *l = h->loop;
    if (t->before)
        t->before->next = t->next;
    else
        h->transfers = t->next;
    if (t->next) t->next->before = t->before;
    h->pending--;
    curl_multi_remove_handle(h->multi, t->easy);
    if (l->kept_count < HANDLES_KEPT_MAX) {
        curl_easy_reset(t->easy);
        l->kept[l->kept_count++] = t->easy;
    } else {
        curl_easy_cleanup(t->easy);
    }
    free(t->body);
    free(t);
}

static CURLcode set_up(struct http_client *h, struct transfer *t, const struct http_ask *ask)
{
    CURL *e = t->easy;
    char range[64];
    CURLcode bad = curl_easy_setopt(e, CURLOPT_URL, ask->url);
    if (bad) return bad;
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_field);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* a proxy of the environment is none of the server that is looked at */
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(ask->timeout_us / 1000));
    curl_easy_setopt(e, CURLOPT_USERAGENT, "weir-loadgen/" WEIR_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     h->config.is_http1 ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    /* one HTTP/2 connection rather than many */
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, !h->config.is_http1 && !strncasecmp(ask->url, "https:", 6) ? 1L : 0L);
    if (ask->is_head) curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    if (ask->accepts_gzip) curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (ask->has_range) {
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)ask->range_first,
                 (unsigned long long)ask->range_last);
        curl_easy_setopt(e, CURLOPT_RANGE, range);
    }
    if (h->config.is_any_certificate) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return CURLE_OK;
}

enum weir_err http_client_ask(struct http_client *h, const struct http_ask *ask)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t) return WEIR_NOMEM;
    t->client = h;
    t->bytes_max = ask->bytes_max;
    t->result.context = ask->context;
    t->result.content_length = -1;
    digest_init(&t->digest);
    t->easy = h->loop->kept_count ? h->loop->kept[--h->loop->kept_count] : curl_easy_init();
    if (!t->easy) {
        free(t);
        return WEIR_NOMEM;
    }
    t->next = h->transfers;
    if (t->next) t->next->before = t;
    h->transfers = t;
    h->pending++;
    const CURLcode bad = set_up(h, t, ask);
    t->result.sent_us = clock_now_us();
    if (!bad && curl_multi_add_handle(h->multi, t->easy) == CURLM_OK) return WEIR_OK;
    transfer_destroy(t);
    return bad ? WEIR_MALFORMED : WEIR_NOMEM;
}

static void finish(struct http_client *h, struct transfer *t, CURLcode code)
{
    struct http_result *r = &t->result;
    long status = 0, version = 0;
    char *scheme = NULL;
    curl_off_t length = -1;
    r->done_us = clock_now_us();
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(t->easy, CURLINFO_SCHEME, &scheme);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->is_http2 = version == CURL_HTTP_VERSION_2_0;
    r->is_tls = scheme && !strcasecmp(scheme, "https");
    r->content_length = length;
    r->body = (const uint8_t *)t->body;
    r->digest = digest_value(&t->digest);
    r->status = code ? 0 : (int)status;
    if (r->is_too_large)
        snprintf(r->error, sizeof r->error, "more than %zu bytes: given up", t->bytes_max);
    else if (code)
        snprintf(r->error, sizeof r->error, "%s", t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
    h->done(h->owner, r);
    transfer_destroy(t);
}

/* -- sockets and timers of libcurl -- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context)
{
    struct http_client *h = context;
    const bool is_known = socket_context != NULL;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(h->loop->epoll, EPOLL_CTL_DEL, socket, NULL);
        curl_multi_assign(h->multi, socket, NULL);
        return 0;
    }
    struct epoll_event event = { .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                                           (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
                                 .data.u64 = (uint64_t)h->number << 32 | (uint32_t)socket };
    if (epoll_ctl(h->loop->epoll, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event)) return -1;
    curl_multi_assign(h->multi, socket, h);
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *context)
{
    struct http_client *h = context;
    h->loop->due_us[h->number] = wait_ms < 0 ? NEVER_US : clock_now_us() + wait_ms * 1000;
    return 0;
}

static enum weir_err act(struct http_client *h, curl_socket_t socket, int what)
{
    int running;
    if (!h->is_touched) {
        h->is_touched = true;
        h->next_touched = h->loop->touched;
        h->loop->touched = h;
    }
    return curl_multi_socket_action(h->multi, socket, what, &running) == CURLM_OK ? WEIR_OK : WEIR_IO;
}

static void tell_finished(struct http_client *h)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(h->multi, &left))) {
        struct transfer *t = NULL;
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(h, t, code);
    }
}

static int64_t earliest_due_us(const struct http_loop *l, int64_t latest_us)
{
    int64_t due_us = latest_us;
    for (uint32_t i = 0; i < l->client_count; i++) {
        if (l->due_us[i] < due_us) due_us = l->due_us[i];
    }
    return due_us;
}

static enum weir_err run_timers(struct http_loop *l)
{
    const int64_t now_us = clock_now_us();
    for (uint32_t i = 0; i < l->client_count; i++) {
        if (l->due_us[i] > now_us || !l->clients[i]) continue;
        l->due_us[i] = NEVER_US;
        if (act(l->clients[i], CURL_SOCKET_TIMEOUT, 0)) return WEIR_IO;
    }
    return WEIR_OK;
}

enum weir_err http_loop_turn(struct http_loop *l, int64_t wait_us)
{
    struct epoll_event events[EVENTS_PER_TURN];
    const int64_t now_us = clock_now_us();
    const int64_t due_us = earliest_due_us(l, now_us + (wait_us > 0 ? wait_us : 0));
    const int count = epoll_wait(l->epoll, events, EVENTS_PER_TURN,
                                 due_us > now_us ? (int)((due_us - now_us + 999) / 1000) : 0);
    if (count < 0 && errno != EINTR) return WEIR_IO;
    for (int i = 0; i < count; i++) {
        const uint32_t number = (uint32_t)(events[i].data.u64 >> 32);
        struct http_client *h = number < l->client_count ? l->clients[number] : NULL;
        if (!h) continue;
        const int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                         (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                         (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        if (act(h, (curl_socket_t)(uint32_t)events[i].data.u64, what)) return WEIR_IO;
    }
    if (run_timers(l)) return WEIR_IO;
    while (l->touched) {
        struct http_client *h = l->touched;
        l->touched = h->next_touched;
        h->is_touched = false;
        tell_finished(h);
    }
    return WEIR_OK;
}

size_t http_client_pending(const struct http_client *h)
{
    return h->pending;
}

bool http_client_saw_stranger(const struct http_client *h)
{
    return h->saw_stranger;
}

/* -- lives -- */

struct http_loop *http_loop_create(void)
{
    struct http_loop *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll >= 0 && !curl_global_init(CURL_GLOBAL_DEFAULT)) return l;
    if (l->epoll >= 0) close(l->epoll);
    free(l);
    return NULL;
}

void http_loop_destroy(struct http_loop *l)
{
    if (!l) return;
    for (size_t i = 0; i < l->kept_count; i++) curl_easy_cleanup(l->kept[i]);
    free(l->clients);
    free(l->due_us);
    close(l->epoll);
    curl_global_cleanup();
    free(l);
}

/* A number for the client, the first that is free; false: no memory, or too many. */
static bool enter(struct http_loop *l, struct http_client *h)
{
    uint32_t number = 0;
    while (number < l->client_count && l->clients[number]) number++;
    if (number == LOADGEN_CLIENTS_MAX) return false;
    if (number == l->client_capacity) {
        const uint32_t capacity = l->client_capacity ? 2 * l->client_capacity : 16;
        struct http_client **grown = realloc(l->clients, capacity * sizeof(struct http_client *));
        if (!grown) return false;
        l->clients = grown;
        int64_t *grown_due = realloc(l->due_us, capacity * sizeof *grown_due);
        if (!grown_due) return false;
        l->due_us = grown_due;
        l->client_capacity = capacity;
    }
    if (number == l->client_count) l->client_count++;
    l->clients[number] = h;
    l->due_us[number] = NEVER_US;
    h->number = number;
    return true;
}

struct http_client *http_client_create(struct http_loop *l, const struct http_client_config *config,
                                       http_client_done *done, void *owner)
{
    struct http_client *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    *h = (struct http_client){ .loop = l, .config = *config, .done = done, .owner = owner };
    h->multi = curl_multi_init();
    if (!h->multi || !enter(l, h)) {
        if (h->multi) curl_multi_cleanup(h->multi);
        free(h);
        return NULL;
    }
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return h;
}

void http_client_destroy(struct http_client *h)
{
    if (!h) return;
    for (struct transfer *t = h->transfers, *next; t; t = next) {
        next = t->next;
        transfer_destroy(t);
    }
    curl_multi_cleanup(h->multi); /* may still set a timer */
    h->loop->clients[h->number] = NULL;
    h->loop->due_us[h->number] = NEVER_US;
    for (struct http_client **at = &h->loop->touched; *at; at = &(*at)->next_touched) {
        if (*at != h) continue;
        *at = h->next_touched;
        break;
    }
    free(h);
}

/* relay: a network between two programs, made worse on purpose and the same way each time. Linux, one thread, no privileges.
 *
 *   relay udp LISTEN_PORT TARGET_PORT [key=value]...      relay tcp LISTEN_PORT TARGET_PORT [key=value]...
 *
 * Listens on 127.0.0.1:LISTEN_PORT (0: the kernel chooses; the first line of output is "port N") and passes everything to 127.0.0.1:
 * TARGET_PORT and back. Each client has a socket of its own towards the target.
 *
 *   seed=1         of the random numbers: the n-th packet of a direction meets the same fate in each run
 *   delay=50       ms, each way
 *   jitter=10      ms, up to so much more; order is kept unless reorder is given
 *   reorder=1      percent of the packets (udp) that overtake those in front: they skip delay and jitter
 *   loss=1         percent of the packets (udp), each way
 *   burst=8        packets lost in a row, on average (Gilbert's model); with loss the share that is lost in all
 *   duplicate=0    percent of the packets (udp) that come twice
 *   rate=5000      kbit/s each way, with a queue of queue=500 ms; what comes on top is lost (udp) or waits (tcp)
 *
 * Commands on standard input, a line each, any time: `set key=value...` changes the above, `cut` closes tcp connections (FIN) and forgets udp
 * clients, `reset` the same with RST, `blackhole MS` swallows everything for so long (tcp: stops reading; 0: for ever), `stats` prints
 * packets seen, lost and sent in both directions, `quit`. Ends when its input does. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define PACKET_BYTES_MAX 65536
#define CHUNK_BYTES 16384
#define EVENTS_MAX 256

enum { UP, DOWN };

static struct {
    double loss, burst, duplicate, reorder; /* percent; burst in packets */
    int64_t delay_us, jitter_us, queue_us;
    double rate_kbps;
} set = { .burst = 1, .queue_us = 500000 };

static bool is_udp;
static int listener, epoll_fd;
static struct sockaddr_in target;
static int64_t blackhole_until_us;
static uint64_t seen[2], lost[2], sent[2];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* -- chance: a generator for each direction, so that traffic one way does not move the other -- */

static struct chance {
    uint64_t state;
    bool is_in_burst;
} chances[2];

static double draw(struct chance *c)
{
    /* splitmix64 */
    uint64_t z = (c->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static void seed(uint64_t value)
{
    for (int way = UP; way <= DOWN; way++) {
        chances[way] = (struct chance){ .state = value * 2 + (uint64_t)way };
        for (int i = 0; i < 8; i++) draw(&chances[way]);
    }
}

/* Gilbert: in the bad state everything is lost; it lasts `burst` packets on average. */
static bool is_lost(struct chance *c)
{
    const double chance = draw(c), share = set.loss / 100;
    if (share <= 0) return false;
    if (set.burst <= 1) return chance < share;
    const double leave = 1 / set.burst, enter = share >= 1 ? 1 : leave * share / (1 - share);
    c->is_in_burst = c->is_in_burst ? chance >= leave : chance < enter;
    return c->is_in_burst;
}

/* -- what is on its way: a heap by due time, then by order of arrival -- */

struct client;
struct cargo {
    int64_t due_us;
    uint64_t order;
    struct client *client;
    uint64_t life; /* of the client: cargo of one that is gone is dropped */
    int way;
    size_t bytes, at;
    uint8_t *data;
};

static struct cargo *heap;
static size_t heap_count, heap_capacity;
static uint64_t next_order;

static bool is_before(const struct cargo *a, const struct cargo *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void heap_give(const struct cargo *cargo)
{
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 1024;
        heap = realloc(heap, heap_capacity * sizeof *heap);
        if (!heap) die("realloc");
    }
    size_t at = heap_count++;
    for (; at && is_before(cargo, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = *cargo;
}

static struct cargo heap_take(void)
{
    const struct cargo first = heap[0], last = heap[--heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap_count; at = child) {
        if (child + 1 < heap_count && is_before(&heap[child + 1], &heap[child])) child++;
        if (!is_before(&heap[child], &last)) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

/* -- clients -- */

struct side {
    struct client *client;
    int fd, way; /* what is read here goes this way */
};

struct client {
    struct side near, far; /* udp: near.fd is the listener, for all */
    struct sockaddr_in address;
    uint64_t life;
    int64_t free_us[2];     /* when the line has sent what is queued */
    int64_t last_due_us[2]; /* order is kept */
    uint64_t waiting[2];    /* tcp: bytes under way; too many: stop reading */
    bool is_ended[2];       /* tcp: nothing more comes from there */
    bool is_used;
};

static struct client clients[CLIENTS_MAX];
static uint64_t lives;
static struct client *by_port[65536]; /* udp */

static void watch(int fd, struct side *side, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = side };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) && errno == EEXIST) epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e);
}

static struct client *client_open(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &clients[i];
        if (c->is_used) continue;
        memset(c, 0, sizeof *c);
        c->is_used = true;
        c->life = ++lives;
        c->near = (struct side){ c, -1, UP };
        c->far = (struct side){ c, -1, DOWN };
        return c;
    }
    return NULL;
}

static void client_close(struct client *c, bool is_reset)
{
    const struct linger hard = { 1, 0 };
    if (!c->is_used) return;
    if (!is_udp && is_reset) {
        setsockopt(c->near.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        setsockopt(c->far.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    if (!is_udp && c->near.fd >= 0) close(c->near.fd);
    if (c->far.fd >= 0) close(c->far.fd);
    if (is_udp) by_port[c->address.sin_port] = NULL;
    c->is_used = false;
    c->life = 0;
}

static int dial(int kind)
{
    const int fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), large = 4 << 20;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    if (connect(fd, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

/* -- the line -- */

/* When something that comes now is through; -1: the queue is full. */
static int64_t through_at(struct client *c, int way, size_t bytes, int64_t at_us)
{
    if (set.rate_kbps <= 0) return at_us;
    const int64_t takes_us = (int64_t)((double)bytes * 8000 / set.rate_kbps);
    if (c->free_us[way] < at_us) c->free_us[way] = at_us;
    if (is_udp && c->free_us[way] - at_us > set.queue_us) return -1;
    return c->free_us[way] += takes_us;
}

static void send_on(struct client *c, int way, const uint8_t *data, size_t bytes, int64_t at_us)
{
    struct chance *chance = &chances[way];
    seen[way]++;
    /* all are drawn for each packet: what one setting does does not move another's luck */
    const bool gone = is_lost(chance);
    const double jitter = draw(chance), overtake = draw(chance), twice = draw(chance);
    const int64_t through_us = through_at(c, way, bytes, at_us);
    if (is_udp && (gone || through_us < 0)) {
        lost[way]++;
        return;
    }
    int64_t due_us = through_us + set.delay_us + (int64_t)(jitter * (double)set.jitter_us);
    if (is_udp && overtake * 100 < set.reorder) {
        due_us = through_us;
    } else {
        if (due_us < c->last_due_us[way]) due_us = c->last_due_us[way];
        c->last_due_us[way] = due_us;
    }
    for (int copies = is_udp && twice * 100 < set.duplicate ? 2 : 1; copies > 0; copies--) {
        struct cargo cargo = {
            .due_us = due_us, .order = next_order++, .client = c, .life = c->life, .way = way, .bytes = bytes
        };
        cargo.data = malloc(bytes ? bytes : 1);
        if (!cargo.data) die("malloc");
        memcpy(cargo.data, data, bytes);
        c->waiting[way] += bytes;
        heap_give(&cargo);
    }
}

static void deliver_udp(const struct cargo *cargo)
{
    const struct client *c = cargo->client;
    const ssize_t done = cargo->way == UP ? send(c->far.fd, cargo->data, cargo->bytes, 0)
                                          : sendto(listener, cargo->data, cargo->bytes, 0,
                                                   (const struct sockaddr *)&c->address, sizeof c->address);
    if (done >= 0) sent[cargo->way]++;
}

/* false: not all of it; try again in a moment. No bytes: the end of what comes that way. */
static bool deliver_tcp(struct cargo *cargo)
{
    struct client *c = cargo->client;
    const int fd = cargo->way == UP ? c->far.fd : c->near.fd;
    if (!cargo->bytes) {
        shutdown(fd, SHUT_WR);
        if (c->is_ended[UP] && c->is_ended[DOWN]) client_close(c, false);
        return true;
    }
    while (cargo->at < cargo->bytes) {
        const ssize_t done = send(fd, cargo->data + cargo->at, cargo->bytes - cargo->at, MSG_NOSIGNAL);
        if (done < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
        if (done < 0) {
            client_close(c, true);
            return true;
        }
        cargo->at += (size_t)done;
    }
    sent[cargo->way]++;
    return true;
}

static void resume_reading(struct client *c, int way)
{
    if (is_udp || !c->is_used || c->is_ended[way] || c->waiting[way] > (1 << 20)) return;
    struct side *side = way == UP ? &c->near : &c->far;
    watch(side->fd, side, EPOLLIN);
}

static void deliver_due(int64_t at_us)
{
    while (heap_count && heap[0].due_us <= at_us) {
        struct cargo cargo = heap_take();
        struct client *c = cargo.client;
        const bool is_there = c->is_used && c->life == cargo.life;
        if (is_there && is_udp) deliver_udp(&cargo);
        if (is_there && !is_udp && !deliver_tcp(&cargo)) {
            cargo.due_us = at_us + 2000; /* in front of what came later: the order number stays */
            for (size_t i = 0; i < heap_count; i++) {
                if (heap[i].client == c && heap[i].way == cargo.way && heap[i].due_us < cargo.due_us)
                    heap[i].due_us = cargo.due_us;
            }
            /* the heap's order may have suffered: build it anew */
            struct cargo *old = heap;
            const size_t count = heap_count;
            heap = NULL;
            heap_count = heap_capacity = 0;
            heap_give(&cargo);
            for (size_t i = 0; i < count; i++) heap_give(&old[i]);
            free(old);
            continue;
        }
        if (is_there) {
            c->waiting[cargo.way] -= cargo.bytes;
            resume_reading(c, cargo.way);
        }
        free(cargo.data);
    }
}

/* -- reading -- */

static bool is_swallowing(int64_t at_us)
{
    return blackhole_until_us < 0 || at_us < blackhole_until_us;
}

static void read_listener_udp(int64_t at_us)
{
    static uint8_t packet[PACKET_BYTES_MAX];
    for (int budget = 256; budget; budget--) {
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof from;
        const ssize_t got = recvfrom(listener, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_bytes);
        if (got < 0) return;
        struct client *c = by_port[from.sin_port];
        if (!c && (c = client_open())) {
            c->address = from;
            by_port[from.sin_port] = c;
            c->far.fd = dial(SOCK_DGRAM);
            watch(c->far.fd, &c->far, EPOLLIN);
        }
        if (c && !is_swallowing(at_us)) send_on(c, UP, packet, (size_t)got, at_us);
    }
}

static void read_far_udp(struct client *c, int64_t at_us)
{
    static uint8_t packet[PACKET_BYTES_MAX];
    for (int budget = 256; budget; budget--) {
        const ssize_t got = recv(c->far.fd, packet, sizeof packet, 0);
        if (got < 0) return;
        if (!is_swallowing(at_us)) send_on(c, DOWN, packet, (size_t)got, at_us);
    }
}

static void accept_tcp(void)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct client *c = client_open();
    if (c) c->far.fd = dial(SOCK_STREAM);
    if (!c || c->far.fd < 0) {
        if (c) c->is_used = false;
        close(fd);
        return;
    }
    c->near.fd = fd;
    watch(fd, &c->near, EPOLLIN);
    watch(c->far.fd, &c->far, EPOLLIN);
}

static void read_tcp(struct side *side, int64_t at_us)
{
    static uint8_t bytes[CHUNK_BYTES];
    struct client *c = side->client;
    if (!c->is_used || is_swallowing(at_us) || c->waiting[side->way] > (1 << 20)) {
        if (c->is_used) watch(side->fd, side, 0); /* stop reading; the sender feels it */
        return;
    }
    const ssize_t got = recv(side->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) {
        client_close(c, true);
        return;
    }
    if (!got) {
        c->is_ended[side->way] = true;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, side->fd, NULL);
    }
    send_on(c, side->way, bytes, (size_t)got, at_us);
}

/* -- commands -- */

static bool apply(const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (!equals) return false;
    const double v = atof(equals + 1);
    const size_t bytes = (size_t)(equals - pair);
#define KEY(word) (bytes == strlen(word) && !memcmp(pair, word, bytes))
    if (KEY("seed"))
        seed((uint64_t)v);
    else if (KEY("delay"))
        set.delay_us = (int64_t)(v * 1000);
    else if (KEY("jitter"))
        set.jitter_us = (int64_t)(v * 1000);
    else if (KEY("reorder"))
        set.reorder = v;
    else if (KEY("loss"))
        set.loss = v;
    else if (KEY("burst"))
        set.burst = v;
    else if (KEY("duplicate"))
        set.duplicate = v;
    else if (KEY("rate"))
        set.rate_kbps = v;
    else if (KEY("queue"))
        set.queue_us = (int64_t)(v * 1000);
    else
        return false;
    return true;
}

static void close_all(bool is_reset)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) client_close(&clients[i], is_reset);
}

static void command(char *line)
{
    char *rest = line;
    const char *word = strsep(&rest, " ");
    if (!strcmp(word, "set")) {
        for (char *pair; (pair = strsep(&rest, " "));) {
            if (*pair && !apply(pair)) fprintf(stderr, "relay: %s?\n", pair);
        }
    } else if (!strcmp(word, "cut") || !strcmp(word, "reset")) {
        close_all(word[0] == 'r');
    } else if (!strcmp(word, "blackhole")) {
        const int64_t ms = rest ? atoll(rest) : 0;
        blackhole_until_us = ms ? now_us() + ms * 1000 : -1;
    } else if (!strcmp(word, "stats")) {
        printf("stats up_seen=%llu up_lost=%llu up_sent=%llu down_seen=%llu down_lost=%llu down_sent=%llu\n",
               (unsigned long long)seen[UP], (unsigned long long)lost[UP], (unsigned long long)sent[UP],
               (unsigned long long)seen[DOWN], (unsigned long long)lost[DOWN], (unsigned long long)sent[DOWN]);
    } else if (!strcmp(word, "quit")) {
        exit(0);
    } else {
        fprintf(stderr, "relay: %s?\n", word);
    }
    printf("ok\n");
    fflush(stdout);
}

static void read_commands(void)
{
    static char buffer[4096];
    static size_t used;
    const ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
    if (got == 0) exit(0);
    if (got < 0) return;
    used += (size_t)got;
    for (char *end; (end = memchr(buffer, '\n', used));) {
        *end = 0;
        command(buffer);
        used -= (size_t)(end + 1 - buffer);
        memmove(buffer, end + 1, used);
    }
    if (used == sizeof buffer - 1) used = 0;
}

static void open_listener(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t bytes = sizeof a;
    const int on = 1, large = 8 << 20;
    listener = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    if (!is_udp) setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    if (bind(listener, (struct sockaddr *)&a, bytes) || getsockname(listener, (struct sockaddr *)&a, &bytes))
        die("bind");
    if (!is_udp && listen(listener, 1024)) die("listen");
    printf("port %u\n", ntohs(a.sin_port));
    fflush(stdout);
}

static void turn(void)
{
    struct epoll_event events[EVENTS_MAX];
    const int64_t before_us = now_us();
    int wait_ms = heap_count ? (int)((heap[0].due_us - before_us + 999) / 1000) : 1000;
    if (wait_ms < 0) wait_ms = 0;
    if (wait_ms > 1000) wait_ms = 1000;
    if (!is_udp && blackhole_until_us > before_us && wait_ms > 10) wait_ms = 10;
    const int count = epoll_wait(epoll_fd, events, EVENTS_MAX, wait_ms);
    const int64_t at_us = now_us();
    for (int i = 0; i < count; i++) {
        struct side *side = events[i].data.ptr;
        if (!side && is_udp)
            read_listener_udp(at_us);
        else if (!side)
            accept_tcp();
        else if (side == (struct side *)&listener)
            read_commands();
        else if (!side->client->is_used)
            continue;
        else if (is_udp)
            read_far_udp(side->client, at_us);
        else
            read_tcp(side, at_us);
    }
    deliver_due(now_us());
    static bool was_swallowing;
    const bool is_swallowing_now = is_swallowing(at_us);
    if (was_swallowing && !is_swallowing_now) {
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            resume_reading(&clients[i], UP);
            resume_reading(&clients[i], DOWN);
        }
    }
    was_swallowing = is_swallowing_now;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "udp") && strcmp(argv[1], "tcp"))) {
        fprintf(stderr, "usage: relay udp|tcp LISTEN_PORT TARGET_PORT [key=value]...\n");
        return 2;
    }
    is_udp = !strcmp(argv[1], "udp");
    seed(1);
    for (int i = 4; i < argc; i++) {
        if (!apply(argv[i])) {
            fprintf(stderr, "relay: %s?\n", argv[i]);
            return 2;
        }
    }
    target = (struct sockaddr_in){ .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(argv[3])),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_listener((uint16_t)atoi(argv[2]));
    watch(listener, NULL, EPOLLIN);
    watch(STDIN_FILENO, (struct side *)&listener, EPOLLIN); /* a mark of its own, never read through */
    for (;;) turn();
}

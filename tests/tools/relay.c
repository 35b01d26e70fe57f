/* relay: a network between two programs, made worse on purpose and the same way each time. The engine is
 * loadgen/relay.c; this is its face for tests.
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
 *   loss=1         percent of the packets, each way; tcp: they and all behind them come a round trip later
 *   burst=8        packets lost in a row, on average (Gilbert's model: one in three is longer, one in eight more than twice as long); with
 *                  loss the share that is lost in all
 *   burst_exact=8  the same with each burst of just so many packets
 *   duplicate=0    percent of the packets (udp) that come twice
 *   rate=5000      kbit/s each way, with a queue of queue=500 ms; what comes on top is lost (udp) or waits (tcp)
 *
 * Commands on standard input, a line each, any time: `set key=value...` changes the above, `cut` closes tcp connections (FIN) and forgets udp
 * clients, `reset` the same with RST, `blackhole MS` swallows everything for so long (tcp: stops reading; 0: for ever), `stats` prints
 * packets seen, lost and sent in both directions, `quit`. Ends when its input does. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/loadgen/relay.h>

static struct relay_net *net;
static struct relay *relay;

static bool apply(struct relay_settings *set, const char *pair)
{
    if (strncmp(pair, "seed=", 5) != 0) return relay_settings_read(set, pair, strlen(pair));
    relay_seed(relay, strtoull(pair + 5, NULL, 10));
    return true;
}

static void tell_stats(void)
{
    const struct relay_stats s = relay_stats(relay);
    printf("stats up_seen=%llu up_lost=%llu up_sent=%llu down_seen=%llu down_lost=%llu down_sent=%llu\n",
           (unsigned long long)s.seen[RELAY_UP], (unsigned long long)s.lost[RELAY_UP],
           (unsigned long long)s.sent[RELAY_UP], (unsigned long long)s.seen[RELAY_DOWN],
           (unsigned long long)s.lost[RELAY_DOWN], (unsigned long long)s.sent[RELAY_DOWN]);
}

static void command(char *line)
{
    char *rest = line;
    const char *word = strsep(&rest, " ");
    if (!strcmp(word, "set")) {
        struct relay_settings set = *relay_settings(relay);
        for (char *pair; (pair = strsep(&rest, " "));)
            if (*pair && !apply(&set, pair)) fprintf(stderr, "relay: %s?\n", pair);
        relay_set(relay, &set);
    } else if (!strcmp(word, "cut") || !strcmp(word, "reset")) {
        relay_cut(relay, word[0] == 'r');
    } else if (!strcmp(word, "blackhole")) {
        relay_blackhole(relay, rest ? atoll(rest) * 1000 : 0);
    } else if (!strcmp(word, "stats")) {
        tell_stats();
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

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "udp") && strcmp(argv[1], "tcp"))) {
        fprintf(stderr, "usage: relay udp|tcp LISTEN_PORT TARGET_PORT [key=value]...\n");
        return 2;
    }
    net = relay_net_create();
    if (!net || relay_open(net, !strcmp(argv[1], "udp"), (uint16_t)atoi(argv[2]), (uint16_t)atoi(argv[3]), &relay)) {
        perror("relay");
        return 1;
    }
    struct relay_settings set = *relay_settings(relay);
    for (int i = 4; i < argc; i++) {
        if (!apply(&set, argv[i])) {
            fprintf(stderr, "relay: %s?\n", argv[i]);
            return 2;
        }
    }
    relay_set(relay, &set);
    printf("port %u\n", relay_port(relay));
    fflush(stdout);
    for (;;) {
        struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                 { .fd = relay_net_fd(net), .events = POLLIN } };
        const int64_t wait_us = relay_net_wait_us(net);
        const struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
        if (ppoll(fds, 2, &wait, NULL) < 0) continue;
        if (fds[0].revents) read_commands();
        relay_net_turn(net);
    }
}

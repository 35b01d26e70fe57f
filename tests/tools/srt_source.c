/* srt_source PORTS COUNT SECONDS CLIP.ts [key=value]...: sends a transport stream over SRT, COUNT times at once, again and again from its beginning with
 * times and continuity counters that go on. One thread, and libsrt's few: all callers share one UDP port.
 *
 *   PORTS         8890 or 8890,8891: the callers take turns among them
 *   name=live/s   the n-th caller's stream id is `publish:live/s<n>`
 *   latency=120   ms          passphrase=...          pbkeylen=16          filter=fec,cols:10,rows:5
 *
 * The clip's pace is that of its program clock. Prints "ready" when all are connected, "sent N" (packets, of all callers) and "lost N" (that
 * libsrt gave up sending) at the end. Tests and benches only. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <srt/srt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loadgen/ts_loop.h"

#define PACKET 188
#define MESSAGE (7 * PACKET)
#define CALLERS_MAX 512
#define PIDS 8192
#define TICKS_PER_US 27

static uint8_t *clip;
static size_t packet_count, message_count;
static int64_t *message_us; /* when each is due, from the beginning of the clip */
static int64_t clip_us;
static uint8_t packets_of[PIDS]; /* of each PID in the clip, modulo 16: by so much its counter moves in a round */
static volatile sig_atomic_t is_stopping;

static void die(const char *what)
{
    fprintf(stderr, "srt_source: %s\n", what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    clip = malloc((size_t)size);
    if (!clip || fread(clip, 1, (size_t)size, f) != (size_t)size) die("cannot read the clip");
    fclose(f);
    packet_count = (size_t)size / PACKET;
    message_count = (packet_count + 6) / 7;
    message_us = calloc(message_count, sizeof *message_us);
    /* between two clocks packets are evenly spaced */
    int64_t first = -1, last = 0;
    size_t last_at = 0;
    double packet_us = 0;
    int64_t *at_us = calloc(packet_count, sizeof *at_us);
    for (size_t i = 0; i < packet_count; i++) {
        const uint8_t *p = clip + i * PACKET;
        if (p[0] != 0x47) die("the clip is no transport stream");
        if (p[3] & 0x10) packets_of[ts_packet_pid(p)] = (packets_of[ts_packet_pid(p)] + 1) & 0x0F;
        const int64_t pcr = ts_packet_pcr(p);
        if (pcr < 0) continue;
        if (first < 0) {
            first = pcr;
        } else {
            packet_us = (double)(pcr - last) / TICKS_PER_US / (double)(i - last_at);
            for (size_t k = last_at; k < i; k++)
                at_us[k] = (last - first) / TICKS_PER_US + (int64_t)(packet_us * (double)(k - last_at));
        }
        last = pcr;
        last_at = i;
    }
    if (packet_us <= 0) die("the clip has no program clock");
    for (size_t k = last_at; k < packet_count; k++)
        at_us[k] = (last - first) / TICKS_PER_US + (int64_t)(packet_us * (double)(k - last_at));
    for (size_t m = 0; m < message_count; m++) message_us[m] = at_us[m * 7];
    clip_us = at_us[packet_count - 1] + (int64_t)packet_us;
    clip_us -= clip_us % 100; /* whole ticks of 90 kHz: nine in a hundred microseconds */
    free(at_us);
}

/* A packet as it is in the round-th time through the clip. */
static void renew(uint8_t *p, uint64_t round)
{
    ts_packet_renew(p, (unsigned)(round * packets_of[ts_packet_pid(p)]) & 0x0F, round * (uint64_t)(clip_us / 100 * 9));
}

/* -- callers -- */

static const char *name = "live/s", *passphrase = "", *filter = "";
static int latency_ms = 120, key_bytes;

struct caller {
    SRTSOCKET socket;
    size_t message;
    uint64_t round;
    int64_t offset_us;
};
static struct caller callers[CALLERS_MAX];

static void set_number(SRTSOCKET s, SRT_SOCKOPT option, int value)
{
    if (srt_setsockflag(s, option, &value, sizeof value) < 0) die(srt_getlasterror_str());
}

static void set_text(SRTSOCKET s, SRT_SOCKOPT option, const char *text)
{
    if (*text && srt_setsockflag(s, option, text, (int)strlen(text)) < 0) die(srt_getlasterror_str());
}

static void dial(struct caller *c, unsigned index, uint16_t port, struct sockaddr_in *own)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char id[256];
    snprintf(id, sizeof id, "publish:%s%u", name, index);
    c->socket = srt_create_socket();
    set_number(c->socket, SRTO_LATENCY, latency_ms);
    if (key_bytes) set_number(c->socket, SRTO_PBKEYLEN, key_bytes);
    set_text(c->socket, SRTO_PASSPHRASE, passphrase);
    set_text(c->socket, SRTO_PACKETFILTER, filter);
    set_text(c->socket, SRTO_STREAMID, id);
    if (srt_bind(c->socket, (const struct sockaddr *)own, sizeof *own) < 0) die(srt_getlasterror_str());
    int bytes = sizeof *own;
    if (!own->sin_port) srt_getsockname(c->socket, (struct sockaddr *)own, &bytes);
    if (srt_connect(c->socket, (const struct sockaddr *)&to, sizeof to) < 0) {
        fprintf(stderr, "srt_source: caller %u refused: %d\n", index, srt_getrejectreason(c->socket));
        exit(1);
    }
    set_number(c->socket, SRTO_SNDSYN, 0);
}

static int64_t due_us(const struct caller *c)
{
    return c->offset_us + (int64_t)c->round * clip_us + message_us[c->message];
}

static bool send_one(struct caller *c)
{
    uint8_t message[MESSAGE];
    const size_t first = c->message * 7, count = packet_count - first < 7 ? packet_count - first : 7;
    memcpy(message, clip + first * PACKET, count * PACKET);
    for (size_t i = 0; c->round && i < count; i++) renew(message + i * PACKET, c->round);
    if (srt_sendmsg2(c->socket, (const char *)message, (int)(count * PACKET), NULL) < 0 &&
        srt_getlasterror(NULL) != SRT_EASYNCSND)
        return false;
    if (++c->message == message_count) {
        c->message = 0;
        c->round++;
    }
    return true;
}

static void stop(int signal_number)
{
    is_stopping = 1;
}

static void take_option(char *pair)
{
    char *value = strchr(pair, '=');
    if (!value) die("options are key=value");
    *value++ = 0;
    if (!strcmp(pair, "name"))
        name = value;
    else if (!strcmp(pair, "passphrase"))
        passphrase = value;
    else if (!strcmp(pair, "filter"))
        filter = value;
    else if (!strcmp(pair, "latency"))
        latency_ms = atoi(value);
    else if (!strcmp(pair, "pbkeylen"))
        key_bytes = atoi(value);
    else
        die("an option is not known");
}

int main(int argc, char **argv)
{
    if (argc < 5) die("usage: srt_source PORTS COUNT SECONDS CLIP.ts [key=value]...");
    for (int i = 5; i < argc; i++) take_option(argv[i]);
    uint16_t ports[CALLERS_MAX];
    size_t port_count = 0;
    for (char *rest = argv[1], *port; port_count < CALLERS_MAX && (port = strsep(&rest, ","));)
        ports[port_count++] = (uint16_t)atoi(port);
    const unsigned count = (unsigned)atoi(argv[2]);
    if (!count || count > CALLERS_MAX) die("too many callers");
    load(argv[4]);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    srt_startup();
    srt_setloglevel(2);
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    for (unsigned i = 0; i < count; i++) {
        dial(&callers[i], i, ports[i % port_count], &own);
        const struct timespec pause = { .tv_nsec = 30000000 }; /* under the rate of attempts that an address has */
        if (count > 30) nanosleep(&pause, NULL);
    }
    printf("ready\n");
    fflush(stdout);
    const int64_t begin_us = now_us(), end_us = begin_us + (int64_t)(atof(argv[3]) * 1e6);
    for (unsigned i = 0; i < count; i++) callers[i].offset_us = begin_us + (int64_t)i * 1000000 / count % 40000;
    uint64_t sent = 0, lost = 0;
    while (!is_stopping) {
        int64_t next_us = INT64_MAX;
        const int64_t at_us = now_us();
        if (at_us >= end_us) break;
        for (unsigned i = 0; i < count; i++) {
            struct caller *c = &callers[i];
            for (; due_us(c) <= at_us; sent++) {
                if (!send_one(c)) {
                    fprintf(stderr, "srt_source: caller %u lost its connection\n", i);
                    exit(1);
                }
            }
            if (due_us(c) < next_us) next_us = due_us(c);
        }
        const int64_t wait_us = next_us - now_us();
        const struct timespec pause = { .tv_nsec = (wait_us > 2000 ? 2000 : wait_us > 0 ? wait_us : 0) * 1000 };
        nanosleep(&pause, NULL);
    }
    /* what is under way may still be lost and asked for again */
    const struct timespec linger = { .tv_sec = latency_ms / 1000 + 1 };
    if (!is_stopping) nanosleep(&linger, NULL);
    for (unsigned i = 0; i < count; i++) {
        SRT_TRACEBSTATS stats;
        memset(&stats, 0, sizeof stats);
        if (srt_bistats(callers[i].socket, &stats, 0, 1) == 0) lost += (uint64_t)stats.pktSndDropTotal;
        srt_close(callers[i].socket);
    }
    printf("sent %llu\nlost %llu\n", (unsigned long long)sent, (unsigned long long)lost);
    srt_cleanup();
    return 0;
}

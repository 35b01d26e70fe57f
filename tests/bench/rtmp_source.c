/* rtmp_source PORT STREAMS SECONDS CLIP.flv [raw]: publishes the same clip STREAMS times, each frame in a send of its own at its time,
 * as encoders do. raw: no RTMP conversation before the same bytes, for the floor. Prints "ready" when all publish. Tests only. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 4096
#define TAGS_MAX 100000

struct tag {
    uint8_t kind;
    uint32_t time_ms;
    const uint8_t *body;
    uint32_t bytes;
    bool is_config;
};

static struct tag tags[TAGS_MAX];
static size_t tag_count;
static uint32_t clip_ms;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    uint8_t *data = malloc((size_t)size);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) die(path);
    fclose(f);
    for (long at = 13; at + 15 <= size && tag_count < TAGS_MAX;) {
        const uint8_t *p = data + at;
        const uint32_t bytes = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        struct tag t = { .kind = p[0], .bytes = bytes, .body = p + 11 };
        t.time_ms = (uint32_t)p[7] << 24 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 8 | p[6];
        t.is_config = p[0] == 18 || (bytes > 1 && p[12] == 0);
        if (t.time_ms > clip_ms) clip_ms = t.time_ms;
        tags[tag_count++] = t;
        at += 11 + (long)bytes + 4;
    }
    clip_ms += 33;
}

static size_t put_message(uint8_t *out, uint8_t csid, uint8_t kind, uint32_t time_ms, uint8_t stream,
                          const uint8_t *body, uint32_t bytes, uint32_t chunk)
{
    uint8_t *at = out;
    *at++ = csid;
    *at++ = (uint8_t)(time_ms >> 16), *at++ = (uint8_t)(time_ms >> 8), *at++ = (uint8_t)time_ms;
    *at++ = (uint8_t)(bytes >> 16), *at++ = (uint8_t)(bytes >> 8), *at++ = (uint8_t)bytes;
    *at++ = kind;
    *at++ = stream, *at++ = 0, *at++ = 0, *at++ = 0;
    for (uint32_t done = 0; done < bytes; done += chunk) {
        const uint32_t run = bytes - done < chunk ? bytes - done : chunk;
        if (done) *at++ = (uint8_t)(0xC0 | csid);
        memcpy(at, body + done, run);
        at += run;
    }
    return (size_t)(at - out);
}

static void send_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        const ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) die("send");
        data += sent;
        bytes -= (size_t)sent;
    }
}

static void expect(int fd, const char *word)
{
    static char seen[65536];
    size_t used = 0;
    while (!memmem(seen, used, word, strlen(word))) {
        const ssize_t got = recv(fd, seen + used, sizeof seen - used, 0);
        if (got <= 0) die("refused");
        used += (size_t)got;
    }
}

static size_t put_text(uint8_t *at, const char *text)
{
    const size_t bytes = strlen(text);
    at[0] = 2, at[1] = (uint8_t)(bytes >> 8), at[2] = (uint8_t)bytes;
    memcpy(at + 3, text, bytes);
    return bytes + 3;
}

static size_t put_number(uint8_t *at, unsigned v)
{
    const double d = v;
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    at[0] = 0;
    for (int i = 0; i < 8; i++) at[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
    return 9;
}

static void converse(int fd, unsigned index)
{
    uint8_t out[8192], body[512], hello[1 + 3072];
    static const uint8_t chunk_size[4] = { 0, 0, CHUNK_BYTES >> 8, CHUNK_BYTES & 0xFF };
    memset(out, 0, 1537);
    out[0] = 3;
    send_all(fd, out, 1537);
    for (size_t got = 0; got < sizeof hello;) {
        const ssize_t n = recv(fd, hello + got, sizeof hello - got, 0);
        if (n <= 0) die("handshake");
        got += (size_t)n;
    }
    send_all(fd, hello + 1, 1536);
    send_all(fd, out, put_message(out, 2, 1, 0, 0, chunk_size, 4, 128));
    size_t n = put_text(body, "connect");
    n += put_number(body + n, 1);
    memcpy(body + n,
           "\x03\0\x03"
           "app\x02\0\x04live\0\0\x09",
           17);
    n += 17;
    send_all(fd, out, put_message(out, 3, 20, 0, 0, body, (uint32_t)n, CHUNK_BYTES));
    expect(fd, "NetConnection.Connect.Success");
    n = put_text(body, "createStream");
    n += put_number(body + n, 2);
    body[n++] = 5;
    send_all(fd, out, put_message(out, 3, 20, 0, 0, body, (uint32_t)n, CHUNK_BYTES));
    expect(fd, "_result");
    char name[32];
    snprintf(name, sizeof name, "s%u", index);
    n = put_text(body, "publish");
    n += put_number(body + n, 3);
    body[n++] = 5;
    n += put_text(body + n, name);
    n += put_text(body + n, "live");
    send_all(fd, out, put_message(out, 3, 20, 0, 1, body, (uint32_t)n, CHUNK_BYTES));
    expect(fd, "NetStream.Publish.Start");
}

struct stream {
    int fd;
    size_t next;
    uint32_t base_ms, phase_ms;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void send_due(struct stream *s, uint32_t at_ms)
{
    static uint8_t out[8 << 20];
    for (;;) {
        const struct tag *t = &tags[s->next];
        if (s->base_ms + t->time_ms + s->phase_ms > at_ms) return;
        if (!(t->is_config && s->base_ms)) {
            const uint32_t time_ms = t->is_config ? 0 : s->base_ms + t->time_ms;
            send_all(s->fd, out,
                     put_message(out, t->kind == 8 ? 4 : 6, t->kind, time_ms, 1, t->body, t->bytes, CHUNK_BYTES));
        }
        if (++s->next < tag_count) continue;
        s->next = 0;
        s->base_ms += clip_ms;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "rtmp_source PORT STREAMS SECONDS CLIP.flv [raw]\n");
        return 2;
    }
    const unsigned count = (unsigned)atoi(argv[2]);
    const int64_t seconds = atoi(argv[3]);
    const bool is_raw = argc > 5 && !strcmp(argv[5], "raw");
    struct stream *streams = calloc(count, sizeof *streams);
    load(argv[4]);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(argv[1])),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (unsigned i = 0; streams && i < count; i++) {
        const int on = 1;
        streams[i] = (struct stream){ .fd = socket(AF_INET, SOCK_STREAM, 0), .phase_ms = i * 33 / count };
        if (connect(streams[i].fd, (struct sockaddr *)&address, sizeof address)) die("connect");
        setsockopt(streams[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (!is_raw) converse(streams[i].fd, i);
    }
    puts("ready");
    fflush(stdout);
    const int64_t start = now_ms();
    for (int64_t at; (at = now_ms() - start) < seconds * 1000;) {
        for (unsigned i = 0; i < count; i++) send_due(&streams[i], (uint32_t)at);
        const struct timespec tick = { .tv_nsec = 1000000 };
        clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
    }
    return 0;
}

#include "rtmp_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void die(const char *what)
{
    perror(what);
    exit(1);
}

size_t rtmp_wire_message(uint8_t *out, uint8_t csid, uint8_t kind, uint32_t time_ms, uint8_t stream,
                         const uint8_t *body, uint32_t bytes, uint32_t chunk_bytes)
{
    uint8_t *at = out;
    *at++ = csid;
    *at++ = (uint8_t)(time_ms >> 16), *at++ = (uint8_t)(time_ms >> 8), *at++ = (uint8_t)time_ms;
    *at++ = (uint8_t)(bytes >> 16), *at++ = (uint8_t)(bytes >> 8), *at++ = (uint8_t)bytes;
    *at++ = kind;
    *at++ = stream, *at++ = 0, *at++ = 0, *at++ = 0;
    for (uint32_t done = 0; done < bytes; done += chunk_bytes) {
        const uint32_t run = bytes - done < chunk_bytes ? bytes - done : chunk_bytes;
        if (done) *at++ = (uint8_t)(0xC0 | csid);
        memcpy(at, body + done, run);
        at += run;
    }
    return (size_t)(at - out);
}

void rtmp_wire_send(int fd, const uint8_t *data, size_t bytes)
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

int rtmp_wire_connect(uint16_t port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void rtmp_wire_publish(int fd, const char *name)
{
    uint8_t out[8192], body[512], hello[1 + 3072];
    static const uint8_t chunk_size[4] = { 0, 0, RTMP_WIRE_CHUNK_BYTES >> 8, RTMP_WIRE_CHUNK_BYTES & 0xFF };
    memset(out, 0, 1537);
    out[0] = 3;
    rtmp_wire_send(fd, out, 1537);
    for (size_t got = 0; got < sizeof hello;) {
        const ssize_t n = recv(fd, hello + got, sizeof hello - got, 0);
        if (n <= 0) die("handshake");
        got += (size_t)n;
    }
    rtmp_wire_send(fd, hello + 1, 1536);
    rtmp_wire_send(fd, out, rtmp_wire_message(out, 2, 1, 0, 0, chunk_size, 4, 128));
    size_t n = put_text(body, "connect");
    n += put_number(body + n, 1);
    memcpy(body + n,
           "\x03\0\x03"
           "app\x02\0\x04live\0\0\x09",
           17);
    n += 17;
    rtmp_wire_send(fd, out, rtmp_wire_message(out, 3, 20, 0, 0, body, (uint32_t)n, RTMP_WIRE_CHUNK_BYTES));
    expect(fd, "NetConnection.Connect.Success");
    n = put_text(body, "createStream");
    n += put_number(body + n, 2);
    body[n++] = 5;
    rtmp_wire_send(fd, out, rtmp_wire_message(out, 3, 20, 0, 0, body, (uint32_t)n, RTMP_WIRE_CHUNK_BYTES));
    expect(fd, "_result");
    n = put_text(body, "publish");
    n += put_number(body + n, 3);
    body[n++] = 5;
    n += put_text(body + n, name);
    n += put_text(body + n, "live");
    rtmp_wire_send(fd, out, rtmp_wire_message(out, 3, 20, 0, 1, body, (uint32_t)n, RTMP_WIRE_CHUNK_BYTES));
    expect(fd, "NetStream.Publish.Start");
}

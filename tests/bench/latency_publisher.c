/* latency_publisher PORT NAME NOTES <FLV: publishes as live/NAME what an encoder writes to standard input, each frame in one send as
 * soon as it has come, and notes in the file NOTES when. A line for a frame: "v" or "a", "k" for a keyframe or "-", its decode time in
 * ms, the CRC-32 of its sample, and the wall clock in us as its send ended. Tests only. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "rtmp_wire.h"

#define BODY_BYTES_MAX (4u << 20)

static long long wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static bool read_all(uint8_t *out, size_t bytes)
{
    return fread(out, 1, bytes, stdin) == bytes;
}

int main(int argc, char **argv)
{
    static uint8_t body[BODY_BYTES_MAX], out[BODY_BYTES_MAX + BODY_BYTES_MAX / 1024];
    uint8_t head[13];
    if (argc < 4) {
        fprintf(stderr, "latency_publisher PORT NAME NOTES <FLV\n");
        return 2;
    }
    FILE *notes = fopen(argv[3], "w");
    if (!notes) die(argv[3]);
    setvbuf(notes, NULL, _IOLBF, BUFSIZ);
    const int fd = rtmp_wire_connect((uint16_t)atoi(argv[1]));
    rtmp_wire_publish(fd, argv[2]);
    if (!read_all(head, 13)) return 0; /* the file's header and the first back pointer */
    while (read_all(head, 11)) {
        const uint32_t bytes = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
        const uint32_t time_ms = (uint32_t)head[7] << 24 | (uint32_t)head[4] << 16 | (uint32_t)head[5] << 8 | head[6];
        const uint8_t kind = head[0];
        if (bytes > BODY_BYTES_MAX || !read_all(body, bytes) || !read_all(head, 4)) return 0;
        rtmp_wire_send(fd, out,
                       rtmp_wire_message(out, kind == 8 ? 4 : 6, kind, time_ms, 1, body, bytes, RTMP_WIRE_CHUNK_BYTES));
        const long long sent_us = wall_us();
        const uint32_t tag_header_bytes = kind == 8 ? 2 : 5;
        if (kind == 18 || bytes <= tag_header_bytes || !body[1]) continue; /* metadata, or a codec's configuration */
        fprintf(notes, "%c %c %u %08lx %lld\n", kind == 8 ? 'a' : 'v', kind == 9 && body[0] >> 4 == 1 ? 'k' : '-',
                time_ms, crc32(0, body + tag_header_bytes, bytes - tag_header_bytes), sent_us);
    }
    return 0;
}

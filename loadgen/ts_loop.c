#include "ts_loop.h"

#include <stddef.h>

#define PACKET_BYTES 188
#define TIME_WRAP ((uint64_t)1 << 33)

unsigned ts_packet_pid(const uint8_t *p)
{
    return (unsigned)(p[1] & 0x1F) << 8 | p[2];
}

static bool has_payload(const uint8_t *p)
{
    return p[3] & 0x10;
}

static bool has_pcr(const uint8_t *p)
{
    return (p[3] & 0x20) && p[4] >= 7 && (p[5] & 0x10);
}

static uint64_t pcr_base(const uint8_t *p)
{
    return (uint64_t)p[6] << 25 | (uint64_t)p[7] << 17 | (uint64_t)p[8] << 9 | (uint64_t)p[9] << 1 | p[10] >> 7;
}

int64_t ts_packet_pcr(const uint8_t *p)
{
    if (!has_pcr(p)) return -1;
    return (int64_t)(pcr_base(p) * 300 + ((uint64_t)(p[10] & 1) << 8 | p[11]));
}

/* Where the optional header's flags of an audio or video PES stand; 0: none begins here. */
static size_t pes_header(const uint8_t *p)
{
    const size_t at = p[3] & 0x20 ? 5u + p[4] : 4u;
    if (!(p[1] & 0x40) || !has_payload(p) || at + 19 > PACKET_BYTES || p[at] || p[at + 1] || p[at + 2] != 1) return 0;
    const uint8_t id = p[at + 3];
    return id == 0xBD || id == 0xFD || (id & 0xE0) == 0xC0 || (id & 0xF0) == 0xE0 ? at + 7 : 0;
}

static uint64_t read_time(const uint8_t *p)
{
    return (uint64_t)(p[0] >> 1 & 7) << 30 | (uint64_t)p[1] << 22 | (uint64_t)(p[2] >> 1) << 15 | (uint64_t)p[3] << 7 |
           p[4] >> 1;
}

static void add_time(uint8_t *p, uint64_t ticks)
{
    const uint64_t t = (read_time(p) + ticks) % TIME_WRAP;
    p[0] = (uint8_t)((p[0] & 0xF1) | (t >> 30 << 1 & 0x0E));
    p[1] = (uint8_t)(t >> 22);
    p[2] = (uint8_t)(t >> 14 | 1);
    p[3] = (uint8_t)(t >> 7);
    p[4] = (uint8_t)(t << 1 | 1);
}

bool ts_packet_pts(const uint8_t *p, int64_t *pts_90k, bool *is_video)
{
    const size_t flags = pes_header(p);
    if (!flags || !(p[flags] & 0x80)) return false;
    *pts_90k = (int64_t)read_time(p + flags + 2);
    *is_video = (p[flags - 4] & 0xF0) == 0xE0;
    return true;
}

void ts_packet_renew(uint8_t *p, unsigned counter_step, uint64_t ticks)
{
    if (has_payload(p)) p[3] = (uint8_t)((p[3] & 0xF0) | ((p[3] + counter_step) & 0x0F));
    if (has_pcr(p)) {
        const uint64_t t = (pcr_base(p) + ticks) % TIME_WRAP;
        p[6] = (uint8_t)(t >> 25), p[7] = (uint8_t)(t >> 17), p[8] = (uint8_t)(t >> 9), p[9] = (uint8_t)(t >> 1);
        p[10] = (uint8_t)((p[10] & 0x7F) | (t << 7 & 0x80));
    }
    const size_t flags = pes_header(p);
    if (!flags) return;
    if (p[flags] & 0x80) add_time(p + flags + 2, ticks);
    if ((p[flags] & 0xC0) == 0xC0) add_time(p + flags + 7, ticks);
}

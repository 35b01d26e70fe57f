#include <weir/loadgen/follower.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/base/err.h>
#include <weir/loadgen/hls_playlist.h>

void follower_init(struct follower *f)
{
    memset(f, 0, sizeof *f);
}

void follower_mark(struct follower *f, int64_t now_us)
{
    f->faults = f->refusals = 0;
    f->fault[0] = 0;
    f->marked_us = now_us;
    f->first_advance_us = 0;
    f->longest_gap_us = 0;
}

static void WEIR_PRINTF(2, 3) blame(struct follower *f, const char *format, ...)
{
    va_list values;
    if (f->faults++) return;
    va_start(values, format);
    vsnprintf(f->fault, sizeof f->fault, format, values);
    va_end(values);
}

static uint64_t hash_of(const char *text)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001B3u;
    return h ? h : 1;
}

static void compare_uri(struct follower *f, const struct hls_segment *s)
{
    const size_t slot = s->msn % FOLLOWER_URIS;
    if (!s->uri) return;
    const uint64_t hash = hash_of(s->uri);
    if (f->uris[slot] && f->uri_msns[slot] == s->msn && f->uris[slot] != hash)
        blame(f, "number %llu had another address before", (unsigned long long)s->msn);
    f->uris[slot] = hash;
    f->uri_msns[slot] = s->msn;
}

static uint64_t discontinuities_in(const struct hls_playlist *p)
{
    uint64_t count = p->discontinuity_sequence;
    for (size_t i = 0; i < p->segment_count; i++) count += p->segments[i].has_discontinuity;
    return count;
}

static void compare(struct follower *f, const struct hls_playlist *p, uint64_t last_msn, uint64_t discontinuities)
{
    if (!f->has_begun) return;
    if (last_msn < f->last_msn)
        blame(f, "its end went back from %llu to %llu", (unsigned long long)f->last_msn, (unsigned long long)last_msn);
    if (p->media_sequence < f->media_sequence)
        blame(f, "EXT-X-MEDIA-SEQUENCE went back from %llu to %llu", (unsigned long long)f->media_sequence,
              (unsigned long long)p->media_sequence);
    if (discontinuities < f->discontinuities)
        blame(f, "discontinuities went back from %llu to %llu", (unsigned long long)f->discontinuities,
              (unsigned long long)discontinuities);
    if (p->is_ended) blame(f, "EXT-X-ENDLIST");
}

static void advance(struct follower *f, int64_t now_us)
{
    const int64_t since_us = f->last_advance_us > f->marked_us ? f->last_advance_us : f->marked_us;
    if (f->has_begun && now_us - since_us > f->longest_gap_us) f->longest_gap_us = now_us - since_us;
    if (!f->first_advance_us) f->first_advance_us = now_us;
    f->last_advance_us = now_us;
}

void follower_take(struct follower *f, const char *text, size_t bytes, int64_t now_us)
{
    struct hls_playlist *p;
    uint64_t last_msn;
    uint32_t parts;
    if (hls_playlist_parse(text, bytes, &p)) {
        blame(f, "the playlist cannot be read");
        return;
    }
    if (p->faults.count)
        blame(f, "line %u, %s: %.80s", p->faults.items[0].line, p->faults.items[0].tag, p->faults.items[0].text);
    if (p->target_us > 0) f->target_us = p->target_us;
    if (hls_playlist_edge(p, &last_msn, &parts)) {
        const uint64_t discontinuities = discontinuities_in(p);
        compare(f, p, last_msn, discontinuities);
        for (size_t i = 0; i < p->segment_count; i++) compare_uri(f, &p->segments[i]);
        if (!f->has_begun || last_msn > f->last_msn) advance(f, now_us);
        if (!f->has_begun) {
            f->first_discontinuities = discontinuities;
            f->first_seen_us = now_us;
        }
        f->has_begun = true;
        f->last_msn = last_msn;
        f->media_sequence = p->media_sequence;
        f->discontinuities = discontinuities;
    }
    hls_playlist_destroy(p);
}

void follower_miss(struct follower *f, int64_t now_us)
{
    f->refusals++;
}

int64_t follower_gap_us(const struct follower *f, int64_t now_us)
{
    const int64_t since_us = f->last_advance_us > f->marked_us ? f->last_advance_us : f->marked_us;
    const int64_t open_us = now_us - since_us;
    return open_us > f->longest_gap_us ? open_us : f->longest_gap_us;
}

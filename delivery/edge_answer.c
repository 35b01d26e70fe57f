#include "edge_answer.h"

#include <stdio.h>
#include <string.h>

#define PLAYLIST_TYPE "application/vnd.apple.mpegurl"
#define IMMUTABLE "public, max-age=31536000, immutable"
#define ENDED_MAX_AGE_S 3600
#define GZIP_BYTES_MIN 512 /* below a packet's worth nothing is won */

static const struct http_field retry_soon[] = { { "Retry-After", "retry-after", "1" } };

/* How long caches may keep an answer, in target durations (RFC 8216bis, B.1). */
static void set_max_age(struct http_answer *out, const char *scope, uint32_t seconds)
{
    snprintf(out->cache_text, sizeof out->cache_text, "%smax-age=%u", scope, seconds);
    out->cache_control = out->cache_text;
}

void edge_answer_playlist(struct gzip_cache *gzip, struct frozen *text, uint64_t version, enum edge_playlist_form form,
                          bool accepts_gzip, struct http_answer *out)
{
    const bool is_delta = form == EDGE_PLAYLIST_DELTA;
    http_answer_set_body(out, text, PLAYLIST_TYPE, NULL);
    out->varies_by_encoding = true;
    out->is_urgent = true;
    struct frozen *packed = out->bytes >= GZIP_BYTES_MIN && accepts_gzip
                                ? gzip_cache_get(gzip, version * 2 + is_delta, text)
                                : NULL;
    if (packed) {
        http_answer_set_body(out, packed, PLAYLIST_TYPE, NULL);
        frozen_unref(text);
        out->is_gzip = true;
    }
    snprintf(out->etag, sizeof out->etag, "\"p%llx%s%s\"", (unsigned long long)version, is_delta ? "-d" : "",
             out->is_gzip ? "-g" : "");
}

static struct hls_edge edge_of(const struct edge_snapshot *s, bool is_over)
{
    return (struct hls_edge){ .last_msn = edge_snapshot_last_msn(s),
                              .part_count = edge_snapshot_part_count(s),
                              .last_segment_parts = edge_snapshot_last_segment_parts(s),
                              .part_target_us = edge_snapshot_part_target_us(s),
                              .is_ended = edge_snapshot_is_ended(s) || is_over };
}

static bool answer_playlist(struct gzip_cache *gzip, const struct edge_question *q, const struct edge_snapshot *s,
                            bool is_over, struct http_answer *out)
{
    const struct hls_edge edge = edge_of(s, is_over);
    const uint32_t target_s = edge_snapshot_target_duration_s(s);
    switch (hls_directives_judge(&q->directives, &edge)) {
    case HLS_WAIT: return false;
    case HLS_TOO_FAR:
        /* kept by caches no longer than it is true for: a second is less than what is too far ahead */
        http_answer_error(out, 400, "What is asked for lies too far ahead of what is there.");
        return true;
    case HLS_NOW: break;
    }
    const bool is_ended = edge_snapshot_is_ended(s);
    const enum edge_playlist_form form = q->directives.wants_delta && edge.part_target_us && !is_ended
                                             ? EDGE_PLAYLIST_DELTA
                                             : EDGE_PLAYLIST_FULL;
    struct frozen *text = frozen_ref(edge_snapshot_playlist(s, form));
    uint64_t version = edge_snapshot_version(s);
    if (hls_start_is_given(&q->start)) {
        text = hls_start_mark_media(text, &q->start);
        if (text) version = edge_answer_state(text);
    }
    if (!text) {
        http_answer_error(out, 500, "Out of memory.");
        return true;
    }
    edge_answer_playlist(gzip, text, version, form, q->accepts_gzip, out);
    if (is_ended)
        set_max_age(out, "public, ", ENDED_MAX_AGE_S);
    else if (q->directives.wish != HLS_WISH_NOTHING && edge.part_target_us)
        set_max_age(out, "public, ", 6 * target_s);
    else
        set_max_age(out, "public, ", target_s > 3 ? target_s / 2 : 1);
    return true;
}

uint64_t edge_answer_state(const struct frozen *text)
{
    uint64_t hash = 0xCBF29CE484222325u;
    const struct piece *pieces = frozen_pieces(text);
    for (size_t i = 0; i < frozen_piece_count(text); i++) {
        for (size_t k = 0; k < pieces[i].bytes; k++) hash = (hash ^ pieces[i].data[k]) * 0x100000001B3u;
    }
    return hash >> 3 | 1ULL << 61; /* there is room for doubling it */
}

bool edge_answer_is_hinted(const struct edge_snapshot *s, const struct edge_question *q)
{
    static const enum edge_object_kind kinds[] = { EDGE_PART, EDGE_INIT };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *hint = edge_snapshot_hint(s, kinds[i]);
        if (hint && strlen(hint) == q->file_bytes && !memcmp(hint, q->file, q->file_bytes)) return true;
    }
    return false;
}

static const char *media_type(enum edge_media media)
{
    return media == EDGE_MUXED_TS ? "video/mp2t" : media == EDGE_VIDEO_MP4 ? "video/mp4" : "audio/mp4";
}

void edge_answer_body(struct frozen *body, enum edge_media media, const char *name, size_t name_bytes,
                      struct http_answer *out)
{
    if (!body) {
        http_answer_error(out, 500, "Out of memory.");
        return;
    }
    http_answer_set_body(out, body, media_type(media), IMMUTABLE);
    snprintf(out->etag, sizeof out->etag, "\"%.*s\"", (int)name_bytes, name);
}

static bool answer_object(const struct edge_question *q, const struct edge_snapshot *s, bool has_waited, bool is_over,
                          struct http_answer *out)
{
    const struct edge_object *object = edge_snapshot_find(s, q->file, q->file_bytes);
    if (object) {
        edge_answer_body(edge_object_body(object), edge_snapshot_media(s), q->file, q->file_bytes, out);
        return true;
    }
    if (!is_over && !edge_snapshot_is_ended(s) && edge_answer_is_hinted(s, q)) return false;
    if (has_waited) {
        http_answer_error(out, 404, "What was announced will not come: the stream broke off before it.");
        set_max_age(out, "", edge_snapshot_target_duration_s(s));
    } else {
        /* a cache that kept this would still say so when it is there */
        http_answer_error(out, 404, "No such segment: it is too old, or not there yet.");
        out->cache_control = "no-store";
    }
    return true;
}

bool edge_answer(struct gzip_cache *gzip, const struct edge_question *q, const struct edge_snapshot *s, bool has_waited,
                 bool is_over, struct http_answer *out)
{
    return q->file ? answer_object(q, s, has_waited, is_over, out) : answer_playlist(gzip, q, s, is_over, out);
}

void edge_answer_timeout(struct http_answer *out)
{
    http_answer_error(out, 503, "Nothing new came within three target durations: the publisher may be gone for now.");
    out->cache_control = "no-store";
    out->extra = retry_soon;
    out->extra_count = ARRAY_LEN(retry_soon);
}

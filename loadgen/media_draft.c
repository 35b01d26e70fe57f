#include "media_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/stamp.h>
#include <weir/media/adts.h>

#include "ts_loop.h"

void media_draft_init(struct media_draft *d)
{
    memset(d, 0, sizeof *d);
    byte_writer_init(&d->bytes, LOADGEN_SOURCE_BYTES_MAX);
}

void media_draft_deinit(struct media_draft *d)
{
    blob_unref(d->video_config);
    blob_unref(d->audio_config);
    byte_writer_deinit(&d->bytes);
    free(d->items);
    free(d->pieces);
}

static enum weir_err complain(struct media_draft *d, enum weir_err err, const char *what, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s: %s", what, why ? why : err_name(err));
    return err;
}

static struct byte_span config_span(struct blob *b)
{
    return b ? (struct byte_span){ blob_data(b), blob_bytes(b) } : (struct byte_span){ NULL, 0 };
}

enum weir_err media_draft_configure(struct media_draft *d, enum media_codec codec, struct byte_span config)
{
    if (!config.bytes) return WEIR_OK;
    const bool is_video = codec_kind(codec) == MEDIA_VIDEO;
    struct blob **to = is_video ? &d->video_config : &d->audio_config;
    const char *why = NULL;
    enum weir_err err = codec_config_from_wire(codec, config, to, &why);
    if (!err) err = codec_describe(codec, config_span(*to), is_video ? &d->video : &d->audio, &why);
    if (err) return complain(d, err, is_video ? "the video's configuration" : "the audio's configuration", why);
    if (is_video && d->video.nal_length_bytes != 4)
        return complain(d, WEIR_UNSUPPORTED, "the video's configuration", "NAL lengths of 4 bytes were expected");
    return WEIR_OK;
}

static struct media_item *item_add(struct media_draft *d)
{
    if (d->item_count == LOADGEN_SOURCE_ITEMS_MAX) return NULL;
    if (d->item_count == d->item_capacity) {
        const uint32_t capacity = d->item_capacity ? d->item_capacity * 2 : 1024;
        struct media_item *grown = realloc(d->items, capacity * sizeof *grown);
        if (!grown) return NULL;
        d->items = grown;
        d->item_capacity = capacity;
    }
    struct media_item *item = &d->items[d->item_count++];
    *item = (struct media_item){ .at = d->bytes.bytes };
    return item;
}

/* Start codes to lengths (H.264 annex B); what stands before the first one is dropped. */
static void write_lengths(struct byte_writer *w, struct byte_span in)
{
    const uint8_t *at = in.data, *end = in.data + in.bytes, *unit = NULL;
    for (;; at++) {
        const bool is_end = end - at < 3;
        if (!is_end && (at[0] || at[1] || at[2] != 1)) continue;
        const uint8_t *until = is_end ? end : at;
        while (unit && until > unit && !until[-1]) until--; /* trailing zeros belong to the next start code */
        if (unit && until > unit) {
            write_u32(w, (uint32_t)(until - unit));
            write_bytes(w, unit, (size_t)(until - unit));
        }
        if (is_end) return;
        at += 2;
        unit = at + 1;
    }
}

static bool has_start_code(struct byte_span in)
{
    return in.bytes > 4 && !in.data[0] && !in.data[1] && (in.data[2] == 1 || (!in.data[2] && in.data[3] == 1));
}

enum weir_err media_draft_video(struct media_draft *d, enum media_codec codec, struct byte_span frame, int64_t pts_90k,
                                int64_t dts_90k, bool is_key)
{
    const char *why = NULL;
    const size_t before = d->bytes.bytes;
    /* a configuration of four-byte lengths came with the container: what looks like a start code is a length of 1 */
    if (has_start_code(frame) && !(d->video_config && load_u32(frame.data) == 1 && frame.bytes == 5))
        write_lengths(&d->bytes, frame);
    else
        write_bytes(&d->bytes, frame.data, frame.bytes);
    if (d->bytes.failed) return complain(d, WEIR_LIMIT, "the source", "it is larger than LOADGEN_SOURCE_BYTES_MAX");
    const struct byte_span sample = { d->bytes.data + before, d->bytes.bytes - before };
    enum weir_err err = WEIR_OK;
    if (!d->video_config) {
        err = codec_config_from_frame(codec, sample, &d->video_config, &d->video, &why);
        if (err == WEIR_NOT_FOUND) { /* not yet at a keyframe */
            d->bytes.bytes = before;
            return WEIR_OK;
        }
    }
    struct codec_frame prepared = { 0 };
    if (!err)
        err = codec_frame_prepare(&d->video, config_span(d->video_config), d->bytes.data + before, sample.bytes, is_key,
                                  &prepared, &why);
    if (err) return complain(d, err, "a picture", why);
    blob_unref(
        prepared.new_config); /* what changes in the middle is not followed: the loop would change it at each seam */
    d->bytes.bytes = before;
    if (prepared.is_empty) return WEIR_OK;
    struct media_item *item = item_add(d);
    if (!item) return complain(d, WEIR_LIMIT, "the source", "it has more frames than LOADGEN_SOURCE_ITEMS_MAX");
    item->at = before + prepared.offset;
    item->bytes = (uint32_t)prepared.bytes;
    d->bytes.bytes = before + prepared.offset + prepared.bytes;
    item->dts_90k = dts_90k;
    item->cts_90k = (int32_t)(pts_90k - dts_90k);
    item->is_video = true;
    item->is_key = prepared.access == FRAME_IDR;
    d->facts.video = codec;
    return WEIR_OK;
}

enum weir_err media_draft_audio(struct media_draft *d, struct byte_span frame, int64_t pts_90k)
{
    struct adts_header header;
    size_t skip = 0;
    if (adts_header_read(frame, &header) && header.frame_bytes == frame.bytes) {
        skip = header.header_bytes;
        uint8_t config[ADTS_CONFIG_BYTES_MAX];
        size_t bytes = 0;
        const char *why = NULL;
        enum weir_err err = d->audio_config ? WEIR_OK : adts_config(&header, frame, config, &bytes, &why);
        if (!err && bytes) err = media_draft_configure(d, CODEC_AAC, (struct byte_span){ config, bytes });
        if (err) return complain(d, err, "an audio frame", why);
    }
    if (!d->audio_config) return complain(d, WEIR_MALFORMED, "the audio", "AAC without its configuration");
    struct media_item *item = item_add(d);
    if (!item) return complain(d, WEIR_LIMIT, "the source", "it has more frames than LOADGEN_SOURCE_ITEMS_MAX");
    write_bytes(&d->bytes, frame.data + skip, frame.bytes - skip);
    if (d->bytes.failed) return complain(d, WEIR_LIMIT, "the source", "it is larger than LOADGEN_SOURCE_BYTES_MAX");
    item->bytes = (uint32_t)(frame.bytes - skip);
    item->dts_90k = pts_90k;
    item->is_key = true;
    d->facts.audio = CODEC_AAC;
    return WEIR_OK;
}

/* -- the loop -- */

static int by_time(const void *a, const void *b)
{
    const struct media_item *x = a, *y = b;
    if (x->dts_90k != y->dts_90k) return x->dts_90k < y->dts_90k ? -1 : 1;
    if (x->is_video != y->is_video) return x->is_video ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

struct extent {
    uint32_t count;
    int64_t first, last, first_key;
};

static struct extent extent_of(const struct media_draft *d, bool is_video)
{
    struct extent e = { .first_key = INT64_MAX };
    for (uint32_t i = 0; i < d->item_count; i++) {
        const struct media_item *item = &d->items[i];
        if (item->is_video != is_video) continue;
        if (!e.count++) e.first = item->dts_90k;
        e.last = item->dts_90k;
        if (item->is_key && item->dts_90k < e.first_key) e.first_key = item->dts_90k;
    }
    return e;
}

static int64_t length_of(struct extent e)
{
    return e.count > 1 ? (e.last - e.first) * e.count / (e.count - 1) : 3000;
}

/* Drops what lies outside of [from, from + loop), and moves the rest to 0. The other track's end may be turned round. */
static void keep(struct media_draft *d, int64_t from, int64_t loop_90k, bool is_turning)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->item_count; i++) {
        struct media_item item = d->items[i];
        item.dts_90k -= from;
        if (is_turning && item.dts_90k >= loop_90k) item.dts_90k -= loop_90k;
        if (item.dts_90k >= 0 && item.dts_90k < loop_90k) d->items[kept++] = item;
    }
    d->item_count = kept;
    qsort(d->items, kept, sizeof *d->items, by_time);
}

static void count_up(struct media_draft *d)
{
    uint64_t video_bytes = 0, audio_bytes = 0;
    for (uint32_t i = 0; i < d->item_count; i++) {
        struct media_item *item = &d->items[i];
        item->frame = item->is_video ? d->facts.video_frames++ : d->facts.audio_frames++;
        *(item->is_video ? &video_bytes : &audio_bytes) += item->bytes;
    }
    d->facts.video_kbps = (uint32_t)(video_bytes * 8 * 90 / (uint64_t)d->facts.loop_90k);
    d->facts.audio_kbps = (uint32_t)(audio_bytes * 8 * 90 / (uint64_t)d->facts.loop_90k);
}

enum weir_err media_draft_loop(struct media_draft *d, int64_t loop_90k)
{
    if (!d->item_count) return complain(d, WEIR_MALFORMED, "the source", "no H.264, HEVC or AAC in it");
    qsort(d->items, d->item_count, sizeof *d->items, by_time);
    const struct extent video = extent_of(d, true), audio = extent_of(d, false);
    if (video.count && video.first_key == INT64_MAX)
        return complain(d, WEIR_MALFORMED, "the source", "no IDR picture in it, so no loop can begin");
    const struct extent *lead = video.count ? &video : &audio;
    const int64_t from = lead->first_key;
    const bool is_exact = loop_90k > 0;
    if (!is_exact) loop_90k = length_of(*lead) - (from - lead->first);
    if (loop_90k < 9000) return complain(d, WEIR_MALFORMED, "the source", "it is shorter than 0.1 s");
    d->facts.loop_90k = loop_90k;
    keep(d, from, loop_90k, is_exact);
    count_up(d);
    d->facts.width = d->video.width, d->facts.height = d->video.height;
    if (!d->facts.fps_num) d->facts.fps_num = d->video.fps_num, d->facts.fps_den = d->video.fps_den;
    d->facts.sample_rate = d->audio.sample_rate, d->facts.channels = d->audio.channels;
    return WEIR_OK;
}

/* -- the transport stream -- */

/* Several audio frames are in one PES packet, and what is known is when the first of them is presented. */
static const uint8_t *find_stamp(const uint8_t *packet, struct media_ts_piece *piece)
{
    int64_t pts_90k;
    bool is_of_video;
    if (piece->is_video) return stamp_find(packet, TS_PACKET_BYTES);
    if (!ts_packet_pts(packet, &pts_90k, &is_of_video) || is_of_video) return NULL;
    piece->pts_90k = pts_90k; /* in the stream's own time, until its origin is known */
    return stamp_find_sound(packet, TS_PACKET_BYTES);
}

enum weir_err media_draft_piece(struct media_draft *d, struct byte_span packets, const struct media_item *item)
{
    if (!packets.bytes) return WEIR_OK;
    if (packets.bytes % TS_PACKET_BYTES)
        return complain(d, WEIR_MALFORMED, "the transport stream", "packets of 188 bytes were expected");
    if (d->piece_count == d->piece_capacity) {
        const uint32_t capacity = d->piece_capacity ? d->piece_capacity * 2 : 1024;
        struct media_ts_piece *grown = realloc(d->pieces, capacity * sizeof *grown);
        if (!grown) return complain(d, WEIR_NOMEM, "the transport stream", NULL);
        d->pieces = grown;
        d->piece_capacity = capacity;
    }
    struct media_ts_piece piece = { .at = d->bytes.bytes,
                                    .packets = (uint32_t)(packets.bytes / TS_PACKET_BYTES),
                                    .dts_90k = item->dts_90k,
                                    .pts_90k = item->dts_90k + item->cts_90k,
                                    .frame = item->frame,
                                    .is_video = item->is_video,
                                    .is_key = item->is_video && item->is_key };
    for (size_t at = 0; at < packets.bytes; at += TS_PACKET_BYTES) {
        const uint8_t *p = packets.data + at;
        if (p[3] & 0x10) {
            uint8_t *counter = &d->counters[(p[1] & 0x1F) << 8 | p[2]];
            *counter = (*counter + 1) & 0x0F;
        }
        const uint8_t *stamp = piece.stamp_at ? NULL : find_stamp(p, &piece);
        if (stamp) piece.stamp_at = (uint32_t)(stamp - packets.data);
    }
    if (item->is_video && !piece.stamp_at)
        return complain(d, WEIR_MALFORMED, "the transport stream", "a picture's stamp was cut in two");
    write_bytes(&d->bytes, packets.data, packets.bytes);
    if (d->bytes.failed) return complain(d, WEIR_LIMIT, "the source", "it is larger than LOADGEN_SOURCE_BYTES_MAX");
    d->pieces[d->piece_count++] = piece;
    return WEIR_OK;
}

static uint64_t put(struct byte_writer *w, const void *data, size_t bytes)
{
    write_zeros(w, -w->bytes & 15);
    const uint64_t at = w->bytes;
    if (bytes) write_bytes(w, data, bytes);
    return at;
}

enum weir_err media_draft_lay_out(struct media_draft *d, struct byte_writer *out)
{
    struct media_map map = {
        .facts = d->facts, .item_count = d->item_count, .piece_count = d->piece_count, .ts_origin_90k = d->ts_origin_90k
    };
    const struct byte_span video = config_span(d->video_config), audio = config_span(d->audio_config);
    map.video_config_bytes = (uint32_t)video.bytes;
    map.audio_config_bytes = (uint32_t)audio.bytes;
    /* where the bytes will begin is known before they are pointed to */
    uint64_t base = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < d->item_count; i++) d->items[i].at += base;
        for (uint32_t i = 0; i < d->piece_count; i++) d->pieces[i].at += base;
        byte_writer_clear(out);
        put(out, &map, sizeof map);
        map.video_config_at = put(out, video.data, video.bytes);
        map.audio_config_at = put(out, audio.data, audio.bytes);
        map.items_at = put(out, d->items, d->item_count * sizeof *d->items);
        map.pieces_at = put(out, d->pieces, d->piece_count * sizeof *d->pieces);
        map.counters_at = put(out, d->counters, sizeof d->counters);
        base = put(out, NULL, 0);
        map.total_bytes = base + d->bytes.bytes;
    }
    return out->failed ? complain(d, WEIR_NOMEM, "the source", NULL) : WEIR_OK;
}

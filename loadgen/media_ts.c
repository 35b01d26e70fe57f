#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <string.h>
#include <weir/loadgen/stamp.h>

#include "format_library.h"
#include "media_work.h"
#include "ts_loop.h"

#define TS_DELAY_US 700000 /* of the clock before the times, as ffmpeg does by itself */

struct mux {
    const struct format_library *f;
    AVFormatContext *context;
    AVStream *video, *audio;
    AVPacket *packet;
};

static enum weir_err complain(struct media_draft *d, enum weir_err err, const char *what, int av_error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (av_error) av_strerror(av_error, text, sizeof text);
    snprintf(d->why, sizeof d->why, "the transport stream: %s%s%s", what, av_error ? ": " : "", text);
    return err;
}

static AVStream *add_stream(struct mux *m, enum AVMediaType type, enum AVCodecID id, struct blob *config)
{
    AVStream *s = m->f->avformat_new_stream(m->context, NULL);
    if (!s) return NULL;
    s->codecpar->codec_type = type;
    s->codecpar->codec_id = id;
    s->codecpar->extradata = av_mallocz(blob_bytes(config) + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!s->codecpar->extradata) return NULL;
    memcpy(s->codecpar->extradata, blob_data(config), blob_bytes(config));
    s->codecpar->extradata_size = (int)blob_bytes(config);
    s->time_base = (AVRational){ 1, 90000 };
    return s;
}

static enum weir_err open_mux(struct mux *m, struct media_draft *d)
{
    const struct media_source_facts *facts = &d->facts;
    int result = m->f->avformat_alloc_output_context2(&m->context, NULL, "mpegts", NULL);
    if (result < 0) return complain(d, WEIR_UNSUPPORTED, "this libavformat does not write MPEG-TS", result);
    m->context->max_delay = TS_DELAY_US;
    m->context->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    if (facts->video)
        m->video = add_stream(m, AVMEDIA_TYPE_VIDEO, facts->video == CODEC_HEVC ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264,
                              d->video_config);
    if (facts->audio) {
        m->audio = add_stream(m, AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC, d->audio_config);
        if (m->audio) {
            m->audio->codecpar->sample_rate = (int)facts->sample_rate;
            av_channel_layout_default(&m->audio->codecpar->ch_layout, (int)facts->channels);
        }
    }
    m->packet = av_packet_alloc();
    if ((facts->video && !m->video) || (facts->audio && !m->audio) || !m->packet)
        return complain(d, WEIR_NOMEM, "no memory", 0);
    result = m->f->avio_open_dyn_buf(&m->context->pb);
    if (result >= 0) result = m->f->avformat_write_header(m->context, NULL);
    return result < 0 ? complain(d, WEIR_IO, "it does not begin", result) : WEIR_OK;
}

/* A stamp to be filled in. How long it is. */
static size_t write_stamp(const struct media_draft *d, bool is_video, uint8_t out[4 + STAMP_NAL_BYTES_MAX])
{
    const struct stamp stamp = { 0 };
    if (!is_video) {
        stamp_write_sound(&stamp, out);
        return STAMP_SOUND_BYTES;
    }
    const size_t bytes = stamp_write_nal(d->facts.video, &stamp, out + 4);
    store_u32(out, (uint32_t)bytes);
    return 4 + bytes;
}

/* The item's bytes behind a stamp. */
static bool fill_packet(struct mux *m, const struct media_draft *d, const struct media_item *item)
{
    uint8_t head[4 + STAMP_NAL_BYTES_MAX];
    const size_t before = write_stamp(d, item->is_video, head);
    if (av_new_packet(m->packet, (int)(before + item->bytes)) < 0) return false;
    memcpy(m->packet->data, head, before);
    memcpy(m->packet->data + before, d->bytes.data + item->at, item->bytes);
    m->packet->stream_index = item->is_video ? m->video->index : m->audio->index;
    m->packet->dts = item->dts_90k;
    m->packet->pts = item->dts_90k + item->cts_90k;
    m->packet->flags = item->is_key ? AV_PKT_FLAG_KEY : 0;
    return true;
}

/* What was written since the last time, all of it. */
static enum weir_err take(struct mux *m, struct media_draft *d, const struct media_item *item)
{
    uint8_t *data = NULL;
    m->f->avio_flush(m->context->pb);
    const int bytes = m->f->avio_close_dyn_buf(m->context->pb, &data);
    const int result = m->f->avio_open_dyn_buf(&m->context->pb);
    enum weir_err err = result < 0 ? complain(d, WEIR_NOMEM, "no memory", result) : WEIR_OK;
    if (!err && bytes > 0) err = media_draft_piece(d, (struct byte_span){ data, (size_t)bytes }, item);
    av_free(data);
    return err;
}

static enum weir_err write_all(struct mux *m, struct media_draft *d)
{
    enum weir_err err = WEIR_OK;
    for (uint32_t i = 0; i < d->item_count && !err; i++) {
        if (!fill_packet(m, d, &d->items[i])) return complain(d, WEIR_NOMEM, "no memory", 0);
        const int result = m->f->av_write_frame(m->context, m->packet);
        av_packet_unref(m->packet);
        if (result < 0) return complain(d, WEIR_IO, "a frame was not taken", result);
        err = take(m, d, &d->items[i]);
    }
    if (err) return err;
    const int result = m->f->av_write_trailer(m->context); /* gathered audio */
    if (result < 0) return complain(d, WEIR_IO, "it does not end", result);
    const struct media_item last = { .dts_90k = d->facts.loop_90k - 1 };
    return take(m, d, &last);
}

/* Where the first item of the track that leads stands in the stream's own time. */
static enum weir_err find_origin(struct media_draft *d, size_t from)
{
    const bool is_video = d->facts.video != 0;
    for (uint32_t i = 0; i < d->item_count; i++) {
        const struct media_item *item = &d->items[i];
        if (item->is_video != is_video) continue;
        for (size_t at = from; at + TS_PACKET_BYTES <= d->bytes.bytes; at += TS_PACKET_BYTES) {
            int64_t pts_90k;
            bool is_of_video;
            if (!ts_packet_pts(d->bytes.data + at, &pts_90k, &is_of_video) || is_of_video != is_video) continue;
            d->ts_origin_90k = pts_90k - item->dts_90k - item->cts_90k;
            return WEIR_OK;
        }
    }
    return complain(d, WEIR_MALFORMED, "no PES packet in it", 0);
}

enum weir_err media_mux_ts(struct media_draft *d)
{
    struct mux m = { .f = format_library() };
    if (!m.f) return complain(d, WEIR_UNSUPPORTED, "libavformat is not on this machine, which writes it", 0);
    const size_t from = d->bytes.bytes;
    enum weir_err err = open_mux(&m, d);
    if (!err) err = write_all(&m, d);
    if (!err) err = find_origin(d, from);
    for (uint32_t i = 0; i < d->piece_count && !err; i++) {
        if (!d->pieces[i].is_video && d->pieces[i].stamp_at) d->pieces[i].pts_90k -= d->ts_origin_90k;
    }
    av_packet_free(&m.packet);
    if (m.context && m.context->pb) {
        uint8_t *data = NULL;
        m.f->avio_close_dyn_buf(m.context->pb, &data);
        av_free(data);
    }
    if (m.context) m.f->avformat_free_context(m.context);
    return err;
}

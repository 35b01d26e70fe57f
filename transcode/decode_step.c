#include "decode_step.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/clock.h>
#include <weir/base/log.h>

#include <libavutil/mastering_display_metadata.h>

#define RETRY_US 5000000
#define DAMAGE_90K_MAX (5 * 90000)             /* a stream without entries is shown again after this */
#define BAD_IN_ROW_MAX 30                      /* a GPU's decoder that understands nothing: another one may */
#define PIXELS_PER_CORE (1920ull * 1080 * 120) /* a second: more than this is decoded with several threads */
/* Surfaces of the decoder that the ladder holds: one in hand, three in a deinterlacer; of a rung as large as the source, what waits, one
 * being encoded, one inside. */
#define SURFACES_EXTRA (1 + 3 + LADDER_FRAMES_WAITING_MAX + 2)
/* NVDEC refuses more than 32: 16 references, 3 pictures being reordered, 5 of libavcodec's own, and these. */
_Static_assert(16 + 3 + 5 + SURFACES_EXTRA <= 32, "a decoder with all its surfaces cannot be opened");

void decode_step_init(struct decode_step *d, struct ladder_shared *shared, const struct decode_events *events,
                      size_t rank)
{
    memset(d, 0, sizeof *d);
    d->shared = shared;
    d->events = *events;
    d->next_rank = rank;
    d->is_moving = rank > 0;
    d->waits_for_entry = true;
    d->last_pts_90k = INT64_MIN;
    d->frame = av_frame_alloc();
    d->plain = av_frame_alloc();
}

static void close_deinterlacer(struct decode_step *d)
{
    if (d->deinterlacer) d->choice.backend->scaler_close(d->deinterlacer);
    d->deinterlacer = NULL;
}

static void close_decoder(struct decode_step *d)
{
    close_deinterlacer(d);
    if (d->decoder) {
        d->choice.backend->decoder_close(d->decoder);
        transcoder_release(d->shared->transcoder, DUTY_DECODE, &d->choice);
    }
    d->decoder = NULL;
    d->inside_count = 0;
    d->gap.has_last = false;
    d->waits_for_entry = true;
    d->has_failed = d->is_damaged = false;
    d->bad_in_row = 0;
}

void decode_step_deinit(struct decode_step *d)
{
    close_decoder(d);
    track_unref(d->track);
    av_frame_free(&d->frame);
    av_frame_free(&d->plain);
}

bool decode_step_has_track(const struct decode_step *d)
{
    return d->track != NULL;
}

bool decode_step_is_on_cpu(const struct decode_step *d)
{
    return d->decoder && !d->choice.backend->is_gpu;
}

void decode_step_set_track(struct decode_step *d, struct track *track)
{
    close_decoder(d);
    track_unref(d->track);
    d->track = track ? track_ref(track) : NULL;
    d->last_pts_90k = INT64_MIN;
    const bool is_avc = track && track_facts(track)->codec == CODEC_H264;
    frame_gap_init(&d->gap, is_avc ? track_config(track) : (struct byte_span){ NULL, 0 });
}

void decode_step_rest(struct decode_step *d)
{
    if (d->decoder) close_decoder(d);
}

void decode_step_fail(struct decode_step *d)
{
    d->has_failed = true;
}

static void count(struct decode_step *d, enum transcode_figure id, int64_t n)
{
    transcode_count(&d->shared->figures, id, n);
}

static void begin_call(struct decode_step *d)
{
    atomic_store(&d->calling_since_us, clock_now_us());
}

static void end_call(struct decode_step *d)
{
    atomic_store(&d->calling_since_us, 0);
}

/* -- opening, moving on -- */

static uint32_t decoder_threads(const struct codec_facts *f)
{
    const uint64_t fps = f->fps_num && f->fps_den ? f->fps_num / f->fps_den + 1 : 30;
    const uint64_t wanted = 1 + (uint64_t)f->width * f->height * fps / PIXELS_PER_CORE;
    return wanted < 4 ? (uint32_t)wanted : 4;
}

static bool open_next(struct decode_step *d)
{
    struct ladder_shared *s = d->shared;
    struct backend_error error;
    const struct codec_facts *facts = track_facts(d->track);
    while (!transcoder_choose(s->transcoder, DUTY_DECODE, facts->codec, s->backend, s->options.requires_gpu,
                              d->next_rank, NULL, &d->choice, &error)) {
        const struct decoder_config config = { .device = d->choice.device,
                                               .track = d->track,
                                               .name = s->name,
                                               .figures = &s->figures,
                                               .threads = decoder_threads(facts),
                                               .surfaces_extra = SURFACES_EXTRA };
        begin_call(d);
        const enum weir_err err = d->choice.backend->decoder_open(d->choice.backend, &config, &d->decoder, &error);
        end_call(d);
        if (!err) {
            d->next_rank = d->choice.rank;
            if (d->is_moving) count(d, FIGURE_BACKEND_MOVES, 1);
            d->is_moving = false;
            log_event(LOG_TRANSCODE, LOG_INFO, s->name, "decoder", "codec=%s size=%ux%u backend=%s",
                      codec_name(facts->codec), facts->width, facts->height, d->choice.backend->name);
            d->events.backend(d->events.context, &d->choice);
            return true;
        }
        d->decoder = NULL;
        transcoder_release(s->transcoder, DUTY_DECODE, &d->choice);
        count(d, FIGURE_DECODER_FAILURES, 1);
        log_event(LOG_TRANSCODE, LOG_WARN, s->name, "decoder_refused", "reason=%s", log_quote_text(error.text).text);
        d->next_rank = d->choice.rank + 1;
        d->is_moving = true;
    }
    log_event(LOG_TRANSCODE, LOG_ERROR, s->name, "not_decoded",
              "codec=%s tried=%s action=\"passed through alone; tried again in 5 s\"", codec_name(facts->codec),
              log_quote_text(error.text).text);
    d->next_rank = 0;
    d->retry_us = clock_now_us() + RETRY_US;
    return false;
}

static void move_on(struct decode_step *d, const char *what)
{
    count(d, FIGURE_DECODER_FAILURES, 1);
    log_event(LOG_TRANSCODE, LOG_WARN, d->shared->name, "decoder_failed",
              "backend=%s what=\"%s\" action=\"next backend, from the next keyframe\"", d->choice.backend->name, what);
    d->next_rank = d->choice.rank + 1;
    d->is_moving = true;
    close_decoder(d);
}

/* -- what a picture came with -- */

static bool take_inside(struct decode_step *d, int64_t pts_90k, struct decode_inside *out)
{
    size_t kept = 0;
    bool is_found = false;
    for (size_t i = 0; i < d->inside_count; i++) {
        const struct decode_inside in = d->inside[i];
        if (in.packet.pts_90k == pts_90k && !is_found) {
            *out = in;
            is_found = true;
        } else if (in.packet.pts_90k > pts_90k) {
            d->inside[kept++] = in; /* earlier ones will not come any more: pictures come in order */
        }
    }
    d->inside_count = kept;
    return is_found;
}

static void note_inside(struct decode_step *d, const struct media_packet *packet)
{
    if (d->inside_count == DECODE_INSIDE_MAX)
        memmove(d->inside, d->inside + 1, --d->inside_count * sizeof d->inside[0]);
    struct decode_inside *in = &d->inside[d->inside_count++];
    *in = (struct decode_inside){ .packet = *packet,
                                  .is_after_gap = frame_gap_look(
                                      &d->gap, (struct byte_span){ packet->payload.data, packet->payload.bytes }) };
    in->packet.payload = (struct piece){ .blob = NULL };
}

static uint16_t in_units(AVRational value, int units)
{
    const int64_t scaled = av_rescale(value.num, units, value.den ? value.den : 1);
    return scaled < 0 ? 0 : scaled > UINT16_MAX ? UINT16_MAX : (uint16_t)scaled;
}

static void read_hdr(const AVFrame *frame, struct decoded *out)
{
    const AVFrameSideData *data = av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    const AVMasteringDisplayMetadata *display = data ? (const AVMasteringDisplayMetadata *)data->data : NULL;
    struct hdr_facts *hdr = &out->hdr;
    if (display && display->has_primaries && display->has_luminance) {
        static const int order[3] = { 1, 2, 0 }; /* libav keeps red, green, blue; the SEI has green first */
        hdr->has_display = out->has_hdr = true;
        for (int i = 0; i < 3; i++) {
            hdr->display.primaries[i][0] = in_units(display->display_primaries[order[i]][0], 50000);
            hdr->display.primaries[i][1] = in_units(display->display_primaries[order[i]][1], 50000);
        }
        hdr->display.white[0] = in_units(display->white_point[0], 50000);
        hdr->display.white[1] = in_units(display->white_point[1], 50000);
        hdr->display.luminance_max = (uint32_t)av_rescale(display->max_luminance.num, 10000,
                                                          display->max_luminance.den);
        hdr->display.luminance_min = (uint32_t)av_rescale(display->min_luminance.num, 10000,
                                                          display->min_luminance.den);
    }
    data = av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    const AVContentLightMetadata *light = data ? (const AVContentLightMetadata *)data->data : NULL;
    if (!light) return;
    hdr->has_light = out->has_hdr = true;
    hdr->light.content_max = (uint16_t)light->MaxCLL;
    hdr->light.average_max = (uint16_t)light->MaxFALL;
}

/* -- pictures -- */

static void note_damage(struct decode_step *d)
{
    if (!d->is_damaged) d->damaged_90k = INT64_MIN;
    d->is_damaged = true;
}

/* What was concealed, and all that is made from it, is not shown. */
static bool is_shown(struct decode_step *d, const AVFrame *frame, const struct decode_inside *from)
{
    if (from->is_after_gap || frame->decode_error_flags || (frame->flags & AV_FRAME_FLAG_CORRUPT))
        note_damage(d);
    else if (d->is_damaged && from->packet.access != FRAME_INTER)
        d->is_damaged = false;
    if (!d->is_damaged) return true;
    if (d->damaged_90k == INT64_MIN) d->damaged_90k = frame->pts;
    if (frame->pts - d->damaged_90k > DAMAGE_90K_MAX) d->is_damaged = false;
    return !d->is_damaged;
}

static void show(struct decode_step *d, AVFrame *frame)
{
    struct decode_inside from = { .is_after_gap = false };
    struct decoded out = { .frame = frame };
    if (!take_inside(d, frame->pts, &from) || frame->pts <= d->last_pts_90k || !is_shown(d, frame, &from)) {
        count(d, FIGURE_FRAMES_DAMAGED, 1);
        return;
    }
    d->last_pts_90k = frame->pts;
    out.era = from.packet.era;
    out.nominal_90k = from.packet.nominal_90k;
    out.arrival_us = from.packet.arrival_us;
    const AVFrameSideData *captions = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    AVBufferRef *kept = captions ? av_buffer_ref(captions->buf) : NULL;
    if (kept) {
        out.captions = kept->data;
        out.caption_bytes = captions->size;
    }
    read_hdr(frame, &out);
    while (frame->nb_side_data) av_frame_remove_side_data(frame, frame->side_data[0]->type);
    d->events.picture(d->events.context, &out);
    av_buffer_unref(&kept);
}

static void deinterlace(struct decode_step *d, AVFrame *frame)
{
    begin_call(d);
    enum backend_step step = d->choice.backend->scaler_run(d->deinterlacer, frame, d->plain);
    end_call(d);
    while (step == STEP_DONE && !d->has_failed) {
        show(d, d->plain);
        av_frame_unref(d->plain);
        if (frame) return; /* one comes out for one that went in */
        begin_call(d);
        step = d->choice.backend->scaler_run(d->deinterlacer, NULL, d->plain);
        end_call(d);
    }
    if (step == STEP_FAILED) d->has_failed = true;
}

static void open_deinterlacer(struct decode_step *d, const AVFrame *frame)
{
    struct backend_error error;
    const struct scaler_config config = { .device = d->choice.device,
                                          .like = frame,
                                          .width = (uint32_t)frame->width,
                                          .height = (uint32_t)frame->height,
                                          .bit_depth = 8,
                                          .is_deinterlacer = true,
                                          .name = d->shared->name,
                                          .figures = &d->shared->figures };
    if (!d->choice.backend->scaler_open(d->choice.backend, &config, &d->deinterlacer, &error)) {
        log_event(LOG_TRANSCODE, LOG_INFO, d->shared->name, "deinterlacing", "backend=%s", d->choice.backend->name);
        return;
    }
    d->deinterlacer = NULL;
    log_event(LOG_TRANSCODE, LOG_WARN, d->shared->name, "deinterlacer_refused", "reason=%s",
              log_quote_text(error.text).text);
    d->has_failed = true;
}

static enum backend_step receive(struct decode_step *d)
{
    begin_call(d);
    const enum backend_step step = d->choice.backend->decoder_receive(d->decoder, d->frame);
    end_call(d);
    return step;
}

static void take_pictures(struct decode_step *d)
{
    enum backend_step step = STEP_DONE;
    while (!d->has_failed && (step = receive(d)) == STEP_DONE) {
        AVFrame *f = d->frame;
        d->bad_in_row = 0;
        if (f->pts == AV_NOPTS_VALUE) f->pts = f->best_effort_timestamp;
        if (f->interlaced_frame && !d->deinterlacer) open_deinterlacer(d, f);
        if (d->deinterlacer)
            deinterlace(d, f);
        else if (!d->has_failed)
            show(d, f);
        av_frame_unref(f);
    }
    if (step == STEP_FAILED) d->has_failed = true;
    if (step == STEP_BAD) {
        count(d, FIGURE_DECODE_ERRORS, 1);
        note_damage(d);
    }
}

/* -- packets -- */

/* libav reads past the end: the bytes move into a buffer with room behind them. */
static bool fill_packet(AVPacket *out, const struct media_packet *packet)
{
    if (packet->payload.bytes > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE ||
        av_new_packet(out, (int)packet->payload.bytes) < 0)
        return false;
    memcpy(out->data, packet->payload.data, packet->payload.bytes);
    out->pts = packet->pts_90k;
    out->dts = packet->dts_90k;
    if (packet->access != FRAME_INTER) out->flags |= AV_PKT_FLAG_KEY;
    return true;
}

static enum backend_step send(struct decode_step *d, const AVPacket *packet)
{
    begin_call(d);
    const enum backend_step step = d->choice.backend->decoder_send(d->decoder, packet);
    end_call(d);
    return step;
}

static void send_and_take(struct decode_step *d, const AVPacket *packet)
{
    enum backend_step step = send(d, packet);
    if (step == STEP_AGAIN) {
        take_pictures(d);
        if (!d->has_failed) step = send(d, packet);
    }
    if (step == STEP_AGAIN || step == STEP_FAILED) d->has_failed = true; /* neither takes nor gives */
    if (step == STEP_BAD) {
        count(d, FIGURE_DECODE_ERRORS, 1);
        note_damage(d);
        if (++d->bad_in_row > BAD_IN_ROW_MAX && d->choice.backend->is_gpu) d->has_failed = true;
    }
    take_pictures(d);
}

/* false: the decoder failed at it, and is closed. */
static bool feed_once(struct decode_step *d, const struct media_packet *packet)
{
    if (!d->decoder && (clock_now_us() < d->retry_us || !open_next(d))) return true;
    AVPacket *copy = packet_hold(&d->shared->figures);
    if (!copy || !fill_packet(copy, packet)) {
        packet_release(&d->shared->figures, copy);
        note_damage(d);
        return true;
    }
    d->waits_for_entry = false;
    note_inside(d, packet);
    send_and_take(d, copy);
    packet_release(&d->shared->figures, copy);
    if (!d->has_failed) return true;
    move_on(d, "it failed at work");
    return false;
}

void decode_step_feed(struct decode_step *d, const struct media_packet *packet)
{
    const bool is_entry = packet->access != FRAME_INTER;
    if (d->waits_for_entry && !is_entry) return;
    /* a stream that one cannot decode begins with the same picture in the next */
    for (size_t i = 0; i <= BACKENDS_MAX && !feed_once(d, packet) && is_entry; i++) continue;
}

void decode_step_drain(struct decode_step *d)
{
    if (!d->decoder) return;
    send_and_take(d, NULL);
    if (d->deinterlacer && !d->has_failed) deinterlace(d, NULL);
    if (d->has_failed)
        move_on(d, "it failed at its end");
    else
        close_decoder(d);
}

#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>

#include "encoded.h"
#include "libav.h"

#define WIDTH 320 /* hardware encoders and decoders refuse much less */
#define HEIGHT 192
#define PICTURES 6
#define KEY_AT 3 /* besides the first */
#define SESSIONS_MAX 24

/* One codec's trial: what came out of the encoder is kept, to be decoded by any backend. */
struct trial {
    struct encoded encoded;
    struct encoded_sample samples[PICTURES];
    size_t count;
    struct transcode_figures figures;
};

static AVFrame *make_picture(int index)
{
    AVFrame *f = av_frame_alloc();
    if (!f) return NULL;
    f->format = AV_PIX_FMT_YUV420P;
    f->width = WIDTH;
    f->height = HEIGHT;
    f->pts = index * 3000;
    if (av_frame_get_buffer(f, 0) < 0) {
        av_frame_free(&f);
        return NULL;
    }
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) f->data[0][y * f->linesize[0] + x] = (uint8_t)((x + y + index * 9) & 0xFF);
    }
    for (int plane = 1; plane <= 2; plane++) {
        for (int y = 0; y < HEIGHT / 2; y++) memset(f->data[plane] + y * f->linesize[plane], 128 + index, WIDTH / 2);
    }
    return f;
}

static struct encoder_config encoder_wish(struct rung_plan *rung, struct backend_device *device, enum media_codec codec,
                                          uint32_t variant, const AVFrame *like, struct transcode_figures *figures)
{
    *rung = (struct rung_plan){ .name = "probe",
                                .kind = RUNG_ENCODED,
                                .width = WIDTH,
                                .height = HEIGHT,
                                .keep_one_in = 1,
                                .fps_num = 30,
                                .fps_den = 1,
                                .bitrate_bps = 400000,
                                .max_rate_bps = 440000,
                                .buffer_bits = 440000,
                                .codec = codec };
    return (struct encoder_config){ .device = device,
                                    .like = like,
                                    .rung = rung,
                                    .speed = PRESET_ULTRAFAST,
                                    .latency = LADDER_LATENCY_LOW,
                                    .threads = 1,
                                    .variant = variant,
                                    .name = NULL,
                                    .figures = figures };
}

/* Takes what is ready. false: the encoder failed, or its output makes no sense. */
static bool collect(const struct backend *b, struct encoder *e, struct trial *t, AVPacket *packet,
                    struct backend_error *error)
{
    for (;;) {
        const enum backend_step step = b->encoder_receive(e, packet);
        if (step == STEP_AGAIN || step == STEP_END) return true;
        if (step != STEP_DONE || t->count == PICTURES) break;
        const char *why = "";
        const struct byte_span bits = { packet->data, (size_t)packet->size };
        const enum weir_err err = encoded_take(&t->encoded, bits, NULL, NULL, &t->samples[t->count], &why);
        av_packet_unref(packet);
        if (err) {
            snprintf(error->text, sizeof error->text, "%s: the encoder's output makes no sense: %s", b->name, why);
            return false;
        }
        t->count++;
    }
    snprintf(error->text, sizeof error->text, "%s: the encoder failed at work", b->name);
    return false;
}

static bool has_keys(const struct trial *t)
{
    if (t->count != PICTURES) return false;
    for (size_t i = 0; i < t->count; i++) {
        if ((t->samples[i].access == FRAME_IDR) != (i == 0 || i == KEY_AT)) return false;
    }
    return true;
}

enum tried { TRIED_WORKS = 1, TRIED_FAILS, TRIED_NO_SUCH };

static enum tried try_encoder(const struct backend *b, struct backend_device *device, enum media_codec codec,
                              uint32_t variant, struct trial *t, struct backend_error *error)
{
    struct encoder *e = NULL;
    struct rung_plan rung;
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = make_picture(0);
    bool works = false, exists = true;
    if (packet && picture && !encoded_init(&t->encoded, codec, 8)) {
        const struct encoder_config wish = encoder_wish(&rung, device, codec, variant, picture, &t->figures);
        const enum weir_err err = b->encoder_open(b, &wish, &e, error);
        works = !err;
        exists = err != WEIR_NOT_FOUND;
    }
    for (int i = 0; works && i < PICTURES; i++) {
        av_frame_free(&picture);
        picture = make_picture(i);
        works = picture && b->encoder_send(e, picture, i == 0 || i == KEY_AT) == STEP_DONE &&
                collect(b, e, t, packet, error);
    }
    if (works) works = b->encoder_send(e, NULL, false) != STEP_FAILED && collect(b, e, t, packet, error);
    if (works && !has_keys(t)) {
        snprintf(error->text, sizeof error->text, "%s: the %s encoder does not make keyframes where it is told to",
                 b->name, codec_name(codec));
        works = false;
    }
    b->encoder_close(e);
    av_frame_free(&picture);
    av_packet_free(&packet);
    return works ? TRIED_WORKS : exists ? TRIED_FAILS : TRIED_NO_SUCH;
}

static void trial_clear(struct trial *t)
{
    for (size_t i = 0; i < t->count; i++) blob_unref(t->samples[i].blob);
    encoded_deinit(&t->encoded);
    t->count = 0;
}

/* The first of the backend's encoders for this codec that does as it is told. */
static bool try_encode(const struct backend *b, struct backend_device *device, enum media_codec codec, struct trial *t,
                       uint32_t *variant, struct backend_error *error)
{
    for (uint32_t i = 0;; i++) {
        struct backend_error one = { "" };
        const enum tried tried = try_encoder(b, device, codec, i, t, &one);
        if (!i || tried != TRIED_NO_SUCH) *error = one;
        *variant = i;
        if (tried == TRIED_WORKS) return true;
        trial_clear(t);
        if (tried == TRIED_NO_SUCH) return false;
    }
}

static bool try_scale(const struct backend *b, struct backend_device *device, struct trial *t, const AVFrame *picture,
                      struct backend_error *error)
{
    struct scaler *s = NULL;
    const struct scaler_config wish = { .device = device,
                                        .like = picture,
                                        .width = WIDTH / 2,
                                        .height = HEIGHT / 2,
                                        .bit_depth = 8,
                                        .figures = &t->figures };
    AVFrame *out = av_frame_alloc();
    const bool works = out && !b->scaler_open(b, &wish, &s, error) && b->scaler_run(s, picture, out) == STEP_DONE &&
                       out->width == WIDTH / 2;
    b->scaler_close(s);
    av_frame_free(&out);
    return works;
}

static AVPacket *packet_of(const struct encoded_sample *s, size_t index)
{
    AVPacket *packet = av_packet_alloc();
    if (!packet) return NULL;
    if (av_new_packet(packet, (int)s->payload.bytes) < 0) {
        av_packet_free(&packet);
        return NULL;
    }
    memcpy(packet->data, s->payload.data, s->payload.bytes);
    packet->pts = packet->dts = (int64_t)index * 3000;
    return packet;
}

/* The trial's samples through this backend's decoder, and its first picture through the scaler. */
static bool try_decode(const struct backend *b, struct backend_device *device, struct trial *t, bool *can_scale,
                       struct backend_error *error)
{
    struct decoder *d = NULL;
    const struct decoder_config wish = {
        .device = device, .track = t->encoded.track, .figures = &t->figures, .threads = 1
    };
    if (b->decoder_open(b, &wish, &d, error)) return false;
    AVFrame *picture = av_frame_alloc();
    size_t pictures = 0;
    for (size_t i = 0; picture && i <= t->count; i++) {
        AVPacket *packet = i < t->count ? packet_of(&t->samples[i], i) : NULL;
        if (i < t->count && !packet) break;
        const enum backend_step sent = b->decoder_send(d, packet);
        av_packet_free(&packet);
        if (sent == STEP_FAILED || sent == STEP_BAD) break;
        while (b->decoder_receive(d, picture) == STEP_DONE) {
            if (!pictures++) *can_scale |= try_scale(b, device, t, picture, error);
            av_frame_unref(picture);
        }
    }
    if (pictures < t->count)
        snprintf(error->text, sizeof error->text, "%s: only %zu of %zu pictures were decoded", b->name, pictures,
                 t->count);
    av_frame_free(&picture);
    b->decoder_close(d);
    return pictures == t->count;
}

/* Drivers for desktop cards refuse more than a few sessions, with words that could mean anything: count them now. */
static uint32_t count_sessions(const struct backend *b, struct backend_device *device, uint32_t variant,
                               struct transcode_figures *figures)
{
    struct encoder *open[SESSIONS_MAX] = { NULL };
    struct rung_plan rung;
    struct backend_error error;
    AVFrame *picture = make_picture(0);
    uint32_t count = 0;
    while (picture && count < SESSIONS_MAX) {
        const struct encoder_config wish = encoder_wish(&rung, device, CODEC_H264, variant, picture, figures);
        if (b->encoder_open(b, &wish, &open[count], &error)) break;
        count++;
    }
    for (uint32_t i = 0; i < count; i++) b->encoder_close(open[i]);
    av_frame_free(&picture);
    return count < SESSIONS_MAX ? count : 0;
}

static void try_codec(const struct backend *b, struct backend_device *device, enum media_codec codec, struct trial *own,
                      struct trial *cpu, struct backend_report *report)
{
    struct backend_error error = { "" };
    report->can_encode[codec] = try_encode(b, device, codec, own, &report->variant[codec], &error);
    if (!report->can_encode[codec]) snprintf(report->note[codec], sizeof report->note[codec], "%s", error.text);
    /* a card that cannot encode may decode: it is shown what the CPU encodes */
    struct trial *source = own;
    uint32_t unused;
    if (!report->can_encode[codec] && b->is_gpu && try_encode(&backend_cpu, NULL, codec, cpu, &unused, &error))
        source = cpu;
    if (source->encoded.track && source->count == PICTURES)
        report->can_decode[codec] = try_decode(b, device, source, &report->can_scale, &error);
    if (!report->can_decode[codec] && !report->note[codec][0])
        snprintf(report->note[codec], sizeof report->note[codec], "%s", error.text);
}

void probe_codec(const struct backend *b, struct backend_device *device, enum media_codec codec,
                 struct backend_report *report)
{
    if (codec == CODEC_VP9) {
        /* nothing here encodes it, to be decoded again; libavcodec's own decoder needs no trial */
        report->can_decode[codec] = !b->is_gpu;
        return;
    }
    struct trial *own = calloc(1, sizeof *own), *cpu = calloc(1, sizeof *cpu);
    if (own && cpu) {
        try_codec(b, device, codec, own, cpu, report);
        if (codec == CODEC_H264 && b->is_gpu && report->can_encode[codec])
            report->encode_sessions = count_sessions(b, device, report->variant[codec], &own->figures);
    }
    if (own) trial_clear(own);
    if (cpu) trial_clear(cpu);
    free(own);
    free(cpu);
}

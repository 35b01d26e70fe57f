#include "film.h"

#include "hex.h"

#include <libavcodec/avcodec.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>
#include <transcode/encoded.h>

/* A bar along the top: one cell per bit, between a white and a black one; below, something that moves. */
static void paint(AVFrame *f, unsigned number)
{
    const bool is_deep = f->format == AV_PIX_FMT_YUV420P10;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            unsigned luma = 60 + (unsigned)((x * 3 + y * 2 + (int)number * 5) & 127);
            if (y < f->height / 8) {
                const int cell = x * (FILM_NUMBER_BITS + 4) / f->width - 1;
                luma = 16;
                if (cell == 0) luma = 235;
                if (cell >= 1 && cell <= FILM_NUMBER_BITS && number >> (cell - 1) & 1) luma = 235;
            }
            if (is_deep)
                ((uint16_t *)(f->data[0] + y * f->linesize[0]))[x] = (uint16_t)(luma << 2);
            else
                f->data[0][y * f->linesize[0] + x] = (uint8_t)luma;
        }
    }
    for (int plane = 1; plane <= 2; plane++) {
        for (int y = 0; y < f->height / 2; y++) {
            for (int x = 0; x < f->width / 2; x++) {
                const unsigned chroma = 128 + (((unsigned)x / 16 + number / 8) & 15);
                if (is_deep)
                    ((uint16_t *)(f->data[plane] + y * f->linesize[plane]))[x] = (uint16_t)(chroma << 2);
                else
                    f->data[plane][y * f->linesize[plane] + x] = (uint8_t)chroma;
            }
        }
    }
}

static int cell_luma(const AVFrame *f, int cell)
{
    const int x = f->width * (2 * cell + 3) / (2 * (FILM_NUMBER_BITS + 4)), y = f->height / 16;
    if (f->format == AV_PIX_FMT_YUV420P10) return ((const uint16_t *)(f->data[0] + y * f->linesize[0]))[x] >> 2;
    return f->data[0][y * f->linesize[0] + x];
}

int film_number(const AVFrame *f)
{
    int number = 0;
    if (cell_luma(f, 0) < 150 || cell_luma(f, -1) > 100) return -1;
    for (int bit = 0; bit < FILM_NUMBER_BITS; bit++) {
        const int luma = cell_luma(f, bit + 1);
        if (luma > 90 && luma < 160) return -1;
        if (luma >= 160) number |= 1 << bit;
    }
    return number;
}

static int64_t time_of(const struct film_config *c, uint32_t index, uint32_t slots)
{
    const int64_t at = c->is_variable ? slots : index;
    return c->start_90k + at * 90000 * c->fps_den / c->fps_num;
}

static AVCodecContext *open_encoder(const struct film_config *c)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(c->is_hevc_hdr ? "libx265" : "libx264");
    AVCodecContext *e = avcodec_alloc_context3(codec);
    AVDictionary *options = NULL;
    char params[256];
    assert_non_null(e);
    e->width = (int)c->width;
    e->height = (int)c->height;
    e->pix_fmt = c->is_hevc_hdr ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    e->time_base = (AVRational){ 1, 90000 };
    e->framerate = (AVRational){ (int)c->fps_num, (int)c->fps_den };
    e->sample_aspect_ratio = (AVRational){ c->sar_num ? (int)c->sar_num : 1, c->sar_num ? (int)c->sar_den : 1 };
    e->gop_size = c->gop ? (int)c->gop : 100000;
    e->max_b_frames = (int)c->b_frames;
    e->thread_count = 1;
    e->color_primaries = c->is_hevc_hdr ? AVCOL_PRI_BT2020 : AVCOL_PRI_BT709;
    e->color_trc = c->is_hevc_hdr ? AVCOL_TRC_SMPTE2084 : AVCOL_TRC_BT709;
    e->colorspace = c->is_hevc_hdr ? AVCOL_SPC_BT2020_NCL : AVCOL_SPC_BT709;
    e->color_range = AVCOL_RANGE_MPEG;
    if (c->is_interlaced) e->flags |= AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME;
    av_dict_set(&options, "preset", c->b_frames ? "veryfast" : "ultrafast", 0);
    if (c->is_hevc_hdr) {
        snprintf(params, sizeof params,
                 "log-level=none:scenecut=0:keyint=%u:min-keyint=%u:open-gop=0:pools=1:frame-threads=1:bframes=%u:"
                 "repeat-headers=1:"
                 "master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50):max-cll=1000,400",
                 e->gop_size, e->gop_size, c->b_frames);
        av_dict_set(&options, "x265-params", params, 0);
    } else {
        snprintf(params, sizeof params, "scenecut=0:open-gop=%d:b-adapt=0:keyint=%d:min-keyint=%d", c->is_open_gop,
                 e->gop_size, e->gop_size);
        av_dict_set(&options, "x264-params", params, 0);
    }
    assert_int_equal(avcodec_open2(e, codec, &options), 0);
    av_dict_free(&options);
    return e;
}

static void add_captions(AVFrame *f, unsigned number)
{
    AVFrameSideData *cc = av_frame_new_side_data(f, AV_FRAME_DATA_A53_CC, 6);
    assert_non_null(cc);
    const uint8_t bytes[6] = { 0xFC, (uint8_t)(0x20 + number % 90), 0x41, 0xFD, (uint8_t)(number & 0x7F), 0x80 };
    memcpy(cc->data, bytes, sizeof bytes);
}

static void take(struct film *film, struct encoded *encoded, const AVPacket *p, const struct film_config *c)
{
    struct encoded_sample sample;
    const char *why = "";
    const enum weir_err err = encoded_take(encoded, (struct byte_span){ p->data, (size_t)p->size }, NULL, NULL, &sample,
                                           &why);
    if (err) fail_msg("the film cannot be made: %s", why);
    assert_true(film->count < c->frames);
    film->packets[film->count++] = (struct media_packet){
        .kind = MEDIA_VIDEO,
        .access = sample.access,
        .payload = sample.payload,
        .era = 1,
        .dts_90k = p->dts,
        .pts_90k = p->pts,
        .nominal_90k = (uint32_t)(90000ull * c->fps_den / c->fps_num),
    };
}

static void hide_rate(struct film *film)
{
    struct codec_facts facts = *track_facts(film->track);
    const struct byte_span config = track_config(film->track);
    struct blob *copy = blob_copy(config.data, config.bytes);
    facts.fps_num = facts.fps_den = 0;
    track_unref(film->track);
    film->track = track_create(&facts, copy);
    blob_unref(copy);
    for (size_t i = 0; i < film->count; i++) film->packets[i].nominal_90k = 0;
}

void film_make(struct film *film, const struct film_config *c)
{
    struct encoded encoded;
    AVCodecContext *e = open_encoder(c);
    AVPacket *packet = av_packet_alloc();
    uint32_t slots = 0, random = 12345;
    *film = (struct film){ .packets = calloc(c->frames, sizeof *film->packets),
                           .pts_90k = calloc(c->frames, sizeof *film->pts_90k) };
    assert_int_equal(encoded_init(&encoded, c->is_hevc_hdr ? CODEC_HEVC : CODEC_H264, c->is_hevc_hdr ? 10 : 8),
                     WEIR_OK);
    for (uint32_t i = 0; i <= c->frames; i++) {
        AVFrame *f = NULL;
        if (i < c->frames) {
            f = av_frame_alloc();
            f->width = e->width;
            f->height = e->height;
            f->format = e->pix_fmt;
            assert_int_equal(av_frame_get_buffer(f, 0), 0);
            paint(f, i);
            f->pts = film->pts_90k[i] = time_of(c, i, slots);
            f->interlaced_frame = c->is_interlaced;
            f->top_field_first = c->is_interlaced;
            if (c->has_captions) add_captions(f, i);
            random = random * 1103515245 + 12345;
            slots += 1 + random / 65536 % 3;
        }
        assert_int_equal(avcodec_send_frame(e, f), 0);
        av_frame_free(&f);
        while (!avcodec_receive_packet(e, packet)) {
            take(film, &encoded, packet, c);
            av_packet_unref(packet);
        }
    }
    assert_int_equal(film->count, c->frames);
    film->track = track_ref(encoded.track);
    if (c->hides_rate) hide_rate(film);
    encoded_deinit(&encoded);
    av_packet_free(&packet);
    avcodec_free_context(&e);
}

void film_free(struct film *film)
{
    for (size_t i = 0; i < film->count; i++) blob_unref(film->packets[i].payload.blob);
    free(film->packets);
    free(film->pts_90k);
    track_unref(film->track);
    *film = (struct film){ .count = 0 };
}

/* libx265 3.5 forgets some of its parameters at each open (a few hundred bytes): not ours to free. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}

/* Its threads are not built for ThreadSanitizer, which cannot see how they agree. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libx265\nrace:libaom\nrace:libdav1d\nrace:libSvtAv1\ncalled_from_lib:libx265.so\n";
}

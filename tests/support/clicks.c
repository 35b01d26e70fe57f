#include "clicks.h"

#include "hex.h"

#include <libavcodec/avcodec.h>
#include <math.h>

static struct track *track_of(enum media_codec codec, const AVCodecContext *c, const struct media_packet *first)
{
    struct blob *config = NULL;
    struct codec_facts facts;
    const char *why = "";
    if (codec_needs_config(codec)) {
        const struct byte_span extra = { c->extradata, (size_t)c->extradata_size };
        assert_int_equal(codec_config_from_wire(codec, extra, &config, &why), WEIR_OK);
        const struct byte_span mp4 = { blob_data(config), blob_bytes(config) };
        assert_int_equal(codec_describe(codec, mp4, &facts, &why), WEIR_OK);
    } else {
        const struct byte_span frame = { first->payload.data, first->payload.bytes };
        assert_int_equal(codec_config_from_frame(codec, frame, &config, &facts, &why), WEIR_OK);
        assert_int_equal(facts.sample_rate, c->sample_rate);
        assert_int_equal(facts.channels, c->ch_layout.nb_channels);
    }
    struct track *t = track_create(&facts, config);
    blob_unref(config);
    return t;
}

static float sample_at(int64_t n, int rate)
{
    const int64_t in_half = n % (rate / 2);
    return in_half < rate / 50 ? 0.7f * sinf((float)in_half * 2 * 3.14159265f * 1000 / (float)rate) : 0;
}

static void take(struct clicks *s, AVCodecContext *c, AVPacket *p)
{
    while (!avcodec_receive_packet(c, p)) {
        if (p->pts >= 0 && s->count < CLICKS_PACKETS_MAX) {
            struct blob *b = blob_copy(p->data, (size_t)p->size);
            s->packets[s->count++] = (struct media_packet){ .kind = MEDIA_AUDIO,
                                                            .access = FRAME_IDR,
                                                            .payload = { b, blob_data(b), blob_bytes(b) },
                                                            .pts_samples = p->pts,
                                                            .pts_90k = p->pts * 90000 / s->rate,
                                                            .samples = (uint32_t)p->duration };
        }
        av_packet_unref(p);
    }
}

void clicks_make(struct clicks *s, const char *encoder, enum media_codec codec, int rate, int channels)
{
    const AVCodec *e = avcodec_find_encoder_by_name(encoder);
    AVCodecContext *c = avcodec_alloc_context3(e);
    AVPacket *p = av_packet_alloc();
    *s = (struct clicks){ .rate = rate };
    c->sample_rate = rate;
    c->sample_fmt = codec == CODEC_OPUS  ? AV_SAMPLE_FMT_FLT
                    : codec == CODEC_AAC ? AV_SAMPLE_FMT_FLTP
                                         : AV_SAMPLE_FMT_S16;
    c->time_base = (AVRational){ 1, rate };
    c->bit_rate = 96000 * channels;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&c->ch_layout, channels);
    assert_int_equal(avcodec_open2(c, e, NULL), 0);
    const int size = c->frame_size ? c->frame_size : 160; /* where any will do, 20 ms of a telephone */
    for (int64_t at = 0; at < (int64_t)CLICKS_SECONDS * rate; at += size) {
        AVFrame *f = av_frame_alloc();
        f->nb_samples = size;
        f->format = c->sample_fmt;
        f->sample_rate = rate;
        f->pts = at;
        av_channel_layout_copy(&f->ch_layout, &c->ch_layout);
        assert_int_equal(av_frame_get_buffer(f, 0), 0);
        const bool is_planar = av_sample_fmt_is_planar(c->sample_fmt);
        for (int i = 0; i < size * channels; i++) {
            const int n = is_planar ? i % size : i / channels;
            void *to = f->extended_data[is_planar ? i / size : 0];
            if (c->sample_fmt == AV_SAMPLE_FMT_S16)
                ((int16_t *)to)[i] = (int16_t)(32767 * sample_at(at + n, rate));
            else
                ((float *)to)[is_planar ? n : i] = sample_at(at + n, rate);
        }
        assert_int_equal(avcodec_send_frame(c, f), 0);
        av_frame_free(&f);
        take(s, c, p);
    }
    avcodec_send_frame(c, NULL);
    take(s, c, p);
    s->track = track_of(codec, c, s->packets);
    av_packet_free(&p);
    avcodec_free_context(&c);
}

void clicks_free(struct clicks *s)
{
    for (size_t i = 0; i < s->count; i++) blob_unref(s->packets[i].payload.blob);
    track_unref(s->track);
}

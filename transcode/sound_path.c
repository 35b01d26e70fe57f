#include "sound_path.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>

#define CHANNELS_MAX 2       /* where the operator does not say */
#define TOLERANCE_PER_S 1000 /* a millisecond off is rounding: no hole */
#define SILENCE_S_MAX 6      /* longer holes begin a new era before they come here */

static void count(struct sound_path *p, enum transcode_figure id, int64_t n)
{
    transcode_count(p->figures, id, n);
}

enum weir_err sound_path_init(struct sound_path *p, const char *name, const struct audio_rung_config *rung,
                              const struct sound_events *events, struct transcode_figures *figures)
{
    *p = (struct sound_path){ .name = name, .rung = *rung, .events = *events, .figures = figures };
    p->in = packet_hold(figures);
    p->out = packet_hold(figures);
    p->decoded = av_frame_alloc();
    p->plain = av_frame_alloc();
    return p->in && p->out && p->decoded && p->plain ? WEIR_OK : WEIR_NOMEM;
}

static void close_resampler(struct sound_path *p)
{
    swr_free(&p->resampler);
    av_channel_layout_uninit(&p->in_layout);
}

static void close_decoder(struct sound_path *p)
{
    if (p->decoder) count(p, FIGURE_DECODERS_ALIVE, -1);
    avcodec_free_context(&p->decoder);
    close_resampler(p);
}

static void close_encoder(struct sound_path *p)
{
    if (p->encoder) count(p, FIGURE_ENCODERS_ALIVE, -1);
    avcodec_free_context(&p->encoder);
    if (p->fifo) av_audio_fifo_free(p->fifo);
    p->fifo = NULL;
    p->has_run = false;
}

void sound_path_deinit(struct sound_path *p)
{
    close_decoder(p);
    close_encoder(p);
    packet_release(p->figures, p->in);
    packet_release(p->figures, p->out);
    av_frame_free(&p->decoded);
    av_frame_free(&p->plain);
    track_unref(p->source);
}

void sound_path_set_track(struct sound_path *p, struct track *source)
{
    if (p->source && track_equal(p->source, source)) return;
    sound_path_finish(p);
    close_decoder(p);
    track_unref(p->source);
    p->source = track_ref(source);
}

/* -- the decoder -- */

/* dOps to OpusHead (RFC 7845, 5.1): the same fields with their low byte first. */
static size_t opus_head(struct byte_span dops, uint8_t out[64])
{
    if (dops.bytes < 11 || dops.bytes > 64 - 8) return 0;
    memcpy(out, "OpusHead", 8);
    memcpy(out + 8, dops.data, dops.bytes);
    out[8] = 1;
    for (int at = 10; at <= 16; at += at == 10 ? 2 : 4) {
        const int bytes = at == 12 ? 4 : 2;
        for (int i = 0; i < bytes; i++) out[at + i] = dops.data[at - 8 + bytes - 1 - i];
    }
    return dops.bytes + 8;
}

static bool set_extradata(AVCodecContext *c, const struct track *track)
{
    struct byte_span config = track_config(track);
    uint8_t head[64];
    if (track_facts(track)->codec == CODEC_OPUS) config = (struct byte_span){ head, opus_head(config, head) };
    /* AC-3's boxes are for players; its decoder reads frames alone */
    if (!config.bytes || track_facts(track)->codec == CODEC_AC3 || track_facts(track)->codec == CODEC_EAC3) return true;
    c->extradata = av_mallocz(config.bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!c->extradata) return false;
    memcpy(c->extradata, config.data, config.bytes);
    c->extradata_size = (int)config.bytes;
    return true;
}

static enum weir_err open_decoder(struct sound_path *p, struct backend_error *error)
{
    static const enum AVCodecID ids[] = {
        [CODEC_AAC] = AV_CODEC_ID_AAC,   [CODEC_MP3] = AV_CODEC_ID_MP3,       [CODEC_OPUS] = AV_CODEC_ID_OPUS,
        [CODEC_FLAC] = AV_CODEC_ID_FLAC, [CODEC_AC3] = AV_CODEC_ID_AC3,       [CODEC_EAC3] = AV_CODEC_ID_EAC3,
        [CODEC_MP2] = AV_CODEC_ID_MP2,   [CODEC_PCMA] = AV_CODEC_ID_PCM_ALAW, [CODEC_PCMU] = AV_CODEC_ID_PCM_MULAW,
    };
    const struct codec_facts *facts = track_facts(p->source);
    const AVCodec *codec = avcodec_find_decoder(ids[facts->codec]);
    if (!codec) {
        snprintf(error->text, sizeof error->text, "this FFmpeg has no decoder for %s", codec_name(facts->codec));
        return WEIR_UNSUPPORTED;
    }
    AVCodecContext *c = codec_context_create(codec, p->name);
    if (!c || !set_extradata(c, p->source)) {
        avcodec_free_context(&c);
        return WEIR_NOMEM;
    }
    c->pkt_timebase = (AVRational){ 1, (int)facts->sample_rate };
    c->sample_rate = (int)facts->sample_rate;
    av_channel_layout_default(&c->ch_layout, (int)facts->channels);
    c->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL; /* what is heard when is the packets' to say, as it is for players */
    libav_log_capture();
    const int code = avcodec_open2(c, codec, NULL);
    if (code < 0) {
        libav_error(error, "audio decoder", code, NULL);
        avcodec_free_context(&c);
        return WEIR_UNSUPPORTED;
    }
    libav_log_captured();
    p->decoder = c;
    count(p, FIGURE_DECODERS_ALIVE, 1);
    return WEIR_OK;
}

/* -- the encoder -- */

static int choose_rate(const struct sound_path *p, const AVCodec *codec)
{
    const int wanted = (int)(p->rung.sample_rate ? p->rung.sample_rate : track_facts(p->source)->sample_rate);
    if (!codec->supported_samplerates) return wanted;
    for (const int *rate = codec->supported_samplerates; *rate; rate++) {
        if (*rate == wanted) return wanted;
    }
    return 48000;
}

static enum weir_err tell_track(struct sound_path *p)
{
    struct blob *config = NULL;
    struct codec_facts facts;
    const char *why = "";
    const struct byte_span extra = { p->encoder->extradata, (size_t)p->encoder->extradata_size };
    enum weir_err err = codec_config_from_wire(p->rung.codec, extra, &config, &why);
    if (!err)
        err = codec_describe(p->rung.codec, (struct byte_span){ blob_data(config), blob_bytes(config) }, &facts, &why);
    struct track *track = err ? NULL : track_create(&facts, config);
    blob_unref(config);
    if (!track) return err ? err : WEIR_NOMEM;
    p->events.track(p->events.context, track);
    track_unref(track);
    return WEIR_OK;
}

static int open_codec(struct sound_path *p, const AVCodec *codec)
{
    const uint32_t source_channels = track_facts(p->source)->channels;
    uint32_t channels = p->rung.channels ? p->rung.channels : source_channels;
    if (!p->rung.channels && channels > CHANNELS_MAX) channels = CHANNELS_MAX;
    if (!channels) channels = CHANNELS_MAX;
    AVCodecContext *c = p->encoder = codec_context_create(codec, p->name);
    if (!c) return AVERROR(ENOMEM);
    count(p, FIGURE_ENCODERS_ALIVE, 1);
    c->sample_rate = choose_rate(p, codec);
    c->sample_fmt = codec->sample_fmts ? codec->sample_fmts[0] : AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&c->ch_layout, (int)channels);
    c->time_base = (AVRational){ 1, c->sample_rate };
    c->bit_rate = (int64_t)(p->rung.bitrate_bps ? p->rung.bitrate_bps : channels * 64000);
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    const int code = avcodec_open2(c, codec, NULL);
    if (code < 0) return code;
    p->fifo = av_audio_fifo_alloc(c->sample_fmt, c->ch_layout.nb_channels, c->sample_rate);
    return p->fifo ? 0 : AVERROR(ENOMEM);
}

static enum weir_err open_encoder(struct sound_path *p, struct backend_error *error)
{
    const char *name = p->rung.codec == CODEC_OPUS ? "libopus" : "aac";
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec) {
        snprintf(error->text, sizeof error->text, "this FFmpeg has no encoder %s", name);
        return WEIR_UNSUPPORTED;
    }
    libav_log_capture();
    const int code = open_codec(p, codec);
    if (code < 0) libav_error(error, "audio encoder", code, "other bitrate, channels or sample_rate may do");
    libav_log_captured();
    const enum weir_err err = code < 0 ? WEIR_UNSUPPORTED : tell_track(p);
    if (err) close_encoder(p);
    return err;
}

static void take_packets(struct sound_path *p)
{
    const uint32_t samples = (uint32_t)p->encoder->frame_size;
    while (!avcodec_receive_packet(p->encoder, p->out)) {
        /* what an encoder puts in front of the first sample is nobody's */
        if (p->out->pts >= p->first_out) {
            count(p, FIGURE_AUDIO_ENCODED, 1);
            p->events.packet(p->events.context, p->out, samples, (uint32_t)p->encoder->sample_rate);
        }
        av_packet_unref(p->out);
    }
}

static bool encode(struct sound_path *p, int samples)
{
    AVFrame *f = av_frame_alloc();
    AVCodecContext *c = p->encoder;
    if (!f) return false;
    f->nb_samples = c->frame_size;
    f->format = c->sample_fmt;
    f->sample_rate = c->sample_rate;
    f->pts = p->next_out;
    bool is_done = av_channel_layout_copy(&f->ch_layout, &c->ch_layout) >= 0 && av_frame_get_buffer(f, 0) >= 0 &&
                   av_audio_fifo_read(p->fifo, (void **)f->extended_data, samples) == samples;
    if (is_done) {
        if (samples < c->frame_size)
            av_samples_set_silence(f->extended_data, samples, c->frame_size - samples, c->ch_layout.nb_channels,
                                   c->sample_fmt);
        is_done = avcodec_send_frame(c, f) >= 0;
    }
    if (!is_done) count(p, FIGURE_AUDIO_DROPPED, 1);
    p->next_out += samples;
    av_frame_free(&f);
    take_packets(p);
    return is_done;
}

static void encode_whole_frames(struct sound_path *p)
{
    while (av_audio_fifo_size(p->fifo) >= p->encoder->frame_size && encode(p, p->encoder->frame_size)) continue;
}

/* -- between them -- */

/* Of the output: the sample that is next to come out of the resampler. */
static int64_t position(const struct sound_path *p)
{
    return p->next_out + av_audio_fifo_size(p->fifo) +
           (p->resampler ? swr_get_delay(p->resampler, p->encoder->sample_rate) : 0);
}

/* in NULL: what the resampler still holds. */
static bool resample(struct sound_path *p, const uint8_t **in, int in_samples)
{
    AVFrame *f = p->plain;
    const int room = swr_get_out_samples(p->resampler, in_samples);
    if (room <= 0) return room == 0;
    f->nb_samples = room;
    f->format = p->encoder->sample_fmt;
    f->sample_rate = p->encoder->sample_rate;
    bool is_done = av_channel_layout_copy(&f->ch_layout, &p->encoder->ch_layout) >= 0 && av_frame_get_buffer(f, 0) >= 0;
    const int got = is_done ? swr_convert(p->resampler, f->extended_data, room, in, in_samples) : -1;
    if (got > 0) is_done = av_audio_fifo_write(p->fifo, (void **)f->extended_data, got) == got;
    av_frame_unref(f);
    return is_done && got >= 0;
}

/* Of the output's kind, straight into its buffer. */
static void put_silence(struct sound_path *p, int64_t samples)
{
    AVFrame *f = p->plain;
    const AVCodecContext *c = p->encoder;
    while (samples > 0) {
        f->nb_samples = samples < c->sample_rate ? (int)samples : c->sample_rate;
        f->format = c->sample_fmt;
        f->sample_rate = c->sample_rate;
        if (av_channel_layout_copy(&f->ch_layout, &c->ch_layout) < 0 || av_frame_get_buffer(f, 0) < 0) break;
        av_samples_set_silence(f->extended_data, 0, f->nb_samples, c->ch_layout.nb_channels, c->sample_fmt);
        av_audio_fifo_write(p->fifo, (void **)f->extended_data, f->nb_samples);
        count(p, FIGURE_AUDIO_SILENCE, f->nb_samples);
        samples -= f->nb_samples;
        av_frame_unref(f);
        encode_whole_frames(p);
    }
    av_frame_unref(f);
}

static bool is_made_for(const struct sound_path *p, const AVFrame *f)
{
    return p->resampler && p->in_rate == f->sample_rate && p->in_format == f->format &&
           !av_channel_layout_compare(&p->in_layout, &f->ch_layout);
}

static bool make_resampler(struct sound_path *p, AVFrame *f)
{
    if (p->resampler && p->has_run) resample(p, NULL, 0);
    close_resampler(p);
    AVCodecContext *c = p->encoder;
    if (swr_alloc_set_opts2(&p->resampler, &c->ch_layout, c->sample_fmt, c->sample_rate, &f->ch_layout,
                            (enum AVSampleFormat)f->format, f->sample_rate, 0, NULL) < 0 ||
        swr_init(p->resampler) < 0 || av_channel_layout_copy(&p->in_layout, &f->ch_layout) < 0) {
        close_resampler(p);
        return false;
    }
    p->in_rate = f->sample_rate;
    p->in_format = f->format;
    return true;
}

/* How many of the frame's samples are to be left out, since their time is over; silence is put where time was left out. */
static int64_t meet_clock(struct sound_path *p, AVFrame *f)
{
    const int out_rate = p->encoder->sample_rate;
    const int64_t wanted = av_rescale(f->pts, out_rate, track_facts(p->source)->sample_rate);
    if (!p->has_run) {
        p->first_out = p->next_out = wanted;
        p->has_run = true;
        return 0;
    }
    const int64_t off = wanted - position(p);
    if (off > out_rate / TOLERANCE_PER_S) {
        /* what the resampler holds belongs in front of the hole */
        resample(p, NULL, 0);
        const int64_t rest = wanted - p->next_out - av_audio_fifo_size(p->fifo);
        put_silence(p, rest < (int64_t)SILENCE_S_MAX * out_rate ? rest : (int64_t)SILENCE_S_MAX * out_rate);
        make_resampler(p, f);
    }
    return off < -out_rate / TOLERANCE_PER_S ? av_rescale(-off, f->sample_rate, out_rate) : 0;
}

static void take_frame(struct sound_path *p, AVFrame *f)
{
    const uint8_t *planes[AV_NUM_DATA_POINTERS];
    if (!is_made_for(p, f) && !make_resampler(p, f)) {
        count(p, FIGURE_AUDIO_DROPPED, 1);
        return;
    }
    const int64_t skip = meet_clock(p, f);
    if (skip >= f->nb_samples || f->ch_layout.nb_channels > AV_NUM_DATA_POINTERS || !p->resampler) return;
    const bool is_planar = av_sample_fmt_is_planar((enum AVSampleFormat)f->format);
    const int step = av_get_bytes_per_sample((enum AVSampleFormat)f->format) *
                     (is_planar ? 1 : f->ch_layout.nb_channels);
    for (int i = 0; i < (is_planar ? f->ch_layout.nb_channels : 1); i++) planes[i] = f->extended_data[i] + skip * step;
    if (!resample(p, planes, f->nb_samples - (int)skip)) count(p, FIGURE_AUDIO_DROPPED, 1);
    encode_whole_frames(p);
}

static void take_frames(struct sound_path *p)
{
    while (!avcodec_receive_frame(p->decoder, p->decoded)) {
        if (p->decoded->pts != AV_NOPTS_VALUE && p->decoded->nb_samples > 0) take_frame(p, p->decoded);
        av_frame_unref(p->decoded);
    }
}

enum weir_err sound_path_feed(struct sound_path *p, const struct media_packet *packet, struct backend_error *error)
{
    assert(p->source);
    enum weir_err err = p->decoder ? WEIR_OK : open_decoder(p, error);
    if (!err && !p->encoder) err = open_encoder(p, error);
    if (err) return err;
    if (av_new_packet(p->in, (int)packet->payload.bytes) < 0) return WEIR_NOMEM;
    memcpy(p->in->data, packet->payload.data, packet->payload.bytes);
    p->in->pts = p->in->dts = packet->pts_samples;
    p->in->duration = packet->samples;
    const int code = avcodec_send_packet(p->decoder, p->in);
    av_packet_unref(p->in);
    if (code < 0) count(p, FIGURE_DECODE_ERRORS, 1);
    take_frames(p);
    return WEIR_OK;
}

void sound_path_finish(struct sound_path *p)
{
    if (p->decoder) {
        avcodec_send_packet(p->decoder, NULL);
        if (p->encoder) take_frames(p);
    }
    if (p->encoder && p->has_run) {
        if (p->resampler) resample(p, NULL, 0);
        encode_whole_frames(p);
        const int rest = av_audio_fifo_size(p->fifo);
        if (rest > 0) encode(p, rest);
        avcodec_send_frame(p->encoder, NULL);
        take_packets(p);
    }
    close_decoder(p);
    close_encoder(p);
}

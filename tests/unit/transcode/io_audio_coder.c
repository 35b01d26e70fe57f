/* Audio made into another codec, rate and layout: a click is heard when it was heard in the source, a hole is silence and not a jump,
 * an era is its own, and nothing is left behind. */
#include "clicks.h"
#include "hex.h"

#include <libavcodec/avcodec.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/base/clock.h>
#include <weir/transcode/audio_coder.h>

#define PATIENCE_US (30 * 1000000LL)

static struct transcoder *transcoder;

/* -- what comes out -- */

struct heard {
    pthread_mutex_t lock;
    struct track *track;
    struct media_packet packets[CLICKS_PACKETS_MAX * 2];
    size_t count;
    unsigned tracks, drains, absents;
};

static void on_track(void *context, struct track *track)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->lock);
    track_unref(h->track);
    h->track = track_ref(track);
    h->tracks++;
    pthread_mutex_unlock(&h->lock);
}

static void on_packet(void *context, const struct media_packet *packet)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->lock);
    h->packets[h->count++] = *packet;
    blob_ref(packet->payload.blob);
    pthread_mutex_unlock(&h->lock);
}

static void on_absent(void *context)
{
    ((struct heard *)context)->absents++;
}

static void on_drained(void *context)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->lock);
    h->drains++;
    pthread_mutex_unlock(&h->lock);
}

static struct heard heard;
static struct audio_coder *coder;

static void begin(const struct audio_rung_config *rung)
{
    const struct audio_coder_options options = { .name = "live/sound",
                                                 .rung = *rung,
                                                 .events = { .context = &heard,
                                                             .track = on_track,
                                                             .packet = on_packet,
                                                             .absent = on_absent,
                                                             .drained = on_drained } };
    memset(&heard, 0, sizeof heard);
    pthread_mutex_init(&heard.lock, NULL);
    assert_int_equal(audio_coder_create(&coder, transcoder, &options), WEIR_OK);
}

static void drain(unsigned drains)
{
    const int64_t until_us = clock_now_us() + PATIENCE_US;
    audio_coder_drain(coder);
    for (unsigned seen = 0; seen < drains && clock_now_us() < until_us;) {
        const struct timespec soon = { .tv_nsec = 2000000 };
        nanosleep(&soon, NULL);
        pthread_mutex_lock(&heard.lock);
        seen = heard.drains;
        pthread_mutex_unlock(&heard.lock);
    }
    assert_int_equal(heard.drains, drains);
}

static void end(void)
{
    audio_coder_destroy(coder);
    struct transcode_figures *all = transcoder_figures(transcoder);
    const int64_t until_us = clock_now_us() + PATIENCE_US;
    while (transcode_read(all, FIGURE_THREADS_ALIVE) && clock_now_us() < until_us) {
        const struct timespec soon = { .tv_nsec = 1000000 };
        nanosleep(&soon, NULL);
    }
    for (int id = FIGURE_FRAMES_ALIVE; id <= FIGURE_THREADS_ALIVE; id++)
        assert_int_equal(transcode_read(all, (enum transcode_figure)id), 0);
    for (size_t i = 0; i < heard.count; i++) blob_unref(heard.packets[i].payload.blob);
    track_unref(heard.track);
    pthread_mutex_destroy(&heard.lock);
}

static void push(const struct clicks *s, size_t from, size_t to, uint32_t era, int64_t shift_s)
{
    audio_coder_set_track(coder, s->track);
    for (size_t i = from; i < to && i < s->count; i++) {
        struct media_packet p = s->packets[i];
        p.era = era;
        p.pts_samples += shift_s * s->rate;
        p.pts_90k += shift_s * 90000;
        assert_true(audio_coder_push(coder, &p));
    }
}

/* Packets that follow each other without a hole, of one era. */
static void check_times(size_t from, size_t to, uint32_t era)
{
    const uint32_t rate = track_facts(heard.track)->sample_rate;
    for (size_t i = from; i < to; i++) {
        const struct media_packet *p = &heard.packets[i];
        assert_int_equal(p->era, era);
        assert_int_equal(p->pts_90k, p->pts_samples * 90000 / rate);
        if (i > from) assert_int_equal(p->pts_samples, heard.packets[i - 1].pts_samples + p[-1].samples);
    }
}

/* Samples of the first channel, by their place on the clock. */
static float *decode(size_t from, size_t to, int64_t *first, size_t *count)
{
    const enum media_codec codec = track_facts(heard.track)->codec;
    const AVCodec *d = avcodec_find_decoder(codec == CODEC_OPUS ? AV_CODEC_ID_OPUS : AV_CODEC_ID_AAC);
    AVCodecContext *c = avcodec_alloc_context3(d);
    const struct byte_span config = track_config(heard.track);
    float *samples = calloc((to - from) * 2048, sizeof *samples);
    AVFrame *f = av_frame_alloc();
    c->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    c->sample_rate = (int)track_facts(heard.track)->sample_rate;
    av_channel_layout_default(&c->ch_layout, (int)track_facts(heard.track)->channels);
    if (codec == CODEC_AAC) {
        c->extradata = av_mallocz(config.bytes + AV_INPUT_BUFFER_PADDING_SIZE);
        memcpy(c->extradata, config.data, config.bytes);
        c->extradata_size = (int)config.bytes;
    }
    assert_int_equal(avcodec_open2(c, d, NULL), 0);
    *first = heard.packets[from].pts_samples;
    *count = 0;
    for (size_t i = from; i < to; i++) {
        AVPacket *p = av_packet_alloc();
        av_new_packet(p, (int)heard.packets[i].payload.bytes);
        memcpy(p->data, heard.packets[i].payload.data, heard.packets[i].payload.bytes);
        assert_int_equal(avcodec_send_packet(c, p), 0);
        av_packet_free(&p);
        while (!avcodec_receive_frame(c, f)) {
            memcpy(samples + *count, f->extended_data[0], (size_t)f->nb_samples * sizeof *samples);
            *count += (size_t)f->nb_samples;
        }
    }
    av_frame_free(&f);
    avcodec_free_context(&c);
    return samples;
}

/* The largest distance of a click from its time, in microseconds; fails where one is missing. */
static int64_t worst_click_us(size_t from, size_t to, int first_click, int clicks, int64_t shift_s)
{
    int64_t first, worst_us = 0;
    size_t count;
    const int64_t rate = track_facts(heard.track)->sample_rate;
    float *samples = decode(from, to, &first, &count);
    for (int k = first_click; k < first_click + clicks; k++) {
        const int64_t at = (shift_s * 2 + k) * rate / 2;
        int64_t found = -1;
        for (int64_t n = at - rate / 20; n < at + rate / 20 && found < 0; n++) {
            if (n >= first && n < first + (int64_t)count && fabsf(samples[n - first]) > 0.3f) found = n;
        }
        if (found < 0) fail_msg("no click at %d half seconds", k);
        const int64_t off_us = llabs(found - at) * 1000000 / rate;
        if (off_us > worst_us) worst_us = off_us;
    }
    free(samples);
    return worst_us;
}

static const struct {
    const char *label, *encoder;
    enum media_codec codec;
    int rate, channels;
    struct audio_rung_config rung;
} cases[] = {
    { "AAC to Opus", "aac", CODEC_AAC, 48000, 2, { .name = "opus", .codec = CODEC_OPUS } },
    { "AAC to AAC, 44.1 kHz mono",
      "aac",
      CODEC_AAC,
      48000,
      2,
      { .name = "low", .codec = CODEC_AAC, .bitrate_bps = 48000, .channels = 1, .sample_rate = 44100 } },
    { "AAC, 44.1 kHz, to AAC", "aac", CODEC_AAC, 44100, 1, { .name = "aac", .codec = CODEC_AAC } },
    { "Opus to AAC", "libopus", CODEC_OPUS, 48000, 2, { .name = "aac", .codec = CODEC_AAC } },
    { "MP2 to AAC", "mp2", CODEC_MP2, 48000, 2, { .name = "aac", .codec = CODEC_AAC } },
    { "G.711 A-law to AAC", "pcm_alaw", CODEC_PCMA, 8000, 1, { .name = "aac", .codec = CODEC_AAC } },
    { "G.711 mu-law to AAC, 48 kHz",
      "pcm_mulaw",
      CODEC_PCMU,
      8000,
      1,
      { .name = "aac", .codec = CODEC_AAC, .sample_rate = 48000 } },
};

static void clicks_are_heard_when_they_were(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clicks s;
        clicks_make(&s, cases[i].encoder, cases[i].codec, cases[i].rate, cases[i].channels);
        begin(&cases[i].rung);
        push(&s, 0, s.count, 3, 10);
        drain(1);
        assert_int_equal(heard.tracks, 1);
        const struct codec_facts *facts = track_facts(heard.track);
        assert_int_equal(facts->codec, cases[i].rung.codec);
        if (cases[i].rung.sample_rate) assert_int_equal(facts->sample_rate, cases[i].rung.sample_rate);
        assert_int_equal(facts->channels,
                         cases[i].rung.channels ? cases[i].rung.channels : (uint32_t)cases[i].channels);
        check_times(0, heard.count, 3);
        const int64_t worst_us = worst_click_us(0, heard.count, 1, CLICKS_COUNT - 2, 10);
        print_message("%s: %zu packets, a click at most %lld us off\n", cases[i].label, heard.count,
                      (long long)worst_us);
        assert_true(worst_us < 3000);
        end();
        clicks_free(&s);
    }
}

static void a_hole_is_silence(void **state)
{
    const struct audio_rung_config rung = { .name = "low", .codec = CODEC_AAC, .sample_rate = 44100 };
    struct clicks s;
    clicks_make(&s, "aac", CODEC_AAC, 48000, 2);
    begin(&rung);
    push(&s, 0, 60, 1, 0);
    push(&s, 75, s.count, 1, 0);
    drain(1);
    check_times(0, heard.count, 1);
    assert_true(worst_click_us(0, heard.count, 4, CLICKS_COUNT - 5, 0) < 3000);
    const int64_t silence = transcode_read(audio_coder_figures(coder), FIGURE_AUDIO_SILENCE);
    assert_true(silence > 14 * 1024 * 441 / 480 && silence < 16 * 1024 * 441 / 480);
    end();
    clicks_free(&s);
}

static void each_era_begins_anew(void **state)
{
    const struct audio_rung_config rung = { .name = "aac", .codec = CODEC_AAC };
    struct clicks s;
    clicks_make(&s, "aac", CODEC_AAC, 48000, 2);
    begin(&rung);
    push(&s, 0, s.count / 2, 1, 0);
    push(&s, 0, s.count / 2, 2, 20); /* without a drain: the publisher's clock jumped */
    drain(1);
    push(&s, 0, s.count / 2, 3, 40);
    drain(2);
    size_t at[4] = { 0, 0, 0, heard.count };
    for (size_t i = 1; i < heard.count; i++) {
        if (heard.packets[i].era != heard.packets[i - 1].era) at[heard.packets[i].era - 1] = i;
    }
    for (uint32_t era = 1; era <= 3; era++) {
        check_times(at[era - 1], at[era], era);
        assert_true(worst_click_us(at[era - 1], at[era], 1, 2, 20 * (era - 1)) < 3000);
    }
    end();
    clicks_free(&s);
}

static void another_source_goes_into_the_same_rung(void **state)
{
    const struct audio_rung_config rung = { .name = "aac", .codec = CODEC_AAC, .sample_rate = 48000, .channels = 2 };
    struct clicks a, b;
    clicks_make(&a, "aac", CODEC_AAC, 48000, 2);
    clicks_make(&b, "libopus", CODEC_OPUS, 48000, 1);
    begin(&rung);
    push(&a, 0, a.count, 1, 0);
    push(&b, 0, b.count, 2, 10);
    drain(1);
    size_t second = 0;
    while (heard.packets[second].era == 1) second++;
    check_times(0, second, 1);
    check_times(second, heard.count, 2);
    assert_true(worst_click_us(second, heard.count, 1, CLICKS_COUNT - 2, 10) < 3000);
    end();
    clicks_free(&a);
    clicks_free(&b);
}

static void rubbish_is_counted_and_passed_over(void **state)
{
    const struct audio_rung_config rung = { .name = "aac", .codec = CODEC_AAC };
    struct clicks s;
    clicks_make(&s, "aac", CODEC_AAC, 48000, 2);
    for (size_t i = 40; i < 44; i++) {
        blob_unref(s.packets[i].payload.blob);
        struct blob *b = blob_create(64);
        memset(blob_data(b), 0xFF, 64);
        s.packets[i].payload = (struct piece){ b, blob_data(b), 64 };
    }
    begin(&rung);
    push(&s, 0, s.count, 1, 0);
    drain(1);
    check_times(0, heard.count, 1);
    assert_true(worst_click_us(0, heard.count, 3, CLICKS_COUNT - 4, 0) < 3000);
    assert_int_equal(transcode_read(audio_coder_figures(coder), FIGURE_DECODE_ERRORS), 4);
    end();
    clicks_free(&s);
}

static void ended_at_any_time(void **state)
{
    const struct audio_rung_config rung = { .name = "aac", .codec = CODEC_AAC };
    struct clicks s;
    clicks_make(&s, "aac", CODEC_AAC, 48000, 2);
    for (size_t i = 0; i < 40; i++) {
        begin(&rung);
        if (i) push(&s, 0, i * 3, 1, 0);
        if (i % 3 == 0) audio_coder_drain(coder);
        end();
    }
    clicks_free(&s);
}

int main(void)
{
    const struct transcoder_config config = { .cores = 2 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clicks_are_heard_when_they_were),
        cmocka_unit_test(a_hole_is_silence),
        cmocka_unit_test(each_era_begins_anew),
        cmocka_unit_test(another_source_goes_into_the_same_rung),
        cmocka_unit_test(rubbish_is_counted_and_passed_over),
        cmocka_unit_test(ended_at_any_time),
    };
    if (transcoder_create(&transcoder, &config)) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed || !transcoder_destroy(transcoder, PATIENCE_US);
}

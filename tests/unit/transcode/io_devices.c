/* Cards that are not alike: numbers with gaps, pictures on one of several, no encoder, a few sessions, a driver that cannot decode a stream.
 * No card is needed: a device of libav's without hardware behind it, or a CPU that refuses as they do, stands for each, and what is asked is
 * where the work goes and what is said. */
#include "hex.h"

#include "fake_backend.h"
#include "film.h"
#include "ladder_run.h"
#include "transcode/libav.h"

#include <stdio.h>
#include <string.h>
#include <weir/transcode/transcoder.h>

#include <libavutil/hwcontext_drm.h>
#include <libavutil/opt.h>

static AVBufferRef *device_without_hardware(void)
{
    AVBufferRef *device = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_DRM);
    assert_non_null(device);
    ((AVDRMDeviceContext *)((AVHWDeviceContext *)device->data)->hwctx)->fd = -1;
    assert_int_equal(av_hwdevice_ctx_init(device), 0);
    return device;
}

/* -- a machine whose second and fourth numbers are cards -- */

static enum weir_err open_card(const struct backend *b, uint32_t index, struct backend_device **out,
                               struct backend_error *error)
{
    if (index != 1 && index != 3) {
        snprintf(error->text, sizeof error->text, "cards: no device %u", index);
        return WEIR_NOT_FOUND;
    }
    struct backend_device *d = calloc(1, sizeof *d);
    *d = (struct backend_device){ .backend = b, .index = index, .hardware = device_without_hardware() };
    *out = d;
    return WEIR_OK;
}

static struct backend cards; /* encodes as the CPU does */
static struct transcoder *transcoder;

static int setup(void **state)
{
    static const struct backend *const order[] = { &cards };
    const struct transcoder_config config = { .backends = order, .backend_count = 1 };
    cards = backend_cpu;
    cards.name = "cards";
    cards.is_gpu = true;
    cards.device_open = open_card;
    return transcoder_create(&transcoder, &config);
}

static int teardown(void **state)
{
    return transcoder_destroy(transcoder, 5000000) ? 0 : 1;
}

static struct backend_choice choose(const AVFrame *picture)
{
    struct backend_choice choice;
    struct backend_error error;
    assert_int_equal(transcoder_choose(transcoder, DUTY_ENCODE, CODEC_H264, "auto", true, 0, picture, &choice, &error),
                     WEIR_OK);
    return choice;
}

static void numbers_with_gaps_are_found(void **state)
{
    struct backend_report reports[BACKENDS_MAX];
    assert_int_equal(transcoder_report(transcoder, reports), 1);
    assert_int_equal(reports[0].device_count, 2);
    assert_true(reports[0].can_encode[CODEC_H264]);
}

static void work_is_spread_and_stays_where_the_picture_is(void **state)
{
    struct backend_choice taken[6];
    for (size_t i = 0; i < 4; i++) taken[i] = choose(NULL);
    for (size_t i = 0; i < 4; i++) assert_int_equal(taken[i].device_index, i % 2);
    AVFrame *picture = av_frame_alloc();
    picture->hw_frames_ctx = av_hwframe_ctx_alloc(taken[1].device->hardware);
    assert_non_null(picture->hw_frames_ctx);
    for (size_t i = 4; i < 6; i++) {
        taken[i] = choose(picture);
        assert_int_equal(taken[i].device_index, 1);
        assert_int_equal(taken[i].device->index, 3);
    }
    for (size_t i = 0; i < 6; i++) transcoder_release(transcoder, DUTY_ENCODE, &taken[i]);
    av_frame_free(&picture);
}

/* -- cards for computing: they decode and scale, and have no encoder -- */

static enum weir_err no_encoder(const struct backend *b, const struct encoder_config *config, struct encoder **out,
                                struct backend_error *error)
{
    snprintf(error->text, sizeof error->text, "compute: OpenEncodeSessionEx failed: no encode device (1)");
    return config->variant ? WEIR_NOT_FOUND : WEIR_IO;
}

static _Atomic int decoders_opened;
static enum weir_err count_decoder(const struct backend *b, const struct decoder_config *config, struct decoder **out,
                                   struct backend_error *error)
{
    decoders_opened++;
    return backend_cpu.decoder_open(&backend_cpu, config, out, error);
}

static void a_card_without_encoder_decodes_for_another(void **state)
{
    static struct backend compute; /* the transcoder lets go of it when the test is over */
    const struct backend *const order[] = { &compute, &backend_cpu };
    const struct transcoder_config config = { .backends = order, .backend_count = 2 };
    const struct ladder_options options = { .config = { .rungs = { { .name = "source", .kind = RUNG_PASSTHROUGH },
                                                                   { .name = "half",
                                                                     .kind = RUNG_ENCODED,
                                                                     .scale_num = 1,
                                                                     .scale_den = 2,
                                                                     .preset = "ultrafast" } },
                                                        .rung_count = 2,
                                                        .latency = LADDER_LATENCY_LOW },
                                            .is_unbounded = true };
    const struct film_config c = {
        .width = 320, .height = 192, .frames = 30, .fps_num = 30, .fps_den = 1, .gop = 15, .start_90k = 900000
    };
    struct backend_report reports[BACKENDS_MAX];
    struct film film;
    struct ladder_run run;
    compute = backend_cpu;
    compute.name = "compute";
    compute.is_gpu = true;
    compute.encoder_open = no_encoder;
    compute.decoder_open = count_decoder;
    film_make(&film, &c);
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    assert_int_equal(transcoder_report(transcoder, reports), 2);
    assert_true(reports[0].can_decode[CODEC_H264] && reports[0].can_scale && !reports[0].can_encode[CODEC_H264]);
    assert_non_null(strstr(reports[0].note[CODEC_H264], "no encode device"));
    const int before = decoders_opened;
    ladder_run_start(&run, transcoder, &options);
    ladder_run_push(&run, &film, 0, film.count, NULL);
    ladder_run_drain(&run);
    assert_int_equal(ladder_run_rung(&run, "half")->count, film.count);
    assert_int_equal(decoders_opened, before + 1);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_BACKEND_MOVES), 0);
    assert_int_equal(transcode_read(ladder_figures(run.ladder), FIGURE_ENCODER_FAILURES), 0);
    ladder_run_end(&run);
    film_free(&film);
}

/* -- drivers that allow a few sessions -- */

static void sessions_are_counted_and_kept_to(void **state)
{
    static struct backend desktop;
    const struct backend *const order[] = { &desktop, &backend_cpu };
    const struct transcoder_config config = { .backends = order, .backend_count = 2 };
    struct backend_choice taken[4];
    struct backend_error error;
    struct backend_report reports[BACKENDS_MAX];
    desktop = fake_backend;
    desktop.name = "desktop";
    desktop.is_gpu = true;
    fake_reset();
    atomic_store(&fake.sessions_max, 3);
    assert_int_equal(transcoder_create(&transcoder, &config), WEIR_OK);
    transcoder_report(transcoder, reports);
    /* the fake one opens every number that it is asked for: eight cards */
    assert_int_equal(reports[0].encode_sessions, 3);
    assert_int_equal(reports[0].device_count, DEVICES_MAX);
    struct backend_choice all[3 * DEVICES_MAX];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        all[i] = choose(NULL);
        assert_string_equal(all[i].backend->name, "desktop");
    }
    /* a ladder would be the CPU's, of which there is none left */
    struct ladder_plan plan;
    const struct ladder_config ladder = { .is_auto = true, .latency = LADDER_LATENCY_LOW };
    const struct ladder_source source = {
        .codec = CODEC_H264, .width = 1280, .height = 720, .fps_num = 30, .fps_den = 1, .bit_depth = 8
    };
    const struct admission_wish wish = { .plan = &plan, .source = &source, .backend = "auto" };
    const char *why = "";
    assert_int_equal(ladder_plan_make(&ladder, &source, &plan, &why), WEIR_OK);
    struct admission_ticket ticket = transcoder_admit(transcoder, &wish);
    assert_true(ticket.cores > 0);
    transcoder_leave(transcoder, &ticket);
    for (size_t i = 0; i < plan.encoded_count; i++) transcoder_release(transcoder, DUTY_ENCODE, &all[i]);
    ticket = transcoder_admit(transcoder, &wish);
    assert_true(ticket.level == 0 && ticket.cores < 1e-9);
    transcoder_leave(transcoder, &ticket);
    for (size_t i = 0; i < plan.encoded_count; i++) all[i] = choose(NULL);
    /* the next goes to the next backend; where that may not be, it is said why */
    assert_int_equal(transcoder_choose(transcoder, DUTY_ENCODE, CODEC_H264, "auto", false, 0, NULL, &taken[0], &error),
                     WEIR_OK);
    assert_string_equal(taken[0].backend->name, "cpu");
    assert_int_equal(transcoder_choose(transcoder, DUTY_ENCODE, CODEC_H264, "auto", true, 0, NULL, &taken[1], &error),
                     WEIR_NOT_FOUND);
    assert_non_null(strstr(error.text, "all encoder sessions that the driver allows are in use"));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) transcoder_release(transcoder, DUTY_ENCODE, &all[i]);
    transcoder_release(transcoder, DUTY_ENCODE, &taken[0]);
}

/* -- options -- */

/* An option that an encoder does not know is ignored by libav without a word, and one with a wrong value fails when it is opened, which needs
 * the card. */
static void every_encoder_knows_what_it_is_told(void **state)
{
    static const struct {
        const char *name;
        enum media_codec codec;
    } encoders[] = {
        { "libx264", CODEC_H264 },    { "libx265", CODEC_HEVC },    { "libsvtav1", CODEC_AV1 },
        { "libaom-av1", CODEC_AV1 },  { "h264_nvenc", CODEC_H264 }, { "hevc_nvenc", CODEC_HEVC },
        { "h264_vaapi", CODEC_H264 }, { "hevc_vaapi", CODEC_HEVC }, { "h264_qsv", CODEC_H264 },
        { "hevc_qsv", CODEC_HEVC },
    };
    for (size_t i = 0; i < ARRAY_LEN(encoders) * PRESET_SLOW * 2; i++) {
        const size_t k = i / (PRESET_SLOW * 2);
        const struct rung_plan rung = { .width = 640,
                                        .height = 360,
                                        .fps_num = 30,
                                        .fps_den = 1,
                                        .bitrate_bps = 1000000,
                                        .max_rate_bps = i % 3 ? 1100000 : 1000000,
                                        .buffer_bits = 1100000,
                                        .codec = encoders[k].codec,
                                        .profile = "main" };
        const struct encoder_config config = { .rung = &rung,
                                               .speed = (enum preset_speed)(i / 2 % PRESET_SLOW + 1),
                                               .latency = i % 2 ? LADDER_LATENCY_LOW : LADDER_LATENCY_NORMAL,
                                               .threads = 1 };
        const AVCodec *codec = avcodec_find_encoder_by_name(encoders[k].name);
        if (!codec) fail_msg("this FFmpeg has no %s", encoders[k].name);
        AVCodecContext *context = codec_context_create(codec, NULL);
        AVDictionary *options = NULL;
        encoder_options_set(context, &options, &config);
        if (av_opt_set_dict2(context, &options, AV_OPT_SEARCH_CHILDREN) < 0)
            fail_msg("%s does not take a value", encoders[k].name);
        const AVDictionaryEntry *left = av_dict_get(options, "", NULL, AV_DICT_IGNORE_SUFFIX);
        if (left) fail_msg("%s does not know %s", encoders[k].name, left->key);
        av_dict_free(&options);
        avcodec_free_context(&context);
    }
}

/* -- a driver that offers nothing for this stream -- */

static void what_cannot_be_decoded_is_refused_at_its_first_picture(void **state)
{
    static const struct libav_flavour flavour = { .device_type = AV_HWDEVICE_TYPE_DRM,
                                                  .pixel_format = AV_PIX_FMT_DRM_PRIME };
    struct backend blind = backend_cpu;
    struct backend_device device = { .backend = &blind, .hardware = device_without_hardware() };
    const struct film_config c = {
        .width = 320, .height = 192, .frames = 3, .fps_num = 30, .fps_den = 1, .gop = 3, .start_90k = 900000
    };
    struct film film;
    struct transcode_figures figures = { .total = NULL };
    struct backend_error error;
    struct decoder *decoder;
    blind.flavour = &flavour;
    film_make(&film, &c);
    const struct decoder_config config = {
        .device = &device, .track = film.track, .name = "live/film", .figures = &figures, .threads = 4
    };
    assert_int_equal(blind.decoder_open(&blind, &config, &decoder, &error), WEIR_OK);
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = av_frame_alloc();
    assert_int_equal(av_new_packet(packet, (int)film.packets[0].payload.bytes), 0);
    memcpy(packet->data, film.packets[0].payload.data, film.packets[0].payload.bytes);
    enum backend_step step = blind.decoder_send(decoder, packet);
    if (step == STEP_DONE) step = blind.decoder_receive(decoder, picture);
    assert_int_equal(step, STEP_FAILED); /* not a broken packet, of which there may be thirty */
    blind.decoder_close(decoder);
    assert_int_equal(transcode_read(&figures, FIGURE_DECODERS_ALIVE), 0);
    av_packet_free(&packet);
    av_frame_free(&picture);
    av_buffer_unref(&device.hardware);
    film_free(&film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_with_gaps_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(work_is_spread_and_stays_where_the_picture_is, setup, teardown),
        cmocka_unit_test_teardown(a_card_without_encoder_decodes_for_another, teardown),
        cmocka_unit_test_teardown(sessions_are_counted_and_kept_to, teardown),
        cmocka_unit_test(every_encoder_knows_what_it_is_told),
        cmocka_unit_test(what_cannot_be_decoded_is_refused_at_its_first_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

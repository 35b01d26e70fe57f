/* Cards that are not alike: numbers with gaps, pictures on one of several, a driver that cannot decode a stream. No card is needed: a device
 * of libav's without hardware behind it stands for each, and what is asked is where the work goes and what is said. */
#include "hex.h"

#include "film.h"
#include "transcode/libav.h"

#include <stdio.h>
#include <string.h>
#include <weir/transcode/transcoder.h>

#include <libavutil/hwcontext_drm.h>

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
        cmocka_unit_test(what_cannot_be_decoded_is_refused_at_its_first_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "capabilities.h"

#include <stdio.h>
#include <weir/base/log.h>
#include <weir/ingest/srt_server.h>
#include <weir/transcode/transcoder.h>

#include "api_ladder.h"

static void print_codecs(const char *verb, const bool *can, enum media_codec last)
{
    bool is_first = true;
    for (enum media_codec codec = CODEC_H264; codec <= last; codec++) {
        if (!can[codec]) continue;
        printf("%s%s", is_first ? verb : " ", codec_name(codec));
        is_first = false;
    }
}

static void print_backend(const struct backend_report *r, bool is_first)
{
    printf("%-11s%-13s", is_first ? "transcode" : "", r->backend->name);
    if (!r->device_count) {
        printf("not here: %s\n", r->note[0]);
        return;
    }
    if (r->backend->is_gpu) printf("%u device%s; ", r->device_count, r->device_count > 1 ? "s" : "");
    print_codecs("decodes ", r->can_decode, CODEC_VP9);
    printf("; %s", r->can_scale ? "scales; " : "does not scale; ");
    print_codecs("encodes ", r->can_encode, CODEC_AV1);
    if (r->encode_sessions) printf("; at most %u encoders", r->encode_sessions);
    printf(" (tried in %lld ms)\n", (long long)r->took_us / 1000);
    for (enum media_codec codec = CODEC_H264; codec <= CODEC_VP9; codec++) {
        const bool is_whole = r->can_decode[codec] && (codec > CODEC_AV1 || r->can_encode[codec]);
        if (r->note[codec][0] && !is_whole) printf("%24s%s: %s\n", "", codec_name(codec), r->note[codec]);
    }
}

static void print_text(const struct srt_library_facts *srt, const struct backend_report *reports, size_t count)
{
    puts("ingest     rtmp, rtmps (plain and digest handshake, Enhanced RTMP v1 and v2)");
    printf("           srt (libsrt %u.%u.%u; encryption: %s; bonding: %s)\n", srt->version_major, srt->version_minor,
           srt->version_patch, srt->has_encryption ? "AES" : "not in this libsrt",
           srt->has_groups ? "yes" : "unavailable, this libsrt was built without it");
    puts("video in   h264 hevc av1 vp9\n"
         "audio in   aac mp3 opus flac ac3 eac3\n"
         "out        hls (cmaf and transport stream segments) over http and https");
    for (size_t i = 0; i < count; i++) print_backend(&reports[i], i == 0);
}

static int print_json(const struct srt_library_facts *srt, const struct backend_report *reports, size_t count)
{
    char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", srt->version_major, srt->version_minor, srt->version_patch);
    json_t *root = json_pack("{s:s, s:{s:s, s:b, s:b}}", "version", WEIR_VERSION, "srt", "library", version,
                             "encryption", srt->has_encryption, "bonding", srt->has_groups);
    if (!root) return -1;
    int failed = json_object_set_new(root, "transcode", backends_json(reports, count));
    if (!failed) failed = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    putchar('\n');
    return failed;
}

enum weir_err capabilities_print(bool as_json)
{
    struct srt_library_facts srt;
    static struct backend_report reports[BACKENDS_MAX]; /* large */
    struct transcoder *transcoder;
    const struct transcoder_config config = { .backends = NULL };
    log_set_level(LOG_ERROR); /* what was found is the output */
    srt_library_describe(&srt);
    const enum weir_err err = transcoder_create(&transcoder, &config);
    if (err) return err;
    const size_t count = transcoder_report(transcoder, reports);
    transcoder_destroy(transcoder, 0);
    if (!as_json) print_text(&srt, reports, count);
    const bool is_printed = !as_json || !print_json(&srt, reports, count);
    return is_printed && !fflush(stdout) ? WEIR_OK : WEIR_NOMEM;
}

#include "hex.h"

#include <string.h>
#include <weir/server/auth.h>
#include <weir/server/config.h>

static enum weir_err load(struct config *c, const char *text, struct config_error *error)
{
    config_init(c);
    *error = (struct config_error){ "" };
    return config_load_yaml(c, text, strlen(text), "weir.yaml", error);
}

static void a_whole_file(void **unused_state)
{
    struct config c;
    struct config_error error;
    assert_int_equal(load(&c,
                          "paths:\n"
                          "  - match: live/vip*\n"
                          "    publish: {access: key, key: '12345678', takeover: yes, on_damage: pass}\n"
                          "    hls: {segment: 4s, hold: 1m, part: 250ms, part_hold_back: 600ms, skip: no}\n"
                          "  - match: 'live/*'\n"
                          "    publish:\n"
                          "      access: open\n"
                          "    hls: {part: no}\n"
                          "listen:\n"
                          "  rtmp: [\"127.0.0.1:1935\", \"[::1]:1935\"]\n"
                          "  http: 0.0.0.0:80\n"
                          "hls:\n"
                          "  segment: 1500ms\n"
                          "  window: 30s\n"
                          "ingest: {gather: 5ms}\n",
                          &error),
                     WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_OK);
    assert_int_equal(c.rtmp.count, 2);
    assert_string_equal(c.rtmp.items[1], "[::1]:1935");
    assert_string_equal(c.http.items[0], "0.0.0.0:80");
    assert_int_equal(c.gather_us, 5000);
    const struct config_path *vip = config_path_for(&c, "live/vip7"), *other = config_path_for(&c, "live/a/b"),
                             *none = config_path_for(&c, "x/y");
    assert_true(vip->access == ACCESS_KEY && vip->may_take_over && vip->hls.segment_us == 4000000 &&
                vip->hls.hold_us == 60000000);
    /* what a path does not say comes from the defaults, wherever they stand in the file */
    assert_int_equal(vip->hls.window_us, 30000000);
    assert_true(other->access == ACCESS_OPEN && other->hls.segment_us == 1500000);
    assert_ptr_equal(none, &c.defaults);
    struct stream_policy policy;
    config_policy(vip, &policy);
    assert_int_equal(policy.segment_max_us, 6000000);
    assert_int_equal(policy.on_damage, DAMAGE_PASS);
    assert_true(policy.part_us == 250000 && policy.part_hold_back_us == 600000 && !policy.can_skip);
    config_policy(other, &policy);
    assert_true(policy.part_us == 0 && !policy.can_skip);
    config_policy(none, &policy);
    assert_true(policy.part_us == 500000 && policy.part_hold_back_us == 1500000 && policy.can_skip);
    assert_int_equal(none->on_damage, DAMAGE_DROP);
    config_deinit(&c);
}

static const struct {
    const char *text, *where, *says;
} wrong[] = {
    { "hls:\n  segmnt: 2s\n", "weir.yaml:2:", "did you mean hls.segment?" },
    { "hls:\n  segment: 2\n", "weir.yaml:2:", "expected a duration" },
    { "hls:\n  segment: 90s\n", "weir.yaml:2:", "from 500ms to 20s" },
    { "listen:\n  rtmp: {a: b}\n", "weir.yaml:2:", "a list of address:port" },
    { "listen:\n  srt: {a: b}\n", "weir.yaml:2:", "a list of address:port" },
    { "delivery:\n  origins: [\"https://a.example/\"]\n", "weir.yaml:2:", "a list of origins" },
    { "delivery:\n  origins: a.example\n", "weir.yaml:2:", "a list of origins" },
    { "delivery:\n  origins: {a: b}\n", "weir.yaml:2:", "a list of origins" },
    { "srt:\n  latency: 2000\n", "weir.yaml:2:", "from 0ms to 60s" },
    { "srt:\n  rcvbuf: 12XB\n", "weir.yaml:2:", "from 64KiB to 1GiB" },
    { "srt:\n  passphrase: short\n", "weir.yaml:2:", "10 to 79 characters" },
    { "srt:\n  pbkeylen: 17\n", "weir.yaml:2:", "16, 24 or 32" },
    { "srt:\n  default_mode: play\n", "weir.yaml:2:", "request or publish" },
    { "srt:\n  stream: ../x\n", "weir.yaml:2:", "a stream name" },
    { "srt:\n  ports: x\n", "weir.yaml:2:", "expected a list" },
    { "srt:\n  ports:\n    - {stream: live/x}\n", "weir.yaml:3:", "listen is missing" },
    { "srt:\n  ports:\n    - listen: x\n", "weir.yaml:3:", "an address:port" },
    { "srt:\n  ports:\n    - listen: 0.0.0.0:1\n      match: x\n", "weir.yaml:4:", "no such key" },
    { "paths:\n  - match: live/cam\n    pull: srt://h:1?passphrase=short\n", "weir.yaml:3:", "10 to 79 characters" },
    { "paths:\n  - match: live/*\n    pull: srt://h:1\n", "weir.yaml:2:", "whole name" },
    { "paths:\n  - match: cam\n    pull: srt://h:1\n", "weir.yaml:2:", "whole name" },
    { "paths:\n  - match: live/cam\n    srt: {latency: 90s}\n", "weir.yaml:3:", "from 0ms to 60s" },
    { "\n\npaths:\n  live: x\n", "weir.yaml:4:", "expected a list" },
    { "paths:\n  - publish: {access: open}\n", "weir.yaml:2:", "match is missing" },
    { "paths:\n  - match: x\n    publish: {key: short}\n", "weir.yaml:3:", "8 to 256 characters" },
    { "paths:\n  - match: x\n    publish: {access: everyone}\n", "weir.yaml:3:", "one of local" },
    { "hls:\n  part: 50ms\n", "weir.yaml:2:", "from 100ms to 2s, or no" },
    { "hls:\n  part: yes\n", "weir.yaml:2:", "from 100ms to 2s, or no" },
    { "publish:\n  on_damage: hide\n", "weir.yaml:2:", "expected drop" },
    { "ladder: yes\n", "weir.yaml:1:", "auto, no, or a list of rungs" },
    { "ladder: {height: 720}\n", "weir.yaml:1:", "auto, no, or a list of rungs" },
    { "ladder: []\n", "weir.yaml:1:", "at least one rung" },
    { "ladder:\n  - source\n  - 720p\n", "weir.yaml:3:", "expected source, or what a rung is" },
    { "ladder:\n  - source\n  - source\n", "weir.yaml:3:", "two rungs pass the source through" },
    { "ladder:\n  - height: 720\n    bitrat: 1M\n", "weir.yaml:3:", "a rung has name, height" },
    { "ladder:\n  - height: 720\n    bitrate: 1Mbit\n", "weir.yaml:3:", "bits per second from 10k" },
    { "ladder:\n  - {height: 720, scale: 1/2}\n", "weir.yaml:2:", "not both" },
    { "ladder:\n  - {scale: 2}\n", "weir.yaml:2:", "at most 1" },
    { "ladder:\n  - {height: 10}\n", "weir.yaml:2:", "from 32 to 8192" },
    { "ladder:\n  - {name: video}\n", "weir.yaml:2:", "may not be called audio, video, iframes or ts" },
    { "ladder:\n  - {name: a/b}\n", "weir.yaml:2:", "letters, digits" },
    { "ladder:\n  - {name: a}\n  - {name: a}\n", "weir.yaml:3:", "the same name" },
    { "ladder:\n  - {bitrate: 2M, maxrate: 1M}\n", "weir.yaml:2:", "below its bitrate" },
    { "ladder:\n  - {codec: vp9}\n", "weir.yaml:2:", "h264, hevc or av1" },
    { "ladder:\n  - {codec: hevc, profile: high}\n", "weir.yaml:2:", "main or main10" },
    { "ladder:\n  - {profile: main10}\n", "weir.yaml:2:", "baseline, main or high" },
    { "ladder:\n  - {codec: av1, profile: main}\n", "weir.yaml:2:", "take the line out" },
    { "ladder:\n  - {preset: quick}\n", "weir.yaml:2:", "ultrafast, superfast" },
    { "ladder:\n  - {fps: 0.5}\n", "weir.yaml:2:", "from 1 to 300" },
    { "ladder: [source, {}, {name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}]\n",
      "weir.yaml:1:", "more than 8 rungs" },
    { "thumbnails: 1s\n", "weir.yaml:1:", "from 2s to 1h" },
    { "audio: mp3\n", "weir.yaml:1:", "auto, pass, aac, opus" },
    { "audio: [source]\n", "weir.yaml:1:", "besides source" },
    { "audio: [aac]\n", "weir.yaml:1:", "what a rung is" },
    { "audio:\n  - {codec: mp3}\n", "weir.yaml:2:", "aac or opus" },
    { "audio:\n  - {height: 3}\n", "weir.yaml:2:", "channels, sample_rate" },
    { "audio:\n  - {channels: 6}\n", "weir.yaml:2:", "1 or 2" },
    { "audio:\n  - {name: 720p}\n", "weir.yaml:2:", "as a picture's height" },
    { "audio:\n  - {codec: opus, sample_rate: 44100}\n", "weir.yaml:2:", "48000" },
    { "audio: [{}, {}, {}, {}, {}]\n", "weir.yaml:1:", "more than 4" },
    { "paths:\n  - match: x\n    ladder: 3\n", "weir.yaml:3:", "auto, no, or a list" },
    { "paths:\n  - match: x\n    transcode: {backend: cuda}\n", "weir.yaml:3:", "nvidia-split" },
    { "transcode: {gpus: [0, x]}\n", "weir.yaml:1:", "device numbers" },
    { "transcode: {gpus: [64]}\n", "weir.yaml:1:", "from 0 to 63" },
    { "transcode: {share: 0}\n", "weir.yaml:1:", "from 1 to 100" },
    { "hls: [1, 2\n", "weir.yaml:", "" },
    { "- a\n", "weir.yaml:1:", "expected `key: value`" },
    { "a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}\n", "weir.yaml:1:", "" },
};

static void errors_name_the_line_and_what_was_expected(void **unused_state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct config c;
        struct config_error error;
        assert_int_equal(load(&c, wrong[i].text, &error), WEIR_CONFIG);
        print_message("%s\n", error.text);
        assert_non_null(strstr(error.text, wrong[i].where));
        assert_non_null(strstr(error.text, wrong[i].says));
        /* a key never comes back in an error */
        assert_null(strstr(error.text, "short"));
        config_deinit(&c);
    }
}

static void set_takes_the_same_keys(void **unused_state)
{
    struct config c;
    struct config_error error = { "" };
    config_init(&c);
    assert_int_equal(config_set(&c, "listen.rtmp=127.0.0.1:0,[::1]:0", &error), WEIR_OK);
    assert_int_equal(c.rtmp.count, 2);
    assert_int_equal(c.origins.count, 1);
    assert_int_equal(config_set(&c, "delivery.origins=https://a.example,http://b.example:81", &error), WEIR_OK);
    assert_int_equal(c.origins.count, 2);
    assert_string_equal(c.origins.items[1], "http://b.example:81");
    assert_int_equal(config_set(&c, "hls.window=9s", &error), WEIR_OK);
    assert_int_equal(c.defaults.hls.window_us, 9000000);
    assert_int_equal(config_set(&c, "publish.takeover=yes", &error), WEIR_OK);
    static const char *const bad[] = { "hls.windw=9s",  "hls.window",        "hls.window=9",
                                       "listen.rtmp=x", "server.loops=1000", "" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        error.text[0] = 0;
        assert_int_equal(config_set(&c, bad[i], &error), WEIR_CONFIG);
        assert_non_null(strstr(error.text, "--set"));
    }
    assert_int_equal(config_set(&c, "hls.segment=5s", &error), WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_CONFIG);
    assert_non_null(strstr(error.text, "three segments"));
    config_deinit(&c);
}

static void a_ladder_is_read(void **unused_state)
{
    struct config c;
    struct config_error error;
    assert_int_equal(
        load(&c,
             "paths:\n"
             "  - match: live/plain\n"
             "    ladder: no\n"
             "  - match: live/vip\n"
             "    transcode: {backend: nvidia, require_gpu: yes, latency: normal}\n"
             "    hls: {hold: 0s}\n"
             "    ladder:\n"
             "      - source\n"
             "      - {name: hd, height: 720, fps: 29.97, bitrate: 2500k, maxrate: 3M, codec: hevc, profile: "
             "main10, preset: fast}\n"
             "      - {scale: 1/3}\n"
             "      - {scale: 0.25, preset: ultrafast}\n"
             "    audio:\n"
             "      - source\n"
             "      - {codec: opus, bitrate: 48k, channels: 1}\n"
             "      - {name: low, sample_rate: 44100}\n"
             "ladder: auto\n"
             "transcode: {backend: vaapi, share: 50, gpus: [0, 5]}\n",
             &error),
        WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_OK);
    assert_true(config_transcodes(&c));
    assert_int_equal(c.transcode_share, 50);
    assert_true(c.gpus == 0x21);
    const struct config_ladder *vip = &config_path_for(&c, "live/vip")->ladder;
    assert_true(vip->is_on && !vip->wish.is_auto && vip->requires_gpu && vip->latency == LADDER_LATENCY_NORMAL);
    assert_string_equal(vip->backend, "nvidia");
    assert_int_equal(vip->wish.rung_count, 4);
    const struct rung_config *r = vip->wish.rungs;
    assert_int_equal(r[0].kind, RUNG_PASSTHROUGH);
    assert_true(r[1].kind == RUNG_ENCODED && r[1].height == 720 && r[1].fps_max_milli == 29970 &&
                r[1].bitrate_bps == 2500000 && r[1].max_rate_bps == 3000000 && r[1].codec == CODEC_HEVC);
    assert_string_equal(r[1].name, "hd");
    assert_string_equal(r[1].profile, "main10");
    assert_string_equal(r[1].preset, "fast");
    assert_true(r[2].scale_num == 1 && r[2].scale_den == 3 && !r[2].height);
    assert_true(r[3].scale_num == 250 && r[3].scale_den == 1000);
    const struct config_audio *sound = &config_path_for(&c, "live/vip")->audio;
    assert_true(sound->mode == AUDIO_RUNGS && sound->has_source && sound->rung_count == 2);
    assert_true(sound->rungs[0].codec == CODEC_OPUS && sound->rungs[0].bitrate_bps == 48000 &&
                sound->rungs[0].channels == 1);
    assert_string_equal(sound->rungs[0].name, "sound-a");
    assert_true(sound->rungs[1].codec == CODEC_AAC && sound->rungs[1].sample_rate == 44100);
    assert_false(config_path_for(&c, "live/plain")->ladder.is_on);
    assert_int_equal(config_audio_mode(config_path_for(&c, "live/plain")), AUDIO_PASS);
    assert_int_equal(config_audio_mode(config_path_for(&c, "x")), AUDIO_AUTO);
    const struct config_ladder *other = &config_path_for(&c, "x")->ladder;
    assert_true(other->is_on && other->wish.is_auto && other->latency == LADDER_LATENCY_LOW);
    assert_string_equal(other->backend, "vaapi");
    /* what is inside the encoders needs time to come out */
    struct stream_policy policy;
    config_policy(config_path_for(&c, "live/vip"), &policy);
    assert_int_equal(policy.hold_us, LADDER_DRAIN_US);
    assert_int_equal(policy.part_hold_back_us, 2500000);
    config_policy(config_path_for(&c, "live/plain"), &policy);
    assert_int_equal(policy.hold_us, 30000000);
    assert_int_equal(policy.part_hold_back_us, 1500000);
    config_deinit(&c);

    config_init(&c);
    assert_false(config_transcodes(&c));
    assert_int_equal(config_set(&c, "ladder=auto", &error), WEIR_OK);
    assert_true(config_transcodes(&c));
    assert_int_equal(config_set(&c, "transcode.gpus=all", &error), WEIR_OK);
    assert_int_equal(config_set(&c, "hls.container=ts", &error), WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_CONFIG);
    assert_non_null(strstr(error.text, "hls.container ts"));
    config_deinit(&c);
}

static void numbers_from_the_epoch(void **unused_state)
{
    static const struct {
        const char *sets[3], *error; /* NULL: right */
        int64_t longest_us;
    } cases[] = {
        { { "hls.numbering=epoch" }, NULL, 4000000 },
        { { "hls.numbering=epoch", "hls.segment_max=5s" }, NULL, 5000000 },
        { { "hls.numbering=stream" }, NULL, 3000000 },
        { { "hls.numbering=epoch", "hls.segment_max=3s" }, "twice hls.segment", 0 },
        { { "hls.numbering=epoch", "hls.dvr=1h" }, "take hls.dvr out", 0 },
        { { "hls.numbering=epoch", "ladder=auto" }, "take ladder and audio out", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct config_error error = { "" };
        struct stream_policy policy;
        config_init(&c);
        for (size_t k = 0; k < ARRAY_LEN(cases[i].sets) && cases[i].sets[k]; k++)
            assert_int_equal(config_set(&c, cases[i].sets[k], &error), WEIR_OK);
        assert_int_equal(config_check(&c, &error), cases[i].error ? WEIR_CONFIG : WEIR_OK);
        if (cases[i].error) assert_non_null(strstr(error.text, cases[i].error));
        config_policy(&c.defaults, &policy);
        if (!cases[i].error) assert_int_equal(policy.segment_max_us, cases[i].longest_us);
        config_deinit(&c);
    }
    (void)unused_state;
}

static void certificate_and_ports_belong_together(void **unused_state)
{
    static const struct {
        const char *sets[4], *error; /* NULL: right */
        uint32_t https, rtmps;
    } cases[] = {
        { { NULL }, NULL, 0, 0 },
        { { "tls.cert=a", "tls.key=b" }, NULL, 1, 1 },
        { { "tls.cert=a", "tls.key=b", "listen.https=[::]:1,[::]:2", "listen.rtmps=" }, NULL, 2, 0 },
        { { "tls.cert=a" }, "tls.cert is set and tls.key is not", 0, 0 },
        { { "tls.key=a" }, "tls.key is set and tls.cert is not", 0, 0 },
        { { "listen.https=[::]:1" }, "weir cert dev", 0, 0 },
        { { "listen.rtmps=[::]:1" }, "listen.rtmps needs", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct config_error error = { "" };
        config_init(&c);
        for (size_t k = 0; k < 4 && cases[i].sets[k]; k++)
            assert_int_equal(config_set(&c, cases[i].sets[k], &error), WEIR_OK);
        assert_int_equal(config_check(&c, &error), cases[i].error ? WEIR_CONFIG : WEIR_OK);
        if (cases[i].error) assert_non_null(strstr(error.text, cases[i].error));
        if (!cases[i].error) assert_int_equal(c.https.count, cases[i].https);
        if (!cases[i].error) assert_int_equal(c.rtmps.count, cases[i].rtmps);
        config_deinit(&c);
    }
}

static void srt_options_of_path_port_and_all(void **unused_state)
{
    struct config c;
    struct config_error error;
    assert_int_equal(load(&c,
                          "listen: {srt: '127.0.0.1:0'}\n"
                          "srt:\n"
                          "  latency: 1s\n"
                          "  passphrase: for-everyone-else\n"
                          "  stream: field\n"
                          "  ports:\n"
                          "    - listen: '0.0.0.0:8891'\n"
                          "      stream: live/van\n"
                          "      default_mode: publish\n"
                          "      latency: 2s\n"
                          "      lossmaxttl: 40\n"
                          "      rcvbuf: 24MiB\n"
                          "paths:\n"
                          "  - match: live/vip\n"
                          "    srt: {passphrase: of-the-vip-alone, pbkeylen: 32, tlpktdrop: no, maxbw: 20M}\n"
                          "    pull: 'srt://[::1]:9000?streamid=x&latency=250'\n"
                          "  - match: live/slow\n"
                          "    srt: {latency: 5s}\n",
                          &error),
                     WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_OK);
    assert_string_equal(c.srt.items[0], "127.0.0.1:0");
    assert_string_equal(c.srt_stream, "live/field");
    assert_int_equal(c.srt_port_count, 1);
    const struct config_srt_port *port = &c.srt_ports[0];
    assert_string_equal(port->stream, "live/van");
    assert_int_equal(port->default_mode, SRT_MODE_PUBLISH);
    struct srt_options o;
    config_srt_options(&c, NULL, config_path_for(&c, "live/any"), &o);
    assert_true(o.latency_us == 1000000 && o.reorder_packets == 0 && o.drops_late == 1);
    assert_string_equal(o.passphrase, "for-everyone-else");
    config_srt_options(&c, port, config_path_for(&c, "live/any"), &o);
    assert_true(o.latency_us == 2000000 && o.reorder_packets == 40 && o.receive_buffer_bytes == 24 * MIB);
    config_srt_options(&c, port, config_path_for(&c, "live/vip"), &o);
    assert_true(o.latency_us == 2000000 && o.key_bytes == 32 && o.drops_late == 0 && o.bandwidth_bps == 20000000);
    assert_string_equal(o.passphrase, "of-the-vip-alone");
    config_srt_options(&c, port, config_path_for(&c, "live/slow"), &o);
    assert_int_equal(o.latency_us, 5000000);
    assert_int_equal(config_set(&c, "srt.passphrase=on-the-command-line", &error), WEIR_CONFIG);
    assert_non_null(strstr(error.text, "--set srt.passphrase"));
    assert_null(strstr(error.text, "on-the-command-line"));
    config_deinit(&c);
}

static void amounts(void **unused_state)
{
    static const struct {
        const char *text;
        int64_t amount;
    } cases[] = { { "0", 0 },
                  { "8192", 8192 },
                  { "20M", 20000000 },
                  { "12MiB", 12 * MIB },
                  { "1GiB", 1024LL * MIB },
                  { "64KiB", 65536 },
                  { "3k", 3000 },
                  { "", -1 },
                  { "-1", -1 },
                  { "1.5M", -1 },
                  { "1mib", -1 },
                  { "1 M", -1 },
                  { "99999999999999999999", -1 },
                  { "9999999999999GiB", -1 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t amount = -1;
        assert_int_equal(amount_parse(cases[i].text, &amount), cases[i].amount >= 0);
        assert_true(amount == cases[i].amount);
    }
}

static void durations(void **unused_state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = { { "250ms", 250000 },   { "2s", 2000000 },
                  { "1.5s", 1500000 },   { "2m", 120000000 },
                  { "1h", 3600000000 },  { "0s", 0 },
                  { "7us", 7 },          { "2", -1 },
                  { "s", -1 },           { "-1s", -1 },
                  { "1.s", -1 },         { "1 s", -1 },
                  { "1d", -1 },          { "99999999999999999999s", -1 },
                  { "3011111111h", -1 }, { "", -1 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t us = -1;
        assert_int_equal(duration_parse(cases[i].text, &us), cases[i].us >= 0);
        assert_true(us == cases[i].us);
    }
    char text[24];
    duration_format(1500000, text);
    assert_string_equal(text, "1500ms");
}

static void who_may_publish(void **unused_state)
{
    enum { HERE = 1, THERE };
    static const struct {
        enum config_access access;
        int from;
        const char *path_key, *given;
        enum publish_verdict verdict;
    } cases[] = {
        { ACCESS_LOCAL_OR_KEY, HERE, "", "", PUBLISH_ALLOWED },
        { ACCESS_LOCAL_OR_KEY, HERE, "", "wrong", PUBLISH_BAD_KEY },
        { ACCESS_LOCAL_OR_KEY, THERE, "", "", PUBLISH_BAD_KEY },
        { ACCESS_LOCAL_OR_KEY, THERE, "", "server-key", PUBLISH_ALLOWED },
        { ACCESS_LOCAL_OR_KEY, THERE, "", "server-kex", PUBLISH_BAD_KEY },
        { ACCESS_LOCAL_OR_KEY, THERE, "", "server-key1", PUBLISH_BAD_KEY },
        { ACCESS_KEY, HERE, "", "", PUBLISH_BAD_KEY },
        { ACCESS_KEY, HERE, "path-key", "path-key", PUBLISH_ALLOWED },
        { ACCESS_KEY, HERE, "path-key", "server-key", PUBLISH_BAD_KEY },
        { ACCESS_OPEN, THERE, "", "", PUBLISH_ALLOWED },
        { ACCESS_DENY, HERE, "", "server-key", PUBLISH_NOT_ALLOWED },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_path path = { .access = cases[i].access };
        struct publish_request request = {
            .address = { [10] = 0xFF, 0xFF, (uint8_t)(cases[i].from == HERE ? 127 : 192), 0, 2, 1 }
        };
        strcpy(path.key, cases[i].path_key);
        strcpy(request.key, cases[i].given);
        assert_int_equal(auth_decide(&path, "server-key", &request), cases[i].verdict);
    }
    /* a server whose key is empty lets nobody in by an empty key */
    const struct config_path path = { .access = ACCESS_KEY };
    const struct publish_request request = { .key = "" };
    assert_int_equal(auth_decide(&path, "", &request), PUBLISH_BAD_KEY);
}

static void what_is_set_holds_for_paths_that_say_nothing_of_it(void **unused_state)
{
    static const char text[] = "paths:\n"
                               "  - match: live/vip*\n"
                               "    hls: {window: 60s}\n"
                               "  - match: 'live/*'\n"
                               "    publish: {access: open}\n"
                               "hls: {segment: 3s}\n";
    struct config c;
    struct config_error error;
    assert_int_equal(load(&c, text, &error), WEIR_OK);
    assert_int_equal(config_set(&c, "hls.window=40s", &error), WEIR_OK);
    assert_int_equal(config_load_yaml_paths(&c, text, strlen(text), "weir.yaml", &error), WEIR_OK);
    assert_int_equal(config_check(&c, &error), WEIR_OK);
    const struct config_path *vip = config_path_for(&c, "live/vip"), *other = config_path_for(&c, "live/a");
    assert_int_equal(vip->hls.window_us, 60000000);
    assert_int_equal(other->hls.window_us, 40000000);
    assert_int_equal(other->hls.segment_us, 3000000);
    assert_int_equal(other->access, ACCESS_OPEN);
    config_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(what_is_set_holds_for_paths_that_say_nothing_of_it),
        cmocka_unit_test(errors_name_the_line_and_what_was_expected),
        cmocka_unit_test(set_takes_the_same_keys),
        cmocka_unit_test(a_ladder_is_read),
        cmocka_unit_test(numbers_from_the_epoch),
        cmocka_unit_test(certificate_and_ports_belong_together),
        cmocka_unit_test(srt_options_of_path_port_and_all),
        cmocka_unit_test(amounts),
        cmocka_unit_test(durations),
        cmocka_unit_test(who_may_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

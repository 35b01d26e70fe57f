/* Which renditions come of which source: a table of sources and wishes, and what must hold for any of them. */
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/transcode/ladder_plan.h>

struct plan_case {
    const char *label;
    struct ladder_source source;
    const char *wish; /* "auto", or rungs as written by parse_wish */
    const char *plan; /* name kind WxH@fps/one-in<from, ... */
    unsigned notes;
};

#define HD30 .codec = CODEC_H264, .width = 1920, .height = 1080, .fps_num = 30, .fps_den = 1, .bit_depth = 8

static const struct plan_case cases[] = {
    { "1080p30, auto",
      { HD30 },
      "auto",
      "source P 1920x1080@30.000 720p E 1280x720@30.000<s 480p E 854x480@30.000<1 360p E 640x360@30.000<2",
      0 },
    { "1080p60: low rungs halve",
      { .codec = CODEC_H264, .width = 1920, .height = 1080, .fps_num = 60, .fps_den = 1 },
      "auto",
      "source P 1920x1080@60.000 720p E 1280x720@60.000<s 480p E 854x480@30.000<1 360p E 640x360@30.000<2",
      0 },
    { "59.94 halves to 29.97",
      { .codec = CODEC_H264, .width = 1280, .height = 720, .fps_num = 60000, .fps_den = 1001 },
      "auto",
      "source P 1280x720@59.940 480p E 854x480@29.970<s 360p E 640x360@29.970<1 240p E 426x240@29.970<2",
      0 },
    { "50 to 25",
      { .codec = CODEC_H264, .width = 1920, .height = 1080, .fps_num = 50, .fps_den = 1 },
      "height=480,fps=30",
      "480p E 854x480@25.000<s",
      0 },
    { "rate not known: frames are counted, none left out by the plan",
      { .codec = CODEC_H264, .width = 1280, .height = 720 },
      "height=360,fps=30",
      "360p E 640x360@0.000<s",
      0 },
    { "portrait: the shorter side counts",
      { .codec = CODEC_H264, .width = 1080, .height = 1920, .fps_num = 30, .fps_den = 1 },
      "auto",
      "source P 1080x1920@30.000 720p E 720x1280@30.000<s 480p E 480x854@30.000<1 360p E 360x640@30.000<2",
      0 },
    { "anamorphic PAL 16:9: square pixels, no line added",
      { .codec = CODEC_H264, .width = 720, .height = 576, .sar_num = 16, .sar_den = 11, .fps_num = 25, .fps_den = 1 },
      "height=360",
      "360p E 654x360@25.000<s",
      0 },
    { "narrow pixels: width shrinks",
      { .codec = CODEC_H264, .width = 720, .height = 480, .sar_num = 8, .sar_den = 9, .fps_num = 30, .fps_den = 1 },
      "scale=1/1",
      "480p E 640x480@30.000<s",
      0 },
    { "small source: auto has nothing to encode",
      { .codec = CODEC_H264, .width = 320, .height = 240, .fps_num = 15, .fps_den = 1 },
      "auto",
      "source P 320x240@15.000",
      0 },
    { "720p source under a 1080p ladder: never upscaled",
      { .codec = CODEC_H264, .width = 1280, .height = 720, .fps_num = 30, .fps_den = 1 },
      "source height=1080 height=720 height=360",
      "source P 1280x720@30.000 360p E 640x360@30.000<s",
      LADDER_NOTE_UPSCALE | LADDER_NOTE_BYPASS },
    { "the same without a source rung: the top rung is the source itself",
      { .codec = CODEC_H264, .width = 1280, .height = 720, .fps_num = 30, .fps_den = 1 },
      "name=top,height=1080 name=mid,height=720 height=360",
      "top P 1280x720@30.000 360p E 640x360@30.000<s",
      LADDER_NOTE_UPSCALE | LADDER_NOTE_BYPASS },
    { "another codec at the same size is encoded",
      { .codec = CODEC_HEVC, .width = 1280, .height = 720, .fps_num = 30, .fps_den = 1 },
      "source height=720",
      "source P 1280x720@30.000 720p E 1280x720@30.000<s",
      0 },
    { "VP9 cannot pass: a full-size rung takes its place",
      { .codec = CODEC_VP9, .width = 1280, .height = 720, .fps_num = 30, .fps_den = 1 },
      "auto",
      "full E 1280x720@30.000<s 480p E 854x480@30.000<0 360p E 640x360@30.000<1 240p E 426x240@30.000<2",
      LADDER_NOTE_SOURCE_CODEC },
    { "two rungs that come out alike are one",
      { .codec = CODEC_H264, .width = 640, .height = 360, .fps_num = 30, .fps_den = 1 },
      "name=a,height=720,codec=hevc name=b,height=1080,codec=hevc",
      "a E 640x360@30.000<s",
      LADDER_NOTE_UPSCALE | LADDER_NOTE_DUPLICATE },
    { "order of the wish does not matter",
      { HD30 },
      "height=360 source height=720",
      "source P 1920x1080@30.000 720p E 1280x720@30.000<s 360p E 640x360@30.000<1",
      0 },
    { "a rung cannot be scaled from one that sees fewer frames",
      { .codec = CODEC_H264, .width = 1920, .height = 1080, .fps_num = 60, .fps_den = 1 },
      "height=720,fps=30 height=480",
      "720p E 1280x720@30.000<s 480p E 854x480@60.000<s",
      0 },
    { "odd source",
      { .codec = CODEC_H264, .width = 853, .height = 479, .fps_num = 30, .fps_den = 1 },
      "scale=1/1,codec=hevc scale=1/2",
      "478p E 852x478@30.000<s 240p E 426x240@30.000<0",
      0 },
    { "half of it", { HD30 }, "scale=1/2,name=half", "half E 960x540@30.000<s", 0 },
    { "a source heavier than the rung may be is encoded at its size",
      { HD30, .bitrate_bps = 20000000 },
      "height=1080,rate=6000000",
      "1080p E 1920x1080@30.000<s",
      0 },
};

static struct rung_config parse_rung(char *text)
{
    struct rung_config r = { .kind = RUNG_ENCODED };
    if (!strcmp(text, "source")) r = (struct rung_config){ .kind = RUNG_PASSTHROUGH, .name = "source" };
    for (char *pair; r.kind == RUNG_ENCODED && (pair = strsep(&text, ","));) {
        char *value = strchr(pair, '=');
        assert_non_null(value);
        *value++ = 0;
        if (!strcmp(pair, "name")) strncpy(r.name, value, sizeof r.name - 1);
        if (!strcmp(pair, "height")) r.height = (uint32_t)atoi(value);
        if (!strcmp(pair, "fps")) r.fps_max_milli = (uint32_t)atoi(value) * 1000;
        if (!strcmp(pair, "rate")) r.bitrate_bps = (uint64_t)atoi(value);
        if (!strcmp(pair, "codec")) r.codec = CODEC_HEVC;
        if (!strcmp(pair, "scale")) {
            r.scale_num = (uint32_t)atoi(value);
            r.scale_den = (uint32_t)atoi(strchr(value, '/') + 1);
        }
    }
    return r;
}

static struct ladder_config parse_wish(const char *wish)
{
    struct ladder_config c = { .latency = LADDER_LATENCY_LOW };
    char text[256], *rest = text;
    snprintf(text, sizeof text, "%s", wish);
    c.is_auto = !strcmp(wish, "auto");
    for (char *word; !c.is_auto && (word = strsep(&rest, " "));) c.rungs[c.rung_count++] = parse_rung(word);
    return c;
}

static void describe(const struct ladder_plan *p, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < p->rung_count; i++) {
        const struct rung_plan *r = &p->rungs[i];
        const double fps = r->fps_den ? (double)r->fps_num / r->fps_den : 0;
        used += (size_t)snprintf(out + used, room - used, "%s%s %c %ux%u@%.3f", i ? " " : "", r->name,
                                 r->kind == RUNG_ENCODED ? 'E' : 'P', r->width, r->height, fps);
        if (r->kind == RUNG_PASSTHROUGH) continue;
        if (r->scale_from == RUNG_FROM_SOURCE)
            used += (size_t)snprintf(out + used, room - used, "<s");
        else
            used += (size_t)snprintf(out + used, room - used, "<%zu", r->scale_from);
    }
}

static void plans_are_as_written(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct plan_case *t = &cases[i];
        const struct ladder_config config = parse_wish(t->wish);
        struct ladder_plan plan;
        const char *why = "";
        char got[512] = "";
        assert_int_equal(ladder_config_check(&config, &why), WEIR_OK);
        assert_int_equal(ladder_plan_make(&config, &t->source, &plan, &why), WEIR_OK);
        describe(&plan, got, sizeof got);
        if (strcmp(got, t->plan)) fail_msg("%s:\n got      %s\n expected %s", t->label, got, t->plan);
        if (plan.notes != t->notes) fail_msg("%s: notes %x, expected %x", t->label, plan.notes, t->notes);
    }
}

static uint64_t random_state = 88172645463325252ull;
static uint32_t roll(uint32_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % sides);
}

static struct ladder_config random_wish(void)
{
    struct ladder_config c = { .is_auto = roll(4) == 0 };
    c.rung_count = 1 + roll(LADDER_RUNGS_MAX);
    for (size_t i = 0; i < c.rung_count; i++) {
        struct rung_config *r = &c.rungs[i];
        r->kind = roll(5) ? RUNG_ENCODED : RUNG_PASSTHROUGH;
        if (roll(2))
            r->height = 32 + roll(2200);
        else
            r->scale_num = 1 + roll(8), r->scale_den = 8 + roll(8);
        r->fps_max_milli = roll(3) ? 0 : 10000 + roll(60000);
        r->bitrate_bps = roll(2) ? 0 : 100000 + roll(8000000);
        r->codec = roll(3) ? CODEC_H264 : CODEC_HEVC;
    }
    return c;
}

static void check_rung(const struct ladder_plan *p, size_t index, const struct ladder_source *s)
{
    const struct rung_plan *r = &p->rungs[index];
    if (r->kind == RUNG_PASSTHROUGH) {
        assert_int_equal(index, 0);
        return;
    }
    assert_true(r->width >= 2 && r->height >= 2 && r->width % 2 == 0 && r->height % 2 == 0);
    assert_true(r->width <= s->width && r->height <= s->height);
    assert_true(r->keep_one_in >= 1 && r->bitrate_bps >= 100000 && r->max_rate_bps >= r->bitrate_bps);
    if (r->scale_from != RUNG_FROM_SOURCE) {
        assert_true(r->scale_from < index);
        assert_true(p->rungs[r->scale_from].width >= r->width && p->rungs[r->scale_from].height >= r->height);
        assert_int_equal(r->keep_one_in % p->rungs[r->scale_from].keep_one_in, 0);
    }
    /* the shown shape stays, within what even sizes allow */
    const double sar = s->sar_num ? (double)s->sar_num / s->sar_den : 1, shape = s->width * sar / s->height;
    const double w = r->width, h = r->height;
    assert_true((w + 2.5) / (h - 2.5 > 1 ? h - 2.5 : 1) >= shape && (w - 2.5) / (h + 2.5) <= shape);
}

static void any_plan_keeps_the_rules(void **state)
{
    for (int round = 0; round < 20000; round++) {
        const struct ladder_config config = random_wish();
        const struct ladder_source source = {
            .codec = roll(4) ? CODEC_H264 : CODEC_VP9,
            .width = 200 + roll(3000),
            .height = 200 + roll(3000),
            .sar_num = roll(3) ? 0 : 8 + roll(8),
            .sar_den = 8 + roll(8),
            .fps_num = roll(2) ? 30000 : 0,
            .fps_den = 500 + roll(700),
            .bitrate_bps = roll(2) ? 0 : 200000 + roll(9000000),
        };
        struct ladder_plan plan;
        const char *why = "";
        assert_int_equal(ladder_plan_make(&config, &source, &plan, &why), WEIR_OK);
        assert_true(plan.rung_count <= LADDER_RUNGS_MAX);
        size_t encoded = 0;
        for (size_t i = 0; i < plan.rung_count; i++) {
            check_rung(&plan, i, &source);
            encoded += plan.rungs[i].kind == RUNG_ENCODED;
            for (size_t k = 0; k < i; k++) assert_string_not_equal(plan.rungs[i].name, plan.rungs[k].name);
        }
        assert_int_equal(encoded, plan.encoded_count);
    }
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *label;
        struct ladder_config config;
        const char *why;
    } wrong[] = {
        { "empty", { .rung_count = 0 }, "a ladder needs at least one rung, or the word auto" },
        { "name",
          { .rung_count = 1, .rungs = { { .name = "a/b", .kind = RUNG_ENCODED } } },
          "a rung's name may hold letters, digits, - and _" },
        { "taken",
          { .rung_count = 1, .rungs = { { .name = "audio", .kind = RUNG_ENCODED } } },
          "a rung may not be called audio, video, iframes or ts" },
        { "both",
          { .rung_count = 1, .rungs = { { .kind = RUNG_ENCODED, .height = 360, .scale_num = 1, .scale_den = 2 } } },
          "a rung has a height or a scale, not both" },
        { "up",
          { .rung_count = 1, .rungs = { { .kind = RUNG_ENCODED, .scale_num = 3, .scale_den = 2 } } },
          "a rung's scale is at most 1" },
        { "rates",
          { .rung_count = 1, .rungs = { { .kind = RUNG_ENCODED, .bitrate_bps = 2000, .max_rate_bps = 1000 } } },
          "a rung's max_rate is below its bitrate" },
        { "codec",
          { .rung_count = 1, .rungs = { { .kind = RUNG_ENCODED, .codec = CODEC_VP9 } } },
          "a rung's codec is h264, hevc or av1" },
        { "two sources",
          { .rung_count = 2, .rungs = { { .kind = RUNG_PASSTHROUGH }, { .kind = RUNG_PASSTHROUGH } } },
          "two rungs pass the source through" },
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *why = "";
        assert_int_equal(ladder_config_check(&wrong[i].config, &why), WEIR_CONFIG);
        assert_string_equal(why, wrong[i].why);
    }
    const struct ladder_config config = { .is_auto = true };
    const struct ladder_source source = { .codec = CODEC_H264, .width = 0, .height = 720 };
    struct ladder_plan plan;
    const char *why = "";
    assert_int_equal(ladder_plan_make(&config, &source, &plan, &why), WEIR_UNSUPPORTED);
    assert_true(*why);
}

static void an_auto_rung_is_never_larger_than_its_source(void **state)
{
    const struct ladder_config config = { .is_auto = true };
    const struct ladder_source source = { HD30, .bitrate_bps = 2000000 };
    struct ladder_plan plan;
    assert_int_equal(ladder_plan_make(&config, &source, &plan, NULL), WEIR_OK);
    assert_int_equal(plan.rungs[1].bitrate_bps, 1600000);
    assert_true(plan.rungs[2].bitrate_bps <= 1200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_as_written),
        cmocka_unit_test(any_plan_keeps_the_rules),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_auto_rung_is_never_larger_than_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

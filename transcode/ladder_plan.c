#include <weir/transcode/ladder_plan.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SIDE_MIN 32
#define FPS_UNKNOWN_MILLI 30000
#define FPS_TOLERANCE_PERCENT 102 /* a cap of 30 takes 30.3 as it is */
#define PRESET_DEFAULT "veryfast"

/* Rates for H.264 at up to 30 frames a second; by the shorter side. */
struct step {
    const char *name;
    uint32_t side;
    uint64_t bitrate_bps;
    bool keeps_high_rate; /* large pictures keep 50 and 60 frames a second */
};
static const struct step steps[] = {
    { "1440p", 1440, 9000000, true }, { "1080p", 1080, 4500000, true }, { "720p", 720, 2500000, true },
    { "480p", 480, 1200000, false },  { "360p", 360, 700000, false },   { "240p", 240, 400000, false },
};
#define AUTO_RUNGS_MAX 3 /* encoded, besides the source */

static enum weir_err fail(enum weir_err err, const char **why, const char *text)
{
    if (why) *why = text;
    return err;
}

static uint32_t even(uint64_t numerator, uint64_t denominator)
{
    const uint64_t twos = (numerator + denominator) / (2 * denominator);
    return (uint32_t)(twos ? twos * 2 : 2);
}

static uint32_t fps_milli(uint32_t num, uint32_t den)
{
    return num && den ? (uint32_t)(((uint64_t)num * 1000 + den / 2) / den) : 0;
}

/* The picture as it is shown, in square pixels; the longer way of non-square ones is made shorter, so that nothing is upscaled. */
static void shown_size(const struct ladder_source *s, uint64_t *width, uint64_t *height)
{
    *width = s->width;
    *height = s->height;
    if (!s->sar_num || !s->sar_den || s->sar_num == s->sar_den) return;
    if (s->sar_num > s->sar_den)
        *height = ((uint64_t)s->height * s->sar_den + s->sar_num / 2) / s->sar_num;
    else
        *width = ((uint64_t)s->width * s->sar_num + s->sar_den / 2) / s->sar_den;
}

/* Between the steps rates go with the number of pixels, a little less than in proportion. */
static uint64_t default_bitrate(uint32_t width, uint32_t height, uint32_t rate_milli, enum media_codec codec)
{
    const uint64_t pixels = (uint64_t)width * height;
    uint64_t bps = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const uint64_t step_pixels = (uint64_t)steps[i].side * steps[i].side * 16 / 9;
        if (pixels < step_pixels && i + 1 < ARRAY_LEN(steps)) continue;
        bps = steps[i].bitrate_bps * pixels / step_pixels;
        break;
    }
    if (rate_milli > 33000) bps = bps * 3 / 2;
    if (codec == CODEC_HEVC) bps = bps * 7 / 10;
    if (codec == CODEC_AV1) bps = bps * 6 / 10;
    return bps < 100000 ? 100000 : bps / 10000 * 10000;
}

static uint32_t keep_one_in(uint32_t rate_milli, uint32_t cap_milli)
{
    if (!cap_milli || !rate_milli) return 1;
    uint32_t n = 1;
    while (n < 16 && (uint64_t)rate_milli * 100 > (uint64_t)cap_milli * n * FPS_TOLERANCE_PERCENT) n++;
    return n;
}

static bool can_pass(enum media_codec codec)
{
    return codec == CODEC_H264 || codec == CODEC_HEVC || codec == CODEC_AV1;
}

static void set_name(struct rung_plan *r, const struct rung_config *c)
{
    if (c->name[0])
        memcpy(r->name, c->name, sizeof r->name);
    else
        snprintf(r->name, sizeof r->name, "%up", r->width < r->height ? r->width : r->height);
}

static void set_size(struct rung_plan *r, const struct rung_config *c, const struct ladder_source *s, unsigned *notes)
{
    uint64_t width, height;
    shown_size(s, &width, &height);
    const uint64_t side = width < height ? width : height;
    uint64_t num = c->height, den = side;
    if (!c->height) num = c->scale_num, den = c->scale_den;
    if (!num) num = den = 1; /* as large as the source */
    if (num > den) {
        *notes |= LADDER_NOTE_UPSCALE;
        num = den;
    }
    r->width = even(width * num, den);
    r->height = even(height * num, den);
    /* rounding up to even must not go past an odd source either */
    if (r->width > s->width) r->width = s->width & ~1u;
    if (r->height > s->height) r->height = s->height & ~1u;
}

static void set_rates(struct rung_plan *r, const struct rung_config *c, const struct ladder_source *s)
{
    const uint32_t source_milli = fps_milli(s->fps_num, s->fps_den);
    r->keep_one_in = keep_one_in(source_milli, c->fps_max_milli);
    if (source_milli) {
        r->fps_num = s->fps_num;
        r->fps_den = s->fps_den * r->keep_one_in;
    }
    const uint32_t rate_milli = source_milli ? source_milli / r->keep_one_in : FPS_UNKNOWN_MILLI;
    r->bitrate_bps = c->bitrate_bps ? c->bitrate_bps : default_bitrate(r->width, r->height, rate_milli, r->codec);
    /* a rung that was not told its rate must not be larger than the stream it is made of */
    if (!c->bitrate_bps && s->bitrate_bps && r->bitrate_bps > s->bitrate_bps * 8 / 10)
        r->bitrate_bps = s->bitrate_bps * 8 / 10;
    r->max_rate_bps = c->max_rate_bps ? c->max_rate_bps : r->bitrate_bps + r->bitrate_bps / 10;
    if (r->max_rate_bps < r->bitrate_bps) r->max_rate_bps = r->bitrate_bps;
    r->buffer_bits = r->max_rate_bps; /* one second */
}

static bool source_is(const struct rung_plan *r, const struct rung_config *c, const struct ladder_source *s)
{
    const bool is_square = !s->sar_num || s->sar_num == s->sar_den;
    const bool fits = !s->bitrate_bps || !c->bitrate_bps || s->bitrate_bps <= r->max_rate_bps;
    return is_square && r->codec == s->codec && r->width == s->width && r->height == s->height && r->keep_one_in == 1 &&
           fits;
}

static void plan_encoded(struct rung_plan *r, const struct rung_config *c, const struct ladder_source *s,
                         unsigned *notes)
{
    *r = (struct rung_plan){ .kind = RUNG_ENCODED, .codec = c->codec ? c->codec : CODEC_H264 };
    set_size(r, c, s, notes);
    set_rates(r, c, s);
    set_name(r, c);
    memcpy(r->profile, c->profile, sizeof r->profile);
    memcpy(r->preset, c->preset, sizeof r->preset);
    if (!r->preset[0]) snprintf(r->preset, sizeof r->preset, "%s", PRESET_DEFAULT);
}

static void plan_passthrough(struct rung_plan *r, const char name[RUNG_NAME_BYTES], const struct ladder_source *s)
{
    char kept[RUNG_NAME_BYTES] = "source";
    if (name[0]) memcpy(kept, name, sizeof kept); /* it may be the rung's own */
    *r = (struct rung_plan){ .kind = RUNG_PASSTHROUGH,
                             .width = s->width,
                             .height = s->height,
                             .keep_one_in = 1,
                             .fps_num = s->fps_num,
                             .fps_den = s->fps_den,
                             .codec = s->codec,
                             .scale_from = RUNG_FROM_SOURCE };
    memcpy(r->name, kept, sizeof r->name);
}

static size_t auto_rungs(const struct ladder_source *s, struct rung_config *out)
{
    uint64_t width, height;
    shown_size(s, &width, &height);
    const uint64_t side = width < height ? width : height;
    size_t count = 0;
    out[count] = (struct rung_config){ .kind = RUNG_PASSTHROUGH };
    snprintf(out[count++].name, RUNG_NAME_BYTES, "source");
    if (!can_pass(s->codec)) {
        out[count] = (struct rung_config){ .kind = RUNG_ENCODED, .codec = CODEC_H264 };
        snprintf(out[count++].name, RUNG_NAME_BYTES, "full");
    }
    size_t encoded = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps) && encoded < AUTO_RUNGS_MAX; i++) {
        /* a step is worth its encoder when it is clearly smaller than what is there already */
        if (steps[i].side * 5ull > side * 4) continue;
        struct rung_config *r = &out[count++];
        *r = (struct rung_config){ .kind = RUNG_ENCODED, .height = steps[i].side, .codec = CODEC_H264 };
        snprintf(r->name, sizeof r->name, "%s", steps[i].name);
        if (!steps[i].keeps_high_rate) r->fps_max_milli = 30000;
        encoded++;
    }
    return count;
}

static bool has_name(const struct ladder_plan *p, const char *name)
{
    for (size_t i = 0; i < p->rung_count; i++) {
        if (!strcmp(p->rungs[i].name, name)) return true;
    }
    return false;
}

/* The rung that does the same work already, or NULL. */
static const struct rung_plan *same_work(const struct ladder_plan *p, const struct rung_plan *r)
{
    for (size_t i = 0; i < p->rung_count; i++) {
        const struct rung_plan *o = &p->rungs[i];
        if (o->kind == RUNG_ENCODED && o->codec == r->codec && o->width == r->width && o->height == r->height &&
            o->keep_one_in == r->keep_one_in && o->bitrate_bps == r->bitrate_bps)
            return o;
    }
    return NULL;
}

/* From large to small; of one size the higher rate first. */
static bool is_before(const struct rung_plan *a, const struct rung_plan *b)
{
    if (a->kind != b->kind) return a->kind == RUNG_PASSTHROUGH;
    const uint64_t x = (uint64_t)a->width * a->height, y = (uint64_t)b->width * b->height;
    if (x != y) return x > y;
    return a->bitrate_bps > b->bitrate_bps;
}

static void insert(struct ladder_plan *p, const struct rung_plan *r)
{
    size_t at = p->rung_count++;
    for (; at > 0 && is_before(r, &p->rungs[at - 1]); at--) p->rungs[at] = p->rungs[at - 1];
    p->rungs[at] = *r;
}

static void link_scales(struct ladder_plan *p)
{
    for (size_t i = 0; i < p->rung_count; i++) {
        struct rung_plan *r = &p->rungs[i];
        r->scale_from = RUNG_FROM_SOURCE;
        if (r->kind != RUNG_ENCODED) continue;
        p->encoded_count++;
        for (size_t k = i; k-- > 0;) {
            const struct rung_plan *o = &p->rungs[k];
            /* a rung that sees fewer frames has nothing to give for the others */
            if (o->kind != RUNG_ENCODED || r->keep_one_in % o->keep_one_in) continue;
            if (o->width < r->width || o->height < r->height) continue;
            r->scale_from = k;
            break;
        }
    }
}

enum weir_err ladder_plan_make(const struct ladder_config *config, const struct ladder_source *source,
                               struct ladder_plan *out, const char **why)
{
    struct rung_config automatic[LADDER_RUNGS_MAX];
    const struct rung_config *wanted = config->rungs;
    size_t count = config->rung_count;
    if (source->width < SIDE_MIN || source->height < SIDE_MIN || source->width > LADDER_SIDE_MAX ||
        source->height > LADDER_SIDE_MAX)
        return fail(WEIR_UNSUPPORTED, why, "the source's picture size is not known, or not within 32 to 8192");
    if (config->is_auto) {
        count = auto_rungs(source, automatic);
        wanted = automatic;
    }
    assert(count <= LADDER_RUNGS_MAX);
    struct ladder_plan plan = { .latency = config->latency };
    for (size_t i = 0; i < count; i++) {
        struct rung_plan r;
        if (wanted[i].kind == RUNG_PASSTHROUGH) {
            if (!can_pass(source->codec)) {
                plan.notes |= LADDER_NOTE_SOURCE_CODEC;
                continue;
            }
            plan_passthrough(&r, wanted[i].name, source);
            if (plan.has_passthrough) continue;
            plan.has_passthrough = true;
            insert(&plan, &r);
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct rung_plan r;
        unsigned notes = 0;
        if (wanted[i].kind != RUNG_ENCODED) continue;
        plan_encoded(&r, &wanted[i], source, &notes);
        plan.notes |= notes;
        const bool is_upscale = notes & LADDER_NOTE_UPSCALE;
        if (is_upscale && plan.has_passthrough && r.codec == source->codec)
            continue; /* the source is that rung's best */
        const bool is_source = source_is(&r, &wanted[i], source);
        if (is_source) plan.notes |= LADDER_NOTE_BYPASS;
        if (is_source && plan.has_passthrough) continue;
        if (same_work(&plan, &r) || has_name(&plan, r.name)) {
            plan.notes |= LADDER_NOTE_DUPLICATE;
            continue;
        }
        if (is_source) {
            plan_passthrough(&r, r.name, source);
            plan.has_passthrough = true;
        }
        insert(&plan, &r);
    }
    link_scales(&plan);
    *out = plan;
    return WEIR_OK;
}

static bool is_name_right(const char *name)
{
    for (const char *c = name; *c; c++) {
        const bool is_word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!is_word && *c != '-' && *c != '_') return false;
    }
    return true;
}

/* Other renditions of the stream have these; further audio tracks are audio-1 and so on. */
static bool is_name_taken(const char *name)
{
    return !strcmp(name, "audio") || !strncmp(name, "audio-", 6) || !strcmp(name, "video") ||
           !strcmp(name, "iframes") || !strcmp(name, "ts");
}

static const char *what_is_wrong(const struct ladder_config *config, const struct rung_config *r, size_t index)
{
    if (!is_name_right(r->name)) return "a rung's name may hold letters, digits, - and _";
    if (is_name_taken(r->name)) return "a rung may not be called audio, video, iframes or ts";
    for (size_t i = 0; i < index; i++) {
        const struct rung_config *o = &config->rungs[i];
        if (r->name[0] && !strcmp(o->name, r->name)) return "two rungs have the same name";
        if (o->kind == RUNG_PASSTHROUGH && r->kind == RUNG_PASSTHROUGH) return "two rungs pass the source through";
    }
    if (r->kind == RUNG_PASSTHROUGH) return NULL;
    if (r->height && r->scale_num) return "a rung has a height or a scale, not both";
    if (r->height && (r->height < SIDE_MIN || r->height > LADDER_SIDE_MAX)) return "a rung's height is from 32 to 8192";
    if (r->scale_num && (!r->scale_den || r->scale_num > r->scale_den)) return "a rung's scale is at most 1";
    if (r->max_rate_bps && r->max_rate_bps < r->bitrate_bps) return "a rung's max_rate is below its bitrate";
    if (r->codec && !can_pass(r->codec)) return "a rung's codec is h264, hevc or av1";
    return NULL;
}

enum weir_err ladder_config_check(const struct ladder_config *config, const char **why)
{
    if (config->is_auto) return WEIR_OK;
    if (!config->rung_count) return fail(WEIR_CONFIG, why, "a ladder needs at least one rung, or the word auto");
    for (size_t i = 0; i < config->rung_count; i++) {
        const char *wrong = what_is_wrong(config, &config->rungs[i], i);
        if (wrong) return fail(WEIR_CONFIG, why, wrong);
    }
    return WEIR_OK;
}

bool rung_plan_equal(const struct rung_plan *a, const struct rung_plan *b)
{
    return a->kind == b->kind && a->codec == b->codec && a->width == b->width && a->height == b->height &&
           a->keep_one_in == b->keep_one_in && (uint64_t)a->fps_num * b->fps_den == (uint64_t)b->fps_num * a->fps_den &&
           a->bitrate_bps == b->bitrate_bps && a->max_rate_bps == b->max_rate_bps && !strcmp(a->name, b->name) &&
           !strcmp(a->profile, b->profile) && !strcmp(a->preset, b->preset);
}

uint64_t rung_pixel_rate(const struct rung_plan *rung)
{
    uint64_t milli = fps_milli(rung->fps_num, rung->fps_den);
    if (!milli) milli = FPS_UNKNOWN_MILLI / rung->keep_one_in;
    return (uint64_t)rung->width * rung->height * milli / 1000;
}

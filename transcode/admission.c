#include <weir/transcode/admission.h>

#include <string.h>

static const char *const preset_names[PRESET_COUNT] = {
    [PRESET_ULTRAFAST] = "ultrafast", [PRESET_SUPERFAST] = "superfast", [PRESET_VERYFAST] = "veryfast",
    [PRESET_FASTER] = "faster",       [PRESET_FAST] = "fast",           [PRESET_MEDIUM] = "medium",
    [PRESET_SLOW] = "slow",
};

/* libx264, zero latency: core nanoseconds per pixel of 1080p to 360p at 30 frames a second, on a 2.x GHz server core. */
static const double x264_cost[PRESET_COUNT] = {
    [PRESET_ULTRAFAST] = 6.2, [PRESET_SUPERFAST] = 9.5, [PRESET_VERYFAST] = 15.5, [PRESET_FASTER] = 25.5,
    [PRESET_FAST] = 33,       [PRESET_MEDIUM] = 40,     [PRESET_SLOW] = 60,
};
#define DECODE_COST 4.0
#define BELIEF 0.1

enum preset_speed preset_speed_from(const char *name)
{
    for (unsigned speed = PRESET_ULTRAFAST; speed < PRESET_COUNT; speed++) {
        if (!strcmp(name, preset_names[speed])) return (enum preset_speed)speed;
    }
    return 0;
}

const char *preset_speed_name(enum preset_speed speed)
{
    return preset_names[speed];
}

void admission_init(struct admission *a, unsigned cores, double share)
{
    *a = (struct admission){ .capacity = cores * share, .decode_cost = DECODE_COST };
    for (unsigned speed = PRESET_ULTRAFAST; speed < PRESET_COUNT; speed++) {
        a->encode_cost[CODEC_H264][speed] = x264_cost[speed];
        a->encode_cost[CODEC_HEVC][speed] = x264_cost[speed] * 4;
        a->encode_cost[CODEC_AV1][speed] = x264_cost[speed] * 3;
    }
}

static void learn(double *cost, uint64_t pixels, uint64_t core_ns)
{
    if (pixels < 1000) return;
    *cost += ((double)core_ns / (double)pixels - *cost) * BELIEF;
}

void admission_learn_encode(struct admission *a, enum media_codec codec, enum preset_speed speed, uint64_t pixels,
                            uint64_t core_ns)
{
    if (codec < CODEC_H264 || codec > CODEC_AV1 || !speed || speed >= PRESET_COUNT) return;
    learn(&a->encode_cost[codec][speed], pixels, core_ns);
}

void admission_learn_decode(struct admission *a, uint64_t pixels, uint64_t core_ns)
{
    learn(&a->decode_cost, pixels, core_ns);
}

static double cores(uint64_t pixels_per_s, double cost)
{
    return (double)pixels_per_s * cost / 1e9;
}

static enum preset_speed speed_of(const struct rung_plan *r, uint32_t presets_faster)
{
    unsigned speed = preset_speed_from(r->preset);
    if (!speed) speed = PRESET_VERYFAST;
    return (enum preset_speed)(speed > presets_faster ? speed - presets_faster : PRESET_ULTRAFAST);
}

static double encode_cores(const struct admission *a, const struct ladder_plan *plan, size_t index, uint32_t level)
{
    const struct rung_plan *r = &plan->rungs[index];
    const struct shed_rung shed = shed_rung_at(plan, index, level);
    if (r->kind != RUNG_ENCODED || shed.is_left_out) return 0;
    const enum preset_speed speed = speed_of(r, shed.presets_faster);
    const double all = cores(rung_pixel_rate(r), a->encode_cost[r->codec][speed]);
    return shed.is_half_rate ? all / 2 : all;
}

double admission_cost(const struct admission *a, const struct ladder_plan *plan, const struct ladder_source *source,
                      struct admission_card card, uint32_t shed_level)
{
    double sum = 0;
    for (size_t i = 0; i < plan->rung_count; i++) sum += encode_cores(a, plan, i, shed_level);
    if (sum <= 0) return 0; /* nothing is encoded: nothing is decoded either */
    if (card.encodes) sum = 0;
    if (card.decodes) return sum;
    const struct rung_plan decoded = { .width = source->width,
                                       .height = source->height,
                                       .keep_one_in = 1,
                                       .fps_num = source->fps_num,
                                       .fps_den = source->fps_den };
    return sum + cores(rung_pixel_rate(&decoded), a->decode_cost);
}

uint32_t admission_level(const struct admission *a, const struct ladder_plan *plan, const struct ladder_source *source,
                         struct admission_card card)
{
    const uint32_t last = shed_level_last(plan);
    for (uint32_t level = 0; level <= last; level++) {
        if (a->used + admission_cost(a, plan, source, card, level) <= a->capacity) return level;
    }
    return last + 1;
}

/* -- memory -- */

#define SOURCE_BYTES_PER_PIXEL 20 /* reference pictures, those being reordered, the queue */
#define RUNG_BYTES_PER_PIXEL 45   /* x264 without lookahead 31 to 36, and what waits for it */
#define LOOKAHEAD_BYTES_PER_PIXEL 7
#define LADDER_BYTES (4 * MIB) /* threads and tables */

static uint64_t encoder_memory(const struct rung_plan *r, enum ladder_latency latency, uint32_t presets_faster)
{
    static const uint64_t lookahead[PRESET_COUNT] = {
        [PRESET_VERYFAST] = 10, [PRESET_FASTER] = 20, [PRESET_FAST] = 30, [PRESET_MEDIUM] = 40, [PRESET_SLOW] = 50
    };
    const enum preset_speed speed = speed_of(r, presets_faster);
    const uint64_t factor = r->codec == CODEC_H264 ? 1 : 2;
    uint64_t per_pixel = RUNG_BYTES_PER_PIXEL;
    if (latency == LADDER_LATENCY_NORMAL) per_pixel += LOOKAHEAD_BYTES_PER_PIXEL * lookahead[speed];
    return (uint64_t)r->width * r->height * per_pixel * factor;
}

static uint64_t kept_memory(const struct rung_plan *r, int64_t kept_us)
{
    return r->max_rate_bps / 8 * (uint64_t)(kept_us > 0 ? kept_us / 1000 : 0) / 1000;
}

uint64_t admission_memory(const struct ladder_plan *plan, const struct ladder_source *source,
                          struct admission_card card, uint32_t shed_level, int64_t kept_us)
{
    uint64_t sum = 0;
    bool has_rung = false;
    for (size_t i = 0; i < plan->rung_count; i++) {
        const struct shed_rung shed = shed_rung_at(plan, i, shed_level);
        if (plan->rungs[i].kind != RUNG_ENCODED || shed.is_left_out) continue;
        has_rung = true;
        sum += kept_memory(&plan->rungs[i], kept_us);
        if (!card.encodes) sum += encoder_memory(&plan->rungs[i], plan->latency, shed.presets_faster);
    }
    if (!has_rung) return 0;
    if (!card.decodes) sum += (uint64_t)source->width * source->height * SOURCE_BYTES_PER_PIXEL;
    return sum + LADDER_BYTES;
}

void admission_book(struct admission *a, double booked)
{
    a->used += booked;
}

void admission_return(struct admission *a, double booked)
{
    a->used -= booked;
    if (a->used < 1e-9) a->used = 0;
}

/* admission: what encoding costs on this machine, learnt while doing it, and whether one more ladder fits.
 *
 * Cost is core time per pixel, kept per codec and preset speed; it begins with figures measured on another machine and follows what
 * the encoders here report. A new ladder is admitted as planned, admitted on a lower level of shedding, or passed through alone,
 * before it harms those that run. The same for memory, of which only need is known here: how much is left is the caller's to find out.
 * Pure: no lock of its own. */
#ifndef WEIR_TRANSCODE_ADMISSION_H
#define WEIR_TRANSCODE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/transcode/ladder_plan.h>
#include <weir/transcode/shed.h>

/* x264's names from fast to slow; other backends translate. */
enum preset_speed {
    PRESET_ULTRAFAST = 1,
    PRESET_SUPERFAST,
    PRESET_VERYFAST,
    PRESET_FASTER,
    PRESET_FAST,
    PRESET_MEDIUM,
    PRESET_SLOW,
    PRESET_COUNT
};
/* 0: not one of them. */
enum preset_speed preset_speed_from(const char *name);
const char *preset_speed_name(enum preset_speed speed);

struct admission {
    /* core nanoseconds per pixel; [codec][speed] */
    double encode_cost[CODEC_AV1 + 1][PRESET_COUNT];
    double decode_cost; /* per pixel of the source, scaling included */
    double capacity;    /* cores that ladders may use */
    double used;        /* cores promised to those that run */
};

/* What a card takes off the CPU. */
struct admission_card {
    bool decodes; /* and scales */
    bool encodes;
};

void admission_init(struct admission *a, unsigned cores, double share);
/* An encoder used core_ns for frames of so many pixels in all. Slow to believe: one in ten. */
void admission_learn_encode(struct admission *a, enum media_codec codec, enum preset_speed speed, uint64_t pixels,
                            uint64_t core_ns);
void admission_learn_decode(struct admission *a, uint64_t pixels, uint64_t core_ns);
/* Cores that a plan needs on a level of shedding. */
double admission_cost(const struct admission *a, const struct ladder_plan *plan, const struct ladder_source *source,
                      struct admission_card card, uint32_t shed_level);
/* The lowest level of shedding on which the plan fits; shed_level_last() + 1: not even that. Nothing is booked by it. */
uint32_t admission_level(const struct admission *a, const struct ladder_plan *plan, const struct ladder_source *source,
                         struct admission_card card);
/* Main memory that a plan needs on a level of shedding; kept_us: how long what comes out is kept for players. On the safe side of what
 * was measured (docs/transcoding.md). */
uint64_t admission_memory(const struct ladder_plan *plan, const struct ladder_source *source,
                          struct admission_card card, uint32_t shed_level, int64_t kept_us);
void admission_book(struct admission *a, double cores);
void admission_return(struct admission *a, double cores);

#endif

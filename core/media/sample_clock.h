/* sample_clock: counts one audio track in samples, so that frames join exactly, and follows the wire clock where that drifts.
 * Pure. */
#ifndef WEIR_MEDIA_SAMPLE_CLOCK_H
#define WEIR_MEDIA_SAMPLE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum sample_repair { SAMPLE_NONE = 0, SAMPLE_DRIFT, SAMPLE_GAP, SAMPLE_OVERLAP /* drop the frame */ };

struct sample_clock {
    uint32_t sample_rate;
    int64_t next; /* where the next frame belongs */
    bool has_next;
    int64_t mean_error; /* samples << 8 */
};

/* Another rate than before begins anew. */
void sample_clock_set_rate(struct sample_clock *c, uint32_t sample_rate);
/* The next frame stands where the wire says. */
void sample_clock_restart(struct sample_clock *c);
/* A frame of so many samples that the wire puts at wanted_90k. may_overlap: what is behind it does not count (a new era).
 * SAMPLE_OVERLAP: nothing changed; otherwise *pts_samples is where it goes. */
enum sample_repair sample_clock_place(struct sample_clock *c, int64_t wanted_90k, uint32_t samples, bool may_overlap,
                                      int64_t *pts_samples);
int64_t sample_clock_to_90k(const struct sample_clock *c, int64_t samples);

#endif

/* Measures what goes through a stream, for the figures that people read. Pure; owner and thread: the stream's. */
#ifndef WEIR_STREAM_STREAM_METER_H
#define WEIR_STREAM_STREAM_METER_H

#include <weir/media/packet.h>
#include <weir/stream/live_edge.h>

#include "input_age.h"

struct stream_meter {
    int64_t window_start_us, last_frame_us;
    uint64_t bytes[MEDIA_AUDIO + 1];
    uint32_t frames;
    int64_t last_key_90k;
    uint32_t last_key_era;
    struct input_age age;
};

void stream_meter_note(struct stream_meter *m, struct edge_figures *figures, const struct media_packet *packet);
void stream_meter_tick(struct stream_meter *m, struct edge_figures *figures, int64_t now_us);

#endif

#include "stream_meter.h"

#define WINDOW_US (2 * 1000000LL)
#define STALE_US (5 * 1000000LL)

static void close_window(struct stream_meter *m, struct edge_figures *figures, int64_t now_us)
{
    const uint64_t span_us = (uint64_t)(now_us - m->window_start_us);
    const uint64_t video_bps = m->bytes[MEDIA_VIDEO] * 8000000 / span_us,
                   audio_bps = m->bytes[MEDIA_AUDIO] * 8000000 / span_us;
    figure_set(&figures->video_bitrate_bps, video_bps);
    figure_set(&figures->audio_bitrate_bps, audio_bps);
    figure_set(&figures->bitrate_bps, video_bps + audio_bps);
    figure_set(&figures->fps_milli, m->frames * 1000000000ull / span_us);
    m->window_start_us = now_us;
    m->bytes[MEDIA_VIDEO] = m->bytes[MEDIA_AUDIO] = 0;
    m->frames = 0;
}

void stream_meter_note(struct stream_meter *m, struct edge_figures *figures, const struct media_packet *packet)
{
    const int64_t now_us = packet->arrival_us;
    if (!m->window_start_us) m->window_start_us = now_us;
    if (now_us - m->window_start_us >= WINDOW_US) close_window(m, figures, now_us);
    m->bytes[packet->kind] += packet->payload.bytes;
    m->last_frame_us = now_us;
    figure_add(&figures->bytes_in, packet->payload.bytes);
    figure_set(&figures->last_frame_us, (uint64_t)now_us);
    figure_set(&figures->input_age_ms, (uint64_t)input_age_note(&m->age, packet->era, packet->dts_90k, now_us) / 1000);
    figure_set(&figures->input_age_peak_ms, (uint64_t)input_age_peak_us(&m->age) / 1000);
    if (packet->kind == MEDIA_AUDIO) {
        figure_add(&figures->audio_frames, 1);
        return;
    }
    m->frames++;
    figure_add(&figures->video_frames, 1);
    if (packet->access != FRAME_IDR) return;
    figure_add(&figures->keyframes, 1);
    figure_set(&figures->last_keyframe_us, (uint64_t)now_us);
    if (m->last_key_era == packet->era)
        figure_set(&figures->keyframe_interval_ms, (uint64_t)(packet->pts_90k - m->last_key_90k) / 90);
    m->last_key_era = packet->era;
    m->last_key_90k = packet->pts_90k;
}

void stream_meter_tick(struct stream_meter *m, struct edge_figures *figures, int64_t now_us)
{
    /* a stream that fell silent does not keep showing its last bitrate */
    if (m->last_frame_us && now_us - m->last_frame_us > STALE_US && now_us - m->window_start_us >= WINDOW_US)
        close_window(m, figures, now_us);
}

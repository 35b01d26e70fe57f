#include "stream_thumbnails.h"

#include <stdlib.h>
#include <weir/base/clock.h>

#define LOOKED_AT_US 10000000 /* a page asks every few seconds while it is open */

struct stream_thumbnails {
    struct packet_sink sink; /* first */
    struct live_edge *edge;
    struct thumbnailer *thumbnailer; /* NULL: over */
    int64_t interval_us, made_us;
};

static void on_tracks(struct packet_sink *sink, const struct track_set *tracks)
{
    struct stream_thumbnails *s = (struct stream_thumbnails *)sink;
    if (s->thumbnailer && tracks->video) thumbnailer_set_track(s->thumbnailer, tracks->video);
}

static void on_era(struct packet_sink *sink, uint32_t era, int64_t start_90k, int64_t wall_us) {}

static void on_push(struct packet_sink *sink, const struct media_packet *packet)
{
    struct stream_thumbnails *s = (struct stream_thumbnails *)sink;
    if (packet->kind != MEDIA_VIDEO || packet->access != FRAME_IDR || packet->is_damaged || !s->thumbnailer) return;
    const int64_t now_us = clock_now_us();
    if (s->made_us && now_us - s->made_us < s->interval_us) return;
    if (!live_edge_wants_thumbnail(s->edge, now_us, LOOKED_AT_US)) return;
    if (thumbnailer_push(s->thumbnailer, packet)) s->made_us = now_us;
}

static void on_tick(struct packet_sink *sink, int64_t now_us) {}

static void on_lost(struct packet_sink *sink) {}

static void on_end(struct packet_sink *sink)
{
    struct stream_thumbnails *s = (struct stream_thumbnails *)sink;
    thumbnailer_destroy(s->thumbnailer);
    s->thumbnailer = NULL;
}

static void on_destroy(struct packet_sink *sink)
{
    struct stream_thumbnails *s = (struct stream_thumbnails *)sink;
    thumbnailer_destroy(s->thumbnailer);
    live_edge_unref(s->edge);
    free(s);
}

struct packet_sink *stream_thumbnails_create(struct live_edge *edge, int64_t interval_us, struct transcoder *transcoder)
{
    struct stream_thumbnails *s = calloc(1, sizeof *s);
    if (!s || thumbnailer_create(&s->thumbnailer, transcoder, edge)) {
        free(s);
        return NULL;
    }
    s->sink = (struct packet_sink){ .tracks = on_tracks,
                                    .era = on_era,
                                    .push = on_push,
                                    .tick = on_tick,
                                    .lost = on_lost,
                                    .end = on_end,
                                    .destroy = on_destroy };
    s->edge = live_edge_ref(edge);
    s->interval_us = interval_us;
    return &s->sink;
}

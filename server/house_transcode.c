#include "house_transcode.h"

#include <stdlib.h>
#include <weir/base/log.h>

#include "stream_ladder.h"
#include "stream_thumbnails.h"

#define LEAVE_US (3 * 1000000LL) /* for threads that are inside a codec when the house goes down */

struct house_transcode {
    const struct config *config;
    struct transcoder *transcoder;
    struct ladder_board *board;
};

enum weir_err house_transcode_create(struct house_transcode **out, const struct config *config)
{
    *out = NULL;
    if (!config_transcodes(config)) return WEIR_OK;
    struct house_transcode *t = calloc(1, sizeof *t);
    if (!t) return WEIR_NOMEM;
    const struct transcoder_config options = { .share_percent = config->transcode_share, .devices = config->gpus };
    t->config = config;
    t->board = ladder_board_create();
    const enum weir_err err = t->board ? transcoder_create(&t->transcoder, &options) : WEIR_NOMEM;
    if (err) {
        house_transcode_destroy(t);
        return err;
    }
    transcoder_warm_up(t->transcoder);
    *out = t;
    return WEIR_OK;
}

void house_transcode_destroy(struct house_transcode *t)
{
    if (!t) return;
    transcoder_destroy(t->transcoder, LEAVE_US); /* says itself what hangs, and leaves it alone */
    ladder_board_destroy(t->board);
    free(t);
}

bool house_transcode_wants(const struct house_transcode *t, const char *stream_name)
{
    return t && config_path_transcodes(config_path_for(t->config, stream_name));
}

/* A stream goes on without pictures of it. */
static void add_thumbnails(struct house_transcode *t, struct stream *stream, int64_t interval_us)
{
    struct packet_sink *thumbnails = stream_thumbnails_create(stream_edge(stream), interval_us, t->transcoder);
    if (!thumbnails || stream_add_sink(stream, thumbnails))
        log_event(LOG_SERVER, LOG_ERROR, stream_name(stream), "thumbnails_failed",
                  "reason=\"no memory, or no thread\"");
}

enum weir_err house_transcode_furnish(struct house_transcode *t, struct stream *stream, struct packet_sink *packager)
{
    const char *name = stream_name(stream);
    const struct config_path *path = t ? config_path_for(t->config, name) : NULL;
    if (path && config_path_transcodes(path))
        packager = stream_ladder_create(name, packager, path, t->transcoder, t->board);
    const enum weir_err err = packager ? stream_add_sink(stream, packager) : WEIR_NOMEM;
    if (!err && path && path->thumbnail_us) add_thumbnails(t, stream, path->thumbnail_us);
    return err;
}

struct ladder_board *house_transcode_board(struct house_transcode *t)
{
    return t ? t->board : NULL;
}

struct transcoder *house_transcode_transcoder(struct house_transcode *t)
{
    return t ? t->transcoder : NULL;
}

/* The steps of making a source, all of them in a child process of its own (media_make.c), where FFmpeg may start threads, leak and be as large
 * as it likes. Each fills in or completes a draft; on failure its `why` says what was wrong. */
#ifndef WEIR_LOADGEN_MEDIA_WORK_H
#define WEIR_LOADGEN_MEDIA_WORK_H

#include "media_map.h"

/* Built in: draws and encodes. libavcodec. */
WEIR_MUST_CHECK enum weir_err media_encode(const struct media_source_config *config, struct media_draft *d);
/* Reads a file whole. libavformat. */
WEIR_MUST_CHECK enum weir_err media_read_file(const char *path, struct media_draft *d);
/* Adds a transport stream of the finished loop. libavformat. */
WEIR_MUST_CHECK enum weir_err media_mux_ts(struct media_draft *d);

#endif

/* What JSON says of ladders and of what can encode them. */
#ifndef WEIR_SERVER_API_LADDER_H
#define WEIR_SERVER_API_LADDER_H

#include <jansson.h>
#include <weir/transcode/transcoder.h>

#include "ladder_board.h"

/* The stream's ladder; NULL: it has none. Any thread. */
json_t *ladder_json(struct ladder_board *board, const char *stream_name);
json_t *backends_json(const struct backend_report *reports, size_t count);

#endif

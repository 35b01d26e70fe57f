/* What a rendition answers at one moment: its playlist, an object of it, or "wait". On a loop, without sockets. */
#ifndef WEIR_DELIVERY_EDGE_ANSWER_H
#define WEIR_DELIVERY_EDGE_ANSWER_H

#include <weir/delivery/hls_directives.h>
#include <weir/stream/live_edge.h>

#include "gzip_cache.h"
#include "http_answer.h"

/* A question about one rendition. Texts are lent. */
struct edge_question {
    const char *rendition, *file; /* file NULL: the playlist */
    size_t rendition_bytes, file_bytes;
    struct hls_directives directives; /* of a playlist */
    bool accepts_gzip;
};

/* A playlist that does not depend on a moment: the multivariant one, or a media playlist as it is. `text` is given. */
void edge_answer_playlist(struct gzip_cache *gzip, struct frozen *text, uint64_t version, enum edge_playlist_form form,
                          bool accepts_gzip, struct http_answer *out);
/* false: the answer is not born yet; ask again when the edge has changed. has_waited: it was not before. is_over: the stream ended,
 * so what is not there will not come. */
bool edge_answer(struct gzip_cache *gzip, const struct edge_question *q, const struct edge_snapshot *s, bool has_waited,
                 bool is_over, struct http_answer *out);
/* It did not come in time. */
void edge_answer_timeout(struct http_answer *out);

#endif

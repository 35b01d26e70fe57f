/* What a rendition answers at one moment: its playlist, an object of it, or "wait". On a loop, without sockets. */
#ifndef WEIR_DELIVERY_EDGE_ANSWER_H
#define WEIR_DELIVERY_EDGE_ANSWER_H

#include <weir/delivery/hls_directives.h>
#include <weir/delivery/hls_start.h>
#include <weir/stream/live_edge.h>

#include "gzip_cache.h"
#include "http_answer.h"

/* A question about one rendition. Texts are lent. */
struct edge_question {
    const char *rendition, *file; /* file NULL: the playlist */
    size_t rendition_bytes, file_bytes;
    struct hls_directives directives; /* of a playlist */
    struct hls_start start;           /* of a playlist; whoever waits for one has begun already */
    bool accepts_gzip;
};

/* A playlist that does not depend on a moment: the multivariant one, or a media playlist as it is. `text` is given. */
void edge_answer_playlist(struct gzip_cache *gzip, struct frozen *text, uint64_t version, enum edge_playlist_form form,
                          bool accepts_gzip, struct http_answer *out);
/* A number for a text that has no version: the same for the same text, apart from all versions. */
uint64_t edge_answer_state(const struct frozen *text);
/* An init or a segment; the body is given. NULL: there was no memory for it. */
void edge_answer_body(struct frozen *body, enum edge_media media, const char *name, size_t name_bytes,
                      struct http_answer *out);
/* false: the answer is not born yet; ask again when the edge has changed. has_waited: it was not before. is_over: the stream ended,
 * so what is not there will not come. */
bool edge_answer(struct gzip_cache *gzip, const struct edge_question *q, const struct edge_snapshot *s, bool has_waited,
                 bool is_over, struct http_answer *out);
/* Whether the file asked for is the one that is announced as the next. */
bool edge_answer_is_hinted(const struct edge_snapshot *s, const struct edge_question *q);
/* It did not come in time. */
void edge_answer_timeout(struct http_answer *out);

#endif

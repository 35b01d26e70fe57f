/* Where to begin: ?start= on a playlist's URL becomes EXT-X-START in it (RFC 8216, 4.3.5.2). Pure. */
#ifndef WEIR_DELIVERY_HLS_START_H
#define WEIR_DELIVERY_HLS_START_H

#include <weir/base/blob.h>
#include <weir/delivery/http_request.h>

enum hls_start_kind {
    HLS_START_NONE = 1,
    HLS_START_OFFSET, /* "-90": seconds before the end; "90", "12.5": behind the beginning */
    HLS_START_TIME,   /* "2026-01-02T03:04:05Z", also with a fraction; "1767323045": seconds since 1970 */
};

struct hls_start {
    enum hls_start_kind kind;
    int64_t us;
    struct http_text value; /* as it was given; lent from the query */
};

/* The value alone. NULL: *out is set. Otherwise what is wrong, for a 400. */
const char *hls_start_parse_value(struct http_text value, struct hls_start *out);
/* query: behind the question mark; {NULL, 0}: none. As above. */
const char *hls_start_parse(struct http_text query, struct hls_start *out);
static inline bool hls_start_is_given(const struct hls_start *start)
{
    return start->kind == HLS_START_OFFSET || start->kind == HLS_START_TIME;
}
/* The media playlist with the tag in it; `text` is given. A time is looked up in the list's PROGRAM-DATE-TIMEs. NULL: no memory. */
struct frozen *hls_start_mark_media(struct frozen *text, const struct hls_start *start);
/* The multivariant playlist whose media playlists are asked for with the same ?start=; `text` is given. NULL: no memory. */
struct frozen *hls_start_mark_multivariant(struct frozen *text, const struct hls_start *start);

#endif

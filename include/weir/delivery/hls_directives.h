/* What a playlist request asks for beside the playlist (RFC 8216bis, 6.2.5), and whether it can have it. Pure. */
#ifndef WEIR_DELIVERY_HLS_DIRECTIVES_H
#define WEIR_DELIVERY_HLS_DIRECTIVES_H

#include <weir/delivery/http_request.h>

enum hls_wish {
    HLS_WISH_NOTHING = 1, /* the playlist as it is */
    HLS_WISH_SEGMENT,     /* once segment msn is complete */
    HLS_WISH_PART,        /* once part `part` of segment msn is listed */
};

struct hls_directives {
    enum hls_wish wish;
    uint64_t msn;
    uint32_t part;
    bool wants_delta; /* _HLS_skip=YES or v2: there are no date ranges to tell apart */
};

/* query: behind the question mark; {NULL, 0}: none. Names that are not known, and other values of _HLS_skip, mean nothing.
 * NULL: *out is set. Otherwise what is wrong, for a 400; *out is as it was. */
const char *hls_directives_parse(struct http_text query, struct hls_directives *out);

/* A media playlist, as far as a request for it depends on it. */
struct hls_edge {
    uint64_t last_msn;           /* of the last complete segment */
    uint32_t part_count;         /* of the open one, last_msn + 1 */
    uint32_t last_segment_parts; /* of last_msn; 0: not known any more */
    uint32_t part_target_us;     /* 0: no low latency, and directives mean nothing */
    bool is_ended;
};

enum hls_verdict { HLS_NOW = 1, HLS_WAIT, HLS_TOO_FAR };

/* HLS_WAIT: ask again when the playlist has changed; a verdict of HLS_NOW stays. HLS_TOO_FAR: a 400. */
enum hls_verdict hls_directives_judge(const struct hls_directives *d, const struct hls_edge *edge);

#endif

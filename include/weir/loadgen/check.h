/* The checker without its sockets: it says what it wants to ask of a server, is given the answers, and holds them against the rules of
 * check_report.h. It follows every media playlist of a stream as a player would, reads what they list, and asks what a server should
 * refuse. No I/O and no clock: time comes with each call, monotonic, in microseconds. Owner and thread: the caller's.
 *
 * Memory is bounded by base/limits.h; what was forgotten or left out is in the report's notes. */
#ifndef WEIR_LOADGEN_CHECK_H
#define WEIR_LOADGEN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/loadgen/check_report.h>

struct check_config {
    const char *url;             /* of the multivariant playlist, or of a media playlist; copied */
    bool is_low_latency;         /* LL-HLS is a must: what is missing of it is a violation */
    int64_t seconds_us;          /* how long to look */
    int64_t tolerance_us;        /* added to every limit that is about time */
    int64_t wait_us;             /* how long the stream may take to appear */
    bool is_allowed[RULE_COUNT]; /* violations that do not count */
};

struct check_request {
    uint32_t id;
    const char *url; /* lent until the next call on the check */
    bool is_head, accepts_gzip, has_range;
    uint64_t range_first, range_last;
    int64_t timeout_us;
    size_t bytes_max; /* of the answer's body: give up beyond */
};

/* Texts are never NULL; "": the field is not there. Lent for the call. */
struct check_answer {
    uint32_t id;
    int status;                              /* 0: none came; error says why */
    int64_t sent_us, first_byte_us, done_us; /* first_byte: of the head */
    bool is_tls, is_http2;
    int64_t content_length; /* -1: not there */
    const char *error, *content_type, *cache_control, *content_encoding, *vary, *allow_origin, *etag;
    const uint8_t *body; /* decoded */
    size_t bytes;
    uint64_t digest; /* of the decoded body (digest.h); the checker does without */
};

struct check;

/* NULL: no memory. */
struct check *check_create(const struct check_config *config, int64_t now_us);
void check_destroy(struct check *c); /* NULL is fine */
/* The next request that should be on its way now; false: none. Each one is answered exactly once. */
bool check_next_request(struct check *c, int64_t now_us, struct check_request *out);
void check_answer(struct check *c, const struct check_answer *a);
/* When check_next_request may have something new, if no answer comes before. */
int64_t check_wake_us(const struct check *c, int64_t now_us);
/* The time is over, or everything has been looked at, or the stream never came. */
bool check_is_done(const struct check *c, int64_t now_us);
/* The stream was found. */
bool check_has_stream(const struct check *c);
/* Judges what only a whole run shows. No call but check_report and check_destroy behind it. */
void check_finish(struct check *c, int64_t now_us);
/* Lent. */
const struct check_report *check_report(const struct check *c);
void check_summary(const struct check *c, int64_t now_us, struct check_summary *out);

#endif

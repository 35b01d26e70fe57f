/* hls_reader: reads every version of a media playlist as a player would, remembers what it was told, and fails the test when a
 * later version says otherwise (RFC 8216, 6.2.1 and 6.2.2). Shares nothing with the packager. */
#ifndef WEIR_TESTS_HLS_READER_H
#define WEIR_TESTS_HLS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HLS_SEEN_MAX 8192

struct hls_seen {
    uint64_t msn, discontinuity; /* discontinuity: absolute, from the playlist's sequence and its tags */
    char uri[64], init[64];
    int64_t duration_us, wall_us;
    bool is_gap;
};

struct hls_reader {
    char label[64]; /* for messages */
    unsigned target_duration_s;
    uint64_t first_msn;
    size_t count; /* seen, oldest first, numbers without a hole */
    struct hls_seen seen[HLS_SEEN_MAX];
    size_t fresh; /* how many of them the last version told for the first time */
    bool has_ended;
    bool
        may_lose; /* a segment may become a gap, whose name and times are a guess, and be found again; behind a hole in the numbers a new list may begin */
    size_t lost, renamed, restarts;
};

void hls_reader_init(struct hls_reader *r, const char *label);
void hls_reader_read(struct hls_reader *r, const char *text);
/* NULL: never listed. */
const struct hls_seen *hls_reader_find(const struct hls_reader *r, uint64_t msn);
/* Same numbers, same eras: fails when the two tell different stories about any number that both listed. */
void hls_reader_compare(const struct hls_reader *a, const struct hls_reader *b);

#endif

/* Directives of a playlist request: any query, and any edge behind its first bytes. What is released stays released while the edge
 * moves on, and who is let wait gets his turn. */
#include <stdlib.h>
#include <string.h>
#include <weir/delivery/hls_directives.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct hls_edge edge = { .part_target_us = 250000 };
    struct hls_directives d = { .wish = HLS_WISH_NOTHING };
    if (bytes < 4) return 0;
    edge.last_msn = data[0];
    edge.part_count = data[1] % 9;
    edge.last_segment_parts = data[2] % 10;
    edge.is_ended = data[3] & 1;
    if (data[3] & 2) edge.part_target_us = 1500000;
    const char *why = hls_directives_parse((struct http_text){ (const char *)data + 4, bytes - 4 }, &d);
    if (why) {
        if (!*why || d.wish != HLS_WISH_NOTHING) abort();
        return 0;
    }
    if (d.wish < HLS_WISH_NOTHING || d.wish > HLS_WISH_PART) abort();
    enum hls_verdict verdict = hls_directives_judge(&d, &edge);
    if (verdict == HLS_TOO_FAR) return 0;
    for (int step = 0; step < 200; step++) {
        if (++edge.part_count == 9) {
            edge.last_msn++;
            edge.last_segment_parts = 9;
            edge.part_count = 0;
        }
        const enum hls_verdict next = hls_directives_judge(&d, &edge);
        if (next == HLS_TOO_FAR || (verdict == HLS_NOW && next != HLS_NOW && edge.last_msn > d.msn)) abort();
        verdict = next;
    }
    if (verdict != HLS_NOW) abort();
    return 0;
}

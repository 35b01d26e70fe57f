/* What the two playlist parsers share. */
#ifndef WEIR_LOADGEN_HLS_INTERNAL_H
#define WEIR_LOADGEN_HLS_INTERNAL_H

#include <weir/loadgen/hls_playlist.h>

/* Keeps it, or forgets it when there is no room: the first faults say enough. */
void hls_fault_add(struct hls_faults *f, enum hls_fault_kind kind, unsigned line, const char *tag, const char *text);
/* A copy with a zero behind it, so that lines can be cut in place. Counts the lines. NULL: no memory. */
char *hls_text_copy(const char *text, size_t bytes, size_t *lines);
/* BOM, UTF-8, control characters, #EXTM3U in the first line. */
void hls_check_text(struct hls_faults *f, const char *text, size_t bytes);
/* Behind a byte order mark: it is a fault, and the text is read all the same. */
char *hls_text_start(char *text);
/* "#EXT-X-NAME:value" or "#EXT-X-NAME": the value, "" without one; NULL: another tag. */
char *hls_tag_value(char *line, const char *tag);
/* "YES" or "NO"; another word is a fault. */
bool hls_read_yes(struct hls_faults *f, const char *value, unsigned line, const char *tag);

#endif

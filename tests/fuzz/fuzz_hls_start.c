/* ?start= and a playlist: any query is taken or refused with words, and what is put into a list leaves all of its lines in it. */
#include <stdlib.h>
#include <string.h>
#include <weir/delivery/hls_start.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    /* the first line is the query, the rest the list */
    const uint8_t *end = memchr(data, '\n', bytes);
    const size_t query_bytes = end ? (size_t)(end - data) : bytes;
    struct hls_start start;
    const char *why = hls_start_parse((struct http_text){ (const char *)data, query_bytes }, &start);
    if (why && !*why) abort();
    if (why || !hls_start_is_given(&start)) return 0;
    const size_t list_bytes = bytes - query_bytes;
    struct blob *list = blob_create(8 + list_bytes);
    if (!list) return 0;
    memcpy(blob_data(list), "#EXTM3U\n", 8);
    memcpy(blob_data(list) + 8, data + query_bytes, list_bytes);
    struct frozen *text = frozen_give(list), *media = hls_start_mark_media(frozen_ref(text), &start);
    if (!media || frozen_bytes(media) <= frozen_bytes(text)) abort();
    struct frozen *multivariant = hls_start_mark_multivariant(frozen_ref(text), &start);
    if (multivariant && frozen_bytes(multivariant) < frozen_bytes(text)) abort();
    frozen_unref(media);
    frozen_unref(multivariant);
    frozen_unref(text);
    return 0;
}

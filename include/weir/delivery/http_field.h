/* Header fields that ask for something: ranges, conditions, encodings (RFC 9110, 13, 14, 12.5.3). Pure. */
#ifndef WEIR_DELIVERY_HTTP_FIELD_H
#define WEIR_DELIVERY_HTTP_FIELD_H

#include <weir/delivery/http_request.h>

enum http_range { RANGE_WHOLE = 1, RANGE_PART, RANGE_UNSATISFIABLE };

/* One range of a body of `size` bytes; several, or nonsense, mean the whole. *first and *last are inclusive. */
enum http_range http_range_parse(struct http_text field, size_t size, size_t *first, size_t *last);
/* Whether If-None-Match names this tag (with its quotes); weak comparison, lists and "*". */
bool http_etag_matches(struct http_text field, const char *etag);
/* Whether If-Range names exactly this tag: strong comparison, one tag (13.1.5). A date never matches: nothing here has one. */
bool http_if_range_matches(struct http_text field, const char *etag);
/* Whether gzip is wanted: named, or "*", and not with q=0. */
bool http_accepts_gzip(struct http_text field);

#endif

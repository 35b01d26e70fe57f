/* Resolving a reference against the address of the playlist it stands in (RFC 3986, 5.2). Pure; thread: the caller's. */
#ifndef WEIR_LOADGEN_URL_H
#define WEIR_LOADGEN_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/err.h>

/* base: absolute ("http://host/path?query"). out gets the absolute address without a fragment, zero-terminated.
 * WEIR_MALFORMED: base is not absolute http or https. WEIR_LIMIT: longer than out. */
WEIR_MUST_CHECK enum weir_err url_resolve(const char *base, const char *reference, char *out, size_t out_bytes);
/* "http:" or another scheme stands in front. */
bool url_is_absolute(const char *reference);
/* Appends name=value to the query. WEIR_LIMIT: longer than the buffer. */
WEIR_MUST_CHECK enum weir_err url_add_query(char *url, size_t url_bytes, const char *name, const char *value);

#endif

/* UTF-8, as it may stand in names. Pure. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>

/* How many bytes from the start are whole, legal characters (RFC 3629: no overlong forms, no surrogates). */
size_t utf8_prefix_bytes(const char *text, size_t bytes);

#endif

/* A response's head as bytes. Hand-written appending: this is done for every response. */
#ifndef WEIR_DELIVERY_HTTP_HEAD_H
#define WEIR_DELIVERY_HTTP_HEAD_H

#include "http_answer.h"

#define HTTP_HEAD_BYTES_MAX (1024 + LOCATION_BYTES)
#define HTTP_DATE_BYTES 32

/* date: as in Date, without line end. Returns the bytes written to out. */
size_t http_head_write(char out[HTTP_HEAD_BYTES_MAX], const struct http_answer *answer, const char *date,
                       bool keeps_alive);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) */
void http_date_format(int64_t wall_us, char out[HTTP_DATE_BYTES]);

#endif

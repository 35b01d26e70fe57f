/* An answer's fields, and its head as HTTP/1.1 writes it. Pure; done for every answer, so appending is by hand. */
#ifndef WEIR_DELIVERY_HTTP_HEAD_H
#define WEIR_DELIVERY_HTTP_HEAD_H

#include "http_answer.h"

#define HTTP_HEAD_BYTES_MAX (1536 + LOCATION_BYTES)
#define HTTP_FIELDS_MAX 20
#define HTTP_DATE_BYTES 32

/* All fields but Connection. The texts are the answer's, the caller's (date), static, or in `numbers`. */
struct http_fields {
    struct http_field items[HTTP_FIELDS_MAX];
    size_t count;
    char length[24], range[80];
};

/* date: as in Date, lent. */
void http_fields_collect(struct http_fields *out, const struct http_answer *answer, const char *date);
/* Returns the bytes written to out. */
size_t http_head_write(char out[HTTP_HEAD_BYTES_MAX], const struct http_answer *answer, const char *date,
                       bool keeps_alive);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) */
void http_date_format(int64_t wall_us, char out[HTTP_DATE_BYTES]);

#endif

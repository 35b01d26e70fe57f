#include "http_answer.h"

#include <stdio.h>
#include <weir/delivery/http_field.h>

#define TEXT_TYPE "text/plain; charset=utf-8"

void http_answer_error(struct http_answer *out, int status, const char *text)
{
    char body[256];
    frozen_unref(out->body);
    *out = (struct http_answer){ .status = status,
                                 .content_type = TEXT_TYPE,
                                 .cache_control = "max-age=1",
                                 .allow_origin = out->allow_origin,
                                 .varies_by_origin = out->varies_by_origin };
    const int bytes = snprintf(body, sizeof body, "%d %s\n", status, text);
    out->body = frozen_copy(body, bytes < (int)sizeof body ? (size_t)bytes : sizeof body - 1);
    if (out->body) out->bytes = frozen_bytes(out->body);
}

void http_answer_set_body(struct http_answer *out, struct frozen *body, const char *content_type,
                          const char *cache_control)
{
    out->status = 200;
    out->content_type = content_type;
    out->cache_control = cache_control;
    out->body = body;
    out->bytes = out->whole_bytes = frozen_bytes(body);
}

void http_answer_apply_conditions(struct http_answer *out, const struct http_request *request)
{
    if (out->status != 200 || !out->etag[0]) return;
    if (http_etag_matches(request->if_none_match, out->etag)) {
        out->status = 304;
        frozen_unref(out->body);
        out->body = NULL;
        out->bytes = 0;
        return;
    }
    /* a range is taken by GET alone (14.2), from the plain bytes, and only while the tag it hangs on still holds */
    if (!request->range.data || out->is_gzip || request->verb != HTTP_VERB_GET) return;
    if (request->if_range.data && !http_if_range_matches(request->if_range, out->etag)) return;
    size_t first, last;
    switch (http_range_parse(request->range, out->whole_bytes, &first, &last)) {
    case RANGE_WHOLE: break;
    case RANGE_PART:
        out->status = 206;
        out->first = first;
        out->bytes = last - first + 1;
        break;
    case RANGE_UNSATISFIABLE: {
        const size_t whole = out->whole_bytes;
        http_answer_error(out, 416, "The range lies behind the end.");
        out->is_range_unsatisfiable = true;
        out->whole_bytes = whole;
        break;
    }
    }
}

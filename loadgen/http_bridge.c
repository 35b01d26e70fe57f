#include "http_bridge.h"

#include <stdio.h>
#include <weir/base/clock.h>

bool bridge_ask(struct http_client *h, const struct check_request *q, struct http_result *unsent)
{
    const struct http_ask ask = { .url = q->url,
                                  .is_head = q->is_head,
                                  .accepts_gzip = q->accepts_gzip,
                                  .has_range = q->has_range,
                                  .range_first = q->range_first,
                                  .range_last = q->range_last,
                                  .timeout_us = q->timeout_us,
                                  .bytes_max = q->bytes_max,
                                  .context = (void *)(uintptr_t)q->id };
    const enum weir_err err = http_client_ask(h, &ask);
    if (!err) return true;
    const int64_t now_us = clock_now_us();
    *unsent =
        (struct http_result){ .context = ask.context, .sent_us = now_us, .done_us = now_us, .content_length = -1 };
    snprintf(unsent->error, sizeof unsent->error, "not sent: %s", err_name(err));
    return false;
}

uint32_t bridge_id(const struct http_result *r)
{
    return (uint32_t)(uintptr_t)r->context;
}

struct check_answer bridge_answer(const struct http_result *r)
{
    return (struct check_answer){
        .id = bridge_id(r),
        .status = r->status,
        .sent_us = r->sent_us,
        .first_byte_us = r->first_byte_us,
        .done_us = r->done_us,
        .is_tls = r->is_tls,
        .is_http2 = r->is_http2,
        .content_length = r->content_length,
        .error = r->error,
        .content_type = r->content_type,
        .cache_control = r->cache_control,
        .content_encoding = r->content_encoding,
        .vary = r->vary,
        .allow_origin = r->allow_origin,
        .etag = r->etag,
        .body = r->bytes ? r->body : (const uint8_t *)"",
        .bytes = r->status ? r->bytes : 0,
        .digest = r->digest,
    };
}

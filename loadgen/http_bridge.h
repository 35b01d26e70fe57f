/* Between what asks in terms of the checker's requests (checker, viewers) and the HTTP client. Thread: the client's loop. */
#ifndef WEIR_LOADGEN_HTTP_BRIDGE_H
#define WEIR_LOADGEN_HTTP_BRIDGE_H

#include <weir/loadgen/check.h>
#include <weir/loadgen/http_client.h>

/* false: it cannot even be sent, and *unsent is the result to take in its place. */
bool bridge_ask(struct http_client *h, const struct check_request *q, struct http_result *unsent);
/* Of the request that the result is about. Lent from *r. */
uint32_t bridge_id(const struct http_result *r);
struct check_answer bridge_answer(const struct http_result *r);

#endif

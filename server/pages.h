/* What the HTTP room asks the server for: API, metrics, health. Any loop; nothing here blocks. */
#ifndef WEIR_SERVER_PAGES_H
#define WEIR_SERVER_PAGES_H

#include <weir/delivery/http_server.h>
#include <weir/server/house.h>

/* An http_handler_fn; context is the house. */
bool pages_handle(void *context, struct loop *loop, const char *path, struct http_reply *reply);
/* "/metrics": Prometheus text (version 0.0.4). NULL: no memory. */
struct frozen *metrics_render(struct house *h);

#endif

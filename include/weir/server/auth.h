/* Who may publish: the rule (pure) and the publish_gate that applies it. Keys are compared in constant time, as digests. */
#ifndef WEIR_SERVER_AUTH_H
#define WEIR_SERVER_AUTH_H

#include <weir/server/config.h>
#include <weir/stream/publish_gate.h>

/* The rule alone. server_key: the one from the state folder. Pure. */
enum publish_verdict auth_decide(const struct config_path *path, const char *server_key,
                                 const struct publish_request *request);

struct auth;
/* config is lent and outlives it; server_key is copied. */
WEIR_MUST_CHECK enum weir_err auth_create(struct auth **out, const struct config *config, const char *server_key);
void auth_destroy(struct auth *a);
struct publish_gate *auth_gate(struct auth *a); /* lent; any loop may ask */

#endif

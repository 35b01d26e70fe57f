#include <weir/server/auth.h>

#include <stdlib.h>
#include <string.h>
#include <weir/base/loop.h>

struct auth {
    struct publish_gate gate; /* first: the gate is the auth */
    const struct config *config;
    char server_key[RTMP_NAME_BYTES_MAX + 1];
};

struct pending_answer {
    enum publish_verdict verdict;
    struct stream_policy policy;
    void (*answer)(void *context, enum publish_verdict verdict, const struct stream_policy *policy);
    void *context;
};

static void deliver(void *a, void *b)
{
    struct pending_answer *p = a;
    p->answer(p->context, p->verdict, &p->policy);
    free(p);
}

static void ask(struct publish_gate *gate, const struct publish_request *request, struct loop *loop,
                void (*answer)(void *context, enum publish_verdict verdict, const struct stream_policy *policy),
                void *context)
{
    struct auth *a = (struct auth *)gate;
    const struct config_path *path = config_path_for(a->config, request->name);
    struct pending_answer *p = calloc(1, sizeof *p);
    if (p) {
        p->verdict = request->is_configured ? PUBLISH_ALLOWED : auth_decide(path, a->server_key, request);
        p->answer = answer;
        p->context = context;
        config_policy(path, &p->policy);
        if (loop_post(loop, deliver, p, NULL) == WEIR_OK) return;
    }
    /* no memory for a message: the asker's own deadline closes it */
    free(p);
}

enum weir_err auth_create(struct auth **out, const struct config *config, const char *server_key)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a) return WEIR_NOMEM;
    a->gate.ask = ask;
    a->config = config;
    strncpy(a->server_key, server_key, sizeof a->server_key - 1);
    *out = a;
    return WEIR_OK;
}

void auth_destroy(struct auth *a)
{
    if (!a) return;
    explicit_bzero(a->server_key, sizeof a->server_key);
    free(a);
}

struct publish_gate *auth_gate(struct auth *a)
{
    return &a->gate;
}

#include <weir/stream/publication.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/loop.h>

struct publication {
    struct registry *registry;
    struct loop *loop;
    struct publish_request request;
    struct publication_events events;
    struct claim *claim; /* asked for, or held */
    bool is_asking_gate; /* its answer is under way and needs this memory */
    bool is_over;        /* publication_end was called while it was */
};

static void on_answered(void *context, struct claim *claim, enum publish_verdict verdict, struct stream *stream)
{
    struct publication *p = context;
    if (verdict == PUBLISH_ALLOWED) {
        p->events.accepted(p->events.context, stream);
        return;
    }
    p->claim = NULL;
    p->events.refused(p->events.context, verdict);
}

static void on_revoked(void *context, struct claim *claim)
{
    struct publication *p = context;
    p->claim = NULL;
    p->events.revoked(p->events.context);
}

static void on_gate(void *context, enum publish_verdict verdict, const struct stream_policy *policy)
{
    struct publication *p = context;
    loop_assert_current(p->loop);
    p->is_asking_gate = false;
    if (p->is_over) {
        free(p);
        return;
    }
    if (verdict == PUBLISH_ALLOWED) {
        const struct claim_events events = { .context = p, .answered = on_answered, .revoked = on_revoked };
        p->claim = registry_claim(p->registry, p->loop, &p->request, policy, &events);
        explicit_bzero(p->request.key, sizeof p->request.key); /* nobody needs it any more */
        if (p->claim) return;
        verdict = PUBLISH_FAILED;
    }
    p->events.refused(p->events.context, verdict);
}

struct publication *publication_start(struct publish_gate *gate, struct registry *registry, struct loop *loop,
                                      const struct publish_request *request, const struct publication_events *events)
{
    loop_assert_current(loop);
    struct publication *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    *p = (struct publication){
        .registry = registry, .loop = loop, .request = *request, .events = *events, .is_asking_gate = true
    };
    gate->ask(gate, &p->request, loop, on_gate, p);
    return p;
}

void publication_end(struct publication *p, bool is_final)
{
    if (!p) return;
    loop_assert_current(p->loop);
    if (p->is_asking_gate) {
        p->is_over = true;
        return;
    }
    if (p->claim) registry_release(p->registry, p->claim, is_final);
    free(p);
}

#include "refusal.h"

#include <assert.h>

enum counter refusal_counter(enum publish_verdict verdict)
{
    assert(verdict != PUBLISH_ALLOWED);
    switch (verdict) {
    case PUBLISH_BAD_NAME: return COUNTER_PUBLISH_REFUSED_NAME;
    case PUBLISH_BAD_KEY:
    case PUBLISH_NOT_ALLOWED: return COUNTER_PUBLISH_REFUSED_KEY;
    case PUBLISH_BUSY: return COUNTER_PUBLISH_REFUSED_BUSY;
    case PUBLISH_LIMIT:
    case PUBLISH_FAILED:
    case PUBLISH_ALLOWED: break;
    }
    return COUNTER_PUBLISH_REFUSED_LIMIT;
}

/* What a refused publisher is counted as. Pure. */
#ifndef WEIR_INGEST_REFUSAL_H
#define WEIR_INGEST_REFUSAL_H

#include <weir/base/counters.h>
#include <weir/stream/publish_gate.h>

enum counter refusal_counter(enum publish_verdict verdict); /* verdict: not PUBLISH_ALLOWED */

#endif

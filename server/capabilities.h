/* `weir capabilities`: what this build takes in and gives out, and what this machine decodes, scales and encodes, found by doing it. */
#ifndef WEIR_SERVER_CAPABILITIES_H
#define WEIR_SERVER_CAPABILITIES_H

#include <stdbool.h>
#include <weir/base/err.h>

/* To standard output. Takes a second or two. WEIR_NOMEM. */
WEIR_MUST_CHECK enum weir_err capabilities_print(bool as_json);

#endif

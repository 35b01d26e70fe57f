/* Reads back what fmp4.c wrote: the samples of a segment, without copying their payloads. Pure. */
#ifndef WEIR_PACKAGER_FMP4_READ_H
#define WEIR_PACKAGER_FMP4_READ_H

#include <weir/base/err.h>

#include "fmp4.h"

/* body: one or more chunks of one track, as written here. *samples: an array to be freed by the caller; payloads are lent from the
 * body. WEIR_MALFORMED: it is not of that form. */
WEIR_MUST_CHECK enum weir_err fmp4_samples_read(const struct frozen *body, struct fmp4_sample **samples, size_t *count);

#endif

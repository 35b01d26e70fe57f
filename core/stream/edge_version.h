/* Numbers for ETags: every published playlist of the process gets one. Thread: any. */
#ifndef WEIR_STREAM_EDGE_VERSION_H
#define WEIR_STREAM_EDGE_VERSION_H

#include <stdint.h>

uint64_t edge_version_next(void);

#endif

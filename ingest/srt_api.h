/* libsrt's header, without the macros of syslog.h that it brings and that carry the names of our log levels. */
#ifndef WEIR_INGEST_SRT_API_H
#define WEIR_INGEST_SRT_API_H

#include <srt/srt.h>

#undef LOG_INFO
#undef LOG_DEBUG

#endif

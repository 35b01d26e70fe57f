/* probe: what a backend can do, found by doing it: a few small pictures encoded (with IDRs where they were asked for, looked up in the
 * bitstream), decoded again and scaled. Takes what the encoders take to open: milliseconds each. Thread: any. */
#ifndef WEIR_TRANSCODE_PROBE_H
#define WEIR_TRANSCODE_PROBE_H

#include <weir/transcode/transcoder.h>

/* Fills what the report says about one codec. */
void probe_codec(const struct backend *b, struct backend_device *device, enum media_codec codec,
                 struct backend_report *report);

#endif

/* The house's memory on disk: the archive for streams with hls.dvr, and a gate that lets a publisher in when it is known what is there of his
 * stream. Without any such stream, and without anything left of one, there is none: all calls take NULL. Thread: main, unless said otherwise. */
#ifndef WEIR_SERVER_HOUSE_DVR_H
#define WEIR_SERVER_HOUSE_DVR_H

#include <weir/archive/archive.h>
#include <weir/server/config.h>
#include <weir/stream/publish_gate.h>

struct house_dvr;

/* config and gate are lent and outlive it. *out is NULL where none is needed. WEIR_BUSY, WEIR_IO, WEIR_NOMEM: error->text says why. */
WEIR_MUST_CHECK enum weir_err house_dvr_create(struct house_dvr **out, const struct config *config,
                                               const char *state_dir, struct publish_gate *gate,
                                               struct config_error *error);
/* Once the loops have stopped: loads are answered, and streams that end from here on do so because the process does. */
void house_dvr_leave(struct house_dvr *d);
void house_dvr_destroy(struct house_dvr *d); /* after all streams */

/* The gate given, or the one in front of it. Lent; any loop may ask. */
struct publish_gate *house_dvr_gate(struct house_dvr *d, struct publish_gate *gate);
struct segment_loader *house_dvr_loader(struct house_dvr *d); /* lent; NULL: none */
/* The stream's shelf, given; NULL: it has none. Any thread. */
struct segment_shelf *house_dvr_shelf(struct house_dvr *d, const char *stream, const struct stream_policy *policy);
/* NULL: none. Lent. */
struct archive *house_dvr_archive(struct house_dvr *d);

#endif

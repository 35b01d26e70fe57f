/* What segments, parts and inits are called. A name is never used for other bytes: it carries the run of the process and a number. Pure. */
#ifndef WEIR_PACKAGER_OBJECT_NAME_H
#define WEIR_PACKAGER_OBJECT_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/stream/edge_snapshot.h>

void object_name_segment(uint32_t run_id, uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES]);
void object_name_ts_segment(uint32_t run_id, uint64_t msn, char out[EDGE_OBJECT_NAME_BYTES]);
/* start: of the part, in its track's timescale. */
void object_name_part(uint32_t run_id, int64_t start, char out[EDGE_OBJECT_NAME_BYTES]);
void object_name_init(uint32_t run_id, uint32_t number, char out[EDGE_OBJECT_NAME_BYTES]);
/* false: not such a name. */
bool object_name_parse_segment(const char *name, uint32_t *run_id, uint64_t *msn);
bool object_name_parse_init(const char *name, uint32_t *run_id, uint32_t *number);

#endif

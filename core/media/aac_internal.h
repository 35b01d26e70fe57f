/* What ADTS and LATM need of AudioSpecificConfig. */
#ifndef WEIR_MEDIA_AAC_INTERNAL_H
#define WEIR_MEDIA_AAC_INTERNAL_H

#include "bit_writer.h"

/* program_config_element (ISO 14496-3, 4.4.1.1), bit by bit but for its comment, which is left out. base: the bit of the reader from
 * which the element counts its byte alignment; the writer counts from its start. Failures stay in the two. */
void aac_copy_pce(struct bit_writer *w, struct bit_reader *r, size_t base);

#endif

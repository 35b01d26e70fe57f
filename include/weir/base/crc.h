/* CRC-32 as MPEG-2 sections have it (ISO/IEC 13818-1, annex A): over a section with its CRC it is 0. Pure. */
#ifndef WEIR_BASE_CRC_H
#define WEIR_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_mpeg(const uint8_t *data, size_t bytes);

#endif

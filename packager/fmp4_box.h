/* Boxes: a four-letter name, a size patched when the box is closed. */
#ifndef WEIR_PACKAGER_FMP4_BOX_H
#define WEIR_PACKAGER_FMP4_BOX_H

#include <weir/base/bytes.h>

static inline size_t box_open(struct byte_writer *w, const char *type)
{
    const size_t at = w->bytes;
    write_u32(w, 0);
    write_bytes(w, type, 4);
    return at;
}
static inline size_t full_box_open(struct byte_writer *w, const char *type, unsigned version, uint32_t flags)
{
    const size_t at = box_open(w, type);
    write_u32(w, version << 24 | flags);
    return at;
}
static inline void box_close(struct byte_writer *w, size_t at)
{
    patch_u32(w, at, (uint32_t)(w->bytes - at));
}

#endif

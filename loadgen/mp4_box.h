/* Walking over boxes (ISO 14496-12, 4.2), and noting what is wrong with them. */
#ifndef WEIR_LOADGEN_MP4_BOX_H
#define WEIR_LOADGEN_MP4_BOX_H

#include <weir/base/bytes.h>
#include <weir/loadgen/mp4_reader.h>

#define BOX_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct mp4_box {
    uint32_t type;
    const uint8_t *body;
    size_t body_bytes, offset, bytes; /* offset: of the box, in the file */
};

/* The boxes between at and end of a file. */
struct mp4_walk {
    const uint8_t *file, *at, *end;
    bool is_broken; /* a size does not fit: nothing behind it can be read */
};

void mp4_walk_init(struct mp4_walk *w, const uint8_t *file, const uint8_t *at, size_t bytes);
void mp4_walk_into(struct mp4_walk *w, const struct mp4_walk *parent, const struct mp4_box *box, size_t skip_bytes);
bool mp4_walk_next(struct mp4_walk *w, struct mp4_box *out);
/* The first box of a type in there; false: none. */
bool mp4_walk_find(struct mp4_walk w, uint32_t type, struct mp4_box *out);
void mp4_type_text(uint32_t type, char out[5]);

/* Says that a rule was looked at. */
void mp4_looked(struct mp4_findings *f, enum mp4_rule rule);
/* Looks: when it does not hold, the first fault of the rule is kept. Returns holds. */
bool mp4_expect(struct mp4_findings *f, enum mp4_rule rule, bool holds, size_t offset, const char *expected,
                const char *got_format, ...) __attribute__((format(printf, 6, 7)));

#endif

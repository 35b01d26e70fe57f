#include "mp4_box.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mp4_walk_init(struct mp4_walk *w, const uint8_t *file, const uint8_t *at, size_t bytes)
{
    *w = (struct mp4_walk){ file, at, at + bytes, false };
}

void mp4_walk_into(struct mp4_walk *w, const struct mp4_walk *parent, const struct mp4_box *box, size_t skip_bytes)
{
    const size_t skip = skip_bytes < box->body_bytes ? skip_bytes : box->body_bytes;
    mp4_walk_init(w, parent->file, box->body + skip, box->body_bytes - skip);
}

bool mp4_walk_next(struct mp4_walk *w, struct mp4_box *out)
{
    const size_t left = (size_t)(w->end - w->at);
    if (!left || w->is_broken) return false;
    uint64_t size = left >= 8 ? load_u32(w->at) : 0;
    size_t head = 8;
    if (size == 1 && left >= 16) {
        size = (uint64_t)load_u32(w->at + 8) << 32 | load_u32(w->at + 12);
        head = 16;
    }
    if (left < 8 || size < head || size > left) {
        w->is_broken = true;
        return false;
    }
    *out = (struct mp4_box){ .type = load_u32(w->at + 4),
                             .body = w->at + head,
                             .body_bytes = (size_t)size - head,
                             .offset = (size_t)(w->at - w->file),
                             .bytes = (size_t)size };
    w->at += size;
    return true;
}

bool mp4_walk_find(struct mp4_walk w, uint32_t type, struct mp4_box *out)
{
    while (mp4_walk_next(&w, out)) {
        if (out->type == type) return true;
    }
    return false;
}

void mp4_type_text(uint32_t type, char out[5])
{
    for (int i = 0; i < 4; i++) {
        const unsigned char c = (unsigned char)(type >> (24 - 8 * i));
        out[i] = c >= 0x20 && c < 0x7F ? (char)c : '?';
    }
    out[4] = 0;
}

void mp4_looked(struct mp4_findings *f, enum mp4_rule rule)
{
    f->checked |= MP4_RULE_BIT(rule);
}

bool mp4_expect(struct mp4_findings *f, enum mp4_rule rule, bool holds, size_t offset, const char *expected,
                const char *got_format, ...)
{
    mp4_looked(f, rule);
    if (holds || f->broken & MP4_RULE_BIT(rule)) return holds;
    f->broken |= MP4_RULE_BIT(rule);
    if (f->fault_count == ARRAY_LEN(f->faults)) return holds;
    struct mp4_fault *fault = &f->faults[f->fault_count++];
    *fault = (struct mp4_fault){ .rule = rule, .offset = offset };
    snprintf(fault->expected, sizeof fault->expected, "%s", expected);
    va_list arguments;
    va_start(arguments, got_format);
    vsnprintf(fault->got, sizeof fault->got, got_format, arguments);
    va_end(arguments);
    return holds;
}

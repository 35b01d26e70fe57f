#include <weir/transcode/frame_pick.h>

void frame_pick_init(struct frame_pick *p, uint32_t keep_one_in, uint32_t fps_num, uint32_t fps_den)
{
    *p = (struct frame_pick){ .keep_one_in = keep_one_in ? keep_one_in : 1, .fps_num = fps_num, .fps_den = fps_den };
}

/* Half a frame of tolerance: a frame that is a hair early belongs to the slot that it was meant for. */
static int64_t slot_of(const struct frame_pick *p, int64_t since_90k)
{
    const int64_t frame_num = since_90k * p->fps_num, frame_den = 90000ll * p->fps_den;
    return (2 * frame_num + frame_den) / (2 * frame_den * p->keep_one_in);
}

bool frame_pick_take(struct frame_pick *p, int64_t pts_90k, bool is_key)
{
    if (is_key || !p->has_anchor || pts_90k < p->anchor_90k) {
        p->has_anchor = true;
        p->anchor_90k = pts_90k;
        p->slot = 0;
        p->counted = 0;
        return true;
    }
    if (p->keep_one_in == 1) return true;
    p->counted++;
    const bool is_rate_known = p->fps_num && p->fps_den;
    const int64_t slot = is_rate_known ? slot_of(p, pts_90k - p->anchor_90k) : p->counted / p->keep_one_in;
    if (slot == p->slot) return false;
    p->slot = slot;
    return true;
}

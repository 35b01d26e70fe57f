#include "damage_filter.h"

void damage_filter_restart(struct damage_filter *f)
{
    f->is_waiting = f->has_entry = false;
}

bool damage_filter_damaged(struct damage_filter *f, enum media_kind kind)
{
    if (f->policy == DAMAGE_PASS) return false;
    if (kind == MEDIA_VIDEO) f->is_waiting = true; /* an audio frame needs no other */
    return true;
}

bool damage_filter_whole(struct damage_filter *f, enum frame_access access, int64_t pts_90k)
{
    if (f->is_waiting) {
        if (access == FRAME_INTER) return true;
        f->is_waiting = false;
        f->has_entry = access == FRAME_OPEN;
        f->entry_pts_90k = pts_90k;
        return false;
    }
    if (!f->has_entry) return false;
    /* frames that lead an open entry come right behind it (H.265, 8.1; H.264 has them in the same order) */
    if (access == FRAME_INTER && pts_90k < f->entry_pts_90k) return true;
    f->has_entry = false;
    return false;
}

/* damage_filter: after a frame with missing bytes, which of those that follow can be shown. Pure; owner: the stream. */
#ifndef WEIR_STREAM_DAMAGE_FILTER_H
#define WEIR_STREAM_DAMAGE_FILTER_H

#include <weir/media/codec.h>
#include <weir/stream/stream.h>

struct damage_filter {
    enum damage_policy policy; /* 0: drop */
    bool is_waiting;           /* video: for a frame where decoding may begin */
    bool has_entry; /* entered at entry_pts_90k, an open entry: what is shown before it may need what was lost */
    int64_t entry_pts_90k;
};

/* The publisher or the track begins anew. */
void damage_filter_restart(struct damage_filter *f);
/* A damaged frame came. Whether to drop it. */
bool damage_filter_damaged(struct damage_filter *f, enum media_kind kind);
/* A whole video frame came. Whether to drop it. */
bool damage_filter_whole(struct damage_filter *f, enum frame_access access, int64_t pts_90k);

#endif

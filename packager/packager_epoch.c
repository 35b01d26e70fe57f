/* Numbers from epoch time (hls.numbering: epoch): what the packager does about them. */
#include "packager_internal.h"

#define GAP_90K_MIN 90 /* a millisecond */

void packager_init_epoch(struct packager *p)
{
    if (p->policy.numbering != NUMBERING_EPOCH) return;
    epoch_clock_init(&p->epoch, p->policy.segment_us);
    epoch_clock_begin_era(&p->epoch, 0, p->config.wall_now_us(p->config.context));
    segmenter_set_grid(&p->segmenter, &p->epoch);
    /* until the first segment begins, and should there never be one: audio that ends at once */
    p->msn = p->begun_msn = (uint64_t)epoch_clock_cell(&p->epoch, 0);
}

void packager_begin_epoch_era(struct packager *p)
{
    if (p->segmenter.epoch) epoch_clock_begin_era(&p->epoch, p->era_start_90k, p->era_wall_us);
}

/* Dates are the encoder's, too, and do not go back. */
static void follow_dates(struct packager *p, const struct media_packet *packet, bool is_first)
{
    if (is_first) p->dates_shift_us = p->dates_end_us > packet->taken_us ? p->dates_end_us - packet->taken_us : 0;
    p->era_wall_us += packet->taken_us + p->dates_shift_us - packager_wall_at(p, packet->pts_90k);
}

void packager_hear_time(struct packager *p, const struct media_packet *packet)
{
    if (!p->segmenter.epoch || !packet->taken_us || packet->access == FRAME_INTER) return;
    const int64_t now_us = p->config.wall_now_us(p->config.context);
    const bool is_first = !p->epoch.is_told;
    if (epoch_clock_hear(&p->epoch, packet->pts_90k, packet->taken_us, now_us))
        follow_dates(p, packet, is_first);
    else
        figure_add(&live_edge_figures(p->edge)->times_refused, 1);
}

/* Sound from before the stream begins has nobody to go with, and is no sign that there is no video. */
static void drop_waiting_audio(struct packager *p, int64_t before_90k)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        const struct media_packet *head;
        while ((head = queue_peek(&p->lanes[i].pending)) && head->pts_90k < before_90k)
            packager_take_pending(p, &p->lanes[i], false);
    }
    p->first_audio_90k = before_90k;
}

bool packager_may_begin(struct packager *p, int64_t pts_90k)
{
    if (p->leader || epoch_clock_may_begin(&p->epoch, pts_90k)) return true;
    drop_waiting_audio(p, pts_90k);
    return false;
}

void packager_name_run(struct packager *p, const struct media_packet *packet)
{
    if (!p->epoch.is_told || !packet->taken_us || p->leader) return;
    p->config.run_id = epoch_clock_run(packet->pts_90k, packet->taken_us);
    for (size_t i = 0; i < packager_rendition_count(p); i++) {
        struct rendition *r = packager_rendition_at(p, i);
        if (r) r->config.run_id = p->config.run_id;
    }
}

int64_t packager_end_90k(struct packager *p, int64_t pts_90k)
{
    p->cut_end_90k = pts_90k;
    if (!p->segmenter.epoch || !p->is_open || p->segmenter.cell <= (int64_t)p->msn + 1) return pts_90k;
    /* where its cell ends, or what is in it */
    const int64_t cell_end_90k = ((int64_t)p->msn + 1) * p->epoch.cell_90k - p->epoch.offset_90k;
    const int64_t media_end_90k = p->reached_90k + p->nominal_90k;
    const int64_t end_90k = cell_end_90k > media_end_90k ? cell_end_90k : media_end_90k;
    if (end_90k < pts_90k) p->cut_end_90k = end_90k;
    return p->cut_end_90k;
}

/* Where the hole in front of until_90k begins; an era's begins in another one. */
static int64_t hole_start_90k(const struct packager *p, int64_t count, int64_t until_90k)
{
    if (p->msn != p->era_msn) return p->cut_end_90k;
    if (!p->dates_end_us) return until_90k - count * p->epoch.cell_90k;
    return until_90k - (packager_wall_at(p, until_90k) - p->dates_end_us) * 9 / 100;
}

/* One gap behind the other, of equal length. */
static void skip_numbers(struct packager *p, int64_t count, int64_t until_90k)
{
    struct rendition *r = p->leader ? p->leader->rendition : p->video;
    const int64_t longest_90k = p->policy.segment_max_us * 9 / 100;
    int64_t from_90k = hole_start_90k(p, count, until_90k);
    if (until_90k - from_90k < count * GAP_90K_MIN) from_90k = until_90k - count * GAP_90K_MIN;
    if (until_90k - from_90k > count * longest_90k) from_90k = until_90k - count * longest_90k;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at_90k = from_90k + (until_90k - from_90k) * i / count;
        const int64_t end_90k = from_90k + (until_90k - from_90k) * (i + 1) / count;
        const struct waiting_cut gap = { .at_90k = end_90k,
                                         .msn = p->msn,
                                         .duration_us = (end_90k - at_90k) * 100 / 9,
                                         .wall_us = packager_wall_at(p, at_90k) };
        if (r && rendition_is_open(r)) /* it was further than a leader that has gone */
            rendition_cut(r, -1);
        else if (r)
            rendition_gap(r, gap.msn, gap.duration_us, gap.wall_us);
        packager_share_cut(p, &gap, false);
    }
}

/* No number is out, nor is anything that will have one. */
static bool is_fresh(const struct packager *p)
{
    bool is_open = false;
    for (size_t i = 0; i < packager_rendition_count(p); i++)
        is_open |= packager_rendition_at(p, i) && rendition_is_open(packager_rendition_at(p, i));
    return p->msn == p->begun_msn && !is_open;
}

void packager_reach_number(struct packager *p, int64_t pts_90k)
{
    struct segmenter *s = &p->segmenter;
    if (!s->epoch || p->is_open) return;
    const int64_t missing = s->cell - (int64_t)p->msn;
    if (is_fresh(p)) {
        p->begun_msn = UINT64_MAX;
        p->msn = p->era_msn = (uint64_t)s->cell;
    } else if (missing > EPOCH_HOLE_MAX) {
        epoch_clock_move(&p->epoch, pts_90k, (int64_t)p->msn);
        figure_add(&live_edge_figures(p->edge)->times_refused, 1);
        s->cell = (int64_t)p->msn;
    } else if (missing > 0) {
        skip_numbers(p, missing, pts_90k);
    } else {
        s->cell = (int64_t)p->msn;
    }
}

/* ladder_board: what every ladder of the house is doing, for those who ask from other threads (API, metrics).
 *
 * Lock: one, around the list and what stands in it, because a ladder's figures must not go while they are read; held for copies alone.
 * Thread: any. */
#ifndef WEIR_SERVER_LADDER_BOARD_H
#define WEIR_SERVER_LADDER_BOARD_H

#include <weir/base/err.h>
#include <weir/base/limits.h>
#include <weir/transcode/figures.h>
#include <weir/transcode/ladder_plan.h>

struct ladder_board;
struct ladder_card; /* one ladder's place on it */

struct ladder_board_rung {
    struct rung_plan plan;
    const char *backend; /* static; NULL: none yet */
    const char *preset;  /* in use, static; NULL: none yet */
    bool is_absent;      /* nothing comes of it now */
};
struct ladder_view {
    const char *name; /* the stream's */
    bool is_planned;
    const struct ladder_board_rung *rungs;
    size_t rung_count;
    const struct transcode_figures *const *figures;
    size_t figure_sets;
};
/* All that belongs to the stream together. */
int64_t ladder_view_read(const struct ladder_view *v, enum transcode_figure id);

struct ladder_board *ladder_board_create(void); /* NULL: no memory */
void ladder_board_destroy(struct ladder_board *b);

/* name is copied. NULL: no memory. */
struct ladder_card *ladder_board_put(struct ladder_board *b, const char *name);
/* Lent, until they are dropped or the card is taken off. */
void ladder_card_add_figures(struct ladder_card *card, const struct transcode_figures *figures);
void ladder_card_drop_figures(struct ladder_card *card, const struct transcode_figures *figures);
void ladder_board_take_off(struct ladder_card *card); /* nobody sees it any more; it may still be written on */
void ladder_card_destroy(struct ladder_card *card);   /* after that. NULL is fine */
void ladder_card_set_plan(struct ladder_card *card, const struct ladder_plan *plan);
void ladder_card_set_encoder(struct ladder_card *card, size_t rung, const char *backend, const char *preset);
void ladder_card_set_absent(struct ladder_card *card, size_t rung, bool is_absent);

/* look() gets each ladder, or the one of that name; the view is lent for the call, which must not call back into the board. */
void ladder_board_look(struct ladder_board *b, const char *name,
                       void (*look)(void *context, const struct ladder_view *v), void *context);

#endif

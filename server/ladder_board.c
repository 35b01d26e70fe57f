#include "ladder_board.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ladder_card {
    struct ladder_card *next, **at; /* where it hangs */
    struct ladder_board *board;
    char name[STREAM_NAME_BYTES_MAX + 1];
    bool is_planned;
    struct ladder_board_rung rungs[LADDER_RUNGS_MAX];
    size_t rung_count;
    const struct transcode_figures *figures[1 + AUDIO_TRACKS_MAX];
    size_t figure_sets;
};

struct ladder_board {
    pthread_mutex_t lock;
    struct ladder_card *first;
};

struct ladder_board *ladder_board_create(void)
{
    struct ladder_board *b = calloc(1, sizeof *b);
    if (b) pthread_mutex_init(&b->lock, NULL);
    return b;
}

void ladder_board_destroy(struct ladder_board *b)
{
    if (!b) return;
    pthread_mutex_destroy(&b->lock);
    free(b);
}

struct ladder_card *ladder_board_put(struct ladder_board *b, const char *name)
{
    struct ladder_card *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    snprintf(c->name, sizeof c->name, "%s", name);
    c->board = b;
    pthread_mutex_lock(&b->lock);
    c->next = b->first;
    c->at = &b->first;
    if (c->next) c->next->at = &c->next;
    b->first = c;
    pthread_mutex_unlock(&b->lock);
    return c;
}

void ladder_board_take_off(struct ladder_card *c)
{
    pthread_mutex_lock(&c->board->lock);
    *c->at = c->next;
    if (c->next) c->next->at = c->at;
    pthread_mutex_unlock(&c->board->lock);
}

void ladder_card_destroy(struct ladder_card *c)
{
    free(c);
}

void ladder_card_add_figures(struct ladder_card *c, const struct transcode_figures *figures)
{
    pthread_mutex_lock(&c->board->lock);
    if (c->figure_sets < ARRAY_LEN(c->figures)) c->figures[c->figure_sets++] = figures;
    pthread_mutex_unlock(&c->board->lock);
}

void ladder_card_drop_figures(struct ladder_card *c, const struct transcode_figures *figures)
{
    pthread_mutex_lock(&c->board->lock);
    for (size_t i = 0; i < c->figure_sets; i++) {
        if (c->figures[i] == figures) c->figures[i] = c->figures[--c->figure_sets];
    }
    pthread_mutex_unlock(&c->board->lock);
}

int64_t ladder_view_read(const struct ladder_view *v, enum transcode_figure id)
{
    int64_t sum = 0;
    for (size_t i = 0; i < v->figure_sets; i++) sum += transcode_read(v->figures[i], id);
    return sum;
}

void ladder_card_set_plan(struct ladder_card *c, const struct ladder_plan *plan)
{
    pthread_mutex_lock(&c->board->lock);
    memset(c->rungs, 0, sizeof c->rungs);
    c->is_planned = true;
    c->rung_count = plan->rung_count;
    for (size_t i = 0; i < plan->rung_count; i++) c->rungs[i].plan = plan->rungs[i];
    pthread_mutex_unlock(&c->board->lock);
}

void ladder_card_set_encoder(struct ladder_card *c, size_t rung, const char *backend, const char *preset)
{
    pthread_mutex_lock(&c->board->lock);
    c->rungs[rung].backend = backend;
    c->rungs[rung].preset = preset;
    pthread_mutex_unlock(&c->board->lock);
}

void ladder_card_set_absent(struct ladder_card *c, size_t rung, bool is_absent)
{
    pthread_mutex_lock(&c->board->lock);
    c->rungs[rung].is_absent = is_absent;
    pthread_mutex_unlock(&c->board->lock);
}

void ladder_board_look(struct ladder_board *b, const char *name,
                       void (*look)(void *context, const struct ladder_view *v), void *context)
{
    pthread_mutex_lock(&b->lock);
    for (const struct ladder_card *c = b->first; c; c = c->next) {
        if (name && strcmp(name, c->name) != 0) continue;
        const struct ladder_view view = { .name = c->name,
                                          .is_planned = c->is_planned,
                                          .rungs = c->rungs,
                                          .rung_count = c->rung_count,
                                          .figures = c->figures,
                                          .figure_sets = c->figure_sets };
        look(context, &view);
    }
    pthread_mutex_unlock(&b->lock);
}

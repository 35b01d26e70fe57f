#include <weir/loadgen/alignment.h>

#include <stdlib.h>
#include <weir/base/err.h>

#define STARTS_KEPT 256
#define ROUNDING_US 1500 /* timescales differ */

struct alignment {
    struct alignment_start starts[STARTS_KEPT];
    unsigned count, next;
    struct alignment_figures figures;
};

struct alignment *alignment_create(void)
{
    return calloc(1, sizeof(struct alignment));
}

void alignment_destroy(struct alignment *a)
{
    free(a);
}

static const struct alignment_start *find(const struct alignment *a, uint64_t rendition, uint64_t dsn, uint64_t msn)
{
    for (unsigned i = 0; i < a->count; i++) {
        const struct alignment_start *s = &a->starts[i];
        if (s->rendition == rendition && s->msn == msn && s->dsn == dsn) return s;
    }
    return NULL;
}

/* Does `boundary` lie inside the segment that begins with `begin`? The segment's end must be known. */
static bool cuts(struct alignment *a, const struct alignment_start *boundary, const struct alignment_start *begin,
                 int64_t *off_us)
{
    if (boundary->rendition == begin->rendition || boundary->dsn != begin->dsn) return false;
    const struct alignment_start *end = find(a, begin->rendition, begin->dsn, begin->msn + 1);
    if (!end || boundary->start_us < begin->start_us - ROUNDING_US || boundary->start_us >= end->start_us - ROUNDING_US)
        return false;
    a->figures.compared++;
    const int64_t behind_us = boundary->start_us - begin->start_us, before_us = end->start_us - boundary->start_us;
    if (behind_us <= ROUNDING_US) return false;
    *off_us = behind_us < before_us ? behind_us : before_us;
    a->figures.misaligned++;
    return true;
}

unsigned alignment_note(struct alignment *a, const struct alignment_start *start, int64_t *off_us)
{
    unsigned found = 0;
    if (find(a, start->rendition, start->dsn, start->msn)) return 0;
    a->starts[a->next] = *start;
    a->next = (a->next + 1) % STARTS_KEPT;
    if (a->count < STARTS_KEPT) a->count++;
    a->figures.starts++;
    const struct alignment_start *previous = start->msn ? find(a, start->rendition, start->dsn, start->msn - 1) : NULL;
    for (unsigned i = 0; i < a->count; i++) {
        const struct alignment_start *other = &a->starts[i];
        found += cuts(a, start, other, off_us);                  /* it cuts another's segment */
        found += cuts(a, other, start, off_us);                  /* it came late, and its own segment is cut */
        if (previous) found += cuts(a, other, previous, off_us); /* or it ends one that is cut */
    }
    return found;
}

struct alignment_figures alignment_figures(const struct alignment *a)
{
    return a->figures;
}

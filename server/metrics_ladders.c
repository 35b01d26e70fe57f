/* /metrics: what the ladders hold and what happened to them. */
#include <weir/transcode/transcoder.h>

#include "ladder_board.h"
#include "metrics_internal.h"

/* A level or a latency adds up to nothing. */
static bool adds_up(enum transcode_figure id)
{
    return id != FIGURE_SHED_LEVEL && id != FIGURE_LATENCY_US;
}

static void write_head(struct byte_writer *w, const char *prefix, const struct transcode_figure_facts *facts)
{
    const char *ending = facts->is_gauge ? "" : "_total";
    write_format(w, "# HELP weir_%s%s%s %s\n# TYPE weir_%s%s%s %s\n", prefix, facts->name, ending, facts->help, prefix,
                 facts->name, ending, facts->is_gauge ? "gauge" : "counter");
}

static void write_total(struct byte_writer *w, const struct transcode_figures *all, enum transcode_figure id)
{
    const struct transcode_figure_facts facts = transcode_figure_facts(id);
    write_head(w, "", &facts);
    write_format(w, "weir_%s%s %lld\n", facts.name, facts.is_gauge ? "" : "_total", (long long)transcode_read(all, id));
}

struct writing {
    struct byte_writer *w;
    enum transcode_figure id;
};

static void write_figure(void *context, const struct ladder_view *v)
{
    const struct writing *to = context;
    const struct transcode_figure_facts facts = transcode_figure_facts(to->id);
    write_format(to->w, "weir_stream_%s%s{stream=\"", facts.name, facts.is_gauge ? "" : "_total");
    metrics_write_label(to->w, v->name);
    write_format(to->w, "\"} %lld\n", (long long)ladder_view_read(v, to->id));
}

static void write_rungs(void *context, const struct ladder_view *v)
{
    struct byte_writer *w = context;
    for (size_t i = 0; i < v->rung_count; i++) {
        const struct ladder_board_rung *r = &v->rungs[i];
        if (r->plan.kind != RUNG_ENCODED) continue;
        write_text(w, "weir_stream_rung_encoding{stream=\"");
        metrics_write_label(w, v->name);
        write_format(w, "\",rung=\"%s\",codec=\"%s\",backend=\"%s\"} %d\n", r->plan.name, codec_name(r->plan.codec),
                     r->backend ? r->backend : "", r->backend && !r->is_absent);
    }
}

void metrics_write_ladders(struct byte_writer *w, struct house *h)
{
    if (!house_transcoder(h)) return;
    const struct transcode_figures *all = transcoder_figures(house_transcoder(h));
    for (unsigned id = 0; id < FIGURE_COUNT; id++) {
        if (adds_up((enum transcode_figure)id)) write_total(w, all, (enum transcode_figure)id);
    }
    for (unsigned id = 0; id < FIGURE_COUNT; id++) {
        struct writing to = { .w = w, .id = (enum transcode_figure)id };
        const struct transcode_figure_facts facts = transcode_figure_facts(to.id);
        write_head(w, "stream_", &facts);
        ladder_board_look(house_ladders(h), NULL, write_figure, &to);
    }
    write_text(w, "# HELP weir_stream_rung_encoding 1 while the rung is encoded, and by what\n"
                  "# TYPE weir_stream_rung_encoding gauge\n");
    ladder_board_look(house_ladders(h), NULL, write_rungs, w);
}

#include <weir/transcode/figures.h>

struct transcode_figure_facts transcode_figure_facts(enum transcode_figure id)
{
    static const struct transcode_figure_facts facts[FIGURE_COUNT] = {
#define X(id, name, is_gauge, help) [FIGURE_##id] = { name, help, is_gauge },
        TRANSCODE_FIGURES(X)
#undef X
    };
    return facts[id];
}

/* libavfilter, loaded when something is first filtered: surfaces are scaled or pictures deinterlaced. It brings a hundred libraries with
 * it, 20 MB of memory and a tenth of a second that scaling in main memory does not need. Thread: any. */
#ifndef WEIR_TRANSCODE_FILTER_LIBRARY_H
#define WEIR_TRANSCODE_FILTER_LIBRARY_H

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

/* X(function): the names are libavfilter's */
#define FILTER_FUNCTIONS(X)                                                                                            \
    X(avfilter_get_by_name)                                                                                            \
    X(avfilter_graph_alloc)                                                                                            \
    X(avfilter_graph_alloc_filter)                                                                                     \
    X(avfilter_graph_create_filter)                                                                                    \
    X(avfilter_graph_parse_ptr)                                                                                        \
    X(avfilter_graph_config)                                                                                           \
    X(avfilter_graph_free)                                                                                             \
    X(avfilter_init_str)                                                                                               \
    X(avfilter_inout_alloc)                                                                                            \
    X(avfilter_inout_free)                                                                                             \
    X(av_buffersrc_parameters_alloc)                                                                                   \
    X(av_buffersrc_parameters_set)                                                                                     \
    X(av_buffersrc_add_frame_flags)                                                                                    \
    X(av_buffersink_get_frame)                                                                                         \
    X(av_buffersink_get_time_base)

struct filter_library {
#define X(function) __typeof__(&function) function;
    FILTER_FUNCTIONS(X)
#undef X
};

/* NULL: it is not installed. Stays loaded. */
const struct filter_library *filter_library(void);

#endif

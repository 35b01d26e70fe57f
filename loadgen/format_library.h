/* libavformat, loaded when it is needed and only in the child that makes a source: it brings a second libsrt (Debian's, with GnuTLS), and two of
 * them in one process fight over the same names. */
#ifndef WEIR_LOADGEN_FORMAT_LIBRARY_H
#define WEIR_LOADGEN_FORMAT_LIBRARY_H

#include <libavformat/avformat.h>

#define FORMAT_FUNCTIONS(X)                                                                                            \
    X(avformat_open_input)                                                                                             \
    X(avformat_find_stream_info)                                                                                       \
    X(avformat_close_input)                                                                                            \
    X(avformat_alloc_output_context2)                                                                                  \
    X(avformat_new_stream)                                                                                             \
    X(avformat_write_header)                                                                                           \
    X(avformat_free_context)                                                                                           \
    X(av_read_frame)                                                                                                   \
    X(av_find_best_stream)                                                                                             \
    X(av_write_frame)                                                                                                  \
    X(av_write_trailer)                                                                                                \
    X(avio_open_dyn_buf)                                                                                               \
    X(avio_close_dyn_buf)                                                                                              \
    X(avio_flush)

struct format_library {
#define X(function) __typeof__(function) *function;
    FORMAT_FUNCTIONS(X)
#undef X
};

/* NULL: it is not on this machine. */
const struct format_library *format_library(void);

#endif

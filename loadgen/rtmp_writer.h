/* What a publisher says over RTMP once it publishes: messages cut into chunks. Pure. RTMP 1.0, 5.3; Adobe's FLV 10.1, E.4; Enhanced RTMP
 * v1 for HEVC. */
#ifndef WEIR_LOADGEN_RTMP_WRITER_H
#define WEIR_LOADGEN_RTMP_WRITER_H

#include <weir/base/bytes.h>
#include <weir/loadgen/media_source.h>
#include <weir/loadgen/stamp.h>

enum rtmp_message {
    RTMP_SET_CHUNK_SIZE = 1,
    RTMP_USER_CONTROL = 4,
    RTMP_AUDIO = 8,
    RTMP_VIDEO = 9,
    RTMP_DATA = 18,
    RTMP_COMMAND = 20,
};
#define RTMP_WRITER_CHANNELS 8

struct rtmp_writer {
    uint32_t chunk_bytes; /* what the other side was told */
    uint32_t stream_id;
    bool is_absolute; /* fmt 0 for each message */
    struct {
        bool is_open;
        uint32_t time_ms;
    } channels[RTMP_WRITER_CHANNELS];
};

void rtmp_writer_init(struct rtmp_writer *w, uint32_t stream_id,
                      bool is_absolute); /* chunks of 128 bytes, as in the beginning */
/* One message whose body is head and then body. csid 2 to 7. Times may wrap, or go back: then fmt 0 is written. */
void rtmp_write_message(struct rtmp_writer *w, struct byte_writer *out, uint8_t csid, enum rtmp_message type,
                        uint32_t time_ms, uint32_t stream_id, struct byte_span head, struct byte_span body);
void rtmp_write_chunk_size(struct rtmp_writer *w, struct byte_writer *out, uint32_t bytes);
/* @setDataFrame onMetaData, and the configurations. */
void rtmp_write_beginning(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s,
                          uint32_t time_ms);
/* The configurations alone: of a source that another one is changed for. */
void rtmp_write_configs(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s, uint32_t time_ms);
void rtmp_write_item(struct rtmp_writer *w, struct byte_writer *out, const struct media_source *s,
                     const struct media_item *item, int64_t dts_90k, const struct stamp *stamp);
void rtmp_write_pong(struct rtmp_writer *w, struct byte_writer *out, uint32_t time);
/* FCUnpublish and deleteStream. */
void rtmp_write_end(struct rtmp_writer *w, struct byte_writer *out, const char *name);

#endif

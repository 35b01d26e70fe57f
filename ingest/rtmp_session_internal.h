/* The fields of a session, shared by its two files: rtmp_session.c (bytes and media), rtmp_command.c (what clients ask). */
#ifndef WEIR_INGEST_RTMP_SESSION_INTERNAL_H
#define WEIR_INGEST_RTMP_SESSION_INTERNAL_H

#include <weir/ingest/rtmp_session.h>

struct rtmp_chunk_reader;

struct rtmp_session {
    struct rtmp_session_events events;
    struct counters *counters;
    enum rtmp_phase phase;
    struct rtmp_chunk_reader *chunks; /* from C1 on: a connection that only stands there costs next to nothing */
    uint8_t *hello;                   /* C0 and C1 while they come in */
    uint32_t handshake_bytes;
    struct byte_writer out;
    size_t sent_bytes;
    uint64_t received_bytes, acknowledged_bytes;
    uint32_t peer_window_bytes;
    char *app; /* from connect; NULL before */
    char client[48];
    uint32_t stream_id; /* of publish */
    uint32_t streams_created, commands;
    enum media_codec codecs[MEDIA_AUDIO + 1];        /* last seen */
    uint32_t tracks_told[MEDIA_AUDIO + 1][256 / 32]; /* bits: those of which extra_track was told */
};

#endif

/* Counters: plain integers owned by one thread each, summed when someone reads them.
 * Every drop, repair, refusal and limit has one. The names are those of /metrics (with weir_ before, _total behind).
 * Thread: counter_add on the owning thread; counter_read from any (relaxed atomics: no lock, no bus traffic). */
#ifndef WEIR_BASE_COUNTERS_H
#define WEIR_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(identifier, "metric name", "what it counts") */
#define WEIR_COUNTERS(X)                                                                                               \
    X(RTMP_ACCEPTED, "rtmp_connections_accepted", "RTMP connections accepted")                                         \
    X(RTMP_CLOSED, "rtmp_connections_closed", "RTMP connections closed")                                               \
    X(RTMP_REFUSED_TOTAL, "rtmp_refused_connections", "RTMP connections refused: too many in all")                     \
    X(RTMP_REFUSED_ADDRESS, "rtmp_refused_per_address", "RTMP connections refused: too many from one address")         \
    X(RTMP_HANDSHAKE_TIMEOUT, "rtmp_handshake_timeouts", "RTMP connections closed: handshake not finished in time")    \
    X(RTMP_PUBLISH_TIMEOUT, "rtmp_publish_timeouts", "RTMP connections closed: nothing published in time")             \
    X(RTMP_IDLE_TIMEOUT, "rtmp_idle_timeouts", "RTMP publishers closed: no audio or video")                            \
    X(RTMP_MALFORMED, "rtmp_malformed", "RTMP connections closed: protocol broken")                                    \
    X(RTMP_PLAY_REFUSED, "rtmp_plays_refused", "RTMP players refused: they are served over HLS")                       \
    X(RTMP_LIMIT_MESSAGE, "rtmp_limit_message_bytes", "RTMP messages over the size limit")                             \
    X(RTMP_LIMIT_CHUNK_STREAMS, "rtmp_limit_chunk_streams", "RTMP connections with too many chunk streams")            \
    X(RTMP_LIMIT_ASSEMBLY, "rtmp_limit_assembly_bytes", "RTMP connections with too many half-received bytes")          \
    X(RTMP_LIMIT_OUTPUT, "rtmp_limit_output_bytes", "RTMP connections that do not read their replies")                 \
    X(RTMP_LIMIT_COMMANDS, "rtmp_limit_commands", "RTMP connections with too many commands before publish")            \
    X(RTMP_LIMIT_NAME, "rtmp_limit_name_bytes", "RTMP names or keys over the length limit")                            \
    X(AMF_LIMIT_DEPTH, "amf_limit_depth", "AMF values nested too deep")                                                \
    X(AMF_LIMIT_STRING, "amf_limit_string_bytes", "AMF strings too long")                                              \
    X(AMF_LIMIT_VALUES, "amf_limit_values", "AMF messages with too many values")                                       \
    X(AMF_MALFORMED, "amf_malformed", "AMF messages that could not be read")                                           \
    X(RTMP_BYTES_IN, "rtmp_bytes_received", "bytes received from RTMP publishers")                                     \
    X(RTMP_MESSAGES_IN, "rtmp_messages_received", "RTMP messages received")                                            \
    X(RTMP_READS, "rtmp_reads", "recv calls on RTMP connections")                                                      \
    X(FLV_MALFORMED, "flv_malformed", "audio or video messages that could not be read (dropped)")                      \
    X(FLV_UNSUPPORTED, "flv_unsupported", "audio or video messages of an unsupported codec (dropped)")                 \
    X(FLV_EXTRA_TRACK, "flv_extra_track_frames", "frames of tracks other than 0 (dropped)")                            \
    X(FLV_BEFORE_CONFIG, "flv_frames_before_config", "frames before their codec configuration (dropped)")              \
    X(TS_PACKETS, "ts_packets", "transport stream packets received")                                                   \
    X(TS_RESYNCS, "ts_resyncs", "times that the packet rhythm was lost")                                               \
    X(TS_BYTES_SKIPPED, "ts_bytes_skipped", "bytes that belonged to no transport stream packet")                       \
    X(TS_PACKETS_MALFORMED, "ts_packets_malformed",                                                                    \
      "packets whose header or adaptation field is impossible (dropped)")                                              \
    X(TS_TRANSPORT_ERRORS, "ts_transport_errors", "packets marked as broken by who sent them (dropped)")               \
    X(TS_CONTINUITY_ERRORS, "ts_continuity_errors", "holes in a continuity counter")                                   \
    X(TS_DUPLICATES, "ts_duplicates", "packets sent twice (dropped)")                                                  \
    X(TS_SCRAMBLED, "ts_scrambled", "scrambled packets (dropped)")                                                     \
    X(TS_SECTIONS_MALFORMED, "ts_sections_malformed", "PAT, PMT or SCTE-35 sections that could not be read (dropped)") \
    X(TS_LIMIT_SECTION, "ts_limit_section_bytes", "sections over the length limit (dropped)")                          \
    X(TS_LIMIT_PROGRAMS, "ts_limit_programs", "PATs with more programs than are looked at")                            \
    X(TS_LIMIT_STREAMS, "ts_limit_streams", "elementary streams over the limit (refused)")                             \
    X(TS_PROGRAMS_IGNORED, "ts_programs_ignored", "programs beside the one that is carried")                           \
    X(TS_STREAMS_UNSUPPORTED, "ts_streams_unsupported", "elementary streams that cannot be carried")                   \
    X(TS_PES_MALFORMED, "ts_pes_malformed", "PES packets whose header could not be read (dropped)")                    \
    X(TS_PES_SHORT, "ts_pes_short", "PES packets that ended before their length")                                      \
    X(TS_LIMIT_UNIT, "ts_limit_unit_bytes", "access units, audio frames or metadata over the size limit")              \
    X(TS_LIMIT_UNITS_PER_PES, "ts_limit_units_per_pes",                                                                \
      "PES packets with too many access units (the rest is dropped)")                                                  \
    X(TS_UNITS_DAMAGED, "ts_units_damaged", "video access units that lack bytes")                                      \
    X(TS_AUDIO_DAMAGED, "ts_audio_frames_damaged", "audio frames cut by a loss (dropped)")                             \
    X(TS_AUDIO_RESYNCS, "ts_audio_resyncs", "times that an audio frame was not where it should begin")                 \
    X(TS_AUDIO_MALFORMED, "ts_audio_malformed", "audio frames that could not be read (dropped)")                       \
    X(TS_UNTIMED, "ts_untimed_units", "access units before any timestamp (dropped)")                                   \
    X(TS_BEFORE_CONFIG, "ts_units_before_config", "access units before their codec configuration (dropped)")           \
    X(TS_EARLY_END_WRONG, "ts_early_ends_wrong", "access units given too early and cut short")                         \
    X(TS_CLOCK_BREAKS, "ts_clock_breaks", "declared discontinuities of the program clock")                             \
    X(TS_METADATA_ID3, "ts_metadata_id3", "timed ID3 tags received")                                                   \
    X(TS_METADATA_SCTE35, "ts_metadata_scte35", "SCTE-35 sections received")                                           \
    X(TS_METADATA_KLV, "ts_metadata_klv", "KLV packets received")                                                      \
    X(SRT_ATTEMPTS, "srt_attempts", "SRT handshakes begun")                                                            \
    X(SRT_ACCEPTED, "srt_connections_accepted", "SRT connections accepted")                                            \
    X(SRT_CLOSED, "srt_connections_closed", "SRT connections closed")                                                  \
    X(SRT_REFUSED_TOTAL, "srt_refused_connections", "SRT callers refused: too many in all, stopping, too old")         \
    X(SRT_REFUSED_ADDRESS, "srt_refused_per_address", "SRT callers refused: too many from one address")                \
    X(SRT_REFUSED_RATE, "srt_refused_attempts", "SRT callers refused: too many attempts a second")                     \
    X(SRT_HANDSHAKE_FAILED, "srt_handshake_failures", "SRT callers whose passphrase or options did not fit")           \
    X(SRT_PUBLISH_TIMEOUT, "srt_publish_timeouts", "SRT connections closed: nothing that can be carried came in time") \
    X(SRT_IDLE_TIMEOUT, "srt_idle_timeouts", "SRT publishers closed: no data")                                         \
    X(SRT_BYTES_IN, "srt_bytes_received", "bytes received from SRT publishers, without repetitions")                   \
    X(SRT_MESSAGES_IN, "srt_messages_received", "SRT messages received")                                               \
    X(SRT_PACKETS_MISSING, "srt_packets_missing", "SRT packets that never came")                                       \
    X(SRT_PULLS, "srt_pulls", "connections begun to pull a stream")                                                    \
    X(SRT_PULLS_FAILED, "srt_pulls_failed", "connections to pull a stream that did not come about")                    \
    X(TS_BAD_FRAME, "ts_bad_frames", "frames out of a transport stream that could not be used (dropped)")              \
    X(PUBLISH_ACCEPTED, "publish_accepted", "publishers accepted")                                                     \
    X(PUBLISH_REFUSED_BUSY, "publish_refused_busy", "publishers refused: the name is in use")                          \
    X(PUBLISH_REFUSED_KEY, "publish_refused_key", "publishers refused: wrong or missing key")                          \
    X(PUBLISH_REFUSED_NAME, "publish_refused_name", "publishers refused: bad name")                                    \
    X(PUBLISH_REFUSED_CODEC, "publish_refused_codec", "publishers refused: unsupported codec")                         \
    X(PUBLISH_REFUSED_LIMIT, "publish_refused_limit", "publishers refused: too many streams")                          \
    X(PUBLISH_TAKEOVER, "publish_takeovers", "publishers that replaced another")                                       \
    X(PUBLISH_RESUMED, "publish_resumed", "publishers that came back within the hold time")                            \
    X(STREAM_ENDED, "streams_ended", "streams ended for good")                                                         \
    X(REPAIR_WRAP, "repairs_wrap", "timestamp wraps followed")                                                         \
    X(REPAIR_JUMP, "repairs_jump", "timestamp jumps that started a new era")                                           \
    X(REPAIR_BACKWARD, "repairs_backward", "timestamps that went back and were pushed forward")                        \
    X(REPAIR_JITTER, "repairs_jitter", "timestamps pulled onto the frame grid")                                        \
    X(REPAIR_COMPOSITION, "repairs_composition", "composition offsets that were missing or impossible")                \
    X(REPAIR_DRIFT, "repairs_drift", "audio clock drift slewed")                                                       \
    X(REPAIR_OVERLAP, "repairs_overlap", "audio frames dropped because they overlapped")                               \
    X(REPAIR_GAP, "repairs_gap", "holes in a track bridged")                                                           \
    X(FRAMES_DAMAGED, "frames_damaged", "frames that arrived damaged")                                                 \
    X(FRAMES_DAMAGE_DROPPED, "frames_dropped_damaged", "frames dropped: damaged, or in need of one that was")          \
    X(METADATA, "metadata_packets", "timed metadata packets received")                                                 \
    X(METADATA_DROPPED, "metadata_dropped", "timed metadata packets dropped: too large, or before any frame")          \
    X(ERAS, "eras", "eras started after the first of a stream (discontinuities)")                                      \
    X(HTTP_ACCEPTED, "http_connections_accepted", "HTTP connections accepted")                                         \
    X(HTTP_CLOSED, "http_connections_closed", "HTTP connections closed")                                               \
    X(HTTP_REFUSED_TOTAL, "http_refused_connections", "HTTP connections refused: too many")                            \
    X(HTTP_REQUESTS, "http_requests", "HTTP requests answered")                                                        \
    X(HTTP_2XX, "http_responses_2xx", "HTTP responses 2xx")                                                            \
    X(HTTP_3XX, "http_responses_3xx", "HTTP responses 3xx")                                                            \
    X(HTTP_4XX, "http_responses_4xx", "HTTP responses 4xx")                                                            \
    X(HTTP_5XX, "http_responses_5xx", "HTTP responses 5xx")                                                            \
    X(HTTP_BYTES_OUT, "http_bytes_sent", "bytes sent to HTTP clients")                                                 \
    X(HTTP_HEADER_TIMEOUT, "http_header_timeouts", "HTTP connections closed: request head too slow")                   \
    X(HTTP_IDLE_TIMEOUT, "http_idle_timeouts", "HTTP connections closed: idle")                                        \
    X(HTTP_STALL_TIMEOUT, "http_stall_timeouts", "HTTP connections closed: the client does not read")                  \
    X(HTTP_LIMIT_HEADER, "http_limit_header_bytes", "HTTP requests with too large a head")                             \
    X(HTTP_LIMIT_URL, "http_limit_url_bytes", "HTTP requests with too long a URL")                                     \
    X(HTTP_LIMIT_BODY, "http_limit_body_bytes", "HTTP requests with too large a body")                                 \
    X(HTTP_MALFORMED, "http_malformed", "HTTP requests that could not be read")                                        \
    X(HTTP2_OPENED, "http2_connections", "HTTP connections that spoke HTTP/2")                                         \
    X(HTTP2_MALFORMED, "http2_malformed", "HTTP/2 connections closed: protocol broken")                                \
    X(HTTP2_LIMIT_RESETS, "http2_limit_resets", "HTTP/2 connections closed: too many requests taken back")             \
    X(HTTP2_LIMIT_CONTROLS, "http2_limit_controls", "HTTP/2 connections closed: too many frames without a request")    \
    X(HTTP2_LIMIT_PINNED, "http2_limit_pinned_bytes", "HTTP/2 requests refused: too much asked for and not taken")     \
    X(HTTP2_STREAM_STALLED, "http2_stream_stalls", "HTTP/2 answers ended: the client opens no window")                 \
    X(HLS_WAITS, "hls_waits", "requests that wait for a playlist or part to be born")                                  \
    X(HLS_WAIT_ANSWERED, "hls_waits_answered", "of them, those that it was born for")                                  \
    X(HLS_WAIT_TIMEOUT, "hls_waits_timed_out", "of them, those it did not come for in three target durations (503)")   \
    X(HLS_WAIT_GONE, "hls_waits_gone", "of them, those whose client left")                                             \
    X(HLS_BAD_DIRECTIVES, "hls_bad_directives", "playlist requests with directives that mean nothing (400)")           \
    X(HLS_LIMIT_CONNECTION_WAITS, "hls_limit_connection_waits", "requests refused: too many of the connection wait")   \
    X(HLS_LIMIT_STREAM_WAITS, "hls_limit_stream_waits", "requests refused: too many wait for the stream")              \
    X(TLS_OPENED, "tls_handshakes", "TLS handshakes finished")                                                         \
    X(TLS_RESUMED, "tls_resumed", "of them, those that resumed an earlier session")                                    \
    X(TLS_FAILED, "tls_failed", "TLS handshakes that failed")                                                          \
    X(TLS_TIMEOUT, "tls_handshake_timeouts", "TLS connections closed: handshake not finished in time")                 \
    X(TLS_WAITED, "tls_waited", "TLS handshakes that waited: too many were under way")                                 \
    X(TLS_GAVE_WAY, "tls_gave_way", "TLS handshakes ended: no progress while others waited")                           \
    X(TLS_PLAIN_TALK, "tls_plain_talk", "connections to a TLS port that did not speak TLS")                            \
    X(DVR_WRITTEN, "dvr_segments_written", "segments written to disk")                                                 \
    X(DVR_BYTES_WRITTEN, "dvr_bytes_written", "bytes written to disk")                                                 \
    X(DVR_REFUSED, "dvr_segments_refused", "segments not taken for the disk: it was behind by too much")               \
    X(DVR_FAILED, "dvr_segments_failed", "segments that could not be written")                                         \
    X(DVR_EVICTED, "dvr_chunks_evicted", "chunks deleted before their time: dvr_bytes reached, or the disk full")      \
    X(DVR_EXPIRED, "dvr_chunks_expired", "chunks deleted because their time was over")                                 \
    X(DVR_LOADED, "dvr_segments_loaded", "segments read from disk")                                                    \
    X(DVR_LOAD_REFUSED, "dvr_loads_refused", "requests for segments on disk refused: too many wait")                   \
    X(DVR_LOAD_FAILED, "dvr_loads_failed", "segments on disk that could not be read, or were damaged")                 \
    X(DVR_ANSWERS_LOST, "dvr_answers_lost",                                                                            \
      "what was read from disk and could not be told to a loop that stood still")                                      \
    X(MAILBOX_FULL, "mailbox_full", "messages between threads refused: mailbox full")

enum counter {
#define X(id, name, help) COUNTER_##id,
    WEIR_COUNTERS(X)
#undef X
        COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

static inline void counter_add(struct counters *c, enum counter id, uint64_t n)
{
    /* one writer: a relaxed load and store is enough, and costs what a plain integer costs */
    const uint64_t now = atomic_load_explicit(&c->values[id], memory_order_relaxed);
    atomic_store_explicit(&c->values[id], now + n, memory_order_relaxed);
}
static inline uint64_t counter_read(const struct counters *c, enum counter id)
{
    return atomic_load_explicit(&c->values[id], memory_order_relaxed);
}
const char *counter_name(enum counter id);
const char *counter_help(enum counter id);

#endif

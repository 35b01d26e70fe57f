/* Configuration: what an operator can set, by file (YAML) or by --set, through one table of dotted keys.
 * Pure: text in, struct out. Every error says where (line, or the --set), what was wrong and what was expected. */
#ifndef WEIR_SERVER_CONFIG_H
#define WEIR_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/limits.h>
#include <weir/ingest/srt_url.h>
#include <weir/stream/stream.h>
#include <weir/transcode/audio_coder.h>
#include <weir/transcode/ladder_plan.h>

#define CONFIG_LIST_MAX 16 /* values of any key */
#define CONFIG_ADDRESSES_MAX 8
#define CONFIG_ORIGINS_MAX CONFIG_LIST_MAX
#define CONFIG_ORIGIN_BYTES 128
#define CONFIG_ADDRESS_BYTES 64
#define CONFIG_PATHS_MAX 128
#define CONFIG_AUDIO_RUNGS_MAX 4
#define CONFIG_TEXT_BYTES 256
#define CONFIG_SRT_PORTS_MAX 32
#define CONFIG_FILE_BYTES_MAX (1 * MIB)

struct config_addresses {
    char items[CONFIG_ADDRESSES_MAX][CONFIG_ADDRESS_BYTES];
    uint32_t count;
    bool is_given; /* by the operator, not by default */
};

struct config_origins {
    char items[CONFIG_ORIGINS_MAX][CONFIG_ORIGIN_BYTES];
    uint32_t count;
};

enum config_access {
    ACCESS_LOCAL_OR_KEY = 1, /* loopback without a key, everyone else with it */
    ACCESS_OPEN,
    ACCESS_KEY, /* the key, from anywhere */
    ACCESS_DENY,
};

struct config_hls {
    int64_t segment_us, segment_max_us /* 0: one and a half times segment, by epoch twice */, window_us, hold_us;
    int64_t part_us /* 0: no low latency */, part_hold_back_us /* 0: three times part */;
    bool can_skip;
    int64_t container; /* enum stream_container */
    int64_t numbering; /* enum stream_numbering */
    int64_t dvr_us /* 0: nothing is kept on disk */, vod_keep_us;
    int64_t dvr_stream_bytes; /* 0: no limit of its own */
    int64_t is_event;
};

/* What holds for the callers of one SRT port. */
struct config_srt_port {
    char address[CONFIG_ADDRESS_BYTES];
    char stream[STREAM_NAME_BYTES_MAX + 1]; /* for callers that name none; "": they are refused */
    int64_t default_mode;                   /* enum srt_mode; SRT_UNSAID: as srt.default_mode */
    struct srt_options options;
};

/* What a path says of transcoding. */
struct config_ladder {
    bool is_on;
    struct ladder_config wish;
    char backend[RUNG_WORD_BYTES];
    bool requires_gpu;
    int64_t latency; /* enum ladder_latency */
};

enum audio_mode {
    AUDIO_UNSAID = 0, /* auto with a ladder, pass without */
    AUDIO_PASS,
    AUDIO_AUTO, /* what HLS cannot carry becomes AAC */
    AUDIO_AAC,  /* what is not AAC becomes it */
    AUDIO_OPUS,
    AUDIO_RUNGS, /* of the first track; the others as auto */
};
struct config_audio {
    int64_t mode;    /* enum audio_mode */
    bool has_source; /* AUDIO_RUNGS: the track itself is shown beside them */
    struct audio_rung_config rungs[CONFIG_AUDIO_RUNGS_MAX];
    size_t rung_count;
};

struct config_path {
    char pattern[CONFIG_TEXT_BYTES]; /* fnmatch; `*` also matches slashes */
    enum config_access access;
    char key[RTMP_NAME_BYTES_MAX + 1]; /* "": the server's own */
    bool may_take_over;
    enum damage_policy on_damage;
    struct config_hls hls;
    struct srt_options srt; /* what this path says of its own */
    struct config_ladder ladder;
    struct config_audio audio;
    int64_t thumbnail_us;             /* at most one in so much time; 0: none */
    char pull[SRT_URL_BYTES_MAX + 1]; /* "": publishers come to us. Holds secrets */
};

struct config {
    struct config_addresses rtmp, http, srt;
    struct config_addresses rtmps, https;                         /* without a certificate: none */
    struct config_origins origins;                                /* pages that may read answers; "*": all */
    char tls_cert[CONFIG_TEXT_BYTES], tls_key[CONFIG_TEXT_BYTES]; /* files; "": no TLS */
    struct config_path defaults;                                  /* for names that no pattern matches */
    struct config_path *paths;
    size_t path_count;
    struct config_srt_port *srt_ports; /* ports with something of their own, beside those of `srt` */
    size_t srt_port_count;
    struct srt_options srt_options; /* complete: what nobody else says */
    char srt_stream[STREAM_NAME_BYTES_MAX + 1];
    int64_t srt_default_mode; /* enum srt_mode */
    uint32_t srt_connections, srt_connections_per_address, srt_attempts, srt_attempts_per_address;
    int64_t dvr_bytes;        /* on disk, of all streams */
    uint32_t transcode_share; /* percent of the cores, for all ladders together */
    uint64_t gpus;            /* bits of device numbers; 0: all */
    int64_t drain_us;         /* how long players may fetch what came last when the process is to end */
    int64_t gather_us, idle_us, handshake_us, publish_us, silent_us;
    int64_t retain_us; /* how long the playlist of a stream that ended stays up */
    uint32_t rtmp_connections, rtmp_connections_per_address, http_connections, streams;
    uint32_t loops;                    /* 0: one per core */
    bool may_dump_core;                /* a core holds the keys */
    char state_dir[CONFIG_TEXT_BYTES]; /* "": the default place */
    char log_level[CONFIG_TEXT_BYTES];
    char log_format[16];
};

#define CONFIG_ERROR_BYTES 512
struct config_error {
    char text[CONFIG_ERROR_BYTES];
};

void config_init(struct config *c); /* the defaults */
void config_deinit(struct config *c);
/* "hls.segment=2s"; lists are comma separated. WEIR_CONFIG: error->text says why, *c is as it was. */
WEIR_MUST_CHECK enum weir_err config_set(struct config *c, const char *assignment, struct config_error *error);
/* A whole YAML file. file_name is for the error text. */
WEIR_MUST_CHECK enum weir_err config_load_yaml(struct config *c, const char *text, size_t bytes, const char *file_name,
                                               struct config_error *error);
/* The file's `paths` once more, from scratch: their entries start from what holds for all by now. After config_set. */
WEIR_MUST_CHECK enum weir_err config_load_yaml_paths(struct config *c, const char *text, size_t bytes,
                                                     const char *file_name, struct config_error *error);
/* What belongs together: window against segment, and so on; fills in what hangs on something else. Call after everything is
 * set. */
WEIR_MUST_CHECK enum weir_err config_check(struct config *c, struct config_error *error);
/* The rule for a stream name: the first pattern that matches, or the defaults. Lent. */
const struct config_path *config_path_for(const struct config *c, const char *stream_name);
/* What holds for callers of a path on a port: the path's own over the port's over what holds for all. port: NULL for pulls. */
void config_srt_options(const struct config *c, const struct config_srt_port *port, const struct config_path *path,
                        struct srt_options *options);
void config_policy(const struct config_path *path, struct stream_policy *policy);
/* What becomes of the path's audio; never AUDIO_UNSAID. */
enum audio_mode config_audio_mode(const struct config_path *path);
bool config_path_transcodes(
    const struct config_path *path); /* it has a ladder, or audio that is not simply passed: further renditions */
bool config_transcodes(const struct config *c); /* any path does, or has thumbnails */

/* "250ms", "2s", "1.5s", "2m", "1h"; plain numbers are refused: a time without a unit is a question. */
WEIR_MUST_CHECK bool duration_parse(const char *text, int64_t *us);
void duration_format(int64_t us, char out[24]);

/* "8192", "512k", "12M", "1G" (thousands), "12MiB" (1024s). */
WEIR_MUST_CHECK bool amount_parse(const char *text, int64_t *amount);

#endif

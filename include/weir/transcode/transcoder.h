/* transcoder: what all ladders of a process share: the backends of this machine, found by using them, the budget, the figures.
 * Thread: transcoder_create and _destroy on one; the rest from any. transcoder_report and transcoder_choose may wait a second or two for a
 * probe and are no calls for a loop; nothing else here waits. */
#ifndef WEIR_TRANSCODE_TRANSCODER_H
#define WEIR_TRANSCODE_TRANSCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/transcode/backend.h>

#define BACKENDS_MAX 8
#define DEVICES_MAX 8

struct transcoder;

struct transcoder_config {
    const struct backend *const *backends; /* in order of preference; NULL: all that are built in */
    size_t backend_count;
    uint32_t cores;          /* 0: as many as there are */
    uint32_t share_percent;  /* of them, that ladders may use together; 0: 80 */
    uint64_t devices;        /* bits of the GPUs that may be used, by number; 0: all */
    const char *memory_root; /* where /proc and /sys are, for tests; NULL: here. Lent, outlives it */
    int64_t ask_again_us;    /* how long a ladder that did not fit waits before it asks again; 0: ten seconds */
};

WEIR_MUST_CHECK enum weir_err transcoder_create(struct transcoder **out, const struct transcoder_config *config);
/* Waits until the threads of ladders that were destroyed have ended, up to wait_us; false: some hang in a driver, and what they
 * use is left alone with them. */
bool transcoder_destroy(struct transcoder *t, int64_t wait_us);
struct transcode_figures *transcoder_figures(struct transcoder *t); /* of all ladders; lent */

/* What a backend did when it was tried: decoded, scaled, encoded with IDRs where they were asked for. Found at the first question, kept. */
struct backend_report {
    const struct backend *backend;
    uint32_t device_count;
    bool can_decode[CODEC_VP9 + 1]; /* by enum media_codec; looked at for H264, HEVC, AV1, VP9 */
    bool can_scale;
    bool can_encode[CODEC_AV1 + 1];
    uint32_t variant[CODEC_AV1 + 1]; /* of the backend's encoders, the one that did */
    uint32_t encode_sessions;        /* H.264 sessions that could be open at once; 0: no limit found */
    int64_t took_us;
    char note[CODEC_VP9 + 2]
             [BACKEND_ERROR_BYTES]; /* why not, per codec encoded; [0]: the device or the whole backend */
};
/* Fills reports for the backends in their order, returns how many. Probes what was not probed yet: up to a second or two on a CPU. */
size_t transcoder_report(struct transcoder *t, struct backend_report reports[BACKENDS_MAX]);
/* The same of what was probed so far; never waits. */
size_t transcoder_known(struct transcoder *t, struct backend_report reports[BACKENDS_MAX]);
/* Probes H.264 on a thread of its own, so that the first ladder finds the answer. */
void transcoder_warm_up(struct transcoder *t);

/* A place to decode or encode: the best backend after `not_before` in the order that can do it, on the device where the picture is, else
 * on the one with the least to do. name: "auto", or one backend, which is then followed by the CPU unless must_be_gpu. */
struct backend_choice {
    const struct backend *backend;
    struct backend_device *device; /* lent, as long as the transcoder lives */
    size_t rank;                   /* its place in the order */
    uint32_t device_index, variant;
};
enum backend_duty { DUTY_DECODE = 1, DUTY_ENCODE };
/* picture: what is to be encoded, NULL where there is none. WEIR_NOT_FOUND: none is left; error->text says what was tried. Give it back with transcoder_release. */
WEIR_MUST_CHECK enum weir_err transcoder_choose(struct transcoder *t, enum backend_duty duty, enum media_codec codec,
                                                const char *name, bool must_be_gpu, size_t not_before,
                                                const struct AVFrame *picture, struct backend_choice *out,
                                                struct backend_error *error);
void transcoder_release(struct transcoder *t, enum backend_duty duty, const struct backend_choice *choice);

/* The budget: cores, and memory of this process' control group and machine. Books what the plan needs on the level that it returns; give
 * the same to transcoder_leave. Reads a few files. */
struct admission_ticket {
    double cores;
    uint64_t memory_bytes; /* promised and perhaps not yet taken; 0: settled */
    uint32_t level;        /* of shedding; above shed_level_last(): refused, nothing is booked */
    /* where memory is why it is not level 0: */
    bool is_for_memory;
    uint64_t memory_wanted, memory_left;
};
struct admission_wish {
    const struct ladder_plan *plan;
    const struct ladder_source *source;
    const char *backend; /* as of transcoder_choose */
    bool must_be_gpu;
    int64_t kept_us; /* how long what comes out is kept */
};
struct admission_ticket transcoder_admit(struct transcoder *t, const struct admission_wish *wish);
/* Whether a ladder that did not fit as a whole fits better now, with some air, so that two do not take turns: then the ticket is one for a
 * lower level. Ask no sooner than transcoder_ask_again_us after the last time. */
bool transcoder_readmit(struct transcoder *t, const struct admission_wish *wish, struct admission_ticket *ticket);
int64_t transcoder_ask_again_us(const struct transcoder *t);
/* The ladder has been at work for a while: its memory is counted by the kernel now. */
void transcoder_settle(struct transcoder *t, struct admission_ticket *ticket);
void transcoder_leave(struct transcoder *t, const struct admission_ticket *ticket);
void transcoder_learn_encode(struct transcoder *t, enum media_codec codec, enum preset_speed speed, uint64_t pixels,
                             uint64_t core_ns);
void transcoder_learn_decode(struct transcoder *t, uint64_t pixels, uint64_t core_ns);
/* Threads of ladders keep the transcoder alive between these two. */
void transcoder_enter_thread(struct transcoder *t);
void transcoder_leave_thread(struct transcoder *t);

#endif

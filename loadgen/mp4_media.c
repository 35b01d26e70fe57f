/* Media segments and parts: moof and mdat pairs (ISO 14496-12, 8.8), and the NAL units in their samples. */
#include <stdlib.h>
#include <string.h>

#include "mp4_box.h"

enum {
    MOOF = BOX_TYPE('m', 'o', 'o', 'f'),
    MFHD = BOX_TYPE('m', 'f', 'h', 'd'),
    TRAF = BOX_TYPE('t', 'r', 'a', 'f'),
    TFHD = BOX_TYPE('t', 'f', 'h', 'd'),
    TFDT = BOX_TYPE('t', 'f', 'd', 't'),
    TRUN = BOX_TYPE('t', 'r', 'u', 'n'),
    MDAT = BOX_TYPE('m', 'd', 'a', 't'),
};
enum { TFHD_BASE = 0x1, TFHD_INDEX = 0x2, TFHD_DURATION = 0x8, TFHD_SIZE = 0x10, TFHD_FLAGS = 0x20 };
enum {
    TRUN_OFFSET = 0x1,
    TRUN_FIRST = 0x4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_CTS = 0x800
};
#define FLAG_NON_SYNC 0x10000u
#define SAMPLE_SECONDS_MAX 10

struct reading {
    const struct mp4_init *init;
    struct mp4_media *m;
    struct mp4_findings *f;
    const uint8_t *data;
    size_t bytes, sample_capacity;
    enum mp4_depth depth;
    enum weir_err err;
    /* per track of the init: where the fragment before ended */
    bool has_end[LOADGEN_TRACKS_MAX];
    int64_t end_dts[LOADGEN_TRACKS_MAX];
    bool has_sequence;
    uint32_t sequence;
};

/* One traf while it is read. */
struct run {
    const struct mp4_track *track;
    uint32_t duration, bytes, flags; /* defaults */
    int64_t dts;
    size_t moof_offset, data_at; /* where the next sample lies */
};

static struct mp4_sample *add_sample(struct reading *s)
{
    struct mp4_media *m = s->m;
    if (m->sample_count == LOADGEN_SAMPLES_MAX) {
        s->err = WEIR_LIMIT;
        return NULL;
    }
    if (m->sample_count == s->sample_capacity) {
        const size_t capacity = s->sample_capacity ? 2 * s->sample_capacity : 64;
        struct mp4_sample *grown = realloc(m->samples, capacity * sizeof *grown);
        if (!grown) {
            s->err = WEIR_NOMEM;
            return NULL;
        }
        m->samples = grown;
        s->sample_capacity = capacity;
    }
    return &m->samples[m->sample_count++];
}

/* FNV-1a, 64 bits: to compare samples of a part and of a segment, not to withstand an attacker. */
static uint64_t digest_add(uint64_t digest, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ data[i]) * 0x100000001B3ull;
    return digest;
}

static uint64_t digest_number(uint64_t digest, uint64_t number)
{
    for (int i = 0; i < 8; i++) digest = (digest ^ (number >> 8 * i & 0xFF)) * 0x100000001B3ull;
    return digest;
}

static uint64_t sample_digest(const struct reading *s, const struct mp4_sample *sample)
{
    uint64_t digest = digest_number(0xCBF29CE484222325ull, (uint64_t)sample->dts);
    digest = digest_number(digest, (uint64_t)sample->pts);
    digest = digest_number(digest, (uint64_t)sample->duration << 1 | sample->is_sync);
    if (sample->offset <= s->bytes && sample->bytes <= s->bytes - sample->offset)
        digest = digest_add(digest, s->data + sample->offset, sample->bytes);
    return digest;
}

/* -- boxes of a traf -- */

static bool read_tfhd(struct reading *s, const struct mp4_box *box, struct run *run)
{
    struct byte_reader r;
    byte_reader_init(&r, box->body, box->body_bytes);
    const uint32_t flags = read_u32(&r) & 0xFFFFFF, id = read_u32(&r);
    for (size_t i = 0; i < s->init->track_count; i++) {
        if (s->init->tracks[i].id == id) run->track = &s->init->tracks[i];
    }
    mp4_expect(s->f, MP4_V4, run->track != NULL, box->offset, "a track of the init", "track %u", id);
    if (!run->track) return false;
    mp4_expect(s->f, MP4_V14, !(flags & TFHD_BASE), box->offset, "no base_data_offset", "tfhd flags %06x", flags);
    if (flags & TFHD_BASE) read_u64(&r);
    if (flags & TFHD_INDEX) read_u32(&r);
    run->duration = flags & TFHD_DURATION ? read_u32(&r) : run->track->default_duration;
    run->bytes = flags & TFHD_SIZE ? read_u32(&r) : run->track->default_bytes;
    run->flags = flags & TFHD_FLAGS ? read_u32(&r) : run->track->default_flags;
    return !r.failed;
}

static bool read_tfdt(const struct mp4_box *box, int64_t *dts)
{
    struct byte_reader r;
    byte_reader_init(&r, box->body, box->body_bytes);
    const uint32_t version = read_u32(&r) >> 24;
    *dts = version ? (int64_t)read_u64(&r) : read_u32(&r);
    return !r.failed && *dts >= 0 && *dts < INT64_MAX / 4;
}

static void check_duration(struct reading *s, const struct run *run, const struct mp4_sample *sample, size_t offset)
{
    const bool holds = sample->duration > 0 && sample->duration <= (uint64_t)run->track->timescale * SAMPLE_SECONDS_MAX;
    mp4_expect(s->f, MP4_V7, holds, offset, "more than 0, at most 10 s", "%u ticks of 1/%u s", sample->duration,
               run->track->timescale);
}

static bool read_trun(struct reading *s, const struct mp4_box *box, struct run *run)
{
    struct byte_reader r;
    byte_reader_init(&r, box->body, box->body_bytes);
    const uint32_t head = read_u32(&r), flags = head & 0xFFFFFF, count = read_u32(&r);
    if (flags & TRUN_OFFSET) run->data_at = run->moof_offset + (size_t)(int64_t)(int32_t)read_u32(&r);
    const uint32_t first_flags = flags & TRUN_FIRST ? read_u32(&r) : run->flags;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        struct mp4_sample sample = { .dts = run->dts, .offset = run->data_at };
        sample.duration = flags & TRUN_DURATION ? read_u32(&r) : run->duration;
        sample.bytes = flags & TRUN_SIZE ? read_u32(&r) : run->bytes;
        const uint32_t own = flags & TRUN_FLAGS ? read_u32(&r) : i ? run->flags : first_flags;
        const uint32_t offset = flags & TRUN_CTS ? read_u32(&r) : 0;
        if (r.failed) break;
        sample.is_sync = !(own & FLAG_NON_SYNC);
        sample.pts = sample.dts + (head >> 24 ? (int64_t)(int32_t)offset : (int64_t)offset);
        check_duration(s, run, &sample, box->offset);
        struct mp4_sample *kept = add_sample(s);
        if (!kept) return false;
        *kept = sample;
        run->dts += sample.duration;
        run->data_at += sample.bytes;
        /* a sample of no bytes and no box entry would let one number make a quarter of a million of them */
        if (!(flags & (TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | TRUN_CTS)) && !sample.bytes) break;
    }
    return !r.failed;
}

/* -- a fragment -- */

static void check_times(struct reading *s, const struct mp4_fragment *fragment, size_t offset)
{
    const size_t index = (size_t)(fragment->track - s->init->tracks);
    const struct mp4_sample *samples = s->m->samples + fragment->first_sample;
    if (s->has_end[index])
        mp4_expect(s->f, MP4_V6, samples[0].dts == s->end_dts[index], offset, "tfdt where the fragment before ended",
                   "tfdt %lld, expected %lld", (long long)samples[0].dts, (long long)s->end_dts[index]);
    const struct mp4_sample *last = &samples[fragment->sample_count - 1];
    s->has_end[index] = true;
    s->end_dts[index] = last->dts + last->duration;
}

/* Sample data against the mdat that follows. */
static void check_payload(struct reading *s, const struct mp4_fragment *fragment, const struct mp4_box *mdat)
{
    const struct mp4_sample *samples = s->m->samples + fragment->first_sample;
    const size_t payload_at = mdat->offset + (mdat->bytes - mdat->body_bytes);
    uint64_t sum = 0;
    for (size_t i = 0; i < fragment->sample_count; i++) sum += samples[i].bytes;
    mp4_expect(s->f, MP4_V2, sum == mdat->body_bytes, mdat->offset, "sample sizes that fill mdat",
               "samples of %llu bytes, payload of %zu", (unsigned long long)sum, mdat->body_bytes);
    mp4_expect(s->f, MP4_V3, samples[0].offset == payload_at, mdat->offset, "data_offset at the payload",
               "it points to byte %zu, the payload begins at %zu", samples[0].offset, payload_at);
}

static void read_traf(struct reading *s, const struct mp4_walk *parent, const struct mp4_box *moof,
                      const struct mp4_box *traf)
{
    struct mp4_walk inside;
    struct mp4_box tfhd = { .type = 0 }, tfdt = { .type = 0 }, box;
    struct run run = { .moof_offset = moof->offset };
    mp4_walk_into(&inside, parent, traf, 0);
    const bool has_both = mp4_walk_find(inside, TFHD, &tfhd) && mp4_walk_find(inside, TFDT, &tfdt);
    if (!mp4_expect(s->f, MP4_V1, has_both, traf->offset, "tfhd and tfdt in traf", "one is missing")) return;
    if (!read_tfhd(s, &tfhd, &run)) return;
    if (!mp4_expect(s->f, MP4_V1, read_tfdt(&tfdt, &run.dts), tfdt.offset, "a readable tfdt",
                    "cut short, or too large"))
        return;
    if (s->m->fragment_count == LOADGEN_FRAGMENTS_MAX) {
        s->err = WEIR_LIMIT;
        return;
    }
    struct mp4_fragment fragment = { .track = run.track, .sequence = s->sequence, .first_sample = s->m->sample_count };
    bool is_read = true;
    while (is_read && mp4_walk_next(&inside, &box)) {
        if (box.type == TRUN) is_read = read_trun(s, &box, &run);
    }
    if (s->err) return;
    fragment.sample_count = s->m->sample_count - fragment.first_sample;
    mp4_expect(s->f, MP4_V1, is_read && fragment.sample_count > 0, traf->offset, "a trun with samples",
               "none, or cut short");
    if (!fragment.sample_count) return;
    struct mp4_fragment *grown = realloc(s->m->fragments, (s->m->fragment_count + 1) * sizeof *grown);
    if (!grown) {
        s->err = WEIR_NOMEM;
        return;
    }
    s->m->fragments = grown;
    grown[s->m->fragment_count++] = fragment;
    check_times(s, &fragment, traf->offset);
}

static void read_moof(struct reading *s, const struct mp4_walk *file, const struct mp4_box *moof)
{
    struct mp4_walk inside;
    struct mp4_box box;
    mp4_walk_into(&inside, file, moof, 0);
    const bool has_sequence = mp4_walk_find(inside, MFHD, &box) && box.body_bytes >= 8;
    mp4_expect(s->f, MP4_V1, has_sequence, moof->offset, "mfhd in moof", "none");
    if (has_sequence) {
        const uint32_t sequence = load_u32(box.body + 4);
        if (s->has_sequence)
            mp4_expect(s->f, MP4_V5, sequence > s->sequence, box.offset, "a rising sequence_number", "%u behind %u",
                       sequence, s->sequence);
        s->has_sequence = true;
        s->sequence = sequence;
    }
    bool has_traf = false;
    while (!s->err && mp4_walk_next(&inside, &box)) {
        if (box.type != TRAF) continue;
        has_traf = true;
        read_traf(s, file, moof, &box);
    }
    mp4_expect(s->f, MP4_V1, has_traf, moof->offset, "traf in moof", "none");
}

/* -- samples -- */

enum nal_sort { NAL_OTHER = 1, NAL_PICTURE, NAL_RANDOM_ACCESS, NAL_SETS };

static enum nal_sort sort_of(enum media_codec codec, uint8_t first)
{
    if (codec == CODEC_H264) {
        const unsigned type = first & 0x1F;
        return type == 5                ? NAL_RANDOM_ACCESS
               : type == 7 || type == 8 ? NAL_SETS
               : type >= 1 && type <= 4 ? NAL_PICTURE
                                        : NAL_OTHER;
    }
    const unsigned type = first >> 1 & 0x3F;
    if (type >= 16 && type <= 23) return NAL_RANDOM_ACCESS;
    if (type >= 32 && type <= 34) return NAL_SETS;
    return type < 16 ? NAL_PICTURE : NAL_OTHER;
}

static void check_nal_units(struct reading *s, const struct mp4_track *t, const struct mp4_sample *sample)
{
    const uint8_t *at = s->data + sample->offset;
    size_t left = sample->bytes;
    bool has_access = false, has_picture = false, has_sets = false;
    while (left > t->facts.nal_length_bytes) {
        size_t bytes = 0;
        for (unsigned i = 0; i < t->facts.nal_length_bytes; i++) bytes = bytes << 8 | at[i];
        at += t->facts.nal_length_bytes;
        left -= t->facts.nal_length_bytes;
        if (bytes > left || !bytes) {
            left = 1;
            break;
        }
        const enum nal_sort sort = sort_of(t->facts.codec, at[0]);
        has_access |= sort == NAL_RANDOM_ACCESS;
        has_picture |= sort == NAL_PICTURE;
        has_sets |= sort == NAL_SETS;
        at += bytes;
        left -= bytes;
    }
    if (!mp4_expect(s->f, MP4_V9, left == 0, sample->offset, "NAL units that fill the sample",
                    "a length past the end of %u bytes", sample->bytes))
        return;
    if (!strcmp(t->entry, "avc1") || !strcmp(t->entry, "hvc1"))
        mp4_expect(s->f, MP4_V10, !has_sets, sample->offset, "parameter sets in the init alone", "some in an %s sample",
                   t->entry);
    if (has_access || has_picture)
        mp4_expect(s->f, MP4_T8, sample->is_sync == (has_access && !has_picture), sample->offset,
                   "sync = random access picture", "sync %d, picture %s", sample->is_sync,
                   has_access ? "of random access" : "that needs others");
}

static void check_sample(struct reading *s, const struct mp4_track *t, const struct mp4_sample *sample)
{
    const bool is_inside = sample->offset <= s->bytes && sample->bytes <= s->bytes - sample->offset;
    mp4_expect(s->f, MP4_V3, is_inside, 0, "samples inside the file", "one at byte %zu of %u bytes", sample->offset,
               sample->bytes);
    mp4_expect(s->f, MP4_V17, sample->pts >= 0, sample->offset, "presentation times from 0 on", "%lld",
               (long long)sample->pts);
    const bool has_nal = t->has_facts && !t->is_encrypted && t->facts.nal_length_bytes &&
                         (t->facts.codec == CODEC_H264 || t->facts.codec == CODEC_HEVC);
    if (is_inside && has_nal) check_nal_units(s, t, sample);
}

static int compare_pts(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_unique_times(struct reading *s, const struct mp4_track *t)
{
    int64_t *times = malloc((s->m->sample_count + 1) * sizeof *times);
    size_t count = 0;
    if (!times) return;
    for (size_t i = 0; i < s->m->fragment_count; i++) {
        const struct mp4_fragment *f = &s->m->fragments[i];
        for (size_t k = 0; f->track == t && k < f->sample_count; k++)
            times[count++] = s->m->samples[f->first_sample + k].pts;
    }
    qsort(times, count, sizeof *times, compare_pts);
    for (size_t i = 1; i < count; i++)
        mp4_expect(s->f, MP4_V17, times[i] != times[i - 1], 0, "one presentation time per sample", "%lld twice",
                   (long long)times[i]);
    free(times);
}

static void check_samples(struct reading *s)
{
    /* samples that overlap would make a small file a long read */
    uint64_t budget_bytes = 2 * (uint64_t)s->bytes;
    for (size_t i = 0; i < s->m->fragment_count; i++) {
        const struct mp4_fragment *f = &s->m->fragments[i];
        for (size_t k = 0; k < f->sample_count; k++) {
            struct mp4_sample *sample = &s->m->samples[f->first_sample + k];
            if (!mp4_expect(s->f, MP4_V2, sample->bytes <= budget_bytes, sample->offset, "samples that do not overlap",
                            "more sample bytes than the file has"))
                return;
            budget_bytes -= sample->bytes;
            check_sample(s, f->track, sample);
            sample->digest = sample_digest(s, sample);
        }
    }
    for (size_t i = 0; i < s->init->track_count; i++) check_unique_times(s, &s->init->tracks[i]);
}

/* An mdat that reaches past the end of the data: what a byte range that ends with a picture leaves of it. */
static bool take_cut_mdat(struct reading *s, const struct mp4_walk *file)
{
    const size_t at = (size_t)(file->at - s->data), left = s->bytes - at;
    if (s->depth != MP4_PICTURE || left < 16 || load_u32(file->at + 4) != MDAT) return false;
    const struct mp4_fragment *last = s->m->fragment_count ? &s->m->fragments[s->m->fragment_count - 1] : NULL;
    const size_t payload_at = at + (load_u32(file->at) == 1 ? 16 : 8);
    if (last)
        mp4_expect(s->f, MP4_V3, s->m->samples[last->first_sample].offset == payload_at, at,
                   "data_offset at the payload", "it points to byte %zu, the payload begins at %zu",
                   s->m->samples[last->first_sample].offset, payload_at);
    return true;
}

/* Of the last fragment, the samples that are whole. */
static void leave_out_cut_samples(struct reading *s)
{
    struct mp4_media *m = s->m;
    struct mp4_fragment *last = m->fragment_count ? &m->fragments[m->fragment_count - 1] : NULL;
    while (last && last->sample_count) {
        const struct mp4_sample *sample = &m->samples[last->first_sample + last->sample_count - 1];
        if (sample->offset <= s->bytes && sample->bytes <= s->bytes - sample->offset) return;
        last->sample_count--;
        m->sample_count--;
    }
    if (last) m->fragment_count--;
}

static void read_boxes(struct reading *s)
{
    struct mp4_walk file;
    struct mp4_box box, moof = { .type = 0 };
    bool has_moof = false;
    size_t first_fragment = 0;
    mp4_walk_init(&file, s->data, s->data, s->bytes);
    while (!s->err && (mp4_walk_next(&file, &box) || file.is_broken)) {
        if (file.is_broken && has_moof && take_cut_mdat(s, &file)) {
            has_moof = false;
            break;
        }
        if (!mp4_expect(s->f, MP4_V20, !file.is_broken, (size_t)(file.at - s->data), "boxes that fill the file",
                        "a size that does not fit"))
            break;
        if (box.type == MOOF) {
            mp4_expect(s->f, MP4_V1, !has_moof, box.offset, "mdat behind each moof", "moof behind moof");
            moof = box;
            has_moof = true;
            first_fragment = s->m->fragment_count;
            read_moof(s, &file, &moof);
        } else if (box.type == MDAT) {
            mp4_expect(s->f, MP4_V1, has_moof, box.offset, "moof in front of mdat", "mdat alone");
            if (has_moof && s->m->fragment_count == first_fragment + 1)
                check_payload(s, &s->m->fragments[first_fragment], &box);
            has_moof = false;
        }
    }
    mp4_expect(s->f, MP4_V1, !has_moof && s->m->fragment_count > 0, moof.offset, "moof with mdat", "%s",
               has_moof ? "no mdat behind the last moof" : "no readable fragment");
}

enum weir_err mp4_media_read(const struct mp4_init *init, const uint8_t *data, size_t bytes, enum mp4_depth depth,
                             struct mp4_media **out)
{
    struct mp4_media *m = calloc(1, sizeof *m);
    if (!m) return WEIR_NOMEM;
    struct reading s = { .init = init, .m = m, .f = &m->findings, .data = data, .bytes = bytes, .depth = depth };
    read_boxes(&s);
    if (s.err == WEIR_NOMEM) {
        mp4_media_destroy(m);
        return WEIR_NOMEM;
    }
    if (depth == MP4_PICTURE) leave_out_cut_samples(&s);
    if (depth != MP4_TIMES) check_samples(&s);
    *out = m;
    return s.err ? s.err : m->fragment_count ? WEIR_OK : WEIR_MALFORMED;
}

void mp4_media_destroy(struct mp4_media *m)
{
    if (!m) return;
    free(m->fragments);
    free(m->samples);
    free(m);
}

bool mp4_media_span(const struct mp4_media *m, enum media_kind kind, struct mp4_span *out)
{
    *out = (struct mp4_span){ .track = NULL, .shortest_sample = UINT32_MAX };
    for (size_t i = 0; i < m->fragment_count; i++) {
        const struct mp4_fragment *f = &m->fragments[i];
        if (f->track->kind != kind || (out->track && out->track != f->track)) continue;
        for (size_t k = 0; k < f->sample_count; k++) {
            const struct mp4_sample *sample = &m->samples[f->first_sample + k];
            if (!out->track) {
                out->track = f->track;
                out->start_dts = sample->dts;
                out->start_pts = out->least_pts = sample->pts;
                out->starts_with_sync = sample->is_sync;
            }
            out->sample_count++;
            out->has_sync |= sample->is_sync;
            out->end_dts = sample->dts + sample->duration;
            if (sample->pts < out->least_pts) out->least_pts = sample->pts;
            if (sample->pts != sample->dts) out->has_b_frames = true;
            if (sample->duration > out->longest_sample) out->longest_sample = sample->duration;
            if (sample->duration < out->shortest_sample) out->shortest_sample = sample->duration;
        }
    }
    return out->track != NULL;
}

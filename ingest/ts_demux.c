/* Packets to their readers: PIDs, continuity, PAT and PMT, the program's streams. */
#include <weir/ingest/ts_demux.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ts_internal.h"
#include "ts_packet.h"
#include "ts_section.h"

#define NO_SLOT 0xFF
#define CONTINUITY_STEPS 16

/* A PID that is followed. */
struct slot {
    bool is_stale; /* stale: the PMT at hand does not name it (yet) */
    uint16_t pid;
    uint8_t continuity;
    bool has_continuity;
    uint64_t fingerprint; /* of the last payload, to know a duplicate */
    struct ts_section *section;
    void (*take_section)(void *context, struct byte_span section);
    struct ts_elementary *elementary;
    struct pes_reader pes;
    struct ts_stream stream;
    struct ts_demux *owner;
};

struct ts_demux {
    struct ts_demux_config config;
    struct ts_output out;
    struct ts_framer framer;
    uint8_t slot_of[TS_PIDS];
    struct slot *slots[TS_PIDS_MAX];
    uint16_t clock_pid, pmt_pid, program;
    uint32_t pat_crc, pmt_crc; /* of the last ones that were read: the same bytes again say nothing new */
    bool has_pat, has_pmt;
};

/* -- the way out -- */

void ts_output_count(struct ts_output *out, enum counter id)
{
    counter_add(out->counters, id, 1);
}

void ts_output_problem(struct ts_output *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out->events.problem(out->events.context, text);
}

void ts_output_announce(struct ts_output *out, struct ts_track *track, bool *is_announced)
{
    if (*is_announced) return;
    *is_announced = true;
    if (track->codec) {
        uint32_t *used = &out->used_indexes[track->kind];
        track->index = (unsigned)__builtin_ctz(~*used);
        *used |= 1u << track->index;
    }
    out->events.track(out->events.context, track);
}

void ts_output_retract(struct ts_output *out, const struct ts_track *track, bool *is_announced)
{
    if (!*is_announced) return;
    *is_announced = false;
    if (track->codec) out->used_indexes[track->kind] &= ~(1u << track->index);
    out->events.track_gone(out->events.context, track);
}

void ts_output_frame(struct ts_output *out, const struct ts_frame *frame)
{
    assert(frame->bytes && frame->offset + frame->bytes <= blob_bytes(frame->message));
    out->figures.frames[frame->kind]++;
    if (frame->is_damaged) {
        out->figures.frames_damaged[frame->kind]++;
        ts_output_count(out, COUNTER_TS_UNITS_DAMAGED);
    }
    out->events.frame(out->events.context, frame);
}

/* -- slots -- */

static struct slot *slot_find(struct ts_demux *d, unsigned pid)
{
    return d->slot_of[pid] == NO_SLOT ? NULL : d->slots[d->slot_of[pid]];
}

/* NULL: all are taken, or no memory. */
static struct slot *slot_add(struct ts_demux *d, unsigned pid)
{
    size_t index = 0;
    while (index < TS_PIDS_MAX && d->slots[index]) index++;
    if (index == TS_PIDS_MAX) {
        ts_output_count(&d->out, COUNTER_TS_LIMIT_STREAMS);
        return NULL;
    }
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot) {
        d->out.is_out_of_memory = true;
        return NULL;
    }
    slot->pid = (uint16_t)pid;
    slot->owner = d;
    d->slots[index] = slot;
    d->slot_of[pid] = (uint8_t)index;
    return slot;
}

static void slot_remove(struct ts_demux *d, struct slot *slot)
{
    if (!slot) return;
    ts_output_retract(&d->out, &slot->stream.kind.track, &slot->stream.is_announced);
    d->slots[d->slot_of[slot->pid]] = NULL;
    d->slot_of[slot->pid] = NO_SLOT;
    if (slot->elementary) slot->elementary->destroy(slot->elementary->sink.context);
    free(slot->section);
    free(slot);
}

static struct slot *slot_add_sections(struct ts_demux *d, unsigned pid, size_t bytes_max,
                                      void (*take)(void *context, struct byte_span section))
{
    struct slot *slot = slot_add(d, pid);
    if (!slot) return NULL;
    slot->section = calloc(1, sizeof *slot->section);
    if (!slot->section) {
        d->out.is_out_of_memory = true;
        slot_remove(d, slot);
        return NULL;
    }
    slot->section->bytes_max = bytes_max;
    slot->take_section = take;
    return slot;
}

/* -- the program's streams -- */

static void take_scte35(void *context, struct byte_span section)
{
    struct slot *slot = context;
    if (section.data[0] == TS_TABLE_SCTE35) ts_scte35_take(&slot->owner->out, &slot->stream, section);
}

static struct ts_elementary *make_reader(struct ts_demux *d, struct ts_stream *stream)
{
    switch (stream->kind.role) {
    case TS_ROLE_VIDEO: return ts_video_create(&d->out, stream, d->config.may_end_early);
    case TS_ROLE_ID3:
    case TS_ROLE_KLV: return ts_metadata_create(&d->out, stream);
    default: return ts_audio_create(&d->out, stream);
    }
}

/* How many streams of a kind are carried already. */
static unsigned count_carried(const struct ts_demux *d, enum media_kind kind)
{
    unsigned count = 0;
    for (size_t i = 0; i < TS_PIDS_MAX; i++)
        count += d->slots[i] && d->slots[i]->elementary && d->slots[i]->stream.kind.track.kind == kind;
    return count;
}

static void apply_limits(struct ts_demux *d, struct slot *slot)
{
    struct ts_track *track = &slot->stream.kind.track;
    if (slot->stream.kind.role == TS_ROLE_NONE || !track->kind) return;
    const unsigned limit = track->kind == MEDIA_VIDEO ? 1 : TS_AUDIO_TRACKS_MAX;
    if (count_carried(d, track->kind) < limit) return;
    ts_output_count(&d->out, COUNTER_TS_LIMIT_STREAMS);
    const size_t name_bytes = strnlen(track->what, 12);
    snprintf(track->what + name_bytes, sizeof track->what - name_bytes, " (one too many)");
    slot->stream.kind.role = TS_ROLE_NONE;
    track->codec = 0;
}

static void start_stream(struct ts_demux *d, struct slot *slot)
{
    struct ts_stream *stream = &slot->stream;
    apply_limits(d, slot);
    if (stream->kind.role == TS_ROLE_SCTE35) {
        slot->section = calloc(1, sizeof *slot->section);
        if (slot->section) slot->section->bytes_max = TS_PRIVATE_SECTION_BYTES_MAX;
        slot->take_section = take_scte35;
        d->out.is_out_of_memory |= !slot->section;
    } else if (stream->kind.role != TS_ROLE_NONE) {
        slot->elementary = make_reader(d, stream);
        d->out.is_out_of_memory |= !slot->elementary;
    } else {
        ts_output_count(&d->out, COUNTER_TS_STREAMS_UNSUPPORTED);
    }
    /* MPEG audio says in its frames which layer it is */
    if (stream->kind.role != TS_ROLE_MPEG_AUDIO)
        ts_output_announce(&d->out, &stream->kind.track, &stream->is_announced);
}

/* What a PMT says of a PID that is followed already: nothing new, another language, or another stream altogether. */
static bool is_same_stream(const struct slot *slot, const struct ts_stream_kind *kind)
{
    const struct ts_stream_kind *known = &slot->stream.kind;
    if (known->role == TS_ROLE_NONE || kind->role == TS_ROLE_NONE)
        return known->role == kind->role && !strcmp(known->track.what, kind->track.what);
    return known->role == kind->role && known->opus_channel_code == kind->opus_channel_code &&
           (kind->role != TS_ROLE_VIDEO || known->track.codec == kind->track.codec);
}

static void update_language(struct ts_demux *d, struct slot *slot, const struct ts_track *track)
{
    struct ts_track *known = &slot->stream.kind.track;
    if (!strcmp(known->language, track->language) && known->audio_type == track->audio_type) return;
    memcpy(known->language, track->language, sizeof known->language);
    known->audio_type = track->audio_type;
    if (slot->stream.is_announced) d->out.events.track(d->out.events.context, known);
}

static void join_stream(struct ts_demux *d, const struct ts_stream_kind *kind)
{
    struct slot *slot = slot_add(d, kind->track.pid);
    if (!slot) return;
    slot->stream.kind = *kind;
    start_stream(d, slot);
}

struct pmt_walk {
    struct byte_span streams;
    unsigned left;
};

/* The next stream of a PMT that may have a slot: not a table's PID, not one too many. */
static bool next_stream(struct ts_demux *d, struct pmt_walk *walk, struct ts_pmt_stream *out)
{
    while (walk->left && ts_pmt_next(&walk->streams, out)) {
        walk->left--;
        if (out->pid != TS_PID_PAT && out->pid != d->pmt_pid && out->pid != TS_PID_NULL) return true;
    }
    return false;
}

static void count_streams_beyond(struct ts_demux *d, struct byte_span streams)
{
    struct ts_pmt_stream stream;
    unsigned count = 0;
    while (ts_pmt_next(&streams, &stream)) count++;
    if (count <= TS_STREAMS_MAX) return;
    counter_add(d->out.counters, COUNTER_TS_LIMIT_STREAMS, count - TS_STREAMS_MAX);
    ts_output_problem(&d->out, "the program has %u streams; the first %u are looked at", count, TS_STREAMS_MAX);
}

/* Those that stay keep their readers; then the gone ones make room; then the new ones join, in the order of the PMT. */
static void reconcile(struct ts_demux *d, const struct ts_pmt *pmt)
{
    struct ts_pmt_stream stream;
    struct ts_stream_kind kind;
    for (size_t i = 0; i < TS_PIDS_MAX; i++)
        if (d->slots[i]) d->slots[i]->is_stale = true;
    for (struct pmt_walk walk = { pmt->streams, TS_STREAMS_MAX }; next_stream(d, &walk, &stream);) {
        struct slot *slot = slot_find(d, stream.pid);
        ts_stream_kind_read(&stream, pmt->descriptors, &kind);
        if (!slot || !is_same_stream(slot, &kind)) continue;
        slot->is_stale = false;
        update_language(d, slot, &kind.track);
    }
    for (size_t i = 0; i < TS_PIDS_MAX; i++) {
        struct slot *slot = d->slots[i];
        if (slot && slot->is_stale && slot->pid != TS_PID_PAT && slot->pid != d->pmt_pid) slot_remove(d, slot);
    }
    for (struct pmt_walk walk = { pmt->streams, TS_STREAMS_MAX }; next_stream(d, &walk, &stream);) {
        ts_stream_kind_read(&stream, pmt->descriptors, &kind);
        if (!slot_find(d, stream.pid)) join_stream(d, &kind);
    }
    count_streams_beyond(d, pmt->streams);
}

/* -- tables -- */

static void section_malformed(void *context, bool is_too_long)
{
    struct slot *slot = context;
    struct ts_output *out = &slot->owner->out;
    ts_output_count(out, is_too_long ? COUNTER_TS_LIMIT_SECTION : COUNTER_TS_SECTIONS_MALFORMED);
    ts_output_problem(out, "PID %u: a table's section that is %s; dropped", slot->pid,
                      is_too_long ? "longer than such sections may be" : "cut or has a wrong CRC");
}

static uint32_t crc_of(struct byte_span section)
{
    return load_u32(section.data + section.bytes - 4);
}

static void take_pmt(void *context, struct byte_span section)
{
    struct ts_demux *d = ((struct slot *)context)->owner;
    struct ts_pmt pmt;
    bool is_malformed;
    if (d->has_pmt && crc_of(section) == d->pmt_crc) return;
    if (!ts_pmt_read(section, &pmt, &is_malformed)) {
        if (is_malformed) section_malformed(context, false);
        return;
    }
    if (pmt.program_number != d->program) return; /* several programs' tables may share a PID */
    d->has_pmt = true;
    d->pmt_crc = crc_of(section);
    d->clock_pid = pmt.clock_pid;
    reconcile(d, &pmt);
    if (d->out.is_out_of_memory) d->has_pmt = false; /* perhaps next time */
}

static void leave_program(struct ts_demux *d)
{
    for (size_t i = 0; i < TS_PIDS_MAX; i++)
        if (d->slots[i] && d->slots[i]->pid != TS_PID_PAT) slot_remove(d, d->slots[i]);
    d->program = d->pmt_pid = 0;
    d->has_pmt = false;
    d->clock_pid = TS_PID_NULL;
}

static void enter_program(struct ts_demux *d, uint16_t program, uint16_t pid)
{
    if (pid == TS_PID_PAT || pid == TS_PID_NULL) {
        ts_output_problem(&d->out, "program %u has its table on PID %u, where none may be", program, pid);
        return;
    }
    if (!slot_add_sections(d, pid, TS_SECTION_BYTES_MAX, take_pmt)) {
        d->has_pat = false; /* with more memory, perhaps next time */
        return;
    }
    d->program = program;
    d->pmt_pid = pid;
}

/* What a PAT's section says about the program to carry. */
struct choice {
    unsigned programs;
    uint16_t program, pid; /* 0: it is not in there */
};

static struct choice choose(const struct ts_demux *d, struct byte_span programs)
{
    struct choice c = { .programs = 0 };
    for (size_t at = 0; at + 4 <= programs.bytes && c.programs < TS_PROGRAMS_MAX; at += 4) {
        const uint16_t number = load_u16(programs.data + at), pid = load_u16(programs.data + at + 2) & 0x1FFF;
        if (!number) continue; /* the network's PID */
        c.programs++;
        /* the one that is carried stays the first as long as it is there */
        const bool is_wanted = d->config.program_number ? number == d->config.program_number
                                                        : !c.program || number == d->program;
        if (is_wanted) c.program = number, c.pid = pid;
    }
    return c;
}

static void take_pat(void *context, struct byte_span section)
{
    struct ts_demux *d = ((struct slot *)context)->owner;
    struct ts_pat pat;
    bool is_malformed;
    if (d->has_pat && crc_of(section) == d->pat_crc) return;
    if (!ts_pat_read(section, &pat, &is_malformed)) {
        if (is_malformed) section_malformed(context, false);
        return;
    }
    d->has_pat = true;
    d->pat_crc = crc_of(section);
    const struct choice c = choose(d, pat.programs);
    if (c.programs == TS_PROGRAMS_MAX) ts_output_count(&d->out, COUNTER_TS_LIMIT_PROGRAMS);
    if (pat.last_number && (!c.program || (d->program && c.program != d->program)))
        return; /* it may stand in another section */
    if (c.program && d->program == c.program && d->pmt_pid == c.pid) return;
    counter_add(d->out.counters, COUNTER_TS_PROGRAMS_IGNORED, c.programs - (c.program ? 1 : 0));
    leave_program(d);
    if (c.program) {
        enter_program(d, c.program, c.pid);
        return;
    }
    if (c.programs)
        ts_output_problem(&d->out, "program %u is not in the stream, which has %u others", d->config.program_number,
                          c.programs);
}

/* -- packets -- */

static void lose(struct slot *slot)
{
    if (slot->section) ts_section_note_loss(slot->section);
    if (!slot->elementary) return;
    pes_reader_note_loss(&slot->pes);
    slot->elementary->note_loss(slot->elementary->sink.context);
}

/* The next PES begins a new stretch: what is open ends here. */
static void finish_unit(struct slot *slot)
{
    const bool is_short = slot->pes.state == PES_IN_PAYLOAD && slot->pes.is_bounded;
    if (slot->section) ts_section_note_loss(slot->section);
    if (slot->elementary) slot->elementary->flush(slot->elementary->sink.context, !is_short);
}

static uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Of a payload, cheaply: its length, and its bytes at the start, in the middle and at the end. */
static uint64_t fingerprint_of(struct byte_span payload)
{
    uint64_t v = payload.bytes;
    if (payload.bytes >= 8) {
        v = v * 0x9E3779B97F4A7C15 + load_u64(payload.data);
        v = v * 0x9E3779B97F4A7C15 + load_u64(payload.data + payload.bytes / 2 - 4);
        v = v * 0x9E3779B97F4A7C15 + load_u64(payload.data + payload.bytes - 8);
    } else {
        for (size_t i = 0; i < payload.bytes; i++) v = v * 0x9E3779B97F4A7C15 + payload.data[i];
    }
    return v;
}

/* false: a duplicate, to be ignored. */
static bool check_continuity(struct ts_demux *d, struct slot *slot, const uint8_t *p, const struct ts_packet *packet)
{
    const unsigned continuity = ts_packet_continuity(p);
    const uint64_t fingerprint = fingerprint_of(packet->payload);
    const bool is_repeat = slot->has_continuity && continuity == slot->continuity;
    if (is_repeat && fingerprint == slot->fingerprint) {
        d->out.figures.duplicates++;
        ts_output_count(&d->out, COUNTER_TS_DUPLICATES);
        return false;
    }
    const bool is_next = !slot->has_continuity || continuity == (slot->continuity + 1u) % CONTINUITY_STEPS;
    if (!is_next && packet->is_discontinuity && ts_packet_is_start(p)) {
        finish_unit(slot); /* declared, and between two PES packets: nothing is missing */
    } else if (!is_next) {
        d->out.figures.errors_continuity++;
        ts_output_count(&d->out, COUNTER_TS_CONTINUITY_ERRORS);
        lose(slot);
    }
    slot->has_continuity = true;
    slot->continuity = (uint8_t)continuity;
    slot->fingerprint = fingerprint;
    return true;
}

static void refuse_scrambled(struct ts_demux *d, struct slot *slot, const uint8_t *p)
{
    d->out.figures.scrambled++;
    ts_output_count(&d->out, COUNTER_TS_SCRAMBLED);
    ts_output_problem(
        &d->out, "PID %u is scrambled, and there is no key for it; send it unencrypted (SRT has its own encryption)",
        slot->pid);
    lose(slot);
    slot->has_continuity = false;
}

static void take_payload(struct slot *slot, const uint8_t *p, const struct ts_packet *packet)
{
    const bool is_start = ts_packet_is_start(p);
    if (slot->section) {
        const struct ts_section_sink sink = { slot, slot->take_section, section_malformed };
        ts_section_feed(slot->section, packet->payload, is_start, &sink);
    } else if (slot->elementary) {
        pes_reader_feed(&slot->pes, packet->payload, is_start, packet->is_stuffed, &slot->elementary->sink);
    }
}

/* The clock's break comes between the unit that this packet ends and the one that it begins. */
static void break_clock(struct ts_demux *d, struct slot *slot, bool is_start)
{
    if (slot && is_start) finish_unit(slot);
    ts_output_count(&d->out, COUNTER_TS_CLOCK_BREAKS);
    d->out.events.clock_break(d->out.events.context);
}

static void take_packet(struct ts_demux *d, const uint8_t *p)
{
    struct ts_packet packet;
    struct slot *slot = slot_find(d, ts_packet_pid(p));
    const bool is_clock = ts_packet_pid(p) == d->clock_pid;
    if (ts_packet_has_error(p)) {
        d->out.figures.errors_transport++;
        ts_output_count(&d->out, COUNTER_TS_TRANSPORT_ERRORS);
        if (slot) lose(slot);
        return;
    }
    if (!slot && !is_clock) return;
    if (!ts_packet_parse(p, &packet)) {
        ts_output_count(&d->out, COUNTER_TS_PACKETS_MALFORMED);
        if (slot) lose(slot);
        return;
    }
    if (slot && packet.has_payload && ts_packet_is_scrambled(p)) {
        refuse_scrambled(d, slot, p);
        return;
    }
    const bool is_new = slot && packet.has_payload && check_continuity(d, slot, p, &packet);
    if (is_clock && packet.is_discontinuity && packet.has_clock) break_clock(d, slot, is_new && ts_packet_is_start(p));
    if (is_new) take_payload(slot, p, &packet);
}

/* -- doors -- */

struct ts_demux *ts_demux_create(const struct ts_demux_config *config, const struct ts_demux_events *events,
                                 struct counters *counters)
{
    assert(counters && events->track && events->track_gone && events->config && events->codec && events->frame &&
           events->metadata && events->clock_break && events->problem);
    struct ts_demux *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->config = *config;
    d->out = (struct ts_output){ .events = *events, .counters = counters, .takes_layer2 = config->takes_layer2 };
    d->clock_pid = TS_PID_NULL;
    memset(d->slot_of, NO_SLOT, sizeof d->slot_of);
    if (!slot_add_sections(d, TS_PID_PAT, TS_SECTION_BYTES_MAX, take_pat)) {
        ts_demux_destroy(d);
        return NULL;
    }
    return d;
}

void ts_demux_destroy(struct ts_demux *d)
{
    if (!d) return;
    for (size_t i = 0; i < TS_PIDS_MAX; i++) {
        if (d->slots[i]) d->slots[i]->stream.is_announced = false; /* nobody is told: the callee may be half gone too */
        slot_remove(d, d->slots[i]);
    }
    free(d);
}

static enum weir_err take_memory_state(struct ts_demux *d)
{
    const bool was_out = d->out.is_out_of_memory;
    d->out.is_out_of_memory = false;
    return was_out ? WEIR_NOMEM : WEIR_OK;
}

enum weir_err ts_demux_feed(struct ts_demux *d, const uint8_t *data, size_t bytes)
{
    struct byte_span in = { data, bytes };
    const uint64_t losses = d->framer.losses, skipped_bytes = d->framer.skipped_bytes;
    uint64_t packets = 0;
    const uint8_t *packet;
    while ((packet = ts_framer_next(&d->framer, &in))) {
        packets++;
        take_packet(d, packet);
    }
    d->out.figures.packets += packets;
    d->out.figures.resyncs += d->framer.losses - losses;
    counter_add(d->out.counters, COUNTER_TS_PACKETS, packets);
    counter_add(d->out.counters, COUNTER_TS_RESYNCS, d->framer.losses - losses);
    counter_add(d->out.counters, COUNTER_TS_BYTES_SKIPPED, d->framer.skipped_bytes - skipped_bytes);
    return take_memory_state(d);
}

void ts_demux_note_loss(struct ts_demux *d, size_t packets_max)
{
    ts_framer_note_loss(&d->framer);
    if (packets_max && packets_max < CONTINUITY_STEPS) return; /* the counters will tell */
    for (size_t i = 0; i < TS_PIDS_MAX; i++) {
        struct slot *slot = d->slots[i];
        if (!slot) continue;
        lose(slot);
        slot->has_continuity = false;
    }
}

enum weir_err ts_demux_flush(struct ts_demux *d)
{
    for (size_t i = 0; i < TS_PIDS_MAX; i++) {
        struct slot *slot = d->slots[i];
        if (slot && slot->elementary) slot->elementary->flush(slot->elementary->sink.context, false);
    }
    return take_memory_state(d);
}

const struct ts_demux_figures *ts_demux_figures(const struct ts_demux *d)
{
    return &d->out.figures;
}

#include "ts_recorder.h"

#include "hex.h"

#include <string.h>

uint64_t fnv(const uint8_t *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ data[i]) * 0x100000001b3;
    return hash;
}

static const char *kind_name(enum media_kind kind)
{
    return kind == MEDIA_VIDEO ? "video" : kind == MEDIA_AUDIO ? "audio" : "other";
}

static void write_track(struct ts_recorder *r, const char *event, const struct ts_track *t)
{
    write_format(&r->text, "%s %u %s", event, t->pid, kind_name(t->kind));
    if (t->codec)
        write_format(&r->text, " %u %s", t->index, codec_name(t->codec));
    else
        write_format(&r->text, " no: %s", t->what);
    if (t->language[0]) write_format(&r->text, " [%s]", t->language);
    if (t->audio_type) write_format(&r->text, " type %u", t->audio_type);
    write_text(&r->text, "\n");
}

static void on_track(void *context, const struct ts_track *track)
{
    write_track(context, "track", track);
}

static void on_track_gone(void *context, const struct ts_track *track)
{
    write_track(context, "gone", track);
}

static void on_config(void *context, enum media_kind kind, unsigned index, enum media_codec codec,
                      struct byte_span config)
{
    struct ts_recorder *r = context;
    struct codec_facts facts;
    const char *why = "";
    if (codec_describe(codec, config, &facts, &why)) fail_msg("config: %s", why);
    struct blob *copy = NULL;
    assert_int_equal(codec_config_from_wire(codec, config, &copy, &why), WEIR_OK);
    assert_int_equal(blob_bytes(copy), config.bytes);
    blob_unref(copy);
    write_format(&r->text, "config %s %u %s %s", kind_name(kind), index, codec_name(codec), facts.codec_string);
    if (kind == MEDIA_VIDEO)
        write_format(&r->text, " %ux%u\n", facts.width, facts.height);
    else
        write_format(&r->text, " %u Hz %u ch\n", facts.sample_rate, facts.channels);
}

static void on_codec(void *context, unsigned index, enum media_codec codec)
{
    write_format(&((struct ts_recorder *)context)->text, "codec audio %u %s\n", index, codec_name(codec));
}

static void on_frame(void *context, const struct ts_frame *f)
{
    struct ts_recorder *r = context;
    const uint8_t *data = blob_data(f->message) + f->offset;
    assert_true(f->bytes > 0 && f->offset + f->bytes <= blob_bytes(f->message));
    assert_true(f->pts_90k <= 0x1FFFFFFFF && f->dts_90k <= 0x1FFFFFFFF);
    write_format(&r->text, "%s %u %llu %llu %zu %016llx%s%s%s%s\n", kind_name(f->kind), f->index,
                 (unsigned long long)f->pts_90k, (unsigned long long)f->dts_90k, f->bytes,
                 (unsigned long long)fnv(data, f->bytes), f->kind == MEDIA_VIDEO && f->is_key ? " key" : "",
                 f->has_time ? "" : " untimed", f->is_damaged ? " damaged" : "", f->is_after_loss ? " after-loss" : "");
    blob_unref(f->message);
}

static void on_metadata(void *context, const struct ts_metadata *m)
{
    static const char *const names[] = { "", "id3", "scte35", "klv" };
    struct ts_recorder *r = context;
    write_format(&r->text, "metadata %s %u ", names[m->kind], m->pid);
    if (m->has_time)
        write_format(&r->text, "%llu", (unsigned long long)m->pts_90k);
    else
        write_text(&r->text, "-");
    write_format(&r->text, " %zu %016llx\n", blob_bytes(m->message),
                 (unsigned long long)fnv(blob_data(m->message), blob_bytes(m->message)));
    blob_unref(m->message);
}

static void on_clock_break(void *context)
{
    write_text(&((struct ts_recorder *)context)->text, "clock break\n");
}

static void on_problem(void *context, const char *text)
{
    struct ts_recorder *r = context;
    r->problems++;
    if (r->has_problems) write_format(&r->text, "problem %s\n", text);
}

void ts_recorder_init(struct ts_recorder *r)
{
    memset(r, 0, sizeof *r);
    byte_writer_init(&r->text, 16 * 1024 * 1024);
    r->events = (struct ts_demux_events){
        .context = r,
        .track = on_track,
        .track_gone = on_track_gone,
        .config = on_config,
        .codec = on_codec,
        .frame = on_frame,
        .metadata = on_metadata,
        .clock_break = on_clock_break,
        .problem = on_problem,
    };
}

void ts_recorder_deinit(struct ts_recorder *r)
{
    byte_writer_deinit(&r->text);
}

const char *ts_recorder_text(struct ts_recorder *r)
{
    write_u8(&r->text, 0);
    assert_false(r->text.failed);
    r->text.bytes--;
    return (const char *)r->text.data;
}

void ts_recorder_run(struct ts_recorder *r, const struct ts_demux_config *config, const uint8_t *data, size_t bytes,
                     size_t piece)
{
    struct ts_demux *d = ts_demux_create(config, &r->events, &r->counters);
    assert_non_null(d);
    for (size_t at = 0; at < bytes;) {
        const size_t part = !piece || piece > bytes - at ? bytes - at : piece;
        assert_int_equal(ts_demux_feed(d, data + at, part), WEIR_OK);
        at += part;
    }
    assert_int_equal(ts_demux_flush(d), WEIR_OK);
    ts_demux_destroy(d);
}

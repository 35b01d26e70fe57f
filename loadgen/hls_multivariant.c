/* Multivariant playlists (RFC 8216bis 4.4.6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/limits.h>
#include <weir/loadgen/hls_playlist.h>

#include "hls_internal.h"
#include "hls_text.h"

struct parser {
    struct hls_multivariant *m;
    unsigned line;
    bool is_full;
    struct hls_variant variant; /* waits for its URI */
    bool has_variant;
};

static void fault(struct parser *s, enum hls_fault_kind kind, const char *tag, const char *text)
{
    hls_fault_add(&s->m->faults, kind, s->line, tag, text);
}

static void need_version(struct parser *s, uint32_t version, const char *reason)
{
    if (version <= s->m->version_needed) return;
    s->m->version_needed = version;
    s->m->version_reason = reason;
}

static void read_number(struct parser *s, const char *value, uint64_t *out, const char *tag)
{
    if (!hls_read_integer(value, out)) fault(s, HLS_FAULT_VALUE, tag, value);
}

static void read_variant_attribute(struct parser *s, struct hls_variant *v, const struct hls_attribute *a,
                                   const char *tag)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "CODECS", &v->codecs },       { "AUDIO", &v->audio }, { "VIDEO", &v->video },
        { "SUBTITLES", &v->subtitles }, { "URI", &v->uri },     { "CLOSED-CAPTIONS", &v->closed_captions },
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!strcmp(a->name, texts[i].name)) *texts[i].text = a->value;
    }
    if (!strcmp(a->name, "BANDWIDTH")) read_number(s, a->value, &v->bandwidth_bps, tag);
    if (!strcmp(a->name, "AVERAGE-BANDWIDTH")) read_number(s, a->value, &v->average_bandwidth_bps, tag);
    if (!strcmp(a->name, "RESOLUTION") && !hls_read_resolution(a->value, &v->width, &v->height))
        fault(s, HLS_FAULT_VALUE, tag, a->value);
    if (!strcmp(a->name, "FRAME-RATE") && !hls_read_milli(a->value, &v->frame_rate_milli))
        fault(s, HLS_FAULT_VALUE, tag, a->value);
    if (!strcmp(a->name, "VIDEO-RANGE") && strcmp(a->value, "SDR") && strcmp(a->value, "HLG") && strcmp(a->value, "PQ"))
        fault(s, HLS_FAULT_ENUM, tag, a->value);
    if (!strncmp(a->name, "REQ-", 4)) need_version(s, 12, "a REQ- attribute");
}

static void read_variant(struct parser *s, char *value, const char *tag, bool is_iframes_only)
{
    struct hls_variant v = { .line = s->line, .is_iframes_only = is_iframes_only };
    struct hls_attribute a;
    enum hls_attributes more;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) read_variant_attribute(s, &v, &a, tag);
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!v.bandwidth_bps) fault(s, HLS_FAULT_MISSING, tag, "no BANDWIDTH");
    s->variant = v;
}

static void add_variant(struct parser *s)
{
    if (s->m->variant_count == LOADGEN_VARIANTS_MAX)
        s->is_full = true;
    else
        s->m->variants[s->m->variant_count++] = s->variant;
}

static void on_stream_inf(struct parser *s, char *value)
{
    if (s->has_variant) fault(s, HLS_FAULT_MISSING, "EXT-X-STREAM-INF", "the one before it has no URI");
    read_variant(s, value, "EXT-X-STREAM-INF", false);
    s->variant.uri = NULL;
    s->has_variant = true;
}

static void on_iframe_stream_inf(struct parser *s, char *value)
{
    const bool had_variant = s->has_variant;
    const struct hls_variant waiting = s->variant;
    read_variant(s, value, "EXT-X-I-FRAME-STREAM-INF", true);
    if (s->variant.uri)
        add_variant(s);
    else
        fault(s, HLS_FAULT_MISSING, "EXT-X-I-FRAME-STREAM-INF", "no URI");
    s->variant = waiting;
    s->has_variant = had_variant;
}

static void read_media_attribute(struct parser *s, struct hls_media *m, const struct hls_attribute *a, const char *tag)
{
    static const char *const types[] = { "", "AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS" };
    if (!strcmp(a->name, "TYPE")) {
        for (unsigned i = 1; i < ARRAY_LEN(types); i++) {
            if (!strcmp(a->value, types[i])) m->type = (enum hls_media_type)i;
        }
        if (!m->type) fault(s, HLS_FAULT_ENUM, tag, a->value);
    } else if (!strcmp(a->name, "GROUP-ID")) {
        m->group = a->value;
    } else if (!strcmp(a->name, "NAME")) {
        m->name = a->value;
    } else if (!strcmp(a->name, "URI")) {
        m->uri = a->value;
    } else if (!strcmp(a->name, "LANGUAGE")) {
        m->language = a->value;
    } else if (!strcmp(a->name, "CHANNELS")) {
        m->channels = a->value;
    } else if (!strcmp(a->name, "DEFAULT")) {
        m->is_default = hls_read_yes(&s->m->faults, a->value, s->line, tag);
    } else if (!strcmp(a->name, "AUTOSELECT")) {
        m->is_autoselect = hls_read_yes(&s->m->faults, a->value, s->line, tag);
    } else if (!strcmp(a->name, "INSTREAM-ID") && !strncmp(a->value, "SERVICE", 7)) {
        need_version(s, 7, "INSTREAM-ID SERVICE");
    }
}

static void on_media(struct parser *s, char *value)
{
    static const char tag[] = "EXT-X-MEDIA";
    struct hls_media m = { .line = s->line };
    struct hls_attribute a;
    enum hls_attributes more;
    while ((more = hls_attribute_next(&value, &a)) == HLS_ATTRIBUTES_NEXT) read_media_attribute(s, &m, &a, tag);
    if (more == HLS_ATTRIBUTES_BAD) fault(s, HLS_FAULT_TEXT, tag, value);
    if (!m.type || !m.group || !m.name)
        fault(s, HLS_FAULT_MISSING, tag, "no TYPE, GROUP-ID or NAME");
    else if (s->m->media_count == LOADGEN_VARIANTS_MAX)
        s->is_full = true;
    else
        s->m->media[s->m->media_count++] = m;
}

static void on_version(struct parser *s, char *value)
{
    uint64_t v;
    if (s->m->version_line) fault(s, HLS_FAULT_DUPLICATE, "EXT-X-VERSION", "stands twice");
    s->m->version_line = s->line;
    if (hls_read_integer(value, &v) && v >= 1 && v < 1000)
        s->m->version = (uint32_t)v;
    else
        fault(s, HLS_FAULT_VALUE, "EXT-X-VERSION", value);
}

static void on_independent(struct parser *s, char *value)
{
    s->m->is_independent = true;
}

static void on_define(struct parser *s, char *value)
{
    need_version(s, strstr(value, "QUERYPARAM") ? 11 : 8, "EXT-X-DEFINE");
}

static const struct {
    const char *tag;
    void (*read)(struct parser *s, char *value);
} handlers[] = {
    { "#EXT-X-STREAM-INF", on_stream_inf },
    { "#EXT-X-I-FRAME-STREAM-INF", on_iframe_stream_inf },
    { "#EXT-X-MEDIA", on_media },
    { "#EXT-X-VERSION", on_version },
    { "#EXT-X-INDEPENDENT-SEGMENTS", on_independent },
    { "#EXT-X-DEFINE", on_define },
};

static void read_line(struct parser *s, char *line)
{
    if (!*line) return;
    if (line[0] != '#') {
        if (!s->has_variant) {
            fault(s, HLS_FAULT_MISSING, "EXT-X-STREAM-INF", "a URI without it");
            return;
        }
        s->variant.uri = line;
        add_variant(s);
        s->has_variant = false;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        char *value = hls_tag_value(line, handlers[i].tag);
        if (value) handlers[i].read(s, value);
    }
}

enum weir_err hls_multivariant_parse(const char *text, size_t bytes, struct hls_multivariant **out)
{
    size_t lines;
    struct hls_multivariant *m = calloc(1, sizeof *m);
    if (!m) return WEIR_NOMEM;
    m->text = hls_text_copy(text, bytes, &lines);
    if (m->text && lines > LOADGEN_LINES_MAX) {
        hls_multivariant_destroy(m);
        return WEIR_LIMIT;
    }
    if (m->text) {
        m->variants = calloc(LOADGEN_VARIANTS_MAX, sizeof *m->variants);
        m->media = calloc(LOADGEN_VARIANTS_MAX, sizeof *m->media);
    }
    if (!m->variants || !m->media) {
        hls_multivariant_destroy(m);
        return WEIR_NOMEM;
    }
    m->version_needed = 1;
    m->version_reason = "nothing";
    hls_check_text(&m->faults, text, bytes);
    struct parser s = { .m = m };
    char *at = hls_text_start(m->text), *end = m->text + bytes, *line;
    while ((line = hls_line_next(&at, end))) {
        s.line++;
        read_line(&s, line);
    }
    if (s.has_variant) fault(&s, HLS_FAULT_MISSING, "EXT-X-STREAM-INF", "no URI behind the last one");
    if (s.is_full) {
        hls_multivariant_destroy(m);
        return WEIR_LIMIT;
    }
    *out = m;
    return WEIR_OK;
}

void hls_multivariant_destroy(struct hls_multivariant *m)
{
    if (!m) return;
    free(m->text);
    free(m->variants);
    free(m->media);
    free(m->faults.items);
    free(m);
}

/* Init segments: ftyp, moov with trak and mvex (ISO 14496-12 chapter 8; sample entries: 14496-12 12, 14496-14, 14496-15). */
#include <stdlib.h>
#include <string.h>

#include "mp4_box.h"

enum {
    MOOV = BOX_TYPE('m', 'o', 'o', 'v'),
    TRAK = BOX_TYPE('t', 'r', 'a', 'k'),
    TKHD = BOX_TYPE('t', 'k', 'h', 'd'),
    EDTS = BOX_TYPE('e', 'd', 't', 's'),
    ELST = BOX_TYPE('e', 'l', 's', 't'),
    MDIA = BOX_TYPE('m', 'd', 'i', 'a'),
    MDHD = BOX_TYPE('m', 'd', 'h', 'd'),
    HDLR = BOX_TYPE('h', 'd', 'l', 'r'),
    MINF = BOX_TYPE('m', 'i', 'n', 'f'),
    STBL = BOX_TYPE('s', 't', 'b', 'l'),
    STSD = BOX_TYPE('s', 't', 's', 'd'),
    MVEX = BOX_TYPE('m', 'v', 'e', 'x'),
    TREX = BOX_TYPE('t', 'r', 'e', 'x'),
    VIDE = BOX_TYPE('v', 'i', 'd', 'e'),
    SOUN = BOX_TYPE('s', 'o', 'u', 'n'),
};
#define VISUAL_ENTRY_BYTES 78
#define AUDIO_ENTRY_BYTES 28

/* Where the configuration of a sample entry lies. skip: the FullBox header that is not part of the record. */
static const struct {
    uint32_t entry, box;
    enum media_codec codec;
    unsigned skip;
} entries[] = {
    { BOX_TYPE('a', 'v', 'c', '1'), BOX_TYPE('a', 'v', 'c', 'C'), CODEC_H264, 0 },
    { BOX_TYPE('a', 'v', 'c', '3'), BOX_TYPE('a', 'v', 'c', 'C'), CODEC_H264, 0 },
    { BOX_TYPE('h', 'v', 'c', '1'), BOX_TYPE('h', 'v', 'c', 'C'), CODEC_HEVC, 0 },
    { BOX_TYPE('h', 'e', 'v', '1'), BOX_TYPE('h', 'v', 'c', 'C'), CODEC_HEVC, 0 },
    { BOX_TYPE('a', 'v', '0', '1'), BOX_TYPE('a', 'v', '1', 'C'), CODEC_AV1, 0 },
    { BOX_TYPE('v', 'p', '0', '9'), BOX_TYPE('v', 'p', 'c', 'C'), CODEC_VP9, 4 },
    { BOX_TYPE('m', 'p', '4', 'a'), BOX_TYPE('e', 's', 'd', 's'), CODEC_AAC, 4 },
    { BOX_TYPE('O', 'p', 'u', 's'), BOX_TYPE('d', 'O', 'p', 's'), CODEC_OPUS, 0 },
    { BOX_TYPE('f', 'L', 'a', 'C'), BOX_TYPE('d', 'f', 'L', 'a'), CODEC_FLAC, 4 },
    { BOX_TYPE('a', 'c', '-', '3'), BOX_TYPE('d', 'a', 'c', '3'), CODEC_AC3, 0 },
    { BOX_TYPE('e', 'c', '-', '3'), BOX_TYPE('d', 'e', 'c', '3'), CODEC_EAC3, 0 },
};

struct reading {
    struct mp4_init *init;
    struct mp4_walk file;
};

/* -- esds: the AudioSpecificConfig inside nested descriptors (ISO 14496-1, 7.2.6) -- */

/* Opens a descriptor of `tag`; false: another one, or cut short. */
static bool descriptor_open(struct byte_reader *r, unsigned tag, size_t *bytes)
{
    if (read_u8(r) != tag) return false;
    *bytes = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t b = read_u8(r);
        *bytes = *bytes << 7 | (b & 0x7F);
        if (!(b & 0x80)) break;
    }
    return !r->failed && *bytes <= byte_reader_left(r);
}

/* object_type: 0x40 AAC, 0x69 and 0x6B MP3. */
static struct byte_span esds_config(const uint8_t *body, size_t bytes, uint8_t *object_type)
{
    struct byte_reader r;
    size_t descriptor;
    const struct byte_span none = { NULL, 0 };
    byte_reader_init(&r, body, bytes);
    if (!descriptor_open(&r, 3, &descriptor)) return none;
    read_span(&r, 2);
    const uint8_t flags = read_u8(&r);
    if (flags & 0x80) read_span(&r, 2);
    if (flags & 0x40) read_span(&r, read_u8(&r));
    if (flags & 0x20) read_span(&r, 2);
    if (!descriptor_open(&r, 4, &descriptor)) return none;
    *object_type = read_u8(&r);
    read_span(&r, 12);
    if (r.failed || !descriptor_open(&r, 5, &descriptor)) return none;
    return read_span(&r, descriptor);
}

/* -- sample entries -- */

static void keep_config(struct reading *s, struct mp4_track *t, enum media_codec codec, const struct mp4_box *box,
                        unsigned skip)
{
    const char *why = "";
    struct byte_span config = { box->body + skip, box->body_bytes - skip };
    uint8_t object_type = 0x40;
    if (codec == CODEC_AAC) {
        config = esds_config(config.data, config.bytes, &object_type);
        if (object_type == 0x69 || object_type == 0x6B) return; /* MP3: the frames say the rest */
    }
    const bool is_read = config.data && config.bytes <= sizeof t->config &&
                         codec_describe(codec, config, &t->facts, &why) == WEIR_OK;
    mp4_expect(&s->init->findings, MP4_V11, is_read, box->offset, "a readable codec configuration", "%s: %s", t->entry,
               *why ? why : "no configuration, or one that is too long");
    if (!is_read) return;
    t->has_facts = true;
    memcpy(t->config, config.data, config.bytes);
    t->config_bytes = config.bytes;
}

static void read_entry(struct reading *s, struct mp4_track *t, const struct mp4_walk *parent,
                       const struct mp4_box *entry)
{
    mp4_type_text(entry->type, t->entry);
    t->is_encrypted = entry->type == BOX_TYPE('e', 'n', 'c', 'v') || entry->type == BOX_TYPE('e', 'n', 'c', 'a');
    const size_t head = t->kind == MEDIA_VIDEO ? VISUAL_ENTRY_BYTES : AUDIO_ENTRY_BYTES;
    if (entry->body_bytes < head) return;
    if (t->kind == MEDIA_VIDEO) {
        t->width = load_u16(entry->body + 24);
        t->height = load_u16(entry->body + 26);
    }
    struct mp4_walk inside;
    mp4_walk_into(&inside, parent, entry, head);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct mp4_box config;
        if (entries[i].entry != entry->type) continue;
        const bool has_box = mp4_walk_find(inside, entries[i].box, &config) && config.body_bytes >= entries[i].skip;
        mp4_expect(&s->init->findings, MP4_V11, has_box, entry->offset, "a codec configuration box", "%s without one",
                   t->entry);
        if (has_box) keep_config(s, t, entries[i].codec, &config, entries[i].skip);
    }
    if (!t->has_facts) return;
    if (t->kind == MEDIA_VIDEO && t->facts.width)
        mp4_expect(&s->init->findings, MP4_V18, t->width == t->facts.width && t->height == t->facts.height,
                   entry->offset, "the size that the parameter sets say", "%ux%u in the entry, %ux%u in the sets",
                   t->width, t->height, t->facts.width, t->facts.height);
    if (t->kind == MEDIA_AUDIO && t->facts.sample_rate)
        mp4_expect(&s->init->findings, MP4_V19,
                   t->timescale == t->facts.sample_rate || t->timescale * 2ull == t->facts.sample_rate, entry->offset,
                   "timescale = sample rate (or half, with SBR)", "timescale %u, rate %u", t->timescale,
                   t->facts.sample_rate);
}

/* -- boxes on the way there -- */

static void read_stbl(struct reading *s, struct mp4_track *t, const struct mp4_walk *parent, const struct mp4_box *stbl)
{
    static const struct {
        uint32_t type;
        unsigned count_at; /* in the body */
    } tables[] = { { BOX_TYPE('s', 't', 't', 's'), 4 },
                   { BOX_TYPE('s', 't', 's', 'c'), 4 },
                   { BOX_TYPE('s', 't', 'c', 'o'), 4 },
                   { BOX_TYPE('s', 't', 's', 'z'), 8 } };
    struct mp4_walk inside;
    struct mp4_box box;
    mp4_walk_into(&inside, parent, stbl, 0);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        const bool is_empty = mp4_walk_find(inside, tables[i].type, &box) && box.body_bytes >= tables[i].count_at + 4 &&
                              load_u32(box.body + tables[i].count_at) == 0;
        char name[5];
        mp4_type_text(tables[i].type, name);
        mp4_expect(&s->init->findings, MP4_V15, is_empty, stbl->offset, "empty sample tables",
                   "%s is missing or filled", name);
    }
    if (!mp4_walk_find(inside, STSD, &box) || box.body_bytes < 8) {
        mp4_expect(&s->init->findings, MP4_V11, false, stbl->offset, "a sample description", "no stsd");
        return;
    }
    struct mp4_walk list;
    struct mp4_box entry;
    mp4_walk_into(&list, &inside, &box, 8);
    if (mp4_walk_next(&list, &entry) && t->kind) read_entry(s, t, &list, &entry);
}

static void read_mdia(struct reading *s, struct mp4_track *t, const struct mp4_walk *parent, const struct mp4_box *mdia)
{
    struct mp4_walk inside, minf_inside;
    struct mp4_box mdhd, hdlr, minf, stbl;
    mp4_walk_into(&inside, parent, mdia, 0);
    if (mp4_walk_find(inside, MDHD, &mdhd) && mdhd.body_bytes >= 24) {
        const size_t at = mdhd.body[0] == 1 ? 20 : 12;
        if (mdhd.body_bytes >= at + 4) t->timescale = load_u32(mdhd.body + at);
    }
    if (mp4_walk_find(inside, HDLR, &hdlr) && hdlr.body_bytes >= 12) {
        const uint32_t handler = load_u32(hdlr.body + 8);
        t->kind = handler == VIDE ? MEDIA_VIDEO : handler == SOUN ? MEDIA_AUDIO : 0;
    }
    mp4_expect(&s->init->findings, MP4_V15, t->timescale > 0, mdia->offset, "a timescale in mdhd", "none, or 0");
    if (!mp4_walk_find(inside, MINF, &minf)) return;
    mp4_walk_into(&minf_inside, &inside, &minf, 0);
    if (mp4_walk_find(minf_inside, STBL, &stbl)) read_stbl(s, t, &minf_inside, &stbl);
}

static void read_trak(struct reading *s, const struct mp4_walk *parent, const struct mp4_box *trak)
{
    struct mp4_init *init = s->init;
    struct mp4_walk inside;
    struct mp4_box box;
    if (init->track_count == LOADGEN_TRACKS_MAX) return;
    struct mp4_track *t = &init->tracks[init->track_count++];
    mp4_walk_into(&inside, parent, trak, 0);
    if (mp4_walk_find(inside, TKHD, &box) && box.body_bytes >= 24) {
        const size_t at = box.body[0] == 1 ? 20 : 12;
        if (box.body_bytes >= at + 4) t->id = load_u32(box.body + at);
    }
    bool has_edit = false;
    if (mp4_walk_find(inside, EDTS, &box)) {
        struct mp4_walk edts;
        struct mp4_box elst;
        mp4_walk_into(&edts, &inside, &box, 0);
        has_edit = mp4_walk_find(edts, ELST, &elst) && elst.body_bytes >= 8 && load_u32(elst.body + 4) > 0;
    }
    mp4_expect(&init->findings, MP4_T6, !has_edit, trak->offset, "no edit list", "elst in track %u", t->id);
    if (mp4_walk_find(inside, MDIA, &box)) read_mdia(s, t, &inside, &box);
}

static void read_trex(struct reading *s, const struct mp4_box *trex)
{
    if (trex->body_bytes < 24) return;
    for (size_t i = 0; i < s->init->track_count; i++) {
        struct mp4_track *t = &s->init->tracks[i];
        if (t->id != load_u32(trex->body + 4)) continue;
        t->has_trex = true;
        t->default_duration = load_u32(trex->body + 12);
        t->default_bytes = load_u32(trex->body + 16);
        t->default_flags = load_u32(trex->body + 20);
    }
}

static void read_moov(struct reading *s, const struct mp4_box *moov)
{
    struct mp4_findings *f = &s->init->findings;
    struct mp4_walk inside, extends;
    struct mp4_box box;
    mp4_walk_into(&inside, &s->file, moov, 0);
    for (struct mp4_walk w = inside; mp4_walk_next(&w, &box);) {
        if (box.type == TRAK) read_trak(s, &inside, &box);
    }
    const bool has_mvex = mp4_walk_find(inside, MVEX, &box);
    mp4_expect(f, MP4_V15, has_mvex, moov->offset, "mvex in moov", "none");
    if (has_mvex) {
        mp4_walk_into(&extends, &inside, &box, 0);
        while (mp4_walk_next(&extends, &box)) {
            if (box.type == TREX) read_trex(s, &box);
        }
    }
    for (size_t i = 0; i < s->init->track_count; i++)
        mp4_expect(f, MP4_V15, s->init->tracks[i].has_trex, moov->offset, "trex for each track", "none for track %u",
                   s->init->tracks[i].id);
}

enum weir_err mp4_init_read(const uint8_t *data, size_t bytes, struct mp4_init **out)
{
    struct mp4_init *init = calloc(1, sizeof *init);
    if (!init) return WEIR_NOMEM;
    struct reading s = { .init = init };
    struct mp4_box box;
    bool has_moov = false;
    mp4_walk_init(&s.file, data, data, bytes);
    for (struct mp4_walk w = s.file; mp4_walk_next(&w, &box) || w.is_broken;) {
        if (!mp4_expect(&init->findings, MP4_V20, !w.is_broken, (size_t)(w.at - data), "boxes that fill the file",
                        "a size that does not fit"))
            break;
        if (box.type != MOOV || has_moov) continue;
        has_moov = true;
        read_moov(&s, &box);
    }
    mp4_expect(&init->findings, MP4_V15, has_moov && init->track_count > 0, 0, "moov with a track", "none");
    *out = init;
    return init->track_count > 0 ? WEIR_OK : WEIR_MALFORMED;
}

void mp4_init_destroy(struct mp4_init *init)
{
    free(init);
}

const struct mp4_track *mp4_init_track(const struct mp4_init *init, enum media_kind kind)
{
    for (size_t i = 0; i < init->track_count; i++) {
        if (init->tracks[i].kind == kind) return &init->tracks[i];
    }
    return NULL;
}

bool mp4_init_same(const struct mp4_init *a, const struct mp4_init *b)
{
    if (a->track_count != b->track_count) return false;
    for (size_t i = 0; i < a->track_count; i++) {
        const struct mp4_track *x = &a->tracks[i], *y = &b->tracks[i];
        if (x->id != y->id || x->timescale != y->timescale || strcmp(x->entry, y->entry) ||
            x->config_bytes != y->config_bytes || memcmp(x->config, y->config, x->config_bytes))
            return false;
    }
    return true;
}

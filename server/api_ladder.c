#include "api_ladder.h"

static void set(json_t *object, const char *key, json_t *value)
{
    /* takes over the value, also on failure; a member that does not fit is left out, not lied about */
    if (json_object_set_new(object, key, value)) return;
}

static void set_number(json_t *object, const char *key, int64_t value)
{
    set(object, key, json_integer((json_int_t)value));
}

static json_t *rung_json(const struct ladder_board_rung *r)
{
    const struct rung_plan *p = &r->plan;
    json_t *o = json_object();
    const bool is_source = p->kind == RUNG_PASSTHROUGH;
    set(o, "name", json_string(is_source ? "video" : p->name));
    set_number(o, "width", p->width);
    set_number(o, "height", p->height);
    set(o, "codec", json_string(codec_name(p->codec)));
    if (p->fps_den) set(o, "fps", json_real((double)p->fps_num / p->fps_den));
    if (is_source) {
        set(o, "state", json_string("source"));
        return o;
    }
    set_number(o, "bitrate_bps", (int64_t)p->bitrate_bps);
    set_number(o, "max_rate_bps", (int64_t)p->max_rate_bps);
    set(o, "state", json_string(r->is_absent ? "absent" : r->backend ? "encoding" : "starting"));
    if (r->backend) set(o, "backend", json_string(r->backend));
    if (r->preset) set(o, "preset", json_string(r->preset));
    return o;
}

static void fill(void *context, const struct ladder_view *v)
{
    json_t **out = context, *o = json_object(), *rungs = json_array();
    for (size_t i = 0; i < v->rung_count; i++) json_array_append_new(rungs, rung_json(&v->rungs[i]));
    set(o, "state", json_string(!v->is_planned ? "starting" : v->rung_count ? "planned" : "impossible"));
    set(o, "rungs", rungs);
    for (unsigned id = 0; id < FIGURE_COUNT; id++) {
        const struct transcode_figure_facts facts = transcode_figure_facts((enum transcode_figure)id);
        /* here all is the ladder's: the word in front says nothing */
        set_number(o, facts.name + sizeof "transcode_" - 1, ladder_view_read(v, (enum transcode_figure)id));
    }
    json_decref(*out);
    *out = o;
}

json_t *ladder_json(struct ladder_board *board, const char *stream_name)
{
    json_t *o = NULL;
    if (board) ladder_board_look(board, stream_name, fill, &o);
    return o;
}

static json_t *codecs_json(const bool *can, enum media_codec last)
{
    json_t *list = json_array();
    for (enum media_codec codec = CODEC_H264; codec <= last; codec++) {
        if (can[codec]) json_array_append_new(list, json_string(codec_name(codec)));
    }
    return list;
}

json_t *backends_json(const struct backend_report *reports, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct backend_report *r = &reports[i];
        json_t *o = json_object(), *notes = json_object();
        set(o, "name", json_string(r->backend->name));
        set_number(o, "devices", r->device_count);
        set(o, "decodes", codecs_json(r->can_decode, CODEC_VP9));
        set(o, "scales", json_boolean(r->can_scale));
        set(o, "encodes", codecs_json(r->can_encode, CODEC_AV1));
        if (r->encode_sessions) set_number(o, "encode_sessions", r->encode_sessions);
        set_number(o, "probe_us", r->took_us);
        if (r->note[0][0]) set(notes, "backend", json_string(r->note[0]));
        for (enum media_codec codec = CODEC_H264; codec <= CODEC_VP9; codec++) {
            if (r->note[codec][0]) set(notes, codec_name(codec), json_string(r->note[codec]));
        }
        set(o, "notes", notes);
        json_array_append_new(list, o);
    }
    return list;
}

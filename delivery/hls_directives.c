#include <weir/delivery/hls_directives.h>

#include <string.h>

#define SECOND_US 1000000u
#define SEGMENTS_AHEAD_MAX 2 /* beyond the last complete one: SHOULD 400 (6.2.5.2) */
#define PARTS_AHEAD_S 3      /* the Advance Part Limit, in seconds and in parts of a second and more */

static bool is_name(struct http_text t, const char *name)
{
    return t.bytes == strlen(name) && !memcmp(t.data, name, t.bytes);
}

/* A decimal-integer (4.2). false: it is none, or too large. */
static bool read_number(struct http_text t, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (!t.bytes) return false;
    for (size_t i = 0; i < t.bytes; i++) {
        if (t.data[i] < '0' || t.data[i] > '9') return false;
        const uint64_t digit = (uint64_t)(t.data[i] - '0');
        if (value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* The next "name=value" of a query. false: no more. */
static bool next_parameter(struct http_text *rest, struct http_text *name, struct http_text *value)
{
    if (!rest->bytes) return false;
    const char *end = memchr(rest->data, '&', rest->bytes);
    const size_t bytes = end ? (size_t)(end - rest->data) : rest->bytes;
    const char *equals = memchr(rest->data, '=', bytes);
    *name = (struct http_text){ rest->data, equals ? (size_t)(equals - rest->data) : bytes };
    *value = (struct http_text){ equals ? equals + 1 : rest->data + bytes,
                                 equals ? bytes - (size_t)(equals + 1 - rest->data) : 0 };
    rest->data += bytes + (end != NULL);
    rest->bytes -= bytes + (end != NULL);
    return true;
}

const char *hls_directives_parse(struct http_text query, struct hls_directives *out)
{
    struct hls_directives d = { .wish = HLS_WISH_NOTHING };
    struct http_text name, value;
    uint64_t msn = 0, part = 0;
    unsigned msns = 0, parts = 0;
    while (next_parameter(&query, &name, &value)) {
        if (is_name(name, "_HLS_msn")) {
            if (!read_number(value, UINT64_MAX, &msn)) return "_HLS_msn is not a decimal number.";
            msns++;
        } else if (is_name(name, "_HLS_part")) {
            if (!read_number(value, UINT32_MAX, &part)) return "_HLS_part is not a decimal number.";
            parts++;
        } else if (is_name(name, "_HLS_skip")) {
            d.wants_delta |= is_name(value, "YES") || is_name(value, "v2");
        }
    }
    if (msns > 1 || parts > 1) return "_HLS_msn or _HLS_part is given more than once.";
    if (parts && !msns) return "_HLS_part needs _HLS_msn.";
    if (msns) d.wish = parts ? HLS_WISH_PART : HLS_WISH_SEGMENT;
    d.msn = msn;
    d.part = (uint32_t)part;
    *out = d;
    return NULL;
}

static uint32_t parts_ahead_max(uint32_t part_target_us)
{
    if (part_target_us >= SECOND_US) return PARTS_AHEAD_S;
    return (PARTS_AHEAD_S * SECOND_US + part_target_us - 1) / part_target_us;
}

enum hls_verdict hls_directives_judge(const struct hls_directives *d, const struct hls_edge *edge)
{
    if (d->wish == HLS_WISH_NOTHING || edge->is_ended || !edge->part_target_us) return HLS_NOW;
    const bool has_part = d->wish == HLS_WISH_PART;
    uint64_t msn = d->msn;
    uint32_t part = d->part;
    if (has_part && msn == edge->last_msn && edge->last_segment_parts && part >= edge->last_segment_parts) {
        msn++; /* a part beyond the end of its segment is the first of the next */
        part = 0;
    }
    if (msn <= edge->last_msn) return HLS_NOW;
    const uint64_t ahead = msn - edge->last_msn;
    if (ahead > SEGMENTS_AHEAD_MAX) return HLS_TOO_FAR;
    if (!has_part) return HLS_WAIT;
    const uint32_t listed = ahead == 1 ? edge->part_count : 0;
    if (part < listed) return HLS_NOW;
    return part - listed < parts_ahead_max(edge->part_target_us) ? HLS_WAIT : HLS_TOO_FAR;
}

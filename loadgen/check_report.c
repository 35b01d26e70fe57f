#include <weir/loadgen/check_report.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct check_rule_text rules[RULE_COUNT] = {
#define X(name, severity, where, what) [RULE_##name] = { #name, where, what, SEVERITY_##severity },
    CHECK_RULES(X)
#undef X
};

const struct check_rule_text *check_rule_text(enum check_rule rule)
{
    return &rules[rule];
}

enum check_rule check_rule_find(const char *id, size_t bytes)
{
    for (unsigned i = 1; i < RULE_COUNT; i++) {
        if (strlen(rules[i].id) == bytes && !strncasecmp(rules[i].id, id, bytes)) return (enum check_rule)i;
    }
    return RULE_NONE;
}

enum check_verdict check_verdict(const struct check_report *r, enum check_rule rule)
{
    const struct check_result *result = &r->results[rule];
    if (!result->checked) return VERDICT_NOT_CHECKED;
    if (result->violated) return r->is_allowed[rule] ? VERDICT_ALLOWED : VERDICT_VIOLATED;
    return result->warned ? VERDICT_WARNING : VERDICT_OK;
}

unsigned check_report_count(const struct check_report *r, enum check_verdict verdict)
{
    unsigned count = 0;
    for (unsigned i = 1; i < RULE_COUNT; i++) count += check_verdict(r, (enum check_rule)i) == verdict;
    return count;
}

void check_report_note(struct check_report *r, const char *format, ...)
{
    char text[sizeof r->notes[0]];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < r->note_count; i++) {
        if (!strcmp(r->notes[i], text)) return;
    }
    if (r->note_count < CHECK_NOTES_MAX) memcpy(r->notes[r->note_count++], text, sizeof text);
}

static const char *verdict_word(enum check_verdict verdict)
{
    switch (verdict) {
    case VERDICT_NOT_CHECKED: return "not checked";
    case VERDICT_OK: return "ok";
    case VERDICT_WARNING: return "warning";
    case VERDICT_ALLOWED: return "allowed";
    case VERDICT_VIOLATED: return "VIOLATED";
    }
    return "?";
}

/* -- text -- */

static void write_evidence(struct byte_writer *w, const char *word, uint64_t times, const struct check_evidence *e)
{
    if (!e->is_set) return;
    write_format(w, "       %s %" PRIu64 " times, first after %.3f s: %s", word, times, (double)e->at_us / 1e6, e->url);
    if (e->line) write_format(w, " line %u", e->line);
    write_format(w, "\n       expected: %s\n       got:      %s\n", e->expected, e->got);
}

void check_report_write_text(const struct check_report *r, const struct check_summary *s, bool is_verbose,
                             struct byte_writer *w)
{
    write_format(w, "%s\n%.1f s, %" PRIu64 " requests, %.1f MB, %" PRIu64 " segments and %" PRIu64 " parts read\n\n",
                 s->url, (double)s->seconds_us / 1e6, s->requests, (double)s->bytes / 1e6, s->segments, s->parts);
    write_format(w, "%-5s %9s  %-12s %-6s %s\n", "rule", "checked", "verdict", "level", "what it says [where]");
    for (unsigned i = 1; i < RULE_COUNT; i++) {
        const enum check_verdict verdict = check_verdict(r, (enum check_rule)i);
        const struct check_result *result = &r->results[i];
        if (!is_verbose && (verdict == VERDICT_NOT_CHECKED || verdict == VERDICT_OK)) continue;
        write_format(w, "%-5s %9" PRIu64 "  %-12s %-6s %s [%s]\n", rules[i].id, result->checked, verdict_word(verdict),
                     rules[i].severity == SEVERITY_MUST ? "MUST" : "SHOULD", rules[i].says, rules[i].section);
        write_evidence(w, "broken", result->violated, &result->violation);
        write_evidence(w, "warned", result->warned, &result->warning);
    }
    for (size_t i = 0; i < r->note_count; i++) write_format(w, "note: %s\n", r->notes[i]);
    write_format(w, "\n%u violated, %u allowed, %u warnings, %u ok, %u not checked\n",
                 check_report_count(r, VERDICT_VIOLATED), check_report_count(r, VERDICT_ALLOWED),
                 check_report_count(r, VERDICT_WARNING), check_report_count(r, VERDICT_OK),
                 check_report_count(r, VERDICT_NOT_CHECKED));
}

/* -- JSON -- */

static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_string("(not UTF-8)"); /* a URL of a stranger may be anything */
}

static json_t *evidence_of(const struct check_evidence *e)
{
    if (!e->is_set) return json_null();
    return json_pack("{s:o, s:i, s:f, s:o, s:o}", "url", text_of(e->url), "line", (int)e->line, "at_s",
                     (double)e->at_us / 1e6, "expected", text_of(e->expected), "got", text_of(e->got));
}

static json_t *rule_of(const struct check_report *r, enum check_rule rule)
{
    const struct check_result *result = &r->results[rule];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "id", rules[rule].id, "level",
                     rules[rule].severity == SEVERITY_MUST ? "MUST" : "SHOULD", "section", rules[rule].section, "says",
                     rules[rule].says, "verdict", verdict_word(check_verdict(r, rule)), "checked",
                     (json_int_t)result->checked, "violated", (json_int_t)result->violated, "warned",
                     (json_int_t)result->warned, "violation", evidence_of(&result->violation), "warning",
                     evidence_of(&result->warning));
}

enum weir_err check_report_write_json(const struct check_report *r, const struct check_summary *s,
                                      struct byte_writer *w)
{
    json_t *list = json_array(), *notes = json_array();
    for (unsigned i = 1; i < RULE_COUNT; i++) json_array_append_new(list, rule_of(r, (enum check_rule)i));
    for (size_t i = 0; i < r->note_count; i++) json_array_append_new(notes, text_of(r->notes[i]));
    json_t *root = json_pack(
        "{s:o, s:f, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "url", text_of(s->url), "seconds",
        (double)s->seconds_us / 1e6, "requests", (json_int_t)s->requests, "bytes", (json_int_t)s->bytes, "segments",
        (json_int_t)s->segments, "parts", (json_int_t)s->parts, "violated",
        (int)check_report_count(r, VERDICT_VIOLATED), "allowed", (int)check_report_count(r, VERDICT_ALLOWED),
        "warnings", (int)check_report_count(r, VERDICT_WARNING), "ok", (int)check_report_count(r, VERDICT_OK),
        "not_checked", (int)check_report_count(r, VERDICT_NOT_CHECKED), "rules", list, "notes", notes);
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (!text) return WEIR_NOMEM;
    write_text(w, text);
    write_text(w, "\n");
    free(text);
    return w->failed ? WEIR_NOMEM : WEIR_OK;
}

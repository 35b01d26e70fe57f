/* {name} in the texts of a scenario. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/loadgen/scenario.h>

static const char *value_of(const char *name, size_t bytes, const struct scenario_variable *variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(variables[i].name) == bytes && !strncmp(variables[i].name, name, bytes)) return variables[i].value;
    }
    return NULL;
}

static bool is_name(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((text[i] < 'a' || text[i] > 'z') && text[i] != '_') return false;
    }
    return bytes > 0;
}

/* Once: a value may hold names, too ({play} holds none, but a --set may). */
static char *expand_once(const char *text, const struct scenario_variable *variables, size_t count,
                         const char **unknown, bool *has_changed)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&out, &bytes);
    if (!stream) return NULL;
    for (const char *at = text; *at; at++) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        const bool is_variable = end && is_name(at + 1, (size_t)(end - at - 1));
        const char *value = is_variable ? value_of(at + 1, (size_t)(end - at - 1), variables, count) : NULL;
        if (is_variable && !value) *unknown = at + 1;
        if (!value) {
            fputc(*at, stream);
            continue;
        }
        fputs(value, stream);
        at = end;
        *has_changed = true;
    }
    if (fclose(stream)) {
        free(out);
        return NULL;
    }
    return out;
}

char *scenario_expand(const char *text, const struct scenario_variable *variables, size_t count, const char **unknown)
{
    bool has_changed = false, has_changed_again = false;
    *unknown = NULL;
    char *once = expand_once(text, variables, count, unknown, &has_changed);
    if (!once || !has_changed) return once;
    const char *ignored = NULL;
    char *twice = expand_once(once, variables, count, &ignored, &has_changed_again);
    free(once);
    return twice;
}

#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_command.h"

int options_complain(const struct option_set *set, const char *what, const char *value)
{
    fprintf(stderr, "weir-loadgen %s: %s \"%s\"; try weir-loadgen %s --help\n", set->command, what, value,
            set->command);
    return LOADGEN_USAGE;
}

static int read_number(const struct option_set *set, const struct option_row *row, const char *text)
{
    char wants[96], *end = NULL;
    errno = 0;
    const double number = strtod(text, &end);
    if (end != text && !strcmp(end, "/s")) end += 2; /* a rate may say that it is one */
    if (!errno && end != text && !*end && number >= row->least && number <= row->most) {
        *(double *)row->out = number;
        return -1;
    }
    snprintf(wants, sizeof wants, "%s wants a number from %g to %g, not", row->name, row->least, row->most);
    return options_complain(set, wants, text);
}

static int read_value(const struct option_set *set, const struct option_row *row, const char *value)
{
    if (row->kind == OPTION_NUMBER) return read_number(set, row, value);
    *(const char **)row->out = value;
    return -1;
}

static const struct option_row *find(const struct option_set *set, const char *name)
{
    for (size_t i = 0; i < set->row_count; i++) {
        if (!strcmp(set->rows[i].name, name)) return &set->rows[i];
    }
    return NULL;
}

int options_read(struct option_set *set, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(set->usage, stdout);
            return LOADGEN_GOOD;
        }
        if (argv[i][0] != '-') {
            if (set->word_count == set->words_max) return options_complain(set, "one too many:", argv[i]);
            set->words[set->word_count++] = argv[i];
            continue;
        }
        const struct option_row *row = find(set, argv[i]);
        if (!row) return options_complain(set, "not understood:", argv[i]);
        if (row->kind == OPTION_FLAG) {
            *(bool *)row->out = true;
            continue;
        }
        if (i + 1 == argc) return options_complain(set, "without its value:", argv[i]);
        const int result = read_value(set, row, argv[++i]);
        if (result >= 0) return result;
    }
    return -1;
}

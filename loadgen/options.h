/* The options of a command, as a table. */
#ifndef WEIR_LOADGEN_OPTIONS_H
#define WEIR_LOADGEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind { OPTION_FLAG = 1, OPTION_NUMBER, OPTION_TEXT };

struct option_row {
    const char *name; /* with its dashes */
    enum option_kind kind;
    void *out; /* bool, double, const char * */
    double least, most;
};

struct option_set {
    const char *command, *usage;
    const struct option_row *rows;
    size_t row_count;
    const char **words; /* what is no option, in order */
    size_t word_count, words_max;
};

/* -1: go on. Else it was said what is wrong, or the help was, and this is the exit status. */
int options_read(struct option_set *set, int argc, char **argv);
/* Says it, and gives the exit status of usage. */
int options_complain(const struct option_set *set, const char *what, const char *value);

#endif

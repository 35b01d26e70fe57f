/* weir-loadgen check. */
#ifndef WEIR_LOADGEN_CHECK_COMMAND_H
#define WEIR_LOADGEN_CHECK_COMMAND_H

/* What the program's exit status says. */
enum { LOADGEN_GOOD = 0, LOADGEN_BROKEN = 1, LOADGEN_USAGE = 2, LOADGEN_NOT_FOUND = 3 };

/* argv: from the command's name on. */
int check_command(int argc, char **argv);

#endif

/* weir-loadgen watch. */
#ifndef WEIR_LOADGEN_WATCH_COMMAND_H
#define WEIR_LOADGEN_WATCH_COMMAND_H

/* argv: from the command's name on. */
int watch_command(int argc, char **argv);

#endif

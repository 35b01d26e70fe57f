/* weir-loadgen chaos. */
#ifndef WEIR_LOADGEN_CHAOS_COMMAND_H
#define WEIR_LOADGEN_CHAOS_COMMAND_H

/* argv: from the command's name on. */
int chaos_command(int argc, char **argv);

#endif

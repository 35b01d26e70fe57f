/* weir-loadgen soak. */
#ifndef WEIR_LOADGEN_SOAK_COMMAND_H
#define WEIR_LOADGEN_SOAK_COMMAND_H

/* argv: from the command's name on. */
int soak_command(int argc, char **argv);

#endif

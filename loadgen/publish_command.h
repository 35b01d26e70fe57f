/* weir-loadgen publish. */
#ifndef WEIR_LOADGEN_PUBLISH_COMMAND_H
#define WEIR_LOADGEN_PUBLISH_COMMAND_H

/* argv: from the command's name on. */
int publish_command(int argc, char **argv);

#endif

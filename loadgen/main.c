/* weir-loadgen: drives and watches this server and its peers. */
#include <stdio.h>
#include <string.h>

#include "chaos_command.h"
#include "check_command.h"
#include "publish_command.h"
#include "soak_command.h"
#include "watch_command.h"

static const char usage[] =
    "weir-loadgen - drives live streaming servers, and looks at what comes out\n"
    "\n"
    "usage: weir-loadgen check URL --seconds N [--ll] [--json]   hold a stream against the rules of HLS\n"
    "       weir-loadgen watch URL... --viewers M                 watch streams as many players do\n"
    "       weir-loadgen publish --url URL --streams N            publish as many encoders do\n"
    "       weir-loadgen chaos --url URL --http URL               break things on purpose, and see that promises hold\n"
    "       weir-loadgen soak -s SCENARIO                         load a server for hours, and look at it from "
    "outside\n"
    "       weir-loadgen COMMAND --help\n"
    "       weir-loadgen version\n";

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (!strcmp(command, "check")) return check_command(argc - 1, argv + 1);
    if (!strcmp(command, "watch")) return watch_command(argc - 1, argv + 1);
    if (!strcmp(command, "publish")) return publish_command(argc - 1, argv + 1);
    if (!strcmp(command, "chaos")) return chaos_command(argc - 1, argv + 1);
    if (!strcmp(command, "soak")) return soak_command(argc - 1, argv + 1);
    if (!strcmp(command, "version")) {
        puts("weir-loadgen " WEIR_VERSION);
        return LOADGEN_GOOD;
    }
    if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help")) {
        fputs(usage, stdout);
        return LOADGEN_GOOD;
    }
    fputs(usage, stderr);
    return LOADGEN_USAGE;
}

/* What the configuration's own sources share. */
#ifndef WEIR_SERVER_CONFIG_INTERNAL_H
#define WEIR_SERVER_CONFIG_INTERNAL_H

#include <weir/server/config.h>

void config_free_paths(struct config *c); /* and wipes their secrets */

#endif

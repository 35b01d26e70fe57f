/* `weir cert dev`: a self-signed certificate for one machine, to try HTTPS and RTMPS with. Thread: main. */
#ifndef WEIR_SERVER_CERT_DEV_H
#define WEIR_SERVER_CERT_DEV_H

#include <weir/server/config.h>

struct cert_files {
    char cert[CONFIG_TEXT_BYTES], key[CONFIG_TEXT_BYTES];
};

/* Writes DIR/dev.crt (ECDSA P-256, a year, for localhost, 127.0.0.1, ::1 and host) and DIR/dev.key (mode 0600). host: a name or
 * an address, NULL: none besides. Overwrites nothing. WEIR_CONFIG, WEIR_IO: error->text says why, and no half pair is left. */
WEIR_MUST_CHECK enum weir_err cert_dev_make(const char *dir, const char *host, struct cert_files *files,
                                            struct config_error *error);

#endif

/* Where to pull from: `srt://host:port?streamid=..&passphrase=..&latency=500ms`. Pure; thread: any. */
#ifndef WEIR_INGEST_SRT_URL_H
#define WEIR_INGEST_SRT_URL_H

#include <weir/base/err.h>
#include <weir/ingest/srt_options.h>
#include <weir/ingest/srt_streamid.h>

#define SRT_URL_BYTES_MAX 1024
#define SRT_HOST_BYTES_MAX 253 /* of a name in the DNS */

struct srt_url {
    char host[SRT_HOST_BYTES_MAX + 1]; /* a name or a numeric address, IPv6 without its brackets */
    uint16_t port;
    char streamid[SRT_STREAMID_BYTES_MAX + 1]; /* decoded; may hold a secret */
    struct srt_options options;
    int64_t connect_us; /* SRT_UNSAID: libsrt's three seconds */
};

/* Keys: streamid, passphrase, pbkeylen, latency, connect_timeout, packetfilter; mode=caller and transtype=live are taken, too. Times:
 * with a unit ("500ms"), or plain milliseconds, as SRT's own tools have it. Escapes in values are decoded.
 * WEIR_CONFIG: *why says what was wrong and what was expected (static text; nothing of the URL, which holds secrets). */
WEIR_MUST_CHECK enum weir_err srt_url_parse(const char *text, struct srt_url *url, const char **why);

#endif

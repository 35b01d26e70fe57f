/* What an operator can set about SRT, for all, for a port, for a path. Plain values; pure; thread: any. */
#ifndef WEIR_INGEST_SRT_OPTIONS_H
#define WEIR_INGEST_SRT_OPTIONS_H

#include <stdint.h>

#define SRT_PASSPHRASE_BYTES_MIN 10 /* libsrt's own */
#define SRT_PASSPHRASE_BYTES_MAX 79
#define SRT_FILTER_BYTES_MAX 127

/* Numbers: SRT_UNSAID where nothing was said; texts: "". */
#define SRT_UNSAID (-1)

struct srt_options {
    int64_t latency_us;           /* the receiver's least; the caller may ask for more */
    int64_t idle_us;              /* a caller from which no packet at all comes for this long is gone */
    int64_t reorder_packets;      /* how late a packet may come before it is asked for again (SRTO_LOSSMAXTTL) */
    int64_t bandwidth_bps;        /* what weir may send at most; 0: libsrt decides (SRTO_MAXBW) */
    int64_t receive_buffer_bytes; /* of one connection */
    int64_t flight_packets;       /* sent and not acknowledged; bounds the receive buffer (SRTO_FC) */
    int64_t udp_buffer_bytes;     /* the kernel's, for the whole port; not of a path */
    int64_t payload_bytes;        /* of what weir sends (SRTO_PAYLOADSIZE) */
    int64_t drops_late;           /* 1: what comes too late is given up, 0: waited for, for ever (SRTO_TLPKTDROP) */
    int64_t key_bytes;            /* AES: 16, 24, 32; 0: as the caller has it (SRTO_PBKEYLEN) */
    char filter[SRT_FILTER_BYTES_MAX + 1]; /* "fec,cols:10,rows:5"; "": what the caller offers (SRTO_PACKETFILTER) */
    char passphrase[SRT_PASSPHRASE_BYTES_MAX + 1]; /* a secret: never logged */
};

void srt_options_init(struct srt_options *o); /* nothing said */
/* What `over` says replaces what *base says. */
void srt_options_overlay(struct srt_options *base, const struct srt_options *over);

#endif

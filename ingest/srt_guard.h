/* A filter in the kernel in front of libsrt: packets that no sound peer sends, and that libsrt 1.5.1 (and later ones) stumble over before
 * anybody is asked who it is, do not reach it.
 *
 *   handshakes     that announce an MTU below 576 (a response is then written over the end of its buffer) or a flow window over 102400
 *                  packets (so many, times 24 bytes, are allocated and written at once), or carry key material longer than libsrt's place for it
 *   ACK, NAK, ...  are for who sends; weir only receives, and does without whatever their readers can be made to do
 *   drop requests  that are cut short, or name more than 256 packets: libsrt walks its list of losses for each of them, seconds for one
 *                  packet of ours; what is not dropped so goes when its time has come (SRTO_TLPKTDROP)
 *   extensions     of a running connection (new keys) over 128 bytes, and types of control packets that do not exist
 *
 * Nothing here replaces an up-to-date libsrt. Thread: any. */
#ifndef WEIR_INGEST_SRT_GUARD_H
#define WEIR_INGEST_SRT_GUARD_H

#include <weir/base/err.h>

/* fd: a datagram socket. WEIR_IO: the kernel did not take it (errno says). */
WEIR_MUST_CHECK enum weir_err srt_guard_attach(int fd);

#endif

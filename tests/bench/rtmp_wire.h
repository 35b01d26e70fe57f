/* As much of an RTMP publisher as benches need: the conversation up to a publication, and messages. Ends the program with a word when
 * the server refuses. Tests only. */
#ifndef WEIR_BENCH_RTMP_WIRE_H
#define WEIR_BENCH_RTMP_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define RTMP_WIRE_CHUNK_BYTES 4096

_Noreturn void die(const char *what);
/* Writes one message as chunks of chunk_bytes; the length. out has room for the body and a header per chunk. */
size_t rtmp_wire_message(uint8_t *out, uint8_t csid, uint8_t kind, uint32_t time_ms, uint8_t stream,
                         const uint8_t *body, uint32_t bytes, uint32_t chunk_bytes);
void rtmp_wire_send(int fd, const uint8_t *data, size_t bytes);
/* A TCP connection to 127.0.0.1 that sends at once. */
int rtmp_wire_connect(uint16_t port);
/* From handshake to NetStream.Publish.Start, as live/<name>. */
void rtmp_wire_publish(int fd, const char *name);

#endif

/* Transport packets of a clip that is sent again and again: counters and times as they are in the round-th time. Pure. ISO 13818-1. */
#ifndef WEIR_LOADGEN_TS_LOOP_H
#define WEIR_LOADGEN_TS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

unsigned ts_packet_pid(const uint8_t *packet);
/* In 27 MHz; -1: this packet has none. */
int64_t ts_packet_pcr(const uint8_t *packet);
/* A PES packet of audio or video begins here and has a PTS. */
bool ts_packet_pts(const uint8_t *packet, int64_t *pts_90k, bool *is_video);
/* counter_step is added to the continuity counter of a packet with payload, ticks_90k to PCR, PTS and DTS; 33 bits wrap. */
void ts_packet_renew(uint8_t *packet, unsigned counter_step, uint64_t ticks_90k);

#endif

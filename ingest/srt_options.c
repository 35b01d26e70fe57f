#include <weir/ingest/srt_options.h>

#include <string.h>

void srt_options_init(struct srt_options *o)
{
    *o = (struct srt_options){
        .latency_us = SRT_UNSAID,
        .idle_us = SRT_UNSAID,
        .reorder_packets = SRT_UNSAID,
        .bandwidth_bps = SRT_UNSAID,
        .receive_buffer_bytes = SRT_UNSAID,
        .flight_packets = SRT_UNSAID,
        .udp_buffer_bytes = SRT_UNSAID,
        .payload_bytes = SRT_UNSAID,
        .drops_late = SRT_UNSAID,
        .key_bytes = SRT_UNSAID,
    };
}

static void overlay(int64_t *base, int64_t over)
{
    if (over != SRT_UNSAID) *base = over;
}

void srt_options_overlay(struct srt_options *base, const struct srt_options *over)
{
    overlay(&base->latency_us, over->latency_us);
    overlay(&base->idle_us, over->idle_us);
    overlay(&base->reorder_packets, over->reorder_packets);
    overlay(&base->bandwidth_bps, over->bandwidth_bps);
    overlay(&base->receive_buffer_bytes, over->receive_buffer_bytes);
    overlay(&base->flight_packets, over->flight_packets);
    overlay(&base->udp_buffer_bytes, over->udp_buffer_bytes);
    overlay(&base->payload_bytes, over->payload_bytes);
    overlay(&base->drops_late, over->drops_late);
    overlay(&base->key_bytes, over->key_bytes);
    if (over->filter[0]) memcpy(base->filter, over->filter, sizeof base->filter);
    if (over->passphrase[0]) memcpy(base->passphrase, over->passphrase, sizeof base->passphrase);
}

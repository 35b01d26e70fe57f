#include <weir/loadgen/digest.h>

#include <string.h>

static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * 0x9E3779B97F4A7C15ull;
    return state ^ state >> 32;
}

void digest_init(struct digest *d)
{
    *d = (struct digest){ .state = 0xCBF29CE484222325ull };
}

void digest_add(struct digest *d, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint64_t word, state;
    size_t held = d->bytes % 8;
    d->bytes += bytes;
    if (held) {
        const size_t taken = bytes < 8 - held ? bytes : 8 - held;
        memcpy(d->rest + held, at, taken);
        at += taken, bytes -= taken, held += taken;
        if (held < 8) return;
        memcpy(&word, d->rest, 8);
        d->state = mix(d->state, word);
    }
    state = d->state;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        memcpy(&word, at, 8);
        state = mix(state, word);
    }
    d->state = state;
    if (bytes) memcpy(d->rest, at, bytes);
}

uint64_t digest_value(const struct digest *d)
{
    uint64_t word = 0;
    memcpy(&word, d->rest, d->bytes % 8);
    return mix(mix(d->state, word), d->bytes);
}

uint64_t digest_of(const void *data, size_t bytes)
{
    struct digest d;
    digest_init(&d);
    if (bytes) digest_add(&d, data, bytes);
    return digest_value(&d);
}

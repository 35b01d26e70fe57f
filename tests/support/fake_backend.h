/* fake_backend: the CPU's backend with faults that a test orders: real H.264 comes out, until it does not. */
#ifndef WEIR_TESTS_FAKE_BACKEND_H
#define WEIR_TESTS_FAKE_BACKEND_H

#include <stdatomic.h>
#include <weir/transcode/backend.h>

/* What goes wrong, and from which picture of an object on; 0: never. Set before the ladder begins; the counters may be read any time. */
struct fake_faults {
    _Atomic int encoder_open_fails;   /* how many times from now on */
    _Atomic int encoder_fails_at;     /* picture number (1 is the first) of every encoder */
    _Atomic int encoder_hangs_at;     /* blocks until fake_release() */
    _Atomic int encoder_refuses_at;   /* from then on neither takes nor gives: EAGAIN on both sides */
    _Atomic int encoder_swallows_at;  /* from then on takes everything and gives nothing */
    _Atomic int encoder_ignores_keys; /* how many forced keyframes are made plain pictures */
    _Atomic int encoder_delay;        /* pictures that come out late */
    _Atomic int encoder_slow_us;      /* each picture takes at least this long */
    _Atomic int decoder_open_fails;
    _Atomic int decoder_fails_at; /* packet number */
    _Atomic int decoder_hangs_at;
    _Atomic int scaler_fails_at;
    _Atomic int sessions_max; /* encoders that may be open at once; 0: no limit */
    /* seen */
    _Atomic int encoders_open, decoders_open, encoders_opened, decoders_opened, hanging;
};

extern struct fake_faults fake;
/* Two of a kind, one after the other in an order of preference: the faults are the first one's alone. */
extern const struct backend fake_backend;

void fake_reset(void);   /* no faults, counters at zero; what hangs is released */
void fake_release(void); /* what hangs goes on, from now on nothing hangs */

#endif

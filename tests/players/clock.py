"""A publisher whose picture and sound tell the time (clock_source.c), and what can be said of whoever shows them."""
import os
import signal
import subprocess
import time

CODES = 1 << 24  # milliseconds; wraps after four and a half hours
LOW_DELAY_INPUT = ["-probesize", "32", "-analyzeduration", "0", "-thread_queue_size", "64"]


def check(code):
    return ((code >> 16) * 7 + (code >> 8 & 0xFF) * 13 + (code & 0xFF) * 31 + 0x5A) & 0xFF


def decode(bits):
    """The 32 blocks as truth values, in reading order: milliseconds, or None where there is no such picture."""
    value = 0
    for bit in bits:
        value = value << 1 | bool(bit)
    return value >> 8 if value & 0xFF == check(value >> 8) else None


def age_s(code, wall_s):
    """How long before wall_s a picture with this code was drawn."""
    age = (int(wall_s * 1000) - code) % CODES
    return (age if age < CODES // 2 else age - CODES) / 1000


class Source:
    """clock_source into ffmpeg; its output arguments say where to."""

    def __init__(self, *output, fps=30, gop_seconds=2.0, encoder=("-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "1200k"), stdout=None):
        video, audio = os.pipe(), os.pipe()
        gop = str(int(fps * gop_seconds))
        self.clock = subprocess.Popen([os.environ["WEIR_CLOCK_SOURCE"], str(video[1]), str(audio[1]), str(fps)], pass_fds=(video[1], audio[1]),
                                      stdin=subprocess.DEVNULL)
        self.encoder = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-nostdin", *LOW_DELAY_INPUT, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", "640x360", "-framerate", str(fps),
             "-i", f"pipe:{video[0]}", *LOW_DELAY_INPUT, "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", f"pipe:{audio[0]}",
             "-c:v", "libx264", *encoder, "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-c:a", "aac", "-b:a", "96k", "-flush_packets", "1",
             *output], pass_fds=(video[0], audio[0]), stdin=subprocess.DEVNULL, stdout=stdout)
        for descriptor in (*video, *audio):
            os.close(descriptor)

    @classmethod
    def rtmp(cls, url, **options):
        return cls("-f", "flv", url, **options)

    def end(self, how=signal.SIGKILL):
        for process in (self.encoder, self.clock):
            if process.poll() is None:
                process.send_signal(how)
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.end()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Watch:
    """What one player showed and let hear: looked at many times a second. Times are wall clock seconds."""
    STALL_S = 0.25  # a picture that stands for this long is a stall; its length counts from the moment it appeared
    RUN, RUN_S = 10, 1.0  # play has begun when this many pictures follow each other within this time

    def __init__(self):
        self.shown = []    # (when it appeared, code), in order
        self.seen_last_s = None
        self.flashes, self.beeps = [], []
        self.is_flash = self.is_beep = False

    def see(self, wall_s, code, is_flash):
        if code is None:
            return
        if not self.shown or self.shown[-1][1] != code:
            self.shown.append((wall_s, code))
        self.seen_last_s = wall_s
        if is_flash and not self.is_flash:
            self.flashes.append(wall_s)
        self.is_flash = is_flash

    def hear(self, wall_s, is_loud):
        if is_loud and not self.is_beep:
            self.beeps.append(wall_s)
        self.is_beep = is_loud

    def latencies(self, first_s=0.0, last_s=float("inf")):
        return [age_s(code, at) for at, code in self.shown if first_s <= at <= last_s]

    def began_s(self):
        """When play began: many show a still first picture while they fill their buffers. None: it never did."""
        times = [at for at, _ in self.shown]
        return next((a for a, b in zip(times, times[self.RUN:]) if b - a < self.RUN_S), None)

    def stalls(self):
        """(when, how long) since play began, with that which goes on at the end."""
        times = [at for at, _ in self.shown if at >= (self.began_s() or 0)] + [self.seen_last_s]
        return [(a, b - a) for a, b in zip(times, times[1:]) if b - a > self.STALL_S]

    def steps_back(self):
        return sum(1 for (_, a), (_, b) in zip(self.shown, self.shown[1:]) if (b - a) % CODES > CODES // 2)

    def sound_late_s(self):
        """Sound behind (+) or ahead of (-) the picture, per flash that has a beep within half a second."""
        out = []
        for flash in self.flashes:
            near = min(self.beeps, key=lambda beep: abs(beep - flash), default=None)
            if near is not None and abs(near - flash) < 0.5:
                out.append(near - flash)
        return out


def wait_until(wall_s):
    while (left := wall_s - time.time()) > 0:
        time.sleep(min(left, 1))

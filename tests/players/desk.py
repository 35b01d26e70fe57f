"""A desk to play on without a screen or speakers: virtual displays whose pixels, and sinks whose sound, can be read."""
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import threading
import time

import clock
from harness import wait_for

WIDTH, HEIGHT, BLOCK = 640, 360, 40
LOUD = 2000  # of 32767: the beep is 16000, the tone between beeps 400


class Screen:
    """An X server of its own for one player, without a window manager; its frame buffer is a file in memory."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-screen-")
        reader, writer = os.pipe()
        self.process = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", self.folder, "-ac", "-nolisten", "tcp"],
                                        pass_fds=(writer,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as file:
            number = file.readline().strip()
        if not number:
            self.end()
            raise AssertionError("Xvfb did not start")
        self.display = ":" + number
        with open(os.path.join(self.folder, "Xvfb_screen0"), "rb") as file:
            self.pixels = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = struct.unpack(">25I", self.pixels[:100])
        assert header[4:6] == (WIDTH, HEIGHT) and header[11] == 32, "Xvfb keeps its pixels in another way than this reads"
        self.row_bytes, self.start = header[12], header[0] + 12 * header[19]

    def is_bright(self, x, y):
        return self.pixels[self.start + y * self.row_bytes + x * 4 + 1] > 125  # green is most of brightness

    def look(self, watch):
        """One look at the picture; torn between two frames it fails the check and is not believed."""
        now = time.time()
        code = clock.decode(self.is_bright(i % 16 * BLOCK + BLOCK // 2, i // 16 * BLOCK + BLOCK // 2) for i in range(32))
        watch.see(now, code, self.is_bright(WIDTH - 2 * BLOCK, HEIGHT - 2 * BLOCK))

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Speakers:
    """A PulseAudio of its own; each player gets a sink, and what it plays there is listened to."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-sound-")
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, "socket")
        self.environment = {**os.environ, "HOME": self.folder, "XDG_RUNTIME_DIR": self.folder, "PULSE_SERVER": "unix:" + self.socket}
        for name in ("PULSE_COOKIE", "DBUS_SESSION_BUS_ADDRESS"):
            self.environment.pop(name, None)
        self.process = subprocess.Popen(["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disallow-exit", "--log-level=error",
                                         "-L", f"module-native-protocol-unix socket={self.socket} auth-anonymous=1 auth-cookie-enabled=0"],
                                        env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ears = []
        wait_for("PulseAudio", lambda: os.path.exists(self.socket))

    def add(self, sink, watch):
        wait_for(f"the sink {sink}", lambda: subprocess.run(["pactl", "load-module", "module-null-sink", f"sink_name={sink}"], env=self.environment,
                                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)
        ear = subprocess.Popen(["parec", "-d", sink + ".monitor", "--format=s16le", "--rate=8000", "--channels=1", "--latency-msec=10"], env=self.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._listen, args=(ear.stdout, watch), daemon=True).start()
        self.ears.append(ear)

    @staticmethod
    def _listen(pipe, watch):
        while block := pipe.read1(4096):
            samples = memoryview(block[:len(block) // 2 * 2]).cast("h")
            loud = [i for i, sample in enumerate(samples) if abs(sample) > LOUD]
            arrived = time.time()
            watch.hear(arrived - (len(samples) - loud[0]) / 8000 if loud else arrived, bool(loud))

    def end(self):
        for process in (*self.ears, self.process):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

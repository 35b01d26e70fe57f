"""The players, each as a person would start it, and what each says about itself at the end."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import clock
import page_eye
from browser import Page
from desk import HEIGHT, WIDTH, Screen
from harness import wait_for

NOBODY = 65534  # VLC refuses to run as root


class Desktop:
    """A player with a window and sound."""
    name = program = user = None
    playlist = "index.m3u8"

    def __init__(self, speakers, url):
        self.watch, self.url = clock.Watch(), url + self.playlist
        self.folder = tempfile.mkdtemp(prefix="weir-player-")
        os.chmod(self.folder, 0o777)
        self.screen = Screen()
        speakers.add(self.name, self.watch)
        environment = {**speakers.environment, "HOME": self.folder, "XDG_RUNTIME_DIR": self.folder, "DISPLAY": self.screen.display, "PULSE_SINK": self.name,
                       "SDL_AUDIODRIVER": "pulseaudio", "SDL_RENDER_DRIVER": "software", "LIBGL_ALWAYS_SOFTWARE": "1", "LC_ALL": "C.UTF-8"}
        self.log_path = os.path.join(self.folder, "log")
        self.started_s = time.time()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command(), env=environment, cwd=self.folder, stdin=subprocess.PIPE, stdout=log,
                                            stderr=log, user=self.as_user())

    def as_user(self):
        return self.user if os.geteuid() == 0 else None

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def look(self):
        self.screen.look(self.watch)

    def is_running(self):
        return self.process.poll() is None

    def finish(self):
        """Ends it; afterwards facts() can be asked."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.screen.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def complaints(self):
        """Lines of its log that mean that it could not play."""
        return []

    def dropped(self):
        """(frames dropped, of how many), None where it does not say."""
        return None

    def version(self):
        text = subprocess.run([self.program, "-version" if self.program == "ffplay" else "--version"], capture_output=True, text=True, user=self.as_user(),
                              env={**os.environ, "HOME": self.folder}).stdout
        return re.search(r"\d+\.\d+[.\d]*", text).group(0)


class Mpv(Desktop):
    name, program = "mpv", "mpv"

    def command(self):
        self.control = os.path.join(self.folder, "control")
        return ["mpv", "--no-config", "--vo=x11", "--ao=pulse", "--no-border", f"--geometry={WIDTH}x{HEIGHT}+0+0", "--no-osc", "--osd-level=0", "--cursor-autohide=no",
                f"--input-ipc-server={self.control}", "--msg-level=all=warn", self.url]

    def finish(self):
        self.facts = {name: self.property(name) for name in ("avsync", "frame-drop-count", "decoder-frame-drop-count", "estimated-frame-number", "demuxer-cache-duration")} \
            if self.is_running() else {}
        super().finish()

    def property(self, name):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(self.control)
            control.sendall(json.dumps({"command": ["get_property", name]}).encode() + b"\n")
            for line in control.makefile():
                answer = json.loads(line)
                if "error" in answer:
                    return answer.get("data")

    def dropped(self):
        if not self.facts:
            return None
        return (self.facts["frame-drop-count"] or 0) + (self.facts["decoder-frame-drop-count"] or 0), self.facts["estimated-frame-number"] or 0

    def complaints(self):
        return [line for line in self.log().splitlines() if re.search(r"error|fail|invalid|desync", line, re.I)]


class Ffplay(Desktop):
    name, program = "ffplay", "ffplay"

    def command(self):
        return ["ffplay", "-hide_banner", "-loglevel", "level+warning", "-stats", "-noborder", "-x", str(WIDTH), "-y", str(HEIGHT), "-left", "0", "-top", "0",
                "-framedrop", self.url]

    def dropped(self):
        found = re.findall(r"fd=\s*(\d+)", self.log())
        return (int(found[-1]), len(self.watch.shown)) if found else None

    def complaints(self):
        # its HLS reader offers the init segment twice to its own demuxer, at the start and with each playlist that it opens, and says so
        return [line for line in re.split(r"[\r\n]+", self.log()) if re.search(r"\[(error|fatal|panic|warning)\]", line) and "duplicated MOOV" not in line]


class Vlc(Desktop):
    """Given transport streams: VLC 3 reads a rendition's init segment once, and its fMP4 reader begins anew without it at a discontinuity."""
    playlist = "ts.m3u8"
    name, program, user = "vlc", "vlc", NOBODY

    def command(self):
        return ["vlc", "-I", "rc", "--rc-fake-tty", "--no-color", "-vv", "--vout=xcb_x11", "--aout=pulse", "--no-video-deco", "--no-embedded-video", "--no-osd",
                "--no-video-title-show", "--video-x=0", "--video-y=0", f"--width={WIDTH}", f"--height={HEIGHT}", "--no-metadata-network-access", "--avcodec-hw=none", self.url]

    def finish(self):
        if self.is_running():
            try:
                self.process.stdin.write(b"stats\nquit\n")
                self.process.stdin.flush()
                self.process.wait(10)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                pass
        super().finish()

    def dropped(self):
        shown, lost = (re.findall(rf"frames {word}\s*:\s*(\d+)", self.log()) for word in ("displayed", "lost"))
        return (int(lost[-1]), int(shown[-1]) + int(lost[-1])) if shown and lost else None

    def complaints(self):
        return [line for line in self.log().splitlines() if re.search(r" error: ", line) and not re.search(r"dbus|no suitable|inhibit|lua|xdg|cannot load|dlopen|vdpau|gl", line, re.I)]


class Gstreamer(Desktop):
    """playbin3, whose HLS is hlsdemux2."""
    name, program = "gstreamer", "gst-launch-1.0"

    def command(self):
        return ["gst-launch-1.0", "-v", "playbin3", f"uri={self.url}", "video-sink=fpsdisplaysink text-overlay=false video-sink=ximagesink", "audio-sink=pulsesink"]

    def dropped(self):
        found = re.findall(r"rendered: (\d+), dropped: (\d+)", self.log())
        return (int(found[-1][1]), sum(map(int, found[-1]))) if found else None

    def complaints(self):
        return [line for line in self.log().splitlines() if re.match(r"(ERROR|WARNING)", line)]


class GstreamerOld(Gstreamer):
    """uridecodebin, whose HLS is the older hlsdemux. Given transport streams: with fMP4 it takes the time that media says as a wait from the
    beginning of the playlist, which is as long as the stream has run."""
    playlist = "ts.m3u8"
    name = "gstreamer-hlsdemux"

    def command(self):
        return ["gst-launch-1.0", "-v", "uridecodebin", f"uri={self.url}", "name=in", "in.", "!", "queue", "!", "videoconvert", "!",
                "fpsdisplaysink", "text-overlay=false", "video-sink=ximagesink", "in.", "!", "queue", "!", "audioconvert", "!", "audioresample", "!", "pulsesink"]


class Browser:
    """A page in Chromium with one <video> that plays the stream."""

    def __init__(self, url):
        self.watch = clock.Watch()
        self.page = Page("about:blank")
        page_eye.open(self.page, url)
        self.started_s = time.time()
        wait_for("the page", lambda: self.page.ask("!!globalThis.weirWatch"))
        self.page.ask("weirWatch.listen()")

    def look(self):
        """Takes what the page noted since the last time."""
        page_eye.take(self.page, self.watch)
        self.watch.seen_last_s = max(self.watch.seen_last_s or 0, self.page.ask("Date.now()") / 1000) if self.watch.shown else None

    def is_running(self):
        return self.page.process.poll() is None

    def finish(self):
        self.quality = self.page.ask("(q => [q.droppedVideoFrames, q.totalVideoFrames])(document.querySelector('video').getVideoPlaybackQuality())")
        self.waiting = self.page.ask("weirWatch.waiting")
        self.errors = self.page.ask(self.ERRORS)

    def dropped(self):
        return tuple(self.quality)

    def complaints(self):
        return self.errors

    def close(self):
        self.page.close()


class HlsJs(Browser):
    """The server's own player page."""
    name, ERRORS = "hls.js", "weir.stats().errors"

    def __init__(self, server, url):
        super().__init__(url)

    def version(self):
        return self.page.ask("Hls.version")


class Shaka(Browser):
    name, ERRORS = "shaka", "globalThis.failures"

    def __init__(self, server, url):
        super().__init__(f"{server}/page.html?{url}index.m3u8")

    def version(self):
        return self.page.ask("shaka.Player.version")

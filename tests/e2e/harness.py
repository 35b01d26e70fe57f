"""Starts the real server on kernel-chosen ports, publishes with real encoders, reads what players read.

Waiting is always for an event with a deadline; every process started here is ended here by its pid.
"""
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import cmaf

WEIR = os.environ["WEIR"]
# sanitizer builds on two busy cores are slow; a deadline is not a measurement
PATIENCE = float(os.environ.get("WEIR_TEST_PATIENCE", "1"))


def wait_for(what, condition, seconds=15.0, interval=0.05):
    """The first true value of condition(), or an error that names what was waited for."""
    event = threading.Event()
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s for {what}")
        event.wait(interval)


def side_by_side(*functions):
    """For what mostly waits: all at a time, and the first failure of them."""
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        for done in [pool.submit(function) for function in functions]:
            done.result()


class Server:
    def __init__(self, *settings, config=None, ports=("0", "0"), state=None, wrap=()):
        self.dir = tempfile.mkdtemp(prefix="weir-e2e-")
        self.state = state or os.path.join(self.dir, "state")
        self.log_path = os.path.join(self.dir, "log")
        command = [*wrap, WEIR, "serve"]  # wrap: a command that becomes the server by exec
        if config is not None:
            path = os.path.join(self.dir, "weir.yaml")
            with open(path, "w") as file:
                file.write(config)
            command += ["-c", path]
        if os.geteuid() != 0:
            settings = (*settings, "server.core_dumps=yes")  # else the kernel hides the descriptors from us
        for setting in (f"listen.rtmp=127.0.0.1:{ports[0]}", f"listen.http=127.0.0.1:{ports[1]}", "listen.srt=127.0.0.1:0", f"state.dir={self.state}", *settings):
            command += ["--set", setting]
        self.started = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for("the server to listen", self._listening)
        except AssertionError:
            self.kill()
            raise AssertionError(self.log())

    def _listening(self):
        if self.process.poll() is not None:
            raise AssertionError("the server ended: " + self.log())
        found = re.findall(r"listening protocol=(\w+) address=\S+ port=(\d+)", self.log())
        ports = dict(found)
        if "http" not in ports:
            return False
        self.srt_ports = [int(port) for protocol, port in found if protocol == "srt"]
        self.rtmp_port, self.http_port = int(ports["rtmp"]), int(ports["http"])
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def port(self, protocol):
        return int(re.search(rf"listening protocol={protocol} address=\S+ port=(\d+)", self.log()).group(1))

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def rtmp(self, name):
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live/{name}"

    def srt(self, streamid, index=0, **options):
        more = "".join(f"&{key}={value}" for key, value in options.items())
        return f"srt://127.0.0.1:{self.srt_ports[index]}?streamid={streamid}&pkt_size=1316{more}"

    def url(self, path):
        return f"http://127.0.0.1:{self.http_port}{path}"

    def get(self, path, headers=None, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10 * PATIENCE)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
        finally:
            connection.close()

    def text(self, path):
        status, _, body = self.get(path)
        return body.decode() if status == 200 else None

    def json(self, path):
        status, _, body = self.get(path)
        return json.loads(body) if status == 200 else None

    def stream(self, name):
        return self.json("/api/v1/streams/live/" + name)

    def counter(self, name):
        match = re.search(rf"^weir_{name}_total (\d+)$", self.text("/metrics"), re.M)
        return int(match.group(1))

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it as an operator would, and holds it to a clean end: sanitizers speak through the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not stop: " + self.log()[-4000:])
        log = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        if not os.path.exists(self.state):
            self.remove_marks()
        if status != 0 or "Sanitizer" in log or "runtime error" in log:
            raise AssertionError(f"the server ended with status {status}:\n{log[-8000:]}")

    def remove_marks(self):
        """What outlives a process for the next one on the same state folder; there will be none."""
        number = 0xCBF29CE484222325
        for byte in os.fsencode(os.path.realpath(self.state)):
            number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        try:
            os.unlink(f"/dev/shm/weir-{os.geteuid()}-{number:016x}.marks")
        except FileNotFoundError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.log()[-6000:])
            self.kill()
            return
        self.stop()


class Certificate:
    """A folder with dev.crt and dev.key."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-e2e-tls-")
        self.cert, self.key = os.path.join(self.folder.name, "dev.crt"), os.path.join(self.folder.name, "dev.key")
        self.make()
        return self

    def make(self):
        for path in (self.cert, self.key):
            if os.path.exists(path):
                os.unlink(path)
        subprocess.run([WEIR, "cert", "dev", "--dir", self.folder.name], check=True, stdout=subprocess.DEVNULL)

    def settings(self, *more):
        return ("listen.https=127.0.0.1:0", "listen.rtmps=127.0.0.1:0", f"tls.cert={self.cert}", f"tls.key={self.key}", *more)

    def context(self):
        return ssl.create_default_context(cafile=self.cert)

    def __exit__(self, *unused):
        self.folder.cleanup()


class Encoder:
    """A publishing process."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
        self.output = self.process.communicate(timeout=20)[0].decode(errors="replace")
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.end(signal.SIGKILL)


VIDEO = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"]
AUDIO = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0"]
AAC = ["-c:a", "aac", "-ac", "2", "-b:a", "96k"]


def ffmpeg(url, *codecs, inputs=None, realtime=True, output=("-f", "flv")):
    pace = ["-re"] if realtime else []
    sources = []
    for source in inputs or (VIDEO, AUDIO):
        sources += pace + source
    return Encoder(["ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin", *sources, *(codecs or (*X264, *AAC)), *output, url])


def playlist(server, name, rendition):
    return server.text(f"/live/{name}/{rendition}/index.m3u8")


def segments(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def wait_segments(server, name, rendition, count, seconds=30):
    def ready():
        text = playlist(server, name, rendition)
        return text if text and len(segments(text)) >= count else None
    return wait_for(f"{count} segments of {name}/{rendition}", ready, seconds)


class Check:
    """weir-loadgen check beside what a test does: every rule of HLS on what is served meanwhile."""

    def __init__(self, server, name, seconds, *arguments, allow=(), url=None):
        command = [os.environ["WEIR_LOADGEN"], "check", url or server.url(f"/live/{name}/index.m3u8"), "--json", "--seconds", str(seconds),
                   "--tolerance", str(int(400 * PATIENCE)), "--wait", str(int(20 * PATIENCE)), *arguments]
        if allow:
            command += ["--allow", ",".join(allow)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.report = None

    def end(self, early=False):
        """The report; an error that names each violated rule with its evidence."""
        if early:
            self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=180 * PATIENCE)
        assert not errors and self.process.returncode in (0, 1), f"weir-loadgen check: status {self.process.returncode}\n{errors.decode()}"
        self.report = json.loads(out)
        broken = {rule["id"]: (rule["says"], rule["violation"]) for rule in self.report["rules"] if rule["verdict"] == "VIOLATED"}
        assert not broken and self.process.returncode == 0, json.dumps(broken, indent=1)
        self.checked = {rule["id"]: rule["checked"] for rule in self.report["rules"]}
        self.warned = {rule["id"]: rule["warning"] for rule in self.report["rules"] if rule["warned"]}
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def check_stream(server, name, seconds, *arguments, allow=()):
    with Check(server, name, seconds, *arguments, allow=allow) as check:
        return check.end()


def read_rendition(server, name, rendition):
    """All that the playlist lists now, as parsed CMAF: [(segment entry, Fragment)] with the init's timescale."""
    text = playlist(server, name, rendition)
    entries = cmaf.parse_playlist(text)
    inits, result = {}, []
    for entry in entries.segments:
        if entry.init not in inits:
            status, _, body = server.get(f"/live/{name}/{rendition}/{entry.init}")
            assert status == 200, entry.init
            inits[entry.init] = cmaf.Init(body)
        if entry.is_gap:
            result.append((entry, None))
            continue
        status, _, body = server.get(f"/live/{name}/{rendition}/{entry.uri}")
        assert status == 200, entry.uri
        result.append((entry, cmaf.Fragment(body, inits[entry.init])))
    return entries, result

"""A network made worse on purpose, the same way each time (tests/tools/relay.c), and a sender for it (tests/tools/srt_source.c)."""
import os
import subprocess
import threading

RELAY, SOURCE = os.environ.get("RELAY"), os.environ.get("SRT_SOURCE")


class Relay:
    """relay.port passes everything to 127.0.0.1:target and back. settings: loss=1, delay=50, ... (relay.c)."""

    def __init__(self, kind, target, **settings):
        self.process = subprocess.Popen([RELAY, kind, "0", str(target), *(f"{k}={v}" for k, v in settings.items())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = []
        while True:
            got = self.process.stdout.readline()
            if not got or got.strip() == "ok":
                return answer
            answer.append(got.strip())

    def set(self, **settings):
        self.tell("set " + " ".join(f"{k}={v}" for k, v in settings.items()))

    def stats(self):
        return {k: int(v) for k, v in (pair.split("=") for pair in self.tell("stats")[0].split()[1:])}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.communicate()


class Source:
    """srt_source: sends a clip as `name`0 until it is ended. sent: packets, once it has ended."""

    def __init__(self, port, clip, seconds, count=1, **options):
        self.process = subprocess.Popen([SOURCE, str(port), str(count), str(seconds), clip, *(f"{k}={v}" for k, v in options.items())], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.wait()
            raise AssertionError("the source was refused")
        self.sent = None

    def wait(self, timeout):
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        output = self.process.communicate()[0]
        timer.cancel()
        self.sent = int(output.split()[1]) if output.startswith("sent") else None
        return self.sent

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

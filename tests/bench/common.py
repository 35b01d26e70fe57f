"""Processes under measurement: CPU and memory as the kernel counts them."""
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request

BUILD = os.environ.get("WEIR_BUILD", "build/release")
PAGE = os.sysconf("SC_PAGESIZE")


def tree(pid):
    out = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in file.read().split():
                out += tree(int(child))
    return out


def cpu_seconds(pid):
    """Time on a core of all threads, as the scheduler counts it in nanoseconds: ticks are too coarse for one stream."""
    total = 0
    for one in tree(pid):
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def rss_bytes(pid):
    total = 0
    for one in tree(pid):
        with open(f"/proc/{one}/statm") as file:
            fields = file.read().split()
        total += (int(fields[1]) - int(fields[2])) * PAGE  # without shared pages: code and tmpfs files
    return total


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("bench: a server did not start")
        threading.Event().wait(0.05)


class Folder:
    """A folder on tmpfs, gone afterwards."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="weir-bench-", dir="/dev/shm")
        os.chmod(self.path, 0o777)
        return self.path

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)


class Weir:
    def __init__(self, folder, *settings):
        self.log = os.path.join(folder, "log")
        command = [f"{BUILD}/server/weir", "serve", "--set", "listen.rtmp=127.0.0.1:0", "--set", "listen.http=127.0.0.1:0", "--set", "listen.srt=127.0.0.1:0", "--set", f"state.dir={folder}/state"]
        for setting in settings:
            command += ["--set", setting]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        until(lambda: "http" in self.ports())
        self.pid, self.port, self.http = self.process.pid, int(self.ports()["rtmp"]), int(self.ports()["http"])

    def ports(self):
        with open(self.log) as file:
            return dict(re.findall(r"listening protocol=(\w+) address=\S+ port=(\d+)", file.read()))

    def srt_ports(self):
        with open(self.log) as file:
            return [int(port) for port in re.findall(r"listening protocol=srt address=\S+ port=(\d+)", file.read())]

    def metrics(self, *names):
        """Of one moment; each the sum over its labels."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics").read().decode()
        return [sum(int(v) for v in re.findall(rf"^weir_{name}(?:{{[^}}]*}})? (\d+)$", text, re.M)) for name in names]

    def metric(self, name):
        return self.metrics(name)[0]

    def end(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    def __init__(self, folder, body, modules=""):
        self.conf = os.path.join(folder, "nginx.conf")
        with open(self.conf, "w") as file:
            file.write(f"{modules}\nuser root;\ndaemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error;\nevents {{ worker_connections 4096; }}\n{body}")
        self.process = subprocess.Popen(["nginx", "-c", self.conf, "-p", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def end(self):
        self.process.terminate()
        self.process.wait()

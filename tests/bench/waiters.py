"""Waiters: thousands of blocked playlist reloads. Memory of each while it waits, time from a part's last frame leaving the publisher to
each answer, CPU of each from request to answer. Server and clients share this machine's cores."""
import argparse
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

from common import BUILD, Folder, Weir, cpu_seconds, rss_bytes, until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
os.environ.setdefault("WEIR", f"{BUILD}/server/weir")
from rtmp_client import Publisher, is_config, make_flv  # noqa: E402


class PacedPublisher(threading.Thread):
    """Sends a clip over and over at its own pace and remembers when each frame went."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.clip = make_flv(seconds=4, gop=30, audio=False)
        self.publisher = Publisher(port, name="bench")
        self.sent, self.stopping = [], threading.Event()

    def run(self):
        for tag in filter(is_config, self.clip):
            self.publisher.tag(tag[0], 0, tag[2])
        started, index = time.monotonic(), 0
        frames = [tag for tag in self.clip if tag[0] == 9 and not is_config(tag)][:120]  # whole groups of pictures
        while not self.stopping.wait(max(0.0, started + index / 30 - time.monotonic())):
            self.sent.append(time.monotonic())
            self.publisher.tag(9, round(index * 1000 / 30), frames[index % len(frames)][2])
            index += 1


def fetch(url):
    return urllib.request.urlopen(url, timeout=10).read().decode()


def last_segment(base):
    text = fetch(base + "index.m3u8")
    return int(re.search(r"MEDIA-SEQUENCE:(\d+)", text).group(1)) + text.count("#EXTINF") - 1


def idle_cpu(server, seconds=2):
    before = cpu_seconds(server.pid)
    threading.Event().wait(seconds)
    return (cpu_seconds(server.pid) - before) / seconds


def measure(server, publisher, mode, waiters, requests):
    base = f"http://127.0.0.1:{server.http}/live/bench/video/"
    port = server.ports()["https"] if mode == "h2" else server.http
    quiet = idle_cpu(server)
    rss, cpu, started = rss_bytes(server.pid), cpu_seconds(server.pid), time.monotonic()
    path = f"/live/bench/video/index.m3u8?_HLS_msn={last_segment(base) + 2}&_HLS_part=0"
    clients = subprocess.Popen([f"{BUILD}/tests/bench/waiters", str(port), mode, str(waiters // requests), str(requests), path],
                               stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert clients.stdout.readline() == "asked\n", "the clients could not ask"
        asked = time.monotonic()
        until(lambda: server.metric("hls_waits_total") - server.metric("hls_waits_answered_total") >= waiters, 8)
        each = (rss_bytes(server.pid) - rss) / waiters
        waiting_cpu, waiting_since = cpu_seconds(server.pid), time.monotonic()
        right, wrong, *moments = map(int, clients.stdout.readline().split())
        ended, used = time.monotonic(), cpu_seconds(server.pid)
        assert wrong == 0, f"{wrong} of {right + wrong} were answered otherwise or not at all"
        moments = [moment / 1e6 for moment in moments]
        part = max(when for when in publisher.sent if when <= moments[0])
        answer_cpu = (used - waiting_cpu - quiet * (ended - waiting_since)) / waiters
        ask_cpu = (waiting_cpu - cpu - quiet * (waiting_since - started)) / waiters
        print(f"{mode:5} | {right:6} | {each:10.0f} | " + " | ".join(f"{(moment - part) * 1000:7.1f}" for moment in moments) +
              f" | {ask_cpu * 1e6:8.1f} | {answer_cpu * 1e6:8.1f} | {asked - started:6.2f}", flush=True)
    finally:
        clients.stdin.close()
        clients.kill()
        clients.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--waiters", type=int, default=10000)
    arguments.add_argument("--requests", type=int, default=50, help="of one HTTP/2 connection")
    arguments.add_argument("--herd", type=int, default=2000, help="HTTP/1.1, and HTTP/2 with a connection each")
    arguments.add_argument("--rounds", type=int, default=1)
    options = arguments.parse_args()
    print("milliseconds from the part's last frame leaving the publisher; CPU of the server in microseconds a request")
    print("      | 200    | RSS bytes  | first   | half    | 99 %    | last    | to ask   | to answer | asked in s")
    for _ in range(options.rounds):
        for mode, waiters, requests in (("h2", options.waiters, options.requests), ("h2c", options.waiters, options.requests),
                                        ("http1", options.herd, 1), ("h2", options.herd, 1)):
            with_a_server(mode, waiters, requests)


def with_a_server(mode, waiters, requests):
    """One of its own for each: memory that a crowd before left behind would hide what the next one costs."""
    with Folder() as folder:
        subprocess.run([f"{BUILD}/server/weir", "cert", "dev", "--dir", folder], check=True, stdout=subprocess.DEVNULL)
        # long segments: all must have asked before the one after the next begins
        server = Weir(folder, "server.loops=2", "log.level=warn,base=info,server=info", "hls.segment=10s", "hls.window=60s", "hls.part=500ms",
                      f"tls.cert={folder}/dev.crt", f"tls.key={folder}/dev.key", "listen.https=127.0.0.1:0", "listen.rtmps=127.0.0.1:0")
        try:
            publisher = PacedPublisher(server.port)
            publisher.start()

            def has_segments():
                try:
                    return re.search(r"EXTINF:(9|10)\.", fetch(f"http://127.0.0.1:{server.http}/live/bench/video/index.m3u8"))
                except OSError:
                    return False
            until(has_segments, 60)  # the first ones are shorter
            measure(server, publisher, mode, waiters, requests)
            publisher.stopping.set()
            publisher.join()
        finally:
            server.end()


if __name__ == "__main__":
    main()

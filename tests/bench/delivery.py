"""Delivery: playlist requests per second and segment Gbit/s of one loop, beside nginx with one worker serving the same bytes from tmpfs;
in the clear, over TLS, and over HTTP/2. The ratio per core counts: on a busy machine the two do not get the same time."""
import argparse
import os
import re
import subprocess
import urllib.request

from common import BUILD, Folder, Nginx, Weir, cpu_seconds, free_port, until
from passthrough import can_connect, make_clip


def fetch(url):
    return urllib.request.urlopen(url, timeout=10).read()


def wrk(url, seconds, pid):
    """Requests and Gbit/s per second, and the server's share of a core."""
    before = cpu_seconds(pid)
    out = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    errors = re.search(r"Non-2xx.*|Socket errors.*", out)
    assert not errors, errors.group(0)
    requests = float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1))
    value, unit = re.search(r"Transfer/sec:\s+([0-9.]+)([KMG]B)", out).groups()
    return requests, bits(float(value), unit), used / seconds


def h2load(url, seconds, pid):
    """The same over HTTP/2: 64 connections, 8 requests under way in each, windows as browsers open them."""
    before = cpu_seconds(pid)
    out = subprocess.run(["h2load", "-t1", "-c64", "-m8", "-w24", "-W24", f"-D{seconds}", url], capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    assert re.search(r" 0 3xx, 0 4xx, 0 5xx", out) and "Application protocol: h2" in out, out
    requests, value, unit = re.search(r"finished in .*?, ([0-9.]+) req/s, ([0-9.]+)([KMG]B)/s", out).groups()
    return float(requests), bits(float(value), unit), used / seconds


def bits(value, unit):
    return value * {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit] * 8 / 1e9


def compare(what, unit, ours, theirs):
    index = 0 if unit == "req/s" else 1
    a, b = ours[index], theirs[index]
    per_core = (a / ours[2]) / (b / theirs[2])
    print(f"{what:22} | {a:10.2f} {unit:6} | {b:10.2f} {unit:6} | {a / b:5.2f} | {per_core:14.2f} | {ours[2] * 100:6.0f} % | {theirs[2] * 100:6.0f} %", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--only", choices=["http", "https", "h2"], action="append", help="default: all three")
    options = arguments.parse_args()
    with Folder() as folder:
        clip = os.path.join(folder, "clip.flv")
        make_clip(clip)
        subprocess.run([f"{BUILD}/server/weir", "cert", "dev", "--dir", folder], check=True, stdout=subprocess.DEVNULL)
        server = Weir(folder, "server.loops=1", "log.level=warn,base=info,server=info", "hls.window=60s",
                      "hls.hold=10m", "ingest.idle=10m",  # as long as all rounds take
                      f"tls.cert={folder}/dev.crt", f"tls.key={folder}/dev.key",
                      "listen.https=127.0.0.1:0", "listen.rtmps=127.0.0.1:0")
        source = subprocess.Popen([f"{BUILD}/tests/bench/rtmp_source", str(server.port), "1", "3600", clip], stdout=subprocess.PIPE)
        nginx = None
        try:
            source.stdout.readline()
            path = "/live/s0/video/"
            base = f"http://127.0.0.1:{server.http}{path}"

            def has_segments():
                try:
                    return fetch(base + "index.m3u8").count(b"#EXTINF") >= 4
                except OSError:
                    return False
            until(has_segments)
            source.send_signal(19)  # SIGSTOP: the playlist stands still while both serve the same bytes
            playlist = fetch(base + "index.m3u8")
            name = [line for line in playlist.decode().splitlines() if line.startswith("seg-")][-1]
            segment = fetch(base + name)
            os.mkdir(f"{folder}/www")
            for file_name, data in (("index.m3u8", playlist), ("segment.m4s", segment)):
                with open(f"{folder}/www/{file_name}", "wb") as file:
                    file.write(data)
            port, secure = free_port(), free_port()
            nginx = Nginx(folder, f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100; "
                          f"types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }} ssl_certificate {folder}/dev.crt; ssl_certificate_key {folder}/dev.key; "
                          f"server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{secure} ssl http2; root {folder}/www; }} }}")
            until(lambda: can_connect(port))
            https = server.ports()["https"]
            print(f"playlist {len(playlist)} bytes, segment {len(segment)} bytes; one thread each side, 64 connections")
            print("what                   | weir              | nginx             | ratio | ratio per core | weir CPU | nginx CPU")
            for _ in range(options.rounds):
                for kind, client, ours, theirs in (("http", wrk, base, f"http://127.0.0.1:{port}/"), ("https", wrk, f"https://127.0.0.1:{https}{path}", f"https://127.0.0.1:{secure}/"),
                                                   ("h2", h2load, f"https://127.0.0.1:{https}{path}", f"https://127.0.0.1:{secure}/")):
                    if options.only and kind not in options.only:
                        continue
                    compare(f"{kind} playlist", "req/s", client(ours + "index.m3u8", options.seconds, server.pid), client(theirs + "index.m3u8", options.seconds, nginx.pid))
                    compare(f"{kind} segment", "Gbit/s", client(ours + name, options.seconds, server.pid), client(theirs + "segment.m4s", options.seconds, nginx.pid))
        finally:
            source.kill()
            source.wait()
            if nginx:
                nginx.end()
            server.end()


if __name__ == "__main__":
    main()

"""Delivery: playlist requests per second and segment Gbit/s of one loop, beside nginx with one worker serving the same bytes from tmpfs."""
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
    before = cpu_seconds(pid)
    out = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    errors = re.search(r"Non-2xx.*|Socket errors.*", out)
    assert not errors, errors.group(0)
    requests = float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1))
    scale = {"KB": 1e3, "MB": 1e6, "GB": 1e9}
    value, unit = re.search(r"Transfer/sec:\s+([0-9.]+)([KMG]B)", out).groups()
    return requests, float(value) * scale[unit] * 1.024 * 8 / 1e9, used / seconds


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=2)
    options = arguments.parse_args()
    with Folder() as folder:
        clip = os.path.join(folder, "clip.flv")
        make_clip(clip)
        server = Weir(folder, "server.loops=1", "log.level=warn,server=info", "hls.window=60s")
        source = subprocess.Popen([f"{BUILD}/tests/bench/rtmp_source", str(server.port), "1", "3600", clip], stdout=subprocess.PIPE)
        nginx = None
        try:
            source.stdout.readline()
            base = f"http://127.0.0.1:{server.http}/live/s0/video/"

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
            for path, data in (("index.m3u8", playlist), ("segment.m4s", segment)):
                with open(f"{folder}/www/{path}", "wb") as file:
                    file.write(data)
            port = free_port()
            nginx = Nginx(folder, f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100; "
                          f"types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }} server {{ listen 127.0.0.1:{port}; root {folder}/www; }} }}")
            until(lambda: can_connect(port))
            print(f"playlist {len(playlist)} bytes, segment {len(segment)} bytes; wrk: 1 thread, 64 connections")
            print("what     | weir             | nginx            | weir/nginx | weir CPU | nginx CPU")
            for _ in range(options.rounds):
                ours, theirs = wrk(base + "index.m3u8", options.seconds, server.pid), wrk(f"http://127.0.0.1:{port}/index.m3u8", options.seconds, nginx.pid)
                print(f"playlist | {ours[0]:10.0f} req/s | {theirs[0]:10.0f} req/s | {ours[0] / theirs[0]:10.2f} | {ours[2] * 100:6.0f} % | {theirs[2] * 100:6.0f} %", flush=True)
                ours, theirs = wrk(base + name, options.seconds, server.pid), wrk(f"http://127.0.0.1:{port}/segment.m4s", options.seconds, nginx.pid)
                print(f"segment  | {ours[1]:9.2f} Gbit/s | {theirs[1]:9.2f} Gbit/s | {ours[1] / theirs[1]:10.2f} | {ours[2] * 100:6.0f} % | {theirs[2] * 100:6.0f} %", flush=True)
        finally:
            source.kill()
            source.wait()
            if nginx:
                nginx.end()
            server.end()


if __name__ == "__main__":
    main()

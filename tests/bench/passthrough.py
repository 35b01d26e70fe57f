"""Passthrough: server CPU and memory per stream, beside nginx-rtmp (HLS on tmpfs) and beside a floor, all in one run."""
import argparse
import os
import socket
import subprocess
import threading

from common import BUILD, Folder, Nginx, Weir, cpu_seconds, free_port, rss_bytes, until

SEGMENT_SECONDS = 2
WINDOW_SECONDS = 12
WARM_SECONDS = 8
CLIP_SECONDS = 10
# until as much leaves weir's memory as comes (the playlist, what RFC 8216, 6.2.2 keeps behind it, the open segment), and one clip more: where it
# begins anew a segment is longer, and so is all that is kept
FILL_SECONDS = 32 + CLIP_SECONDS


def make_clip(path):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=30:duration={CLIP_SECONDS}", "-f", "lavfi", "-i",
                    f"anoisesrc=duration={CLIP_SECONDS}:sample_rate=48000:amplitude=0.1", "-c:v", "libx264", "-preset", "superfast", "-pix_fmt", "yuv420p",
                    "-b:v", "2372k", "-minrate", "2372k", "-maxrate", "2372k", "-bufsize", "2372k", "-x264-params", "nal-hrd=cbr", "-g", "60", "-keyint_min", "60",
                    "-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv", path], check=True)
    print(f"clip: {os.path.getsize(path) * 8 / CLIP_SECONDS / 1e6:.2f} Mbit/s")


def can_connect(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def measure(pid, port, streams, seconds, clip, raw=False, memory=rss_bytes, warm=WARM_SECONDS):
    source = subprocess.Popen([f"{BUILD}/tests/bench/rtmp_source", str(port), str(streams), str(warm + seconds + 2 * CLIP_SECONDS), clip] + (["raw"] if raw else []),
                              stdout=subprocess.PIPE)
    try:
        assert source.stdout.readline() == b"ready\n", "the source was refused"
        threading.Event().wait(warm)
        before = cpu_seconds(pid)
        threading.Event().wait(seconds)
        return (cpu_seconds(pid) - before) / seconds / streams * 1000, memory(pid)
    finally:
        source.kill()
        source.wait()


def memory_peaks(server):
    """Media is given back a segment at a time, so what is held goes up and down by one, and by more where the clip begins anew: the peaks over a clip."""
    peaks = [0, 0]
    for _ in range(8 * CLIP_SECONDS):
        threading.Event().wait(1 / 8)
        peaks = [max(peaks[0], rss_bytes(server.pid)), max(peaks[1], server.metric("stream_window_bytes"))]
    return peaks


def besides_media(server):
    """What streams hold besides their segments. Their publishers have just gone: no segment is half filled, and nothing slides."""
    settled = []

    def is_settled():
        settled.append(server.metrics("heap_used_bytes", "stream_window_bytes"))
        return len(settled) > 8 and settled[-1][1] == settled[-8][1]
    until(is_settled)
    return settled[-1][0] - settled[-1][1]


def run_weir(streams, seconds, clip, *settings, warm=WARM_SECONDS):
    with Folder() as folder:
        server = Weir(folder, f"hls.window={WINDOW_SECONDS}s", "log.level=warn,server=info", *settings)
        try:
            idle, used = rss_bytes(server.pid), server.metric("heap_used_bytes")
            ms, (resident, held) = measure(server.pid, server.port, streams, seconds, clip, memory=lambda pid: memory_peaks(server), warm=warm)
            return ms, resident - idle, held, besides_media(server) - used
        finally:
            server.end()


def run_nginx_rtmp(streams, seconds, clip):
    with Folder() as folder:
        port = free_port()
        server = Nginx(folder, f"rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; chunk_size 4096; application live {{ live on; hls on; hls_path {folder}/hls; "
                       "hls_fragment 2s; hls_playlist_length " f"{WINDOW_SECONDS}s; }} }} }}", "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;")
        try:
            until(lambda: can_connect(port))
            idle = rss_bytes(server.pid)
            ms, rss = measure(server.pid, port, streams, seconds, clip)
            return ms, rss - idle
        finally:
            server.end()


def run_floor(streams, seconds, clip, gather_ms):
    with Folder() as folder:
        server = subprocess.Popen([f"{BUILD}/tests/bench/floor", folder, str(gather_ms)], stdout=subprocess.PIPE)
        try:
            return measure(server.pid, int(server.stdout.readline()), streams, seconds, clip, raw=True)[0]
        finally:
            server.kill()
            server.wait()


SERIES = (("nginx-rtmp", "#b0b7c3"), ("floor, woken per send", "#e0c080"), ("weir", "#0b5fc6"))


def draw(path, rows):
    """Groups of bars as an SVG: server CPU per stream, one group for each number of streams."""
    width, height, left, base = 640, 300, 60, 250
    top = max(value for _, values in rows for value in values) * 1.1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>', f'<text x="{left}" y="18">CPU milliseconds per second of one 2.5 Mbit/s stream</text>']
    step = (width - left - 20) / len(rows)
    for group, (streams, values) in enumerate(rows):
        for index, value in enumerate(values):
            x, bar = left + group * step + index * step / 4, value / top * (base - 50)
            out += [f'<rect x="{x:.0f}" y="{base - bar:.0f}" width="{step / 4 - 4:.0f}" height="{bar:.0f}" fill="{SERIES[index][1]}"/>',
                    f'<text x="{x:.0f}" y="{base - bar - 4:.0f}">{value:.2f}</text>']
        out.append(f'<text x="{left + group * step:.0f}" y="{base + 16}">{streams} stream{"s" if streams > 1 else ""}</text>')
    for index, (name, colour) in enumerate(SERIES):
        out += [f'<rect x="{left + index * 190}" y="{base + 28}" width="12" height="12" fill="{colour}"/>',
                f'<text x="{left + index * 190 + 18}" y="{base + 38}">{name}</text>']
    with open(path, "w") as file:
        file.write("\n".join([*out, "</svg>", ""]))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--streams", default="1,10,40,200")
    arguments.add_argument("--seconds", type=int, default=15)
    arguments.add_argument("--svg", help="a file to draw the CPU figures into")
    options = arguments.parse_args()
    rows = []
    with Folder() as folder:
        clip = os.path.join(folder, "clip.flv")
        make_clip(clip)
        print("streams | weir ms/s | weir, no gather | nginx-rtmp | floor per send | floor 50 ms | weir/nginx | weir/floor | weir kB: media held | besides it in use | and free | nginx-rtmp kB")
        for streams in map(int, options.streams.split(",")):
            ms, resident, held, besides = run_weir(streams, options.seconds, clip, warm=FILL_SECONDS)
            eager = run_weir(streams, options.seconds, clip, "ingest.gather=0ms")[0]
            nginx_ms, nginx_rss = run_nginx_rtmp(streams, options.seconds, clip)
            per_send, gathered = run_floor(streams, options.seconds, clip, 0), run_floor(streams, options.seconds, clip, 50)
            rows.append((streams, (nginx_ms, per_send, ms)))
            print(f"{streams:7} | {ms:9.2f} | {eager:15.2f} | {nginx_ms:10.2f} | {per_send:14.2f} | {gathered:11.2f} | {ms / nginx_ms:10.2f} | {ms / per_send:10.2f} | "
                  f"{held / streams / 1000:19.0f} | {besides / streams / 1000:17.0f} | {(resident - held - besides) / streams / 1000:8.0f} | {nginx_rss / streams / 1000:14.0f}", flush=True)
    if options.svg:
        draw(options.svg, rows)


if __name__ == "__main__":
    main()

"""Latency, from the publisher's frame on: until a part that ends with it may be played, until hls.js in the server's own page shows it, and how
long the first picture takes. The picture carries the wall clock at which it was drawn (tests/players/clock_source.c), the publisher notes when each
frame was sent; all on one machine."""
import argparse
import bisect
import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../players"), os.path.join(HERE, "../e2e")]
os.environ.setdefault("WEIR", "")
from common import BUILD, Folder, Weir, until  # noqa: E402
os.environ["WEIR_CLOCK_SOURCE"] = f"{BUILD}/tests/players/clock_source"
import clock  # noqa: E402
import page_eye  # noqa: E402
from browser import Page  # noqa: E402
from clock import percentile  # noqa: E402

SETTLE_S = 10   # hls.js has found its distance from the edge by then
CUT_SLACK_MS = 60  # sound is cut at its first frame at or behind the keyframe
AIMS = {"part": 5, "picture": 1000, "publisher": 1000, "viewer": 500}  # milliseconds


class Publisher:
    """clock_source, ffmpeg, and a sender that notes when each frame was sent."""

    def __init__(self, folder, server, name, fps, gop_seconds):
        self.notes_path = os.path.join(folder, f"notes-{name}")
        self.source = clock.Source("-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1", fps=fps, gop_seconds=gop_seconds, stdout=subprocess.PIPE)
        self.sender = subprocess.Popen([f"{BUILD}/tests/bench/latency_publisher", str(server.port), name, self.notes_path], stdin=self.source.encoder.stdout)
        self.source.encoder.stdout.close()

    def notes(self):
        """[(kind, is keyframe, decode time in ms, CRC-32, sent at, in us)]"""
        if not os.path.exists(self.notes_path):
            return []
        with open(self.notes_path) as file:
            rows = [line.split() for line in file if line.endswith("\n")]
        return [(kind, key == "k", int(ms), crc, int(sent_us)) for kind, key, ms, crc, sent_us in rows]

    def end(self):
        self.source.end()
        self.sender.wait()


def spread(values):
    return {"n": len(values), "p50": percentile(values, .5), "p95": percentile(values, .95), "p99": percentile(values, .99), "max": max(values, default=float("nan"))}


def show(what, figures, aim=None, share="p99"):
    verdict = f"; aim {share} <= {aim} ms: {'reached' if figures[share] <= aim else 'MISSED'}" if aim else ""
    print(f"{what}: n {figures['n']}, p50 {figures['p50']:.1f}, p95 {figures['p95']:.1f}, p99 {figures['p99']:.1f}, max {figures['max']:.1f} ms{verdict}", flush=True)


def parts(server, publisher, name, rendition, seconds):
    """[(how long after it was complete a part was listed, and had come whole to one who waited for the part itself, in ms)], twice: of all, and
    of those that end a segment alone. A part is complete with its last frame; one that a keyframe cut short is known to be complete, to
    anyone but its encoder, only when that keyframe has come."""
    reader = subprocess.run([sys.executable, os.path.join(HERE, "part_reader.py"), "127.0.0.1", str(server.http), f"/live/{name}/{rendition}/index.m3u8", str(seconds)],
                            stdout=subprocess.PIPE, text=True, check=False)
    if reader.returncode:
        return None
    rows, notes = [json.loads(line) for line in reader.stdout.splitlines()], publisher.notes()
    sent = sorted((ms, sent_us) for kind, _, ms, _, sent_us in notes if kind == rendition[0])
    keys = sorted((ms, sent_us) for _, is_key, ms, _, sent_us in notes if is_key)
    times = [ms for ms, _ in sent]
    # stream time and the publisher's differ by a constant, which those tell whose bytes are known; bytes may repeat, of silence for one
    shifts = []
    for row in rows:
        same = [ms for kind, _, ms, crc, sent_us in notes if kind == rendition[0] and crc == row["crc"] and sent_us <= row["listed_us"]]
        if same:
            shifts.append(row["last_ms"] - max(same))
    if not rows or len(shifts) * 2 < len(rows):
        raise SystemExit(f"bench: of {len(rows)} parts only {len(shifts)} end with bytes that were sent")
    shift = percentile(shifts, 0.5)
    listed, got, at_cut = [], [], []
    for row in rows:
        at = nearest(times, row["last_ms"] - shift)
        if at is None:
            continue
        complete_us = sent[at][1]
        if row["ends_segment"]:
            behind = [sent_us for ms, sent_us in keys if ms >= times[at] - CUT_SLACK_MS]
            complete_us = max(complete_us, behind[0]) if behind else complete_us
            at_cut.append((row["listed_us"] - sent[at][1]) / 1000)
        listed.append((row["listed_us"] - complete_us) / 1000)
        if row["got_us"]:
            got.append((row["got_us"] - complete_us) / 1000)
    return listed, got, at_cut


def nearest(times, wanted):
    at = bisect.bisect_left(times, wanted)
    best = min((i for i in (at - 1, at) if 0 <= i < len(times)), key=lambda i: abs(times[i] - wanted))
    return best if abs(times[best] - wanted) < 8 else None


def run_parts(server, folder, options, results):
    publisher = Publisher(folder, server, "parts", options.fps, 2.0)
    try:
        wait_for_playlist(server, "parts")
        threading.Event().wait(3)
        for rendition in ("video", "audio"):
            found = parts(server, publisher, "parts", rendition, options.seconds)
            if not found:
                print(f"parts of {rendition}: none are listed, this server serves no low latency")
                continue
            listed, got, at_cut = map(spread, found)
            results[f"parts_{rendition}"] = found
            show(f"{rendition} part listed after it was complete", listed, AIMS["part"])
            show(f"{rendition} part whole at one who asked for the hinted part, after it was complete", got, AIMS["part"])
            if at_cut["n"]:
                show(f"  those that end a segment, after their last frame: only the keyframe behind it tells", at_cut)
    finally:
        publisher.end()


def wait_for_playlist(server, name):
    import urllib.request

    def there():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{server.http}/live/{name}/index.m3u8", timeout=5).status == 200
        except OSError:
            return False
    until(there)


def run_pictures(server, folder, options, results):
    publisher = Publisher(folder, server, "picture", options.fps, 2.0)
    page = Page("about:blank")
    try:
        wait_for_playlist(server, "picture")
        watch = clock.Watch()
        page_eye.open(page, f"http://127.0.0.1:{server.http}/live/picture/")
        until(lambda: page.ask("!!globalThis.weirWatch && weirWatch.firstMs !== null"))
        opened_s, rates = time.time(), []
        while time.time() < opened_s + SETTLE_S + options.seconds:
            threading.Event().wait(1)
            page_eye.take(page, watch)
            rates.append(page.ask("weir.video.playbackRate"))
        ages = [age * 1000 for age in watch.latencies(opened_s + SETTLE_S)]
        results["picture"] = ages
        stalls = [(at - opened_s, length) for at, length in watch.stalls()]
        facts = page.ask("weir.stats()")
        print(f"hls.js {page.ask('Hls.version')}: {facts}")
        show("picture's age in hls.js", spread(ages), AIMS["picture"], "p95")
        print(f"stalls over {watch.STALL_S} s: {[(round(at, 1), round(length, 2)) for at, length in stalls]}; steps back {watch.steps_back()}; "
              f"playback rates {sorted(set(rates))}; dropped {facts['dropped']} of {facts['frames']}")
        first = []
        for index in range(options.viewers):
            page.call("Page.navigate", url="about:blank")
            threading.Event().wait(0.37)  # so that the phase within part and segment differs
            if options.cold:
                page.call("Network.clearBrowserCache")
            page_eye.open(page, f"http://127.0.0.1:{server.http}/live/picture/")
            until(lambda: page.ask("!!globalThis.weirWatch && weirWatch.firstMs !== null"))
            first.append(page.ask("weirWatch.firstMs"))
        results["viewer"] = first
        show("new viewer: page opened to first picture", spread(first), AIMS["viewer"], "p95")
    finally:
        page.close()
        publisher.end()


def run_first(server, folder, options, results):
    """The page is open and waits; a publisher with keyframes two seconds apart comes."""
    page, took = Page("about:blank"), []
    try:
        for index in range(options.publishers):
            name = f"first{index}"
            page_eye.open(page, f"http://127.0.0.1:{server.http}/live/{name}/")
            until(lambda: "Waiting" in (page.ask("document.getElementById('message')?.textContent") or ""))
            threading.Event().wait(1 + index * 0.17)
            publisher = Publisher(folder, server, name, options.fps, 2.0)
            try:
                until(lambda: page.ask("weirWatch.firstMs !== null"))
                watch = clock.Watch()
                page_eye.take(page, watch)
                first_idr = next(sent_us for _, is_key, _, _, sent_us in publisher.notes() if is_key)
                took.append(watch.shown[0][0] * 1000 - first_idr / 1000)
                threading.Event().wait(3)
                page_eye.take(page, watch)
                print(f"  publisher {index}: first picture {took[-1]:.0f} ms after its first IDR; stalls since {[round(s, 2) for _, s in watch.stalls()]}")
            finally:
                publisher.end()
        results["publisher"] = took
        show("first picture after a publisher's first IDR", spread(took), AIMS["publisher"], "p95")
    finally:
        page.close()


def curve(values, left, top, width, height, most):
    """A cumulative distribution as SVG points."""
    values = sorted(values)
    points = [f"{left + min(v, most) / most * width:.1f},{top + height - (i + 1) / len(values) * height:.1f}" for i, v in enumerate(values)]
    return f"{left},{top + height} " + " ".join(points[::max(1, len(points) // 400)] + points[-1:])


def draw(path, results, caption):
    """Two panels of cumulative distributions: parts in milliseconds, pictures in hundreds of them; dashed: what is aimed at."""
    panels = [("part listed after it was complete, ms", 10, AIMS["part"], [("video", "#0b5fc6", "parts_video"), ("audio", "#e08a00", "parts_audio")]),
              ("since the frame was drawn, the page opened, or the first IDR sent, ms", 1500, None,
               [("age of hls.js's picture", "#0b5fc6", "picture"), ("new viewer's first picture", "#2a9d5c", "viewer"), ("first picture of a new stream", "#c0392b", "publisher")])]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 330" font-family="sans-serif" font-size="12">', '<rect width="760" height="330" fill="white"/>',
           f'<text x="40" y="18">{caption}</text>']
    for index, (title, most, aim, series) in enumerate(panels):
        left, top, width, height = 40 + index * 370, 50, 320, 200
        out += [f'<text x="{left}" y="{top - 10}">{title}</text>', f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#b0b7c3"/>']
        for step in range(6):
            x = left + width * step / 5
            out.append(f'<text x="{x:.0f}" y="{top + height + 16}" text-anchor="middle" fill="#555">{most * step / 5:g}</text>')
        for share in (0.5, 0.95):
            y = top + height * (1 - share)
            out += [f'<line x1="{left}" x2="{left + width}" y1="{y:.0f}" y2="{y:.0f}" stroke="#e3e6ea"/>', f'<text x="{left - 4}" y="{y + 4:.0f}" text-anchor="end" fill="#555">{share * 100:.0f} %</text>']
        for row, (name, colour, key) in enumerate(series):
            values = results[key][0] if key.startswith("parts") and key in results else results.get(key)
            goal = aim or AIMS[key]
            x = left + goal / most * width
            out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{top}" y2="{top + height}" stroke="{colour if not aim else "#555"}" stroke-dasharray="4 4"/>')
            if not values:
                continue
            out += [f'<polyline points="{curve(values, left, top, width, height, most)}" fill="none" stroke="{colour}" stroke-width="2"/>',
                    f'<rect x="{left}" y="{top + height + 26 + row * 16}" width="10" height="10" fill="{colour}"/>',
                    f'<text x="{left + 16}" y="{top + height + 35 + row * 16}">{name}: p50 {percentile(values, .5):.1f}, p95 {percentile(values, .95):.1f}, p99 {percentile(values, .99):.1f}</text>']
    with open(path, "w") as file:
        file.write("\n".join([*out, "</svg>", ""]))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=30, help="for parts, and for pictures")
    arguments.add_argument("--part", default="250ms")
    arguments.add_argument("--fps", type=int, default=30)
    arguments.add_argument("--viewers", type=int, default=10)
    arguments.add_argument("--publishers", type=int, default=5)
    arguments.add_argument("--only", default="parts,pictures,first")
    arguments.add_argument("--cold", action="store_true", help="new viewers have nothing in their browser's cache")
    arguments.add_argument("--set", action="append", default=[], help="more settings for the server")
    arguments.add_argument("--svg", help="a file to draw the figures into")
    options = arguments.parse_args()
    results = {}
    with Folder() as folder:
        settings = [f"hls.part={options.part}"] if options.part != "none" else []
        server = Weir(folder, "log.level=warn,server=info", *settings, *options.set)
        try:
            for name, run in (("parts", run_parts), ("pictures", run_pictures), ("first", run_first)):
                if name in options.only.split(","):
                    run(server, folder, options, results)
        finally:
            server.end()
    if options.svg:
        draw(options.svg, results, f"weir, parts of {options.part}, {options.fps} frames a second, keyframes every 2 s; x264, server, reader and Chromium on one machine")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    main()

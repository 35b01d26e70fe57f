"""A ladder, beside the ffmpeg command line with the same encoder settings, in one run: speed, CPU, memory, latency, PSNR.

The same to both: libx264's preset and tune, bitrate, maxrate, bufsize, B-frames, a closed GOP with an IDR every two seconds and nowhere
else, bicubic scaling, the passed-through copy. Not the same, because it is what is compared: ffmpeg scales every rung from the source, and
chooses its own threads for decoding and encoding (a second row has one thread for each encoder, as weir has).

weir's ladder is driven as a library, without the server: its `is_unbounded` mode, in which the pusher waits for room and nothing is shed."""
import argparse
import os
import re
import subprocess
import time

from common import BUILD, Folder

RUNGS = ((720, 2500), (480, 1200), (360, 700))  # height, kbit/s
SIZE = (1920, 1080)
X264 = "scenecut=0:open-gop=0:min-keyint=1:keyint=infinite"


def make_film(path, seconds, size=SIZE, kbit=6000):
    """Moving shapes and grain: neither still nor noise alone."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size[0]}x{size[1]}:rate=30:duration={seconds}", "-vf",
                    "noise=alls=10:allf=t", "-c:v", "libx264", "-preset", "superfast", "-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{kbit}k", "-g", "60",
                    "-keyint_min", "60", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-f", "flv", path], check=True)


def width(height, size):
    """Of a rung: even, of the source's shape."""
    return round(height * size[0] / size[1] / 2) * 2


def run_weir(film, preset, latency, *more, rungs=RUNGS):
    rungs = ",".join(f"{height}:{kbit}" for height, kbit in rungs)
    done = subprocess.run([f"{BUILD}/tests/bench/ladder_tool", film, rungs, preset, latency, *more], stdout=subprocess.PIPE, text=True, check=True)
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", done.stdout)}


def ffmpeg_command(film, preset, latency, threads, folder, rungs, size):
    names = "abcdefgh"[:len(rungs)]
    graph = f"[0:v]split={len(rungs)}" + "".join(f"[{n}]" for n in names) + ";"
    graph += ";".join(f"[{n}]scale={width(height, size)}:{height}:flags=bicubic[{n}1]" for n, (height, _) in zip(names, rungs))
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", film, "-filter_complex", graph, "-map", "0:v", "-c", "copy", "-f", "null", "-"]
    for name, (height, kbit) in zip(names, rungs):
        command += ["-map", f"[{name}1]", "-c:v", "libx264", "-preset", preset, "-b:v", f"{kbit}k", "-maxrate", f"{kbit * 11 // 10}k", "-bufsize", f"{kbit * 11 // 10}k",
                    "-forced-idr", "1", "-force_key_frames", "expr:gte(t,n_forced*2)", "-x264-params", X264 + (f":threads={threads}" if threads else "")]
        command += ["-tune", "zerolatency"] if latency == "low" else ["-bf", "2"]
        command += ["-f", "h264", os.path.join(folder, f"ffmpeg-{height}.h264")] if folder else ["-f", "null", "-"]
    return command


def run_ffmpeg(film, preset, latency, threads=0, folder=None, rungs=RUNGS, size=SIZE):
    began = time.monotonic()
    child = subprocess.Popen(ffmpeg_command(film, preset, latency, threads, folder, rungs, size))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, "ffmpeg failed"
    return {"wall_s": time.monotonic() - began, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_kib": usage.ru_maxrss}


def psnr(film, path, height, size):
    """Of a rung against the film scaled by ffmpeg."""
    graph = f"[1:v]scale={width(height, size)}:{height}:flags=bicubic[want];[0:v]settb=1/30,setpts=N[got];[want]settb=1/30,setpts=N[want2];[got][want2]psnr"
    done = subprocess.run(["ffmpeg", "-nostdin", "-framerate", "30", "-i", path, "-i", film, "-lavfi", graph, "-f", "null", "-"], capture_output=True, text=True, check=True)
    return float(re.search(r"average:([\d.]+)", done.stderr)[1])


def compare_pictures(film, preset, latency, rungs=RUNGS, size=SIZE):
    """With one thread for each encoder on both sides, so that the settings are the same to the last one: of each rung its height, both PSNR in dB and both
    sizes in bytes."""
    with Folder() as folder:
        run_weir(film, preset, latency, folder, rungs=rungs)
        run_ffmpeg(film, preset, latency, 1, folder, rungs, size)
        rows = []
        for height, _ in rungs:
            ours, theirs = os.path.join(folder, f"{height}p.h264"), os.path.join(folder, f"ffmpeg-{height}.h264")
            rows.append((height, psnr(film, ours, height, size), psnr(film, theirs, height, size), os.path.getsize(ours), os.path.getsize(theirs)))
        return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--preset", default="veryfast")
    arguments.add_argument("--latency", default="low", choices=("low", "normal"))
    arguments.add_argument("--rounds", type=int, default=1, help="of each, in turns; the best counts")
    arguments.add_argument("--film", help="an FLV file of 1080p30 H.264 in place of a made one")
    options = arguments.parse_args()
    with Folder() as folder:
        film = options.film or os.path.join(folder, "film.flv")
        if not options.film:
            make_film(film, options.seconds)
        best, load = {}, os.getloadavg()[0]
        for _ in range(options.rounds):
            for name, run in (("weir", lambda: run_weir(film, options.preset, options.latency)), ("ffmpeg", lambda: run_ffmpeg(film, options.preset, options.latency)),
                              ("ffmpeg, threads=1", lambda: run_ffmpeg(film, options.preset, options.latency, 1))):
                figures = run()
                if name not in best or figures["wall_s"] < best[name]["wall_s"]:
                    best[name] = figures
        frames = best["weir"]["frames"]
        print(f"{frames:.0f} frames of 1080p30 to passthrough + 720p, 480p, 360p; libx264 {options.preset}, latency {options.latency}; {os.cpu_count()} cores, load average {load:.1f}")
        print("                  | frames/s | CPU s | peak RSS MiB")
        for name, f in best.items():
            print(f"{name:17} | {frames / f['wall_s']:8.1f} | {f['cpu_s']:5.1f} | {f['rss_kib'] / 1024:12.0f}")
        weir = best["weir"]
        for name in ("ffmpeg", "ffmpeg, threads=1"):
            other = best[name]
            print(f"weir / {name}: speed {other['wall_s'] / weir['wall_s']:.2f}, CPU {weir['cpu_s'] / other['cpu_s']:.2f}, memory {weir['rss_kib'] / other['rss_kib']:.2f}")
        # ten seconds tell latency and pictures; a film of its own, since one that is cut ends with pictures missing
        part = film
        if not options.film and options.seconds > 10:
            part = os.path.join(folder, "part.flv")
            make_film(part, 10)
        live = run_weir(part, options.preset, options.latency, "live")
        print(f"added latency at 30 fps: median {live['latency_p50_ms']:.0f} ms, p99 {live['latency_p99_ms']:.0f} ms, worst {live['latency_max_ms']:.0f} ms")
        for height, ours, theirs, our_bytes, their_bytes in compare_pictures(part, options.preset, options.latency):
            print(f"{height}p: PSNR {ours:.2f} dB in {our_bytes / 1e6:.2f} MB, ffmpeg {theirs:.2f} dB in {their_bytes / 1e6:.2f} MB, difference {ours - theirs:+.2f} dB")


if __name__ == "__main__":
    main()

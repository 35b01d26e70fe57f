"""SRT: server CPU and memory per stream, beside srt-live-transmit writing the same streams to files on tmpfs, in one run.

srt-live-transmit takes one stream a process; libsrt's own work is in both, so it is the floor. The sender is one process with one UDP port.
"""
import argparse
import os
import subprocess
import threading

from common import BUILD, Folder, Weir, cpu_seconds, rss_bytes, until

WARM_SECONDS = 6
KBPS = 2500


def make_clip(path):
    video = int(KBPS * 0.88)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=20", "-f", "lavfi", "-i",
                    "anoisesrc=duration=20:sample_rate=48000:amplitude=0.1", "-c:v", "libx264", "-preset", "superfast", "-pix_fmt", "yuv420p", "-b:v", f"{video}k",
                    "-minrate", f"{video}k", "-maxrate", f"{video}k", "-bufsize", f"{video}k", "-x264-params", "nal-hrd=cbr", "-g", "60", "-keyint_min", "60",
                    "-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-muxrate", f"{KBPS}k", "-f", "mpegts", path], check=True)


class Source:
    def __init__(self, ports, streams, seconds, clip):
        self.process = subprocess.Popen([f"{BUILD}/tests/tools/srt_source", ",".join(map(str, ports)), str(streams), str(seconds), clip], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n", "the source was refused"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()


def pause(seconds):
    threading.Event().wait(seconds)


def threads_cpu(pid):
    """CPU seconds of each thread, by id."""
    out = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file, open(f"/proc/{pid}/task/{task}/comm") as comm:
            out[task] = (int(file.read().split()[0]) / 1e9, comm.read().strip())
    return out


def run_weir(ports, streams, seconds, clip, detail):
    with Folder() as folder:
        listen = ",".join(["127.0.0.1:0"] * ports)
        server = Weir(folder, f"listen.srt={listen}", "log.level=warn,server=info", "hls.window=12s", "srt.attempts_per_address=100")
        try:
            idle = rss_bytes(server.pid)
            with Source(server.srt_ports(), streams, WARM_SECONDS + seconds + 10, clip):
                pause(WARM_SECONDS)
                before, threads = cpu_seconds(server.pid), threads_cpu(server.pid)
                pause(seconds)
                used = cpu_seconds(server.pid) - before
                after = threads_cpu(server.pid)
                rss, window = rss_bytes(server.pid) - idle, server.metric("stream_window_bytes")
                dropped = server.metric("srt_packets_missing_total")
            if detail:
                by_name = {}
                for task, (cpu, comm) in after.items():
                    by_name[comm] = by_name.get(comm, 0) + cpu - threads.get(task, (0, ""))[0]
                print("   ", ", ".join(f"{name} {cpu / seconds * 1000:.1f}" for name, cpu in sorted(by_name.items(), key=lambda x: -x[1]) if cpu > 0.001), "ms/s")
            return used / seconds / streams * 1000, rss / streams, window / streams, used / seconds, dropped
        finally:
            server.end()


def free_ports(count):
    import socket
    probes = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def is_bound(port):
    with open("/proc/net/udp") as file:
        return any(line.split()[1].endswith(f":{port:04X}") for line in file.readlines()[1:])


def run_transmit(streams, seconds, clip):
    with Folder() as folder:
        ports = free_ports(streams)
        processes = [subprocess.Popen(["srt-live-transmit", "-q", f"srt://127.0.0.1:{port}?mode=listener&latency=200", "file://con"],
                                      stdout=open(f"{folder}/{port}.ts", "wb"), stderr=subprocess.DEVNULL) for port in ports]
        try:
            until(lambda: all(is_bound(port) for port in ports))
            idle = sum(rss_bytes(p.pid) for p in processes)
            with Source(ports, streams, WARM_SECONDS + seconds + 10, clip):
                pause(WARM_SECONDS)
                before = sum(cpu_seconds(p.pid) for p in processes)
                pause(seconds)
                used = sum(cpu_seconds(p.pid) for p in processes) - before
                rss = sum(rss_bytes(p.pid) for p in processes)
            return used / seconds / streams * 1000, rss / streams, (rss - idle) / streams
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def run_idle(seconds):
    with Folder() as folder:
        server = Weir(folder, "log.level=warn,server=info", "server.loops=1")
        try:
            pause(2)
            threads = threads_cpu(server.pid)
            pause(seconds)
            spent = {}
            for task, (cpu, comm) in threads_cpu(server.pid).items():
                spent[comm] = spent.get(comm, 0) + (cpu - threads.get(task, (0, ""))[0]) / seconds * 1000
            return {name: cpu for name, cpu in spent.items() if name.lower().startswith("srt")}
        finally:
            server.end()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--streams", default="1,10,40")
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--detail", action="store_true", help="CPU of each thread")
    options = arguments.parse_args()
    idle = run_idle(5)
    print("idle: " + ", ".join(f"{name} {cpu:.2f}" for name, cpu in sorted(idle.items())) + " ms of CPU a second (SRT: threads are libsrt's)")
    with Folder() as folder:
        clip = os.path.join(folder, "clip.ts")
        make_clip(clip)
        print("streams | ports | weir ms/s | srt-live-transmit | weir/it | cores | missing | weir kB: media held | beyond it | srt-live-transmit kB | beyond idle")
        for streams in map(int, options.streams.split(",")):
            other, other_rss, other_more = run_transmit(streams, options.seconds, clip)
            for ports in (1, 2) if streams > 1 else (1,):
                ms, rss, window, cores, missing = run_weir(ports, streams, options.seconds, clip, options.detail)
                print(f"{streams:7} | {ports:5} | {ms:9.2f} | {other:17.2f} | {ms / other:7.2f} | {cores:5.2f} | {missing:7} | {window / 1000:19.0f} | "
                      f"{(rss - window) / 1000:9.0f} | {other_rss / 1000:20.0f} | {other_more / 1000:11.0f}", flush=True)


if __name__ == "__main__":
    main()

"""Segments on disk: back in time, EVENT and VOD, kill -9 and start again, disks that are full or read-only."""
import glob
import os
import signal
import subprocess
import threading
import time
import unittest

import cmaf
from harness import AAC, PATIENCE, Server, ffmpeg, playlist, segments, wait_for, wait_segments
from rtmp_client import make_flv, rest
from test_promises import Camera, fixed_ports
from test_reconnect import Follower

SHORT = ("hls.segment=500ms", "hls.segment_max=1s", "hls.window=3s")
CLIP = make_flv(seconds=4, gop=15)
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-sc_threshold", "0"]


def parsed(server, name="cam", rendition="video"):
    return cmaf.parse_playlist(playlist(server, name, rendition))


def fetch(server, uri, name="cam", rendition="video"):
    status, headers, body = server.get(f"/live/{name}/{rendition}/{uri}")
    return status, headers, body


def fetch_all(server, entries, name="cam", rendition="video"):
    """Every entry that is no gap can be had, with its init; returns the fragments."""
    inits, found = {}, []
    for entry in entries:
        if entry.is_gap:
            continue
        if entry.init not in inits:
            status, _, body = fetch(server, entry.init, name, rendition)
            assert status == 200, entry.init
            inits[entry.init] = cmaf.Init(body)
        status, headers, body = fetch(server, entry.uri, name, rendition)
        assert status == 200 and "immutable" in headers["cache-control"], (entry.uri, status)
        found.append(cmaf.Fragment(body, inits[entry.init]))
    return found


def first_pts(url, *options):
    """Where ffmpeg begins to play."""
    out = subprocess.run(["ffprobe", "-v", "error", *options, "-select_streams", "v", "-read_intervals", "%+#1", "-show_entries", "packet=pts_time", "-of", "csv=p=0", url],
                         capture_output=True, text=True, timeout=60 * PATIENCE)
    assert out.stdout.strip(), out.stderr
    return float(out.stdout.split()[0].strip(","))


SMALL = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]


class Back(unittest.TestCase):
    def test_a_minute_back_then_the_end(self):
        """Eighty seconds come in a burst, so that nobody has to wait for them; memory holds fifteen of them."""
        codecs = [*X264, "-g", "150", "-keyint_min", "150", *AAC]
        with Server("hls.segment=5s", "hls.window=15s", "hls.dvr=5m", "hls.type=event", "hls.part=no", "hls.vod_keep=1m", "hls.hold=2s") as server:
            with ffmpeg(server.rtmp("cam"), *codecs, inputs=(SMALL, TONE), realtime=False) as encoder:
                wait_segments(server, "cam", "video", 16, 40)
                encoder.process.send_signal(signal.SIGSTOP)
                wait_for("memory to have been left", lambda: server.counter("dvr_segments_written") >= 32)
                seen = []

                def stands_still():
                    seen.append(playlist(server, "cam", "video"))
                    return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]
                wait_for("what was under way to be in the list", stands_still, interval=0.4)
                before = parsed(server)
                self.assertEqual(before.kind, "EVENT")
                self.assertEqual(before.segments[0].discontinuity, parsed(server, rendition="audio").segments[0].discontinuity)
                loaded = server.counter("dvr_segments_loaded")
                fragments = fetch_all(server, before.segments)
                fetch_all(server, parsed(server, rendition="audio").segments, rendition="audio")
                self.assertGreater(server.counter("dvr_segments_loaded"), loaded + 10, "nothing came from disk")
                # a minute back, for a player that counts segments, and for one that is told where to begin
                self.assertAlmostEqual(first_pts(server.url("/live/cam/index.m3u8"), "-live_start_index", "-12"), fragments[-12].start_seconds, delta=0.1)
                self.assertAlmostEqual(first_pts(server.url("/live/cam/index.m3u8?start=-60"), "-prefer_x_start", "1"), fragments[-12].start_seconds, delta=5.1)
                self.assertIn("#EXT-X-START:TIME-OFFSET=-60.000000\n", server.text("/live/cam/video/index.m3u8?start=-60"))
                when = before.segments[3].program_date_time
                offset = sum(e.duration for e in before.segments[:3])
                self.assertIn(f"#EXT-X-START:TIME-OFFSET={offset:.6f}\n", server.text(f"/live/cam/video/index.m3u8?start={when}"))
            def over():
                now = playlist(server, "cam", "video")
                return now and "#EXT-X-ENDLIST" in now and cmaf.parse_playlist(now)
            vod = wait_for("the end", over, 20)
            self.assertEqual(vod.kind, "VOD")
            vod.check_follows(before)
            self.assertEqual(vod.segments[0].uri, before.segments[0].uri)
            fetch_all(server, vod.segments)
            wait_for("it to be on disk", lambda: server.json("/api/v1/server")["dvr"]["queued_bytes"] == 0)
            text, state, ports = vod.text, server.state, (str(server.rtmp_port), str(server.http_port))
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(20 * PATIENCE)
            # the next process knows nothing of the stream and plays it all the same
            with Server("hls.segment=5s", "hls.window=15s", "hls.dvr=5m", "hls.part=no", ports=ports, state=state) as again:
                self.assertEqual(wait_for("the recording", lambda: playlist(again, "cam", "video")), text)
                self.assertIn("video/index.m3u8", again.text("/live/cam/index.m3u8"))
                fetch_all(again, vod.segments)
                self.assertIsNone(again.stream("cam"))
                # and when the name is live again, it is another stream
                with ffmpeg(again.rtmp("cam"), *codecs, inputs=(SMALL, TONE)):
                    fresh = wait_for("it to be live", lambda: (now := playlist(again, "cam", "video")) and "#EXT-X-ENDLIST" not in now and cmaf.parse_playlist(now), 30)
                    self.assertGreater(fresh.sequence, vod.segments[-1].sequence)
                    fetch_all(again, vod.segments[:1])


def kills_with_dvr(test, times):
    ports, settings = fixed_ports(), (*SHORT, "hls.part=250ms", "hls.dvr=1h")
    holder = {"server": Server(*settings, ports=ports)}
    camera = Camera(lambda: holder["server"].rtmp_port, "cam", clip=CLIP)
    follower = Follower(lambda: holder["server"], "cam")
    camera.start()
    follower.start()
    first, readies = None, []
    for kills in range(times):
        server = holder["server"]

        def grown():
            text = playlist(server, "cam", "video")
            found = text and cmaf.parse_playlist(text)
            return found and sum(1 for e in found.segments if e.discontinuity == found.segments[-1].discontinuity) >= 3 and found
        before = wait_for("three segments of this run", grown, 30)
        first = first or before
        wait_for("the follower to have seen it", lambda: follower.errors or (follower.last.get("audio") and follower.last["audio"].segments[-1].sequence >= before.segments[-1].sequence))
        rest(kills % 10 * 0.1)  # at a different moment of the open segment each time
        before = parsed(server)
        server.kill()
        holder["server"] = server = Server(*settings, ports=ports, state=server.state)
        readies.append(time.monotonic() - server.started)
        # what was written before is there before the publisher is
        fetch_all(server, before.segments[:2])

        def gone_on():
            text = playlist(server, "cam", "video")
            return text and cmaf.parse_playlist(text).segments[-1].discontinuity > before.segments[-1].discontinuity and cmaf.parse_playlist(text)
        after = wait_for("the stream to go on", gone_on, 20)
        test.assertEqual(after.segments[0].uri, first.segments[0].uri, "the past is not listed any more")
        after.check_follows(before)
        test.assertEqual(after.segments[-1].discontinuity, before.segments[-1].discontinuity + 1, "one kill, one discontinuity")
        lost = [e for e in after.segments if e.is_gap and e.sequence > before.segments[-1].sequence]
        test.assertLessEqual(len(lost), 4, lost)
    fetch_all(server, parsed(server).segments)
    follower.end()
    camera.end()
    test.assertFalse(follower.errors, follower.errors)
    gaps = sum(e.is_gap for e in parsed(server).segments)
    print(f"{times} kills: {len(parsed(server).segments)} segments listed since the first, {gaps} of them gaps; ready in {max(readies) * 1000:.0f} ms at most")
    server.stop()


class Restart(unittest.TestCase):
    def test_five_kills(self):
        kills_with_dvr(self, 5)

    def test_a_stop_is_no_end(self):
        """SIGTERM to the server ends the process, not the stream."""
        with Server(*SHORT, "hls.dvr=5m") as server:
            camera = Camera(lambda: server.rtmp_port, "cam", clip=CLIP)
            camera.start()
            before = cmaf.parse_playlist(wait_segments(server, "cam", "video", 3))
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(20 * PATIENCE), 0, server.log())
            camera.end()
            again = Server(*SHORT, "hls.dvr=5m", state=server.state)
            self.assertEqual(again.get("/live/cam/video/index.m3u8")[0], 404)
            camera = Camera(lambda: again.rtmp_port, "cam", clip=CLIP)
            camera.start()
            after = wait_for("the stream to go on", lambda: (text := playlist(again, "cam", "video")) and (p := cmaf.parse_playlist(text)).segments[-1].sequence > before.segments[-1].sequence + 2 and p, 20)
            after.check_follows(before)
            # a stop writes all that is whole, and what was open as well
            self.assertFalse([e.sequence for e in after.segments if e.is_gap])
            camera.end()
            again.stop()


class Standstill:
    """The disk does not answer: in place of the file that is written to stands a pipe that nobody reads, at which the writer stops in open(). ended, the write
    that was under way fails, as after a fault of the disk, and the file is there again."""

    def __init__(self, server):
        folder = glob.glob(os.path.join(server.state, "dvr", "*", ""))[0]
        self.path = max(glob.glob(folder + "*.data"))
        self.kept = self.path + ".kept"
        pipe = self.path + ".pipe"
        os.mkfifo(pipe)
        os.link(self.path, self.kept)
        os.rename(pipe, self.path)
        self.pipe = os.open(self.path, os.O_PATH)

    def end(self):
        os.rename(self.kept, self.path)
        os.close(os.open(f"/proc/self/fd/{self.pipe}", os.O_RDONLY | os.O_NONBLOCK))
        os.close(self.pipe)


def disk_stands_still(test, past_s):
    """Until live has gone on by so much."""
    with Server(*SHORT, "hls.part=no", "hls.dvr=10m") as server:
        camera = Camera(lambda: server.rtmp_port, "cam", clip=CLIP)
        camera.start()
        dvr = lambda: server.json("/api/v1/server")["dvr"]
        wait_for("segments on disk", lambda: server.counter("dvr_segments_written") > 4)
        still = Standstill(server)
        written, before = -1, 0

        def stopped():
            nonlocal written, before
            last = parsed(server).segments[-1].sequence
            if server.counter("dvr_segments_written") != written:
                written, before = server.counter("dvr_segments_written"), last
            return last > before + 2
        wait_for("the writer to be stopped", stopped, 20)
        slowest = 0

        def gone_on():
            nonlocal slowest
            asked = time.monotonic()
            now = parsed(server)
            fetch_all(server, now.segments[-1:])
            slowest = max(slowest, time.monotonic() - asked)
            return now.segments[-1].sequence > before + 2 * past_s and now
        now = wait_for("live to go on", gone_on, past_s + 15)
        test.assertEqual(server.counter("dvr_segments_written"), written)
        gaps = [e.sequence for e in now.segments if e.is_gap]
        # what the disk still owes an answer for is kept in memory, ten seconds of it
        fetch_all(server, now.segments[-10:])
        fetch_all(server, parsed(server, rendition="audio").segments[-10:], rendition="audio")
        test.assertEqual(server.stream("cam")["state"], "live")
        test.assertEqual(camera.connections, 1)
        still.end()
        wait_for("it to recover", lambda: dvr()["state"] == "ok" and dvr()["queued_bytes"] == 0, 20)
        last = parsed(server)
        test.assertIn("dvr_recovered", server.log())
        Disk.recovered(test, server)
        camera.end()
        lost = [e.sequence for e in last.segments if e.is_gap]
        print(f"the disk stood still for {past_s} s: a playlist and its last segment in {slowest * 1000:.0f} ms at most, {len(gaps)} gaps then, {len(lost)} in the end")
        return gaps, lost, (now.segments[-1].sequence - before) / 2


class SlowDisk(unittest.TestCase):
    def test_live_goes_on_while_the_disk_stands_still(self):
        gaps, lost, went_s = disk_stands_still(self, 5)
        if went_s < 12:  # else this machine was away for longer than memory waits for the disk
            self.assertEqual(gaps, [])
            self.assertLessEqual(len(lost), 2)


class Disk(unittest.TestCase):
    def setUp(self):
        tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
        if tried.returncode:
            self.skipTest("no tmpfs can be mounted here: " + tried.stderr.strip())

    def inside(self, server, *command):
        return subprocess.run(["nsenter", "-t", str(server.process.pid), "-m", *command], capture_output=True, text=True)

    def test_full_then_read_only(self):
        """Four megabytes that somebody else wants, too; only the server sees them mounted."""
        state = subprocess.run(["mktemp", "-d", "/tmp/weir-e2e-state-XXXXXX"], capture_output=True, text=True, check=True).stdout.strip()
        wrap = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'mount -t tmpfs -o size=4m none {state} && exec "$@"', "sh"]
        with Server(*SHORT, "hls.part=no", "hls.dvr=10m", state=state, wrap=wrap) as server:
            camera = Camera(lambda: server.rtmp_port, "cam", clip=CLIP)
            camera.start()
            wait_segments(server, "cam", "video", 2)
            dvr = lambda: server.json("/api/v1/server")["dvr"]
            wait_for("segments on disk", lambda: server.counter("dvr_segments_written") > 4)
            self.assertEqual(dvr()["state"], "ok")
            # somebody takes what there is, and what our window gives up for it
            filling = threading.Event()

            def fill():
                while not filling.wait(0.05):
                    self.inside(server, "sh", "-c", f"head -c 4m /dev/zero >> {state}/others 2>/dev/null")
            filler = threading.Thread(target=fill, daemon=True)
            filler.start()
            full = wait_for("the disk to be full", lambda: (now := dvr())["state"] == "failing" and now, 20)
            self.assertEqual(full["reason"], "No space left on device")
            failing = parsed(server).segments[-1].sequence
            # live goes on, from memory; what has left memory is a gap
            wait_for("gaps to be marked", lambda: [e for e in parsed(server).segments if e.is_gap], 20)
            listed = wait_for("live to go on", lambda: (now := parsed(server)).segments[-1].sequence > failing + 3 and now)
            fetch_all(server, listed.segments[-4:])
            self.assertGreaterEqual(server.stream("cam")["dvr_gaps"], 1)
            self.assertIn("dvr_write_failed", server.log())
            filling.set()
            filler.join()
            self.inside(server, "rm", f"{state}/others")
            wait_for("it to recover", lambda: dvr()["state"] == "ok", 20)
            self.recovered(self, server)
            self.assertIn("dvr_recovered", server.log())
            # the same for a disk that becomes read-only
            remounted = self.inside(server, "mount", "-o", "remount,ro", state)
            self.assertEqual(remounted.returncode, 0, remounted.stderr)
            wait_for("it to be noticed", lambda: dvr()["state"] == "failing", 20)
            self.assertEqual(dvr()["reason"], "Read-only file system")
            self.assertEqual(self.inside(server, "mount", "-o", "remount,rw", state).returncode, 0)
            wait_for("it to recover", lambda: dvr()["state"] == "ok", 20)
            self.recovered(self, server)
            camera.end()
        os.rmdir(state)

    @staticmethod
    def recovered(test, server):
        """A segment made from now on leaves memory and can be had."""
        last = parsed(server).segments[-1].sequence + 1

        def from_disk():
            listed = {e.sequence: e for e in parsed(server).segments[:-7]}
            return listed.get(last)
        entry = wait_for("a new segment to have left memory", from_disk, 30)
        test.assertFalse(entry.is_gap)
        fetch_all(server, [entry])


if __name__ == "__main__":
    unittest.main()

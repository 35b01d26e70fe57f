"""A path with a ladder: several renditions that begin their segments on the same picture, over a reconnect, and nothing left behind."""
import functools
import os
import re
import signal
import subprocess
import tempfile
import unittest

import cmaf
from harness import AAC, AUDIO, X264, Check, Server, check_stream, ffmpeg, playlist, read_rendition, side_by_side, wait_for, wait_segments
from test_reconnect import Follower

CONFIG = """
hls: {segment: 1s, window: 12s, hold: 8s}
paths:
  - match: live/*
    ladder:
      - source
      - {height: 120, bitrate: 150k, preset: ultrafast}
      - {name: small, height: 90, fps: 15, bitrate: 80k, preset: ultrafast}
  - match: bare/*
    ladder:
      - {name: only, scale: 1/2, bitrate: 150k, preset: ultrafast}
    audio:
      - source
      - {name: low, codec: opus, bitrate: 32k, channels: 1}
      - {name: least, codec: aac, bitrate: 24k, channels: 1}
  - match: sound/*
    ladder: auto
    audio: opus
    thumbnails: 2s
"""
RUNGS = ("video", "120p", "small")
VIDEO_COPY = ("-c:v", "copy")
CLIP_X264 = [*X264, "-g", "30", "-keyint_min", "30"]
ALIVE = ("frames", "surfaces", "packets", "decoders", "scalers", "encoders", "threads")


def setUpModule():
    """One clip for all, longer than a slow machine may take with any of them: a test ends its publisher, never the clip."""
    global folder, clip
    folder = tempfile.TemporaryDirectory(prefix="weir-e2e-ladder-")
    unittest.addModuleCleanup(folder.cleanup)
    clip = os.path.join(folder.name, "clip.flv")
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i",
                    "sine=frequency=440:sample_rate=48000", "-t", "180", *CLIP_X264, *AAC, clip], check=True, timeout=120)


def publish(url):
    return ffmpeg(url, "-c", "copy", inputs=[["-i", clip]])


def packet_sums(path):
    """One checksum per coded picture."""
    out = subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "framemd5", "-"],
                         capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.split(",")[-1].strip() for line in out.splitlines() if line and not line.startswith("#")]


def gauge(server, name):
    match = re.search(rf"^weir_transcode_{name} (-?\d+)$", server.text("/metrics"), re.M)
    return int(match.group(1))


def starts(server, name, rendition):
    """Media sequence to the presentation tick of its segment's first picture; gaps are None."""
    entries, result = read_rendition(server, name, rendition)[1], {}
    for entry, fragment in entries:
        if fragment and rendition != "video":  # the source's first segment may be cut inside a GOP, so that players start sooner
            assert fragment.starts_with_sync, f"{rendition}/{entry.uri} begins with no keyframe"
        result[entry.sequence] = fragment and fragment.first_shown
    return result


def aligned(server, name, renditions):
    """How many segments of the further renditions begin on the very tick of the first one's; any other tick is an error."""
    reference, count = starts(server, name, renditions[0]), 0
    for rendition in renditions[1:]:
        for sequence, tick in starts(server, name, rendition).items():
            if sequence in reference and None not in (tick, reference[sequence]):
                assert tick == reference[sequence], f"{rendition} {sequence}: {tick}, the source {reference[sequence]}"
                count += 1
    return count


def first_pictures(server, name, rendition, count):
    """The same by ffprobe, which reads what a player would: (pts, is it a keyframe) of the last segments' first pictures."""
    found = []
    for entry in cmaf.parse_playlist(playlist(server, name, rendition)).segments[-count:]:
        init, segment = (server.get(f"/live/{name}/{rendition}/{uri}")[2] for uri in (entry.init, entry.uri))
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(init + segment)
            file.flush()
            out = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,flags", "-of", "csv=p=0", file.name],
                                 capture_output=True, text=True, check=True, timeout=60).stdout.split()
        packets = [line.split(",") for line in out]
        first = min(packets, key=lambda p: int(p[0]))
        found.append((entry.sequence, int(first[0]), first[1][0]))
    return found


class Ladder(unittest.TestCase):
    def test_three_renditions_over_a_reconnect_and_nothing_left(self):
        with Server(config=CONFIG) as server:
            sent = set(packet_sums(clip))
            follower = Follower(lambda: server, "cam", (*RUNGS, "audio"))
            follower.start()
            # while nobody publishes there is nothing new to list, and so the clock rules do not hold
            check = Check(server, "cam", 120, allow=("R9", "R34"))
            self.addCleanup(check.__exit__, None, None, None)
            with publish(server.rtmp("cam")) as first:
                for rung in RUNGS:
                    wait_segments(server, "cam", rung, 4)
                master = server.text("/live/cam/index.m3u8")
                self.assertEqual(re.findall(r"^(\w+)/index.m3u8$", master, re.M), list(RUNGS))
                self.assertEqual(re.findall(r"RESOLUTION=(\d+x\d+),FRAME-RATE=([\d.]+)", master), [("320x180", "30.000"), ("214x120", "30.000"), ("160x90", "15.000")])
                ladder = server.stream("cam")["ladder"]
                self.assertEqual([r["name"] for r in ladder["rungs"]], list(RUNGS))
                self.assertEqual([r["state"] for r in ladder["rungs"]], ["source", "encoding", "encoding"])
                self.assertEqual([r.get("backend") for r in ladder["rungs"]], [None, "cpu", "cpu"])
                self.assertEqual((ladder["decoders"], ladder["encoders"], ladder["threads"]), (1, 2, 3))
                self.assertIn('weir_stream_rung_encoding{stream="live/cam",rung="small",codec="h264",backend="cpu"} 1', server.text("/metrics"))
                first.end(signal.SIGKILL)
            wait_for("the stream to be held", lambda: server.stream("cam")["state"] == "holding")
            before = cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-1].sequence
            with publish(server.rtmp("cam")) as second:
                for rung in RUNGS:
                    wait_for(f"{rung} to go on", lambda r=rung: cmaf.parse_playlist(playlist(server, "cam", r)).segments[-1].sequence >= before + 3, 30)
                check.end(early=True)
                second.end()
            follower.end()
            # held: everything that was inside has come out, and nothing moves any more
            wait_for("the encoders to be empty", lambda: not gauge(server, "encoders"))
            for rung in RUNGS:
                text = playlist(server, "cam", rung)
                self.assertEqual(text.count("#EXT-X-DISCONTINUITY\n"), playlist(server, "cam", "video").count("#EXT-X-DISCONTINUITY\n"), text)
                self.assertNotIn("#EXT-X-GAP", text)
            count = aligned(server, "cam", RUNGS)
            print(f"\n{count} segments of two encoded rungs begin on the source's tick")
            self.assertGreaterEqual(count, 12)
            probes = [first_pictures(server, "cam", rung, 3) for rung in RUNGS]
            times = [[(sequence, pts) for sequence, pts, _ in found] for found in probes]
            self.assertEqual(times[1:], [times[0]] * 2)
            self.assertEqual({flag for found in probes[1:] for _, _, flag in found}, {"K"})
            # what came in goes out, picture for picture
            entry = cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-2]
            path = os.path.join(folder.name, "source.mp4")
            with open(path, "wb") as file:
                file.write(b"".join(server.get(f"/live/cam/video/{uri}")[2] for uri in (entry.init, entry.uri)))
            self.assertLessEqual(set(packet_sums(path)), sent)
            for name in ("keyframe_misses", "output_dropped", "frames_dropped", "packets_dropped", "frames_lost", "decode_errors", "stalls", "shed_down"):
                self.assertEqual(server.counter(f"transcode_{name}"), 0, name)
            wait_for("the stream to end", lambda: server.stream("cam")["state"] == "ended")
            wait_for("the ladder's threads to end", lambda: not gauge(server, "threads"))
            self.assertEqual({name: gauge(server, name) for name in ALIVE}, dict.fromkeys(ALIVE, 0))
            self.assertNotIn('transcode_frames_encoded_total{stream="live/cam"}', server.text("/metrics"))
            self.assertNotIn("ladder", server.stream("cam"))

    def test_low_latency_with_pictures_out_of_order(self):
        """Every rule of low latency over all renditions, and segments that begin on the same picture, where the source is cut inside groups of
        pictures: at first always, and again and again where a group is long, whatever the distance of its pictures."""
        codecs = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p")
        sources = {"closed": ("", ["-g", "50"]),
                   "open": ("", ["-g", "50", "-x264-params", "open-gop=1"]),
                   "variable": (",select='lt(mod(n,7),4)+eq(mod(n,7),5)'", ["-g", "1000", "-fps_mode", "passthrough"])}
        # entered at a picture of random access in the middle of HEVC: those that are shown before it need what nobody has
        middle = os.path.join(folder.name, "middle.ts")
        whole = ["-f", "lavfi", "-i", "testsrc2=size=256x144:rate=15", "-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "90", "-c:v", "libx265",
                 "-preset", "ultrafast", "-x265-params", "open-gop=1:keyint=30:bframes=3:log-level=error", "-pix_fmt", "yuv420p", *AAC, middle + ".whole.ts"]
        for arguments in (whole, ["-ss", "3", "-i", middle + ".whole.ts", "-c", "copy", middle]):
            subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments], check=True, timeout=120)
        with Server("hls.part=250ms", "hls.segment=2s", config=CONFIG) as server:
            def publish_source(name):
                if name == "middle":
                    return ffmpeg(server.srt("publish:live/middle"), "-c", "copy", inputs=[["-i", middle]], output=("-f", "mpegts"))
                filters, options = sources[name]
                picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25" + filters]
                return ffmpeg(server.rtmp(name), *codecs, *options, *AAC, inputs=[picture, AUDIO])

            def look(name):
                with publish_source(name):
                    for rung in RUNGS:
                        wait_segments(server, name, rung, 2)
                    check_stream(server, name, 8, "--ll")
                    for rung in RUNGS[1:]:
                        text = playlist(server, name, rung)
                        self.assertIn("#EXT-X-PART:", text)
                        self.assertNotIn("#EXT-X-GAP", text)
                        # the reports of a rung name every other rendition
                        self.assertEqual(text.count("#EXT-X-RENDITION-REPORT:"), len(RUNGS))
                    self.assertGreaterEqual(aligned(server, name, RUNGS), 4)
            side_by_side(*(functools.partial(look, name) for name in (*sources, "middle")))
            # the picture at each cut was told beforehand, and was there
            self.assertEqual(server.counter("transcode_keyframe_misses"), 0)

    def test_without_the_source_only_what_is_encoded_is_shown(self):
        with Server(config=CONFIG) as server:
            with publish(server.rtmp("x").replace("/live/", "/bare/")), Check(server, "../bare/x", 60) as check:
                wait_for("the rung", lambda: "only/index.m3u8" in (server.text("/bare/x/index.m3u8") or ""))
                wait_for("two segments of it", lambda: len(re.findall("#EXTINF", server.text("/bare/x/only/index.m3u8") or "")) > 2)
                # a rung that is late joins
                master = wait_for("all sounds", lambda: (lambda text: "low/" in text and "least/" in text and text)(server.text("/bare/x/index.m3u8")), 30)
                self.assertEqual(set(re.findall(r"^(\w+)/index.m3u8$", master, re.M)), {"only"})
                # two codecs of sound are groups of their own, and so are two qualities of one; a variant with each (RFC 8216, 4.3.4.2)
                self.assertEqual(sorted(re.findall(r'CODECS="avc1\.\w+,([\w.]+)".*AUDIO="([\w-]+)"', master)),
                                 [("mp4a.40.2", "audio-aac-1"), ("mp4a.40.2", "audio-aac-2"), ("opus", "audio-opus")])
                self.assertEqual(dict(re.findall(r'GROUP-ID="([\w-]+)".*URI="(\w+)/index.m3u8"', master)),
                                 {"audio-aac-1": "audio", "audio-aac-2": "least", "audio-opus": "low"})
                check.end(early=True)
                self.assertEqual(server.counter("transcode_audio_frames_dropped") + server.counter("transcode_audio_silence_samples"), 0)

    def test_a_picture_is_made_while_somebody_looks(self):
        with Server(config=CONFIG) as server:
            address = "/sound/x/thumb.jpg"
            with publish(server.rtmp("x").replace("/live/", "/sound/")):
                status, headers, body = wait_for("a thumbnail", lambda: (lambda found: found[0] == 200 and found)(server.get(address)))
                self.assertEqual((headers["content-type"], body[:2], body[-2:]), ("image/jpeg", b"\xff\xd8", b"\xff\xd9"))
                path = os.path.join(folder.name, "thumb.jpg")
                with open(path, "wb") as file:
                    file.write(body)
                size = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path], capture_output=True, text=True).stdout
                self.assertEqual(size.strip(), "mjpeg,320,180")
                self.assertEqual(server.get("/sound/x/thumb.jpg", {"If-None-Match": headers["etag"]})[0], 304)
                self.assertLessEqual(server.counter("transcode_thumbnails"), 2)

    def test_sound_in_another_codec(self):
        """Alone, and beside pictures where HLS does not carry what came."""
        def look(server, name, encoder, wire):
            with encoder, Check(server, name, 60) as check:
                master = wait_for(f"the sound of {name}", lambda: (lambda text: "sound-0/" in text and text)(server.text(f"/live/{name}/index.m3u8") or ""), 30)
                wait_segments(server, name, "sound-0", 3)
                self.assertEqual(set(re.findall(r'CODECS="avc1\.\w+,([\w.]+)"', master)), {"mp4a.40.2"})
                self.assertEqual(re.findall(r'TYPE=AUDIO.*URI="(\S+)/index.m3u8"', master), ["sound-0"])
                self.assertEqual([t["codec"] for t in server.stream(name)["tracks"] if t["kind"] == "audio"], [wire])
                check.end(early=True)

        def left_out(server):
            """Where nothing is made of it, it is named, and the pictures go on."""
            with ffmpeg(server.srt("publish:plain/x"), *VIDEO_COPY, "-c:a", "mp2", inputs=[["-i", clip]], output=("-f", "mpegts")):
                stream = wait_for("the stream", lambda: (lambda s: s and s["unsupported_tracks"] and s)(server.json("/api/v1/streams/plain/x")), 30)
                self.assertIn("MP2", stream["unsupported_tracks"][0]["what"])
                wait_for("its pictures", lambda: "video/index.m3u8" in (server.text("/plain/x/index.m3u8") or ""), 30)

        with Server(config=CONFIG) as server:
            side_by_side(
                lambda: look(server, "mp2", ffmpeg(server.srt("publish:live/mp2"), *VIDEO_COPY, "-c:a", "mp2", inputs=[["-i", clip]], output=("-f", "mpegts")), "mp2"),
                lambda: look(server, "phone", ffmpeg(server.rtmp("phone"), *VIDEO_COPY, "-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1", inputs=[["-i", clip]]), "pcma"),
                lambda: left_out(server))
            with ffmpeg(server.rtmp("x").replace("/live/", "/sound/"), *AAC, inputs=[AUDIO]), Check(server, "../sound/x", 60) as check:
                wait_for("three segments", lambda: len(re.findall("#EXTINF", server.text("/sound/x/sound-0/index.m3u8") or "")) > 3)
                self.assertNotIn("audio/", server.text("/sound/x/index.m3u8"))
                self.assertIn('CODECS="opus"', server.text("/sound/x/index.m3u8"))
                check.end(early=True)

    def test_a_full_machine_passes_through_and_says_so(self):
        config = "transcode: {share: 1}\nladder: [source, {name: dear, scale: 0.9, preset: slow}]\n"
        with Server("hls.segment=1s", "hls.window=6s", config=config) as server:
            with publish(server.rtmp("x")):
                master = wait_for("the multivariant playlist", lambda: server.text("/live/x/index.m3u8"))
                self.assertEqual(re.findall(r"^(\w+)/index.m3u8$", master, re.M), ["video"])
                self.assertIn("ladder_refused", server.log())
                self.assertEqual([r["state"] for r in server.stream("x")["ladder"]["rungs"]], ["source", "absent"])
                self.assertEqual(server.counter("transcode_ladders_refused"), 1)


if __name__ == "__main__":
    unittest.main()

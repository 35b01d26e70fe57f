"""The stream as MPEG transport stream segments, beside CMAF: held against the rules, decoded, compared."""
import json
import os
import subprocess
import tempfile
import unittest

import cmaf
import tscheck
from browser import Page
from harness import AAC, AUDIO, Check, Encoder, Server, ffmpeg, playlist, wait_for, wait_segments

BFRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0", "-bf", "2")
SMALL = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30"]
SRT_SOURCES = {
    # name: (codecs, what ffprobe calls them, stream types)
    "hevc": (["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=30:min-keyint=30:open-gop=0:bframes=2", "-c:a", "ac3", "-ac", "2"],
             {"hevc", "ac3"}, {0x24, 0x81}),
    "opus": ([*BFRAMES, "-c:a", "libopus", "-b:a", "64k", "-ac", "2"], {"h264", "opus"}, {0x1B, 0x06}),
    "eac3": ([*BFRAMES, "-c:a", "eac3", "-ac", "2"], {"h264", "eac3"}, {0x1B, 0x87}),
    "mp3": ([*BFRAMES, "-c:a", "libmp3lame"], {"h264", "mp3"}, {0x1B, 0x03}),
    "radio": (["-vn", *AAC], {"aac"}, {0x0F}),
}


def bodies_of(server, name):
    """Playlist entries and segments that can be had now, gaps left out."""
    entries = cmaf.parse_playlist(playlist(server, name, "ts"), has_init=False)
    out = []
    for entry in entries.segments:
        if entry.is_gap:
            continue
        status, headers, body = server.get(f"/live/{name}/ts/{entry.uri}")
        assert status == 200 and headers["content-type"] == "video/mp2t", (entry.uri, status, headers)
        out.append((entry, body))
    return entries, out


def decode(url, seconds):
    """What ffmpeg has to say about it: nothing."""
    return subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", url, "-t", str(seconds), "-f", "null", "-"], capture_output=True, text=True, timeout=120).stderr


def probe(path):
    out = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_packets", path], capture_output=True, text=True, timeout=60)
    assert not out.stderr, out.stderr
    return json.loads(out.stdout)


class TsOutput(unittest.TestCase):
    def test_beside_cmaf(self):
        with Server("hls.segment=1s") as server, ffmpeg(server.rtmp("cam"), *BFRAMES, *AAC) as encoder:
            wait_segments(server, "cam", "ts", 3)
            command = [os.environ["WEIR_LOADGEN"], "check", server.url("/live/cam/ts.m3u8"), "--json", "--seconds", "3", "--tolerance", "800", "--wait", "20"]
            checked = subprocess.run(command, capture_output=True, text=True, timeout=120)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            wait_segments(server, "cam", "ts", 6)
            entries, found = bodies_of(server, "cam")
            first_cut = 1 if found[0][0].has_discontinuity else 0  # the very first segment is cut before its GOP's end
            segments = tscheck.check([body for _, body in found], frame=3000, must_be_key=first_cut + 1)
            self.assertGreaterEqual(len(segments), 5)
            self.the_checker_can_fail([body for _, body in found[1:3]])
            # the same numbers, cuts and frames as CMAF
            theirs = cmaf.parse_playlist(playlist(server, "cam", "video"))
            by_number = {theirs.sequence + i: s for i, s in enumerate(theirs.segments)}
            compared = 0
            for number, (entry, _) in enumerate(found, entries.sequence):
                if number in by_number:
                    self.assertEqual((entry.duration, entry.program_date_time), (by_number[number].duration, by_number[number].program_date_time))
                    self.assertIn(f"-{number}.ts", entry.uri)
                    compared += 1
            self.assertGreaterEqual(compared, 4)
            self.assertEqual(decode(server.url("/live/cam/ts.m3u8"), 3), "")
            master = server.text("/live/cam/ts.m3u8")
            self.assertRegex(master, r'CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2",RESOLUTION=320x180')
            self.assertTrue(master.endswith("\nts/index.m3u8\n"))
            self.assertNotIn("ts/", server.text("/live/cam/index.m3u8"))
            uri = found[-1][0].uri
            whole = server.get(f"/live/cam/ts/{uri}")[2]
            status, headers, part = server.get(f"/live/cam/ts/{uri}", {"Range": "bytes=188-375"})
            self.assertEqual((status, part), (206, whole[188:376]))
            encoder.end()

    def the_checker_can_fail(self, bodies):
        def broken(rule, at, value, size=1):
            data = bytearray(bodies[0])
            data[at : at + size] = value
            with self.assertRaisesRegex(tscheck.Broken, rule):
                tscheck.check([bytes(data), bodies[1]], frame=3000, must_be_key=False)
        first = bodies[0]
        pes = next(at for at in range(376, len(first), 188) if first[at + 1] & 0x40 and first[at + 5] & 0x10)
        head = first.index(b"\0\0\1\xe0", pes)
        broken("C1", 188 * 5, b"\x48")
        broken("C2", pes + 3, bytes([first[pes + 3] ^ 4]))
        broken("C3", 12, b"\x07")
        broken("C3", 0, first[376:564], 188)
        broken("C4", head + 9, bytes([first[head + 9] & 0xFE]))
        broken("C5", first.index(b"\0\0\0\1\x67", head) + 4, b"\x66")
        broken("C6", pes + 6, b"\x7f")
        broken("C7", head + 4, bytes([first[head + 4] ^ 1]))
        with self.assertRaisesRegex(tscheck.Broken, "C2|C8"):
            tscheck.check([bodies[0], bodies[0]], frame=3000, must_be_key=False)

    def test_codecs_that_come_over_srt(self):
        with tempfile.TemporaryDirectory() as folder, Server("hls.segment=1s") as server:
            for name, (codecs, _, _) in SRT_SOURCES.items():
                subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *SMALL, *AUDIO, "-t", "5", *codecs, "-f", "mpegts", f"{folder}/{name}.ts"], check=True)
            encoders = [Encoder(["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", f"{folder}/{name}.ts", "-c", "copy", "-f", "mpegts", server.srt(f"publish:live/{name}")])
                        for name in SRT_SOURCES]
            for name, (_, codecs, types) in SRT_SOURCES.items():
                wait_segments(server, name, "ts", 3)
                entries, found = bodies_of(server, name)
                first_cut = 1 if found[0][0].has_discontinuity else 0
                segments = tscheck.check([body for _, body in found], frame=3000, must_be_key=first_cut + 1)
                self.assertEqual({kind for kind, _ in segments[-1].streams.values()}, types, name)
                with open(f"{folder}/joined.ts", "wb") as file:
                    for _, body in found:
                        file.write(body)
                seen = probe(f"{folder}/joined.ts")
                self.assertEqual({s["codec_name"] for s in seen["streams"]}, codecs, name)
                self.assertEqual(decode(f"{folder}/joined.ts", 10), "", name)
            for encoder in encoders:
                encoder.end()

    def test_container_ts(self):
        with Server("hls.segment=1s", "hls.container=ts") as server, ffmpeg(server.rtmp("cam"), *BFRAMES, *AAC) as encoder:
            wait_segments(server, "cam", "ts", 3)
            check = Check(server, "cam", 120)
            self.addCleanup(check.__exit__, None, None, None)
            master = server.text("/live/cam/index.m3u8")
            self.assertEqual(master, server.text("/live/cam/ts.m3u8"))
            self.assertEqual([line for line in master.splitlines() if not line.startswith("#")], ["ts/index.m3u8"])
            self.assertEqual(decode(server.url("/live/cam/index.m3u8"), 2), "")
            with Page(server.url("/live/cam/")) as page:
                stats = wait_for("hls.js to play it", lambda: (lambda s: s if s and s["time"] > 1 else None)(page.ask("globalThis.weir && weir.stats()")), 60)
                print(f"hls.js: {stats['frames']} frames, errors {stats['errors']}")
                self.assertEqual((stats["width"], stats["height"]), (320, 180))
            check.end(early=True)
            self.assertGreater(check.checked["C1"], 2)
            # a publisher that comes back with another picture size: one discontinuity, and the table says it under a new version
            encoder.end()
            with ffmpeg(server.rtmp("cam"), *BFRAMES, *AAC, inputs=(SMALL, AUDIO)) as again:
                def is_back():
                    entries = cmaf.parse_playlist(playlist(server, "cam", "ts"), has_init=False)
                    return sum(s.has_discontinuity for s in entries.segments) == 2 and not entries.segments[-1].has_discontinuity
                wait_for("the second publisher's segments", is_back)
                _, found = bodies_of(server, "cam")
                breaks = [i for i, (entry, _) in enumerate(found) if entry.has_discontinuity]
                tscheck.check([body for _, body in found], frame=3000, must_be_key=False, eras=breaks)
                again.end()


if __name__ == "__main__":
    unittest.main()

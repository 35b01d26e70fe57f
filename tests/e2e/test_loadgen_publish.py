"""weir-loadgen publish against the real server: many streams at once over RTMP and SRT, held against the rules of HLS meanwhile; and what it says."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

from harness import PATIENCE, Certificate, Check, Encoder, Server, side_by_side, wait_for, wait_segments

LOADGEN = os.environ["WEIR_LOADGEN"]
UUID = bytes.fromhex("8B1E5AD377C44F96A96D3CF29158E72D")


def publish(url, *arguments):
    return Encoder([LOADGEN, "publish", "--url", url, *arguments])


def stamps(body):
    """(seconds since 1970, frame) of each stamped picture."""
    found = []
    for match in re.finditer(re.escape(UUID), body):
        at = body[match.end():match.end() + 13]
        number = lambda part: sum((byte & 0x7F) << 7 * i for i, byte in enumerate(reversed(part)))
        found.append((number(at[:8]) / 1e6, number(at[8:])))
    return found


class Publish(unittest.TestCase):
    def eight_over_rtmp_two_over_srt(self):
        with tempfile.TemporaryDirectory() as folder, Server() as server:
            lines = os.path.join(folder, "events")
            rtmp = f"rtmp://127.0.0.1:{server.rtmp_port}/live"
            with publish(rtmp, "--streams", "8", "--source", "test:180p30", "--seconds", "60", "--ramp", "20/s", "--json", lines) as many, \
                    publish(f"srt://127.0.0.1:{server.srt_ports[0]}", "--streams", "2", "--name", "srt%d", "--source", "test:180p30", "--seconds", "60") as srt:
                wait_segments(server, "load7", "video", 2)
                wait_segments(server, "srt1", "video", 2)
                # through the seam of the loop, which is eight seconds long
                with Check(server, "load3", 9) as one, Check(server, "srt0", 9) as two:
                    one.end()
                    two.end()
                names = {stream["name"] for stream in server.json("/api/v1/streams")["streams"]}
                self.assertEqual(names, {f"live/load{i}" for i in range(8)} | {"live/srt0", "live/srt1"})
                for name in ("load5", "srt1"):
                    media = wait_segments(server, name, "video", 3)
                    last = re.findall(r"^[^#\n].*", media, re.M)[-1]
                    body = server.get(f"/live/{name}/video/{last}")[2]
                    marks = stamps(body)
                    self.assertGreaterEqual(len(marks), 30)
                    self.assertEqual([frame for _, frame in marks], list(range(marks[0][1], marks[0][1] + len(marks))))
                    age = time.time() - marks[-1][0]
                    self.assertTrue(-0.1 < age < 10 * PATIENCE, age)
                    repairs = server.stream(name)["repairs"]
                    self.assertEqual({kind: n for kind, n in repairs.items() if n and "drift" not in kind and "jitter" not in kind}, {}, repairs)
                self.assertEqual(many.end(2), 0, many.output)  # SIGINT
                self.assertEqual(srt.end(2), 0, srt.output)
            self.assertIn("8 publishers: 8 went live, 0 lost, 0 refused", many.output)
            wait_for("the publishers' ends", lambda: server.log().count("publish_ended") == 10)
            with open(lines) as file:
                events = [json.loads(line) for line in file]
            self.assertEqual({e["stream"] for e in events if e["event"] == "live"}, {f"live/load{i}" for i in range(8)})
            self.assertEqual(events[-1]["event"], "summary")
            self.assertEqual(events[-1]["losses"], 0)

    def over_tls_and_in_hevc(self):
        with Certificate() as certificate, Server(*certificate.settings()) as server:
            with publish(f"rtmps://127.0.0.1:{server.port('rtmps')}/live", "--source", "test:128x96p30:hevc", "--seconds", "60") as encoder:
                wait_segments(server, "load0", "video", 2)
                self.assertIn('CODECS="hvc1.', server.text("/live/load0/index.m3u8"))
                self.assertEqual(encoder.end(2), 0, encoder.output)

    def test_publishing(self):
        side_by_side(self.eight_over_rtmp_two_over_srt, self.over_tls_and_in_hevc, self.one_name_for_two)

    def test_what_the_command_says(self):
        def run(*arguments):
            done = subprocess.run([LOADGEN, "publish", *arguments], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stdout, done.stderr
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("--streams N", out)
        for arguments in ([], ["--url", "http://127.0.0.1/live", "--source", "test:audio"], ["--url", "rtmp://127.0.0.1/live", "--streams", "0"],
                          ["--url", "rtmp://127.0.0.1/live", "--source", "test:7"], ["--url", "rtmp://127.0.0.1/live", "--file", "/nonexistent.flv"],
                          ["--url", "rtmp://127.0.0.1/live", "--unknown"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err)
        # documentation addresses (RFC 5737): not loopback, so nothing is sent there
        status, _, err = run("--url", "rtmp://192.0.2.1/live", "--source", "test:audio")
        self.assertEqual(status, 2)
        self.assertIn("--i-own-this-host", err)
        # nobody listens: told, and not for ever
        status, out, err = run("--url", "rtmp://127.0.0.1:1/live", "--source", "test:audio", "--seconds", "0.5")
        self.assertEqual(status, 3)
        self.assertIn("refused: no connection", err)

    def one_name_for_two(self):
        with Server() as server:
            with publish(f"rtmp://127.0.0.1:{server.rtmp_port}/live", "--streams", "2", "--name", "same", "--source", "test:audio", "--seconds", "2") as encoder:
                encoder.process.wait(30 * PATIENCE)
                self.assertEqual(encoder.end(), 1)
            self.assertIn("live/same refused: no answer to publish: NetStream.Publish.BadName", encoder.output)
            self.assertIn("2 publishers: 1 went live", encoder.output)


if __name__ == "__main__":
    unittest.main()

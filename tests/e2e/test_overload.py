"""A machine that has less to give than its ladders take: what is shed, in which order, and that it is never the source. Other programs take the cores: a
minute and a half, `script/test promises`."""
import os
import subprocess
import sys
import tempfile
import time
import unittest

from harness import AAC, AUDIO, X264, Server, ffmpeg, playlist, read_rendition, wait_for, wait_segments

CONFIG = """
hls: {segment: 1s, window: 240s} # all that the test sees
transcode: {share: 100}
paths:
  - match: live/*
    ladder:
      - source
      - {name: large, scale: 0.9, bitrate: 1500k, preset: fast}
      - {name: small, height: 180, bitrate: 200k, preset: ultrafast}
"""
FILM = ["-f", "lavfi", "-i", "testsrc2=size=960x540:rate=30,noise=alls=10:allf=t"]


class Burners:
    """Programs that take all that the cores give, as much as the server's threads may have, and more: of its own cores it is left less than half."""

    def __enter__(self):
        self.all = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * os.cpu_count())]

    def __exit__(self, *unused):
        for one in self.all:
            one.kill()
        for one in self.all:
            one.wait()


def publish(server, clip):
    """Ten seconds, again and again, with times that go on."""
    subprocess.run(["ffmpeg", "-loglevel", "error", *FILM, *AUDIO, "-t", "10", *X264, "-g", "30", "-keyint_min", "30", *AAC, clip], check=True, timeout=120)
    return ffmpeg(server.rtmp("x"), "-c", "copy", inputs=[["-stream_loop", "-1", "-i", clip]])


def ladder(server):
    return server.stream("x")["ladder"]


class Overload(unittest.TestCase):
    def test_rungs_are_shed_and_the_source_goes_on(self):
        with Server(config=CONFIG) as server:
            # encoded beforehand: the publisher is not what is short of time
            with tempfile.TemporaryDirectory() as folder, publish(server, os.path.join(folder, "clip.flv")):
                wait_segments(server, "x", "small", 3)
                wait_for("all rungs as planned", lambda: ladder(server)["shed_level"] == 0, 180)
                with Burners():
                    began = time.monotonic()
                    wait_for("something shed", lambda: ladder(server)["shed_level"] > 0, 60)
                    print(f"shed after {time.monotonic() - began:.1f} s")
                    time.sleep(10)  # of overload, whatever comes of it
                    worst = ladder(server)["shed_level"]
                began = time.monotonic()
                wait_for("the first step up", lambda: ladder(server)["shed_level"] < worst, 60)
                print(f"level {worst} at worst; first step up after {time.monotonic() - began:.1f} s")
                wait_for("all rungs as planned", lambda: ladder(server)["shed_level"] == 0, 180)
                print(f"as before after {time.monotonic() - began:.1f} s")
                # the source: every picture, no gap, no break
                text = playlist(server, "x", "video")
                self.assertNotIn("EXT-X-GAP", text)
                self.assertNotIn("EXT-X-DISCONTINUITY\n", text)
                pictures = [len(fragment.samples) for _, fragment in read_rendition(server, "x", "video")[1]]
                self.assertGreater(len(pictures), 20)
                self.assertEqual(set(pictures[1:-1]), {30})


if __name__ == "__main__":
    unittest.main()

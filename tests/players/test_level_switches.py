"""The page's hls.js is made to change the rendition every four seconds for two minutes: the picture goes on, and never back.

WEIR_PLAYER_SECONDS is half of how long (60).
"""
import os
import time
import unittest

import clock
import page_eye
from browser import Page
from harness import Server, wait_for, wait_segments

SECONDS = 2 * float(os.environ.get("WEIR_PLAYER_SECONDS", "60"))
EVERY_S = 4
SETTLED_S = 8  # after the first picture
STALL_S = 0.5  # a browser that has no core to itself lets a picture stand for a third of a second, switch or no switch
CONFIG = """
hls: {segment: 2s, part: 500ms}
ladder:
  - source
  - {height: 240, bitrate: 500k, preset: ultrafast}
  - {height: 180, bitrate: 300k, preset: ultrafast}
"""


class LevelSwitches(unittest.TestCase):
    def test_every_four_seconds(self):
        with Server(config=CONFIG) as server, clock.Source.rtmp(server.rtmp("cam")):
            for rung in ("240p", "180p"):
                wait_segments(server, "cam", rung, 3)
            with Page("about:blank") as page:
                page_eye.open(page, server.url("/live/cam/"))
                wait_for("a picture", lambda: page.ask("!!window.weirWatch && weirWatch.firstMs !== null"))
                wait_for("three levels", lambda: page.ask("weir.hls && weir.hls.levels.length") == 3)
                page.ask("weir.hls.on(Hls.Events.LEVEL_SWITCHED, (e, data) => (window.switched = window.switched || []).push([Date.now(), data.level]))")
                watch = clock.Watch()
                clock.wait_until(time.time() + SETTLED_S)
                began_s, sizes, level = time.time(), set(), 0
                page.ask("weirWatch.take()")
                while time.time() < began_s + SECONDS:
                    level = (level + 1) % 3
                    # from the next part on that is loaded: what is buffered is shown, as when hls.js chooses for itself
                    page.ask(f"weir.hls.loadLevel = {level}")
                    clock.wait_until(time.time() + EVERY_S)
                    sizes.add(page.ask("weir.video.videoWidth"))
                    page_eye.take(page, watch)
                switched = page.ask("(window.switched || []).map(s => s[1])")
                errors, dropped = page.ask("weir.stats().errors"), page.ask("weir.video.getVideoPlaybackQuality().droppedVideoFrames")
                stalls = watch.stalls()
                latencies = watch.latencies()
                print(f"\n{len(switched)} switches in {SECONDS:.0f} s, to widths {sorted(sizes)}; {len(watch.shown)} pictures, steps back {watch.steps_back()}, "
                      f"stalls {[(round(at - began_s, 1), round(length, 2)) for at, length in stalls]}, dropped {dropped}, errors {errors}, "
                      f"latency p50 {clock.percentile(latencies, .5):.2f} s p95 {clock.percentile(latencies, .95):.2f} s")
                self.assertEqual((watch.steps_back(), errors), (0, []))
                self.assertLess(max((length for _, length in stalls), default=0), STALL_S)
                self.assertGreaterEqual(len(switched), SECONDS / EVERY_S * 0.8)
                self.assertGreaterEqual(len(sizes), 2)
                self.assertGreater(len(watch.shown), SECONDS * 30 * 0.95)
            for name in ("keyframe_misses", "output_dropped", "shed_down"):
                self.assertEqual(server.counter(f"transcode_{name}"), 0, name)


if __name__ == "__main__":
    unittest.main()

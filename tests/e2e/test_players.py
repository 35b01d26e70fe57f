"""What people watch with: the player page in Chromium with hls.js, mpv, ffmpeg."""
import os
import subprocess
import unittest

from browser import Page
from harness import AAC, PATIENCE, X264, Certificate, Server, ffmpeg, wait_for, wait_segments


class Players(unittest.TestCase):
    def test_player_page_plays_and_says_how(self):
        with Server() as server, Page(server.url("/live/cam/")) as page:
            # opened before there is a stream: a sentence, not an error
            wait_for("the page to wait", lambda: "Waiting for the publisher" in (page.ask("document.getElementById('message').textContent") or ""))
            with ffmpeg(server.rtmp("cam")):
                stats = wait_for("eight seconds of play", lambda: (lambda s: s if s and s["time"] > 8 else None)(page.ask("weir.stats()")), 60)
                print(f"latency {stats['latency']:.1f} s, buffer {stats['buffer']:.1f} s, dropped {stats['dropped']} of {stats['frames']}, errors {stats['errors']}")
                self.assertEqual((stats["width"], stats["height"]), (320, 180))
                self.assertGreater(stats["frames"], 60)
                self.assertLess(stats["latency"], 20)
                self.assertEqual(page.ask("document.getElementById('message').textContent"), "Playing.")
                self.assertEqual(server.stream("cam")["viewers"], 1)
                colours = page.ask("(() => { const c = document.createElement('canvas'); c.width = 32; c.height = 18; const x = c.getContext('2d');"
                                   "x.drawImage(weir.video, 0, 0, 32, 18); return new Set(x.getImageData(0, 0, 32, 18).data).size; })()")
                self.assertGreater(colours, 30, "the picture is not blank")
                picture = os.environ.get("WEIR_PICTURES")
                if picture:
                    page.picture(os.path.join(picture, "player.png"))
                page.call("Page.navigate", url=server.url("/"))
                wait_for("the list", lambda: page.ask("document.querySelector('.streams a')?.textContent") == "live/cam")
                if picture:
                    page.picture(os.path.join(picture, "index.png"))
                self.fits_a_phone(page, "index", picture)
                page.call("Page.navigate", url=server.url("/live/cam/"))
                wait_for("play on a phone", lambda: (page.ask("globalThis.weir && weir.stats().time") or 0) > 1, 60)
                self.fits_a_phone(page, "player", picture)

    def test_low_latency_over_https_and_http_2(self):
        with Certificate() as certificate, Server(*certificate.settings("hls.part=250ms")) as server:
            with Page(f"https://localhost:{server.port('https')}/live/cam/", "--ignore-certificate-errors") as page, ffmpeg(server.rtmp("cam"), *X264, "-tune", "zerolatency", *AAC):
                def plays_close():
                    stats = page.ask("globalThis.weir && weir.stats()")
                    return stats if stats and stats["time"] > 6 and stats["latency"] and stats["latency"] < 3 * PATIENCE else None
                stats = wait_for("play three seconds behind or closer", plays_close, 60)
                print(f"latency {stats['latency']:.2f} s, target {stats['targetLatency']} s, buffer {stats['buffer']:.2f} s, stalls {stats['stalls']}, errors {stats['errors']}")
                self.assertEqual(stats["partTarget"], 0.25)
                self.assertEqual(page.ask("document.getElementById('mode').textContent"), "parts of 0.25 s")
                protocols = page.ask("[...new Set(performance.getEntriesByType('resource').filter(e => e.name.includes('m4s')).map(e => e.nextHopProtocol))].join()")
                self.assertEqual(protocols, "h2")
                self.assertGreater(server.counter("hls_waits_answered"), 20)
                self.assertEqual(server.counter("hls_bad_directives"), 0)

    def fits_a_phone(self, page, name, picture):
        page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        wait_for("the small layout", lambda: page.ask("innerWidth") == 390)
        self.assertLessEqual(page.ask("document.documentElement.scrollWidth"), 390, f"{name} must not scroll sideways")
        smallest = page.ask("Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText && e.offsetParent).map(e => parseFloat(getComputedStyle(e).fontSize)))")
        self.assertGreaterEqual(smallest, 11, f"{name} can be read")
        if picture:
            page.picture(os.path.join(picture, f"{name}-phone.png"))

    def test_player_page_survives_a_reconnect(self):
        with Server() as server:
            with ffmpeg(server.rtmp("cam")) as first, Page(server.url("/live/cam/")) as page:
                wait_for("play", lambda: (page.ask("weir.stats().time") or 0) > 3, 60)
                first.end()
                with ffmpeg(server.rtmp("cam")):
                    frames = page.ask("weir.stats().frames")
                    video_dates = "weir.hls && weir.hls.playingDate ? +weir.hls.playingDate : 0"
                    restarted = wait_for("the second publisher", lambda: server.stream("cam")["eras"] == 2) and page.ask("Date.now()")
                    wait_for("pictures of the second publisher", lambda: (page.ask(video_dates) or 0) > restarted and page.ask("weir.stats().frames") > frames, 60)
                    print(f"errors on the page: {page.ask('weir.stats().errors')}")

    def test_mpv_plays(self):
        with Server() as server, ffmpeg(server.rtmp("cam")):
            wait_segments(server, "cam", "audio", 3)
            out = subprocess.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--length=4", "--msg-level=all=v", server.url("/live/cam/index.m3u8")],
                                 capture_output=True, text=True, timeout=90)
            self.assertEqual(out.returncode, 0, out.stdout[-3000:])
            self.assertRegex(out.stdout, r"Selected video codec|VO: \[null\]")
            self.assertRegex(out.stdout, r"AO: \[null\]")

    def test_ffmpeg_decodes_without_a_complaint(self):
        with Server() as server, ffmpeg(server.rtmp("cam"), *X264, "-bf", "0", *AAC):
            wait_segments(server, "cam", "audio", 4)
            out = subprocess.run(["ffmpeg", "-v", "warning", "-nostdin", "-xerror", "-t", "5", "-i", server.url("/live/cam/index.m3u8"), "-f", "null", "-"],
                                 capture_output=True, text=True, timeout=90)
            # FFmpeg's HLS reader offers the init segment twice to its own demuxer and says so
            complaints = [line for line in out.stderr.splitlines() if "duplicated MOOV" not in line]
            self.assertEqual((out.returncode, complaints), (0, []))


if __name__ == "__main__":
    unittest.main()

"""ffmpeg publishes, ffprobe and our own reader look at what comes out."""
import json
import re
import subprocess
import unittest

import cmaf
from harness import AAC, AUDIO, VIDEO, X264, Check, Server, ffmpeg, read_rendition, wait_for, wait_segments


def ffprobe(url, *entries):
    out = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *entries, url], capture_output=True, text=True, timeout=60)
    return json.loads(out.stdout), out.stderr


class Publish(unittest.TestCase):
    def test_h264_and_aac_become_continuous_cmaf(self):
        with Server() as server, ffmpeg(server.rtmp("cam")), Check(server, "cam", 60, "--ll") as check:
            wait_segments(server, "cam", "video", 5)
            wait_segments(server, "cam", "audio", 5)
            check.end(early=True)
            for rule in ("R3", "R9", "R12", "R15", "R17", "R19", "R25", "R26", "R30", "R31", "R34", "R36", "R37", "R38", "R40", "R44", "R45", "R48", "R52", "V6", "V9", "V12", "V16"):
                self.assertGreater(check.checked[rule], 0, rule)
            for rendition, handler, entry in (("video", "vide", "avc1"), ("audio", "soun", "mp4a")):
                text, fragments = read_rendition(server, "cam", rendition)
                self.assertGreaterEqual(cmaf.check_continuous(fragments), 4)
                self.assertEqual((fragments[0][1].init.handler, fragments[0][1].init.entry), (handler, entry))
            _, video = read_rendition(server, "cam", "video")
            steps = {sample[0] for _, fragment in video for sample in fragment.samples}
            self.assertEqual(steps, {3000}, "30 fps in whole ticks")
            master = server.text("/live/cam/index.m3u8")
            self.assertRegex(master, r'CODECS="avc1\.[0-9a-f]{6},mp4a\.40\.2"')
            self.assertIn("RESOLUTION=320x180", master)
            self.assertIn("FRAME-RATE=30.000", master)
            for alias in ("/live/cam.m3u8", "/live/cam/master.m3u8"):
                self.assertEqual(server.text(alias), master)
            found, errors = ffprobe(server.url("/live/cam/index.m3u8"), "-show_streams")
            self.assertEqual({s["codec_name"] for s in found["streams"]}, {"h264", "aac"})
            self.assertEqual(errors, "")
            facts = server.stream("cam")
            self.assertEqual(facts["state"], "live")
            self.assertEqual([t["codec"] for t in facts["tracks"]], ["h264", "aac"])
            self.assertEqual(facts["keyframe_interval_ms"], 2000)
            self.assertEqual(sum(facts["repairs"].values()), 0)

    def test_numbers_agree_and_old_segments_stay_a_while(self):
        with Server("hls.segment=1s", "hls.window=6s") as server, ffmpeg(server.rtmp("cam"), *X264, "-g", "30", "-keyint_min", "30", *AAC), \
                Check(server, "cam", 60) as check:
            old = cmaf.parse_playlist(wait_segments(server, "cam", "video", 3))
            first = old.segments[0]

            def has_moved():
                nonlocal old
                new = cmaf.parse_playlist(server.text("/live/cam/video/index.m3u8"))
                new.check_follows(old)
                old = new
                return new.sequence > first.sequence + 1
            wait_for("the window to slide", has_moved, 30)
            status, headers, _ = server.get(f"/live/cam/video/{first.uri}")
            self.assertEqual(status, 200, "a segment that just left the playlist can still be fetched (RFC 8216, 6.2.2)")
            self.assertIn("immutable", headers["cache-control"])
            audio = cmaf.parse_playlist(server.text("/live/cam/audio/index.m3u8"))
            self.assertLessEqual(abs(audio.segments[-1].sequence - old.segments[-1].sequence), 1)
            check.end(early=True)
            for rule in ("R5", "R6", "R7"):
                self.assertGreater(check.checked[rule], 0, rule)

    def test_playlist_within_two_seconds_although_announced_audio_never_comes(self):
        from rtmp_client import Publisher, is_config, make_flv, send
        clip = make_flv(seconds=4, gop=250)
        silent = [tag for tag in clip if tag[0] != 8 or is_config(tag)]
        with Server() as server:
            publisher = Publisher(server.rtmp_port, name="mute")
            import time
            started = time.monotonic()
            import threading
            thread = threading.Thread(target=send, args=(publisher, silent), kwargs={"pace": 1.0})
            thread.start()
            wait_for("a playlist", lambda: server.text("/live/mute/index.m3u8"), 10)
            took = time.monotonic() - started
            print(f"playlist {took:.2f} s after the first keyframe")
            self.assertLess(took, 2.0)
            self.assertNotIn("TYPE=AUDIO", server.text("/live/mute/index.m3u8"))
            thread.join()
            publisher.close()

    def test_audio_only_and_video_only(self):
        with Server() as server, ffmpeg(server.rtmp("radio"), *AAC, inputs=[AUDIO]), ffmpeg(server.rtmp("silent"), *X264, inputs=[VIDEO]):
            wait_segments(server, "radio", "audio", 4)
            wait_segments(server, "silent", "video", 4)
            self.assertRegex(server.text("/live/radio/index.m3u8"), r'CODECS="mp4a.40.2"\naudio/index.m3u8')
            self.assertNotIn("AUDIO", server.text("/live/silent/index.m3u8"))
            cmaf.check_continuous(read_rendition(server, "radio", "audio")[1])
            cmaf.check_continuous(read_rendition(server, "silent", "video")[1])

    def test_a_long_gop_is_cut_inside_and_says_so(self):
        with Server() as server, ffmpeg(server.rtmp("obs"), *X264, "-g", "250", "-keyint_min", "250", *AAC):
            text = wait_segments(server, "obs", "video", 5, 60)
            self.assertNotIn("INDEPENDENT-SEGMENTS", text)
            self.assertIn("INDEPENDENT-SEGMENTS", server.text("/live/obs/audio/index.m3u8"))
            self.assertGreaterEqual(server.stream("obs")["segments_forced"], 2)
            cmaf.check_continuous(read_rendition(server, "obs", "video")[1])

    def test_picture_and_sound_stay_together(self):
        """A flash and a beep once a second; both are found again in what is served, and stand within 20 ms of each other."""
        flash = ["-f", "lavfi", "-i", "color=black:size=160x90:rate=50,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.1)'"]
        beep = ["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000,volume='if(lt(mod(t,1),0.1),1,0)':eval=frame"]
        with Server() as server, ffmpeg(server.rtmp("av"), *X264, "-tune", "zerolatency", *AAC, inputs=[flash, beep]):
            wait_segments(server, "av", "audio", 5)
            out = subprocess.run(["ffmpeg", "-hide_banner", "-nostdin", "-t", "6", "-i", server.url("/live/av/index.m3u8"), "-vf", "blackdetect=d=0.3:pic_th=0.9",
                                  "-af", "silencedetect=n=-40dB:d=0.3", "-f", "null", "-"], capture_output=True, text=True, timeout=90).stderr
            flashes = [float(t) for t in re.findall(r"black_end:([0-9.]+)", out)]
            beeps = [float(t) for t in re.findall(r"silence_end: ([0-9.]+)", out)]
            offsets = [min((b - f for b in beeps), key=abs) for f in flashes if beeps]
            self.assertGreaterEqual(len(offsets), 3, out[-3000:])
            worst = max(offsets, key=abs)
            print(f"A/V offsets {['%.0f ms' % (o * 1000) for o in offsets]}")
            # frames of 20 ms and AAC frames of 21 ms: finer than that this eye cannot see
            self.assertLess(abs(worst), 0.030)


if __name__ == "__main__":
    unittest.main()

"""Players watch one live stream for two minutes, with a reconnect of its publisher in the middle: hls.js in the server's own page and
Shaka in Chromium, mpv, VLC, ffplay, GStreamer with both its HLS readers. Their pictures are read as a person would see them (clock.py).

WEIR_PLAYERS=mpv,vlc picks some; WEIR_PLAYER_SECONDS is how long before and after the reconnect (60); WEIR_PLAYER_SETTINGS are more --set for
the server, separated by blanks.
"""
import functools
import http.server
import os
import re
import threading
import time
import unittest

import clock
import players
from desk import Speakers
from harness import Server, wait_segments

HALF_S = float(os.environ.get("WEIR_PLAYER_SECONDS", "60"))
SETTINGS = os.environ.get("WEIR_PLAYER_SETTINGS", "").split()
CHOSEN = os.environ.get("WEIR_PLAYERS", "hls.js,shaka,mpv,vlc,ffplay,gstreamer,gstreamer-hlsdemux").split(",")
START_S = 10        # plays by then
DROPPED_SHARE = 0.05
SOUND_S = 0.15      # people begin to mind at 0.09 early or 0.185 late (ITU-R BT.1359)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):
        pass


class Pages:
    """Serves Shaka's page: from another origin than the stream, as on most sites."""

    def __init__(self, folder):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def start_all(speakers, pages, url):
    desktop = {kind.name: kind for kind in (players.Mpv, players.Vlc, players.Ffplay, players.Gstreamer, players.GstreamerOld)}
    browser = {kind.name: kind for kind in (players.HlsJs, players.Shaka)}
    out = []
    try:
        for name in CHOSEN:
            out.append(browser[name](pages.url, url) if name in browser else desktop[name](speakers, url))
    except BaseException:
        for player in out:
            player.close()
        raise
    return out


class Eyes:
    """Looks at all windows sixty times a second, and takes what pages noted once in a while."""

    def __init__(self, watched):
        self.watched, self.stop = watched, threading.Event()
        self.threads = [threading.Thread(target=self._look, args=([p for p in watched if isinstance(p, players.Desktop)], 1 / 60)),
                        threading.Thread(target=self._look, args=([p for p in watched if isinstance(p, players.Browser)], 1.0))]
        for thread in self.threads:
            thread.start()

    def _look(self, some, interval_s):
        while not self.stop.wait(interval_s):
            for player in some:
                player.look()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class TwoMinutes(unittest.TestCase):
    def test_all_players(self):
        speakers, pages, watched, eyes, source = Speakers(), Pages(os.environ["WEIR_SHAKA"]), [], None, None
        try:
            with Server(*SETTINGS) as server:
                source = clock.Source.rtmp(server.rtmp("cam"))
                wait_segments(server, "cam", "audio", 3)
                text = server.text("/live/cam/video/index.m3u8")
                segment_s = max(float(d) for d in re.findall(r"#EXTINF:([\d.]+)", text))
                part = re.search(r"PART-TARGET=([\d.]+)", text)
                print(f"\n{'low latency, parts of ' + part.group(1) + ' s' if part else 'no low latency'}; segments of {segment_s} s; {HALF_S:.0f} s, reconnect, {HALF_S:.0f} s")
                began_s = time.time()
                watched = start_all(speakers, pages, server.url("/live/cam/"))
                eyes = Eyes(watched)
                clock.wait_until(began_s + HALF_S)
                cut_s = time.time()
                source.end()
                source = clock.Source.rtmp(server.rtmp("cam"))
                clock.wait_until(began_s + 2 * HALF_S)
                ended_s = time.time()
                eyes.end()
                eyes = None
                for player in watched:
                    player.finish()
                self.assertEqual((server.stream("cam")["eras"], server.stream("cam")["publishes"]), (2, 2))
                failures = []
                for player in watched:
                    failures += [f"{player.name}: {words}" for words in self.judge(player, began_s, cut_s, ended_s, segment_s)]
                for player in watched:
                    if any(f.startswith(player.name + ":") for f in failures) and isinstance(player, players.Desktop):
                        print(f"--- {player.name}\n{player.log()[-3000:]}")
                self.assertEqual(failures, [])
        finally:
            if eyes:
                eyes.end()
            for player in watched:
                player.close()
            if source:
                source.end()
            pages.end()
            speakers.end()

    def judge(self, player, began_s, cut_s, ended_s, segment_s):
        """Prints a player's line and returns what is wrong."""
        watch, wrong = player.watch, []
        if not watch.began_s():
            return ["no moving picture at all"]
        first_s, play_s, stalls, back = watch.shown[0][0] - player.started_s, watch.began_s() - player.started_s, watch.stalls(), watch.steps_back()
        before, after = watch.latencies(watch.began_s() + 5, cut_s), watch.latencies(cut_s + 10, ended_s)
        sound, dropped, complaints = watch.sound_late_s(), player.dropped(), player.complaints()
        longest = max((length for _, length in stalls), default=0)
        middle = clock.percentile(sound, 0.5)
        print(f"{player.name} {player.version()}: first picture {first_s:.1f} s, play {play_s:.1f} s; latency p50 {clock.percentile(before, .5):.2f} s p95 {clock.percentile(before, .95):.2f} s, "
              f"after the reconnect {clock.percentile(after, .5):.2f} s, {clock.percentile(after, .95):.2f} s; "
              f"stalls {[(round(at - began_s, 1), round(length, 2)) for at, length in stalls]}; dropped {dropped}; "
              f"sound {middle * 1000:+.0f} ms ({len(sound)} beeps, {clock.percentile(sound, .05) * 1000:+.0f} to {clock.percentile(sound, .95) * 1000:+.0f}); steps back {back}; "
              f"complaints {len(complaints)} {complaints[:4]}")
        if not player.is_running() and player.name in ("hls.js", "shaka"):
            wrong.append("ended")
        if play_s > START_S:
            wrong.append(f"began to play after {play_s:.1f} s")
        if longest > segment_s:
            wrong.append(f"stood still for {longest:.1f} s")
        if len(after) < 10 * (HALF_S - 10):
            wrong.append(f"only {len(after)} pictures after the reconnect")
        if dropped and dropped[0] > DROPPED_SHARE * max(dropped[1], 1):
            wrong.append(f"dropped {dropped[0]} of {dropped[1]} frames")
        if len(sound) < HALF_S * 1.2:
            wrong.append(f"only {len(sound)} beeps beside their flash")
        elif abs(middle) > SOUND_S:
            wrong.append(f"sound is {middle * 1000:+.0f} ms beside the picture")
        if any("fatal" in line for line in complaints):
            wrong.append("a fatal error")
        return wrong


if __name__ == "__main__":
    unittest.main()

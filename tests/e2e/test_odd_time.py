"""Odd clocks over a real socket: the stream goes on, repairs are counted and shown, numbers stay legal."""
import threading
import time
import unittest

import cmaf
from harness import Server, playlist, read_rendition, wait_for
from rtmp_client import Publisher, is_config, make_flv, rest, send

CLIP = make_flv(seconds=8, gop=30)


def at_least(server, name, frames):
    return lambda: (server.stream(name) or {}).get("video_frames", 0) >= frames


VIDEO_FRAMES = sum(1 for tag in CLIP if tag[0] == 9 and not is_config(tag) and len(tag[2]) > 5)


class OddTime(unittest.TestCase):
    def publish(self, server, name, clock, clip=CLIP):
        publisher = Publisher(server.rtmp_port, name=name)
        send(publisher, clip, clock)
        wait_for("all frames", at_least(server, name, VIDEO_FRAMES - 2))
        publisher.close()
        wait_for("the end", lambda: server.stream(name)["state"] == "holding")
        facts = server.stream(name)
        for rendition in ("video", "audio"):
            _, fragments = read_rendition(server, name, rendition)
            cmaf.check_continuous(fragments, gap_ticks=48000)
        return facts

    def test_clocks(self):
        wobble = [0, 7, -6, 3, -8, 5]
        cases = [
            ("starts at 2^31", lambda ms: ms + (1 << 31), 1, None),
            ("starts 5 s before the wrap at 2^32", lambda ms: ms + (1 << 32) - 5000, 1, "wrap"),
            ("crosses the extended timestamp", lambda ms: ms + 0xFFFFFF - 3000, 1, None),
            ("jumps an hour forward", lambda ms: ms + (3600000 if ms >= 4000 else 0), 2, "jump"),
            ("jumps 30 s back", lambda ms: ms + (100000 if ms < 4000 else 70000), 2, "jump"),
            ("jitters", lambda ms: ms + 100 + wobble[ms // 20 % len(wobble)], 1, "jitter"),
            ("runs at 1.001", lambda ms: int(ms * 1.001), 1, None),
            ("runs at 0.97", lambda ms: int(ms * 0.97), 1, "drift"),
        ]
        with Server("hls.window=60s") as server:
            for index, (what, clock, eras, repair) in enumerate(cases):
                with self.subTest(what):
                    facts = self.publish(server, f"odd{index}", clock)
                    print(f"{what}: {dict((k, v) for k, v in facts['repairs'].items() if v)}")
                    self.assertEqual(facts["eras"], eras)
                    if repair:
                        self.assertGreater(facts["repairs"][repair], 0)
                    video = cmaf.parse_playlist(playlist(server, f"odd{index}", "video"))
                    audio = cmaf.parse_playlist(playlist(server, f"odd{index}", "audio"))
                    self.assertEqual([e.sequence for e in video.segments if e.has_discontinuity], [e.sequence for e in audio.segments if e.has_discontinuity])
                    self.assertEqual(sum(e.has_discontinuity for e in video.segments), eras)
                    total = sum(e.duration for e in video.segments)
                    self.assertAlmostEqual(total, 8, delta=0.6)

    def test_a_burst_of_ten_seconds(self):
        clip = make_flv(seconds=10, gop=60)
        with Server("hls.window=60s") as server:
            publisher = Publisher(server.rtmp_port, name="burst")
            send(publisher, clip)
            wait_for("all of it", lambda: sum(e.duration for e in cmaf.parse_playlist(playlist(server, "burst", "video") or "#EXTM3U").segments) > 7 if playlist(server, "burst", "video") else False)
            publisher.close()

    def test_configuration_changes_in_mid_stream(self):
        small, large = make_flv(seconds=3, gop=30), make_flv(seconds=3, gop=30, size="640x360", sample_rate=44100)
        with Server("hls.window=60s") as server:
            publisher = Publisher(server.rtmp_port, name="change")
            send(publisher, small)
            send(publisher, large, lambda ms: ms + 3000)
            wait_for("both", at_least(server, "change", 170))
            publisher.close()
            wait_for("the end", lambda: server.stream("change")["state"] == "holding")
            video = cmaf.parse_playlist(playlist(server, "change", "video"))
            audio = cmaf.parse_playlist(playlist(server, "change", "audio"))
            self.assertEqual(len({e.init for e in video.segments}), 2)
            self.assertEqual(len({e.init for e in audio.segments}), 2)
            self.assertEqual([e.sequence for e in video.segments if e.has_discontinuity], [e.sequence for e in audio.segments if e.has_discontinuity])
            self.assertIn("RESOLUTION=640x360", server.text("/live/change/index.m3u8"))

    def test_audio_later_than_video_and_the_other_way_round(self):
        with Server("hls.window=60s") as server:
            for name, missing in (("late-audio", 8), ("late-video", 9)):
                publisher = Publisher(server.rtmp_port, name=name)
                send(publisher, [tag for tag in CLIP if tag[0] != missing or is_config(tag) or tag[1] >= 4000])
                wait_for("the rest", lambda: (server.stream(name) or {}).get("video_frames", 0) >= (VIDEO_FRAMES - 2 if missing == 8 else 100))
                publisher.close()
                wait_for("the end", lambda: server.stream(name)["state"] == "holding")
                master = server.text(f"/live/{name}/index.m3u8")
                self.assertIn("TYPE=AUDIO", master)
                self.assertIn("RESOLUTION", master)
                video = cmaf.parse_playlist(playlist(server, name, "video"))
                audio = cmaf.parse_playlist(playlist(server, name, "audio"))
                self.assertEqual(video.segments[-1].sequence, audio.segments[-1].sequence)

    def test_fifteen_seconds_of_silence_on_an_open_connection(self):
        with Server("hls.window=60s") as server:
            publisher = Publisher(server.rtmp_port, name="silence")
            send(publisher, CLIP)
            wait_for("the first half", at_least(server, "silence", VIDEO_FRAMES - 2))
            rest(15)
            self.assertEqual(server.stream("silence")["state"], "live")
            send(publisher, CLIP, lambda ms: ms + 8000 + 15000)
            wait_for("the second half", at_least(server, "silence", 2 * VIDEO_FRAMES - 4))
            publisher.close()
            wait_for("the end", lambda: server.stream("silence")["state"] == "holding")
            facts = server.stream("silence")
            self.assertEqual((facts["eras"], facts["publishes"]), (2, 1))
            video = cmaf.parse_playlist(playlist(server, "silence", "video"))
            self.assertEqual(sum(e.has_discontinuity for e in video.segments), 2)
            self.assertAlmostEqual(sum(e.duration for e in video.segments), 16, delta=1.2)

    def test_two_servers_by_the_encoders_time(self):
        """One encoder sends to two servers, one of which ends and comes back: what they list is the same."""
        zero_us = int(time.time()) * 1000000 + 300000
        settings = ("hls.numbering=epoch", "hls.segment=1s", "hls.window=60s")

        def media(server, rendition):
            return {e.sequence: e for e in cmaf.parse_playlist(playlist(server, "pair", rendition)).segments}

        def body(server, rendition, entry):
            status, _, data = server.get(f"/live/pair/{rendition}/{entry.uri}")
            self.assertEqual(status, 200)
            return data

        with Server(*settings) as one:
            with Server(*settings) as two:
                publisher, second = (Publisher(server.rtmp_port, name="pair") for server in (one, two))
                for to in (publisher, second):
                    send(to, with_times(CLIP, zero_us))
                for server in (one, two):
                    wait_for("all frames", at_least(server, "pair", VIDEO_FRAMES - 2))
                for rendition in ("video", "audio"):
                    left, right = media(one, rendition), media(two, rendition)
                    self.assertGreater(len(left), 4)
                    self.assertEqual([(e.uri, e.duration, e.program_date_time) for e in left.values()], [(e.uri, e.duration, e.program_date_time) for e in right.values()])
                    for sequence, entry in left.items():
                        self.assertEqual(body(one, rendition, entry), body(two, rendition, right[sequence]), entry.uri)
                self.assertEqual(playlist(one, "pair", "ts"), playlist(two, "pair", "ts"))
                self.assertEqual(list(left)[0], (zero_us // 1000000 - 1767225600) + 1)
                second.close()
            with Server(*settings) as two:
                second = Publisher(two.rtmp_port, name="pair")
                for to in (publisher, second):
                    send(to, with_times(CLIP, zero_us + 8000000), lambda ms: ms + 8000)
                wait_for("all frames", at_least(one, "pair", 2 * VIDEO_FRAMES - 4))
                wait_for("all frames", at_least(two, "pair", VIDEO_FRAMES - 2))
                before, left, right = left, media(one, "video"), media(two, "video")
                self.assertGreater(min(right), max(before))
                self.assertGreater(len(right), 4)
                self.assertEqual(max(left), max(right))
                for sequence, entry in right.items():
                    # the stream's time in it is each server's own, and so is the name
                    self.assertEqual((entry.duration, entry.program_date_time), (left[sequence].duration, left[sequence].program_date_time))
                    self.assertNotEqual(entry.uri, left[sequence].uri)
                publisher.close()
                second.close()

    def test_sixty_megabits_for_a_while(self):
        clip = [fatten(tag, 250000) if tag[0] == 9 and not is_config(tag) and len(tag[2]) > 5 else tag for tag in CLIP]
        with Server("hls.window=60s") as server:
            publisher, bystander = Publisher(server.rtmp_port, name="heavy"), Publisher(server.rtmp_port, name="light")
            sender = threading.Thread(target=send, args=(publisher, clip), kwargs={"pace": 1.0})
            sender.start()
            send(bystander, CLIP, pace=1.0)
            sender.join()
            for name in ("heavy", "light"):
                wait_for("all frames", at_least(server, name, VIDEO_FRAMES - 2))
            facts = server.stream("heavy")
            print(f"heavy: {facts['bitrate_bps'] / 1e6:.0f} Mbit/s, repairs {sum(facts['repairs'].values())}; light: repairs {sum(server.stream('light')['repairs'].values())}")
            self.assertGreater(facts["bytes_in"] * 8 / 8, 50e6)
            self.assertEqual((facts["eras"], sum(facts["repairs"].values()), sum(server.stream("light")["repairs"].values())), (1, 0, 0))
            publisher.close()
            bystander.close()
            wait_for("the end", lambda: server.stream("heavy")["state"] == "holding")
            for rendition in ("video", "audio"):
                cmaf.check_continuous(read_rendition(server, "heavy", rendition)[1])


def fatten(tag, size):
    """A frame with an SEI message of `size` bytes in front: heavy and still decodable."""
    kind, timestamp, body = tag
    payload = bytes([6, 5]) + b"\xff" * (size // 255) + bytes([size % 255]) + b"\x80" * size + b"\x80"
    return kind, timestamp, body[:5] + len(payload).to_bytes(4, "big") + payload + body[5:]


def with_times(tags, zero_us):
    """Says in each picture when it was taken: a precision time stamp as an SEI message (MISB ST 0604)."""
    def timed(tag):
        kind, timestamp, body = tag
        if kind != 9 or is_config(tag) or len(body) <= 5:
            return tag
        time_us = (zero_us + timestamp * 1000).to_bytes(8, "big")
        stamp = b"MISPmicrosectime\x1f" + b"\xff".join(time_us[at:at + 2] for at in (0, 2, 4, 6))
        unit = bytes([6, 5, len(stamp)]) + stamp + b"\x80"
        return kind, timestamp, body[:5] + len(unit).to_bytes(4, "big") + unit + body[5:]
    return [timed(tag) for tag in tags]


if __name__ == "__main__":
    unittest.main()

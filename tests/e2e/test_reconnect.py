"""Publishers come and go: hold, takeover, refusal, kill -9. The playlist's numbers never go back."""
import signal
import socket
import threading
import time
import unittest

import cmaf
from harness import Check, Server, ffmpeg, playlist, wait_for, wait_segments
from rtmp_client import Publisher, Refused, is_config, make_flv, send

CLIP = make_flv(seconds=4, gop=30)


class Follower(threading.Thread):
    """A player's eye on a playlist: every version is checked, and held against the one before. Survives restarts."""

    def __init__(self, url_of, name, renditions=("video", "audio")):
        super().__init__(daemon=True)
        self.url_of, self.name, self.renditions = url_of, name, renditions
        self.last, self.errors, self.versions, self.bytes_of = {}, [], 0, {}
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.05):
            for rendition in self.renditions:
                try:
                    self.look(rendition)
                except (OSError, EOFError):
                    continue
                except Exception as error:  # an assertion of the checker, or a broken playlist
                    self.errors.append(f"{rendition}: {error}")
                    return

    def look(self, rendition):
        import http.client
        server = self.url_of()
        try:
            text = server.text(f"/live/{self.name}/{rendition}/index.m3u8")
        except http.client.HTTPException:
            return
        if not text or rendition in self.last and text == self.last[rendition].text:
            return
        new = cmaf.parse_playlist(text)
        if rendition in self.last:
            old = self.last[rendition]
            if new.segments[0].sequence <= old.segments[-1].sequence:
                new.check_follows(old)
            assert new.sequence >= old.sequence and new.discontinuity >= old.discontinuity, "numbers went back"
        tail = new.segments[-1]
        if not tail.is_gap:
            status, _, body = server.get(f"/live/{self.name}/{rendition}/{tail.uri}")
            if status == 200:
                known = self.bytes_of.setdefault((rendition, tail.uri), hash(body))
                assert known == hash(body), f"other bytes under the name {tail.uri}"
        self.last[rendition] = new
        self.versions += 1

    def end(self):
        self.stopping.set()
        self.join(10)
        assert not self.errors, self.errors


class Reconnect(unittest.TestCase):
    def test_cut_and_back_continues_with_one_discontinuity(self):
        with Server() as server:
            follower = Follower(lambda: server, "cam")
            follower.start()
            # while nobody publishes there is nothing new to list, and so the clock rule does not hold
            check = Check(server, "cam", 120, allow=("R9", "R34"))
            self.addCleanup(check.__exit__, None, None, None)
            with ffmpeg(server.rtmp("cam")) as first:
                wait_segments(server, "cam", "video", 3)
                first.end(signal.SIGKILL)
            wait_for("the stream to be held", lambda: server.stream("cam")["state"] == "holding")
            before = cmaf.parse_playlist(playlist(server, "cam", "video"))
            self.assertFalse(before.is_ended)
            with ffmpeg(server.rtmp("cam")):
                wait_for("the stream to go on", lambda: cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-1].sequence >= before.segments[-1].sequence + 3, 30)
                tagged = {}
                for rendition in ("video", "audio"):
                    now = cmaf.parse_playlist(playlist(server, "cam", rendition))
                    fresh = [e for e in now.segments if e.sequence > before.segments[-1].sequence]
                    tagged[rendition] = [e.sequence for e in fresh if e.has_discontinuity]
                    # the same encoder settings: the same init bytes, and so the same init
                    self.assertEqual({e.init for e in now.segments}, {now.segments[0].init})
                self.assertEqual(len(tagged["video"]), 1)
                self.assertEqual(tagged["video"], tagged["audio"])
                check.end(early=True)
                self.assertNotIn("R12", check.warned)  # the discontinuity was one
                self.assertGreater(check.checked["R12"], 4)
            follower.end()
            print(f"{follower.versions} playlist versions checked")
            self.assertEqual(server.counter("publish_resumed"), 1)

    def test_ways_to_be_cut(self):
        """FIN, RST and silence in the middle of a message; each time the playlist goes on."""
        with Server("ingest.silent=1s") as server:
            follower = Follower(lambda: server, "cam")
            follower.start()
            held = []
            for round_number, how in enumerate(("fin", "rst", "blackhole", "fin")):
                publisher = wait_for("being accepted", lambda: try_publish(server), 20)
                send(publisher, CLIP)
                if how == "rst":
                    publisher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                if how == "blackhole":
                    publisher.socket.sendall(b"\x06\x00\x00\x00\x00\xff\xff\x09\x01\x00\x00\x00")  # a header, and never its payload
                    held.append(publisher)
                else:
                    publisher.close()
                wait_for("the round's segments", lambda: server.stream("cam") and server.stream("cam")["publishes"] == round_number + 1 and server.stream("cam")["video_frames"] > 0)
            wait_for("the last publisher to be gone", lambda: server.stream("cam")["state"] == "holding")
            last = cmaf.parse_playlist(playlist(server, "cam", "video"))
            # a reset may throw away what had not been read yet; every era that got through is tagged once
            self.assertEqual(sum(e.has_discontinuity for e in last.segments), server.stream("cam")["eras"])
            follower.end()
            for publisher in held:
                publisher.close()

    def test_end_for_good(self):
        with Server("hls.hold=1s") as server:
            publisher = Publisher(server.rtmp_port, name="cam")
            send(publisher, CLIP)
            publisher.close()
            wait_for("ENDLIST", lambda: "#EXT-X-ENDLIST" in (playlist(server, "cam", "video") or ""))
            self.assertIn("#EXT-X-ENDLIST", playlist(server, "cam", "audio"))
            self.assertEqual(server.stream("cam")["state"], "ended")
            old = cmaf.parse_playlist(playlist(server, "cam", "video"))
            publisher = Publisher(server.rtmp_port, name="cam")
            send(publisher, CLIP)
            wait_for("the new stream", lambda: server.stream("cam")["state"] == "live" and playlist(server, "cam", "video"))
            new = cmaf.parse_playlist(playlist(server, "cam", "video"))
            self.assertGreater(new.sequence, old.segments[-1].sequence)
            self.assertFalse(new.is_ended)
            publisher.close()

    def test_second_publisher_is_refused_with_words(self):
        with Server() as server, ffmpeg(server.rtmp("cam")):
            wait_segments(server, "cam", "video", 1)
            with self.assertRaises(Refused) as refused:
                Publisher(server.rtmp_port, name="cam")
            self.assertIn(b"NetStream.Publish.BadName", refused.exception.args[0])
            self.assertIn(b"Someone is already publishing", refused.exception.args[0])
            second = ffmpeg(server.rtmp("cam"))
            wait_for("ffmpeg to give up", lambda: second.process.poll() is not None, 20)
            second.end()
            self.assertEqual(server.stream("cam")["state"], "live")
            self.assertEqual(server.counter("publish_refused_busy"), 2)

    def test_takeover_where_the_path_says_so(self):
        config = "paths:\n  - match: live/*\n    publish:\n      takeover: yes\n"
        with Server(config=config) as server:
            old = Publisher(server.rtmp_port, name="cam")
            send(old, CLIP)
            started = time.monotonic()
            new = Publisher(server.rtmp_port, name="cam")
            took = time.monotonic() - started
            print(f"takeover accepted after {took * 1000:.0f} ms")
            self.assertLess(took, 0.3 * float(__import__("os").environ.get("WEIR_TEST_PATIENCE", "1")))
            frames = server.stream("cam")["video_frames"]
            try:
                send(old, CLIP)  # what the old one still says must never appear
            except OSError:
                pass
            self.assertEqual(server.stream("cam")["video_frames"], frames)
            send(new, CLIP)
            wait_for("the new one's frames", lambda: server.stream("cam")["video_frames"] > frames)
            self.assertEqual(server.counter("publish_takeovers"), 1)
            old.close()
            new.close()

    def test_same_key_takes_over_from_a_dead_socket(self):
        with Server() as server:
            with open(server.state + "/publish.key") as file:
                key = file.read().strip()
            dead = Publisher(server.rtmp_port, name="cam?key=" + key)
            send(dead, CLIP)
            started = time.monotonic()
            back = Publisher(server.rtmp_port, name="cam?key=" + key)
            took = time.monotonic() - started
            print(f"back after {took * 1000:.0f} ms")
            with self.assertRaises(Refused):
                Publisher(server.rtmp_port, name="cam?key=wrong-key-000")
            self.assertEqual(server.counter("publish_refused_key"), 1)
            dead.close()
            back.close()
            for text in (server.log(), server.text("/metrics"), server.text("/api/v1/streams"), server.text("/api/v1/server")):
                self.assertNotIn(key, text)
                self.assertNotIn("wrong-key-000", text)

    def test_kill_and_restart_never_goes_back(self):
        import socket as sockets
        ports = []
        for _ in range(2):  # ports that stay the same over restarts: asked from the kernel, then kept
            with sockets.socket() as probe:
                probe.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", 0))
                ports.append(str(probe.getsockname()[1]))
        server = Server(ports=ports)
        holder = {"server": server}
        follower = Follower(lambda: holder["server"], "cam")
        follower.start()
        readies, firsts, numbers = [], [], []
        for _ in range(5):
            publisher = Publisher(server.rtmp_port, name="cam")
            started = time.monotonic()
            thread = threading.Thread(target=send_quietly, args=(publisher, CLIP))
            thread.start()
            wait_for("a segment", lambda: playlist(server, "cam", "video"))
            firsts.append(time.monotonic() - started)
            wait_for("two segments", lambda: len(cmaf.parse_playlist(playlist(server, "cam", "video")).segments) >= 2)
            now = cmaf.parse_playlist(playlist(server, "cam", "video"))
            first = now.segments[0]
            numbers.append(now.discontinuity)
            self.assertTrue(first.has_discontinuity, "those who watched before the restart need to be told")
            server.kill()
            thread.join()
            publisher.close()
            server = Server(ports=ports, state=server.state)
            holder["server"] = server
            readies.append(time.monotonic() - server.started)
        follower.end()
        # players walk lists as long as this number
        self.assertEqual(sorted(set(numbers)), numbers)
        self.assertLess(numbers[-1], 100000)
        print(f"ready after {max(readies) * 1000:.0f} ms at most, first segment {max(firsts):.2f} s after the first keyframe at most, {follower.versions} versions checked")
        self.assertLess(max(firsts), 1.0 * float(__import__("os").environ.get("WEIR_TEST_PATIENCE", "1")))
        server.stop()

    def test_abnormal_ends_leave_nothing_behind(self):
        with Server("hls.hold=0s") as server:
            body = [tag for tag in CLIP if tag[1] < 300]
            for index in range(40):
                flap(server, body, index)
            wait_for("all connections to be gone", lambda: server.json("/api/v1/server")["rtmp_connections"] == 0)
            descriptors = wait_for("HTTP connections to be gone", lambda: quiet_descriptors(server))
            for index in range(200):
                flap(server, body, index)
            wait_for("all connections to be gone", lambda: server.json("/api/v1/server")["rtmp_connections"] == 0)
            wait_for("the same descriptors as before", lambda: (quiet_descriptors(server) or descriptors + 1) <= descriptors)


def quiet_descriptors(server):
    """Counted while no HTTP connection is open: the one that asks is just closing."""
    counts = [server.descriptors() for _ in range(20)]
    return counts[0] if len(set(counts)) == 1 else None


def flap(server, body, index):
    publisher = Publisher(server.rtmp_port, name=f"flap{index % 4}-{index}")
    send(publisher, body[:1 + index % len(body)])
    if index % 2:
        publisher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    publisher.socket.sendall(b"\x06\x00\x00\x00\x00\x10\x00\x09\x01\x00\x00\x00"[:1 + index % 12])
    publisher.close()


def try_publish(server):
    try:
        return Publisher(server.rtmp_port, name="cam")
    except (Refused, OSError):
        return None


def send_quietly(publisher, clip):
    try:
        send(publisher, clip, pace=1.0)
    except OSError:
        pass


if __name__ == "__main__":
    unittest.main()

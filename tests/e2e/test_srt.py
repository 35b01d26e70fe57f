"""SRT: who is let in and who hears what, streams from real senders, and what becomes of broken ones."""
import os
import random
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import cmaf
from harness import AAC, AUDIO, PATIENCE, VIDEO, X264, Encoder, Server, ffmpeg, playlist, read_rendition, wait_for, wait_segments
from srt_caller import BAD_SECRET, UNSECURE, Caller, Refused, code_of

TS = ("-f", "mpegts")
CONFIG = """
log: {level: debug}
srt:
  ports:
    - {listen: "127.0.0.1:0", stream: live/van, default_mode: publish}
paths:
  - {match: "live/locked*", srt: {passphrase: "the-secret-of-locked", pbkeylen: 32}}
  - {match: live/keyed, publish: {access: key, key: "canary-key-4711"}}
  - {match: live/closed, publish: {access: deny}}
"""


def make_ts(*arguments):
    """A short transport stream as bytes."""
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *arguments, *TS, file.name], check=True)
        return file.read()


class Admission(unittest.TestCase):
    def test_codes_and_dialects(self):
        with Server(config=CONFIG) as server:
            port, van = server.srt_ports
            answers = (
                (0, {"streamid": "#!::r=live/a,m=publish"}), (0, {"streamid": "publish:live/b"}), (0, {"streamid": "live/c"}),
                (0, {"streamid": "#!::h=srs.example,r=live/d,m=publish,x=y"}), (0, {"streamid": "e,mode:publish"}), (0, {"streamid": "%23!::r=live%2Ff,m=publish"}),
                (0, {"streamid": "srt%3A%2F%2Fh%3A1%2Flive%2Fg"}),
                (1400, {}), (1400, {"streamid": "#!:{r=live/a}"}), (1400, {"streamid": "../x"}), (1400, {"streamid": b"live/\xff\xfe"}),
                (1400, {"streamid": "n" * 512}), (1400, {"streamid": "live/a\nb"}),
                (1401, {"streamid": "#!::r=live/keyed,m=publish"}), (1401, {"streamid": "publish:live/keyed:me:canary-wrong-9"}),
                (0, {"streamid": "#!::r=live/keyed,m=publish,s=canary-key-4711"}),
                (1403, {"streamid": "live/closed"}), (1405, {"streamid": "#!::r=live/a"}), (1405, {"streamid": "read:live/a"}),
                (UNSECURE, {"streamid": "live/locked"}), (BAD_SECRET, {"streamid": "live/locked", "passphrase": "not-the-secret"}),
                (0, {"streamid": "live/locked", "passphrase": "the-secret-of-locked", "pbkeylen": 32}), (UNSECURE, {"streamid": "live/z", "passphrase": "nobody-asked-for"}),
            )
            for code, options in answers:
                self.assertEqual(code_of(port, **options), code, options)
            for options in ({}, {"streamid": "#!::r=live/other"}):
                self.assertEqual(code_of(van, **options), 0, options)
            with Caller(port, streamid="live/locked2", passphrase="the-secret-of-locked", pbkeylen=16) as weak:
                wait_for("the short key to be refused", lambda: not weak.is_connected())
            self.assertIn("wants a longer AES key", server.log())
            wait_for("the last refusals in the log", lambda: server.log().count("reason=handshake") == 3)
            log = server.log()
            for words in ("code=1401 reason=unauthorized", "code=1403 reason=forbidden", "live/locked publish_refused", "live/van publish_started"):
                self.assertIn(words, log)
            for secret in ("canary", "the-secret-of-locked", "not-the-secret", "nobody-asked-for"):
                self.assertNotIn(secret, log)
            self.assertEqual(server.counter("srt_handshake_failures"), 4)
            wait_for("all to be gone", lambda: server.json("/api/v1/server")["srt_connections"] == 0)

    def test_new_keys_on_the_way(self):
        with Server(config=CONFIG) as server:
            with Caller(server.srt_ports[0], streamid="live/locked", passphrase="the-secret-of-locked", pbkeylen=32, kmrefreshrate=300, kmpreannounce=100) as caller:
                wait_for("the publisher", lambda: server.stream("locked"))
                for index in range(2000):
                    caller.send(bytes([0x47]) * 188)
                    if index % 50 == 0:
                        time.sleep(0.01)
                wait_for("all that was sent", lambda: server.counter("srt_messages_received") == 2000)
                self.assertIn("encryption=aes-256", server.log())
                wait_for("figures", lambda: server.stream("locked")["transport"]["packets"] == 2000)
                self.assertEqual(server.stream("locked")["transport"]["packets_undecryptable"], 0)

    def test_limits(self):
        with Server("listen.srt=[::]:0", "srt.attempts_per_address=2", "ingest.publish=1s", "srt.connections_per_address=2") as server:
            port = server.srt_ports[0]
            with Caller(port, streamid="live/a", payloadsize=1456) as first, Caller(port, streamid="live/b") as second:
                wait_for("two connections", lambda: server.json("/api/v1/server")["srt_connections"] == 2)
                self.assertEqual(code_of(port, streamid="live/c"), 1402)
                self.assertEqual(server.counter("srt_refused_per_address"), 1)
                self.assertIn("peer=127.0.0.1:", server.log(), "IPv4 through a socket of IPv6 is IPv4")
                # neither a transport stream nor anything else that could be carried, in messages of all lengths
                for bytes_count in (1, 187, 188, 189, 1316, 1456):
                    first.send(bytes([0x47 if bytes_count == 188 else 0x11]) * bytes_count)
                wait_for("the idle ones to be closed", lambda: not first.is_connected() and not second.is_connected())
            self.assertIn("nothing that can be carried came in time", server.log())
            codes = [code_of(port, streamid="live/a") for _ in range(12)]
            self.assertIn(1402, codes)
            self.assertGreater(server.counter("srt_refused_attempts"), 0)


class Hostile(unittest.TestCase):
    def test_handshakes_that_would_break_the_library(self):
        """A flow window of gigabytes, an MTU that no response fits in: one such packet from anyone ends a process that stands on libsrt 1.5.1 alone."""
        with Server() as server:
            self.assertEqual(shake(server.srt_ports[0])[0], -1, "a sound one is answered with a conclusion")
            wait_for("the connection", lambda: server.json("/api/v1/server")["srt_connections"] == 1)
            rss, dropped = server.rss_bytes(), server.counter("srt_datagrams_dropped")
            for wrong in ({"flow": 0x04000000}, {"flow": 0xFFFFFFFF}, {"mtu": 60}, {"mtu": 0xFFFFFFFF}, {"key_material": 300}):
                self.assertIsNone(shake(server.srt_ports[0], **wrong)[0], wrong)
            self.assertEqual(server.counter("srt_datagrams_dropped") - dropped, 5)
            self.assertLess(server.rss_bytes() - rss, 2e6 if "build/release" in os.environ["WEIR"] else 20e6)
            self.assertEqual(code_of(server.srt_ports[0], streamid="live/after"), 0)


def shake(port, flow=8192, mtu=1500, key_material=0, then=None):
    """A whole handshake by hand (draft-sharabayko-srt, 4.3.1). The type of the last answer (None: there was none) and the listener's socket id.
    then(socket, id, first sequence number) runs before the socket is closed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3 * PATIENCE)
        s.connect(("127.0.0.1", port))
        number = random.getrandbits(29)

        def packet(version, extension, kind, cookie, blocks=b"", flow=8192, mtu=1500):
            return (struct.pack(">IIII", 0x80000000, 0, 1, 0) + struct.pack(">IHHIIIiII", version, 0, extension, number, mtu, flow, kind, number, cookie) +
                    b"\x01\x00\x00\x7f" + bytes(12) + blocks)
        s.send(packet(4, 2, 1, 0))
        cookie = struct.unpack(">I", s.recv(2000)[44:48])[0]
        name = f"live/by-hand{number}".encode()
        name += bytes(-len(name) % 4)
        blocks = struct.pack(">HHIII", 1, 3, 0x010501, 0xBF, 120 << 16 | 120)
        if key_material:
            blocks += struct.pack(">HH", 3, key_material // 4) + bytes(key_material)
        blocks += struct.pack(">HH", 5, len(name) // 4) + b"".join(name[i:i + 4][::-1] for i in range(0, len(name), 4))
        s.send(packet(5, 5, -1, cookie, blocks, flow, mtu))
        try:
            answer = s.recv(2000)
        except TimeoutError:
            return None, None
        kind, peer = struct.unpack(">iI", answer[36:44])
        if then:
            then(s, peer, number)
        return kind, peer


class Streams(unittest.TestCase):
    def test_two_languages_play_and_the_name_is_held_and_given(self):
        inputs = [VIDEO, AUDIO, ["-f", "lavfi", "-i", "sine=frequency=880:sample_rate=48000"]]
        codecs = ["-map", "0:v", "-map", "1:a", "-map", "2:a", *X264, "-g", "30", "-keyint_min", "30", *AAC, "-metadata:s:a:0", "language=eng",
                  "-metadata:s:a:1", "language=fra"]
        with Server("hls.segment=1s", "hls.window=20s") as server:
            url = server.srt("#!::r=live/cam,m=publish", latency=300000)
            with ffmpeg(url, *codecs, inputs=inputs, output=TS) as first:
                wait_segments(server, "cam", "video", 4)
                facts = server.stream("cam")
                self.assertEqual([t["codec"] for t in facts["tracks"]], ["h264", "aac", "aac"])
                self.assertEqual([t.get("language") for t in facts["tracks"][1:]], ["en", "fr"])
                _, fragments = read_rendition(server, "cam", "video")
                self.assertGreaterEqual(cmaf.check_continuous(fragments), 3)
                transport = wait_for("figures", lambda: (lambda t: t if t["packets"] else None)(server.stream("cam")["transport"]))
                self.assertEqual((transport["protocol"], transport["latency_ms"], transport["packets_dropped"]), ("srt", 300, 0))
                self.assertRegex(server.text("/metrics"), r'weir_stream_transport_packets_total\{stream="live/cam"\} [1-9]')
                # someone else on the name, while it is live
                self.assertEqual(code_of(server.srt_ports[0], streamid="publish:live/cam"), 1409)
                first.end()
                wait_for("the name to be held", lambda: server.stream("cam")["state"] == "holding", 5)
            before = cmaf.parse_playlist(playlist(server, "cam", "video"))
            self.assertFalse(before.is_ended)
            # the same publisher over the other protocol
            with ffmpeg(server.rtmp("cam"), *X264, "-g", "30", "-keyint_min", "30", *AAC):
                wait_for("the stream to go on", lambda: cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-1].sequence > before.segments[-1].sequence + 1, 30)
                now = cmaf.parse_playlist(playlist(server, "cam", "video"))
                self.assertEqual(len([e for e in now.segments if e.sequence > before.segments[-1].sequence and e.has_discontinuity]), 1)
                self.assertEqual(server.stream("cam")["transport"]["protocol"], "rtmp")
            self.assertEqual(server.counter("publish_resumed"), 1)

    def test_takeover_and_damage(self):
        clip = make_ts(*VIDEO, *AUDIO, "-t", "6", *X264, "-g", "30", "-keyint_min", "30", *AAC)
        with Server("publish.takeover=yes", "hls.segment=1s") as server:
            port = server.srt_ports[0]
            with Caller(port, streamid="live/cam") as old:
                old.send(clip[:1316])
                wait_for("the first publisher", lambda: server.stream("cam"))
                started = time.monotonic()
                with Caller(port, streamid="live/cam") as new:
                    wait_for("the old one to be told", lambda: not old.is_connected())
                    print(f"taken over after {(time.monotonic() - started) * 1000:.0f} ms")
                    # every fortieth message never leaves: holes in the continuity, with no gap that SRT could know of
                    paced = time.monotonic()
                    for index in range(0, len(clip), 1316):
                        if index // 1316 % 40 != 20:
                            new.send(clip[index:index + 1316])
                        while index / len(clip) * 3 > time.monotonic() - paced:
                            time.sleep(0.001)
                    wait_for("segments", lambda: len(cmaf.parse_playlist(playlist(server, "cam", "video") or "").segments) >= 2 if playlist(server, "cam", "video") else False)
                    facts = wait_for("damaged frames", lambda: (lambda s: s if s["frames_damaged"] else None)(server.stream("cam")))
                    self.assertGreaterEqual(facts["frames_dropped_damaged"], facts["frames_damaged"])
                    self.assertEqual(facts["state"], "live")
                    cmaf.parse_playlist(playlist(server, "cam", "video"))
            self.assertEqual(server.counter("publish_takeovers"), 1)

    def test_pull(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "clip.ts")
            with open(path, "wb") as file:
                file.write(make_ts(*VIDEO, *AUDIO, "-t", "20", *X264, "-g", "30", "-keyint_min", "30", *AAC))
            port = free_udp_port()
            config = (f"paths:\n  - match: live/far\n    pull: \"srt://localhost:{port}?passphrase=canary-of-the-pull&streamid=canary-streamid&latency=80&connect_timeout=300\"\n")
            listener = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", path, "-c", "copy", *TS, f"srt://127.0.0.1:{port}?mode=listener&passphrase=canary-of-the-pull&pkt_size=1316"]
            with Server("hls.segment=1s", config=config) as server:
                wait_for("a try that fails", lambda: "pull_failed" in server.log(), 15)
                with Encoder(listener) as encoder:
                    wait_segments(server, "far", "video", 2)
                    self.assertEqual(server.stream("far")["transport"]["protocol"], "srt-pull")
                    self.assertEqual(code_of(server.srt_ports[0], streamid="live/far"), 1409)
                    encoder.end()
                wait_for("its end", lambda: server.stream("far")["state"] == "holding")
                with Encoder(listener):
                    wait_for("it to be fetched again", lambda: server.stream("far")["state"] == "live" and server.stream("far")["publishes"] == 2, 20)
                self.assertIn(f"target=localhost:{port}", server.log())
                self.assertNotIn("canary", server.log())


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    unittest.main()

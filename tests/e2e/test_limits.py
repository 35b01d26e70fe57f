"""Strangers: half-open connections, garbage, slow requests, names that do not exist. Nobody else's stream notices."""
import os
import re
import resource
import signal
import socket
import struct
import threading
import time
import unittest

import cmaf
from harness import Server, ffmpeg, playlist, wait_for, wait_segments
from rtmp_client import AMF_NULL, Publisher, Refused, amf_number, amf_object, amf_string, make_flv, send

SANITIZED = "asan" in os.environ["WEIR"] or "tsan" in os.environ["WEIR"]


def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Limits(unittest.TestCase):
    def test_half_open_connections_cost_little_and_go(self):
        count = min(10000 if not SANITIZED else 1000, raise_limit() - 200, 25000)
        with Server("ingest.handshake=3s") as server, ffmpeg(server.rtmp("cam")):
            wait_segments(server, "cam", "video", 2)
            before = server.rss_bytes()
            sockets = [socket.create_connection(("127.0.0.1", server.rtmp_port)) for _ in range(count)]
            wait_for("all to be accepted", lambda: server.json("/api/v1/server")["rtmp_connections"] >= count, 30)
            each = (server.rss_bytes() - before) / count
            print(f"{count} half-open connections: {each:.0f} bytes each")
            if not SANITIZED:
                self.assertLess(each, 4096)
            wait_for("them to be thrown out", lambda: server.json("/api/v1/server")["rtmp_connections"] <= 1, 30)
            self.assertEqual(server.counter("rtmp_handshake_timeouts"), count)
            self.assertEqual(server.stream("cam")["state"], "live")
            cmaf.parse_playlist(playlist(server, "cam", "video"))
            for one in sockets:
                one.close()

    def test_a_hundred_bytes_of_c1(self):
        with Server("ingest.handshake=1s") as server:
            sockets = []
            for _ in range(200):
                one = socket.create_connection(("127.0.0.1", server.rtmp_port))
                one.sendall(b"\x03" + bytes(100))
                sockets.append(one)
            wait_for("them to be thrown out", lambda: server.counter("rtmp_handshake_timeouts") == 200)
            # a line for a burst on each loop, not one for each
            self.assertIn("the handshake took too long (ingest.handshake)", server.log())
            self.assertLess(server.log().count("handshake_timeout"), 100)
            for one in sockets:
                one.close()

    def test_garbage_is_refused_at_once(self):
        """And the log, told to be quiet of it, speaks again without a restart."""
        with Server(config="log: {level: 'info,ingest=error'}\n") as server:
            one = socket.create_connection(("127.0.0.1", server.rtmp_port))
            one.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_for("the counter", lambda: server.counter("rtmp_malformed") == 1)
            self.assertNotIn("rtmp_broken", server.log())
            one.close()
            for text, word in (("log: {level: loud}\n", "configuration_refused"), ("log: {level: 'info,ingest=warn'}\n", "log_level")):
                with open(os.path.join(server.dir, "weir.yaml"), "w") as file:
                    file.write(text)
                server.process.send_signal(signal.SIGHUP)
                wait_for("the signal to be heard", lambda: word in server.log())
            for index, garbage in enumerate((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", os.urandom(5000))):
                with socket.create_connection(("127.0.0.1", server.rtmp_port), timeout=10) as one:
                    one.sendall(garbage if garbage[0] != 3 else b"\x00" + garbage)
                    try:
                        self.assertEqual(one.recv(10), b"")
                    except ConnectionResetError:
                        pass
            wait_for("the counter", lambda: server.counter("rtmp_malformed") == 4)
            self.assertIn("this port speaks plain RTMP", server.log())

    def test_memory_of_a_publisher_is_bounded(self):
        """Chunk stream after chunk stream, each announcing 7 MiB and sending some of it."""
        with Server() as server:
            publisher = Publisher(server.rtmp_port, name="greedy")
            wait_for("accepted", lambda: server.stream("greedy"))
            before = server.rss_bytes()
            peak = before
            try:
                for csid in range(64, 64 + 60):
                    publisher.socket.sendall(bytes([0, csid - 64]) + b"\0\0\0" + (7 * 1024 * 1024).to_bytes(3, "big") + b"\x09\x01\0\0\0" + bytes(60000))
                    peak = max(peak, server.rss_bytes())
                for csid in range(64, 64 + 60):
                    for _ in range(10):
                        publisher.socket.sendall(bytes([0xC0, csid - 64]) + bytes(60000))
                    peak = max(peak, server.rss_bytes())
            except OSError:
                pass
            wait_for("the publisher to be dropped", lambda: server.counter("rtmp_limit_assembly_bytes") == 1)
            print(f"peak {(peak - before) / 1048576:.1f} MiB above")
            if not SANITIZED:
                self.assertLess(peak - before, 9 * 1048576)
            publisher.close()

    def test_refusals_have_words(self):
        cases = [
            ("live", "../etc/passwd", b"NetStream.Publish.BadName", b"not usable"),
            ("live", "", b"NetStream.Publish.BadName", b"stream key"),
            ("live", "x" * 300, b"NetStream.Publish.BadName", b"too long"),
            ("live", "cam?key=definitely-wrong", b"NetStream.Publish.Denied", b"key"),
        ]
        with Server() as server:
            for app, name, code, words in cases:
                with self.assertRaises(Refused) as refused:
                    Publisher(server.rtmp_port, app=app, name=name)
                self.assertIn(code, refused.exception.args[0])
                self.assertIn(words, refused.exception.args[0])
            self.assertEqual(server.counter("publish_refused_name"), 3)
            self.assertNotIn("definitely-wrong", server.log())
            self.assertEqual(server.json("/api/v1/streams"), {"streams": []})

    def test_odd_names_can_be_published_and_watched(self):
        clip = make_flv(seconds=2, gop=30)
        with Server() as server:
            # and in chunks of one byte, of the largest size there is, and of a size that stands for that one
            for name, path, chunk in (("room1/cam 2", "/live/room1/cam%202", 1), ("caf\u00e9", "/live/caf%C3%A9", 0xFFFFFF), ("%s%n", "/live/%25s%25n", 0x7FFFFFFF), ('say "hi", {}', "/live/say%20%22hi%22%2C%20%7B%7D", 60000)):
                publisher = Publisher(server.rtmp_port, name=name, chunk=chunk)
                send(publisher, clip)
                wait_for("a playlist", lambda: server.text(path + "/index.m3u8"))
                self.assertEqual(server.get(path + "/")[0], 200)
                cmaf.parse_playlist(server.text(path + "/video/index.m3u8"))
                publisher.close()
            self.assertEqual({s["play"] for s in server.json("/api/v1/streams")["streams"]}, {"/live/room1/cam%202/", "/live/caf%C3%A9/", "/live/%25s%25n/", "/live/say%20%22hi%22%2C%20%7B%7D/"})
            self.metrics_can_be_read(server.text("/metrics"))

    def metrics_can_be_read(self, text):
        """As Prometheus does (exposition format 0.0.4): each name typed once and before its samples, labels escaped, no sample twice."""
        types, samples = set(), set()
        for line in text.splitlines():
            about = re.match(r"# (HELP|TYPE) (\w+) (.*)", line)
            if about and about[1] == "TYPE":
                self.assertNotIn(about[2], types)
                self.assertIn(about[3], ("counter", "gauge"))
                types.add(about[2])
            if about:
                continue
            sample = re.fullmatch(r'(\w+)(\{\w+="(?:[^"\\\n]|\\["\\n])*"(?:,\w+="(?:[^"\\\n]|\\["\\n])*")*\})? -?[0-9][0-9.e+-]*', line)
            self.assertTrue(sample, line)
            self.assertIn(sample[1], types)
            self.assertNotIn(line.rsplit(" ", 1)[0], samples)
            samples.add(line.rsplit(" ", 1)[0])
        self.assertGreater(len(samples), 150)

    def test_play_over_rtmp_is_answered(self):
        with Server() as server:
            publisher = Publisher(server.rtmp_port, name="cam")
            other = socket.create_connection(("127.0.0.1", server.rtmp_port), timeout=10)
            player = object.__new__(Publisher)
            player.socket, player.chunk, player.received = other, 128, b""
            other.sendall(b"\x03" + bytes(1536))
            player._read(1 + 1536 * 2)
            other.sendall(bytes(1536))
            player.command("connect", 1, amf_object(app="live"))
            player.wait_for(b"NetConnection.Connect.Success")
            player.command("createStream", 2, AMF_NULL)
            player.wait_for(b"_result")
            player.command("play", 3, AMF_NULL + amf_string("cam"), stream=1)
            with self.assertRaises(Refused) as refused:
                player.wait_for(b"never")
            self.assertIn(b"weir serves players over HLS", refused.exception.args[0])
            publisher.close()
            other.close()

    def test_unsupported_codec_is_named(self):
        with Server("ingest.streams=1") as server:
            publisher = Publisher(server.rtmp_port, name="cam")
            with self.assertRaises(Refused) as refused:
                Publisher(server.rtmp_port, name="one too many")
            self.assertIn(b"NetStream.Publish.Failed", refused.exception.args[0])
            self.assertIn(b"as many streams as it is allowed to", refused.exception.args[0])
            publisher.tag(9, 0, b"\x27\x01\0\0\0\0\0\0\x02\x41\xaa")  # a picture whose configuration never came
            publisher.tag(9, 0, b"\x27\x01")  # and one that is cut off
            publisher.tag(8, 0, b"\xb2" + bytes(20))  # Speex
            with self.assertRaises(Refused) as refused:
                publisher.wait_for(b"never")
            self.assertIn(b"NetStream.Publish.Rejected", refused.exception.args[0])
            self.assertIn(b"Speex", refused.exception.args[0])
            for counter in ("publish_refused_limit", "flv_frames_before_config", "flv_malformed", "flv_unsupported", "publish_refused_codec"):
                self.assertEqual(server.counter(counter), 1, counter)
            self.assertIn('bad_message', server.log())
            publisher.close()
            # taken in where something is made of it, which is said
            publisher = Publisher(server.rtmp_port, name="cam")
            publisher.tag(8, 0, b"\x72" + bytes(20))  # G.711
            with self.assertRaises(Refused) as refused:
                publisher.wait_for(b"never")
            self.assertIn(b"audio: auto", refused.exception.args[0])
            publisher.close()

    def test_silence_frees_the_name(self):
        clip = make_flv(seconds=1)  # before anybody is idle: it may take a while
        with Server("ingest.silent=1s", "ingest.idle=3s") as server:
            silent = Publisher(server.rtmp_port, name="cam")
            send(silent, clip)
            with self.assertRaises(Refused):
                Publisher(server.rtmp_port, name="cam?key=" + "z" * 10)
            def publish():
                try:
                    return Publisher(server.rtmp_port, name="cam")
                except Refused:
                    return None
            second = wait_for("the name", publish, 10)
            before = server.counter("rtmp_idle_timeouts")  # of the first, where the machine was slow

            def trickles():  # pings and metadata are no stream
                try:
                    second.message(2, 4, 0, b"\0\6\0\0\0\1")
                    second.message(4, 18, 0, amf_string("onMetaData") + amf_object(), stream=1)
                except OSError:
                    pass
                return server.counter("rtmp_idle_timeouts") > before
            wait_for("idle", trickles, 15)
            silent.close()
            second.close()

    def test_connections_per_address_and_in_all(self):
        with Server("ingest.connections_per_address=5", "ingest.connections=8", "ingest.handshake=60s", "ingest.publish=1s") as server:
            sockets = [socket.create_connection(("127.0.0.1", server.rtmp_port)) for _ in range(12)]
            wait_for("refusals", lambda: server.counter("rtmp_refused_per_address") == 7)
            self.assertIn("too many connections from one address", server.log())
            # who is turned away leaves nothing behind (ossrs/srs#2925: a descriptor each)
            before = server.descriptors()
            for _ in range(200):
                socket.create_connection(("127.0.0.1", server.rtmp_port)).close()
            wait_for("refusals", lambda: server.counter("rtmp_refused_per_address") == 207)
            self.assertLess(server.descriptors(), before + 20)
            # from another address there is room for three more
            sockets += [socket.create_connection(("127.0.0.1", server.rtmp_port), source_address=("127.0.0.2", 0)) for _ in range(7)]
            wait_for("refusals", lambda: server.counter("rtmp_refused_connections") == 4)
            self.assertEqual(server.counter("rtmp_refused_per_address"), 207)
            # one of those that are in shakes hands and then says nothing
            sockets[0].sendall(b"\x03" + bytes(2 * 1536))
            wait_for("it to be closed", lambda: server.counter("rtmp_publish_timeouts") == 1)
            self.assertIn("nothing was published in time", server.log())
            for one in sockets:
                one.close()


class Http(unittest.TestCase):
    def raw(self, server, data, count=65536):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=10) as one:
            one.sendall(data)
            out = b""
            while len(out) < count:
                piece = one.recv(65536)
                if not piece:
                    break
                out += piece
            return out

    def test_statuses(self):
        head = b"Host: h\r\n"
        cases = [
            (b"GET /live/none/index.m3u8 HTTP/1.1\r\n" + head, b"404"),
            (b"POST / HTTP/1.1\r\n" + head, b"405"),
            (b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n" + head, b"414"),
            (b"GET / HTTP/1.1\r\n" + head + b"X: " + b"y" * 17000 + b"\r\n", b"431"),
            (b"GET / HTTP/1.1\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n" + head + b"Content-Length: 5\r\n", b"413"),
            (b"POST / HTTP/1.1\r\n" + head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n" + head + b"Transfer-Encoding: gzip, chunked\r\n", b"400"),
            (b"GET /live/../etc/passwd HTTP/1.1\r\n" + head, b"400"),
            (b"GET /live/%2e%2e/x HTTP/1.1\r\n" + head, b"400"),
            (b"GET /live/a%2fb/index.m3u8 HTTP/1.1\r\n" + head, b"400"),
            (b"FLY / HTTP/1.1\r\n" + head, b"501"),
            (b"GET / HTTP/2.0\r\n" + head, b"505"),
            (b"GET / HTTP/1.1\n" + head, b"400"),
        ]
        with Server() as server:
            for request, status in cases:
                answer = self.raw(server, request + b"Connection: close\r\n\r\n")
                self.assertEqual(answer.split(b" ")[1], status, request[:60])
                if status not in (b"404", b"405"):
                    self.assertIn(b"Connection: close", answer)
            status, _, body = server.get("/api/v1/streams/live/none")
            self.assertEqual((status, body[:39]), (404, b"404 No stream of this name is live. Tho"))

    def test_fields(self):
        with Server() as server, ffmpeg(server.rtmp("cam")):
            text = wait_segments(server, "cam", "video", 3)
            entry = cmaf.parse_playlist(text).segments[0]
            path = f"/live/cam/video/{entry.uri}"
            status, headers, body = server.get(path)
            self.assertEqual((status, headers["content-type"], headers["access-control-allow-origin"]), (200, "video/mp4", "*"))
            self.assertEqual(headers["cache-control"], "public, max-age=31536000, immutable")
            status, part_headers, part = server.get(path, {"Range": "bytes=100-299"})
            self.assertEqual((status, part), (206, body[100:300]))
            self.assertEqual(part_headers["content-range"], f"bytes 100-299/{len(body)}")
            self.assertEqual(server.get(path, {"Range": "bytes=-50"})[2], body[-50:])
            self.assertEqual(server.get(path, {"Range": f"bytes={len(body)}-"})[0], 416)
            self.assertEqual(server.get(path, {"Range": "bytes=0-1,5-9"})[2], body)
            self.assertEqual(server.get(path, {"If-None-Match": headers["etag"]})[0], 304)
            self.assertEqual(server.get(path, method="HEAD")[1]["content-length"], str(len(body)))
            status, headers, packed = server.get("/live/cam/video/index.m3u8", {"Accept-Encoding": "gzip"})
            if headers.get("content-encoding") == "gzip":
                import gzip
                cmaf.parse_playlist(gzip.decompress(packed).decode())
            self.assertRegex(headers["cache-control"], r"max-age=\d$")
            self.assertEqual(headers["content-type"], "application/vnd.apple.mpegurl")
            self.assertEqual(server.get("/live/cam", method="GET")[1]["location"], "./cam/")
            self.assertEqual(server.get("/", method="OPTIONS")[0], 204)
            self.assertEqual(server.get("/live/cam/audio/index.m3u8")[0], 200)
            # pipelined: two requests in one write, two answers in order
            both = self.raw(server, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            self.assertEqual(re.findall(rb"\r\n\r\n(\w+)\n", both), [b"ok", b"ready"])

    def test_slow_requests_and_slow_readers(self):
        count = 200 if SANITIZED else 1000
        with Server() as server, ffmpeg(server.rtmp("cam")):
            raise_limit()
            text = wait_segments(server, "cam", "video", 4)
            slow = []
            for _ in range(count):
                one = socket.create_connection(("127.0.0.1", server.http_port))
                one.sendall(b"GET /live/cam/index.m3u8 HT")
                slow.append(one)
            for _ in range(100):
                one = socket.create_connection(("127.0.0.1", server.http_port))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                path = cmaf.parse_playlist(text).segments[-1].uri
                one.sendall(f"GET /live/cam/video/{path} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 8)
                slow.append(one)
            times = []
            for _ in range(100):
                started = time.monotonic()
                self.assertEqual(server.get("/live/cam/video/index.m3u8")[0], 200)
                times.append(time.monotonic() - started)
            print(f"beside {len(slow)} slow ones: p99 {sorted(times)[98] * 1000:.1f} ms")
            wait_for("slow heads to be answered 408", lambda: server.counter("http_header_timeouts") == count, 30)
            for one in slow:
                one.close()

    def test_missing_names_leave_nothing(self):
        with Server("server.loops=1") as server:
            with socket.create_connection(("127.0.0.1", server.http_port)) as one:
                def ask(count, salt):
                    for index in range(count):
                        one.sendall(f"GET /live/{salt}{index}/index.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                        answer = b""
                        while b"No stream of this name is live.\n" not in answer:
                            answer += one.recv(65536)
                ask(1000, "warm")
                before, cpu = server.rss_bytes(), server.cpu_seconds()
                ask(10000, os.urandom(4).hex())
                grown, used = server.rss_bytes() - before, (server.cpu_seconds() - cpu) / 10000
            print(f"10000 missing names: {grown / 1024:.0f} KiB, {used * 1e6:.0f} us CPU each")
            if not SANITIZED:
                self.assertLess(abs(grown), 512 * 1024)

    def test_idle_costs_nothing(self):
        with Server() as server:
            # viewers who have asked once and sit there, strangers who say nothing
            silent = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(100)]
            for one in silent:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            for one in silent:
                self.assertTrue(one.recv(4096).startswith(b"HTTP/1.1 200"))
            silent += [socket.create_connection(("127.0.0.1", server.rtmp_port)) for _ in range(500)]
            wait_for("all to be accepted", lambda: server.json("/api/v1/server")["rtmp_connections"] == 500)
            before, started = server.cpu_seconds(), time.monotonic()
            threading.Event().wait(3)
            share = (server.cpu_seconds() - before) / (time.monotonic() - started)
            print(f"idle: {share * 100:.2f} % CPU, {server.rss_bytes() / 1048576:.1f} MiB")
            if not SANITIZED:
                self.assertLess(share, 0.01)
                self.assertLess(server.rss_bytes(), 30 * 1048576)
            for one in silent:
                one.close()


if __name__ == "__main__":
    unittest.main()

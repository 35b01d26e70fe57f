"""What weir promises, at the size it promises it: fifty kills, cuts of up to fifty-five seconds, ten thousand strangers.

Minutes, not seconds: `script/test promises`. The same ground is covered in small by the `e2e` tests of every run.
"""
import datetime
import http.client
import multiprocessing
import os
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
import unittest

import cmaf
from harness import PATIENCE, Server, ffmpeg, playlist, wait_for, wait_segments
from rtmp_client import AMF_NULL, Publisher, Refused, amf_string, is_config, make_flv, rest
from test_limits import raise_limit
from test_reconnect import Follower

CLIP = make_flv(seconds=4, gop=30)
CLIP_MS = 4000


def fixed_ports(count=2):
    """Ports that stay the same over restarts: asked from the kernel, then kept."""
    ports = []
    for _ in range(count):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
            ports.append(str(probe.getsockname()[1]))
    return ports


def read_key(server):
    with open(server.state + "/publish.key") as file:
        return file.read().strip()


class Camera(threading.Thread):
    """An encoder that never gives up: sends its clip over and over in real time, and dials again at once when it is cut off."""

    def __init__(self, port_of, name, redial=0.05, clip=CLIP):
        super().__init__(daemon=True)
        self.port_of, self.name_, self.redial, self.clip = port_of, name, redial, clip
        self.first_keyframe = None  # when the last connection's first keyframe went out
        self.stopping = threading.Event()
        self.connections = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                publisher = Publisher(self.port_of(), name=self.name_, timeout=5)
            except (OSError, Refused):
                self.stopping.wait(self.redial)
                continue
            self.connections += 1
            try:
                self.send(publisher)
            except OSError:
                pass
            publisher.close()

    def send(self, publisher):
        started, offset, first = time.monotonic(), 0, True
        while not self.stopping.is_set():
            for tag in self.clip:
                if is_config(tag) and offset:
                    continue
                ahead = (tag[1] + offset) / 1000 - (time.monotonic() - started)
                if ahead > 0 and self.stopping.wait(ahead):
                    return
                publisher.tag(tag[0], 0 if is_config(tag) else tag[1] + offset, tag[2])
                if first and tag[0] == 9 and not is_config(tag):
                    first, self.first_keyframe = False, time.monotonic()
            offset += CLIP_MS

    def end(self):
        self.stopping.set()
        self.join(10)


class Player(threading.Thread):
    """A player's way through a playlist: segment after segment by number; an unreachable server is asked again."""

    def __init__(self, server_of, name):
        super().__init__(daemon=True)
        self.server_of, self.name_ = server_of, name
        self.next, self.discontinuities = None, 0
        self.fetched = []  # (when, url)
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.1):
            try:
                self.step(self.server_of())
            except (OSError, EOFError, AssertionError, http.client.HTTPException):
                continue

    def step(self, server):
        text = playlist(server, self.name_, "video")
        if not text:
            return
        listed = cmaf.parse_playlist(text).segments
        if self.next is None:
            self.next = listed[max(0, len(listed) - 3)].sequence
        for entry in listed:
            if entry.sequence < self.next:
                continue
            if not entry.is_gap:
                status, _, body = server.get(f"/live/{self.name_}/video/{entry.uri}")
                if status != 200 or not body:
                    return
                self.fetched.append((time.monotonic(), entry.uri))
            self.discontinuities += entry.has_discontinuity
            self.next = entry.sequence + 1

    def end(self):
        self.stopping.set()
        self.join(10)


class Relay(threading.Thread):
    """A TCP relay that can be cut: by FIN, by RST, or by falling silent with both ends left open."""

    def __init__(self, target_port):
        super().__init__(daemon=True)
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs, self.is_down, self.is_silent = [], False, False
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target_port))
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                if (source, sink) in self.silenced or (sink, source) in self.silenced:
                    continue
                sink.sendall(data)
        except OSError:
            pass

    silenced = ()

    def cut(self, how):
        """Nobody gets through from now on."""
        self.is_down = True
        pairs, self.pairs = self.pairs, []
        if how == "blackhole":
            # the client's socket dies so that it notices; what the server sees is silence
            self.silenced = (*self.silenced, *pairs)
            for client, _ in pairs:
                client.shutdown(socket.SHUT_RDWR)
            return
        for pair in pairs:
            for one in pair:
                if how == "rst":
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                try:
                    one.shutdown(socket.SHUT_RDWR) if how == "fin" else None
                except OSError:
                    pass
                one.close()

    def mend(self):
        self.is_down = False


class Restarts(unittest.TestCase):
    def test_1_fifty_kills_never_go_back(self):
        ports = fixed_ports()
        holder = {"server": Server(ports=ports)}
        follower = Follower(lambda: holder["server"], "cam")
        camera = Camera(lambda: holder["server"].rtmp_port, "cam")
        follower.start()
        camera.start()
        delays, seen = [], set()
        for _ in range(50):
            server = holder["server"]

            def fresh():
                text = playlist(server, "cam", "video")
                return text and camera.first_keyframe and camera.first_keyframe > server.started and text
            text = wait_for("a segment after the restart", fresh, interval=0.01)
            delays.append(time.monotonic() - camera.first_keyframe)
            names = {entry.uri for entry in cmaf.parse_playlist(text).segments}
            self.assertFalse(names & seen, "a name was used again")
            seen |= names
            versions = follower.versions
            wait_for("the follower to have seen both renditions", lambda: follower.versions >= versions + 2 or follower.errors, 10, 0.01)
            server.kill()
            holder["server"] = Server(ports=ports, state=server.state)
        camera.end()
        follower.end()
        print(f"50 kills, {follower.versions} playlist versions, {len(follower.bytes_of)} names: no number back, no name with other bytes; "
              f"first segment {max(delays):.2f} s after the first keyframe at most")
        self.assertLess(max(delays), 1.0 * PATIENCE)
        holder["server"].stop()

    def test_37_a_disk_that_stands_still_for_twenty_seconds(self):
        """More than the queue of its writer takes: what leaves memory is a gap, live goes on, and the disk is taken up again."""
        import test_dvr
        gaps, lost, _ = test_dvr.disk_stands_still(self, 20)
        self.assertGreater(len(gaps), 0)
        self.assertLess(len(lost), 40)

    def test_1_fifty_kills_with_dvr(self):
        """All that was written is listed and served after each, in one playlist."""
        import test_dvr  # which takes its camera from here
        test_dvr.kills_with_dvr(self, 50)

    def test_2_viewers_survive_twenty_kills(self):
        ports = fixed_ports()
        holder = {"server": Server(ports=ports)}
        camera = Camera(lambda: holder["server"].rtmp_port, "cam")
        player = Player(lambda: holder["server"], "cam")
        camera.start()
        player.start()
        wait_for("the player to play", lambda: len(player.fetched) >= 2, 30)
        readies, waits = [], []
        for _ in range(20):
            before, tags = len(player.fetched), player.discontinuities
            run = player.fetched[-1][1].split("-")[1]
            holder["server"].kill()
            holder["server"] = server = Server(ports=ports, state=holder["server"].state)
            back = time.monotonic()
            readies.append(back - server.started)
            wait_for("the next media", lambda: len(player.fetched) > before and player.fetched[-1][1].split("-")[1] != run, 30, 0.01)
            when = next(at for at, uri in player.fetched[before:] if uri.split("-")[1] != run)
            waits.append(when - back)
            wait_for("another segment", lambda: sum(uri.split("-")[1] != run for _, uri in player.fetched[before:]) >= 2, 30, 0.05)
            self.assertEqual(player.discontinuities - tags, 1, "one restart, one discontinuity")
        camera.end()
        player.end()
        print(f"20 kills: ready after {max(readies) * 1000:.0f} ms at most, next media {max(waits):.2f} s after that at most, one discontinuity each")
        self.assertLess(max(waits), 3.0 * PATIENCE)
        self.assertLess(sorted(readies)[len(readies) // 2], 0.2 * PATIENCE)
        holder["server"].stop()


class Drained(threading.Thread):
    """A low-latency player on a connection that it keeps: reload by reload, each as soon as there is something new, and the last segment of each."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.port, self.name_, self.last, self.error = server.http_port, name, None, None
        self.fetched = set()
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        base, query = f"/live/{self.name_}/video/", ""
        try:
            while True:
                connection.request("GET", base + "index.m3u8" + query)
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status != 200:
                    self.error = f"{answer.status} {text}"
                    return
                now = cmaf.parse_playlist(text)
                tail = now.segments[-1]
                if tail.uri not in self.fetched:
                    connection.request("GET", base + tail.uri)
                    answer = connection.getresponse()
                    if answer.status != 200 or not answer.read():
                        self.error = f"{tail.uri}: {answer.status}"
                        return
                    self.fetched.add(tail.uri)
                self.last = now, text
                parts = text[text.rindex("#EXTINF"):].count("#EXT-X-PART:")
                query = f"?_HLS_msn={tail.sequence + 1}&_HLS_part={parts}"
        except (OSError, http.client.HTTPException):
            return


class Ends(unittest.TestCase):
    def test_29_sigterm_with_ten_streams(self):
        server = Server()
        cameras = [Camera(lambda: server.rtmp_port, f"cam{i}", redial=60) for i in range(10)]
        for camera in cameras:
            camera.start()
        for i in range(10):
            wait_segments(server, f"cam{i}", "video", 2)
        players = [Drained(server, f"cam{i}") for i in range(10)]
        wait_for("all to play", lambda: all(player.last for player in players))
        rest(1.3)
        before = [player.last[0].segments[-1].sequence for player in players]
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(20 * PATIENCE), 0, server.log())
        took = time.monotonic() - started
        for player in players:
            player.join(10)
        for camera in cameras:
            camera.end()
        print(f"ended {took:.2f} s after SIGTERM")
        self.assertLess(took, 2 * PATIENCE)
        for player, sequence in zip(players, before):
            self.assertIsNone(player.error)
            now, text = player.last
            # what was open is whole, was told and fetched; the stream may go on elsewhere, so it has no end
            self.assertGreater(now.segments[-1].sequence, sequence)
            self.assertEqual(text[text.rindex("#EXTINF"):].count("#EXT-X-PART:"), 0)
            self.assertIn(now.segments[-1].uri, player.fetched)
            self.assertFalse(now.is_ended)
        server.stop()


FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


class Clocks(unittest.TestCase):
    def walls(self, server):
        return [datetime.datetime.fromisoformat(entry.program_date_time.replace("Z", "+00:00")).timestamp()
                for entry in cmaf.parse_playlist(playlist(server, "cam", "video")).segments]

    def grown(self, server, by=2):
        last = cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-1].sequence
        wait_for("live to go on", lambda: cmaf.parse_playlist(playlist(server, "cam", "video")).segments[-1].sequence >= last + by, 20)

    @unittest.skipUnless(os.path.exists(FAKETIME), "libfaketime is not installed: script/bootstrap build test promises")
    def test_40_the_clock_is_set(self):
        """An hour forward, two back; the publisher comes anew after each."""
        folder = tempfile.mkdtemp(prefix="weir-clock-")
        path = os.path.join(folder, "offset")

        def set_clock(offset):
            with open(path + ".new", "w") as file:
                file.write(offset)
            os.rename(path + ".new", path)
        set_clock("+0")
        wrap = ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={path}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        with Server(wrap=wrap) as server:
            follower = Follower(lambda: server, "cam")
            camera = Camera(lambda: server.rtmp_port, "cam")
            camera.start()
            wait_segments(server, "cam", "video", 3)
            follower.start()
            jumps = []
            for offset in ("+3600", "-3600"):
                set_clock(offset)
                self.grown(server)
                walls = self.walls(server)
                self.assertLess(walls[-1] - walls[-2], 60, "times of one era follow no clock")
                camera.end()
                camera = Camera(lambda: server.rtmp_port, "cam")
                camera.start()
                self.grown(server, 3)
                walls = self.walls(server)
                steps = [b - a for a, b in zip(walls, walls[1:])]
                self.assertGreaterEqual(min(steps), 0, "times went back")
                jumps.append(sum(step > 1800 for step in steps))
            self.assertEqual(jumps[0], 1, "corrected once, with the era")
            self.assertEqual(server.stream("cam")["state"], "live")
            follower.end()
            camera.end()
        shutil.rmtree(folder)

    def test_40_all_is_suspended(self):
        with Server() as server:
            follower = Follower(lambda: server, "cam")
            with ffmpeg(server.rtmp("cam")) as publisher:
                wait_segments(server, "cam", "video", 3)
                follower.start()
                processes = (server.process, publisher.process)
                for process in processes:
                    process.send_signal(signal.SIGSTOP)
                rest(30)
                for process in processes:
                    process.send_signal(signal.SIGCONT)
                self.grown(server, 5)
                self.assertEqual(server.stream("cam")["state"], "live")
                walls = self.walls(server)
                self.assertGreaterEqual(min(b - a for a, b in zip(walls, walls[1:])), 0)
            follower.end()


class Cuts(unittest.TestCase):
    def test_3_cut_and_back(self):
        """Every way to be cut, for half a second to nearly the whole hold time, all at once on streams of their own."""
        cases = [(how, seconds) for how in ("fin", "rst", "blackhole") for seconds in (0.5, 5, 20, 55)]
        with Server("hls.hold=60s", "hls.window=120s") as server:
            key = read_key(server)
            errors, threads = [], []
            for index, (how, seconds) in enumerate(cases):
                threads.append(threading.Thread(target=self.one, args=(server, key, f"cut{index}", how, seconds, errors)))
                threads[-1].start()
            for thread in threads:
                thread.join()
            self.assertFalse(errors, errors)
            print(f"{len(cases)} cuts of 0.5 to 55 s by FIN, RST and silence: all went on, one discontinuity each, same number in both renditions")

    def one(self, server, key, name, how, seconds, errors):
        relay = Relay(server.rtmp_port)
        follower = Follower(lambda: server, name)
        camera = Camera(lambda: relay.port, f"{name}?key={key}", redial=0.2)
        follower.start()
        camera.start()
        try:
            wait_segments(server, name, "video", 2, 60)
            before = cmaf.parse_playlist(playlist(server, name, "video"))
            relay.cut(how)
            rest(seconds)
            relay.mend()

            def is_on():
                now = cmaf.parse_playlist(playlist(server, name, "video"))
                return not now.is_ended and now.segments[-1].sequence >= before.segments[-1].sequence + 4
            wait_for(f"{name} ({how}, {seconds} s) to go on", is_on, 60)
            tagged = [[entry.sequence for entry in cmaf.parse_playlist(playlist(server, name, rendition)).segments if entry.has_discontinuity and
                       entry.sequence > before.segments[-1].sequence] for rendition in ("video", "audio")]
            assert len(tagged[0]) == 1 and tagged[0] == tagged[1], f"{name} ({how}, {seconds} s): discontinuities at {tagged}"
            follower.end()
        except Exception as error:
            errors.append(f"{how} {seconds} s: {error}")
        finally:
            camera.end()
            relay.listener.close()


def watch_segments(port, name, seconds, results):
    """In a process of its own: when each new segment stood in the playlist."""
    import http.client
    times, last, connection = [], None, http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.request("GET", f"/live/{name}/video/index.m3u8")
        text = connection.getresponse().read().decode()
        newest = text.rstrip().rsplit("\n", 1)[-1]
        if newest != last:
            times.append(time.monotonic())
            last = newest
        rest(0.002)
    connection.close()
    results.put(times[1:])


def jitter(times, period):
    """Largest distance of an interval from the segments' length, in seconds."""
    return max(abs(later - earlier - period) for earlier, later in zip(times, times[1:]))


class Strangers(unittest.TestCase):
    def watched(self, server, seconds, what):
        results = multiprocessing.Queue()
        watcher = multiprocessing.Process(target=watch_segments, args=(server.http_port, "cam", seconds, results))
        watcher.start()
        what()
        times = results.get(timeout=seconds + 60)
        watcher.join()
        return jitter(times, 1.0)

    def test_16_ten_thousand_half_open(self):
        count = min(10000, raise_limit() - 500)
        with Server("ingest.handshake=10s", "hls.segment=1s") as server, ffmpeg(server.rtmp("cam"), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30",
                                                                               "-sc_threshold", "0", "-c:a", "aac"):
            wait_segments(server, "cam", "video", 3)
            quiet = self.watched(server, 12, lambda: None)
            before, sockets = server.rss_bytes(), []

            def attack():
                for index in range(count):
                    one = socket.create_connection(("127.0.0.1", server.rtmp_port))
                    if index % 2:
                        one.sendall(b"\x03" + bytes(100))
                    sockets.append(one)
            busy = self.watched(server, 12, attack)
            each = (server.rss_bytes() - before) / count
            wait_for("them to be thrown out", lambda: server.json("/api/v1/server")["rtmp_connections"] <= 1, 30)
            wait_for("their memory to be given back", lambda: server.rss_bytes() - before < 2 * 1048576, 25)
            after = server.rss_bytes() - before
            print(f"{count} half open, half of them with 100 bytes of C1: {each:.0f} bytes each, {after / 1024:.0f} KiB left afterwards; "
                  f"segments off their time by {busy * 1000:.0f} ms at most ({quiet * 1000:.0f} ms without them)")
            self.assertLess(each, 4096)
            self.assertLess(busy, quiet + 0.02 * PATIENCE)
            for one in sockets:
                one.close()
            sockets.clear()

    def test_18_slow_requests_and_slow_readers(self):
        count = min(5000, (raise_limit() - 1000) // 2)
        with Server("delivery.connections=20000") as server, ffmpeg(server.rtmp("cam")):
            text = wait_segments(server, "cam", "video", 4)
            alone, sockets = self.p99(server), []
            for _ in range(count):
                one = socket.create_connection(("127.0.0.1", server.http_port))
                one.sendall(b"GET /live/cam/index.m3u8 HT")
                sockets.append(one)
            uri = cmaf.parse_playlist(text).segments[-1].uri
            for _ in range(count):
                one = socket.socket()
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.connect(("127.0.0.1", server.http_port))
                one.sendall(f"GET /live/cam/video/{uri} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 4)
                sockets.append(one)
            beside = self.p99(server)
            print(f"beside {count} slow requests and {count} slow readers: p99 {beside * 1000:.1f} ms, alone {alone * 1000:.1f} ms")
            self.assertLess(beside, alone + 0.010 * PATIENCE)
            for one in sockets:
                one.close()

    def p99(self, server):
        import http.client
        connection, times = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=30), []
        for _ in range(500):
            started = time.monotonic()
            connection.request("GET", "/live/cam/video/index.m3u8")
            response = connection.getresponse()
            response.read()
            times.append(time.monotonic() - started)
            self.assertEqual(response.status, 200)
        connection.close()
        return sorted(times)[494]

    def test_8_ten_thousand_names_that_are_not_there(self):
        with Server("server.loops=1") as server:
            def play(index):
                with socket.create_connection(("127.0.0.1", server.rtmp_port), timeout=10) as one:
                    publisher = Publisher.__new__(Publisher)
                    publisher.chunk, publisher.socket, publisher.received = 128, one, b""
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    one.sendall(b"\x03" + bytes(1536))
                    publisher._read(1 + 1536 * 2)
                    one.sendall(bytes(1536))
                    publisher.command("connect", 1, b"\x03\x00\x03app" + amf_string("live") + b"\x00\x00\x09")
                    publisher.wait_for(b"NetConnection.Connect.Success")
                    publisher.command("play", 0, AMF_NULL + amf_string(f"no{index}-{os.urandom(4).hex()}"), stream=1)
                    with self.assertRaises(Refused):
                        publisher.wait_for(b"NetStream.Play.Start")
            for index in range(500):
                play(index)
            before = server.rss_bytes()
            for index in range(10000):
                play(index)
            wait_for("all connections to be gone", lambda: server.json("/api/v1/server")["rtmp_connections"] == 0)
            grown = server.rss_bytes() - before
            print(f"10000 plays of missing names: {grown / 1024:.0f} KiB")
            self.assertLess(abs(grown), 512 * 1024)

    def test_23_sixty_five_thousand_chunk_streams(self):
        with Server() as server:
            publisher = Publisher(server.rtmp_port, name="greedy")
            wait_for("accepted", lambda: server.stream("greedy"))
            before = peak = server.rss_bytes()
            try:
                for csid in range(64, 65600):
                    basic = bytes([0, csid - 64]) if csid < 320 else bytes([1]) + struct.pack("<H", csid - 64)
                    publisher.socket.sendall(basic + b"\0\0\0" + b"\xff\xff\xff" + b"\x09\x01\0\0\0" + bytes(1000))
                    peak = max(peak, server.rss_bytes()) if csid % 16 == 0 else peak
            except OSError:
                pass
            wait_for("it to be dropped with a reason", lambda: "rtmp_broken" in server.log())
            print(f"65,536 chunk streams with 16 MiB claims: dropped, {(peak - before) / 1048576:.1f} MiB at most")
            self.assertLess(peak - before, 8 * 1048576)
            publisher.close()


if __name__ == "__main__":
    unittest.main()

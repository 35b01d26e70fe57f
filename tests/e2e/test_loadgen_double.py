"""weir-loadgen publish against a double of a server: what it sends and when, and that one who does not read stops nobody else."""
import json
import os
import re
import socket
import struct
import threading
import time
import unittest

from harness import PATIENCE, Encoder, side_by_side, wait_for

LOADGEN = os.environ["WEIR_LOADGEN"]


def message(kind, body, csid=3, stream=0):
    return bytes([csid, 0, 0, 0]) + len(body).to_bytes(3, "big") + bytes([kind]) + stream.to_bytes(4, "little") + body


def text(value):
    return b"\x02" + len(value).to_bytes(2, "big") + value


def number(value):
    return b"\x00" + struct.pack(">d", value)


def status(level, code):
    return text(b"onStatus") + number(0) + b"\x05\x03\x00\x05level" + text(level) + b"\x00\x04code" + text(code) + b"\x00\x00\x09"


class Line:
    """One publisher's connection: what it sent, by the time it came. `deaf` reads nothing once it publishes."""

    def __init__(self, double, connection):
        self.double, self.socket = double, connection
        self.seen, self.times, self.name, self.is_over = bytearray(), [], None, False
        threading.Thread(target=self.run, daemon=True).start()

    def until(self, word):
        while word not in self.seen:
            self.take()

    def take(self):
        got = self.socket.recv(65536)
        if not got:
            raise OSError("the end")
        self.seen += got
        self.times.append((time.monotonic(), len(got)))

    def run(self):
        try:
            while len(self.seen) < 1537:
                self.take()
            self.socket.sendall(b"\x03" + bytes(1536) + bytes(self.seen[1:1537]))
            self.until(b"connect")
            self.socket.sendall(message(20, text(b"_result") + number(1) + b"\x05\x03\x00\x05level" + text(b"status") + b"\x00\x04code" + text(b"NetConnection.Connect.Success") + b"\x00\x00\x09"))
            self.until(b"createStream")
            self.socket.sendall(message(20, text(b"_result") + number(4) + b"\x05" + number(1)))
            self.until(b"\x07publish")
            self.until(b"\x02\x00\x04live")
            self.name = re.search(rb"publish\x00.{8}\x05\x02..([^\x02]+)\x02\x00\x04live", bytes(self.seen), re.S).group(1).decode()
            self.socket.sendall(message(20, status(b"status", b"NetStream.Publish.Start"), stream=1))
            while self.name not in self.double.deaf:
                self.take()
        except OSError:
            self.is_over = True


class Double:
    def __init__(self, deaf=()):
        self.deaf, self.lines = deaf, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.url = f"rtmp://127.0.0.1:{self.listener.getsockname()[1]}/live"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.lines.append(Line(self, self.listener.accept()[0]))
            except OSError:
                return

    def line(self, name):
        return wait_for(f"{name} to publish", lambda: next((line for line in self.lines if line.name == name), None))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.listener.close()
        for line in self.lines:
            line.socket.close()


def publish(double, *arguments):
    return Encoder([LOADGEN, "publish", "--url", double.url, "--seconds", "60", *arguments])


class Publish(unittest.TestCase):
    def one_that_does_not_read_stops_nobody(self):
        with Double(deaf=("load0",)) as double, publish(double, "--streams", "3", "--source", "test:360p30:8000k", "--json", "-", "--quiet") as encoder:
            deaf, one, two = (double.line(f"load{i}") for i in range(3))
            begin = time.monotonic()
            for line in (one, two):
                wait_for("six seconds of pictures", lambda: len(line.seen) > 5 * 1000000)  # a megabyte a second, and nobody waits
            took = time.monotonic() - begin
            self.assertGreater(took, 3)  # no faster than real time
            self.assertLess(took, 10 * PATIENCE)
            pauses = [later[0] - earlier[0] for earlier, later in zip(one.times[20:], one.times[21:])]
            self.assertLess(max(pauses), 0.5 * PATIENCE)
            self.assertLess(len(deaf.seen), 1000000)
            encoder.end(2)
            summary = json.loads([line for line in encoder.output.splitlines() if '"summary"' in line][0])
            self.assertGreater(summary["queue_age_max_ms"], 300)
            self.assertEqual(summary["losses"], 0)

    def pings_an_end_and_a_refusal_on_the_way(self):
        with Double() as double, publish(double, "--streams", "2", "--source", "test:64x64p25:50k", "--reconnect", "-1") as encoder:
            one, two = double.line("load0"), double.line("load1")
            one.socket.sendall(message(4, b"\x00\x06\x01\x02\x03\x04", csid=2))
            wait_for("a pong", lambda: message(4, b"\x00\x07\x01\x02\x03\x04", csid=2) in one.seen)
            two.socket.sendall(message(20, status(b"error", b"NetStream.Publish.Gone"), stream=1))
            two.socket.shutdown(socket.SHUT_WR)
            wait_for("the end of the refused one", lambda: two.is_over)
            wait_for("some seconds more of the other", lambda: one.seen.count(b"\x8B\x1E\x5A\xD3") > 50)
            self.assertIn(b"@setDataFrame", one.seen)
            encoder.end(2)
            self.assertIn(b"FCUnpublish", one.seen)
            self.assertIn(b"deleteStream", one.seen)
            self.assertIn("live/load1 lost: the server closed the connection, behind NetStream.Publish.Gone", encoder.output)
            self.assertIn("2 publishers: 2 went live, 1 lost", encoder.output)
            self.assertEqual(encoder.process.returncode, 1)

    def test_publishers(self):
        side_by_side(self.one_that_does_not_read_stops_nobody, self.pings_an_end_and_a_refusal_on_the_way)


if __name__ == "__main__":
    unittest.main()

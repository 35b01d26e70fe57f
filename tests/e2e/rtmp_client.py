"""A small RTMP publisher of our own: sends FLV tags with any timestamps, stops anywhere, says anything.

Independent of the server's code; enough of RTMP 1.0 for tests (plain handshake, AMF0 commands, type 0 chunks).
"""
import os
import socket
import struct
import subprocess
import tempfile
import time


def amf_string(text):
    data = text.encode()
    return b"\x02" + struct.pack(">H", len(data)) + data


def amf_number(value):
    return b"\x00" + struct.pack(">d", value)


def amf_object(**members):
    out = b"\x03"
    for name, value in members.items():
        out += struct.pack(">H", len(name)) + name.encode() + (amf_string(value) if isinstance(value, str) else amf_number(value))
    return out + b"\x00\x00\x09"


AMF_NULL = b"\x05"


class Refused(Exception):
    pass


class Publisher:
    def __init__(self, port, app="live", name="test", chunk=60000, timeout=10):
        self.chunk = 128
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        try:
            self._open(app, name, chunk)
        except BaseException:
            self.socket.close()
            raise

    def _open(self, app, name, chunk):
        self.socket.sendall(b"\x03" + struct.pack(">II", 0, 0) + os.urandom(1528))
        self._read(1 + 1536 * 2)
        self.socket.sendall(bytes(1536))
        self.message(2, 1, 0, struct.pack(">I", chunk))
        self.chunk = chunk
        self.command("connect", 1, amf_object(app=app, type="nonprivate", tcUrl=f"rtmp://127.0.0.1/{app}", flashVer="test"))
        self.wait_for(b"NetConnection.Connect.Success")
        self.command("createStream", 2, AMF_NULL)
        self.wait_for(b"_result")
        self.command("publish", 3, AMF_NULL + amf_string(name) + amf_string("live"), stream=1)
        self.wait_for(b"NetStream.Publish.Start")

    def _read(self, count):
        while len(self.received) < count:
            data = self.socket.recv(65536)
            if not data:
                raise Refused(self.received)
            self.received += data
        out, self.received = self.received[:count], self.received[count:]
        return out

    def wait_for(self, word):
        """Reads until the word was said; a refusal ends it."""
        seen = self.received
        self.received = b""
        while word not in seen:
            for refusal in (b"NetStream.Publish.BadName", b"NetStream.Publish.Denied", b"NetStream.Publish.Rejected",
                            b"NetStream.Publish.Failed", b"NetConnection.Connect.Rejected", b"NetStream.Play.Failed"):
                if refusal in seen:
                    raise Refused(seen)
            data = self.socket.recv(65536)
            if not data:
                raise Refused(seen)
            seen += data

    def message(self, csid, kind, timestamp, body, stream=0):
        timestamp &= 0xFFFFFFFF
        extended = timestamp >= 0xFFFFFF
        field = 0xFFFFFF if extended else timestamp
        tail = struct.pack(">I", timestamp) if extended else b""
        out = bytes([csid]) + field.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind]) + struct.pack("<I", stream) + tail
        out += body[:self.chunk]
        for at in range(self.chunk, len(body), self.chunk):
            out += bytes([0xC0 | csid]) + tail + body[at:at + self.chunk]
        self.socket.sendall(out)

    def command(self, name, transaction, arguments, stream=0):
        self.message(3, 20, 0, amf_string(name) + amf_number(transaction) + arguments, stream)

    def tag(self, kind, timestamp, body):
        self.message(4 if kind == 8 else 6, kind, timestamp, body, stream=1)

    def close(self):
        self.socket.close()


def make_flv(seconds=6, rate=30, gop=30, size="320x180", sample_rate=48000, video=True, audio=True, extra=()):
    """(kind, timestamp, body) of all tags of a clip; configurations stand first with time 0."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "clip.flv")
        command = ["ffmpeg", "-v", "error", "-y"]
        if video:
            command += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
        if audio:
            command += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate={sample_rate}:duration={seconds}"]
        if video:
            command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"]
        if audio:
            command += ["-c:a", "aac", "-ac", "2", "-ar", str(sample_rate)]
        subprocess.run([*command, *extra, "-f", "flv", path], check=True, stdin=subprocess.DEVNULL)
        with open(path, "rb") as file:
            data = file.read()
    at, tags = 13, []
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1:at + 4], "big")
        timestamp = int.from_bytes(data[at + 4:at + 7], "big") | data[at + 7] << 24
        tags.append((kind, timestamp, data[at + 11:at + 11 + size]))
        at += 11 + size + 4
    return tags


def is_config(tag):
    return tag[0] in (8, 9) and len(tag[2]) > 1 and tag[2][1] == 0


def send(publisher, tags, clock=lambda ms: ms, pace=0.0):
    """Sends a clip; pace: seconds of real time per second of media, 0 for as fast as it goes."""
    started = time.monotonic()
    for kind, timestamp, body in tags:
        if pace:
            ahead = timestamp / 1000 * pace - (time.monotonic() - started)
            if ahead > 0:
                rest(ahead)
        config = is_config((kind, timestamp, body))
        publisher.tag(kind, 0 if config else clock(timestamp), body)


def rest(seconds):
    # pacing is part of what is being simulated, not a wait for something to happen
    import threading
    threading.Event().wait(seconds)

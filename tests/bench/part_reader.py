"""part_reader.py HOST PORT PATH SECONDS: follows one rendition's low-latency playlist by blocking reload, and the parts that it hints by blocking
requests for them; prints a JSON line for each part: when the playlist that lists it had come, when its bytes had, which its last sample
is, and whether it ends a segment. A process of its own, so that nothing else delays its reading of the clock."""
import json
import re
import socket
import struct
import sys
import threading
import time
import zlib


class Connection:
    """HTTP/1.1, kept alive; a request is sent at once and its answer awaited."""

    def __init__(self, host, port):
        self.host = host
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def get(self, path):
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        status, size = int(self.file.readline().split()[1]), 0
        while (line := self.file.readline().strip()):
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                size = int(value)
        body = self.file.read(size)
        return status, body, time.time_ns() // 1000


def boxes(data, start, end):
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start + 8, start + size
        start += size


def last_sample(part):
    """(its decode time in the track's timescale, its bytes); durations and sizes stand in trun or tfhd (ISO 14496-12, 8.8)."""
    time_ticks = last = default = size = default_size = 0
    data = b""
    for kind, start, end in boxes(part, 0, len(part)):
        if kind == b"mdat":
            data = part[end - size:end]
        if kind != b"moof":
            continue
        for kind2, start2, end2 in boxes(part, start, end):
            if kind2 != b"traf":
                continue
            for kind3, at, _ in boxes(part, start2, end2):
                flags = struct.unpack_from(">I", part, at)[0] & 0xFFFFFF
                if kind3 == b"tfhd":
                    where = at + 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2)
                    if flags & 0x8:
                        default = struct.unpack_from(">I", part, where)[0]
                    if flags & 0x10:
                        default_size = struct.unpack_from(">I", part, where + 4 * bool(flags & 8))[0]
                elif kind3 == b"tfdt":
                    time_ticks = struct.unpack_from(">Q" if part[at] == 1 else ">I", part, at + 4)[0]
                elif kind3 == b"trun":
                    samples = struct.unpack_from(">I", part, at + 4)[0]
                    row = at + 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
                    width = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
                    for i in range(samples):
                        last = struct.unpack_from(">I", part, row + i * width)[0] if flags & 0x100 else default
                        size = struct.unpack_from(">I", part, row + i * width + 4 * bool(flags & 0x100))[0] if flags & 0x200 else default_size
                        time_ticks += last
    return time_ticks - last, data


def timescale(init):
    def find(path, start, end):
        for kind, a, b in boxes(init, start, end):
            if kind == path[0]:
                return find(path[1:], a, b) if path[1:] else a
    at = find([b"moov", b"trak", b"mdia", b"mdhd"], 0, len(init))
    return struct.unpack_from(">I", init, at + (20 if init[at] == 1 else 12))[0]


def parts_of(text):
    """(msn, part, uri) of all parts listed."""
    out, msn, part = [], int(re.search(r"MEDIA-SEQUENCE:(\d+)", text).group(1)), 0
    for line in text.splitlines():
        if line.startswith("#EXT-X-PART:"):
            out.append((msn, part, re.search(r'URI="([^"]+)"', line).group(1)))
            part += 1
        elif line and not line.startswith("#"):
            msn, part = msn + 1, 0
    return out, (msn, part)


def follow_hints(host, port, base, stop_s, hint, seen):
    """Asks for each part before it is born."""
    connection = Connection(host, port)
    while time.time() < stop_s:
        name = hint.take(stop_s)
        if name is None:
            return
        status, body, at_us = connection.get(base + name)
        if status == 200:
            seen[name] = (at_us, body)


class Hint:
    def __init__(self):
        self.condition, self.name = threading.Condition(), None

    def give(self, name):
        with self.condition:
            self.name = name
            self.condition.notify()

    def take(self, stop_s):
        with self.condition:
            self.condition.wait_for(lambda: self.name or time.time() > stop_s, max(0, stop_s - time.time()))
            name, self.name = self.name, None
            return name


def main():
    host, port, path, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    base, stop_s = path[:path.rindex("/") + 1], time.time() + seconds
    connection, other, listed_us, hinted, hint = Connection(host, port), Connection(host, port), {}, {}, Hint()
    text = connection.get(path)[1].decode()
    if "#EXT-X-PART-INF" not in text:
        raise SystemExit("no low latency: the playlist has no parts")
    scale = timescale(other.get(base + re.search(r'#EXT-X-MAP:URI="([^"]+)"', text).group(1))[1])
    known, (msn, part) = parts_of(text)
    known, places = {uri for _, _, uri in known}, {}
    thread = threading.Thread(target=follow_hints, args=(host, port, base, stop_s, hint, hinted), daemon=True)
    thread.start()
    while time.time() < stop_s:
        found = re.search(r'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text)
        if found:
            hint.give(found.group(1))
        status, body, at_us = connection.get(f"{path}?_HLS_msn={msn}&_HLS_part={part}")
        if status != 200:
            raise SystemExit(f"{status} for _HLS_msn={msn}&_HLS_part={part}: {body[:200]}")
        text = body.decode()
        parts, (msn, part) = parts_of(text)
        for of_msn, index, uri in parts:
            if uri not in known:
                known.add(uri)
                listed_us[uri] = at_us
            places[of_msn, index] = uri
    last_of_segment = {uri for (of_msn, index), uri in places.items() if (of_msn, index + 1) not in places and of_msn < msn}
    for uri, at_us in listed_us.items():
        got_us, body = hinted.get(uri) or (None, other.get(base + uri)[1])
        ticks, sample = last_sample(body)
        print(json.dumps({"listed_us": at_us, "got_us": got_us, "last_ms": ticks * 1000 / scale, "crc": f"{zlib.crc32(sample):08x}",
                          "ends_segment": uri in last_of_segment}))


if __name__ == "__main__":
    main()

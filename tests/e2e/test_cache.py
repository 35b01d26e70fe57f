"""nginx, Varnish and HAProxy in front, with the configurations that are shipped: two hundred viewers of a low-latency stream, a herd, and poison."""
import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import AAC, PATIENCE, X264, Server, ffmpeg, wait_for, wait_segments

DIST = os.path.join(os.path.dirname(__file__), "..", "..", "dist")
VIEWERS, SECONDS = 200, 15


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def changed(name, *changes):
    """The shipped file with its EDIT lines edited; each must be there."""
    with open(os.path.join(DIST, name)) as file:
        text = file.read()
    for old, new in changes:
        assert old in text, f"{name}: {old}"
        text = text.replace(old, new)
    return text


class Cache:
    def __init__(self, server):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-cache-")
        os.chmod(self.folder, 0o755)  # Varnish reads its configuration as somebody else
        self.port = free_port()
        command = self.prepare(server)
        with open(f"{self.folder}/errors", "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            wait_for("the cache to listen", lambda: answers(self.port), 20)
        except AssertionError:
            with open(f"{self.folder}/errors") as errors:
                print(errors.read())
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Cache):
    def prepare(self, server):
        text = changed("nginx.conf", ("user www-data;", "user root;" if os.geteuid() == 0 else ""), ("/var/cache/nginx/weir", f"{self.folder}/cache"),
                       ("server 127.0.0.1:8080;", f"server 127.0.0.1:{server.http_port};"), ("listen 8000;", f"listen 127.0.0.1:{self.port};"))
        with open(f"{self.folder}/nginx.conf", "w") as file:
            file.write(f"daemon off;\npid {self.folder}/pid;\nerror_log {self.folder}/error;\n{text}")
        return ["nginx", "-c", f"{self.folder}/nginx.conf", "-p", self.folder]


class Varnish(Cache):
    def prepare(self, server):
        with open(f"{self.folder}/weir.vcl", "w") as file:
            file.write(changed("varnish.vcl", ('.port = "8080";', f'.port = "{server.http_port}";')))
        return ["varnishd", "-F", "-f", f"{self.folder}/weir.vcl", "-a", f"127.0.0.1:{self.port}", "-n", f"{self.folder}/work", "-s", "malloc,256M"]


class Haproxy(Cache):
    def prepare(self, server):
        with open(f"{self.folder}/haproxy.cfg", "w") as file:
            file.write(changed("haproxy.cfg", ("bind :8000", f"bind 127.0.0.1:{self.port}"), ("server one 127.0.0.1:8080", f"server one 127.0.0.1:{server.http_port}")))
        return ["haproxy", "-db", "-f", f"{self.folder}/haproxy.cfg"]


class Client:
    """One HTTP/1.1 connection."""

    def __init__(self, port, agent):
        self.port, self.agent, self.count, self.reader = port, agent, 0, None

    async def get(self, path):
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.count += 1
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: cache\r\nUser-Agent: {self.agent}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ", 2)[1])
        if re.search(r"transfer-encoding: chunked", head, re.I):
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            body = await self.reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I).group(1)))
        return status, head, body

    def close(self):
        if self.reader:
            self.writer.close()


BASE = "/live/cam/video/"


def next_part(text):
    """(msn, part, hinted name) of what comes next."""
    msn = int(re.search(r"MEDIA-SEQUENCE:(\d+)", text).group(1)) + text.count("#EXTINF") + int((re.search(r"SKIPPED-SEGMENTS=(\d+)", text) or [0, 0])[1])
    return msn, text.split("#EXTINF")[-1].count("#EXT-X-PART:"), re.search(r'TYPE=PART,URI="([^"]+)"', text).group(1)


async def watch(port, number, until):
    """A viewer: blocking reloads with delta updates on one connection, hinted parts on the other. Returns how much it asked for and got wrong."""
    playlists, parts, wrong = Client(port, f"viewer-{number}"), Client(port, f"viewer-{number}"), []
    try:
        _, _, body = await playlists.get(BASE + "index.m3u8?session=" + str(number))
        while time.monotonic() < until:
            msn, part, hint = next_part(body.decode())
            (status, _, body), (part_status, _, media) = await asyncio.gather(
                playlists.get(f"{BASE}index.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES&session={number}"), parts.get(BASE + hint))
            if (status, part_status) != (200, 200) or not media or hint.encode() not in body:
                wrong.append((status, part_status, hint))
        return playlists.count + parts.count, wrong
    finally:
        playlists.close()
        parts.close()


async def crowd(port):
    until = time.monotonic() + SECONDS
    return await asyncio.gather(*(watch(port, number, until) for number in range(VIEWERS)))


async def herd(port, path):
    clients = [Client(port, f"herd-{number}") for number in range(VIEWERS)]
    try:
        return await asyncio.gather(*(client.get(path) for client in clients))
    finally:
        for client in clients:
            client.close()


async def once(port, path):
    client = Client(port, "one")
    try:
        return await client.get(path)
    finally:
        client.close()


class Caches(unittest.TestCase):
    def carry(self, kind, is_collapsing=True):
        """is_collapsing: of those who wait for the same thing one reaches weir."""
        with Server("hls.part=500ms") as server, ffmpeg(server.rtmp("cam"), *X264, "-tune", "zerolatency", *AAC), kind(server) as cache:
            wait_segments(server, "cam", "video", 3)
            before = server.counter("http_requests")
            results = asyncio.run(crowd(cache.port))
            # what the harness asked for is in it: a few
            reached, asked = server.counter("http_requests") - before, sum(count for count, _ in results)
            wrong = [each for _, errors in results for each in errors]
            viewers = server.stream("cam")["viewers"]
            print(f"{kind.__name__}: {asked} requests of {VIEWERS} viewers, {reached} reached weir: {100 * (1 - reached / asked):.1f} % hits; estimated {viewers} viewers")
            self.assertEqual(wrong, [])
            self.assertGreater(asked, VIEWERS * SECONDS)
            if is_collapsing:
                self.assertGreaterEqual(1 - reached / asked, 0.95)
            probes = 0 if is_collapsing else 3  # HAProxy asks every two seconds whether weir is ready
            self.assertTrue(VIEWERS / 3 < viewers < VIEWERS * 3, viewers)

            _, _, hint = next_part(server.text(BASE + "index.m3u8"))
            before = server.counter("http_requests")
            started = time.monotonic()
            bodies = {(status, body) for status, _, body in asyncio.run(herd(cache.port, BASE + hint))}
            print(f"{kind.__name__}: a herd of {VIEWERS} for one part took {time.monotonic() - started:.2f} s, {server.counter('http_requests') - before - 1} reached weir")
            self.assertEqual(len(bodies), 1)
            self.assertAlmostEqual(server.counter("http_requests") - before - 2, 1 if is_collapsing else VIEWERS, delta=probes)
            before = server.counter("http_requests")
            self.assertEqual({(status, body) for status, _, body in asyncio.run(herd(cache.port, BASE + hint))}, bodies)
            self.assertAlmostEqual(server.counter("http_requests") - before - 1, 0, delta=probes, msg="what was fetched once is kept")
            self.poison(server, cache)

    def poison(self, server, cache):
        """What somebody asks for too early, doubled or malformed must not be what the others get."""
        msn, part, _ = next_part(server.text(BASE + "index.m3u8"))
        later = f"{BASE}index.m3u8?_HLS_msn={msn + 1}&_HLS_part=0"
        for bad in (f"{later}&_HLS_msn=99999999999", f"{later}&_HLS_part=9999", f"{BASE}index.m3u8?_HLS_part=0&x=_HLS_msn={msn + 1}", f"{BASE}index.m3u8?_HLS_msn=abc"):
            asyncio.run(once(cache.port, bad))
        early = BASE + re.sub(r"\d+\.m4s$", lambda ticks: f"{int(ticks.group(0)[:-4]) + 90000 * 40}.m4s", next_part(server.text(BASE + "index.m3u8"))[2])
        self.assertEqual(asyncio.run(once(cache.port, early))[0], 404)
        status, _, body = asyncio.run(once(cache.port, later))
        self.assertEqual(status, 200)
        self.assertGreaterEqual(next_part(body.decode())[0], msn + 1)
        self.assertEqual(asyncio.run(once(cache.port, BASE + "index.m3u8?_HLS_part=0"))[0], 400)
        self.assertEqual(asyncio.run(once(cache.port, "/metrics"))[0], 403)

    def test_nginx(self):
        self.carry(Nginx)

    def test_haproxy(self):
        self.carry(Haproxy, is_collapsing=False)

    def test_varnish(self):
        self.carry(Varnish)


if __name__ == "__main__":
    unittest.main()

"""HTTPS and RTMPS with a certificate that `weir cert dev` made: real clients, half-open strangers, certificates that change under load."""
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import unittest

import cmaf
from harness import PATIENCE, WEIR, Certificate, Check, Server, ffmpeg, segments, wait_for, wait_segments

SANITIZED = "asan" in WEIR or "tsan" in WEIR


def curl(certificate, url, *options):
    out = subprocess.run(["curl", "-sS", "--cacert", certificate.cert, "--max-time", "20", "-w", "\n%{http_version} %{http_code}", *options, url], capture_output=True)
    assert out.returncode == 0, out.stderr.decode()
    body, _, status = out.stdout.rpartition(b"\n")
    return body, status.decode()


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shy = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        shy.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def serial_of(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10 * PATIENCE) as plain, context.wrap_socket(plain) as secure:
        return hash(secure.getpeercert(binary_form=True))


class Tls(unittest.TestCase):
    def test_publish_and_watch_encrypted(self):
        with Certificate() as certificate, Server(*certificate.settings()) as server:
            with ffmpeg(f"rtmps://localhost:{server.port('rtmps')}/live/cam"):
                wait_segments(server, "cam", "video", 3)
                https = f"https://localhost:{server.port('https')}"
                check = Check(server, "cam", 5, "--ll", "--insecure", url=https + "/live/cam/index.m3u8")
                self.addCleanup(check.__exit__, None, None, None)
                text, status = curl(certificate, https + "/live/cam/video/index.m3u8", "--http1.1")
                self.assertEqual(status, "1.1 200")
                name = segments(text.decode())[-1]
                for options, version in (((), "2"), (("--http1.1",), "1.1"), (("--tls-max", "1.2"), "2")):
                    body, status = curl(certificate, f"{https}/live/cam/video/{name}", *options)
                    self.assertEqual(status, version + " 200")
                    self.assertEqual(body, server.get(f"/live/cam/video/{name}")[2], "the same bytes, encrypted or not")
                body, status = curl(certificate, server.url(f"/live/cam/video/{name}"), "--http2-prior-knowledge")
                self.assertEqual((len(body), status), (len(server.get(f"/live/cam/video/{name}")[2]), "2 200"))
                cmaf.parse_playlist(text.decode())
                check.end()
            self.assertGreaterEqual(server.counter("tls_handshakes"), 5)
            self.assertGreater(server.counter("http2_connections"), 3)
            wait_for("the publisher's end", lambda: "publish_ended" in server.log())

    def test_both_other_ways_round_are_told_so(self):
        with Certificate() as certificate, Server(*certificate.settings()) as server:
            with socket.create_connection(("127.0.0.1", server.port("https")), timeout=10 * PATIENCE) as one:
                one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"400 This port speaks HTTPS", one.makefile("rb").read())
            with socket.create_connection(("127.0.0.1", server.port("rtmps")), timeout=10 * PATIENCE) as one:
                one.sendall(b"\x03" + bytes(1536))
                try:
                    self.assertEqual(one.recv(1), b"")
                except ConnectionResetError:
                    pass
            wait_for("the words", lambda: "use rtmps:// for this port" in server.log())
            self.assertEqual(server.counter("tls_plain_talk"), 2)

    def test_half_open_handshakes_cost_little_and_go(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(10000 if not SANITIZED else 500, hard - 200)
        hello = client_hello()
        with Certificate() as certificate, Server(*certificate.settings("ingest.handshake=8s")) as server:
            port = server.port("rtmps")
            before = peak = server.rss_bytes()
            sockets = []
            for index in range(count):
                one = socket.create_connection(("127.0.0.1", port))
                one.sendall(hello)
                sockets.append(one)
                if index % 100 == 0:
                    peak = max(peak, server.rss_bytes())

            def all_were_met():
                nonlocal peak
                peak = max(peak, server.rss_bytes())
                return server.counter("rtmp_connections_accepted") >= count
            wait_for("all to be accepted", all_were_met)
            each = (peak - before) / count
            print(f"{count} half-open TLS connections: {each:.0f} bytes each at the peak, {server.counter('tls_waited')} had to wait")
            if not SANITIZED:
                self.assertLess(each, 20000)
            with ffmpeg(f"rtmps://localhost:{port}/live/cam"):  # somebody who means it, in the middle of them
                wait_for("a publisher in spite of them", lambda: server.stream("cam"), 6)
            wait_for("them to be thrown out", lambda: server.counter("tls_handshake_timeouts") + server.counter("tls_gave_way") >= count, 12)
            self.assertLessEqual(server.json("/api/v1/server")["rtmp_connections"], 1)
            for one in sockets:
                one.close()

    def test_certificates_change_under_load(self):
        with Certificate() as certificate, Server(*certificate.settings()) as server:
            port, context = server.port("https"), certificate.context()
            contexts, failures, asked, stop = [context], [], [0], threading.Event()

            def ask(keeps):
                """One connection over and over, or a new one each time."""
                try:
                    while not stop.is_set():
                        with socket.create_connection(("127.0.0.1", port), timeout=10 * PATIENCE) as plain, contexts[-1].wrap_socket(plain, server_hostname="localhost") as secure:
                            for _ in range(10**9 if keeps else 1):
                                secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                                if not secure.recv(4096).startswith(b"HTTP/1.1 200"):
                                    raise OSError("no 200")
                                asked[0] += 1
                                if stop.is_set():
                                    break
                except Exception as why:
                    failures.append(repr(why))
            both = ssl.create_default_context()
            both.check_hostname, both.verify_mode = False, ssl.CERT_NONE  # which certificate it is changes under way
            contexts.append(both)
            threads = [threading.Thread(target=ask, args=(keeps,)) for keeps in (True, True, True, False, False)]
            for thread in threads:
                thread.start()
            seen = {serial_of(port)}
            for turn in range(20):
                refused, loaded = server.log().count("certificate_refused"), server.log().count("certificate_loaded")
                if turn % 2:
                    certificate.make()
                else:
                    with open(certificate.cert, "w") as file:
                        file.write("this is no certificate\n")
                server.process.send_signal(signal.SIGHUP)
                if turn % 2:
                    wait_for("a new certificate", lambda: server.log().count("certificate_loaded") > loaded)
                    seen.add(serial_of(port))
                else:
                    wait_for("a refusal", lambda: server.log().count("certificate_refused") > refused)
                    self.assertIn(serial_of(port), seen)
            certificate.make()  # without a signal
            wait_for("the changed files to be seen", lambda: serial_of(port) not in seen, 20)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertEqual(len(seen), 11)
            print(f"{asked[0]} requests through 20 reloads, none lost")


if __name__ == "__main__":
    unittest.main()

"""weir-loadgen chaos against the real server: what it does and that promises hold; against servers that break them: that it says so. WEIR_FLAPS=1000
for the whole number of flaps."""
import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
import unittest

from harness import PATIENCE, Server, side_by_side

LOADGEN = os.environ["WEIR_LOADGEN"]
FLAPS = int(os.environ.get("WEIR_FLAPS", "50"))
SMALL = ("--source", "test:180p30:200k")


def chaos(server, *arguments, **options):
    command = [*options.get("within", ()), LOADGEN, "chaos", "--url", f"rtmp://127.0.0.1:{server.rtmp_port}/live", "--http", f"http://127.0.0.1:{server.http_port}",
               "--tolerance", str(int(2500 * PATIENCE)), *SMALL, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.get("timeout", 120) * PATIENCE + FLAPS)
    return done.returncode, done.stdout + done.stderr


def is_sanitized(server):
    """Freed memory is kept for a while there, so its size says nothing."""
    with open(f"/proc/{server.process.pid}/maps") as file:
        return re.search("lib[at]san", file.read()) is not None


class Chaos(unittest.TestCase):
    def flaps_leave_nothing_behind(self):
        # the window is full before the first flap: what grows after that is a leak
        with Server("hls.segment=1s", "hls.window=4s") as server, tempfile.TemporaryDirectory() as folder:
            lines = os.path.join(folder, "lines")
            status, out = chaos(server, "--streams", "4", "--victims", "1", "--events", "flap", "--flaps", str(FLAPS), "--warm-up", "10", "--settle", "5",
                                "--seconds", "11", "--server-pid", str(server.process.pid), "--json", lines,
                                *(["--memory-slack", "1000000"] if is_sanitized(server) else []))
            print(out)
            self.assertEqual(status, 0, out)
            self.assertIn("1 events kept their promises, 0 did not; 0 faults", out)
            with open(lines) as file:
                events = [json.loads(line) for line in file]
            cuts = [e for e in events if e["event"] == "acted" and e["text"].startswith("cut-")]
            self.assertEqual(len(cuts), FLAPS)
            self.assertEqual({e["stream"] for e in cuts}, {"live/chaos3"})
            self.assertEqual({e["text"] for e in cuts}, {"cut-fin", "cut-rst"})

    def cuts_jumps_and_a_name_that_is_taken(self):
        with Server("hls.segment=1s") as server, tempfile.TemporaryDirectory() as folder:
            plan = os.path.join(folder, "plan")
            with open(plan, "w") as file:
                file.write("5 cut-rst victim=0 for=1 seed=4\n5.5 contend victim=1 seed=2\n6 garbage victim=1 count=3000 for=1 seed=6\n7 jump victim=0 for=3600\n")
            status, out = chaos(server, "--streams", "3", "--victims", "2", "--schedule", plan, "--warm-up", "5", "--settle", str(int(3 * PATIENCE)))
            self.assertEqual(status, 0, out)
            self.assertIn("4 events kept their promises, 0 did not", out)
            self.assertIn("reason=busy", server.log())

    def a_disk_that_is_full(self):
        """Of four megabytes, in a name space of the server's own where chaos is, too."""
        with tempfile.TemporaryDirectory() as state:
            wrap = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'mount -t tmpfs -o size=4m none {state} && exec "$@"', "sh"]
            if subprocess.run([*wrap, "true"], capture_output=True).returncode:
                print("no tmpfs can be mounted here: disk-full was not tried")
                return
            with Server("hls.segment=1s", "hls.window=4s", "hls.dvr=10m", state=state, wrap=wrap) as server:
                status, out = chaos(server, "--streams", "2", "--victims", "1", "--events", "disk-full", "--disk", state, "--seconds", "5", "--warm-up", "4",
                                    "--settle", str(int(3 * PATIENCE)), within=["nsenter", "-t", str(server.process.pid), "-m"])
                self.assertEqual(status, 0, out)
                self.assertIn("the server says that it cannot write, ", out)
                self.assertIn("1 events kept their promises, 0 did not", out)
                self.assertIn("dvr_recovered", server.log())

    def a_server_that_breaks_its_promises(self):
        """A playlist that stands still, over a real server that takes the publishers."""
        text = b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:1.0,\nseg7.m4s\n"

        class Frozen(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *unused):
                pass

        with Server() as server, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Frozen) as frozen:
            threading.Thread(target=frozen.serve_forever, daemon=True).start()
            done = subprocess.run([LOADGEN, "chaos", "--url", f"rtmp://127.0.0.1:{server.rtmp_port}/live", "--http", f"http://127.0.0.1:{frozen.server_port}",
                                   "--streams", "2", "--victims", "1", "--events", "cut-fin", "--seconds", "3", "--warm-up", "2", "--settle", "4",
                                   "--tolerance", "1000", *SMALL], capture_output=True, text=True, timeout=120 * PATIENCE)
            frozen.shutdown()
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("BROKEN    live/chaos0      cut-fin: nothing new for", done.stdout)
            self.assertIn("BROKEN    live/chaos1      cut-fin: nothing new after the publisher's return", done.stdout)
            self.assertIn("0 discontinuities, 1 to 1 were promised", done.stdout)

    def test_promises(self):
        side_by_side(self.flaps_leave_nothing_behind, self.cuts_jumps_and_a_name_that_is_taken, self.a_disk_that_is_full, self.a_server_that_breaks_its_promises)

    def test_what_the_command_says(self):
        def run(*arguments):
            done = subprocess.run([LOADGEN, "chaos", *arguments], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stdout, done.stderr
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("--schedule FILE", out)
        status, one, _ = run("--plan", "--seed", "5", "--seconds", "300")
        self.assertEqual((status, one), run("--plan", "--seed", "5", "--seconds", "300")[:2])
        self.assertNotEqual(one, run("--plan", "--seed", "6", "--seconds", "300")[1])
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(one)
            file.flush()
            self.assertEqual(run("--plan", "--schedule", file.name)[1], one)
            file.write("what\n")
            file.flush()
            status, _, err = run("--plan", "--schedule", file.name)
            self.assertEqual(status, 2)
            self.assertIn(f"{file.name}:{one.count(chr(10)) + 1}:", err)
        self.assertIn("server-kill", run("--events", "list")[1])
        status, _, err = run("--url", "rtmp://127.0.0.1:1/live", "--http", "http://127.0.0.1:1", "--events", "disk-full", "--disk", "/")
        self.assertEqual(status, 2)
        self.assertIn("a file system of its own with at most 1024 MB was expected", err)
        base = ("--url", "rtmp://127.0.0.1:1/live", "--http", "http://127.0.0.1:1")
        for arguments in ([], [*base, "--events", "earthquake"], [*base, "--events", "server-kill"], [*base, "--events", "disk-full"], [*base, "--victims", "8", "--streams", "8"],
                          [*base, "--play", "/x"], [*base, "--name", "x"], ["--url", "rtmp://192.0.2.1:1/live", "--http", "http://127.0.0.1:1", *SMALL]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err)
        status, _, err = run(*base, "--warm-up", "1", *SMALL)
        self.assertEqual(status, 3)
        self.assertIn("no playlist came", err)


if __name__ == "__main__":
    unittest.main()

"""weir-loadgen watch over real sockets: viewers of a double that is right see nothing wrong, and what is planted in others is found."""
import json
import os
import subprocess
import unittest

from harness import PATIENCE
from test_checker import Double

LOADGEN = os.environ["WEIR_LOADGEN"]
LL, TWO_VIDEOS = 1, 4
SECONDS = 6


def start_watch(*arguments):
    return subprocess.Popen([LOADGEN, "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments):
    done = subprocess.run([LOADGEN, "watch", *arguments], capture_output=True, text=True, timeout=30 * PATIENCE)
    return done.returncode, done.stdout, done.stderr


class Watch(unittest.TestCase):
    def test_right_and_wrong_servers(self):
        """All at a time: each of them mostly waits."""
        cases = [(0, None, None, []), (LL, None, None, []), (LL | TWO_VIDEOS, None, None, ["--switch-every", "2", "--plain"]),
                 (0, "sequence-stuck", "repeated", []), (TWO_VIDEOS, "video-shifted", "misaligned", []),
                 (LL, "part-too-long", "too_long", []), (0, "segment-404", "status", []), (0, None, "protocol", ["--http2"])]
        doubles, runs = [], []
        try:
            for setup, fault, found, more in cases:
                double = Double(setup, fault)
                doubles.append(double)
                runs.append((fault, found, more, start_watch(double.url, "--viewers", "6", "--seconds", str(SECONDS), "--json", "--stall-ms",
                                                             str(1000 * PATIENCE), *more)))
            for fault, found, more, process in runs:
                out, err = process.communicate(timeout=SECONDS + 30 * PATIENCE)
                with self.subTest(fault=fault, found=found):
                    self.assertEqual(err, "")
                    lines = [json.loads(line) for line in out.splitlines()]
                    end = lines[-1]
                    self.assertEqual(end["type"], "end")
                    self.assertGreater(sum(line["type"] == "sample" for line in lines), SECONDS - 3)
                    self.assertEqual(end["begun"], 6)
                    self.assertEqual(end["streams"][0]["segments"], end["segments"])
                    if found is None:
                        self.assertEqual((end["faults"], end["good"], process.returncode), ({}, True, 0), out[-2000:])
                        self.assertEqual(end["playing"], 6)
                        self.assertGreater(end["played_s"], 6 * (SECONDS - 3))
                        self.assertGreater(end["switches"], 0 if "--switch-every" in more else -1)
                    else:
                        self.assertEqual((end["good"], process.returncode), (False, 1))
                        self.assertGreater(end["faults"].get(found, 0), 0)
                        self.assertTrue(any(line["type"] == "fault" for line in lines))
        finally:
            for double in doubles:
                double.__exit__(None, None, None)

    def test_what_the_command_says(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("--viewers M", out)
        status, out, _ = run("--allow", "list")
        self.assertEqual(status, 0)
        self.assertIn("misaligned", out)
        for arguments in ([], ["rtmp://127.0.0.1/live"], ["http://127.0.0.1/", "--seconds", "x"], ["http://127.0.0.1/", "--allow", "nothing"],
                          ["http://127.0.0.1/", "--unknown"], ["http://127.0.0.1/", "--viewers"], ["http://127.0.0.1/", "--ll", "--plain"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err, arguments)
        # documentation addresses (RFC 5737): not loopback, so nothing is sent there
        status, _, err = run("http://192.0.2.1/live/index.m3u8", "--seconds", "1", "--wait", "0")
        self.assertEqual(status, 2)
        self.assertIn("--i-own-this-host", err)
        with Double(0) as double:
            status, _, err = run(double.url.replace("/live/", "/other/"), "--wait", "0", "--seconds", "1")
            self.assertEqual(status, 3)
            self.assertIn("no stream was found", err)


if __name__ == "__main__":
    unittest.main()

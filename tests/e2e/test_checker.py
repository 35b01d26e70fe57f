"""weir-loadgen check over real sockets: against a double that is right, and one that breaks a rule; and what the command says."""
import json
import os
import subprocess
import unittest

from harness import PATIENCE

LOADGEN, DOUBLE = os.environ["WEIR_LOADGEN"], os.environ["HLS_DOUBLE"]
LL, TS, TWO_VIDEOS, BREAK, END = 1, 2, 4, 8, 16


class Double:
    """The synthetic server; ends with its standard input."""

    def __init__(self, setup, fault=None):
        self.process = subprocess.Popen([DOUBLE, str(setup), *([fault] if fault else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/live/index.m3u8"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def start_check(url, *arguments):
    return subprocess.Popen([LOADGEN, "check", url, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Checker(unittest.TestCase):
    def check_all(self, cases, seconds):
        """All at a time: each of them mostly waits."""
        doubles, runs = [], []
        try:
            for setup, fault, rule in cases:
                double = Double(setup, fault)
                doubles.append(double)
                # what a right server is late with, on a machine that stands still for a second, says nothing
                tolerance_ms = int((300 if rule else 1000) * PATIENCE)
                runs.append((fault, rule, start_check(double.url, "--json", "--seconds", str(seconds), "--tolerance", str(tolerance_ms), *(["--ll"] if setup & LL else []))))
            for fault, rule, process in runs:
                out, err = process.communicate(timeout=seconds + 30)
                with self.subTest(fault=fault):
                    self.assertEqual(err, "")
                    report = json.loads(out)
                    found = {r["id"]: r for r in report["rules"]}
                    broken = {r["id"]: r["violation"] or r["warning"] for r in report["rules"] if r["verdict"] in ("VIOLATED", "warning")}
                    if "R22" in broken and "gzip" in broken["R22"]["expected"]:
                        del broken["R22"]  # over sockets the double packs nothing
                    if rule is None:
                        self.assertEqual(broken, {})
                        self.assertEqual(process.returncode, 0)
                        self.assertGreater(report["ok"], 40)
                    else:
                        self.assertIn(rule, broken)
                        self.assertEqual(process.returncode, 1 if report["violated"] else 0)
                        self.assertTrue(broken[rule]["url"].startswith("http://127.0.0.1:"))
                    for other in ("R1", "R9", "R17"):
                        self.assertGreater(found[other]["checked"], 0)
        finally:
            for double in doubles:
                double.__exit__(None, None, None)

    def test_right_and_wrong_servers(self):
        self.check_all([
            (0, None, None), (LL, None, None), (LL | TWO_VIDEOS | BREAK, None, None),
            (0, "extinf-long", "R3"), (0, "segment-404", "R17"), (0, "goes-back", "R7"), (0, "nal-sets", "V10"),
            (TS, "ts-counter", "C2"),
            (LL, "part-too-long", "R25"), (LL, "hint-none", "R35"), (LL, "part-at-once", "R37"), (LL, "segment-at-part", "R38"),
            (LL, "part-alone-200", "R40"), (LL, "too-far-200", "R41"), (LL, "report-old", "R45"), (LL, "part-other-sample", "R30"),
        ], 9)

    def test_what_the_command_says(self):
        def run(*arguments):
            done = subprocess.run([LOADGEN, *arguments], capture_output=True, text=True, timeout=30)
            return done.returncode, done.stdout, done.stderr
        status, out, _ = run("check", "--help")
        self.assertEqual(status, 0)
        self.assertIn("--seconds N", out)
        status, out, _ = run("check", "--rule", "r41")
        self.assertEqual(status, 0)
        self.assertIn("R41  SHOULD", out)
        for arguments in (["check"], [], ["check", "rtmp://127.0.0.1/live"], ["check", "http://127.0.0.1/", "--seconds", "x"],
                          ["check", "http://127.0.0.1/", "--allow", "R9,R999"], ["check", "http://127.0.0.1/", "--unknown", "1"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err, arguments)
        # documentation addresses (RFC 5737): not loopback, so nothing is sent there
        status, out, err = run("check", "http://192.0.2.1/live/index.m3u8", "--seconds", "3")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("--i-own-this-host", err)
        with Double(0) as double:
            status, out, err = run("check", double.url.replace("/live/", "/other/"), "--wait", "1")
            self.assertEqual((status, out), (3, ""))
            self.assertIn("no playlist came", err)
            status, out, err = run("check", double.url, "--seconds", "3", "--quiet")
            self.assertEqual((status, err), (0, ""))
            self.assertIn("0 violated", out)
        with Double(0, "extinf-long") as double:
            status, out, _ = run("check", double.url, "--seconds", "2", "--allow", "R3,R19,R15")
            self.assertEqual(status, 0, out)
            self.assertIn("allowed", out)


if __name__ == "__main__":
    unittest.main()

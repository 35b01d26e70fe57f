"""weir-loadgen soak: a server that leaks, one that dies and one that repeats itself are caught; one that is right is good. Doubles of
servers: the real one has dist/scenarios/smoke.yaml."""
import json
import os
import subprocess
import tempfile
import unittest

from harness import PATIENCE, wait_for

LOADGEN, DOUBLE = os.environ["WEIR_LOADGEN"], os.environ["HLS_DOUBLE"]
SCENARIO = """
name: double
about: a double of a server
seconds: 7
warm_up: 2
settle: 2
interval: 0.2
server:
  command: "{command}"
  ready: http://127.0.0.1:{http}/live/index.m3u8
viewers: {url: "http://127.0.0.1:{http}/live/index.m3u8", viewers: 4}
thresholds:
  memory_growth_mb: 5
  faults: 0
  stalls: %d
""" % (0 if PATIENCE == 1 else 100)


class Double:
    """One that runs already."""

    def __enter__(self):
        self.process = subprocess.Popen([DOUBLE, "0", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1])
        return self

    def end(self):
        self.process.communicate()

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.end()


class Soak(unittest.TestCase):
    def start(self, name, command, folder):
        """command: of the server, or a Double that runs already."""
        path = os.path.join(folder, name + ".yaml")
        with open(path, "w") as file:
            file.write(SCENARIO)
        server = ["command=" + command] if isinstance(command, str) else ["--pid", str(command.process.pid), f"http={command.port}"]
        return subprocess.Popen([LOADGEN, "soak", "-s", path, "--json", "--report", os.path.join(folder, name + ".html"), "--log-dir",
                                 os.path.join(folder, name), *server], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_right_and_wrong_servers(self):
        """All at a time: each of them mostly waits."""
        cases = {"right": DOUBLE + " 0 - {http}", "leaks": DOUBLE + " 0 - {http} 4000000", "repeats": DOUBLE + " 0 sequence-stuck {http}",
                 "dies": "timeout 4 " + DOUBLE + " 0 - {http}"}
        with tempfile.TemporaryDirectory(prefix="weir-soak-") as folder, Double() as attached, Double() as gone:
            runs = {name: self.start(name, command, folder) for name, command in cases.items()}
            runs["attached"], runs["gone"] = self.start("attached", attached, folder), self.start("gone", gone, folder)
            wait_for("the run to look at it", lambda: os.path.exists(os.path.join(folder, "gone", "server-watch.log")), 30 * PATIENCE)
            gone.end()
            ends = {}
            for name, process in runs.items():
                out, err = process.communicate(timeout=40 * PATIENCE)
                lines = [json.loads(line) for line in out.splitlines()]
                ends[name] = (process.returncode, lines[-1], lines, out + err)
                with open(os.path.join(folder, name + ".html")) as file:
                    page = file.read()
                self.assertIn("<svg", page)
                self.assertIn("All thresholds hold" if process.returncode == 0 else "NOT good", page)
            seen = {name: {v["threshold"]: v["good"] for v in end["verdicts"]} for name, (_, end, _, _) in ends.items()}
            self.assertEqual(ends["right"][0], 0, ends["right"][3][-3000:])
            self.assertEqual((ends["leaks"][0], seen["leaks"]["memory_growth_mb"], seen["leaks"]["faults"]), (1, False, True), ends["leaks"][3][-3000:])
            self.assertGreater(ends["leaks"][1]["memory_low_mb_per_hour"], 5000)  # 14,400 by design
            self.assertEqual((ends["repeats"][0], seen["repeats"]["faults"]), (1, False))
            self.assertTrue(any(line["type"] == "event" and line["kind"] == "fault" for line in ends["repeats"][2]))
            self.assertEqual(ends["dies"][0], 1)
            self.assertIn("the server ended by itself", ends["dies"][1]["broken"])
            self.assertEqual(ends["attached"][0], 0, ends["attached"][3][-3000:])
            self.assertIsNotNone(ends["attached"][1]["memory_slope_mb_per_hour"])
            self.assertIsNone(attached.process.poll(), "it is not ours to end")
            self.assertEqual((ends["gone"][0], ends["gone"][1]["broken"]), (1, "the server that --pid gave has gone "), ends["gone"][3][-3000:])

    def test_what_a_server_that_runs_already_is_not_asked_for(self):
        with tempfile.TemporaryDirectory(prefix="weir-soak-") as folder, Double() as double:
            for more, pid, says in (("events: [{at: 1, do: kill-server}]", double.process.pid, "an event of the scenario ends the server"), ("", 2 ** 22, "no such process")):
                path = os.path.join(folder, "it.yaml")
                with open(path, "w") as file:
                    file.write(SCENARIO + more + "\n")
                done = subprocess.run([LOADGEN, "soak", "-s", path, "--report", os.path.join(folder, "it.html"), "--log-dir", folder, "--pid", str(pid), f"http={double.port}"],
                                      capture_output=True, text=True, timeout=30 * PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertIn(says, done.stdout)
            self.assertIsNone(double.process.poll())

    def test_what_the_command_says(self):
        def run(*arguments):
            done = subprocess.run([LOADGEN, "soak", *arguments], capture_output=True, text=True, timeout=30 * PATIENCE)
            return done.returncode, done.stdout, done.stderr
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("-s SCENARIO", out)
        for arguments in ([], ["-s", "/nowhere.yaml"], ["-s"], ["--unknown"], ["-s", "x.yaml", "--seconds", "0"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err, arguments)
        scenarios = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../dist/scenarios")
        names = sorted(os.listdir(scenarios))
        self.assertIn("smoke.yaml", names)
        for name in names:
            status, out, err = run("-s", os.path.join(scenarios, name), "--check")
            self.assertEqual((status, err), (0, ""), name)
            self.assertTrue(out.startswith(name.removesuffix(".yaml") + ": "), out)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("name: a\nserver: {command: 'true'}\nsecnods: 9\n")
            file.flush()
            status, _, err = run("-s", file.name)
            self.assertEqual(status, 2)
            self.assertIn(":3: no key here", err)


if __name__ == "__main__":
    unittest.main()

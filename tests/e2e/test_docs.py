"""What README and docs say of the configuration is what the program takes: every example, every key, both ways."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ["WEIR"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def weir(*arguments):
    return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=60)


def examples(page):
    """The YAML blocks that are configurations of the server: they begin with one of its sections."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)
    return [block for block in blocks if re.search(r"^(listen|hls|paths|srt|log|tls|state):", block, re.M)]


def documented():
    """The keys of the table."""
    text = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| ((?:`[a-z_.]+`(?:, )?)+) \|", text.split("## Paths")[0], re.M)
    return {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row)}


def known():
    """The keys that the program has, out of its tables."""
    text = (ROOT / "server/config_keys.c").read_text()
    table = text.split("static const struct config_key keys[] = {", 1)[1].split("\n};", 1)[0]
    keys = set(re.findall(r'\{ "([a-z_.]+)",', table))
    for macro, prefix in (("LADDER_KEYS", ""), ("SRT_KEYS", "srt.")):
        body = re.search(rf"#define {macro}\(.*?\)(.*?)\n\n", text, re.S).group(1)
        keys |= {prefix + key for key in re.findall(r'^\s*(?:\{ )*(?:prefix )?"([a-z_.]+)",', body, re.M)}
    return keys


class Docs(unittest.TestCase):
    def test_examples_are_taken(self):
        count = 0
        for page in PAGES:
            for block in examples(page):
                with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                    file.write(block)
                    file.flush()
                    done = weir("check", "-c", file.name)
                self.assertEqual(done.returncode, 0, f"{page.name}:\n{block}\n{done.stderr}")
                count += 1
        print(f"{count} examples")
        self.assertGreater(count, 4)

    def test_every_key_is_documented_and_exists(self):
        self.assertGreater(len(known()), 60)
        self.assertEqual(documented() - known(), {"srt.ports"}, "documented, and no key (the list of ports stands by itself)")
        self.assertEqual(known() - documented(), set(), "keys that nobody can know of")
        for page in PAGES:
            for key in set(re.findall(r"--set ([a-z_.]+)=", page.read_text())) - {"key"}:  # `--set key=value`
                self.assertIn(key, known(), page.name)


if __name__ == "__main__":
    unittest.main()

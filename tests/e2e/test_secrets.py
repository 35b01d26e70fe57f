"""Keys go in by every door; then everything that the server shows is searched for them."""
import os
import unittest

from harness import Server, playlist, wait_for, wait_segments
from rtmp_client import Publisher, Refused, make_flv, send

PATH_KEY, WRONG, TOKEN = "canary-path-7f3a91", "canary-wrong-c25e08", "canary-token-91bb4d"
CONFIG = f"""
log: {{level: debug}}
paths:
  - match: live/locked*
    publish: {{access: key, key: "{PATH_KEY}"}}
"""


class Secrets(unittest.TestCase):
    def test_keys_are_shown_nowhere(self):
        clip = make_flv(seconds=4)
        with Server(config=CONFIG) as server:
            with open(os.path.join(server.state, "publish.key")) as file:
                server_key = file.read().strip()
            self.assertGreater(len(server_key), 8)
            publishers = [
                Publisher(server.rtmp_port, name=f"locked?key={PATH_KEY}"),
                Publisher(server.rtmp_port, app=f"live?token={PATH_KEY}", name="locked2"),
                Publisher(server.rtmp_port, app=f"live/locked3?key={PATH_KEY}", name=""),
                Publisher(server.rtmp_port, name=f"open?key={server_key}&token={TOKEN}"),
            ]
            for app, name in (("live", f"locked4?key={WRONG}"), (f"live?key={WRONG}", "locked4"), ("live", f"../{WRONG}?key={TOKEN}"),
                              ("live", f"locked?key={WRONG}"), ("live", f"open?key={WRONG}")):
                with self.assertRaises(Refused):
                    Publisher(server.rtmp_port, app=app, name=name)
            for publisher in publishers:
                send(publisher, clip)
            for name in ("locked", "locked2", "locked3", "open"):
                wait_segments(server, name, "video", 2)
            server.get(f"/live/locked/index.m3u8?key={TOKEN}", headers={"Authorization": f"Bearer {TOKEN}", "Referer": f"http://x/?key={TOKEN}"})
            shown = {path: server.get(path)[2].decode() for path in ("/", "/metrics", "/api/v1/streams", "/api/v1/server", "/api/v1/streams/live/locked",
                                                                     "/live/locked/", "/live/locked/index.m3u8")}
            shown["playlist"] = playlist(server, "locked", "video")
            for publisher in publishers:
                publisher.close()
            wait_for("the ends", lambda: all(server.stream(name)["state"] == "holding" for name in ("locked", "locked2", "locked3", "open")))
            for name in ("cmdline", "environ"):
                with open(f"/proc/{server.process.pid}/{name}", "rb") as file:
                    shown[name] = file.read().decode(errors="replace")
            shown["log"] = server.log()
            self.assertIn("locked4", shown["log"], "the refusals are logged")
            for where, text in shown.items():
                for secret in (PATH_KEY, WRONG, TOKEN, server_key):
                    self.assertNotIn(secret, text, f"a key stands in {where}")
            if os.geteuid() == 0:
                with open(f"/proc/{server.process.pid}/limits") as file:
                    self.assertRegex(file.read(), r"Max core file size +0 ")


if __name__ == "__main__":
    unittest.main()

"""Keys go in by every door; then everything that the server shows is searched for them."""
import os
import unittest

from harness import Server, playlist, wait_for, wait_segments
from rtmp_client import Publisher, Refused, make_flv, send
from srt_caller import Caller, code_of

PATH_KEY, WRONG, TOKEN = "canary-path-7f3a91", "canary-wrong-c25e08", "canary-token-91bb4d"
PASSPHRASE, PULL = "canary-passphrase-5d11", "canary-pulled-22e6f0"
CONFIG = f"""
log: {{level: debug}}
paths:
  - match: live/locked*
    publish: {{access: key, key: "{PATH_KEY}"}}
    srt: {{passphrase: "{PASSPHRASE}"}}
  - match: live/fetched
    pull: "srt://127.0.0.1:9?streamid={PULL}&passphrase={PULL}&connect_timeout=200"
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
            port = server.srt_ports[0]
            callers = [Caller(port, streamid=f"#!::r=live/locked5,m=publish,s={PATH_KEY}", passphrase=PASSPHRASE),
                       Caller(port, streamid=f"publish:live/locked6:me:{PATH_KEY}:token={TOKEN}", passphrase=PASSPHRASE),
                       Caller(port, streamid=f"live/open2?key={server_key}")]
            for streamid, passphrase in ((f"live/locked?key={WRONG}", PASSPHRASE), (f"live/locked?key={PATH_KEY}", WRONG), (f"#!::r=../{WRONG},m=publish,s={TOKEN}", None),
                                         (f"#!::r=live/a,key={TOKEN}", None), (f"read:live/a:me:{TOKEN}", None), (f"%23!::r=live%2Fa,m=publish,key={WRONG}", None)):
                self.assertNotEqual(code_of(port, streamid=streamid, **({"passphrase": passphrase} if passphrase else {})), 0)
            for publisher in publishers:
                send(publisher, clip)
            for name in ("locked", "locked2", "locked3", "open"):
                wait_segments(server, name, "video", 2)
            server.get(f"/live/locked/index.m3u8?key={TOKEN}", headers={"Authorization": f"Bearer {TOKEN}", "Referer": f"http://x/?key={TOKEN}"})
            shown = {path: server.get(path)[2].decode() for path in ("/", "/metrics", "/api/v1/streams", "/api/v1/server", "/api/v1/streams/live/locked",
                                                                     "/live/locked/", "/live/locked/index.m3u8")}
            shown["playlist"] = playlist(server, "locked", "video")
            for publisher in publishers + callers:
                publisher.close()
            wait_for("a pull", lambda: "pull_failed" in server.log())
            wait_for("the ends", lambda: all(server.stream(name)["state"] == "holding" for name in ("locked", "locked2", "locked3", "open")))
            for name in ("cmdline", "environ"):
                with open(f"/proc/{server.process.pid}/{name}", "rb") as file:
                    shown[name] = file.read().decode(errors="replace")
            shown["log"] = server.log()
            self.assertIn("locked4", shown["log"], "the refusals are logged")
            for where, text in shown.items():
                for secret in (PATH_KEY, WRONG, TOKEN, server_key, PASSPHRASE, PULL):
                    self.assertNotIn(secret, text, f"a key stands in {where}")
            if os.geteuid() == 0:
                with open(f"/proc/{server.process.pid}/limits") as file:
                    self.assertRegex(file.read(), r"Max core file size +0 ")


if __name__ == "__main__":
    unittest.main()

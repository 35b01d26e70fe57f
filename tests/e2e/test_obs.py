"""Real OBS (Debian's obs-studio) under a virtual display publishes as its user would; a decoded picture is looked at."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import cmaf
from harness import Server, read_rendition, wait_for, wait_segments

COLOUR = 0xFF2060C0  # ABGR as OBS stores it: red 192, green 96, blue 32


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def obs(home, address, key):
    base = os.path.join(home, ".config/obs-studio")
    write(f"{base}/global.ini", "[General]\nFirstRun=true\nLastVersion=486539266\nEnableAutoUpdates=false\n"
          "[Basic]\nProfile=weir\nProfileDir=weir\nSceneCollection=weir\nSceneCollectionFile=weir\nConfigOnNewProfile=false\n")
    write(f"{base}/basic/profiles/weir/basic.ini", "[General]\nName=weir\n[Output]\nMode=Simple\nReconnect=true\nRetryDelay=1\n"
          "[SimpleOutput]\nVBitrate=800\nStreamEncoder=x264\nPreset=ultrafast\nABitrate=96\nUseAdvanced=false\n"
          "[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSType=0\nFPSCommon=30\n[Audio]\nSampleRate=48000\nChannelSetup=Stereo\n")
    write(f"{base}/basic/profiles/weir/service.json", json.dumps({"type": "rtmp_custom", "settings": {
        "server": address, "key": key, "use_auth": False, "bwtest": False}}))
    source = {"id": "color_source_v3", "versioned_id": "color_source_v3", "name": "colour", "settings": {"color": COLOUR, "width": 640, "height": 360}, "enabled": True}
    item = {"name": "colour", "visible": True, "id": 1, "pos": {"x": 0.0, "y": 0.0}, "scale": {"x": 1.0, "y": 1.0}, "align": 5, "bounds_type": 0}
    scene = {"id": "scene", "versioned_id": "scene", "name": "Scene", "settings": {"custom_size": False, "id_counter": 1, "items": [item]}, "enabled": True}
    write(f"{base}/basic/scenes/weir.json", json.dumps({"name": "weir", "current_scene": "Scene", "current_program_scene": "Scene",
                                                      "scene_order": [{"name": "Scene"}], "sources": [source, scene]}))
    environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": f"{home}/.config", "LIBGL_ALWAYS_SOFTWARE": "1", "QT_QPA_PLATFORM": "xcb"}
    command = ["xvfb-run", "-a", "-s", "-screen 0 1280x720x24 +extension GLX", "dbus-run-session", "--"] if shutil.which("dbus-run-session") else \
        ["xvfb-run", "-a", "-s", "-screen 0 1280x720x24 +extension GLX"]
    with open(os.path.join(home, "obs.log"), "wb") as log:
        return subprocess.Popen([*command, "obs", "--startstreaming", "--profile", "weir", "--collection", "weir", "--multi", "--disable-shutdown-check"],
                                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def key_of(server):
    with open(os.path.join(server.state, "publish.key")) as file:
        return file.read().strip()


class Obs(unittest.TestCase):
    def publish(self, address_of, key, name, *settings):
        home = tempfile.mkdtemp(prefix="weir-obs-")
        with Server(*settings) as server:
            address = address_of(server)
            process = obs(home, address, key(server) if callable(key) else key)
            try:
                wait_segments(server, name, "audio", 6, 90)
                wait_segments(server, name, "video", 6, 90)
                facts = server.stream(name)
                print(f"{address.split('?')[0]}: {[t['codec_string'] for t in facts['tracks']]}, keyframes every {facts['keyframe_interval_ms']} ms, "
                      f"forced cuts {facts['segments_forced']}, repairs {sum(facts['repairs'].values())}")
                if address.startswith("srt"):
                    self.assertEqual(facts["transport"]["latency_ms"], 300, "OBS counts latency in microseconds")
                self.assertEqual([t["codec"] for t in facts["tracks"]], ["h264", "aac"])
                self.assertIn("RESOLUTION=640x360", server.text(f"/live/{name}/index.m3u8"))
                for rendition in ("video", "audio"):
                    cmaf.check_continuous(read_rendition(server, name, rendition)[1])
                picture = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", server.url(f"/live/{name}/index.m3u8"), "-frames:v", "1", "-vf", "scale=1:1",
                                          "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, timeout=60).stdout
                print(f"the middle of the picture is {tuple(picture)}")
                for got, wanted in zip(picture, (192, 96, 32)):
                    self.assertLess(abs(got - wanted), 12)
                self.assertNotIn("malformed", server.log())
            except BaseException:
                with open(os.path.join(home, "obs.log"), errors="replace") as file:
                    print(file.read()[-4000:])
                raise
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            wait_for("the stream to be held", lambda: server.stream(name)["state"] == "holding")
        shutil.rmtree(home, ignore_errors=True)

    def test_server_and_key(self):
        self.publish(lambda server: f"rtmp://127.0.0.1:{server.rtmp_port}/live", "studio", "studio")

    def test_a_query_on_the_key(self):
        self.publish(lambda server: f"rtmp://127.0.0.1:{server.rtmp_port}/live", lambda server: f"studio?key={key_of(server)}", "studio", "publish.access=key")

    def test_a_query_on_the_server_half(self):
        self.publish(lambda server: f"rtmp://127.0.0.1:{server.rtmp_port}/live?key={key_of(server)}", "studio", "studio", "publish.access=key")

    def test_everything_in_the_server_half(self):
        self.publish(lambda server: f"rtmp://127.0.0.1:{server.rtmp_port}/live/studio", "", "studio")

    def test_srt(self):
        self.publish(lambda server: f"srt://127.0.0.1:{server.srt_ports[0]}?streamid=publish:live/studio&latency=300000", "", "studio")

    def test_srt_with_the_standard_stream_id(self):
        self.publish(lambda server: f"srt://127.0.0.1:{server.srt_ports[0]}?streamid=#!::r=live/studio,m=publish&latency=300000", "", "studio")


if __name__ == "__main__":
    unittest.main()

"""GStreamer's sinks publish: rtmp2sink with its own code, rtmpsink with librtmp, srtsink with libsrt."""
import unittest

import cmaf
from harness import Encoder, Server, read_rendition, wait_segments

PICTURE = ["videotestsrc", "is-live=true", "!", "video/x-raw,width=320,height=180,framerate=30/1", "!", "x264enc", "tune=zerolatency",
           "speed-preset=ultrafast", "key-int-max=60", "!", "h264parse", "!", "queue", "!", "mux."]
SOUND = ["audiotestsrc", "is-live=true", "!", "audio/x-raw,rate=48000,channels=2", "!", "voaacenc", "!", "aacparse", "!", "queue", "!", "mux."]


class GStreamer(unittest.TestCase):
    def publish(self, sink, muxer=("flvmux", "name=mux", "streamable=true"), target=lambda server: [f"location={server.rtmp('gst')}"]):
        with Server() as server:
            command = ["gst-launch-1.0", "-q", *PICTURE, *SOUND, *muxer, "!", sink, *target(server)]
            with Encoder(command) as encoder:
                wait_segments(server, "gst", "video", 4)
                wait_segments(server, "gst", "audio", 4)
                facts = server.stream("gst")
                self.assertIsNone(encoder.process.poll())
                print(f"{sink}: {[t['codec_string'] for t in facts['tracks']]}, repairs {dict((k, v) for k, v in facts['repairs'].items() if v)}, eras {facts['eras']}")
                self.assertEqual([t["codec"] for t in facts["tracks"]], ["h264", "aac"])
                self.assertEqual(facts["eras"], 1)
                for rendition in ("video", "audio"):
                    cmaf.check_continuous(read_rendition(server, "gst", rendition)[1])

    def test_rtmp2sink(self):
        self.publish("rtmp2sink")

    def test_srtsink(self):
        self.publish("srtsink", ("mpegtsmux", "name=mux", "alignment=7"),
                     lambda server: [f"uri=srt://127.0.0.1:{server.srt_ports[0]}", "streamid=#!::r=live/gst,m=publish", "latency=200"])

    def test_rtmpsink_of_librtmp(self):
        self.publish("rtmpsink")


if __name__ == "__main__":
    unittest.main()

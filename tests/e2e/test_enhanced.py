"""Enhanced RTMP, and HEVC as it was before that, with what real encoders make of each codec: our client wraps their packets, ffprobe decodes what comes out as HLS."""
import json
import struct
import subprocess
import tempfile
import unittest

from harness import Server, playlist, side_by_side, wait_for
from rtmp_client import Publisher

SECONDS, RATE = 4, 15
START, FRAMES, END, FRAMES_WITHOUT_OFFSET = 0, 1, 2, 3
PICTURES = {  # FourCC: encoder, what ffprobe calls it
    "hvc1": (["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=15:min-keyint=15"], "hevc"),
    "av01": (["libsvtav1", "-preset", "12", "-g", "15"], "av1"),
    "vp09": (["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "15"], "vp9"),
    "avc1": (["libx264", "-preset", "ultrafast", "-bf", "2", "-g", "15"], "h264"),
}
SOUNDS = {
    "Opus": (["libopus", "-b:a", "64k"], "opus"),
    "fLaC": (["flac", "-frame_size", "1152"], "flac"),
    "ac-3": (["ac3"], "ac3"),
    "ec-3": (["eac3"], "eac3"),
    ".mp3": (["libmp3lame"], "mp3"),
    "mp4a": (["aac"], "aac"),
}


def bytes_of(dump):
    """ffprobe's hexdump: offset, sixteen bytes, text."""
    return bytes.fromhex("".join(line[10:50].replace(" ", "") for line in dump.strip().splitlines()))


def encode(source, codec, form):
    """(extradata, [(pts_ms, dts_ms, is_key, bytes)]) of a few seconds. form: MP4 knows decoding times, Matroska any sound."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", "-f", "lavfi", "-i", source, *codec, "-f", form, file.name], check=True, stderr=subprocess.DEVNULL)
        out = subprocess.run(["ffprobe", "-v", "error", "-show_streams", "-show_packets", "-show_data", "-of", "json", file.name], capture_output=True, text=True, check=True).stdout
    found = json.loads(out)
    extradata = found["streams"][0].get("extradata")
    packets = [(round(float(p["pts_time"]) * 1000), round(float(p.get("dts_time", p["pts_time"])) * 1000), p["flags"].startswith("K"), bytes_of(p["data"]))
               for p in found["packets"]]
    return bytes_of(extradata) if extradata else b"", packets


def picture_tags(fourcc):
    extradata, packets = encode(f"testsrc2=size=160x90:rate={RATE}:duration={SECONDS}", ["-c:v", *PICTURES[fourcc][0], "-pix_fmt", "yuv420p"], "mp4")
    head = lambda key, kind: bytes([0x80 | (1 if key else 2) << 4 | kind]) + fourcc.encode()
    if not extradata:  # MP4's is not shown for VP9: the record as its specification gives it for profile 0, 8 bits, 4:2:0
        extradata = bytes.fromhex("01000000 000a 82 02 02 02 0000".replace(" ", ""))
    # times before zero are an encoder's first decoding times
    shift = -min(0, min(dts for _, dts, _, _ in packets))
    yield 9, 0, head(True, START) + extradata
    for pts, dts, key, data in packets:
        offset = pts - dts if fourcc in ("hvc1", "avc1") else 0
        if fourcc in ("hvc1", "avc1") and offset:
            yield 9, dts + shift, head(key, FRAMES) + struct.pack(">i", offset)[1:] + data
        else:
            yield 9, dts + shift, head(key, FRAMES_WITHOUT_OFFSET if fourcc in ("hvc1", "avc1") else FRAMES) + data
    yield 9, packets[-1][1] + shift + 100, head(True, END)


def sound_tags(fourcc):
    extradata, packets = encode(f"sine=frequency=440:sample_rate=48000:duration={SECONDS}", ["-c:a", *SOUNDS[fourcc][0], "-ac", "2"], "matroska")
    head = lambda kind: bytes([0x90 | kind]) + fourcc.encode()
    if extradata and fourcc in ("Opus", "fLaC", "mp4a"):
        yield 8, 0, head(START) + extradata
    for pts, _, _, data in packets:
        yield 8, max(pts, 0), head(FRAMES) + data


def enhanced(tag):
    return tag


def legacy(tag):
    """The same as FLV had it before: HEVC by the codec id 12 that some encoders took, MP3 by sound format 2."""
    kind, timestamp, body = tag
    if kind == 8:
        return kind, timestamp, b"\x2f" + body[5:]
    packet, key = body[0] & 0xF, body[0] >> 4 & 7
    offset, rest = (body[5:8], body[8:]) if packet == FRAMES else (bytes(3), body[5:])
    return kind, timestamp, bytes([key << 4 | 12, {START: 0, END: 2}.get(packet, 1)]) + offset + rest


class Enhanced(unittest.TestCase):
    def publish(self, server, picture, sound, form=enhanced):
        name = f"{form.__name__}-{picture}-{sound}".replace(".", "")
        tags = sorted([*(picture_tags(picture) if picture else ()), *sound_tags(sound)], key=lambda tag: tag[1])
        tags = [form(tag) for tag in tags]
        publisher = Publisher(server.rtmp_port, name=name)
        for kind, timestamp, body in tags:
            publisher.tag(kind, timestamp, body)
        wait_for("all of the sound", lambda: (server.stream(name) or {}).get("audio_frames", 0) >= sum(tag[0] == 8 for tag in tags) - 2, 30)
        publisher.close()
        lists = ["video", "audio"] if picture else ["audio"]
        wait_for("the end", lambda: all("#EXT-X-ENDLIST" in (playlist(server, name, which) or "") for which in lists), 30)
        facts = server.stream(name)
        wanted = [codec for table, fourcc in ((PICTURES, picture), (SOUNDS, sound)) if fourcc for codec in [table[fourcc][1]]]
        self.assertEqual([track["codec"] for track in facts["tracks"]], wanted)
        out = subprocess.run(["ffprobe", "-v", "error", "-live_start_index", "0", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames,width,sample_rate",
                              "-of", "json", server.url(f"/live/{name}/index.m3u8")], capture_output=True, text=True, timeout=120)
        self.assertEqual(out.stderr, "", name)
        streams = {s["codec_name"]: s for s in json.loads(out.stdout)["streams"]}
        print(f"{name}: {[t['codec_string'] for t in facts['tracks']]}, frames {[(c, s['nb_read_frames']) for c, s in streams.items()]}, repairs {dict((k, v) for k, v in facts['repairs'].items() if v)}")
        self.assertEqual(set(streams), set(wanted))
        if picture:
            self.assertEqual(streams[wanted[0]]["width"], 160)
            self.assertGreaterEqual(int(streams[wanted[0]]["nb_read_frames"]), SECONDS * RATE - 2)
        self.assertEqual(streams[wanted[-1]]["sample_rate"], "48000")
        self.assertGreaterEqual(int(streams[wanted[-1]]["nb_read_frames"]), 0.9 * sum(tag[0] == 8 for tag in tags))

    def test_every_codec(self):
        pairs = [("hvc1", "Opus"), ("av01", "fLaC"), ("vp09", "ac-3"), ("avc1", "ec-3"), (None, ".mp3"), ("av01", "mp4a"), ("hvc1", ".mp3", legacy)]
        with Server("hls.hold=0s", "hls.window=60s") as server:
            for pair in pairs:
                with self.subTest(pair):
                    self.publish(server, *pair)
            self.assertNotIn("bad_", server.log())


if __name__ == "__main__":
    unittest.main()

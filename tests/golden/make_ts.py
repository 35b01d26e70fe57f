#!/usr/bin/env python3
"""tests/golden/make_ts.py: makes the transport streams of tests/golden/ts with ffmpeg, and beside each what ffprobe says is in it.

Run by hand when a stream is to be added; what it made is committed, so that the test needs no ffmpeg. The samples' form (lengths for start
codes, no delimiters, no ADTS headers) is made here from ffprobe's packets by other code than weir's.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent / "ts"
PICTURE = "testsrc2=s=160x90:r=25"
TONE = "sine=440:r=48000"
X264 = "-c:v libx264 -preset veryfast -g 25 -crf 42 -bf 2 -x264-params scenecut=0"
X265 = "-c:v libx265 -preset ultrafast -crf 45 -x265-params log-level=error:keyint=25:min-keyint=25:open-gop=0:bframes=2"
# name: (inputs, options, audio index -> file with the same frames in ADTS, for LATM)
STREAMS = {
    "h264_aac": ([PICTURE, TONE], f"{X264} -c:a aac -b:a 32k"),
    "hevc_ac3": ([PICTURE, TONE], f"{X265} -c:a ac3 -b:a 64k -ac 2"),
    "h264_mp2": ([PICTURE, TONE], f"{X264} -c:a mp2 -b:a 64k"),
    "h264_latm": ([PICTURE, TONE], f"{X264} -c:a aac -b:a 32k -mpegts_flags +latm"),
    "h264_opus": ([PICTURE, TONE], f"{X264} -c:a libopus -b:a 24k -ac 2"),
    "h264_eac3_mp3": ([PICTURE, TONE, TONE], f"{X264} -map 0 -map 1 -map 2 -c:a:0 eac3 -b:a:0 64k -c:a:1 libmp3lame -b:a:1 32k -ac 1"),
    "two_languages": ([PICTURE, TONE, "sine=880:r=48000"],
                      f"{X264} -map 0 -map 1 -map 2 -c:a aac -b:a 24k -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu"),
    "two_programs": ([PICTURE, TONE, PICTURE, TONE],
                     f"{X264} -map 0 -map 1 -map 2 -map 3 -c:a aac -b:a 24k -program title=a:st=0:st=1 -program title=b:st=2:st=3"),
    "m2ts_192": ([PICTURE, TONE], f"{X264} -c:a ac3 -b:a 48k -ac 1 -mpegts_m2ts_mode 1"),
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def nal_units(data):
    """Annex B, split by hand."""
    starts = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        starts.append(at)
        at = data.find(b"\0\0\1", at + 3)
    for first, behind in zip(starts, starts[1:] + [len(data)]):
        yield data[first + 3 : behind].rstrip(b"\0")  # zeros at the end belong to the next start code


def sample(codec, data):
    if codec == "h264":
        units = [n for n in nal_units(data) if n[0] & 31 not in (9, 10, 11, 12)]
    elif codec == "hevc":
        units = [n for n in nal_units(data) if n[0] >> 1 & 63 not in (35, 36, 37, 38)]
    elif codec == "aac":
        assert data[0] == 0xFF and data[1] & 0xF0 == 0xF0
        return data[7 if data[1] & 1 else 9 :]
    else:
        return data
    return b"".join(len(n).to_bytes(4, "big") + n for n in units)


def packets(path, index):
    """(pts, dts, is key, bytes) of a stream: times from ffprobe, bytes as ffmpeg copies them."""
    told = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_packets", "-select_streams", str(index), path))["packets"]
    data = run("ffmpeg", "-v", "error", "-copyts", "-i", path, "-map", f"0:{index}", "-c", "copy", "-copyinkf", "-f", "data", "-")
    at = 0
    for p in told:
        size = int(p["size"])
        yield int(p["pts"]), int(p["dts"]), p["flags"].startswith("K"), data[at : at + size]
        at += size
    assert at == len(data), (path, index, at, len(data))


def loas_payloads(path, index):
    """LATM as ffmpeg's decoder sees it would be ffmpeg's own parsing: instead the encoder is run again into ADTS (it is deterministic)."""
    with tempfile.TemporaryDirectory() as folder:
        adts = f"{folder}/same.aac"
        run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", TONE, "-t", "2", "-c:a", "aac", "-b:a", "32k", "-flags", "+bitexact", "-f", "adts", adts)
        data = pathlib.Path(adts).read_bytes()
    frames, at = [], 0
    while at < len(data):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at + 7 : at + size])
        at += size
    times = [(pts, dts) for pts, dts, _, _ in packets(path, index)]
    assert len(times) == len(frames), (len(times), len(frames))
    return [(pts, dts, True, frame) for (pts, dts), frame in zip(times, frames)]


def expectation(path):
    streams = json.loads(run("ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_programs", path))
    first = streams["programs"][0]["streams"] if streams["programs"] else streams["streams"]
    counts = {"video": 0, "audio": 0}
    lines, frames = [], []
    for s in first:
        kind, codec, pid = s["codec_type"], s["codec_name"], int(s["id"], 16)
        language = s.get("tags", {}).get("language")
        tail = f" [{language}]" if language else ""
        if codec == "mp2":
            lines.append(f"track {pid} audio no: MP2{tail}")
            continue
        number = counts[kind]
        counts[kind] += 1
        is_latm = codec == "aac_latm"
        lines.append(f"track {pid} {kind} {number} {'aac' if is_latm else codec}{tail}")
        for pts, dts, is_key, data in loas_payloads(path, s["index"]) if is_latm else packets(path, s["index"]):
            body = data if is_latm else sample(codec, data)
            key = " key" if kind == "video" and is_key else ""
            frames.append(f"{kind} {number} {pts} {dts} {len(body)} {fnv(body):016x}{key}")
    return "\n".join(lines + frames) + "\n"


def main():
    HERE.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or list(STREAMS)
    for name in wanted:
        inputs, options = STREAMS[name]
        path = str(HERE / f"{name}.ts")
        command = ["ffmpeg", "-v", "error", "-y"]
        for source in inputs:
            command += ["-f", "lavfi", "-i", source]
        run(*command, "-t", "2", *options.split(), "-flags", "+bitexact", "-f", "mpegts", path)
        (HERE / f"{name}.txt").write_text(expectation(path))
        print(name, pathlib.Path(path).stat().st_size)


if __name__ == "__main__":
    main()

"""An independent reader of playlists and CMAF segments, for checking what the server serves (RFC 8216, ISO 14496-12)."""
import re
import struct


class Entry:
    uri = init = None
    duration = 0.0
    has_discontinuity = is_gap = False
    program_date_time = None
    sequence = discontinuity = 0


class Playlist:
    def __init__(self, text, has_init=True):
        lines = text.splitlines()
        self.has_init = has_init
        assert lines[0] == "#EXTM3U", lines[:1]
        self.text, self.segments, self.is_ended = text, [], "#EXT-X-ENDLIST" in lines
        self.kind = self._optional("PLAYLIST-TYPE")
        self.is_independent = "#EXT-X-INDEPENDENT-SEGMENTS" in lines
        self.target = int(self._tag("TARGETDURATION"))
        self.sequence = int(self._tag("MEDIA-SEQUENCE"))
        self.discontinuity = int(self._tag("DISCONTINUITY-SEQUENCE"))
        entry, init, discontinuity = Entry(), None, self.discontinuity
        for line in lines:
            if line == "#EXT-X-DISCONTINUITY":
                entry.has_discontinuity = True
                discontinuity += 1
            elif line.startswith("#EXT-X-MAP:"):
                init = re.search(r'URI="([^"]+)"', line).group(1)
            elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
                entry.program_date_time = line.split(":", 1)[1]
            elif line == "#EXT-X-GAP":
                entry.is_gap = True
            elif line.startswith("#EXTINF:"):
                entry.duration = float(line[8:].split(",")[0])
            elif line and not line.startswith("#"):
                entry.uri, entry.init = line, init
                entry.sequence, entry.discontinuity = self.sequence + len(self.segments), discontinuity
                self.segments.append(entry)
                entry = Entry()
        self.check()

    def _optional(self, name):
        match = re.search(rf"^#EXT-X-{name}:(\w+)$", self.text, re.M)
        return match and match.group(1)

    def _tag(self, name):
        match = re.search(rf"^#EXT-X-{name}:(\d+)$", self.text, re.M)
        assert match, f"no {name} in\n{self.text}"
        return match.group(1)

    def check(self):
        assert self.segments, "an empty playlist"
        for entry in self.segments:
            assert entry.duration > 0 or entry.is_gap, self.text
            assert int(entry.duration + 0.5) <= self.target, f"EXTINF over TARGETDURATION (4.3.3.1)\n{self.text}"
            assert entry.init or not self.has_init, f"a segment without EXT-X-MAP\n{self.text}"
            assert entry.program_date_time, self.text
        assert len({e.uri for e in self.segments}) == len(self.segments), self.text

    def check_follows(self, old):
        """Rules between two versions of a playlist (RFC 8216, 6.2.1, 6.2.2)."""
        assert self.target == old.target, "TARGETDURATION changed"
        assert self.sequence >= old.sequence, "MEDIA-SEQUENCE went back"
        assert self.discontinuity >= old.discontinuity, "DISCONTINUITY-SEQUENCE went back"
        assert self.segments[-1].sequence >= old.segments[-1].sequence, "segments vanished from the end"
        known = {e.sequence: e for e in old.segments}
        for entry in self.segments:
            before = known.get(entry.sequence)
            if before and entry.is_gap and not before.is_gap:
                assert before.uri == entry.uri, "a segment was lost and its number is another's"
            elif before:
                assert (before.uri, before.duration, before.discontinuity) == (entry.uri, entry.duration, entry.discontinuity), "a listed segment changed"


def parse_playlist(text, has_init=True):
    """has_init: fMP4; transport streams have no EXT-X-MAP."""
    return Playlist(text, has_init)


def boxes(data, start=0, end=None):
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        assert 8 <= size <= end - start, f"box {kind} of {size} bytes does not fit"
        yield kind.decode("latin1"), start + 8, start + size
        start += size


def find(data, path, start=0, end=None):
    for kind, first, last in boxes(data, start, end):
        if kind == path[0]:
            return (first, last) if len(path) == 1 else find(data, path[1:], first, last)
    raise AssertionError(f"no box {path[0]}")


class Init:
    def __init__(self, data):
        self.data = data
        first, _ = find(data, ["moov", "trak", "mdia", "mdhd"])
        self.timescale = struct.unpack_from(">I", data, first + 12)[0]
        first, _ = find(data, ["moov", "trak", "mdia", "hdlr"])
        self.handler = data[first + 8:first + 12].decode()
        first, last = find(data, ["moov", "trak", "mdia", "minf", "stbl", "stsd"])
        self.entry = next(boxes(data, first + 8, last))[0]


class Chunk:
    """One moof and mdat of a segment: decode time, samples as (duration, size, flags, composition offset)."""

    def __init__(self, data, moof, mdat):
        first, _ = find(data, ["mfhd"], *moof)
        self.sequence = struct.unpack_from(">I", data, first + 4)[0]
        first, _ = find(data, ["traf", "tfdt"], *moof)
        assert data[first] == 1, "tfdt is not version 1"
        self.time = struct.unpack_from(">Q", data, first + 4)[0]
        first, _ = find(data, ["traf", "trun"], *moof)
        flags, count, offset = struct.unpack_from(">III", data, first)
        assert flags == 0x01000F01, hex(flags)
        self.samples = [struct.unpack_from(">IIIi", data, first + 12 + 16 * i) for i in range(count)]
        assert moof[0] - 8 + offset == mdat[0], "data offset does not point into mdat"
        assert sum(s[1] for s in self.samples) == mdat[1] - mdat[0], "sample sizes do not fill mdat"
        self.end = self.time + sum(s[0] for s in self.samples)


class Fragment:
    """A segment: a styp and its chunks, each where the one before ends."""

    def __init__(self, data, init):
        self.data, self.init = data, init
        found = list(boxes(data))
        kinds = [kind for kind, _, _ in found]
        assert kinds == ["styp"] + ["moof", "mdat"] * (len(kinds) // 2), kinds
        self.chunks = [Chunk(data, found[i][1:], found[i + 1][1:]) for i in range(1, len(found), 2)]
        self.time = self.chunks[0].time
        self.samples = [sample for chunk in self.chunks for sample in chunk.samples]
        for one, next_one in zip(self.chunks, self.chunks[1:]):
            assert next_one.time == one.end, "a hole within a segment"
            assert next_one.sequence > one.sequence, "moof sequence numbers do not rise"

    @property
    def duration(self):
        return sum(s[0] for s in self.samples)

    @property
    def starts_with_sync(self):
        return not self.samples[0][2] & 0x10000

    @property
    def first_shown(self):
        """The earliest presentation tick: not always the first sample's, where a segment begins inside a group of pictures."""
        times, at = [], self.time
        for duration, _, _, offset in self.samples:
            times.append(at + offset)
            at += duration
        return min(times)

    @property
    def start_seconds(self):
        return (self.time + self.samples[0][3]) / self.init.timescale


def check_continuous(fragments, gap_ticks=0):
    """tfdt(n+1) = tfdt(n) + durations within an era; returns how many joints were checked."""
    joints, previous, previous_entry = 0, None, None
    for entry, fragment in fragments:
        if fragment is None:
            previous = None
            continue
        assert abs(fragment.duration / fragment.init.timescale - entry.duration) < 0.001, "EXTINF is not the sum of durations"
        if previous and not entry.has_discontinuity:
            assert abs(fragment.time - previous.time - previous.duration) <= gap_ticks, \
                f"{entry.uri}: {fragment.time} behind {previous.time + previous.duration}"
            joints += 1
        previous, previous_entry = fragment, entry
    return joints

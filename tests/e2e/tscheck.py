"""Holds transport stream segments against the rules of ISO/IEC 13818-1 and RFC 8216bis 3.1.1. Shares nothing with the muxer or the demux.

C1 sync bytes, whole packets          C4 PTS >= DTS, DTS strictly rising per PID     C7 PES lengths
C2 continuity counters per PID        C5 the first picture brings parameter sets,    C8 decode times go on over segments
C3 PAT and PMT first, right CRC          and is a keyframe where it must be          C9 audio and video begin together
                                      C6 PCR there, <= 100 ms apart, not ahead of DTS
"""
HZ = 90000
WRAP = 1 << 33


class Broken(AssertionError):
    pass


def need(condition, rule, text):
    if not condition:
        raise Broken(f"{rule}: {text}")


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = value >> 31 ^ (byte >> bit & 1)
            value = value << 1 & 0xFFFFFFFF
            if top:
                value ^= 0x04C11DB7
    return value


def descriptors(data):
    out = []
    while data:
        out.append((data[0], data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return out


class Pes:
    def __init__(self, pid, random_access):
        self.pid, self.random_access, self.data, self.packets = pid, random_access, bytearray(), 0

    def finish(self):
        d = self.data
        need(d[:3] == b"\0\0\1", "C7", "a PES without its start code")
        self.stream_id = d[3]
        length = d[4] << 8 | d[5]
        need(length == len(d) - 6 or (length == 0 and 0xE0 <= self.stream_id <= 0xEF), "C7", f"PES_packet_length {length}, {len(d) - 6} bytes came")
        need(d[6] >> 6 == 2 and d[6] & 0x30 == 0, "C7", "marker bits or scrambling in a PES header")
        flags, room = d[7] >> 6, d[8]
        need(flags in (2, 3), "C4", "a PES without PTS")
        self.pts = self.time(9, flags)
        self.dts = self.time(14, 1) if flags == 3 else self.pts
        self.payload = bytes(d[9 + room :])
        return self

    def time(self, at, mark):
        d = self.data[at : at + 5]
        need(d[0] >> 4 == mark and d[0] & 1 and d[2] & 1 and d[4] & 1, "C4", "marker bits of a timestamp")
        return (d[0] >> 1 & 7) << 30 | d[1] << 22 | d[2] >> 1 << 15 | d[3] << 7 | d[4] >> 1


class Segment:
    """One segment, taken apart."""

    def __init__(self, data, continuity):
        need(len(data) % 188 == 0 and data, "C1", f"{len(data)} bytes are no whole packets")
        self.pes, self.pcrs, self.order = {}, [], []
        self.streams = None
        open_pes = {}
        for number in range(len(data) // 188):
            p = data[number * 188 : number * 188 + 188]
            need(p[0] == 0x47, "C1", f"packet {number} has no sync byte")
            need(not p[1] & 0x80 and not p[3] & 0xC0, "C1", "error or scrambling flags")
            pid, start, control = (p[1] & 0x1F) << 8 | p[2], bool(p[1] & 0x40), p[3] >> 4 & 3
            need(control != 0, "C1", "reserved adaptation_field_control")
            at, random_access = 4, False
            if control & 2:
                need(p[4] <= (182 if control & 1 else 183), "C1", "adaptation field too long")
                at = 5 + p[4]
                if p[4]:
                    random_access = bool(p[5] & 0x40)
                    if p[5] & 0x10:
                        base = int.from_bytes(p[6:10], "big") << 1 | p[10] >> 7
                        self.pcrs.append((number, pid, base))
            if control & 1:
                if pid in continuity:
                    need(p[3] & 15 == (continuity[pid] + 1) % 16, "C2", f"PID {pid}: counter {p[3] & 15} after {continuity[pid]}")
                continuity[pid] = p[3] & 15
            elif pid in continuity:
                need(p[3] & 15 == continuity[pid], "C2", f"PID {pid}: a packet without payload moved the counter")
            if number < 2:
                self.table(number, pid, start, p[at:])
                continue
            if not control & 1 or pid in (0, self.pmt_pid):
                continue
            need(pid in self.streams, "C3", f"PID {pid} is in no table")
            if start:
                if pid in open_pes:
                    self.close(open_pes.pop(pid))
                open_pes[pid] = Pes(pid, random_access)
                open_pes[pid].number = number
            need(pid in open_pes, "C7", "payload before the first PES")
            open_pes[pid].data += p[at:]
        for pes in sorted(open_pes.values(), key=lambda pes: pes.number):
            self.close(pes)

    def table(self, number, pid, start, payload):
        need(start and payload[0] == 0, "C3", "a segment must begin with PAT and PMT")
        section = payload[1 : 1 + 3 + ((payload[2] & 15) << 8 | payload[3])]
        need(crc(section) == 0, "C3", "CRC of a table")
        if number == 0:
            need(pid == 0 and section[0] == 0, "C3", "the first packet is no PAT")
            programs = section[8:-4]
            need(len(programs) == 4 and programs[:2] != b"\0\0", "C3", "not one program")
            self.pmt_pid = (programs[2] & 0x1F) << 8 | programs[3]
            return
        need(pid == self.pmt_pid and section[0] == 2, "C3", "the second packet is no PMT")
        self.version = section[5] >> 1 & 31
        self.pcr_pid = (section[8] & 0x1F) << 8 | section[9]
        at = 12 + ((section[10] & 15) << 8 | section[11])
        self.streams = {}
        self.table_bytes = bytes(section[8:-4])
        while at < len(section) - 4:
            size = (section[at + 3] & 15) << 8 | section[at + 4]
            self.streams[(section[at + 1] & 0x1F) << 8 | section[at + 2]] = (section[at], descriptors(section[at + 5 : at + 5 + size]))
            at += 5 + size

    def close(self, pes):
        self.pes.setdefault(pes.pid, []).append(pes.finish())
        self.order.append(pes)

    def pid_of(self, kinds):
        return next((pid for pid, (kind, _) in self.streams.items() if kind in kinds), None)

    @property
    def video(self):
        return self.pes.get(self.pid_of((0x1B, 0x24)), [])

    @property
    def audio(self):
        return self.pes.get(self.pid_of((0x03, 0x04, 0x06, 0x0F, 0x81, 0x87)), [])


def nal_types(kind, payload):
    out, at = [], payload.find(b"\0\0\1")
    while at >= 0:
        first = payload[at + 3]
        out.append(first & 31 if kind == 0x1B else first >> 1 & 63)
        at = payload.find(b"\0\0\1", at + 3)
    return out


def later(a, b):
    """a - b on the wrapping clock."""
    return (a - b + WRAP // 2) % WRAP - WRAP // 2


def check(bodies, frame=HZ // 25, must_be_key=True, eras=()):
    """bodies: consecutive segments. frame: the video frame's duration. eras: indexes where a DISCONTINUITY stands."""
    continuity, last_dts, last_pcr, last_table = {}, {}, None, None
    segments = []
    for index, body in enumerate(bodies):
        s = Segment(body, continuity)
        if index in eras:
            last_dts, last_pcr = {}, None
        if last_table and last_table[0] != s.table_bytes:
            need(s.version != last_table[1], "C3", "the PMT says something else under the same version")
        last_table = s.table_bytes, s.version
        for pid, list_of in s.pes.items():
            for number, pes in enumerate(list_of):
                need(later(pes.pts, pes.dts) >= 0, "C4", f"PID {pid}: PTS before DTS")
                if pid in last_dts:
                    step = later(pes.dts, last_dts[pid])
                    need(step > 0, "C4", f"PID {pid}: DTS does not rise ({step})")
                    if number == 0 and pes in s.video:
                        need(abs(step - frame) <= frame, "C8", f"segment {index}: {step} ticks after the last one's end")
                last_dts[pid] = pes.dts
        need(s.pcrs and all(pid == s.pcr_pid for _, pid, _ in s.pcrs), "C6", "PCR on the PMT's PID, and only there")
        for _, _, pcr in s.pcrs:
            if last_pcr is not None:
                need(0 < later(pcr, last_pcr) <= HZ // 10, "C6", f"{later(pcr, last_pcr)} ticks between PCRs")
            last_pcr = pcr
        for pes in s.order:
            before = [pcr for number, _, pcr in s.pcrs if number <= pes.number]
            need(not before or later(pes.dts, before[-1]) >= 0, "C6", "PCR ahead of a DTS")
        if s.video:
            kind = s.streams[s.video[0].pid][0]
            types = nal_types(kind, s.video[0].payload)
            sets, keys, delimiter = ({7, 8}, {5}, 9) if kind == 0x1B else ({32, 33, 34}, set(range(16, 22)), 35)
            need(sets <= set(types), "C5", f"no parameter sets in front of the first picture: {types}")
            for pes in s.video:
                need(nal_types(kind, pes.payload)[0] == delimiter, "C5", "an access unit without its delimiter")
                is_key = bool(keys & set(nal_types(kind, pes.payload)))
                need(not is_key or pes.random_access, "C5", "a keyframe without random_access_indicator")
            if must_be_key is True or (must_be_key and index >= must_be_key):
                need(keys & set(types), "C5", f"segment {index} begins without a keyframe: {types}")
        if s.video and s.audio and index and index not in eras:
            gap = later(s.audio[0].pts, min(pes.pts for pes in s.video))
            need(abs(gap) <= frame + HZ * 2048 // 44100, "C9", f"audio begins {gap} ticks after video")
        segments.append(s)
    return segments

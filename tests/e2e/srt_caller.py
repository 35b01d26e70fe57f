"""A caller on the library itself (ctypes): to see the codes that a listener gives, and to send what no tool sends."""
import atexit
import ctypes
import ctypes.util
import socket
import struct

LIBRARY = ctypes.CDLL(ctypes.util.find_library("srt") or "libsrt.so.1.5")
LIBRARY.srt_getlasterror_str.restype = ctypes.c_char_p
LIBRARY.srt_rejectreason_str.restype = ctypes.c_char_p

# the numbers of srt.h
OPTIONS = {"passphrase": 26, "pbkeylen": 27, "latency": 23, "streamid": 46, "conntimeo": 36, "lossmaxttl": 42, "packetfilter": 60, "rcvsyn": 2,
           "rcvlatency": 43, "fc": 4, "peeridletimeo": 55, "mss": 0, "payloadsize": 49, "kmrefreshrate": 51, "kmpreannounce": 52, "minversion": 45}
TEXTS = ("passphrase", "streamid", "packetfilter")
BAD_SECRET, UNSECURE = 10, 11


class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"refused with {code}")
        self.code = code


LIBRARY.srt_startup()
LIBRARY.srt_setloglevel(2)
atexit.register(LIBRARY.srt_cleanup)  # its threads must not outlive what they stand on


def address(port, host="127.0.0.1"):
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


def option(number, name, value):
    if name in TEXTS:
        data = value if isinstance(value, bytes) else value.encode()
    else:
        data = struct.pack("=i", int(value))
    if LIBRARY.srt_setsockflag(number, OPTIONS[name], data, len(data)) < 0:
        raise ValueError(f"{name}: {LIBRARY.srt_getlasterror_str().decode()}")


class Caller:
    """Connects at once; Refused has the listener's code."""

    def __init__(self, port, host="127.0.0.1", **options):
        self.number = LIBRARY.srt_create_socket()
        for name, value in options.items():
            option(self.number, name, value)
        to = address(port, host)
        if LIBRARY.srt_connect(self.number, to, len(to)) < 0:
            code = LIBRARY.srt_getrejectreason(self.number)
            self.close()
            raise Refused(code)

    def send(self, data):
        if LIBRARY.srt_sendmsg(self.number, data, len(data), -1, 1) < 0:
            raise OSError(LIBRARY.srt_getlasterror_str().decode())

    def state(self):
        return LIBRARY.srt_getsockstate(self.number)

    def is_connected(self):
        return self.state() == 5

    def close(self):
        if self.number is not None:
            LIBRARY.srt_close(self.number)
        self.number = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


def code_of(port, **options):
    """0 when let in, else the code."""
    try:
        with Caller(port, **options):
            return 0
    except Refused as refused:
        return refused.code

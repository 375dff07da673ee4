"""What the fuzz targets begin with: streams that are made here, and public vectors where they are at hand.

A target takes its stream from the front of an input and its choices from the back (input.hpp), so a seed is a stream
and the choices in reverse.
"""

from __future__ import annotations

import ast
import hashlib
import json
import struct
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

START_CODE = b"\0\0\0\1"
SEI, SPS, SUBSET_SPS = 6, 7, 15
MOST_STREAM_BYTES = 1800
X264_LETTER_BYTES = 200
"""An SEI above this is x264 telling its settings."""

X264 = (
    "slices=1",
    "slices=3:aud=1",
    "bframes=2:b-adapt=0",
    "interlaced=1",
    "cabac=0:intra-refresh=1",
    "nal-hrd=cbr:vbv-maxrate=300:vbv-bufsize=300:aud=1",
    "cqm=jvt:8x8dct=1",
    "constrained-intra=1:sliced-threads=0:fullrange=on:colorprim=bt709",
)


def write(inputs: Iterable[bytes], folder: Path) -> Path:
    """The inputs as files of a new folder, named by what they hold."""
    folder.mkdir(parents=True)
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return folder


def tail(*choices: int) -> bytes:
    """Choices in the order in which the target takes them."""
    return bytes(reversed(choices))


def nal_units(stream: bytes) -> list[bytes]:
    """Of an Annex B stream."""
    return [nal.rstrip(b"\0") for nal in stream.split(b"\0\0\1")[1:]]


# What is made here.


def encode(codec_name: str, pixel_format: str, options: dict[str, str], frames: int) -> list[bytes]:
    """Packets of a small moving picture; none if the codec is not there."""
    import av
    import numpy as np

    try:
        codec: Any = av.CodecContext.create(codec_name, "w")
    except ValueError:
        return []
    codec.width, codec.height, codec.pix_fmt = 48, 32, pixel_format
    codec.time_base, codec.framerate = Fraction(1, 30), Fraction(30, 1)
    codec.options = options
    packets: list[bytes] = []
    for n in range(frames):
        pixels = np.full((32, 48, 3), 40, np.uint8)
        pixels[8:20, 4 * n : 4 * n + 8] = 220
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)
        frame.pts = n
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets + [bytes(packet) for packet in codec.encode(None)]


def h264_streams() -> Iterator[bytes]:
    """A few pictures each of what x264 can do, without its letter."""
    for parameters in X264:
        options = {"preset": "veryfast", "x264-params": f"keyint=4:scenecut=0:threads=1:log-level=none:{parameters}"}
        packets = encode("libx264", "yuv420p", options, 7)
        nals = [nal for nal in nal_units(b"".join(packets)) if nal[0] & 31 != SEI or len(nal) < X264_LETTER_BYTES]
        yield b"".join(START_CODE + nal for nal in nals)
    for pixel_format in ("yuv422p", "yuv444p", "yuv420p10le"):
        packets = encode("libx264", pixel_format, {"preset": "ultrafast", "x264-params": "log-level=none"}, 2)
        nals = [nal for nal in nal_units(b"".join(packets)) if nal[0] & 31 != SEI]
        yield b"".join(START_CODE + nal for nal in nals)


def odd_streams() -> Iterator[bytes]:
    """Habits and faults of senders, by hand."""
    yield b""
    yield b"\0" * 60
    yield b"\0\0\1" * 20
    yield b"\1\2\3" + START_CODE + b"\x09\xf0" + b"\0" * 30 + START_CODE + b"\x67\0\0\3\0\0\3"
    yield b"".join(START_CODE + bytes([type_]) + b"\x88\x84\x21" for type_ in range(32))
    yield b"".join(b"\0\0\1" + bytes([0x80 | type_, 0xFF]) for type_ in range(32))
    yield START_CODE + b"\x65\x88" + b"\xa5" * 700
    yield START_CODE + b"\x65" + b"\0\0\3" * 100
    yield b"\xff" * 200


def annex_b(streams: Iterable[bytes]) -> Iterator[bytes]:
    for n, stream in enumerate(streams):
        # complete, limits, random, chunks of one byte or the largest one, from
        yield stream[:MOST_STREAM_BYTES] + tail(n % 2, 0, n % 256, 1, 7 + n % 90, n % 128)
        yield stream[:MOST_STREAM_BYTES] + tail(n % 2, 1, n % 8, 77, n % 19, 5, 0, 30)


def access_units(streams: Iterable[bytes]) -> Iterator[bytes]:
    for n, stream in enumerate(streams):
        actions = bytes((37 * i + n) % 256 for i in range(60))
        # limits, idle time, longest idle time, number of actions
        yield stream[:MOST_STREAM_BYTES] + actions + tail(0, 7, 208, 0, 195, 80, len(actions))
        yield stream[:MOST_STREAM_BYTES] + actions + tail(1, n % 8, 99, n % 19, 0, 0, 0, 0, 0, len(actions))


def bit_fields(nals: Iterable[bytes]) -> Iterator[bytes]:
    slice_nal, pps_nal = b"\x65\x88\x84\x00\x10\xff\xfe", b"\x68\xeb\xe3\xcb\x22\xc0"
    for n, nal in enumerate(nals):
        # colour, full range, ue(v), bytes of the slice, bytes of the PPS
        choices = tail(1, 13, 1, n % 2, 0, 0, n % 256, 9, len(slice_nal), len(pps_nal))
        yield slice_nal + pps_nal + nal[:MOST_STREAM_BYTES] + choices


def frames_to_packetize() -> Iterator[tuple[int, bytes]]:
    """With the number of their codec in the target."""
    for stream in (*h264_streams(), *odd_streams()):
        yield 0, stream
        yield 5, stream
    for number, name in ((1, "libvpx"), (2, "libvpx-vp9")):
        for packet in encode(name, "yuv420p", {"lag-in-frames": "0", "cpu-used": "8"}, 3):
            yield number, packet
    delimiter, sequence, padding = b"\x12\0", b"\x0a\x03\0\1\2", b"\x7a\x02\0\0"
    frame = b"\x36\x08\x28" + b"f" * 40 + b"\x32\x81\x01" + b"g" * 129
    yield 3, delimiter + sequence + frame + padding
    yield 3, delimiter + sequence * 9 + b"\x30" + b"h" * 400
    for table_of_contents in (b"\x08", b"\x79\x11\x22", b"\xfb\x03\x01", b"\xff\x83\x05\x99", b"\x00\x01"):
        yield 4, table_of_contents + b"\x31\x32" * 9
        yield 4, table_of_contents


def to_packetize(frames: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    for codec, frame in frames:
        for kind in range(4):
            # codec, kind of limit and its bytes, reductions, single, split, more bytes
            yield frame[:MOST_STREAM_BYTES] + tail(codec, kind, 0, 9, 0, 2, 1, 1, 0, 1, 0)


def packets_of(payloads: list[bytes], *, timestamp_step: bool = False) -> bytes:
    """As the target reads packets: flags, size, bytes."""
    out = b""
    for n, payload in enumerate(payloads):
        data = payload[:255]
        last = n + 1 == len(payloads)
        out += bytes([int(last) | (2 if timestamp_step else 0), len(data)]) + data
    return out


def rtp(payload: bytes, number: int, *, extension: bytes = b"", marker: bool = True) -> bytes:
    """A packet with a one-byte extension block."""
    head = struct.pack("!BBHII", 0x90 if extension else 0x80, (0x80 if marker else 0) | 96, number, 90_000, 1)
    if extension:
        head += struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
    return head + payload


def h264_payloads() -> Iterator[list[bytes]]:
    stap = b"\x78" + b"".join(struct.pack("!H", len(nal)) + nal for nal in (b"\x67\x42\xc0\x1f", b"\x68\xce\x3c\x80"))
    yield [stap, b"\x7c\x85" + b"a" * 40, b"\x7c\x05" + b"b" * 40, b"\x7c\x45" + b"c" * 9]
    yield [b"\x65" + b"d" * 30, b"\x41" + b"e" * 20]
    yield [b"\x7c\xc5aa", b"\x79\0\0", b"\x78\0\0", b"\x78\0\x09\x41", b"\x1c", b""]
    yield [b"\0\0\0\1\x65\x88\0\0\1\x41\x9a"]


def other_payloads() -> Iterator[tuple[int, list[bytes]]]:
    yield 0, [b"\x90\xe0\x81\x02\x03\x20" + b"\x10\x02\x00\x9d\x01\x2a" + b"v" * 20, b"\x80\x80\x81\x02" + b"v" * 20]
    yield 0, [b"\x10\x30\x01", b"\x00\x30\x01"]
    yield 1, [b"\xaa\x80\x05\x00\x07\x18\x01\x40\x00\xf0\x01\x04\x01" + b"w" * 20, b"\xa4\x80\x05\x00\x07" + b"w" * 9]
    yield 1, [b"\xdc\x80\x05\x03\x03\x02" + b"w" * 20]
    yield 2, [b"\x28\x03\x08\x01\x02" + b"\x30" + b"x" * 30, b"\xd0" + b"x" * 20, b"\x90" + b"x" * 20]
    yield 2, [b"\x00\x02\x30\x01\x02\x30\x02\x02\x30\x03\x02\x30\x04"]
    yield 4, [b"\xfc\xff\xfe", b"\x08\x01\x02", b"\xfb\x03\x01"]


def to_depacketize() -> Iterator[bytes]:
    choices = ((1, 0), (1, 1, 40, 0), (17, 0))
    everything = [(5, payloads) for payloads in h264_payloads()] + list(other_payloads())
    for codec, payloads in everything:
        for choice in choices:
            yield packets_of(payloads) + packets_of(payloads, timestamp_step=True) + tail(*choice, codec)
    elements = b"\x10\x30" + b"\x31\x61\x62" + b"\x22aud" + b"\x51\0\x09" + b"\x62\0\1\2" + b"\x80\x7f" + b"\0\0"
    elements += b"\0" * (-len(elements) % 4)
    for codec, payloads in everything:
        packets = [rtp(payload, n, extension=elements) for n, payload in enumerate(payloads)]
        out = b"".join(bytes([0x10, len(packet[:255])]) + packet[:255] for packet in packets)
        yield out + tail(1, 0, codec)


def srtp_actions() -> Iterator[bytes]:
    """Packets that are sealed, delivered, repeated, changed, and bytes from elsewhere, by profile and protocol."""
    rtp = bytes.fromhex("90e0000500000000112233440000beef0001aabbccdd")
    rtcp = bytes.fromhex("80c800011122334480000001")
    stream = (rtp + bytes(20) + rtcp + bytes(20)) * 8
    alien, repeat, change, seal = 0, 2, 4, 6
    kept, sent = 0, 1
    begin_rtp, begin_rtcp = (1, 0xFF, 0xFE, 0), (0, 1)  # before a wrap; with the first index
    plain_rtp, plain_rtcp = (0, 0, 0, 30, 0), (0, 30)  # without CSRCs and extension, 30 bytes, the next index follows
    full_rtp = (15, 1, 20, 0, 60, 1, 0x70, 0)  # with both, and 0x7000 indexes follow that are not used
    for profile in range(3):
        for begin, packet, other in ((begin_rtp, plain_rtp, full_rtp), (begin_rtcp, plain_rtcp, plain_rtcp)):
            for actions in (
                (seal, *packet, sent) * 6,
                (seal, *other, sent) * 6,
                (*(seal, *packet, kept) * 3, repeat, 2, repeat, 0, repeat, 1, repeat, 1),
                (*(seal, *packet, kept) * 2, change, 0, 2, 1, 5, 3, change, 1, 0, 20, repeat, 0, repeat, 1),
                (alien, 60, seal, *packet, sent, alien, 22, seal, *packet, sent),
            ):
                yield stream + tail(profile, *begin, *actions)


REPORT_BLOCK = bytes.fromhex("0a0b0c0d 40fffffe 0001fffe 00000064 12345678 00010000")
RTCP = (
    bytes.fromhex("81c8000c 01020304 e123456789abcdef 00015f90 00000065 000186a1") + REPORT_BLOCK,
    bytes.fromhex("82c9000d 01020304") + REPORT_BLOCK * 2,
    bytes.fromhex("81ca0003 01020304 0105616263646500"),
    bytes.fromhex("82cb0002 01020304 05060708"),
    bytes.fromhex("81cd0004 01020304 0a0b0c0d fffe8003 00200000"),
    bytes.fromhex("81ce0002 01020304 0a0b0c0d"),
    bytes.fromhex("84ce0006 01020304 00000000 0a0b0c0d fe000000 0a0b0c0e 01000000"),
    bytes.fromhex("8fce0006 01020304 00000000 52454d42 020bd090 0a0b0c0d 0a0b0c0e"),
    bytes.fromhex("8fcd0008 01020304 0a0b0c0d fffe002a fffffe07 0014b000 e4002001 ff00ffff 01020000"),
    bytes.fromhex("afcd0005 01020304 0a0b0c0d 00010001 00000000 20010501"),
    bytes.fromhex("8fcd0006 01020304 0a0b0c0d 00018000 00000000 1fff1fff 1fff1fff 00040000"),
    bytes.fromhex("8fcd0006 01020304 0a0b0c0d ffff0004 7fffff00 20034001 050607ff 80000000"),
    bytes.fromhex("8bcd0003 00000001 00000002 00000000"),
    bytes.fromhex("80cc0002 00000001 6d656469"),
    bytes.fromhex("a1ce0004 00000001 00000002 00000000 00000008"),
)


def to_read_rtcp() -> Iterator[bytes]:
    """The last byte chooses: feedback or NACK to write, else packets to read."""
    for n, packet in enumerate(RTCP):
        yield packet + tail(2)
        yield RTCP[1] + packet + RTCP[n - 1] + tail(3)
    # sequence number, reference time
    yield bytes.fromhex("0200 0305 00aa 017f f400 fe03 fd00 02ff 0180") * 9 + tail(0, 0xFF, 0xFA, 0x80, 0, 1)
    yield bytes.fromhex("fd00 0101 ff00 0101") + tail(252, 0xFF, 0xFA, 0x80, 0, 1)
    yield bytes([1, 1, 2, 17, 16, 0, 40, 1, 200] * 20) + tail(1, 0xFF, 0xFE)


# RFC 5769 2.1 to 2.3.
STUN = (
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
)


def to_read_stun() -> Iterator[bytes]:
    """The last byte chooses: an answer to write, else a message to read, as it is and sealed anew."""
    for vector in STUN:
        message = bytes.fromhex(vector)
        for kind in (4, 5, 6, 7):
            yield message + tail(kind)
            yield message[:-32] + tail(kind)
    attributes = (
        "00060001 61000000",
        "00250000",
        "802a0008 0011223344556677",
        "c0570004 00000032",
        "00030004 00000006",
    )
    header = bytes.fromhex(STUN[0])[:20]
    for n in range(1, len(attributes) + 1):
        yield header + bytes.fromhex("".join(attributes[:n])) + tail(7)
    yield header + bytes.fromhex("001c0020") + bytes(32) + bytes.fromhex(attributes[0] * 2) + tail(7)
    # port, IPv4 or not
    yield bytes(range(12)) + b"\xc0\0\2\1" + b"password" + tail(0, 0x80, 0x55, 1)
    yield bytes(range(12)) + bytes(range(16)) + b"password" + tail(0, 0x80, 0x55, 0)


def to_demultiplex() -> Iterator[bytes]:
    """Viewers that connect, move, are relayed and flooded; choices only."""
    request, answer, media, note, relay, sent = 2, 6, 9, 10, 13, 15
    nominates, plain, conflict = 1, 0, 5
    direct, wrapped = (0,), (1, 1)  # or in the first channel

    def connect(
        viewer: int, place: tuple[int, int], way: tuple[int, ...] = direct, flags: int = nominates
    ) -> list[int]:
        """A check, ours and its answer, and media; a place is a number and a socket."""
        check = [request, viewer, 1, flags, viewer, 1, *way, *place]
        ours = [note, viewer, 7, *place, *way]
        return [*check, *ours, answer, 0, 7, *way, *place, media, 10, 2, 1, *way, *place, media, 10, 0, 0, *way, *place]

    def relayed(viewer: int, server: tuple[int, int]) -> list[int]:
        """A socket of its own, a server there, a channel to a peer."""
        steps = ([relay, viewer, *server, 0], [relay, viewer, *server, 1], [relay, viewer, *server, 2, 3, 0, 1])
        return [choice for step in steps for choice in step]

    first, second, server = (0, 0), (1, 1), (2, 2)
    yield tail(*connect(0, first), *connect(1, second), *connect(2, (3, 0)), *connect(0, (4, 0)))
    yield tail(*connect(0, first), *connect(1, first), *connect(1, first, flags=plain), *connect(0, first))
    yield tail(*connect(0, first, flags=conflict), sent, 0, *first, 0, 0, 1, 0, 0, *connect(0, first))
    yield tail(*relayed(0, server), *connect(0, server, wrapped), *connect(1, server, wrapped), relay, 0, *server, 3)
    yield tail(*relayed(0, server), *relayed(1, server), *connect(1, server), *connect(0, server, wrapped))
    yield tail(*connect(0, first), *(choice for n in range(20) for choice in (request, 0, 1, 0, n, 1, 0, n, n)))
    yield bytes.fromhex("000100002112a442") + bytes(140) + tail(*(1, 20, *first) * 8, *connect(0, first))


def pictures() -> Iterator[bytes]:
    """Small PNGs of every kind, and raw pictures; behind each the choices of the target."""
    import gzip

    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[1] / "picture"))
    from png_files import CHANNELS, GREY, PALETTE, RGB, RGBA, Png, chunk

    rng = np.random.default_rng(1)
    kinds = [(colour, depth) for colour in CHANNELS for depth in (1, 2, 4, 8, 16)]
    choices = bytes(20) + b"\0"
    for colour, depth in kinds:
        if (colour == PALETTE and depth == 16) or (colour not in {GREY, PALETTE} and depth < 8):
            continue
        palette = chunk(b"PLTE", bytes(rng.integers(0, 256, 3 << depth))) if colour == PALETTE else b""
        for n, (width, height) in enumerate([(1, 1), (3, 5), (9, 8), (21, 12)]):
            samples = rng.integers(0, 1 << depth, (height, width, CHANNELS[colour]))
            samples[height // 2 :] = samples[0, 0]
            png = Png(samples, depth, colour, interlaced=n % 2 == 1, before_image=palette, level=(0, 1, 6, 9)[n])
            yield png.file() + choices
    key = {GREY: b"\0\7", RGB: b"\0\7\0\7\0\7", RGBA: b"", PALETTE: b"\0\x80"}
    for colour, value in key.items():
        palette = chunk(b"PLTE", bytes(range(48))) if colour == PALETTE else b""
        samples = np.full((12, 30, CHANNELS[colour]), 7)
        samples[::3, ::5] = 200
        filters = [[4], [2], [4, 4, 4, 2], [3, 1, 4, 4]][colour % 4]
        yield (
            Png(samples, colour=colour, before_image=palette + chunk(b"tRNS", value), filters=filters).file() + choices
        )
    for form, bytes_ in ((1, 4), (3, 3), (4, 2), (43, 4)):
        raw = struct.pack("<4I", 5, 4, form, 1) + bytes(rng.integers(0, 256, 5 * 4 * bytes_))
        # is raw, matrix, is a screencap; width, height, any stride, stride of two bytes, format
        as_screencap = bytes(18) + tail(1, 0, 1)
        yield raw + as_screencap
        yield gzip.compress(raw, mtime=0) + as_screencap
        yield raw[16:] + bytes(12) + tail(1, 1, 0, 5, 4, 0, 0, 5 * bytes_, {1: 0, 3: 2, 4: 3, 43: 5}[form])


def shots() -> Iterator[bytes]:
    """What a device's shell and screenrecord write: screens of a few pixels in every form, words, halves."""
    import gzip
    import zlib

    pixels = bytes(range(4 * 6 * 4))
    raw = struct.pack("<4I", 6, 4, 1, 1) + pixels
    header = struct.pack(">II5B", 6, 4, 8, 6, 0, 0, 0)
    image = b"".join(b"\0" + pixels[24 * row : 24 * row + 24] for row in range(4))
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(image)), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    jpegs = [encode("mjpeg", pixel_format, {}, 1)[0] for pixel_format in ("yuvj420p", "yuvj422p", "yuvj444p")]
    bodies = [
        raw,
        raw[:12] + pixels,
        gzip.compress(raw, mtime=0),
        png,
        *jpegs,
        b"",
        b"no display\n",
        raw[:50],
        jpegs[0][:300],
    ]
    end = b"\n8c6d1f0b\n"
    # frames or shots, limits, most bytes at once, random
    for body in bodies:
        yield body + end + tail(1, 1, 40, 3)
        yield b"a warning\n" + body + end + raw + end + tail(2, 0, 1, 44, 7, 5)
    frame = struct.pack("<5I", 16 + 72, 6, 4, 18, 3) + bytes(72)
    yield frame + frame + tail(0, 1, 40, 3)
    yield (
        frame
        + struct.pack("<5I", 16 + 80, 6, 4, 20, 3)
        + bytes(80)
        + b"ERROR: unable to configure"
        + tail(0, 0, 2, 0, 9, 4)
    )


def generated(target: str) -> Iterator[bytes]:
    """Seeds for a target that are made here; PyAV is imported for them."""
    if target == "annexb":
        yield from annex_b((*h264_streams(), *odd_streams()))
    elif target == "access_unit":
        yield from access_units((*h264_streams(), *odd_streams()))
    elif target == "sps":
        nals = [nal for stream in (*h264_streams(), *odd_streams()) for nal in nal_units(stream)[:12]]
        subsets = [bytes([0x60 | SUBSET_SPS]) + nal[1:] + b"\xa5\x80" for nal in nals if nal and nal[0] & 31 == SPS]
        yield from bit_fields(nals + subsets)
    elif target == "packetize":
        yield from to_packetize(frames_to_packetize())
    elif target == "srtp":
        yield from srtp_actions()
    elif target == "rtcp":
        yield from to_read_rtcp()
    elif target == "stun":
        yield from to_read_stun()
    elif target == "demux":
        yield from to_demultiplex()
    elif target == "png":
        yield from pictures()
    elif target == "shots":
        yield from shots()
    else:
        yield from to_depacketize()


# Public vectors.


def go_seeds(folder: Path) -> Iterator[bytes]:
    """The values of Go's fuzz corpus files."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        for line in file.read_text().splitlines():
            if line.startswith("[]byte("):
                # The escapes are those of Python's bytes, but for characters beyond ASCII, which Go writes in UTF-8.
                text = line.removeprefix("[]byte(").removesuffix(")")
                value = ast.literal_eval("b" + text) if text.isascii() else text[1:-1].encode()
                yield value


def sps_vectors(folder: Path) -> Iterator[bytes]:
    for name in ("sps.json", "vui_rewrite.json"):
        stack: list[Any] = [json.loads((folder / name).read_text())]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):
                stack += value.values()
            elif isinstance(value, list):
                stack += value
            elif isinstance(value, str) and len(value) % 2 == 0 and value[:2] in {"67", "27", "47"}:
                try:
                    yield bytes.fromhex(value)
                except ValueError:
                    continue


def heads(folder: Path) -> Iterator[bytes]:
    """The beginnings of the bitstreams, and something from their middle."""
    for file in sorted(folder.glob("*/*")):
        if file.suffix in {".264", ".h264", ".jsv"}:
            data = file.read_bytes()
            yield data[:MOST_STREAM_BYTES]
            yield data[len(data) // 2 :][:MOST_STREAM_BYTES]


def from_vectors(target: str, folder: Path) -> Iterator[bytes]:
    """Seeds for a target from the folder of public H.264 vectors, or from PngSuite beside it."""
    if target == "png":
        for file in sorted((folder.parent / "png" / "pngsuite").glob("*.png")):
            if file.stat().st_size < MOST_STREAM_BYTES:
                yield file.read_bytes() + bytes(21)
        return
    streams = [*heads(folder), *go_seeds(folder / "fuzz_mediacommon")]
    packets = list(go_seeds(folder / "fuzz_gortsplib"))
    if target == "annexb":
        yield from annex_b(streams)
    elif target == "access_unit":
        yield from access_units(streams)
    elif target == "sps":
        nals = [nal for stream in streams for nal in nal_units(stream)[:8]]
        yield from bit_fields(
            [*sps_vectors(folder), *nals, *go_seeds(folder / "fuzz_mediacommon" / "FuzzSPSUnmarshal")]
        )
    elif target == "packetize":
        yield from to_packetize((codec, stream) for codec in (0, 5) for stream in streams)
    elif target == "depacketize":
        for data in packets:
            yield packets_of([data, data]) + tail(1, 0, 5)
            yield bytes([0x10, len(data[:255])]) + data[:255] + tail(1, 0, 5)

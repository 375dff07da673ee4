"""What is wrong with a picture, one thing at a time: the kind of error and the byte where it is."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from png_files import GREY, PALETTE, RGB, SIGNATURE, Png, chunk, header

from mediacore.errors import MediacoreError
from mediacore.picture import PictureError, decode_png

WIDTH, HEIGHT = 6, 4
IHDR_DATA = len(SIGNATURE) + 8
BEHIND_IHDR = IHDR_DATA + 13 + 4
"""Where the second chunk begins."""
IMAGE_DATA = BEHIND_IHDR + 8
"""Where the zlib stream begins when IDAT is the second chunk."""

PNG = Png(np.arange(WIDTH * HEIGHT * 4).reshape(HEIGHT, WIDTH, 4) % 256)
FILE = PNG.file()
IMAGE = PNG.image()
STREAM = zlib.compress(IMAGE)
END = chunk(b"IEND")
IDAT = chunk(b"IDAT", STREAM)
START = SIGNATURE + header(WIDTH, HEIGHT)
GREY_START = SIGNATURE + header(WIDTH, HEIGHT, colour=GREY)
PALETTE_START = SIGNATURE + header(WIDTH, HEIGHT, colour=PALETTE)


def with_stream(stream: bytes) -> bytes:
    return PNG.around(stream)


def with_header(**fields: int) -> bytes:
    return SIGNATURE + header(**({"width": WIDTH, "height": HEIGHT} | fields)) + IDAT + END


def changed(at: int, value: int) -> bytes:
    """The file with one byte changed."""
    return FILE[:at] + bytes([value]) + FILE[at + 1 :]


CASES = {
    # name: (file, kind, byte offset)
    "empty": (b"", "truncated", 0),
    "half a signature": (SIGNATURE[:5], "truncated", 5),
    "a JPEG": (b"\xff\xd8\xff\xe0", "not-a-png", 0),
    "line ends changed": (SIGNATURE.replace(b"\r\n", b"\n") + FILE[8:], "not-a-png", 4),
    "nothing behind the signature": (SIGNATURE, "truncated", 8),
    "cut in a length": (FILE[: BEHIND_IHDR + 3], "truncated", BEHIND_IHDR + 3),
    "cut in the image data": (FILE[: len(FILE) // 2], "truncated", len(FILE) // 2),
    "cut in the last CRC": (FILE[:-1], "truncated", len(FILE) - 1),
    "no IEND": (START + IDAT, "truncated", len(START + IDAT)),
    "a chunk longer than the file": (
        START + chunk(b"IDAT", STREAM, length=1 << 30) + END,
        "truncated",
        len(START + IDAT + END),
    ),
    "a chunk longer than the format allows": (
        START + chunk(b"IDAT", STREAM, length=1 << 31) + END,
        "header",
        BEHIND_IHDR,
    ),
    "a type of no letters": (START + chunk(b"ID T", STREAM) + END, "header", BEHIND_IHDR + 4),
    "CRC of IHDR": (changed(IHDR_DATA + 13, FILE[IHDR_DATA + 13] ^ 1), "crc", IHDR_DATA + 13),
    "CRC of IDAT": (START + chunk(b"IDAT", STREAM, crc=1) + END, "crc", IMAGE_DATA + len(STREAM)),
    "CRC of an unknown chunk": (START + chunk(b"prVt", b"..", crc=1) + IDAT + END, "crc", IMAGE_DATA + 2),
    "a byte of IDAT changed": (changed(IMAGE_DATA + 9, FILE[IMAGE_DATA + 9] ^ 1), "crc", IMAGE_DATA + len(STREAM)),
    "IHDR not first": (SIGNATURE + chunk(b"prVt") + FILE[8:], "order", 8),
    "IHDR of 12 bytes": (SIGNATURE + chunk(b"IHDR", bytes(12)) + IDAT + END, "header", 8),
    "a second IHDR": (START + header(WIDTH, HEIGHT) + IDAT + END, "order", BEHIND_IHDR),
    "width 0": (with_header(width=0), "header", IHDR_DATA),
    "height 0": (with_header(height=0), "header", IHDR_DATA + 4),
    "width above the limit": (with_header(width=16385), "too-large", IHDR_DATA),
    "height above the limit": (with_header(height=1 << 31), "too-large", IHDR_DATA + 4),
    "too many pixels": (with_header(width=16384, height=4097), "too-large", IHDR_DATA),
    "bit depth 3": (with_header(depth=3), "header", IHDR_DATA + 8),
    "bit depth 4 of RGBA": (with_header(depth=4), "header", IHDR_DATA + 8),
    "bit depth 16 of a palette": (with_header(depth=16, colour=PALETTE), "header", IHDR_DATA + 8),
    "colour type 5": (with_header(colour=5), "header", IHDR_DATA + 9),
    "colour type 7": (with_header(colour=7), "header", IHDR_DATA + 9),
    "compression 1": (with_header(compression=1), "header", IHDR_DATA + 10),
    "filter method 1": (with_header(filters=1), "header", IHDR_DATA + 11),
    "interlace 2": (with_header(interlace=2), "header", IHDR_DATA + 12),
    "an unknown critical chunk": (START + chunk(b"CRIT", b"x") + IDAT + END, "unsupported", BEHIND_IHDR + 4),
    "no IDAT": (START + END, "order", BEHIND_IHDR),
    "a chunk between IDATs": (
        START + chunk(b"IDAT", STREAM[:9]) + chunk(b"prVt") + chunk(b"IDAT", STREAM[9:]) + END,
        "order",
        BEHIND_IHDR + 12 + 9 + 12,
    ),
    "IEND with data": (START + IDAT + chunk(b"IEND", b"x"), "header", len(START + IDAT) + 8),
    "a palette picture without PLTE": (PALETTE_START + IDAT + END, "order", BEHIND_IHDR),
    "PLTE behind IDAT": (START + IDAT + chunk(b"PLTE", b"abc") + END, "order", len(START + IDAT)),
    "a second PLTE": (START + chunk(b"PLTE", b"abc") * 2 + IDAT + END, "order", BEHIND_IHDR + 15),
    "PLTE of a grey picture": (GREY_START + chunk(b"PLTE", b"abc") + IDAT + END, "order", BEHIND_IHDR),
    "PLTE of 4 bytes": (PALETTE_START + chunk(b"PLTE", b"abcd") + IDAT + END, "header", BEHIND_IHDR),
    "PLTE of no entry": (PALETTE_START + chunk(b"PLTE") + IDAT + END, "header", BEHIND_IHDR),
    "PLTE above the bit depth": (
        SIGNATURE + header(WIDTH, HEIGHT, 1, PALETTE) + chunk(b"PLTE", bytes(9)) + IDAT + END,
        "header",
        BEHIND_IHDR,
    ),
    "tRNS before PLTE": (
        PALETTE_START + chunk(b"tRNS", b"x") + chunk(b"PLTE", b"abc") + IDAT + END,
        "order",
        BEHIND_IHDR,
    ),
    "tRNS behind IDAT": (START + IDAT + chunk(b"tRNS", b"x") + END, "order", len(START + IDAT)),
    "tRNS of 3 bytes in a grey picture": (GREY_START + chunk(b"tRNS", b"xyz") + IDAT + END, "header", BEHIND_IHDR),
    "zlib method": (with_stream(b"\x77\x85" + STREAM[2:]), "zlib", IMAGE_DATA),
    "zlib window": (with_stream(b"\x88\x1c" + STREAM[2:]), "zlib", IMAGE_DATA),
    "zlib check bits": (with_stream(b"\x78\x9d" + STREAM[2:]), "zlib", IMAGE_DATA + 1),
    "zlib dictionary": (with_stream(b"\x78\xbb" + STREAM[2:]), "zlib", IMAGE_DATA + 1),
    "a zlib stream of 5 bytes": (with_stream(STREAM[:5]), "zlib", IMAGE_DATA + 5),
    "DEFLATE that is none": (with_stream(STREAM[:2] + b"\xff" * 20 + STREAM[-4:]), "zlib", IMAGE_DATA),
    "half a zlib stream": (with_stream(STREAM[: len(STREAM) // 2]), "zlib", IMAGE_DATA),
    "Adler-32": (with_stream(STREAM[:-1] + bytes([STREAM[-1] ^ 1])), "adler", IMAGE_DATA + len(STREAM) - 4),
    "bytes behind the zlib stream": (with_stream(STREAM + b"."), "size-mismatch", IMAGE_DATA + len(STREAM)),
    "a row too many": (with_stream(zlib.compress(IMAGE + bytes(WIDTH * 4 + 1))), "size-mismatch", IMAGE_DATA),
    "a byte too many": (with_stream(zlib.compress(IMAGE + b"\0")), "size-mismatch", IMAGE_DATA),
    "a byte too few": (with_stream(zlib.compress(IMAGE[:-1])), "size-mismatch", IMAGE_DATA),
    "no image data": (with_stream(zlib.compress(b"")), "size-mismatch", IMAGE_DATA),
    "filter 5": (with_stream(zlib.compress(b"\5" + IMAGE[1:])), "filter", IMAGE_DATA),
    "filter 255 in the last row": (
        with_stream(zlib.compress(IMAGE[: -WIDTH * 4 - 1] + b"\xff" + IMAGE[-WIDTH * 4 :])),
        "filter",
        IMAGE_DATA,
    ),
}


@pytest.mark.parametrize(("data", "kind", "byte_offset"), CASES.values(), ids=CASES)
def test_refused(data: bytes, kind: str, byte_offset: int) -> None:
    with pytest.raises(PictureError) as caught:
        decode_png(data)
    assert (caught.value.kind, caught.value.byte_offset) == (kind, byte_offset), caught.value
    assert f"byte {byte_offset}" in str(caught.value)
    assert isinstance(caught.value, MediacoreError)
    assert isinstance(caught.value, ValueError)


def test_the_error_names_the_chunk() -> None:
    with pytest.raises(PictureError, match=r"CRC.*IDAT"):
        decode_png(CASES["CRC of IDAT"][0])


def test_errors_leave_the_decoder_as_it_was() -> None:
    """The decoder of a bad picture is used for the next one."""
    expected = decode_png(FILE).y.tolist()
    for data, _, _ in CASES.values():
        with pytest.raises(PictureError):
            decode_png(data)
        assert decode_png(FILE).y.tolist() == expected


def test_offsets_in_the_second_idat() -> None:
    """The place of the Adler-32 is one in the file, whatever chunks the stream is cut into."""
    png = Png(PNG.samples, idat_bytes=30)
    stream = STREAM[:-1] + bytes([STREAM[-1] ^ 1])
    chunks, rest = divmod(len(stream) - 4, 30)
    with pytest.raises(PictureError) as caught:
        decode_png(png.around(stream))
    assert caught.value.byte_offset == BEHIND_IHDR + chunks * (30 + 12) + 8 + rest


def test_a_bomb_is_refused_unseen() -> None:
    """256 MB claimed by a header, of which 20 bytes of image data can hold 20 kB."""
    png = with_header(width=8192, height=8192)
    with pytest.raises(PictureError) as caught:
        decode_png(png)
    assert (caught.value.kind, caught.value.byte_offset) == ("size-mismatch", IMAGE_DATA)


def test_too_many_chunks() -> None:
    data = START + chunk(b"prVt") * 4096 + IDAT + END
    with pytest.raises(PictureError) as caught:
        decode_png(data)
    assert (caught.value.kind, caught.value.byte_offset) == ("too-large", BEHIND_IHDR + 4095 * 12)


def test_interlaced_data_must_be_exact_too() -> None:
    samples = np.zeros((5, 3, 3), int)
    png = Png(samples, colour=RGB, interlaced=True)
    image = png.image()
    assert decode_png(png.around(zlib.compress(image))).size == (3, 5)
    for wrong in (image + b"\0", image[:-1]):
        with pytest.raises(PictureError, match="size-mismatch"):
            decode_png(png.around(zlib.compress(wrong)))


def test_every_cut_of_a_file_is_refused() -> None:
    for end in range(len(FILE)):
        with pytest.raises(PictureError) as caught:
            decode_png(FILE[:end])
        assert caught.value.kind == "truncated"
        assert caught.value.byte_offset == end


def test_every_changed_byte_is_noticed() -> None:
    """A bit anywhere, in length, type, data or checksum."""
    for at in range(len(FILE)):
        with pytest.raises(PictureError):
            decode_png(changed(at, FILE[at] ^ 0x10))


def test_a_stored_length_of_all_ones() -> None:
    data = bytearray(FILE)
    data[BEHIND_IHDR : BEHIND_IHDR + 4] = struct.pack(">I", 0xFFFFFFFF)
    with pytest.raises(PictureError) as caught:
        decode_png(data)
    assert (caught.value.kind, caught.value.byte_offset) == ("header", BEHIND_IHDR)

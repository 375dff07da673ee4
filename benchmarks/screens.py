"""Screens of an Android phone, drawn here, and PNG files of them with the bytes that `screencap -p` would write.

screencap compresses through Skia, which uses libpng with all filters and zlib's level 6. So a row's filter is the one
with the least sum of absolute residuals, the zlib strategy is Z_FILTERED, and IDATs are 8192 bytes long.
`python benchmarks/screens.py --check FOLDER` writes the files and compares them with libpng's own (it wants a C
compiler and libpng-dev).
"""

from __future__ import annotations

import argparse
import functools
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZES = {"1080x2400": (1080, 2400), "1080x1920": (1080, 1920), "720x1280": (720, 1280)}
KINDS = ("text", "list", "gradient", "thumbs", "photo")
"""What a screen shows: pages of text, lists, lists on a gradient, lists with thumbnails, one large photograph."""
NOISE = "noise"
"""The worst case, told apart: a photograph with so much grain that libpng chooses Average for nearly all rows."""
FILTERS = ("None", "Sub", "Up", "Average", "Paeth")

_TEXT = (
    "morning river copper window quiet letter bridge garden signal harbour almost market stone paper silver train "
    "below music never orange north village cloud lamp story before winter answer simple engine yellow corner fabric"
)
_WORDS = _TEXT.split()

LIBPNG_PROGRAM = r"""
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const png_uint_32 width = strtoul(argv[1], NULL, 10), height = strtoul(argv[2], NULL, 10);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_bytep row = malloc(width * 4);
  if (setjmp(png_jmpbuf(png))) return 1;
  png_init_io(png, stdout);
  png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
  png_set_compression_level(png, 6);
  const png_color_8 bits = {8, 8, 8, 8, 8};
  png_set_sBIT(png, info, &bits);
  png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
  png_write_info(png, info);
  for (png_uint_32 y = 0; y < height; ++y) {
    if (fread(row, 4, width, stdin) != width) return 1;
    png_write_row(png, row);
  }
  png_write_end(png, info);
  return fflush(stdout) != 0;
}
"""


def filtered(pixels: np.ndarray) -> np.ndarray:
    """Rows behind their filters, (height, 1 + width * channels), each filter chosen as libpng does."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels).astype(np.int16)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])

    def shifted(of: np.ndarray) -> np.ndarray:
        return np.hstack([np.zeros((height, channels), np.int16), of[:, :-channels]])

    left, corner = shifted(rows), shifted(above)
    to_left, to_above, to_corner = np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, above, corner)
    nearest = np.where((to_left <= to_above) & (to_left <= to_corner), left, nearest)
    out = np.empty((height, 1 + width * channels), np.uint8)
    least = np.full(height, np.iinfo(np.int64).max)
    for number, prediction in enumerate((0, left, above, (left + above) // 2, nearest)):
        residuals = (rows - prediction).astype(np.uint8)
        cost = np.minimum(residuals, -residuals.astype(np.int16) & 0xFF).sum(axis=1, dtype=np.int64)
        better = cost < least
        out[better, 0], out[better, 1:], least[better] = number, residuals[better], cost[better]
    return out


def screencap_png(pixels: np.ndarray) -> bytes:
    """(height, width, 4 or 3) as the PNG that `screencap -p` would write."""
    height, width, channels = pixels.shape
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_FILTERED)
    stream = b"".join([*(deflate.compress(row) for row in filtered(pixels)), deflate.flush()])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6 if channels == 4 else 2, 0, 0, 0)),
            chunk(b"sRGB", b"\0"),
            chunk(b"sBIT", b"\x08" * channels),
            *(chunk(b"IDAT", stream[at : at + 8192]) for at in range(0, len(stream), 8192)),
            chunk(b"IEND", b""),
        ]
    )


def photograph(rng: np.random.Generator, width: int, height: int, grain: float) -> Image.Image:
    """Soft shapes of all sizes on a blurred ground, with some grain: libpng filters them by Paeth, as real ones."""
    ground = rng.normal(128, 16, (height // 9 + 2, width // 9 + 2, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(ground).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(width * height // 320):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        reach = 3 + int(rng.exponential(width / 17))
        colour = tuple(int(c) for c in rng.integers(25, 230, 3))
        if rng.random() < 0.5:
            draw.ellipse((x - reach, y - reach, x + reach, y + reach // 2), fill=colour)
        else:
            corners = rng.normal((x, y), reach, (3, 2)).astype(int)
            draw.polygon([tuple(int(v) for v in corner) for corner in corners], fill=colour)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float64)
    return Image.fromarray((soft + rng.normal(0, grain, (height, width, 1))).clip(0, 255).astype(np.uint8))


class _Page:
    """One screen being drawn; lengths are those of a screen 1080 pixels wide."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.size = size
        self.rng = np.random.default_rng(seed)
        self.image = Image.new("RGB", size, (250, 250, 252))
        self.draw = ImageDraw.Draw(self.image)

    def px(self, length: float) -> int:
        return round(length * self.size[0] / 1080)

    def words(self, count: int) -> str:
        return " ".join(self.rng.choice(_WORDS, count))

    def text(self, x: float, y: float, words: str, height: float, colour: tuple[int, int, int]) -> None:
        font = ImageFont.load_default(self.px(height))
        self.draw.text((self.px(x), self.px(y)), words, font=font, fill=colour)

    def paragraphs(self) -> None:
        for y in range(270, round(self.size[1] * 1080 / self.size[0]), 58):
            if self.rng.random() > 0.08:
                self.text(44, y, self.words(8), 36, (22, 22, 22))

    def rows(self, *, thumbnails: bool) -> None:
        width, _ = self.size
        for y in range(250, round(self.size[1] * 1080 / self.size[0]), 172):
            if thumbnails:
                picture = photograph(self.rng, self.px(300), self.px(150), 1)
                self.image.paste(picture, (self.px(40), self.px(y + 10)))
            else:
                colour = tuple(int(c) for c in self.rng.integers(60, 230, 3))
                self.draw.ellipse(tuple(map(self.px, (40, y + 22, 164, y + 146))), fill=colour)
            x = 372 if thumbnails else 204
            self.text(x, y + 22, self.words(3), 44, (20, 20, 20))
            self.text(x, y + 88, self.words(5), 34, (112, 112, 112))
            self.draw.line((self.px(x), self.px(y + 168), width, self.px(y + 168)), fill=(224, 224, 224), width=2)

    def shade(self) -> None:
        """Put a gradient behind what is drawn so far."""
        flat = np.asarray(self.image)
        width, height = self.size
        down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
        gradient = down * (40, 90, 190) + across * (120, 50, 24) + (30, 20, 30)
        ground = (flat == flat[-1, 0]).all(axis=2, keepdims=True)
        self.image = Image.fromarray(np.where(ground, gradient, flat).clip(0, 255).astype(np.uint8))
        self.draw = ImageDraw.Draw(self.image)

    def bars(self, clock: str) -> None:
        width, _ = self.size
        self.draw.rectangle((0, 0, width, self.px(84)), fill=(74, 20, 140))
        self.draw.rectangle((0, self.px(84), width, self.px(240)), fill=(106, 27, 154))
        self.text(40, 20, clock, 40, (255, 255, 255))
        self.text(40, 120, "Conversations", 54, (255, 255, 255))


@functools.lru_cache(maxsize=64)
def pixels(kind: str, size: tuple[int, int], clock: str = "12:34") -> np.ndarray:
    """(height, width, 4), R G B A with alpha 255. Equal arguments give equal pixels."""
    width, height = size
    page = _Page(size, seed=sum(map(ord, kind)) + width + height)
    if kind == "text":
        page.paragraphs()
    elif kind == "photo":
        page.image.paste(photograph(page.rng, width - page.px(80), height // 2, 1), (page.px(40), page.px(400)))
    elif kind == NOISE:
        page.image = photograph(page.rng, width, height, 6)
    else:
        page.rows(thumbnails=kind == "thumbs")
    if kind == "gradient":
        page.shade()
    if kind != NOISE:
        page.bars(clock)
    return np.dstack([np.asarray(page.image), np.full((height, width), 255, np.uint8)])


@functools.lru_cache(maxsize=64)
def png(kind: str, size: tuple[int, int], clock: str = "12:34") -> bytes:
    """The PNG of `pixels` with the same arguments."""
    return screencap_png(pixels(kind, size, clock))


def facts(kind: str, size: tuple[int, int]) -> str:
    """Size, and shares of filters and of rows that are as the row above: what a decoder's speed depends on."""
    rows = filtered(pixels(kind, size))
    shares = np.bincount(rows[:, 0], minlength=5) * 100 // len(rows)
    repeats = ((rows[:, 0] == 2) & ~rows[:, 1:].any(axis=1)).mean()
    windows = rows[:, 1 : 1 + (rows.shape[1] - 1) // 64 * 64].reshape(len(rows), -1, 64)
    data = png(kind, size)
    return (
        f"{len(data) / 1000:6.0f} kB, 1:{pixels(kind, size).nbytes / len(data):4.1f}, {'/'.join(FILTERS)} "
        f"{'/'.join(map(str, shares))} %, as above {repeats:.0%}, zero windows {1 - windows.any(axis=2).mean():.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    parser.add_argument("--check", action="store_true", help="compare with libpng")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source, program = Path(scratch) / "encode.c", Path(scratch) / "encode"
        if arguments.check:
            source.write_text(LIBPNG_PROGRAM)
            subprocess.run(["cc", "-O2", source, "-o", program, "-lpng"], check=True)
        for name, size in SIZES.items():
            for kind in (*KINDS, NOISE):
                data = png(kind, size)
                (arguments.folder / f"{kind}_{name}.png").write_bytes(data)
                told = ""
                if arguments.check:
                    raw = pixels(kind, size).tobytes()
                    made = subprocess.run([program, *map(str, size)], input=raw, capture_output=True, check=True).stdout
                    told = ", as libpng" if made == data else ", NOT AS LIBPNG"
                print(f"{kind:9}{name:10} {facts(kind, size)}{told}", flush=True)


if __name__ == "__main__":
    main()

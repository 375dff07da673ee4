"""PngSuite: 161 valid files decode to the known pixels, 14 corrupt ones are refused.

The files have a licence of their own, so they are not part of the repository: they are looked for beside it, or where
MEDIACORE_DATA points.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from png_files import exact_planes

from mediacore import _core
from mediacore.picture import PictureError, decode_png

FOLDER = Path(os.environ.get("MEDIACORE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "png" / "pngsuite"
TABLE: dict[str, dict[str, Any]] = (
    json.loads((FOLDER / "expected.json").read_text()) if (FOLDER / "expected.json").exists() else {}
)

pytestmark = pytest.mark.skipif(
    not TABLE, reason="PngSuite is not there: set MEDIACORE_DATA to the folder that holds png/pngsuite/expected.json"
)


def read(name: str) -> bytes:
    data = (FOLDER / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == TABLE[name]["sha256"], f"{name} is not the file of the table"
    return data


def test_the_suite_is_whole() -> None:
    valid = [entry["valid"] for entry in TABLE.values()]
    assert (valid.count(True), valid.count(False)) == (161, 14)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry["valid"]])
def test_valid(name: str) -> None:
    entry, data = TABLE[name], read(name)
    pixels, *size = _core.decode_png_rgba(data)
    assert size == [entry["width"], entry["height"]]
    assert hashlib.sha256(pixels).hexdigest() == entry["rgba8_sha256"]
    frame = decode_png(data)
    rgb = np.frombuffer(pixels, np.uint8).reshape(entry["height"], entry["width"], 4)[..., :3]
    for plane, exact in zip((frame.y, frame.u, frame.v), exact_planes(rgb, "bt709"), strict=True):
        assert np.abs(plane - exact).max() <= 1


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if not entry["valid"]])
def test_corrupt(name: str) -> None:
    data = read(name)
    for decode in (decode_png, _core.decode_png_rgba):
        with pytest.raises(PictureError):
            decode(data)

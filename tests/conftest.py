"""What tests of several rooms need: small recordings."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def encode(
    path: Path, *, size: tuple[int, int] = (160, 128), frames: int = 30, fps: int = 30, gop: int = 30, **options: str
) -> Path:
    """Write moving pictures to ``path``: Annex B, or MP4 if its name ends so."""
    is_mp4 = path.suffix == ".mp4"
    with av.open(str(path), "w", format="mp4" if is_mp4 else "h264") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.codec_context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:log-level=none",
        } | options
        for n in range(frames):
            picture = np.zeros((size[1] * 3 // 2, size[0]), np.uint8)
            picture[: size[1]] = (np.arange(size[0]) * 2 + n * 8) % 200 + 16
            picture[size[1] :] = 128
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a recording, once per set of arguments."""
    folder = tmp_path_factory.mktemp("recordings")
    made: dict[str, Path] = {}

    def make(name: str = "moving.h264", **options: object) -> Path:
        key = repr((name, sorted(options.items())))
        if key not in made:
            place = folder / str(len(made))
            place.mkdir()
            made[key] = encode(place / name, **options)  # type: ignore[arg-type]
        return made[key]

    return make

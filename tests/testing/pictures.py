"""What a recording shows."""

from dataclasses import dataclass

import av
import numpy as np

from mediacore.testing import barcode
from mediacore.testing.barcode import BarCode
from mediacore.testing.scenes import DOT_COLOUR


@dataclass(frozen=True, eq=False)
class Shown:
    """One decoded picture."""

    luma: np.ndarray
    v: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.luma.shape[1], self.luma.shape[0]

    @property
    def code(self) -> BarCode | None:
        return barcode.read(self.luma)

    @property
    def dot(self) -> tuple[int, int] | None:
        """The middle of what is red, None without."""
        rows, columns = np.nonzero(self.v > (DOT_COLOUR[2] + 128) // 2)
        return (int(columns.mean() * 2), int(rows.mean() * 2)) if len(rows) > 20 else None


class Decoder:
    """Annex B bytes in, pictures out; a picture comes when the next one begins, or at ``end``."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("h264", "r")

    def push(self, data: bytes) -> list[Shown]:
        return [shown for packet in self._context.parse(data) for shown in self._decode(packet)]

    def end(self) -> list[Shown]:
        rest = [shown for packet in self._context.parse(None) for shown in self._decode(packet)]
        return rest + self._decode(None)

    def _decode(self, packet: av.Packet | None) -> list[Shown]:
        shown = []
        for frame in self._context.decode(packet):
            block = frame.to_ndarray(format="yuv420p")
            chroma = block[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
            shown.append(Shown(block[: frame.height], chroma[1]))
        return shown


def decode(data: bytes) -> list[Shown]:
    """All pictures of an Annex B stream."""
    decoder = Decoder()
    return decoder.push(data) + decoder.end()

"""The source ``publish``: packets that a program of one's own pushes.

Policy: nothing is re-encoded, reordered or held back; a packet is sent as soon as it is pushed. A key frame that a
viewer needs is asked of the publisher, if it said how; otherwise who comes late gets the pictures since the last one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from mediacore.capture.source import SourceStats
from mediacore.errors import LimitError, UnsupportedError
from mediacore.media import Applied, DropCause, Packet, StreamDescription, Target, Unsupported
from mediacore.media_loop import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore import _core
    from mediacore.errors import MediacoreError
    from mediacore.media_loop import MediaLoop

VIDEO_CODECS: Final = ("h264", "vp8", "vp9", "av1")
AUDIO_CODEC: Final = "opus"


class Publication:
    """One published stream, from ``open`` to ``close``.

    Args:
        name: what it is called in errors.
        codec: of the video packets: ``h264``, ``vp8``, ``vp9`` or ``av1``.
        has_audio: True if Opus packets will come too.
        size: (width, height) in pixels, for the codecs whose packets do not tell; H.264's do.
        on_key_frame_request: called when a key frame is needed; must not block.
    """

    kind = "publish"
    control = None

    def __init__(
        self,
        name: str,
        *,
        codec: str,
        has_audio: bool,
        size: tuple[int, int] | None,
        on_key_frame_request: Callable[[], None] | None,
    ) -> None:
        if codec not in VIDEO_CODECS:
            raise UnsupportedError(f"{codec} cannot be published; there are: {', '.join(VIDEO_CODECS)}")
        self._name = name
        self.codec = codec
        self.has_audio = has_audio
        self._size = size
        self._on_key_frame_request = on_key_frame_request
        self._description: StreamDescription | None = None
        self._loop: MediaLoop | None = None
        self._rendition = 0
        self._audio = 0
        self._epoch: int | None = None  # of the publisher's last video packet
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._dropped: Counter[DropCause] = Counter()

    @property
    def key_frames_on_request(self) -> bool:
        """As the publisher said."""
        return self._on_key_frame_request is not None

    @property
    def description(self) -> StreamDescription | None:
        """What is being published; None before the first key frame."""
        return self._description

    async def open(
        self, loop: MediaLoop, rendition: int, audio: int, on_end: Callable[[MediacoreError | None], None]
    ) -> None:
        """Take packets from now on."""
        self._loop, self._rendition, self._audio, self._on_end = loop, rendition, audio, on_end
        if self._size is not None and self.codec != "h264":
            loop.native.describe(rendition, width=self._size[0], height=self._size[1])

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> StreamDescription:
        """As the packets have it; what is published is never turned."""
        self._description = StreamDescription(self.codec, width, height, profile_level_id, 0, epoch)
        return self._description

    def push(self, packet: Packet) -> None:
        """Send one packet to all who watch.

        Raises ``UnsupportedError`` for a packet of another kind than was agreed, or after the end, and ``LimitError``
        if the media loop cannot take more now; then the packet is dropped, and counted.
        """
        if self._loop is None or self._on_end is None or not self._loop.running:
            raise UnsupportedError(f"{self._name} is not published any more")
        rendition, codec = (self._rendition, self.codec) if packet.kind == "video" else (self._audio, AUDIO_CODEC)
        if not rendition:
            raise UnsupportedError(f"{self._name} is published without audio")
        if packet.codec != codec:
            raise UnsupportedError(f"{self._name} carries {codec}, not {packet.codec}")
        try:
            with command():
                taken = self._hand_over(self._loop.native, rendition, packet)
        except LimitError:
            taken = False
        if not taken:
            self._dropped[DropCause.SLOW_CONSUMER] += 1
            raise LimitError(f"{self._name}: the media loop cannot take more packets now; this one is dropped")

    def _hand_over(self, native: _core.MediaLoop, rendition: int, packet: Packet) -> bool:
        if packet.kind == "video":
            if self._epoch is not None and packet.epoch != self._epoch:
                native.new_epoch(rendition)
            self._epoch = packet.epoch
        return native.push(
            rendition, packet.data, pts_us=packet.pts_us, is_key=packet.is_key, received_us=packet.received_us
        )

    async def request_key_frame(self) -> bool:
        """Asks the publisher; False if it has not said how."""
        if self._on_key_frame_request is None or self._on_end is None:
            return False
        self._on_key_frame_request()
        return True

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """The publisher encodes as it likes."""
        return Unsupported("a published stream is sent as it comes")

    async def close(self) -> None:
        """Take nothing more; those who watch are told."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(None)

    def stats(self) -> SourceStats:
        """Counts so far."""
        epoch = self._description.epoch if self._description is not None else 0
        return SourceStats(max(0, epoch - 1), 0, dict(self._dropped))

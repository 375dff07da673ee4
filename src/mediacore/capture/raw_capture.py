"""The life of a source of raw pictures, whatever program they come from: opened, tried again after failures, closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from mediacore.capture.captured_device import CapturedDevice
from mediacore.capture.frame_outlet import FrameOutlet
from mediacore.capture.retries import Retries
from mediacore.capture.shots import OversizeError, SlotSize
from mediacore.errors import AdbError, CaptureError, DeviceDisconnectedError, DeviceError, MediacoreError
from mediacore.media_loop import monotonic_us

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.adb.client import AdbClient
    from mediacore.media import Frame
    from mediacore.settings import StreamSettings

log = logging.getLogger(__name__)


class RawCapture:
    """One device, the outlet of its frames, and the task that captures it by attempts."""

    def __init__(
        self,
        adb: AdbClient,
        serial: str,
        settings: StreamSettings,
        *,
        attempt: Callable[[], Awaitable[None]],
        on_turned: Callable[[], None],
        on_input: Callable[[], None] | None = None,
    ) -> None:
        """``attempt`` captures until something is to be done otherwise, and raises when it cannot; it is called again
        in both cases. ``on_turned`` and ``on_input`` as ``CapturedDevice`` has them.
        """
        self.adb = adb
        self.serial = serial
        self.outlet = FrameOutlet()
        self.device = CapturedDevice(
            adb,
            serial,
            rotation_poll_s=settings.rotation_poll_s,
            picture_size=lambda: self.outlet.size,
            on_turned=on_turned,
            on_input=on_input,
        )
        self.slots = SlotSize()
        self.wanted = asyncio.Event()
        """Set while somebody takes frames."""
        self._attempt = attempt
        self._retries = Retries()
        self._on_end: Callable[[MediacoreError | None], None] | None = None
        self._working: asyncio.Task[None] | None = None

    async def open(self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None]) -> None:
        """As ``FrameSource.open``: ask what the device is, and begin."""
        self.outlet.open(push)
        try:
            await self.device.open()
            self.slots.fit(self.device.display.natural)
        except BaseException:
            await self.close()
            raise
        self._on_end = on_end
        self._working = asyncio.create_task(self._work(), name=f"capture of {self.serial}")

    async def close(self) -> None:
        """End the attempt that is being made, and free the device. May be repeated."""
        self._on_end = None
        async with contextlib.AsyncExitStack() as rest:  # which is freed even if this is cancelled
            rest.push_async_callback(self.device.close)
            rest.callback(self.outlet.close)
            if self._working is not None:
                self._working.cancel()
                await asyncio.gather(self._working, return_exceptions=True)

    def want(self, fps: float) -> None:
        """Tell whether somebody takes frames. To be called before frames come again, and after the last one."""
        if fps > 0:
            self.outlet.resume(monotonic_us())
            self.wanted.set()
        else:
            self.outlet.pause(monotonic_us())
            self.wanted.clear()

    def repeat(self) -> None:
        """Push the newest frame again, from a thread as all others, if it is not from before a pause."""
        asyncio.get_running_loop().run_in_executor(None, self.outlet.put_again, monotonic_us())

    def gone(self, error: MediacoreError) -> DeviceDisconnectedError:
        """The error for a connection that could not be opened."""
        return DeviceDisconnectedError(self.serial, f"the device is gone: {error}")

    async def _work(self) -> None:
        try:
            error = await self._attempt_until_it_fails()
        except Exception as failure:  # the top frame of a task: who watches must hear of it
            log.exception("the capture of %s has failed", self.serial)
            error = CaptureError(self.serial, f"its capture has failed: {failure!r}")
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(error)

    async def _attempt_until_it_fails(self) -> MediacoreError:
        error: MediacoreError = CaptureError(self.serial, "it gives no pictures")
        while not self._retries.used_up:
            began_us, pictures = monotonic_us(), self.outlet.pictures
            try:
                await self._retries.pause()
                await self._attempt_with_room()
            except (DeviceError, AdbError) as failure:
                log.info("%s", failure)
                error = failure
                # One that gave no picture is a failure, however long that took.
                self._retries.failed(began_us if self.outlet.pictures > pictures else None)
            else:
                self._retries.reset()
        return error

    async def _attempt_with_room(self) -> None:
        try:
            await self._attempt()
        except OversizeError:
            if not await self.slots.grow(self.device):
                raise
        except OSError as error:  # there is no thread or descriptor left for a reader, which may be over soon
            raise CaptureError(self.serial, f"it cannot be read: {error}") from error

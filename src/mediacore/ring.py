"""Frames on their way from one thread to another, or to asyncio: bounded, counted, without copies and without waits.

    ring: FrameRing[Frame] = FrameRing(8, "drop-oldest")
    dropped = ring.push(frame)                   # in the producer's thread: never waits
    async for frame in ring: ...                 # in the consumer's event loop, until it is closed and empty

``FrameRing`` carries any Python object and does not look into it. ``PooledFrameRing`` carries pictures in the slots of
a ``FramePool``, memory that is used again and again; its other side may be a native thread, which needs no GIL.

A ring has one producer and one consumer at a time; in Python they may be any threads. It survives no fork.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar

from mediacore import _ring
from mediacore._ring import Block
from mediacore.media import DropCause, Frame, QueueStats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

F = TypeVar("F")
T_co = TypeVar("T_co", covariant=True)

Policy: TypeAlias = Literal["drop-oldest", "latest", "block"]

__all__ = ["Block", "FramePool", "FrameRing", "Policy", "PooledFrameRing"]

_CAUSES = (DropCause.OVERFLOW, DropCause.DEADLINE, DropCause.CLOSED, DropCause.POOL_EXHAUSTED)


def _stats(channel: _ring.Channel) -> QueueStats:
    pushed, delivered, queued, dropped = channel._counts()
    causes = {cause: count for cause, count in zip(_CAUSES, dropped, strict=True) if count}
    return QueueStats(pushed, delivered, queued, causes)


class _Ring(Protocol[T_co]):
    """What can be iterated over."""

    _woken: asyncio.Future[None] | None
    _watching: asyncio.AbstractEventLoop | None

    @property
    def closed(self) -> bool: ...
    @property
    def _descriptor(self) -> int: ...
    def pop(self) -> T_co | None: ...
    def _arm(self) -> bool: ...
    def _disarm(self) -> None: ...
    def _drain(self) -> None: ...


async def _next(ring: _Ring[T_co]) -> T_co:
    while True:
        # In this order: what was pushed before the end is found.
        closed = ring.closed
        frame = ring.pop()
        if frame is not None:
            return frame
        if closed:
            raise StopAsyncIteration
        if ring._arm():
            await _sleep(ring)


async def _sleep(ring: _Ring[T_co]) -> None:
    """Until there may be something to pop, or the ring is closed; it is armed.

    The descriptor is watched a little longer: a consumer that comes back at once finds it so, and saves two system
    calls before each frame.
    """
    loop = asyncio.get_running_loop()
    ring._woken = loop.create_future()
    try:
        if ring._watching is not loop:
            loop.add_reader(ring._descriptor, _wake, ring)
            ring._watching = loop
        await ring._woken
        loop.call_soon(_leave, ring, loop)
    except BaseException:
        ring._woken = None
        _leave(ring, loop)
        ring._drain()
        raise
    finally:
        ring._woken = None
        ring._disarm()


def _wake(ring: _Ring[object]) -> None:
    ring._drain()
    if ring._woken is not None and not ring._woken.done():
        ring._woken.set_result(None)


def _leave(ring: _Ring[object], loop: asyncio.AbstractEventLoop) -> None:
    """Stop watching, if nobody waits."""
    if ring._woken is None and ring._watching is loop:
        ring._watching = None
        loop.remove_reader(ring._descriptor)


class FrameRing(_ring.FrameRing[F], Generic[F]):
    """A ring of frames: any Python objects but None.

    ``capacity`` is 1 to 65536. ``policy`` is what happens when the consumer is slower:

    - ``drop-oldest``: a full ring drops its oldest frame. So what is delivered is at most capacity + 1 frames old.
    - ``latest``: one frame, the newest, whatever the capacity.
    - ``block``: ``push`` waits for room.

    - ``push(frame, *, timeout_s=None) -> frame | None``: what was dropped: an older frame, or this one, if the ring is
      closed or (``block``) there was no room in ``timeout_s`` seconds. None: wait for as long as it takes; the GIL is
      released meanwhile, so wait in a thread and not in the event loop. Other policies never wait.
    - ``pop() -> frame | None``: the oldest; never waits.
    - ``close()``: nothing is taken any more, and whoever waits wakes. What is queued is still delivered.
    - ``closed``, ``capacity``.

    ValueError for a capacity or a policy that there is not.
    """

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[F]:
        """The frames, until the ring is closed and empty. RuntimeError for a second task that waits for one."""
        return self

    async def __anext__(self) -> F:
        """The next frame; StopAsyncIteration when there will be none."""
        return await _next(self)

    @property
    def stats(self) -> QueueStats:
        """Counts since the ring was made: pushed = delivered + queued + the sum of dropped."""
        return _stats(self)


class FramePool(_ring.FramePool):
    """Memory of pictures that is used again and again: ``slots`` slots of ``slot_bytes`` bytes, touched once.

    A slot goes back to the pool with the last view of it, wherever that is: frames may outlive their ring and the name
    of the pool. Nobody takes memory from a reader, so have as many slots as the capacities of the rings, the frames
    that are kept at a time, and two.

    - ``acquire(width, height, *, matrix="bt709", pts_us=0) -> Block | None``: a free slot to write an I420 picture
      into: planes Y, U, V one after the other, with ``stride`` (the width, rounded up to even) and ``stride / 2`` bytes
      a row. None if there is none; nothing waits. ValueError if the picture is larger than a slot. For one thread at a
      time.
    - ``slots``, ``slot_bytes``, ``in_use``, ``exhausted`` (times that none was free).

    ValueError for more than 4096 slots or 4 GiB.
    """

    __slots__ = ()


class PooledFrameRing(_ring.BlockRing):
    """A ring of pictures in the slots of a pool. What is popped are ``Frame``s, views that give the slot back at last.

    - ``push(block, *, timeout_s=None) -> bool``: hands a block of the pool over; it is empty then, its memory the
      consumer's. False: not taken (closed, or ``block`` and no room in time), and the block can be used again.
      BufferError while somebody has a view of the block; ValueError for one of another pool, or that was handed over.
    - ``count_exhausted()``: the producer had a picture and no block for it.
    - The rest as ``FrameRing``.
    """

    __slots__ = ()

    def push(self, block: Block, *, timeout_s: float | None = None) -> bool:
        """See the class."""
        return self._push_block(block, timeout_s)

    def pop(self) -> Frame | None:
        """The oldest picture; never waits."""
        block = self._pop_block()
        if block is None:
            return None
        return Frame.of_block(
            block, (block.width, block.height), block.stride, matrix=block.matrix, pts_us=block.pts_us
        )

    def __aiter__(self) -> AsyncIterator[Frame]:
        """As ``FrameRing``."""
        return self

    async def __anext__(self) -> Frame:
        """As ``FrameRing``."""
        return await _next(self)

    @property
    def stats(self) -> QueueStats:
        """Counts since the ring was made: pushed = delivered + queued + the sum of dropped."""
        return _stats(self)

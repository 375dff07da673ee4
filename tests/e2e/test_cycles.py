"""Viewers come and go, and nothing of them stays: tasks, file descriptors, threads, connections.

``MEDIACORE_CYCLES`` sets how many come and go, ``MEDIACORE_KILLS`` how many are killed, ``MEDIACORE_KILLED_TOGETHER``
how many of those are in one process.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from left_behind import Held, fill_thread_pool, held, settled

from mediacore import Engine, EngineSettings, RtcSettings, StreamSettings
from mediacore.errors import NoCommonCodecError, SdpError
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.testing.viewer import BuiltInViewer

CYCLES = int(os.environ.get("MEDIACORE_CYCLES", "20"))
KILLS = int(os.environ.get("MEDIACORE_KILLS", "4"))
KILLED_TOGETHER = int(os.environ.get("MEDIACORE_KILLED_TOGETHER", "2"))
GROWTH_KB = 8 * 1024
"""What the process may have grown by after the first third: an allocator's slack, not something for each viewer."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90 + CYCLES * 2 + KILLS * 5)]


def resident_kb() -> int:
    """Memory of this process in RAM, without pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("there is no RssAnon in /proc/self/status")


def grown(before: Held, after: Held) -> list[str]:
    return [
        f"{name}: {getattr(before, name)} -> {getattr(after, name)}"
        for name in Held.__dataclass_fields__
        if getattr(after, name) > getattr(before, name)
    ]


async def test_connect_view_close_leaves_nothing(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(
        recordings=(str(recordings(frames=60, gop=10)),), use_adb=False, stream=StreamSettings(grace_s=60)
    )
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        whep = f"{server.url}/api/v1/devices/file%3Amoving/whep"

        async def cycle() -> None:
            async with BuiltInViewer(whep) as viewer:
                await viewer.wait_frames(1)

        await fill_thread_pool()
        for _ in range(3):  # what is made once is made now: thread pools, the stream, a certificate
            await cycle()
        before = await settled(held(), 1.0)
        third_kb = 0
        for n in range(CYCLES):
            await cycle()
            if n == CYCLES // 3:
                third_kb = resident_kb()
        after = await settled(before)
        assert grown(before, after) == []
        assert engine.stats().sessions == ()
        assert resident_kb() - third_kb < GROWTH_KB
        print(f"{CYCLES} cycles: {before} -> {after}, {third_kb} -> {resident_kb()} kB")


async def test_killed_viewers_leave_nothing(recordings: Callable[..., Path]) -> None:
    """kill -9: nothing is said, no socket is closed in order."""
    settings = EngineSettings(
        recordings=(str(recordings(frames=60, gop=10)),),
        use_adb=False,
        rtc=RtcSettings(silence_timeout_s=2.0),
        stream=StreamSettings(grace_s=600),
    )
    async with Engine(settings) as engine, Server(engine, ServerSettings(port=0)) as server:
        whep = f"{server.url}/api/v1/devices/file%3Amoving/whep"

        async def kill_some() -> None:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, Path(__file__).parent / "killed_viewers.py", whep, str(KILLED_TOGETHER)),
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            try:
                assert await asyncio.wait_for(process.stdout.readline(), 60) == b"watching\n"
                sessions = [session for _, _, session in engine._sessions.snapshot()]
                assert len(sessions) == KILLED_TOGETHER
            finally:
                process.kill()
                await process.wait()
            reasons = await asyncio.wait_for(asyncio.gather(*(one.wait_closed() for one in sessions)), 10)
            assert set(reasons) == {"viewer-lost"}

        await fill_thread_pool()
        await kill_some()  # what is made once is made now
        before = await settled(held(), 1.0)
        third_kb = 0
        rounds = max(1, KILLS // KILLED_TOGETHER)
        for n in range(rounds):
            await kill_some()
            if n == rounds // 3:
                third_kb = resident_kb()
        after = await settled(before)
        assert grown(before, after) == []
        assert engine.stats().sessions == ()
        assert resident_kb() - third_kb < GROWTH_KB
        print(f"{rounds * KILLED_TOGETHER} killed: {before} -> {after}, {third_kb} -> {resident_kb()} kB")


async def test_failed_connects_leave_nothing(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(
        recordings=(str(recordings()),),
        use_adb=False,
        rtc=RtcSettings(connect_timeout_s=0.3),
        stream=StreamSettings(grace_s=60),
    )
    offer = Path(__file__).parent.parent.joinpath("rtc/data/chromium-156-video-data.sdp").read_text()
    foreign = re.sub("(VP8|VP9|AV1|H264)/90000", "H263/90000", offer)
    async with Engine(settings) as engine, engine.stream("file:moving"):
        await fill_thread_pool()
        before = held()
        for _ in range(max(5, CYCLES // 4)):
            with pytest.raises(SdpError):
                await engine.connect("file:moving", offer[:200])
            with pytest.raises(NoCommonCodecError):
                await engine.connect("file:moving", foreign)
            # a viewer that never comes, and one that is cancelled while it waits
            never = await engine.connect("file:moving", offer)
            cancelled = asyncio.create_task(engine.connect("file:moving", offer))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            assert await never.wait_closed() == "connect-timeout"
        after = await settled(before)
        assert grown(before, after) == []
        assert engine.stats().sessions == ()
        print(f"{max(5, CYCLES // 4)} rounds of failed connects: {before} -> {after}")

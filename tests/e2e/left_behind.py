"""Counts of what a process holds, to see what a test leaves behind."""

import asyncio
import gc
import os
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """What a process holds at one moment."""

    tasks: int
    fds: int
    threads: int
    sockets: int


def held() -> Held:
    """Counts of this process now, after the garbage has been collected."""
    gc.collect()
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    return Held(
        tasks=len(asyncio.all_tasks()),
        fds=len(links),
        threads=threading.active_count(),
        sockets=sum(link.startswith("socket:") for link in links),
    )


def _is_open(fd: str) -> bool:
    try:
        os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return False
    return True


async def settled(expected: Held, timeout_s: float = 5.0) -> Held:
    """The counts as soon as none is above ``expected``, or those at the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        now = held()
        within = now.tasks <= expected.tasks and now.fds <= expected.fds and now.threads <= expected.threads
        if within or loop.time() > deadline:
            return now
        await asyncio.sleep(0.05)  # sockets close in callbacks of the loop: there is no event for the last of them


async def fill_thread_pool() -> None:
    """Start all threads of asyncio's own pool: it grows when it is used, up to its limit, and that is no leak."""
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.05) for _ in range(64)))

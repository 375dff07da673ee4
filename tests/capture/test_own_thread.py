"""Work in a thread of its own."""

import asyncio
import threading

import pytest

from mediacore.capture.own_thread import in_own_thread


async def test_results_and_errors_come_back() -> None:
    name = await in_own_thread(lambda: threading.current_thread().name, name="worker", wake=lambda: None)
    assert name == "worker"

    def fails() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await in_own_thread(fails, name="worker", wake=lambda: None)


async def test_a_cancelled_one_is_woken_and_waited_for() -> None:
    woken, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def works() -> None:
        begun.set()
        assert woken.wait(10)
        ended.set()

    task = asyncio.create_task(in_own_thread(works, name="worker", wake=woken.set))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_one_that_fails_while_it_is_cancelled_is_cancelled() -> None:
    woken, begun = threading.Event(), threading.Event()

    def works() -> None:
        begun.set()
        assert woken.wait(10)
        raise ValueError("nobody wants to know")

    task = asyncio.create_task(in_own_thread(works, name="worker", wake=woken.set))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

"""Work in a thread of its own."""

import asyncio
import threading

import pytest

from mediacore.capture import own_thread
from mediacore.capture.own_thread import in_own_thread, off_the_loop


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


async def test_one_that_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its end was waited for without a deadline, and so was whoever closed a source."""
    monkeypatch.setattr(own_thread, "END_TIMEOUT_S", 0.05)
    released, begun = threading.Event(), threading.Event()

    def hangs() -> None:
        begun.set()
        assert released.wait(10)

    task = asyncio.create_task(in_own_thread(hangs, name="worker", wake=lambda: None))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    try:
        done, _ = await asyncio.wait((task,), timeout=5)
        assert done
        assert task.cancelled()
        assert "worker has not ended" in caplog.text
    finally:
        released.set()


async def test_neither_waking_nor_closing_holds_up_the_loop() -> None:
    threads: list[threading.Thread] = []
    woken, begun = threading.Event(), threading.Event()

    def works() -> None:
        begun.set()
        assert woken.wait(10)

    def wake() -> None:
        threads.append(threading.current_thread())
        woken.set()

    task = asyncio.create_task(in_own_thread(works, name="worker", wake=wake))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.wait((task,))
    await off_the_loop(lambda: threads.append(threading.current_thread()), name="a reader")
    assert len(threads) == 2
    assert threading.current_thread() not in threads


async def test_what_is_closed_is_closed_though_its_closing_is_cancelled() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def closes() -> None:
        begun.set()
        assert may_end.wait(10)
        ended.set()

    task = asyncio.create_task(off_the_loop(closes, name="a reader"))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    assert await asyncio.to_thread(ended.wait, 10)

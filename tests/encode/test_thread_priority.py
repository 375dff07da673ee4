"""An encoder must not take the machine: SVT-AV1, run by root, made its threads and ours real-time ones."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from screen_frames import SIZE, screen

from mediacore.encode.choice import open_encoder
from mediacore.encode.encoder import EncoderSettings
from mediacore.encode.thread_priority import priority_kept
from mediacore.settings import CODECS


def real_time_threads() -> set[int]:
    tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return {task for task in tasks if os.sched_getscheduler(task) != os.SCHED_OTHER}


@pytest.mark.parametrize("codec", CODECS)
def test_threads_of_an_encoder_are_scheduled_as_all_others(codec: str) -> None:
    matrix = "bt709" if codec == "h264" else "bt601"
    encoder, _ = open_encoder(EncoderSettings(codec, SIZE, 30.0, 1_000_000, 1_000_000, matrix=matrix))
    try:
        encoder.encode(screen(0, matrix=matrix))
        assert not real_time_threads()
    finally:
        encoder.close()


def test_a_thread_that_was_made_a_real_time_one_is_not_when_the_block_ends() -> None:
    done = threading.Event()
    with priority_kept():
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("only root may ask for real time")
        other = threading.Thread(target=done.wait)
        other.start()
        assert len(real_time_threads()) == 2
    assert not real_time_threads()
    done.set()
    other.join()

"""Writes pieces of a file to a socket at their times, in a process of its own.

``python paced_writer.py FD`` takes a JSON object on its input: ``file``; ``pieces``, a list of ``[at_us, pause_us,
begin, end]`` (not before ``at_us`` after the beginning, and ``pause_us`` after the piece before it); ``still_s``, how
long the socket stays open and silent at the end. It prints the times, in ns of the monotonic clock, at which each piece
had been written. It stands for a link and what is behind it, so where that is allowed it takes precedence over what
else the machine does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path


def main() -> None:
    """Carries out one schedule."""
    order = json.load(sys.stdin)
    data = memoryview(Path(order["file"]).read_bytes())
    written_ns: list[int] = []
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        begin_ns = last_ns = time.monotonic_ns()
        for at_us, pause_us, begin, end in order["pieces"]:
            due_ns = max(begin_ns + at_us * 1000, last_ns + pause_us * 1000)
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            sock.sendall(data[begin:end])
            last_ns = time.monotonic_ns()
            written_ns.append(last_ns)
        time.sleep(order["still_s"])
    json.dump(written_ns, sys.stdout)


if __name__ == "__main__":
    main()

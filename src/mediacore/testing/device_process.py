"""The process of simulated devices, seen from the program that started it."""

from __future__ import annotations

import concurrent.futures
import json
import logging
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from mediacore.errors import MediacoreError
from mediacore.testing.simulate import arguments

if TYPE_CHECKING:
    from mediacore.testing.options import DeviceOptions

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
"""A process takes half a second; a loaded machine may take much longer."""
STOP_TIMEOUT_S = 5.0
STDERR_TAIL = 4000
"""Characters of its standard error that an error message carries."""


class SimulationError(MediacoreError):
    """The process of a simulated device did not start, died, or refused a request."""

    code = "simulation"


class DeviceProcess:
    """One process with ``count`` devices. Safe to use from several threads.

    It is a child of this process and ends with it, however that ends: its standard input is the cord.
    """

    def __init__(self, options: DeviceOptions, count: int) -> None:
        self._command = [sys.executable, "-m", "mediacore.testing.simulate", *arguments(options)]
        self._command += ["--devices", str(count), "--control"]
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop, it outlives this block
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._pending: dict[int, concurrent.futures.Future[Any]] = {}
        self._requests = 0
        self.ports: tuple[int, ...] = ()
        """The ports of its devices, once started."""

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Starts the process; returns when its devices can be connected to.

        Raises:
            SimulationError: it ended, or took longer than 20 s; the message has what it wrote to standard error.
        """
        # A session of its own: Ctrl-C in a terminal is for the program that uses the device, which then stops it.
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,
        )
        self._process = process
        ready: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._pending[0] = ready
        self._reader = threading.Thread(target=self._read, args=(process,), name="simulated device", daemon=True)
        self._reader.start()
        try:
            self.ports = tuple(ready.result(START_TIMEOUT_S)["ports"])
        except TimeoutError:
            self.stop()
            raise SimulationError(f"the simulated device was not ready within {START_TIMEOUT_S:g} s") from None
        except SimulationError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the process: kindly, and by force after 5 s. What it wrote to standard error is logged as a warning.

        Stopping twice does nothing.
        """
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT_S)
        process.stdin.close()
        process.stdout.close()
        if words := self._last_words():
            logger.warning("the simulated device has ended%s", words)
        self._stderr.close()

    def request(self, method: str, device: int, args: dict[str, Any]) -> concurrent.futures.Future[Any]:
        """Sends a request; the future gets its result, or a SimulationError.

        Raises:
            SimulationError: the process does not run.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise SimulationError("the simulated device is not started")
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        with self._lock:
            self._requests += 1
            number = self._requests
            self._pending[number] = future
            line = json.dumps({"id": number, "device": device, "method": method, "args": args})
            try:
                process.stdin.write(line.encode() + b"\n")
            except OSError:
                self._pending.pop(number, None)
                raise SimulationError(f"the simulated device has ended{self._last_words()}") from None
        return future

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """The thread: takes the answers, and at the end fails what was not answered."""
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            with self._lock:
                future = self._pending.pop(message.get("id", 0), None)
            if future is None or not future.set_running_or_notify_cancel():
                continue
            if "error" in message:
                future.set_exception(SimulationError(message["error"]))
            else:
                future.set_result(message.get("result", message))
        with self._lock:
            pending, self._pending = self._pending, {}
        for future in pending.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(SimulationError(f"the simulated device has ended{self._last_words()}"))

    def _last_words(self) -> str:
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace").strip()
        return f"; its standard error: {text[-STDERR_TAIL:]}" if text else ""

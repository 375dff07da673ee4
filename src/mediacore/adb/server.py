"""Finding the adb program, starting a server with it, and stopping a server that is ours.

A shared server is the user's: it is started as ``adb start-server`` does, if nothing listens, and never stopped.
A private server is a child process on a port of its own that takes no USB device, no emulator and asks no mDNS, with a
home folder of its own, so that it touches neither the user's devices nor the user's keys. It is stopped by its own pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from mediacore.adb.stream import dial
from mediacore.errors import AdbNotFoundError, AdbUnavailableError, MediacoreError, SettingsError

if TYPE_CHECKING:
    from mediacore.settings import AdbSettings

log = logging.getLogger(__name__)

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
DEFAULT_PORT = 5037
PORT_VARIABLE = "ANDROID_ADB_SERVER_PORT"
START_TIMEOUT_S = 10.0
"""A first start makes a key, which takes up to a second on a small machine."""
STOP_TIMEOUT_S = 2.0
"""For the answer to SIGTERM; SIGKILL follows."""
PORT_ATTEMPTS = 5
"""A free port can be taken by somebody else before adb listens on it; then another one is tried."""
POLL_S = 0.005
"""adb does not tell when it listens; it takes 2 to 50 ms."""
PRIVATE_ENVIRONMENT = {"ADB_USB": "0", "ADB_MDNS": "0", "ADB_EMU": "0", "ADB_MDNS_OPENSCREEN": "0"}
HINT = "install it (Debian: `apt install adb`) or name its path in the settings (adb.program)"
LISTEN_STATE = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


async def find_program(program: str | None = None) -> str:
    """The path of the adb program: the given one, else the one that adbutils finds (PATH, then its own copy).

    Raises ``AdbNotFoundError``.
    """
    return await asyncio.to_thread(_ask_adbutils) if program is None else _locate(program)


def _locate(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise AdbNotFoundError(f"{program!r} is no program that can be run; {HINT}")
    return os.path.abspath(found)


def _ask_adbutils() -> str:
    # Imported late and off the loop: the import alone takes 0.2 s, and asking runs `adb version`.
    import adbutils  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return str(adbutils.adb_path())
    except adbutils.AdbError as error:
        raise AdbNotFoundError(f"there is no adb program on this machine; {HINT}") from error


def usual_port() -> int:
    """Where this machine's adb server listens: what ``ANDROID_ADB_SERVER_PORT`` says, as for every adb client, or 5037.

    Raises ``SettingsError`` if it says something else than a port.
    """
    text = os.environ.get(PORT_VARIABLE, "")
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise SettingsError(f"{PORT_VARIABLE} is {text!r}, it must be a port between 1 and 65535")
    return int(text)


class AdbServer:
    """One adb server, shared or private, at ``host`` and ``port``."""

    def __init__(self, host: str, port: int, *, private: bool = False, program: str | None = None) -> None:
        self.host = "127.0.0.1" if private else host
        self.port = port
        """Where it listens; a private server has its port from ``start`` on."""
        self._private = private
        self._program = program
        self._child: _PrivateServer | None = None
        self._own_port: int | None = None

    @classmethod
    def of(cls, settings: AdbSettings) -> AdbServer:
        """The server that the settings speak of."""
        return cls(settings.host, settings.port or usual_port(), private=settings.private, program=settings.program)

    @property
    def pid(self) -> int | None:
        """Process id of a private server that runs; None for a shared one."""
        return self._child.pid if self._child and self._child.running else None

    async def listens(self) -> bool:
        """True if an adb server answers there. A private server must be our own process."""
        if self._private and self.pid is None:
            return False
        try:
            async with asyncio.timeout(START_TIMEOUT_S), await dial(self.host, self.port) as stream:
                await stream.request("host:version")
                await stream.read_block()
        except (MediacoreError, TimeoutError):
            return False
        return True

    async def start(self) -> None:
        """Start the server; returns when it answers.

        Raises ``AdbNotFoundError``, or ``AdbUnavailableError`` with what adb said. Cancelled, it leaves nothing behind.
        """
        program = await find_program(self._program)
        if self._private:
            await self._start_private(program)
        else:
            await self._start_shared(program)

    async def stop(self) -> None:
        """Stop a private server; a shared one is left alone."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    async def _start_private(self, program: str) -> None:
        # A server that was killed comes back on its old port if that is still free.
        ports = [] if self._own_port is None else [self._own_port]
        await self.stop()
        error = AdbUnavailableError("no free port")
        for attempt in range(PORT_ATTEMPTS):
            port = ports[attempt] if attempt < len(ports) else _free_port()
            child = _PrivateServer(program, port)
            try:
                await child.ready()
            except AdbUnavailableError as failure:
                error = failure
                await child.stop()
            except BaseException:
                child.kill()
                raise
            else:
                self._child = child
                self.port = self._own_port = port
                return
        raise error

    async def _start_shared(self, program: str) -> None:
        if self.host not in LOOPBACK_HOSTS:
            raise AdbUnavailableError(
                f"no adb server at {self.host}:{self.port}; start it on that machine (`adb -a nodaemon server`)"
            )
        process = await asyncio.create_subprocess_exec(
            program,
            "-P",
            str(self.port),
            "start-server",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise AdbUnavailableError(f"`{program} start-server` took over {START_TIMEOUT_S:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            text = said.decode(errors="replace").strip()
            raise AdbUnavailableError(f"`{program} -P {self.port} start-server` failed: {text}")


class _PrivateServer:
    """A server process of our own and its home folder."""

    def __init__(self, program: str, port: int) -> None:
        self._port = port
        self._home = tempfile.mkdtemp(prefix="mediacore-adb-")
        self._log = Path(self._home, "server.log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ADB_", "ANDROID_"))}
        environment |= PRIVATE_ENVIRONMENT | {"HOME": self._home, "ANDROID_USER_HOME": self._home}
        try:
            with self._log.open("wb") as log:
                # A session of its own: Ctrl-C in the terminal is for us, and we stop the server in our own order.
                self._process = subprocess.Popen(
                    [program, "-P", str(port), "nodaemon", "server"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd=self._home,
                    start_new_session=True,
                )
        except OSError as error:
            shutil.rmtree(self._home, ignore_errors=True)
            raise AdbNotFoundError(f"{program} cannot be run: {error}; {HINT}") from error
        # The last resort for an owner that forgot, or an interpreter that ends: `stop` comes before it.
        self._finalizer = weakref.finalize(self, _kill, self._process, self._home)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def ready(self) -> None:
        """Wait until this very process listens: an answer at the port alone could be somebody else's."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not _listens(self.pid, self._port):
                    if not self.running:
                        raise AdbUnavailableError(f"adb ended at once: {self._words()}")
                    await asyncio.sleep(POLL_S)
                async with await dial("127.0.0.1", self._port) as stream:
                    await stream.request("host:version")
                    await stream.read_block()
        except TimeoutError as error:
            raise AdbUnavailableError(
                f"adb does not listen on port {self._port} after {START_TIMEOUT_S:g} s: {self._words()}"
            ) from error

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL. Returns when the process is gone and its folder removed."""
        try:
            if self.running:
                self._process.terminate()
                await self._end(STOP_TIMEOUT_S)
        finally:
            self.kill()

    async def _end(self, timeout_s: float) -> None:
        """Wait until the process has ended, at most this long."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.pidfd_open(self.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            async with asyncio.timeout(timeout_s):
                await ended.wait()
        except TimeoutError:
            log.warning("the adb server with pid %d ignores SIGTERM", self.pid)
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def kill(self) -> None:
        """SIGKILL, if it still runs; the folder is removed."""
        self._finalizer()

    def _words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            return " / ".join(lines[-3:])
        return ""


def _kill(process: subprocess.Popen[bytes], home: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _listens(pid: int, port: int) -> bool:
    """True if the process has a listening TCP socket at the port (proc(5): /proc/net/tcp, /proc/PID/fd)."""
    wanted = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if columns[3] == LISTEN_STATE and int(columns[1].rsplit(":", 1)[1], 16) == port:
            wanted.add(f"socket:[{columns[9]}]")
    if not wanted:
        return False
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}") in wanted:
                    return True
    return False

"""The program ``sh`` of a simulated device: runs the language of ``mediacore.testing.shell_syntax``.

Lines come from one command line or from standard input, so one shell can serve many commands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mediacore.testing.shell_syntax import (
    Command,
    Group,
    If,
    IncompleteError,
    Pipeline,
    Sequence,
    ShellSyntaxError,
    Simple,
    While,
    Word,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mediacore.testing.shell_syntax import Redirect

STDERR = 2
PIPE_CHUNKS = 16
MAX_FILE_BYTES = 16 << 20
"""Longest file that a redirection can write on the device."""
NOT_FOUND, SYNTAX_ERROR, BROKEN_PIPE = 127, 2, 141


class ByteSource(Protocol):
    """Where a command reads."""

    async def read(self) -> bytes:
        """Some bytes; ``b""`` at the end."""


class ByteSink(Protocol):
    """Where a command writes."""

    async def write(self, data: bytes) -> None:
        """Takes all of ``data``."""


@dataclass(frozen=True, slots=True)
class Io:
    """The three standard streams of a command."""

    stdin: LineSource
    stdout: ByteSink
    stderr: ByteSink

    async def say(self, text: str) -> None:
        """Writes text to standard output."""
        await self.stdout.write(text.encode())

    async def complain(self, text: str) -> None:
        """Writes text to standard error."""
        await self.stderr.write(text.encode())


class LineSource:
    """A source that can also be read by lines; what a line reader took too much goes to the next reader."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._rest = b""

    async def read(self) -> bytes:
        """Some bytes; ``b""`` at the end."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        return await self._source.read()

    async def readline(self) -> bytes:
        """One line with its newline; at the end what is left, then ``b""``."""
        pieces = b""
        while True:
            data = await self.read()
            pieces += data
            at = pieces.find(b"\n") + 1
            if at or not data:
                self._rest = pieces[at:] if at else b""
                return pieces[:at] if at else pieces


class _Nothing:
    async def read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        pass


class _Bytes:
    """A file on the device that is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data


class _File:
    """A file on the device that is written."""

    def __init__(self, files: dict[str, bytes], path: str, *, append: bool) -> None:
        self._files, self._path = files, path
        files[path] = files.get(path, b"") if append else b""

    async def write(self, data: bytes) -> None:
        if len(self._files[self._path]) + len(data) > MAX_FILE_BYTES:
            raise OSError("No space left on device")
        self._files[self._path] += data


class _Pipe:
    """``a | b``: bounded; writing to a pipe nobody reads any more raises BrokenPipeError."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._written = self._unread = False

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def read(self) -> bytes:
        while not self._chunks and not self._written:
            await self._change()
        data = self._chunks.popleft() if self._chunks else b""
        self._changed.set()
        return data

    async def write(self, data: bytes) -> None:
        while len(self._chunks) >= PIPE_CHUNKS and not self._unread:
            await self._change()
        if self._unread:
            raise BrokenPipeError
        if data:
            self._chunks.append(data)
            self._changed.set()

    def end_of_writing(self) -> None:
        self._written = True
        self._changed.set()

    def end_of_reading(self) -> None:
        self._unread = True
        self._changed.set()


class _ExitError(Exception):
    """``exit``: unwinds the shell."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Shell:
    """One ``sh`` process.

    Args:
        programs: what can be called, by name.
        files: the device's files, by path; redirections write to it.
    """

    def __init__(self, programs: Mapping[str, Callable[[Io, list[str]], Awaitable[int]]], files: dict[str, bytes]):
        self._programs = programs
        self._files = files
        self._variables: dict[str, str] = {}
        self._status = 0

    async def run(self, line: str, io: Io) -> int:
        """Runs a command line; returns its exit code. A syntax error is told on standard error."""
        try:
            return await self._sequence(parse(line), io)
        except ShellSyntaxError as error:
            await io.complain(f"/system/bin/sh: {error}\n")
            return SYNTAX_ERROR
        except _ExitError as error:
            return error.code

    async def run_lines(self, io: Io) -> int:
        """Runs lines from standard input until it ends or a line says ``exit``; returns the exit code."""
        text = ""
        while line := await io.stdin.readline():
            text += line.decode(errors="replace")
            try:
                program = parse(text)
            except IncompleteError:
                continue
            except ShellSyntaxError as error:
                text = ""
                self._status = SYNTAX_ERROR
                await io.complain(f"/system/bin/sh: {error}\n")
                continue
            text = ""
            try:
                await self._sequence(program, io)
            except _ExitError as error:
                return error.code
        return self._status

    # -- the language

    async def _sequence(self, sequence: Sequence, io: Io) -> int:
        for link, pipeline in sequence.steps:
            if (link == "&&" and self._status) or (link == "||" and not self._status):
                continue
            code = await self._pipeline(pipeline, io)
            self._status = int(not code) if pipeline.negated else code
        return self._status

    async def _pipeline(self, pipeline: Pipeline, io: Io) -> int:
        if len(pipeline.commands) == 1:
            return await self._command(pipeline.commands[0], io)
        pipes = [_Pipe() for _ in pipeline.commands[1:]]

        async def part(number: int) -> int:
            before = pipes[number - 1] if number else None
            after = pipes[number] if number < len(pipes) else None
            own = replace(io, stdin=LineSource(before) if before else io.stdin, stdout=after or io.stdout)
            try:
                return await self._command(pipeline.commands[number], own)
            except BrokenPipeError:
                return BROKEN_PIPE
            finally:
                if before:
                    before.end_of_reading()
                if after:
                    after.end_of_writing()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(number)) for number in range(len(pipeline.commands))]
        return tasks[-1].result()

    async def _command(self, command: Command, io: Io) -> int:
        try:
            io = self._redirected(command.redirects, io)
        except OSError as error:
            await io.complain(f"/system/bin/sh: {error}\n")
            return 1
        if isinstance(command, Simple):
            return await self._simple(command, io)
        if isinstance(command, Group):
            return await self._sequence(command.body, io)
        if isinstance(command, While):
            code = 0
            while await self._sequence(command.condition, io) == 0:
                code = await self._sequence(command.body, io)
                await asyncio.sleep(0)
            return code
        return await self._if(command, io)

    async def _if(self, command: If, io: Io) -> int:
        if await self._sequence(command.condition, io) == 0:
            return await self._sequence(command.body, io)
        return await self._sequence(command.otherwise, io) if command.otherwise else 0

    async def _simple(self, command: Simple, io: Io) -> int:
        words = [text for word in command.words if (text := self._expand(word)) is not None]
        assignments = {name: self._expand(value) or "" for name, value in command.assignments}
        if not words:
            self._variables |= assignments
            return 0
        name, args = words[0].rpartition("/")[2], words[1:]
        if name == "exit":
            raise _ExitError(_exit_code(args, self._status))
        if name == "read":
            return await self._read(io, args)
        if name == "sh":
            return await Shell(self._programs, self._files).program(io, args)
        program = self._programs.get(name)
        if program is None:
            await io.complain(f"/system/bin/sh: {words[0]}: inaccessible or not found\n")
            return NOT_FOUND
        return await program(io, args)

    async def program(self, io: Io, args: list[str]) -> int:
        """``sh [-c LINE]``."""
        if args[:1] == ["-c"] and len(args) > 1:
            return await self.run(args[1], io)
        return await self.run_lines(io)

    async def _read(self, io: Io, args: list[str]) -> int:
        line = await io.stdin.readline()
        self._variables[args[-1] if args else "REPLY"] = line.decode(errors="replace").strip()
        return 0 if line.endswith(b"\n") else 1

    def _expand(self, word: Word) -> str | None:
        """The text of a word; None if it was nothing but empty variables."""
        text = "".join(self._variable(piece.text) if piece.is_variable else piece.text for piece in word)
        return text if text or any(piece.quoted for piece in word) else None

    def _variable(self, name: str) -> str:
        return str(self._status) if name == "?" else self._variables.get(name, "")

    def _redirected(self, redirects: tuple[Redirect, ...], io: Io) -> Io:
        for redirect in redirects:
            target = self._expand(redirect.target) or ""
            if redirect.operator == "<":
                if target != "/dev/null" and target not in self._files:
                    raise OSError(f"can't open {target}: No such file or directory")
                io = replace(io, stdin=LineSource(_Bytes(self._files.get(target, b""))))
                continue
            if redirect.operator == ">&":
                sink = {"1": io.stdout, "2": io.stderr}.get(target)
                if sink is None:
                    raise OSError(f"{target}: bad file descriptor")
            elif target == "/dev/null":
                sink = _Nothing()
            else:
                sink = _File(self._files, target, append=redirect.operator == ">>")
            io = replace(io, stderr=sink) if redirect.descriptor == STDERR else replace(io, stdout=sink)
        return io


def _exit_code(args: list[str], status: int) -> int:
    if not args:
        return status
    return int(args[0]) & 255 if args[0].isdigit() else 1

"""The binary messages of the data channel ``control``, protocol ``mediacore.control.1``.

Big-endian; each begins with the header u8 type, u8 flags, u16 sequence number. The layouts stand in one table below.
Pure functions; everything here comes from a viewer and is not trusted.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediacore.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT_BYTES = 4096
"""Text of one message; on the device each character is a key stroke of some milliseconds."""
MAX_CLIPBOARD_BYTES = 256 * 1024
"""The longest clipboard that scrcpy takes; browsers and aiortc carry 64 KiB to 256 KiB in one message."""


class MessageType(enum.IntEnum):
    """The first byte of a message."""

    TOUCH = 1
    KEY = 2
    TEXT = 3
    SCROLL = 4
    COMMAND = 5
    CLIPBOARD = 6
    PING = 7


class TouchAction(enum.IntEnum):
    """What a finger did."""

    DOWN = 0
    UP = 1
    MOVE = 2
    CANCEL = 3


class KeyAction(enum.IntEnum):
    """What a key did."""

    DOWN = 0
    UP = 1


class CommandCode(enum.IntEnum):
    """Things that have a button on the page."""

    BACK = 1
    HOME = 2
    RECENTS = 3
    POWER = 4
    VOLUME_UP = 5
    VOLUME_DOWN = 6
    ROTATE = 7
    WAKE = 8
    NOTIFICATIONS = 9
    SCREEN_OFF = 10
    """Switch the device's own screen off while it is streamed."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first four bytes of a message."""

    type: int
    """A ``MessageType``, or the number of a newer message."""
    flags: int
    """Reserved, 0."""
    seq: int
    """Sequence number of the sender, modulo 65536."""


@dataclass(frozen=True, slots=True)
class Touch:
    """One finger at one place."""

    action: TouchAction
    """What it did."""
    pointer: int
    """Which finger; the viewer's own number, 32 bits."""
    x: int
    """From the left of the picture, 0 to 65535 over its whole width."""
    y: int
    """From the top of the picture, 0 to 65535 over its whole height."""
    pressure: int
    """0 to 65535."""
    width: int
    """Width in pixels of the picture that the viewer saw."""
    height: int
    """Its height in pixels."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a keyboard."""

    action: KeyAction
    """What it did."""
    keycode: int
    """Android's number of the key (``android.view.KeyEvent``)."""
    metastate: int
    """Android's bits of the modifier keys that are held."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text to be typed."""

    text: str
    """At most ``MAX_TEXT_BYTES`` as UTF-8."""


@dataclass(frozen=True, slots=True)
class Scroll:
    """A turn of the wheel, with the signs of Android's AXIS_HSCROLL and AXIS_VSCROLL."""

    x: int
    """Where the pointer is, as in ``Touch``."""
    y: int
    """Where the pointer is, as in ``Touch``."""
    h: int
    """In 1/256 notch; positive shows what is further right."""
    v: int
    """In 1/256 notch; positive shows what is further up (a browser's ``deltaY`` has the other sign)."""
    width: int
    """Width in pixels of the picture that the viewer saw."""
    height: int
    """Its height in pixels."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something that has a button of its own."""

    command: CommandCode
    """Which."""


@dataclass(frozen=True, slots=True)
class Clipboard:
    """Text for the device's clipboard."""

    text: str
    """At most ``MAX_CLIPBOARD_BYTES`` as UTF-8."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for the server's clock."""

    clock_us: int
    """The viewer's clock in µs; it comes back as it is."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    clock_us: int
    """The viewer's clock from the ping, in µs."""
    server_us: int
    """The server's monotonic clock in µs."""


Message = Touch | Key | Text | Scroll | Command | Clipboard | Ping

_HEADER = struct.Struct(">BBH")
_TOUCH = struct.Struct(">BIHHHHH")  # action, pointer, x, y, pressure, width, height
_KEY = struct.Struct(">BII")  # action, keycode, metastate
_SCROLL = struct.Struct(">HHhhHH")  # x, y, h, v, width, height
_COMMAND = struct.Struct(">B")
_PING = struct.Struct(">Q")
_PONG = struct.Struct(">QQ")


def decode(data: bytes | bytearray | memoryview) -> tuple[Header, Message | None]:
    """A message of a viewer; None in its place if the type is unknown.

    Raises ``MalformedMessageError`` for everything that is not exactly in the format, and nothing else.
    """
    if len(data) < _HEADER.size:
        raise MalformedMessageError(f"a message of {len(data)} bytes, the header has {_HEADER.size}", len(data))
    header = Header(*_HEADER.unpack_from(data))
    read = _DECODERS.get(header.type)
    return header, None if read is None else read(bytes(data[_HEADER.size :]))


def encode(message: Message, *, seq: int = 0, flags: int = 0) -> bytes:
    """The bytes of a message. Raises ``ValueError`` for values that the format cannot hold."""
    try:
        kind, body = _body(message)
        return _HEADER.pack(kind, flags, seq) + body
    except struct.error as error:
        raise ValueError(f"{message} does not fit into the format: {error}") from error


def encode_pong(ping: Ping, server_us: int, seq: int) -> bytes:
    """The answer to a ping; ``seq`` is the ping's."""
    return _HEADER.pack(MessageType.PING, 0, seq) + _PONG.pack(ping.clock_us, server_us)


def decode_pong(data: bytes | bytearray | memoryview) -> tuple[Header, Pong]:
    """What a viewer does with our answer. Raises ``MalformedMessageError``."""
    if len(data) != _HEADER.size + _PONG.size:
        raise MalformedMessageError(f"{len(data)} bytes, a pong has {_HEADER.size + _PONG.size}", len(data))
    header = Header(*_HEADER.unpack_from(data))
    if header.type != MessageType.PING:
        raise MalformedMessageError(f"type {header.type} is no pong", 0)
    return header, Pong(*_PONG.unpack_from(data, _HEADER.size))


def _fields(layout: struct.Struct, body: bytes) -> tuple[int, ...]:
    if len(body) != layout.size:
        at = _HEADER.size + min(len(body), layout.size)
        raise MalformedMessageError(f"a body of {len(body)} bytes where {layout.size} are due", at)
    return layout.unpack(body)


def _text(body: bytes, limit: int) -> str:
    if len(body) > limit:
        raise MalformedMessageError(f"{len(body)} bytes of text, the limit is {limit}", _HEADER.size + limit)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedMessageError("text that is not UTF-8", _HEADER.size + error.start) from error


def _touch(body: bytes) -> Touch:
    action, *rest = _fields(_TOUCH, body)
    if action > max(TouchAction):
        raise MalformedMessageError(f"unknown touch action {action}", _HEADER.size)
    return Touch(TouchAction(action), *rest)


def _key(body: bytes) -> Key:
    action, keycode, metastate = _fields(_KEY, body)
    if action > max(KeyAction):
        raise MalformedMessageError(f"unknown key action {action}", _HEADER.size)
    return Key(KeyAction(action), keycode, metastate)


def _command(body: bytes) -> Command:
    (number,) = _fields(_COMMAND, body)
    if not min(CommandCode) <= number <= max(CommandCode):
        raise MalformedMessageError(f"unknown command {number}", _HEADER.size)
    return Command(CommandCode(number))


_DECODERS: dict[int, Callable[[bytes], Message]] = {
    MessageType.TOUCH: _touch,
    MessageType.KEY: _key,
    MessageType.TEXT: lambda body: Text(_text(body, MAX_TEXT_BYTES)),
    MessageType.SCROLL: lambda body: Scroll(*_fields(_SCROLL, body)),
    MessageType.COMMAND: _command,
    MessageType.CLIPBOARD: lambda body: Clipboard(_text(body, MAX_CLIPBOARD_BYTES)),
    MessageType.PING: lambda body: Ping(*_fields(_PING, body)),
}


def _body(message: Message) -> tuple[MessageType, bytes]:
    match message:
        case Touch(action, pointer, x, y, pressure, width, height):
            return MessageType.TOUCH, _TOUCH.pack(action, pointer, x, y, pressure, width, height)
        case Key(action, keycode, metastate):
            return MessageType.KEY, _KEY.pack(action, keycode, metastate)
        case Text(text):
            return MessageType.TEXT, _limited(text, MAX_TEXT_BYTES)
        case Scroll(x, y, h, v, width, height):
            return MessageType.SCROLL, _SCROLL.pack(x, y, h, v, width, height)
        case Command(command):
            return MessageType.COMMAND, _COMMAND.pack(command)
        case Clipboard(text):
            return MessageType.CLIPBOARD, _limited(text, MAX_CLIPBOARD_BYTES)
        case Ping(clock_us):
            return MessageType.PING, _PING.pack(clock_us)


def _limited(text: str, limit: int) -> bytes:
    data = text.encode()
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes of text, the limit is {limit}")
    return data

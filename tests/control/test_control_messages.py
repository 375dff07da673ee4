import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediacore.control.messages import (
    MAX_CLIPBOARD_BYTES,
    MAX_TEXT_BYTES,
    Clipboard,
    Command,
    CommandCode,
    Header,
    Key,
    KeyAction,
    Message,
    Ping,
    Pong,
    Scroll,
    Text,
    Touch,
    TouchAction,
    decode,
    decode_pong,
    encode,
    encode_pong,
)
from mediacore.errors import MalformedMessageError

SEQ = 0x1234

# One table for both directions: (name, message, bytes after the header's type and before its end, whole bytes).
GOLDEN: list[tuple[str, Message, str]] = [
    (
        "touch down",
        Touch(TouchAction.DOWN, 7, 0, 65535, 32768, 720, 1280),
        "01"  # type
        "00"  # flags
        "1234"  # sequence number
        "00"  # action: down
        "00000007"  # pointer
        "0000"  # x: left edge
        "ffff"  # y: lower edge
        "8000"  # pressure
        "02d0"  # width 720
        "0500",  # height 1280
    ),
    (
        "touch up",
        Touch(TouchAction.UP, 0xFFFFFFFF, 1, 2, 0, 1280, 720),
        "01001234"  # header
        "01"  # action: up
        "ffffffff"  # pointer
        "00010002"  # x, y
        "0000"  # pressure
        "050002d0",  # width, height
    ),
    ("touch move", Touch(TouchAction.MOVE, 0, 3, 4, 5, 6, 7), "01001234 02 00000000 0003 0004 0005 0006 0007"),
    ("touch cancel", Touch(TouchAction.CANCEL, 0, 3, 4, 5, 6, 7), "01001234 03 00000000 0003 0004 0005 0006 0007"),
    (
        "key down",
        Key(KeyAction.DOWN, 66, 0x1001),
        "02001234"  # header
        "00"  # action: down
        "00000042"  # KEYCODE_ENTER
        "00001001",  # META_CTRL_ON | META_SHIFT_ON
    ),
    ("key up", Key(KeyAction.UP, 4, 0), "02001234 01 00000004 00000000"),
    ("text", Text("Grüße €"), "03001234 4772c3bcc39f6520e282ac"),
    ("no text", Text(""), "03001234"),
    (
        "scroll",
        Scroll(256, 512, -256, 384, 720, 1280),
        "04001234"  # header
        "0100"  # x
        "0200"  # y
        "ff00"  # h: one notch to the left
        "0180"  # v: one and a half notches up
        "02d00500",  # width, height
    ),
    *[
        (f"command {code.name}", Command(code), f"05001234 {number:02x}")
        for number, code in enumerate(
            [
                CommandCode.BACK,
                CommandCode.HOME,
                CommandCode.RECENTS,
                CommandCode.POWER,
                CommandCode.VOLUME_UP,
                CommandCode.VOLUME_DOWN,
                CommandCode.ROTATE,
                CommandCode.WAKE,
                CommandCode.NOTIFICATIONS,
                CommandCode.SCREEN_OFF,
            ],
            start=1,
        )
    ],
    ("clipboard", Clipboard("copied"), "06001234 636f70696564"),
    ("ping", Ping(0x0102030405060708), "07001234 0102030405060708"),
]


@pytest.mark.parametrize(("message", "wire"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_each_message_has_its_golden_bytes(message: Message, wire: str) -> None:
    data = bytes.fromhex(wire)
    assert encode(message, seq=SEQ) == data
    header, decoded = decode(data)
    assert decoded == message
    assert header == Header(type=data[0], flags=0, seq=SEQ)


def test_pong_has_its_golden_bytes() -> None:
    wire = bytes.fromhex(
        "07001234"  # type, flags, sequence number of the ping
        "0000000000000001"  # the viewer's clock, as it was
        "00000000000f4240"  # the server's clock: one second
    )
    assert encode_pong(Ping(1), 1_000_000, SEQ) == wire
    assert decode_pong(wire) == (Header(7, 0, SEQ), Pong(1, 1_000_000))


MALFORMED = [
    ("empty", "", 0),
    ("header cut", "010000", 3),
    ("touch cut", "01000000 00 00000007 0000 ffff 8000 02d0 05", 18),
    ("touch too long", "01000000 00 00000007 0000 ffff 8000 02d0 0500 00", 19),
    ("touch action", "01000000 04 00000007 0000 ffff 8000 02d0 0500", 4),
    ("key without body", "02000000", 4),
    ("key action", "02000000 02 00000042 00000000", 4),
    ("text: a lone continuation byte", "03000000 6180", 5),
    ("text: an encoded surrogate", "03000000 eda080", 4),
    ("text: cut in a character", "03000000 6161 e282", 6),
    ("scroll cut", "04000000 0100", 6),
    ("command 0", "05000000 00", 4),
    ("command 11", "05000000 0b", 4),
    ("command missing", "05000000", 4),
    ("ping cut", "07000000 0102", 6),
    ("pong sent to the server", "07000000 0000000000000001 0000000000000002", 12),
]


@pytest.mark.parametrize(("wire", "offset"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_malformed_messages_name_the_byte(wire: str, offset: int) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        decode(bytes.fromhex(wire))
    assert caught.value.byte_offset == offset
    assert caught.value.what in str(caught.value)


@pytest.mark.parametrize(("kind", "limit"), [(3, MAX_TEXT_BYTES), (6, MAX_CLIPBOARD_BYTES)])
def test_text_has_a_limit(kind: int, limit: int) -> None:
    header = struct.pack(">BBH", kind, 0, 0)
    _, message = decode(header + b"a" * limit)
    assert message is not None
    assert encode(message) == header + b"a" * limit
    with pytest.raises(MalformedMessageError) as caught:
        decode(header + b"a" * (limit + 1))
    assert caught.value.byte_offset == 4 + limit
    with pytest.raises(ValueError, match="limit"):
        encode(type(message)("a" * (limit + 1)))  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("kind", [0, 8, 255])
def test_unknown_types_are_no_error(kind: int) -> None:
    header, message = decode(bytes([kind, 3, 0, 9]) + b"whatever")
    assert header == Header(kind, 3, 9)
    assert message is None


@pytest.mark.parametrize(
    "message",
    [
        Touch(TouchAction.DOWN, 1 << 32, 0, 0, 0, 1, 1),
        Touch(TouchAction.DOWN, 0, -1, 0, 0, 1, 1),
        Scroll(0, 0, 32768, 0, 1, 1),
        Key(KeyAction.UP, -1, 0),
        Ping(1 << 64),
        Text("\ud800"),
    ],
    ids=repr,
)
def test_values_that_do_not_fit_are_not_encoded(message: Message) -> None:
    with pytest.raises(ValueError):
        encode(message)


@pytest.mark.parametrize("wire", ["", "07000000", "01000000" + "00" * 16])
def test_what_is_no_pong(wire: str) -> None:
    with pytest.raises(MalformedMessageError):
        decode_pong(bytes.fromhex(wire))


@given(st.binary(max_size=64))
@example(b"\x01\x00\x00\x00" + bytes(15))
@example(b"\x05\x00\x00\x00\x0a")
def test_any_bytes_are_decoded_or_malformed(data: bytes) -> None:
    offset = 0
    try:
        header, message = decode(data)
    except MalformedMessageError as error:
        offset = error.byte_offset
    else:
        if message is not None:
            assert encode(message, seq=header.seq, flags=header.flags) == data
    assert 0 <= offset <= len(data)


U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
I16 = st.integers(-0x8000, 0x7FFF)
MESSAGES = st.one_of(
    st.builds(Touch, st.sampled_from(TouchAction), U32, U16, U16, U16, U16, U16),
    st.builds(Key, st.sampled_from(KeyAction), U32, U32),
    st.builds(Text, st.text(max_size=50)),
    st.builds(Scroll, U16, U16, I16, I16, U16, U16),
    st.builds(Command, st.sampled_from(CommandCode)),
    st.builds(Clipboard, st.text(max_size=50)),
    st.builds(Ping, st.integers(0, (1 << 64) - 1)),
)


@given(MESSAGES, U16, st.integers(0, 255))
def test_what_is_encoded_is_decoded(message: Message, seq: int, flags: int) -> None:
    header, decoded = decode(memoryview(encode(message, seq=seq, flags=flags)))
    assert decoded == message
    assert (header.seq, header.flags) == (seq, flags)

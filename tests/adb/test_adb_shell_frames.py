import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.adb.shell_frames import (
    MAX_FRAME_BYTES,
    MAX_STDIN_BYTES,
    FrameId,
    ShellFrame,
    ShellFrameParser,
    encode_frame,
    encode_stdin,
)
from mediacore.errors import AdbProtocolError


def test_golden_bytes() -> None:
    assert encode_frame(FrameId.STDOUT, b"hi\n") == bytes.fromhex(
        "01"  # id: stdout
        "03000000"  # length, little-endian
        "68690a"  # payload
    )
    assert encode_frame(FrameId.CLOSE_STDIN) == bytes.fromhex("04 00000000")


def test_the_exit_code_is_the_last_frame() -> None:
    wire = bytes.fromhex("02 01000000 65  01 00000000  03 01000000 ff")
    assert ShellFrameParser().push(wire) == [
        ShellFrame(FrameId.STDERR, b"e"),
        ShellFrame(FrameId.STDOUT, b""),
        ShellFrame(FrameId.EXIT, b"\xff"),
    ]


def test_unknown_ids_pass() -> None:
    assert ShellFrameParser().push(bytes.fromhex("2a 01000000 00")) == [ShellFrame(42, b"\0")]


def test_a_length_beyond_reason_is_refused() -> None:
    parser = ShellFrameParser()
    with pytest.raises(AdbProtocolError, match="limit"):
        parser.push(b"\x01" + (MAX_FRAME_BYTES + 1).to_bytes(4, "little"))


def test_standard_input_is_cut_to_what_old_transports_carry() -> None:
    data = bytes(range(256)) * 40
    frames = ShellFrameParser().push(encode_stdin(data))
    assert b"".join(frame.data for frame in frames) == data
    assert {frame.id for frame in frames} == {FrameId.STDIN}
    assert max(len(frame.data) for frame in frames) == MAX_STDIN_BYTES


FRAMES = st.lists(st.builds(ShellFrame, st.sampled_from(FrameId), st.binary(max_size=200)), max_size=8)


@given(FRAMES, st.lists(st.integers(0, 4096), max_size=12))
def test_frames_come_out_as_they_went_in_for_any_chunking(frames: list[ShellFrame], cuts: list[int]) -> None:
    data = b"".join(encode_frame(FrameId(frame.id), frame.data) for frame in frames)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    parser = ShellFrameParser()
    found = [frame for start, end in itertools.pairwise(places) for frame in parser.push(data[start:end])]
    assert found == frames


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_frames_or_a_protocol_error(parts: list[bytes]) -> None:
    parser = ShellFrameParser()
    taken = 0
    try:
        for part in parts:
            taken += sum(5 + len(frame.data) for frame in parser.push(part))
    except AdbProtocolError:
        return
    assert taken <= sum(map(len, parts))

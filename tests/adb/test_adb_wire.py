import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediacore.adb.wire import MAX_BLOCK_BYTES, BlockParser, encode_request, failure, is_accepted, parse_length
from mediacore.errors import (
    AdbError,
    AdbProtocolError,
    DeviceDisconnectedError,
    DeviceError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
)


def test_a_request_is_its_length_and_its_text() -> None:
    assert encode_request("host:version") == b"000chost:version"
    assert encode_request("exec:echo ü") == b"000cexec:echo \xc3\xbc"
    assert encode_request("x" * MAX_BLOCK_BYTES)[:4] == b"ffff"


@pytest.mark.parametrize("service", ["", "x" * (MAX_BLOCK_BYTES + 1)])
def test_a_request_has_limits(service: str) -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        encode_request(service)


@pytest.mark.parametrize(("digits", "length"), [(b"0000", 0), (b"000c", 12), (b"00FF", 255), (b"ffff", 65535)])
def test_lengths(digits: bytes, length: int) -> None:
    assert parse_length(digits) == length


@pytest.mark.parametrize(
    "digits", [b"", b"12", b"00000", b"+001", b" 001", b"1_00", b"0x10", b"OKAY", b"\xb2\xb2\xb2\xb2"]
)
def test_what_is_no_length(digits: bytes) -> None:
    with pytest.raises(AdbProtocolError, match="is it an adb server"):
        parse_length(digits)


def test_status() -> None:
    assert is_accepted(b"OKAY")
    assert not is_accepted(b"FAIL")
    with pytest.raises(AdbProtocolError):
        is_accepted(b"HTTP")


UNAUTHORIZED = (
    "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    "Try 'adb kill-server' if that seems wrong.\nOtherwise check for a confirmation dialog on your device."
)


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("device 'x' not found", DeviceNotFoundError, "adb connect"),
        ("no devices/emulators found", DeviceNotFoundError, "adb devices"),
        (UNAUTHORIZED, DeviceUnauthorizedError, "accept this computer's key on its screen"),
        ("device still authorizing", DeviceUnauthorizedError, "unlock"),
        ("device offline", DeviceOfflineError, "cable"),
        ("device offline (no transport)", DeviceOfflineError, "cable"),
        ("device still connecting", DeviceOfflineError, "connecting"),
        ("closed", DeviceDisconnectedError, "'exec:x'"),
        ("something new", DeviceError, "something new"),
    ],
)
def test_each_refusal_has_its_error(text: str, kind: type[DeviceError], advice: str) -> None:
    error = failure("x", "exec:x", text)
    assert type(error) is kind
    assert isinstance(error, DeviceError)
    assert error.serial == "x"
    assert advice in str(error)


def test_a_refusal_of_the_server_itself() -> None:
    error = failure(None, "host:bogus", "unknown host service")
    assert type(error) is AdbError
    assert "host:bogus" in str(error)


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


CUTS = st.lists(st.integers(0, 1 << 16), max_size=12)


@given(st.lists(st.binary(max_size=300), max_size=6), CUTS)
def test_blocks_come_out_as_they_went_in_for_any_chunking(blocks: list[bytes], cuts: list[int]) -> None:
    data = b"".join(b"%04x" % len(block) + block for block in blocks)
    parser = BlockParser()
    assert [block for part in chunked(data, cuts) for block in parser.push(part)] == blocks
    assert parser.push(b"") == []


@given(st.binary(max_size=200), CUTS)
@example(b"0001a0002bcXXXX", [])
def test_any_bytes_are_blocks_or_a_protocol_error(data: bytes, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> tuple[list[bytes], bool]:
        parser, found = BlockParser(), []
        try:
            for part in parts:
                found += parser.push(part)
        except AdbProtocolError:
            return found, False
        return found, True

    whole, good = outcome([data])
    in_parts, also_good = outcome(chunked(data, cuts))
    assert good == also_good
    if good:
        assert in_parts == whole

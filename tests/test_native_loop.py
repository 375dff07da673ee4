"""The native media loop as Python sees it: values, buffers, errors, and that it goes on while the GIL is held."""

import ctypes
import gc
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from pylibsrtp import Policy, Session

from mediacore import _core
from mediacore.h264 import AccessUnitParser

PASSWORD = "abcdefghijklmnopqrstuv"
PATIENCE_S = 10.0
AEAD_AES_128_GCM = 7
EXPORTED = bytes(range(56))
VIDEO_SSRC = 0x11111111
REPLAY_BYTES = 1 << 20


@pytest.fixture
def loop() -> Iterator[_core.MediaLoop]:
    made = _core.MediaLoop(addresses=["127.0.0.1"])
    yield made
    made.close()


@pytest.fixture
def units(recordings: Callable[..., Path]) -> list[bytes]:
    """The access units of a recording: a key frame and 29 others."""
    parser = AccessUnitParser()
    found = parser.push(recordings().read_bytes())
    last = parser.flush()
    assert last is not None
    return [bytes(unit.data) for unit in [*found, last]]


def wait_for(loop: _core.MediaLoop, kind: int) -> tuple[Any, ...]:
    """The next event of this kind; others before it are lost."""
    end_s = time.monotonic() + PATIENCE_S
    while (left_s := end_s - time.monotonic()) > 0:
        readable, _, _ = select.select([loop.event_fd], [], [], left_s)
        assert readable, "the event did not come"
        for event in loop.take_events():
            if event[0] == kind:
                return event[1:]
    raise AssertionError("the event did not come")


def settle(loop: _core.MediaLoop) -> None:
    """All commands of a loop with one thread have been carried out."""
    loop.remove(1 << 60, 999)
    while wait_for(loop, _core.EVENT_DONE) != (999, None):
        pass


def take(loop: _core.MediaLoop, tap: int, count: int) -> list[tuple[memoryview, int, bool, int, int]]:
    packets: list[tuple[memoryview, int, bool, int, int]] = []
    while len(packets) < count:
        taken = loop.take_packets(tap, count - len(packets))
        if not taken:
            assert wait_for(loop, _core.EVENT_TAP_READY) == (tap,)
        packets += taken
    return packets


def viewer_config(**changes: Any) -> _core.ViewerConfig:
    values: dict[str, Any] = {
        "profile": AEAD_AES_128_GCM,
        "exported": EXPORTED,
        "video_ssrc": VIDEO_SSRC,
        "video_payload_type": 102,
        "cname": "mediacore",
        "pacing": {"enabled": False},
    }
    return _core.ViewerConfig(**(values | changes))


class Browser:
    """The other side of a viewer: nominates by STUN and opens what comes."""

    def __init__(self, loop: _core.MediaLoop, rendition: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_S)
        server_key, server_salt = EXPORTED[16:32], EXPORTED[44:56]
        policy = Policy(
            key=server_key + server_salt,
            ssrc_type=Policy.SSRC_ANY_INBOUND,
            srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        )
        self._srtp = Session(policy)
        self._loop = loop
        self.host, self.port = self._socket.getsockname()
        self.viewer = loop.add_viewer(rendition, ufrag="ours", password=PASSWORD, quiet_us=0, silent_us=0)
        self._to = loop.sockets(loop.thread_of(rendition))[0]
        self.pictures = 0

    def connect(self) -> None:
        """A check of the loop's side is answered, and one of ours nominates."""
        ours = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        assert self._loop.send_datagram(self.viewer, 0, self.host, self.port, bytes(ours))
        check = stun.parse_message(self._socket.recv(2048))
        answer = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=check.transaction_id,
        )
        self._socket.sendto(bytes(answer), self._to)
        nomination = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        nomination.attributes["USERNAME"] = "ours:theirs"
        nomination.attributes["PRIORITY"] = 1
        nomination.attributes["ICE-CONTROLLING"] = 1
        nomination.attributes["USE-CANDIDATE"] = None
        nomination.add_message_integrity(PASSWORD.encode())
        self._socket.sendto(bytes(nomination), self._to)
        assert wait_for(self._loop, _core.EVENT_DESTINATION) == (self.viewer,)
        reply = stun.parse_message(self._socket.recv(2048))
        reply.check_message_integrity(PASSWORD.encode())
        assert reply.attributes["XOR-MAPPED-ADDRESS"] == (self.host, self.port)

    def read(self) -> None:
        """Takes what is there, without waiting."""
        self._socket.setblocking(False)
        while True:
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return
            if data[0] >> 6 != 2 or 192 <= data[1] <= 223:
                continue
            packet = self._srtp.unprotect(data)
            assert struct.unpack_from("!I", packet, 8)[0] == VIDEO_SSRC
            self.pictures += packet[1] >> 7  # the marker ends a picture

    def wait_for_pictures(self, count: int) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while self.pictures < count:
            readable, _, _ = select.select([self._socket], [], [], end_s - time.monotonic())
            assert readable, f"{self.pictures} pictures came"
            self.read()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def watched(loop: _core.MediaLoop) -> Iterator[tuple[int, Browser]]:
    """A rendition and a browser that watches it."""
    rendition = loop.add_rendition(codec="h264", replay_bytes=REPLAY_BYTES)
    browser = Browser(loop, rendition)
    try:
        browser.connect()
        loop.start_viewer(browser.viewer, viewer_config())
        loop.attach(browser.viewer, rendition)
        yield rendition, browser
    finally:
        browser.close()


def hold_gil(seconds: float) -> None:
    """No Python runs meanwhile, in no thread."""
    ctypes.PyDLL(None).usleep(round(seconds * 1e6))


# ---------------------------------------------------------------------------------------------- the GIL


def test_pictures_pushed_ahead_go_on_while_the_gil_is_held(
    loop: _core.MediaLoop, watched: tuple[int, Browser], units: list[bytes]
) -> None:
    rendition, browser = watched
    start_us = time.monotonic_ns() // 1000
    for n, unit in enumerate(units):
        due_us = start_us + n * 20_000
        assert loop.push(rendition, unit, pts_us=due_us, is_key=n == 0, due_us=due_us)
    hold_gil(1.5)
    browser.read()
    assert browser.pictures == len(units)


DEVICE = """
import sys, time, pathlib
units = pathlib.Path(sys.argv[1]).read_bytes().split(b"SEPARATOR")
with open(int(sys.argv[2]), "wb", buffering=0) as out:
    for unit in units:
        out.write(unit)
        time.sleep(0.02)
    sys.stdin.read()
"""


def test_pictures_of_a_device_go_on_while_the_gil_is_held(
    loop: _core.MediaLoop, watched: tuple[int, Browser], units: list[bytes], tmp_path: Path
) -> None:
    rendition, browser = watched
    file = tmp_path / "units"
    file.write_bytes(b"SEPARATOR".join(units))
    ours, theirs = socket.socketpair()
    loop.add_source(rendition, ours.detach(), idle_us=2000)
    with subprocess.Popen(
        [sys.executable, "-c", DEVICE, file, str(theirs.fileno())], stdin=subprocess.PIPE, pass_fds=[theirs.fileno()]
    ) as device:
        theirs.close()
        browser.wait_for_pictures(1)
        hold_gil(2)
        browser.read()
        assert browser.pictures == len(units)
        assert device.stdin is not None
        device.stdin.close()
    assert wait_for(loop, _core.EVENT_SOURCE_ENDED)[1:] == (0, b"", "end")


# ---------------------------------------------------------------------------------------------- values


def test_a_source_tells_what_it_is_and_fills_a_tap(loop: _core.MediaLoop, units: list[bytes]) -> None:
    rendition = loop.add_rendition(codec="h264", replay_bytes=REPLAY_BYTES)
    tap = loop.add_tap(rendition, 64, replay=False)
    ours, theirs = socket.socketpair()
    source = loop.add_source(rendition, ours.detach(), idle_us=2000)
    theirs.sendall(b"".join(units))
    assert wait_for(loop, _core.EVENT_SOURCE_CURRENT) == (source, 1)
    packets = take(loop, tap, len(units))
    assert [bytes(data) for data, *_ in packets] == units
    assert [is_key for _, _, is_key, _, _ in packets] == [True] + [False] * (len(units) - 1)
    assert {epoch for _, _, _, epoch, _ in packets} == {1}
    times = [pts_us for _, pts_us, _, _, _ in packets]
    assert times == sorted(set(times))
    figures = loop.source_figures(source)
    assert (figures["units"], figures["key_frames"], figures["current"]) == (len(units), 1, 1)
    theirs.close()
    assert wait_for(loop, _core.EVENT_SOURCE_ENDED) == (source, 0, b"", "end")


def test_a_description_comes_before_its_packet(loop: _core.MediaLoop, units: list[bytes]) -> None:
    rendition = loop.add_rendition(codec="h264", replay_bytes=REPLAY_BYTES)
    assert loop.push(rendition, units[0], pts_us=5, is_key=True)
    kind, width, height, profile, epoch, pts_us = wait_for(loop, _core.EVENT_DESCRIPTION)
    assert (kind, width, height, epoch, pts_us) == (rendition, 160, 128, 1, 5)
    assert len(profile) == 6


def test_packets_outlive_everything(loop: _core.MediaLoop, units: list[bytes]) -> None:
    rendition = loop.add_rendition(codec="h264", replay_bytes=REPLAY_BYTES)
    tap = loop.add_tap(rendition, 4)
    assert loop.push(rendition, bytearray(units[0]), pts_us=1, is_key=True)
    [(data, *_)] = take(loop, tap, 1)
    loop.remove(tap)
    loop.close()
    assert data == units[0]
    assert data.readonly
    assert data.format == "B"
    with pytest.raises(TypeError):
        data[0] = 1


def test_figures_have_all_their_names(loop: _core.MediaLoop, watched: tuple[int, Browser]) -> None:
    rendition, browser = watched
    assert {"units", "bytes", "key_frames", "key_frame_wishes", "viewers", "taps", "fps", "bitrate_bps"} <= set(
        loop.rendition_figures(rendition)
    )
    viewer = loop.viewer_figures(browser.viewer)
    assert {"frames", "packets", "rtt_us", "loss", "queued_bytes", "datagrams_up", "quota_drops", "silent_us"} <= set(
        viewer
    )
    assert {f"{name}_us_{p}" for name in ("handed", "arrival", "nack") for p in ("p50", "p95")} <= set(viewer)
    settle(loop)
    figures = loop.loop_figures()
    assert figures["cpu_ns"] > 0
    assert figures["answered"] == 1
    assert loop.destination(browser.viewer) == (0, browser.host, browser.port, 0)


def test_datagrams_come_up(loop: _core.MediaLoop) -> None:
    rendition = loop.add_rendition(codec="h264", replay_bytes=REPLAY_BYTES)
    browser = Browser(loop, rendition)
    try:
        browser.connect()
        browser._socket.sendto(b"\x16" * 50, loop.sockets(0)[0])
        assert wait_for(loop, _core.EVENT_DATAGRAM) == (browser.viewer, 0, browser.host, browser.port, b"\x16" * 50)
        loop.remove(browser.viewer, 5)
        assert wait_for(loop, _core.EVENT_DONE) == (5, None)
        assert not loop.send_datagram(browser.viewer, 0, browser.host, browser.port, b"\x16")
    finally:
        browser.close()


# ---------------------------------------------------------------------------------------------- errors and ends


def test_wrong_values_are_refused(loop: _core.MediaLoop) -> None:
    with pytest.raises(ValueError, match="h265"):
        loop.add_rendition(codec="h265", replay_bytes=0)
    rendition = loop.add_rendition(codec="h264", replay_bytes=0)
    viewer = loop.add_viewer(rendition, ufrag="a", password=PASSWORD, quiet_us=0, silent_us=0)
    with pytest.raises(ValueError, match="example"):
        loop.send_datagram(viewer, 0, "example.org", 9, b"")
    with pytest.raises(TypeError):
        loop.push(rendition, "text", pts_us=0, is_key=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="speed"):
        loop.set_pacing(viewer, {"speed": 1})
    with pytest.raises(IndexError):
        loop.sockets(1)
    for figures in (loop.viewer_figures, loop.rendition_figures, loop.source_figures, loop.tap_figures):
        with pytest.raises(KeyError):
            figures(1 << 40)
    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        _core.MediaLoop(addresses=["192.0.2.1"])


class Made(Sequence[tuple[bytes, int, bool]]):
    """Units that nobody holds but who asks for them."""

    def __init__(self, unit: bytes, count: int) -> None:
        self._unit = unit
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if index >= self._count:
            raise IndexError
        return (b"%s%d" % (self._unit, index), index, index == 0)


def test_a_sequence_may_make_the_units_that_are_pushed(loop: _core.MediaLoop) -> None:
    """Each unit was used when it was freed already."""
    rendition = loop.add_rendition(codec="vp8", replay_bytes=0)
    tap = loop.add_tap(rendition, 64, replay=False)
    assert loop.push_all(rendition, Made(bytes(5000), 20)) == 20
    packets = take(loop, tap, 20)
    assert [bytes(packet[0]) for packet in packets] == [b"%s%d" % (bytes(5000), i) for i in range(20)]


@pytest.mark.parametrize("wrong", [(b"c", 2), ("text", 2, False), (b"c", 1 << 62, False)])
def test_what_cannot_be_pushed_pushes_nothing_before_it(loop: _core.MediaLoop, wrong: Any) -> None:
    """Those before it were pushed, and nobody was told how many."""
    rendition = loop.add_rendition(codec="vp8", replay_bytes=0)
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        loop.push_all(rendition, [(b"a", 0, True), (b"b", 1, False), wrong])
    settle(loop)
    assert loop.rendition_figures(rendition)["units"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("profile", 2),
        ("exported", EXPORTED[:-1]),
        ("video_payload_type", 128),
        ("extension_ids", {"urn:ietf:params:rtp-hdrext:sdes:mid": 0}),
        ("playout_delay_ms", (100, 50)),
        ("first_sequences", (1, 2)),
        ("pacing", {"factor": float("nan")}),
    ],
)
def test_a_wrong_configuration_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        viewer_config(**{name: value})


def test_after_close_every_call_is_refused() -> None:
    loop = _core.MediaLoop(addresses=[])
    rendition = loop.add_rendition(codec="h264", replay_bytes=0)
    descriptor = loop.event_fd
    loop.close()
    loop.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for call in (
            lambda: loop.event_fd,
            loop.take_events,
            loop.loop_figures,
            lambda: loop.remove(rendition, 1),
            lambda: loop.push(rendition, b"", pts_us=0, is_key=True),
            lambda: loop.add_source(rendition, ours.fileno(), idle_us=2000),
        ):
            with pytest.raises(RuntimeError, match="closed"):
                call()
        theirs.send(b"x")
        assert ours.recv(1) == b"x", "the socket of a refused source stays its owner's"


def test_a_forgotten_loop_ends_its_threads() -> None:
    loop = _core.MediaLoop(addresses=["127.0.0.1"], threads=2)
    descriptor = loop.event_fd
    del loop
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_interpreter_ends_with_a_loop_that_runs() -> None:
    program = (
        "from mediacore import _core; import sys;"
        "loop = _core.MediaLoop(addresses=['127.0.0.1'], threads=2); sys.keep = loop;"
        "rendition = loop.add_rendition(codec='vp8', replay_bytes=0);"
        "loop.push(rendition, b'abc', pts_us=0, is_key=True); print('end')"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=True, capture_output=True)
    assert done.stdout == b"end\n"
    assert done.stderr == b""

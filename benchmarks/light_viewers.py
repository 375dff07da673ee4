"""WHEP viewers that decode nothing, as many as wanted, in a process of their own: `python light_viewers.py`.

ICE and DTLS are aiortc's; what comes as RTP is read here, with the kernel's time of its arrival, so that a reader that
is late does not count. RTP headers are in the clear; nothing is decrypted but what is asked for. Each second a viewer
says with a receiver report that it lives.

Orders come as lines of JSON on the input, one answer each on the output:

- ``{"do": "connect", "urls": [...], "first": true}``: connects one viewer to each URL, one after another; with
  ``first`` each waits for its first whole IDR. Answers ``{"first_ms": [...]}``, from the POST. ``"link": {"rate_bps":
  …}``: they share an emulated link (LinkOptions) from the server.
- ``{"do": "measure", "seconds": 5, "fps": 30, "lose": 0, "packets": false}``: what comes in that time. ``lose`` 50:
  each 50th packet is dropped on arrival and asked for again. ``fps``: the frames' schedule. Answers figures.
- ``{"do": "close"}``: ends all viewers; the program goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pylibsrtp
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from mediacore.rtc.contract import ice_connection, override
from mediacore.testing import EmulatedLink, LinkOptions
from mediacore.testing.gathering import _on

POLL_S = 0.004
"""How often sockets are read while nobody waits for an answer."""
REPORT_S = 1.0
RECEIVE_BYTES = 4 << 20
ADDRESS = "127.0.0.1"
SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
SO_RCVBUFFORCE = 33
OWN_SSRC = 0x6D656469
FIRST_TIMEOUT_S = 20.0


@dataclass(slots=True)
class Arrivals:
    """What one viewer got while it was measured."""

    packets: int = 0
    size: int = 0
    markers: list[tuple[int, int]] = field(default_factory=list)
    """(arrival in ns, RTP timestamp) of the frames' last packets."""
    all: list[tuple[int, int, int]] = field(default_factory=list)
    """(arrival in ns, RTP timestamp, bytes) of all packets, if they are asked for."""
    missing: int = 0
    """Sequence numbers that did not come in order."""
    dropped: int = 0
    nacks: int = 0
    repaired_ms: list[float] = field(default_factory=list)


class FirstPicture:
    """Waits for the first frame that is whole and holds an IDR."""

    def __init__(self) -> None:
        self.at_ns = 0
        self.whole = asyncio.Event()
        self._timestamp: int | None = None
        self._next = 0
        self._has_idr = False

    def packet(self, at_ns: int, sequence: int, timestamp: int, marker: bool, payload: bytes) -> None:
        if timestamp != self._timestamp:
            self._timestamp, self._has_idr = timestamp, False
        elif sequence != self._next:
            self._timestamp = None  # a gap: this frame is not whole
            return
        self._next = (sequence + 1) & 0xFFFF
        kind = payload[0] & 31
        self._has_idr |= kind == 5 or (kind == 28 and payload[1] & 31 == 5 and payload[1] & 0x80 != 0)
        if marker and self._has_idr and not self.whole.is_set():
            self.at_ns = at_ns
            self.whole.set()


def payload_offset(packet: bytes) -> int:
    """Where the payload of an RTP packet begins."""
    offset = 12 + 4 * (packet[0] & 15)
    if packet[0] & 16:
        offset += 4 + 4 * int.from_bytes(packet[offset + 2 : offset + 4], "big")
    return offset


class LightViewer:
    """One viewer."""

    def __init__(self, url: str, link: EmulatedLink | None = None) -> None:
        self._url = url
        self._link = link
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._sockets: list[tuple[socket.socket, Any]] = []
        self._location: str | None = None
        self._media: set[int] = set()
        self._repairs: set[int] = set()
        self._prompt = True
        self._highest: int | None = None
        self._ssrc = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[int, int] = {}
        self._unread: deque[tuple[int, bytes, int, int, bool]] = deque()
        self.lose = 0
        self.keep_all = False
        self.arrivals: Arrivals | None = None
        self.first: FirstPicture | None = FirstPicture()
        self.posted_ns = 0

    async def connect(self, http: aiohttp.ClientSession) -> None:
        transceiver = self._pc.addTransceiver("video", direction="recvonly")
        codecs = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType in ("video/H264", "video/rtx")])
        self._dtls: Any = transceiver.receiver.transport
        gatherer = self._dtls.transport.iceGatherer
        # One address: checks of pairs that lead nowhere go on for half a minute, in the servers too.
        override(ice_connection(gatherer), "get_component_candidates", _on([ADDRESS]))
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self._take_sockets(ice_connection(gatherer))
        self.posted_ns = time.time_ns()
        headers = {"Content-Type": "application/sdp"}
        offer = self._pc.localDescription.sdp
        if self._link is not None:  # the server must not know a way around the link
            offer = re.sub(r"(a=candidate:\S+ \d+ udp \d+) \S+ \d+", r"\1 127.0.0.1 9", offer)
        async with http.post(self._url, data=offer, headers=headers) as answer:
            sdp = await answer.text()
            if answer.status != 201:
                raise RuntimeError(f"{self._url}: {answer.status} {sdp}")
            self._location = answer.headers.get("Location")
        for payload_type, codec in re.findall(r"a=rtpmap:(\d+) (H264|rtx)/90000", sdp):
            (self._media if codec == "H264" else self._repairs).add(int(payload_type))
        if self._link is not None:
            sdp = self._link.through(sdp)
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        self._spawn(self._report())

    def _take_sockets(self, connection: Any) -> None:
        """Read the sockets instead of asyncio's transports."""
        loop = asyncio.get_running_loop()
        for protocol in connection._protocols:
            fd = protocol.transport.get_extra_info("socket").fileno()
            loop._remove_reader(fd)  # type: ignore[attr-defined]
            sock = socket.socket(fileno=os.dup(fd))
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            try:
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            self._sockets.append((sock, protocol))
            loop.add_reader(sock.fileno(), self._read, sock, protocol)

    def prompt(self, prompt: bool) -> None:
        """Whether each datagram is read as it comes, or all are read now and then."""
        if prompt == self._prompt:
            return
        self._prompt = prompt
        loop = asyncio.get_running_loop()
        for sock, protocol in self._sockets:
            if prompt:
                loop.add_reader(sock.fileno(), self._read, sock, protocol)
            else:
                loop.remove_reader(sock.fileno())

    def poll(self) -> None:
        for sock, protocol in self._sockets:
            self._read(sock, protocol)

    def _read(self, sock: socket.socket, protocol: Any) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data, control, _, address = sock.recvmsg(2048, 64)
                if not 128 <= data[0] < 192:
                    protocol.datagram_received(data, address)
                elif not 192 <= data[1] <= 223:
                    seconds, ns = struct.unpack("qq", control[0][2])
                    self._packet(seconds * 1_000_000_000 + ns, data)

    def _packet(self, at_ns: int, data: bytes) -> None:
        second, sequence, timestamp, ssrc = struct.unpack_from(">BHII", data, 1)
        payload_type = second & 127
        if payload_type in self._repairs:
            self._repair(at_ns, data)
            return
        if payload_type not in self._media:
            return
        self._ssrc = ssrc
        if self.first is not None:
            self._look(at_ns, data, sequence, timestamp, second > 127)
        arrivals = self.arrivals
        if self.lose and arrivals is not None and sequence % self.lose == 0 and sequence not in self._asked:
            arrivals.dropped += 1
            return
        self._watch_order(at_ns, sequence)
        if arrivals is None:
            return
        arrivals.packets += 1
        arrivals.size += len(data)
        if second > 127:
            arrivals.markers.append((at_ns, timestamp))
        if self.keep_all:
            arrivals.all.append((at_ns, timestamp, len(data)))

    def _watch_order(self, at_ns: int, sequence: int) -> None:
        if self._highest is None:
            self._highest = sequence
            return
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead == 0 or ahead > 0x8000:
            if (asked := self._asked.pop(sequence, None)) is not None and self.arrivals is not None:
                self.arrivals.repaired_ms.append((at_ns - asked) / 1e6)  # sent again as it was
            return
        if ahead > 1 and self.arrivals is not None:
            self.arrivals.missing += ahead - 1
            if self.lose:
                missing = [(self._highest + n) & 0xFFFF for n in range(1, min(ahead, 17))]
                for one in missing:
                    self._asked[one] = time.time_ns()
                self.arrivals.nacks += len(missing)
                mask = sum(1 << n for n in range(len(missing) - 1))
                self._send(struct.pack(">BBHIIHH", 0x81, 205, 3, OWN_SSRC, self._ssrc, missing[0], mask))
        self._highest = sequence

    def _repair(self, at_ns: int, data: bytes) -> None:
        """A packet of RFC 4588: its payload begins with the sequence number that was lost."""
        try:
            plain = self._dtls._rx_srtp.unprotect(data)
        except pylibsrtp.Error:
            return
        (sequence,) = struct.unpack_from(">H", plain, payload_offset(plain))
        asked = self._asked.pop(sequence, None)
        if asked is not None and self.arrivals is not None:
            self.arrivals.repaired_ms.append((at_ns - asked) / 1e6)

    def _look(self, at_ns: int, data: bytes, sequence: int, timestamp: int, marker: bool) -> None:
        assert self.first is not None
        self._unread.append((at_ns, data, sequence, timestamp, marker))
        if len(self._unread) == 1 and self._dtls._rx_srtp is None:
            self._spawn(self._look_later())
        elif self._dtls._rx_srtp is not None:
            self._look_at_all()

    async def _look_later(self) -> None:
        """The handshake's last flight was read just now: its keys are not there yet."""
        while self._dtls._rx_srtp is None:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.001)
        self._look_at_all()

    def _look_at_all(self) -> None:
        while self._unread:
            at_ns, data, sequence, timestamp, marker = self._unread.popleft()
            try:
                plain = self._dtls._rx_srtp.unprotect(data)
            except pylibsrtp.Error:
                continue
            offset = payload_offset(plain)
            if self.first is not None and len(plain) > offset + 1:
                self.first.packet(at_ns, sequence, timestamp, marker, plain[offset:])

    def _send(self, rtcp: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._spawn(self._dtls._send_rtp(rtcp))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            if self._ssrc:
                block = struct.pack(">IIIIII", self._ssrc, 0, self._highest or 0, 0, 0, 0)
                self._send(struct.pack(">BBHI", 0x81, 201, 7, OWN_SSRC) + block)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the connection has gone: nothing is to be told

    async def close(self, http: aiohttp.ClientSession) -> None:
        self.prompt(True)
        if self._location is not None:
            url = self._url[: self._url.index("/", 8)] + self._location if self._location[0] == "/" else self._location
            with contextlib.suppress(aiohttp.ClientError):
                await (await http.delete(url)).release()
        for task in list(self._tasks):
            task.cancel()
        for sock, _ in self._sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()
        await self._pc.close()


def percentile(values: list[float], share: float) -> float:
    """Nearest rank; -1 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else -1.0


def lateness(arrivals: list[Arrivals], fps: float) -> tuple[list[float], list[list[float]]]:
    """How late frames are, in ms: against the earliest viewer of all, and each viewer's against its own earliest frame.

    The first trusts that all viewers watch one stream. A frame's number is its RTP time, rounded to the schedule.
    """
    frame_ms = 1000 / fps
    own: list[list[float]] = []
    least: list[float] = []
    for one in arrivals:
        if not one.markers:
            continue
        begin_ns, begin = one.markers[0]
        late = [
            (at_ns - begin_ns) / 1e6 - round(((ts - begin) & 0xFFFFFFFF) / 90 / frame_ms) * frame_ms
            for at_ns, ts in one.markers
            if (ts - begin) & 0xFFFFFFFF < 1 << 31
        ]
        least.append(begin_ns / 1e6 + min(late))
        own.append([ms - min(late) for ms in late])
    if not own:
        return [], []
    shifts = [(ms - least[0] + frame_ms / 2) % frame_ms - frame_ms / 2 for ms in least]
    earliest = min(shifts)
    shared = [ms + shift - earliest for late, shift in zip(own, shifts, strict=True) for ms in late]
    return shared, own


def figures(arrivals: list[Arrivals], seconds: float, fps: float, packets: bool) -> dict[str, Any]:
    """What `measure` answers."""
    shared, own = lateness(arrivals, fps)
    flat = [ms for late in own for ms in late]
    gaps = [(b[0] - a[0]) / 1e6 for one in arrivals for a, b in zip(one.markers, one.markers[1:], strict=False)]
    repaired = [ms for one in arrivals for ms in one.repaired_ms]
    result: dict[str, Any] = {
        "viewers": len(arrivals),
        "frames": sum(len(one.markers) for one in arrivals),
        "frames_due": seconds * fps * len(arrivals),
        "packets": sum(one.packets for one in arrivals),
        "bytes": sum(one.size for one in arrivals),
        "missing": sum(one.missing for one in arrivals),
        "late_shared_ms": {"p50": percentile(shared, 0.5), "p95": percentile(shared, 0.95)},
        "late_ms": {"p50": percentile(flat, 0.5), "p95": percentile(flat, 0.95), "p99": percentile(flat, 0.99)},
        "longest_gap_ms": max(gaps, default=-1),
        "dropped": sum(one.dropped for one in arrivals),
        "nacks": sum(one.nacks for one in arrivals),
        "repaired": len(repaired),
        "repaired_ms": {"p50": percentile(repaired, 0.5), "p95": percentile(repaired, 0.95)},
    }
    if packets:
        result["all"] = [one.all for one in arrivals]
    return result


class Viewers:
    """All of them."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._viewers: list[LightViewer] = []
        self._link: EmulatedLink | None = None

    async def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        first_ms: list[float] = []
        if "link" in order:
            self._link = EmulatedLink(down=LinkOptions(**order["link"]))
            await self._link.__aenter__()
        for url in order["urls"]:
            viewer = LightViewer(url, self._link)
            self._viewers.append(viewer)
            await viewer.connect(self._http)
            if order.get("first", True):
                assert viewer.first is not None
                await asyncio.wait_for(viewer.first.whole.wait(), FIRST_TIMEOUT_S)
                first_ms.append((viewer.first.at_ns - viewer.posted_ns) / 1e6)
                viewer.first = None
        return {"first_ms": first_ms}

    async def measure(self, order: dict[str, Any]) -> dict[str, Any]:
        lose, seconds = order.get("lose", 0), order["seconds"]
        before = self._link and (self._link.down.passed, self._link.down.lost, self._link.down.overflowed)
        arrivals = []
        for viewer in self._viewers:
            viewer.prompt(lose > 0)
            viewer.first = None
            viewer.lose, viewer.keep_all = lose, order.get("packets", False)
            viewer.poll()
            viewer.arrivals = Arrivals()
            arrivals.append(viewer.arrivals)
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, POLL_S))
            for viewer in self._viewers:
                viewer.poll()
        for viewer in self._viewers:
            viewer.lose, viewer.arrivals = 0, None
            viewer.prompt(True)
        result = figures(arrivals, seconds, order["fps"], order.get("packets", False))
        if self._link is not None and before is not None:
            down = self._link.down
            counts = (down.passed - before[0], down.lost - before[1], down.overflowed - before[2])
            result["link"] = dict(zip(("passed", "lost", "overflowed"), counts, strict=True))
            result["link"]["late_ms_p99"] = percentile(self._link.late_ms, 0.99)
        return result

    async def close(self, order: dict[str, Any]) -> dict[str, Any]:
        del order
        viewers, self._viewers = self._viewers, []
        for viewer in viewers:
            await viewer.close(self._http)
        if self._link is not None:
            link, self._link = self._link, None
            await link.__aexit__(None, None, None)
        return {}


async def main() -> None:
    """Carries out orders until the input ends."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with aiohttp.ClientSession() as http:
        viewers = Viewers(http)
        while line := await reader.readline():
            order = json.loads(line)
            print(json.dumps(await getattr(viewers, order["do"])(order)), flush=True)
        await viewers.close({})


if __name__ == "__main__":
    asyncio.run(main())

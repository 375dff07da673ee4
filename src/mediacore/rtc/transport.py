"""ICE and DTLS of one viewer, on the sockets of the media loop.

Policy: the media loop takes the viewer's datagrams in and lets ICE and DTLS come up to here; RTP, RTCP and the answers
to the viewer's checks never do. A viewer from which nothing authenticated comes is asked for a sign of life, and lost
when it gives none. Runs on one asyncio loop.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiortc import RTCDtlsParameters, RTCDtlsTransport, RTCIceGatherer, RTCIceParameters, RTCIceTransport

from mediacore.errors import ConnectFailedError
from mediacore.media import CloseReason
from mediacore.media_loop import command
from mediacore.rtc.ice_servers import DEFAULT_PORT, IceServer, Relay
from mediacore.rtc.port import IcePort
from mediacore.settings import host_and_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCIceCandidate

    from mediacore import _core
    from mediacore.media import CandidatePair
    from mediacore.media_loop import MediaLoop
    from mediacore.rtc.description import RemoteEnd
    from mediacore.settings import RtcSettings

log = logging.getLogger(__name__)

QUIET_SHARE: Final = 0.4
"""After this share of the silence timeout a viewer is asked whether it is there."""
PROBE_S: Final = 0.5
"""How long aioice waits for the response to one check (its first retransmission time)."""
HASH: Final = "sha-256"
"""Of our certificate's fingerprint."""
KEYS_LABEL: Final = b"EXTRACTOR-dtls_srtp"
"""RFC 5764 section 4.2."""

_SRTP: Final = {
    b"SRTP_AES128_CM_SHA1_80": (1, 2 * (16 + 14)),
    b"SRTP_AEAD_AES_128_GCM": (7, 2 * (16 + 12)),
    b"SRTP_AEAD_AES_256_GCM": (8, 2 * (32 + 12)),
}
# Name in OpenSSL -> number in DTLS, bytes of both directions' keys and salts (RFC 5764 section 4.1.2, RFC 7714).


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What the DTLS handshake gives SRTP."""

    profile: int
    """Number of the protection profile."""
    exported: bytes
    """Client key, server key, client salt, server salt; we are the server."""


class ViewerTransport:
    """One viewer of the media loop: ``open``, ``establish``, then ``close_dtls``, ``close_ice`` and ``remove``.

    Args:
        loop: the media loop, with its sockets open.
        settings: deadlines and limits.
        certificate: what the viewer is shown.
        ufrag: our ICE user name fragment, unique among the loop's viewers.
        on_end: called when the viewer has left or is lost; may be called more than once.
    """

    def __init__(
        self,
        loop: MediaLoop,
        settings: RtcSettings,
        *,
        certificate: RTCCertificate,
        ufrag: str,
        on_end: Callable[[CloseReason], None],
    ) -> None:
        self._loop = loop
        self._silent_us = int(settings.silence_timeout_s * 1e6)
        self._on_end = on_end
        self._probing: asyncio.Task[None] | None = None
        self._figures: Mapping[str, float | int] = {}
        gatherer = RTCIceGatherer(iceServers=[], local_username=ufrag)
        self._port = IcePort(
            gatherer,
            self._send,
            advertised=settings.advertised_addresses,
            stun_server=_server(settings.stun_server),
            max_addresses=settings.max_candidates,
        )
        self._turn_server = _server(settings.turn_server, settings.turn_username, settings.turn_password)
        self._ice = RTCIceTransport(gatherer)
        self.dtls = RTCDtlsTransport(self._ice, [certificate])
        """For SCTP."""
        self.dtls._set_role("server")  # as the answer says; aiortc would take the role from ICE
        self.dtls.on("statechange", self._dtls_changed)
        self.id = 0
        """The media loop's number of the viewer; 0 before ``open``."""

    @property
    def ice_parameters(self) -> tuple[str, str]:
        """Our ICE user name fragment and password."""
        ours = self._ice.iceGatherer.getLocalParameters()
        return ours.usernameFragment or "", ours.password or ""

    @property
    def fingerprint(self) -> RTCDtlsFingerprint:
        """Of our certificate."""
        return next(f for f in self.dtls.getLocalParameters().fingerprints if f.algorithm == HASH)

    async def open(self, rendition: int) -> list[RTCIceCandidate]:
        """Become known to the media loop, on the rendition's thread; our candidates. From then on checks are answered.

        Raises:
            NoLocalAddressError: the media loop has no socket.
            LimitError: the media loop takes no more now.
        """
        ufrag, password = self.ice_parameters
        quiet_us = int(self._silent_us * QUIET_SHARE)
        self.id = self._loop.add_viewer(
            rendition, self, ufrag=ufrag, password=password, quiet_us=quiet_us, silent_us=self._silent_us
        )
        relay = Relay(self._loop.native, self.id, self._turn_server) if self._turn_server is not None else None
        return await self._port.gather(self._loop.sockets(rendition), relay)

    async def establish(self, remote: RemoteEnd, candidates: Sequence[RTCIceCandidate]) -> SrtpKeys:
        """Run ICE, then DTLS; the keys for SRTP.

        Raises:
            ConnectFailedError: one of them failed.
        """
        # The end of candidates is never told to aioice: most viewers' addresses are learnt from their checks, and it
        # would give up before the first one comes.
        for candidate in candidates:
            await self._ice.addRemoteCandidate(candidate)
        await self._ice.start(RTCIceParameters(usernameFragment=remote.ice_ufrag, password=remote.ice_password))
        self._check("ICE", succeeded=self._ice.state == "completed")
        await self.dtls.start(RTCDtlsParameters(fingerprints=list(remote.fingerprints)))
        self._check("DTLS", succeeded=self.dtls.state == "connected")
        ssl = self.dtls._ssl
        assert ssl is not None
        number, size = _SRTP[ssl.get_selected_srtp_profile()]
        return SrtpKeys(number, ssl.export_keying_material(KEYS_LABEL, size))

    def start(self, config: _core.ViewerConfig) -> None:
        """Tell the media loop how it sends to the viewer; raises ``LimitError``."""
        with command():
            self._loop.native.start_viewer(self.id, config)

    def attach(self, rendition: int, audio: int) -> None:
        """Let media flow, or go on with another rendition; raises ``LimitError``."""
        with command():
            self._loop.native.attach(self.id, rendition, audio)

    def detach(self) -> None:
        """Let no more media flow; raises ``LimitError``."""
        if self.id and self._loop.running:
            with command():
                self._loop.native.detach(self.id)

    async def close_dtls(self) -> None:
        """Tell the viewer by close_notify. Must not be cancelled."""
        reading = self.dtls._task
        await self.dtls.stop()
        if reading is not None:
            await asyncio.wait({reading})
            if not reading.cancelled() and reading.exception() is not None:
                log.warning("the viewer's transport failed: %r", reading.exception())

    async def close_ice(self) -> None:
        """End ICE. Must not be cancelled: aioice's tasks would stay."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})
        await self._ice.stop()

    async def remove(self) -> None:
        """The media loop forgets the viewer; the last figures stay."""
        if self.id:
            self.figures()
            viewer, self.id = self.id, 0
            await self._loop.remove(viewer)

    def abort(self) -> None:
        """Send nothing more, whatever aiortc is doing."""
        self._port.abort()

    def figures(self) -> Mapping[str, float | int]:
        """The media loop's figures of the viewer; the last ones after ``remove``, none before ``open``."""
        if self.id and self._loop.running:
            self._figures = self._loop.native.viewer_figures(self.id)
        return self._figures

    def pair(self) -> CandidatePair | None:
        """The way that media takes; None before there is one."""
        found = self._loop.native.destination(self.id) if self.id and self._loop.running else None
        return self._port.pair(*found) if found is not None else None

    @property
    def dropped_datagrams(self) -> int:
        """Datagrams and checks from outside that were not taken here."""
        return self._port.dropped_datagrams + self._port.dropped_checks

    # ------------------------------------------------------------------------------------ called by the media loop

    def datagram(self, socket: int, host: str, port: int, data: bytes) -> None:
        """STUN or DTLS came in."""
        self._port.datagram(socket, host, port, data)

    def destination_changed(self) -> None:
        """Media goes somewhere, or somewhere else."""
        log.debug("viewer %d is reached by %s", self.id, self.pair())

    def silent(self, silent_us: int) -> None:
        """Nothing authenticated has come for that long: ask whether the viewer is there."""
        if self.dtls.state != "connected":
            return  # whoever connects has a deadline
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._ask(), name=f"viewer silent for {silent_us} us")

    def said_bye(self) -> None:
        """The viewer has said by RTCP that it goes."""
        self._on_end(CloseReason.VIEWER_LEFT)

    # ------------------------------------------------------------------------------------

    def _send(self, socket: int, host: str, port: int, data: bytes) -> bool:
        if not self.id or not self._loop.running:
            return False
        return self._loop.native.send_datagram(self.id, socket, host, port, data)

    async def _ask(self) -> None:
        """Until the viewer is heard again, or lost. Judged after an answer is due: this loop may have been busy."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + PROBE_S
            if await self._port.probe():
                return
            await asyncio.sleep(due_s - loop.time())
            silent_us = self.figures().get("silent_us", 0)
            if silent_us < self._silent_us * QUIET_SHARE:
                return
            if silent_us >= self._silent_us:
                self._on_end(CloseReason.VIEWER_LOST)
                return

    def _check(self, step: str, *, succeeded: bool) -> None:
        if not succeeded:
            raise ConnectFailedError(
                f"the connection to the viewer failed in {step}; it may try again with a new offer"
            )

    def _dtls_changed(self) -> None:
        if self.dtls.state == "closed":
            # With ICE up it is the viewer's close_notify; else the sockets or the viewer's consent went away.
            left = self._ice.state == "completed"
            self._on_end(CloseReason.VIEWER_LEFT if left else CloseReason.VIEWER_LOST)


def _server(text: str | None, username: str | None = None, password: str | None = None) -> IceServer | None:
    return IceServer(*host_and_port(text, DEFAULT_PORT), username, password) if text is not None else None

"""The certificate that viewers are shown (RFC 8827 section 6.5): self-signed, made in a fraction of a millisecond."""

from __future__ import annotations

import datetime
from typing import Final

from aiortc import RTCCertificate

RENEW_BEFORE: Final = datetime.timedelta(days=2)
"""A certificate lasts 30 days; a connection that begins now should not outlive it."""


class Identity:
    """One certificate for all viewers of an engine, replaced before it expires."""

    def __init__(self) -> None:
        self._certificate: RTCCertificate | None = None

    def certificate(self) -> RTCCertificate:
        """The certificate for a connection that begins now."""
        now = datetime.datetime.now(datetime.UTC)
        if self._certificate is None or self._certificate.expires - now < RENEW_BEFORE:
            self._certificate = RTCCertificate.generateCertificate()
        return self._certificate

"""How fast do H.264 access units become RTP payloads, from Python, next to aiortc's packetizer?

Both get one access unit and give a list of payloads of the same largest size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiortc.codecs.h264 import PACKET_MAX, H264Encoder, h264_depayload

import streams
from mediacore.h264 import find_start_codes
from mediacore.rtp import H264Depacketizer, H264Packetizer

if TYPE_CHECKING:
    from conftest import Race

LEFT_OUT = (9, 12)
"""Types of NAL units that say nothing to a receiver: delimiter, filler."""


@pytest.fixture(scope="module", params=streams.STREAMS)
def units(request: pytest.FixtureRequest) -> list[bytes]:
    """The access units of one stream."""
    return streams.access_units(request.param, request.config.cache.mkdir("streams"))


def nals_of(data: bytes) -> list[bytes]:
    codes = find_start_codes(data)
    nals = [data[begin + 3 : end].rstrip(b"\0") for begin, end in zip(codes, [*codes[1:], len(data)], strict=True)]
    return [nal for nal in nals if nal and nal[0] & 31 not in LEFT_OUT]


def test_payloads(race: Race, units: list[bytes]) -> None:
    """Payloads of a stream, per payload."""
    packetizer = H264Packetizer(max_payload_bytes=PACKET_MAX)

    def by_aiortc(unit: bytes) -> list[bytes]:
        return H264Encoder._packetize(H264Encoder._split_bitstream(unit))

    payloads = [packetizer.packetize(unit) for unit in units]
    depacketizer, sequence_number = H264Depacketizer(), 0
    for unit, of_unit in zip(units, payloads, strict=True):
        assert max(map(len, of_unit)) <= PACKET_MAX
        assert nals_of(b"".join(map(h264_depayload, of_unit))) == nals_of(unit)
        assert nals_of(b"".join(map(h264_depayload, by_aiortc(unit)))) == nals_of(unit)
        for payload in of_unit:
            sequence_number += 1
            frames = depacketizer.push(payload, sequence_number=sequence_number & 0xFFFF, marker=payload is of_unit[-1])
        assert nals_of(frames[0].data) == nals_of(unit)

    def packetize_all() -> None:
        for unit in units:
            packetizer.packetize(unit)

    def packetize_all_by_aiortc() -> None:
        for unit in units:
            by_aiortc(unit)

    views = [memoryview(payload) for of_unit in payloads for payload in of_unit]

    race(
        {
            "mediacore": packetize_all,
            "aiortc": packetize_all_by_aiortc,
            "limit: bytes of each payload": lambda: list(map(bytes, views)),
        },
        reference="mediacore",
        unit=(sum(map(len, payloads)), "payload"),
    )

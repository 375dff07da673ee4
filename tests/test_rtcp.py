"""RTCP next to aiortc: what one writes the other reads the same."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from aiortc import rtp

from mediacore._core import (
    read_rtcp,
    write_rtcp_bye,
    write_rtcp_fir,
    write_rtcp_nack,
    write_rtcp_pli,
    write_rtcp_remb,
    write_rtcp_rr,
    write_rtcp_sdes,
    write_rtcp_sr,
    write_rtcp_twcc,
)
from mediacore.errors import BitstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mediacore._core import RtcpBlock

ROUNDS = 300


@pytest.fixture
def chance() -> Random:
    return Random(3550)


def word(chance: Random) -> int:
    return chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32)))


def random_blocks(chance: Random) -> list[RtcpBlock]:
    return [
        (
            word(chance),
            chance.randrange(256),
            chance.choice((-0x800000, -1, 0, 0x7FFFFF, chance.randrange(-0x800000, 0x800000))),
            word(chance),
            word(chance),
            word(chance),
            word(chance),
        )
        for _ in range(chance.choice((0, 1, 2, 31)))
    ]


def random_lost(chance: Random, *, wraps: bool) -> list[int]:
    """In order of sending."""
    number = chance.randrange(0x10000) if wraps else chance.randrange(0x8000)
    lost = []
    for _ in range(chance.randrange(1, 60)):
        lost.append(number % 0x10000)
        number += chance.choice((1, 1, 2, 16, 17, 18, 100))
    return lost


def aiortc_blocks(reports: list[rtp.RtcpReceiverInfo]) -> list[RtcpBlock]:
    return [
        (
            report.ssrc,
            report.fraction_lost,
            report.packets_lost,
            report.highest_sequence,
            report.jitter,
            report.lsr,
            report.dlsr,
        )
        for report in reports
    ]


def to_aiortc(blocks: list[RtcpBlock]) -> list[rtp.RtcpReceiverInfo]:
    return [rtp.RtcpReceiverInfo(*block) for block in blocks]


def as_items(packets: list[Any]) -> Iterator[tuple[Any, ...]]:
    """What aiortc read, as our reader tells it."""
    for packet in packets:
        match packet:
            case rtp.RtcpSrPacket():
                info = packet.sender_info
                yield (
                    "sr",
                    packet.ssrc,
                    info.ntp_timestamp,
                    info.rtp_timestamp,
                    info.packet_count,
                    info.octet_count,
                    aiortc_blocks(packet.reports),
                )
            case rtp.RtcpRrPacket():
                yield ("rr", packet.ssrc, aiortc_blocks(packet.reports))
            case rtp.RtcpByePacket():
                yield ("bye", packet.sources[0] if packet.sources else 0)
            case rtp.RtcpRtpfbPacket(fmt=1):
                # It does not wrap (pid + bit + 1).
                yield ("nack", packet.media_ssrc, [number % 0x10000 for number in packet.lost])
            case rtp.RtcpPsfbPacket(fmt=1):
                yield ("pli", packet.media_ssrc)
            case rtp.RtcpPsfbPacket(fmt=15):
                yield ("remb", rtp.unpack_remb_fci(packet.fci)[0])


def test_what_aiortc_writes(chance: Random) -> None:
    for _ in range(ROUNDS):
        packets: list[Any] = [
            rtp.RtcpSrPacket(
                word(chance),
                rtp.RtcpSenderInfo(chance.getrandbits(64), word(chance), word(chance), word(chance)),
                to_aiortc(random_blocks(chance)),
            ),
            rtp.RtcpSdesPacket([rtp.RtcpSourceInfo(word(chance), [(1, chance.randbytes(chance.randrange(40)))])]),
            rtp.RtcpRrPacket(word(chance), to_aiortc(random_blocks(chance))),
            rtp.RtcpRtpfbPacket(1, word(chance), word(chance), random_lost(chance, wraps=False)),
            rtp.RtcpPsfbPacket(1, word(chance), word(chance)),
            rtp.RtcpPsfbPacket(
                15, word(chance), 0, rtp.pack_remb_fci(chance.getrandbits(chance.randrange(1, 60)), [1])
            ),
            rtp.RtcpByePacket([word(chance) for _ in range(chance.randrange(4))]),
        ]
        chance.shuffle(packets)
        data = b"".join(bytes(packet) for packet in packets)
        assert read_rtcp(data) == (list(as_items(packets)), 0)


def test_what_we_write(chance: Random) -> None:
    for _ in range(ROUNDS):
        blocks, lost = random_blocks(chance), random_lost(chance, wraps=True)
        name = "n" * chance.randrange(256)
        written = [
            write_rtcp_sr(word(chance), chance.getrandbits(64), word(chance), word(chance), word(chance), blocks),
            write_rtcp_rr(word(chance), blocks),
            write_rtcp_sdes(5, name),
            write_rtcp_nack(word(chance), word(chance), lost),
            write_rtcp_pli(word(chance), word(chance)),
            write_rtcp_fir(word(chance), 7, 9),
            write_rtcp_remb(word(chance), chance.getrandbits(chance.randrange(1, 60)), [1, 2]),
            write_rtcp_bye([word(chance) for _ in range(chance.randrange(4))]),
        ]
        data = b"".join(written)
        packets = rtp.RtcpPacket.parse(data)
        assert len(packets) == len(written)
        items, skipped = read_rtcp(data)
        assert skipped == 0
        assert [item for item in items if item[0] != "fir"] == list(as_items(packets))
        assert [item for item in items if item[0] == "fir"] == [("fir", 7, 9)]
        [description] = [packet for packet in packets if isinstance(packet, rtp.RtcpSdesPacket)]
        assert description.chunks == [rtp.RtcpSourceInfo(5, [(1, name.encode())])]
        # The same numbers in the same pairs.
        if lost == sorted(lost):
            sender, media = (int.from_bytes(written[3][at : at + 4], "big") for at in (4, 8))
            assert written[3] == bytes(rtp.RtcpRtpfbPacket(1, sender, media, lost))


def test_nack_wraps() -> None:
    """aiortc reads 65536 here."""
    data = bytes.fromhex("81cd0003 00000001 00000002 fffe0003")
    assert read_rtcp(data) == ([("nack", 2, [65534, 65535, 0])], 0)
    assert write_rtcp_nack(1, 2, [65534, 65535, 0]) == data


def test_transport_feedback() -> None:
    arrivals = [(65535, 0), (0, None), (1, 255), (2, -1), (3, 32767), *((n, None) for n in range(4, 100)), (100, 1)]
    data = write_rtcp_twcc(1, 2, -3, 4, arrivals)
    assert read_rtcp(data) == ([("twcc", -3, 4, arrivals)], 0)
    [packet] = rtp.RtcpPacket.parse(data)
    assert isinstance(packet, rtp.RtcpRtpfbPacket)
    assert packet.fmt == 15


def test_what_is_refused() -> None:
    with pytest.raises(BitstreamError, match="ends too early"):
        read_rtcp(bytes.fromhex("81ce0002 00000001"))
    with pytest.raises(ValueError, match="no place"):
        write_rtcp_nack(1, 2, [])
    with pytest.raises(ValueError, match="no place"):
        write_rtcp_twcc(1, 2, 3, 4, [(1, 0), (3, 0)])


def test_noise_is_refused_or_read_as_aiortc_reads_it(chance: Random) -> None:
    """BYE and PLI: what aiortc holds to the same form; it wants reports without extensions, and takes empty NACKs."""
    read = refused = 0
    for _ in range(20_000):
        kind, count = chance.choice(((203, chance.randrange(4)), (206, 1)))
        words = chance.randrange(5)
        data = bytes([0x80 | count, kind, 0, words]) + chance.randbytes(4 * words)
        data = data[: chance.choice((len(data), len(data), chance.randrange(len(data))))]
        try:
            theirs = list(as_items(rtp.RtcpPacket.parse(data)))
        except ValueError:
            with pytest.raises(BitstreamError):
                read_rtcp(data)
            refused += 1
            continue
        if not data:
            continue
        assert read_rtcp(data)[0] == theirs
        read += 1
    assert read > 2_000
    assert refused > 2_000

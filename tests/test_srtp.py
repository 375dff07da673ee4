"""SRTP and SRTCP next to libsrtp: what one seals the other opens, and both seal to the same bytes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pylibsrtp
import pytest

from mediacore._core import SrtcpOpener, SrtcpSealer, SrtpOpener, SrtpSealer

PACKETS = 10_000
"""For each profile, protocol and direction."""
WINDOW = 1024
SSRCS = (1, 0xCAFEBABE, 0xFFFFFFFF)
FIRST_INDEX = 60_000
"""Near the first wrap, but with enough packets before it that a receiver has seen some."""


@dataclass(frozen=True)
class Profile:
    """A profile with random master keys."""

    number: int
    key: bytes
    salt: bytes

    def libsrtp(self, direction: int) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy(key=self.key + self.salt, ssrc_type=direction, srtp_profile=self.number)
        policy.window_size = WINDOW
        return pylibsrtp.Session(policy)

    def libsrtp_sender(self) -> pylibsrtp.Session:
        return self.libsrtp(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)

    def libsrtp_receiver(self) -> pylibsrtp.Session:
        return self.libsrtp(pylibsrtp.Policy.SSRC_ANY_INBOUND)


SIZES = {"AES128_CM_SHA1_80": (1, 16, 14), "AEAD_AES_128_GCM": (7, 16, 12), "AEAD_AES_256_GCM": (8, 32, 12)}


@pytest.fixture
def chance() -> Random:
    return Random(3711)


@pytest.fixture(params=list(SIZES.values()), ids=list(SIZES))
def profile(request: pytest.FixtureRequest, chance: Random) -> Profile:
    number, key_bytes, salt_bytes = request.param
    return Profile(number, chance.randbytes(key_bytes), chance.randbytes(salt_bytes))


@dataclass(frozen=True)
class Packet:
    """A plain RTP packet."""

    data: bytes
    header_bytes: int
    index: int


def rtp_packet(chance: Random, ssrc: int, index: int) -> Packet:
    csrcs = chance.choice((0, 0, 1, 15))
    words = chance.choice((None, None, 0, 1, 5))
    head = bytes([0x80 | (0x10 if words is not None else 0) | csrcs, chance.randrange(256)])
    head += (index & 0xFFFF).to_bytes(2, "big") + chance.randbytes(4) + ssrc.to_bytes(4, "big")
    head += chance.randbytes(4 * csrcs)
    if words is not None:
        head += b"\xbe\xde" + words.to_bytes(2, "big") + chance.randbytes(4 * words)
    payload = chance.randbytes(chance.choice((0, 1, 16, chance.randrange(1100), 1100)))
    return Packet(head + payload, len(head), index)


def rtp_packets(chance: Random) -> Iterator[Packet]:
    """Of several senders, over four wraps of the sequence number for each."""
    indexes = dict.fromkeys(SSRCS, FIRST_INDEX)
    for ssrc in itertools.islice(itertools.cycle(SSRCS), PACKETS):
        yield rtp_packet(chance, ssrc, indexes[ssrc])
        indexes[ssrc] += chance.choice((1, 1, 2, 300))
    assert min(indexes.values()) > 4 << 16


def out_of_order(chance: Random, packets: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Each at most some places away; the first ones stay, as they tell a receiver where it is."""
    order = sorted(range(len(packets)), key=lambda place: place + (chance.random() * 8 if place > 20 else 0))
    return [packets[place] for place in order]


def rtcp_packet(chance: Random) -> bytes:
    words = chance.choice((0, 1, 6, chance.randrange(300)))
    head = bytes([0x80 | chance.randrange(32), chance.choice((200, 201, 205, 206))]) + (words + 1).to_bytes(2, "big")
    return head + chance.choice(SSRCS).to_bytes(4, "big") + chance.randbytes(4 * words)


def test_rtp_is_sealed_to_the_same_bytes(profile: Profile, chance: Random) -> None:
    ours, libsrtp = SrtpSealer(profile.number, profile.key, profile.salt), profile.libsrtp_sender()
    for packet in rtp_packets(chance):
        sealed = ours.seal(packet.data, header_bytes=packet.header_bytes, index=packet.index)
        assert sealed == libsrtp.protect(packet.data)


def test_rtp_sealed_by_libsrtp_opens(profile: Profile, chance: Random) -> None:
    ours, libsrtp = SrtpOpener(profile.number, profile.key, profile.salt), profile.libsrtp_sender()
    packets = [(packet.data, libsrtp.protect(packet.data)) for packet in rtp_packets(chance)]
    for plain, sealed in out_of_order(chance, packets):
        assert ours.open(sealed) == plain
        with pytest.raises(ValueError, match="repeated"):
            ours.open(sealed)


def test_rtp_sealed_here_opens_in_libsrtp(profile: Profile, chance: Random) -> None:
    ours, libsrtp = SrtpSealer(profile.number, profile.key, profile.salt), profile.libsrtp_receiver()
    packets = [
        (packet.data, ours.seal(packet.data, header_bytes=packet.header_bytes, index=packet.index))
        for packet in rtp_packets(chance)
    ]
    for plain, sealed in out_of_order(chance, packets):
        assert libsrtp.unprotect(sealed) == plain


def test_both_refuse_the_same_rtp_packets(profile: Profile, chance: Random) -> None:
    """Forged and repeated ones among true ones, all of them by the same sender."""
    sender = profile.libsrtp_sender()
    ours, libsrtp = SrtpOpener(profile.number, profile.key, profile.salt), profile.libsrtp_receiver()
    sent: list[bytes] = []
    refused = 0
    for packet in itertools.islice(rtp_packets(chance), 2_000):
        sent.append(sender.protect(packet.data))
        data = bytearray(chance.choice(sent[-30:]))
        if chance.random() < 0.3:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            expected = libsrtp.unprotect(bytes(data))
        except pylibsrtp.Error:
            refused += 1
            with pytest.raises(ValueError, match=r"^(forged|repeated|malformed|too old)$"):
                ours.open(data)
        else:
            assert ours.open(data) == expected
    assert 500 < refused < 1_500


def test_rtcp_is_sealed_to_the_same_bytes(profile: Profile, chance: Random) -> None:
    """With one sender: libsrtp counts for each of them, and from 1 on."""
    ours, libsrtp = SrtcpSealer(profile.number, profile.key, profile.salt, first_index=1), profile.libsrtp_sender()
    for _ in range(PACKETS):
        packet = rtcp_packet(chance)
        packet = packet[:4] + b"\x01\x02\x03\x04" + packet[8:]
        assert ours.seal(packet) == libsrtp.protect_rtcp(packet)


def test_rtcp_sealed_by_libsrtp_opens(profile: Profile, chance: Random) -> None:
    ours, libsrtp = SrtcpOpener(profile.number, profile.key, profile.salt), profile.libsrtp_sender()
    plain = [rtcp_packet(chance) for _ in range(PACKETS)]
    packets = [(packet, libsrtp.protect_rtcp(packet)) for packet in plain]
    for packet, sealed in out_of_order(chance, packets):
        assert ours.open(sealed) == packet
        with pytest.raises(ValueError, match="repeated"):
            ours.open(sealed)


def test_rtcp_sealed_here_opens_in_libsrtp(profile: Profile, chance: Random) -> None:
    ours, libsrtp = SrtcpSealer(profile.number, profile.key, profile.salt), profile.libsrtp_receiver()
    plain = [rtcp_packet(chance) for _ in range(PACKETS)]
    packets = [(packet, ours.seal(packet)) for packet in plain]
    for packet, sealed in out_of_order(chance, packets):
        assert libsrtp.unprotect_rtcp(sealed) == packet


def test_keys_that_do_not_fit_the_profile_are_refused(profile: Profile) -> None:
    for kind in (SrtpSealer, SrtpOpener, SrtcpSealer, SrtcpOpener):
        for key, salt in ((profile.key + b"0", profile.salt), (profile.key, profile.salt[1:]), (b"", b"")):
            with pytest.raises(ValueError, match="this profile has a key of"):
                kind(profile.number, key, salt)
        with pytest.raises(ValueError, match="profile must be 1, 7 or 8"):
            kind(2, profile.key, profile.salt)


def test_arguments_that_contradict_the_packet_are_refused(profile: Profile) -> None:
    sealer = SrtpSealer(profile.number, profile.key, profile.salt)
    packet = bytes.fromhex("8060 0005 00000000 00000001 aabb")
    for header_bytes, index in ((12, 6), (15, 5), (0, 5)):
        with pytest.raises(ValueError, match="contradict"):
            sealer.seal(packet, header_bytes=header_bytes, index=index)
    with pytest.raises(ValueError, match="used up"):
        SrtcpSealer(profile.number, profile.key, profile.salt, first_index=1 << 31).seal(packet)

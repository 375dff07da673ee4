"""Opus packets: sound in, the same sound out of FFmpeg's own decoder, in packets of the asked duration."""

from __future__ import annotations

import av
import numpy as np
import pytest

from mediacore.encode.opus import RATE_HZ, OpusEncoder
from mediacore.errors import EncoderError


def tone(seconds: float, channels: int, hz: float = 440.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.repeat((8000 * np.sin(2 * np.pi * hz * time))[:, None], channels, 1).astype(np.int16)


def decoded(packets, channels: int) -> np.ndarray:
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = RATE_HZ, "mono" if channels == 1 else "stereo"
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(bytes(packet.data)))]
    planes = [frame.to_ndarray() for frame in frames]
    return np.concatenate([plane if len(plane) == channels else plane.reshape(-1, channels).T for plane in planes], 1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("packet_ms", [10, 20])
@pytest.mark.parametrize("sample_format", ["s16", "flt"])
def test_sound_comes_back(channels, packet_ms, sample_format):
    encoder = OpusEncoder(channels, sample_format, packet_ms=packet_ms)
    sound = tone(0.5, channels)
    given = sound if sample_format == "s16" else (sound / 32768).astype(np.float32)
    packets, at, pts_us = [], 0, 1_000_000
    for piece in (441, 1024, 7, 3000, 960) * 6:
        packets += encoder.encode(given[at : at + piece], pts_us + at * 1_000_000 // RATE_HZ)
        at += piece
    assert len(packets) == min(at, len(sound)) // (RATE_HZ * packet_ms // 1000)
    steps = np.diff([packet.pts_us for packet in packets])
    assert packets[0].pts_us == pts_us
    assert abs(steps - packet_ms * 1000).max() <= 1
    heard = decoded(packets, channels)[0][RATE_HZ // 10 :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(spectrum.argmax() * RATE_HZ / len(heard) - 440) < 10


def test_after_a_gap_the_clock_begins_anew():
    encoder = OpusEncoder(1)
    assert [packet.pts_us for packet in encoder.encode(tone(0.03, 1), 0)] == [0]
    assert [packet.pts_us for packet in encoder.encode(tone(0.02, 1), 2_000_000)] == [2_000_000]


def has_redundancy(packet: bytes) -> bool:
    """LBRR flag of a SILK or hybrid packet of one mono frame of 20 ms (RFC 6716 sections 4.1 and 4.2.3)."""
    config = packet[0] >> 3
    if config >= 16:
        return False  # CELT only
    assert packet[0] & 7 == 0
    # The range decoder's start, then two symbols of probability 1/2: the VAD flag and the LBRR flag.
    size, value, byte = 128, 127 - (packet[1] >> 1), 1
    flags = []
    for _ in range(2):
        while size <= 1 << 23:
            following = packet[byte + 1] if byte + 1 < len(packet) else 0
            symbol = ((packet[byte] << 8 | following) >> 1) & 255
            size, value, byte = size << 8, ((value << 8) + (255 & ~symbol)) & 0x7FFFFFFF, byte + 1
        half = size >> 1
        flags.append(value < half)
        value, size = (value, half) if value < half else (value - half, size - half)
    return flags[1]


@pytest.mark.parametrize(("loss", "expected"), [(20, True), (0, False)])
def test_a_lossy_network_gets_redundancy(loss, expected):
    encoder = OpusEncoder(1, bitrate_bps=32_000, expected_loss=loss)
    random = np.random.default_rng(1)
    voice = tone(2.0, 1, 180) // 2 + (random.normal(0, 1500, (2 * RATE_HZ, 1)) * (tone(2.0, 1, 3) > 0)).astype(np.int16)
    packets = encoder.encode(voice, 0)
    assert any(has_redundancy(bytes(packet.data)) for packet in packets) == expected


def test_what_it_is_not_open_for():
    encoder = OpusEncoder(2)
    with pytest.raises(EncoderError, match="not for"):
        encoder.encode(tone(0.02, 1), 0)
    with pytest.raises(EncoderError, match="cannot be opened"):
        OpusEncoder(3)
    with pytest.raises(EncoderError, match="cannot be opened"):
        OpusEncoder(2, bitrate_bps=1)

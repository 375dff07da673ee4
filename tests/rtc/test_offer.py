"""Offers that are refused, and how: tables of faults, limits, candidates, and any text."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.errors import SdpError, SdpTooLargeError
from mediacore.rtc.answer import plan_answer
from mediacore.rtc.description import Offer, Offered, Plan, VideoFormat
from mediacore.rtc.offer import parse_offer

DATA = Path(__file__).parent / "data"
CHROMIUM = (DATA / "chromium-156-video-data.sdp").read_text()
GSTREAMER = (DATA / "gstreamer-like-video.sdp").read_text()


def parse(text: str, **limits: int) -> Offer:
    return parse_offer(text, **{"max_bytes": 65_536, "max_candidates": 50} | limits)


def plan(text: str) -> Plan:
    return plan_answer(parse(text), Offered((VideoFormat("H264", "42c01f"),)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: "", "v=0"),
        (lambda s: "hello", "v=0"),
        (lambda s: s.replace("a=group:BUNDLE 0 1\n", ""), "BUNDLE"),
        (lambda s: s.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1"), "no bundled video"),
        (lambda s: s.replace("a=recvonly", "a=sendonly"), "no bundled video"),
        (lambda s: s.replace("a=recvonly", "a=inactive"), "no bundled video"),
        (lambda s: s.replace("m=video 9 ", "m=video 0 "), "no bundled video"),
        (lambda s: s.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "no bundled video"),
        (lambda s: s.replace("a=setup:actpass", "a=setup:passive"), "setup:passive"),
        (lambda s: s.replace("a=setup:actpass\n", ""), "a=setup"),
        (lambda s: s.replace("a=ice-ufrag:AnnC\n", ""), "a=ice-ufrag"),
        (lambda s: s.replace("a=ice-ufrag:AnnC", "a=ice-ufrag:An nC"), "a=ice-ufrag"),
        (lambda s: s.replace("a=ice-pwd:e64Pjp/ZD8dLJ6pz9FqFZAwe\n", ""), "a=ice-pwd"),
        (lambda s: s.replace("a=fingerprint:sha-256", "a=fingerprint:md5"), "a=fingerprint"),
        (lambda s: s.replace("a=rtcp-mux\n", ""), "a=rtcp-mux"),
        (lambda s: s.replace("a=extmap-allow-mixed", "a=ice-lite"), "ice-lite"),
        (lambda s: s.replace("a=mid:1", "a=mid:0"), "a=mid:0"),
        (lambda s: s.replace("a=mid:1", "a=mid:o\to"), "a=mid"),
        (lambda s: s.replace("a=rtpmap:102 H264/90000", "a=rtpmap:102 H264"), "line 78 .*H264"),
        (lambda s: s.replace("a=fmtp:117 apt=116", "a=fmtp:999 apt=116"), "line 122 .*999"),
        (lambda s: s.replace("a=setup:actpass", "a=setup:holdconn"), "line 17 .*holdconn"),
        (lambda s: s.replace("m=video 9 UDP", "m=video nine UDP"), "line 8 .*nine"),
        (lambda s: s.replace("a=sctp-port:5000", "a=sctp-port:5000x"), "line 186 .*5000x"),
        (lambda s: s.replace("a=candidate:3446581069 1", "a=candidate:3446581069 one"), "line 11 "),
        (lambda s: s + "m=audio 0 RTP/SAVPF 0\n" * 40, "42 lines m="),
        (lambda s: s + "a=rtpmap:1 x/1\n" * 600, "lines a=rtpmap:"),
        (lambda s: s + "a=x\n" * 5000, "lines, at most"),
        (lambda s: s.replace("apt=116", "apt=" + "9" * 5000), "malformed"),
    ],
)
def test_a_bad_offer_is_refused_and_the_error_says_what_and_where(change: Callable[[str], str], says: str) -> None:
    changed = change(CHROMIUM)
    with pytest.raises(SdpError, match=says):
        plan(changed)


def test_size_counts_bytes_and_is_checked_before_anything_else() -> None:
    with pytest.raises(SdpTooLargeError, match="65537 bytes"):
        parse("x" * 65_537)
    with pytest.raises(SdpTooLargeError):
        parse("ä" * 40_000)
    size = len(CHROMIUM.encode())
    parse(CHROMIUM, max_bytes=size)
    with pytest.raises(SdpTooLargeError):
        parse(CHROMIUM, max_bytes=size - 1)


def test_candidates_are_filtered_limited_and_counted() -> None:
    lines = [
        "1 1 udp 1 192.0.2.7 1000 typ host",
        "1 1 udp 1 192.0.2.7 1000 typ host",  # the same again
        "2 1 UDP 1 fd00::7 1000 typ srflx raddr 0.0.0.0 rport 0",
        "3 1 udp 1 0.0.0.0 1000 typ host",
        "4 1 udp 1 224.0.0.1 1000 typ host",
        "5 1 udp 1 fe80::1 1000 typ host",
        "6 1 udp 1 fe80::1%eth0 1000 typ host",
        "7 1 udp 1 192.0.2.7 0 typ host",
        "8 1 udp 1 192.0.2.7 70000 typ host",
        "9 2 udp 1 192.0.2.7 1001 typ host",
        "10 1 tcp 1 192.0.2.7 1002 typ host tcptype passive",
        "11 1 udp 1 192.0.2.7 1003 typ prflx",
        "12 1 udp 1 example.org 1004 typ host",
        "13 1 udp 1 4b2e.LOCAL 1004 typ host",
        "14 1 udp 1 127.0.0.1 1005 typ host",
        "15 1 udp 1 192.0.2.8 1006 typ relay",
    ]
    text = GSTREAMER + "".join(f"a=candidate:{line}\n" for line in lines)
    offer = parse(text)
    assert [c.ip for c in offer.candidates] == ["192.0.2.7", "fd00::7", "127.0.0.1", "192.0.2.8"]
    assert (offer.hidden_candidates, offer.dropped_candidates) == (1, 10)
    limited = parse(text, max_candidates=2)
    assert (len(limited.candidates), limited.dropped_candidates) == (2, 12)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_refused_with_the_documented_error(text: str) -> None:
    for made in (text, f"v=0\n{text}", f"v=0\na=group:BUNDLE 0\nm=video 9 UDP/TLS/RTP/SAVPF 96\n{text}"):
        with pytest.raises(SdpError):
            plan(made)

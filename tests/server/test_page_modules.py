"""The page's modules in a real Chromium, compared with the Python side where there is one."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from mediacore.control.messages import (
    Command,
    CommandCode,
    Header,
    Key,
    KeyAction,
    Ping,
    Scroll,
    Text,
    Touch,
    TouchAction,
    decode,
    encode_pong,
)
from mediacore.rtc.channel import LABEL, PROTOCOL

pytestmark = pytest.mark.e2e
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def page(site) -> AsyncIterator[Page]:
    """A page of the server's origin from which its modules can be imported."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = await browser.new_page()
            await page.goto(f"{site.server.url}/")
            yield page
        finally:
            await browser.close()


async def test_input_messages_are_those_of_the_service(page: Page) -> None:
    messages = await page.evaluate(
        """async () => {
            const { InputEncoder } = await import("/static/input.js");
            const encoder = new InputEncoder();
            const at = { x: 1, y: 65535, width: 720, height: 1280 };
            const buffers = [
                encoder.touch({ action: 0, pointer: 3, pressure: 70000, ...at }),
                encoder.touch({ action: 3, pointer: 4294967295, pressure: -1, ...at }),
                encoder.key({ action: 1, keycode: 66, metastate: 0x41 }),
                encoder.scroll({ ...at, h: -0.5, v: 200 }),
                encoder.command("notifications"),
                encoder.ping(1234567890123.4),
                ...encoder.text("Grüße 👋"),
                ...encoder.text("é".repeat(2049)),
                ...encoder.text(""),
            ];
            return buffers.map((buffer) => [...new Uint8Array(buffer)]);
        }"""
    )
    decoded = [decode(bytes(message)) for message in messages]
    assert [message for _, message in decoded] == [
        Touch(TouchAction.DOWN, 3, 1, 65535, 65535, 720, 1280),
        Touch(TouchAction.CANCEL, 4294967295, 1, 65535, 0, 720, 1280),
        Key(KeyAction.UP, 66, 0x41),
        Scroll(1, 65535, -128, 32767, 720, 1280),
        Command(CommandCode.NOTIFICATIONS),
        Ping(1234567890123),
        Text("Grüße 👋"),
        Text("é" * 2048),
        Text("é"),
    ]
    assert [header.seq for header, _ in decoded] == list(range(9))
    assert all(header == Header(header.type, 0, header.seq) for header, _ in decoded)


async def test_every_command_has_its_number(page: Page) -> None:
    commands = await page.evaluate("async () => (await import('/static/input.js')).COMMAND")
    expected = {code.name.lower().replace("_", "-"): code.value for code in CommandCode}
    assert commands == expected


async def test_the_channel_is_the_one_that_the_service_takes(page: Page) -> None:
    channel = await page.evaluate("async () => (await import('/static/whep.js')).CHANNEL")
    assert channel == {"label": LABEL, "protocol": PROTOCOL}


async def test_pongs_are_read(page: Page) -> None:
    pong = list(encode_pong(Ping(123), 2**50 + 1, 7))
    read = "async (bytes) => (await import('/static/input.js')).decodePong(new Uint8Array(bytes).buffer)"
    assert await page.evaluate(read, pong) == {"viewerUs": 123, "serverUs": 2**50 + 1}
    assert await page.evaluate(read, pong[:19]) is None
    assert await page.evaluate(read, [1, *pong[1:]]) is None
    assert await page.evaluate(read, []) is None


async def test_latency_is_clock_offset_and_rtp_time(page: Page) -> None:
    """The service's clock is 5 s ahead; a picture was made 90 ticks (1 ms) after the wrap of the RTP clock."""
    ages = await page.evaluate(
        """async () => {
            const { LatencyMeter } = await import("/static/latency.js");
            const meter = new LatencyMeter();
            const none = meter.take();
            const presentationTime = performance.now();
            meter.frame({ rtpTimestamp: 44, presentationTime });
            const early = meter.take();
            const serverUs = (ms) => ms * 1000 + 5e6;
            for (const late of [30000, 0, 80000]) {
                const viewerUs = meter.ping();
                const now = performance.now() * 1000;
                meter.pong({ viewerUs, serverUs: 5e6 + (viewerUs + now) / 2 + late * (late > 0 ? 0 : 1) });
            }
            meter.clock({ rtp: 4294967250, pts_us: serverUs(presentationTime) - 21000 });
            meter.frame({ rtpTimestamp: 44, presentationTime });
            const age = meter.take();
            meter.frame({ rtpTimestamp: 44 + 90000 * 600, presentationTime });
            return { none, early, age, absurd: meter.take(), unanswered: meter.unanswered };
        }"""
    )
    assert ages["none"] is None
    assert ages["early"] is None
    assert ages["age"] == pytest.approx(20, abs=2)
    assert ages["absurd"] is None
    assert ages["unanswered"] == 0


LINKS = [
    (None, []),
    ("", []),
    ('<stun:stun.example:3478>; rel="ice-server"', [{"urls": "stun:stun.example:3478"}]),
    (
        '<turn:a.example?transport=udp>; rel="ice-server"; username="u,;\\"1"; credential="c"; '
        'credential-type="password", <stun:b.example>; rel=ice-server, <https://x.example>; rel="next"',
        [
            {"urls": "turn:a.example?transport=udp", "username": 'u,;"1', "credential": "c"},
            {"urls": "stun:b.example"},
        ],
    ),
]


async def test_ice_servers_come_from_link_headers(page: Page) -> None:
    read = "async (header) => (await import('/static/whep.js')).iceServers(header)"
    for header, servers in LINKS:
        assert await page.evaluate(read, header) == servers


async def test_pauses_between_attempts_grow_and_differ(page: Page) -> None:
    pauses = await page.evaluate(
        """async () => {
            const { pauseMs } = await import("/static/connection.js");
            return [0, 1, 2, 3, 10, 1000].map((n) => [pauseMs(n, () => 0), pauseMs(n, () => 1)]);
        }"""
    )
    assert pauses == [[250, 500], [500, 1000], [1000, 2000], [2000, 4000], [7500, 15000], [7500, 15000]]


PLACES = [
    ([720, 1280], [500, 100], {"x": 32768, "y": 6554, "inside": True}),
    ([720, 1280], [10, 100], {"x": 0, "y": 6554, "inside": False}),
    ([2000, 1000], [0, 500], {"x": 0, "y": 32768, "inside": True}),
    ([2000, 1000], [1000, 100], {"x": 65535, "y": 0, "inside": False}),
    ([1000, 1000], [1000, 1000], {"x": 65535, "y": 65535, "inside": True}),
]
"""Size of the picture, place in an element of 1000x1000, place in the picture."""


async def test_places_on_the_picture_know_its_borders(page: Page) -> None:
    locate = """async ([[width, height], [x, y]]) => {
        const { pictureRect, toPicture } = await import("/static/pointer.js");
        const element = { left: 0, top: 0, width: 1000, height: 1000 };
        return toPicture(pictureRect(element, { width, height }), x, y);
    }"""
    for size, client, expected in PLACES:
        assert await page.evaluate(locate, [size, client]) == expected

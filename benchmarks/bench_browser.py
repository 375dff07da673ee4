"""How soon, and how late, does a picture reach the browser? A real Chromium, the real adb server, a simulated device.

Three questions, each answered by the medians of interleaved runs:
- from the click to the first picture, on a stream that runs already: our page, our WHEP with the plainest of pages,
  and the same packets through aiortc's own RTCPeerConnection, used as its examples do;
- glass to glass: from the bar code's drawing on the device to the presented frame, the same three;
- from a touch on the page to the dot on the page.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack
from playwright.async_api import Browser, async_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "e2e"))
from page_probe import CHROMIUM, PROBE, QUIET, PageProbe, median, percentile

from mediacore import AdbSettings, Engine, EngineSettings
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.stream.stream import Stream
from mediacore.testing import SimulatedDevice

if TYPE_CHECKING:
    from mediacore.stream.packet_tap import PacketTap

ROUNDS = 10
FRAMES = 90
RESULTS = Path(__file__).parent / "results"

PLAIN_PAGE = """<!doctype html><body data-state="plain"><video autoplay muted playsinline width=360 height=640></video>
<button data-device="whep">ours</button><button data-device="stock">stock</button>
<script>
for (const button of document.querySelectorAll('button')) button.onclick = async () => {
  const pc = window.pc = new RTCPeerConnection();
  pc.ontrack = event => {
    document.querySelector('video').srcObject = event.streams[0] || new MediaStream([event.track]);
  };
  pc.addTransceiver('video', {direction: 'recvonly'});
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch('/' + button.dataset.device, {
    method: 'POST', body: pc.localDescription.sdp, headers: {'Content-Type': 'application/sdp'}});
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
};
</script>"""


class PassThroughTrack(VideoStreamTrack):
    """The stream's packets as aiortc takes them."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._packets: PacketTap | None = None

    async def recv(self):  # type: ignore[no-untyped-def]
        if self._packets is None:  # connected: it gets a key frame, for a replay overruns its history of 128 packets
            self._packets = self._stream.packets(64, replay=False)
        return (await anext(self._packets)).to_av()


class PlainServer:
    """The plainest page there is, with our WHEP and aiortc's own peer connection behind it."""

    def __init__(self, engine: Engine, stream: Stream) -> None:
        self._engine = engine
        self._stream = stream
        self._peers: list[RTCPeerConnection] = []
        self.url = ""

    async def __aenter__(self) -> "PlainServer":
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_post("/whep", self._whep)
        app.router.add_post("/stock", self._stock)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(peer.close() for peer in self._peers))
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=PLAIN_PAGE, content_type="text/html")

    async def _whep(self, request: web.Request) -> web.Response:
        session = await self._engine.connect(self._stream.serial, await request.text())
        return web.Response(status=201, text=session.answer, content_type="application/sdp")

    async def _stock(self, request: web.Request) -> web.Response:
        peer = RTCPeerConnection()
        self._peers.append(peer)
        sender = peer.addTransceiver(PassThroughTrack(self._stream), direction="sendonly")
        sender.setCodecPreferences(
            [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType in ("video/H264", "video/rtx")]
        )
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(status=201, text=peer.localDescription.sdp, content_type="application/sdp")


async def look(browser: Browser, url: str, device: str) -> tuple[float, list[float], PageProbe]:
    """Open a page, click a device: ms to the first picture, and ms glass to glass of those after it."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    probe = PageProbe(await context.new_page(), url)
    await probe.page.goto(url)
    await probe.page.wait_for_selector(f'[data-device="{device}"]')
    reader = files("mediacore.testing").joinpath("barcode.js").read_text()
    await probe.page.evaluate(reader.replace("export function", "window.readBarCode = function") + PROBE)
    first = await probe.click_device(device)
    shown = await probe.wait_for_frames(FRAMES)
    return first, [at - drawn for _, drawn, at in shown], probe


@pytest.fixture
async def running() -> AsyncIterator[tuple[Engine, Stream]]:
    async with SimulatedDevice(size=(720, 1280), fps=30) as device:
        settings = EngineSettings(adb=AdbSettings(private=True, connect=(device.address,)))
        async with Engine(settings) as engine, engine.stream(device.address) as stream:
            await anext(stream.packets())
            yield engine, stream


@pytest.mark.timeout(600)
async def test_first_picture_and_glass_to_glass(
    running: tuple[Engine, Stream], capsys: pytest.CaptureFixture[str]
) -> None:
    engine, stream = running
    first: dict[str, list[float]] = {"page": [], "whep": [], "stock aiortc": []}
    glass: dict[str, list[float]] = {name: [] for name in first}
    touches: list[float] = []
    async with (
        Server(engine, ServerSettings(port=0)) as server,
        PlainServer(engine, stream) as plain,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        targets = {
            "page": (server.url, stream.serial),
            "whep": (plain.url, "whep"),
            "stock aiortc": (plain.url, "stock"),
        }
        for n in range(ROUNDS):
            for name, (url, device) in targets.items():
                ms, latencies, probe = await look(browser, url, device)
                first[name].append(ms)
                glass[name] += latencies[10:]
                if name == "page":
                    touches.append(await probe.touch(0.2 + 0.06 * n, 0.45))
                await probe.page.context.close()
        await browser.close()
    results = {
        name: {
            "first_picture_ms": median(first[name]),
            "first_picture_ms_all": [round(ms) for ms in first[name]],
            "glass_to_glass_ms": {"p50": median(glass[name]), "p95": percentile(glass[name], 0.95)},
        }
        for name in first
    }
    with capsys.disabled():
        print()
        for name, figures in results.items():
            ratio = median(first["stock aiortc"]) / median(first[name])
            p50, p95 = figures["glass_to_glass_ms"].values()  # type: ignore[attr-defined]
            print(
                f"  {name:13} first picture {figures['first_picture_ms']:6.0f} ms ({ratio:4.1f}x sooner than stock)   "
                f"glass to glass p50 {p50:5.1f} p95 {p95:5.1f} ms"
            )
        print(f"  touch to dot on the page: median {median(touches):.0f} ms of {len(touches)}")
    RESULTS.mkdir(exist_ok=True)
    report = {"rounds": ROUNDS, "contestants": results, "touch_to_dot_ms": [round(ms) for ms in touches]}
    RESULTS.joinpath("browser.json").write_text(json.dumps(report, indent=2))

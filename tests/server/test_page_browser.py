"""The whole page in a real Chromium, on a real engine that plays a recording."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from mediacore import Engine, EngineSettings
from mediacore.control.messages import Command, CommandCode, Key, KeyAction, Message, Ping, Scroll, Text, Touch, decode
from mediacore.dialogue import Dialogue
from mediacore.errors import DeviceOfflineError, LimitError, NoCommonCodecError
from mediacore.media import CloseReason, Wanted
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.session import Session

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


NOTE_WORDS = """() => {
    window.said = [];
    const words = document.querySelector("#veil-words");
    new MutationObserver(() => window.said.push(words.textContent)).observe(words, { childList: true });
}"""
"""Keeps what the page says: some words stand for a quarter of a second only."""


async def until(done: Callable[[], bool], timeout_s: float = 5) -> None:
    """Waits until something that the page does on its own time is done."""
    for _ in range(round(timeout_s * 100)):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not done within {timeout_s} s")


@dataclass
class Shown:
    """The page, the engine behind it, and what the page sent over the data channel."""

    page: Page
    url: str
    engine: Engine
    received: list[bytes | str]
    errors: list[str]

    @property
    def input(self) -> list[Message]:
        """The input messages without pings."""
        decoded = [decode(message)[1] for message in self.received if isinstance(message, bytes)]
        return [message for message in decoded if message is not None and not isinstance(message, Ping)]

    async def wait_for_input(self, count: int) -> list[Message]:
        """The input messages, once there are ``count`` of them."""
        await until(lambda: len(self.input) >= count)
        return self.input

    async def open(self) -> None:
        """Click the recording on the wall and wait for its first picture."""
        await self.page.click('[data-device="file:moving"]')
        await self.page.wait_for_selector('body[data-state="live"]')


@pytest.fixture
async def shown(recordings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shown]:
    """The wall of a server that plays ``file:moving`` (160x128)."""
    received: list[bytes | str] = []
    receive = Dialogue.receive

    def listen(self: Dialogue, message: bytes | str) -> None:
        received.append(message)
        receive(self, message)

    monkeypatch.setattr(Dialogue, "receive", listen)
    settings = EngineSettings(recordings=(str(recordings("moving.h264")),), use_adb=False)
    async with (
        Engine(settings) as engine,
        Server(engine, ServerSettings(port=0)) as server,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = await browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(10_000)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            await page.goto(server.url)
            await page.wait_for_selector("[data-device]")
            yield Shown(page, server.url, engine, received, errors)
        finally:
            await browser.close()


async def centre(page: Page) -> tuple[float, float]:
    box = await page.locator("#screen").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_a_recording_is_shown_with_its_figures(shown: Shown) -> None:
    await shown.page.wait_for_selector("[data-device] img")  # its picture on the wall
    await shown.open()
    video = shown.page.locator("#video")
    assert float(await video.get_attribute("data-first-frame-ms") or "nan") < 5000
    await expect(shown.page.locator("#latency")).to_have_text(re.compile(r"^\d"))
    await expect(shown.page.locator("#fps")).to_have_text(re.compile(r"^[1-9]"))
    assert await shown.page.text_content("#state") == "live"
    assert await shown.page.text_content("#resolution") == "160 × 128"
    assert 15 <= float(await shown.page.text_content("#fps") or "nan") <= 45
    assert 0 <= float(await shown.page.text_content("#latency") or "nan") < 2000
    [session] = shown.engine.stats().sessions
    assert session.viewer["width"] == 160
    assert 0 <= session.viewer["latency_ms"] < 2000
    await shown.page.click("text=All devices")
    await shown.page.wait_for_selector('body[data-state="wall"]')
    await until(lambda: not shown.engine.stats().sessions)
    assert shown.errors == []


async def test_a_drag_is_down_moves_up_and_stays_in_the_picture(shown: Shown) -> None:
    await shown.open()
    x, y = await centre(shown.page)
    await shown.page.mouse.move(x, y)
    await shown.page.mouse.down()
    for step in range(1, 6):
        await shown.page.mouse.move(x + 2000 * step, y, steps=2)
    await shown.page.mouse.up()
    await shown.wait_for_input(3)
    touches = [message for message in shown.input if isinstance(message, Touch)]
    assert [touch.action for touch in (touches[0], touches[-1])] == [0, 1]
    assert {int(touch.action) for touch in touches[1:-1]} == {2}
    assert (touches[0].x, touches[0].y) == (pytest.approx(32768, abs=400), pytest.approx(32768, abs=400))
    assert touches[-1].x == 65535
    assert all((touch.width, touch.height) == (160, 128) for touch in touches)
    assert touches[0].pressure == 65535
    assert {touch.pointer for touch in touches} == {0}


async def test_losing_the_window_cancels_the_gesture(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.move(*await centre(shown.page))
    await shown.page.mouse.down()
    await shown.page.evaluate("window.dispatchEvent(new Event('blur'))")
    await shown.page.mouse.up()
    touches = await shown.wait_for_input(2)
    assert [touch.action for touch in touches if isinstance(touch, Touch)] == [0, 3]


async def test_two_fingers_are_two_pointers(shown: Shown) -> None:
    await shown.open()
    x, y = await centre(shown.page)
    devtools = await shown.page.context.new_cdp_session(shown.page)
    fingers = [{"x": x, "y": y, "id": 7}, {"x": x + 50, "y": y, "id": 9}]
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": fingers[:1]})
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": fingers})
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    touches = [message for message in await shown.wait_for_input(4) if isinstance(message, Touch)]
    assert [(touch.pointer, int(touch.action)) for touch in touches[:2]] == [(0, 0), (1, 0)]
    assert sorted((touch.pointer, int(touch.action)) for touch in touches[2:]) == [(0, 1), (1, 1)]


async def test_the_wheel_scrolls_in_notches(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.move(*await centre(shown.page))
    await shown.page.mouse.wheel(0, 100)
    [scroll] = await shown.wait_for_input(1)
    assert isinstance(scroll, Scroll)
    assert (scroll.h, scroll.v) == (0, -256)
    assert (scroll.width, scroll.height) == (160, 128)


async def test_typing_is_text_and_named_keys_are_keys(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.click(*await centre(shown.page))
    await shown.wait_for_input(2)
    before = len(shown.input)
    await shown.page.keyboard.type("aß")
    await shown.page.keyboard.press("Enter")
    await shown.page.keyboard.press("Control+A")
    await shown.page.keyboard.insert_text("日本")
    assert (await shown.wait_for_input(before + 7))[before:] == [
        Text("a"),
        Text("ß"),
        Key(KeyAction.DOWN, 66, 0),
        Key(KeyAction.UP, 66, 0),
        Key(KeyAction.DOWN, 29, 0x3000),
        Key(KeyAction.UP, 29, 0x3000),
        Text("日本"),
    ]


async def test_an_input_method_sends_what_was_composed(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.click(*await centre(shown.page))
    await shown.wait_for_input(2)
    before = len(shown.input)
    devtools = await shown.page.context.new_cdp_session(shown.page)
    for text in ("ni", "niha", "你好"):
        await devtools.send("Input.imeSetComposition", {"text": text, "selectionStart": 0, "selectionEnd": len(text)})
    await devtools.send("Input.insertText", {"text": "你好"})
    assert (await shown.wait_for_input(before + 1))[before:] == [Text("你好")]


async def test_keys_that_are_down_are_lifted_when_the_picture_loses_them(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.click(*await centre(shown.page))
    before = len(await shown.wait_for_input(2))
    await shown.page.keyboard.down("ArrowLeft")
    await shown.page.focus("#text")
    keys = (await shown.wait_for_input(before + 2))[before:]
    assert keys == [Key(KeyAction.DOWN, 21, 0), Key(KeyAction.UP, 21, 0)]
    await shown.page.keyboard.up("ArrowLeft")


async def test_buttons_and_the_text_field(shown: Shown) -> None:
    await shown.open()
    for name in ("Back", "Home", "Recent apps"):
        await shown.page.click(f'[aria-label="{name}"]')
    for name in ("Power", "Louder", "Quieter", "Rotate", "Wake", "Alerts"):
        await shown.page.click(f".keys >> text={name}")
    await shown.page.fill("#text", "a word")
    await shown.page.press("#text", "Enter")
    assert await shown.wait_for_input(10) == [
        *(
            Command(code)
            for code in (
                CommandCode.BACK,
                CommandCode.HOME,
                CommandCode.RECENTS,
                CommandCode.POWER,
                CommandCode.VOLUME_UP,
                CommandCode.VOLUME_DOWN,
                CommandCode.ROTATE,
                CommandCode.WAKE,
                CommandCode.NOTIFICATIONS,
            )
        ),
        Text("a word"),
    ]
    assert await shown.page.input_value("#text") == ""
    await shown.page.wait_for_selector("#toast.shown >> text=/takes no input/")


async def test_right_and_middle_button_are_back_and_home(shown: Shown) -> None:
    await shown.open()
    x, y = await centre(shown.page)
    await shown.page.mouse.click(x, y, button="right")
    await shown.page.mouse.click(x, y, button="middle")
    assert await shown.wait_for_input(2) == [Command(CommandCode.BACK), Command(CommandCode.HOME)]


async def test_tab_leaves_the_picture(shown: Shown) -> None:
    await shown.open()
    await shown.page.mouse.click(*await centre(shown.page))
    await shown.page.keyboard.press("Tab")
    assert await shown.page.evaluate("document.activeElement.dataset.command") == "back"


async def test_a_session_that_the_service_ends_is_told_and_comes_back(shown: Shown) -> None:
    await shown.open()
    session = next(iter(shown.engine._sessions.snapshot()))[2]
    await shown.page.evaluate(NOTE_WORDS)
    await session.close(CloseReason.STREAM_ENDED)
    await until(lambda: shown.engine.stats().sessions_total == 2)
    await shown.page.wait_for_selector('body[data-state="live"]')
    assert any("device went away" in words for words in await shown.page.evaluate("window.said"))


async def test_a_session_that_was_ended_on_purpose_waits_for_a_click(shown: Shown) -> None:
    await shown.open()
    session = next(iter(shown.engine._sessions.snapshot()))[2]
    await session.close(CloseReason.REQUESTED)
    await shown.page.wait_for_selector('body[data-state="failed"]')
    await shown.page.click("text=Try again")
    await shown.page.wait_for_selector('body[data-state="live"]')


async def test_a_service_that_stands_still_is_noticed_and_found_again(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes back for five pings: the page says so, ends what it had, and connects again by itself.

    The service ends the old session when the page has a new one already. Its last words, "closing", were once taken for
    the new one's: that ended too, and no further attempt was made.
    """
    go = asyncio.Event()
    close = Session.close

    async def late(self: Session, reason: CloseReason = CloseReason.REQUESTED) -> None:
        await go.wait()
        await close(self, reason)

    await shown.open()
    await shown.page.evaluate(NOTE_WORDS)
    [before] = shown.engine.stats().sessions
    monkeypatch.setattr(Session, "close", late)
    with monkeypatch.context() as silenced:
        silenced.setattr(Dialogue, "receive", lambda *_: None)
        await until(lambda: len(shown.engine.stats().sessions) == 2, timeout_s=10)
    await shown.page.wait_for_selector('body[data-state="live"]')
    go.set()
    await until(lambda: before.id not in [session.id for session in shown.engine.stats().sessions])
    await shown.page.wait_for_timeout(300)  # what must not happen has no event
    assert await shown.page.get_attribute("body", "data-state") == "live"
    assert len(shown.engine.stats().sessions) == 1
    assert "The service does not answer any more" in await shown.page.evaluate("window.said")


async def test_leaving_the_page_ends_the_session(shown: Shown) -> None:
    await shown.open()
    assert len(shown.engine.stats().sessions) == 1
    await shown.page.goto("about:blank")
    await until(lambda: not shown.engine.stats().sessions)


@pytest.mark.parametrize(
    ("refusal", "state", "words"),
    [
        (DeviceOfflineError("file:moving", "check the cable"), "reconnecting", "Check the cable"),
        (NoCommonCodecError(("VP8",), ("H264",)), "failed", "No common video codec"),
    ],
)
async def test_why_there_is_no_picture_is_said_in_words(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, refusal: Exception, state: str, words: str
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(shown.engine, "connect", refuse)
    await shown.page.click("[data-device]")
    await shown.page.wait_for_selector(f'body[data-state="{state}"]')
    assert (await shown.page.text_content("#veil-words") or "").startswith(words)
    await shown.page.wait_for_selector("text=Try again")
    monkeypatch.undo()
    await shown.page.click("text=Try again")
    await shown.page.wait_for_selector('body[data-state="live"]')


async def test_a_device_of_this_address_is_opened_at_once(shown: Shown) -> None:
    await shown.page.goto(f"{shown.url}/#file:moving")
    await shown.page.wait_for_selector('body[data-state="live"]')
    await shown.page.evaluate("location.hash = ''")
    await shown.page.wait_for_selector('body[data-state="wall"]')


async def test_the_page_obeys_its_own_policy(shown: Shown, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing inline, nothing from elsewhere: a violation would be an error on the console."""
    asked: list[str] = []
    shown.page.on("request", lambda request: asked.append(request.url))
    with caplog.at_level(logging.WARNING):
        await shown.page.reload()
        await shown.page.wait_for_selector("[data-device]")
        await shown.page.click("#theme")
        assert await shown.page.get_attribute("html", "data-theme") == "light"
        await shown.open()
    assert all(url.startswith(shown.url) for url in asked)
    assert shown.errors == []


async def test_the_codec_is_shown_and_size_and_rate_can_be_chosen(shown: Shown) -> None:
    page = shown.page
    await shown.open()
    await expect(page.locator("#codec")).to_have_text("H.264")
    await page.select_option("#size", "360")
    await page.select_option("#rate", "5")
    wishes = [json.loads(message) for message in shown.received if isinstance(message, str) and "want" in message]
    await until(lambda: shown.engine.stats().sessions[0].wanted == Wanted((), (360, 360), 5))
    assert {"v": 1, "type": "want", "size": [360, 360], "fps": None} in wishes
    await page.click("text=All devices")
    await expect(page.locator("#codec")).to_have_text("–")
    await shown.open()  # what was chosen holds for the next one, from its offer on
    await until(lambda: shown.engine.stats().sessions[-1].wanted == Wanted((), (360, 360), 5))
    await page.select_option("#rate", "")
    await until(lambda: shown.engine.stats().sessions[-1].wanted == Wanted((), (360, 360)))
    assert shown.errors == []


async def test_the_address_of_the_page_chooses_codecs(shown: Shown) -> None:
    await shown.page.goto(f"{shown.url}/?codec=vp8,av1#file:moving")
    await shown.page.wait_for_selector('body[data-state="live"]')
    await expect(shown.page.locator("#codec")).to_have_text("VP8")
    await shown.page.goto(f"{shown.url}/?codec=h265#file:moving")
    await shown.page.wait_for_selector('body[data-state="failed"]')
    assert "codec is 'h265'" in (await shown.page.text_content("#veil-words") or "").lower()


async def test_a_choice_that_is_refused_goes_back(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    await shown.open()
    await expect(shown.page.locator("#codec")).to_have_text("H.264")

    async def refuse(*_: object) -> None:
        raise LimitError("there are too many encodings already")

    monkeypatch.setattr(Session, "want", refuse)
    await shown.page.select_option("#size", "640")
    await expect(shown.page.locator("#toast")).to_contain_text("there are too many encodings already")
    assert await shown.page.input_value("#size") == ""

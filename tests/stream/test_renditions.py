"""The encodings of one stream: shared, bounded, and ended after the last who takes them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from made_here import Encoders, FakeEncoding, picture, until

from mediacore.errors import EncoderError, LimitError, MediacoreError, UnsupportedError
from mediacore.media import Target, Wanted
from mediacore.media_loop import MediaLoop
from mediacore.settings import StreamSettings
from mediacore.stream.encoder_limit import EncoderLimit
from mediacore.stream.frame_fan import FrameFan
from mediacore.stream.packet_tap import PacketTap
from mediacore.stream.renditions import MAX_RENDITIONS, Renditions

SETTINGS = StreamSettings(bitrate_bps=4_000_000, fps=30, transcode_codecs=("vp8", "vp9"))


class Made:
    """Renditions over a fan that the test pushes into."""

    def __init__(
        self,
        loop: MediaLoop,
        settings: StreamSettings = SETTINGS,
        codec: str = "h264",
        limit: EncoderLimit | None = None,
    ) -> None:
        self.loop = loop
        self.rates: list[float] = []
        self.fan = FrameFan(self.rates.append)
        self.encoders = Encoders()
        self.failed: list[MediacoreError] = []
        self.renditions = Renditions(
            loop,
            self.fan,
            settings,
            codec=codec,
            replay_bytes=1000,
            video_replay_bytes=1000,
            video_gop_bytes=1000,
            start=self.encoders,
            limit=limit,
            on_described=lambda *_: None,
            request_key_frame=self.key_frame,
            on_failed=self.failed.append,
        )

    async def key_frame(self) -> bool:
        return False

    @property
    def newest(self) -> FakeEncoding:
        return self.encoders.started[-1]


@pytest.fixture
async def loop() -> AsyncIterator[MediaLoop]:
    loop = MediaLoop()
    await loop.start([])
    yield loop
    await loop.close()


@pytest.fixture
async def made(loop: MediaLoop) -> AsyncIterator[Made]:
    made = Made(loop)
    yield made
    await made.renditions.close()


async def taken(tap: PacketTap, count: int = 1) -> list[tuple[bool, int]]:
    """(key frame, luma) of the next packets."""
    async with asyncio.timeout(5):
        return [(packet.is_key, packet.data[1]) for packet in [await anext(tap) for _ in range(count)]]


async def test_who_wants_the_same_shares_one_and_it_ends_after_the_last(made: Made, loop: MediaLoop) -> None:
    first = made.renditions.hold("vp8", Wanted(("av1", "vp8"), fps=10))
    second = made.renditions.hold("vp8", Wanted(fps=10))
    other = made.renditions.hold("vp8", Wanted(fps=15))
    assert first is second
    assert other is not first
    assert len(made.encoders.started) == 2
    assert made.rates == [10, 15]
    assert loop.native.thread_of(first.rendition.id) == loop.native.thread_of(made.renditions.video.id)
    tap = PacketTap(loop, first.rendition.id, "vp8", capacity=8)
    made.fan.push(picture(7))
    assert await taken(tap) == [(True, 7)]
    made.renditions.release(first)
    made.fan.push(picture(8))
    assert await taken(tap) == [(False, 8)]
    made.renditions.release(second)
    assert await asyncio.wait_for(anext(tap, None), 5) is None
    assert [encoding.closed.is_set() for encoding in made.encoders.started] == [True, False]
    made.renditions.release(other)
    assert made.rates == [10, 15, 0]
    await until(lambda: all(encoding.closed.is_set() for encoding in made.encoders.started))


async def test_one_that_ends_while_another_comes_is_not_given_to_them(made: Made) -> None:
    first = made.renditions.hold("vp8", Wanted())
    made.newest.may_close.clear()
    made.renditions.release(first)
    second = made.renditions.hold("vp8", Wanted())
    assert second is not first
    assert second.rendition.id not in (0, first.rendition.id)
    made.encoders.started[0].may_close.set()
    made.renditions.release(second)


async def test_an_encoder_that_does_not_end_holds_up_nothing_for_long(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediacore.stream.encoded.CLOSE_S", 0.05)
    encoded = made.renditions.hold("vp8", Wanted())
    stuck = made.newest
    stuck.may_close.clear()
    made.renditions.release(encoded)
    await asyncio.wait_for(made.renditions.close(), 1)
    assert not stuck.closed.is_set()
    stuck.may_close.set()


async def test_what_can_be_taken(loop: MediaLoop) -> None:
    passed = Made(loop)
    assert passed.renditions.codecs() == ("h264", "vp8", "vp9")
    assert passed.renditions.as_it_comes("h264", Wanted())
    assert not passed.renditions.as_it_comes("h264", Wanted(fps=30))
    with pytest.raises(UnsupportedError, match="h264, vp8, vp9"):
        passed.renditions.hold("h264", Wanted(size=(100, 100)))
    with pytest.raises(UnsupportedError, match="av1 is not encoded here"):
        passed.renditions.hold("av1", Wanted())
    raw = Made(loop)
    raw.renditions.encode_video()
    assert raw.renditions.codecs() == ("h264", "vp8", "vp9")
    assert raw.renditions.as_it_comes("h264", Wanted(fps=30)), "it is no more anyway"
    assert not raw.renditions.as_it_comes("h264", Wanted(fps=29))
    raw.renditions.release(raw.renditions.hold("h264", Wanted(fps=5)))
    nothing = Made(loop, StreamSettings(transcode_codecs=()))
    assert nothing.renditions.codecs() == ("h264",)
    for made in (passed, raw, nothing):
        await made.renditions.close()


async def test_different_ones_are_bounded(made: Made) -> None:
    held = [made.renditions.hold("vp8", Wanted(fps=n)) for n in range(1, MAX_RENDITIONS + 1)]
    with pytest.raises(LimitError, match="8 are the limit"):
        made.renditions.hold("vp8", Wanted(fps=60))
    assert made.renditions.hold("vp8", Wanted(fps=1)) is held[0]
    made.renditions.release(held[3])
    made.renditions.hold("vp8", Wanted(fps=60))


async def test_those_who_want_nearly_the_same_share_one(made: Made) -> None:
    """One viewer could have an encoder for each hundredth of a frame."""
    first = made.renditions.hold("vp8", Wanted(size=(540, 1200), fps=15))
    for size, fps in (((541, 1201), 15.99), ((540, 1200), 15.0), ((541, 1200), 15.5)):
        assert made.renditions.hold("vp8", Wanted(size=size, fps=fps)) is first
    assert made.newest.target.size == (540, 1200)
    assert made.newest.target.fps == 15
    assert made.renditions.hold("vp8", Wanted(size=(542, 1200), fps=15)) is not first
    assert len(made.encoders.started) == 2


async def test_encoders_of_all_streams_are_bounded(loop: MediaLoop) -> None:
    """Each stream had its own limit, so that there was none."""
    limit = EncoderLimit(2)
    one, other = Made(loop, limit=limit), Made(loop, limit=limit)
    small = one.renditions.hold("vp8", Wanted(fps=5))
    one.renditions.hold("vp8", Wanted(fps=5))
    video = other.renditions.encode_video()
    other.renditions.hold_video()
    assert limit.running == 2, "who shares one adds none"
    for refused in (one.renditions.hold_video, lambda: other.renditions.hold("vp9", Wanted())):
        if refused == one.renditions.hold_video:
            one.renditions.encode_video()
        with pytest.raises(LimitError, match="2 encoders run already"):
            refused()
    assert (limit.running, video.holders) == (2, 1)
    one.newest.may_close.clear()
    for _ in range(2):
        one.renditions.release(small)
    with pytest.raises(LimitError):
        other.renditions.hold("vp9", Wanted())  # the one that is being ended counts
    one.newest.may_close.set()
    await until(lambda: limit.running == 1)
    other.renditions.hold("vp9", Wanted())
    other.encoders.refuses = True
    await one.renditions.close()
    await other.renditions.close()
    assert limit.running == 0


async def test_a_rendition_that_is_refused_an_encoder_stays_failed(loop: MediaLoop) -> None:
    limit = EncoderLimit(1)
    made = Made(loop, limit=limit)
    made.renditions.encode_video()
    made.renditions.hold_video()
    made.newest.fail("it is stuck")
    await until(lambda: made.failed and not limit.running)
    limit.take()
    with pytest.raises(LimitError):
        made.renditions.hold_video()
    assert [stats.failure for stats in made.renditions.stats()] == ["it is stuck"]
    made.renditions.release_video()
    limit.give_back()
    made.encoders.refuses = True
    with pytest.raises(RuntimeError, match="can't start"):
        made.renditions.hold_video()
    assert limit.running == 0, "one that did not start does not count"
    await made.renditions.close()


async def test_who_changes_their_mind_again_and_again_is_bounded(made: Made) -> None:
    """Each wish for another rate left an encoder behind that took its time to end."""
    started = made.encoders.started
    for n in range(1, MAX_RENDITIONS + 1):
        encoded = made.renditions.hold("vp8", Wanted(fps=n))
        started[-1].may_close.clear()
        made.renditions.release(encoded)
    with pytest.raises(LimitError, match=f"{MAX_RENDITIONS} are being ended"):
        made.renditions.hold("vp8", Wanted(fps=60))
    for encoding in started:
        encoding.may_close.set()
    await until(lambda: not made.renditions._closing)
    made.renditions.hold("vp8", Wanted(fps=1))


async def test_one_that_fails_tells_why_and_leaves_the_others_alone(made: Made, loop: MediaLoop) -> None:
    bad = made.renditions.hold("vp8", Wanted(fps=10))
    good = made.renditions.hold("vp8", Wanted(fps=15))
    tap = PacketTap(loop, good.rendition.id, "vp8", capacity=8)
    made.encoders.started[0].fail("it is stuck")
    await asyncio.wait_for(asyncio.shield(bad.failing), 5)
    assert isinstance(bad.failure, EncoderError)
    assert [stats.failure for stats in made.renditions.stats()] == ["it is stuck", None]
    made.fan.push(picture(5))
    assert await taken(tap) == [(True, 5)]
    again = made.renditions.hold("vp8", Wanted(fps=10))
    assert again is not bad
    for encoded in (bad, good, again):
        made.renditions.release(encoded)
    assert made.rates[-1] == 0


async def test_a_failure_that_comes_after_the_end_is_nobodys(made: Made) -> None:
    encoded = made.renditions.hold("vp8", Wanted())
    encoding = made.newest
    made.renditions.release(encoded)
    encoding.fail("too late")
    await asyncio.sleep(0.01)  # the call that must do nothing
    assert encoded.failure is None
    assert not encoding.outlet.push.__self__._media_loop.native.loop_figures().get("dropped", 0)


async def test_frames_that_cannot_be_had_fail_all_that_are_made_of_them(made: Made) -> None:
    encoded = made.renditions.hold("vp8", Wanted())
    made.fan.fail(EncoderError("no frames"))
    await asyncio.wait_for(asyncio.shield(encoded.failing), 5)
    assert str(encoded.failure) == "no frames"
    made.renditions.release(encoded)


async def test_an_encoder_that_does_not_start_leaves_nothing(made: Made, loop: MediaLoop) -> None:
    made.encoders.refuses = True
    for _ in range(MAX_RENDITIONS + 1):
        with pytest.raises(RuntimeError, match="can't start"):
            made.renditions.hold("vp8", Wanted())
        await until(lambda: not made.renditions._closing)
    assert made.fan.fps == 0
    assert list(made.renditions) == []


async def test_the_video_is_encoded_while_it_is_taken(loop: MediaLoop) -> None:
    made = Made(loop, codec="vp8")
    made.renditions.hold_video()
    made.renditions.encode_video()
    made.renditions.encode_video()
    assert len(made.encoders.started) == 1, "for those who took it before, too"
    tap = PacketTap(loop, made.renditions.video.id, "vp8", capacity=8)
    made.fan.push(picture(1))
    assert await taken(tap) == [(True, 1)]
    before = made.newest
    made.renditions.release_video()
    assert (
        before.outlet.push(  # a frame that the old encoder had in work
            type("Late", (), {"data": b"\1\0", "pts_us": 1, "is_key": False})()
        )
        is False
    )
    made.renditions.hold_video()
    made.fan.push(picture(2))
    assert await taken(tap) == [(True, 2)]
    packet = await_next = asyncio.create_task(anext(tap))
    made.fan.push(picture(3))
    assert (await asyncio.wait_for(await_next, 5)).epoch == 2, "another encoder, another epoch"
    del packet
    made.newest.fail("it is stuck")
    await until(lambda: made.failed)
    assert made.renditions.primary is not None
    assert isinstance(made.renditions.primary.failing.result(), EncoderError)
    made.renditions.hold_video()
    assert len(made.encoders.started) == 3, "who comes afterwards gets a new one, whoever else is there"
    assert made.renditions.primary.failure is None
    made.fan.push(picture(4))
    assert await taken(tap) == [(True, 4)]
    made.renditions.release_video()
    assert not made.newest.closed.is_set()
    made.renditions.release_video()
    await until(made.newest.closed.is_set)
    await made.renditions.close()
    assert made.newest.closed.is_set()


async def test_targets_reach_encoders_within_what_is_wanted(made: Made) -> None:
    made.renditions.picture_size = (384, 768)
    whole = made.renditions.hold("vp8", Wanted(fps=20))
    small = made.renditions.hold("vp8", Wanted(size=(193, 401)))
    tiny = made.renditions.hold("vp8", Wanted(size=(33, 33)))
    targets = [encoding.target for encoding in made.encoders.started]
    assert targets == [
        Target(4_000_000, 20, None),
        Target(1_000_000, 30, (192, 400)),
        Target(200_000, 30, (32, 32)),
    ]
    made.renditions.set_target(Target(bitrate_bps=2_000_000, fps=25, key_frame=True))
    assert [encoding.target for encoding in made.encoders.started] == [
        Target(2_000_000, 20, None, True),
        Target(500_000, 25, (192, 400), True),
        Target(200_000, 25, (32, 32), True),
    ]
    assert made.rates == [20, 30, 25]
    later = made.renditions.hold("vp9", Wanted())
    assert made.newest.target == Target(2_000_000, 25)
    for encoded in (whole, small, tiny, later):
        made.renditions.release(encoded)


async def test_no_more_is_kept_of_what_is_made_here_than_late_viewers_get(made: Made) -> None:
    """An encoder gives a key frame when it is asked for one, and no other: 16 MB of each were kept."""
    encoded = made.renditions.hold("vp8", Wanted())
    for n in range(1, 600):
        made.fan.push(picture(n % 200))
    await until(lambda: encoded.rendition.figures()["units"] == 599)
    assert encoded.rendition.figures()["gop_bytes"] == 0
    with PacketTap(made.loop, encoded.rendition.id, "vp8", capacity=8) as tap:
        await until(lambda: made.newest.keys_asked)
        made.fan.push(picture(7))
        assert await taken(tap) == [(True, 7)]
    made.renditions.release(encoded)


async def test_a_wish_for_a_key_frame_reaches_the_encoder(made: Made, loop: MediaLoop) -> None:
    encoded = made.renditions.hold("vp8", Wanted())
    made.fan.push(picture(1))
    await until(lambda: encoded.rendition.figures()["units"])
    with PacketTap(loop, encoded.rendition.id, "vp8", capacity=8, replay=False):
        await until(lambda: made.newest.keys_asked)
    made.renditions.release(encoded)
    assert await encoded.request_key_frame() is False

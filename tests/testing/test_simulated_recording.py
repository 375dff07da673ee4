"""screenrecord of simulated devices: its habits, its options, and that the pictures are the display's."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from pictures import Decoder, Shown, decode
from real_adb import Adb

from mediacore.adb.client import AdbClient
from mediacore.adb.stream import AdbStream
from mediacore.settings import AdbSettings
from mediacore.testing import screenrecord, sei
from mediacore.testing.encoder import nal_type, nal_units
from mediacore.testing.options import DeviceOptions
from mediacore.testing.phone import Phone

COMMAND = "screenrecord --output-format=h264 "
SIZE = (360, 640)
STATIC = DeviceOptions(size=SIZE, scene="static")


class Recording:
    """A running screenrecord: its bytes one flush at a time, and their pictures."""

    def __init__(self, stream: AdbStream) -> None:
        self._stream = stream
        self._decoder = Decoder()
        self._shown: list[Shown] = []
        self.data = b""

    async def read(self, timeout_s: float = 10.0) -> bytes:
        async with asyncio.timeout(timeout_s):
            data = await self._stream.read()
        self.data += data
        return data

    async def picture(self) -> Shown:
        """The next picture; it comes when the one after it begins."""
        while not self._shown:
            data = await self.read()
            self._shown += self._decoder.push(data) if data else self._decoder.end()
            assert data or self._shown, "the recording has ended"
        return self._shown.pop(0)

    async def silent(self, seconds: float) -> bool:
        """True if nothing comes for so long."""
        try:
            await self.read(seconds)
        except TimeoutError:
            return True
        return False


@contextlib.asynccontextmanager
async def recording(adb: Adb, phone: Phone, options: str = "--bit-rate 2M") -> AsyncIterator[Recording]:
    before = phone.recordings
    client = AdbClient(AdbSettings(port=adb.port, start=False))
    async with await client.open(f"127.0.0.1:{phone.port}", f"exec:{COMMAND}{options} -") as stream:
        async with asyncio.timeout(10):
            await phone.wait_for_recordings(before + 1)
        yield Recording(stream)


async def test_pictures_follow_each_other_and_tell_when_they_were_drawn(each_adb: Adb) -> None:
    async with each_adb.phone(DeviceOptions(size=SIZE)) as phone:
        before = time.time_ns() // 1000
        done = await each_adb.on(phone, "exec-out", f"{COMMAND} --time-limit 1 --bit-rate 2M -")
        pictures = decode(done.stdout)
        assert {picture.size for picture in pictures} == {SIZE}
        codes = [picture.code for picture in pictures]
        assert None not in codes
        numbers = [code.frame_number for code in codes if code]
        assert len(numbers) >= 10
        assert numbers == sorted(set(numbers))
        times = [code.time_us for code in codes if code]
        assert times == sorted(times)
        assert before <= times[0] < times[-1] <= time.time_ns() // 1000


async def test_parameter_sets_come_once_and_one_slice_per_picture(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recording(adb, phone) as recorded:
        for _ in range(10):
            await recorded.picture()
        kinds = [nal_type(unit) for unit in nal_units(recorded.data)]
        assert kinds[:3] == [7, 8, 5]
        assert set(kinds[3:]) == {1}


async def test_a_key_frame_comes_every_ten_seconds(adb: Adb, monkeypatch: pytest.MonkeyPatch) -> None:
    assert screenrecord.KEY_FRAME_INTERVAL_S == 10
    monkeypatch.setattr(screenrecord, "KEY_FRAME_INTERVAL_S", 0.3)
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recording(adb, phone) as recorded:
        for _ in range(30):
            await recorded.picture()
        kinds = [nal_type(unit) for unit in nal_units(recorded.data)]
        assert kinds.count(5) >= 3
        assert (kinds.count(7), kinds.count(8)) == (1, 1)


async def test_a_static_screen_sends_nothing_until_it_is_touched(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone, recording(adb, phone) as recorded:
        assert await recorded.silent(0.3)
        phone.touch("down", 100, 300)
        first = decode(await recorded.read())
        assert len(first) == 1
        x, y = first[0].dot or (0, 0)
        assert abs(x - 100) <= 4
        assert abs(y - 300) <= 4
        assert await recorded.silent(0.3)


async def test_what_changed_before_is_no_news(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone:
        phone.touch("down", 100, 300)
        async with recording(adb, phone) as recorded:
            assert await recorded.silent(0.2)
            phone.touch("move", 200, 300)
            assert decode(await recorded.read())


async def test_a_screenshot_does_not_take_the_change_away_from_a_recording(adb: Adb) -> None:
    """A frame drawn for screencap was not given to recordings, so that a touch never showed on a static screen."""
    async with adb.phone(STATIC) as phone, recording(adb, phone) as recorded:
        phone.touch("down", 100, 300)
        await phone.display.snapshot()
        (picture,) = decode(await recorded.read())
        assert picture.dot is not None


async def test_a_touch_is_in_the_next_frame(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recording(adb, phone) as recorded:
        assert (await recorded.picture()).dot is None
        phone.touch("down", 200, 400)
        touched_at = phone.display.frame_number
        while (picture := await recorded.picture()).dot is None:
            pass
        assert picture.code is not None
        assert picture.code.frame_number == touched_at + 1


async def test_two_recordings_share_the_frames_but_not_the_encoder(adb: Adb) -> None:
    async with (
        adb.phone(DeviceOptions(size=SIZE)) as phone,
        recording(adb, phone) as large,
        recording(adb, phone, "--size 180x320 --bit-rate 500000") as small,
    ):
        seen: dict[tuple[int, int], dict[int, int]] = {SIZE: {}, (180, 320): {}}
        for _ in range(15):
            for recorded in (large, small):
                picture = await recorded.picture()
                assert picture.code is not None
                seen[picture.size][picture.code.frame_number] = picture.code.time_us
        common = seen[SIZE].keys() & seen[180, 320].keys()
        assert len(common) >= 5
        assert all(seen[SIZE][number] == seen[180, 320][number] for number in common)


async def test_bit_rate_is_kept_by_a_picture_that_needs_more(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, scene="video")) as phone:
        sizes = []
        for rate in ("500000", "2M"):
            done = await adb.on(phone, "exec-out", f"{COMMAND} --time-limit 2 --bit-rate {rate} -")
            sizes.append(len(done.stdout) * 8 / 2)
        assert 250_000 < sizes[0] < 1_000_000 < sizes[1] < 3_000_000


async def test_the_time_limit_ends_it_well(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone:
        start = time.monotonic()
        done = await adb.on(phone, "shell", f"{COMMAND} --time-limit 1 -")
        assert (done.code, done.stdout) == (0, b"")
        assert 0.9 < time.monotonic() - start < 5


@pytest.mark.parametrize("unlimited", [True, False])
async def test_the_help_tells_whether_zero_is_no_limit(adb: Adb, unlimited: bool) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, scene="static", unlimited_screenrecord=unlimited)) as phone:
        text = (await adb.on(phone, "shell", "screenrecord --help")).stdout
        assert (b"Set to 0" in text) is unlimited
        refused = await adb.on(phone, "shell", f"{COMMAND} --time-limit {-1 if unlimited else 0} -")
        assert refused.code == 2
        assert b"outside acceptable range" in refused.stderr


BAD = {
    "--size 0x10 -": (2, "Invalid size '0x10', must be width x height"),
    "--size big -": (2, "Invalid size 'big', must be width x height"),
    "--size 361x640 -": (1, "ERROR: unable to configure video/avc codec at 361x640"),
    "--bit-rate 5 -": (2, "Bit rate 5bps outside acceptable range [100000,200000000]"),
    "--bit-rate fast -": (2, "Bit rate 0bps outside acceptable range"),
    "--time-limit x -": (2, "Time limit -1s outside acceptable range"),
    "--fast -": (2, "screenrecord: unrecognized option '--fast'"),
    "--size": (2, "screenrecord: option '--size' requires an argument"),
    "--output-format=gif -": (2, "Unknown format 'gif'"),
    "--output-format=mp4 -": (1, "ERROR: only --output-format=h264 or frames to - is simulated"),
    "": (2, "Must specify output file (see --help)."),
}


async def test_bad_options_are_told_on_standard_error(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone:
        lines = "".join(f"{COMMAND}{words}\necho $? >&2\n" for words in BAD)
        done = await adb.on(phone, "shell", stdin=lines.encode())
        words = done.stderr.decode().splitlines()
        assert done.stdout == b""
        for (code, text), line, number in zip(BAD.values(), words[::2], words[1::2], strict=True):
            assert line.startswith(text)
            assert int(number) == code


async def test_a_newer_device_fits_the_turned_display_into_the_old_size(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recording(adb, phone) as recorded:
        await recorded.picture()
        await phone.rotate(1)
        while (picture := await recorded.picture()).luma[: SIZE[1] // 4].max() > 40:
            pass
        assert picture.size == SIZE
        assert picture.code is not None
        assert picture.luma[SIZE[1] * 3 // 4 :].max() < 40


async def test_an_older_device_cuts_the_turned_display(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE, rotation="cut")) as phone, recording(adb, phone) as recorded:
        await recorded.picture()
        await phone.rotate(1)
        while (picture := await recorded.picture()).luma[SIZE[0] :].max() > 40:
            pass
        assert picture.size == SIZE
        assert picture.code is None
        assert picture.luma[: SIZE[0]].max() > 200


async def test_a_new_recording_has_the_turned_size(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone:
        await phone.rotate(1)
        async with recording(adb, phone) as recorded:
            assert (await recorded.picture()).size == (640, 360)


async def test_the_scene_rotation_turns_by_itself(adb: Adb) -> None:
    options = DeviceOptions(size=SIZE, scene="rotation", rotation_period_s=0.3)
    async with adb.phone(options) as phone, recording(adb, phone):
        turns = set()
        async with asyncio.timeout(10):
            while turns != {0, 1}:
                turns.add(phone.display.rotation)
                await asyncio.sleep(0.02)


async def test_scenes_can_be_changed(adb: Adb) -> None:
    async with adb.phone(STATIC) as phone, recording(adb, phone) as recorded:
        assert await recorded.silent(0.1)
        await phone.display.show("scroll")
        for _ in range(3):
            assert (await recorded.picture()).code is not None


async def test_a_frozen_picture_sends_nothing_and_goes_on(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone, recording(adb, phone) as recorded:
        await recorded.picture()
        phone.freeze(frozen=True)
        drawn = phone.display.frame_number
        while not await recorded.silent(0.2):
            pass
        phone.touch("down", 1, 1)
        assert await recorded.silent(0.1)
        assert phone.display.frame_number == drawn
        phone.freeze(frozen=False)
        await recorded.picture()


async def test_a_closed_recording_leaves_no_feed_and_no_task(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=SIZE)) as phone:
        for _ in range(3):
            async with recording(adb, phone) as recorded:
                await recorded.read()
            async with asyncio.timeout(5):
                await phone.wait_for_recordings(0)
        drawn = phone.display.frame_number
        await asyncio.sleep(0.15)
        assert phone.display.frame_number == drawn  # nobody looks, nothing is drawn


async def test_a_loop_is_marked_in_the_stream_and_goes_round(adb: Adb) -> None:
    options = DeviceOptions(size=(180, 320), fps=60, encode="loop", loop_s=1)
    async with adb.phone(options) as phone:
        done = await adb.on(phone, "exec-out", f"{COMMAND} --time-limit 2 --bit-rate 1M -")
        units = [unit for unit in nal_units(done.stdout) if nal_type(unit) == 6]
        marks = [sei.read(unit) for unit in units]
        assert [mark.frame_number for mark in marks if mark] == list(range(len(units)))
        assert len(units) > 61
        pictures = decode(done.stdout)
        codes = [(picture.code.frame_number, picture.code.time_us) for picture in pictures if picture.code]
        assert codes == [(number % 60 + 1, 0) for number in range(len(codes))]
        assert len(codes) == len(pictures)
        kinds = [nal_type(unit) for unit in nal_units(done.stdout)]
        assert (kinds.count(7), kinds.count(8), kinds.count(5)) == (1, 1, 2)


async def test_two_recordings_share_one_loop(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=(180, 320), encode="loop", loop_s=1)) as phone:
        both = await asyncio.gather(
            *(adb.on(phone, "exec-out", f"{COMMAND} --time-limit 1 --bit-rate 1M -") for _ in range(2))
        )
        assert all(len(decode(done.stdout)) > 10 for done in both)
        refused = await adb.on(phone, "shell", f"{COMMAND} --size 161x161 -")
        assert refused.code == 1


async def test_a_late_loop_begins_again_at_its_key_frame(adb: Adb) -> None:
    async with adb.phone(DeviceOptions(size=(180, 320), encode="loop", loop_s=10)) as phone:
        async with adb.started(
            "-s", f"127.0.0.1:{phone.port}", "exec-out", f"{COMMAND} --time-limit 3 --bit-rate 1M -"
        ) as process:
            assert process.stdout is not None
            await process.stdout.readexactly(100)
            phone.link.stall(1.5)
            data = await asyncio.wait_for(process.stdout.read(), 10)
        kinds = [nal_type(unit) for unit in nal_units(data)]
        assert kinds.count(5) == 1  # the first one was read before
        assert phone.frames_dropped > 20

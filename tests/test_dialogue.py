"""What a viewer may say, and what happens when it says something else."""

import asyncio
import json

import pytest

from mediacore.control.messages import Command, CommandCode, Message, Ping, Text, decode, encode
from mediacore.dialogue import MAX_MALFORMED, Dialogue
from mediacore.errors import UnsupportedError
from mediacore.media import DropCause, Grants, Wanted


class Channel:
    """Both ends of a dialogue's channel."""

    def __init__(self, grants: Grants = Grants.ALL, refuse: type[Message] | None = None) -> None:
        self.sent: list[str | bytes] = []
        self.done: asyncio.Queue[Message] = asyncio.Queue()
        self.abuse: list[str] = []
        self.wanted: list[Wanted] = []
        self.refuse = refuse
        self.dialogue = Dialogue(
            self.send, self.carry_out, grants=grants, on_wanted=self.wanted.append, on_abuse=self.abuse.append
        )

    def send(self, message: str | bytes) -> bool:
        self.sent.append(message)
        return True

    async def carry_out(self, message: Message) -> None:
        if self.refuse is not None and isinstance(message, self.refuse):
            self.done.put_nowait(message)
            raise UnsupportedError("not on this device")
        self.done.put_nowait(message)


async def test_input_is_carried_out_in_order() -> None:
    channel = Channel()
    running = asyncio.create_task(channel.dialogue.run())
    messages = [Text(f"text {n}") for n in range(20)]
    for seq, message in enumerate(messages):
        channel.dialogue.receive(encode(message, seq=seq))
    assert [await asyncio.wait_for(channel.done.get(), 5) for _ in messages] == messages
    running.cancel()


async def test_a_ping_is_answered_at_once_with_our_clock() -> None:
    channel = Channel()
    channel.dialogue.receive(encode(Ping(123_456), seq=9))
    (pong,) = channel.sent
    assert isinstance(pong, bytes)
    assert pong[:4] == bytes([7, 0, 0, 9])
    assert int.from_bytes(pong[4:12], "big") == 123_456
    assert len(pong) == 20


async def test_without_the_grant_nothing_reaches_the_device() -> None:
    channel = Channel(Grants.VIEW)
    channel.dialogue.receive(encode(Command(CommandCode.POWER)))
    assert channel.dialogue.dropped == {DropCause.NOT_GRANTED: 1}


async def test_what_the_device_cannot_do_is_told_to_the_viewer() -> None:
    channel = Channel(refuse=Text)
    running = asyncio.create_task(channel.dialogue.run())
    channel.dialogue.receive(encode(Text("hello")))
    channel.dialogue.receive(encode(Command(CommandCode.BACK)))
    await channel.done.get()
    await asyncio.wait_for(channel.done.get(), 5)
    assert json.loads(channel.sent[0]) == {
        "v": 1,
        "type": "unsupported",
        "what": "text",
        "reason": "not on this device",
    }
    running.cancel()


async def test_more_input_than_the_device_takes_is_dropped_and_counted() -> None:
    channel = Channel()
    for _ in range(300):
        channel.dialogue.receive(encode(Text("x")))
    assert channel.dialogue.dropped == {DropCause.SLOW_CONSUMER: 44}


async def test_the_viewers_figures_are_kept_if_they_are_numbers() -> None:
    channel = Channel()
    figures = '{"v":1,"type":"stats","fps":29.5,"latency_ms":1e999,"frames":true,"width":"x","evil":1}'
    channel.dialogue.receive(figures)
    assert channel.dialogue.reported == {"fps": 29.5}


async def test_a_figure_that_no_float_holds_is_left_out() -> None:
    """It raised OverflowError into the data channel."""
    channel = Channel()
    channel.dialogue.receive('{"v":1,"type":"stats","fps":1' + "0" * 400 + ',"frames":7}')
    assert channel.dialogue.reported == {"frames": 7.0}


@pytest.mark.parametrize(
    "message",
    [b"", b"\1", b"\1\0\0\0", "", "no json", "[1]", '"x"', "{" * 5000, "[" * 4000],
    ids=repr,
)
async def test_malformed_messages_are_counted_and_ten_end_the_dialogue(message: bytes | str) -> None:
    channel = Channel()
    for _ in range(MAX_MALFORMED - 1):
        channel.dialogue.receive(message)
    assert channel.abuse == []
    channel.dialogue.receive(message)
    channel.dialogue.receive(message)
    assert len(channel.abuse) == 1
    assert channel.dialogue.dropped[DropCause.MALFORMED] == MAX_MALFORMED + 1


async def test_unknown_types_are_counted_and_ignored() -> None:
    channel = Channel()
    header, message = decode(b"\xc8\0\0\0whatever")
    assert message is None
    assert header.type == 200
    for _ in range(50):
        channel.dialogue.receive(b"\xc8\0\0\0whatever")
        channel.dialogue.receive('{"v":1,"type":"from the future"}')
    assert channel.dialogue.dropped == {DropCause.UNSUPPORTED: 100}
    assert channel.abuse == []


async def test_a_wish_is_handed_on() -> None:
    channel = Channel(Grants.VIEW)
    channel.dialogue.receive('{"v":1,"type":"want","size":[540,1200],"fps":15}')
    channel.dialogue.receive('{"v":1,"type":"want","size":null,"fps":null}')
    assert channel.wanted == [Wanted(size=(540, 1200), fps=15), Wanted()]
    assert channel.dialogue.dropped == {}


async def test_a_wish_that_cannot_be_is_malformed() -> None:
    channel = Channel()
    for event in ('"size":[1,2]', '"size":"540x1200"', '"fps":0', '"fps":true', '"size":[540,1200,3]'):
        channel.dialogue.receive('{"v":1,"type":"want",' + event + "}")
    assert channel.wanted == []
    assert channel.dialogue.dropped == {DropCause.MALFORMED: 5}

"""The process of simulated devices: ``python -m mediacore.testing.simulate --port 0 --size 720x1280 --scene scroll``.

When the devices can be connected to, one line of JSON on standard output says so:
``{"ready": true, "port": 41234, "ports": [41234], "pid": 4242}``. The process ends on SIGTERM and SIGINT; with
``--control`` also when its standard input ends, and then it takes the requests of ``mediacore.testing.control`` there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, get_args

from mediacore.errors import SettingsError
from mediacore.testing.control import MAX_LINE_BYTES, PhoneControl, serve_requests
from mediacore.testing.options import Colours, DeviceOptions, Encode, Profile, Rotation, Scene
from mediacore.testing.phone import Phone
from mediacore.testing.shared_pictures import SharedPictures

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DEVICES = 200
USAGE_ERROR, FAILURE = 2, 1


def parse_size(text: str) -> tuple[int, int]:
    """``720x1280`` as (720, 1280).

    Raises:
        SettingsError: it is not two numbers.
    """
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise SettingsError(f"size is {text!r}, it must be like 720x1280")
    return int(width), int(height)


def parse_costs(text: str) -> dict[str, float]:
    """``raw=0.1,png=0.5`` as {"raw": 0.1, "png": 0.5}.

    Raises:
        SettingsError: it is not of that form.
    """
    pairs = (word.partition("=") for word in text.split(",") if word)
    try:
        return {name: float(seconds) for name, _, seconds in pairs}
    except ValueError:
        raise SettingsError(f"screencap_s is {text!r}, it must be like raw=0.1,png=0.5") from None


def arguments(options: DeviceOptions) -> list[str]:
    """The command line that makes ``parse_arguments`` give these options."""
    words = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        name = "--" + field.name.replace("_", "-")
        if field.name == "size":
            words += [name, f"{value[0]}x{value[1]}"]
        elif isinstance(value, bool):
            words += [name] if value else [f"--no-{name[2:]}"]
        elif field.name == "features":
            words += [name, ",".join(value)]
        elif field.name == "screencap_s":
            words += [name, ",".join(f"{key}={seconds}" for key, seconds in value.items())]
        else:
            words += [name, str(value)]
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mediacore simulate", description="Simulated Android devices for adb connect."
    )
    choices = {"scene": Scene, "encode": Encode, "rotation": Rotation, "profile": Profile, "colours": Colours}
    for field in dataclasses.fields(DeviceOptions):
        name, default = "--" + field.name.replace("_", "-"), field.default
        if field.name == "size":
            parser.add_argument(name, default="720x1280", metavar="WIDTHxHEIGHT")
        elif field.name == "features":
            parser.add_argument(name, default=",".join(DeviceOptions().features))
        elif field.name == "screencap_s":
            parser.add_argument(name, default="", metavar="FORMAT=SECONDS,...")
        elif field.name in choices:
            parser.add_argument(name, default=default, choices=get_args(choices[field.name]))
        elif isinstance(default, bool):
            parser.add_argument(name, default=default, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(name, default=default, type=type(default))
    parser.add_argument("--devices", type=int, default=1, help=f"devices in this process, 1 to {MAX_DEVICES}")
    parser.add_argument("--control", action="store_true", help="take requests on standard input; its end is the end")
    return parser


def parse_arguments(words: Sequence[str]) -> tuple[DeviceOptions, int, bool]:
    """(options, number of devices, whether standard input controls them) of a command line.

    Raises:
        SettingsError: a value is outside its limits.
        SystemExit: the words are no command line; argparse has said why.
    """
    values: dict[str, Any] = vars(_parser().parse_args(words))
    count, controlled = values.pop("devices"), values.pop("control")
    values["size"] = parse_size(values["size"])
    values["features"] = tuple(word for word in values["features"].split(",") if word)
    values["screencap_s"] = parse_costs(values["screencap_s"])
    if not 1 <= count <= MAX_DEVICES:
        raise SettingsError(f"devices is {count}, it must be between 1 and {MAX_DEVICES}")
    return DeviceOptions(**values), count, controlled


def options_of_each(options: DeviceOptions, count: int) -> list[DeviceOptions]:
    """Options for ``count`` devices: ports go up from the first unless free ones are taken, serial numbers count up."""
    stem = options.serial.rstrip("0123456789")
    digits = options.serial[len(stem) :] or "1"
    return [
        dataclasses.replace(
            options,
            port=options.port + number if options.port else 0,
            serial=f"{stem}{int(digits) + number:0{len(digits)}d}" if number else options.serial,
        )
        for number in range(count)
    ]


async def run(options: DeviceOptions, count: int, *, controlled: bool) -> None:
    """Runs ``count`` devices until a signal comes, or standard input ends if it controls them.

    Raises:
        OSError: a port is taken.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        phones = []
        pictures = SharedPictures()
        for each in options_of_each(options, count):
            phone = Phone(each, pictures)
            stack.push_async_callback(phone.close)
            await phone.start()
            phones.append(phone)
        ports = [phone.port for phone in phones]
        _say(json.dumps({"ready": True, "port": ports[0], "ports": ports, "pid": os.getpid()}).encode() + b"\n")
        if controlled:
            reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            requests = asyncio.create_task(serve_requests([PhoneControl(phone) for phone in phones], reader, _say))
            requests.add_done_callback(lambda _: stop.set())
            await stop.wait()
            requests.cancel()
            await asyncio.wait((requests,))
        else:
            await stop.wait()


def _say(line: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def main(words: Sequence[str] | None = None) -> int:
    """The program; returns its exit code: 0, 1 (cannot run) or 2 (bad options)."""
    try:
        options, count, controlled = parse_arguments(sys.argv[1:] if words is None else words)
    except SettingsError as error:
        print(f"mediacore simulate: {error}", file=sys.stderr)
        return USAGE_ERROR
    try:
        asyncio.run(run(options, count, controlled=controlled))
    except OSError as error:
        print(f"mediacore simulate: cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: thin, each command says in a line what it does; what it does is elsewhere.

Exit codes: 0 done, 1 it could not be done (the message says why), 2 wrong use, or nothing there to work on.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

from mediacore.errors import MediacoreError, SettingsError
from mediacore.server.settings import ServerSettings
from mediacore.server.stop_signals import run_until_signalled
from mediacore.settings import AdbSettings, EngineSettings, SourceName, StreamSettings
from mediacore.testing.options import DeviceOptions, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mediacore.media import Device

FAILED: Final = 1
WRONG_USE: Final = 2
SUFFIXES: Final = {"": 1, "k": 1_000, "M": 1_000_000}

app = typer.Typer(
    name="mediacore",
    help="An Android screen in the browser over WebRTC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AdbPort = Annotated[
    int | None, typer.Option(help="TCP port of the adb server [default: ANDROID_ADB_SERVER_PORT, else 5037].")
]


def run(words: Sequence[str]) -> int:
    """Run the command line given as words; returns the exit code."""
    try:
        app(args=list(words))
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0
    except SettingsError as error:
        print(f"mediacore: {error}", file=sys.stderr)
        return WRONG_USE
    except MediacoreError as error:
        print(f"mediacore: {error}", file=sys.stderr)
        return FAILED
    return 0


def parse_bitrate(text: str) -> int:
    """``8M``, ``500k`` or ``8000000`` in bit/s. Raises ``SettingsError``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kM]?)", text)
    if match is None:
        raise SettingsError(f"bitrate is {text!r}, it must be like 8M, 500k or 8000000")
    return round(float(match[1]) * SUFFIXES[match[2]])


def parse_size(text: str | None) -> tuple[int, int] | None:
    """``720x1280`` as (720, 1280). Raises ``SettingsError``."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise SettingsError(f"size is {text!r}, it must be like 720x1280")
    return int(match[1]), int(match[2])


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Loopback address that HTTP listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port of HTTP; 0 takes a free one.")] = 8080,
    simulate: Annotated[int, typer.Option(min=0, max=200, help="Bring along this many simulated devices.")] = 0,
    play: Annotated[
        list[Path] | None, typer.Option(help="Serve a recording (H.264 as Annex B or MP4) as a device; repeatable.")
    ] = None,
    bitrate: Annotated[str, typer.Option(metavar="RATE", help="Video bit rate, 100k to 50M.")] = "8M",
    size: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Size to encode; the display's own if absent.")
    ] = None,
    source: Annotated[
        SourceName, typer.Option(help="What captures the devices; auto: what works, the best first.")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Most frames per second of pictures and encoders here, 1 to 60.")] = 30,
    scene: Annotated[Scene, typer.Option(help="What simulated devices show.")] = "scroll",
    adb_port: AdbPort = None,
    demo_seconds: Annotated[
        float | None,
        typer.Option(envvar="DEMO_SECONDS", min=1, help="Show it to a built-in viewer for so long, judge, and end."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="What is logged to standard error.")
    ] = None,
) -> None:
    """Serve Android devices to browsers: a page, WHEP, screenshots.

    All devices of the adb server are served; with --simulate those devices alone, on an adb server of its own; with
    --play alone no adb is used at all.
    """
    from mediacore.serving import Order, fulfil  # noqa: PLC0415

    console = Console(soft_wrap=True)
    recordings = tuple(str(path) for path in play or ())
    order = Order(
        engine=EngineSettings(
            adb=AdbSettings(port=adb_port),
            stream=StreamSettings(source=source, fps=fps, bitrate_bps=parse_bitrate(bitrate), size=parse_size(size)),
            recordings=recordings,
            use_adb=simulate > 0 or not recordings,
        ),
        server=ServerSettings(host=host, port=port),
        simulate=simulate,
        simulated=DeviceOptions(scene=scene),
        demo_seconds=demo_seconds,
    )
    _log_to_stderr(log_level or ("warning" if console.is_terminal else "info"))
    raise typer.Exit(run_until_signalled(lambda: fulfil(order, console)))


@app.command()
def devices(adb_port: AdbPort = None) -> None:
    """List the devices that could be served."""
    found = asyncio.run(_list_devices(EngineSettings(adb=AdbSettings(port=adb_port))))
    if not found:
        print("No device. Connect one by USB with USB debugging switched on, or with `adb connect HOST:PORT`.")
        return
    table = Table("Serial", "Name", "State", box=None, pad_edge=False)
    for device in found:
        table.add_row(device.serial, device.name, device.state.value)
    Console().print(table)


async def _list_devices(settings: EngineSettings) -> list[Device]:
    from mediacore.engine import Engine  # noqa: PLC0415

    async with Engine(settings) as engine:
        return list(await engine.devices.refresh())


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def simulate(context: typer.Context) -> None:
    """Run simulated devices for `adb connect`, without a server; --help tells its options."""
    from mediacore.testing.simulate import main as simulate_main  # noqa: PLC0415

    raise typer.Exit(simulate_main(context.args))


@app.command()
def doctor(adb_port: AdbPort = None) -> None:
    """Look whether all that is needed is there. Exit code: 0 all well, 1 limited, 2 nothing can be served."""
    from mediacore.doctor import Health, examine  # noqa: PLC0415

    findings = asyncio.run(examine(AdbSettings(port=adb_port)))
    console = Console(soft_wrap=True, highlight=False)
    marks = {Health.GOOD: "[green]good   [/]", Health.LIMITED: "[yellow]limited[/]", Health.BROKEN: "[red]broken [/]"}
    for finding in findings:
        console.print(f"{marks[finding.health]}  {finding.name:15}", end="")
        console.print(finding.words, markup=False)
    raise typer.Exit(max(finding.health for finding in findings))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the benchmarks are.")] = Path("benchmarks"),
) -> None:
    """Run the benchmarks of a folder with pytest; further arguments go to it."""
    if not folder.is_dir():
        print(
            f"mediacore bench: there is no folder {folder}; benchmarks are in the source tree, name their folder",
            file=sys.stderr,
        )
        raise typer.Exit(WRONG_USE)
    if importlib.util.find_spec("pytest_benchmark") is None:
        print("mediacore bench: it needs pytest-benchmark: pip install 'mediacore[dev]'", file=sys.stderr)
        raise typer.Exit(WRONG_USE)
    command = [sys.executable, "-m", "pytest", str(folder), *context.args]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # They log addresses and keys of every connection at INFO.
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.WARNING)

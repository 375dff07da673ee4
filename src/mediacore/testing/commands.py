"""The programs on a simulated device, apart from the large ones in files of their own."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from typing import TYPE_CHECKING

from mediacore.testing.input_command import InputEvent, input_command
from mediacore.testing.screencap import screencap
from mediacore.testing.screenrecord import screenrecord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.testing.phone import Phone
    from mediacore.testing.shell import Io

    Program = Callable[[Phone, Io, list[str]], Awaitable[int]]

BLOCK = 256 << 10
GZIP_WBITS = 31
"""zlib's way of saying: with gzip's header and trailer."""
MAX_SLEEP_S = 3600.0
DISPLAY_ID = 4619827259835644672


async def echo(phone: Phone, io: Io, args: list[str]) -> int:
    """``echo [-n] WORD...``."""
    newline = args[:1] != ["-n"]
    await io.say(" ".join(args if newline else args[1:]) + ("\n" if newline else ""))
    return 0


async def printf(phone: Phone, io: Io, args: list[str]) -> int:
    """``printf FORMAT WORD...`` with ``%s``, ``%d``, ``\\n`` and ``\\t`` only."""
    text = args[0] if args else ""
    for word in args[1:]:
        text = text.replace("%d", "%s", 1) if text.find("%d") >= 0 > text.find("%s") else text
        text = text.replace("%s", word, 1)
    await io.say(text.replace("\\n", "\n").replace("\\t", "\t"))
    return 0


async def true(phone: Phone, io: Io, args: list[str]) -> int:
    """Exit code 0."""
    return 0


async def false(phone: Phone, io: Io, args: list[str]) -> int:
    """Exit code 1."""
    return 1


async def sleep(phone: Phone, io: Io, args: list[str]) -> int:
    """``sleep SECONDS``."""
    try:
        seconds = float(args[0])
    except (IndexError, ValueError):
        await io.complain("sleep: needs a number of seconds\n")
        return 1
    await asyncio.sleep(min(max(seconds, 0), MAX_SLEEP_S))
    return 0


async def getprop(phone: Phone, io: Io, args: list[str]) -> int:
    """``getprop [NAME]``."""
    properties = phone.properties()
    if args:
        await io.say(properties.get(args[0], args[1] if len(args) > 1 else "") + "\n")
    else:
        await io.say("".join(f"[{name}]: [{value}]\n" for name, value in sorted(properties.items())))
    return 0


async def wm(phone: Phone, io: Io, args: list[str]) -> int:
    """``wm size``, ``wm density``, ``wm user-rotation [free | lock [N]]``."""
    if args == ["size"]:
        width, height = phone.display.natural_size
        await io.say(f"Physical size: {width}x{height}\n")
    elif args == ["density"]:
        await io.say("Physical density: 320\n")
    elif args[:1] == ["user-rotation"]:
        if args[1:2] == ["lock"] and len(args) > 2 and args[2] in "0123":
            await phone.rotate(int(args[2]))
        else:
            await io.say(f"{'free' if phone.settings['system accelerometer_rotation'] == '1' else 'lock'}\n")
    else:
        await io.complain("wm: unknown command\n")
        return 255
    return 0


def _dumpsys_display(phone: Phone) -> str:
    width, height = phone.display.size
    natural = "{} x {}".format(*phone.display.natural_size)
    return (
        "DISPLAY MANAGER (dumpsys display)\n"
        f"  mViewports=[DisplayViewport{{type=INTERNAL, valid=true, isActive=true, displayId=0, "
        f"uniqueId='local:{DISPLAY_ID}', "
        f"physicalPort=0, orientation={phone.display.rotation}, logicalFrame=Rect(0, 0 - {width}, {height}), "
        f"physicalFrame=Rect(0, 0 - {width}, {height}), deviceWidth={width}, deviceHeight={height}}}]\n"
        f'  mBaseDisplayInfo=DisplayInfo{{"Built-in Screen", displayId 0, real {natural}, state ON}}\n'
        f"  mCurrentOrientation={phone.display.rotation}\n"
    )


async def dumpsys(phone: Phone, io: Io, args: list[str]) -> int:
    """``dumpsys display | input | window displays | power | SurfaceFlinger --display-id``."""
    rotation = phone.display.rotation
    width, height = phone.display.size
    texts = {
        ("display",): _dumpsys_display(phone),
        ("input",): f"INPUT MANAGER (dumpsys input)\n  SurfaceOrientation: {rotation}\n",
        ("window", "displays"): f"  Display: mDisplayId=0\n    init={width}x{height} 320dpi cur={width}x{height}\n"
        f"    mCurrentRotation=ROTATION_{rotation * 90}\n",
        ("power",): "POWER MANAGER (dumpsys power)\n  mWakefulness=Awake\n  mHoldingDisplaySuspendBlocker=true\n",
        (
            "SurfaceFlinger",
            "--display-id",
        ): f'Display {DISPLAY_ID} (HWC display 0): port=0 pnpId=SIM displayName="Simulated"\n',
    }
    text = texts.get(tuple(args))
    if text is None:
        await io.complain(f"Can't find service: {args[0] if args else ''}\n")
        return 0  # as the real program, which finds nothing wrong with it
    await io.say(text)
    return 0


async def settings(phone: Phone, io: Io, args: list[str]) -> int:
    """``settings get|put|delete NAMESPACE NAME [VALUE]``; the rotation settings turn the display."""
    if len(args) < 3 or args[0] not in ("get", "put", "delete") or (args[0] == "put" and len(args) < 4):
        await io.complain("usage: settings get|put|delete NAMESPACE NAME [VALUE]\n")
        return 255
    name = f"{args[1]} {args[2]}"
    if args[0] == "get":
        await io.say(phone.settings.get(name, "null") + "\n")
        return 0
    if args[0] == "delete":
        await io.say(f"Deleted {int(phone.settings.pop(name, None) is not None)} rows\n")
        return 0
    phone.settings[name] = args[3]
    locked = phone.settings.get("system accelerometer_rotation") == "0"
    wanted = phone.settings.get("system user_rotation", "0")
    if args[1] == "system" and locked and wanted in ("0", "1", "2", "3"):
        await phone.display.rotate(int(wanted))
    return 0


async def cmd(phone: Phone, io: Io, args: list[str]) -> int:
    """``cmd statusbar WORD`` (recorded), ``cmd window user-rotation ...`` and ``cmd display ...``."""
    if args[:1] == ["statusbar"] and len(args) > 1:
        phone.record(InputEvent(time.time_ns() // 1000, "command", tuple(args)))
        return 0
    if args[:2] == ["window", "user-rotation"]:
        return await wm(phone, io, args[1:])
    await io.complain(f"cmd: Can't find service: {args[0] if args else ''}\n")
    return 20


async def cat(phone: Phone, io: Io, args: list[str]) -> int:
    """``cat [FILE...]``; without a file standard input comes back."""
    if not args:
        while data := await io.stdin.read():
            await io.stdout.write(data)
        return 0
    code = 0
    for path in args:
        if path in phone.files:
            await io.stdout.write(phone.files[path])
        else:
            await io.complain(f"cat: {path}: No such file or directory\n")
            code = 1
    return code


async def grep(phone: Phone, io: Io, args: list[str]) -> int:
    """``grep [-q] [-v] [-i] PATTERN`` on standard input, with Python's idea of a pattern."""
    flags = {letter for word in args if word.startswith("-") for letter in word[1:]}
    patterns = [word for word in args if not word.startswith("-")]
    try:
        pattern = re.compile(patterns[0].encode(), re.IGNORECASE if "i" in flags else 0)
    except (IndexError, re.error):
        await io.complain("grep: needs one pattern\n")
        return 2
    found = False
    while line := await io.stdin.readline():
        if bool(pattern.search(line)) != ("v" in flags):
            found = True
            if "q" not in flags:
                await io.stdout.write(line)
    return 0 if found else 1


async def head(phone: Phone, io: Io, args: list[str]) -> int:
    """``head -c COUNT [FILE]``; ``/dev/zero`` has no end."""
    if len(args) < 2 or args[0] != "-c" or not args[1].isdigit():
        await io.complain("head: only -c COUNT [FILE] is simulated\n")
        return 1
    left = int(args[1])
    if args[2:] == ["/dev/zero"]:
        block = bytes(BLOCK)
        while left > 0:
            await io.stdout.write(block[:left])
            left -= len(block)
    elif len(args) > 2:
        if args[2] not in phone.files:
            await io.complain(f"head: {args[2]}: No such file or directory\n")
            return 1
        await io.stdout.write(phone.files[args[2]][:left])
    else:
        while left > 0 and (data := await io.stdin.read()):
            await io.stdout.write(data[:left])
            left -= len(data)
    return 0


async def gzip(phone: Phone, io: Io, args: list[str]) -> int:
    """``gzip [-1 ... -9]`` of standard input, as toybox has it."""
    level = 6
    for word in args:
        if not re.fullmatch(r"-[1-9c]", word):
            await io.complain("gzip: only -1 to -9 of standard input is simulated\n")
            return 1
        level = level if word == "-c" else int(word[1])
    packer = zlib.compressobj(level, wbits=GZIP_WBITS)
    while data := await io.stdin.read():
        if packed := await asyncio.to_thread(packer.compress, data):
            await io.stdout.write(packed)
    await io.stdout.write(packer.flush())
    return 0


async def rm(phone: Phone, io: Io, args: list[str]) -> int:
    """``rm [-f] FILE...``."""
    code = 0
    for path in (word for word in args if not word.startswith("-")):
        if phone.files.pop(path, None) is None and "-f" not in args:
            await io.complain(f"rm: {path}: No such file or directory\n")
            code = 1
    return code


async def which(phone: Phone, io: Io, args: list[str]) -> int:
    """``which NAME...``."""
    found = [f"/system/bin/{name}\n" for name in args if name in PROGRAMS or name == "sh"]
    await io.say("".join(found))
    return 0 if args and len(found) == len(args) else 1


async def identity(phone: Phone, io: Io, args: list[str]) -> int:
    """``id``."""
    await io.say("uid=2000(shell) gid=2000(shell) groups=2000(shell),1004(input)\n")
    return 0


PROGRAMS: dict[str, Program] = {
    "cat": cat,
    "cmd": cmd,
    "dumpsys": dumpsys,
    "echo": echo,
    "false": false,
    "getprop": getprop,
    "grep": grep,
    "gzip": gzip,
    "head": head,
    "id": identity,
    "input": input_command,
    "printf": printf,
    "rm": rm,
    "screencap": screencap,
    "screenrecord": screenrecord,
    "settings": settings,
    "sleep": sleep,
    "true": true,
    "which": which,
    "wm": wm,
    ":": true,
}

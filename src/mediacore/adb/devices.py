"""The list of devices as the adb server writes it (``host:devices-l``, ``host:track-devices-l``)."""

from __future__ import annotations

from dataclasses import dataclass

NO_SERIAL = "(no serial number)"
NO_PERMISSIONS = "no permissions"


@dataclass(frozen=True, slots=True)
class AdbDevice:
    """One line of the list."""

    serial: str
    """What names the device to the adb server; ``HOST:PORT`` for network devices."""
    state: str
    """``device`` if it can be used; else adb's word for it: ``offline``, ``unauthorized``, ``connecting``,
    ``authorizing``, ``recovery``, ``no permissions`` and others."""
    model: str = ""
    """The device's model as adb writes it (other characters than letters and digits become ``_``), or empty."""
    product: str = ""
    """The product's name, or empty."""
    transport_id: int | None = None
    """The server's number for this connection; a device that comes back has a new one. None if not told."""


def parse_devices(text: str) -> list[AdbDevice]:
    """The devices of a long list, in its order. Lines that are not devices are left out."""
    return [device for line in text.splitlines() if (device := _parse_line(line)) is not None]


def _parse_line(line: str) -> AdbDevice | None:
    if line.startswith(NO_SERIAL):
        serial, rest = NO_SERIAL, line.removeprefix(NO_SERIAL).strip()
    else:
        serial, _, rest = line.replace("\t", " ").partition(" ")
        rest = rest.strip()
    if not serial or not rest:
        return None
    state = NO_PERMISSIONS if rest.startswith(NO_PERMISSIONS) else rest.split(" ", 1)[0]
    values: dict[str, str] = {}
    for word in rest.removeprefix(state).split():
        name, colon, value = word.partition(":")
        if colon:
            values.setdefault(name, value)
    number = values.get("transport_id", "")
    return AdbDevice(
        serial,
        state,
        model=values.get("model", ""),
        product=values.get("product", ""),
        # isdecimal alone also takes digits of other scripts
        transport_id=int(number) if number.isascii() and number.isdecimal() else None,
    )

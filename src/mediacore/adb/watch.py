"""The list of devices as it changes, across adb servers that die."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mediacore.adb.devices import AdbDevice, parse_devices
from mediacore.errors import AdbError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mediacore.adb.backoff import Backoff
    from mediacore.adb.client import AdbClient
    from mediacore.adb.stream import AdbStream

log = logging.getLogger(__name__)

PROBE_S = 2.0
"""After this long without news the list is asked for: a server that hangs closes no connection, and adb 29 does not
always tell those who track devices that one of them went offline."""
BLOCK_TIMEOUT_S = 5.0
"""For the rest of a list whose first byte is there."""


async def watch_devices(client: AdbClient, backoff: Backoff) -> AsyncGenerator[list[AdbDevice], None]:
    """The list now, then again at each change; see ``AdbClient.watch``."""
    known: list[AdbDevice] | None = None
    while True:
        try:
            async with await client.host_stream("host:track-devices-l") as stream:
                while True:
                    listed = await _next_list(client, stream)
                    backoff.reset()
                    if listed != known:
                        known = listed
                        yield known
        except (AdbError, TimeoutError) as error:
            log.warning("the adb server is lost: %s", error)
        if known != []:
            known = []
            yield known
        await asyncio.sleep(backoff.next_s())


async def _next_list(client: AdbClient, stream: AdbStream) -> list[AdbDevice]:
    """What the server tells by itself, or after ``PROBE_S`` what it answers."""
    if not await stream.readable(timeout_s=PROBE_S):
        return await client.devices()
    async with asyncio.timeout(BLOCK_TIMEOUT_S):
        block = await stream.read_block()
    return parse_devices(block.decode(errors="replace"))

"""Print the encoded access units of one device: no WebRTC, no server.

python examples/packets.py SERIAL [COUNT]
"""

import asyncio
import sys

from mediacore import Engine


async def main(serial: str, count: int) -> None:
    async with Engine() as engine, engine.stream(serial) as stream:
        async for packet in stream.packets():
            print(packet.pts_us, packet.is_key, len(packet.data))
            count -= 1
            if count == 0:
                break


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))

"""WHEP in a service of your own: any WHEP player shows the device.

python examples/whep_service.py [PORT]
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from mediacore import Engine, MediacoreError

ENGINE = web.AppKey("engine", Engine)


async def whep(request: web.Request) -> web.Response:
    try:
        session = await request.app[ENGINE].connect(request.match_info["serial"], await request.text())
    except MediacoreError as error:
        return web.Response(status=400, text=str(error))
    return web.Response(status=201, text=session.answer, content_type="application/sdp")


async def engine(app: web.Application) -> AsyncIterator[None]:
    async with Engine() as app[ENGINE]:
        yield


def application() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(engine)
    app.router.add_post("/whep/{serial}", whep)
    return app


async def main(port: int) -> None:
    runner = web.AppRunner(application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(f"WHEP: http://127.0.0.1:{runner.addresses[0][1]}/whep/SERIAL", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8081))

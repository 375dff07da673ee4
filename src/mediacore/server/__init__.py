"""The bundled server: a thin HTTP face of the engine with WHEP, the viewer page and health checks (aiohttp)."""

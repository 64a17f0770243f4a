"""Real servers for an ASGI app, on a port of the loopback that nobody else has, in the loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import hypercorn
import hypercorn.asyncio
import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVERS = ("uvicorn", "hypercorn")
LIMIT = 10.0
"""How long anything may take that a test waits for, in seconds."""


@contextlib.asynccontextmanager
async def served(app: Any, server: str = "uvicorn", **options: Any) -> AsyncIterator[int]:
    """Serves it, and gives the port; at the end nothing of the server is left. `options` are the server's own."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    serve = {"uvicorn": _uvicorn, "hypercorn": _hypercorn}[server]
    stop = asyncio.Event()
    async with asyncio.timeout(2 * LIMIT):
        task = asyncio.create_task(serve(app, listener, stop, options))
        try:
            await _until_it_answers(port, task)
            yield port
        finally:
            stop.set()
            await task


async def wait_for(event: asyncio.Event) -> None:
    """Waits for something that is to happen at once, and fails where it does not."""
    async with asyncio.timeout(LIMIT):
        await event.wait()


async def _uvicorn(
    app: Any, listener: socket.socket, stop: asyncio.Event, options: dict[str, Any]
) -> None:
    settings = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 5}
    config = uvicorn.Config(app, **settings | options)
    await _Server(config, stop).serve([listener])


async def _hypercorn(
    app: Any, listener: socket.socket, stop: asyncio.Event, options: dict[str, Any]
) -> None:
    config = hypercorn.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 5
    config.loglevel = "CRITICAL"
    for name, value in options.items():
        setattr(config, name, value)
    await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)


class _Server(uvicorn.Server):
    """One that leaves signals alone, and stops as soon as it is told to."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event):
        super().__init__(config)
        self._stop = stop

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stop.wait()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


async def _until_it_answers(port: int, task: asyncio.Task[None]) -> None:
    # It listens already; that it serves is seen by an answer.
    asking = asyncio.create_task(_ask(port))
    await asyncio.wait({asking, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        asking.cancel()
        await task
        raise RuntimeError("the server ended before it served")
    await asking


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"no request\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()

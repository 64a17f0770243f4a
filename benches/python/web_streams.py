"""Prints how soon open streams end: `target/python/3.13/bin/python benches/python/web_streams.py`.

Real servers and sockets on the loopback. A server of its own process has a stream of events open to each of many clients, and gets
SIGTERM; then clients leave one after the other, as they do all the time. Figures count as a bound that is kept, not to be compared.
"""

import argparse
import asyncio
import signal
import socket
import statistics
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__)
sys.path.insert(0, str(HERE.parents[2] / "python"))

SERVERS = ("uvicorn", "hypercorn")
REQUEST = b"GET /events HTTP/1.1\r\nhost: here\r\n\r\n"
LAST = b"event: cancelled\ndata: Stream cancelled\n\n"


async def main() -> None:
    """Measures both, with each server."""
    options = argparse.ArgumentParser(prog="benches/python/web_streams.py", description=__doc__)
    options.add_argument("--streams", type=int, default=1000, help="open at the shutdown")
    options.add_argument("--leaving", type=int, default=500, help="clients that leave")
    options.add_argument("--serve", choices=SERVERS, help="what the child process does")
    options.add_argument("--fd", type=int)
    chosen = options.parse_args()
    if chosen.serve:
        await serve(chosen.serve, chosen.fd)
        return
    for server in SERVERS:
        async with a_server(server) as (port, child):
            took = sorted([await leave(port) for _ in range(chosen.leaving)])
            print(
                f"{server}: a client left, and the generator was closed after"
                f" {statistics.median(took) * 1e3:.1f} ms (median), {took[-1] * 1e3:.1f} ms (the longest of {len(took)})"
            )
            told, total = await shut_down(port, child, chosen.streams)
            print(
                f"{server}: {len(told)} of {chosen.streams} open streams were told of a shutdown,"
                f" the last {max(told) * 1e3:.0f} ms after the signal; the server was gone after {total:.1f} s"
            )


async def leave(port: int) -> float:
    """The time from a client's leaving to the end of its generator, in seconds: the server says when that was."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b"data: open\n\n")
    began = time.monotonic()
    writer.close()
    await writer.wait_closed()
    while True:
        asking, answer = await asyncio.open_connection("127.0.0.1", port)
        answer.write(b"GET /closed HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        said = (await asking.read()).rpartition(b"\r\n\r\n")[2]
        answer.close()
        await answer.wait_closed()
        if float(said) > began:
            return float(said) - began


async def shut_down(port: int, child: Process, streams: int) -> tuple[list[float], float]:
    """How long after the signal each of the clients was told, and the server was gone, in seconds."""
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(streams)]
    for reader, writer in pairs:
        writer.write(REQUEST)
        await reader.readuntil(b"data: open\n\n")
    began = time.monotonic()
    child.send_signal(signal.SIGTERM)

    async def told(reader: asyncio.StreamReader) -> float:
        await reader.readuntil(LAST)
        return time.monotonic() - began

    found = await asyncio.wait_for(asyncio.gather(*(told(reader) for reader, _ in pairs)), 60)
    for _, writer in pairs:
        writer.close()
    await asyncio.wait_for(child.wait(), 60)
    return found, time.monotonic() - began


@asynccontextmanager
async def a_server(server: str) -> AsyncIterator[tuple[int, Process]]:
    """One in a process of its own, on a port that nobody else has."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, str(HERE), "--serve", server, "--fd", str(fd)]
        child = await asyncio.create_subprocess_exec(*command, pass_fds=[fd])
    try:
        yield port, child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def serve(server: str, fd: int) -> None:
    """Serves streams that say that they are open, and wait."""
    from fastapi import Depends, FastAPI

    from hother.cancelable import Cancelable
    from hother.cancelable.integrations.fastapi import (
        cancelable_dependency,
        cancelable_streaming_response,
        shutdown,
    )

    closed_at = 0.0

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with shutdown(app, grace=10.0):
            yield

    app = FastAPI(lifespan=lifespan)

    async def events() -> AsyncIterator[str]:
        nonlocal closed_at
        try:
            yield "data: open\n\n"
            await asyncio.Event().wait()
        finally:
            closed_at = time.monotonic()

    @app.get("/events")
    async def endpoint(cancel: Cancelable = Depends(cancelable_dependency)):  # noqa: B008, as FastAPI has it
        return await cancelable_streaming_response(events(), cancel, "text/event-stream")

    @app.get("/closed")
    async def closed() -> float:
        return closed_at

    listener = socket.socket(fileno=fd)
    if server == "uvicorn":
        import uvicorn

        await uvicorn.Server(uvicorn.Config(app, log_level="critical")).serve([listener])
        return
    import hypercorn
    import hypercorn.asyncio

    config = hypercorn.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "CRITICAL"
    config.graceful_timeout = 15
    await hypercorn.asyncio.serve(app, config)


if __name__ == "__main__":
    asyncio.run(main())

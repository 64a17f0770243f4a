"""What a request costs more: CPU time of a FastAPI application with and without, in turns. A command: python benches/python/web.py.

With a way, a path and a number it makes so many requests and prints nothing, for tools that count instructions.
"""

import asyncio
import gc
import statistics
import sys
import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from hother.cancelable import Cancelable
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
    with_cancelation,
)

ROUNDS = 40
REQUESTS = 250


async def nothing(request: Request) -> None:
    """A dependency that does nothing: what FastAPI itself takes for one."""


def application(way: str) -> FastAPI:
    """One with two endpoints: `/quick` answers at once, `/waits` after a turn of the loop, as any that asks somebody else."""
    app = FastAPI()
    if way in ("middleware", "both"):
        app.add_middleware(RequestCancelationMiddleware, default_timeout=30.0)
    if way in ("dependency", "both"):

        @app.get("/quick")
        async def quick(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]) -> str:
            async with cancel:
                return "done"

        @app.get("/waits")
        async def waits(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]) -> str:
            async with cancel:
                await asyncio.sleep(0.0001)
                return "done"

    elif way == "a dependency of nothing":

        @app.get("/quick")
        async def needing_quick(_: Annotated[None, Depends(nothing)]) -> str:
            return "done"

        @app.get("/waits")
        async def needing_waits(_: Annotated[None, Depends(nothing)]) -> str:
            await asyncio.sleep(0.0001)
            return "done"

    elif way == "decorator":

        @app.get("/quick")
        @with_cancelation
        async def decorated_quick(request: Request) -> str:
            return "done"

        @app.get("/waits")
        @with_cancelation
        async def decorated_waits(request: Request) -> str:
            await asyncio.sleep(0.0001)
            return "done"

    else:

        @app.get("/quick")
        async def plain_quick(request: Request) -> str:
            return "done"

        @app.get("/waits")
        async def plain_waits(request: Request) -> str:
            await asyncio.sleep(0.0001)
            return "done"

    return app


async def ask(app: FastAPI, path: str) -> None:
    """One request, as a server would pass it on."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"here"), (b"accept", b"*/*"), (b"user-agent", b"bench")],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    parts = [{"type": "http.request", "body": b"", "more_body": False}]
    gone = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await gone
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not gone.done():
            gone.set_result(None)

    await app(scope, receive, send)


async def ask_often(app: FastAPI, path: str, requests: int) -> None:
    """So many, one after the other."""
    for _ in range(requests):
        await ask(app, path)


async def seconds_each(app: FastAPI, path: str) -> float:
    """CPU time of one request, of `REQUESTS` in a row."""
    began = time.process_time()
    await ask_often(app, path, REQUESTS)
    return (time.process_time() - began) / REQUESTS


async def main() -> None:
    """Prints a table: microseconds, and what is more than without, by the median of the rounds' differences."""
    ways = ("without", "a dependency of nothing", "middleware", "dependency", "decorator", "both")
    apps = {way: application(way) for way in ways}
    print("| endpoint | way | CPU time | more than without |")
    print("|---|---|---:|---:|")
    for path in ("/quick", "/waits"):
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for app in apps.values():
            await seconds_each(app, path)
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for way, app in apps.items():
                taken[way].append(await seconds_each(app, path))
        for way in ways:
            own = statistics.median(taken[way])
            pairs = zip(taken[way], taken["without"], strict=True)
            more = statistics.median(it - base for it, base in pairs)
            print(f"| `{path}` | {way} | {own * 1e6:.0f} µs | {more * 1e6:+.0f} µs |")


if __name__ == "__main__":
    if sys.argv[1:]:
        way, path, requests = sys.argv[1:]
        asyncio.run(ask_often(application(way), path, int(requests)))
    else:
        asyncio.run(main())

"""Applications of FastAPI behind any middleware, and their clients."""

import asyncio
import contextlib

import httpx
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from hother.cancelable.integrations.fastapi import RequestCancelationMiddleware
from support import web
from support.loops import settle
from support.serving import served, wait_for


async def pass_on(request, call_next):
    return await call_next(request)


AROUND = {
    "nothing": lambda app: None,
    "ours": lambda app: app.add_middleware(RequestCancelationMiddleware),
    "base": lambda app: app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on),
    "gzip": lambda app: app.add_middleware(GZipMiddleware, minimum_size=10),
    "cors": lambda app: app.add_middleware(CORSMiddleware, allow_origins=["*"]),
    "ours in base": lambda app: (
        app.add_middleware(RequestCancelationMiddleware),
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on),
    ),
    "base in ours": lambda app: (
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on),
        app.add_middleware(RequestCancelationMiddleware),
    ),
}


@contextlib.asynccontextmanager
async def client(app, server="uvicorn", **options):
    """A client of the application, which is really served."""
    async with served(app, server, **options) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as it:
            yield it


class Waiting:
    """An endpoint's work that waits for ever, and how it ended."""

    def __init__(self):
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.operation = None
        self.error = None

    async def work(self, cancel):
        self.operation = cancel
        try:
            async with cancel:
                self.started.set()
                await asyncio.sleep(3600)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()


async def vanish(port, waiting, request):
    """Asks, and is gone once the work has started."""
    async with web.connected(port) as (_, writer):
        writer.write(request)
        await wait_for(waiting.started)
    await wait_for(waiting.ended)
    await settle()

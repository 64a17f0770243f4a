"""Responses that stream, the servers that serve them, and what may be around them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
from fastapi import Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from hother.cancelable import Cancelable
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_streaming_response,
)
from support.loops import settle
from support.serving import LIMIT, served

SERVERS = {
    "h11": ("uvicorn", {"http": "h11"}),
    "httptools": ("uvicorn", {"http": "httptools"}),
    "hypercorn": ("hypercorn", {}),
    "http2": ("hypercorn", {}),
}


async def passing(request: Request, call_next: Callable[..., Any]) -> Any:
    return await call_next(request)


AROUND = {
    "nothing": [],
    "base": [Middleware(BaseHTTPMiddleware, dispatch=passing)],
    "gzip": [Middleware(GZipMiddleware)],
    "ours": [Middleware(RequestCancelationMiddleware)],
    "all": [
        Middleware(BaseHTTPMiddleware, dispatch=passing),
        Middleware(RequestCancelationMiddleware),
        Middleware(GZipMiddleware),
        Middleware(BaseHTTPMiddleware, dispatch=passing),
    ],
}


on_each_server = pytest.mark.parametrize("server", SERVERS)
# Not each with each, which would take minutes.
with_each = pytest.mark.parametrize(
    ("server", "around"),
    [
        *(("h11", around) for around in AROUND),
        *((server, "nothing") for server in SERVERS if server != "h11"),
        ("hypercorn", "base"),
        ("http2", "ours"),
    ],
)


def serve(app: Any, server: str) -> Any:
    """Serves it by one of these servers, and gives the port."""
    name, options = SERVERS[server]
    return served(app, name, **options)


def client(port: int, server: str = "h11", **options: Any) -> httpx.AsyncClient:
    """A client that speaks as this server does."""
    is_2 = server == "http2"
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", http1=not is_2, http2=is_2, timeout=LIMIT, **options
    )


class Source:
    """Gives some items, then waits; knows what becomes of it."""

    def __init__(self, *items: str | bytes, ends: bool = False):
        self.items = items
        self.ends = ends
        self.given = 0
        self.waits = asyncio.Event()
        self.is_closed = asyncio.Event()
        self.left_with: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            for item in self.items:
                self.given += 1
                yield item
            self.waits.set()
            if not self.ends:
                await asyncio.Event().wait()
        except BaseException as error:
            self.left_with = error
            raise
        finally:
            # What is awaited here is shielded, since a cancel comes at every await.
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0)
            self.is_closed.set()


class Closed:
    """An iterator that is no generator, and is to be closed even if it was never asked for an item."""

    def __init__(self) -> None:
        self.is_closed = False

    def __aiter__(self) -> "Closed":
        return self

    async def __anext__(self) -> str:
        raise AssertionError

    async def aclose(self) -> None:
        self.is_closed = True


def an_app(
    source: Any, cancelable: Cancelable, around: str = "nothing", **options: Any
) -> Starlette:
    """Answers with what the source gives."""

    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(aiter(source), cancelable, **options)

    return Starlette(routes=[Route("/", endpoint)], middleware=AROUND[around])


async def ended(operation: Cancelable) -> None:
    """Waits until it has ended."""
    async with asyncio.timeout(LIMIT):
        while not operation.context.is_terminal:
            await settle(1)


def a_scope() -> dict[str, Any]:
    """A request, for where there is no server."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }


def nothing_more() -> Any:
    """What a client sends that has no body, and stays."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive

"""Clients of raw sockets, and small ASGI applications to serve them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest

from support import loops
from support.serving import LIMIT, served

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

KINDS = {
    "uvicorn-h11": ("uvicorn", {"http": "h11"}),
    "uvicorn-httptools": ("uvicorn", {"http": "httptools"}),
    "hypercorn": ("hypercorn", {}),
}
"""Servers, and how they are set."""


def on_servers(*only: str) -> Any:
    """Has an async test run with each `server` and its `options`, on each loop that the server works on; `only` on these loops."""
    pairs = [
        pytest.param(loop, *KINDS[kind], id=f"{loop}-{kind}")
        for loop in only or loops.names(paused=False, trio=False)
        for kind in KINDS
        # With eager tasks hypercorn itself never sends what an application answers at once.
        if (loop, kind) != ("eager", "hypercorn")
    ]

    def decorate(test: Any) -> Any:
        signature = inspect.signature(test)
        loop = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)

        def run(**given: Any) -> None:
            loops.run(given.pop("loop"), functools.partial(test, **given))

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), loop])
        run.pytestmark = list(getattr(test, "pytestmark", ()))
        return pytest.mark.parametrize(("loop", "server", "options"), pairs)(run)

    return decorate


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, Any]]:
    """A connection to a server on this port; gone at the end, whatever came of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head(method: str, path: str, *headers: str) -> bytes:
    """The head of a request, after which the connection is closed."""
    lines = (f"{method} {path} HTTP/1.1", "Host: here", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()


async def exchanged(port: int, parts: Iterable[bytes]) -> bytes:
    """What comes back for these bytes, until the server closes; without what differs from time to time."""
    async with asyncio.timeout(LIMIT), connected(port) as (reader, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
        return without_date(await reader.read())


def without_date(response: bytes) -> bytes:
    """The same without its date."""
    lines = response.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"date:"))


async def over_the_wire(
    app: App, server: str, options: dict[str, Any], parts: Callable[[], Iterable[bytes]]
) -> bytes:
    """What a server of its own sends for these bytes."""
    async with served(app, server, **options) as port:
        return await exchanged(port, parts())


def http_alone(app: App) -> App:
    """The same application, which says that it knows no lifespan."""

    @functools.wraps(app, updated=())
    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"what is {scope['type']} is not served")
        await app(scope, receive, send)

    return call


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    """Answers with this, and its length."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@http_alone
async def digest(scope: Any, receive: Any, send: Any) -> None:
    """Answers with how long the body was, and its digest."""
    seen, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        seen.update(message["body"])
        size += len(message["body"])
        if not message["more_body"]:
            break
    await answer(send, f"{size} {seen.hexdigest()}".encode())


@http_alone
async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Sends the body back as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def without_server(
    scope: Message | None = None, *messages: Message
) -> tuple[Message, Any, Any, list[Message]]:
    """A scope, a receive that ends with a wait for ever, and what was sent."""
    waiting = asyncio.Event()
    sent: list[Message] = []
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await waiting.wait()
        raise AssertionError("nobody sets it")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/it", "headers": [], **(scope or {})}
    return scope, receive, send, sent


def answered(sent: list[Message]) -> tuple[int, Any]:
    """The status, and the detail that an answer of ours has."""
    return sent[0]["status"], json.loads(sent[1]["body"])["detail"]

"""Responses that stream: each comes whole, and is part of an operation."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.routing import Route

from hother.cancelable import Cancelable, CancelationReason, OperationStatus
from hother.cancelable.integrations.fastapi import (
    cancelable_dependency,
    cancelable_streaming_response,
)
from support.loops import settle
from support.serving import wait_for
from support.streams import (
    Closed,
    Source,
    a_scope,
    an_app,
    client,
    ended,
    nothing_more,
    on_each_server,
    serve,
    with_each,
)

Dependency = Annotated[Cancelable, Depends(cancelable_dependency)]


@with_each
async def test_a_stream_that_ends_is_whole(server: str, around: str):
    source, operation = Source("one ", b"two ", "drei €", ends=True), Cancelable()
    async with (
        serve(an_app(source, operation, around), server) as port,
        client(port, server) as http,
    ):
        for _ in range(2):
            response = await http.get("/")
            assert response.text == "one two drei €"
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert operation.is_completed
    assert operation.context.partial_result["completed"]


async def test_items_may_be_sent_several_at_once():
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    operation = Cancelable()
    source = Source("a", "b", b"c", "d", "e", ends=True)
    app = an_app(source, operation, chunk_size=2)
    await app(a_scope(), nothing_more(), send)
    assert sent == [b"", b"ab", b"cd", b"e", b""]
    assert operation.is_completed
    # What is left over when it is cancelled is sent, too.
    sent.clear()
    source = Source("a", "b", "c")
    operation = Cancelable()
    app = an_app(source, operation, chunk_size=2, media_type="text/event-stream")
    serving = asyncio.create_task(app(a_scope(), nothing_more(), send))
    await wait_for(source.waits)
    await operation.cancel()
    await serving
    assert sent == [b"", b"ab", b"c", b"event: cancelled\ndata: Stream cancelled\n\n", b""]


async def test_in_an_operation_that_runs_it_is_one_inside_of_it():
    """As in a dependency that enters the operation, and leaves it after the response."""
    source = Source("data: 1\n\n")
    inner: list[Cancelable] = []

    async def entered() -> AsyncIterator[Cancelable]:
        async with Cancelable(name="whole request") as operation:
            inner.append(operation)
            yield operation

    app = FastAPI()

    @app.get("/")
    async def endpoint(operation: Annotated[Cancelable, Depends(entered)]) -> Any:
        return await cancelable_streaming_response(aiter(source), operation, "text/event-stream")

    async with serve(app, "h11") as port, client(port) as http:
        async with http.stream("GET", "/"):
            await wait_for(source.waits)
            assert inner[0].is_running
        await wait_for(source.is_closed)
        await ended(inner[0])
    assert inner[0].context.partial_result["buffer"] == ["data: 1\n\n"]


@on_each_server
async def test_the_dependency_and_the_response_share_one_reader(server: str):
    """The generator reads the request while it answers, and gets every byte of it."""
    app = FastAPI()
    seen: list[Cancelable] = []

    @app.post("/")
    async def echo(request: Request, cancel: Dependency) -> Any:
        seen.append(cancel)

        async def echoes() -> AsyncIterator[bytes]:
            async for part in request.stream():
                yield part

        return await cancelable_streaming_response(echoes(), cancel)

    parts = [bytes([n]) * (n * 400) for n in range(100)]

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            await asyncio.sleep(0)

    async with serve(app, server) as port, client(port, server) as http:
        response = await http.post("/", content=body())
        assert response.content == b"".join(parts)
        await ended(seen[0])
        assert seen[0].is_completed
        assert seen[0].context.name == "POST /"

        async def endless() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        leaving = asyncio.create_task(http.post("/", content=endless()))
        while len(seen) < 2 or not seen[1].is_running:
            await settle(1)
        leaving.cancel()
        await asyncio.wait({leaving})
        if server == "http2":
            await http.aclose()
        await ended(seen[1])
    assert seen[1].context.cancel_reason is CancelationReason.DISCONNECTED


async def test_an_error_of_the_generator_is_the_operations():
    async def items() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        raise KeyError("wrong")

    operation = Cancelable()

    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(items(), operation, "text/event-stream")

    async with serve(Starlette(routes=[Route("/", endpoint)]), "h11") as port, client(port) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/")
    assert operation.context.status is OperationStatus.FAILED
    assert operation.context.error == "'wrong'"


async def test_bad_arguments_are_named():
    async def items() -> AsyncIterator[object]:
        yield 1

    for error, text, arguments, options in [
        (TypeError, "generator must be an async iterator, got list", ([], Cancelable()), {}),
        (TypeError, "cancelable must be a Cancelable, got str", (items(), "x"), {}),
        (
            ValueError,
            "chunk_size must be at least 1, got 0",
            (items(), Cancelable()),
            {"chunk_size": 0},
        ),
        (
            ValueError,
            "disconnect must be",
            (items(), Cancelable()),
            {"disconnect": "stop"},
        ),
        (ValueError, "got no disconnect", (items(), Cancelable()), {"grace": 1}),
    ]:
        with pytest.raises(error, match=text):
            await cancelable_streaming_response(*arguments, **options)
    operation = Cancelable()
    response = await cancelable_streaming_response(items(), operation)

    async def send(_: object) -> None:
        pass

    with pytest.raises(TypeError, match="items of a response must be texts or bytes, got int"):
        await response(a_scope(), nothing_more(), send)
    assert operation.context.status is OperationStatus.FAILED


async def test_nobody_who_asks_for_the_head_alone_waits_for_the_body():
    source, operation = Closed(), Cancelable()
    async with serve(an_app(source, operation), "h11") as port, client(port) as http:
        response = await http.head("/")
    assert (response.status_code, response.text) == (200, "")
    assert source.is_closed
    assert operation.is_completed

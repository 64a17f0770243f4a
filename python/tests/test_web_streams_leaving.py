"""Responses that stream: what becomes of them, and of what they come from, when the client leaves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import h2.connection
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.routing import Route

from hother.cancelable import Cancelable, CancelationReason, OperationStatus
from hother.cancelable.integrations.fastapi import (
    cancelable_dependency,
    cancelable_streaming_response,
)
from support.loops import settle
from support.serving import LIMIT, wait_for
from support.streams import (
    AROUND,
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
from support.web import connected

Dependency = Annotated[Cancelable, Depends(cancelable_dependency)]


@with_each
async def test_law_w2_a_client_that_leaves_a_stream_closes_what_it_comes_from(
    server: str, around: str
):
    source, operation = Source("one"), Cancelable(name="stream")
    async with (
        serve(an_app(source, operation, around), server) as port,
        client(port, server) as http,
    ):
        async with http.stream("GET", "/"):
            await wait_for(source.waits)
            if server == "http2":
                # A stream that it reads no more, httpx leaves open there.
                await http.aclose()
        await wait_for(source.is_closed)
        await ended(operation)
    assert isinstance(source.left_with, asyncio.CancelledError)
    assert operation.context.status is OperationStatus.CANCELLED
    assert operation.context.cancel_reason is not CancelationReason.MANUAL
    if around in ("nothing", "base", "gzip"):
        assert operation.context.cancel_reason is CancelationReason.DISCONNECTED
        assert operation.context.cancel_message == "Client closed connection"
    assert operation.context.partial_result == {
        "count": 1,
        "buffer": ["one"],
        "completed": False,
    }


@pytest.mark.parametrize("server", ["h11", "httptools", "hypercorn"])
async def test_a_client_that_reads_no_more_and_leaves(server: str):
    """The generator stands at a `yield`, since nobody takes what it gives."""
    source, operation = Source(*[b"x" * 65_536] * 1000), Cancelable()
    async with serve(an_app(source, operation), server) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readline()
        # It has given what there was room for.
        given = -1
        while given != (given := source.given):
            await settle(200)
        writer.transport.abort()
        await wait_for(source.is_closed)
        await ended(operation)
    assert isinstance(source.left_with, GeneratorExit | asyncio.CancelledError)
    assert given <= source.given < 1000
    assert operation.context.cancel_reason is CancelationReason.DISCONNECTED


@pytest.mark.parametrize("server", ["h11", "httptools", "hypercorn", "http2"])
async def test_a_generator_that_never_waits_is_stopped_too(server: str):
    async def zeros() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65_536)

    operation = Cancelable()

    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(zeros(), operation)

    async with serve(Starlette(routes=[Route("/", endpoint)]), server) as port:
        async with client(port, server) as http, http.stream("GET", "/") as response:
            async for _ in response.aiter_bytes():
                break
        await ended(operation)
    assert operation.context.cancel_reason is CancelationReason.DISCONNECTED


@on_each_server
@pytest.mark.parametrize("disconnect", ["cancel", "grace", "detach", "ignore"])
async def test_law_w3_what_a_stream_does_when_its_client_leaves_is_chosen(
    server: str, disconnect: Any
):
    """And its background tasks with it: they run where the stream came to its end."""
    if (server, disconnect) == ("http2", "ignore"):
        # There nobody sees that the client is gone, and hypercorn's `send` waits for it without end.
        return
    waits, may_go_on, is_over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen: list[Any] = []

    async def items(cancel: Cancelable) -> AsyncIterator[str]:
        try:
            yield "one"
            waits.set()
            await may_go_on.wait()
            yield "two"
            seen.append("all given")
        finally:
            is_over.set()

    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks, cancel: Dependency):
        seen.append(cancel)
        tasks.add_task(seen.append, "background")
        return await cancelable_streaming_response(items(cancel), cancel, disconnect=disconnect)

    async with serve(app, server) as port, client(port, server) as http:
        async with http.stream("GET", "/"):
            await wait_for(waits)
            if server == "http2":
                await http.aclose()
        cancel: Cancelable = seen.pop()
        if disconnect == "cancel":
            await wait_for(is_over)
        elif disconnect == "grace":
            async with asyncio.timeout(LIMIT):
                await cancel.token.wait_for_cancel()
            may_go_on.set()
        elif disconnect == "detach":
            async with asyncio.timeout(LIMIT):
                while "client_left" not in cancel.context.metadata:
                    await settle(1)
            assert not cancel.token.is_cancelled
        may_go_on.set()
        await wait_for(is_over)
        await ended(cancel)
        async with asyncio.timeout(LIMIT):
            while disconnect in ("detach", "ignore") and "background" not in seen:
                await settle(1)
    expected: dict[str, list[str]] = {
        "cancel": [],
        "grace": [],
        "detach": ["all given", "background"],
        "ignore": ["all given", "background"],
    }
    assert seen == expected[disconnect]
    assert cancel.is_completed == (disconnect in ("detach", "ignore"))


@pytest.mark.parametrize("disconnect", ["cancel", "detach"])
async def test_a_server_that_raises_where_nobody_is_there(disconnect: str):
    async def send(message: Any) -> None:
        if message.get("body"):
            raise BrokenPipeError

    source, operation = Source("one", "two", "three", ends=True), Cancelable()
    await an_app(source, operation, disconnect=disconnect)(a_scope(), nothing_more(), send)
    if disconnect == "cancel":
        assert operation.context.cancel_reason is CancelationReason.DISCONNECTED
        assert source.given == 1
    else:
        assert operation.is_completed
        assert source.given == 3
    assert source.is_closed.is_set()


@pytest.mark.parametrize("around", ["nothing", "ours"])
@pytest.mark.parametrize("server", ["h11", "httptools", "hypercorn"])
async def test_a_client_that_waits_to_send_a_body_that_nobody_reads(server: str, around: str):
    """Once the response has begun, reading makes no server say "100 Continue" any more."""
    source, operation = Source("one"), Cancelable()

    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(aiter(source), operation)

    routes = [Route("/", endpoint, methods=["POST"])]
    async with serve(Starlette(routes=routes, middleware=AROUND[around]), server) as port:
        async with connected(port) as (reader, writer):
            head = (
                b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
            )
            writer.write(head)
            async with asyncio.timeout(LIMIT):
                said = await reader.readuntil(b"one")
            # hypercorn says it by itself.
            assert server == "hypercorn" or said.startswith(b"HTTP/1.1 200")
            await wait_for(source.waits)
        await wait_for(source.is_closed)
        await ended(operation)
    assert operation.context.is_cancelled


async def test_a_client_of_http_2_that_resets_one_stream():
    """Its connection stays, and so does whatever else goes over it."""
    sources = {"/1": Source("one"), "/2": Source("two")}
    operations = {path: Cancelable() for path in sources}

    async def endpoint(request: Request) -> Any:
        path = request.url.path
        return await cancelable_streaming_response(aiter(sources[path]), operations[path])

    app = Starlette(routes=[Route("/{n}", endpoint)])
    async with serve(app, "http2") as port:
        async with connected(port) as (reader, writer):
            http = h2.connection.H2Connection()
            http.initiate_connection()
            for stream, path in ((1, "/1"), (3, "/2")):
                head = {":method": "GET", ":path": path, ":authority": "a", ":scheme": "http"}
                http.send_headers(stream, list(head.items()), end_stream=True)
            writer.write(http.data_to_send())
            for source in sources.values():
                await wait_for(source.waits)
            http.receive_data(await reader.read(65_536))
            http.reset_stream(1)
            writer.write(http.data_to_send())
            await wait_for(sources["/1"].is_closed)
            await ended(operations["/1"])
            assert operations["/2"].is_running
        await wait_for(sources["/2"].is_closed)
        await ended(operations["/2"])
    for operation in operations.values():
        assert operation.context.cancel_reason is CancelationReason.DISCONNECTED

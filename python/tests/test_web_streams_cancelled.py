"""Responses that stream: what a client is told when the operation is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Request
from starlette.applications import Starlette
from starlette.routing import Route

from hother.cancelable import Cancelable, CancelationReason, OperationStatus
from hother.cancelable.integrations.fastapi import cancelable_streaming_response, shutdown
from support.loops import settle
from support.serving import wait_for
from support.streams import (
    AROUND,
    SERVERS,
    Closed,
    Source,
    a_scope,
    an_app,
    client,
    ended,
    nothing_more,
    on_each_server,
    serve,
)


@pytest.mark.parametrize(
    ("server", "around", "how"),
    [
        *(("h11", around, "manual") for around in AROUND),
        *((server, "nothing", "manual") for server in SERVERS if server != "h11"),
        ("http2", "ours", "timeout"),
        ("hypercorn", "base", "shutdown"),
        ("h11", "all", "timeout"),
    ],
)
async def test_a_stream_of_events_says_that_it_was_cancelled(server: str, around: str, how: str):
    source = Source("data: 1\n\n", "data: 2\n\n")
    operation = Cancelable.with_timeout(0.2) if how == "timeout" else Cancelable()
    app = an_app(source, operation, around, media_type="text/event-stream")
    async with serve(app, server) as port, client(port, server) as http:
        async with http.stream("GET", "/") as response:
            await wait_for(source.waits)
            if how == "manual":
                await operation.cancel("enough")
            elif how == "shutdown":
                await operation.cancel(CancelationReason.SHUTDOWN)
            text = (await response.aread()).decode()
        assert response.status_code == 200
        assert text == "data: 1\n\ndata: 2\n\nevent: cancelled\ndata: Stream cancelled\n\n"
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        await wait_for(source.is_closed)
        # The connection goes on.
        assert (await http.get("/nothing")).status_code == 404
    assert operation.context.status is OperationStatus.CANCELLED


@pytest.mark.parametrize("server", ["h11", "httptools", "hypercorn"])
async def test_another_stream_is_broken_off_so_that_nobody_takes_it_for_whole(server: str):
    source, operation = Source("one"), Cancelable()
    async with serve(an_app(source, operation), server) as port, client(port, server) as http:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            async with http.stream("GET", "/") as response:
                await wait_for(source.waits)
                await operation.cancel("enough")
                await response.aread()
    assert operation.context.cancel_message == "enough"


@on_each_server
async def test_a_client_that_reads_nothing_holds_up_nobody_who_cancels(server: str):
    """The event that says so has no room either: it is given up after a second."""
    source, operation = Source(*["data: " + "x" * 65_536 + "\n\n"] * 500), Cancelable()
    app = an_app(source, operation, media_type="text/event-stream")
    async with serve(app, server) as port, client(port, server) as http:
        async with http.stream("GET", "/"):
            given = -1
            while given != (given := source.given) or not given:
                await settle(200)
            await operation.cancel("enough")
            await ended(operation)
            assert source.is_closed.is_set()
            if server == "http2":
                await http.aclose()
    assert operation.context.cancel_message == "enough"


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("why", ["cancelled", "timeout"])
async def test_one_that_is_cancelled_before_it_begins_is_answered(around: str, why: str):
    source = Source("one")
    operation = Cancelable()
    operation.token.cancel_sync(CancelationReason.TIMEOUT if why == "timeout" else "enough")
    async with serve(an_app(source, operation, around), "h11") as port, client(port) as http:
        response = await http.get("/")
    assert response.status_code == {"timeout": 504, "cancelled": 503}[why]
    assert source.given == 0


async def test_what_was_never_begun_is_closed_as_well():
    source, operation = Closed(), Cancelable()
    operation.token.cancel_sync("enough")

    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(source, operation)

    app = Starlette(routes=[Route("/", endpoint)])
    async with serve(app, "h11") as port, client(port) as http:
        assert (await http.get("/")).status_code == 503
    assert source.is_closed


@on_each_server
async def test_law_w6_open_streams_of_events_are_told_at_the_start_of_a_shutdown(server: str):
    waits = asyncio.Event()
    running: list[Cancelable] = []
    closed = 0
    number = 60

    async def items() -> AsyncIterator[str]:
        nonlocal closed
        try:
            yield "data: 1\n\n"
            if len(running) == number:
                waits.set()
            await asyncio.Event().wait()
        finally:
            closed += 1

    async def endpoint(_: Request) -> Any:
        running.append(Cancelable())
        return await cancelable_streaming_response(items(), running[-1], "text/event-stream")

    app = Starlette(routes=[Route("/", endpoint)])
    limits = httpx.Limits(max_connections=None)
    async with (
        shutdown(grace=3600, signals=()) as ending,
        serve(app, server) as port,
        client(port, server, limits=limits) as http,
    ):
        asked = [asyncio.create_task(http.get("/")) for _ in range(number)]
        await wait_for(waits)
        report = await ending.begin()
        answers = await asyncio.gather(*asked)
        late = await http.get("/")
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        running.pop()
    assert (report.asked, report.still_running) == (number, ())
    assert {it.context.cancel_reason for it in running} == {CancelationReason.SHUTDOWN}
    assert {it.text for it in answers} == {
        "data: 1\n\nevent: cancelled\ndata: Stream cancelled\n\n"
    }
    assert closed == number


@on_each_server
async def test_a_stream_of_events_is_told_at_once_though_there_is_a_grace(server: str):
    source, operation = Source("data: 1\n\n"), Cancelable(grace=3600)
    app = an_app(source, operation, media_type="text/event-stream")
    async with serve(app, server) as port, client(port, server) as http:
        async with http.stream("GET", "/") as response:
            await wait_for(source.waits)
            await operation.cancel(CancelationReason.SHUTDOWN)
            text = (await response.aread()).decode()
    assert text == "data: 1\n\nevent: cancelled\ndata: Stream cancelled\n\n"
    assert isinstance(source.left_with, asyncio.CancelledError)
    assert operation.context.cancel_reason is CancelationReason.SHUTDOWN


async def test_another_stream_has_its_grace():
    source, operation = Source("one"), Cancelable(grace=0.3)
    async with serve(an_app(source, operation), "h11") as port, client(port) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("GET", "/") as response:
                await wait_for(source.waits)
                await operation.cancel(CancelationReason.SHUTDOWN)
                await settle()
                assert not source.is_closed.is_set()
                await response.aread()
    assert operation.context.ask_to_end_seconds >= 0.3


@pytest.mark.parametrize("raises", ["cancelled", "error", "suppress"])
async def test_whatever_leaves_the_operation_the_client_is_told(raises: Any):
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("status") or message["body"])

    source, operation = Source("data: 1\n\n"), Cancelable(raises=raises)
    app = an_app(source, operation, media_type="text/event-stream")
    serving = asyncio.create_task(app(a_scope(), nothing_more(), send))
    await wait_for(source.waits)
    await operation.cancel()
    await serving
    assert sent == [200, b"data: 1\n\n", b"event: cancelled\ndata: Stream cancelled\n\n", b""]
    # Before it begins.
    sent.clear()
    operation = Cancelable(raises=raises)
    operation.token.cancel_sync("enough")
    await an_app(source, operation)(a_scope(), nothing_more(), send)
    assert sent == [503, b"Request cancelled: enough"]


async def test_a_timeout_inside_of_a_stream_of_events_is_a_cancel_of_it():
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def items() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        async with Cancelable.with_timeout(0.01):
            await asyncio.Event().wait()

    operation = Cancelable()
    response = await cancelable_streaming_response(items(), operation, "text/event-stream")
    await response(a_scope(), nothing_more(), send)
    assert sent == [b"", b"data: 1\n\n", b"event: cancelled\ndata: Stream cancelled\n\n", b""]
    assert operation.context.cancel_reason is CancelationReason.TIMEOUT

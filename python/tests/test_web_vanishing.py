"""Clients that vanish at random moments, slow ones, half-closed ones, and what nobody would send in good faith."""

import asyncio
import functools
from typing import Annotated

import h2.connection
import h2.events
import pytest
from fastapi import Depends, FastAPI, Request

from hother.cancelable import Cancelable, CancelationReason, current_operation
from hother.cancelable.integrations.fastapi import (
    DeadlineHeaders,
    RequestCancelationMiddleware,
    cancelable_dependency,
)
from support import loops, vanishing, web
from support.serving import served, wait_for


@pytest.mark.parametrize("kind", web.KINDS)
@pytest.mark.parametrize("is_around", [False, True])
def test_law_w2_of_clients_that_vanish_each_operation_ends_once_and_nothing_is_left(
    kind, is_around
):
    ends = []

    async def storm():
        ends.append(await vanishing.storm(60, kind, is_around=is_around, seed=7))

    loops.run("asyncio", storm)
    assert {"inside completed", "inside cancelled: disconnected"} <= set(ends[0].how)
    assert not any("failed" in how for how in ends[0].how), ends[0].how


@web.on_servers("asyncio", "uvloop")
async def test_a_slow_body_is_waited_for_no_longer_than_the_time_allows(server, options):
    """A client that sends a byte at a time, and never the last one."""
    app = FastAPI()
    app.add_middleware(RequestCancelationMiddleware, default_timeout=0.2)
    operations = []

    @app.post("/it")
    async def it(request: Request):
        operations.append(current_operation())
        return len(await request.body())

    async with served(app, server, **options) as port, web.connected(port) as (reader, writer):
        writer.write(web.head("POST", "/it", "Content-Length: 1000"))

        async def dribble():
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        dribbling = asyncio.create_task(dribble())
        answer = await reader.readuntil(b"\r\n\r\n")
        dribbling.cancel()
        await asyncio.wait({dribbling})
    assert b" 504 " in answer
    assert operations[0].context.cancel_reason is CancelationReason.TIMEOUT


@pytest.mark.parametrize("options", [{"http": "h11"}, {"http": "httptools"}])
async def test_a_client_that_has_shut_its_side_is_as_gone_to_us_as_to_the_server(options):
    """Uvicorn takes a half-closed connection for a closed one, and says so: the operation ends for that, and not in some other way."""
    app, started, ended = FastAPI(), asyncio.Event(), asyncio.Event()
    reasons = []

    @app.get("/it")
    async def it(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
        try:
            async with cancel:
                started.set()
                await asyncio.sleep(3600)
        finally:
            reasons.append(cancel.context.cancel_reason)
            ended.set()

    async with served(app, "uvicorn", **options) as port, web.connected(port) as (_, writer):
        writer.write(web.head("GET", "/it"))
        await wait_for(started)
        writer.write_eof()
        await wait_for(ended)
    assert reasons == [CancelationReason.DISCONNECTED]


@web.on_servers("asyncio")
async def test_what_nobody_would_send_in_good_faith_is_answered_as_without_us(server, options):
    async def app(scope, receive, send):
        await asyncio.sleep(0)
        await web.answer(send, b"done")

    ours = RequestCancelationMiddleware(
        web.http_alone(app), 5, deadlines=DeadlineHeaders(own=True, grpc=True)
    )
    requests = [
        b"GET /" + b"x" * 6000 + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n",
        web.head(
            "GET", "/%00%ff%0a%22", "X-Cancelable-Timeout-Ms: \xff".encode().decode("latin-1")
        ),
        web.head("GET", "/", "grpc-timeout: 999999999999H", "Expect: 200-maybe"),
        web.head("GET", "/", "Expect:", *(f"X-{n}: {n}" for n in range(60))),
        web.head("POST", "/", "Content-Length: 5", "Expect: 100-CONTINUE") + b"hello",
        b"no request at all\r\n\r\n",
    ]
    for each in requests:
        request = functools.partial(iter, [each])
        without = await web.over_the_wire(web.http_alone(app), server, options, request)
        assert await web.over_the_wire(ours, server, options, request) == without


class Http2:
    """A client of HTTP/2 on one connection, without TLS: as much of one as it takes to reset a stream."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.connection = h2.connection.H2Connection()
        self.connection.initiate_connection()
        self.bodies = {}
        self.over = {}

    def ask(self, path):
        stream = self.connection.get_next_available_stream_id()
        self.bodies[stream], self.over[stream] = b"", asyncio.Event()
        head = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "here")]
        self.connection.send_headers(stream, head, end_stream=True)
        self.flush()
        return stream

    def reset(self, stream):
        self.connection.reset_stream(stream, 8)
        self.flush()

    def flush(self):
        self.writer.write(self.connection.data_to_send())

    async def read(self):
        while data := await self.reader.read(65536):
            for event in self.connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    self.over[event.stream_id].set()
            self.flush()


def test_law_w2_a_stream_that_is_reset_cancels_its_own_request_alone():
    """With HTTP/2 a client leaves one request, and goes on with the others of the connection."""
    loops.run("asyncio", one_of_two_streams)


async def one_of_two_streams():
    app = FastAPI()
    app.add_middleware(RequestCancelationMiddleware)
    started, ended, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    reasons = []

    @app.get("/leaves")
    async def leaves():
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            reasons.append(current_operation()._asked().reason)
            ended.set()

    @app.get("/stays")
    async def stays():
        await go_on.wait()
        return "done"

    async with served(app, "hypercorn") as port, web.connected(port) as connection:
        client = Http2(*connection)
        reading = asyncio.create_task(client.read())
        staying, leaving = client.ask("/stays"), client.ask("/leaves")
        await wait_for(started)
        client.reset(leaving)
        await wait_for(ended)
        go_on.set()
        await wait_for(client.over[staying])
        assert client.bodies[staying] == b'"done"'
        reading.cancel()
        await asyncio.wait({reading})
    assert reasons == [CancelationReason.DISCONNECTED]

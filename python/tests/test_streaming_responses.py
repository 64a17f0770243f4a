"""Responses that stream: what becomes of them, and of what they come from, when the client leaves or the operation is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import anyio
import h2.connection
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from hother.cancelable import Cancelable, CancelationReason, OperationStatus
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
    cancelable_streaming_response,
    shutdown,
)
from support.loops import settle
from support.serving import LIMIT, served, wait_for
from support.web import connected

Dependency = Annotated[Cancelable, Depends(cancelable_dependency)]

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
with_each_around = pytest.mark.parametrize("around", AROUND)
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
    name, options = SERVERS[server]
    return served(app, name, **options)


def client(port: int, server: str = "h11", **options: Any) -> httpx.AsyncClient:
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


def an_app(
    source: Any, cancelable: Cancelable, around: str = "nothing", **options: Any
) -> Starlette:
    async def endpoint(_: Request) -> Any:
        return await cancelable_streaming_response(aiter(source), cancelable, **options)

    return Starlette(routes=[Route("/", endpoint)], middleware=AROUND[around])


async def ended(operation: Cancelable) -> None:
    async with asyncio.timeout(LIMIT):
        while not operation.context.is_terminal:
            await settle(1)


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


def a_scope() -> dict[str, Any]:
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


@with_each_around
@pytest.mark.parametrize("why", ["cancelled", "timeout"])
async def test_one_that_is_cancelled_before_it_begins_is_answered(around: str, why: str):
    source = Source("one")
    operation = Cancelable()
    operation.token.cancel_sync(CancelationReason.TIMEOUT if why == "timeout" else "enough")
    async with serve(an_app(source, operation, around), "h11") as port, client(port) as http:
        response = await http.get("/")
    assert response.status_code == {"timeout": 504, "cancelled": 503}[why]
    assert source.given == 0


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


async def test_nobody_who_asks_for_the_head_alone_waits_for_the_body():
    source, operation = Closed(), Cancelable()
    async with serve(an_app(source, operation), "h11") as port, client(port) as http:
        response = await http.head("/")
    assert (response.status_code, response.text) == (200, "")
    assert source.is_closed
    assert operation.is_completed


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

"""What a client that leaves does to the work, by the word of the route or of the application."""

import asyncio
from typing import Annotated

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse

from hother.cancelable import Cancelable, CancelationReason, current_operation
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
    with_cancelation,
)
from support import web
from support.loops import settle
from support.serving import served, wait_for


class Work:
    """What an endpoint does, in three steps: it starts, the client leaves, it goes on."""

    def __init__(self):
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self.came_to = []
        self.operation = None

    async def __call__(self, cancel):
        self.operation = cancel
        try:
            self.came_to.append("start")
            self.started.set()
            await self.go_on.wait()
            self.came_to.append("end")
        finally:
            self.ended.set()


def by_middleware(app, work, **said):
    app.add_middleware(RequestCancelationMiddleware, **said)

    @app.get("/it")
    async def it():
        await work(current_operation())


def by_dependency(app, work, **said):
    @app.get("/it")
    async def it(cancel: Annotated[Cancelable, Depends(cancelable_dependency(**said))]):
        async with cancel:
            await work(cancel)


def by_both(app, work, **said):
    app.add_middleware(RequestCancelationMiddleware)
    by_dependency(app, work, **said)


def by_decorator(app, work, **said):
    @app.get("/it")
    @with_cancelation(**said)
    async def it(cancel: Cancelable):
        await work(cancel)


WAYS = pytest.mark.parametrize("way", [by_middleware, by_dependency, by_both, by_decorator])


async def left(port, work, path="/it"):
    """Asks, and leaves once the work has started; returns when the server knows of it."""
    async with web.connected(port) as (_, writer):
        writer.write(web.head("GET", path))
        await wait_for(work.started)


async def until(condition):
    """Waits for what servers and clients bring about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110, since nothing tells of it
            await asyncio.sleep(0.001)


def knows_that_it_left(work):
    return work.operation.context.metadata.get("client_left", False)


@web.on_servers("asyncio", "uvloop")
@WAYS
async def test_law_w3_cancel(server, options, way):
    app, work = FastAPI(), Work()
    way(app, work, disconnect="cancel")
    async with served(app, server, **options) as port:
        await left(port, work)
        await wait_for(work.ended)
        await settle()
    assert work.came_to == ["start"]
    assert work.operation.context.cancel_reason is CancelationReason.DISCONNECTED


@web.on_servers("asyncio", "uvloop")
@WAYS
async def test_law_w3_in_its_grace_work_may_finish(server, options, way):
    app, work = FastAPI(), Work()
    way(app, work, disconnect="grace", grace=60)
    async with served(app, server, **options) as port:
        await left(port, work)
        await until(work.operation._is_asked)
        assert knows_that_it_left(work)
        await settle()
        work.go_on.set()
        await wait_for(work.ended)
        await settle()
    assert work.came_to == ["start", "end"]
    assert work.operation.is_completed
    assert work.operation.context.cancel_reason is CancelationReason.DISCONNECTED


@web.on_servers("asyncio", "uvloop")
@WAYS
async def test_law_w3_after_its_grace_it_is_cancelled(server, options, way):
    app, work = FastAPI(), Work()
    way(app, work, disconnect=("grace", 0.2))
    async with served(app, server, **options) as port:
        # It is asked some time after this, so that no load makes the time that it had look shorter.
        began = anyio.current_time()
        await left(port, work)
        await until(work.operation._is_asked)
        await wait_for(work.ended)
        assert 0.2 <= anyio.current_time() - began < 5
        await settle()
    assert work.came_to == ["start"]
    assert work.operation.context.cancel_reason is CancelationReason.DISCONNECTED


@web.on_servers("asyncio", "uvloop")
@WAYS
async def test_law_w3_what_is_detached_goes_on_and_the_record_tells(server, options, way):
    app, work = FastAPI(), Work()
    way(app, work, disconnect="detach")
    async with served(app, server, **options) as port:
        await left(port, work)
        await until(lambda: knows_that_it_left(work))
        await settle()
        assert not work.operation._is_asked()
        work.go_on.set()
        await wait_for(work.ended)
        await settle()
    assert work.came_to == ["start", "end"]
    assert work.operation.is_completed
    assert work.operation.context.cancel_reason is None


@web.on_servers("asyncio", "uvloop")
@WAYS
async def test_law_w3_ignore_watches_nobody(server, options, way):
    app, work = FastAPI(), Work()
    way(app, work, disconnect="ignore")
    async with served(app, server, **options) as port:
        await left(port, work)
        # Long enough that the others would have seen it.
        await asyncio.sleep(0.02)
        assert not knows_that_it_left(work)
        work.go_on.set()
        await wait_for(work.ended)
        await settle()
    assert work.came_to == ["start", "end"]
    assert work.operation.is_completed


@web.on_servers("asyncio", "uvloop")
@pytest.mark.parametrize("is_by_route", [False, True])
async def test_law_w3_a_detached_stream_goes_on_to_its_end(server, options, is_by_route):
    """And what it sends goes nowhere; what runs after the response does so, too."""
    app, started, go_on, ended = FastAPI(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    came_to = []
    app.add_middleware(
        RequestCancelationMiddleware, disconnect="cancel" if is_by_route else "detach"
    )
    said = Depends(cancelable_dependency(disconnect="detach")) if is_by_route else None

    @app.get("/it", dependencies=[said] if said else [])
    async def it(tasks: BackgroundTasks):
        operation.append(current_operation())

        async def items():
            for n in range(5):
                came_to.append(n)
                yield b"x" * 100
                started.set()
                await go_on.wait()

        tasks.add_task(ended.set)
        return StreamingResponse(items(), background=tasks)

    operation = []
    async with served(app, server, **options) as port:
        async with web.connected(port) as (reader, writer):
            writer.write(web.head("GET", "/it"))
            await reader.readuntil(b"xxx")
            await wait_for(started)
        await until(lambda: operation[0].context.metadata.get("client_left"))
        await settle()
        go_on.set()
        await wait_for(ended)
    assert came_to == [0, 1, 2, 3, 4]
    await until(lambda: operation[0].is_completed)


@pytest.mark.parametrize(
    ("disconnect", "ends"), [("detach", "end"), (("grace", 30), "end"), ("cancel", "start")]
)
async def test_law_w3_a_server_that_gives_up_cuts_neither_grace_nor_detached_work(disconnect, ends):
    work = Work()

    async def app(scope, receive, send):
        await work(current_operation())

    async def receive():
        await asyncio.Event().wait()

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/it", "headers": []}
    answering = asyncio.create_task(
        RequestCancelationMiddleware(app, disconnect=disconnect)(scope, receive, send)
    )
    await wait_for(work.started)
    answering.cancel()
    await settle()
    # Who is detached is waited for by nobody.
    assert answering.done() == (disconnect in ("detach", "cancel"))
    work.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await answering
    await wait_for(work.ended)
    assert work.came_to[-1] == ends
    await settle()


async def test_what_is_detached_and_fails_is_logged(caplog):
    work = Work()

    async def app(scope, receive, send):
        await work(current_operation())
        raise ValueError("nobody hears of it")

    scope = {"type": "http", "method": "GET", "path": "/it", "headers": []}
    answering = asyncio.create_task(
        RequestCancelationMiddleware(app, disconnect="detach")(scope, asyncio.Event().wait, None)
    )
    await wait_for(work.started)
    answering.cancel()
    await asyncio.wait({answering})
    work.go_on.set()
    await wait_for(work.ended)
    await settle()
    assert "GET /it failed" in caplog.text
    assert "nobody hears of it" in caplog.text

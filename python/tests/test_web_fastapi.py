"""FastAPI: the dependency, with no middleware and behind any, on real servers."""

import asyncio
import hashlib
import inspect
import math
from typing import Annotated
from unittest import mock

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from hother.cancelable import Cancelable, CancelationError, CancelationReason, CancelationToken
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
    get_request_token,
    with_cancelation,
)
from support import web
from support.applications import AROUND, Waiting, client, vanish
from support.loops import settle
from support.serving import served, wait_for


@web.on_servers()
@pytest.mark.parametrize("around", AROUND)
async def test_law_w2_the_dependency_ends_with_the_client(server, options, around):
    app, waiting = FastAPI(), Waiting()
    AROUND[around](app)

    @app.get("/process")
    async def process(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
        await waiting.work(cancel)

    async with served(app, server, **options) as port:
        await vanish(port, waiting, web.head("GET", "/process"))
    assert isinstance(waiting.error, CancelationError)
    assert waiting.error.reason is CancelationReason.DISCONNECTED
    context = waiting.operation.context
    assert context.name == "GET /process"
    assert context.metadata["method"] == "GET"
    assert context.metadata["path"] == "/process"
    assert context.metadata["client"] == "127.0.0.1"
    assert context.cancel_reason is CancelationReason.DISCONNECTED


@web.on_servers("asyncio")
@pytest.mark.parametrize("around", AROUND)
async def test_law_w2_behind_a_body_that_comes_in_parts(server, options, around):
    """Also where the endpoint is not reading at that moment, and the body is not over."""
    app, waiting = FastAPI(), Waiting()
    AROUND[around](app)

    @app.post("/process")
    async def process(
        request: Request, cancel: Annotated[Cancelable, Depends(cancelable_dependency)]
    ):
        async for part in request.stream():
            assert part == b"hello"
            break
        await waiting.work(cancel)

    begun = web.head("POST", "/process", "Content-Length: 1000") + b"hello"
    async with served(app, server, **options) as port:
        await vanish(port, waiting, begun)
    assert waiting.error.reason is CancelationReason.DISCONNECTED


@web.on_servers("asyncio")
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("when", ["inside", "before", "after"])
async def test_law_w1_the_dependency_takes_no_byte(server, options, around, when):
    app = FastAPI()
    AROUND[around](app)

    @app.post("/upload")
    async def upload(
        request: Request, cancel: Annotated[Cancelable, Depends(cancelable_dependency)]
    ):
        seen = hashlib.sha256()
        stream = request.stream()
        if when == "before":
            seen.update(await anext(stream))
        async with cancel:
            # Long enough that it is read ahead.
            await asyncio.sleep(0.02)
            if when != "after":
                async for part in stream:
                    seen.update(part)
        if when == "after":
            async for part in stream:
                seen.update(part)
        return seen.hexdigest()

    body = bytes(range(256)) * 8000

    async def dribbled():
        for at in range(0, len(body), 30_000):
            yield body[at : at + 30_000]

    async with client(app, server, **options) as to:
        for content in (body, dribbled()):
            response = await to.post("/upload", content=content)
            assert response.json() == hashlib.sha256(body).hexdigest()


@web.on_servers("asyncio")
@pytest.mark.parametrize("around", ["nothing", "ours", "base", "ours in base", "base in ours"])
async def test_law_w4_a_cancel_that_leaves_an_endpoint_is_answered(server, options, around):
    app = FastAPI()
    AROUND[around](app)
    given = cancelable_dependency(timeout=0.05)

    @app.get("/late")
    async def late(cancel: Annotated[Cancelable, Depends(given)]):
        async with cancel:
            await asyncio.sleep(3600)

    @app.get("/by-hand")
    async def by_hand(request: Request):
        async with await cancelable_dependency(request, timeout=0.05):
            await asyncio.sleep(3600)

    @app.get("/cancelled/{reason}")
    async def cancelled(
        reason: CancelationReason, cancel: Annotated[Cancelable, Depends(cancelable_dependency)]
    ):
        async with cancel:
            await cancel.cancel(reason, "so it is")
            await asyncio.sleep(3600)

    @app.get("/other")
    async def other():
        async with Cancelable.with_timeout(0.05):
            await asyncio.sleep(3600)

    async with client(app, server, **options) as to:
        for path in ("/late", "/by-hand"):
            response = await to.get(path)
            assert (response.status_code, response.json()) == (504, {"detail": "Request timeout"})
        for reason, status, detail in [
            ("disconnected", 499, "Client closed connection"),
            ("signal", 499, "Client closed connection"),
            ("timeout", 504, "Request timeout"),
            ("shutdown", 503, "Request cancelled: so it is"),
            ("manual", 503, "Request cancelled: so it is"),
        ]:
            response = await to.get(f"/cancelled/{reason}")
            assert (response.status_code, response.json()) == (status, {"detail": detail})
            assert ("retry-after" in response.headers) == (reason == "shutdown")
        # Any operation, once the application knows of us.
        assert (await to.get("/other")).status_code == 504


async def test_an_application_that_has_a_handler_of_its_own_answers_by_that():
    app = FastAPI()

    @app.exception_handler(CancelationError)
    async def told(request, error):
        return JSONResponse(error.reason.value, 418)

    @app.exception_handler(504)
    def in_a_thread(request, error):
        return JSONResponse(error.detail, 505)

    @app.get("/typed")
    async def typed(cancel: Annotated[Cancelable, Depends(cancelable_dependency(timeout=0.01))]):
        async with cancel:
            await asyncio.sleep(3600)

    @app.get("/status")
    @with_cancelation(timeout=0.01)
    async def status():
        await asyncio.sleep(3600)

    async with client(app) as to:
        response = await to.get("/typed")
        assert (response.status_code, response.json()) == (418, "timeout")
        response = await to.get("/status")
        assert (response.status_code, response.json()) == (505, "Request timeout")


async def test_no_client_can_set_the_timeout():
    app = FastAPI()

    @app.get("/it")
    async def it(
        free: Annotated[Cancelable, Depends(cancelable_dependency)],
        bound: Annotated[Cancelable, Depends(cancelable_dependency(timeout=30.0))],
    ):
        async with free:
            assert free.remaining() is None
        async with bound:
            assert 29 < bound.remaining() <= 30

    async with client(app) as to:
        assert (await to.get("/it?timeout=0.001&request=x")).status_code == 200
        described = (await to.get("/openapi.json")).json()["paths"]["/it"]["get"]
        assert "parameters" not in described
        assert "requestBody" not in described


def test_the_dependency_tells_its_signature():
    names = list(inspect.signature(cancelable_dependency).parameters)
    assert names == ["request", "timeout"]


@web.on_servers()
async def test_law_w2_an_endpoint_that_only_looks_is_told(server, options):
    """It takes the token or the operation, and goes by `is_disconnected` all the same."""
    app, started, ended = FastAPI(), asyncio.Event(), asyncio.Event()

    @app.get("/looks")
    async def looks(
        request: Request, cancel: Annotated[Cancelable, Depends(cancelable_dependency)]
    ):
        started.set()
        while not await request.is_disconnected():  # noqa: ASYNC110, since that is what programs do
            await asyncio.sleep(0.001)
        ended.set()

    async with served(app, server, **options) as port:
        async with web.connected(port) as (_, writer):
            writer.write(web.head("GET", "/looks"))
            await wait_for(started)
        await wait_for(ended)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: with_cancelation(timeout="5"), TypeError, "Timeout must be a number of seconds"),
        (lambda: with_cancelation(timeout=-1), ValueError, "Timeout must be positive, got -1"),
        (lambda: with_cancelation(grace=5), ValueError, "got no disconnect"),
        (lambda: cancelable_dependency(timeout=math.nan), ValueError, "positive, got nan"),
        (lambda: cancelable_dependency(grace=5), ValueError, "grace goes with disconnect"),
        (
            lambda: cancelable_dependency(5.0),
            TypeError,
            "got float; a time limit is said as timeout=",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_request(make, error, text):
    with pytest.raises(error, match=text):
        make()


async def test_the_token_of_a_request():
    app = FastAPI()
    app.add_middleware(RequestCancelationMiddleware, default_timeout=0.05)

    @app.get("/taken")
    async def taken(request: Request):
        token = get_request_token(request)
        assert token is request.scope["cancelation_token"]
        await token.wait_for_cancel()
        await asyncio.sleep(0.01)
        return [token.reason, token.message]

    async with client(app) as to:
        assert (await to.get("/taken")).json() == ["timeout", "Operation timed out after 0.05s"]


async def test_an_endpoint_that_catches_the_cancel_answers_by_itself():
    app = FastAPI()
    app.add_middleware(RequestCancelationMiddleware, default_timeout=0.05)

    @app.get("/it")
    async def it(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
        try:
            async with cancel:
                await asyncio.sleep(3600)
        except CancelationError as error:
            await asyncio.sleep(0.01)
            return error.reason

    async with client(app) as to:
        assert (await to.get("/it")).json() == "timeout"


async def test_what_has_nothing_to_receive_is_not_watched():
    scope = {"type": "http", "method": "GET", "path": "/it", "headers": [], "query_string": b""}
    for request in (
        Request(scope),
        mock.Mock(spec=Request, method="GET", client=None, url=mock.Mock(path="/it")),
        mock.MagicMock(method="GET", url=mock.Mock(path="/it")),
    ):
        cancel = await cancelable_dependency(request, timeout=5.0)
        assert cancel.context.name == "GET /it"
        async with cancel:
            assert cancel.remaining() > 4
    token = get_request_token(Request(scope))
    assert isinstance(token, CancelationToken)
    assert get_request_token(Request(scope)) is token


@pytest.mark.parametrize("around", ["nothing", "ours"])
async def test_law_w2_what_runs_after_the_response_is_not_taken_for_abandoned(around):
    """Servers say of a request that has been answered that its client is gone."""
    app, done = FastAPI(), asyncio.Event()
    AROUND[around](app)
    ended = []

    async def later(cancel):
        try:
            async with cancel:
                for _ in range(50):
                    await asyncio.sleep(0)
                ended.append("by itself")
        finally:
            done.set()

    @app.get("/it")
    async def it(
        tasks: BackgroundTasks, cancel: Annotated[Cancelable, Depends(cancelable_dependency)]
    ):
        tasks.add_task(later, cancel)

    async with client(app) as to:
        assert (await to.get("/it")).status_code == 200
        await wait_for(done)
    assert ended == ["by itself"]


@web.on_servers("asyncio")
@pytest.mark.parametrize("vanishes", [False, True])
async def test_a_streaming_response_of_the_framework_has_the_connection_to_itself(
    server, options, vanishes
):
    """Also where an operation still runs, which a dependency has entered that yields."""
    app, first, ended = FastAPI(), asyncio.Event(), asyncio.Event()

    async def entered(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
        async with cancel:
            yield cancel

    @app.get("/it")
    async def it(cancel: Annotated[Cancelable, Depends(entered)]):
        async def items():
            try:
                yield b"some"
                first.set()
                if vanishes:
                    await asyncio.sleep(3600)
            finally:
                ended.set()

        await settle()
        return StreamingResponse(items())

    async with served(app, server, **options) as port:
        if vanishes:
            async with web.connected(port) as (_, writer):
                writer.write(web.head("GET", "/it"))
                await wait_for(first)
        else:
            assert b"some" in await web.exchanged(port, [web.head("GET", "/it")])
        await wait_for(ended)
        await settle()
        assert not [it for it in asyncio.all_tasks() if "watches" in it.get_name()]

"""FastAPI and Starlette: the decorator of endpoints, on real servers."""

import asyncio
from typing import Annotated

import pytest
from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.routing import Route

from hother.cancelable import Cancelable, CancelationReason, current_operation
from hother.cancelable.integrations.fastapi import with_cancelation
from support import web
from support.applications import AROUND, client
from support.loops import settle
from support.serving import served, wait_for


@web.on_servers("asyncio")
@pytest.mark.parametrize("around", ["nothing", "ours", "base"])
async def test_the_decorator_keeps_the_signature(server, options, around):
    app = FastAPI()
    AROUND[around](app)

    @app.post("/bare/{at}")
    @with_cancelation
    async def bare(at: int, q: str, body: Annotated[dict, Body()], cancel: Cancelable):
        assert current_operation() is cancel
        return [at, q, body, cancel.context.name]

    @app.get("/asks")
    @with_cancelation(timeout=5)
    async def asks(request: Request):
        return [request.url.path, current_operation().remaining() > 4]

    @app.get("/plain")
    @with_cancelation(timeout=5)
    def plain(q: int = 7):
        return [q, current_operation().context.name]

    @app.get("/late")
    @with_cancelation(timeout=0.05)
    async def late():
        await asyncio.sleep(3600)

    @app.get("/typed")
    @with_cancelation(timeout=0.05, raise_on_cancel=False)
    async def typed():
        await asyncio.sleep(3600)

    async with client(app, server, **options) as to:
        response = await to.post("/bare/5?q=x", json={"a": 1})
        assert response.json() == [5, "x", {"a": 1}, "POST /bare/5"]
        assert (await to.post("/bare/five", json={})).status_code == 422
        assert (await to.get("/asks")).json() == ["/asks", True]
        assert (await to.get("/plain")).json() == [7, "GET /plain"]
        for path in ("/late", "/typed"):
            response = await to.get(path)
            assert (response.status_code, response.json()) == (504, {"detail": "Request timeout"})
        described = (await to.get("/openapi.json")).json()["paths"]["/bare/{at}"]["post"]
        assert [it["name"] for it in described["parameters"]] == ["at", "q"]


@web.on_servers()
async def test_law_w2_the_decorator_ends_with_the_client(server, options):
    app = FastAPI()
    started, ended = asyncio.Event(), asyncio.Event()
    reasons = []

    @app.get("/slow")
    @with_cancelation
    async def slow(cancel: Cancelable):
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            reasons.append(cancel.context.cancel_reason or cancel.token.reason)
            ended.set()

    async with served(app, server, **options) as port:
        async with web.connected(port) as (_, writer):
            writer.write(web.head("GET", "/slow"))
            await wait_for(started)
        await wait_for(ended)
    assert reasons == [CancelationReason.DISCONNECTED]


def test_a_generator_is_no_endpoint():
    with pytest.raises(TypeError, match="endpoint must return its response"):

        @with_cancelation
        async def items():
            yield 1


@web.on_servers("asyncio")
async def test_the_decorator_alone_leaves_a_streaming_response_its_connection(server, options):
    """In Starlette, where the body is not over as the endpoint returns."""
    first, ended = asyncio.Event(), asyncio.Event()

    async def items():
        try:
            yield b"some"
            first.set()
            await asyncio.sleep(3600)
        finally:
            ended.set()

    @with_cancelation
    async def it(request):
        await settle()
        return StreamingResponse(items())

    app = Starlette(routes=[Route("/it", it, methods=["POST"])])
    async with served(app, server, **options) as port, web.connected(port) as (_, writer):
        writer.write(web.head("POST", "/it", "Content-Length: 10"))
        await wait_for(first)
        writer.transport.abort()
        await wait_for(ended)


async def test_an_http_exception_of_the_endpoint_is_its_own():
    app = FastAPI()

    @app.get("/it")
    @with_cancelation
    async def it():
        raise HTTPException(418, "a teapot")

    async with client(app) as to:
        assert (await to.get("/it")).json() == {"detail": "a teapot"}

"""What a request does not cost: no turn of the loop where it waits for nothing, and nothing that is left to the collector."""

import asyncio
import gc
import sys
import weakref
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request

from hother.cancelable import Cancelable
from hother.cancelable.integrations._exchange import KEY
from hother.cancelable.integrations.fastapi import (
    RequestCancelationMiddleware,
    cancelable_dependency,
    with_cancelation,
)
from support.loops import settle

pytestmark = pytest.mark.parametrize("way", ["middleware", "dependency", "decorator", "both"])


def application(way):
    """One route, in an operation by this way: `/it` waits for so many turns of the loop as it is told."""
    app = FastAPI()
    if way in ("middleware", "both"):
        app.add_middleware(RequestCancelationMiddleware, default_timeout=60)

    async def work(turns: int):
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    if way in ("dependency", "both"):

        @app.get("/it")
        async def depending(turns: int, it: Annotated[Cancelable, Depends(cancelable_dependency)]):
            async with it:
                return await work(turns)

    elif way == "decorator":

        @app.get("/it")
        @with_cancelation
        async def decorated(turns: int, request: Request):
            return await work(turns)

    else:
        app.get("/it")(work)
    return app


async def asked(app, turns):
    """The scope of one request, which was answered."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/it",
        "query_string": f"turns={turns}".encode(),
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    await app(scope, receive, send)
    assert said[0]["status"] == 200
    return scope


@pytest.mark.parametrize("turns", [0, 3])
async def test_a_request_goes_with_whoever_holds_it(way, turns):
    app = application(way)
    await asked(app, turns)
    gc.collect()
    gc.disable()
    try:
        exchange = weakref.ref((await asked(app, turns))[KEY])
        await settle()
        assert exchange() is None
    finally:
        gc.enable()


async def test_work_that_waits_for_nothing_costs_no_turn_of_the_loop(way):
    app = application(way)
    await asked(app, 0)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await asked(app, 0)
    # Before Python 3.12 a task begins with a turn of its own.
    assert not turns or sys.version_info < (3, 12)

"""How long a client gives a request: read only where the server says so, clamped, and never more than the server gives."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from hother.cancelable import Cancelable, current_operation
from hother.cancelable.integrations.fastapi import (
    DeadlineHeaders,
    RequestCancelationMiddleware,
    cancelable_dependency,
    with_cancelation,
)
from support import web
from support.serving import served


def by_middleware(app, **said):
    app.add_middleware(RequestCancelationMiddleware, said.pop("timeout", None), **said)

    @app.get("/left")
    async def left() -> float | None:
        return current_operation().remaining()


def by_dependency(app, **said):
    @app.get("/left")
    async def left(
        cancel: Annotated[Cancelable, Depends(cancelable_dependency(**said))],
    ) -> float | None:
        async with cancel:
            return cancel.remaining()


def by_decorator(app, **said):
    @app.get("/left")
    @with_cancelation(**said)
    async def left(cancel: Cancelable) -> float | None:
        return cancel.remaining()


WAYS = pytest.mark.parametrize("way", [by_middleware, by_dependency, by_decorator])
OURS = "x-cancelable-timeout-ms"


async def asked(app, *headers, server="uvicorn", **options):
    """What is answered to these headers, each in a request of its own."""
    async with served(app, server, **options) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as to:
            return [await to.get("/left", headers=it) for it in headers]


@web.on_servers("asyncio")
@WAYS
async def test_law_w5_the_least_of_headers_and_the_servers_own_limit_counts(server, options, way):
    app = FastAPI()
    way(app, timeout=20.0, deadlines=DeadlineHeaders(own=True, grpc=True, at_most=25.0))
    answers = await asked(
        app,
        {OURS: "5000"},
        {OURS: "5000", "grpc-timeout": "3S"},
        {OURS: "9999999999"},
        {OURS: "-5"},
        {OURS: "9" * 4000},
        {"grpc-timeout": "5M"},
        {"connect-timeout-ms": "1"},
        {},
        server=server,
        **options,
    )
    left = [answer.json() for answer in answers]
    assert left == pytest.approx([5, 3, 20, 20, 20, 20, 20, 20], abs=0.5)
    assert all(got <= most for got, most in zip(left, [5, 3, 20, 20, 20, 20, 20, 20], strict=True))


@WAYS
async def test_law_w5_a_client_goes_no_further_than_it_may(way):
    app = FastAPI()
    way(app, deadlines=DeadlineHeaders(own=True, at_least=1.0, at_most=15.0))
    answers = await asked(app, {OURS: "9999999999"}, {OURS: "0"})
    assert [answer.json() for answer in answers] == pytest.approx([15, 1], abs=0.5)


@WAYS
async def test_law_w5_without_a_word_of_the_server_no_header_is_read(way):
    app = FastAPI()
    way(app)
    (answer,) = await asked(app, {OURS: "1", "grpc-timeout": "1m", "connect-timeout-ms": "1"})
    assert answer.json() is None


@WAYS
async def test_what_is_malformed_is_counted(way):
    app = FastAPI()
    deadlines = DeadlineHeaders(own=True)
    way(app, deadlines=deadlines)
    answers = await asked(app, *({OURS: it} for it in ("", "1s", "1,2")))
    assert [answer.json() for answer in answers] == [None] * 3
    assert deadlines.malformed == 3


@WAYS
async def test_a_request_that_comes_with_no_time_left_is_not_begun(way):
    app = FastAPI()
    way(app, deadlines=DeadlineHeaders(own=True))
    answers = await asked(app, {OURS: "0"})
    assert [(it.status_code, it.json()) for it in answers] == [(504, {"detail": "Request timeout"})]


async def test_law_w4_a_clients_deadline_is_answered_like_the_servers_own():
    app = FastAPI()
    app.add_middleware(RequestCancelationMiddleware, deadlines=DeadlineHeaders(own=True))

    @app.get("/left")
    async def left():
        await asyncio.sleep(3600)

    (answer,) = await asked(app, {OURS: "50"})
    assert (answer.status_code, answer.json()) == (504, {"detail": "Request timeout"})


@pytest.mark.parametrize(
    "make",
    [
        lambda **said: RequestCancelationMiddleware(web.digest, **said),
        cancelable_dependency,
        with_cancelation,
    ],
)
def test_what_is_no_deadline_headers_is_refused(make):
    with pytest.raises(TypeError, match="deadlines must be DeadlineHeaders"):
        make(deadlines=True)

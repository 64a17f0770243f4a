"""A middleware inside another one: one operation and one reader, of which both have a say."""

import asyncio
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.requests import Request

from hother.cancelable import Cancelable, CancelationReason, current_operation
from hother.cancelable.integrations.fastapi import (
    DeadlineHeaders,
    RequestCancelationMiddleware,
    cancelable_dependency,
)
from support import web
from support.loops import settle
from support.serving import served, wait_for
from support.web import answered, without_server
from test_web_policies import Work, knows_that_it_left, left, until


def mounted(outer, inner):
    """An application with the inner middleware, in one with the outer, and the work of its one route `/sub/it`."""
    app, sub, work = FastAPI(), FastAPI(), Work()
    app.add_middleware(RequestCancelationMiddleware, **outer)
    sub.add_middleware(RequestCancelationMiddleware, **inner)
    app.mount("/sub", sub)

    @sub.get("/it")
    async def it(request: Request):
        assert request.scope["cancelation_token"] is not None
        await work(current_operation())
        return current_operation().remaining()

    return app, work


@web.on_servers("asyncio")
@pytest.mark.parametrize(
    ("outer", "inner", "left"), [(60, 20, 20), (20, 60, 20), (None, 20, 20), (20, None, 20)]
)
async def test_law_w5_of_limits_that_are_nested_the_shorter_counts(
    server, options, outer, inner, left
):
    app, work = mounted({"default_timeout": outer}, {"default_timeout": inner})
    work.go_on.set()
    async with served(app, server, **options) as port:
        answer = await web.exchanged(port, [web.head("GET", "/sub/it")])
    assert answer.startswith(b"HTTP/1.1 200")
    assert left - 10 < float(answer.rpartition(b"\r\n\r\n")[2]) <= left


@web.on_servers("asyncio")
async def test_law_w4_the_limit_of_an_inner_middleware_is_answered_with_504(server, options):
    app, work = mounted({"default_timeout": 60}, {"default_timeout": 0.05})
    async with served(app, server, **options) as port:
        answer = await web.exchanged(port, [web.head("GET", "/sub/it")])
    assert answer.startswith(b"HTTP/1.1 504")
    assert b"Request timeout" in answer
    assert work.operation.context.cancel_reason is CancelationReason.TIMEOUT
    assert work.operation.parent is None


@web.on_servers("asyncio", "uvloop")
@pytest.mark.parametrize(
    ("outer", "inner", "came_to"),
    [
        ("cancel", "detach", ["start", "end"]),
        ("detach", "cancel", ["start"]),
        ("ignore", "cancel", ["start"]),
        ("cancel", "ignore", ["start", "end"]),
        ("cancel", ("grace", 60), ["start", "end"]),
        (("grace", 60), "cancel", ["start"]),
        # Where the inner one says nothing.
        ("detach", None, ["start", "end"]),
        (None, None, ["start"]),
    ],
)
async def test_law_w3_a_middleware_inside_another_says_what_holds_for_its_routes(
    server, options, outer, inner, came_to
):
    app, work = mounted({"disconnect": outer}, {"disconnect": inner})
    async with served(app, server, **options) as port:
        await left_or_ended(port, work, is_seen=inner != "ignore")
        work.go_on.set()
        await wait_for(work.ended)
        await settle()
    assert work.came_to == came_to


async def left_or_ended(port, work, *, is_seen):
    await left(port, work, "/sub/it")
    if is_seen:
        await until(lambda: knows_that_it_left(work))
        await settle()
    else:
        # Long enough that it would be seen.
        await asyncio.sleep(0.02)


async def test_law_w3_a_client_that_left_before_the_inner_one_is_known_to_have():
    """The word of the route counts, though it comes after the client has gone."""
    work = Work()
    work.go_on.set()

    async def endpoint(scope, receive, send):
        await asyncio.sleep(0)
        await work(current_operation())

    async def between(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await RequestCancelationMiddleware(endpoint, disconnect="cancel")(scope, receive, send)

    body = {"type": "http.request", "body": b"", "more_body": True}
    scope, receive, send, sent = without_server({}, body, {"type": "http.disconnect"})
    await RequestCancelationMiddleware(between, disconnect="ignore")(scope, receive, send)
    assert work.came_to == []
    assert answered(sent) == (499, "Client closed connection")


@pytest.mark.paused
async def test_the_limit_of_an_inner_one_ends_with_the_response():
    async def app(scope, receive, send):
        await web.answer(send, b"done")
        await RequestCancelationMiddleware(late, 1)(scope, receive, send)

    async def late(scope, receive, send):
        assert current_operation().remaining() is None
        await asyncio.sleep(3600)

    scope, receive, send, sent = without_server()
    await RequestCancelationMiddleware(app, 2)(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_an_inner_one_reads_deadlines_of_its_own():
    async def endpoint(scope, receive, send):
        left.append(current_operation().remaining())
        await web.answer(send, b"done")

    left = []
    inner = RequestCancelationMiddleware(endpoint, deadlines=DeadlineHeaders(own=True))
    app = RequestCancelationMiddleware(inner, 60)
    for told in (b"20000", b"0"):
        headers = [(b"x-cancelable-timeout-ms", told)]
        scope, receive, send, sent = without_server({"headers": headers})
        await app(scope, receive, send)
        left.append(sent[0]["status"])
    first, *statuses = left
    assert 10 < first <= 20
    assert statuses == [200, 504]


async def test_one_inside_an_operation_of_the_dependency_runs_the_application_in_its_own():
    """By hand, in what stands between: then nobody runs the application in an operation yet."""
    work = Work()
    work.go_on.set()

    async def endpoint(scope, receive, send):
        await work(current_operation())
        assert current_operation().remaining() <= 20
        assert (await receive())["body"] == b"all of it"
        await web.answer(send, b"done")

    async def between(scope, receive, send):
        request = Request(scope, receive)
        async with await cancelable_dependency(request) as outer:
            app = RequestCancelationMiddleware(endpoint, 20)
            await app(scope, request._receive, send)
            assert work.operation is not outer

    message = {"type": "http.request", "body": b"all of it", "more_body": False}
    scope, receive, send, sent = without_server({}, message)
    await between(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_a_dependency_goes_by_the_inner_one():
    app, sub = FastAPI(), FastAPI()
    app.add_middleware(RequestCancelationMiddleware, default_timeout=60)
    sub.add_middleware(RequestCancelationMiddleware, default_timeout=20)
    app.mount("/sub", sub)

    @sub.get("/it")
    async def it(cancel: Annotated[Cancelable, Depends(cancelable_dependency)]):
        async with cancel:
            return f"{cancel.context.name} {10 < cancel.remaining() <= 20}"

    async with served(app) as port:
        answer = await web.exchanged(port, [web.head("GET", "/sub/it")])
    assert answer.endswith(b'"GET /sub/it True"')

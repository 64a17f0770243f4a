"""The end of a server: what runs is asked at once, nothing is cut before its time, and what is left is named."""

import asyncio
import signal

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    current_operation,
)
from hother.cancelable.integrations._requests import operation_for
from hother.cancelable.integrations.asgi import RequestCancelationMiddleware
from hother.cancelable.integrations.starlette import get_request_token, shutdown, with_cancelation
from support import web
from support.loops import settle
from support.serving import LIMIT, wait_for


class Served:
    """Requests of one application, without a server: each is told apart by its path."""

    def __init__(self, app):
        self.app = app
        self.sent = {}

    async def get(self, path):
        """Answers one; gives the status and the body, and keeps the headers."""
        sent = self.sent[path] = []

        async def send(message):
            sent.append(message)

        async def receive():
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await self.app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]


@pytest.mark.paused
async def test_law_w6_all_are_asked_at_the_start_and_none_is_cut_before_the_grace_is_over(caplog):
    started = []
    came_to = []

    async def app(scope, receive, send):
        operation = current_operation()
        started.append(operation)
        path = scope["path"]
        try:
            if path == "/listens":
                await asyncio.sleep(1)
                assert operation._is_asked()
                came_to.append((path, loop.time() - began))
                await web.answer(send, b"listened")
            elif path == "/nested":

                async def inside():
                    async with Cancelable():
                        await asyncio.sleep(8)

                await asyncio.gather(inside(), inside())
                async with Cancelable.with_timeout(60):
                    await asyncio.sleep(1)
                await web.answer(send, b"all of it")
            elif path == "/quick":
                await asyncio.sleep(9.5)
                await web.answer(send, b"in time")
            else:
                await asyncio.sleep(3600)
        finally:
            came_to.append((path, loop.time() - began))

    loop = asyncio.get_running_loop()
    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=10) as ending:
        paths = ("/listens", "/nested", "/quick", "/stays")
        answering = {path: asyncio.create_task(served.get(path)) for path in paths}
        await settle()
        began = loop.time()
        report = asyncio.create_task(ending.begin())
        await settle(3)
        for operation in started:
            assert operation._asked().reason is CancelationReason.SHUTDOWN
            assert operation._asked().message == "the server is shutting down"
        report = await report
        answers = {path: await answer for path, answer in answering.items()}
    assert answers["/listens"] == (200, b"listened")
    assert answers["/nested"] == (200, b"all of it")
    assert answers["/quick"] == (200, b"in time")
    status, body = answers["/stays"]
    assert (status, b"the server is shutting down" in body) == (503, True)
    assert dict(served.sent["/stays"][0]["headers"])[b"retry-after"] == b"1"
    ends = dict(came_to)
    assert ends["/listens"] == pytest.approx(1, abs=0.2)
    assert ends["/stays"] == pytest.approx(10, abs=0.2)
    assert [it.name for it in report.still_running] == ["GET /stays"]
    assert report.asked == 4
    assert "GET /stays" in caplog.text
    assert "GET /quick" not in caplog.text
    assert ending.report is report


@pytest.mark.paused
async def test_law_w6_a_callback_that_is_to_end_the_program_does_so_once_all_are_asked():
    started = []

    def ends_the_program(token):
        raise SystemExit(f"{token.reason} was heard")

    async def app(scope, receive, send):
        started.append(current_operation())
        scope["cancelation_token"].on_cancel(ends_the_program)
        await asyncio.sleep(3600)

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=1) as ending:
        answering = [asyncio.create_task(served.get(path)) for path in ("/one", "/two")]
        await settle()
        with pytest.raises(SystemExit, match="was heard"):
            await ending.begin()
        assert [it._is_asked() for it in started] == [True, True]
        await asyncio.gather(*answering)
    assert ending.report.asked == 2


async def test_law_w6_new_requests_are_turned_away_meanwhile():
    go_on = asyncio.Event()

    async def app(scope, receive, send):
        await go_on.wait()
        await web.answer(send, b"done")

    @with_cancelation
    async def endpoint(request):
        return "never"

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=3600) as ending:
        first = asyncio.create_task(served.get("/first"))
        await settle()
        report = asyncio.create_task(ending.begin())
        await settle()
        status, body = await served.get("/late")
        assert (status, b"shutting down" in body) == (503, True)
        assert dict(served.sent["/late"][0]["headers"])[b"retry-after"] == b"1"
        scope = {"type": "http", "method": "GET", "path": "/it", "headers": []}
        with pytest.raises(HTTPException) as raised:
            await endpoint(Request(scope))
        assert raised.value.status_code == 503
        assert raised.value.headers == {"Retry-After": "1"}
        assert not report.done()
        go_on.set()
        assert await first == (200, b"done")
        # The last of them is the end of it, long before the grace is over.
        assert (await asyncio.wait_for(report, LIMIT)).still_running == ()
    assert (await served.get("/after"))[0] == 200


async def test_law_w6_what_goes_on_after_a_cancel_of_the_token_is_asked_too():
    """Whoever had the token has ended, and what is around that runs."""
    goes_on = asyncio.Event()
    operation = None

    async def app(scope, receive, send):
        nonlocal operation
        operation = current_operation()
        async with operation_for(Request(scope, receive)):
            scope["cancelation_token"].cancel_sync(CancelationReason.MANUAL, "enough of that")
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(3600)
        goes_on.set()
        await operation.token.wait_for_cancel()
        await web.answer(send, b"done")

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=3600) as ending:
        answering = asyncio.create_task(served.get("/it"))
        await wait_for(goes_on)
        assert not operation._is_asked()
        report = await asyncio.wait_for(ending.begin(), LIMIT)
        assert (report.asked, report.still_running) == (1, ())
        assert await answering == (200, b"done")
    assert operation.context.cancel_reason is CancelationReason.SHUTDOWN


@pytest.mark.paused
async def test_law_w6_whoever_has_taken_the_token_is_asked_by_it_and_cut_with_the_others():
    heard = asyncio.Event()

    async def app(scope, receive, send):
        token = get_request_token(Request(scope))
        await token.wait_for_cancel()
        heard.set()
        await asyncio.sleep(3600)

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=5) as ending:
        answering = asyncio.create_task(served.get("/it"))
        await settle()
        report = asyncio.create_task(ending.begin())
        await wait_for(heard)
        assert [it.name for it in (await report).still_running] == ["GET /it"]
        assert (await answering)[0] == 503


@pytest.mark.parametrize("is_answered", [False, True])
async def test_law_w6_an_operation_without_the_middleware_is_asked_too(is_answered):
    started = asyncio.Event()

    @with_cancelation(raise_on_cancel=is_answered)
    async def endpoint(request, cancel: Cancelable):
        started.set()
        await asyncio.sleep(3600)

    parts = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    scope = {"type": "http", "method": "GET", "path": "/it", "headers": []}
    async with shutdown(grace=0.1) as ending:
        calling = asyncio.create_task(endpoint(Request(scope, receive)))
        await wait_for(started)
        report = await ending.begin()
        assert [it.name for it in report.still_running] == ["GET /it"]
        with pytest.raises(HTTPException if is_answered else CancelationError) as raised:
            await calling
    if is_answered:
        assert (raised.value.status_code, raised.value.headers) == (503, {"Retry-After": "1"})
    else:
        assert raised.value.reason is CancelationReason.SHUTDOWN


@pytest.mark.parametrize("has_begun", [False, True])
async def test_work_that_outlives_its_response_is_asked_and_then_forgotten(has_begun):
    """A task of the program that runs on the request's token, begun before the response was over, or after it."""
    may_begin, started, tasks = asyncio.Event(), asyncio.Event(), []

    async def app(scope, receive, send):
        request = Request(scope, receive)

        async def work():
            if not has_begun:
                await may_begin.wait()
            async with operation_for(request):
                started.set()
                await asyncio.Event().wait()

        tasks.append(asyncio.create_task(work()))
        if has_begun:
            await wait_for(started)
        await web.answer(send, b"begun")

    served = Served(RequestCancelationMiddleware(app))
    assert await served.get("/it") == (200, b"begun")
    may_begin.set()
    await wait_for(started)
    async with shutdown(grace=0.05, signals=()) as ending:
        report = await ending.begin()
        assert report.asked == 1
        assert [it.name for it in report.still_running] == ["GET /it"]
        with pytest.raises(CancelationError):
            await tasks[0]
    async with shutdown(grace=LIMIT, signals=()) as ending:
        assert (await ending.begin()).asked == 0


async def test_the_end_of_the_lifespan_begins_it_where_nothing_else_did():
    async with shutdown(grace=5) as ending:
        assert not ending.has_begun
    assert ending.report.asked == 0
    assert ending.report.still_running == ()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_one_loop_has_one_shutdown_at_a_time():
    async with shutdown(grace=5) as ending:
        ending._begin()
        with pytest.raises(RuntimeError, match="under way already"):
            async with shutdown():
                pass


@pytest.mark.parametrize("is_outer_first", [True, False])
async def test_an_application_and_one_that_is_mounted_in_it_may_have_one_each(is_outer_first):
    """Both are asked by the same signal: each is over with the requests, and not with its grace."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        started.set()
        await go_on.wait()
        await web.answer(send, b"finished")

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=60) as outer:
        async with shutdown(grace=50) as inner:
            answering = asyncio.create_task(served.get("/it"))
            await wait_for(started)
            pair = (outer, inner) if is_outer_first else (inner, outer)
            waiting = [asyncio.create_task(it.begin()) for it in pair]
            await settle()
            assert outer.has_begun
            assert inner.has_begun
            assert not any(it.done() for it in waiting)
            go_on.set()
            assert await answering == (200, b"finished")
            async with asyncio.timeout(LIMIT):
                assert [it[:2] for it in await asyncio.gather(*waiting)] == [(1, ()), (1, ())]
        # The inner one has gone, and the other is still under way.
        assert (await served.get("/late"))[0] == 503
    assert (await served.get("/again"))[0] == 200


async def test_one_that_is_begun_without_being_entered_ends_the_loop_for_good():
    async def app(scope, receive, send):
        await web.answer(send, b"served")

    served = Served(RequestCancelationMiddleware(app))
    assert (await served.get("/it"))[0] == 200
    assert (await shutdown(grace=60).begin()).asked == 0
    assert (await served.get("/late"))[0] == 503


async def test_of_two_the_longer_grace_is_given():
    started, ended = asyncio.Event(), []

    async def app(scope, receive, send):
        started.set()
        try:
            await asyncio.sleep(LIMIT)
        finally:
            ended.append(asyncio.get_running_loop().time() - began)

    served = Served(RequestCancelationMiddleware(app))
    async with shutdown(grace=0.4, signals=()) as longer:
        async with shutdown(grace=0.05, signals=()) as shorter:
            answering = asyncio.create_task(served.get("/it"))
            await wait_for(started)
            began = asyncio.get_running_loop().time()
            waits = asyncio.create_task(longer.begin())
            assert len((await shorter.begin()).still_running) == 1
        assert not ended
        assert len((await waits).still_running) == 1
    assert (await answering)[0] == 503
    assert ended[0] >= 0.4


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"grace": 0}, ValueError, "Grace must be positive, got 0"),
        ({"signals": ["SIGTERM"]}, TypeError, "Signal must be an integer"),
        ({"_app": 5}, TypeError, "grace is said by its name, as grace=5"),
    ],
)
async def test_what_makes_no_sense_is_refused(given, error, text):
    with pytest.raises(error, match=text):
        shutdown(**given)


def test_it_is_made_where_the_loop_runs():
    with pytest.raises(RuntimeError, match="call shutdown\\(\\) in the lifespan"):
        shutdown()

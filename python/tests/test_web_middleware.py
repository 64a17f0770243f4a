"""The middleware: a request's work ends with its client or its time, and is answered."""

import asyncio
from contextvars import ContextVar

import pytest
import trio
from starlette.requests import Request

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    OperationStatus,
    ParentCancelation,
    current_operation,
)
from hother.cancelable.integrations.asgi import (
    RequestCancelationMiddleware,
    RequestCancellationMiddleware,
)
from hother.cancelable.integrations.starlette import get_request_token
from support import web
from support.loops import settle
from support.serving import served, wait_for
from support.web import answered, without_server


class Slow:
    """An application whose requests wait until they are told to go on; tells how that ended."""

    def __init__(self, *, streams=False):
        self.streams = streams
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self.operation = None
        self.error = None

    async def __call__(self, scope, receive, send):
        self.operation = current_operation()
        try:
            if self.streams:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"some", "more_body": True})
            self.started.set()
            await self.go_on.wait()
            if self.streams:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await web.answer(send, b"done")
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()


@web.on_servers()
@pytest.mark.parametrize("streams", [False, True])
async def test_law_w2_a_client_that_goes_away_cancels_its_operation(server, options, streams):
    app = Slow(streams=streams)
    async with served(RequestCancelationMiddleware(web.http_alone(app)), server, **options) as port:
        async with web.connected(port) as (_, writer):
            writer.write(web.head("GET", "/slow"))
            await wait_for(app.started)
        await wait_for(app.ended)
        await settle()
    assert isinstance(app.error, asyncio.CancelledError)
    context = app.operation.context
    assert context.name == "GET /slow"
    assert context.metadata["client"] == "127.0.0.1"
    assert context.is_cancelled
    assert context.cancel_reason is CancelationReason.DISCONNECTED
    assert context.cancel_message == "Client closed connection"


@web.on_servers()
async def test_law_w2_after_the_last_byte_nothing_is_cancelled(server, options):
    done = asyncio.Event()
    operation = None

    async def app(scope, receive, send):
        nonlocal operation
        operation = current_operation()
        await web.answer(send, b"done")
        told = await receive()
        while told["type"] != "http.disconnect":
            told = await receive()
        await settle()
        done.set()

    async with served(RequestCancelationMiddleware(web.http_alone(app)), server, **options) as port:
        assert b"done" in await web.exchanged(port, [web.head("GET", "/")])
        await wait_for(done)
        await settle()
    assert operation.is_completed
    assert operation.context.cancel_reason is None


def start(**fields):
    return {"type": "http.response.start", "status": 200, "headers": [], **fields}


def body(*, more=False, kind="body"):
    return {"type": f"http.response.{kind}", "body": b"some", "more_body": more}


def trailers(*, more=False):
    return {"type": "http.response.trailers", "headers": [], "more_trailers": more}


@pytest.mark.parametrize(
    "response",
    [
        [start(), body()],
        [start(), body(more=True), body()],
        [start(trailers=True), body(more=True), body(), trailers(more=True), trailers()],
        [start(), body(kind="zerocopysend", more=True), body(kind="zerocopysend")],
        [start(), {"type": "http.response.pathsend", "path": "/file"}],
    ],
    ids=["one body", "bodies", "trailers", "files", "a path"],
)
async def test_law_w2_a_client_that_leaves_cancels_until_the_last_message_alone(response):
    """By all the ways in which a response may end, though not every server has each."""
    operation = None

    async def app(scope, receive, send):
        nonlocal operation
        operation = current_operation()
        for message in response[:count]:
            await send(message)
        is_gone.set()
        assert (await receive())["type"] == "http.disconnect"
        await settle()

    async def receive():
        await is_gone.wait()
        return {"type": "http.disconnect"}

    for count in range(len(response) + 1):
        is_gone = asyncio.Event()
        scope, _, send, _ = without_server()
        await RequestCancelationMiddleware(app)(scope, receive, send)
        is_cut = count < len(response)
        assert operation.context.is_cancelled == is_cut, count
        reason = CancelationReason.DISCONNECTED if is_cut else None
        assert operation.context.cancel_reason is reason, count


@pytest.mark.parametrize(
    ("disconnect", "status"),
    [
        ("cancel", OperationStatus.CANCELLED),
        (("grace", 60), OperationStatus.CANCELLED),
        ("detach", OperationStatus.FAILED),
        ("ignore", OperationStatus.FAILED),
    ],
)
async def test_law_w2_what_fails_since_its_client_has_left_ends_for_that(disconnect, status):
    """Whoever took the token has not ended the work by it; the error is the server's to see, as ever."""
    operation = None

    async def app(scope, receive, send):
        nonlocal operation
        operation = current_operation()
        get_request_token(Request(scope))
        assert (await receive())["type"] == "http.disconnect"
        raise OSError("nobody is there")

    scope, receive, send, sent = without_server(None, {"type": "http.disconnect"})
    with pytest.raises(OSError, match="nobody is there"):
        await RequestCancelationMiddleware(app, disconnect=disconnect)(scope, receive, send)
    reason = CancelationReason.DISCONNECTED if status is OperationStatus.CANCELLED else None
    assert (operation.context.status, operation.context.cancel_reason) == (status, reason)
    assert sent == []


@pytest.mark.paused
async def test_law_w4_its_time_is_up_504():
    scope, receive, send, sent = without_server()
    slow = Slow()
    await RequestCancelationMiddleware(slow, 2.5)(scope, receive, send)
    assert answered(sent) == (504, "Request timeout")
    assert slow.operation.context.cancel_reason is CancelationReason.TIMEOUT
    assert "2.5" in slow.operation.context.cancel_message


@pytest.mark.paused
async def test_a_time_limit_is_seen_as_the_deadline_and_ends_with_the_response():
    async def app(scope, receive, send):
        assert current_operation().remaining() == pytest.approx(2)
        await web.answer(send, b"done")
        assert current_operation().remaining() is None
        await asyncio.sleep(3600)

    scope, receive, send, sent = without_server()
    await RequestCancelationMiddleware(app, 2)(scope, receive, send)
    assert sent[0]["status"] == 200


@pytest.mark.parametrize(
    ("reason", "status", "detail"),
    [
        (CancelationReason.DISCONNECTED, 499, "Client closed connection"),
        (CancelationReason.SIGNAL, 499, "Client closed connection"),
        (CancelationReason.TIMEOUT, 504, "Request timeout"),
        (CancelationReason.SHUTDOWN, 503, "Request cancelled: so it is"),
        (CancelationReason.MANUAL, 503, "Request cancelled: so it is"),
        (CancelationReason.CONDITION, 503, "Request cancelled: so it is"),
    ],
)
async def test_law_w4_a_cancel_of_the_token_is_answered_by_its_reason(reason, status, detail):
    scope, receive, send, sent = without_server()
    app = Slow()
    answering = asyncio.create_task(RequestCancelationMiddleware(app)(scope, receive, send))
    await wait_for(app.started)
    scope["cancelation_token"].cancel_sync(reason, "so it is")
    await answering
    assert answered(sent) == (status, detail)
    retry_after = dict(sent[0]["headers"]).get(b"retry-after")
    assert (retry_after is not None) == (reason is CancelationReason.SHUTDOWN)


@pytest.mark.parametrize(
    ("reason", "status"), [(CancelationReason.TIMEOUT, 504), (CancelationReason.MANUAL, 503)]
)
async def test_law_w4_parent_is_judged_by_its_root(reason, status):
    """Of an operation whose parent is elsewhere, and cancelled with a parent of its own, what leaves says only `PARENT`."""
    scope, receive, send, sent = without_server()
    started = asyncio.Event()

    async def app(scope, receive, send):
        async with Cancelable(parent=between):
            started.set()
            await asyncio.sleep(3600)

    async def stand_between():
        async with between:
            await asyncio.sleep(3600)

    async with Cancelable(raises="suppress", grace=60) as far:
        between = Cancelable(parent=far)
        standing = asyncio.create_task(stand_between())
        await settle()
        answering = asyncio.create_task(RequestCancelationMiddleware(app)(scope, receive, send))
        await wait_for(started)
        await far.cancel(reason, "from afar")
        await answering
        await asyncio.wait({standing})
        assert isinstance(standing.exception(), ParentCancelation)
    assert answered(sent)[0] == status


async def test_what_is_not_http_passes_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    scope, receive, send = {"type": "websocket"}, object(), object()
    await RequestCancelationMiddleware(app, 5)(scope, receive, send)
    assert seen == [(scope, receive, send)]
    assert scope == {"type": "websocket"}


async def test_an_error_of_the_application_is_its_own():
    async def app(scope, receive, send):
        raise ValueError("its own")

    scope, receive, send, _ = without_server()
    with pytest.raises(ValueError, match="its own"):
        await RequestCancelationMiddleware(app)(scope, receive, send)


async def test_an_operation_on_the_token_decides_how_to_end():
    """As programs do that were written for the namesake: they catch, await, and answer."""
    scope, receive, send, sent = without_server()
    token = scope["cancelation_token"] = CancelationToken()
    started = asyncio.Event()

    async def app(scope, receive, send):
        try:
            async with Cancelable.with_token(token) as cancel:
                from hother.cancelable.integrations._exchange import KEY

                scope[KEY].hold(cancel)
                started.set()
                await asyncio.sleep(3600)
        except CancelationError as error:
            await asyncio.sleep(0.01)
            await web.answer(send, error.message.encode(), 418)

    answering = asyncio.create_task(RequestCancelationMiddleware(app)(scope, receive, send))
    await wait_for(started)
    token.cancel_sync("enough")
    await answering
    assert (sent[0]["status"], sent[1]["body"]) == (418, b"enough")


async def test_a_server_that_gives_up_cuts_no_shield():
    finished = []

    async def app(scope, receive, send):
        async with current_operation().shield():
            started.set()
            await go_on.wait()
            finished.append("the shield")
        await asyncio.sleep(3600)

    started, go_on = asyncio.Event(), asyncio.Event()
    scope, receive, send, sent = without_server()
    answering = asyncio.create_task(RequestCancelationMiddleware(app)(scope, receive, send))
    await wait_for(started)
    answering.cancel()
    await settle()
    answering.cancel()
    await settle()
    assert not answering.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert finished == ["the shield"]
    assert answered(sent) == (503, "Request cancelled: the server gave the request up")


def test_both_spellings_are_one_class():
    assert RequestCancellationMiddleware is RequestCancelationMiddleware


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"default_timeout": 0}, "Timeout must be positive, got 0"),
        ({"disconnect": "kill"}, 'disconnect must be "cancel", "grace", "detach" or "ignore"'),
        ({"disconnect": ("grace", 0)}, "Grace must be positive, got 0"),
        ({"disconnect": ("detach", 5)}, 'a word or ("grace", seconds)'),
        ({"grace": 5}, 'grace goes with disconnect="grace" alone'),
        ({"disconnect": ("grace", 5), "grace": 5}, "grace was given twice"),
    ],
)
def test_what_makes_no_sense_is_refused(given, error):
    import re

    with pytest.raises(ValueError, match=re.escape(error)):
        RequestCancelationMiddleware(web.digest, **given)


async def test_what_is_set_in_the_application_is_so_for_what_stands_around():
    """As without the middleware, though the application runs in a task of its own: an access log wants to know who it was."""
    user = ContextVar("user", default="nobody")
    unset = ContextVar("unset")

    async def app(scope, receive, send):
        assert user.get() == "somebody"
        assert current_operation() is not None
        user.set("the one who was let in")
        unset.set("set")
        if scope["path"] == "/fails":
            raise ValueError("it failed")
        await web.answer(send, b"done")

    around = RequestCancelationMiddleware(app)
    for path in ("/it", "/fails"):
        before = user.set("somebody")
        scope, receive, send, _ = without_server({"path": path})
        try:
            await around(scope, receive, send)
        except ValueError:
            assert path == "/fails"
        assert user.get() == "the one who was let in"
        assert unset.get() == "set"
        assert current_operation() is None
        user.reset(before)
    assert user.get() == "nobody"


def test_on_trio_it_says_what_it_is_for():
    scope, receive, send, _ = without_server()
    with pytest.raises(RuntimeError, match=r"asyncio.*hypercorn"):
        trio.run(RequestCancelationMiddleware(Slow()), scope, receive, send)

"""The dependency on WebSocket routes: an operation that has its time and its token, and whose client `CancelableWebSocket` watches."""

import asyncio
from typing import Annotated

import pytest
import websockets
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.requests import HTTPConnection

from hother.cancelable import Cancelable, CancelationError, CancelationReason, OperationStatus
from hother.cancelable.integrations.fastapi import (
    CancelableWebSocket,
    DeadlineHeaders,
    RequestCancelationMiddleware,
    cancelable_dependency,
    get_request_token,
    shutdown,
    with_cancelation,
)
from support import web
from support.loops import settle
from support.serving import SERVERS, served, wait_for

both = pytest.mark.parametrize("server", SERVERS)


class Route:
    """An application with one such route, `/chat`, and what its handler came to."""

    def __init__(self, body, dependency=cancelable_dependency, *, is_watched=True):
        self.app = FastAPI()
        self.operation: Cancelable | None = None
        self.is_in = asyncio.Event()
        self.is_over = asyncio.Event()

        @self.app.websocket("/chat")
        async def chat(
            websocket: WebSocket, cancel: Annotated[Cancelable, Depends(dependency)]
        ) -> None:
            self.operation = cancel
            socket = CancelableWebSocket(websocket, cancel) if is_watched else websocket
            await socket.accept()
            try:
                async with cancel:
                    self.is_in.set()
                    await body(socket)
            finally:
                self.is_over.set()


def url(port):
    return f"ws://127.0.0.1:{port}/chat"


async def echo(socket):
    await socket.send_text(await socket.receive_text())


async def wait(_):
    await asyncio.Event().wait()


@both
@pytest.mark.parametrize("is_watched", [True, False])
async def test_the_dependency_gives_an_operation_for_a_socket(server, is_watched):
    route = Route(echo, is_watched=is_watched)
    # Beside the middleware, which leaves sockets alone.
    route.app.add_middleware(RequestCancelationMiddleware, default_timeout=60)
    async with served(route.app, server) as port:
        async with websockets.connect(url(port)) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        await wait_for(route.is_over)
    context = route.operation.context
    assert context.name == "WEBSOCKET /chat"
    assert context.metadata["path"] == "/chat"
    assert context.metadata["client"] == "127.0.0.1"
    await settle()
    assert context.status is OperationStatus.COMPLETED


@both
async def test_a_client_that_leaves_ends_it_and_no_server_hears_of_an_error(server):
    """The cancel has left the handler, which is answered for like that of a request."""
    route, ended, errors = Route(wait), asyncio.Event(), []

    async def app(scope, receive, send):
        try:
            await route.app(scope, receive, send)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            ended.set()

    async with served(app, server) as port:
        client = await websockets.connect(url(port))
        await wait_for(route.is_in)
        ended.clear()
        client.transport.abort()
        await wait_for(ended)
    assert route.operation.context.cancel_reason is CancelationReason.DISCONNECTED
    assert errors == []


@both
@pytest.mark.parametrize("is_watched", [True, False])
async def test_its_time_is_up_and_it_is_closed(server, is_watched):
    route = Route(wait, cancelable_dependency(timeout=0.05), is_watched=is_watched)
    async with served(route.app, server) as port, websockets.connect(url(port)) as client:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd.code == 1011
    assert route.operation.context.cancel_reason is CancelationReason.TIMEOUT


@both
async def test_the_token_of_the_scope_ends_it(server):
    """Without anybody who watches the client, too."""
    token = []
    route = Route(wait, is_watched=False)

    def take(connection: HTTPConnection) -> None:
        token.append(get_request_token(connection))

    route.app.router.dependencies.append(Depends(take))
    app = FastAPI()
    app.include_router(route.app.router, dependencies=[Depends(take)])
    async with served(app, server) as port, websockets.connect(url(port)) as client:
        await wait_for(route.is_in)
        await token[0].cancel(message="enough")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "enough")


async def test_a_router_may_have_it_for_requests_and_sockets_alike():
    router, app = APIRouter(dependencies=[Depends(cancelable_dependency(timeout=60))]), FastAPI()

    @router.get("/it")
    async def it() -> str:
        return "got"

    @router.websocket("/chat")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        await echo(websocket)

    app.include_router(router)
    async with served(app) as port:
        assert b'"got"' in await web.exchanged(port, [web.head("GET", "/it")])
        async with websockets.connect(url(port)) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


async def test_a_grace_of_the_dependency_holds_where_the_client_leaves():
    finished = asyncio.Event()

    async def body(socket):
        while not socket.cancelable._is_asked():  # noqa: ASYNC110, since nothing tells of it
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        finished.set()

    route = Route(body, cancelable_dependency(disconnect="grace", grace=60))
    async with served(route.app) as port:
        async with websockets.connect(url(port)):
            await wait_for(route.is_in)
        await wait_for(finished)
        await wait_for(route.is_over)
    assert route.operation.is_completed
    assert route.operation.context.cancel_reason is CancelationReason.DISCONNECTED


@pytest.mark.parametrize("word", ["detach", "ignore"])
async def test_what_holds_for_requests_alone_says_so(word):
    scope = {"type": "websocket", "path": "/chat", "headers": []}
    with pytest.raises(ValueError, match=f"{word}.*CancelableWebSocket"):
        await cancelable_dependency(WebSocket(scope, None, None), disconnect=word)


async def test_by_hand():
    scope = {"type": "websocket", "path": "/chat", "headers": [], "client": ("here", 1)}
    operation = await cancelable_dependency(WebSocket(scope, None, None), timeout=5.0)
    with pytest.raises(CancelationError, match="enough"):
        async with operation:
            assert operation.context.name == "WEBSOCKET /chat"
            assert operation.remaining() <= 5
            await scope["cancelation_token"].cancel(message="enough")
            await asyncio.Event().wait()


async def test_a_connection_without_a_request_is_named_as_well():
    scope = {"type": "http", "method": "GET", "path": "/it", "headers": []}
    operation = await cancelable_dependency(HTTPConnection(scope))
    assert operation.context.name == "GET /it"


@both
async def test_the_time_that_a_client_gives_is_read(server):
    route = Route(wait, cancelable_dependency(deadlines=DeadlineHeaders(own=True)))
    async with served(route.app, server) as port:
        headers = {"x-cancelable-timeout-ms": "50"}
        async with websockets.connect(url(port), additional_headers=headers) as client:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
        assert closed.value.rcvd.code == 1011
        headers = {"x-cancelable-timeout-ms": "0"}
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url(port), additional_headers=headers)
    assert refused.value.response.status_code == 403


async def test_a_socket_that_comes_during_a_shutdown_is_refused():
    route = Route(wait)
    async with shutdown(grace=60, signals=()) as ending, served(route.app) as port:
        await ending.begin()
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url(port))
    assert refused.value.response.status_code == 403


def test_the_decorator_says_what_is_for_sockets():
    with pytest.raises(TypeError, match="CancelableWebSocket"):

        @with_cancelation
        async def chat(websocket: WebSocket) -> None: ...


async def test_an_error_of_the_programs_own_handler_stays_its_own():
    told = []
    route = Route(wait, cancelable_dependency(timeout=0.05))

    @route.app.exception_handler(CancelationError)
    async def own(connection, error):
        told.append(error.reason)

    async with served(route.app) as port, websockets.connect(url(port)) as client:
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()
        await wait_for(route.is_over)
        await settle()
    assert told == [CancelationReason.TIMEOUT]

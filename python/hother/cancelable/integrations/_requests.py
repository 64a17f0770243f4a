"""Operations for requests, as Starlette hands them to endpoints."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import anyio

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.lengths import seconds
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken
from hother.cancelable.sources._watches import Watch
from hother.cancelable.sources.base import CancelationSource

from ._answers import CLOSE_LIMIT, NO_TIME, SHUTTING_DOWN, Answer, answer, goodbye
from ._exchange import KEY, TOKEN_KEY, Exchange, name_and_metadata, time_left
from ._serving import serving
from ._shutdown import shutdown_why

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException, WebSocketException
    from starlette.requests import HTTPConnection, Request, empty_receive
    from starlette.responses import JSONResponse
    from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "hother.cancelable.integrations.starlette needs Starlette: pip install 'hother-cancelable[fastapi]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from datetime import timedelta

    from hother.cancelable._core import DeadlineHeaders
    from hother.cancelable.sources._hearers import Hearer
    from hother.cancelable.sources._jobs import Ending

    from ._connection import Connection
    from ._policy import Policy

FUNCTION_STACK = "fastapi_function_astack"
"""Where in a scope FastAPI has what it calls once an endpoint has returned."""


def get_request_token(request: HTTPConnection) -> CancelationToken:
    """The token of `request`: cancelled when the client goes away or the request's time is up.

    Under `RequestCancelationMiddleware` whoever has it decides what its cancel does, and the application itself is not cancelled
    any more. Without the middleware it is watched while an operation of `cancelable_dependency` or `with_cancelation` runs on it.
    That of a WebSocket is for the program to cancel.
    """
    exchange: Exchange | None = request.scope.get(KEY)
    if exchange is not None:
        exchange.is_token_given = True
        return exchange.token
    token: CancelationToken = request.scope.setdefault(TOKEN_KEY, CancelationToken())
    return token


def operation_for(
    request: HTTPConnection,
    timeout: float | timedelta | None = None,
    policy: Policy | None = None,
    deadlines: DeadlineHeaders | None = None,
) -> Cancelable:
    """An operation for `request`, cancelled with its token, and after `timeout` seconds."""
    if issubclass(type(request), WebSocket):
        return _operation_for_socket(cast("WebSocket", request), timeout, policy, deadlines)
    exchange = exchange_of(request)
    if serving().shutdown is not None and (exchange is None or exchange.operation is None):
        raise HTTPException(SHUTTING_DOWN.status, SHUTTING_DOWN.detail, SHUTTING_DOWN.headers)
    if exchange is None:
        # Some stand-in for a request, or what has no way to read it.
        scope = getattr(request, "scope", None)
        token = scope.get(TOKEN_KEY) if isinstance(scope, dict) else None
        name, metadata = name_and_metadata(_described(request))
        operation = Cancelable.with_token(
            token or CancelationToken(), None, name, metadata=metadata
        )
    else:
        name, metadata = name_and_metadata(request.scope)
        operation = Cancelable.with_token(exchange.token, None, name, metadata=metadata)
        if policy is not None:
            exchange.follow(policy)
        operation.add_source(OfRequest(exchange))
        see_to_answers(request.scope)
        left = time_left(deadlines, request.scope)
        if left is not None:
            if left <= 0:
                raise HTTPException(NO_TIME.status, NO_TIME.detail)
            operation._limit(left)
    if timeout is not None:
        operation._limit(seconds("Timeout", timeout))
    return operation


def _described(request: Any) -> dict[str, Any]:
    if type(request) is HTTPConnection:
        return dict(request.scope)
    client = getattr(request, "client", None)
    return {
        "method": request.method,
        "path": request.url.path,
        "client": client and (client.host,),
    }


def _operation_for_socket(
    websocket: WebSocket,
    timeout: float | timedelta | None,
    policy: Policy | None,
    deadlines: DeadlineHeaders | None,
) -> Cancelable:
    """One that hears of its token and its time: it is for `CancelableWebSocket` to watch the client, who reads the socket."""
    if policy is not None and policy.kind in ("detach", "ignore"):
        raise ValueError(
            f"disconnect={policy.kind!r} is for requests: a WebSocket is watched by CancelableWebSocket(websocket, cancel) alone,"
            " and goes on without a client where that is not used"
        )
    if serving().shutdown is not None:
        raise WebSocketException(*goodbye(CancelationReason.SHUTDOWN, shutdown_why().message))
    scope = websocket.scope
    see_to_answers(scope)
    name, metadata = name_and_metadata(scope)
    operation = Cancelable.with_token(get_request_token(websocket), None, name, metadata=metadata)
    if policy is not None and policy.grace is not None:
        operation._set_grace(policy.grace, CancelationReason.DISCONNECTED)
    left = time_left(deadlines, scope)
    if left is not None:
        if left <= 0:
            raise WebSocketException(*goodbye(CancelationReason.TIMEOUT, NO_TIME.detail))
        operation._limit(left)
    if timeout is not None:
        operation._limit(seconds("Timeout", timeout))
    return operation


def exchange_of(request: Any) -> Exchange | None:
    """The exchange of a request: the middleware's, or one that reads in place of the request; `None` where that has nothing to read."""
    if not issubclass(type(request), Request):
        return None
    scope = request.scope
    exchange: Exchange | None = scope.get(KEY)
    if exchange is None and request._receive is not empty_receive:
        exchange = Exchange(scope, request._receive, None)
        request._receive = exchange.connection.receive
        stack = scope.get(FUNCTION_STACK)
        if stack is not None:
            stack.callback(exchange.endpoint_returned)
    return exchange


def answer_to(request: HTTPConnection, error: CancelationError) -> Answer:
    """What to say where a cancel has left the endpoint of `request`."""
    exchange: Exchange | None = getattr(request, "scope", {}).get(KEY)
    if exchange is not None:
        return exchange.answer(error)
    return answer(error.root_reason, error.message, is_of_request=True)


def see_to_answers(scope: MutableMapping[str, Any]) -> None:
    """Has the application answer what is cancelled as we would, unless it has a handler of its own for that."""
    handlers = scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0].setdefault(CancelationError, _answered)


async def _answered(request: HTTPConnection, error: CancelationError) -> Any:
    """As the application answers any `HTTPException`; a socket is closed."""
    if isinstance(request, WebSocket):
        await say_goodbye(request, error)
        return None
    said = answer_to(request, error)
    by_class, by_status = request.scope["starlette.exception_handlers"]
    shown = HTTPException(said.status, said.detail, said.headers)
    handler = by_status.get(said.status) or by_class.get(HTTPException)
    if handler is None:
        return JSONResponse({"detail": said.detail}, said.status, said.headers)
    if inspect.iscoroutinefunction(handler):
        return await handler(request, shown)
    return await run_in_threadpool(handler, request, shown)


async def say_goodbye(websocket: WebSocket, error: CancelationError) -> None:
    """Closes a socket that a cancel has left open, for a client that is still there."""
    is_closed = websocket.application_state is WebSocketState.DISCONNECTED
    if is_closed or error.root_reason is CancelationReason.DISCONNECTED:
        return
    # That a parent was cancelled is nothing to a client.
    message = None if error.reason is CancelationReason.PARENT else error.message
    with suppress(WebSocketDisconnect), anyio.move_on_after(CLOSE_LIMIT, shield=True):
        await websocket.close(*goodbye(error.root_reason, message))


class OfRequest(CancelationSource):
    """Has the request be watched while the operation runs. It fires by the token, which the operation has."""

    def __init__(self, exchange: Exchange):
        super().__init__(CancelationReason.DISCONNECTED, "request")
        self.exchange = exchange

    def _watch(self, hearer: Hearer) -> Watch:
        return _Watching(self, hearer)


class _Watching(Watch):
    __slots__ = ("_exchange", "_operation", "_reader")

    def __init__(self, source: OfRequest, hearer: Any):
        super().__init__(source, hearer)
        self._exchange = source.exchange
        self._operation: Cancelable = hearer.operation
        self._reader: _Reader | None = None
        self._exchange.hold(self._operation)

    def stop(self) -> None:
        super().stop()
        exchange = self._exchange
        exchange.let_go(self._operation)
        connection = exchange.connection
        if exchange.operation is None and not exchange.holders:
            connection.stop()
            if connection.is_ending:
                self._reader = _Reader(connection)

    def jobs(self) -> Iterator[Ending]:
        if self._reader is not None:
            yield self._reader
        yield from super().jobs()


class _Reader:
    """The reader of a request that was told to stop, as one of the jobs that an operation waits for."""

    __slots__ = ("_connection",)

    name = "the reader of a request"

    def __init__(self, connection: Connection):
        self._connection = connection

    @property
    def is_over(self) -> bool:
        """Whether it has."""
        return not self._connection.is_ending

    async def wait(self) -> None:
        """Waits until it has."""
        await self._connection.stopped()

    def stop(self) -> None:
        """It was told."""

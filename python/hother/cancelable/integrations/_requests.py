"""Operations for requests, as Starlette hands them to endpoints."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.lengths import seconds
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken
from hother.cancelable.sources._watches import Watch
from hother.cancelable.sources.base import CancelationSource

from ._answers import NO_TIME, SHUTTING_DOWN, Answer, answer
from ._exchange import KEY, TOKEN_KEY, Exchange, name_and_metadata, time_left
from ._serving import serving

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request, empty_receive
    from starlette.responses import JSONResponse
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


def get_request_token(request: Request) -> CancelationToken:
    """The token of `request`: cancelled when the client goes away or the request's time is up.

    Under `RequestCancelationMiddleware` whoever has it decides what its cancel does, and the application itself is not cancelled
    any more. Without the middleware it is watched while an operation of `cancelable_dependency` or `with_cancelation` runs on it.
    """
    exchange: Exchange | None = request.scope.get(KEY)
    if exchange is not None:
        exchange.is_token_given = True
        return exchange.token
    token: CancelationToken = request.scope.setdefault(TOKEN_KEY, CancelationToken())
    return token


def operation_for(
    request: Request,
    timeout: float | timedelta | None = None,
    policy: Policy | None = None,
    deadlines: DeadlineHeaders | None = None,
) -> Cancelable:
    """An operation for `request`, cancelled with its token, and after `timeout` seconds."""
    exchange = exchange_of(request)
    if serving().shutdown is not None and (exchange is None or exchange.operation is None):
        raise HTTPException(SHUTTING_DOWN.status, SHUTTING_DOWN.detail, SHUTTING_DOWN.headers)
    if exchange is None:
        # Some stand-in for a request.
        scope = getattr(request, "scope", None)
        token = scope.get(TOKEN_KEY) if isinstance(scope, dict) else None
        client = getattr(request, "client", None)
        name, metadata = name_and_metadata(
            {
                "method": request.method,
                "path": request.url.path,
                "client": client and (client.host,),
            }
        )
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


def exchange_of(request: Request) -> Exchange | None:
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


def answer_to(request: Request, error: CancelationError) -> Answer:
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


async def _answered(request: Request, error: CancelationError) -> Any:
    """As the application answers any `HTTPException`."""
    said = answer_to(request, error)
    by_class, by_status = request.scope["starlette.exception_handlers"]
    shown = HTTPException(said.status, said.detail, said.headers)
    handler = by_status.get(said.status) or by_class.get(HTTPException)
    if handler is None:
        return JSONResponse({"detail": said.detail}, said.status, said.headers)
    if inspect.iscoroutinefunction(handler):
        return await handler(request, shown)
    return await run_in_threadpool(handler, request, shown)


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

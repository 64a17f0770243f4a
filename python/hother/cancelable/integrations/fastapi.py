"""Requests of FastAPI as operations, which are cancelled when the client goes away.

@app.get("/process")
async def process(cancel: Cancelable = Depends(cancelable_dependency)):
    async with cancel:  # ends with the client
        return await heavy_computation()
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, overload

try:
    from fastapi import Response
    from fastapi.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "hother.cancelable.integrations.fastapi needs FastAPI: pip install 'hother-cancelable[fastapi]'",
        name=error.name,
    ) from error

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.lengths import seconds

from ._exchange import checked_deadlines
from ._policy import said_policy
from ._requests import operation_for
from .starlette import (
    CancelableWebSocket,
    DeadlineHeaders,
    RequestCancelationMiddleware,
    RequestCancellationMiddleware,
    Shutdown,
    ShutdownReport,
    cancelable_streaming_response,
    get_request_token,
    shutdown,
    with_cancelation,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from ._policy import Disconnect

__all__ = [
    "CancelableWebSocket",
    "DeadlineHeaders",
    "RequestCancelationMiddleware",
    "RequestCancellationMiddleware",
    "Shutdown",
    "ShutdownReport",
    "cancelable_dependency",
    "cancelable_streaming_response",
    "get_request_token",
    "shutdown",
    "with_cancelation",
]


def _dependency(
    request: Any = None,
    timeout: float | timedelta | Response | None = None,
    *,
    disconnect: Disconnect | None = None,
    grace: float | timedelta | None = None,
    deadlines: DeadlineHeaders | None = None,
) -> Any:
    """An operation for the request, cancelled when the client goes away: for `Depends`.

    It is named `GET /path` and not entered yet: the endpoint does that, by `async with`. Until the endpoint returns the client is
    watched while the operation runs; whatever reads the request gets every byte of it all the same. A cancel that nobody catches is
    answered with 504 where the time was up, 499 where the client went away, and 503 otherwise.

    `Depends(cancelable_dependency)` has no time limit, and no client can set one; `Depends(cancelable_dependency(timeout=30.0))` has
    one. By hand, `await cancelable_dependency(request, timeout=5.0)` gives the operation.

    On a WebSocket route it gives an operation named `WEBSOCKET /path`, which ends with its time and with the token of the scope.
    `CancelableWebSocket(websocket, cancel)` is what has the client end it, and a shutdown; without that nobody does.

    Args:
        request: the request, or the WebSocket; left out, a dependency is given.
        timeout: how many seconds it may take, from when it is entered.
        disconnect: what becomes of the work when the client goes away: `"cancel"`, `"grace"`, `"detach"` or `"ignore"`, as with
            `RequestCancelationMiddleware`, whose word counts where nothing is said.
        grace: how many seconds `disconnect="grace"` gives.
        deadlines: the deadline headers that are read, as with `RequestCancelationMiddleware`; the least of all limits counts.
    """
    # A stand-in of a test has what it has.
    if not (isinstance(request, HTTPConnection | None) or hasattr(request, "method")):
        raise TypeError(
            f"request must be a Request or a WebSocket, got {type(request).__name__}; a time limit is said as timeout="
        )
    chosen = said_policy(disconnect, grace)
    checked_deadlines(deadlines)
    if isinstance(timeout, Response):
        timeout = None
    limit = None if timeout is None else seconds("Timeout", timeout)

    async def dependency(request: HTTPConnection) -> Cancelable:
        return operation_for(request, limit, chosen, deadlines)

    return dependency if request is None else dependency(request)


if TYPE_CHECKING:

    @overload
    def cancelable_dependency(
        request: HTTPConnection,
        timeout: float | timedelta | None = None,
        *,
        disconnect: Disconnect | None = None,
        grace: float | timedelta | None = None,
        deadlines: DeadlineHeaders | None = None,
    ) -> Awaitable[Cancelable]: ...
    @overload
    def cancelable_dependency(
        *,
        timeout: float | timedelta | None = None,
        disconnect: Disconnect | None = None,
        grace: float | timedelta | None = None,
        deadlines: DeadlineHeaders | None = None,
    ) -> Callable[[HTTPConnection], Awaitable[Cancelable]]: ...
    def cancelable_dependency(*args: Any, **kwargs: Any) -> Any:
        """See `_dependency`."""

else:
    cancelable_dependency = _dependency
    cancelable_dependency.__name__ = cancelable_dependency.__qualname__ = "cancelable_dependency"
    # What FastAPI sees: a timeout that no client can set. It has the response at hand for a parameter of that kind, and gives it here;
    # a dependency that says `None` would cost each request as much again as FastAPI takes for this one.
    cancelable_dependency.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection
            ),
            inspect.Parameter(
                "timeout",
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None,
                annotation=Response,
            ),
        ],
        return_annotation=Awaitable[Cancelable],
    )
    cancelable_dependency.__annotations__["return"] = Awaitable[Cancelable]
    # And it is to be awaited, not called in a thread.
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(cancelable_dependency)
    else:
        cancelable_dependency._is_coroutine = asyncio.coroutines._is_coroutine

"""`RequestCancelationMiddleware`: a request's work is cancelled when its client goes away or its time is up, in any ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hother.cancelable._core import DeadlineHeaders
from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.lengths import seconds
from hother.cancelable.utils.logging import get_logger

from ._answers import NO_TIME, SHUTTING_DOWN
from ._exchange import KEY, Exchange, checked_deadlines, name_and_metadata, time_left
from ._outlasting import outlasting
from ._policy import CANCEL, said_policy
from ._serving import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from datetime import timedelta

    from ._policy import Disconnect

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["DeadlineHeaders", "RequestCancelationMiddleware", "RequestCancellationMiddleware"]

_log = get_logger(__name__)


class RequestCancelationMiddleware:
    """Runs each request as an operation, which is cancelled when the client goes away, or after `default_timeout` seconds.

    The request's token is `scope["cancelation_token"]`. While an operation runs on that, as what the dependency and the decorator
    give does, or once a program has taken it by `get_request_token`, a cancel is theirs to act on; otherwise the application itself
    is cancelled. What is cancelled and has not answered yet is answered with 504, 499 or 503.

    Inside another one, as in an application that is mounted in one that has it, it makes no operation of its own: what it says of a
    client that goes away holds for the requests that come to it, and its limits do beside the outer one's.

    What is not HTTP passes untouched.

    Args:
        app: the application.
        default_timeout: how many seconds a request may take until the last byte of its response; `None`: any.
        disconnect: what becomes of the work when the client goes away: `"cancel"`; `"grace"`, asked, and cancelled only some
            seconds later; `"detach"`, it goes on to its end, and what it sends goes nowhere; `"ignore"`, nobody watches. Where nothing
            is said, the word of one around this counts, or else `"cancel"`. Routes may say otherwise.
        grace: how many seconds `"grace"` gives: 10 unless said.
        deadlines: the deadline headers that are read, and how far a client may go with them, such as
            `DeadlineHeaders(own=True, at_most=30.0)`; unless said, none. The least of what they say and `default_timeout` counts. What is
            malformed says nothing, and is counted in `deadlines.malformed`. A request without any time left is answered with 504, and
            not passed on.
    """

    def __init__(
        self,
        app: ASGIApp,
        default_timeout: float | timedelta | None = None,
        *,
        disconnect: Disconnect | None = None,
        grace: float | timedelta | None = None,
        deadlines: DeadlineHeaders | None = None,
    ):
        self.app = app
        self.default_timeout = default_timeout
        self._limit = None if default_timeout is None else seconds("Timeout", default_timeout)
        self._policy = said_policy(disconnect, grace)
        self._deadlines = checked_deadlines(deadlines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        around: Exchange | None = scope.get(KEY)
        is_inner = around is not None and around.is_at_work
        if serving().shutdown is not None and not is_inner:
            await SHUTTING_DOWN.send(send)
            return
        limit, left = self._limit, time_left(self._deadlines, scope)
        if left is not None:
            if left <= 0:
                await NO_TIME.send(send)
                return
            limit = left if limit is None else min(limit, left)
        if around is not None and is_inner:
            around.govern(self._policy, limit)
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._policy or CANCEL)
        name, metadata = name_and_metadata(scope)
        exchange.operation = Cancelable(None, name, None, metadata)
        work = _work(self.app, scope, exchange, send, limit)
        try:
            await outlasting(work, name, exchange.give_up, exchange.is_detached)
        finally:
            # It has mostly ended while the work's own end came here.
            if exchange.connection.is_ending:
                await exchange.connection.stopped()


RequestCancellationMiddleware = RequestCancelationMiddleware
"""The same class, by the spelling with two l."""


async def _work(
    app: ASGIApp, scope: Scope, exchange: Exchange, send: Send, limit: float | None
) -> None:
    operation = exchange.operation
    assert operation is not None, "it was made with the exchange"
    listening = exchange.token.on_cancel(exchange.token_fired)
    try:
        async with operation:
            if limit is not None:
                exchange.limit(limit)
            exchange.serving.exchanges.add(exchange)
            exchange.watch()
            try:
                await app(scope, exchange.connection.receive, exchange.send)
            except Exception:
                exchange.failed()
                raise
    except CancelationError as error:
        if exchange.is_started:
            if not exchange.is_client_gone:
                _log.warning("%s was cut off in its response: %s", operation._name(), error)
        else:
            await exchange.answer(error).send(send)
    finally:
        exchange.left_perhaps()
        listening.deregister()
        exchange.end_soon()

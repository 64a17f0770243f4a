"""`cancelable_streaming_response`: a response whose items stop, and close what they come from, when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.streams import CLOSE_LIMIT
from hother.cancelable.sources.token import TokenSource
from hother.cancelable.utils.logging import get_logger
from hother.cancelable.utils.streams import chunked_cancelable_stream

from ._breaking import until_asked
from ._exchange import KEY, Exchange
from ._outlasting import outlasting
from ._policy import policy
from ._requests import OfRequest, see_to_answers

try:
    from starlette.responses import StreamingResponse
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "hother.cancelable.integrations.streaming needs Starlette: pip install 'hother-cancelable[fastapi]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from starlette.types import Receive, Scope, Send

    from hother.cancelable._core import Why

    from ._policy import Disconnect, Policy

T = TypeVar("T")

_log = get_logger(__name__)

SAYING_LIMIT = 1.0
"""How long a stream of events may take to hand over that it was cancelled, in seconds: the client may not read any more."""


async def cancelable_streaming_response(
    generator: AsyncIterator[Any],
    cancelable: Cancelable,
    media_type: str = "text/plain",
    chunk_size: int | None = None,
    *,
    disconnect: Disconnect | None = None,
    grace: float | timedelta | None = None,
) -> StreamingResponse:
    """A response of the items of `generator`, texts or bytes, which are taken as they are sent, in the operation `cancelable`.

    The operation is entered with the response and ends with it; in one that runs already, the response is an operation inside of
    it. When it is asked to stop, no further item is taken, a generator that waits for its next one gets a `CancelledError` there, and
    it is closed. It is asked by all that it has, and when the client goes away, with any middleware around or none.

    What came so far is in `cancelable.context.partial_result`. Where the client is still there, a stream of events
    (`text/event-stream`) ends with `event: cancelled`, whose data is `Stream cancelled`. Any other is broken off, so that the client
    does not take it for whole. One that is cancelled before it begins is answered with 504, 499 or 503.

    Background tasks of the response run only after the last item.

    Args:
        generator: an async iterator; one that has `aclose` is closed whichever way the response ends.
        cancelable: the operation.
        media_type: the content type.
        chunk_size: sends so many items at once. What is left when the stream is cancelled is sent all the same.
        disconnect: what becomes of the work when the client goes away: `"cancel"`, `"grace"`, `"detach"` or `"ignore"`; where nothing is
            said, the word of the request counts, which is `"cancel"` unless somebody said otherwise.
        grace: how many seconds `disconnect="grace"` gives.

    Raises:
        TypeError: `generator` is no async iterator, or `cancelable` no operation.
        ValueError: `chunk_size` is less than 1, or `disconnect` none of the words.
    """
    if not isinstance(generator, AsyncIterable):
        raise TypeError(
            f"generator must be an async iterator, got {type(generator).__name__}; a plain one can be wrapped by"
            " starlette.concurrency.iterate_in_threadpool"
        )
    if not isinstance(cancelable, Cancelable):
        raise TypeError(f"cancelable must be a Cancelable, got {type(cancelable).__name__}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    if disconnect is None and grace is not None:
        raise ValueError('grace goes with disconnect="grace" alone, got no disconnect')
    response = CancelableStreamingResponse(generator, media_type=media_type)
    response.cancelable = cancelable
    response.chunk_size = chunk_size
    response.policy = None if disconnect is None else policy(disconnect, grace)
    return response


class CancelableStreamingResponse(StreamingResponse):
    """What `cancelable_streaming_response` gives."""

    cancelable: Cancelable
    chunk_size: int | None = None
    policy: Policy | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        exchange: Exchange | None = scope.get(KEY)
        if exchange is None:
            exchange = Exchange(scope, receive, send)
        see_to_answers(scope)
        if self.policy is not None:
            exchange.follow(self.policy)
        if exchange.operation is not None:
            # A middleware of ours is around.
            is_whole = await _Sending(self, exchange, send).run()
        else:
            is_whole = await self._send_alone(exchange, send)
        if is_whole and self.background is not None:
            await self.background()

    async def _send_alone(self, exchange: Exchange, send: Send) -> bool:
        """Sends it where nobody else notes how far it is, ends the watching, and has it outlast what a server cuts."""
        operation = self.cancelable

        def give_up(why: Why) -> None:
            operation._fire(why)

        exchange.respond_by(send)
        work = _Sending(self, exchange, exchange.send).run()
        try:
            name = operation._name() or "response"
            return await outlasting(work, name, give_up, exchange.is_detached)
        finally:
            await exchange.end()

    async def bodies(self) -> AsyncGenerator[bytes, None]:
        """What is sent, one after the other."""
        if self.chunk_size is None:
            items = self.cancelable.stream(self.body_iterator)
            async with _closing(items):
                async for item in items:
                    yield self._encoded(item)
            return
        source = aiter(self.body_iterator)
        chunks = chunked_cancelable_stream(source, self.chunk_size, self.cancelable)
        async with _closing(chunks):
            async for chunk in chunks:
                yield b"".join(map(self._encoded, chunk))

    def _encoded(self, item: object) -> bytes:
        if isinstance(item, str):
            return item.encode(self.charset)
        if isinstance(item, bytes | bytearray | memoryview):
            return bytes(item)
        raise TypeError(f"items of a response must be texts or bytes, got {type(item).__name__}")


class _Sending:
    """A response on its way. How far it is by what has been handed over here, of which a middleware may not have heard yet."""

    def __init__(self, response: CancelableStreamingResponse, exchange: Exchange, send: Send):
        self._response = response
        self._exchange = exchange
        self._send = send
        self._is_started = False
        self._is_complete = False

    async def run(self) -> bool:
        """Sends it, as far as the operation lets it; whether that is to its end."""
        operation = self._operation()
        try:
            async with operation:
                await operation.check_cancelation()
                try:
                    if self._is_of_events:
                        # Whoever listens to events is told at once, and may go elsewhere.
                        with until_asked(operation, but_for_a_client_that_left=True):
                            await self._send_all()
                        if not self._is_complete:
                            await operation.check_cancelation()
                    else:
                        await self._send_all()
                except asyncio.CancelledError:
                    if operation._is_asked():
                        await self._say_cancelled()
                    raise
        except CancelationError as error:
            if not self._is_started:
                await self._close_unopened()
                raise
            if not (self._exchange.is_client_gone or self._is_complete):
                _log.warning("%s was cut off in its response: %s", operation._name(), error)
            return False
        except OSError:
            # Some servers raise it where nobody is there to send to.
            if not self._exchange.is_client_gone:
                raise
            return False
        return True

    def _operation(self) -> Cancelable:
        """What it is sent in: cancelled with the request, too."""
        operation = self._response.cancelable
        if operation.is_running:
            operation = Cancelable(None, operation._name(), operation)
        sources = operation._more.sources
        if not any(isinstance(it, OfRequest) and it.exchange is self._exchange for it in sources):
            sources.append(OfRequest(self._exchange))
            sources.append(TokenSource(self._exchange.token))
        return operation

    async def _send_all(self) -> None:
        response = self._response
        start = {"status": response.status_code, "headers": response.raw_headers}
        self._is_started = True
        await self._send({"type": "http.response.start", **start})
        loop = asyncio.get_running_loop()
        others_wait_since = loop.time()
        async with aclosing(response.bodies()) as bodies:
            async for body in bodies:
                await self._send_body(body)
                # Neither a generator that computes nor a send to nobody waits for anything: the loop would never hear that the client
                # is gone.
                if loop.time() - others_wait_since > TURN:
                    await asyncio.sleep(0)
                    others_wait_since = loop.time()
        await self._send_end()

    async def _send_body(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _send_end(self) -> None:
        self._is_complete = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def _is_of_events(self) -> bool:
        return (self._response.media_type or "").startswith(EVENTS)

    async def _say_cancelled(self) -> None:
        is_open = self._is_started and not (self._is_complete or self._exchange.is_client_gone)
        if self._is_of_events and is_open:
            with anyio.move_on_after(SAYING_LIMIT, shield=True):
                await self._send_body(CANCELLED_EVENT)
                await self._send_end()

    async def _close_unopened(self) -> None:
        close = getattr(self._response.body_iterator, "aclose", None)
        if close is not None:
            with anyio.move_on_after(CLOSE_LIMIT, shield=True):
                await close()


def _closing(items: AsyncIterator[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    return aclosing(items)  # type: ignore[type-var]


TURN = 0.001
"""How long a stream may keep the loop to itself, in seconds."""

EVENTS = "text/event-stream"

CANCELLED_EVENT = b"event: cancelled\ndata: Stream cancelled\n\n"

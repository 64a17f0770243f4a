"""`cancelable_streaming_response`: a response whose items stop, and close what they come from, when the client goes away."""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.utils.streams import chunked_cancelable_stream

from ._exchange import KEY, Exchange
from ._outlasting import outlasting
from ._policy import said_policy
from ._requests import see_to_answers
from ._sending import Sending
from ._shutdown import shutdown_why

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

    from ._policy import Disconnect, Policy

T = TypeVar("T")


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
    chosen = said_policy(disconnect, grace)
    response = CancelableStreamingResponse(generator, media_type=media_type)
    response.cancelable = cancelable
    response.chunk_size = chunk_size
    response.policy = chosen
    return response


class CancelableStreamingResponse(StreamingResponse):
    """What `cancelable_streaming_response` gives."""

    cancelable: Cancelable
    chunk_size: int | None = None
    policy: Policy | None = None
    is_head = False
    """Whether nobody wants the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        exchange: Exchange | None = scope.get(KEY)
        if exchange is None:
            exchange = Exchange(scope, receive, send)
        self.is_head = scope["method"] == "HEAD"
        see_to_answers(scope)
        if self.policy is not None:
            exchange.follow(self.policy)
        if exchange.operation is not None:
            # A middleware of ours is around.
            is_whole = await Sending(self, exchange, send).run()
        else:
            is_whole = await self._send_alone(exchange, send)
        if is_whole and self.background is not None:
            await self.background()

    async def _send_alone(self, exchange: Exchange, send: Send) -> bool:
        """Sends it where nobody else notes how far it is, ends the watching, and has it outlast what a server cuts."""
        exchange.respond_by(send)
        if exchange.serving.shutdown is not None:
            # One that comes now is turned away.
            exchange.ask(shutdown_why())
        work = Sending(self, exchange, exchange.send).run()
        name = self.cancelable._name() or "response"
        try:
            return await outlasting(work, name, exchange.give_up, exchange.is_detached)
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


def _closing(items: AsyncIterator[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    return aclosing(items)  # type: ignore[type-var]

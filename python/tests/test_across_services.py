"""Three services, one behind the other, two in Rust and the one between them in Python: deadlines and cancels go through all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx

from hother.cancelable import Cancelable, CancelationReason, CancelationToken, OperationStatus
from hother.cancelable._core import DeadlineHeaders
from hother.cancelable.integrations.asgi import RequestCancelationMiddleware
from hother.cancelable.integrations.httpx import CancelableTransport
from support import web
from support.relay import Relay, relay
from support.serving import LIMIT, served, wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GONE = "cancelled, Disconnected: the client has disconnected"


class Middle:
    """The service in Python: it asks the next one, and passes its answer on."""

    def __init__(self, port: int):
        self._url = f"http://127.0.0.1:{port}/work"
        self._deadlines = DeadlineHeaders(own=True)
        self.left: float | None = None
        self.ended = asyncio.Event()
        self.operation: Cancelable | None = None
        self.token: CancelationToken | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.left = self._deadlines.read(scope["headers"])
        assert self.left is not None
        self.token = scope["cancelation_token"]
        try:
            async with Cancelable.with_timeout(self.left) as self.operation:
                async with httpx.AsyncClient(transport=CancelableTransport()) as client:
                    answer = await client.get(self._url, timeout=None)
                await web.answer(send, answer.content, status=answer.status_code)
        finally:
            self.ended.set()


class Three:
    """All three, as they run."""

    def __init__(self, front: Relay, middle: Middle, back: Relay):
        self.front, self.middle, self.back = front, middle, back

    async def begun(self) -> list[float]:
        """The seconds that each had as the request came through."""
        front, back = await self.front.begun(), await self.back.begun()
        assert self.middle.left is not None
        return [front, self.middle.left, back]

    def assert_middle_was_left(self) -> None:
        """That its client went away, and nothing else ended it."""
        token, operation = self.middle.token, self.middle.operation
        assert token is not None
        assert operation is not None
        assert token.reason is CancelationReason.DISCONNECTED
        assert operation.context.status is OperationStatus.CANCELLED
        assert operation.context.cancel_reason is CancelationReason.PARENT

    async def assert_none_is_left(self) -> None:
        """That nobody works for anybody any more."""
        await wait_for(self.middle.ended)
        for service in (self.front, self.back):
            stopped = await web.exchanged(service.port, [web.head("DELETE", "/work")])
            assert stopped.endswith(b"\r\n\r\n0 stopped\n"), stopped


@contextlib.asynccontextmanager
async def three() -> AsyncIterator[Three]:
    async with relay() as back:
        middle = Middle(back.port)
        async with (
            served(RequestCancelationMiddleware(middle)) as port,
            relay("--next", f"http://127.0.0.1:{port}/work", "--timeout", "20s") as front,
        ):
            yield Three(front, middle, back)


async def test_law_x1_each_has_less_time_than_the_one_before_and_a_cancel_of_the_first_ends_all() -> (
    None
):
    async with three() as services, web.connected(services.front.port) as (reader, writer):
        writer.write(web.head("GET", "/work"))
        front, middle, back = await services.begun()
        assert 20 >= front > middle > back > 10

        stopped = await web.exchanged(services.front.port, [web.head("DELETE", "/work")])
        assert stopped.endswith(b"\r\n\r\n1 stopped\n"), stopped
        assert await services.front.line() == "cancelled, Manual: not needed any more"
        assert await services.back.line() == GONE
        async with asyncio.timeout(LIMIT):
            assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        await services.assert_none_is_left()
        services.assert_middle_was_left()


async def test_a_client_that_leaves_the_first_ends_all() -> None:
    async with three() as services:
        async with web.connected(services.front.port) as (_, writer):
            writer.write(web.head("GET", "/work", "X-Cancelable-Timeout-Ms: 15000"))
            front, middle, back = await services.begun()
            assert 15 >= front > middle > back > 5
        assert [await services.front.line(), await services.back.line()] == [GONE, GONE]
        await services.assert_none_is_left()
        services.assert_middle_was_left()


async def test_a_deadline_of_the_client_ends_all() -> None:
    async with three() as services:
        request = web.head("GET", "/work", "X-Cancelable-Timeout-Ms: 400")
        answer = await web.exchanged(services.front.port, [request])
        assert answer.startswith(b"HTTP/1.1 504 "), answer
        front, middle, back = await services.begun()
        assert 0.4 >= front > middle > back
        # Who is first is a race: what is under way takes time of those before alone.
        last = await services.back.line()
        assert last == GONE or last.startswith("cancelled, Timeout: timed out after "), last
        await services.assert_none_is_left()

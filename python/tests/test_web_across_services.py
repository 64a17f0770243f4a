"""Three services, one behind the other, two in Rust and the one between them in Python: deadlines and cancels go through all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI, Response

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    OperationContext,
    OperationStatus,
    current_operation,
)
from hother.cancelable.integrations.fastapi import DeadlineHeaders, RequestCancelationMiddleware
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
        self.operation: Cancelable | None = None
        self.left: float | None = None
        self.over = asyncio.Event()
        self.app = FastAPI()
        self.app.get("/work")(self.work)
        self.app.add_middleware(RequestCancelationMiddleware, deadlines=DeadlineHeaders(own=True))

    async def work(self) -> Response:
        self.operation = current_operation()
        assert self.operation is not None
        self.left = self.operation.remaining()
        self.operation.on_cancel(self._is_over).on_complete(self._is_over)
        async with httpx.AsyncClient(transport=CancelableTransport()) as client:
            answer = await client.get(self._url, timeout=None)
        return Response(answer.content, answer.status_code)

    def _is_over(self, _context: OperationContext) -> None:
        self.over.set()


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
        assert self.middle.operation is not None
        context = self.middle.operation.context
        assert context.status is OperationStatus.CANCELLED
        assert context.cancel_reason is CancelationReason.DISCONNECTED

    async def assert_none_is_left(self) -> None:
        """That nobody works for anybody any more."""
        await wait_for(self.middle.over)
        for service in (self.front, self.back):
            stopped = await web.exchanged(service.port, [web.head("DELETE", "/work")])
            assert stopped.endswith(b"\r\n\r\n0 stopped\n"), stopped


@contextlib.asynccontextmanager
async def three(*arguments: str) -> AsyncIterator[Three]:
    """Starts them, the last one with these arguments."""
    async with relay(*arguments) as back:
        middle = Middle(back.port)
        async with (
            served(middle.app) as port,
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


async def test_where_time_is_up_at_the_last_its_answer_goes_all_the_way() -> None:
    async with three("--timeout", "300ms") as services:
        answer = await web.exchanged(services.front.port, [web.head("GET", "/work")])
        assert answer.startswith(b"HTTP/1.1 504 "), answer
        front, middle, back = await services.begun()
        assert 20 >= front > middle > 0.3 >= back
        assert await services.back.line() == "cancelled, Timeout: timed out after 300ms"
        assert await services.front.line() == "Completed"
        await services.assert_none_is_left()

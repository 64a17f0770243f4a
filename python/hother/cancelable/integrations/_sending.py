"""`Sending`: a streaming response on its way, from its head to its last byte, or to where it is cut."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError, told
from hother.cancelable.core.streams import CLOSE_LIMIT
from hother.cancelable.sources.token import TokenSource
from hother.cancelable.utils.logging import get_logger

from ._breaking import until_asked
from ._requests import OfRequest
from ._turns import Turns

if TYPE_CHECKING:
    from starlette.types import Send

    from ._exchange import Exchange
    from .streaming import CancelableStreamingResponse

_log = get_logger(__name__)


class Sending:
    """How far it is by what has been handed over here, of which a middleware may not have heard yet."""

    def __init__(self, response: CancelableStreamingResponse, exchange: Exchange, send: Send):
        self._response = response
        self._exchange = exchange
        self._send = send
        self._operation = self._entered()
        self._is_of_events = (response.media_type or "").startswith(EVENTS)
        self._is_started = False
        self._is_complete = False
        self._is_opened = False
        self._is_whole = False

    async def run(self) -> bool:
        """Sends it, as far as the operation lets it; whether that is all of it."""
        operation = self._operation
        try:
            async with operation:
                await operation.check_cancelation()
                try:
                    send = self._send_events if self._is_of_events else self._send_all
                    await send()
                except (asyncio.CancelledError, CancelationError) as error:
                    if operation._is_asked() or isinstance(error, CancelationError):
                        await self._say_cancelled()
                    raise
        except CancelationError as error:
            if not self._is_started:
                raise
            if not (self._exchange.is_client_gone or self._is_complete):
                _log.warning("%s was cut off in its response: %s", operation._name(), error)
        finally:
            if not self._is_opened:
                await self._close_unopened()
        why = operation._asked()
        if not self._is_started and why is not None:
            # It lets nothing leave, but the client is to have an answer.
            raise told(why, operation.context)
        return self._is_whole

    def _entered(self) -> Cancelable:
        """What it is sent in: cancelled with the request, too."""
        operation = self._response.cancelable
        if operation.is_running:
            operation = Cancelable(None, operation._name(), operation)
        sources = operation._more.sources
        if not any(isinstance(it, OfRequest) and it.exchange is self._exchange for it in sources):
            sources.append(OfRequest(self._exchange))
            sources.append(TokenSource(self._exchange.token))
        return operation

    async def _send_events(self) -> None:
        """Whoever listens to events is told at once that it is over, and may go elsewhere."""
        with until_asked(self._operation, but_for_a_client_that_left=True):
            await self._send_all()
        if not self._is_whole:
            await self._operation.check_cancelation()

    async def _send_all(self) -> None:
        response = self._response
        head = {"status": response.status_code, "headers": response.raw_headers}
        self._is_started = True
        await self._hand_over({"type": "http.response.start", **head})
        if not response.is_head:
            self._is_opened = True
            await self._send_bodies()
        await self._send_end()
        self._is_whole = True

    async def _send_bodies(self) -> None:
        turns = Turns()
        async with aclosing(self._response.bodies()) as bodies:
            async for body in bodies:
                await self._send_body(body)
                await turns.pass_on()

    async def _send_body(self, body: bytes) -> None:
        await self._hand_over({"type": "http.response.body", "body": body, "more_body": True})

    async def _send_end(self) -> None:
        self._is_complete = True
        await self._hand_over({"type": "http.response.body", "body": b"", "more_body": False})

    async def _hand_over(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError:
            # What some servers raise where nobody is there to send to. What goes on without the client goes on.
            self._exchange.client_left()
            if not self._exchange.policy.goes_on:
                await self._operation.check_cancelation()

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


SAYING_LIMIT = 1.0
"""How long a stream of events may take to hand over that it was cancelled, in seconds: the client may not read any more."""

EVENTS = "text/event-stream"

CANCELLED_EVENT = b"event: cancelled\ndata: Stream cancelled\n\n"

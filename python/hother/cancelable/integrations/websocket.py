"""`CancelableWebSocket`: a client that closes or vanishes cancels the operation, and an operation that is cancelled closes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.sources._watches import InTask
from hother.cancelable.sources.base import CancelationSource

from ._answers import CLIENT_GONE, CLOSE_LIMIT, goodbye, root
from ._breaking import is_client_gone, is_spared, until_asked
from ._reading import ReadAhead
from ._requests import see_to_answers
from ._serving import serving
from ._shutdown import shutdown_why
from ._turns import Turns

try:
    from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "hother.cancelable.integrations.websocket needs Starlette: pip install 'hother-cancelable[fastapi]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hother.cancelable._core import Why
    from hother.cancelable.core.cancelable import Cancelable
    from hother.cancelable.core.models import OperationContext
    from hother.cancelable.sources._hearers import Hearer
    from hother.cancelable.sources._watches import Watch


class CancelableWebSocket:
    """`websocket`, a `WebSocket` of Starlette or FastAPI, for the work of the operation `cancelable`.

    While the operation runs, a client that closes or vanishes cancels it, with reason `DISCONNECTED`, also while nobody
    receives. To notice that, messages are read ahead: up to 64 KiB, beyond which the client is held up and a disconnect is
    seen late. None is lost or changes its place: whoever receives has what a client had sent before it left, and only after the last
    of it the cancel; who awaits something else meanwhile is cancelled there. It can still be received when the operation is over.

    When the operation was asked to stop for another reason, the socket is closed once its body is over: with 1001 (going away)
    for a shutdown or a signal, 1011 (unexpected condition) for a timeout or an error, and 1008 (the one for all else) otherwise.
    The close reason is the message of the cancel, as much as fits, unless that tells of an error. A client that is not accepted yet is refused instead.

    In the body of the operation all methods but `close` raise a plain `CancelledError` once it was asked to stop, but for receiving, as
    said above; in its grace, and in a shield, one may send all the same. Outside of it they do what Starlette's do: after a disconnect, `WebSocketDisconnect`.

        @app.websocket("/chat")
        async def chat(websocket: WebSocket):
            cancel = Cancelable.with_timeout(3600, name="chat")
            socket = CancelableWebSocket(websocket, cancel)
            await socket.accept()
            async with cancel:
                async for text in socket.iter_text():
                    async for token in cancel.stream(model.answer(text)):
                        await socket.send_text(token)
    """

    def __init__(self, websocket: Any, cancelable: Cancelable):
        # A stand-in of a test has what it has.
        if not hasattr(cancelable, "check_cancelation"):
            raise TypeError(f"cancelable must be a Cancelable, got {type(cancelable).__name__}")
        self.websocket = websocket
        self.cancelable = cancelable
        self._turns: Turns | None = None
        self._reading = _reading_of(websocket)
        if self._reading is not None:
            cancelable.add_source(_ClientGone(self._reading, self._is_closed_by_us))
            cancelable.finalizer(self._close_if_asked, timeout=2 * CLOSE_LIMIT)
            see_to_answers(websocket.scope)

    async def accept(self, **kwargs: Any) -> None:
        """Accepts the client; takes what `WebSocket.accept` takes."""
        await self._sending(self.websocket.accept, **kwargs)

    async def send_text(self, data: str) -> None:
        """Sends a text message. One whose sending a cancel interrupts may have been sent, but never in part."""
        await self._sending(self.websocket.send_text, data)

    async def send_bytes(self, data: bytes) -> None:
        """Sends a binary message."""
        await self._sending(self.websocket.send_bytes, data)

    async def send_json(self, data: Any) -> None:
        """Sends `data` as JSON, in a text message."""
        await self._sending(self.websocket.send_json, data)

    async def receive_text(self) -> str:
        """The next message, which is a text. A cancel takes no message away."""
        text: str = await self._receiving(self.websocket.receive_text)
        return text

    async def receive_bytes(self) -> bytes:
        """The next message, which is binary. A cancel takes no message away."""
        data: bytes = await self._receiving(self.websocket.receive_bytes)
        return data

    async def receive_json(self) -> Any:
        """The next message, which is a text, as the value that it is the JSON of."""
        return await self._receiving(self.websocket.receive_json)

    async def iter_text(self) -> AsyncIterator[str]:
        """The messages, until the client is gone."""
        try:
            while True:
                yield await self.receive_text()
        except WebSocketDisconnect:
            pass

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """The same of binary messages."""
        try:
            while True:
                yield await self.receive_bytes()
        except WebSocketDisconnect:
            pass

    async def iter_json(self) -> AsyncIterator[Any]:
        """The same of messages that are JSON."""
        try:
            while True:
                yield await self.receive_json()
        except WebSocketDisconnect:
            pass

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the socket, also where the operation is cancelled; does nothing where it is closed or the client is gone."""
        if self._is_closed_by_us() or (self._reading is not None and self._reading.has_ended):
            return
        with suppress(WebSocketDisconnect), anyio.move_on_after(CLOSE_LIMIT, shield=True):
            await self.websocket.close(code, reason)

    async def _receiving(self, receive: Callable[[], Awaitable[Any]]) -> Any:
        """What comes next, unless the operation is asked to stop before."""
        operation = self.cancelable
        if not operation.is_running or self._has_sent_before_it_left():
            # Of one that is over nobody would catch what is raised.
            return await self._noticing(receive)
        await operation.check_cancelation()
        received: list[Any] = []
        with until_asked(operation):
            received.append(await self._noticing(receive))
        if not received:
            await operation.check_cancelation()
        return received[0]

    async def _sending(
        self, send: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> None:
        """Sends, unless the operation was asked to stop and has no grace to send in."""
        operation = self.cancelable
        if operation.is_running and not (operation._is_asked() and is_spared(operation)):
            await operation.check_cancelation()
        await self._noticing(send, *args, **kwargs)
        if self._turns is None:
            self._turns = Turns()
        await self._turns.pass_on()

    async def _noticing(
        self, does: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> Any:
        """Does it; a client that turns out to be gone cancels the operation."""
        # Asked before: a send that fails has Starlette take the socket for one that we closed.
        was_closed_by_us = self._is_closed_by_us()
        try:
            return await does(*args, **kwargs)
        except WebSocketDisconnect:
            if not was_closed_by_us:
                self.cancelable._fire(_core.Why(CancelationReason.DISCONNECTED, CLIENT_GONE))
                if self.cancelable.is_running:
                    await self.cancelable.check_cancelation()
            raise

    def _has_sent_before_it_left(self) -> bool:
        """Whether there is something of a client that is gone: that was sent in good faith."""
        has_sent = self._reading is not None and self._reading.has_kept
        return has_sent and is_client_gone(self.cancelable)

    async def _close_if_asked(self) -> None:
        why = self.cancelable._asked()
        if why is None:
            return
        began = root(why)
        if began.reason is not CancelationReason.DISCONNECTED:
            await self.close(*goodbye(began.reason, began.message))

    def _is_closed_by_us(self) -> bool:
        state = getattr(self.websocket, "application_state", None)
        return state is WebSocketState.DISCONNECTED


class _ClientGone(CancelationSource):
    """Fires when the client is gone."""

    def __init__(self, reading: ReadAhead, is_closed_by_us: Callable[[], bool]):
        super().__init__(CancelationReason.DISCONNECTED, "websocket")
        self._reading = reading
        self._is_closed_by_us = is_closed_by_us

    def _watch(self, hearer: Hearer) -> Watch:
        return _Watching(self, hearer)

    async def monitor(self) -> str:
        """Reads ahead until it is."""
        await self._reading.until_gone()
        if self._is_closed_by_us():
            # Servers tell of that, too; it is not the client that left.
            await asyncio.get_running_loop().create_future()
        return CLIENT_GONE


class _Watching(InTask):
    """A socket whose operation runs: a shutdown of the server asks it to stop, too."""

    __slots__ = ("_operation", "_serving")

    def __init__(self, source: _ClientGone, hearer: Any):
        self._operation: Cancelable = hearer.operation
        self._serving = serving()
        super().__init__(source, hearer)
        self._serving.exchanges.add(self)
        if self._serving.shutdown is not None:
            self.ask(shutdown_why())

    def ask(self, why: Why) -> None:
        self._operation._fire(why)

    give_up = ask

    def contexts(self) -> list[OperationContext]:
        return [self._operation.context]

    def stop(self) -> None:
        super().stop()
        self._serving.left(self)


def _reading_of(websocket: Any) -> ReadAhead | None:
    """The reader of a socket, which all of its users share, also those that go round this; none for what is no `WebSocket`."""
    if not isinstance(websocket, WebSocket):
        return None
    reading = getattr(websocket._receive, "__self__", None)
    if not isinstance(reading, ReadAhead):
        reading = ReadAhead(websocket._receive)
        websocket._receive = reading.receive
    return reading

"""Handlers of WebSockets, and what they go through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hother.cancelable import Cancelable, CancelationError
from hother.cancelable.integrations.starlette import CancelableWebSocket
from support.serving import SERVERS

both = pytest.mark.parametrize("server", SERVERS)
Handler = Callable[[WebSocket], Awaitable[None]]


def app(handler: Handler) -> Starlette:
    """An application that has one WebSocket."""
    return Starlette(routes=[WebSocketRoute("/", handler)])


class Seen:
    """What a handler went through."""

    def __init__(self) -> None:
        self.operation: Cancelable | None = None
        self.errors: list[BaseException] = []
        self.is_in = asyncio.Event()
        self.is_over = asyncio.Event()
        self.told: list[Any] = []

    async def run(self, websocket: WebSocket, body: Callable[..., Awaitable[None]], cancel=None):
        cancel = cancel or Cancelable(name="socket")
        self.operation = cancel
        socket = CancelableWebSocket(websocket, cancel)
        await socket.accept()
        try:
            async with cancel:
                self.is_in.set()
                try:
                    await body(socket)
                except BaseException as error:
                    self.errors.append(error)
                    raise
        except CancelationError as error:
            self.errors.append(error)
        finally:
            self.is_over.set()


def url(port: int) -> str:
    """Where that WebSocket is."""
    return f"ws://127.0.0.1:{port}/"

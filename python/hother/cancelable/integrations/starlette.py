"""Requests of Starlette as operations, which are cancelled when the client goes away."""

from __future__ import annotations

from ._requests import get_request_token
from ._shutdown import Shutdown, ShutdownReport, shutdown
from ._wrapping import with_cancelation
from .asgi import DeadlineHeaders, RequestCancelationMiddleware, RequestCancellationMiddleware
from .streaming import cancelable_streaming_response
from .websocket import CancelableWebSocket

__all__ = [
    "CancelableWebSocket",
    "DeadlineHeaders",
    "RequestCancelationMiddleware",
    "RequestCancellationMiddleware",
    "Shutdown",
    "ShutdownReport",
    "cancelable_streaming_response",
    "get_request_token",
    "shutdown",
    "with_cancelation",
]

"""Requests of Starlette as operations, which are cancelled when the client goes away."""

from __future__ import annotations

from ._requests import get_request_token
from ._wrapping import with_cancelation
from .asgi import RequestCancelationMiddleware, RequestCancellationMiddleware
from .websocket import CancelableWebSocket

__all__ = [
    "CancelableWebSocket",
    "RequestCancelationMiddleware",
    "RequestCancellationMiddleware",
    "get_request_token",
    "with_cancelation",
]

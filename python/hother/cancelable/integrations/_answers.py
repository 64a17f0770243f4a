"""How a request is answered whose work was cancelled, and a socket closed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from hother.cancelable.core.models import CancelationReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any

    from hother.cancelable._core import Why

    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Answer(NamedTuple):
    """A status, what is said, and after how many seconds to try again, where that makes sense."""

    status: int
    detail: str
    retry_after: int | None = None

    @property
    def headers(self) -> dict[str, str] | None:
        """What goes beside those of the body."""
        return None if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    async def send(self, send: Send) -> None:
        """Sends it, as frameworks send errors: JSON with a `detail`."""
        body = json.dumps({"detail": self.detail}, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if self.retry_after is not None:
            headers.append((b"retry-after", str(self.retry_after).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


CLIENT_GONE = "Client closed connection"

_CLOSE_REASON_LIMIT = 123
"""How many bytes a close frame has room for."""

CLOSE_LIMIT = 5.0
"""How long it may take to hand over that a socket is closed, in seconds: no cancel cuts that short."""

RETRY_AFTER = 1
"""How many seconds a client is told to wait that comes while the server stops."""

NO_TIME = Answer(504, "Request timeout")

SHUTTING_DOWN = Answer(503, "Request cancelled: the server is shutting down", RETRY_AFTER)


def answer(reason: CancelationReason, message: str | None, *, is_of_request: bool) -> Answer:
    """What to say, by the root of the cause. `is_of_request`: whether it was the request's own token that was cancelled."""
    match reason:
        case CancelationReason.TIMEOUT:
            return NO_TIME
        case CancelationReason.DISCONNECTED:
            return Answer(499, CLIENT_GONE)
        case CancelationReason.SIGNAL if is_of_request:
            # What programs call a client that left who cancel the request's token by themselves.
            return Answer(499, CLIENT_GONE)
        case CancelationReason.SHUTDOWN:
            return Answer(503, f"Request cancelled: {message or reason.value}", RETRY_AFTER)
        case _:
            return Answer(503, f"Request cancelled: {message or reason.value}")


def goodbye(reason: CancelationReason, message: str | None) -> tuple[int, str]:
    """The close code, and the close reason, by which the client of a socket is told of a cancel, by the root of the cause."""
    match reason:
        case CancelationReason.SHUTDOWN | CancelationReason.SIGNAL:
            code = 1001
        case CancelationReason.TIMEOUT:
            code = 1011
        case CancelationReason.ERROR | CancelationReason.DROPPED:
            # What went wrong is not for the client to read.
            return 1011, "internal error"
        case _:
            code = 1008
    text = (message or "").encode("utf-8", "replace")[:_CLOSE_REASON_LIMIT]
    return code, text.decode("utf-8", "ignore")


def root(why: Why) -> Why:
    """What it all began with: that of the outermost one, where it was cancelled with a parent."""
    while why.reason is CancelationReason.PARENT and (cause := why.cause) is not None:
        why = cause
    return why

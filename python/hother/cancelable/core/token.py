"""Tokens: what may be cancelled, once, from anywhere, and says why."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from hother.cancelable import _core

from ._model import FACTORY, Model, ModelField
from .exceptions import ManualCancelation
from .models import CancelationReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

_UNSAID = "Operation cancelled via token"


class CancelationToken(Model, _core.Token):
    """A token that is cancelled at most once, says why, and takes with it whatever is linked to it.

    Any thread may cancel it, and so may a signal handler; whoever waits for it is woken at once, on whatever loop. Two tokens
    are equal if they have the same id. A copy, also one that was pickled, has the id and the state that the token had then,
    and is apart from it.

    Attributes:
        id: what it is called; made up when it is asked for, unless it was given.
        is_cancelled: setting it cancels the token, with the `reason` and `message` that were set before. It stays.
        reason: why it was cancelled, as a word to branch on.
        message: what was said then.
        cancelled_at: when that was, in UTC.
    """

    __slots__ = ()

    model_fields: ClassVar[dict[str, ModelField]] = {
        "id": ModelField(FACTORY, str),
        "is_cancelled": ModelField(False, bool),
        "reason": ModelField(None, CancelationReason | None),
        "message": ModelField(None, str | None),
        "cancelled_at": ModelField(None, datetime | None),
    }

    async def cancel(
        self,
        reason: CancelationReason | str = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """Cancel it; whether this was the call that did.

        When it returns, everything linked to it is cancelled, callbacks have run, and async ones that live on this loop are
        done. To cancel the caller itself in the meantime interrupts neither them nor the cancel.

        Args:
            reason: a member of `CancelationReason`. Any other string is the message, for a manual cancel.
            message: what to tell people.
        """
        is_first, started = self._cancel(reason, message)
        for callback in started or ():
            await callback.wait()
        return is_first

    def cancel_sync(
        self,
        reason: CancelationReason | str = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """Cancel it from plain code, on any thread or in a signal handler; whether this was the call that did.

        When it returns, everything linked to it is cancelled and callbacks have been called; what async ones do is begun on
        the loops that they live on.
        """
        return self._cancel_sync(reason, message)

    async def wait_for_cancel(self) -> None:
        """Wait until it is cancelled. This may be given up at any time, and leaves nothing behind."""
        # Where nobody awaits, neither is imported.
        import anyio  # noqa: PLC0415

        if self.is_cancelled:
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        waiting = self._wait(event.set)
        try:
            await event.wait()
        finally:
            waiting.deregister()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until it is cancelled, for `timeout` seconds at most; whether it is. For threads: it blocks."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:
            raise RuntimeError("wait would block the event loop: await wait_for_cancel() there")
        return self._sleep(timeout, threading.current_thread() is threading.main_thread())

    def check(self) -> None:
        """Go on if it is not cancelled.

        Raises:
            ManualCancelation: it is, with the message that was given.
        """
        if self.is_cancelled:
            raise ManualCancelation(self.message or _UNSAID)

    async def check_async(self) -> None:
        """Go on if it is not cancelled. Never waits.

        Raises:
            asyncio.CancelledError: it is, with the message that was given. On trio, which lets nobody else make its own
                exception, `ManualCancelation`.
        """
        if not self.is_cancelled:
            return
        import asyncio  # noqa: PLC0415, as above

        import anyio  # noqa: PLC0415

        message = self.message or _UNSAID
        if issubclass(anyio.get_cancelled_exc_class(), asyncio.CancelledError):
            raise asyncio.CancelledError(message)
        raise ManualCancelation(message)

    def is_cancelation_requested(self) -> bool:
        """Whether it is cancelled."""
        return self.is_cancelled

    def register_callback(
        self, callback: Callable[[CancelationToken], Awaitable[None] | None]
    ) -> Coroutine[Any, Any, None]:
        """Have it called with this token when that is cancelled, once; at once if it is already.

        It is called by whoever cancels, on that thread. What an async one gives to be awaited runs on the loop that registered
        it; if that is closed by then, not at all. One that fails is logged. The token keeps it until the cancel.

        What this returns may be awaited, and need not be.
        """
        self.on_cancel(callback)
        return _core.DONE

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, CancelationToken):
            return NotImplemented
        return self.id == other.id

    def __str__(self) -> str:
        reason = self.reason
        state = f"cancelled={reason and reason.value}" if self.is_cancelled else "active"
        return f"CancelationToken(id={self.id[:8]}, {state})"

    def __repr__(self) -> str:
        reason = self.reason
        said = reason if reason is None else f"CancelationReason.{reason.name}"
        return (
            f"{type(self).__name__}(id={self.id!r}, is_cancelled={self.is_cancelled}, "
            f"reason={said}, message={self.message!r})"
        )

    def _put(self, data: Mapping[str, Any]) -> None:
        if "id" in data:
            self.id = _text("id", data["id"])
        if data.get("reason") is not None:
            self.reason = _reason(data["reason"])
        if data.get("message") is not None:
            self.message = _text("message", data["message"])
        if _flag(data.get("is_cancelled", False)):
            self.is_cancelled = True
        # Last, since the cancel has a time of its own.
        if data.get("cancelled_at") is not None:
            self.cancelled_at = _time(data["cancelled_at"])


CancellationToken = CancelationToken
"""The same class, by the spelling with two l."""


class LinkedCancelationToken(CancelationToken):
    """A token that is cancelled with others, and can be cancelled by itself."""

    __slots__ = ()

    def link(
        self, token: CancelationToken, preserve_reason: bool = False
    ) -> Coroutine[Any, Any, None]:
        """Have this token cancelled when `token` is, at once if it is already.

        A link keeps nobody alive but another linked token, which may hear of a cancel through its own links. Linking in a
        circle is fine, and twice counts once.

        What this returns may be awaited, and need not be.

        Args:
            token: the other.
            preserve_reason: whether this token has the reason and message of the other; else its reason is `PARENT`.
        """
        self._link(token, preserve_reason, isinstance(token, LinkedCancelationToken))
        return _core.DONE


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {type(value).__name__}")
    return value


def _flag(value: Any) -> bool:
    if value not in (True, False):
        raise ValueError(f"is_cancelled must be True or False, got {value!r}")
    return bool(value)


def _reason(value: Any) -> CancelationReason:
    # Whatever is no member is a ValueError.
    return CancelationReason(value)


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError(f"cancelled_at must be a datetime, or one in ISO 8601, got {value!r}")

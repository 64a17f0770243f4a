"""Tokens: what may be cancelled, once, from anywhere, and says why."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
from hother.cancelable import _core

from .exceptions import ManualCancelation
from .models import CancelationReason

_UNSAID = "Operation cancelled via token"


class CancelationToken(_core.Token):
    """A token that is cancelled at most once and says why.

    Any thread may cancel it, and whoever waits for it, on whatever loop, is woken at once.
    """

    __slots__ = ()

    async def cancel(
        self, reason: CancelationReason = CancelationReason.MANUAL, message: str | None = None
    ) -> bool:
        """Cancel it; whether this was the call that did.

        What async callbacks have to do on this loop is done when this returns.
        """
        is_first, started = self._cancel(reason, message)
        for callback in started or ():
            await callback.wait()
        return is_first

    async def wait_for_cancel(self) -> None:
        """Wait until it is cancelled. May be given up at any time, and leaves nothing behind."""
        if self.is_cancelled:
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        waiting = self._wait(event.set)
        try:
            await event.wait()
        finally:
            if waiting is not None:
                waiting.close()

    def check(self) -> None:
        """Go on if it is not cancelled; raises `ManualCancelation` if it is."""
        if self.is_cancelled:
            raise ManualCancelation(self.message or _UNSAID)

    async def check_async(self) -> None:
        """Go on if it is not cancelled; raises what the loop cancels its tasks with if it is."""
        if self.is_cancelled:
            raise anyio.get_cancelled_exc_class()(self.message or _UNSAID)

    def is_cancelation_requested(self) -> bool:
        """Whether it is cancelled."""
        return self.is_cancelled

    async def register_callback(
        self, callback: Callable[["CancelationToken"], Awaitable[None] | None]
    ) -> None:
        """Have it called with this token when that is cancelled; at once if it is already."""
        self._listen(callback)


class LinkedCancelationToken(CancelationToken):
    """A token that is cancelled with others."""

    __slots__ = ()

    async def link(self, token: CancelationToken, preserve_reason: bool = False) -> None:
        """Have this token cancelled when `token` is: as by a parent, or with the reason and message of that."""
        self._link(token, preserve_reason, isinstance(token, LinkedCancelationToken))

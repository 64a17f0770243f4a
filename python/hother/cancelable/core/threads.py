"""Calls that a thread makes for an operation: it is told of a cancel, and not waited for without end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import anyio.to_thread

from hother.cancelable import _core
from hother.cancelable.utils.logging import get_logger

from .cancelable import Cancelable
from .current import current
from .exceptions import CancelationError
from .models import CancelationReason
from .raised import raise_asked
from .token import CancelationToken

if TYPE_CHECKING:
    from collections.abc import Callable

_log = get_logger(__name__)

T = TypeVar("T")

PATIENCE = 5.0
"""How long a thread is waited for after a cancel, in seconds, where the operation has no grace."""


class ThreadCall(Cancelable):
    """What is current in the thread: cancelled with its operation, and where the call alone is given up."""

    __slots__ = ("_claim", "over")

    def __init__(self, operation: Cancelable):
        super().__init__()
        self._begin_call(operation)
        # Whether the thread begins or the caller gives up before that: whoever is first.
        self._claim = threading.Lock()
        self.over = CancelationToken()

    def run(self, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """Calls it, in the thread; not where the caller has given up."""
        if not self._claim.acquire(blocking=False):
            return cast("T", None)
        # The thread runs this in a context of its own.
        current.set(self)
        try:
            return func(*args, **kwargs)
        finally:
            self._end_section()
            self.over.cancel_sync()

    def give_up(self) -> bool:
        """Tells the thread that nobody waits for what it finds; whether it has begun."""
        has_begun = not self._claim.acquire(blocking=False)
        self._cancel(_core.Why(CancelationReason.DROPPED, "the call was given up"), True)
        return has_begun

    def _shown(self) -> Cancelable:
        operation = self._above()
        return operation if isinstance(operation, Cancelable) and operation._is_asked() else self

    def _complete(self) -> None:
        self._end_section()


async def run_in_thread(
    operation: Cancelable, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    """Calls `func` in a thread, and gives what it returns."""
    call = ThreadCall(operation)
    try:
        # Where the caller gave up first it is nobody's, and nothing.
        return await anyio.to_thread.run_sync(call.run, func, args, kwargs, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        if call.give_up():
            await _wait_for(operation, call)
        raise
    except CancelationError:
        # The thread was told and has stopped: in the body that is a cancel like any other.
        if operation._is_asked():
            await raise_asked(operation)
        raise


async def _wait_for(operation: Cancelable, call: ThreadCall) -> None:
    patience = operation._grace_after() or PATIENCE
    patience -= operation._seconds_since_ask()
    try:
        with anyio.move_on_after(max(patience, 0.0), shield=True):
            await call.over.wait_for_cancel()
    except asyncio.CancelledError:
        # Somebody insists, and is not kept waiting: the cancel that brought this here goes on.
        pass
    if not call.over.is_cancelled:
        _log.warning(
            "a thread does not listen to the cancel of operation %s, and is left behind",
            operation.operation_id,
        )
        operation._more.left_behind.append(call.over)

"""The plain `CancelledError` that an operation raises in its own body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import anyio
import anyio.lowlevel

from .exceptions import CancelationError, told

if TYPE_CHECKING:
    from .cancelable import Cancelable

_MARK = "_cancelable_raised_by"


async def raise_asked(operation: Cancelable) -> None:
    """Raises why `operation` was asked to stop. On trio, where only trio raises its `Cancelled`, once the scope is cancelled."""
    # What a handle raises is for the one that runs to catch.
    acting = operation._settle_base()
    operation = acting if acting._is_asked() else operation
    if issubclass(anyio.get_cancelled_exc_class(), asyncio.CancelledError):
        raise_plainly(operation)
    await anyio.lowlevel.checkpoint_if_cancelled()


def raise_plainly(operation: Cancelable) -> NoReturn:
    """The same on asyncio, at once, and whatever runs here."""
    error = asyncio.CancelledError(str(_told(operation)))
    setattr(error, _MARK, operation.operation_id)
    try:
        raise error
    finally:
        # Its traceback has this frame, and through that itself.
        del error


def raise_here(innermost: Cancelable) -> None:
    """Raises why `innermost` was asked, as it fits where this runs. Goes on where that is over."""
    if innermost._current() is None:
        return
    if _is_in_task_of_asyncio():
        raise_plainly(innermost)
    raise _told(innermost._shown())


def is_raised_by(operation: Cancelable, error: BaseException) -> bool:
    """Whether `error` is one that `operation` raised, so that it is its to catch."""
    return getattr(error, _MARK, None) == operation.operation_id


def is_cancel_of_ours(error: BaseException) -> bool:
    """Whether `error` is a `CancelledError` that came from some operation, by its own or as what left it."""
    is_typed = isinstance(error, CancelationError)
    return isinstance(error, asyncio.CancelledError) and (is_typed or hasattr(error, _MARK))


def _told(operation: Cancelable) -> CancelationError:
    why = operation._asked()
    assert why is not None, "it is called for an operation that was asked"
    return told(why, operation.context)


def _is_in_task_of_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False

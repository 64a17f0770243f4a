"""The plain `CancelledError` that an operation raises in its own body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import anyio.lowlevel

from .exceptions import told

if TYPE_CHECKING:
    from .cancelable import Cancelable

_MARK = "_cancelable_raised_by"


async def raise_asked(operation: Cancelable) -> None:
    """Raises why `operation` was asked to stop. On trio, where only trio raises its `Cancelled`, once the scope is cancelled."""
    if issubclass(anyio.get_cancelled_exc_class(), asyncio.CancelledError):
        raise_plainly(operation)
    await anyio.lowlevel.checkpoint_if_cancelled()


def raise_plainly(operation: Cancelable) -> NoReturn:
    """The same on asyncio, at once."""
    why = operation._asked()
    assert why is not None, "it is called for an operation that was asked"
    error = asyncio.CancelledError(str(told(why, operation.context, is_cancelled_error=False)))
    setattr(error, _MARK, operation.operation_id)
    raise error


def is_raised_by(operation: Cancelable, error: BaseException) -> bool:
    """Whether `error` is one of these, so that it is `operation`'s to catch."""
    return getattr(error, _MARK, None) == operation.operation_id

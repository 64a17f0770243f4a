"""From the end of a body to the end of its operation: what is owed is seen to, the status set, and what leaves decided."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

from hother.cancelable import _core

from .callbacks import call_all_at_the_end
from .current import restore
from .exceptions import CancelationError, told
from .models import CancelationReason
from .raised import is_raised_by

if TYPE_CHECKING:
    from .cancelable import Cancelable


async def close(operation: Cancelable, error: BaseException | None) -> bool:
    """Ends `operation`, whose body ended with `error`; whether that goes no further. Raises what leaves in its place."""
    extras = operation._extras
    if extras is not None:
        await extras.stop_sources(operation)
        await extras.close_streams()
    restore(operation._restore)
    try:
        is_caught = bool(
            operation._scope.__exit__(
                type(error) if error else None, error, error.__traceback__ if error else None
            )
        )
    except BaseException as rest:
        # A group of which the scope has taken out its own cancels.
        await _end(operation, rest, is_caught=False)
        raise
    if error is not None and not is_caught and is_raised_by(operation, error):
        is_caught = not _has_foreign_cancel(operation)
    leaves = await _end(operation, error, is_caught)
    if leaves is None:
        return is_caught
    try:
        raise leaves from error
    finally:
        # anyio looks for its own cancels along the contexts, and would take this for one of them.
        leaves.__context__ = None
        del leaves, error


async def _end(
    operation: Cancelable, error: BaseException | None, is_caught: bool
) -> CancelationError | None:
    """Sets the status, tells of it, and gives the error that leaves in place of `error`, if there is one."""
    extras = operation._extras
    why = operation._asked()
    if error is None:
        operation._complete()
        if extras is not None:
            await call_all_at_the_end("complete", extras.on_complete, operation.context)
        return None
    if why is not None:
        operation._end_cancelled(None)
    elif is_caught:
        # Nobody asked, but somebody cancelled the scope, as a source may that drives it by hand.
        why = _core.Why(CancelationReason.MANUAL)
        operation._end_cancelled(why)
    elif isinstance(error, CancelationError):
        operation._end_cancelled(_core.Why(error.reason, error.message))
    elif isinstance(error, anyio.get_cancelled_exc_class()):
        operation._end_cancelled(_core.Why(CancelationReason.MANUAL))
    else:
        operation._end_failed(str(error))
        if extras is not None and isinstance(error, Exception):
            await call_all_at_the_end("error", extras.on_error, operation.context, error)
        return None
    if extras is not None:
        await call_all_at_the_end("cancel", extras.on_cancel, operation.context)
    raises = "cancelled" if extras is None else extras.raises
    if why is None or not is_caught or raises == "suppress":
        return None
    is_cancelled_error = raises == "cancelled" and isinstance(error, asyncio.CancelledError)
    return told(why, operation.context, is_cancelled_error=is_cancelled_error)


def _has_foreign_cancel(operation: Cancelable) -> bool:
    return False

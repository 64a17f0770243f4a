"""From the end of a body to the end of its operation: what is owed is seen to, the status set, and what leaves decided."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

from hother.cancelable import _core

from .callbacks import call_all_at_the_end
from .current import around, restore
from .exceptions import CancelationError, told
from .leaving import leaving
from .models import CancelationReason
from .raised import is_cancel_of_ours, is_raised_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hother.cancelable._core import Why

    from .cancelable import Cancelable


async def close(
    operation: Cancelable,
    error: BaseException | None,
    has_foreign_cancel: Callable[[], bool] | None = None,
) -> bool:
    """Ends `operation`, whose body ended with `error`; whether that goes no further. Raises what leaves in its place.

    Whether somebody else has cancelled the body is for `has_foreign_cancel` to say, where the task that entered it does not.
    """
    extras = operation._extras
    came_up = None
    held: list[Cancelable] = []
    why = operation._asked()
    if extras is not None:
        if error is None and extras.tasks is not None:
            error = await extras.tasks_finish()
            why = operation._asked()
        held = [it for it in around() if it._shield_native()]
        if extras.tasks is not None:
            came_up = await extras.tasks_end(operation, error, why)
        extras.is_closing = True
        await extras.stop_sources(operation)
        await extras.close_streams()
    restore(operation)
    try:
        is_caught = _leave_scope(operation, error, why, has_foreign_cancel)
    except BaseException as rest:  # noqa: BLE001, since it goes on below
        # A group of which the scope has taken out its own cancels.
        error, is_caught = rest, False
        is_rest = True
    else:
        is_rest = False
    if extras is not None:
        if extras.finalizers:
            came_up = await extras.run_finalizers() or came_up
        if error is None and extras.tasks is not None:
            error = extras.tasks.unheard()
            is_rest = error is not None
    leaves = await _end(operation, error, is_caught, why)
    for it in held:
        if it is not operation and it._unshield_native():
            it._deliver_native()
    try:
        if came_up is not None:
            raise came_up
        if is_rest and error is not None:
            raise error
        if leaves is None:
            return is_caught
        raise leaves from error
    finally:
        if leaves is not None:
            # anyio looks for its own cancels along the contexts, and would take this for one of them.
            leaves.__context__ = None
        del leaves, error, came_up


async def close_elsewhere(
    operation: Cancelable, error: BaseException | None, *, is_stranded: bool
) -> bool:
    """Says that the operation is left in another task than the one that entered it, or in none.

    That one may still leave it, unless it is over: then the operation `is_stranded`, and ends here, but for its scope. A
    coroutine that is closed outside of its task can await nothing: what would have to be is skipped, and said to be.
    """
    extras, why = operation._extras, operation._asked()
    is_dropped = isinstance(error, GeneratorExit)
    if is_dropped or is_stranded:
        restore(operation)
        # The scope stays open where it was entered, and is not to be cancelled there by what ends the operation here.
        operation._leave_behind()
    if is_dropped:
        if extras is not None:
            extras.skip_all()
        operation._end_cancelled(_core.Why(CancelationReason.DROPPED))
        return False
    wrong = RuntimeError(
        f"operation {operation._called()} was entered in another task than the one that leaves it; leave it where it was entered"
    )
    if is_stranded:
        if extras is not None:
            if extras.tasks is not None:
                extras.tasks.cancel_all()
                await extras.tasks_end(operation, wrong, why or _core.Why(CancelationReason.ERROR))
            await extras.stop_sources(operation)
            await extras.close_streams()
            await extras.run_finalizers()
        await _end(operation, error or wrong, is_caught=False, why=why)
    try:
        raise wrong from error
    finally:
        del wrong, error


def _leave_scope(
    operation: Cancelable,
    error: BaseException | None,
    why: Why | None,
    has_foreign_cancel: Callable[[], bool] | None,
) -> bool:
    """Leaves the scope of the body; whether `error` is its own cancel, and none of somebody else."""
    if isinstance(operation._scope, str):
        # Where the task was hit, any cancel of the body is taken for that one, as `asyncio.timeout` does.
        is_caught = why is not None and not operation._is_native_quiet() and _is_cancel(error)
        operation._leave_native()
    elif error is None:
        is_caught = operation._scope.__exit__(None, None, None)
    else:
        is_caught = bool(operation._scope.__exit__(type(error), error, error.__traceback__))
    if error is None or (has_foreign_cancel or operation._has_foreign_cancel)():
        return False
    return is_caught or _is_own(operation, error, why)


def _is_own(operation: Cancelable, error: BaseException, why: Why | None) -> bool:
    """Whether a cancel that some operation raised by itself is this one's to answer for."""
    if is_raised_by(operation, error):
        return not operation._is_asked_from_around()
    return why is not None and is_cancel_of_ours(error) and not operation._is_asked_from_around()


async def _end(
    operation: Cancelable, error: BaseException | None, is_caught: bool, why: Why | None
) -> CancelationError | None:
    """Sets the status, tells of it, and gives the error that leaves in place of `error`, if there is one."""
    if error is None:
        await _settle(operation, "complete", None, operation._complete)
        return None
    otherwise: Why | None = None
    if why is not None:
        pass
    elif is_caught:
        # Nobody asked, but somebody cancelled the scope, as a source may that drives it by hand.
        otherwise = why = _core.Why(CancelationReason.MANUAL)
    elif isinstance(error, CancelationError):
        otherwise = _core.Why(error.reason, error.message)
    elif _is_cancel(error):
        otherwise = _core.Why(CancelationReason.MANUAL)
    elif isinstance(error, GeneratorExit):
        # Nobody goes on with the generator that the operation is in.
        otherwise = _core.Why(CancelationReason.DROPPED)
    else:
        told_of = error if isinstance(error, Exception) else None
        text = said_by(error)
        await _settle(operation, "error", told_of, lambda: operation._end_failed(text))
        return None
    await _settle(operation, "cancel", None, lambda: operation._end_cancelled(otherwise))
    extras = operation._extras
    raises = "cancelled" if extras is None else extras.raises
    if not is_caught or raises == "suppress" or why is None:
        return None
    leaves = told(why, operation.context)
    is_cancelled_error = raises == "cancelled" and isinstance(error, asyncio.CancelledError)
    return leaving(leaves) if is_cancelled_error else leaves


async def _settle(
    operation: Cancelable, what: str, error: Exception | None, set_status: Callable[[], None]
) -> None:
    """Sets the status and calls whom it concerns; later, where a thread was left behind: it has not ended before that has."""
    extras = operation._extras
    if extras is None:
        set_status()
        return
    if extras.has_left_behind():
        extras.when_all_ended(operation, lambda: _settled(operation, what, error, set_status))
        operation._leave_behind()
    else:
        await _settled(operation, what, error, set_status)


def _settled(
    operation: Cancelable, what: str, error: Exception | None, set_status: Callable[[], None]
) -> Awaitable[None]:
    # The status at once, also where no loop is left for the callbacks.
    set_status()
    extras = operation._more
    callbacks = {
        "complete": extras.on_complete,
        "cancel": extras.on_cancel,
        "error": extras.on_error,
    }[what]
    if what != "error":
        return call_all_at_the_end(what, callbacks, operation.context)
    return call_all_at_the_end(what, callbacks if error else (), operation.context, error)


def said_by(error: BaseException) -> str:
    """What `error` says of itself."""
    try:
        return str(error)
    except Exception as again:  # noqa: BLE001, since an error that cannot say what is wrong still ends the operation
        return f"{type(error).__name__}, whose text could not be made: {type(again).__name__}"


def _is_cancel(error: BaseException | None) -> bool:
    return isinstance(error, asyncio.CancelledError) or (
        error is not None and isinstance(error, anyio.get_cancelled_exc_class())
    )

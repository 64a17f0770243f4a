"""An operation around an async generator's steps: nothing of it is open while the generator is not at work.

A scope that is held open across a `yield` is entered in one step and left in another, which may be another task's. So each
step has a scope of its own, and the operation a gate that passes a cancel on to whichever is open.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from anyio import CancelScope

from hother.cancelable import _core

from .closing import close, close_elsewhere
from .current import current, put_back
from .models import CancelationReason
from .registry import OperationRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from .cancelable import Cancelable

T = TypeVar("T")


async def stepwise(
    operation: Cancelable, open_source: Callable[[], AsyncIterator[T]]
) -> AsyncGenerator[T, Any]:
    """The items of what `open_source` gives, which is called and asked in `operation`.

    The operation begins with the first step. It ends with the source, when it is cancelled, or when nobody wants more:
    then as `DROPPED`.
    """
    gate = _Gate()
    registry = OperationRegistry._native if operation._is_registered else None
    operation._enter(gate, current.get(), registry, is_stepwise=True)
    operation._scope = cast("CancelScope", gate)
    error: BaseException | None = None
    try:
        source = await gate.step(operation, lambda: _begin(operation, open_source))
        while True:
            try:
                item = await gate.step(operation, source.__anext__)
            except StopAsyncIteration:
                break
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as thrown:  # noqa: BLE001, since it is for the source, where that takes errors
                _pass_on(source, "athrow", thrown)
            else:
                if sent is not None:
                    _pass_on(source, "asend", sent)
        extras = operation._extras
        if extras is not None and extras.tasks is not None:
            # As a step, so that a cancel that comes meanwhile is one of the body.
            await gate.step(operation, extras.tasks.all_ended)
    except _CaughtError as caught:
        # On trio, only trio makes its `Cancelled`, and what leaves is none.
        is_asyncio = issubclass(anyio.get_cancelled_exc_class(), asyncio.CancelledError)
        error = asyncio.CancelledError() if is_asyncio else caught
    except GeneratorExit as left:
        operation._fire(_core.Why(CancelationReason.DROPPED, "nobody wanted more of it"))
        error = left
    except BaseException as raised:  # noqa: BLE001, since it goes on once the operation has ended
        error = raised
    operation._restore = current.set(operation)
    try:
        if gate.is_left_open:
            await close_elsewhere(operation, error, is_stranded=False)
            is_caught = False
        else:
            is_caught = await close(operation, error, gate.has_foreign_cancel)
        if error is not None and not is_caught:
            raise error
    finally:
        # Its traceback has this frame, and through that itself.
        del error


def _pass_on(source: Any, how: str, what: Any) -> None:
    """Has the next step hand `what` to the source, where that is a generator; else an error goes on from here."""
    take = getattr(source.source, how, None) if isinstance(source, _core.Stream) else None
    if take is not None:
        source._ask_by(partial(take, what))
    elif how == "athrow":
        raise what


async def _begin(operation: Cancelable, open_source: Callable[[], AsyncIterator[T]]) -> Any:
    if operation._extras is not None:
        await operation._extras.begin(operation)
    if operation._is_asked():
        await operation.check_cancelation()
    return open_source()


class _CaughtError(Exception):
    """A step was cancelled by its operation."""


class _Gate:
    """Stands where an operation has its scope: it passes a cancel on to the step that is open, and to those that come."""

    __slots__ = (
        "_cancels_before",
        "_has_caught",
        "_is_cancelled",
        "_open",
        "_reason",
        "is_left_open",
    )

    def __init__(self) -> None:
        self._open: CancelScope | None = None
        self._is_cancelled = False
        self._reason: str | None = None
        self._has_caught = False
        self._cancels_before = 0
        # Whether a step was dropped outside of its task, where its scope cannot be left, and nothing be awaited.
        self.is_left_open = False

    def cancel(self, reason: str | None = None) -> None:
        """Called once, on the loop's thread."""
        self._is_cancelled, self._reason = True, reason
        if self._open is not None:
            self._open.cancel(reason)

    def __enter__(self) -> None:
        """Nothing is opened before the first step."""

    def __exit__(self, *_raised: object) -> bool:
        return self._has_caught

    async def step(self, operation: Cancelable, call: Callable[[], Awaitable[T]]) -> T:
        """Awaits what `call` gives, as a part of `operation`."""
        before = current.set(operation)
        self._cancels_before = _cancels()
        is_dropped = False
        try:
            with CancelScope() as self._open:
                if self._is_cancelled:
                    self._open.cancel(self._reason)
                try:
                    return await call()
                except GeneratorExit:
                    is_dropped = True
                    raise
        except RuntimeError:
            if not is_dropped:
                raise
            self.is_left_open = True
            raise GeneratorExit from None
        finally:
            self._open = None
            put_back(operation, before)
        self._has_caught = True
        raise _CaughtError

    def has_foreign_cancel(self) -> bool:
        """Whether somebody else has cancelled the task of the last step since that began."""
        return _cancels() > self._cancels_before


def _cancels() -> int:
    """How often the task that runs here was cancelled; trio does not count that."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0
    return 0 if task is None else task.cancelling()

"""Which operation is current, and whether work that knows no more than that is to stop."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cancelable import Cancelable

current: ContextVar[Cancelable | None] = ContextVar("hother.cancelable.current", default=None)
"""The innermost that was entered: an operation, a shielded section of one, or a call that a thread makes for one."""


def current_operation() -> Cancelable | None:
    """The innermost operation that runs: in its body, and in the tasks and threads that were started there."""
    operation = current.get()
    return None if operation is None else operation._current()


def checkpoint() -> None:
    """Goes on if the current operation was not asked to stop, and where there is none: for loops that compute.

    Raises a plain `CancelledError` in a task of asyncio. In a thread, and on trio, whose own `Cancelled` is trio's alone to
    raise, it raises the `CancelationError` that says why. Inside a shield it goes on.
    """
    operation = current.get()
    if operation is not None and operation._is_asked():
        from .raised import raise_here  # noqa: PLC0415, since that needs this

        raise_here(operation)


def around() -> list[Cancelable]:
    """Everything that was entered around this, innermost first, whether a cancel of it is one of what is inside or not."""
    found: list[Cancelable] = []
    entered = current.get()
    while entered is not None:
        found.append(entered)
        before = getattr(entered, "_restore", None)
        entered = None if before is None or before.old_value is Token.MISSING else before.old_value
    return found


def section_of(operation: Cancelable) -> Cancelable | None:
    """The innermost shielded section that what runs here is in, of `operation` or of one inside of it."""
    above, section = current.get(), None
    while above is not None and above is not operation:
        if section is None and above._is_shield:
            section = above
        above = above._above()
    return None if above is None else section


def is_shielded(operation: Cancelable) -> bool:
    """Whether what runs here is in a shielded section of `operation`, or of one inside of it."""
    return section_of(operation) is not None


def restore(operation: Cancelable) -> None:
    """Makes that current which was so before `operation` was entered."""
    put_back(operation, operation._restore)


def put_back(operation: Cancelable, before: Token[Cancelable | None]) -> None:
    """Makes that current which was so `before`, where `operation` became so."""
    try:
        current.reset(before)
    except ValueError:
        # Left in another context than it was entered in, as a fixture's generator may be, or one that the collector closes in the
        # midst of something else: then what is current here stays so.
        if current.get() is operation:
            current.set(None if before.old_value is Token.MISSING else before.old_value)

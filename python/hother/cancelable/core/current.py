"""Which operation is current."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cancelable import Cancelable

current: ContextVar[Cancelable | None] = ContextVar("hother.cancelable.current", default=None)


def current_operation() -> Cancelable | None:
    """The innermost operation that runs: in its body, and in the tasks and threads that were started there."""
    operation = current.get()
    return operation if operation is None or operation._is_at_work() else None


def restore(token: Token[Cancelable | None]) -> None:
    """Makes that operation current which was before."""
    try:
        current.reset(token)
    except ValueError:
        # Left in another context than it was entered in, as a fixture's generator may be: nothing is current there.
        current.set(None if token.old_value is Token.MISSING else token.old_value)

"""What leaves the `async with` of an operation that was cancelled: errors of the public kinds that are `CancelledError`s too."""

from __future__ import annotations

import asyncio

from .exceptions import (
    CancelationError,
    ConditionCancelation,
    ManualCancelation,
    ParentCancelation,
    SignalCancelation,
    TimeoutCancelation,
    revived,
)


def leaving(error: CancelationError) -> CancelationError:
    """The same error as a `CancelledError`, too."""
    return revived(_LEAVING[type(error)], error.args, error.__dict__)


def _also_cancelled(kind: type[CancelationError]) -> type[CancelationError]:
    # Programs, logs and tracebacks see it by the name that is documented.
    shown = {"__doc__": kind.__doc__, "__module__": kind.__module__, "_is_leaving": True}
    return type(kind.__name__, (kind, asyncio.CancelledError), shown)


_LEAVING = {
    kind: _also_cancelled(kind)
    for kind in (
        CancelationError,
        TimeoutCancelation,
        ManualCancelation,
        SignalCancelation,
        ConditionCancelation,
        ParentCancelation,
    )
}

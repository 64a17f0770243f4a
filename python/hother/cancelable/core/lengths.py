"""Lengths of time, as programs give them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from .models import CancelationReason

if TYPE_CHECKING:
    from hother.cancelable._core import Operation


def seconds(what: str, given: float | timedelta) -> float:
    """A length of time as seconds; `what` is what errors call it."""
    try:
        if (type(given) is float or type(given) is int) and given > 0:
            # What nearly all of them are.
            return float(given)
        length = given.total_seconds() if isinstance(given, timedelta) else given
        if isinstance(length, bool) or not isinstance(length, int | float):
            raise TypeError(
                f"{what} must be a number of seconds or a timedelta, got {type(given).__name__}"
            )
        if not length > 0:
            raise ValueError(f"{what} must be positive, got {length}")
        return float(length)
    except OverflowError:
        # An integer that is as good as never.
        return math.inf


Grace: TypeAlias = "float | timedelta | Mapping[CancelationReason, float | timedelta]"
"""A length of time after any ask, or one for each of some reasons; for `PARENT` it goes by what that began with."""


def give_grace(operation: Operation, grace: Grace) -> None:
    """Notes what `grace=` says."""
    if not isinstance(grace, Mapping):
        operation._set_grace(seconds("Grace", grace))
        return
    for reason, length in grace.items():
        if not isinstance(reason, CancelationReason):
            raise TypeError(
                f"grace must map members of CancelationReason to seconds, got {reason!r} among them"
            )
        if reason is CancelationReason.PARENT:
            raise ValueError(
                "grace for PARENT goes by what the parent was cancelled for: map that reason"
            )
        operation._set_grace(seconds("Grace", length), reason)

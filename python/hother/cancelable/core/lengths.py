"""Lengths of time, as programs give them."""

from __future__ import annotations

import math
from datetime import timedelta


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

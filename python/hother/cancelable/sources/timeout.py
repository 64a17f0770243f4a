"""`TimeoutSource`, a time limit as a source."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from hother.cancelable import _core
from hother.cancelable.core.lengths import seconds
from hother.cancelable.core.models import CancelationReason

from ._hearers import OfScope
from ._watches import Watch
from .base import CancelationSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._hearers import Hearer


class TimeoutSource(CancelationSource):
    """Fires `timeout` seconds after it was started, which an operation does at its own start. No task waits for that."""

    def __init__(self, timeout: float | timedelta, name: str | None = None):
        super().__init__(CancelationReason.TIMEOUT, name)
        self._own_name = name
        limit = seconds("Timeout", timeout)
        self.timeout: float = limit if isinstance(timeout, timedelta) else timeout

    def _watch(self, hearer: Hearer) -> Watch:
        return _Limit(self, hearer)


class _Limit(Watch):
    __slots__ = ("_restore", "_timer", "_why")

    def __init__(self, source: TimeoutSource, hearer: Hearer):
        super().__init__(source, hearer)
        at = anyio.current_time() + source.timeout
        self.deadline = at
        self._why = _core.Why.timeout(source.timeout, source._own_name)
        self._timer = _core.call_at(at, self._ring)
        self._restore: Callable[[], None] | None = None
        if isinstance(hearer, OfScope) and not hearer.is_deaf():
            self._restore = hearer.limit(at)

    def _ring(self) -> None:
        if not self._note_if_over():
            self.fire(self._why)

    def _note_if_over(self) -> bool:
        """Has it be known that the deadline has cancelled the scope before the timer went off, if it has; whether that is so."""
        hearer = self.hearer
        is_over = isinstance(hearer, OfScope) and hearer.is_timed_out()
        if is_over and not self.has_fired:
            self.has_fired = True
            self.note(self._why)
        return is_over

    def stop(self) -> None:
        super().stop()
        self._timer.close()
        if self._restore is not None:
            if self.deadline is not None and anyio.current_time() >= self.deadline:
                self._note_if_over()
            self._restore()
            self._restore = None

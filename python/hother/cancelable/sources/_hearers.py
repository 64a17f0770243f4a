"""Who hears of a source that fires: an operation, or a scope that the program holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from anyio import CancelScope

from hother.cancelable.utils.logging import get_logger

from ._jobs import Ending, ended
from ._watches import ByHand, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from hother.cancelable._core import Why
    from hother.cancelable.core.cancelable import Cancelable

    from .base import CancelationSource

_log = get_logger(__name__)


class Hearer(Protocol):
    """Who hears of a source that fires."""

    scope: CancelScope
    """What a source of the program's own is started with."""

    def is_deaf(self) -> bool:
        """Whether it makes no difference any more what fires."""

    def hear(self, watch: Watch, why: Why) -> None:
        """A source fired."""

    def foresee(self) -> None:
        """What is known of deadlines has changed."""

    def failed(self, source: CancelationSource, error: Exception) -> None:
        """A source could not be started."""


class OfOperation:
    """A run of an operation."""

    __slots__ = ("_failure", "_is_over", "_is_starting", "_left", "_watches", "operation", "scope")

    def __init__(self, operation: Cancelable):
        self.operation = operation
        own = operation._scope
        # One without a scope is cancelled by the source alone.
        self.scope = CancelScope() if isinstance(own, str) else own
        self._watches: list[Watch] = []
        self._left: list[Ending] = []
        self._is_over = False
        self._is_starting = True
        self._failure: Exception | None = None

    def begin(self, source: CancelationSource) -> None:
        """Has it be watched."""
        self._watches.append(source._begin(self))
        self.foresee()

    async def begun(self) -> None:
        """Waits until those sources are started that take their time, and raises what the first that failed raised."""
        for watch in self._watches:
            if isinstance(watch, ByHand):
                await watch.is_started.wait()
            if self._failure is not None:
                raise self._failure
        self._is_starting = False

    async def stop(self) -> None:
        """Stops all of them, the last one first, and waits for what is left of them."""
        if not self.stops_at_once():
            await ended(self._left)

    def stops_at_once(self) -> bool:
        """Begins that; whether nothing is left of them to be waited for."""
        self._is_over = True
        while self._watches:
            watch = self._watches.pop()
            watch.stop()
            self._left.extend(watch.jobs())
        return not self._left

    def is_deaf(self) -> bool:
        return self._is_over or self.operation._is_asked()

    def hear(self, watch: Watch, why: Why) -> None:
        if not self._is_over:
            self.operation._fire(why)

    def foresee(self) -> None:
        known = [watch.deadline for watch in self._watches if watch.deadline is not None]
        self.operation._foresee(min(known, default=None))

    def failed(self, source: CancelationSource, error: Exception) -> None:
        if self._is_starting:
            self._failure = self._failure or error
        else:
            log_failed(source, error)


class OfScope:
    """A scope that the program holds, and drives a source on by hand."""

    __slots__ = ("_limit", "scope")

    def __init__(self, scope: CancelScope):
        self.scope = scope
        self._limit: float | None = None

    def is_deaf(self) -> bool:
        return self.scope.cancel_called

    def hear(self, watch: Watch, why: Why) -> None:
        self.scope.cancel()

    def limit(self, at: float) -> Callable[[], None]:
        """Has its deadline be just after this moment: when it is up, the source has been heard. What takes that back."""
        scope, before, ours = self.scope, self.scope.deadline, math.nextafter(at, math.inf)
        if before <= ours:
            return lambda: None

        def restore() -> None:
            if scope.deadline == ours:
                scope.deadline = before

        self._limit = scope.deadline = ours
        return restore

    def is_timed_out(self) -> bool:
        """Whether it was cancelled by that deadline, once that is over: it may be before anybody is called."""
        return self.scope.cancel_called and self.scope.deadline == self._limit

    def foresee(self) -> None:
        pass

    def failed(self, source: CancelationSource, error: Exception) -> None:
        log_failed(source, error)


def log_failed(source: CancelationSource, error: Exception) -> None:
    """Says that a source could not be started, and that the others go on without it."""
    _log.error("%s failed to start, and does not fire", source.name, exc_info=error)

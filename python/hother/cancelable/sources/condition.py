"""`ConditionSource`, something that is asked again and again; and `ResourceConditionSource`, by which the machine is."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import anyio

from hother.cancelable import _core
from hother.cancelable.core.lengths import seconds
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.utils.logging import get_logger

from ._threads import call_in_thread
from .base import CancelationSource

if TYPE_CHECKING:
    from hother.cancelable._core import Why

_log = get_logger(__name__)

OnError = Callable[[Exception], Awaitable[None] | None]


class ConditionSource(CancelationSource):
    """Fires once `condition` answers true. It is asked at once, and `check_interval` seconds after each answer.

    One that is no coroutine function is called on a thread, so that it may block; what it returns is awaited, if it can be. One
    that raises is logged, counted in `failures`, told to `on_error`, and asked again.
    """

    def __init__(
        self,
        condition: Callable[[], bool | Awaitable[bool]],
        check_interval: float = 0.1,
        condition_name: str | None = None,
        name: str | None = None,
        *,
        on_error: OnError | None = None,
    ):
        if not callable(condition):
            raise TypeError(
                f"condition must be a function without arguments, got {type(condition).__name__}"
            )
        super().__init__(CancelationReason.CONDITION, name)
        seconds("Check interval", check_interval)
        self.condition = condition
        self.check_interval = check_interval
        self.condition_name = condition_name or str(getattr(condition, "__name__", "condition"))
        self.on_error = on_error
        self.checks = 0
        """How often it was asked, since it was started last."""
        self.failures = 0
        """How often it raised instead of answering."""

    async def _monitored(self) -> Why:
        self.checks = 0
        while not await self._is_met():  # noqa: ASYNC110, since it is what there is to wait for
            await anyio.sleep(self.check_interval)
        message = (
            f"Condition '{self.condition_name}' met after {self.checks} checks{self._details()}"
        )
        return _core.Why.condition(self.condition_name, message)

    async def _is_met(self) -> bool:
        self.checks += 1
        try:
            if _is_async(self.condition):
                answer: Any = self.condition()
            else:
                answer = await call_in_thread(self._ask)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001, since whatever it raises is its own affair
            self.failures += 1
            _log.exception("condition '%s' failed, and is asked again", self.condition_name)
            await self._tell(error)
            return False

    def _ask(self) -> Any:
        answer = self.condition()
        # What tells true from false may block as well.
        return answer if inspect.isawaitable(answer) else bool(answer)

    async def _tell(self, error: Exception) -> None:
        if self.on_error is None:
            return
        try:
            given = self.on_error(error)
            if inspect.isawaitable(given):
                await given
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("on_error of condition '%s' failed", self.condition_name)

    def _details(self) -> str:
        return ""


class ResourceConditionSource(ConditionSource):
    """Fires once the machine is fuller than it may be: a threshold is a percentage, and is exceeded by more than that.

    `memory_threshold` is about the share of memory that no program could be given any more, `cpu_threshold` about the use of all
    processors together since the check before, `disk_threshold` about the file system on which `disk_path` is. With
    `sustained_seconds` one has to be exceeded for as long as that, at every check in between. Each threshold has a longer name,
    too, such as `memory_percent_threshold`.
    """

    def __init__(
        self,
        memory_threshold: float | None = None,
        cpu_threshold: float | None = None,
        disk_threshold: float | None = None,
        check_interval: float = 5.0,
        name: str | None = None,
        *,
        disk_path: str | PathLike[str] = "/",
        sustained_seconds: float = 0.0,
        memory_percent_threshold: float | None = None,
        cpu_percent_threshold: float | None = None,
        disk_percent_threshold: float | None = None,
        on_error: OnError | None = None,
    ):
        self.memory_threshold = _percent("memory", memory_threshold, memory_percent_threshold)
        self.cpu_threshold = _percent("cpu", cpu_threshold, cpu_percent_threshold)
        self.disk_threshold = _percent("disk", disk_threshold, disk_percent_threshold)
        self.disk_path = fspath(disk_path)
        self.sustained_seconds = _length("sustained_seconds", sustained_seconds)
        watched = {
            "memory": self.memory_threshold,
            "cpu": self.cpu_threshold,
            "disk": self.disk_threshold,
        }
        # As ever, nothing is asked of what has no threshold, or zero.
        self._watched = {what: percent for what, percent in watched.items() if percent}
        self._exceeded_since: dict[str, float] = {}
        self._found = ""
        self._machine = _core.Machine(
            "memory" in self._watched,
            "cpu" in self._watched,
            self.disk_path if "disk" in self._watched else None,
        )
        shown = ", ".join(f"{what}>{percent}%" for what, percent in self._watched.items())
        super().__init__(
            self._is_too_full,
            check_interval,
            f"resource_check({shown})",
            name or "resource_monitor",
            on_error=on_error,
        )

    async def _monitored(self) -> Why:
        self._exceeded_since.clear()
        return await super()._monitored()

    def _is_too_full(self) -> bool:
        reading = dict(zip(("memory", "cpu", "disk"), self._machine.read(), strict=True))
        now = time.monotonic()
        for what, percent in self._watched.items():
            value = reading[what]
            if value is None:
                continue
            if value <= percent:
                self._exceeded_since.pop(what, None)
                continue
            if now - self._exceeded_since.setdefault(what, now) >= self.sustained_seconds:
                self._found = f": {what} is at {value:.1f}%"
                return True
        return False

    def _details(self) -> str:
        return self._found


def _is_async(called: Any) -> bool:
    """Whether calling it gives a coroutine, and does nothing else."""
    while isinstance(called, functools.partial):
        called = called.func
    is_coroutine_function = inspect.iscoroutinefunction
    return is_coroutine_function(called) or is_coroutine_function(type(called).__call__)


def _percent(what: str, given: float | None, longer: float | None) -> float | None:
    if given is not None and longer is not None:
        raise TypeError(
            f"{what}_threshold and {what}_percent_threshold are the same: give one of them"
        )
    percent = longer if given is None else given
    if percent is not None and not 0 <= _number(f"{what}_threshold", percent) <= 100:
        raise ValueError(f"{what}_threshold must be a percentage from 0 to 100, got {percent}")
    return percent


def _length(what: str, given: float) -> float:
    if not 0 <= _number(what, given) < float("inf"):
        raise ValueError(f"{what} must be a number of seconds, zero or more, got {given}")
    return given


def _number(what: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{what} must be a number, got {type(given).__name__}")
    return given

"""A source at work: from the moment on that somebody listens, to the moment that it is stopped."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import anyio

from hother.cancelable.utils.logging import get_logger

from ._jobs import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hother.cancelable._core import Why

    from ._hearers import Hearer
    from ._jobs import Ending
    from .base import CancelationSource

_log = get_logger(__name__)


class Watch:
    """One source that is watched for one that hears of it."""

    __slots__ = ("__weakref__", "_owed", "deadline", "has_fired", "hearer", "source")

    def __init__(self, source: CancelationSource, hearer: Hearer):
        self.source = source
        self.hearer = hearer
        self.has_fired = False
        self.deadline: float | None = None
        """When it fires at the latest, by the loop's clock, as far as is known."""
        self._owed: list[Job] = []
        source._watches.append(self)

    def is_deaf(self) -> bool:
        """Whether it makes no difference any more if the source fires."""
        return self.has_fired or self.hearer.is_deaf()

    def fire(self, why: Why) -> None:
        """Tells of it, once. Where the source's callback wants to be awaited, a task sees to that."""
        if not self.is_deaf():
            self.note(why)
            self.pass_on(why)

    def note(self, why: Why) -> None:
        """Has the source know that it fired."""
        given = self.source._note(why)
        if given is not None:
            name = f"callback of {self.source.name}"
            job = Job(lambda: given, name)
            self._owed.append(job)
            job.start()

    def pass_on(self, why: Why) -> None:
        """Has the hearer know."""
        self.has_fired = True
        self.hearer.hear(self, why)

    def stop(self) -> None:
        """Begins to end it. Nothing is heard of it from here on."""
        with suppress(ValueError):
            self.source._watches.remove(self)

    def jobs(self) -> Iterator[Ending]:
        """What has to be over before it has ended."""
        yield from self._owed


class InTask(Watch):
    """One whose source is watched by a task."""

    __slots__ = ("_job",)

    def __init__(self, source: CancelationSource, hearer: Hearer):
        super().__init__(source, hearer)
        self._job = Job(self._run, f"source {source.name}")
        self._job.start()

    async def _run(self) -> None:
        self.fire(await self.source._monitored())

    def stop(self) -> None:
        super().stop()
        self._job.stop()

    def jobs(self) -> Iterator[Ending]:
        yield self._job
        yield from super().jobs()


class ByHand(Watch):
    """One whose source starts and stops by methods of its own.

    Both are called in one task, so that the source may hold a task group open meanwhile.
    """

    __slots__ = ("_is_asked", "_job", "is_started")

    def __init__(self, source: CancelationSource, hearer: Hearer):
        super().__init__(source, hearer)
        self.is_started = anyio.Event()
        self._is_asked = anyio.Event()
        self._job = Job(self._run, f"source {source.name}")
        self._job.start()

    async def _run(self) -> None:
        source = self.source
        driven.set((source, self.hearer))
        try:
            await source.start_monitoring(self.hearer.scope)
            self.is_started.set()
            await self._is_asked.wait()
        except Exception as error:  # noqa: BLE001, since whatever it raises is its own affair
            self.hearer.failed(source, error)
        finally:
            self.is_started.set()
            await self._end(source)

    async def _end(self, source: CancelationSource) -> None:
        try:
            await source.stop_monitoring()
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("%s failed to stop", source.name)
        finally:
            for watch in source._driven_for(self.hearer):
                watch.stop()

    def stop(self) -> None:
        super().stop()
        self._is_asked.set()
        if not self.is_started.is_set():
            self._job.stop()

    def jobs(self) -> Iterator[Ending]:
        yield self._job
        yield from super().jobs()


driven: ContextVar[tuple[CancelationSource, Hearer] | None] = ContextVar(
    "hother.cancelable.driven", default=None
)
"""Which source the task of a `ByHand` drives, and for whom."""

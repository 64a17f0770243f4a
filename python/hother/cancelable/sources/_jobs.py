"""Tasks of their own for what goes on beside a body: they belong to no task group, and end when they are told to."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio import CancelScope

from hother.cancelable import _core
from hother.cancelable.core.callbacks import END_LIMIT
from hother.cancelable.utils.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

_log = get_logger(__name__)


class Job:
    """A task that runs `work` on the loop of this thread, once it is started. What that raises is logged."""

    __slots__ = ("_is_stopped", "_over", "_scope", "_task", "_work", "is_over", "name")

    def __init__(self, work: Callable[[], Awaitable[None]], name: str):
        self.name = name
        self.is_over = False
        self._work = work
        self._is_stopped = False
        self._task: object = None
        # Made when they are needed, in a task: anyio makes none in a callback of the loop.
        self._scope: CancelScope | None = None
        self._over: anyio.Event | None = None

    def start(self) -> None:
        """Has it begin, which an eager loop does at once."""
        if is_trio():
            import trio  # noqa: PLC0415

            trio.lowlevel.spawn_system_task(self._run, name=self.name)
            return
        task = asyncio.get_running_loop().create_task(self._run(), name=self.name)
        if not task.done():
            # The loop itself keeps no hold of its tasks.
            self._task = task

    def stop(self) -> None:
        """Has every await of it raise, from now on."""
        self._is_stopped = True
        if self._scope is not None:
            self._scope.cancel()

    async def wait(self) -> None:
        """Waits until it is over."""
        if not self.is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()

    async def _run(self) -> None:
        try:
            with CancelScope() as self._scope:
                if self._is_stopped:
                    self._scope.cancel()
                await self._work()
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("%s failed", self.name)
        finally:
            self.is_over = True
            self._task = None
            if self._over is not None:
                self._over.set()


class Ending(Protocol):
    """What is waited for: a job, or something like it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def is_over(self) -> bool:
        """Whether it is."""

    async def wait(self) -> None:
        """Waits until it is."""

    def stop(self) -> None:
        """Has it end soon."""


async def ended(jobs: Iterable[Ending]) -> None:
    """Waits until these are over, whatever is cancelled meanwhile; one that takes too long is left."""
    waiting = [job for job in jobs if not job.is_over]
    is_cancelled = False
    while waiting:
        try:
            with anyio.move_on_after(END_LIMIT, shield=True) as limit:
                while waiting:
                    await waiting[-1].wait()
                    waiting.pop()
        except asyncio.CancelledError:
            # Somebody cancelled the task itself: it hears of that at its next await.
            is_cancelled = True
            continue
        if limit.cancelled_caught:
            for job in waiting:
                _log.warning("%s is left: it did not end within %s s", job.name, END_LIMIT)
                job.stop()
            break
    task = asyncio.current_task() if is_cancelled else None
    if task is not None:
        task.uncancel()
        task.cancel()


def home() -> _core.Home:
    """The loop that runs on this thread."""
    here = _core.Home.current()
    if here is None:
        raise RuntimeError("no event loop runs here: start a source in a coroutine")
    return here


def is_trio() -> bool:
    """Whether what runs here is trio's."""
    # If the program has not imported trio, this is no loop of trio's.
    trio = sys.modules.get("trio.lowlevel")
    return trio is not None and bool(trio.in_trio_run())

"""What not every operation has: sources, callbacks, and the rarer choices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope

from hother.cancelable import _core

from .callbacks import call_all
from .closing import said_by
from .models import CancelationReason
from .streams import KEPT, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hother.cancelable._core import Stream, Why
    from hother.cancelable.sources._hearers import OfOperation
    from hother.cancelable.sources.base import CancelationSource

    from .cancelable import Cancelable, Raises
    from .finalizers import Finalizer
    from .tasks import Tasks
    from .token import CancelationToken

T = TypeVar("T")


class Extras:
    """Made on the first need, so that an operation without any of it pays for none."""

    __slots__ = (
        "acts_on",
        "base",
        "finalizers",
        "hearer",
        "is_closing",
        "left_behind",
        "on_cancel",
        "on_complete",
        "on_error",
        "on_progress",
        "on_start",
        "raises",
        "sources",
        "streams",
        "tasks",
    )

    def __init__(self) -> None:
        self.sources: list[CancelationSource] = []
        # Those of them that are watched, while it runs.
        self.hearer: OfOperation | None = None
        # Those that are open: each leaves when it is over.
        self.streams: set[Stream] = set()
        self.on_progress: list[Callable[..., Any]] = []
        self.on_start: list[Callable[..., Any]] = []
        self.on_complete: list[Callable[..., Any]] = []
        self.on_cancel: list[Callable[..., Any]] = []
        self.on_error: list[Callable[..., Any]] = []
        self.raises: Raises = "cancelled"
        self.finalizers: list[Finalizer] = []
        self.tasks: Tasks | None = None
        # Whether its tasks have ended, and no more are taken.
        self.is_closing = False
        # Cancelled as the thread ends: threads that did not listen to a cancel.
        self.left_behind: list[CancelationToken] = []
        # The operation that this one's sources end, until it is entered itself.
        self.base: Cancelable | None = None
        # The same, once they do.
        self.acts_on: Cancelable | None = None

    def choose(self, raises: Raises) -> None:
        """Notes what leaves it."""
        if raises not in ("cancelled", "error", "suppress"):
            raise ValueError(f'raises must be "cancelled", "error" or "suppress", got {raises!r}')
        self.raises = raises

    def take_over(self, other: Extras) -> None:
        """Adds what a combined operation takes over."""
        self.sources.extend(other.sources)
        self.on_progress.extend(other.on_progress)

    def start(self, operation: Cancelable, source: CancelationSource) -> None:
        """Has a source be watched for an operation that runs."""
        if self.hearer is None:
            from hother.cancelable.sources._hearers import (  # noqa: PLC0415, since sources need operations
                OfOperation,
            )

            self.hearer = OfOperation(operation)
        self.hearer.begin(source)

    async def begin(self, operation: Cancelable) -> None:
        """Starts the sources, and tells of the start."""
        base, self.base, self.acts_on = self.base, None, None
        self.is_closing = False
        try:
            if base is not None and not _is_inside(operation, base):
                operation._follow(base)
            for source in self.sources:
                self.start(operation, source)
            if self.on_start:
                await call_all("start", self.on_start, operation.context)
            if self.hearer is not None:
                await self.hearer.begun()
        except BaseException as error:
            # The body never runs, and so nobody else ends what was begun.
            if not operation._is_asked() or not isinstance(error, asyncio.CancelledError):
                await operation.__aexit__(type(error), error, error.__traceback__)
                raise

    async def stop_sources(self, operation: Cancelable) -> None:
        """Stops the sources, in the reverse order of their start. Nothing that is cancelled around cuts it short."""
        hearer, self.hearer = self.hearer, None
        if hearer is not None:
            await hearer.stop()

    def ends_at_once(self) -> bool:
        """Ends what there is of it where that needs no waiting, and nobody is to be called; whether it was so."""
        if (
            self.tasks is not None
            or self.streams
            or self.finalizers
            or self.on_complete
            or self.left_behind
        ):
            return False
        if self.hearer is not None:
            if not self.hearer.stops_at_once():
                return False
            self.hearer = None
        self.is_closing = True
        return True

    async def tasks_finish(self) -> BaseException | None:
        """Awaits the tasks of a body that has finished. A cancel that comes meanwhile is the body's."""
        assert self.tasks is not None, "it is called for one that has tasks"
        try:
            await self.tasks.all_ended()
        except BaseException as cut_off:  # noqa: BLE001, since it is the body's
            return cut_off
        return None

    async def tasks_end(
        self, operation: Cancelable, error: BaseException | None, why: Why | None
    ) -> BaseException | None:
        """Awaits the tasks of a body that ended with `error`: they are cancelled, at once or when the grace is over.

        What else came up, such as a cancel by somebody else.
        """
        from .tasks import log_unheard  # noqa: PLC0415, since few need it

        tasks = self.tasks
        assert tasks is not None, "it is called for one that has tasks"
        came_up: BaseException | None = None
        if tasks.are_running and why is None:
            if isinstance(error, Exception):
                ended_for = _core.Why(CancelationReason.ERROR, said_by(error))
            else:
                ended_for = _core.Why(CancelationReason.MANUAL)
            operation._cancel(ended_for, True)
        while tasks.are_running:
            try:
                with CancelScope(shield=True):
                    await tasks.all_ended()
            except asyncio.CancelledError as again:
                came_up = again
        if error is not None:
            log_unheard(tasks.unheard(), operation)
        return came_up

    async def run_finalizers(self) -> BaseException | None:
        """Runs them; what else came up, such as a cancel of the task by somebody else."""
        from . import finalizers  # noqa: PLC0415, since few need it

        return await finalizers.run(self.finalizers)

    def skip_all(self) -> None:
        """Says what is not seen to, where nothing can be awaited any more."""
        from . import finalizers  # noqa: PLC0415, since few need it

        if self.tasks is not None:
            self.tasks.cancel_all()
        finalizers.skip(self.finalizers)

    def has_left_behind(self) -> bool:
        """Whether a thread is still at work that was given up on."""
        self.left_behind = [it for it in self.left_behind if not it.is_cancelled]
        return bool(self.left_behind)

    def when_all_ended(self, operation: Cancelable, then: Callable[[], Awaitable[None]]) -> None:
        """Has `then` called as the last of these threads ends, by that thread; what is to be awaited is, on this loop."""
        waited_for = len(self.left_behind)

        def one_ended(_: CancelationToken) -> Awaitable[None] | None:
            nonlocal waited_for
            waited_for -= 1
            return then() if waited_for == 0 else None

        for ended in tuple(self.left_behind):
            ended.on_cancel(one_ended)

    async def report(
        self,
        told_already: set[int],
        operation_id: str,
        message: Any,
        metadata: dict[str, Any] | None,
    ) -> None:
        """Tells of progress whoever has not been told already."""
        fresh = [it for it in self.on_progress if id(it) not in told_already]
        told_already.update(map(id, fresh))
        await call_all("progress", fresh, operation_id, message, metadata)

    def open_stream(
        self,
        operation: Cancelable,
        source: AsyncIterator[T],
        report_interval: int | None,
        is_kept: bool,
    ) -> Stream:
        """The items of `source` as `operation` takes them."""
        kept = KEPT if is_kept else 0
        stream = _core.Stream(operation, source, self.streams, report_interval, kept)
        self.streams.add(stream)
        return stream

    async def close_streams(self) -> None:
        """Closes the streams that the body has left open, as `break` does."""
        for stream in tuple(self.streams):
            await stop(stream)

    def act_on_base(self, operation: Cancelable) -> None:
        """Has these sources act on the running operation that this one was combined with."""
        base, self.base = self.base, None
        if base is None or operation.is_running or not base.is_running:
            return
        self.acts_on = base
        base._combine(operation)
        # Whoever asks the handle, such as a stream, is to hear of it too.
        operation._follow(base)
        more = base._more
        more.on_progress.extend(it for it in self.on_progress if it not in more.on_progress)
        for source in self.sources:
            more.start(base, source)


def _is_inside(operation: Cancelable, base: Cancelable) -> bool:
    """Whether it hears of a cancel of `base` from what encloses it."""
    above = operation._above()
    while above is not None and above is not base:
        above = above._above()
    return above is not None

"""What not every operation has: sources, callbacks, and the rarer choices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from .callbacks import call_all
from .streams import stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from hother.cancelable.sources.base import (  # type: ignore[import-not-found]
        CancelationSource,
    )

    from hother.cancelable._core import Stream

    from .cancelable import Cancelable, Raises


class Extras:
    """Made on the first need, so that an operation without any of it pays for none."""

    __slots__ = (
        "base",
        "is_registered",
        "on_cancel",
        "on_complete",
        "on_error",
        "on_progress",
        "on_start",
        "raises",
        "scope",
        "sources",
        "started",
        "streams",
    )

    def __init__(self) -> None:
        self.sources: list[CancelationSource] = []
        self.started: list[CancelationSource] = []
        # Those that are open: each leaves when it is over.
        self.streams: set[Stream] = set()
        self.on_progress: list[Callable[..., Any]] = []
        self.on_start: list[Callable[..., Any]] = []
        self.on_complete: list[Callable[..., Any]] = []
        self.on_cancel: list[Callable[..., Any]] = []
        self.on_error: list[Callable[..., Any]] = []
        self.raises: Raises = "cancelled"
        self.scope = "anyio"
        self.is_registered = False
        # The operation that this one's sources end, until it is entered itself.
        self.base: Cancelable | None = None

    def choose(self, scope: str, raises: Raises) -> None:
        """Notes the scope to use, and what leaves it."""
        if scope not in ("anyio", "native"):
            raise ValueError(f'scope must be "anyio" or "native", got {scope!r}')
        if raises not in ("cancelled", "error", "suppress"):
            raise ValueError(f'raises must be "cancelled", "error" or "suppress", got {raises!r}')
        self.scope, self.raises = scope, raises

    def take_over(self, other: Extras) -> None:
        """Adds what a combined operation takes over."""
        self.sources.extend(other.sources)
        self.on_progress.extend(other.on_progress)

    def new_scope(self) -> CancelScope:
        """A scope for the body to run in."""
        return CancelScope()

    async def begin(self, operation: Cancelable) -> None:
        """Tells of the start, and starts the sources."""
        self.base = None
        try:
            if self.on_start:
                await call_all("start", self.on_start, operation.context)
            for source in self.sources:
                await source._start(operation)
                self.started.append(source)
        except BaseException as error:
            # The body never runs, and so nobody else ends what was begun.
            if not operation._is_asked() or not isinstance(error, asyncio.CancelledError):
                await operation.__aexit__(type(error), error, error.__traceback__)
                raise

    async def stop_sources(self, operation: Cancelable) -> None:
        """Stops the sources, in the reverse order of their start."""
        while self.started:
            await self.started.pop()._stop(operation)

    async def close_streams(self) -> None:
        """Closes the streams that the body has left open, as `break` does."""
        for stream in tuple(self.streams):
            await stop(stream)

    def act_on_base(self, operation: Cancelable) -> None:
        """Has these sources act on the running operation that this one was combined with."""
        base, self.base = self.base, None
        if base is None or operation.is_running or not base.is_running:
            return
        base._combine(operation)

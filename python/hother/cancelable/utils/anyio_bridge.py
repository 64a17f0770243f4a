"""Calls left for a loop by other threads, by the names that programs know.

Nothing needs a bridge to be cancelled from a thread: tokens wake their loops by themselves.
"""

from __future__ import annotations

from collections import deque
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hother.cancelable import _core
from hother.cancelable.core.awaiting import start as start_awaiting

if TYPE_CHECKING:
    from collections.abc import Callable


class AnyioBridge:
    """Takes callbacks on any thread, and calls them on the loop that it was started on.

    They are called in the order in which they came, any number of them. What an async one does runs beside the others, so a
    slow one holds none up; one that fails is logged. What comes before the start, or after the loop was closed, waits for the
    next start.

    Args:
        buffer_size: taken for the sake of programs that give it; there is no bound.
    """

    _instances: ClassVar[dict[type, Any]] = {}

    def __init__(self, buffer_size: int = 1000) -> None:
        self.buffer_size = buffer_size
        self._home: _core.Home | None = None
        # Every callback goes through here, and is taken out on the loop: so no two threads can change the order.
        self._waiting: deque[Callable[[], Any]] = deque()

    @classmethod
    def get_instance(cls) -> Self:
        """Give the bridge that `call_soon_threadsafe` uses."""
        found: Self | None = cls._instances.get(cls)
        # Of two that are made at once, one is kept.
        return cls._instances.setdefault(cls, cls()) if found is None else found

    @property
    def is_started(self) -> bool:
        """Whether there is a loop that callbacks are called on."""
        return self._home is not None

    async def start(self) -> None:
        """Have callbacks called on this loop from now on. Returns at once."""
        self._home = _core.Home.current()
        self._leave(self._call_all)

    async def stop(self) -> None:
        """Have callbacks wait for the next start from now on. Those that came before are still called."""
        self._home = None

    def call_soon_threadsafe(self, callback: Callable[[], Any]) -> None:
        """Have it called on the loop, soon. What it returns is awaited there, if it can be."""
        self._waiting.append(callback)
        self._leave(self._call_next)

    def _leave(self, letter: Callable[[], None]) -> None:
        home = self._home
        if home is not None:
            home.post(letter)

    def _call_all(self) -> None:
        # No more than there are now, so that the loop is not held up by one that leaves another each time.
        for _ in range(len(self._waiting)):
            self._leave(self._call_next)

    def _call_next(self) -> None:
        if self._waiting:
            result = self._waiting.popleft()()
            if isawaitable(result):
                start_awaiting(result)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def call_soon_threadsafe(callback: Callable[[], Any]) -> None:
    """Have it called on the loop that `AnyioBridge.get_instance()` was started on, from any thread."""
    AnyioBridge.get_instance().call_soon_threadsafe(callback)

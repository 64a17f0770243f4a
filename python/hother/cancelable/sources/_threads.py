"""Threads for calls that may block: one that never returns holds up neither a loop, nor the end of the process."""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from ._jobs import home

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

IDLE_LIMIT = 10.0
"""How long a thread waits for another call before it ends, in seconds."""


async def call_in_thread(called: Callable[[], T]) -> T:
    """What it returns, or raises, on a thread of ours. Cancelled, it is left to itself."""
    answer = _Answer(called)
    _pool.take(answer)
    await answer.is_there.wait()
    return answer.get()


class _Answer(Generic[T]):
    """A call, and what became of it."""

    def __init__(self, called: Callable[[], T]):
        self._called = called
        self._context = contextvars.copy_context()
        self._home = home()
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.is_there = anyio.Event()

    def run(self) -> None:
        try:
            self._result.append(self._context.run(self._called))
        except BaseException as error:  # noqa: BLE001, since it is raised where the answer is
            self._error = error
        # Where the loop is closed by now, nobody waits.
        self._home.post(self.is_there.set)

    def get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result[0]


class _Pool:
    """As many threads as there are calls at a time: one that blocks delays no other. They do not outlive the program."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Answer[Any]] = deque()
        self._idle = 0

    def take(self, answer: _Answer[Any]) -> None:
        with self._changed:
            self._waiting.append(answer)
            if len(self._waiting) <= self._idle:
                self._changed.notify()
                return
        threading.Thread(target=self._work, name="cancelable-condition", daemon=True).start()

    def _work(self) -> None:
        while True:
            answer = self._next()
            if answer is None:
                return
            answer.run()
            del answer

    def _next(self) -> _Answer[Any] | None:
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._waiting, IDLE_LIMIT)
                return self._waiting.popleft() if self._waiting else None
            finally:
                self._idle -= 1


_pool = _Pool()

if hasattr(os, "register_at_fork"):
    # A forked child has none of these threads.
    os.register_at_fork(after_in_child=_pool.__init__)  # type: ignore[misc]

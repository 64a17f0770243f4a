"""What an async callback gives back to be awaited, run as a task of the loop that it lives on."""

import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from typing import Any

import anyio

from hother.cancelable.utils.logging import get_logger

_log = get_logger("hother.cancelable")

_tasks: set[asyncio.Task[None]] = set()


def start(awaitable: Awaitable[Any]) -> anyio.Event:
    """Begin to await it on the loop of this thread. The event is set when it is over; a failure is logged."""
    over = anyio.Event()
    # If the program has not imported trio, this is no loop of trio's.
    trio = sys.modules.get("trio.lowlevel")
    if trio is not None and trio.in_trio_run():
        trio.spawn_system_task(_run, awaitable, over)
    else:
        task = asyncio.get_running_loop().create_task(_run(awaitable, over))
        # The loop itself keeps no hold of its tasks.
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    return over


class later:  # noqa: N801, since it is called as `start` is
    """The call that is left for another loop, so that it starts there.

    A loop that closes before it comes to it drops it; then the coroutine is closed, and nobody is warned of it.
    """

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Awaitable[Any]):
        self._awaitable: Awaitable[Any] | None = awaitable

    def __call__(self) -> None:
        """Begins to await it."""
        awaitable, self._awaitable = self._awaitable, None
        if awaitable is not None:
            start(awaitable)

    def __del__(self) -> None:
        if isinstance(self._awaitable, Coroutine):
            self._awaitable.close()


async def _run(awaitable: Awaitable[Any], over: anyio.Event) -> None:
    try:
        await awaitable
    except Exception:  # noqa: BLE001, since whatever it raises is its own affair
        _log.exception("a callback failed")
    finally:
        over.set()

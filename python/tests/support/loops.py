"""The event loops that an async test runs on, and what is checked after it on each of them."""

import asyncio
import gc
import math
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio.lowlevel
import trio
import trio.testing

Main = Callable[[], Coroutine[Any, Any, None]]


def names(*, paused: bool, trio: bool) -> list[str]:
    """The variants that a test runs on; uvloop's clock cannot be paused."""
    names = ["asyncio", "debug"]
    if sys.version_info >= (3, 12):
        names.append("eager")
    if sys.platform != "win32" and not paused:
        names.append("uvloop")
    if trio:
        names.append("trio")
    return names


def run(name: str, main: Main, *, paused: bool = False) -> None:
    """Runs it on a loop of its own."""
    if name == "trio":
        clock = trio.testing.MockClock(autojump_threshold=0) if paused else None
        trio.run(main, clock=clock)
    else:
        make = {
            "uvloop": _uvloop,
            "eager": partial(_eager, paused=paused),
        }.get(name, partial(_selector, paused=paused))
        _run_asyncio(main, make, debug=name == "debug")


async def settle(turns: int = 20) -> None:
    """Lets everything run that is ready, and what that makes ready, also where this is cancelled."""
    for _ in range(turns):
        await anyio.lowlevel.cancel_shielded_checkpoint()


def _run_asyncio(main: Main, make: Callable[[], asyncio.AbstractEventLoop], *, debug: bool) -> None:
    complaints: list[str] = []

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        complaints.append(f"{context['message']}: {context.get('exception')!r}")

    with asyncio.Runner(debug=debug, loop_factory=make) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(complain)
        runner.run(main())
        # Of an exception that nobody asked for, a task tells when it is collected.
        gc.collect()
        runner.run(settle())
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        assert not left, f"still running when the test was over: {left}"
    assert not complaints, f"the loop was told of what nobody handled: {complaints}"


def _selector(*, paused: bool) -> asyncio.AbstractEventLoop:
    return PausedLoop() if paused else asyncio.SelectorEventLoop()


def _eager(*, paused: bool) -> asyncio.AbstractEventLoop:
    loop = _selector(paused=paused)
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def _uvloop() -> asyncio.AbstractEventLoop:
    # Not at the top: it is not there on Windows.
    import uvloop

    return uvloop.new_event_loop()


class PausedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still, and jumps to the next timer as soon as nothing else is to be done.

    It does not know of threads at work: where one is waited for, with a timer beside it, the timer comes first.
    """

    def __init__(self) -> None:
        self._selector_of_ours = _JumpingSelector()
        super().__init__(self._selector_of_ours)

    def time(self) -> float:
        """Seconds, as the loop counts them."""
        return self._selector_of_ours.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(0)
        if not ready and timeout > 0:
            # Forward at least by what the number can show, or it would never get there.
            self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        return ready

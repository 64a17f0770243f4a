"""Sources that tests flip, and operations that end by them."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationSource,
)


class Switch(CancelationSource):
    """Fires when it is told to: by a monitor of its own."""

    def __init__(self, name: str = "switch", says: str | None = None):
        super().__init__(CancelationReason.ERROR, name)
        self.flipped = anyio.Event()
        self.says = says

    async def monitor(self) -> str | None:
        await self.flipped.wait()
        return self.says


class ByHand(CancelationSource):
    """Starts and stops by itself, with a task group open meanwhile, as programs write it."""

    def __init__(self, name: str = "by_hand", at_start: str | None = None):
        super().__init__(CancelationReason.MANUAL, name)
        self.log: list[str] = []
        self.at_start = at_start
        self.flipped = anyio.Event()

    async def start_monitoring(self, scope: anyio.CancelScope) -> None:
        self.scope = scope
        self.tasks = anyio.create_task_group()
        await self.tasks.__aenter__()
        self.tasks.start_soon(self.work)
        self.log.append("started")
        if self.at_start is not None:
            await self.trigger_cancelation(self.at_start)

    async def work(self) -> None:
        await self.flipped.wait()
        await self.trigger_cancelation("flipped")

    async def stop_monitoring(self) -> None:
        self.tasks.cancel_scope.cancel()
        await self.tasks.__aexit__(None, None, None)
        self.log.append("stopped")


class Broken(CancelationSource):
    """Cannot be started, or not be stopped."""

    def __init__(self, what: str):
        super().__init__(CancelationReason.ERROR, f"broken_{what}")
        self.what = what

    async def start_monitoring(self, scope: anyio.CancelScope) -> None:
        if self.what == "start":
            raise OSError("no such thing")

    async def stop_monitoring(self) -> None:
        if self.what == "stop":
            raise OSError("stuck")


async def ended_by(
    *sources: Any, then: Callable[[], object] | None = None
) -> tuple[CancelationError, float]:
    """What leaves an operation with these sources, and after how long."""
    start = anyio.current_time()
    with pytest.raises(CancelationError) as told:
        async with Cancelable(sources=sources):
            if then is not None:
                then()
            await anyio.sleep_forever()
    return told.value, anyio.current_time() - start


def left_in_the_loop() -> set[Any]:
    """The tasks of this loop but this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def anyio_true() -> bool:
    return True


async def anyio_false() -> bool:
    return False

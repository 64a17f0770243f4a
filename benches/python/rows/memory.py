"""Bytes: of an operation that is alive, and kept of those that are over."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import anyio

from rows.row import Row, Sample

OPERATIONS = 20_000


def resident() -> int:
    """Bytes of this process in memory."""
    while gc.collect():
        pass
    with open("/proc/self/smaps_rollup") as usage:
        (line,) = (line for line in usage if line.startswith("Rss:"))
    return int(line.split()[1]) * 1024


async def live() -> Sample:
    """What a task takes more, that waits inside an operation, than one that waits inside a bare scope."""
    from hother.cancelable import Cancelable, OperationStatus

    async def bare(stop: asyncio.Event) -> None:
        with anyio.CancelScope():
            await stop.wait()

    async def inside(stop: asyncio.Event) -> None:
        async with Cancelable() as operation:
            assert operation.context.status is OperationStatus.RUNNING
            await stop.wait()

    async def grown(body: Callable[[asyncio.Event], Any], count: int, stop: asyncio.Event) -> int:
        before = resident()
        tasks = [asyncio.create_task(body(stop)) for _ in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        kept.append(tasks)
        return resident() - before

    kept: list[list[asyncio.Task[None]]] = []

    async def sample() -> float:
        stop = asyncio.Event()
        # Both are alive at once, so that neither is given what the other has left.
        await grown(bare, OPERATIONS // 20, stop)
        await grown(inside, OPERATIONS // 20, stop)
        without = await grown(bare, OPERATIONS, stop)
        more = await grown(inside, OPERATIONS, stop) - without
        stop.set()
        await asyncio.gather(*(task for tasks in kept for task in tasks))
        return more / OPERATIONS

    return sample


async def kept_by_parent() -> Sample:
    from hother.cancelable import Cancelable

    parent = Cancelable()
    await _cancel_reaches(lambda: Cancelable(parent=parent), parent.cancel)
    parent = Cancelable()
    return _kept(lambda: Cancelable(parent=parent))


async def kept_by_token() -> Sample:
    from hother.cancelable import Cancelable, CancelationToken

    token = CancelationToken()
    await _cancel_reaches(lambda: Cancelable().combine(Cancelable.with_token(token)), token.cancel)
    token = CancelationToken()
    return _kept(lambda: Cancelable().combine(Cancelable.with_token(token)))


async def _cancel_reaches(make: Callable[[], Any], cancel: Callable[[], Any]) -> None:
    operation = make()
    try:
        async with asyncio.timeout(5):
            async with operation:
                await cancel()
                await asyncio.sleep(60)
    except BaseException:  # noqa: BLE001 - which error leaves it is not what is measured
        pass
    assert operation.is_cancelled


def _kept(make: Callable[[], Any]) -> Sample:
    async def run(count: int) -> None:
        for _ in range(count):
            async with make():
                pass

    async def sample() -> float:
        # What is made once, and what allocators keep for later, is there before it counts.
        await run(OPERATIONS // 4)
        before = resident()
        await run(OPERATIONS)
        return max(0, resident() - before) / OPERATIONS

    return sample


ROWS = [
    Row("memory of a live operation, beside its anyio scope", live),
    Row("kept of an operation that is over, by its parent", kept_by_parent),
    Row("kept of an operation that is over, by a token", kept_by_token),
]

"""Work on a task of its own, which whoever waits for it does not cut."""

from __future__ import annotations

import asyncio
import sys
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.utils.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from hother.cancelable._core import Why

T = TypeVar("T")

_log = get_logger(__name__)


async def outlasting(
    work: Coroutine[Any, Any, T],
    name: str,
    give_up: Callable[[Why], None],
    goes_on: Callable[[], bool],
) -> T:
    """What `work` gives, which runs on a task of its own. A cancel of the caller asks it to stop, by `give_up`, and waits for it.

    So a server, or what stands in between, cuts neither a shield nor a grace. Where it `goes_on` by itself, nobody asks and nobody
    waits: it is kept until it ends. The variables of the context are as if it ran here: what it has set is so for the caller.
    """
    context = copy_context()
    task, end = _begun(work, name, context)
    try:
        await end
    except asyncio.CancelledError:
        if goes_on():
            _left.add(task)
            task.add_done_callback(_forget)
            raise
        if not task.done():
            give_up(_core.Why(CancelationReason.DROPPED, "the server gave the request up"))
        while not task.done():
            # In a shield, since anyio would tell again at each turn of the loop.
            with CancelScope(shield=True):
                try:
                    await ended(task)
                except asyncio.CancelledError:
                    continue
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s failed while its server gave it up", name, exc_info=error)
        raise
    _take_over(context)
    return task.result()


def _begun(
    work: Coroutine[Any, Any, T], name: str, context: Context
) -> tuple[asyncio.Task[T], Awaitable[None]]:
    """A task for it, and its end, to be awaited.

    Its first step is taken at once, unless the program has a say in how tasks are made: work that waits for nothing costs no turn of
    the loop then. One whose first step is taken can tell of its end by itself, and whoever waits hears of that a turn earlier.
    """
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
        end: asyncio.Future[None] = loop.create_future()
        told = _telling(work, end)
        task = asyncio.Task(told, loop=loop, name=name, context=context, eager_start=True)
        return task, end
    task = loop.create_task(work, name=name, context=context)
    return task, ended(task)


async def _telling(work: Coroutine[Any, Any, T], end: asyncio.Future[None]) -> T:
    try:
        return await work
    finally:
        # Who waited may have been cancelled, and this with it.
        if not end.done():
            end.set_result(None)


async def ended(task: asyncio.Task[Any]) -> None:
    """Waits until a task is over, in whatever way. Cancelled, it leaves the task as it is."""
    if task.done():
        return
    over = asyncio.get_running_loop().create_future()

    def note(_: object) -> None:
        if not over.done():
            over.set_result(None)

    task.add_done_callback(note)
    try:
        await over
    finally:
        task.remove_done_callback(note)


def _take_over(context: Context) -> None:
    for variable, value in context.items():
        if variable.get(_NOTHING) is not value:
            variable.set(value)


def _forget(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s failed, for which nobody waits any more", task.get_name(), exc_info=error)


_NOTHING = object()

_left: set[asyncio.Task[Any]] = set()
"""Tasks that nobody waits for: the loop itself keeps no hold of its tasks."""

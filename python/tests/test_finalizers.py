"""Finalizers: cleanup that runs whichever way the body ended."""

import asyncio
from contextlib import nullcontext

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    current_operation,
)

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


class Stop(BaseException):
    """Nothing that an operation catches."""


def noting(log, what):
    async def finalizer():
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        log.append(what)

    return finalizer


@pytest.mark.trio
async def test_law_o7_the_last_registered_runs_first_before_the_end_is_told():
    log = []
    cancel = Cancelable().finalizer(noting(log, 1)).finalizer(lambda: log.append(2))
    cancel.on_complete(lambda context: log.append(context.status))
    cancel.finalizer(lambda: log.append((cancel.context.status, current_operation())))
    async with cancel:
        cancel.finalizer(noting(log, 3))
    assert log == [3, (OperationStatus.RUNNING, None), 2, 1, OperationStatus.COMPLETED]


@SCOPES
@pytest.mark.parametrize("error", [None, ValueError, Stop, asyncio.CancelledError, GeneratorExit])
async def test_law_o7_whichever_way_the_body_ends(scope, error):
    log = []
    cancel = Cancelable(scope=scope).finalizer(noting(log, "ran"))
    with nullcontext() if error is None else pytest.raises(error):
        async with cancel:
            if error is not None:
                raise error
    assert log == ["ran"]
    assert cancel.context.is_terminal


@SCOPES
@pytest.mark.paused
async def test_law_o7_what_cancelled_the_body_does_not_cancel_them(scope):
    log = []
    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(1, scope=scope).finalizer(noting(log, "ran")):
            await asyncio.sleep(3600)
    with anyio.CancelScope() as outer:
        async with Cancelable(scope=scope).finalizer(noting(log, "ran")):
            outer.cancel()
            await asyncio.sleep(3600)
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as around:
            async with Cancelable(scope=scope).finalizer(noting(log, "ran")):
                await around.cancel()
                await asyncio.sleep(3600)
    assert log == ["ran"] * 3


async def test_law_o7_a_cancel_of_the_task_that_is_under_way_leaves_after_them():
    log = []

    async def work():
        async with Cancelable().finalizer(noting(log, "first")).finalizer(noting(log, "second")):
            asyncio.current_task().cancel("by hand")

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert "first" in log


async def test_law_o7_one_that_is_cut_off_stops_no_other():
    log = []
    begun = asyncio.Event()

    async def endless():
        begun.set()
        await asyncio.Event().wait()

    async def work():
        async with Cancelable().finalizer(noting(log, "ran")).finalizer(endless):
            pass

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["ran"]


@pytest.mark.trio
@pytest.mark.paused
async def test_law_o7_one_that_takes_too_long_is_stopped_and_that_is_logged(caplog):
    log = []
    async with Cancelable().finalizer(noting(log, "ran")) as cancel:
        cancel.finalizer(lambda: anyio.sleep(3600), timeout=5)
    assert log == ["ran"]
    assert "took longer than 5.0 s" in caplog.text
    assert cancel.is_completed


@pytest.mark.trio
async def test_law_o7_one_that_fails_is_logged_and_changes_no_result(caplog):
    log = []

    def fail():
        raise ValueError("a finalizer's own")

    async with Cancelable().finalizer(noting(log, "ran")).finalizer(fail) as cancel:
        pass
    assert log == ["ran"]
    assert "a finalizer's own" in caplog.text
    assert cancel.is_completed


async def test_law_o7_where_nothing_can_run_them_that_is_logged(caplog):
    cancel = Cancelable().finalizer(noting([], "ran"))

    async def work():
        async with cancel:
            await asyncio.Event().wait()

    coro = work()
    coro.send(None)
    await asyncio.create_task(closing(coro))
    assert "1 finalizers were skipped" in caplog.text
    assert cancel.context.cancel_reason is CancelationReason.DROPPED
    assert cancel.is_cancelled


async def closing(coro):
    coro.close()


@pytest.mark.parametrize("limit", [0, -1])
def test_the_limit_of_a_finalizer_is_positive(limit):
    with pytest.raises(ValueError, match="Timeout must be positive"):
        Cancelable().finalizer(print, timeout=limit)


def test_a_finalizer_is_a_callable():
    with pytest.raises(TypeError, match="f must be a callable without arguments, got NoneType"):
        Cancelable().finalizer(None)

"""Tasks of an operation's own: none outlives it, and no error of one is lost."""

import asyncio
import gc
import warnings

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    current_operation,
)
from support import leaks, loops

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


@pytest.mark.trio
async def test_law_o3_after_a_finished_body_tasks_are_awaited():
    async def work(turns):
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        found.append(current_operation())
        return "done"

    found = []
    async with Cancelable() as cancel:
        first, second = cancel.spawn(work(2)), cancel.spawn(work(20))
        assert await first == "done"
        assert not second.is_done
    assert second.is_done
    assert found == [cancel, cancel]
    assert await second == "done"
    assert cancel.is_completed


@pytest.mark.trio
@pytest.mark.paused
async def test_law_o3_a_cancelled_operation_cancels_its_tasks_at_every_await():
    seen = []

    async def stubborn():
        for _ in range(3):
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                seen.append("cancelled")
        await anyio.sleep_forever()

    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(1) as cancel:
            task = cancel.spawn(stubborn())
            await anyio.sleep_forever()
    assert seen == ["cancelled"] * 3
    assert task.is_done
    with pytest.raises(TimeoutCancelation):
        await task


@SCOPES
@pytest.mark.paused
async def test_law_o3_a_cancel_while_it_waits_for_its_tasks_is_the_bodys(scope):
    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(1, scope=scope) as cancel:
            cancel.spawn(asyncio.sleep(3600))
    assert cancel.is_cancelled


@SCOPES
@pytest.mark.paused
async def test_law_o3_a_tasks_own_shield_and_the_grace_hold_for_it(scope):
    log = []

    async def shielded():
        async with cancel.shield():
            await asyncio.sleep(60)
            log.append("shielded")

    async def in_grace():
        await asyncio.sleep(5)
        log.append("in grace")
        await asyncio.sleep(3600)

    started = anyio.current_time()
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope, grace=10) as cancel:
            cancel.spawn(shielded())
            cancel.spawn(in_grace())
            await asyncio.sleep(0)
            await cancel.cancel()
            await asyncio.sleep(3600)
    assert log == ["in grace", "shielded"]
    assert anyio.current_time() - started == pytest.approx(60, abs=0.1)


@SCOPES
async def test_law_o3_an_error_that_nobody_awaited_leaves_and_the_operation_failed(scope):
    async def fail():
        raise ValueError("of the task")

    cancel = Cancelable(scope=scope)
    failed = []
    cancel.on_error(lambda context, error: failed.append((context.status, error)))
    with pytest.raises(ValueError, match="of the task") as caught:
        async with cancel:
            cancel.spawn(fail())
    assert failed == [(OperationStatus.FAILED, caught.value)]


@pytest.mark.trio
async def test_law_o3_several_errors_leave_in_a_group_and_those_awaited_are_not_among_them():
    async def fail(what):
        raise ValueError(what)

    with pytest.raises(ExceptionGroup) as caught:
        async with Cancelable() as cancel:
            awaited = cancel.spawn(fail("awaited"))
            cancel.spawn(fail("first"))
            cancel.spawn(fail("second"))
            with pytest.raises(ValueError, match="awaited"):
                await awaited
    assert sorted(str(error) for error in caught.value.exceptions) == ["first", "second"]
    assert cancel.context.status is OperationStatus.FAILED


async def test_law_o3_an_error_beside_that_of_the_body_is_logged(caplog):
    async def fail():
        raise ValueError("of the task")

    with pytest.raises(KeyError):
        async with Cancelable() as cancel:
            cancel.spawn(fail())
            await loops.settle()
            raise KeyError("of the body")
    assert "of the task" in caplog.text
    assert cancel.context.error == "'of the body'"


@SCOPES
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
async def test_law_o3_a_body_that_failed_cancels_its_tasks(scope, error):
    if error is KeyboardInterrupt:
        error = type("Stop", (BaseException,), {})
    with pytest.raises(error):
        async with Cancelable(scope=scope) as cancel:
            task = cancel.spawn(asyncio.sleep(3600))
            raise error
    assert task.is_done
    assert cancel.context.status is OperationStatus.FAILED
    assert cancel.context.cancel_reason is None


@SCOPES
async def test_law_o3_a_foreign_cancel_cancels_the_tasks_too(scope):
    async def work():
        async with cancel:
            tasks.append(cancel.spawn(asyncio.sleep(3600)))
            await asyncio.sleep(3600)

    tasks, cancel = [], Cancelable(scope=scope)
    task = asyncio.create_task(work())
    await loops.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tasks[0].is_done
    assert cancel.is_cancelled


async def test_law_o3_a_second_foreign_cancel_does_not_leave_tasks_behind():
    go_on = asyncio.Event()

    async def slow():
        with anyio.CancelScope(shield=True):
            await go_on.wait()

    async def work():
        async with cancel:
            tasks.append(cancel.spawn(slow()))
            await asyncio.sleep(3600)

    tasks, cancel = [], Cancelable()
    task = asyncio.create_task(work())
    for _ in range(3):
        await loops.settle()
        task.cancel()
    await loops.settle()
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tasks[0].is_done


async def test_law_o3_nothing_is_spawned_in_what_does_not_run():
    cancel = Cancelable()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="does not run"):
            cancel.spawn(asyncio.sleep(0))
        async with cancel:
            pass
        with pytest.raises(RuntimeError, match="before it is left"):
            cancel.spawn(asyncio.sleep(0))
        gc.collect()


async def test_law_o3_nothing_is_spawned_once_the_tasks_have_ended():
    refused = []

    def finalizer():
        try:
            cancel.spawn(asyncio.sleep(3600))
        except RuntimeError as error:
            refused.append(error)

    cancel = Cancelable()
    for _ in range(2):
        async with cancel.finalizer(finalizer):
            assert await cancel.spawn(asyncio.sleep(0, "spawned")) == "spawned"
    assert len(refused) == 2


async def test_law_o3_one_that_is_spawned_after_the_ask_is_cancelled_at_once():
    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            await cancel.cancel()
            task = cancel.spawn(asyncio.sleep(3600))
            await asyncio.sleep(0)
    assert task.is_done


async def test_a_task_can_be_cancelled_alone():
    async with Cancelable() as cancel:
        task = cancel.spawn(asyncio.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(CancelationError, match="the task was cancelled"):
            await task
        assert not cancel.context.cancel_reason
    assert cancel.is_completed


async def test_an_await_that_is_given_up_leaves_the_task_running():
    go_on = asyncio.Event()
    async with Cancelable() as cancel:
        task = cancel.spawn(go_on.wait())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await task
        assert not task.is_done
        go_on.set()
        assert await task


@pytest.mark.parametrize(
    ("given", "called"),
    [(asyncio.sleep, "the function sleep"), (None, "NoneType"), (print, "builtin")],
)
async def test_what_is_spawned_is_a_coroutine(given, called):
    async with Cancelable() as cancel:
        with pytest.raises(TypeError, match=f"coro must be a coroutine.*{called}"):
            cancel.spawn(given)


async def test_law_t6_a_long_operation_keeps_nothing_of_tasks_that_ended():
    async def nothing():
        pass

    async def many(cancel):
        for _ in range(500):
            await cancel.spawn(nothing())

    async with Cancelable() as cancel:
        await many(cancel)
        with leaks.no_more_objects(than=50):
            await many(cancel)


async def test_law_o9_the_operation_is_current_in_its_tasks_whoever_spawned_them():
    async def find():
        await asyncio.sleep(0)
        return current_operation()

    async with Cancelable() as outer:
        async with Cancelable() as inner:
            assert await outer.spawn(find()) is outer
            assert await inner.spawn(find()) is inner
            async with inner.shield() as handle:
                assert await handle.spawn(find()) is inner
    assert outer.context.cancel_reason is not CancelationReason.PARENT

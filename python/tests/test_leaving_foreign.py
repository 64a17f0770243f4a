"""Cancels of others: what is not an operation's own goes through it, and the two are told apart."""

import asyncio
import gc
import weakref
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    ManualCancelation,
    OperationStatus,
    checkpoint,
)

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


@SCOPES
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("ask", ["wait", "check_cancelation", "checkpoint"])
async def test_law_p2_of_own_and_foreign_in_one_tick_the_foreign_leaves(scope, is_first, ask):
    seen = []
    cancel = Cancelable(scope=scope)

    def strike():
        (task,) = tasks
        if is_first:
            task.cancel("foreign")
        cancel.token.cancel_sync()
        if not is_first:
            task.cancel("foreign")

    async def work():
        tasks.append(asyncio.current_task())
        try:
            async with cancel:
                running.set()
                if ask == "wait":
                    await asyncio.Event().wait()
                strike()
                if ask == "checkpoint":
                    checkpoint()
                await cancel.check_cancelation()
        except BaseException as error:
            seen.append(type(error))
            raise

    tasks = []
    running = asyncio.Event()
    task = asyncio.create_task(work())
    await running.wait()
    if ask == "wait":
        strike()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [asyncio.CancelledError]
    assert task.cancelling() == 1
    assert cancel.is_cancelled


@SCOPES
async def test_law_p2_a_foreign_cancel_goes_through_any_scope(scope):
    cancel = Cancelable(scope=scope)
    seen = []

    async def work():
        try:
            async with cancel:
                running.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    running = asyncio.Event()
    task = asyncio.create_task(work())
    await running.wait()
    task.cancel("foreign")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(it) for it in seen] == [asyncio.CancelledError]
    assert seen[0].args == ("foreign",)
    assert cancel.is_cancelled
    assert cancel.token.is_cancelled


@SCOPES
async def test_a_timeout_of_asyncio_around_is_not_swallowed(scope):
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0), Cancelable(scope=scope) as cancel:
            await asyncio.Event().wait()
    assert not isinstance(caught.value, CancelationError)
    assert cancel.is_cancelled
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p2_a_timeout_of_asyncio_inside_is_a_failure(scope):
    with pytest.raises(TimeoutError):
        async with Cancelable(scope=scope) as cancel, asyncio.timeout(0):
            await asyncio.Event().wait()
    assert cancel.context.status is OperationStatus.FAILED


@SCOPES
async def test_law_p2_cancels_that_came_before_are_not_ours(scope):
    async def work():
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        assert asyncio.current_task().cancelling() == 1
        with pytest.raises(ManualCancelation):
            async with Cancelable(scope=scope) as cancel:
                await cancel.cancel()
                await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 1
        return "went on"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"


@SCOPES
async def test_law_p2_sweep_a_cancel_at_every_await(scope):
    async def work(cancel, log, left):
        try:
            await body(cancel, log)
        except asyncio.CancelledError as error:
            left.append(error)
            raise

    async def body(cancel, log):
        async with cancel:
            for step in range(4):
                await asyncio.sleep(0)
                log.append(step)
                async with cancel.shield():
                    await asyncio.sleep(0)
                    log.append(f"shielded {step}")
                async with Cancelable(scope=scope):
                    await asyncio.sleep(0)
                async with asyncio.timeout(60):
                    await asyncio.sleep(0)
                with anyio.CancelScope():
                    await anyio.lowlevel.checkpoint()

    for foreign in (False, True):
        turns = 0
        while True:
            log, left, cancel = [], [], Cancelable(scope=scope)
            cancel.finalizer(lambda log=log: log.append("finalizer"))
            task = asyncio.create_task(work(cancel, log, left))
            for _ in range(turns):
                await asyncio.sleep(0)
            is_over = task.done()
            if foreign:
                task.cancel()
            else:
                cancel.token.cancel_sync(message="sweep")
            await asyncio.wait([task])
            if not foreign:
                assert all(isinstance(it, ManualCancelation) for it in left)
                assert task.cancelling() == 0
            if cancel.context.status is not OperationStatus.PENDING:
                assert log[-1] == "finalizer"
                assert cancel.context.is_terminal
            if not foreign:
                shielded = [it for it in log if isinstance(it, str)]
                steps = [it for it in log if isinstance(it, int)]
                assert len(shielded) - 1 in (len(steps), len(steps) - 1)
            turns += 1
            if is_over:
                break
        assert turns > 10


@SCOPES
@pytest.mark.parametrize("raises", ["cancelled", "error"])
@pytest.mark.parametrize("is_asked", [True, False])
async def test_law_p2_what_left_keeps_no_frame_alive(scope, raises, is_asked):
    class Held:
        pass

    async def work():
        held = Held()
        async with Cancelable(scope=scope, raises=raises) as cancel:
            await cancel.cancel()
            if is_asked:
                await cancel.check_cancelation()
            await asyncio.sleep(0)
        return held

    async def outer():
        held = Held()
        refs.append(weakref.ref(held))
        with suppress(CancelationError):
            await work()

    refs = []
    gc.collect()
    gc.disable()
    try:
        await outer()
        # CPython 3.13 keeps the last cancel that a task was woken with until it is woken again.
        await asyncio.sleep(0)
        assert [ref() for ref in refs] == [None]
        assert not [it for it in gc.get_objects() if isinstance(it, Held)]
    finally:
        gc.enable()

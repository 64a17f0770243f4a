"""Task groups, eager tasks, other tasks and contexts: where else operations are entered and left."""

import asyncio
import contextvars

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    current_operation,
)
from support import loops

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


@pytest.mark.trio
async def test_law_p6_inside_a_task_group_of_anyio_the_cancel_is_not_swallowed():
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable() as cancel, anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await cancel.cancel(message="stop")
            await anyio.sleep_forever()
    assert cancel.is_cancelled


async def test_law_p6_inside_a_task_group_of_asyncio():
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable() as cancel, asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.Event().wait())
            await cancel.cancel(message="stop")
            await asyncio.sleep(3600)
    assert task.cancelled()


async def test_law_p6_names_and_context_variables_are_the_tasks_own():
    variable = contextvars.ContextVar("variable")
    name = asyncio.current_task().get_name()
    async with Cancelable() as cancel:
        variable.set("set inside")
        task = cancel.spawn(asyncio.sleep(0), name="a name")
        assert "a name" in [it.get_name() for it in asyncio.all_tasks()]
        await task
    assert variable.get() == "set inside"
    assert asyncio.current_task().get_name() == name


async def test_entering_twice_at_once_is_an_error_and_harms_nothing():
    async with Cancelable(name="work") as cancel:
        with pytest.raises(RuntimeError, match=r'"work" \(.*\) is entered already'):
            await cancel.__aenter__()
        assert current_operation() is cancel
    assert cancel.is_completed
    async with cancel:
        assert cancel.is_running


async def test_leaving_without_entering_does_nothing():
    assert not await Cancelable().__aexit__(None, None, None)


@SCOPES
@pytest.mark.parametrize("error", [None, ValueError("the body's own")])
async def test_law_p2_leaving_in_another_task_is_an_error_and_nothing_is_lost(scope, error):
    log = []
    cancel = Cancelable(scope=scope).finalizer(lambda: log.append("finalizer"))

    async def enter():
        await cancel.__aenter__()
        cancel.spawn(asyncio.sleep(3600))

    async def leave():
        await cancel.__aexit__(type(error) if error else None, error, None)

    await asyncio.create_task(enter())
    with pytest.raises(RuntimeError, match="another task") as caught:
        await asyncio.create_task(leave())
    assert caught.value.__cause__ is error
    assert log == ["finalizer"]
    assert cancel.context.status is OperationStatus.FAILED


async def test_left_in_another_context_as_a_fixture_may_be():
    async def fixture():
        async with Cancelable() as cancel:
            yield cancel

    generator = fixture()
    context = contextvars.copy_context()
    try:
        context.run(generator.__anext__().send, None)
    except StopIteration as given:
        cancel = given.value
    assert cancel.is_running
    assert current_operation() is None
    with pytest.raises(StopAsyncIteration):
        await generator.__anext__()
    assert cancel.is_completed
    assert current_operation() is None


async def test_law_o9_one_that_is_dropped_elsewhere_leaves_what_is_current_there():
    async def dropped():
        async with Cancelable():
            await asyncio.Event().wait()

    async def drop(coro):
        async with Cancelable() as cancel:
            coro.close()
            assert current_operation() is cancel
        assert current_operation() is None

    coro = dropped()
    contextvars.copy_context().run(coro.send, None)
    await asyncio.create_task(drop(coro))


async def test_a_generator_that_is_closed_drops_the_operation_in_it():
    log = []

    async def generate():
        async with Cancelable().finalizer(lambda: log.append("finalizer")) as cancel:
            log.append(cancel)
            yield 1

    generator = generate()
    async for _ in generator:
        break
    await generator.aclose()
    cancel, finalizer = log
    assert finalizer == "finalizer"
    assert cancel.context.cancel_reason is CancelationReason.DROPPED


@SCOPES
async def test_law_p6_an_eager_task_that_cancels_whoever_started_it(scope):
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as cancel:

            async def strike():
                cancel.token.cancel_sync()

            await asyncio.create_task(strike())
            await loops.settle()
            await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)

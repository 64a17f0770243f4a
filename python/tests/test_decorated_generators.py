"""Decorated async generators: each of their steps is a part of the operation, and nothing is open in between."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    ManualCancelation,
    OperationRegistry,
    ParentCancelation,
    cancelable,
    current_operation,
)
from hother.cancelable.core.stepwise import stepwise


@cancelable
async def echo(log: list[Any], cancel: Cancelable) -> AsyncGenerator[Any]:
    """Gives back what it is sent, and what is raised in it, up to a `LookupError`."""
    given: Any = cancel
    try:
        while True:
            try:
                given = yield given
            except ValueError as error:
                given = error
    finally:
        log.append("closed")


@pytest.mark.trio
async def test_what_is_sent_and_raised_reaches_the_generator() -> None:
    log: list[Any] = []
    items = echo(log)
    operation = await anext(items)
    wrong = ValueError("wrong")
    assert await items.asend(1) == 1
    assert await items.athrow(wrong) is wrong
    assert await anext(items) is None
    assert await items.asend("two") == "two"
    assert operation.is_running
    assert log == []
    await items.aclose()
    assert log == ["closed"]
    assert (operation.context.status.value, operation.context.partial_result["count"]) == (
        "cancelled",
        5,
    )


@pytest.mark.trio
async def test_an_error_that_the_generator_lets_pass_ends_it_failed() -> None:
    log: list[Any] = []
    items = echo(log)
    operation = await anext(items)
    wrong = LookupError("unknown")
    with pytest.raises(LookupError) as caught:
        await items.athrow(wrong)
    assert caught.value is wrong
    assert log == ["closed"]
    assert (operation.context.status.value, operation.context.error) == ("failed", "unknown")
    with pytest.raises(StopAsyncIteration):
        await items.asend(1)


async def test_after_an_ask_nothing_more_is_sent() -> None:
    for how, what in (("asend", 1), ("athrow", ValueError("late"))):
        log: list[Any] = []
        items = echo(log)
        operation = await anext(items)
        await operation.cancel(message="enough")
        with pytest.raises(ManualCancelation, match="enough"):
            await getattr(items, how)(what)
        assert log == ["closed"]
        assert operation.context.partial_result["count"] == 1


async def test_an_error_raised_in_what_is_no_generator_ends_it() -> None:
    class Numbers:
        def __aiter__(self) -> "Numbers":
            return self

        async def __anext__(self) -> int:
            return 1

    operation = Cancelable()
    items = stepwise(operation, lambda: operation.stream(Numbers()))
    assert await anext(items) == 1
    assert await items.asend(5) == 1
    with pytest.raises(LookupError):
        await items.athrow(LookupError("unknown"))
    assert operation.context.status.value == "failed"


async def forever() -> None:
    await asyncio.Event().wait()


async def test_law_p5_a_decorated_generator_holds_nothing_open_between_its_steps() -> None:
    closed = []

    @cancelable(timeout=60.0)
    async def generated(cancel: Any = None) -> AsyncIterator[Any]:
        try:
            while True:
                yield cancel
        finally:
            closed.append(current_operation())

    items = generated()
    operation = await anext(items)
    assert current_operation() is None
    # Another task goes on, and another leaves.
    assert await asyncio.create_task(anext(items)) is operation
    await asyncio.create_task(items.aclose())
    assert closed == [operation]
    context = operation.context
    assert (context.status.value, context.cancel_reason.value) == ("cancelled", "dropped")


async def started_by_another_task(items: AsyncIterator[Any], *, is_cancelled: bool = False) -> Any:
    """The first item, taken by a task of its own, which is over; or was cancelled after that."""

    async def first() -> None:
        taken.append(await anext(items))
        if is_cancelled:
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
            await forever()

    taken: list[Any] = []
    await asyncio.wait([asyncio.ensure_future(first())])
    return taken[0]


async def then_waits(cancel: Any = None) -> AsyncIterator[Any]:
    yield cancel
    await forever()


@pytest.mark.paused
async def test_law_p2_a_cancel_of_the_task_that_took_an_earlier_step_is_not_foreign() -> None:
    items = cancelable(timeout=1.0)(then_waits)()
    await started_by_another_task(items, is_cancelled=True)
    with pytest.raises(TimeoutError, match="after 1s"):
        await anext(items)


async def test_law_p2_of_own_and_foreign_in_one_step_the_foreign_leaves() -> None:
    @cancelable
    async def hit_twice(cancel: Any = None) -> AsyncIterator[Any]:
        yield cancel
        task.cancel()
        await cancel.cancel()
        await cancel.check_cancelation()

    async def goes_on() -> None:
        await asyncio.sleep(0)
        await anext(items)

    items = hit_twice()
    operation = await started_by_another_task(items)
    task = asyncio.ensure_future(goes_on())
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert not isinstance(caught.value, ManualCancelation)
    assert operation.is_cancelled


async def test_law_i2_a_step_of_another_task_is_interrupted_by_what_the_generator_began_in() -> (
    None
):
    async def goes_on() -> None:
        with pytest.raises(ParentCancelation):
            await anext(items)

    items = cancelable(then_waits)()
    with pytest.raises(ManualCancelation):
        async with Cancelable() as around:
            await anext(items)
            task = asyncio.ensure_future(goes_on())
            await asyncio.sleep(0)
            await around.cancel()
            await forever()
    await task


async def test_law_o4_a_generator_that_is_dropped_in_a_step_is_cancelled_as_dropped() -> None:
    async def drive() -> None:
        step.send(None)

    async def drop() -> None:
        with pytest.raises(GeneratorExit):
            step.throw(GeneratorExit)
        assert current_operation() is None

    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> int:
            await forever()
            return 1

    operation = Cancelable.with_timeout(60.0)
    context = operation.context
    step: Any = anext(stepwise(operation, Source))
    # Neither the task that drops it nor its context is the one of the step.
    await asyncio.create_task(drive())
    await asyncio.create_task(drop())
    assert (context.status.value, context.cancel_reason.value) == ("cancelled", "dropped")


async def test_law_o3_a_decorated_generator_is_listed_while_it_runs() -> None:
    registry = OperationRegistry.get_instance()
    items = cancelable(register_globally=True)(then_waits)()
    operation = await anext(items)
    assert await registry.get_operation(operation.operation_id) is operation
    await items.aclose()
    assert await registry.get_operation(operation.operation_id) is None


def test_a_plain_generator_is_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"function must not be a plain generator.*numbers"):
        cancelable(numbers)


@pytest.mark.paused
async def test_law_o3_a_cancel_while_a_generators_tasks_are_awaited_is_one_of_its_body() -> None:
    @cancelable(timeout=2.0)
    async def starts(cancel: Any = None) -> AsyncIterator[Any]:
        cancel.spawn(asyncio.sleep(1.0))
        yield cancel
        cancel.spawn(asyncio.sleep(how_long))

    loop = asyncio.get_running_loop()
    how_long = 1.5
    begun = loop.time()
    (operation,) = [item async for item in starts()]
    assert operation.is_completed
    assert loop.time() == pytest.approx(begun + 1.5)
    how_long = 60.0
    with pytest.raises(TimeoutError, match="after 2s"):
        async for item in starts():
            operation = item
    assert operation.is_cancelled

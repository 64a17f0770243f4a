"""Decorators: each call is an operation of its own, and is handed to the function."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationToken,
    ManualCancelation,
    OperationRegistry,
    ParentCancelation,
    current_operation,
)
from hother.cancelable.core.stepwise import stepwise
from hother.cancelable.utils.decorators import (
    cancelable,
    cancelable_combine,
    cancelable_method,
    cancelable_with_token,
    with_cancelable,
    with_current_operation,
    with_timeout,
)
from hother.cancelable.utils.streams import (
    CancelableAsyncIterator,
    cancelable_stream,
    chunked_cancelable_stream,
)


async def forever() -> None:
    await asyncio.Event().wait()


async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


@pytest.mark.paused
async def test_a_decorated_function_is_an_operation_with_a_limit() -> None:
    @cancelable(timeout=5.0)
    async def fetch(cancelable: Cancelable | None = None) -> None:
        assert cancelable is current_operation()
        assert cancelable is not None
        seen.append((cancelable.context.name, cancelable.operation_id))
        await forever()

    seen: list[tuple[str | None, str]] = []
    for _ in range(2):
        with pytest.raises(TimeoutError, match="after 5s"):
            await fetch()
    assert [name for name, _ in seen] == ["fetch", "fetch"]
    assert len({operation_id for _, operation_id in seen}) == 2


@pytest.mark.paused
async def test_a_limit_of_zero_is_none_and_a_name_may_be_given() -> None:
    @cancelable(timeout=0, name="named", operation_id="id-1")
    async def work(cancel: Cancelable) -> tuple[str | None, str, float | None]:
        return cancel.context.name, cancel.operation_id, cancel.remaining()

    assert await work() == ("named", "id-1", None)


async def test_bare_on_a_function_a_generator_and_a_plain_function() -> None:
    @cancelable
    async def one(cancelable: Any = None) -> Any:
        return cancelable

    @cancelable
    def plain(cancelable: Any = None) -> Any:
        return cancelable, threading.get_ident(), current_operation()

    @cancelable
    async def generated(n: int, cancelable: Any = None) -> AsyncIterator[Any]:
        for number in range(n):
            yield number, cancelable is current_operation()

    assert isinstance(await one(), Cancelable)
    given, thread, current = await plain()
    assert given is current
    assert thread != threading.get_ident()
    items = [(item, current_operation()) async for item in generated(2)]
    assert items == [((0, True), None), ((1, True), None)]


async def test_where_the_operation_goes() -> None:
    class Special(Cancelable):
        pass

    async def by_name(cancelable: Any = None) -> Any:
        return cancelable

    async def by_other_name(cancel: Any = None) -> Any:
        return cancel

    async def by_annotation(a: int, operation: Cancelable | None = None) -> Any:
        return operation

    async def by_text(a: int, operation: "Cancelable | None" = None) -> Any:
        return operation

    async def by_class(operation: Special | None = None) -> Any:
        return operation

    async def nowhere(a: int = 1) -> Any:
        return a

    own = Cancelable()
    assert isinstance(await cancelable(by_name)(), Cancelable)
    assert isinstance(await cancelable(by_other_name)(), Cancelable)
    assert isinstance(await cancelable(by_annotation)(1), Cancelable)
    assert isinstance(await cancelable(by_text)(1), Cancelable)
    assert isinstance(await cancelable(by_class)(), Cancelable)
    assert await cancelable(nowhere)() == 1
    assert await cancelable(by_name)(own) is own
    assert await cancelable(by_annotation)(1, own) is own
    assert await cancelable(by_annotation)(1, operation=own) is own
    assert await cancelable(inject_param=None)(by_name)() is None
    assert isinstance(await cancelable(inject_param="a")(nowhere)(), Cancelable)
    assert isinstance(await cancelable(functools.partial(by_annotation, 1))(), Cancelable)


async def test_methods_are_named_after_their_class() -> None:
    class Base:
        @cancelable_method(timeout=60.0)
        async def work(self, cancelable: Any = None) -> str | None:
            return str(cancelable.context.name)

        @cancelable
        async def other(self, cancelable: Any = None) -> str | None:
            return str(cancelable.context.name)

        @cancelable
        @classmethod
        async def of_class(cls, cancelable: Any = None) -> str | None:
            return str(cancelable.context.name)

        @staticmethod
        @cancelable
        async def still(cancelable: Any = None) -> str | None:
            return str(cancelable.context.name)

    class Derived(Base):
        pass

    made = Derived()
    names = [await made.work(), await made.other(), await made.of_class(), await made.still()]
    assert names == ["Derived.work", "Derived.other", "Derived.of_class", "Base.still"]


async def test_a_call_that_is_cancelled_already_is_not_made() -> None:
    token = CancelationToken()
    token.cancel_sync(message="closed")
    called = []

    @cancelable_with_token(token)
    async def work() -> None:
        called.append(1)

    with pytest.raises(ManualCancelation, match="closed"):
        await work()
    assert not called


@pytest.mark.paused
async def test_combined_ones_end_on_whichever_is_first_each_call_anew() -> None:
    token = CancelationToken()

    class Worker:
        @cancelable_combine(
            Cancelable.with_timeout(5.0),
            Cancelable.with_token(token),
            operation_id="combined",
        )
        async def work(self, cancelable: Any = None) -> None:
            names.append((cancelable.context.name, cancelable.operation_id))
            await forever()

    names: list[tuple[str, str]] = []
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await Worker().work()
    token.cancel_sync(message="no more")
    with pytest.raises(ManualCancelation, match="no more"):
        await Worker().work()
    assert names == [("work", "combined")] * 2


async def test_combining_nothing_is_an_error_when_it_is_called() -> None:
    @cancelable_combine()
    async def work() -> None:
        pass

    with pytest.raises(ValueError, match="At least one cancelable must be provided"):
        await work()


async def test_an_operation_that_runs_is_handed_over_and_another_is_entered() -> None:
    operation = Cancelable()

    @with_cancelable(operation, inject=True)
    async def work(cancelable: Any = None) -> tuple[Any, bool]:
        return cancelable, operation.is_running

    @with_cancelable(operation)
    async def bare(cancelable: Any = None) -> Any:
        return cancelable

    assert await work() == (operation, True)
    assert operation.is_completed
    async with operation:
        assert await work() == (operation, True)
        assert await bare() is None
        assert operation.is_running


async def test_the_current_operation_is_handed_over() -> None:
    @with_current_operation()
    async def work(a: int, operation: Any = None) -> Any:
        return a, operation

    assert await work(1) == (1, None)
    async with Cancelable() as operation:
        assert await work(1) == (1, operation)
        assert await work(1, None) == (1, None)


@pytest.mark.paused
async def test_a_coroutine_with_a_limit() -> None:
    async def value() -> int:
        return 3

    assert await with_timeout(1.0, value()) == 3
    with pytest.raises(TimeoutError):
        await with_timeout(1.0, forever())
    with pytest.raises(ValueError, match="Timeout must be positive, got 0"):
        await with_timeout(0, value())


async def test_what_passes_a_coroutine_on_is_called_on_the_loop() -> None:
    async def work(number: int) -> tuple[int, int]:
        return number, threading.get_ident()

    class Worker:
        async def __call__(self, number: int) -> tuple[int, int]:
            return await work(number)

    @functools.wraps(work)
    def passing_on(number: int) -> Any:
        return asyncio.ensure_future(work(number))

    here = threading.get_ident()
    for function in (passing_on, Worker(), functools.partial(work)):
        assert await cancelable(timeout=60.0)(function)(1) == (1, here)


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


@pytest.mark.paused
async def test_a_stream_ends_with_its_limit_and_says_so() -> None:
    async def slow() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
                await asyncio.sleep(1)
        finally:
            closed.append(1)

    closed: list[int] = []
    seen: list[Any] = []
    with pytest.raises(TimeoutError):
        items = cancelable_stream(
            slow(),
            timeout=2.5,
            report_interval=2,
            on_progress=lambda n, item: seen.append((n, item)),
        )
        while True:
            seen.append(await anext(items))
    assert seen == [0, (2, 1), 1, 2]
    assert closed == [1]


async def test_a_stream_ends_with_a_token_while_nobody_waits_for_it() -> None:
    token = CancelationToken()
    items = cancelable_stream(count(10), token=token)
    assert await anext(items) == 0
    token.cancel_sync(message="enough")
    with pytest.raises(ManualCancelation, match="enough"):
        await anext(items)
    with pytest.raises(StopAsyncIteration):
        await anext(items)


async def test_a_stream_takes_an_operation_second() -> None:
    operation = Cancelable()
    assert [item async for item in cancelable_stream(count(3), operation)] == [0, 1, 2]
    assert operation.is_completed
    async with Cancelable() as running:
        assert [item async for item in cancelable_stream(count(3), running)] == [0, 1, 2]
        assert running.is_running


async def test_law_i1_chunks_have_every_item_once_also_before_an_error() -> None:
    async def fails() -> AsyncIterator[int]:
        for number in range(5):
            yield number
        raise OSError("cut")

    told: list[Any] = []
    seen: list[list[int]] = []
    operation = Cancelable().on_progress(lambda _id, message, _meta: told.append(message))
    async with operation:
        with pytest.raises(OSError, match="cut"):
            chunks = chunked_cancelable_stream(fails(), 2, operation)
            while True:
                seen.append(await anext(chunks))
        assert seen == [[0, 1], [2, 3], [4]]
        told.clear()
        chunks = chunked_cancelable_stream(count(3), 2, operation)
        assert [chunk async for chunk in chunks] == [[0, 1], [2]]
    assert told == ["Processed chunk of 2 items", "Processed final chunk of 1 items"]


async def test_an_iterator_of_an_operation_that_nobody_enters() -> None:
    operation = Cancelable()
    items = CancelableAsyncIterator(count(5), operation, buffer_partial=True)
    assert [await anext(items), await anext(items)] == [0, 1]
    await items.aclose()
    assert operation.context.partial_result == {"count": 2, "buffer": [0, 1], "completed": False}


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
    assert loop.time() == begun + 1.5
    how_long = 60.0
    with pytest.raises(TimeoutError, match="after 2s"):
        async for item in starts():
            operation = item
    assert operation.is_cancelled

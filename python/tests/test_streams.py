"""Streams of an operation: every item once, none after a cancel, and the truth about how many came."""

import asyncio
import gc
import types
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from hother.cancelable import Cancelable, CancelationToken, ManualCancelation


class Source:
    """An iterator that is no generator: it can be closed, and tells whether it was."""

    def __init__(self, items: list[Any], fails: Exception | None = None, waits: bool = True):
        self.items = items
        self.fails = fails
        self.waits = waits
        self.taken = 0
        self.closed = 0

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> Any:
        if self.taken == len(self.items):
            raise self.fails or StopAsyncIteration
        if self.waits:
            await asyncio.sleep(0)
        self.taken += 1
        return self.items[self.taken - 1]

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


async def count(n: int) -> AsyncIterator[int]:
    """A generator that is always ready."""
    for number in range(n):
        yield number


def result(count: int, buffer: list[Any] | None, *, completed: bool) -> dict[str, Any]:
    return {"count": count, "buffer": buffer, "completed": completed}


@pytest.mark.parametrize(
    "items",
    [
        [],
        [1, 2, 3],
        [None, (), (1, 2), [3], ValueError("an item"), StopIteration(4), StopAsyncIteration()],
    ],
)
@pytest.mark.parametrize("every", [None, 1, 2])
@pytest.mark.parametrize("keeps", [True, False])
async def test_law_i1_every_item_once_and_in_order(
    items: list[Any], every: int | None, keeps: bool
) -> None:
    async def generated() -> AsyncIterator[Any]:
        for item in items:
            yield item

    for source in (Source(items), generated()):
        async with Cancelable() as operation:
            stream = operation.stream(source, every, keeps)
            assert [item async for item in stream] == items
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        kept = items if keeps else None
        assert operation.context.partial_result == result(len(items), kept, completed=True)


async def test_law_i2_no_item_is_taken_after_a_cancel() -> None:
    source = Source(list(range(100)), waits=False)
    with pytest.raises(ManualCancelation, match="enough"):
        async with Cancelable() as operation:
            async for item in operation.stream(source):
                if item == 4:
                    operation.token.cancel_sync(message="enough")
    assert (source.taken, source.closed) == (5, 1)
    assert operation.context.partial_result == result(5, [0, 1, 2, 3, 4], completed=False)


async def test_law_i2_a_source_that_waits_is_interrupted_and_closed_before_the_loop_is_left() -> (
    None
):
    waiting, order = asyncio.Event(), []

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
            waiting.set()
            await asyncio.Event().wait()
        finally:
            order.append("source")

    async def consume(token: CancelationToken) -> None:
        async with Cancelable.with_token(token) as operation:
            try:
                async for _item in operation.stream(slow()):
                    pass
            finally:
                order.append("loop")

    token = CancelationToken()
    task = asyncio.create_task(consume(token))
    await waiting.wait()
    token.cancel_sync()
    with pytest.raises(ManualCancelation):
        await task
    assert order == ["source", "loop"]


async def test_law_i2_an_iterator_that_waits_is_closed_before_the_loop_is_left() -> None:
    waiting = asyncio.Event()

    class Waiting(Source):
        async def __anext__(self) -> Any:
            waiting.set()
            await asyncio.Event().wait()

    source = Waiting([])
    operation = Cancelable()

    async def consume() -> None:
        async with operation:
            try:
                async for _item in operation.stream(source):
                    pass
            finally:
                assert source.closed == 1

    task = asyncio.create_task(consume())
    await waiting.wait()
    await operation.cancel()
    with pytest.raises(ManualCancelation):
        await task


@pytest.mark.parametrize("is_generator", [True, False])
async def test_law_p5_a_stream_that_is_left_open_is_closed_with_its_operation(
    is_generator: bool,
) -> None:
    closed = []

    async def generated() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(1)

    source = Source([1, 2])
    async with Cancelable() as operation:
        async for _item in operation.stream(generated() if is_generator else source):
            break
        assert not closed
    assert len(closed) + source.closed == 1
    assert operation.context.partial_result == result(1, [1], completed=False)


async def test_law_i3_an_error_of_the_source_goes_on_and_the_count_is_right() -> None:
    source = Source([1, 2, 3], fails=OSError("the wire was cut"))
    with pytest.raises(OSError, match="the wire was cut") as told:
        async with Cancelable() as operation:
            async for _item in operation.stream(source):
                pass
    assert told.value is source.fails
    assert source.closed == 1
    assert operation.context.partial_result == result(3, [1, 2, 3], completed=False)


async def test_law_i3_the_newest_thousand_are_kept() -> None:
    async with Cancelable() as operation:
        async for _item in operation.stream(count(2500)):
            pass
    kept = list(range(1500, 2500))
    assert operation.context.partial_result == result(2500, kept, completed=True)


async def test_progress_is_reported_every_so_many_items() -> None:
    told: list[Any] = []

    async def slowly(_id: str, message: str, metadata: Any) -> None:
        await asyncio.sleep(0)
        told.append((message, metadata))

    async with Cancelable().on_progress(slowly) as operation:
        stream = operation.stream(count(5), report_interval=2)
        told.extend([item async for item in stream])
    assert told == [
        ("Processed 2 items", {"count": 2, "latest_item": 1}),
        ("Processed 4 items", {"count": 4, "latest_item": 3}),
        *range(5),
    ]


async def test_a_cancel_while_progress_is_reported_loses_nothing() -> None:
    source = Source(list(range(10)))
    begun = asyncio.Event()

    async def hang(*_report: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    operation = Cancelable().on_progress(hang)

    async def consume() -> None:
        async with operation:
            async for _item in operation.stream(source, report_interval=3):
                pass

    task = asyncio.create_task(consume())
    await begun.wait()
    await operation.cancel()
    with pytest.raises(ManualCancelation):
        await task
    assert operation.context.partial_result == result(3, [0, 1, 2], completed=False)
    assert source.closed == 1


async def test_a_step_that_is_never_awaited_holds_nothing_up() -> None:
    async with Cancelable() as operation:
        stream = operation.stream(count(2))
        dropped = stream.__anext__()
        del dropped
        assert await anext(stream) == 0
        assert await anext(stream) == 1


async def test_two_tasks_that_take_from_one_stream_are_told_so() -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[int]:
        await go_on.wait()
        yield 1

    async with Cancelable() as operation:
        stream = operation.stream(slow())

        async def take() -> int:
            return await anext(stream)

        first = asyncio.create_task(take())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="give each its own stream"):
            await take()
        go_on.set()
        assert await first == 1


async def test_a_stream_of_an_operation_that_was_never_entered_hears_of_its_token() -> None:
    operation = Cancelable()
    source = Source([1, 2, 3])
    with pytest.raises(asyncio.CancelledError, match="no need") as told:
        async for _item in operation.stream(source):
            await operation.cancel(message="no need")
    assert type(told.value) is asyncio.CancelledError
    assert (source.taken, source.closed) == (1, 1)


async def test_a_source_that_cannot_be_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Source):
        async def aclose(self) -> None:
            raise OSError("cannot be closed")

    async with Cancelable() as operation:
        async for _item in operation.stream(Stuck([1, 2])):
            break
    assert operation.is_completed
    assert "the source of a stream could not be closed" in caplog.text


async def test_a_stream_keeps_nothing_alive_once_its_operation_is_gone() -> None:
    class Item:
        pass

    async def items() -> AsyncIterator[Item]:
        for _ in range(3):
            yield Item()

    async with Cancelable() as operation:
        seen = [weakref.ref(item) async for item in operation.stream(items())]
    assert len(operation.context.partial_result["buffer"]) == 3
    del operation
    gc.collect()
    assert [ref() for ref in seen] == [None] * 3


async def test_a_negative_interval_is_named() -> None:
    with pytest.raises(ValueError, match="report_interval must be at least 1"):
        Cancelable().stream(count(1), -1)


@pytest.mark.parametrize("given", ["1", 1.5, [1]])
def test_an_interval_that_is_no_number_is_named(given: Any) -> None:
    with pytest.raises(TypeError, match="report_interval must be an integer"):
        Cancelable().stream(count(1), given)


class Driven:
    """An iterator whose `__anext__` gives what `make` gives."""

    def __init__(self, make: Callable[[], Any]):
        self.make = make

    def __aiter__(self) -> "Driven":
        return self

    def __anext__(self) -> Any:
        return self.make()


async def test_law_i1_items_of_a_generator_that_is_marked_as_a_coroutine() -> None:
    @types.coroutine
    def item() -> Iterator[None]:
        yield
        if not left:
            raise StopAsyncIteration
        return left.pop(0)

    left = [1, 2]
    async with Cancelable() as operation:
        assert [item async for item in operation.stream(Driven(item))] == [1, 2]


async def test_a_source_that_gives_nothing_to_await_is_told_so() -> None:
    async with Cancelable() as operation:
        with pytest.raises(
            TypeError, match=r"__anext__ of a stream's source must give .*, got int"
        ):
            await anext(operation.stream(Driven(lambda: 5)))


class Plain:
    """What is awaited is a plain iterator, which has neither `throw` nor `close`, and waits for ever."""

    def __init__(self, begun: asyncio.Event):
        self.begun = begun

    def __await__(self) -> "Plain":
        return self

    def __iter__(self) -> "Plain":
        return self

    def __next__(self) -> None:
        self.begun.set()


async def test_law_p2_a_foreign_cancel_reaches_a_stream_that_waits_on_a_plain_iterator() -> None:
    async def body() -> None:
        async with Cancelable() as operation:
            await anext(operation.stream(Driven(lambda: Plain(begun))))

    begun = asyncio.Event()
    task = asyncio.ensure_future(body())
    await begun.wait()
    task.cancel("somebody else")
    with pytest.raises(asyncio.CancelledError, match="somebody else"):
        await task


def test_a_step_on_a_plain_iterator_can_be_given_up() -> None:
    async def body() -> None:
        await anext(Cancelable().stream(Driven(lambda: Plain(asyncio.Event()))))

    coroutine = body()
    coroutine.send(None)
    coroutine.close()

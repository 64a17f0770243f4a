"""Streams that are operations, and chunks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationToken,
    ManualCancelation,
)
from hother.cancelable.utils.streams import (
    CancelableAsyncIterator,
    cancelable_stream,
    chunked_cancelable_stream,
)


async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


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

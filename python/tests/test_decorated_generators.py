"""Decorated async generators: each of their steps is a part of the operation, and nothing is open in between."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from hother.cancelable import Cancelable, ManualCancelation, cancelable
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

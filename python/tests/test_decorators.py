"""Decorators: each call is an operation of its own, and is handed to the function."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationToken,
    ManualCancelation,
    current_operation,
)
from hother.cancelable.utils.decorators import (
    cancelable,
    cancelable_combine,
    cancelable_method,
    cancelable_with_token,
    with_cancelable,
    with_current_operation,
    with_timeout,
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

"""Operations: how they end, what is on record of that, and what leaves them."""

import asyncio
import contextlib
from typing import Any

import anyio
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    ManualCancelation,
    OperationContext,
    OperationStatus,
    ParentCancelation,
    TimeoutCancelation,
    current_operation,
)


async def forever() -> None:
    """Waits, and is only ended by a cancel."""
    await asyncio.Event().wait()


def kept(*operations: Cancelable) -> list[tuple[str, str | None, str | None]]:
    """Status, reason and message on record."""
    return [
        (
            it.context.status.value,
            it.context.cancel_reason and it.context.cancel_reason.value,
            it.context.cancel_message,
        )
        for it in operations
    ]


@pytest.mark.parametrize(
    "caught", [TimeoutError, TimeoutCancelation, CancelationError, asyncio.CancelledError]
)
@pytest.mark.paused
async def test_law_p1_a_timeout_is_caught_by_each_of_its_names(caught: type[BaseException]) -> None:
    with pytest.raises(caught) as told:
        async with Cancelable.with_timeout(30.0) as operation:
            await forever()
    error = told.value
    assert isinstance(error, TimeoutCancelation)
    assert (error.reason, error.timeout_seconds) == (CancelationReason.TIMEOUT, 30.0)
    assert str(error) == error.message == "Operation timed out after 30s"
    assert error.__context__ is None
    assert type(error.__cause__) is asyncio.CancelledError
    assert error.context is not None
    assert error.context.id == operation.operation_id
    assert kept(operation) == [("cancelled", "timeout", "Operation timed out after 30s")]


async def test_law_p1_inside_the_body_a_cancel_is_plain_and_comes_at_every_await() -> None:
    seen = []
    with pytest.raises(ManualCancelation, match="enough"):
        async with Cancelable() as operation:
            await operation.cancel(message="enough")
            for _ in range(3):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError as error:
                    seen.append(type(error))
            await forever()
    assert seen == [asyncio.CancelledError] * 3


@pytest.mark.paused
async def test_law_p1_a_body_that_swallowed_the_cancel_leaves_nothing() -> None:
    async with Cancelable.with_timeout(1.0) as operation:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()
    assert kept(operation) == [("completed", "timeout", "Operation timed out after 1s")]


@pytest.mark.paused
async def test_law_p1_those_in_between_record_parent_and_let_it_pass() -> None:
    with pytest.raises(TimeoutError) as told:
        async with Cancelable.with_timeout(1.0, name="outer") as outer:
            async with Cancelable(name="inner") as inner:
                await forever()
    assert told.value.context is not None  # type: ignore[attr-defined]
    assert told.value.context.name == "outer"  # type: ignore[attr-defined]
    short = outer.operation_id[:8]
    assert kept(outer, inner) == [
        ("cancelled", "timeout", "Operation timed out after 1s"),
        ("cancelled", "parent", f"Parent operation {short} cancelled"),
    ]
    assert inner.parent is None
    assert inner.context.parent_id is None


@pytest.mark.paused
async def test_law_o8_an_inner_timeout_ends_the_inner_one_alone() -> None:
    async with Cancelable.with_timeout(60.0) as outer:
        with pytest.raises(TimeoutError):
            async with Cancelable.with_timeout(1.0) as inner:
                await forever()
        await asyncio.sleep(1)
    assert kept(outer, inner) == [
        ("completed", None, None),
        ("cancelled", "timeout", "Operation timed out after 1s"),
    ]


async def test_law_p1_an_explicit_parent_that_does_not_enclose() -> None:
    parent = Cancelable(name="parent")
    begun = asyncio.Event()

    async def child() -> Cancelable:
        operation = Cancelable(parent=parent)
        with pytest.raises(ParentCancelation) as told:
            async with operation:
                begun.set()
                await forever()
        assert told.value.parent_id == parent.operation_id
        assert told.value.parent_reason is CancelationReason.MANUAL
        return operation

    async with parent:
        task = asyncio.create_task(child())
        await begun.wait()
        await parent.cancel(message="all of it")
        with anyio.CancelScope(shield=True):
            operation = await task
    assert operation.context.parent_id == parent.operation_id


async def test_without_propagation_the_children_are_left_alone() -> None:
    parent = Cancelable()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def child() -> None:
        async with Cancelable(parent=parent):
            begun.set()
            await go_on.wait()

    with pytest.raises(ManualCancelation, match="just me"):
        async with parent:
            task = asyncio.create_task(child())
            await begun.wait()
            await parent.cancel(message="just me", propagate_to_children=False)
            await forever()
    go_on.set()
    await task
    assert kept(parent) == [("cancelled", "manual", "just me")]


async def test_law_p2_cancels_are_balanced() -> None:
    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        with pytest.raises(CancelationError):
            async with Cancelable() as operation:
                await operation.cancel()
                await forever()
        assert task.cancelling() == 0
        await asyncio.sleep(0)


async def test_law_p2_a_foreign_cancel_goes_through_as_it_is() -> None:
    operation = Cancelable()
    begun = asyncio.Event()

    async def work() -> None:
        async with operation:
            begun.set()
            await forever()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel("from outside")
    with pytest.raises(asyncio.CancelledError) as told:
        await task
    assert not isinstance(told.value, CancelationError)
    assert kept(operation) == [("cancelled", "manual", None)]
    assert operation.token.is_cancelled


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("broken"), "failed"),
        (ManualCancelation("by hand"), "cancelled"),
        (KeyError("k"), "failed"),
    ],
)
async def test_law_o1_an_error_of_the_body_leaves_as_it_is(error: Exception, status: str) -> None:
    told: list[Any] = []
    operation = Cancelable()
    operation.on_error(lambda context, error: told.append((context.status.value, error)))
    operation.on_cancel(lambda context: told.append((context.status.value, None)))
    operation.on_complete(lambda _context: told.append("complete"))
    with pytest.raises(type(error)) as raised:
        async with operation:
            raise error
    assert raised.value is error
    assert told == [(status, error if status == "failed" else None)]
    expected = None if status == "cancelled" else str(error)
    assert operation.context.error == expected


async def test_law_o2_an_error_after_an_ask_is_cancelled() -> None:
    operation = Cancelable()
    with pytest.raises(ValueError, match="while tidying up"):
        async with operation:
            await operation.cancel(message="stop")
            raise ValueError("while tidying up")
    assert kept(operation) == [("cancelled", "manual", "stop")]


async def test_law_o1_an_interrupt_fails_and_calls_no_error_callback() -> None:
    told: list[Any] = []
    operation = Cancelable().on_error(lambda *args: told.append(args))
    with pytest.raises(SystemExit):
        async with operation:
            raise SystemExit(3)
    assert (operation.context.status, told) == (OperationStatus.FAILED, [])


async def test_law_o1_callbacks_are_told_once_and_in_order_and_are_awaited() -> None:
    told: list[str] = []

    async def slowly(context: OperationContext) -> None:
        await asyncio.sleep(0)
        told.append(f"slowly {context.status.value}")

    def badly(_context: OperationContext) -> None:
        told.append("badly")
        raise RuntimeError("a callback that fails harms nobody")

    operation = Cancelable()
    operation.on_start(badly).on_start(slowly).on_complete(badly).on_complete(slowly)
    async with operation:
        told.append("body")
    assert told == ["badly", "slowly running", "body", "badly", "slowly completed"]


@pytest.mark.paused
async def test_a_callback_of_the_end_that_never_returns_is_stopped() -> None:
    async def hang(_context: OperationContext) -> None:
        await forever()

    async with Cancelable().on_complete(hang) as operation:
        pass
    assert operation.is_completed


async def test_law_o10_progress_goes_outwards_once() -> None:
    told: list[Any] = []

    def note(who: str) -> Any:
        return lambda *report: told.append((who, *report))

    shared = note("shared")
    async with Cancelable(operation_id="outer").on_progress(note("outer")).on_progress(shared):
        async with Cancelable(operation_id="inner") as inner:
            inner.on_progress(note("inner")).on_progress(shared)
            await inner.report_progress("half", {"progress": 50})
    report = ("inner", "half", {"progress": 50})
    assert told == [("inner", *report), ("shared", *report), ("outer", *report)]


async def test_law_o9_current_is_the_innermost_that_runs() -> None:
    assert current_operation() is None
    async with Cancelable() as outer:
        assert current_operation() is outer
        async with Cancelable() as inner:
            assert current_operation() is inner
        assert current_operation() is outer

        async def later() -> Cancelable | None:
            await asyncio.sleep(0)
            return current_operation()

        task = asyncio.create_task(later())
    assert current_operation() is None
    assert await task is None


async def test_law_o2_one_that_was_cancelled_before_raises_at_the_first_await() -> None:
    token = CancelationToken()
    token.cancel_sync(message="too late")
    reached = False
    with pytest.raises(ManualCancelation, match="too late"):
        async with Cancelable.with_token(token):
            reached = True
            await asyncio.sleep(0)
    assert reached


async def test_a_token_is_the_operations_own() -> None:
    token = CancelationToken()
    operation = Cancelable.with_token(token)
    assert operation.token is token
    with pytest.raises(ManualCancelation):
        async with operation:
            await operation.cancel(message="through the operation")
            await forever()
    assert token.message == "through the operation"


async def test_a_token_that_was_asked_for_hears_of_every_end() -> None:
    operation = Cancelable.with_timeout(0.001)
    token = operation.token
    with pytest.raises(TimeoutError):
        async with operation:
            await forever()
    assert (token.is_cancelled, token.reason) == (True, CancelationReason.TIMEOUT)


@pytest.mark.paused
async def test_an_ended_operation_is_entered_again_with_a_fresh_record() -> None:
    operation = Cancelable.with_timeout(1.0, name="again")
    contexts = []
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with operation:
                await forever()
        contexts.append(operation.context)
    async with operation:
        pass
    assert operation.is_completed
    assert [it.status for it in contexts] == [OperationStatus.CANCELLED] * 2
    assert len({it.id for it in contexts}) == 1
    assert operation.context.name == "again"


async def test_a_cancel_by_hand_holds_for_the_next_run_too() -> None:
    operation = Cancelable()
    for _ in range(2):
        with pytest.raises(ManualCancelation, match="for good"):
            async with operation:
                await operation.cancel(message="for good")
                await forever()


@pytest.mark.parametrize("scope", ["anyio", "native"])
@pytest.mark.paused
async def test_what_left_the_last_run_is_not_asked_of_the_next(scope: str) -> None:
    """Such as the time limit of an operation inside of it: each attempt is one of its own."""
    operation = Cancelable.with_timeout(60.0, scope=scope)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with operation, Cancelable.with_timeout(1.0, scope=scope):
                await forever()
        assert operation.context.cancel_reason is CancelationReason.TIMEOUT
    with pytest.raises(asyncio.CancelledError):
        async with operation:
            raise asyncio.CancelledError
    async with operation:
        await asyncio.sleep(0)
    assert operation.is_completed

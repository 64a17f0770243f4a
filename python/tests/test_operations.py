"""Operations: how they end, what is on record of that, and what leaves them."""

import asyncio
import contextlib
import copy
import os
import pickle
import textwrap
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
from support.processes import run_python


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


async def test_entering_twice_at_once_is_an_error_that_says_what_to_do() -> None:
    async with Cancelable(name="one") as operation:
        with pytest.raises(RuntimeError, match="make an operation for each use"):
            async with operation:
                pass
    assert operation.is_completed


async def test_leaving_in_another_task_is_an_error_and_loses_nothing() -> None:
    operation = Cancelable()
    async with operation:
        with pytest.raises(RuntimeError, match="leave it where it was entered"):
            await asyncio.create_task(operation.__aexit__(None, None, None))
        assert operation.is_running
    assert operation.is_completed


async def test_leaving_what_was_never_entered_does_nothing() -> None:
    assert await Cancelable().__aexit__(None, None, None) is False


@pytest.mark.parametrize(
    ("timeout", "error", "text"),
    [
        (0, ValueError, "Timeout must be positive, got 0"),
        (-1.5, ValueError, "Timeout must be positive, got -1.5"),
        (float("nan"), ValueError, "Timeout must be positive, got nan"),
        ("1", TypeError, "Timeout must be a number of seconds or a timedelta, got str"),
    ],
)
def test_a_bad_timeout_is_named(timeout: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Cancelable.with_timeout(timeout)


@pytest.mark.parametrize("timeout", [float("inf"), 10**400])
@pytest.mark.paused
async def test_an_endless_timeout_is_none(timeout: float) -> None:
    async with Cancelable.with_timeout(timeout) as operation:
        await asyncio.sleep(1e6)
    assert operation.is_completed


class MuteError(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("\udcff.txt"), "\ufffd\ufffd\ufffd.txt"),
        (MuteError(), "MuteError, whose text could not be made: LookupError"),
    ],
)
async def test_law_o1_an_error_whose_text_is_none_still_ends_it(
    error: Exception, text: str
) -> None:
    operation = Cancelable()
    with pytest.raises(type(error)) as caught:
        async with operation:
            operation.spawn(forever())
            raise error
    assert caught.value is error
    assert (operation.context.status.value, operation.context.error) == ("failed", text)


async def test_law_o1_a_message_that_is_no_text_still_cancels() -> None:
    operation = Cancelable(name="\udcff")
    with pytest.raises(ManualCancelation, match="\ufffd\ufffd"):
        async with operation:
            await operation.cancel("\udcff.txt")
            await forever()
    assert operation.context.name == "\ufffd" * 3


@pytest.mark.parametrize("attempt", [-1, 2**32, 2**80])
def test_a_bad_attempt_is_named(attempt: int) -> None:
    with pytest.raises(ValueError, match="attempt must be from 0"):
        Cancelable(attempt=attempt)


@pytest.mark.paused
async def test_law_t11_a_child_ends_by_its_parents_deadline_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with Cancelable.with_timeout(2.0, raises="suppress") as outer:
        async with Cancelable.with_timeout(5.0) as inner:
            assert inner.remaining() == 2.0
            assert inner.deadline == outer.deadline
            async with Cancelable() as innermost:
                await asyncio.sleep(1.0)
                assert innermost.remaining() == 1.0
                await forever()
    assert loop.time() == start + 2.0
    assert outer.context.cancel_reason is CancelationReason.TIMEOUT
    assert inner.context.cancel_reason is CancelationReason.PARENT


@pytest.mark.parametrize("order", [(1.0, 60.0), (60.0, 1.0)])
@pytest.mark.paused
async def test_law_s2_of_combined_timeouts_the_earlier_counts(order: tuple[float, float]) -> None:
    first, second = (Cancelable.with_timeout(it) for it in order)
    combined = first.combine(second)
    loop = asyncio.get_running_loop()
    start = loop.time()
    with pytest.raises(TimeoutError, match="after 1s"):
        async with combined:
            assert combined.remaining() == 1.0
            await forever()
    assert loop.time() - start == pytest.approx(1.0)
    assert combined.context.metadata == {
        "sources": [first.operation_id, second.operation_id],
        "combined": True,
        "preserve_reason": True,
    }


async def test_combined_operations_pass_on_what_cancelled_a_part() -> None:
    token, part = CancelationToken(), Cancelable()
    combined = Cancelable(name="a").combine(Cancelable.with_token(token), part)
    assert combined.context.name == "combined_a"
    with pytest.raises(CancelationError, match="out of paper"):
        async with combined:
            token.cancel_sync(CancelationReason.ERROR, "out of paper")
            await forever()
    assert kept(combined, part) == [("cancelled", "error", "out of paper"), ("pending", None, None)]


@pytest.mark.parametrize(
    "error",
    [
        TimeoutCancelation(1.5, context=OperationContext(id="x")),
        ParentCancelation("p", CancelationReason.TIMEOUT),
        CancelationError(CancelationReason.SHUTDOWN, "closing"),
    ],
)
def test_errors_are_copied_and_pickled(error: CancelationError) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(again), str(again), again.reason) == (type(error), str(error), error.reason)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CancelationError(CancelationReason.ERROR), "Operation cancelled: error"),
        (TimeoutCancelation(60), "Operation timed out after 60s"),
        (ManualCancelation(), "Operation cancelled manually"),
        (ParentCancelation("id"), "Operation cancelled: parent id was cancelled"),
        (
            ParentCancelation("id", CancelationReason.SIGNAL),
            "Operation cancelled: parent id was cancelled (signal)",
        ),
    ],
)
def test_what_errors_say_where_nobody_said_anything(error: CancelationError, text: str) -> None:
    assert str(error) == error.message == text


def test_without_trio_scopes_are_made_the_short_way() -> None:
    printed = run_python(
        textwrap.dedent("""
        import asyncio, sys
        import anyio
        from hother.cancelable import Cancelable
        from hother.cancelable.core import scopes

        async def main():
            for _ in range(2):
                try:
                    async with Cancelable.with_timeout(0.01) as operation:
                        assert type(operation._scope) is type(anyio.CancelScope())
                        await asyncio.Event().wait()
                except TimeoutError as error:
                    print(error)

        for _ in range(2):
            asyncio.run(main())
        assert "trio" not in sys.modules
        assert scopes._of_asyncio is not None
    """)
    )
    assert printed.splitlines() == ["Operation timed out after 0.01s"] * 4


async def test_contexts_are_equal_by_their_fields_and_show_them() -> None:
    made = OperationContext(id="x", name="fetch")
    same = OperationContext(id="x", name="fetch", start_time=made.start_time)
    assert (made == same, hash(made) == hash(same), made is same) == (True, True, False)
    same.metadata["n"] = 1
    assert made != same
    assert made != "x"
    assert repr(same).startswith("OperationContext(id='x', name='fetch', status=<OperationStatus.")
    assert "metadata={'n': 1}" in repr(same)
    async with Cancelable(name="fetch") as operation:
        assert operation.context == operation.context
        before = operation.context._snapshot()
    assert before != operation.context


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_law_p7_ids_of_a_forked_child_are_its_own() -> None:
    printed = run_python(
        textwrap.dedent("""
        import os
        from hother.cancelable import Cancelable, CancelationToken

        def ids():
            made = [Cancelable().operation_id for _ in range(50)]
            return made + [CancelationToken().id for _ in range(50)]

        before = ids()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, " ".join(ids()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        theirs = os.read(read, 65536).decode().split()
        print(len({*before, *ids(), *theirs}))
    """)
    )
    assert printed.split() == ["300"]

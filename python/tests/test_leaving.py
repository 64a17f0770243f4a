"""What a body sees of a cancel, and what leaves its operation."""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    ParentCancelation,
    TimeoutCancelation,
    checkpoint,
)
from hother.cancelable.core.token import CancelationToken

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


class Stop(BaseException):
    """Nothing that an operation catches."""


@pytest.mark.trio
async def test_law_p1_in_the_body_a_cancel_is_plain_at_every_await():
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            await cancel.cancel(message="stop")
            for _ in range(3):
                try:
                    await anyio.lowlevel.checkpoint()
                except anyio.get_cancelled_exc_class() as error:
                    seen.append(isinstance(error, CancelationError))
            await anyio.lowlevel.checkpoint()
    assert seen == [False] * 3


async def test_law_p1_a_native_scope_tells_once_and_again_where_it_is_asked():
    async with Cancelable(scope="native") as cancel:
        await cancel.cancel(message="stop")
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await cancel.check_cancelation()
        with pytest.raises(asyncio.CancelledError, match="stop"):
            checkpoint()
    assert cancel.is_completed
    assert asyncio.current_task().cancelling() == 0


@SCOPES
@pytest.mark.paused
async def test_law_p1_what_leaves_is_typed_and_a_cancelled_error(scope):
    with pytest.raises(TimeoutError) as caught:
        async with Cancelable.with_timeout(2, scope=scope) as cancel:
            await asyncio.sleep(3600)
    error = caught.value
    assert isinstance(error, TimeoutCancelation)
    assert isinstance(error, anyio.get_cancelled_exc_class())
    assert type(error.__cause__) is asyncio.CancelledError
    assert error.__context__ is None
    assert (error.reason, error.timeout_seconds) == (CancelationReason.TIMEOUT, 2)
    assert error.context.id == cancel.operation_id
    assert error.context.status is OperationStatus.CANCELLED


@pytest.mark.trio
@pytest.mark.paused
async def test_law_p1_on_any_loop_the_public_class_is_caught():
    with pytest.raises(TimeoutCancelation, match="timed out"):
        async with Cancelable.with_timeout(2):
            await anyio.sleep(3600)
    token = CancelationToken()
    with pytest.raises(ManualCancelation, match="by token"):
        async with Cancelable.with_token(token):
            await token.cancel(message="by token")
            await anyio.sleep(3600)


@SCOPES
async def test_law_p1_of_an_explicit_parent_the_child_says_so(scope):
    parent = Cancelable()

    async def child():
        async with Cancelable(parent=parent, scope=scope):
            running.set()
            await asyncio.Event().wait()

    running = asyncio.Event()
    with pytest.raises(ManualCancelation):
        async with parent:
            task = asyncio.create_task(child())
            await running.wait()
            await parent.cancel()
            await asyncio.sleep(0)
    with pytest.raises(ParentCancelation) as caught:
        await task
    assert caught.value.parent_id == parent.operation_id
    assert caught.value.parent_reason is CancelationReason.MANUAL


@SCOPES
async def test_law_p1_operations_in_between_let_it_pass_as_it_is(scope):
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as outer:
            try:
                async with Cancelable(scope=scope) as between:
                    await outer.cancel()
                    await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                seen.append(type(error))
                raise
    assert seen == [asyncio.CancelledError]
    assert between.context.cancel_reason is CancelationReason.PARENT


@SCOPES
@pytest.mark.parametrize("ask", ["inner check", "outer check", "checkpoint", "sleep"])
async def test_law_p1_what_an_inner_check_raises_leaves_the_outer_one_typed(scope, ask):
    seen = []
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope) as outer:
            try:
                async with Cancelable(scope=scope) as inner:
                    await outer.cancel(message="outer")
                    match ask:
                        case "inner check":
                            await inner.check_cancelation()
                        case "outer check":
                            await outer.check_cancelation()
                        case "checkpoint":
                            checkpoint()
                        case "sleep":
                            await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                seen.append(type(error))
                raise
    assert seen == [asyncio.CancelledError]
    assert outer.is_cancelled
    assert inner.context.cancel_reason is CancelationReason.PARENT
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p1_the_cancel_of_the_outer_one_outweighs_that_of_the_inner_one(scope):
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope, name="outer") as outer:
            with pytest.raises(CancelationError):
                async with Cancelable(scope=scope) as inner:
                    await inner.cancel(message="inner")
                    await asyncio.sleep(0)
            await outer.cancel(message="outer")
            await asyncio.sleep(0)
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope) as outer, Cancelable(scope=scope) as inner:
            await inner.cancel(message="inner")
            await outer.cancel(message="outer")
            await asyncio.sleep(0)
    assert inner.context.cancel_message == "inner"
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p1_a_body_that_swallowed_the_cancel_leaves_nothing(scope):
    async with Cancelable(scope=scope) as cancel:
        await cancel.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
    assert cancel.is_completed
    await asyncio.sleep(0)


@SCOPES
async def test_law_p1_a_body_with_no_more_await_leaves_nothing_for_later(scope):
    async with Cancelable(scope=scope) as cancel:
        await cancel.cancel()
    assert cancel.is_completed
    for _ in range(3):
        await asyncio.sleep(0)


async def test_law_p1_a_cancelation_that_the_body_raises_leaves_as_it_is():
    raised = TimeoutCancelation(3, "by the body")
    with pytest.raises(TimeoutCancelation) as caught:
        async with Cancelable() as cancel:
            raise raised
    assert caught.value is raised
    assert cancel.is_cancelled
    assert cancel.context.cancel_reason is CancelationReason.TIMEOUT
    assert cancel.context.cancel_message == "by the body"


@SCOPES
@pytest.mark.parametrize("raises", ["cancelled", "error", "suppress"])
async def test_law_p1_a_switch_says_what_leaves(scope, raises):
    left = None
    try:
        async with Cancelable(scope=scope, raises=raises) as cancel:
            await cancel.cancel()
            await asyncio.sleep(0)
    except CancelationError as error:
        left = error
    expected = {"cancelled": (True, True), "error": (True, False), "suppress": (False, False)}
    is_cancelled_error = isinstance(left, asyncio.CancelledError)
    assert (left is not None, is_cancelled_error) == expected[raises]
    assert cancel.is_cancelled
    assert asyncio.current_task().cancelling() == 0


async def test_law_p1_a_task_group_drops_what_is_cancelled_and_reports_an_error():
    async def work(raises):
        async with Cancelable(raises=raises) as cancel:
            await cancel.cancel()
            await asyncio.sleep(0)

    async with anyio.create_task_group() as group:
        group.start_soon(work, "cancelled")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work("cancelled"))
            tasks.create_task(work("error"))
    assert [type(it) for it in caught.value.exceptions] == [ManualCancelation]


@SCOPES
async def test_law_o1_what_is_no_exception_ends_failed_and_calls_nobody(scope):
    called = []
    cancel = Cancelable(scope=scope)
    cancel.on_error(lambda *told: called.append(told))
    cancel.on_cancel(called.append).on_complete(called.append)
    with pytest.raises(Stop):
        async with cancel:
            raise Stop
    assert cancel.context.status is OperationStatus.FAILED
    assert called == []

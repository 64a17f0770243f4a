"""Grace: the body sees the cancel, and has time to finish by itself."""

import asyncio
from datetime import timedelta

import anyio
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    checkpoint,
)
from support import leaks
from support.loops import settle

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


@pytest.mark.paused
@SCOPES
async def test_law_o6_a_body_that_finishes_in_its_grace_has_finished(scope):
    async with Cancelable.with_timeout(1, grace=10, scope=scope) as cancel:
        await cancel.token.wait_for_cancel()
        assert cancel.context.status is OperationStatus.CANCELLING
        with pytest.raises(asyncio.CancelledError, match="timed out"):
            await cancel.check_cancelation()
        with pytest.raises(asyncio.CancelledError):
            checkpoint()
        await asyncio.sleep(5)
    assert cancel.is_completed
    assert cancel.context.cancel_reason is CancelationReason.TIMEOUT
    assert cancel.context.ask_to_end_seconds >= 0


@pytest.mark.trio
@pytest.mark.paused
async def test_law_o6_a_body_that_does_not_is_cancelled_when_the_grace_is_over():
    started = anyio.current_time()
    with pytest.raises(TimeoutCancelation):
        async with Cancelable.with_timeout(1, grace=10):
            await anyio.sleep(3600)
    assert anyio.current_time() - started == pytest.approx(11, abs=0.1)


@pytest.mark.paused
@SCOPES
async def test_law_o6_waits_for_shields(scope):
    started = anyio.current_time()
    with pytest.raises(ManualCancelation):
        async with Cancelable(grace=10, scope=scope) as cancel:
            await cancel.cancel()
            async with cancel.shield():
                await asyncio.sleep(60)
            await asyncio.sleep(3600)
    assert anyio.current_time() - started == pytest.approx(60, abs=0.1)


@pytest.mark.paused
async def test_law_o6_an_inner_grace_is_the_inner_ones_own():
    started = anyio.current_time()
    with pytest.raises(ManualCancelation):
        async with Cancelable() as outer, Cancelable(grace=10) as inner:
            await outer.cancel()
            await asyncio.sleep(3600)
    assert anyio.current_time() == started
    assert inner.context.cancel_reason is CancelationReason.PARENT


@pytest.mark.paused
async def test_law_o6_of_the_outer_one_the_inner_one_has_none():
    async with Cancelable(grace=10) as outer:
        with pytest.raises(asyncio.CancelledError):
            async with Cancelable() as inner:
                await outer.cancel()
                await asyncio.sleep(3600)
        await asyncio.sleep(5)
    assert inner.context.cancel_reason is CancelationReason.PARENT
    assert outer.is_completed


@pytest.mark.trio
@pytest.mark.paused
@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        (CancelationReason.SHUTDOWN, 20),
        (CancelationReason.TIMEOUT, 5),
        (CancelationReason.MANUAL, 0),
    ],
)
async def test_law_o6_a_grace_may_hold_for_one_reason(reason, seconds):
    started = anyio.current_time()
    grace = {CancelationReason.SHUTDOWN: 20, CancelationReason.TIMEOUT: timedelta(seconds=5)}
    with pytest.raises(CancelationError):
        async with Cancelable(grace=grace) as cancel:
            await cancel.cancel(reason)
            await anyio.sleep(3600)
    assert anyio.current_time() - started == pytest.approx(seconds, abs=0.1)


@pytest.mark.paused
async def test_law_o6_for_parent_it_goes_by_what_that_began_with():
    started = anyio.current_time()
    grace = {CancelationReason.SHUTDOWN: 20}
    with pytest.raises(CancelationError) as raised:
        async with Cancelable() as outer:
            async with Cancelable():

                async def work():
                    async with Cancelable(grace=grace) as inner:
                        await asyncio.sleep(3600)
                    return inner

                working = asyncio.create_task(work())
                await settle()
                await outer.cancel(CancelationReason.SHUTDOWN)
                await asyncio.sleep(3600)
    assert raised.value.reason is CancelationReason.SHUTDOWN
    assert anyio.current_time() == started
    with pytest.raises(asyncio.CancelledError):
        await working
    assert anyio.current_time() - started == pytest.approx(20, abs=0.1)


@pytest.mark.paused
async def test_law_o6_one_that_is_given_while_it_runs_holds_from_then_on():
    started = anyio.current_time()
    with pytest.raises(CancelationError):
        async with Cancelable() as cancel:
            cancel._set_grace(7, CancelationReason.SHUTDOWN)
            await cancel.cancel(CancelationReason.SHUTDOWN)
            await asyncio.sleep(3600)
    assert anyio.current_time() - started == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("grace", "error", "text"),
    [
        ({CancelationReason.SHUTDOWN: 0}, ValueError, "Grace must be positive, got 0"),
        ({"shutdown": 5}, TypeError, "grace must map members of CancelationReason to seconds"),
        ({CancelationReason.PARENT: 5}, ValueError, "goes by what the parent was cancelled for"),
    ],
)
def test_a_grace_by_reason_makes_sense(grace, error, text):
    with pytest.raises(error, match=text):
        Cancelable(grace=grace)


async def test_law_o3_a_grace_that_was_not_used_up_leaves_no_timer():
    async def work():
        async with Cancelable(grace=3600) as cancel:
            await cancel.cancel()

    await work()
    with leaks.no_more_objects(than=20):
        for _ in range(100):
            await work()


@pytest.mark.parametrize("grace", [0, -1])
def test_a_grace_is_positive(grace):
    with pytest.raises(ValueError, match=f"Grace must be positive, got {grace}"):
        Cancelable(grace=grace)

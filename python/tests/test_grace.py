"""Grace: the body sees the cancel, and has time to finish by itself."""

import asyncio

import anyio
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    checkpoint,
)
from support import leaks

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

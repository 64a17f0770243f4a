"""Shielded sections: they run to their end, and the cancel comes right after."""

import asyncio
from contextvars import Context

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    TimeoutCancelation,
    checkpoint,
    current_operation,
)
from support import loops

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


@pytest.mark.trio
async def test_the_handle_of_a_section_says_what_it_is():
    async with Cancelable(name="work") as cancel:
        async with cancel.shield() as handle:
            assert isinstance(handle, Cancelable)
            context = handle.context
            assert context.name == "work_shielded"
            assert context.metadata == {"shielded": True}
            assert context.parent_id == cancel.operation_id
            assert context.status is OperationStatus.SHIELDED
            assert current_operation() is cancel
        assert current_operation() is cancel
    assert cancel.is_completed


@SCOPES
async def test_law_o5_a_section_runs_to_its_end_and_the_cancel_comes_right_after(scope):
    seen = []
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable(scope=scope) as cancel:
            async with cancel.shield():
                await cancel.cancel(message="stop")
                await loops.settle()
                await asyncio.sleep(0)
                await cancel.check_cancelation()
                checkpoint()
                seen.append("section")
            seen.append("after it")
    assert seen == ["section"]
    assert cancel.is_cancelled
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.trio
async def test_law_o5_a_section_on_any_loop():
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            async with cancel.shield():
                await cancel.cancel()
                await anyio.lowlevel.checkpoint()
                seen.append("section")
            seen.append("after it")
    assert seen == ["section"]


@SCOPES
async def test_law_o5_what_encloses_the_operation_is_held_off_as_well(scope):
    seen = []
    with pytest.raises(ManualCancelation):
        async with (
            Cancelable(scope=scope) as outer,
            Cancelable(scope=scope, detached=True) as inner,
        ):
            async with inner.shield():
                await outer.cancel()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                seen.append("section")
            await asyncio.sleep(0)
            seen.append("after it")
    assert seen == ["section"]
    assert outer.is_cancelled


@SCOPES
async def test_law_o5_what_begins_in_a_section_is_not_cancelled(scope):
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as cancel:
            async with cancel.shield():
                await cancel.cancel()
                async with Cancelable(scope=scope) as begun:
                    await asyncio.sleep(0)
                assert begun.is_completed
                assert not begun.token.is_cancelled
    assert begun.parent is None


@SCOPES
async def test_law_o5_shields_nest(scope):
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as cancel:
            async with cancel.shield() as outer:
                async with outer.shield(), cancel.shield():
                    await cancel.cancel()
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                seen.append("outer section")
            seen.append("after it")
    assert seen == ["outer section"]


@pytest.mark.trio
@pytest.mark.paused
async def test_law_o5_a_section_past_its_bound_is_cancelled_and_that_is_told():
    with pytest.raises(TimeoutCancelation) as caught:
        async with Cancelable() as cancel:
            async with cancel.shield(timeout=2) as handle:
                assert handle.remaining() == pytest.approx(2)
                await anyio.sleep(3600)
    assert caught.value.timeout_seconds == 2
    assert handle.context.cancel_reason is CancelationReason.TIMEOUT
    assert handle.is_cancelled
    assert cancel.context.cancel_reason is CancelationReason.TIMEOUT


@pytest.mark.paused
async def test_law_o5_the_cancel_of_the_operation_outweighs_a_bound_that_passed():
    with pytest.raises(ManualCancelation, match="stop") as caught:
        async with Cancelable() as cancel:
            async with cancel.shield(timeout=2):
                await cancel.cancel(message="stop")
                await asyncio.sleep(3600)
    assert isinstance(caught.value.__cause__, TimeoutCancelation)
    assert cancel.context.cancel_message == "stop"


@SCOPES
@pytest.mark.paused
async def test_law_o5_a_section_that_ends_by_itself_loses_no_cancel(scope):
    seen = []
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable(scope=scope) as cancel:
            with pytest.raises(TimeoutCancelation):
                async with cancel.shield(timeout=2):
                    await cancel.cancel(message="stop")
                    await asyncio.sleep(3600)
            await asyncio.sleep(1)
            seen.append("went on")
    assert seen == []
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_o5_a_stream_in_a_section_runs_to_its_end(scope):
    async def source():
        for item in range(3):
            await asyncio.sleep(0)
            yield item

    items, beyond = [], []
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as cancel:
            async with cancel.shield():
                async for item in cancel.stream(source()):
                    await cancel.cancel()
                    items.append(item)
            beyond.extend([item async for item in cancel.stream(source())])
    assert items == [0, 1, 2]
    assert beyond == []


@SCOPES
async def test_law_o5_inside_remaining_is_the_sections_own(scope):
    async with Cancelable.with_timeout(60, scope=scope) as cancel:
        async with cancel.shield() as handle:
            assert handle.remaining() is None
            assert handle.deadline is None
        assert cancel.remaining() > 0


@SCOPES
async def test_law_o5_the_operation_says_so_too_to_whoever_asks_inside(scope):
    def left():
        seen = current_operation()
        assert (seen.deadline is None) is (seen.remaining() is None)
        return seen.remaining()

    async with Cancelable.with_timeout(60, scope=scope) as cancel:
        assert 50 < left() <= 60
        async with cancel.shield():
            assert left() is None
            # What begins inside has its own, and that of a shield around it.
            async with Cancelable.with_timeout(30, scope=scope):
                assert 20 < left() <= 30
                assert cancel.remaining() is None
            async with cancel.shield(timeout=20) as handle:
                assert current_operation() is cancel
                assert 10 < left() <= 20
                assert left() == pytest.approx(handle.remaining(), abs=1)
                async with Cancelable(scope=scope) as inner:
                    assert 10 < left() <= 20
                    async with inner.shield(timeout=5):
                        assert 0 < left() <= 5
                        assert cancel.remaining() <= 5
            assert left() is None
            # Whoever is not in the shield is told what is left of the operation.
            assert 50 < await outside(cancel.remaining) <= 60
        assert 50 < left() <= 60


async def outside(asks):
    """What that gives in a task that stands in no operation."""

    async def ask():
        return asks()

    return await asyncio.get_running_loop().create_task(ask(), context=Context())


async def test_a_section_can_be_cancelled_by_its_handle():
    async with Cancelable() as cancel:
        with pytest.raises(CancelationError, match="enough"):
            async with cancel.shield() as handle:
                await handle.cancel(message="enough")
                await asyncio.sleep(3600)
        assert not cancel.context.cancel_reason
    assert cancel.is_completed


async def test_a_section_is_shielded_from_a_scope_of_anyio_around():
    with anyio.CancelScope() as scope:
        async with Cancelable() as cancel:
            async with cancel.shield():
                scope.cancel()
                await anyio.lowlevel.checkpoint()
            pytest.fail("the cancel is delivered where the section ends")
    assert cancel.is_cancelled


async def test_law_o9_what_a_section_leaves_behind_belongs_to_the_operation():
    found = []

    async def find(event):
        await event.wait()
        found.append(current_operation())

    event = asyncio.Event()
    async with Cancelable() as cancel:
        async with cancel.shield():
            task = asyncio.create_task(find(event))
        event.set()
        await task
        async with Cancelable() as begun:
            assert begun._above() is cancel
    assert found == [cancel]


@pytest.mark.parametrize("timeout", [0, -1, "1", True])
async def test_a_bound_of_a_shield_is_a_positive_number(timeout):
    async with Cancelable() as cancel:
        with pytest.raises((ValueError, TypeError), match="Timeout must be"):
            cancel.shield(timeout=timeout)

"""Time limits as programs give them, and the times of an operation as they are on record."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationReason,
)


@pytest.mark.parametrize(
    "limit",
    [
        60,
        5.0,
        0.1,
        1 / 3,
        1e-4,
        9.99e-5,
        1e-9,
        5e-324,
        123456789.125,
        1e15,
        1e16,
        1e22,
        2**31 - 1,
        2**31,
        2**53 + 1,
        2**70,
        10**400,
        float("inf"),
    ],
)
def test_the_name_of_a_limit_is_as_python_writes_it(limit: float) -> None:
    operation = Cancelable.with_timeout(limit)
    assert operation.context.name == f"timeout_{limit}s"
    assert repr(operation.context.name) in repr(operation)
    named = Cancelable.with_timeout(limit, name="mine", metadata={"a": 1})
    assert (named.context.name, named.context.metadata) == ("mine", {"a": 1})
    assert Cancelable.with_timeout(limit, "its-id").operation_id == "its-id"


@pytest.mark.parametrize("limit", [0, -1, 0.0, -0.0, -1e-9, float("nan"), float("-inf")])
def test_a_limit_that_is_none_is_said_to_be(limit: float) -> None:
    with pytest.raises(ValueError, match="Timeout must be positive, got"):
        Cancelable.with_timeout(limit)


@pytest.mark.parametrize("limit", [True, "5", None, 5j])
def test_a_limit_that_is_no_number_is_said_to_be(limit: Any) -> None:
    with pytest.raises(TypeError, match="Timeout must be a number of seconds or a timedelta"):
        Cancelable.with_timeout(limit)


def test_a_limit_as_a_length_of_time_is_named_in_seconds() -> None:
    assert Cancelable.with_timeout(timedelta(minutes=1)).context.name == "timeout_60.0s"


async def test_its_times_are_those_of_the_wall_clock() -> None:
    """Whether they are read or reckoned: a reading counts for some milliseconds."""
    moments = [datetime.now(UTC)]
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        operation = Cancelable()
        made = operation.context.start_time
        async with operation:
            began = operation.context.start_time
        ended = operation.context.end_time
        assert ended is not None
        moments += [made, began, ended]
    moments.append(datetime.now(UTC))
    late = [after - before for before, after in pairwise(moments) if after < before]
    # The two clocks run alike to within much less than that.
    assert all(it > timedelta(milliseconds=-1) for it in late), late


async def forever() -> None:
    """Waits, and is only ended by a cancel."""
    await asyncio.Event().wait()


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


@pytest.mark.paused
async def test_law_t11_a_child_ends_by_its_parents_deadline_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with Cancelable.with_timeout(2.0, raises="suppress") as outer:
        async with Cancelable.with_timeout(5.0) as inner:
            assert inner.remaining() == pytest.approx(2.0)
            assert inner.deadline == pytest.approx(outer.deadline)
            async with Cancelable() as innermost:
                await asyncio.sleep(1.0)
                assert innermost.remaining() == pytest.approx(1.0)
                await forever()
    assert loop.time() == pytest.approx(start + 2.0)
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
            assert combined.remaining() == pytest.approx(1.0)
            await forever()
    assert loop.time() - start == pytest.approx(1.0)
    assert combined.context.metadata == {
        "sources": [first.operation_id, second.operation_id],
        "combined": True,
        "preserve_reason": True,
    }

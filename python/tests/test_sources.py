"""Sources: what they fire for, what they say, and how they nest."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    AllOfSource,
    AnyOfSource,
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationSource,
    CancelationToken,
    CompositeSource,
    ConditionCancelation,
    ConditionSource,
    ManualCancelation,
    OperationStatus,
    SignalSource,
    TimeoutCancelation,
    TimeoutSource,
    TokenSource,
    current_operation,
)
from support.loops import settle
from support.sources import (
    Broken,
    ByHand,
    Switch,
    anyio_true,
    ended_by,
    left_in_the_loop,
)

# --- S1


@pytest.mark.trio
@pytest.mark.paused
async def test_law_s1_any_of_fires_with_the_first() -> None:
    late, first, token = TimeoutSource(5.0), TimeoutSource(0.2, name="budget"), CancelationToken()
    any_of = AnyOfSource([late, token, first])
    error, after = await ended_by(any_of)
    assert isinstance(error, TimeoutCancelation)
    assert (error.timeout_seconds, error.reason) == (0.2, CancelationReason.TIMEOUT)
    assert after == pytest.approx(0.2)
    assert (any_of.triggered, first.triggered, late.triggered) == (True, True, False)
    assert any_of.triggered_source is first
    assert any_of.reason is CancelationReason.TIMEOUT


@pytest.mark.trio
@pytest.mark.paused
async def test_law_s1_all_of_fires_when_every_one_has_for_the_reason_of_the_last() -> None:
    token, timeout, switch = CancelationToken(), TimeoutSource(3.0), Switch()
    all_of = AllOfSource([timeout, token, switch, timeout])
    switch.flipped.set()
    token.cancel_sync(CancelationReason.MANUAL, "early")
    error, after = await ended_by(all_of)
    assert isinstance(error, TimeoutCancelation)
    assert after == pytest.approx(3.0)
    assert len(all_of.triggered_sources) == 3
    assert {timeout, switch} < all_of.triggered_sources


@pytest.mark.paused
async def test_law_s1_sources_of_every_kind_nest_through_add_source() -> None:
    token = CancelationToken()
    inner = AllOfSource([TimeoutSource(1.0), token, ConditionSource(anyio_true, 0.5, "ready")])
    outer = AnyOfSource([inner, TimeoutSource(60.0), SignalSource()], name="outer")
    asyncio.get_running_loop().call_later(2.0, token.cancel_sync, "go")
    error, after = await ended_by(outer)
    assert isinstance(error, ManualCancelation)
    assert after == pytest.approx(2.0)
    assert outer.triggered_source is inner
    assert not left_in_the_loop()


@pytest.mark.trio
async def test_law_s1_one_that_fires_as_it_is_started_counts() -> None:
    token = CancelationToken()
    token.cancel_sync(message="before")
    for source in (
        TokenSource(token),
        AnyOfSource([token, TimeoutSource(60.0)]),
        AllOfSource([token, ByHand(at_start="at once")]),
        CompositeSource([ByHand(at_start="at once")]),
        ByHand(at_start="at once"),
    ):
        error, _ = await ended_by(source)
        assert isinstance(error, ManualCancelation)
        assert source.triggered


# --- S2


@pytest.mark.paused
@pytest.mark.parametrize("order", [(0.2, 5.0), (5.0, 0.2)])
async def test_law_s2_of_two_timeouts_that_are_combined_the_earlier_counts(
    order: tuple[float, float],
) -> None:
    first, second = order
    start = anyio.current_time()
    with pytest.raises(TimeoutCancelation) as told:
        async with Cancelable.with_timeout(first).combine(Cancelable.with_timeout(second)):
            await anyio.sleep_forever()
    assert told.value.timeout_seconds == 0.2
    assert anyio.current_time() - start == pytest.approx(0.2)


@pytest.mark.trio
@pytest.mark.paused
async def test_law_s2_a_timeout_counts_from_the_start_or_from_when_it_was_added() -> None:
    async def slow(_: Any) -> None:
        await anyio.sleep(1.0)

    early, late = TimeoutSource(5.0), TimeoutSource(2.0)
    plan = Cancelable(sources=[early]).on_start(slow)
    await anyio.sleep(10.0)
    start = anyio.current_time()
    with pytest.raises(TimeoutCancelation):
        async with plan as operation:
            assert operation.remaining() == pytest.approx(4.0)
            await anyio.sleep(1.0)
            operation.add_source(late)
            assert operation.remaining() == pytest.approx(2.0)
            await anyio.sleep_forever()
    assert anyio.current_time() - start == pytest.approx(4.0)
    assert (early.triggered, late.triggered) == (False, True)


@pytest.mark.paused
async def test_law_s2_deadlines_are_known_through_the_nesting() -> None:
    def limit(at: float) -> TimeoutSource:
        return TimeoutSource(at)

    token = CancelationToken()
    for source, known in (
        (AnyOfSource([limit(3.0), limit(2.0), token]), 2.0),
        (AllOfSource([limit(3.0), limit(2.0)]), 3.0),
        (AllOfSource([limit(3.0), token]), None),
        (AnyOfSource([AllOfSource([limit(1.0), token]), limit(9.0)]), 9.0),
        (AllOfSource([AnyOfSource([limit(4.0), token]), limit(1.0)]), 4.0),
    ):
        async with Cancelable(sources=[source]) as operation:
            assert operation.remaining() == pytest.approx(known)


@pytest.mark.paused
async def test_law_s2_a_deadline_is_known_once_all_that_did_not_know_theirs_have_fired() -> None:
    token = CancelationToken()
    async with Cancelable(sources=[AllOfSource([TimeoutSource(3.0), token])]) as operation:
        assert operation.deadline is None
        token.cancel_sync()
        assert operation.remaining() == pytest.approx(3.0)


# --- S5


@pytest.mark.paused
async def test_law_s5_what_fired_says_so_by_name() -> None:
    async def check(source: CancelationSource, *said: str) -> None:
        error, _ = await ended_by(source)
        assert error.message in said
        assert error.context is not None
        assert error.context.cancel_message == error.message

    def switched(name: str, says: str | None = None) -> Switch:
        switch = Switch(name, says)
        switch.flipped.set()
        return switch

    token = CancelationToken()
    token.cancel_sync("closing time")
    await check(TimeoutSource(5), "Operation timed out after 5s")
    await check(TimeoutSource(0.5, name="budget"), "Operation timed out after 0.5s (budget)")
    await check(ConditionSource(anyio_true), "Condition 'anyio_true' met after 1 checks")
    await check(switched("lamp"), "lamp fired")
    await check(switched("lamp", "the lamp is out"), "the lamp is out")
    await check(ByHand(at_start="pressed"), "pressed")
    await check(TokenSource(token, name="door"), "closing time")
    await check(
        AnyOfSource([TimeoutSource(5, name="budget")]),
        "composite fired by budget: Operation timed out after 5s (budget)",
    )
    await check(
        AllOfSource([switched("a"), TimeoutSource(1, name="b")], name="both"),
        "both fired by a, b: Operation timed out after 1s (b)",
    )
    await check(
        AnyOfSource([AllOfSource([TokenSource(token, name="door")])], name="outer"),
        "outer fired by all_of: all_of fired by door: closing time",
    )


@pytest.mark.paused
async def test_an_operation_cancelled_by_a_source_is_on_record_and_typed() -> None:
    source = ConditionSource(anyio_true, condition_name="ready")
    with pytest.raises(ConditionCancelation) as told:
        async with Cancelable(sources=[AnyOfSource([source])]) as operation:
            await anyio.sleep_forever()
    assert told.value.condition_name == "ready"
    assert operation.context.status is OperationStatus.CANCELLED
    assert operation.context.cancel_reason is CancelationReason.CONDITION


# --- sources of the program's own


@pytest.mark.trio
async def test_a_source_with_a_monitor_fires_when_that_returns() -> None:
    switch = Switch(says="flipped")
    error, _ = await ended_by(switch, then=switch.flipped.set)
    assert (error.reason, error.message) == (CancelationReason.ERROR, "flipped")


@pytest.mark.trio
async def test_a_source_that_starts_and_stops_by_itself_does_so_in_one_task() -> None:
    source = ByHand()
    error, _ = await ended_by(source, then=source.flipped.set)
    assert (error.reason, error.message) == (CancelationReason.MANUAL, "flipped")
    assert source.log == ["started", "stopped"]
    source = ByHand()
    async with Cancelable(sources=[source]):
        assert source.log == ["started"]
    assert source.log == ["started", "stopped"]
    assert not source.triggered


@pytest.mark.trio
async def test_a_source_may_be_watched_by_two_operations_at_once() -> None:
    token, switch = CancelationToken(), Switch()
    shared = AnyOfSource([token, switch])
    errors: list[CancelationError] = []

    async def work(then: Callable[[], object] | None = None) -> None:
        error, _ = await ended_by(shared, then=then)
        errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await settle()
        tasks.start_soon(work, token.cancel_sync)
    assert [isinstance(it, ManualCancelation) for it in errors] == [True, True]
    async with Cancelable(sources=[switch]) as lives_on:
        async with Cancelable(sources=[switch]):
            pass
        switch.flipped.set()
        with anyio.CancelScope(shield=True):
            await settle()
        assert lives_on._is_asked()


@pytest.mark.trio
async def test_a_source_that_starts_and_stops_by_itself_works_for_one_at_a_time() -> None:
    source = ByHand()
    async with Cancelable(sources=[source]):
        second = Cancelable(sources=[source])
        with pytest.raises(RuntimeError, match=r"by_hand is at work for another operation already"):
            async with second:
                raise AssertionError("its body does not run")
        assert second.context.status is OperationStatus.FAILED
        assert source.log == ["started"]
    assert source.log == ["started", "stopped"]
    async with Cancelable(sources=[source]):
        pass
    assert source.log == ["started", "stopped"] * 2


async def test_one_that_fails_to_start_leaves_and_the_body_never_runs() -> None:
    operation = Cancelable(sources=[first := ByHand(), Broken("start")])
    with pytest.raises(OSError, match="no such thing"):
        async with operation:
            pytest.fail("the body runs")
    assert operation.context.status is OperationStatus.FAILED
    assert first.log == ["started", "stopped"]
    assert current_operation() is None


async def test_a_part_that_fails_to_start_or_stop_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    any_of = AnyOfSource([Broken("start"), Broken("stop"), TimeoutSource(0.001)])
    error, _ = await ended_by(any_of)
    assert isinstance(error, TimeoutCancelation)
    assert "broken_start failed to start" in caplog.text
    assert "broken_stop failed to stop" in caplog.text


async def test_a_monitor_that_raises_is_logged_and_never_fires(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Raising(CancelationSource):
        async def monitor(self) -> None:
            raise OSError("gone")

    async with Cancelable(sources=[Raising(CancelationReason.ERROR, "raising")]) as operation:
        await settle()
        assert not operation._is_asked()
    assert "source raising failed" in caplog.text


# --- an operation that is entered again


@pytest.mark.paused
async def test_sources_watch_each_run_anew() -> None:
    operation = Cancelable(sources=[TimeoutSource(2.0), TimeoutSource(3.0)])
    for _ in range(3):
        start = anyio.current_time()
        with pytest.raises(TimeoutCancelation):
            async with operation:
                await anyio.sleep_forever()
        assert anyio.current_time() - start == pytest.approx(2.0)
    async with operation:
        pass
    assert operation.is_completed


# --- bad values


def test_bad_values_are_refused_by_the_argument() -> None:
    def check(kind: type[Exception], said: str, make: Callable[[], object]) -> None:
        with pytest.raises(kind) as told:
            make()
        assert str(told.value) == said

    anything: Any = 5
    check(ValueError, "Timeout must be positive, got 0", lambda: TimeoutSource(0))
    check(ValueError, "Timeout must be positive, got -1.5", lambda: TimeoutSource(-1.5))
    check(ValueError, "Timeout must be positive, got nan", lambda: TimeoutSource(float("nan")))
    check(
        TypeError,
        "Timeout must be a number of seconds or a timedelta, got str",
        lambda: TimeoutSource("1"),  # type: ignore[arg-type]
    )
    for make in (CompositeSource, AnyOfSource, AllOfSource):
        check(ValueError, "At least one source is required", lambda make=make: make([]))
        check(
            TypeError,
            "source must be a CancelationSource or a CancelationToken, got int",
            lambda make=make: make([anything]),
        )
    check(
        TypeError,
        "source must be a CancelationSource or a CancelationToken, got int",
        lambda: Cancelable(sources=[anything]),
    )
    check(
        TypeError,
        "token must be a CancelationToken, got int",
        lambda: TokenSource(anything),
    )
    check(
        TypeError,
        "CancelationSource watches nothing: implement monitor(), or start_monitoring(scope) and stop_monitoring()",
        lambda: CancelationSource(CancelationReason.MANUAL),
    )


def test_a_source_says_its_name_and_reason() -> None:
    assert str(TimeoutSource(1.0)) == "TimeoutSource(reason=timeout)"
    assert str(TimeoutSource(1.0, name="budget")) == "budget(reason=timeout)"
    assert TimeoutSource(timedelta(minutes=1)).timeout == 60.0
    assert (CompositeSource([TimeoutSource(1)]).name, AllOfSource([TimeoutSource(1)]).name) == (
        "composite",
        "all_of",
    )


def test_one_that_is_never_started_needs_no_loop(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Cancelable(sources=[AnyOfSource([SignalSource(), TimeoutSource(1.0)])])
    Cancelable.with_signal().combine(Cancelable.with_condition(lambda: True))
    assert not caplog.text

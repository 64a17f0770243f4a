"""Sources: what they fire for, what they say, how they nest, and that nothing is left of them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
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


class Switch(CancelationSource):
    """Fires when it is told to: by a monitor of its own."""

    def __init__(self, name: str = "switch", says: str | None = None):
        super().__init__(CancelationReason.ERROR, name)
        self.flipped = anyio.Event()
        self.says = says

    async def monitor(self) -> str | None:
        await self.flipped.wait()
        return self.says


class ByHand(CancelationSource):
    """Starts and stops by itself, with a task group open meanwhile, as programs write it."""

    def __init__(self, name: str = "by_hand", at_start: str | None = None):
        super().__init__(CancelationReason.MANUAL, name)
        self.log: list[str] = []
        self.at_start = at_start
        self.flipped = anyio.Event()

    async def start_monitoring(self, scope: anyio.CancelScope) -> None:
        self.scope = scope
        self.tasks = anyio.create_task_group()
        await self.tasks.__aenter__()
        self.tasks.start_soon(self.work)
        self.log.append("started")
        if self.at_start is not None:
            await self.trigger_cancelation(self.at_start)

    async def work(self) -> None:
        await self.flipped.wait()
        await self.trigger_cancelation("flipped")

    async def stop_monitoring(self) -> None:
        self.tasks.cancel_scope.cancel()
        await self.tasks.__aexit__(None, None, None)
        self.log.append("stopped")


class Broken(CancelationSource):
    """Cannot be started, or not be stopped."""

    def __init__(self, what: str):
        super().__init__(CancelationReason.ERROR, f"broken_{what}")
        self.what = what

    async def start_monitoring(self, scope: anyio.CancelScope) -> None:
        if self.what == "start":
            raise OSError("no such thing")

    async def stop_monitoring(self) -> None:
        if self.what == "stop":
            raise OSError("stuck")


async def ended_by(
    *sources: Any, then: Callable[[], object] | None = None
) -> tuple[CancelationError, float]:
    """What leaves an operation with these sources, and after how long."""
    start = anyio.current_time()
    with pytest.raises(CancelationError) as told:
        async with Cancelable(sources=sources):
            if then is not None:
                then()
            await anyio.sleep_forever()
    return told.value, anyio.current_time() - start


def left_in_the_loop() -> set[Any]:
    """The tasks of this loop but this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


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


async def anyio_true() -> bool:
    return True


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
            assert operation.remaining() == known


@pytest.mark.paused
async def test_law_s2_a_deadline_is_known_once_all_that_did_not_know_theirs_have_fired() -> None:
    token = CancelationToken()
    async with Cancelable(sources=[AllOfSource([TimeoutSource(3.0), token])]) as operation:
        assert operation.deadline is None
        token.cancel_sync()
        assert operation.remaining() == 3.0


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


@pytest.mark.trio
async def test_a_subclass_of_ours_may_add_to_the_start_and_the_stop() -> None:
    class Told(ConditionSource):
        log: list[str]

        async def start_monitoring(self, scope: anyio.CancelScope) -> None:
            self.log = ["start"]
            await super().start_monitoring(scope)

        async def stop_monitoring(self) -> None:
            await super().stop_monitoring()
            self.log.append("stop")

    told = Told(anyio_true, condition_name="ready")
    error, _ = await ended_by(told)
    assert isinstance(error, ConditionCancelation)
    assert error.condition_name == "ready"
    assert told.log == ["start", "stop"]


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


# --- callbacks


@pytest.mark.trio
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_callback_hears_reason_and_message_before_the_cancel(is_async: bool) -> None:
    heard: list[Any] = []

    def note(reason: CancelationReason, message: str) -> None:
        heard.append((reason, message))

    async def note_later(reason: CancelationReason, message: str) -> None:
        await anyio.lowlevel.checkpoint()
        note(reason, message)

    callback = note_later if is_async else note
    token = CancelationToken()
    for make in (
        lambda: TimeoutSource(0.001),
        lambda: ConditionSource(anyio_true, condition_name="ready"),
        lambda: TokenSource(token),
        lambda: ByHand(at_start="pressed"),
        lambda: AnyOfSource([TimeoutSource(0.001)], name="any"),
    ):
        for by_hand in (True, False):
            source = make()
            source.set_cancel_callback(callback)
            heard.clear()
            token.cancel_sync("closing time")
            if by_hand:
                scope = anyio.CancelScope()
                await source.start_monitoring(scope)
                with scope:
                    await anyio.sleep_forever()
                assert scope.cancelled_caught
                await source.stop_monitoring()
                ((reason, _),) = heard
                assert reason is source.reason
            else:
                error, _ = await ended_by(source)
                assert heard == [(error.reason, error.message)]


@pytest.mark.trio
async def test_a_callback_that_raises_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no ears")

    for source in (TimeoutSource(0.001), ByHand(at_start="pressed")):
        source.set_cancel_callback(fail)
        await ended_by(source)
    assert [it.levelname for it in caplog.records].count("ERROR") == 2


# --- driven by hand


@pytest.mark.trio
@pytest.mark.paused
async def test_by_hand_a_timeout_sets_a_deadline_and_takes_it_back() -> None:
    timeout = TimeoutSource(timedelta(seconds=2))
    scope = anyio.CancelScope()
    await timeout.start_monitoring(scope)
    assert scope.deadline == pytest.approx(anyio.current_time() + 2.0)
    await timeout.stop_monitoring()
    assert scope.deadline == float("inf")
    await anyio.sleep(3.0)
    assert not scope.cancel_called
    assert not timeout.triggered
    with anyio.CancelScope() as scope:
        await timeout.start_monitoring(scope)
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert timeout.triggered
    await timeout.stop_monitoring()


@pytest.mark.trio
@pytest.mark.paused
async def test_by_hand_a_scope_that_is_cancelled_already_hears_nothing() -> None:
    heard: list[Any] = []
    token = CancelationToken()
    for source in (
        TimeoutSource(1.0),
        TokenSource(token),
        AnyOfSource([TimeoutSource(1.0)]),
        ByHand(),
        Switch(),
    ):
        source.set_cancel_callback(lambda *it: heard.append(it))
        scope = anyio.CancelScope()
        scope.cancel()
        await source.start_monitoring(scope)
        token.cancel_sync()
        if isinstance(source, ByHand | Switch):
            source.flipped.set()
        await source.trigger_cancelation("by hand")
        await anyio.sleep(2.0)
        await source.stop_monitoring()
        assert not heard
        assert not source.triggered


@pytest.mark.trio
async def test_by_hand_trigger_cancels_the_scope_once() -> None:
    heard: list[Any] = []
    source = Switch()
    source.set_cancel_callback(lambda *it: heard.append(it))
    with anyio.CancelScope() as scope:
        await source.start_monitoring(scope)
        await source.trigger_cancelation("now")
        await source.trigger_cancelation("again")
        source.flipped.set()
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    await source.stop_monitoring()
    assert heard == [(CancelationReason.ERROR, "now")]


# --- what is left


@pytest.mark.parametrize("fires", [True, False])
async def test_law_o3_nothing_is_left_of_sources(fires: bool) -> None:
    token = CancelationToken()
    switch, by_hand = Switch(), ByHand()
    sources: list[Any] = [
        TimeoutSource(60.0),
        SignalSource(),
        ConditionSource(lambda: False, 0.001),
        ConditionSource(anyio_false, 0.001),
        switch,
        token,
    ]
    nested = AnyOfSource([*sources, by_hand, AllOfSource(sources)])
    cancel = Cancelable(sources=[*sources, nested])
    if fires:
        with pytest.raises(CancelationError):
            async with cancel:
                token.cancel_sync()
                await anyio.sleep_forever()
    else:
        async with cancel:
            await settle()
    assert not left_in_the_loop()
    assert by_hand.log.count("started") == by_hand.log.count("stopped")
    for source in (*sources[:-1], nested):
        assert not source._watches


async def anyio_false() -> bool:
    return False


async def test_a_cancel_of_the_task_while_sources_stop_is_not_lost() -> None:
    class Slow(ByHand):
        async def stop_monitoring(self) -> None:
            stopping.set()
            await go_on.wait()
            await super().stop_monitoring()

    stopping, go_on = anyio.Event(), anyio.Event()
    source = Slow()
    ended = False

    async def work() -> None:
        nonlocal ended
        async with Cancelable(sources=[source]) as operation:
            pass
        ended = operation.is_completed
        await anyio.sleep_forever()

    task = asyncio.create_task(work())
    await stopping.wait()
    task.cancel()
    await settle()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
    assert source.log == ["started", "stopped"]


# --- combining while it runs


@pytest.mark.paused
@pytest.mark.parametrize("use", ["check", "wrap", "wrapping", "shield"])
async def test_combined_with_one_that_runs_the_others_end_it_from_the_first_use_on(
    use: str,
) -> None:
    async def work() -> str:
        return "done"

    timeout, said = TimeoutSource(2.0, name="added"), []
    other = Cancelable(sources=[timeout]).on_progress(
        lambda _id, message, _meta: said.append(message)
    )
    start = anyio.current_time()
    with pytest.raises(TimeoutCancelation) as told:
        async with Cancelable.with_timeout(60.0) as running:
            handle = running.combine(other)
            await anyio.sleep(5.0)
            assert running.remaining() == 55.0
            if use == "check":
                await handle.check_cancelation()
            elif use == "wrap":
                assert await handle.wrap(work)() == "done"
            elif use == "wrapping":
                async with handle.wrapping() as wrap:
                    assert await wrap(work) == "done"
            else:
                async with handle.shield():
                    assert await work() == "done"
            assert running.remaining() == 2.0
            await handle.report_progress("half")
            await running.report_progress("whole")
            await anyio.sleep_forever()
    assert told.value.message == "Operation timed out after 2s (added)"
    assert anyio.current_time() - start == pytest.approx(7.0)
    assert said == ["half", "whole"]


async def test_a_thread_of_the_handle_is_told_by_what_was_combined() -> None:
    token, has_begun = CancelationToken(), threading.Event()

    def work() -> str:
        has_begun.set()
        operation = current_operation()
        assert operation is not None
        return "told" if operation.token.wait(60.0) else "not told"

    def cancel() -> None:
        has_begun.wait(60.0)
        token.cancel_sync(message="enough")

    told: list[str] = []
    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(ManualCancelation, match="enough"):
        async with Cancelable() as running:
            handle = running.combine(Cancelable.with_token(token))
            await handle.run_in_thread(lambda: told.append(work()))
    canceller.join()
    assert told == ["told"]


async def test_the_handle_of_a_combination_hears_of_a_cancel_of_the_one_that_runs() -> None:
    token = CancelationToken()
    async with Cancelable() as running:
        handle = running.combine(Cancelable.with_token(token))
        await handle.check_cancelation()
        token.cancel_sync("from outside")
        with pytest.raises(asyncio.CancelledError, match="from outside"):
            await handle.check_cancelation()
        with anyio.CancelScope(shield=True):
            await settle()
    assert running.is_completed


async def test_a_stream_of_the_handle_is_the_running_ones_too() -> None:
    closed = False
    token = CancelationToken()

    async def items() -> AsyncIterator[int]:
        nonlocal closed
        try:
            for number in range(100):
                yield number
        finally:
            closed = True

    came: list[int] = []
    said: list[Any] = []
    with pytest.raises(ManualCancelation, match="by monitor"):
        async with Cancelable() as running:
            running.on_progress(lambda _id, message, _meta: said.append(message))
            handle = running.combine(Cancelable.with_token(token))
            async for number in handle.stream(items(), report_interval=2):
                came.append(number)
                if number == 3:
                    token.cancel_sync("by monitor")
    assert came == [0, 1, 2, 3]
    assert closed
    assert said == ["Processed 2 items", "Processed 4 items"]
    assert running.is_cancelled
    # One that is left open is closed with the one that runs.
    closed = False
    async with running:
        async for _ in running.combine(Cancelable()).stream(items()):
            break
    assert closed


@pytest.mark.paused
async def test_a_combination_that_is_entered_ends_alone() -> None:
    async with Cancelable() as running:
        said: list[Any] = []
        running.on_progress(lambda _id, message, _meta: said.append(message))
        combined = running.combine(Cancelable(sources=[TimeoutSource(1.0)]))
        with pytest.raises(TimeoutCancelation):
            async with combined:
                await combined.report_progress("inside")
                await anyio.sleep_forever()
        assert not running._is_asked()
        assert said == ["inside"]
    assert running.is_completed


async def test_a_combination_that_is_entered_elsewhere_ends_with_the_one_that_runs() -> None:
    entered = asyncio.Event()

    async def elsewhere(combined: Cancelable) -> None:
        async with combined:
            entered.set()
            await anyio.sleep_forever()

    handed: asyncio.Queue[Cancelable] = asyncio.Queue()
    # In a context without the operation.
    task = asyncio.create_task(_later(handed, elsewhere))
    with pytest.raises(ManualCancelation):
        async with Cancelable() as running:
            handed.put_nowait(running.combine(Cancelable()))
            await entered.wait()
            await running.cancel("over")
            await anyio.sleep_forever()
    with pytest.raises(CancelationError):
        await task


async def _later(handed: "asyncio.Queue[Cancelable]", then: Any) -> None:
    await then(await handed.get())


async def test_what_is_combined_with_one_that_runs_is_not_kept() -> None:
    async with Cancelable() as running:
        for _ in range(3):
            await running.combine(Cancelable.with_token(CancelationToken())).check_cancelation()
    # Entered anew, it knows nothing of those.
    token = CancelationToken()
    async with running:
        await running.combine(Cancelable.with_token(token)).check_cancelation()
    token.cancel_sync()
    async with running:
        await anyio.lowlevel.checkpoint()


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

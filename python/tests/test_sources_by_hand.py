"""Sources that a program drives by hand, who is called by them, and what they leave."""

import asyncio
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
    CancelationToken,
    ConditionCancelation,
    ConditionSource,
    SignalSource,
    TimeoutSource,
    TokenSource,
)
from support.loops import settle
from support.sources import (
    ByHand,
    Switch,
    anyio_false,
    anyio_true,
    ended_by,
    left_in_the_loop,
)

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

"""What programs rely on word by word, of operations that run: keywords, streams, sources, helpers."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import anyio
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
    ConditionSource,
    OperationStatus,
    TimeoutCancelation,
    TimeoutSource,
    current_operation,
)
from hother.cancelable.streaming import StreamConfig
from hother.cancelable.streaming.simulator import simulate_stream
from hother.cancelable.utils.decorators import (
    cancelable,
    cancelable_combine,
    cancelable_method,
    cancelable_with_condition,
    cancelable_with_signal,
    cancelable_with_token,
    with_cancelable,
)
from hother.cancelable.utils.streams import chunked_cancelable_stream
from hother.cancelable.utils.testing import CancelationScenario, OperationRecorder

GIVEN: dict[str, tuple[Any, Callable[[], tuple[Any, ...]]]] = {
    "plain": (cancelable, lambda: ()),
    "method": (cancelable_method, lambda: ()),
    "token": (cancelable_with_token, lambda: (CancelationToken(),)),
    "signal": (cancelable_with_signal, lambda: (signal.SIGUSR1,)),
    "condition": (cancelable_with_condition, lambda: (lambda: False,)),
    "combine": (cancelable_combine, lambda: (Cancelable.with_timeout(50), Cancelable())),
}


@pytest.mark.paused
@pytest.mark.parametrize("kind", GIVEN)
async def test_every_decorator_takes_the_keywords_of_an_operation(kind: str) -> None:
    decorator, given = GIVEN[kind]

    @decorator(
        *given(), grace=20.0, raises="error", detached=True, attempt=3, sources=[TimeoutSource(1.0)]
    )
    async def work(cancelable: Cancelable) -> None:
        attempts.append(cancelable.context.attempt)
        await asyncio.Event().wait()

    attempts: list[int] = []
    start = anyio.current_time()
    async with Cancelable() as around:
        with pytest.raises(TimeoutCancelation) as told:
            await work()
        assert not around.is_cancelled
    assert not isinstance(told.value, asyncio.CancelledError)
    assert attempts == [3]
    # The grace counts from the ask by a clock that is not paused.
    assert anyio.current_time() - start == pytest.approx(21.0, abs=10.0)


@pytest.mark.paused
@pytest.mark.parametrize("kind", GIVEN)
async def test_every_decorator_has_a_switch_for_what_leaves(kind: str) -> None:
    decorator, given = GIVEN[kind]

    @decorator(*given(), raises="suppress", scope="native")
    async def work(cancelable: Cancelable) -> None:
        seen.append(cancelable)
        await cancelable.cancel()
        await asyncio.Event().wait()

    seen: list[Cancelable] = []
    assert await work() is None
    assert seen[0].is_cancelled


async def test_with_cancelable_enters_what_does_not_run_and_only_that() -> None:
    operation = Cancelable()

    @with_cancelable(operation, inject=True)
    async def work(cancelable: Cancelable | None = None) -> bool:
        return cancelable is operation is current_operation()

    async with operation:
        assert await work()
        assert operation.is_running
        first = operation.context
    assert await work()
    assert first.status is operation.context.status is OperationStatus.COMPLETED
    assert first.id == operation.operation_id


async def numbers(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


@pytest.mark.parametrize("buffered", [True, False])
async def test_a_partial_result_has_count_buffer_and_whether_it_is_all(buffered: bool) -> None:
    async with Cancelable() as cancel:
        items = [item async for item in cancel.stream(numbers(3), buffer_partial=buffered)]
        assert items == [0, 1, 2]
    everything = [0, 1, 2] if buffered else None
    result = cancel.context.partial_result
    assert result == {"count": 3, "buffer": everything, "completed": True}


async def test_chunks_are_reported_in_these_words() -> None:
    said: list[tuple[Any, Any]] = []
    async with Cancelable() as cancel:
        cancel.on_progress(lambda _id, message, metadata: said.append((message, metadata)))
        chunks = [chunk async for chunk in chunked_cancelable_stream(numbers(3), 2, cancel)]
    assert chunks == [[0, 1], [2]]
    texts = ["Processed chunk of 2 items", "Processed final chunk of 1 items"]
    assert [message for message, _ in said] == texts


class Polling(CancelationSource):
    """As programs write one: with a task group that is open from the start to the stop."""

    def __init__(self) -> None:
        super().__init__(CancelationReason.CONDITION, "polling")
        self._group = anyio.create_task_group()

    async def start_monitoring(self, scope: anyio.CancelScope) -> None:
        self.scope = scope
        await self._group.__aenter__()
        self._group.start_soon(self._poll)

    async def _poll(self) -> None:
        await anyio.sleep(1.0)
        await self.trigger_cancelation("polled")

    async def stop_monitoring(self) -> None:
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)


@pytest.mark.trio
@pytest.mark.paused
@pytest.mark.parametrize("wrapped_in", ["nothing", "any of", "composite"])
async def test_a_source_of_the_programs_own_with_a_task_group(wrapped_in: str) -> None:
    source: CancelationSource = Polling()
    if wrapped_in == "any of":
        source = AnyOfSource([source, TimeoutSource(5.0)])
    elif wrapped_in == "composite":
        source = CompositeSource([TimeoutSource(5.0), source])
    operation = Cancelable().add_source(source)
    with pytest.raises(CancelationError, match="polled"):
        async with operation:
            await anyio.sleep_forever()
    assert operation.context.cancel_reason is CancelationReason.CONDITION


@pytest.mark.trio
@pytest.mark.paused
async def test_by_hand_a_composite_says_which_part_fired_and_why() -> None:
    heard: list[tuple[CancelationReason, str]] = []
    first, never = TimeoutSource(1.0), ConditionSource(lambda: False)
    any_of, all_of = (
        AnyOfSource([first, never]),
        AllOfSource([TimeoutSource(1.0), TimeoutSource(2.0)]),
    )
    for source in (any_of, all_of):
        source.set_cancel_callback(lambda reason, message: heard.append((reason, message)))
        with anyio.CancelScope() as scope:
            await source.start_monitoring(scope)
            await anyio.sleep_forever()
        await source.stop_monitoring()
        assert scope.cancelled_caught
        assert source.triggered
    assert any_of.triggered_source is first
    assert any_of.reason is CancelationReason.TIMEOUT
    assert len(all_of.triggered_sources) == 2
    assert [reason for reason, _ in heard] == [CancelationReason.TIMEOUT] * 2


async def test_what_a_recorder_keeps_of_each_event() -> None:
    recorder = OperationRecorder()
    operation = recorder.attach_to_cancellable(Cancelable(name="recorded"))
    with pytest.raises(ValueError, match="boom"):
        async with operation:
            await operation.report_progress("half", {"done": 1})
            raise ValueError("boom")
    events = recorder.get_events_for_operation(operation.operation_id)
    kinds = [event["event_type"] for event in events]
    assert kinds == ["status_running", "progress", "error"]
    assert all(event.keys() == {"time", "operation_id", "event_type", "data"} for event in events)
    started, progress, error = (event["data"] for event in events)
    assert started.keys() == operation.context.log_context().keys()
    assert progress == {"message": "half", "meta": {"done": 1}}
    assert error == {"error_type": "ValueError", "error_message": "boom"}


@pytest.mark.paused
async def test_a_scenario_names_its_operation() -> None:
    async def work() -> None:
        operation = current_operation()
        assert operation is not None
        names.append(operation.context.name)
        await asyncio.Event().wait()

    names: list[str | None] = []
    scenario = CancelationScenario("early").add_delay(1.0).add_cancelation(message="enough")
    await scenario.add_status_check(OperationStatus.CANCELLED).run(work)
    assert names == ["scenario_early"]


DATA = (
    "type chunk chunk_size requested_chunk_size position total_length timestamp burst chunk_number"
)


@pytest.mark.paused
async def test_what_a_simulated_stream_tells() -> None:
    config = StreamConfig(base_delay=0.1, stall_probability=1.0, stall_duration=0.5, chunk_size=2)
    said: list[tuple[str, Any]] = []
    random.seed(1)
    async with Cancelable() as cancel:
        cancel.on_progress(lambda _id, message, metadata: said.append((message, metadata)))
        events = [event async for event in simulate_stream("x" * 40, config, cancel)]
    keys = {event["type"]: event.keys() for event in events}
    assert keys == {
        "data": set(DATA.split()),
        "stall": {"type", "duration", "timestamp"},
        "complete": {"type", "timestamp", "total_chunks"},
    }
    stall = next(event for event in events if event["type"] == "stall")
    assert f"Network stall: {stall['duration']:.3f}s" in [message for message, _ in said]
    progress = [told for told in said if told[0].startswith("Stream progress")]
    message, metadata = progress[0]
    assert metadata.keys() == {"chunks_sent", "bytes_sent", "total_bytes", "progress_percent"}
    assert metadata["chunks_sent"] == 10
    assert message == f"Stream progress: {metadata['progress_percent']:.1f}%"


@pytest.mark.parametrize(("size", "chunks"), [(10, (5, 20)), (1, (1, 2)), (5, None)])
def test_a_range_of_chunks_is_half_to_double(size: int, chunks: tuple[int, int] | None) -> None:
    config = StreamConfig(chunk_size=size, variable_chunk_size=chunks is not None)
    assert config.chunk_size_range == chunks


@pytest.mark.paused
async def test_a_timeout_ends_cancelled_with_the_reason_and_is_known_beforehand() -> None:
    operation = Cancelable.with_timeout(timedelta(seconds=5))
    with pytest.raises(TimeoutError) as told:
        async with operation:
            assert operation.remaining() == pytest.approx(5.0)
            assert operation.deadline == pytest.approx(anyio.current_time() + 5.0)
            await anyio.sleep_forever()
    assert isinstance(told.value, asyncio.CancelledError)
    assert isinstance(told.value.__cause__, asyncio.CancelledError)
    assert told.value.__context__ is None
    context = operation.context
    assert (context.status, context.cancel_reason) == (
        OperationStatus.CANCELLED,
        CancelationReason.TIMEOUT,
    )

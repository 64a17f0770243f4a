"""What programs test themselves with, and the streams that they are shown with."""

import asyncio
import random
from typing import Any

import anyio
import pytest

from hother.cancelable import Cancelable, CancelationReason, OperationStatus
from hother.cancelable.streaming import StreamConfig
from hother.cancelable.streaming.simulator import get_random_chunk_size, simulate_stream
from hother.cancelable.utils.testing import (
    CancelationScenario,
    MockCancelationToken,
    OperationRecorder,
    assert_cancelation_within,
    create_slow_stream,
    run_with_timeout_test,
    sample_async_operation,
)


async def test_a_mock_token_remembers_each_call() -> None:
    first, second = MockCancelationToken(), MockCancelationToken()
    assert await first.cancel(CancelationReason.ERROR, "broken")
    assert not await first.cancel()
    assert (first.get_cancel_count(), second.get_cancel_count()) == (2, 0)
    assert [call["message"] for call in first.cancel_history] == ["broken", None]
    assert first.message == "broken"


@pytest.mark.trio
@pytest.mark.paused
async def test_a_mock_token_is_cancelled_later() -> None:
    async with assert_cancelation_within(4.0, 6.0) as token:
        await token.schedule_cancel(5.0, message="on time")
        await token.wait_for_cancel()
    assert (token.message, token.get_cancel_count()) == ("on time", 1)


@pytest.mark.parametrize(
    ("bounds", "text"),
    [((6.0, 9.0), "occurred too early: 5.00s"), ((1.0, 2.0), "occurred too late: 5.00s")],
)
@pytest.mark.paused
async def test_a_cancel_at_another_time_is_told(bounds: tuple[float, float], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        async with assert_cancelation_within(*bounds) as token:
            await token.schedule_cancel(5.0)
            await token.wait_for_cancel()


async def test_no_cancel_is_told() -> None:
    with pytest.raises(AssertionError, match="Expected cancelation but none occurred"):
        async with assert_cancelation_within(0.0, 1.0):
            pass


@pytest.mark.paused
async def test_a_recorder_keeps_what_happens() -> None:
    recorder = OperationRecorder()
    operation = recorder.attach_to_cancellable(Cancelable.with_timeout(1.5, name="recorded"))
    with pytest.raises(TimeoutError):
        async with operation:
            await sample_async_operation(2.0, operation)
    of_operation = recorder.get_events_for_operation(operation.operation_id)
    kinds = ["status_running", "progress", "progress", "status_cancelled"]
    assert [event["event_type"] for event in of_operation] == kinds
    ended = recorder.assert_event_occurred(operation.operation_id, "status_cancelled")
    assert ended["data"]["cancel_reason"] == "timeout"
    recorder.assert_final_status(operation.operation_id, OperationStatus.CANCELLED)
    with pytest.raises(AssertionError, match="Expected status completed, got cancelled"):
        recorder.assert_final_status(operation.operation_id, OperationStatus.COMPLETED)
    with pytest.raises(AssertionError, match="Event 'error' not found for operation"):
        recorder.assert_event_occurred(operation.operation_id, "error")
    with pytest.raises(AssertionError, match="Operation nobody not found"):
        recorder.assert_final_status("nobody", OperationStatus.COMPLETED)


async def test_a_recorder_keeps_errors() -> None:
    recorder = OperationRecorder()
    operation = recorder.attach_to_cancellable(Cancelable())
    with pytest.raises(OSError, match="cut"):
        async with operation:
            raise OSError("cut")
    error = recorder.assert_event_occurred(operation.operation_id, "error")
    assert error["data"] == {"error_type": "OSError", "error_message": "cut"}


@pytest.mark.paused
async def test_a_scenario_is_played_and_checked() -> None:
    scenario = CancelationScenario("stop").add_delay(0.6).add_cancelation(message="enough")
    scenario.add_status_check(OperationStatus.CANCELLED)
    recorder = await scenario.run(sample_async_operation, 1.0)
    assert recorder.get_events_by_type("status_cancelled")
    with pytest.raises(AssertionError, match="Expected progress message 'half' not found"):
        await scenario.add_progress_check("half").run(sample_async_operation, 1.0)
    finished = CancelationScenario("whole").add_status_check(OperationStatus.COMPLETED)
    await finished.run(sample_async_operation, 1.0)


@pytest.mark.paused
async def test_a_timeout_that_is_expected() -> None:
    async def limited() -> None:
        async with Cancelable.with_timeout(2.0):
            await asyncio.Event().wait()

    await run_with_timeout_test(limited(), 2.0)
    with pytest.raises(AssertionError, match=r"Timeout occurred after 2\.00s, expected 5\.00s"):
        await run_with_timeout_test(limited(), 5.0)
    with pytest.raises(AssertionError, match="Expected timeout but operation completed"):
        await run_with_timeout_test(anyio.sleep(1), 1.0)


@pytest.mark.paused
async def test_a_slow_stream_ends_with_its_operation() -> None:
    seen: list[int] = []
    with pytest.raises(TimeoutError):
        async with Cancelable.with_timeout(2.5) as operation:
            while True:
                seen.extend([it async for it in create_slow_stream([1, 2], 1.0, operation)])
    assert seen == [1, 2, 1, 2]


@pytest.mark.paused
async def test_a_simulated_stream_gives_the_whole_text() -> None:
    text = "a text of some length, " * 20
    random.seed(7)
    for config in (
        StreamConfig(),
        StreamConfig(variable_chunk_size=True, chunk_size=5, stall_probability=0.5),
        StreamConfig(burst_probability=1.0),
    ):
        events = [event async for event in simulate_stream(text, config)]
        data = [event for event in events if event["type"] == "data"]
        assert "".join(event["chunk"] for event in data) == text
        assert [event["chunk_number"] for event in data] == list(range(1, len(data) + 1))
        assert events[-1]["type"] == "complete"
        assert events[-1]["total_chunks"] == len(data)


@pytest.mark.paused
async def test_a_simulated_stream_reports_and_is_cancelled() -> None:
    told: list[str] = []
    config = StreamConfig(
        base_delay=1.0, jitter_probability=0, burst_probability=0, stall_probability=0
    )
    seen: list[Any] = []
    operation = Cancelable.with_timeout(20.5)
    operation.on_progress(lambda _id, message, _meta: told.append(message))
    with pytest.raises(TimeoutError):
        async with operation:
            events = simulate_stream("x" * 100, config, operation)
            while True:
                seen.append(await anext(events))
    assert len(seen) == 20
    assert told == ["Stream progress: 10.0%", "Stream progress: 20.0%"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"chunk_size": 0}, "chunk_size must be a number, at least 1; got 0"),
        ({"jitter": -1}, "jitter must be a number, at least 0; got -1"),
        ({"burst_probability": 1.5}, "burst_probability .* at most 1; got 1.5"),
        ({"base_delay": "soon"}, "base_delay must be a number"),
        ({"chunk_size_range": (0, 3)}, "Minimum chunk size must be at least 1"),
        ({"chunk_size_range": (4, 3)}, "Minimum chunk size cannot be greater than maximum"),
    ],
)
def test_a_bad_configuration_is_named(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        StreamConfig(**fields)


def test_sizes_of_chunks() -> None:
    assert get_random_chunk_size(StreamConfig(chunk_size=4)) == 4
    variable = StreamConfig(chunk_size=4, variable_chunk_size=True)
    assert variable.chunk_size_range == (2, 8)
    assert {get_random_chunk_size(variable) for _ in range(500)} == set(range(2, 9))
    weighted = StreamConfig(
        variable_chunk_size=True, chunk_size_range=(1, 3), chunk_size_weights=[0, 1, 0]
    )
    assert {get_random_chunk_size(weighted) for _ in range(50)} == {2}
    bare = StreamConfig()
    bare.variable_chunk_size = True
    with pytest.raises(RuntimeError, match="No chunk size range provided"):
        get_random_chunk_size(bare)


def test_a_configuration_behaves_as_a_model() -> None:
    config = StreamConfig(chunk_size=3)
    again = StreamConfig.model_validate(config.model_dump())
    assert again == config
    assert config.model_copy(update={"chunk_size": 9}).chunk_size == 9
    assert config.chunk_size == 3

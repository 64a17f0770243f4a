"""What is combined with an operation that runs already."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationToken,
    ManualCancelation,
    TimeoutCancelation,
    TimeoutSource,
    current_operation,
)
from support.loops import settle

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
            assert running.remaining() == pytest.approx(55.0)
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
            assert running.remaining() == pytest.approx(2.0)
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

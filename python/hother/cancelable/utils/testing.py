"""Helpers for tests of code that is cancelled: tokens that remember, recorders, scenarios and assertions."""

from __future__ import annotations

import asyncio
import functools
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.models import CancelationReason, OperationStatus
from hother.cancelable.core.token import CancelationToken
from hother.cancelable.sources._jobs import is_trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hother.cancelable.core.models import OperationContext

T = TypeVar("T")


class MockCancelationToken(CancelationToken):
    """A token that remembers each call of `cancel`, in `cancel_history`, also those that came too late."""

    cancel_history: list[dict[str, Any]] = []  # noqa: RUF012, since each token has a list of its own

    async def cancel(
        self,
        reason: CancelationReason | str = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> bool:
        """Cancels it, and remembers when, for what reason and with what message."""
        call = {"time": datetime.now(UTC), "reason": reason, "message": message}
        self.cancel_history.append(call)
        return await super().cancel(reason, message)

    async def schedule_cancel(
        self,
        delay: float,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> None:
        """Has it be cancelled in `delay` seconds, by the loop's clock; this returns at once."""
        cancel = functools.partial(self._cancel_now, reason, message)
        if is_trio():
            from hother.cancelable.core._trio import call_at  # noqa: PLC0415, since trio may be absent

            call_at(anyio.current_time() + delay, cancel)
        else:
            asyncio.get_running_loop().call_later(delay, cancel)

    def get_cancel_count(self) -> int:
        """How often `cancel` was called."""
        return len(self.cancel_history)

    def _cancel_now(self, reason: CancelationReason, message: str | None) -> None:
        call = {"time": datetime.now(UTC), "reason": reason, "message": message}
        self.cancel_history.append(call)
        self.cancel_sync(reason, message)


class OperationRecorder:
    """Keeps what happens to operations, in order: in `events`, and the contexts by id in `operations`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.operations: dict[str, OperationContext] = {}
        self._lock = threading.Lock()

    async def record_event(
        self,
        operation_id: str,
        event_type: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Adds an event; on any thread."""
        event = {
            "time": datetime.now(UTC),
            "operation_id": operation_id,
            "event_type": event_type,
            "data": data or {},
        }
        with self._lock:
            self.events.append(event)

    def attach_to_cancellable(self, cancelable: Cancelable) -> Cancelable:
        """Has it record what happens to `cancelable`, which is given back."""
        self.operations[cancelable.operation_id] = cancelable.context

        async def progress(operation_id: str, message: Any, meta: dict[str, Any] | None) -> None:
            await self.record_event(operation_id, "progress", {"message": message, "meta": meta})

        async def status(context: OperationContext) -> None:
            self.operations[context.id] = context
            await self.record_event(
                context.id, f"status_{context.status.value}", context.log_context()
            )

        async def error(context: OperationContext, error: Exception) -> None:
            self.operations[context.id] = context
            told = {"error_type": type(error).__name__, "error_message": str(error)}
            await self.record_event(context.id, "error", told)

        cancelable.on_progress(progress).on_start(status)
        return cancelable.on_complete(status).on_cancel(status).on_error(error)

    def get_events_for_operation(self, operation_id: str) -> list[dict[str, Any]]:
        """The events of one operation."""
        return [event for event in self.events if event["operation_id"] == operation_id]

    def get_events_by_type(self, event_type: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.events if event["event_type"] == event_type]

    def assert_event_occurred(
        self,
        operation_id: str,
        event_type: str,
        timeout: float = 1.0,
    ) -> dict[str, Any]:
        """The latest event of this type of this operation. It looks once: `timeout` is for programs that give it.

        Raises:
            AssertionError: There is none.
        """
        of_operation = self.get_events_for_operation(operation_id)
        found = [event for event in of_operation if event["event_type"] == event_type]
        if not found:
            raise AssertionError(f"Event '{event_type}' not found for operation {operation_id}")
        return found[-1]

    def assert_final_status(self, operation_id: str, expected_status: OperationStatus) -> None:
        """Sees to it that the operation has this status.

        Raises:
            AssertionError: It has another, or is not known.
        """
        context = self.operations.get(operation_id)
        if context is None:
            raise AssertionError(f"Operation {operation_id} not found")
        if context.status is not expected_status:
            raise AssertionError(
                f"Expected status {expected_status.value}, got {context.status.value}"
            )


async def create_slow_stream(
    items: list[T],
    delay: float = 0.1,
    cancelable: Cancelable | None = None,
) -> AsyncIterator[T]:
    """The items, `delay` seconds apart, until `cancelable` is asked to stop."""
    for position, item in enumerate(items):
        if position > 0:
            await anyio.sleep(delay)
        if cancelable is not None:
            await cancelable.check_cancelation()
        yield item


async def run_with_timeout_test(
    coro: Any,
    expected_timeout: float,
    tolerance: float = 0.1,
) -> None:
    """Awaits `coro`, which is to be timed out after `expected_timeout` seconds, more or less.

    Raises:
        AssertionError: It ends by itself, or earlier or later than that.
    """
    start = anyio.current_time()
    try:
        await coro
    except (TimeoutError, anyio.get_cancelled_exc_class()):
        took = anyio.current_time() - start
    else:
        raise AssertionError("Expected timeout but operation completed")
    if abs(took - expected_timeout) > tolerance:
        raise AssertionError(
            f"Timeout occurred after {took:.2f}s, expected {expected_timeout:.2f}s ± {tolerance:.2f}s"
        )


@asynccontextmanager
async def assert_cancelation_within(
    min_time: float,
    max_time: float,
) -> AsyncIterator[MockCancelationToken]:
    """Gives a token that is to be cancelled in the block, between `min_time` and `max_time` seconds from its start.

    Raises:
        AssertionError: It is cancelled earlier, later, or not at all.
    """
    token = MockCancelationToken()
    start = anyio.current_time()
    cancelled_after: list[float] = []
    await token.register_callback(
        lambda _token: cancelled_after.append(anyio.current_time() - start)
    )
    yield token
    if not token.is_cancelled:
        raise AssertionError("Expected cancelation but none occurred")
    after = cancelled_after[0] if cancelled_after else anyio.current_time() - start
    if after < min_time:
        raise AssertionError(f"Cancelation occurred too early: {after:.2f}s < {min_time:.2f}s")
    if after > max_time:
        raise AssertionError(f"Cancelation occurred too late: {after:.2f}s > {max_time:.2f}s")


class CancelationScenario:
    """What happens to an operation while it runs, and what is expected of it then."""

    def __init__(self, name: str):
        self.name = name
        self.steps: list[dict[str, Any]] = []
        self.assertions: list[dict[str, Any]] = []

    def add_delay(self, duration: float) -> CancelationScenario:
        """Next, `duration` seconds pass."""
        self.steps.append({"type": "delay", "duration": duration})
        return self

    def add_cancelation(
        self,
        reason: CancelationReason = CancelationReason.MANUAL,
        message: str | None = None,
    ) -> CancelationScenario:
        """Next, it is cancelled."""
        self.steps.append({"type": "cancel", "reason": reason, "message": message})
        return self

    def add_progress_check(
        self, expected_message: str, timeout: float = 1.0
    ) -> CancelationScenario:
        """In the end, it has reported this."""
        check = {"type": "progress", "message": expected_message, "timeout": timeout}
        self.assertions.append(check)
        return self

    def add_status_check(self, expected_status: OperationStatus) -> CancelationScenario:
        """In the end, it has this status."""
        self.assertions.append({"type": "status", "status": expected_status})
        return self

    async def run(
        self,
        operation: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> OperationRecorder:
        """Runs `operation` with what happens beside it, and checks what is expected.

        Raises:
            AssertionError: Something is not as expected.
        """
        recorder = OperationRecorder()
        token = MockCancelationToken()
        cancelable = Cancelable.with_token(token, name=f"scenario_{self.name}")
        recorder.attach_to_cancellable(cancelable)
        async with anyio.create_task_group() as group:
            group.start_soon(self._take_steps, token)
            try:
                async with cancelable:
                    await operation(*args, **kwargs)
            except CancelationError:
                if not token.is_cancelled:
                    raise
            group.cancel_scope.cancel()
        for assertion in self.assertions:
            self._check(assertion, recorder, cancelable.operation_id)
        return recorder

    async def _take_steps(self, token: MockCancelationToken) -> None:
        for step in self.steps:
            if step["type"] == "delay":
                await anyio.sleep(step["duration"])
            else:
                await token.cancel(step["reason"], step["message"])

    def _check(
        self, assertion: dict[str, Any], recorder: OperationRecorder, operation_id: str
    ) -> None:
        if assertion["type"] == "status":
            recorder.assert_final_status(operation_id, assertion["status"])
            return
        reports = recorder.get_events_by_type("progress")
        if all(report["data"]["message"] != assertion["message"] for report in reports):
            raise AssertionError(f"Expected progress message '{assertion['message']}' not found")


async def sample_async_operation(
    duration: float = 1.0,
    cancelable: Cancelable | None = None,
) -> str:
    """Something that takes `duration` seconds and reports at its start, half way and at its end."""
    for message, share in (
        ("Operation started", 0.5),
        ("Operation 50% complete", 0.5),
        ("Operation completed", 0.0),
    ):
        if cancelable is not None:
            await cancelable.report_progress(message)
        await anyio.sleep(duration * share)
    return "success"

"""What programs rely on word by word: names, texts, bad values, tokens, contexts."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import hother.cancelable
from hother.cancelable import (
    AllOfSource,
    AnyOfSource,
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    CompositeSource,
    ConditionCancelation,
    ConditionSource,
    LinkedCancelationToken,
    ManualCancelation,
    OperationContext,
    OperationStatus,
    ParentCancelation,
    ResourceConditionSource,
    SignalCancelation,
    SignalSource,
    TimeoutCancelation,
    TimeoutSource,
    ensure_cancelable,
)
from hother.cancelable.streaming import StreamConfig
from hother.cancelable.streaming.simulator import get_random_chunk_size
from hother.cancelable.utils.decorators import (
    cancelable,
    cancelable_combine,
    cancelable_method,
    cancelable_with_condition,
    cancelable_with_signal,
    cancelable_with_token,
)


def never() -> bool:
    return False


class Service:
    @cancelable_method()
    async def load(self, cancelable: Cancelable) -> Cancelable:
        return cancelable


NAMES: dict[str, Callable[[], Cancelable]] = {
    "timeout_5s": lambda: Cancelable.with_timeout(5),
    "timeout_0.5s": lambda: Cancelable.with_timeout(0.5),
    "timeout_5.0s": lambda: Cancelable.with_timeout(timedelta(seconds=5)),
    "token_based": lambda: Cancelable.with_token(CancelationToken()),
    "signal_based": lambda: Cancelable.with_signal(signal.SIGTERM),
    "condition_based": lambda: Cancelable.with_condition(never),
    "mine": lambda: Cancelable.with_timeout(5, name="mine"),
    "combined_first": lambda: Cancelable(name="first").combine(Cancelable(name="second")),
    "combined_timeout_5s": lambda: Cancelable.with_timeout(5).combine(Cancelable()),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_an_operation_is_called_unless_it_is_named(name: str) -> None:
    assert NAMES[name]().context.name == name


DECORATORS: dict[str, Any] = {
    "plain": cancelable(),
    "token": cancelable_with_token(CancelationToken()),
    "signal": cancelable_with_signal(signal.SIGUSR1),
    "condition": cancelable_with_condition(never),
    "combine": cancelable_combine(Cancelable.with_timeout(5), Cancelable.with_timeout(6)),
}


@pytest.mark.parametrize("kind", DECORATORS)
def test_decorated_functions_go_by_their_name_and_methods_by_their_class(kind: str) -> None:
    async def fetch(cancelable: Cancelable) -> Cancelable:
        return cancelable

    assert asyncio.run(DECORATORS[kind](fetch)()).context.name == "fetch"
    assert asyncio.run(Service().load()).context.name == "Service.load"


def test_what_a_combination_knows_of_its_parts() -> None:
    parts = Cancelable(), Cancelable.with_timeout(5), Cancelable()
    combined = parts[0].combine(*parts[1:])
    assert combined.context.metadata == {
        "sources": [part.operation_id for part in parts],
        "combined": True,
        "preserve_reason": True,
    }


async def test_a_parent_is_known_where_it_was_given_only() -> None:
    async with Cancelable() as outer:
        async with Cancelable() as nested:
            assert (nested.context.parent_id, nested.parent) == (None, None)
        async with Cancelable(parent=outer) as child:
            assert (child.context.parent_id, child.parent) == (outer.operation_id, outer)


SOURCES: dict[str, Callable[[], str | None]] = {
    "composite": lambda: CompositeSource([TimeoutSource(1)]).name,
    "all_of": lambda: AllOfSource([TimeoutSource(1)]).name,
    "resource_monitor": lambda: ResourceConditionSource(memory_threshold=80).name,
    "resource_check(memory>80%)": lambda: (
        ResourceConditionSource(memory_threshold=80).condition_name
    ),
    "resource_check(memory>80.5%, cpu>90%, disk>95%)": lambda: (
        ResourceConditionSource(
            memory_percent_threshold=80.5, cpu_percent_threshold=90, disk_percent_threshold=95
        ).condition_name
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_sources_are_called(name: str) -> None:
    assert SOURCES[name]() == name


TIMEOUT, MANUAL = CancelationReason.TIMEOUT, CancelationReason.MANUAL
ERRORS: list[tuple[CancelationError, str]] = [
    (CancelationError(MANUAL), "Operation cancelled: manual"),
    (CancelationError(CancelationReason.ERROR), "Operation cancelled: error"),
    (TimeoutCancelation(5), "Operation timed out after 5s"),
    (TimeoutCancelation(0.5), "Operation timed out after 0.5s"),
    (ManualCancelation(), "Operation cancelled manually"),
    (SignalCancelation(15), "Operation cancelled by signal 15"),
    (ConditionCancelation(), "Operation cancelled: condition met"),
    (ConditionCancelation("full"), "Operation cancelled: full condition met"),
    (ParentCancelation("p"), "Operation cancelled: parent p was cancelled"),
    (ParentCancelation("p", TIMEOUT), "Operation cancelled: parent p was cancelled (timeout)"),
    (ManualCancelation("enough"), "enough"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_what_errors_say(error: CancelationError, text: str) -> None:
    assert (str(error), error.message, error.context) == (text, text, None)


async def told(operation: Cancelable) -> tuple[str | None, ...]:
    with pytest.raises(CancelationError) as caught:
        async with operation:
            await asyncio.Event().wait()
    context = operation.context
    assert context.status is OperationStatus.CANCELLED
    assert caught.value.reason is context.cancel_reason
    return str(caught.value), context.cancel_message


@pytest.mark.paused
async def test_what_operations_say() -> None:
    answers = iter([False, False, True])

    def is_full() -> bool:
        return next(answers)

    text = "Operation timed out after 5s"
    assert await told(Cancelable.with_timeout(5.0)) == (text, text)
    text = "Condition 'is_full' met after 3 checks"
    assert await told(Cancelable.with_condition(is_full)) == (text, text)
    text = "Condition 'ready' met after 1 checks"
    assert await told(Cancelable.with_condition(lambda: True, 0.1, "ready")) == (text, text)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("timeout", "Operation timed out"),
        ("manual", "Operation cancelled manually"),
        ("signal", "Operation cancelled by a signal"),
        ("condition", "Operation cancelled: condition met"),
        ("parent", "Operation cancelled with its parent"),
        ("error", "Operation cancelled: error"),
        ("shutdown", "Operation cancelled: shutdown"),
    ],
)
async def test_a_cancel_by_hand_without_a_word_makes_nothing_up(reason: str, text: str) -> None:
    operation = Cancelable()
    with pytest.raises(CancelationError, match=f"^{text}$") as caught:
        async with operation:
            await operation.cancel(CancelationReason(reason))
            await asyncio.Event().wait()
    assert (caught.value.reason.value, operation.context.cancel_message) == (reason, None)


async def test_what_a_child_says() -> None:
    parent = Cancelable()
    child = Cancelable(parent=parent)
    with pytest.raises(ManualCancelation, match="enough"):
        async with parent, child:
            await parent.cancel(message="enough")
            await asyncio.Event().wait()
    assert child.context.cancel_reason is CancelationReason.PARENT
    assert child.context.cancel_message == f"Parent operation {parent.operation_id[:8]} cancelled"


async def test_what_tokens_say() -> None:
    token, linked = CancelationToken(), LinkedCancelationToken()
    await linked.link(token)
    shown = f"CancelationToken(id={token.id[:8]}, "
    assert str(token) == f"{shown}active)"
    await token.cancel()
    assert str(token) == f"{shown}cancelled=manual)"
    assert all(it in repr(token) for it in (token.id, "is_cancelled=True", "reason=", "message="))
    assert linked.message == f"Linked token {token.id[:8]} was cancelled"
    assert linked.reason is CancelationReason.PARENT
    with pytest.raises(ManualCancelation, match=r"^Operation cancelled via token$"):
        token.check()


def without_range() -> int:
    config = StreamConfig(variable_chunk_size=True)
    config.chunk_size_range = None
    return get_random_chunk_size(config)


def combined_of_nothing() -> Awaitable[None]:
    @cancelable_combine()
    async def work() -> None: ...

    return work()


def chunks(smallest: int, largest: int) -> StreamConfig:
    return StreamConfig(variable_chunk_size=True, chunk_size_range=(smallest, largest))


BAD: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (ValueError, "Timeout must be positive, got 0", lambda: Cancelable.with_timeout(0)),
    (ValueError, "Timeout must be positive, got -1.5", lambda: TimeoutSource(-1.5)),
    (
        ValueError,
        "Timeout must be positive, got -1.0",
        lambda: TimeoutSource(timedelta(seconds=-1)),
    ),
    (
        ValueError,
        "Check interval must be positive, got 0",
        lambda: Cancelable.with_condition(never, check_interval=0),
    ),
    (
        ValueError,
        "Check interval must be positive, got -1",
        lambda: ConditionSource(never, -1),
    ),
    (ValueError, "At least one source is required", lambda: CompositeSource([])),
    (ValueError, "At least one source is required", lambda: AnyOfSource([])),
    (ValueError, "At least one source is required", lambda: AllOfSource([])),
    (
        ValueError,
        "At least one cancelable must be provided to cancelable_combine",
        combined_of_nothing,
    ),
    (ValueError, "Minimum chunk size must be at least 1", lambda: chunks(0, 3)),
    (
        ValueError,
        "Minimum chunk size cannot be greater than maximum chunk size",
        lambda: chunks(5, 3),
    ),
    (
        TypeError,
        "Signal must be an integer, got <class 'str'>",
        lambda: SignalSource("x"),  # type: ignore[arg-type]
    ),
    (
        TypeError,
        "what is combined must be a Cancelable, got CancelationToken: one of a token is ",
        lambda: Cancelable().combine(CancelationToken()),  # type: ignore[arg-type]
    ),
    (
        TypeError,
        "callback must be callable, got str",
        lambda: Cancelable().on_cancel("stop"),  # type: ignore[arg-type]
    ),
    (RuntimeError, "Cancelable parameter is None. ", lambda: ensure_cancelable(None)),
    (RuntimeError, "No chunk size range provided with variable_chunk_size", without_range),
]


@pytest.mark.parametrize(
    ("kind", "text", "make"),
    BAD,
    ids=[f"{number}-{text}" for number, (_, text, _) in enumerate(BAD)],
)
def test_bad_values_are_refused_in_these_words(
    kind: type[Exception], text: str, make: Callable[[], Any]
) -> None:
    async def call() -> None:
        given = make()
        if hasattr(given, "__await__"):
            await given

    with pytest.raises(kind) as caught:
        asyncio.run(call())
    assert str(caught.value).startswith(text)


def test_a_call_of_what_a_decorator_fills_in_is_told_the_remedy() -> None:
    operation = Cancelable()
    assert ensure_cancelable(operation) is operation
    with pytest.raises(RuntimeError, match=r"@cancelable decorator.* call the function directly"):
        ensure_cancelable(None)


@pytest.mark.parametrize("status", OperationStatus)
def test_a_context_by_hand_takes_any_status_and_knows_no_end(status: OperationStatus) -> None:
    context = OperationContext(id="i", status=status)
    goes_on = status.value in {"running", "cancelling", "shielded"}
    assert context.status is status
    assert context.end_time is None
    assert (context.duration is not None) is goes_on
    assert (context.duration_seconds or 0.0) >= 0.0
    assert context.is_success is (status is OperationStatus.COMPLETED)
    assert context.is_cancelled is (status.value in {"cancelled", "timeout"})
    assert context.is_terminal is (status.value in {"completed", "cancelled", "failed", "timeout"})


def test_a_contexts_status_is_updated_and_its_times_set() -> None:
    context = OperationContext(start_time=datetime(2020, 1, 1, tzinfo=UTC))
    assert context.duration is None
    context.update_status(OperationStatus.RUNNING)
    assert context.end_time is None
    context.update_status(OperationStatus.FAILED)
    assert context.end_time is not None
    context.end_time = context.start_time + timedelta(seconds=5)
    assert (context.duration, context.duration_seconds) == (timedelta(seconds=5), 5.0)
    assert context.log_context() == {
        "operation_id": context.id,
        "operation_name": None,
        "status": "failed",
        "duration_seconds": 5.0,
        "parent_id": None,
        "has_error": False,
        "cancel_reason": None,
    }


async def test_an_operation_is_cancelled_once_it_ended_so() -> None:
    token = CancelationToken()
    operation = Cancelable.with_token(token)
    with pytest.raises(ManualCancelation):
        async with operation:
            await operation.cancel(message="enough")
            assert (token.is_cancelled, token.message) == (True, "enough")
            assert not operation.is_cancelled
            assert operation.is_running
            await asyncio.sleep(0)
    assert operation.is_cancelled
    assert not operation.is_running
    assert not operation.is_completed


def test_what_is_there_by_another_name() -> None:
    assert hother.cancelable.CancellationToken is CancelationToken
    from_the_top = ("TimeoutSource", "SignalSource", "ConditionSource", "ResourceConditionSource")
    assert all(hasattr(hother.cancelable, name) for name in (*from_the_top, "CancelationSource"))
    assert SignalSource().signals == (signal.SIGINT, signal.SIGTERM)

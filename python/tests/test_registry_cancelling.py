"""Cancelling by the registry: by id and in bulk, from anywhere."""

import json
import threading
from typing import Any

import anyio
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    ManualCancelation,
    OperationContext,
    OperationRegistry,
    OperationStatus,
    ThreadSafeRegistry,
)
from support.registered import forever, ids, registered


@pytest.fixture(autouse=True)
def registry() -> OperationRegistry:
    registry = OperationRegistry()
    registry.clear()
    return registry


@pytest.mark.trio
async def test_law_r4_each_cancel_is_answered(registry):
    assert not await registry.cancel_operation("a")
    with pytest.raises(CancelationError) as told:
        async with registered("a") as operation:
            assert await registry.cancel_operation("a", CancelationReason.SHUTDOWN, "going down")
            assert (await registry.list_operations())[0].status is OperationStatus.CANCELLING
            assert await registry.cancel_operation("a", message="again"), "it still runs"
            await forever()
    assert (told.value.reason, told.value.message) == (CancelationReason.SHUTDOWN, "going down")
    assert operation.context.status is OperationStatus.CANCELLED
    assert not await registry.cancel_operation("a"), "it is over"
    assert await registry.cancel_all() == 0


async def test_law_r4_one_that_does_not_run_yet_is_cancelled_before_its_start(registry):
    operation = Cancelable(operation_id="a")
    await registry.register(operation)
    await registry.register(operation)
    (listed,) = await registry.list_operations(status=OperationStatus.PENDING)
    assert listed.id == "a"
    assert await registry.get_operation("a") is operation
    assert await registry.cancel_operation("a", message="not needed")
    assert registry.get_statistics_sync()["active_by_status"] == {"pending": 1}
    with pytest.raises(ManualCancelation, match="not needed"):
        async with operation:
            assert registry.get_statistics_sync()["active_by_status"] == {"running": 1}
            await forever()
    assert await registry.list_operations() == []
    (ended,) = await registry.get_history()
    assert (ended.status, ended.cancel_message) == (OperationStatus.CANCELLED, "not needed")
    alone = Cancelable(operation_id="b")
    await registry.register(alone)
    await alone.cancel(propagate_to_children=False)
    assert registry.get_statistics_sync()["active_by_status"] == {"pending": 1}


async def test_one_that_was_made_with_a_token_is_cancelled_by_that(registry):
    token = CancelationToken()
    with pytest.raises(ManualCancelation):
        async with Cancelable.with_token(token, "a", register_globally=True):
            assert await registry.cancel_operation("a", message="enough")
            assert (token.is_cancelled, token.message) == (True, "enough")
            await forever()


@pytest.mark.paused
async def test_cancel_all_asks_whom_it_means(registry):
    gone = []

    async def work(name: str) -> None:
        try:
            async with registered(name):
                await forever()
        except CancelationError as error:
            gone.append((name, error.reason.value, error.message))

    async with anyio.create_task_group() as group:
        for name in ("import-1", "import-2", "export-1", "export-2"):
            group.start_soon(work, name)
        await anyio.wait_all_tasks_blocked()
        assert await registry.cancel_all(name_pattern="nobody") == 0
        assert await registry.cancel_all(min_age_seconds=3600) == 0
        assert await registry.cancel_all(max_age_seconds=0) == 0
        assert await registry.cancel_all(status=OperationStatus.PENDING) == 0
        assert await registry.cancel_all(filter_func=lambda it: it.id == "import-2") == 1
        assert await registry.cancel_all(reason=CancelationReason.SHUTDOWN, name_pattern="im*") == 2
        await anyio.wait_all_tasks_blocked()
        assert await registry.cancel_all(message="all", max_age_seconds=float("inf")) == 2
    assert sorted(gone) == [
        ("export-1", "manual", "all"),
        ("export-2", "manual", "all"),
        ("import-1", "shutdown", "Bulk cancelation"),
        ("import-2", "manual", "Bulk cancelation"),
    ]
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match=r"min_age_seconds must be .* not negative"):
            await registry.cancel_all(min_age_seconds=bad)


async def test_law_r1_a_filter_may_use_the_registry_and_one_that_raises_asks_nobody(registry):
    operations = [Cancelable(operation_id=str(number)) for number in range(5)]
    for operation in operations:
        await registry.register(operation)

    def meddling(context: OperationContext) -> bool:
        registry.get_statistics_sync()
        registry.list_operations_sync()
        if context.id == "0":
            registry._native.unregister("1")
            registry._native.register(Cancelable(operation_id="late"))
        if context.id == "3":
            raise LookupError("on purpose")
        return True

    with pytest.raises(LookupError, match="on purpose"):
        registry.cancel_all_sync(filter_func=meddling)
    assert not any(it._is_asked() for it in operations)
    assert ids(registry.get_active_operations()) == ["0", "2", "3", "4", "late"]


async def test_a_child_is_told_with_its_parent(registry):
    events = registry._native.events(100)
    with pytest.raises(ManualCancelation):
        async with registered("p") as parent:
            async with registered("c"):
                await parent.cancel()
                (child,) = registry.get_children("p")
                assert child.cancel_reason is CancelationReason.PARENT
                await forever()
    heard = [json.loads(it) for it in iter(events.take, None)]
    started = [it["parent_id"] for it in heard if it["event"] == "started"]
    assert started == [None, "p"]
    why = next(it["context"]["cancellation"] for it in heard if it["event"] == "ended")
    assert (why["reason"], why["origin"]["id"]) == ("parent", "p")
    assert why["message"] == "Parent operation p cancelled"


async def test_law_p3_a_plain_thread_cancels_what_waits_on_an_idle_loop(registry):
    bridge = ThreadSafeRegistry()
    answers: list[Any] = []
    waits = threading.Event()

    def cancel() -> None:
        waits.wait()
        answers.append(ids(bridge.list_operations(status=OperationStatus.RUNNING)))
        answers.append(bridge.get_operation("a") is operation)
        answers.append(bridge.cancel_operation("a", message="from a thread"))

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(ManualCancelation, match="from a thread"):
        async with registered("a") as operation:
            waits.set()
            await forever()
    thread.join()
    assert answers == [["a"], True, True]
    assert ids(bridge.get_history()) == ["a"]
    assert bridge.get_statistics()["history_by_status"] == {"cancelled": 1}
    assert not bridge.cancel_operation("a")
    assert bridge.cancel_all() == 0
    assert bridge.get_active_operations() == bridge.get_children("a") == []

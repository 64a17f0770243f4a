"""The registry: who runs and who ran, listed, counted and cancelled from anywhere."""

import asyncio
import contextlib
import copy
import gc
import json
import random
import sys
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
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
from support import leaks
from support.processes import run_python


@pytest.fixture(autouse=True)
def registry() -> OperationRegistry:
    registry = OperationRegistry()
    registry.clear()
    return registry


async def forever() -> None:
    """Waits, and is only ended by a cancel."""
    await anyio.Event().wait()


def registered(operation_id: str, **more: Any) -> Cancelable:
    return Cancelable(operation_id, more.pop("name", operation_id), register_globally=True, **more)


async def run(operation: Cancelable) -> None:
    async with operation:
        pass


def ids(contexts: list[OperationContext]) -> list[str]:
    return [it.id for it in contexts]


def test_there_is_one(registry):
    assert OperationRegistry() is OperationRegistry.get_instance() is registry
    assert ThreadSafeRegistry.get_instance() is ThreadSafeRegistry.get_instance()


@pytest.mark.trio
async def test_listed_while_it_runs_and_in_the_history_after(registry):
    async with registered("a", name="Import") as operation:
        (listed,) = await registry.list_operations()
        assert (listed.id, listed.name) == ("a", "Import")
        assert listed.status is OperationStatus.RUNNING
        assert await registry.get_operation("a") is operation
        assert await registry.get_history() == []
    assert await registry.list_operations() == []
    assert await registry.get_operation("a") is None
    (ended,) = await registry.get_history()
    assert (ended.id, ended.status) == ("a", OperationStatus.COMPLETED)
    async with Cancelable(operation_id="b"):
        assert registry.list_operations_sync() == [], "nobody asked for it"


async def test_it_has_left_when_its_callbacks_are_told(registry):
    seen = []

    def ended(context):
        seen.append((context.id, registry.list_operations_sync(), ids(registry.get_history_sync())))

    await run(registered("a").on_complete(ended))
    with pytest.raises(ValueError, match="no"):
        async with registered("b").on_error(lambda context, _error: ended(context)):
            raise ValueError("no")
    with pytest.raises(ManualCancelation):
        async with registered("c").on_cancel(ended) as operation:
            await operation.cancel()
            await forever()
    assert seen == [("a", [], ["a"]), ("b", [], ["a", "b"]), ("c", [], ["a", "b", "c"])]
    by_status = registry.get_statistics_sync()["history_by_status"]
    assert by_status == {"completed": 1, "failed": 1, "cancelled": 1}


async def test_law_r4_a_second_operation_with_a_live_id_is_refused(registry):
    told = []
    async with registered("same") as first:
        second = registered("same").on_start(told.append)
        with pytest.raises(ValueError, match=r'operation_id "same" .* live .*give another id'):
            async with second:
                told.append("entered")
        with pytest.raises(ValueError, match='operation_id "same"'):
            await registry.register(Cancelable(operation_id="same"))
        assert not told
        assert second.context.status is OperationStatus.PENDING
        assert await registry.get_operation("same") is first
        assert registry.get_statistics_sync()["active_operations"] == 1
        await asyncio.sleep(0)
    # Nothing of it was begun, and so it may be entered now.
    async with second:
        assert await registry.get_operation("same") is second
    assert ids(await registry.get_history()) == ["same", "same"]


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


async def test_one_that_is_registered_by_hand_is_kept_until_it_is_taken_off(registry):
    await registry.register(Cancelable(operation_id="a", metadata={"k": 1}))
    gc.collect()
    alive = weakref.ref(await registry.get_operation("a"))
    assert alive() is not None
    await registry.unregister("a")
    await registry.unregister("a")
    assert alive() is None
    assert await registry.list_operations() == []
    assert await registry.get_history() == [], "it did not end"
    # One that runs goes on.
    async with Cancelable(operation_id="b") as operation:
        await registry.register(operation)
        assert (await registry.list_operations())[0].status is OperationStatus.RUNNING
        await registry.unregister("b")
        assert await registry.list_operations() == []
    assert operation.is_completed
    assert await registry.get_history() == []


async def test_one_that_is_ended_by_hand_goes_into_the_history(registry):
    for status in ("completed", "failed"):
        operation = Cancelable(operation_id=status)
        await registry.register(operation)
        operation.context.update_status(OperationStatus(status))
    assert await registry.cleanup_completed() == 1
    assert ids(await registry.list_operations()) == ["failed"]
    assert ids(await registry.get_history()) == ["completed"]
    await registry.unregister("failed")
    assert [it.status.value for it in await registry.get_history()] == ["completed", "failed"]


async def test_an_operation_that_is_entered_again_is_listed_again(registry):
    operation = registered("a")
    for _ in range(3):
        async with operation:
            assert ids(registry.get_active_operations()) == ["a"]
    assert ids(await registry.get_history()) == ["a"] * 3
    assert (await registry.get_statistics())["total_completed"] == 3


async def test_what_never_leaves_is_gone_with_its_operation(registry):
    operation = Cancelable(operation_id="a")
    # Not by `async with`: anyio never forgets a scope that is not left.
    operation._enter(contextlib.nullcontext(), None, registry._native)
    assert ids(registry.get_active_operations()) == ["a"]
    del operation
    gc.collect()
    assert await registry.list_operations() == []
    assert await registry.get_history() == []
    assert (await registry.get_statistics())["active_operations"] == 0
    await run(registered("a"))


async def test_names_statuses_and_parents(registry):
    parent = registered("p", name="Import all")
    async with parent:
        async with registered("x", name="import-1", parent=parent), registered("y", name="export"):
            pending = Cancelable(operation_id="z", parent=parent)
            await registry.register(pending)

            async def listed(**wanted: Any) -> str:
                return "".join(ids(await registry.list_operations(**wanted)))

            assert await listed() == "pxyz"
            assert await listed(name_pattern="IMPORT") == "px"
            assert await listed(name_pattern="import*") == "px"
            assert await listed(name_pattern="import-?") == "x"
            assert await listed(name_pattern="?mport") == ""
            assert await listed(status=OperationStatus.RUNNING) == "pxy"
            assert await listed(status="pending") == "z"
            assert await listed(status=OperationStatus.COMPLETED) == ""
            # `y` runs in `x`, which it was not given as its parent.
            assert await listed(parent_id="p") == "xz"
            assert await listed(parent_id="x") == ""
            assert ids(registry.get_children("p")) == ["x", "z"]
            assert ids(await registry.get_children("x")) == ["y"]
            assert await listed(parent_id="p", name_pattern="1", status="running") == "x"
            with pytest.raises(ValueError, match="invalid name pattern"):
                await listed(name_pattern="a**")
            with pytest.raises(ValueError, match="status must be an OperationStatus"):
                await listed(status="asleep")


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


def test_law_r1_listing_many_lets_others_go_on(registry):
    for _ in range(20_000):
        registry._native.register(Cancelable())
    turns = 0
    has_begun, is_over = threading.Event(), threading.Event()

    def take_turns() -> None:
        nonlocal turns
        has_begun.set()
        while not is_over.is_set():
            turns += 1
            # Gives the interpreter back after each turn.
            time.sleep(0)

    thread = threading.Thread(target=take_turns)
    interval = sys.getswitchinterval()
    # Whoever waits for the interpreter says so at once, and has it as soon as it is let go.
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        has_begun.wait()
        before = turns
        listed = registry.list_operations_sync()
        during = turns - before
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(interval)
    # It could be had 78 times.
    assert (len(listed), during > 10) == (20_000, True), during


async def test_law_r2_statistics_add_up(registry):
    keys = [
        "active_operations",
        "active_by_status",
        "history_size",
        "history_by_status",
        "average_duration_seconds",
        "total_completed",
    ]
    empty = await registry.get_statistics()
    assert list(empty) == keys
    assert empty == dict.fromkeys(keys, 0) | {"active_by_status": {}, "history_by_status": {}}
    async with registered("a"):
        await registry.register(Cancelable(operation_id="waits"))
        with pytest.raises(ManualCancelation):
            async with registered("b") as asked:
                await asked.cancel()
                assert registry.get_statistics_sync()["active_by_status"] == {
                    "pending": 1,
                    "running": 2,
                }
                await forever()
        await asyncio.sleep(0.001)
    figures = await registry.get_statistics()
    assert figures["active_operations"] == 1
    assert (figures["history_size"], figures["total_completed"]) == (2, 1)
    assert figures["history_by_status"] == {"cancelled": 1, "completed": 1}
    assert figures["average_duration_seconds"] >= 0.001


def test_law_r2_hammer_threads_with_loops_of_their_own(registry):
    threads, rounds = 4, 150
    ended: list[str] = []
    snooping = threading.Event()
    wrong: list[Any] = []

    async def work(name: str, chance: random.Random) -> None:
        operation = registered(name, metadata={"object": object()})
        try:
            async with operation:
                await operation.report_progress("at it")
                match chance.randrange(4):
                    case 0:
                        raise ValueError(name)
                    case 1:
                        await operation.cancel()
                    case _:
                        pass
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        except (CancelationError, ValueError):
            pass
        ended.append(operation.context.status.value)

    async def many(number: int) -> None:
        chance = random.Random(number)
        for count in range(0, rounds, 5):
            group = [work(f"{number}-{count + it}", chance) for it in range(5)]
            await asyncio.gather(*group)

    def snoop() -> None:
        chance = random.Random(0)
        while not snooping.is_set():
            figures = registry.get_statistics_sync()
            if figures["active_operations"] != sum(figures["active_by_status"].values()):
                wrong.append(figures)
            name = f"{chance.randrange(threads)}-{chance.randrange(rounds)}"
            registry.cancel_operation_sync(name)
            registry.get_operation_sync(name)
            listed = registry.list_operations_sync() + registry.get_history_sync(3)
            wrong.extend(it for it in listed if it.is_terminal and it.end_time is None)
            registry.cancel_all_sync(name_pattern="-7", filter_func=lambda it: it.is_terminal)

    snooper = threading.Thread(target=snoop)
    snooper.start()
    workers = [
        threading.Thread(target=lambda it=it: asyncio.run(many(it))) for it in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    snooping.set()
    snooper.join()
    assert not wrong, wrong[:3]
    figures = registry.get_statistics_sync()
    assert (len(ended), figures["active_operations"]) == (threads * rounds, 0)
    assert figures["history_by_status"] == {it: ended.count(it) for it in set(ended)}
    assert figures["total_completed"] == ended.count("completed")


async def test_law_r3_the_newest_thousand_are_kept_the_oldest_first(registry):
    for number in range(1100):
        await run(registered(str(number)))
    history = await registry.get_history()
    assert ids(history) == [str(it) for it in range(100, 1100)]
    assert ids(await registry.get_history(3)) == ["1097", "1098", "1099"]
    assert await registry.get_history(0) == []
    figures = await registry.get_statistics()
    assert (figures["history_size"], figures["total_completed"]) == (1000, 1100)
    with pytest.raises(ValueError, match="limit must not be negative, got -1"):
        await registry.get_history(-1)


async def test_the_history_is_asked_by_status_and_time_and_cleaned_up(registry):
    await run(registered("a"))
    with pytest.raises(ValueError, match="no"):
        async with registered("b"):
            raise ValueError("no")
    since = datetime.now(UTC)
    await run(registered("c"))
    assert ids(await registry.get_history(status=OperationStatus.COMPLETED)) == ["a", "c"]
    assert ids(await registry.get_history(status=OperationStatus.TIMEOUT)) == []
    assert ids(await registry.get_history(since=since)) == ["c"]
    assert ids(await registry.get_history(1, since=since - timedelta(hours=1))) == ["c"]
    with pytest.raises(TypeError, match="since must have a timezone"):
        await registry.get_history(since=datetime.now())  # noqa: DTZ005, since that is what is tried

    assert await registry.cleanup_completed() == 0
    assert await registry.cleanup_completed(older_than=timedelta(hours=1)) == 0
    assert ids(await registry.get_history()) == ["a", "b", "c"]
    assert await registry.cleanup_completed(max_age_seconds=0) == 2
    assert ids(await registry.get_history()) == ["b"]
    assert await registry.cleanup_completed(timedelta(0), keep_failed=False) == 1
    assert (await registry.get_statistics())["history_size"] == 0
    with pytest.raises(ValueError, match="max_age_seconds must be"):
        await registry.cleanup_completed(max_age_seconds=-1)


async def test_snapshots_do_not_change_later(registry):
    value = threading.Lock()
    operation = registered("a", metadata={"lock": value, "n": 1})
    with pytest.raises(CancelationError):
        async with operation:
            (running,) = await registry.list_operations()
            operation.context.metadata["n"] = 2
            operation.context.partial_result = {"count": 1}
            await operation.cancel(message="enough")
            (asked,) = await registry.list_operations()
            took = asked.duration
            await forever()
    (ended,) = await registry.get_history()
    operation.context.metadata["n"] = 3
    operation.context.partial_result["count"] = 2
    operation.context.error = "set later"
    ended.name = "of the caller's own"
    (again,) = await registry.get_history()
    assert running.status is OperationStatus.RUNNING
    assert running.metadata == {"lock": value, "n": 1}
    assert running.cancel_reason is None
    assert asked.status is OperationStatus.CANCELLING
    assert (asked.cancel_message, asked.duration) == ("enough", took)
    assert ended.metadata == again.metadata == {"lock": value, "n": 2}
    assert ended.partial_result == {"count": 1}
    assert (again.status, again.name, again.error) == (OperationStatus.CANCELLED, "a", None)
    assert again.elapsed_time == operation.context.elapsed_time == operation.elapsed_time
    assert copy.copy(again).id == "a"


async def test_law_p4_values_may_use_the_registry_as_they_go(registry):
    gone = []

    class Meddler:
        def __del__(self) -> None:
            gone.append(registry.get_statistics_sync()["active_operations"])
            registry.list_operations_sync()
            registry.get_history_sync(1)

    async with registered("a", metadata={"value": Meddler()}):
        pass
    assert not gone, "it is in the history"
    for number in range(1200):
        await run(registered(f"other-{number}"))
    gc.collect()
    assert gone == [0]
    operation = Cancelable(operation_id="b", metadata={"value": Meddler()})
    await registry.register(operation)
    del operation
    registry.clear()
    gc.collect()
    assert len(gone) == 2


async def test_what_has_been_is_bounded_by_the_history(registry):
    async def lives(count: int) -> None:
        for _ in range(count):
            operation = Cancelable(register_globally=True, metadata={"n": [1]})
            await registry.register(operation)
            async with operation:
                registry.get_active_operations()

    await lives(1100)
    # Of what is out of the history some may still be in memory.
    with leaks.no_more_objects(than=300):
        await lives(500)


async def test_reports_and_ends_are_told_as_events(registry):
    events = registry._native.events(100)
    metadata = {"n": 1, "text": "ü", "parts": [1.5, None, True], "object": object(), 3: 4}
    metadata["itself"] = metadata
    with pytest.raises(CancelationError):
        async with registered("a", name="import", metadata=metadata) as operation:
            await operation.report_progress("half", {"done": 5, "of": {"x": (1, 2)}, "no": {1}})
            await operation.report_progress(17)
            await operation.cancel(message="enough", propagate_to_children=False)
            await forever()
    heard = [json.loads(it) for it in iter(events.take, None)]
    assert [(it["event"], it["id"], it["name"]) for it in heard] == [
        (what, "a", "import") for what in ("started", "progress", "progress", "asked", "ended")
    ]
    assert heard[1]["progress"]["message"] == "half"
    assert heard[1]["progress"]["metadata"] == {"done": 5, "of": {"x": [1, 2]}}
    assert heard[2]["progress"]["message"] == "17"
    assert heard[3]["cancellation"]["causes" if "causes" in heard[3]["cancellation"] else "message"]
    ended = heard[4]["context"]
    assert (ended["status"], ended["cancellation"]["message"]) == ("cancelled", "enough")
    assert ended["metadata"].pop("itself")
    assert ended["metadata"] == {"n": 1, "text": "ü", "parts": [1.5, None, True]}
    await run(registered("b"))
    del events
    await run(registered("c"))


async def test_law_o3_one_with_a_thread_left_behind_stays_listed_until_that_ends(registry):
    go_on, told = threading.Event(), asyncio.Event()
    operation = registered("a", grace=0.01).on_cancel(lambda _context: told.set())

    def deaf() -> None:
        registry.cancel_operation_sync("a")
        go_on.wait()

    try:
        with pytest.raises(ManualCancelation):
            async with operation:
                await operation.run_in_thread(deaf)
        (stuck,) = registry.get_active_operations()
        assert (stuck.id, stuck.status) == ("a", OperationStatus.CANCELLING)
        assert registry.get_history_sync() == []
        with pytest.raises(ValueError, match='operation_id "a"'):
            await registry.register(Cancelable(operation_id="a"))
    finally:
        go_on.set()
    await told.wait()
    assert registry.get_active_operations() == []
    assert ids(registry.get_history_sync()) == ["a"]


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


@pytest.mark.trio
async def test_clear_begins_anew_and_operations_go_on(registry):
    await run(registered("a"))
    async with registered("b") as running:
        await registry.register(Cancelable(operation_id="c"))
        registry.clear()
        assert registry.get_active_operations() == []
        assert await registry.get_history() == []
        assert not await registry.cancel_operation("b")
        # The id is free.
        await registry.register(Cancelable(operation_id="b"))
    assert running.is_completed
    assert (await registry.get_statistics())["total_completed"] == 0
    await registry.clear()
    await registry.clear_all()
    assert await registry.list_operations() == []


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


FORK = """
import asyncio, os, threading, warnings
from hother.cancelable import Cancelable, OperationRegistry

registry = OperationRegistry()
is_over = threading.Event()
waiting = Cancelable("waiting")
inherited = [Cancelable(f"inherited-{it}", metadata={"n": it}) for it in range(50)]

def busy(number):
    # Holds locks of the registry much of the time.
    async def work():
        while not is_over.is_set():
            async with Cancelable(f"busy-{number}", register_globally=True):
                registry.get_statistics_sync()
            registry.list_operations_sync()
    asyncio.run(work())

async def child(running):
    assert OperationRegistry() is registry
    assert registry.list_operations_sync() == registry.get_history_sync() == []
    assert not registry.cancel_operation_sync("a")
    # An id is free that is taken in the parent.
    async with Cancelable("a", register_globally=True) as own:
        assert registry.get_operation_sync("a") is own
        await own.report_progress("at it")
    # What is inherited does nothing to either registry, and can be listed anew.
    await waiting.report_progress("at it")
    await waiting.cancel()
    running._complete()
    await registry.register(waiting)
    assert [it.id for it in registry.list_operations_sync()] == ["waiting"]
    assert [it.id for it in registry.get_history_sync()] == ["a"]
    inherited.clear()
    registry.clear()

async def main():
    for it in (waiting, *inherited):
        await registry.register(it)
    async with Cancelable("a", register_globally=True) as running:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    asyncio.run(child(running))
                    status = 0
                finally:
                    os._exit(status)
            _, status = os.waitpid(pid, 0)
            assert status == 0, status
        assert len(registry.list_operations_sync()) >= 52
    assert registry.get_statistics_sync()["total_completed"] >= 1

threads = [threading.Thread(target=busy, args=(it,), daemon=True) for it in range(2)]
for thread in threads:
    thread.start()
# That it forks with threads around is the point.
warnings.simplefilter("ignore", DeprecationWarning)
asyncio.run(main())
is_over.set()
for thread in threads:
    thread.join()
print("parent done")
"""


def test_law_p7_after_a_fork_the_childs_registry_starts_anew():
    assert run_python(FORK).strip() == "parent done"

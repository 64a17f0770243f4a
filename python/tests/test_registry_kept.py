"""What the registry keeps of operations: counts, history, snapshots, events; and nothing in a child of a fork."""

import asyncio
import copy
import gc
import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    ManualCancelation,
    OperationRegistry,
    OperationStatus,
)
from support import leaks
from support.processes import run_python
from support.registered import forever, ids, registered, run


@pytest.fixture(autouse=True)
def registry() -> OperationRegistry:
    registry = OperationRegistry()
    registry.clear()
    return registry


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


def test_what_was_abandoned_with_its_loop_is_cleaned_up() -> None:
    registry = OperationRegistry()
    children = []

    async def body() -> None:
        async with Cancelable(name="abandoned", register_globally=True) as operation:
            children.append(operation)
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    task = loop.create_task(body())
    task._log_destroy_pending = False
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert registry._native.clean_up(None, True) == 0
    loop.close()
    (operation,) = children
    assert operation.is_running
    assert registry._native.clean_up(3600.0, True) == 1
    context = operation.context
    assert (context.status.value, context.cancel_reason.value, context.cancel_message) == (
        "cancelled",
        "dropped",
        "its event loop was closed",
    )
    assert not registry.get_active_operations()
    assert [it.id for it in registry.get_history_sync()] == [operation.operation_id]
    assert registry._native.clean_up(None, True) == 0
    # Nobody goes on with it; what its coroutine does as it is dropped changes nothing.
    task.get_coro().close()
    assert operation.context.status.value == "cancelled"


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

"""The registry: who is listed, from when to when, and how lists are asked for."""

import asyncio
import contextlib
import gc
import sys
import threading
import time
import weakref
from typing import Any

import pytest

from hother.cancelable import (
    Cancelable,
    ManualCancelation,
    OperationRegistry,
    OperationStatus,
    ThreadSafeRegistry,
)
from support.registered import forever, ids, registered, run


@pytest.fixture(autouse=True)
def registry() -> OperationRegistry:
    registry = OperationRegistry()
    registry.clear()
    return registry


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

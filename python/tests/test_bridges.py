"""Calls that other threads leave for a loop, and context variables in threads."""

import asyncio
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from hother.cancelable.utils.anyio_bridge import AnyioBridge, call_soon_threadsafe
from hother.cancelable.utils.context_bridge import ContextBridge
from hother.cancelable.utils.logging import get_logger
from support.loops import settle


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


@pytest.mark.trio
async def test_any_number_of_callbacks_in_order_and_none_dropped():
    heard, all_heard, count = [], anyio.Event(), 5000
    async with AnyioBridge(buffer_size=1) as bridge:
        assert bridge.is_started

        def post():
            for number in range(count):
                bridge.call_soon_threadsafe(lambda number=number: heard.append(number))
            bridge.call_soon_threadsafe(all_heard.set)

        thread = in_thread(post)
        await all_heard.wait()
    thread.join()
    assert heard == list(range(count))
    assert not bridge.is_started


@pytest.mark.trio
async def test_a_slow_callback_holds_up_no_other_and_a_failing_one_is_logged(caplog):
    let_go, slow_done, heard = anyio.Event(), anyio.Event(), []

    async def slow():
        await let_go.wait()
        slow_done.set()

    def bad():
        raise RuntimeError("the callback is broken")

    async with AnyioBridge() as bridge:
        with caplog.at_level(logging.ERROR, "hother.cancelable"):
            for callback in (slow, bad, lambda: heard.append("second")):
                bridge.call_soon_threadsafe(callback)
            await settle()
        assert heard == ["second"]
        assert not slow_done.is_set()
        let_go.set()
        await slow_done.wait()
    assert "the callback is broken" in caplog.text


async def test_what_comes_before_the_start_or_after_a_stop_waits_for_the_next_start():
    bridge, heard = AnyioBridge(), []
    bridge.call_soon_threadsafe(lambda: heard.append(1))
    await settle()
    assert heard == []
    await bridge.start()
    bridge.call_soon_threadsafe(lambda: heard.append(2))
    await settle()
    await bridge.stop()
    bridge.call_soon_threadsafe(lambda: heard.append(3))
    await settle()
    assert heard == [1, 2]
    await bridge.start()
    await settle()
    assert heard == [1, 2, 3]


def test_what_a_closed_loop_did_not_hear_is_heard_by_the_next():
    bridge, heard = AnyioBridge(), []
    asyncio.run(bridge.start())
    bridge.call_soon_threadsafe(lambda: heard.append(1))
    bridge.call_soon_threadsafe(lambda: heard.append(2))

    async def again():
        await bridge.start()
        await settle()

    asyncio.run(again())
    assert heard == [1, 2]


async def test_the_one_bridge_of_the_module():
    bridge, heard = AnyioBridge.get_instance(), anyio.Event()
    assert bridge is AnyioBridge.get_instance()
    async with bridge:
        in_thread(lambda: call_soon_threadsafe(heard.set)).join()
        await heard.wait()


@pytest.mark.trio
async def test_a_thread_sees_the_context_and_the_pool_keeps_none_of_it():
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("the caller's")

    def seen(*args, **kwargs):
        found = variable.get()
        variable.set("the thread's")
        return found, args, kwargs

    with ThreadPoolExecutor(1) as pool:
        for executor in (None, pool):
            run = ContextBridge.run_in_thread_with_context
            assert await run(seen, 1, executor=executor, b=2) == ("the caller's", (1,), {"b": 2})
        assert variable.get() == "the caller's"
        assert pool.submit(variable.get).result() == "none"


def test_a_context_can_be_copied_and_restored():
    variable = contextvars.ContextVar("variable")
    variable.set(1)
    copied = ContextBridge.copy_context()
    assert copied[variable] == 1
    variable.set(2)
    ContextBridge.restore_context(copied)
    assert variable.get() == 1


def test_loggers():
    assert get_logger().name == __name__
    assert get_logger("hother.cancelable.x").name == "hother.cancelable.x"
    handlers = logging.getLogger("hother.cancelable").handlers
    assert any(isinstance(it, logging.NullHandler) for it in handlers)

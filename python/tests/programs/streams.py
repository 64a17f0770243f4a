"""Streams, linked tokens, the bridge, a thread that cancels, conditions.

Processed 3 items {'count': 3, 'latest_item': 2}
stream gave [0, 1, 2, 3, 4] {'count': 5, 'buffer': [0, 1, 2, 3, 4], 'completed': True}
reported: 2 1
cancelable_stream gave [0, 1, 2]
Processed chunk of 2 items
Processed final chunk of 1 items
chunks [[0, 1], [2]]
iterator gave [0, 1, 2]
linked is told: timeout too late
the other goes on: True
check raised ManualCancelation too late
parent: Linked token was cancelled
bridge in order: [0, 1, 2, 3, 4]
threaded ended: manual from a thread
context in the thread: ('value', 1, 2)
waiting ended: condition Condition 'is_met' met after 3 checks
any ended: condition
combined_limit ended: manual stop
the combined is cancelled: True
"""

import asyncio
import contextvars
import re
import threading
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.lowlevel

from hother.cancelable import (
    AnyioBridge,
    Cancelable,
    CancelationReason,
    CancelationToken,
    ManualCancelation,
    call_soon_threadsafe,
    cancelable_stream,
)
from hother.cancelable.core.token import LinkedCancelationToken
from hother.cancelable.sources import ConditionSource
from hother.cancelable.utils.context_bridge import ContextBridge
from hother.cancelable.utils.streams import CancelableAsyncIterator, chunked_cancelable_stream

variable = contextvars.ContextVar("variable", default="")


async def numbers(n: int) -> AsyncIterator[int]:
    for number in range(n):
        await anyio.lowlevel.checkpoint()
        yield number


async def streams() -> None:
    async with Cancelable(name="stream") as cancel:
        cancel.on_progress(lambda _id, message, metadata: print(message, metadata))
        items = [item async for item in cancel.stream(numbers(5), report_interval=3)]
        print("stream gave", items, cancel.context.partial_result)

    def report(count: int, item: int) -> None:
        print("reported:", count, item)

    stream = cancelable_stream(numbers(3), timeout=30.0, report_interval=2, on_progress=report)
    print("cancelable_stream gave", [item async for item in stream])
    async with Cancelable(name="chunks") as cancel:
        cancel.on_progress(lambda _id, message, _metadata: print(message))
        chunks = [chunk async for chunk in chunked_cancelable_stream(numbers(3), 2, cancel)]
        print("chunks", chunks)
    async with Cancelable(name="iterator") as cancel:
        iterator = CancelableAsyncIterator(numbers(3), cancel, buffer_partial=True)
        print("iterator gave", [item async for item in iterator])


async def tokens() -> None:
    first, second = CancelationToken(), CancelationToken()
    linked, parental = LinkedCancelationToken(), LinkedCancelationToken()
    await linked.link(first)
    await linked.link(second, preserve_reason=True)
    await parental.link(second)
    told = anyio.Event()

    async def callback(token: CancelationToken) -> None:
        assert token is linked
        assert token.reason is not None
        print("linked is told:", token.reason.value, token.message)
        told.set()

    await linked.register_callback(callback)
    await second.cancel(CancelationReason.TIMEOUT, "too late")
    await told.wait()
    print("the other goes on:", str(first).endswith("active)"))
    try:
        linked.check()
    except ManualCancelation as error:
        print("check raised", type(error).__name__, error)
    assert parental.reason is not None
    print(f"{parental.reason.value}:", re.sub(r" \w{8} ", " ", parental.message or ""))


async def threads() -> None:
    bridge = AnyioBridge.get_instance()
    async with anyio.create_task_group() as group:
        group.start_soon(bridge.start)
        await anyio.wait_all_tasks_blocked()
        assert bridge.is_started
        seen: list[int] = []
        done = anyio.Event()

        def work() -> None:
            for number in range(5):
                call_soon_threadsafe(lambda number=number: seen.append(number))  # type: ignore[misc]
            call_soon_threadsafe(done.set)

        thread = threading.Thread(target=work)
        thread.start()
        await done.wait()
        thread.join()
        print("bridge in order:", seen)
        token = CancelationToken()

        def cancel() -> None:
            token.cancel_sync(CancelationReason.MANUAL, "from a thread")

        thread = threading.Thread(target=cancel)
        await ended(Cancelable.with_token(token, name="threaded"), thread.start)
        thread.join()
        await bridge.stop()
        group.cancel_scope.cancel()
    variable.set("value")

    def look(x: int, y: int = 0) -> tuple[str, int, int]:
        return variable.get(), x, y

    seen_there = await ContextBridge.run_in_thread_with_context(look, 1, y=2)
    print("context in the thread:", seen_there)


async def ended(operation: Cancelable, begin: Callable[[], object] = lambda: None) -> None:
    try:
        async with operation:
            begin()
            await anyio.sleep(30)
    except asyncio.CancelledError:
        context = operation.context
        assert context.cancel_reason is not None
        message = "" if context.name == "any" else f" {context.cancel_message}"
        print(f"{context.name} ended: {context.cancel_reason.value}{message}")


async def sources() -> None:
    asked = 0

    def is_met() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    await ended(Cancelable.with_condition(is_met, check_interval=0.01, name="waiting"))
    await ended(Cancelable(name="any").add_source(ConditionSource(lambda: True, 0.01)))
    token = CancelationToken()
    combined = Cancelable.with_timeout(30, name="limit").combine(Cancelable.with_token(token))

    async def stop() -> None:
        await token.cancel(message="stop")

    async with anyio.create_task_group() as group:
        await ended(combined, lambda: group.start_soon(stop))
    print("the combined is cancelled:", combined.is_cancelled)


async def main() -> None:
    await streams()
    await tokens()
    await threads()
    await sources()


anyio.run(main)

"""Jobs: decorators, progress, nested operations, a shield, a thread, a registry.

progress of job: item 0 {'count': 0}
progress of job: item 1 {'count': 1}
job gave 1
fetch is Service.fetch
outer is running
progress of outer: begin None
told and awaited: begin
progress of inner: inside {'page': 1}
told and awaited: inside
inner has parent outer
helper got 3 in inner
current again: outer
outer_shielded is shielded
thread gave 7 in outer
wrapped gave 3
outer is completed
slow is cancelled
slow ended: timeout
bad is failed: ValueError boom
bad raised boom
token was cancelled: True
token_based ended: manual by the user
with_cancelable injected: True
combined call: combine
registry has ['registered']
history ends with ['registered']
"""

import asyncio
from typing import Any

import anyio
import anyio.lowlevel

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    CancelationToken,
    OperationContext,
    OperationRegistry,
    OperationStatus,
    cancelable,
    cancelable_combine,
    current_operation,
    with_cancelable,
)
from hother.cancelable.utils.decorators import cancelable_method, with_current_operation

names: dict[str, str | None] = {}


def on_progress(operation_id: str, message: Any, metadata: dict[str, Any] | None = None) -> None:
    print(f"progress of {names.get(operation_id, 'job')}: {message} {metadata}")


async def on_progress_awaited(
    operation_id: str, message: Any, metadata: dict[str, Any] | None = None
) -> None:
    await anyio.lowlevel.checkpoint()
    print(f"told and awaited: {message}")


def on_status(context: OperationContext) -> None:
    print(f"{context.name} is {context.status.value}")


async def on_error(context: OperationContext, error: Exception) -> None:
    print(f"{context.name} is {context.status.value}: {type(error).__name__} {error}")


@cancelable(timeout=2.0, name="job")
async def job(items: int, cancelable: Cancelable | None = None) -> int:
    assert cancelable is not None
    assert cancelable is current_operation()
    cancelable.on_progress(on_progress)
    total = 0
    for item in range(items):
        await cancelable.report_progress(f"item {item}", {"count": item})
        total += item
    return total


class Service:
    @cancelable_method(timeout=5.0)
    async def fetch(self, cancelable: Cancelable | None = None) -> None:
        assert cancelable is not None
        print("fetch is", cancelable.context.name)


@with_current_operation()
async def helper(number: int, operation: Cancelable | None = None) -> None:
    assert operation is not None
    print("helper got", number, "in", operation.context.name)


def add_in_thread(x: int, y: int = 1) -> int:
    return x + y


async def add(x: int, y: int = 1) -> int:
    return x + y


async def nested() -> None:
    outer = Cancelable(name="outer")
    outer.on_progress(on_progress).on_progress(on_progress_awaited)
    outer.on_start(on_status).on_complete(on_status)
    names[outer.operation_id] = "outer"
    async with outer:
        await outer.report_progress("begin")
        async with Cancelable(name="inner", parent=outer) as inner:
            names[inner.operation_id] = "inner"
            await inner.report_progress("inside", {"page": 1})
            assert inner.context.parent_id == outer.operation_id
            print("inner has parent", inner.parent and inner.parent.context.name)
            await helper(3)
        current = current_operation()
        print("current again:", current and current.context.name)
        async with outer.shield() as shielded:
            await anyio.sleep(0.001)
            print(shielded.context.name, "is", shielded.context.status.value)
        print("thread gave", await outer.run_in_thread(add_in_thread, 3, y=4), "in outer")
        async with outer.wrapping() as wrap:
            print("wrapped gave", await wrap(add, 1, y=2))


async def ends() -> None:
    slow = Cancelable.with_timeout(0.02, name="slow").on_cancel(on_status)
    try:
        async with slow:
            await anyio.sleep(30)
    except asyncio.CancelledError:
        assert slow.context.cancel_reason is not None
        print("slow ended:", slow.context.cancel_reason.value)
    try:
        async with Cancelable(name="bad").on_error(on_error):
            raise ValueError("boom")
    except ValueError as error:
        print("bad raised", error)
    token = CancelationToken()
    operation = Cancelable.with_token(token)

    async def cancel() -> None:
        print("token was cancelled:", await token.cancel(CancelationReason.MANUAL, "by the user"))

    async with anyio.create_task_group() as group:
        try:
            async with operation:
                group.start_soon(cancel)
                await anyio.sleep(30)
        except asyncio.CancelledError:
            assert operation.context.cancel_reason is not None
            how = operation.context.cancel_reason.value, operation.context.cancel_message
            print(operation.context.name, "ended:", *how)


async def shared() -> None:
    running = Cancelable.with_timeout(30, name="shared")

    @with_cancelable(running, inject=True)
    async def injected(cancelable: Cancelable | None = None) -> bool:
        return cancelable is running

    @cancelable_combine(Cancelable.with_timeout(30), Cancelable.with_token(CancelationToken()))
    async def combine(cancelable: Cancelable | None = None) -> None:
        assert cancelable is not None
        print("combined call:", cancelable.context.name)

    async with running:
        print("with_cancelable injected:", await injected())
    await combine()
    registry = OperationRegistry.get_instance()
    async with Cancelable(name="registered", register_globally=True) as registered:
        assert await registry.get_operation(registered.operation_id) is registered
        found = await registry.list_operations(status=OperationStatus.RUNNING, name_pattern="REG")
        print("registry has", [context.name for context in found])
    print("history ends with", [it.name for it in await registry.get_history(limit=1)])


async def main() -> None:
    print("job gave", await job(2))
    await Service().fetch()
    await nested()
    await ends()
    await shared()


anyio.run(main)

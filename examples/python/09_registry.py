"""The registry: who runs, since when, and who is to stop; by id, in bulk, from any thread.

    $ python examples/python/09_registry.py
    running: import 1, import 2, import 3, report
    asked to stop from a thread: import 2
    asked to stop in bulk: 2
    report completed
    import 1 cancelled: no longer wanted
    import 2 cancelled: this one is broken
    import 3 cancelled: no longer wanted

Look for the thread: it needs no loop, and the work hears of it at once.
"""

import asyncio
import threading

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    OperationRegistry,
    ThreadSafeRegistry,
)


async def work(name: str, done: asyncio.Event) -> None:
    """Is listed while it runs."""
    try:
        async with Cancelable(operation_id=name, name=name, register_globally=True):
            await done.wait()
    except CancelationError:
        pass


def from_a_thread() -> None:
    """Has no loop."""
    registry = ThreadSafeRegistry()
    registry.cancel_operation("import 2", CancelationReason.MANUAL, "this one is broken")
    print("asked to stop from a thread: import 2")


async def main() -> None:
    """Runs four, and stops three."""
    registry = OperationRegistry.get_instance()
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for name in ("import 1", "import 2", "import 3", "report"):
            group.create_task(work(name, done))
        await asyncio.sleep(0)
        names = sorted(str(it.name) for it in await registry.list_operations())
        print(f"running: {', '.join(names)}")

        thread = threading.Thread(target=from_a_thread)
        thread.start()
        await asyncio.to_thread(thread.join)
        while len(await registry.get_history()) < 1:
            await asyncio.sleep(0)

        stopped = await registry.cancel_all(message="no longer wanted", name_pattern="import*")
        print(f"asked to stop in bulk: {stopped}")
        done.set()

    for ended in sorted(await registry.get_history(), key=lambda it: str(it.name), reverse=True):
        if ended.is_success:
            print(f"{ended.name} completed")
    for ended in sorted(await registry.get_history(), key=lambda it: str(it.name)):
        if ended.is_cancelled:
            print(f"{ended.name} cancelled: {ended.cancel_message}")


asyncio.run(main())

"""A blocking library in a thread: the code there hears of the cancel without a token at hand, and the loop does not wait for ever.

    $ python examples/python/12_blocking_library.py
    the thread is computing for: crunch
    the thread stopped after … rounds
    stopped: Operation timed out after 0.1s
    a context variable in the thread: blue

Look for `checkpoint()`: it asks the operation that is current in the thread.
"""

import asyncio
import contextvars

from hother.cancelable import Cancelable, CancelationError, checkpoint, current_operation

colour = contextvars.ContextVar("colour", default="none")


def crunch() -> None:
    """Computes and never awaits."""
    operation = current_operation()
    assert operation is not None
    print(f"the thread is computing for: {operation.context.name}")
    rounds = 0
    try:
        while True:
            rounds += 1
            checkpoint()
    finally:
        print(f"the thread stopped after {rounds} rounds")


async def main() -> None:
    """Runs it for a moment."""
    try:
        async with Cancelable.with_timeout(0.1, name="crunch") as cancel:
            await cancel.run_in_thread(crunch)
    except CancelationError as error:
        print(f"stopped: {error}")

    colour.set("blue")
    async with Cancelable() as cancel:
        print(f"a context variable in the thread: {await cancel.run_in_thread(colour.get)}")


asyncio.run(main())

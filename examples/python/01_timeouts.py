"""Time limits: of an operation, of one inside another, of a single await, and what they raise.

    $ python examples/python/01_timeouts.py
    too slow: Operation timed out after 0.1s
    in time: 3 rows
    the inner one timed out, the outer one went on, with … s left
    one await: Operation timed out after 0.05s

Look for what catches a timeout: `TimeoutError` is enough, and `CancelationError` catches every cancel, with its reason.
"""

import asyncio

from hother.cancelable import Cancelable, CancelationError, with_timeout


async def query(seconds: float) -> int:
    """Stands for a database."""
    await asyncio.sleep(seconds)
    return 3


async def main() -> None:
    """Runs into some limits."""
    try:
        async with Cancelable.with_timeout(0.1, name="report"):
            await query(60)
    except CancelationError as error:
        print(f"too slow: {error}")

    async with Cancelable.with_timeout(10.0):
        print(f"in time: {await query(0.01)} rows")

    async with Cancelable.with_timeout(10.0) as outer:
        try:
            async with Cancelable.with_timeout(0.1):
                await query(60)
        except TimeoutError:
            left = outer.remaining()
            print(f"the inner one timed out, the outer one went on, with {left:.1f} s left")

    try:
        await with_timeout(0.05, query(60))
    except TimeoutError as error:
        print(f"one await: {error}")


asyncio.run(main())

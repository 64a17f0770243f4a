"""What makes it safe to be cancelled: a shield for what must not be torn apart, a finalizer for what must be done.

    $ python examples/python/07_shield.py
    paying
    asked to stop, in the middle of it
    paid
    the connection is closed
    stopped: the user has left, after the payment
    a shield with a bound: gave up on a hook that hangs

Look at the order: the cancel came in the middle, and was delivered right after the shield; the finalizer ran after that.
"""

import asyncio

from hother.cancelable import Cancelable, ManualCancelation


async def pay(cancel: Cancelable) -> None:
    """Must be done as a whole, or not be begun."""
    print("paying")
    await cancel.cancel(message="the user has left")
    print("asked to stop, in the middle of it")
    await asyncio.sleep(0.01)
    print("paid")


async def close_connection() -> None:
    """Is done whichever way it ends, and may await."""
    await asyncio.sleep(0.01)
    print("the connection is closed")


async def main() -> None:
    """Is cancelled while it pays."""
    try:
        async with Cancelable(name="checkout") as cancel:
            cancel.finalizer(close_connection, timeout=5.0)
            async with cancel.shield():
                await pay(cancel)
            await asyncio.sleep(60)
    except ManualCancelation as error:
        print(f"stopped: {error}, after the payment")

    async with Cancelable() as cancel:
        try:
            async with cancel.shield(timeout=0.05):
                await asyncio.Event().wait()
        except TimeoutError:
            print("a shield with a bound: gave up on a hook that hangs")


asyncio.run(main())

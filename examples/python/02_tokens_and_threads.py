"""Tokens: cancelled from a thread, linked to others, heard by a loop that sleeps and by code that only asks.

    $ python examples/python/02_tokens_and_threads.py
    the worker thread stopped: closing time
    the task stopped: closing time
    told: manual, closing time
    and so for whoever comes later: closing time

Look for who is told: a thread that asks, a task that waits, a callback, and an operation that begins when it is all over.
Nothing was started beforehand, and nobody polls.
"""

import asyncio
import threading

from hother.cancelable import Cancelable, CancelationToken, LinkedCancelationToken, ManualCancelation


def count_until_told(token: CancelationToken) -> None:
    """A loop of a plain thread: asking is cheap."""
    counted = 0
    while not token.is_cancelled:
        counted += 1


async def main() -> None:
    """Closes the shop."""
    shop, counter = CancelationToken(), LinkedCancelationToken()
    await counter.link(shop, preserve_reason=True)
    told: list[str] = []
    await shop.register_callback(lambda it: told.append(f"told: {it.reason.value}, {it.message}"))

    worker = threading.Thread(target=count_until_told, args=(counter,))
    worker.start()
    closing = threading.Timer(0.1, shop.cancel_sync, kwargs={"message": "closing time"})
    closing.start()
    try:
        async with Cancelable.with_token(counter):
            await asyncio.Event().wait()
    except ManualCancelation as error:
        worker.join()
        print(f"the worker thread stopped: {counter.message}")
        print(f"the task stopped: {error}")
    closing.join()
    print(told[0])

    try:
        async with Cancelable.with_token(shop):
            await asyncio.sleep(0)
    except ManualCancelation as error:
        print(f"and so for whoever comes later: {error}")


asyncio.run(main())

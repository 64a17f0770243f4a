"""Streams: a slow source is stopped at once, closed, and what came so far is kept.

    $ python examples/python/08_streams.py
    Once upon a
    the source is closed
    stopped: the user has read enough
    3 words came: ['Once', 'upon', 'a']
    in chunks: [1, 2] [3, 4] [5]

Look at the order: the source is closed before the loop is left, so a model upstream stops, and the bill with it. The partial
result is right however the stream ends.
"""

import asyncio
from collections.abc import AsyncIterator

from hother.cancelable import Cancelable, ManualCancelation
from hother.cancelable.utils.streams import chunked_cancelable_stream


async def story() -> AsyncIterator[str]:
    """Stands for a model that writes."""
    try:
        for word in ("Once", "upon", "a", "time", "…"):
            yield word
            if word == "a":
                await asyncio.Event().wait()  # It thinks.
    finally:
        print("\nthe source is closed")


async def numbers() -> AsyncIterator[int]:
    """Has five of them."""
    for number in range(1, 6):
        yield number


async def main() -> None:
    """Reads for a while."""
    reading = Cancelable(name="reading")
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, reading.token.cancel_sync, "the user has read enough")
    try:
        async with reading:
            separator = ""
            async for word in reading.stream(story()):
                print(separator, word, sep="", end="", flush=True)
                separator = " "
    except ManualCancelation as error:
        print(f"stopped: {error}")
    partial = reading.context.partial_result
    print(f"{partial['count']} words came: {partial['buffer']}")

    async with Cancelable() as operation:
        chunks = [it async for it in chunked_cancelable_stream(numbers(), 2, operation)]
    print("in chunks:", *chunks)


asyncio.run(main())

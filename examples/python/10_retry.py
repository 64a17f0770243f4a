"""Retrying with Tenacity: failures are retried, a cancel is not, and a back-off ends with the operation.

    $ python examples/python/10_retry.py
    attempt 1: busy
    attempt 2: busy
    attempt 3: it worked
    attempt 1: busy
    given up in the back-off: Operation timed out after 0.1s

Look for what there is no attempt 2 of: the time was up while Tenacity waited for a minute, and that ended the wait.
"""

import asyncio
from itertools import count

from hother.cancelable import Cancelable
from tenacity import AsyncRetrying, stop_after_attempt, wait_fixed


class BusyError(Exception):
    """The server has no time."""


async def main() -> None:
    """Asks a busy server twice."""
    attempts = count(1)

    async def fetch() -> str:
        attempt = next(attempts)
        print(f"attempt {attempt}: {'it worked' if attempt == 3 else 'busy'}")
        if attempt != 3:
            raise BusyError
        return "a page"

    async with Cancelable.with_timeout(60.0, name="fetch") as cancel:
        wrapped = cancel.wrap(fetch)
        async for attempt in AsyncRetrying(stop=stop_after_attempt(3)):
            with attempt:
                await wrapped()

    attempts = count(1)
    try:
        async with Cancelable.with_timeout(0.1, name="fetch") as cancel:
            wrapped = cancel.wrap(fetch)
            async for attempt in AsyncRetrying(stop=stop_after_attempt(3), wait=wait_fixed(60)):
                with attempt:
                    await wrapped()
    except TimeoutError as error:
        print(f"given up in the back-off: {error}")


asyncio.run(main())

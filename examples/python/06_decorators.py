"""Decorators: each call of a function is an operation of its own, also of a method, a generator, a plain function.

    $ python examples/python/06_decorators.py
    fetch: a page
    Shop.order: 2 apples
    count: 0, 1, 2
    blocking: the answer is 42, from another thread
    slow: Operation timed out after 0.05s

Look for the parameter that no caller gives: the decorator fills it in, by its name or by its annotation.
"""

import asyncio
import threading
from collections.abc import AsyncIterator

from hother.cancelable import Cancelable, cancelable


@cancelable
async def fetch(url: str, cancel: Cancelable) -> str:
    """Used bare."""
    return f"{cancel.context.name}: a page"


class Shop:
    """Has a method that is an operation."""

    @cancelable(timeout=1.0)
    async def order(self, what: str, operation: Cancelable | None = None) -> str:
        """Found by the annotation."""
        assert operation is not None
        return f"{operation.context.name}: {what}"


@cancelable(timeout=1.0)
async def count(n: int) -> AsyncIterator[int]:
    """The limit is that of all its items together; while the caller works, nothing of it is open."""
    for number in range(n):
        yield number


@cancelable(timeout=1.0)
def blocking() -> tuple[int, int]:
    """A plain function runs in a thread, and its call is awaited."""
    return 42, threading.get_ident()


@cancelable(timeout=0.05)
async def slow() -> None:
    """Never comes to an end by itself."""
    await asyncio.Event().wait()


async def main() -> None:
    """Calls them."""
    print(await fetch("https://example.org/"))
    print(await Shop().order("2 apples"))
    print(f"count: {', '.join([str(number) async for number in count(3)])}")
    answer, thread = await blocking()
    where = "another" if thread != threading.get_ident() else "this"
    print(f"blocking: the answer is {answer}, from {where} thread")
    try:
        await slow()
    except TimeoutError as error:
        print(f"slow: {error}")


asyncio.run(main())
